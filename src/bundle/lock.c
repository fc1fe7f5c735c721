/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who may change a package. The lock is an flock(2) on the package's directory itself. So there is no file that could be
 * left behind, that read-only media could not have, or that another program could delete; it moves with the package when
 * that is renamed; and it ends with the last process that has the descriptor, however that ends. QEMU inherits it, so a
 * machine that outlives its controller for a moment still keeps others out.
 *
 * Some network file systems refuse to lock a directory. There one can only warn.
 */
#include "bundle/bundle-impl.h"

#include "base/file.h"
#include "base/util.h"
#include "core/context-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- who has it --- */

/* From the kernel's list. 0 when it does not tell. */
static long find_holder(const struct stat *info)
{
	char line[256], kind[16], blocked[8];
	unsigned long long inode;
	unsigned major_number, minor_number;
	long pid, found = 0;
	FILE *list = fopen("/proc/locks", "re");
	while (list && !found && fgets(line, sizeof line, list))
		if (sscanf(line, "%*d: %15s %*s %7s %ld %x:%x:%llu", kind, blocked, &pid, &major_number, &minor_number,
		           &inode) == 6 &&
		    strcmp(kind, "FLOCK") == 0 && inode == info->st_ino && major_number == major(info->st_dev) &&
		    minor_number == minor(info->st_dev))
			found = pid;
	if (list)
		fclose(list);
	return MAX(found, 0);
}

static char *describe_holder(long pid)
{
	g_autofree char *file = g_strdup_printf("/proc/%ld/comm", pid);
	g_autofree char *program = NULL;
	if (pid == 0)
		return g_strdup("another process");
	if (pid == getpid())
		return g_strdup_printf("another part of this process (%ld)", pid);
	if (!g_file_get_contents(file, &program, NULL, NULL))
		return g_strdup_printf("process %ld", pid);
	return g_strdup_printf("process %ld (%s)", pid, g_strstrip(program));
}

static int fail_locked(int fd, const char *path, UtmError **error)
{
	struct stat info;
	g_autofree char *holder = describe_holder(fstat(fd, &info) == 0 ? find_holder(&info) : 0);
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_LOCKED, "is in use by %s", holder);
	return utm__fail_take(error, utm__error_set_file(made, path));
}

/* --- taking it --- */

int utm__lock_directory(int fd, const char *path, UtmError **error)
{
	int result;
	do
		result = flock(fd, LOCK_EX | LOCK_NB);
	while (result < 0 && errno == EINTR);
	if (result == 0)
		return 0;
	return errno == EWOULDBLOCK ? fail_locked(fd, path, error) : utm__fail_errno(error, errno, path, "cannot lock");
}

/*
 * Closing alone would not do: a process that another thread of the application is just starting has a copy of the descriptor until
 * its exec, and would keep the lock as long.
 */
void utm__unlock_directory(int *fd)
{
	if (*fd >= 0)
		(void)flock(*fd, LOCK_UN);
	utm__close_fd(fd);
}

/* With the bundle's lock held. */
static int take(UtmBundle *bundle, UtmError **error)
{
	g_autoptr(UtmError) problem = NULL;
	const char *path = bundle->paths->pdata[bundle->paths->len - 1];
	utm_autofd fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return utm__fail_errno(error, errno, path, "cannot lock");
	int result = utm__lock_directory(fd, path, &problem);
	if (result == UTM_ERROR_BUNDLE_LOCKED)
		return utm__fail_take(error, g_steal_pointer(&problem));
	bundle->unsure = result < 0;
	if (bundle->unsure)
		utm__log(bundle->object.context, UTM_LOG_WARNING, "%s: %s; nobody else is kept from changing it", path,
		         utm_error_get_message(problem));
	bundle->lock_fd = fd;
	fd = -1;
	return 0;
}

int utm__bundle_hold(UtmBundle *bundle, UtmError **error)
{
	pthread_mutex_lock(&bundle->lock);
	int result = bundle->holders ? 0 : take(bundle, error);
	if (result == 0)
		bundle->holders++;
	pthread_mutex_unlock(&bundle->lock);
	return result;
}

void utm__bundle_let_go(UtmBundle *bundle)
{
	pthread_mutex_lock(&bundle->lock);
	if (--bundle->holders == 0 && bundle->lent)
		utm__close_fd(&bundle->lock_fd); /* a QEMU that is still there keeps the lock */
	else if (bundle->holders == 0)
		utm__unlock_directory(&bundle->lock_fd);
	bundle->lent &= bundle->holders > 0;
	pthread_mutex_unlock(&bundle->lock);
}

static int fail_running(UtmBundle *bundle, int code, const char *what, UtmError **error)
{
	UtmError *made = utm__error_new(code, "%s: a machine runs from the package", what);
	utm__error_set_remedy(made, "Stop the machine first.");
	return utm__fail_take(error, utm__error_set_file(made, utm_bundle_get_path(bundle)));
}

