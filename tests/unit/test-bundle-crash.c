/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is left of a package when its process is killed, or the disk is full, at any moment. This program starts itself,
 * traced, has it change a package, and kills it before the first, the second, ... system call that touches files; then it
 * opens what is left. After that the same again with the system calls failing instead.
 */
#include "base/file.h"
#include "bundle/bundle-impl.h"
#include "config/config-private.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than any of the changes makes. */
#define CALLS_MAX 2000
#define CONTENT "the content of a disk image that nobody may lose"
#define PNG "\x89PNG\r\n\x1a\nicon"

enum { EXIT_FAILED = 3 };

static const long file_calls[] = {
	SYS_openat, SYS_write, SYS_pwrite64, SYS_close, SYS_fsync, SYS_ftruncate, SYS_fchmod, SYS_fchown, SYS_renameat2,
	SYS_unlinkat, SYS_mkdirat, SYS_linkat, SYS_symlinkat, SYS_copy_file_range, SYS_ioctl, SYS_flock, SYS_newfstatat,
	SYS_fstat, SYS_getdents64, SYS_readlinkat, SYS_lseek, SYS_pread64, SYS_read,
#ifdef SYS_renameat
	SYS_renameat,
#endif
#ifdef SYS_rename
	SYS_rename, SYS_unlink, SYS_rmdir, SYS_mkdir, SYS_open, SYS_chmod,
#endif
};

/* --- a package --- */

typedef struct Place {
	char *place, *root, *data, *other; /* "M.utm", its Data, "N.utm" */
} Place;

static bool has(const char *directory, const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static char *sample(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "data", "config", "early.plist", NULL);
	UtmConfig *config = NULL;
	char *text = NULL;
	size_t size;
	g_assert_cmpint(utm_config_new_from_file(path, &config, NULL), ==, 0);
	g_assert_cmpint(utm_config_set_string(config, "Information.Icon", "my.png", NULL), ==, 0);
	g_assert_cmpint(utm_config_set_bool(config, "Information.IconCustom", true, NULL), ==, 0);
	g_assert_cmpint(utm_config_to_plist(config, &text, &size, NULL), ==, 0);
	utm_config_unref(config);
	return text;
}

static void place_init(Place *p, const char *place, bool make, bool old)
{
	p->place = g_strdup(place);
	p->root = g_build_filename(place, "M.utm", NULL);
	p->other = g_build_filename(place, "N.utm", NULL);
	p->data = g_build_filename(p->root, old ? "Images" : "Data", NULL);
	if (!make)
		return;
	g_autofree char *text = sample();
	g_assert_cmpint(g_mkdir_with_parents(p->data, 0700), ==, 0);
	put_file(p->root, "config.plist", text);
	put_file(p->data, "disk.qcow2", CONTENT);
	put_file(p->data, "old.img", "useless");
	put_file(p->place, "source.img", CONTENT);
	put_file(old ? p->root : p->data, "my.png", PNG);
}

