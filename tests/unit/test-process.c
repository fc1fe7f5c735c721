/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes: what they inherit, what is kept of them, how they end; and the directory for sockets. */
#include "base/util.h"
#include "process/process.h"
#include "process/runtime-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Run {
	UtmContext *context;
	UtmProcessSpec spec;
	UtmProcess *process;
	UtmError *error;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ended;
	UtmProcessEnd end;
	char *tail;
	int lines;
} Run;

static void on_line(UtmProcess *process, const char *line, void *data)
{
	((Run *)data)->lines++;
}

static void on_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	Run *run = data;
	pthread_mutex_lock(&run->lock);
	run->end = *end;
	run->tail = g_strdup(utm__process_get_stderr_tail(process));
	run->ended = true;
	pthread_cond_signal(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

static void spawn_on_io(void *data)
{
	Run *run = data;
	run->process = utm__process_spawn(run->context, &run->spec, &run->error);
}

static void free_on_io(void *data)
{
	utm__process_free(((Run *)data)->process);
}

static void run_start(Run *run, UtmContext *context, const char *const *argv)
{
	run->context = context;
	run->spec.argv = argv;
	run->spec.stdout_fd = -1;
	run->spec.on_stderr_line = on_line;
	run->spec.on_end = on_end;
	run->spec.data = run;
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->changed, NULL);
	utm__context_call(context, spawn_on_io, run);
}

static void run_wait(Run *run)
{
	pthread_mutex_lock(&run->lock);
	while (!run->ended)
		pthread_cond_wait(&run->changed, &run->lock);
	pthread_mutex_unlock(&run->lock);
	utm__context_call(run->context, free_on_io, run);
}

#define SHELL(text) ((const char *const[]){ "/bin/sh", "-c", (text), NULL })

static void test_exit_status_and_tail(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("echo first >&2; printf 'second\\rlast' >&2; exit 7"));
	run_wait(&run);
	g_assert_cmpint(run.end.exit_status, ==, 7);
	g_assert_cmpint(run.end.signal, ==, 0);
	g_assert_cmpstr(run.tail, ==, "first\nsecond\nlast");
	g_assert_cmpint(run.lines, ==, 3);
	g_free(run.tail);
	utm_context_unref(context);
}

static void test_tail_is_bounded(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done >&2; "
	                               "head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo the end >&2"));
	run_wait(&run);
	g_assert_cmpuint(strlen(run.tail), <=, 4096);
	g_assert_true(g_str_has_suffix(run.tail, "the end"));
	g_free(run.tail);
	utm_context_unref(context);
}

/* One long line of characters of two, three and four bytes: wherever it is cut, no half of one is left. */
static void test_tail_keeps_characters(void)
{
	static const char *const characters[] = { "é", "語", "🖥" };
	for (gsize i = 0; i < G_N_ELEMENTS(characters); i++) {
		UtmContext *context = utm_context_new(NULL, NULL);
		Run run = { 0 };
		g_autofree char *script = g_strdup_printf(
			"i=0; printf x >&2; while [ $i -lt 3000 ]; do printf %s; i=$((i+1)); done >&2", characters[i]);
		run_start(&run, context, SHELL(script));
		run_wait(&run);
		g_assert_cmpuint(strlen(run.tail), <=, 4096);
		g_assert_cmpuint(strlen(run.tail), >, 2000);
		g_assert_true(g_utf8_validate(run.tail, -1, NULL));
		g_assert_null(strstr(run.tail, "\xef\xbf\xbd"));
		g_free(run.tail);
		utm_context_unref(context);
	}
}

static void test_signal(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("kill -SEGV $$"));
	run_wait(&run);
	g_assert_cmpint(run.end.signal, ==, SIGSEGV);
	g_assert_cmpint(run.end.exit_status, ==, -1);
	utm_context_unref(context);
}