int utm__bundle_hold_idle(UtmBundle *bundle, const char *what, UtmError **error)
{
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	pthread_mutex_lock(&bundle->lock);
	bool runs = bundle->runs > 0;
	pthread_mutex_unlock(&bundle->lock);
	if (!runs)
		return 0;
	utm__bundle_let_go(bundle);
	return fail_running(bundle, UTM_ERROR_INVALID_STATE, what, error);
}

int utm__bundle_hold_alone(UtmBundle *bundle, const char *what, UtmError **error)
{
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	pthread_mutex_lock(&bundle->lock);
	bool runs = bundle->runs > 0;
	bundle->alone += !runs;
	pthread_mutex_unlock(&bundle->lock);
	if (!runs)
		return 0;
	utm__bundle_let_go(bundle);
	return fail_running(bundle, UTM_ERROR_INVALID_STATE, what, error);
}

void utm__bundle_let_go_alone(UtmBundle *bundle)
{
	pthread_mutex_lock(&bundle->lock);
	bundle->alone--;
	pthread_mutex_unlock(&bundle->lock);
	utm__bundle_let_go(bundle);
}

/* --- machines --- */

static int fail_begin(UtmBundle *bundle, bool works, UtmError **error)
{
	if (!works)
		return fail_running(bundle, UTM_ERROR_BUNDLE_LOCKED, "cannot start", error);
	UtmError *made = utm__error_new(UTM_ERROR_BUNDLE_LOCKED, "cannot start: one of its images is being worked on");
	utm__error_set_remedy(made, "Wait for that, or cancel it.");
	return utm__fail_take(error, utm__error_set_file(made, utm_bundle_get_path(bundle)));
}

static int check_layout(UtmBundle *bundle, UtmError **error)
{
	const char *path = utm_bundle_get_path(bundle);
	utm_autofd root = utm__open_root(path, error);
	if (root < 0)
		return root;
	if (!utm__layout_is_old(root, utm_bundle_get_config(bundle)))
		return 0;
	UtmError *made = utm__error_new(UTM_ERROR_INVALID_STATE, "is a package of an older version, with its files in Images");
	utm__error_set_remedy(made, "Save its configuration once, which moves them.");
	return utm__fail_take(error, utm__error_set_file(made, path));
}

int utm__bundle_begin_run(UtmBundle *bundle, int *ret_lock_fd, UtmError **error)
{
	int result = utm__bundle_hold(bundle, error);
	if (result < 0)
		return result;
	pthread_mutex_lock(&bundle->lock);
	bool works = bundle->alone > 0;
	bool first = bundle->runs == 0 && !works;
	bundle->runs += first;
	int fd = first && !bundle->unsure ? fcntl(bundle->lock_fd, F_DUPFD_CLOEXEC, 3) : -1;
	bundle->lent |= fd >= 0;
	pthread_mutex_unlock(&bundle->lock);
	if (!first) {
		utm__bundle_let_go(bundle);
		return fail_begin(bundle, works, error);
	}
	result = check_layout(bundle, error);
	if (result == 0) {
		*ret_lock_fd = fd;
		return 0;
	}
	utm__close_fd(&fd);
	utm__bundle_end_run(bundle);
	return result;
}

void utm__bundle_end_run(UtmBundle *bundle)
{
	pthread_mutex_lock(&bundle->lock);
	bundle->runs--;
	pthread_mutex_unlock(&bundle->lock);
	utm__bundle_let_go(bundle);
}

/* --- what was left behind --- */

/* Directories of such names are packages in the making; create.c knows about them. */
void utm__sweep(int directory)
{
	int fd = utm__open_directory(directory, ".");
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat info;
	if (!stream)
		utm__close_fd(&fd);
	while (stream && (entry = readdir(stream)))
		if (utm__is_temporary_name(entry->d_name) &&
		    fstatat(directory, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode))
			(void)unlinkat(directory, entry->d_name, 0);
	if (stream)
		closedir(stream);
}

/* --- public --- */

uint32_t utm_bundle_get_lock_state(UtmBundle *bundle)
{
	if (!bundle)
		return UTM_BUNDLE_UNLOCKED;
	pthread_mutex_lock(&bundle->lock);
	uint32_t state = !bundle->holders ? UTM_BUNDLE_UNLOCKED : bundle->unsure ? UTM_BUNDLE_LOCK_UNSURE : UTM_BUNDLE_LOCKED;
	pthread_mutex_unlock(&bundle->lock);
	return state;
}

int utm_bundle_unlock(UtmBundle *bundle, UtmError **error)
{
	if (!bundle)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "no bundle");
	pthread_mutex_lock(&bundle->lock);
	bool held = bundle->public_locks > 0;
	bundle->public_locks -= held;
	pthread_mutex_unlock(&bundle->lock);
	if (!held)
		return utm__fail(error, UTM_ERROR_INVALID_STATE, "utm_bundle_lock() was not called for the package");
	utm__bundle_let_go(bundle);
	return 0;
}
