/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages come from strangers, with names and symbolic links of their choice. A name is followed link by link, because
 * the last place may not exist: realpath() then only says so, but whoever creates the file later creates it there.
 *
 * The check and the use of a path are two steps, so this does not hold off somebody who changes the package meanwhile;
 * who can do that can already write as the user.
 */
#include "bundle/bundle-private.h"

#include "base/util.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40

static bool is_below(const char *root, const char *path)
{
	gsize length = strlen(root);
	return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int escape(const char *path, const char *name, UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_PATH_ESCAPE, "\"%.255s\" leads out of the bundle", name);
	return utm__fail_take(error, utm__error_set_file(made, path));
}

static int missing(const char *path, const char *name, UtmError **error)
{
	UtmError *made = utm__error_new(UTM_ERROR_IMAGE_MISSING, "\"%.255s\" is not in the bundle", name);
	return utm__fail_take(error, utm__error_set_errno(utm__error_set_file(made, path), ENOENT));
}

static int fail_looking(const char *path, const char *name, UtmError **error)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return missing(path, name, error);
	return utm__fail_errno(error, errno, path, "cannot look at it");
}

static bool is_plain_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The target of a link at `path`, as a path; NULL when it is no link. */
static char *read_link(const char *path, const char *directory)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof target - 1);
	if (length < 0)
		return NULL;
	target[length] = 0;
	return g_path_is_absolute(target) ? g_strdup(target) : g_build_filename(directory, target, NULL);
}

/* Follows one path to its end, each directory on the way by its real place. */
static int follow(const char *root, const char *start, const char *name, char **ret_path, UtmError **error)
{
	g_autofree char *path = g_strdup(start);
	for (int links = 0; links < LINKS_MAX; links++) {
		struct stat info;
		g_autofree char *directory = g_path_get_dirname(path);
		g_autofree char *base = g_path_get_basename(path);
		char *real = realpath(directory, NULL);
		if (!real) {
			g_autofree char *place = g_canonicalize_filename(directory, root);
			return is_below(root, place) ? missing(start, name, error) : escape(start, name, error);
		}
		g_autofree char *place =
			strcmp(base, "..") == 0 ? g_path_get_dirname(real) : g_build_filename(real, base, NULL);
		bool inside = is_below(root, real) && is_below(root, place);
		g_autofree char *target = inside ? read_link(place, real) : NULL;
		free(real);
		if (!inside)
			return escape(start, name, error);
		if (!target) {
			if (lstat(place, &info) < 0)
				return fail_looking(start, name, error);
			*ret_path = g_steal_pointer(&place);
			return 0;
		}
		g_free(path);
		path = g_steal_pointer(&target);
	}
	return escape(start, name, error);
}

static int confine_at(const char *root, const char *directory, const char *name, char **ret_path, UtmError **error)
{
	g_autofree char *start = g_build_filename(directory, name, NULL);
	if (!is_plain_name(name))
		return escape(root, name, error);
	if (strlen(name) > NAME_MAX)
		return missing(start, name, error);
	return follow(root, start, name, ret_path, error);
}

int utm__confine(const char *root, const char *below, const char *name, char **ret_path, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	g_autofree char *directory = NULL;
	if (!below)
		return confine_at(root, root, name, ret_path, error);
	int result = confine_at(root, root, below, &directory, &problem);
	if (result == 0)
		return confine_at(root, directory, name, ret_path, error);
	/* Without the directory there can be no file, but a name that leads out is worse than a missing one. */
	if (result == UTM_ERROR_IMAGE_MISSING)
		return is_plain_name(name) ? missing(root, name, error) : escape(root, name, error);
	return utm__fail_take(error, g_steal_pointer(&problem));
}