static void place_clear(Place *p)
{
	g_free(p->place);
	g_free(p->root);
	g_free(p->data);
	g_free(p->other);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

static guint count_temporaries(const char *path)
{
	GDir *directory = g_dir_open(path, 0, NULL);
	guint count = 0;
	for (const char *name; directory && (name = g_dir_read_name(directory));)
		count += utm__is_temporary_name(name);
	if (directory)
		g_dir_close(directory);
	return count;
}

/* --- what is done to it: in the traced process, and again afterwards --- */

static int save(UtmBundle *bundle, const Place *p)
{
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	int result = utm_config_set_string(config, "Information.Name", "New", NULL);
	return result == 0 ? utm_bundle_save_config(bundle, config, NULL) : result;
}

static int create(UtmBundle *bundle, const Place *p)
{
	g_autofree char *source = g_build_filename(p->place, "source.img", NULL);
	g_autoptr(UtmBundle) made = NULL;
	UtmBundleSource file = { source, "disk.qcow2" };
	UtmBundleCreateOptions options = UTM_BUNDLE_CREATE_OPTIONS_INIT;
	options.files = &file;
	options.file_count = 1;
	return utm_bundle_create(utm_bundle_get_context(bundle), p->other, utm_bundle_get_config(bundle), &options, &made,
	                         NULL);
}

static int clone_it(UtmBundle *bundle, const Place *p)
{
	g_autoptr(UtmBundle) made = NULL;
	return utm_bundle_clone(bundle, p->other, NULL, &made, NULL);
}

/* A machine that is migrated to another place: it is itself there from the first moment. */
static int move_it(UtmBundle *bundle, const Place *p)
{
	g_autoptr(UtmBundle) made = NULL;
	g_autoptr(UtmConfig) config = utm_config_copy(utm_bundle_get_config(bundle));
	UtmBundleCloneOptions options = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	options.config = config;
	return utm_bundle_clone(bundle, p->other, &options, &made, NULL);
}

static int import(UtmBundle *bundle, const Place *p)
{
	g_autofree char *source = g_build_filename(p->place, "source.img", NULL);
	g_autofree char *name = NULL;
	return utm_bundle_import(bundle, source, NULL, &name, NULL);
}

static int rename_it(UtmBundle *bundle, const Place *p)
{
	return utm_bundle_rename(bundle, "N", NULL);
}

static int set_icon(UtmBundle *bundle, const Place *p)
{
	return utm_bundle_set_icon(bundle, PNG "2", sizeof PNG, NULL);
}

static int prune(UtmBundle *bundle, const Place *p)
{
	return utm_bundle_prune(bundle, NULL, NULL, NULL);
}

/* --- what may be left of it --- */

/* A whole package: it opens, and its disk is there with all its bytes. */
static UtmBundle *open_whole(UtmContext *context, const char *root)
{
	g_autoptr(UtmError) error = NULL;
	g_autofree char *disk = NULL;
	g_autofree char *content = NULL;
	UtmBundle *bundle = NULL;
	if (utm_bundle_open(context, root, &bundle, &error) < 0)
		g_error("%s", utm_error_get_message(error));
	g_assert_cmpint(utm_bundle_resolve(bundle, "disk.qcow2", &disk, NULL), ==, 0);
	g_assert_true(g_file_get_contents(disk, &content, NULL, NULL));
	g_assert_cmpstr(content, ==, CONTENT);
	return bundle;
}

static const char *name_of(UtmBundle *bundle)
{
	return utm_config_get_name(utm_bundle_get_config(bundle));
}

/* Whether it is there, whole. */
static bool check_other(UtmContext *context, const Place *p, const char *name)
{
	if (!g_file_test(p->other, G_FILE_TEST_EXISTS))
		return false;
	g_autoptr(UtmBundle) bundle = open_whole(context, p->other);
	g_assert_cmpstr(name_of(bundle), ==, name);
	return true;
}

static bool check_save(UtmContext *context, const Place *p)
{
	g_autoptr(UtmBundle) bundle = open_whole(context, p->root);
	bool new = strcmp(name_of(bundle), "New") == 0;
	g_assert_true(new || strcmp(name_of(bundle), "Early") == 0);
	/* The icon is found wherever it is. */
	char *builtin = NULL;
	void *data = NULL;
	size_t size = 0;
	g_assert_cmpint(utm_bundle_get_icon(bundle, &builtin, &data, &size, NULL), ==, 0);
	g_assert_cmpmem(data, size, PNG, sizeof PNG - 1);
	g_free(data);
	return new;
}

static bool check_create(UtmContext *context, const Place *p)
{
	utm_bundle_unref(open_whole(context, p->root));
	return check_other(context, p, "Early");
}

static bool check_clone(UtmContext *context, const Place *p)
{
	utm_bundle_unref(open_whole(context, p->root));
	return check_other(context, p, "N");
}

static bool check_move(UtmContext *context, const Place *p)
{
	g_autoptr(UtmBundle) old = open_whole(context, p->root);
	if (!check_other(context, p, "Early"))
		return false;
	g_autoptr(UtmBundle) new = open_whole(context, p->other);
	g_assert_cmpstr(utm_config_get_uuid(utm_bundle_get_config(new)), ==, utm_config_get_uuid(utm_bundle_get_config(old)));
	g_assert_true(has(p->other, "Data") && !has(p->other, "Images"));
	return true;
}

static bool check_import(UtmContext *context, const Place *p)
{
	g_autofree char *path = g_build_filename(p->data, "source.img", NULL);
	g_autofree char *content = NULL;
	utm_bundle_unref(open_whole(context, p->root));
	if (!g_file_get_contents(path, &content, NULL, NULL))
		return false;
	g_assert_cmpstr(content, ==, CONTENT);
	return true;
}

static bool check_rename(UtmContext *context, const Place *p)
{
	bool moved = g_file_test(p->other, G_FILE_TEST_EXISTS);
	g_assert_cmpint(moved, !=, g_file_test(p->root, G_FILE_TEST_EXISTS));
	g_autoptr(UtmBundle) bundle = open_whole(context, moved ? p->other : p->root);
	bool named = strcmp(name_of(bundle), "N") == 0;
	g_assert_true(named || strcmp(name_of(bundle), "Early") == 0);
	g_assert_true(moved || !named);
	return named;
}

static bool check_icon(UtmContext *context, const Place *p)
{
	g_autoptr(UtmBundle) bundle = open_whole(context, p->root);
	char *builtin = NULL;
	void *data = NULL;
	size_t size = 0;
	g_assert_cmpint(utm_bundle_get_icon(bundle, &builtin, &data, &size, NULL), ==, 0);
	bool new = size == sizeof PNG;
	g_assert_cmpmem(data, MIN(size, sizeof PNG - 1), PNG, sizeof PNG - 1);
	g_free(data);
	return new;
}

static bool check_prune(UtmContext *context, const Place *p)
{
	utm_bundle_unref(open_whole(context, p->root));
	return !has(p->data, "old.img");
}

typedef struct Change {
	const char *name;
	int (*make)(UtmBundle *bundle, const Place *p);
	bool (*check)(UtmContext *context, const Place *p); /* whole in any case; true: the new state */
	bool old_layout;
} Change;

static const Change changes[] = {
	{ "save", save, check_save, false },       { "migrate", save, check_save, true },
	{ "create", create, check_create, false }, { "clone", clone_it, check_clone, false },
	{ "import", import, check_import, false }, { "rename", rename_it, check_rename, false },
	{ "icon", set_icon, check_icon, false },   { "prune", prune, check_prune, false },
	{ "move", move_it, check_move, true },
};

/* --- the traced process --- */

static int be_traced(const char *name, const char *place)
{
	g_auto(Place) p = { 0 };
	UtmContext *context = utm_context_new(NULL, NULL);
	UtmBundle *bundle = NULL;
	const Change *change = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++)
		if (strcmp(changes[i].name, name) == 0)
			change = &changes[i];
	place_init(&p, place, false, change->old_layout);
	if (utm_bundle_open(context, p.root, &bundle, NULL) < 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(99);
	raise(SIGSTOP);
	_exit(change->make(bundle, &p) == 0 ? 0 : EXIT_FAILED);
}

static const char *own_path;

static pid_t start_traced(const Change *change, const char *place)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		execl(own_path, own_path, "--traced", change->name, place, NULL);
		_exit(99);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	if (!WIFSTOPPED(status))
		return -1;
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		g_error("cannot trace");
	return child;
}