/* The child sees no blocked or ignored signals, a group of its own, and only the descriptors it was given. */
static void test_what_the_child_inherits(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	int pipe_fds[2];
	g_assert_cmpint(pipe(pipe_fds), ==, 0);
	fcntl(pipe_fds[0], F_SETFD, FD_CLOEXEC);
	int leak = fcntl(0, F_DUPFD, 50); /* without close-on-exec, as a careless host has them */
	signal(SIGPIPE, SIG_IGN);
	UtmProcessFd fds[] = { { pipe_fds[1], 9 } };
	Run run = { .spec.fds = fds, .spec.fd_count = 1, .spec.working_dir = "/" };
	run_start(&run, context, SHELL("exec 2>&9; ls /proc/$$/fd | sort -n | tr '\\n' ' ' >&9; "
	                               "grep -E 'SigBlk|SigIgn' /proc/$$/status | tr -s '\\t\\n' '  ' >&9; pwd >&9; "
	                               "[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo own group >&9"));
	close(pipe_fds[1]);
	run_wait(&run);
	char text[1024] = "";
	g_assert_cmpint(read(pipe_fds[0], text, sizeof text - 1), >, 0);
	g_test_message("%s", text);
	g_autofree char *own = g_strdup_printf(" %d ", leak);
	g_assert_nonnull(strstr(text, "9 "));
	g_assert_null(strstr(text, own));
	g_assert_nonnull(strstr(text, "SigBlk: 0000000000000000 SigIgn: 0000000000000000 /\n"));
	g_assert_nonnull(strstr(text, "own group"));
	signal(SIGPIPE, SIG_DFL);
	close(leak);
	close(pipe_fds[0]);
	g_free(run.tail);
	utm_context_unref(context);
}

static void test_program_missing(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, (const char *const[]){ "/nonexistent/qemu", NULL });
	g_assert_null(run.process);
	g_assert_cmpint(utm_error_get_code(run.error), ==, UTM_ERROR_NOT_FOUND);
	g_assert_cmpstr(utm_error_get_file(run.error), ==, "/nonexistent/qemu");
	utm_error_unref(run.error);
	utm_context_unref(context);
}

static void assert_gone(pid_t pid)
{
	g_assert_cmpint(kill(pid, 0), ==, -1);
	g_assert_cmpint(errno, ==, ESRCH);
}

static void test_freed_while_running(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("sleep 100"));
	pid_t pid = (pid_t)utm__process_get_pid(run.process);
	utm__context_call(context, free_on_io, &run);
	utm_context_unref(context);
	g_assert_false(run.ended);
	assert_gone(pid);
}

static void test_context_ends_first(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("trap '' TERM; sleep 100"));
	pid_t pid = (pid_t)utm__process_get_pid(run.process);
	utm_context_unref(context);
	assert_gone(pid);
	g_assert_true(run.ended);
	g_assert_cmpint(run.end.signal, ==, SIGKILL);
	utm__process_free(run.process);
	g_free(run.tail);
}

static void test_host_ignores_sigchld(void)
{
	signal(SIGCHLD, SIG_IGN);
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("exit 3"));
	run_wait(&run);
	g_assert_cmpint(run.end.exit_status, ==, -1);
	g_assert_cmpint(run.end.signal, ==, 0);
	utm_context_unref(context);
	signal(SIGCHLD, SIG_DFL);
}

static void test_dies_with_its_parent(void)
{
	int pipe_fds[2];
	g_assert_cmpint(pipe(pipe_fds), ==, 0);
	pid_t host = fork();
	if (host == 0) {
		/* A host that is killed without any chance to clean up. */
		char *argv[] = { (char *)"/proc/self/exe", (char *)"--host", NULL };
		dup2(pipe_fds[1], 1);
		execv(argv[0], argv);
		_exit(1);
	}
	close(pipe_fds[1]);
	char text[32] = "";
	g_assert_cmpint(read(pipe_fds[0], text, sizeof text - 1), >, 0);
	pid_t child = atoi(text);
	g_assert_cmpint(child, >, 1);
	kill(host, SIGKILL);
	waitpid(host, NULL, 0);
	for (int i = 0; i < 500 && kill(child, 0) == 0; i++) {
		/* Nobody reaps it here but init; a zombie counts as dead. */
		g_autofree char *path = g_strdup_printf("/proc/%d/stat", child);
		g_autofree char *stat = NULL;
		if (g_file_get_contents(path, &stat, NULL, NULL) && strstr(stat, ") Z "))
			break;
		g_assert_cmpint(i, <, 499);
		g_usleep(10000);
	}
	close(pipe_fds[0]);
}

static int be_the_host(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("exec sleep 100"));
	dprintf(1, "%d\n", (int)utm__process_get_pid(run.process));
	pause();
	return 0;
}

static UtmContext *context_with_runtime_dir(const char *path)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.runtime_dir = path;
	return utm_context_new(&options, NULL);
}

