/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/spot.h"

#include "base/util.h"
#include "bundle/bundle-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40
#define DEPTH_MAX 32

typedef enum Outcome { FOUND, ESCAPES, MISSING, FAILED } Outcome;

typedef struct Walk {
	const char *root_path;
	int fds[DEPTH_MAX + 1]; /* [0] is the package */
	char *names[DEPTH_MAX + 1];
	int depth;
	int links;
	char *rest;  /* what is still to be walked */
	char *final; /* the name at its end */
} Walk;

void utm__spot_clear(UtmSpot *spot)
{
	utm__close_fd(&spot->dir);
	g_clear_pointer(&spot->name, g_free);
	g_clear_pointer(&spot->path, g_free);
}

static void leave(Walk *walk)
{
	utm__close_fd(&walk->fds[walk->depth]);
	g_clear_pointer(&walk->names[walk->depth], g_free);
	walk->depth--;
}

static void walk_clear(Walk *walk)
{
	while (walk->depth > 0)
		leave(walk);
	utm__close_fd(&walk->fds[0]);
	g_free(walk->rest);
	g_free(walk->final);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

/* Takes the first component off the rest; NULL at its end. */
static char *take_component(Walk *walk)
{
	const char *begin = walk->rest + strspn(walk->rest, "/");
	gsize length = strcspn(begin, "/");
	if (!length)
		return NULL;
	char *component = g_strndup(begin, length);
	char *rest = g_strdup(begin + length);
	g_free(walk->rest);
	walk->rest = rest;
	return component;
}

static bool is_at_end(const Walk *walk)
{
	return walk->rest[strspn(walk->rest, "/")] == 0;
}

/* What a path means that leads through a directory which is not there, in case that somebody makes it. */
static Outcome judge_lost(const Walk *walk)
{
	int depth = walk->depth + 1;
	g_auto(GStrv) components = g_strsplit(walk->rest, "/", -1);
	for (char **component = components; *component && depth >= 0; component++)
		depth += strcmp(*component, "..") == 0 ? -1 : **component && strcmp(*component, ".") != 0;
	return depth < 0 ? ESCAPES : MISSING;
}

/* The rest of an absolute path behind the package's own; NULL when it leads elsewhere. */
static const char *behind_root(const char *root_path, const char *path)
{
	gsize length = strlen(root_path);
	bool inside = strncmp(path, root_path, length) == 0 && (path[length] == '/' || path[length] == 0);
	return inside ? path + length : NULL;
}

static Outcome follow_link(Walk *walk, const char *target)
{
	const char *below = target;
	if (++walk->links > LINKS_MAX)
		return ESCAPES;
	if (*target == '/') {
		below = behind_root(walk->root_path, target);
		while (walk->depth > 0)
			leave(walk);
	}
	if (!below)
		return ESCAPES;
	char *rest = g_strconcat(below, "/", walk->rest, NULL);
	g_free(walk->rest);
	walk->rest = rest;
	return FOUND;
}

static Outcome enter(Walk *walk, const char *component)
{
	if (walk->depth == DEPTH_MAX)
		return ESCAPES;
	int fd = openat(walk->fds[walk->depth], component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? judge_lost(walk) : FAILED;
	walk->depth++;
	walk->fds[walk->depth] = fd;
	walk->names[walk->depth] = g_strdup(component);
	return FOUND;
}

static Outcome take_step(Walk *walk, char *component_taken)
{
	g_autofree char *component = component_taken;
	char target[PATH_MAX];
	if (strcmp(component, ".") == 0)
		return FOUND;
	if (strcmp(component, "..") == 0) {
		if (walk->depth == 0)
			return ESCAPES;
		leave(walk);
		return FOUND;
	}
	ssize_t length = readlinkat(walk->fds[walk->depth], component, target, sizeof target - 1);
	if (length >= 0) {
		target[length] = 0;
		return follow_link(walk, target);
	}
	if (!is_at_end(walk))
		return enter(walk, component);
	walk->final = g_steal_pointer(&component);
	return FOUND;
}

static Outcome walk_to_end(Walk *walk)
{
	Outcome outcome = FOUND;
	char *component;
	while (outcome == FOUND && !walk->final && (component = take_component(walk)))
		outcome = take_step(walk, component);
	return outcome;
}

/* --- results --- */

static int escape(const char *path, const char *name, UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_PATH_ESCAPE, "\"%.255s\" leads out of the bundle", name);
	return utm__fail_take(error, utm__error_set_file(made, path));
}

int utm__fail_missing(const char *path, const char *name, UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_IMAGE_MISSING, "\"%.255s\" is not in the bundle", name);
	return utm__fail_take(error, utm__error_set_errno(utm__error_set_file(made, path), ENOENT));
}

static bool is_plain_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void fill(Walk *walk, UtmSpot *ret)
{
	g_autoptr(GString) path = g_string_new(walk->root_path);
	for (int i = 1; i <= walk->depth; i++)
		g_string_append_printf(path, "/%s", walk->names[i]);
	if (walk->final)
		g_string_append_printf(path, "/%s", walk->final);
	ret->name = walk->final ? g_steal_pointer(&walk->final) : g_strdup(".");
	ret->path = g_string_free(g_steal_pointer(&path), FALSE);
	ret->dir = walk->fds[walk->depth];
	walk->fds[walk->depth] = -1;
	ret->exists = fstatat(ret->dir, ret->name, &ret->info, AT_SYMLINK_NOFOLLOW) == 0;
}