static bool is_file_call(long number)
{
	for (gsize i = 0; i < G_N_ELEMENTS(file_calls); i++)
		if (file_calls[i] == number)
			return true;
	return false;
}

#ifdef __x86_64__
#define CAN_FAIL 1
static void set_call(pid_t child, long number)
{
	ptrace(PTRACE_POKEUSER, child, offsetof(struct user_regs_struct, orig_rax), number);
}
static void set_result(pid_t child, long result)
{
	ptrace(PTRACE_POKEUSER, child, offsetof(struct user_regs_struct, rax), result);
}
#else
#define CAN_FAIL 0
static void set_call(pid_t child, long number)
{
}
static void set_result(pid_t child, long result)
{
}
#endif

/* Changes, as opposed to looks; what a full disk makes fail. */
static bool may_fail(long number)
{
	static const long calls[] = { SYS_write, SYS_pwrite64, SYS_fsync, SYS_ftruncate, SYS_renameat2, SYS_mkdirat,
		                          SYS_copy_file_range,
#ifdef SYS_renameat
		                          SYS_renameat,
#endif
	};
	for (gsize i = 0; i < G_N_ELEMENTS(calls); i++)
		if (calls[i] == number)
			return true;
	return false;
}

/*
 * Runs to the end, or to the `target`th call. `error` 0: it is killed there; else the call fails with it. Returns the exit
 * code, or -1 when it was killed; *ret_reached says whether there was such a call.
 */
static int run_traced(const Change *change, const char *place, guint target, int error, bool *ret_reached)
{
	int status;
	guint count = 0;
	bool fail_now = false;
	pid_t child = start_traced(change, place);
	*ret_reached = false;
	g_assert_cmpint(child, >, 0);
	for (;;) {
		struct __ptrace_syscall_info info;
		g_assert_cmpint(ptrace(PTRACE_SYSCALL, child, NULL, NULL), ==, 0);
		g_assert_cmpint(waitpid(child, &status, 0), ==, child);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		g_assert_cmpint(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info), >, 0);
		if (info.op == PTRACE_SYSCALL_INFO_EXIT && fail_now) {
			set_result(child, -error);
			fail_now = false;
		}
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !is_file_call((long)info.entry.nr) ||
		    (error && !may_fail((long)info.entry.nr)) || ++count != target)
			continue;
		*ret_reached = true;
		if (!error)
			break;
		set_call(child, -1);
		fail_now = true;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return -1;
}