static void test_runtime_dir(void)
{
	g_autofree char *base = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *below = g_build_filename(base, "run", NULL);
	UtmContext *context = context_with_runtime_dir(below);
	int lock = -1;
	g_autofree char *path = utm__runtime_dir_new(context, &lock, NULL);
	g_assert_cmpint(lock, >=, 0);
	g_assert_true(g_str_has_prefix(path, below));
	struct stat info;
	g_assert_cmpint(stat(path, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0700);

	g_autofree char *socket_path = NULL;
	utm_autofd fd = utm__listen_unix(path, "qmp.sock", &socket_path, NULL);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(stat(socket_path, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0600);
	utm__runtime_dir_remove(path, &lock);
	g_assert_cmpint(lock, ==, -1);
	g_assert_cmpint(stat(path, &info), ==, -1);
	g_assert_cmpint(rmdir(below), ==, 0);
	g_assert_cmpint(rmdir(base), ==, 0);
	utm_context_unref(context);
}

static void test_runtime_dir_too_long(void)
{
	g_autofree char *base = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *name = g_strnfill(200, 'h');
	g_autofree char *home = g_build_filename(base, name, NULL);
	UtmContext *context = context_with_runtime_dir(home);
	int lock = -1;
	g_autofree char *path = utm__runtime_dir_new(context, &lock, NULL);
	g_assert_nonnull(path);
	g_assert_cmpuint(strlen(path), <=, UTM_RUNTIME_DIR_MAX);
	utm__runtime_dir_remove(path, &lock);
	rmdir(home);
	rmdir(base);
	utm_context_unref(context);
}

static char *make_in(const char *chosen, int *ret_lock, UtmError **error)
{
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.runtime_dir = chosen;
	UtmContext *context = utm_context_new(&options, NULL);
	char *path = utm__runtime_dir_new(context, ret_lock, error);
	utm_context_unref(context);
	return path;
}

/* The choice of the application is taken as it is, or fails; that of the environment is a suggestion. */
static void test_runtime_dir_unusable(void)
{
	UtmError *error = NULL;
	int lock = -1;
	g_assert_null(make_in("/proc", &lock, &error));
	g_assert_cmpint(lock, ==, -1);
	g_assert_cmpstr(utm_error_get_file(error), ==, "/proc");
	utm_error_unref(error);
	g_autofree char *base = g_dir_make_tmp("utm-rel-XXXXXX", NULL);
	g_autofree char *former = g_get_current_dir();
	g_assert_cmpint(chdir(base), ==, 0);
	g_autofree char *path = make_in("run", &lock, NULL);
	g_assert_cmpint(chdir(former), ==, 0);
	g_assert_true(path && g_str_has_prefix(path, base));
	utm__runtime_dir_remove(path, &lock);
	g_autofree char *made = g_build_filename(base, "run", NULL);
	g_assert_cmpint(rmdir(made), ==, 0);
	rmdir(base);
	static const char *const suggestions[] = { "/proc", "relative", "", "/nonexistent" };
	for (gsize i = 0; i < G_N_ELEMENTS(suggestions); i++) {
		g_setenv("XDG_RUNTIME_DIR", suggestions[i], TRUE);
		g_autofree char *other = make_in(NULL, &lock, NULL);
		g_assert_true(other && g_str_has_prefix(other, "/tmp/"));
		utm__runtime_dir_remove(other, &lock);
	}
	g_unsetenv("XDG_RUNTIME_DIR");
}

/* A host that has a machine's directory, says so and is killed. */
static int be_the_owner(const char *base)
{
	int lock = -1;
	UtmContext *context = context_with_runtime_dir(base);
	g_autofree char *path = utm__runtime_dir_new(context, &lock, NULL);
	if (utm__listen_unix(path, "qmp.sock", NULL, NULL) < 0)
		return 1;
	dprintf(1, "%s\n", path);
	pause();
	return 0;
}

static char *left_by_a_killed_host(const char *base)
{
	const char *words[] = { "/proc/self/exe", "--owner", base, NULL };
	GPid pid;
	int out;
	char line[256] = "";
	g_assert_true(g_spawn_async_with_pipes(NULL, (char **)words, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL,
	                                       &out, NULL, NULL));
	gsize length = 0;
	while (length < sizeof line - 1 && read(out, line + length, 1) == 1 && line[length] != '\n')
		length++;
	line[length] = 0;
	kill(pid, SIGKILL);
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
	close(out);
	g_assert_true(g_file_test(line, G_FILE_TEST_IS_DIR));
	return g_strdup(line);
}

static char *new_dir_in(const char *base, const char *name, bool with_lock)
{
	char *path = g_build_filename(base, name, NULL);
	g_autofree char *lock = g_build_filename(path, "lock", NULL);
	g_assert_cmpint(g_mkdir_with_parents(path, 0700), ==, 0);
	g_assert_true(!with_lock || g_file_set_contents_full(lock, "", 0, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
	return path;
}

/* What killed hosts left goes with the next machine; what lives, was never ours or leads elsewhere stays. */
static void test_runtime_dir_sweep(void)
{
	int lock = -1, next_lock = -1;
	g_autofree char *base = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	g_autofree char *left = left_by_a_killed_host(base);
	g_autofree char *mine = make_in(base, &lock, NULL);
	g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));

	g_autofree char *unlocked = new_dir_in(base, "libutm-AAAAAA", false);
	g_autofree char *open_to_all = new_dir_in(base, "libutm-BBBBBB", true);
	g_autofree char *other_name = new_dir_in(base, "libutm-other", true);
	g_autofree char *target = new_dir_in(base, "target", true);
	g_autofree char *link = g_build_filename(base, "libutm-CCCCCC", NULL);
	g_autofree char *dead = new_dir_in(base, "libutm-DDDDDD", true);
	g_autofree char *lock_link = new_dir_in(base, "libutm-EEEEEE", false);
	g_autofree char *lock_of_link = g_build_filename(lock_link, "lock", NULL);
	g_autofree char *target_lock = g_build_filename(target, "lock", NULL);
	g_assert_cmpint(chmod(open_to_all, 0755), ==, 0);
	g_assert_cmpint(symlink(target, link), ==, 0);
	g_assert_cmpint(symlink(target_lock, lock_of_link), ==, 0);
	g_autofree char *next = make_in(base, &next_lock, NULL);
	const char *stay[] = { mine, next, unlocked, open_to_all, other_name, target_lock, link, lock_link };
	for (gsize i = 0; i < G_N_ELEMENTS(stay); i++)
		g_assert_true(g_file_test(stay[i], G_FILE_TEST_EXISTS));
	g_assert_false(g_file_test(dead, G_FILE_TEST_EXISTS));

	utm__runtime_dir_remove(mine, &lock);
	utm__runtime_dir_remove(next, &next_lock);
	const char *directories[] = { unlocked, open_to_all, other_name, target, lock_link };
	g_assert_cmpint(unlink(link), ==, 0);
	for (gsize i = 0; i < G_N_ELEMENTS(directories); i++)
		utm__runtime_dir_remove(directories[i], &lock);
	g_assert_cmpint(rmdir(base), ==, 0);
}

static void nothing(void *data)
{
}

/* A child that never stops talking must not keep the I/O thread from everybody else. */
static void test_flood_leaves_time_for_others(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	Run run = { 0 };
	run_start(&run, context, SHELL("exec yes >&2"));
	for (int i = 0; i < 20; i++) {
		gint64 before = utm__now_us();
		g_usleep(5000);
		utm__context_call(context, nothing, NULL);
		g_assert_cmpint(utm__now_us() - before, <, 3 * G_USEC_PER_SEC);
	}
	utm__context_call(context, free_on_io, &run);
	utm_context_unref(context);
}

/* A host that closed its standard descriptors gives their numbers to our sockets. */
static void test_descriptors_in_place_of_the_standard_ones(void)
{
	int kept[3];
	for (int i = 0; i < 3; i++) {
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		close(i);
	}
	int pipe_fds[2];
	int made = pipe2(pipe_fds, O_CLOEXEC); /* 0 and 1 */
	int out = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, 2);
	UtmContext *context = utm_context_new(NULL, NULL);
	UtmProcessFd fds[] = { { pipe_fds[1], 3 }, { out, 4 } };
	Run run = { .spec.fds = fds, .spec.fd_count = 2 };
	run_start(&run, context, SHELL("echo three >&3; echo four >&4; echo error >&2"));
	char text[64] = "";
	bool started = run.process != NULL;
	if (started) {
		run_wait(&run);
		close(pipe_fds[1]);
		close(out);
		for (ssize_t got = 0, n; (n = read(pipe_fds[0], text + got, sizeof text - 1 - (size_t)got)) > 0; got += n)
			;
	}
	close(pipe_fds[0]);
	/* Now 0 and 1 are free: those that GLib makes for itself go there. */
	Run second = { 0 };
	run_start(&second, context, SHELL("echo error >&2; exit 4"));
	if (second.process)
		run_wait(&second);
	utm_context_unref(context);
	for (int i = 0; i < 3; i++) {
		dup2(kept[i], i);
		close(kept[i]);
	}
	g_assert_cmpint(made, ==, 0);
	g_assert_true(started);
	g_assert_cmpint(pipe_fds[1], ==, 1);
	g_assert_cmpstr(text, ==, "three\nfour\n");
	g_assert_cmpstr(run.tail, ==, "error");
	g_assert_cmpstr(second.tail, ==, "error");
	g_assert_cmpint(second.end.exit_status, ==, 4);
	g_free(run.tail);
	g_free(second.tail);
}

static void limit_descriptors(rlim_t count)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = count ? MIN(count, limit.rlim_max) : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* As many free descriptors as there are, or none of them too many: it starts or says why, and nothing is left. */
static void test_few_descriptors(void)
{
	UtmContext *context = utm_context_new(NULL, NULL);
	int next = fcntl(0, F_DUPFD, 3);
	close(next);
	guint started = 0;
	for (int extra = 0; extra < 10; extra++) {
		Run run = { 0 };
		limit_descriptors((rlim_t)(next + extra));
		run_start(&run, context, SHELL("exit 3"));
		limit_descriptors(0);
		if (run.process) {
			started++;
			run_wait(&run);
			g_assert_cmpint(run.end.exit_status, ==, 3);
		} else {
			g_assert_nonnull(run.error);
			g_assert_false(run.ended);
			utm_error_unref(run.error);
		}
		g_free(run.tail);
	}
	g_assert_cmpuint(started, >, 0);
	g_assert_cmpuint(started, <, 10);
	utm_context_unref(context);
}

/* From here on this process lives on a kernel that knows no pidfd. */
static void forbid_pidfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { G_N_ELEMENTS(code), code };
	g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
	/* For all threads, or rather for those that come. */
	g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), ==, 0);
}