int utm__spot_find(int root, const char *root_path, const char *below, const char *name, UtmSpot *ret, UtmError **error)
{
	g_autofree char *start = g_build_filename(root_path, below ? below : name, below ? name : NULL, NULL);
	if (!is_plain_name(name))
		return escape(root_path, name, error);
	if (strlen(name) > NAME_MAX)
		return utm__fail_missing(start, name, error);
	g_auto(Walk) walk = { .root_path = root_path, .rest = below ? g_build_filename(below, name, NULL) : g_strdup(name) };
	walk.fds[0] = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (walk.fds[0] < 0)
		return utm__fail_errno(error, errno, start, "cannot look at it");
	switch (walk_to_end(&walk)) {
	case ESCAPES: return escape(start, name, error);
	case MISSING: return utm__fail_missing(start, name, error);
	case FAILED: return utm__fail_errno(error, errno, start, "cannot look at it");
	case FOUND: break;
	}
	*ret = (UtmSpot)UTM_SPOT_INIT;
	fill(&walk, ret);
	return 0;
}

int utm__spot_find_data(int root, const char *root_path, const char *name, UtmSpot *ret, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	g_auto(UtmSpot) first = UTM_SPOT_INIT;
	g_auto(UtmSpot) second = UTM_SPOT_INIT;
	int result = utm__spot_find(root, root_path, UTM_BUNDLE_DATA, name, &first, &problem);
	bool lost = result == UTM_ERROR_IMAGE_MISSING || (result == 0 && !first.exists);
	int second_result = lost ? utm__spot_find(root, root_path, UTM_BUNDLE_IMAGES, name, &second, NULL) : 0;
	if (lost && second_result == UTM_ERROR_BUNDLE_PATH_ESCAPE)
		return escape(root_path, name, error);
	if (lost && second_result == 0 && second.exists) {
		*ret = second;
		second = (UtmSpot)UTM_SPOT_INIT;
		return 0;
	}
	if (result < 0)
		return utm__fail_take(error, g_steal_pointer(&problem));
	*ret = first;
	first = (UtmSpot)UTM_SPOT_INIT;
	return 0;
}

int utm__open_root(const char *root_path, UtmError **error)
{
	int fd = open(root_path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? utm__fail_errno(error, errno, root_path, "cannot open the package") : fd;
}

int utm__open_directory(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

static int open_below(int root, const char *root_path, const char *name, int *ret_fd, char **ret_path, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	int result = utm__spot_find(root, root_path, NULL, name, &spot, error);
	if (result < 0 || !spot.exists)
		return result;
	*ret_fd = utm__open_directory(spot.dir, spot.name);
	if (*ret_fd < 0 && errno != ENOTDIR && errno != ENOENT)
		return utm__fail_errno(error, errno, spot.path, "cannot list");
	if (*ret_fd >= 0 && ret_path)
		*ret_path = g_steal_pointer(&spot.path);
	return 0;
}

int utm__open_data(int root, const char *root_path, int *ret_fd, char **ret_path, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	*ret_fd = -1;
	int result = open_below(root, root_path, UTM_BUNDLE_DATA, ret_fd, ret_path, &problem);
	if (result == UTM_ERROR_IMAGE_MISSING || (result == 0 && *ret_fd < 0)) {
		g_clear_pointer(&problem, utm_error_unref);
		result = open_below(root, root_path, UTM_BUNDLE_IMAGES, ret_fd, ret_path, &problem);
	}
	return result < 0 && result != UTM_ERROR_IMAGE_MISSING ? utm__fail_take(error, g_steal_pointer(&problem)) : 0;
}

/* --- reading --- */

/* Not more than the limit and one byte, whatever the file says about its size, or becomes while it is read. */
static int read_bytes(int fd, gsize max, GByteArray *bytes)
{
	guint8 block[65536];
	while (bytes->len <= max) {
		ssize_t count = read(fd, block, MIN(sizeof block, max + 1 - bytes->len));
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? errno : 0;
		g_byte_array_append(bytes, block, (guint)count);
	}
	return 0;
}

int utm__spot_read(const UtmSpot *spot, gsize max, GByteArray *bytes, struct stat *ret_info, UtmError **error)
{
	/* Devices are not even opened. Not blocking: what has become a FIFO since would wait for a writer. */
	bool worth = spot->exists && S_ISREG(spot->info.st_mode);
	int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	utm_autofd fd = spot->exists && !worth ? -1 : openat(spot->dir, spot->name, flags);
	struct stat info;
	if (fd < 0 && (worth || !spot->exists))
		return utm__fail_errno(error, errno, spot->path, "cannot open");
	if (!worth || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
		return utm__fail_take(error, utm__error_set_file(utm__error_new(UTM_ERROR_IO, "is not a regular file"),
		                                                 spot->path));
	if (ret_info)
		*ret_info = info;
	int failed = read_bytes(fd, max, bytes);
	return failed ? utm__fail_errno(error, failed, spot->path, "cannot read") : 0;
}

int utm__confine(const char *root_path, const char *below, const char *name, char **ret_path, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	utm_autofd root = utm__open_root(root_path, error);
	if (root < 0)
		return root;
	int result = below && strcmp(below, UTM_BUNDLE_DATA) == 0
		? utm__spot_find_data(root, root_path, name, &spot, error)
		: utm__spot_find(root, root_path, below, name, &spot, error);
	if (result < 0)
		return result;
	if (!spot.exists)
		return utm__fail_missing(spot.path, name, error);
	*ret_path = g_steal_pointer(&spot.path);
	return 0;
}