/* --- the tests --- */

static bool can_trace(void)
{
	int status = 0;
	pid_t child = fork();
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			raise(SIGSTOP);
		_exit(1);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	struct __ptrace_syscall_info info;
	bool can = WIFSTOPPED(status) && ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0;
	if (WIFSTOPPED(status)) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return can;
}

/* Once more, by a process that lives: then it is done, and nothing is left lying about. */
static void check_recovery(UtmContext *context, const Change *change, const Place *p, bool done)
{
	bool moved = change->make == rename_it && g_file_test(p->other, G_FILE_TEST_EXISTS);
	g_autoptr(UtmBundle) bundle = open_whole(context, moved ? p->other : p->root);
	if (!done)
		g_assert_cmpint(change->make(bundle, p), ==, 0);
	g_assert_true(change->check(context, p));
	/* Of saving, pruning and making, each clears away what its like left behind. */
	g_assert_cmpint(utm_bundle_save_config(bundle, utm_bundle_get_config(bundle), NULL), ==, 0);
	g_assert_cmpint(utm_bundle_prune(bundle, NULL, NULL, NULL), ==, 0);
	g_autoptr(UtmBundle) another = NULL;
	g_autofree char *path = g_build_filename(p->place, "Another.utm", NULL);
	g_assert_cmpint(utm_bundle_create(context, path, utm_bundle_get_config(bundle), NULL, &another, NULL), ==, 0);
	g_autofree char *data = g_build_filename(utm_bundle_get_path(bundle), "Data", NULL);
	g_assert_cmpuint(count_temporaries(p->place), ==, 0);
	g_assert_cmpuint(count_temporaries(utm_bundle_get_path(bundle)), ==, 0);
	g_assert_cmpuint(count_temporaries(data), ==, 0);
}

static bool try_at(const Change *change, guint target, int error, UtmContext *context)
{
	g_auto(Place) p = { 0 };
	/* In memory, where flushing costs nothing: it is done a few thousand times. */
	bool in_memory = access("/dev/shm", W_OK) == 0;
	g_autofree char *made = g_build_filename(in_memory ? "/dev/shm" : g_get_tmp_dir(), "utm-crash-XXXXXX", NULL);
	bool reached;
	g_assert_nonnull(g_mkdtemp(made));
	place_init(&p, made, true, change->old_layout);
	int status = run_traced(change, made, target, error, &reached);
	g_test_message("%s: call %u, errno %d: exit code %d", change->name, target, error, status);
	bool new = change->check(context, &p);
	g_assert_true(status == 0 || (status == EXIT_FAILED && error) || (status == -1 && reached));
	if (status == 0)
		g_assert_true(new);
	if (status == EXIT_FAILED) {
		/* Whatever was begun is undone. */
		g_assert_false(new);
		g_assert_cmpuint(count_temporaries(p.place) + count_temporaries(p.root) + count_temporaries(p.data), ==, 0);
	}
	check_recovery(context, change, &p, new);
	test_remove_tree(made);
	return reached;
}

static void run_all(gconstpointer data, int error)
{
	const Change *change = data;
	UtmContext *context = utm_context_new(NULL, NULL);
	guint target = 1;
	if (!can_trace() || (error && !CAN_FAIL))
		g_test_skip("this host does not allow tracing");
	else
		while (target < CALLS_MAX && try_at(change, target, error, context))
			target++;
	g_test_message("%s: %u calls", change->name, target - 1);
	g_assert_cmpuint(target, <, CALLS_MAX);
	utm_context_unref(context);
}

static void test_killed(gconstpointer data)
{
	run_all(data, 0);
}

static void test_no_space(gconstpointer data)
{
	run_all(data, ENOSPC);
}

static void test_quota(gconstpointer data)
{
	run_all(data, EDQUOT);
}

static void test_read_only(gconstpointer data)
{
	run_all(data, EROFS);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--traced") == 0)
		return be_traced(argv[2], argv[3]);
	own_path = argv[0];
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autofree char *killed = g_strdup_printf("/bundle-crash/%s/killed", changes[i].name);
		g_autofree char *full = g_strdup_printf("/bundle-crash/%s/no-space", changes[i].name);
		g_test_add_data_func(killed, &changes[i], test_killed);
		g_test_add_data_func(full, &changes[i], test_no_space);
	}
	g_test_add_data_func("/bundle-crash/save/quota", &changes[0], test_quota);
	g_test_add_data_func("/bundle-crash/save/read-only", &changes[0], test_read_only);
	return g_test_run();
}