static void test_without_pidfd(void)
{
	if (!g_test_subprocess()) {
		g_test_trap_subprocess(NULL, 60 * G_USEC_PER_SEC, G_TEST_SUBPROCESS_INHERIT_STDERR);
		g_test_trap_assert_passed();
		return;
	}
	forbid_pidfd();
	test_exit_status_and_tail();
	test_signal();
	test_freed_while_running();
	for (int i = 0; i < 20; i++)
		test_context_ends_first();
	g_usleep(100000); /* whoever still waits for a process would now touch freed memory */
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--host") == 0)
		return be_the_host();
	if (argc > 2 && strcmp(argv[1], "--owner") == 0)
		return be_the_owner(argv[2]);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/process/exit-status-and-tail", test_exit_status_and_tail);
	g_test_add_func("/process/tail-is-bounded", test_tail_is_bounded);
	g_test_add_func("/process/tail-keeps-characters", test_tail_keeps_characters);
	g_test_add_func("/process/signal", test_signal);
	g_test_add_func("/process/inherits", test_what_the_child_inherits);
	g_test_add_func("/process/program-missing", test_program_missing);
	g_test_add_func("/process/freed-while-running", test_freed_while_running);
	g_test_add_func("/process/context-ends-first", test_context_ends_first);
	g_test_add_func("/process/host-ignores-sigchld", test_host_ignores_sigchld);
	g_test_add_func("/process/dies-with-its-parent", test_dies_with_its_parent);
	g_test_add_func("/process/runtime-dir/unusable", test_runtime_dir_unusable);
	g_test_add_func("/process/flood", test_flood_leaves_time_for_others);
	g_test_add_func("/process/no-standard-descriptors", test_descriptors_in_place_of_the_standard_ones);
	g_test_add_func("/process/few-descriptors", test_few_descriptors);
	g_test_add_func("/process/no-pidfd", test_without_pidfd);
	g_test_add_func("/process/runtime-dir/made-and-removed", test_runtime_dir);
	g_test_add_func("/process/runtime-dir/too-long", test_runtime_dir_too_long);
	g_test_add_func("/process/runtime-dir/sweep", test_runtime_dir_sweep);
	return g_test_run();
}
