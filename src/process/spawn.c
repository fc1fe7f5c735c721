/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting, watching and ending one child process.
 *
 * GLib forks and executes; between the two run only async-signal-safe calls, GLib's and those of prepare_child(). The
 * end is seen through a pidfd, so neither SIGCHLD nor g_child_watch (which installs a handler for it) is involved.
 */
#include "process/process.h"

#include "base/util.h"
#include "process/stderr-text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048
/* So that a child that writes without end leaves time for the others; and what a pipe holds, after its end. */
#define READS_PER_TURN 4
#define READS_AT_END 16

struct UtmProcess {
	UtmContext *context;
	pid_t pid; /* -1 once reaped */
	int pid_fd;
	int stderr_fd;
	guint pid_source;
	pthread_t waiter; /* where there is no pidfd */
	bool has_waiter;
	guint stderr_source;
	GString *line; /* the unfinished last line */
	GString *tail;
	void (*on_stderr_line)(UtmProcess *process, const char *line, void *data);
	void (*on_end)(UtmProcess *process, const UtmProcessEnd *end, void *data);
	void *data;
};

/* Children that run, so that the end of a context leaves no zombie even when a part forgot one. I/O thread, then none. */
static const char children_key;

static void end_children(void *context);

static void *children_make(UtmContext *context)
{
	utm__context_at_end(context, end_children, context);
	return g_ptr_array_new();
}

/* Its child has ended, so it is about to. */
static void join_waiter(UtmProcess *process)
{
	if (process->has_waiter)
		pthread_join(process->waiter, NULL);
	process->has_waiter = false;
}

static void process_dispose(UtmProcess *process)
{
	utm__close_fd(&process->pid_fd);
	utm__close_fd(&process->stderr_fd);
	g_string_free(process->line, TRUE);
	g_string_free(process->tail, TRUE);
	g_free(process);
}

/* After the I/O thread has ended: the sources are gone, what is left are the children themselves. */
static void children_destroy(void *data)
{
	GPtrArray *children = data;
	for (guint i = 0; i < children->len; i++) {
		UtmProcess *process = children->pdata[i];
		kill(-process->pid, SIGKILL);
		join_waiter(process);
		waitpid(process->pid, NULL, 0);
		process_dispose(process);
	}
	g_ptr_array_unref(children);
}

static GPtrArray *children_of(UtmContext *context)
{
	return utm__context_get_data(context, &children_key, children_make, children_destroy);
}

/* ---------------------------------------------------------------- standard error */

static void take_line(UtmProcess *process, gsize length)
{
	if (length == 0)
		return;
	g_autofree char *line = g_utf8_make_valid(process->line->str, (gssize)length);
	g_string_erase(process->line, 0, (gssize)length);
	utm__tail_add_line(process->tail, line);
	if (process->on_stderr_line)
		process->on_stderr_line(process, line, process->data);
}

static void end_line(UtmProcess *process)
{
	take_line(process, process->line->len);
}

/* A line that is too long is cut into several, between two characters. */
static void cut_line(UtmProcess *process)
{
	take_line(process, utm__text_whole_prefix(process->line->str, process->line->len));
}

static void take_output(UtmProcess *process, const char *bytes, gsize count)
{
	for (gsize i = 0; i < count; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r') {
			end_line(process);
			continue;
		}
		if (process->line->len == LINE_MAX_BYTES)
			cut_line(process);
		g_string_append_c(process->line, bytes[i] ? bytes[i] : ' ');
	}
}

/* Reads what is there now, up to a bound. False at the end of the stream. */
static bool read_stderr(UtmProcess *process, int reads_max)
{
	char bytes[4096];
	for (int i = 0; i < reads_max; i++) {
		ssize_t count = read(process->stderr_fd, bytes, sizeof bytes);
		if (count > 0)
			take_output(process, bytes, (gsize)count);
		else if (count == 0 || (errno != EINTR && errno != EAGAIN))
			return false;
		else if (errno == EAGAIN)
			break;
	}
	return true;
}

static bool on_stderr(int fd, GIOCondition condition, void *data)
{
	UtmProcess *process = data;
	if (read_stderr(process, READS_PER_TURN))
		return true;
	process->stderr_source = 0;
	return false;
}

/* ---------------------------------------------------------------- the end */

/* Somebody else in this process may have reaped our child (SIGCHLD ignored, waitpid(-1)): then nothing is known. */
static UtmProcessEnd reap(pid_t pid)
{
	int status = 0;
	pid_t reaped;
	do
		reaped = waitpid(pid, &status, 0);
	while (reaped < 0 && errno == EINTR);
	UtmProcessEnd end = { .exit_status = -1 };
	if (reaped == pid && WIFEXITED(status))
		end.exit_status = WEXITSTATUS(status);
	else if (reaped == pid && WIFSIGNALED(status))
		end.signal = WTERMSIG(status);
	return end;
}

static void ended(UtmProcess *process)
{
	join_waiter(process);
	UtmProcessEnd end = reap(process->pid);
	process->pid = -1;
	g_ptr_array_remove_fast(children_of(process->context), process);
	read_stderr(process, READS_AT_END);
	end_line(process);
	utm__io_remove(process->context, &process->stderr_source);
	if (process->on_end)
		process->on_end(process, &end, process->data);
	else
		process_dispose(process); /* freed while it ran */
}

/* The end of the context: whoever waits for a child to go hears of it, and frees what was kept for that. */
static void end_children(void *data)
{
	UtmContext *context = data;
	g_autoptr(GPtrArray) children = g_ptr_array_copy(children_of(context), NULL, NULL);
	for (guint i = 0; i < children->len; i++) {
		UtmProcess *process = children->pdata[i];
		bool watched = process->pid_source != 0;
		utm__process_kill(process, SIGKILL);
		utm__io_remove(context, &process->pid_source);
		if (watched)
			ended(process);
		else
			join_waiter(process); /* which has handed the end over */
	}
}

static bool on_pid_fd(int fd, GIOCondition condition, void *data)
{
	UtmProcess *process = data;
	process->pid_source = 0;
	ended(process);
	return false;
}

/* For kernels and systems without pidfd: one thread that waits. */
static void ended_on_io_thread(void *data)
{
	ended(data);
}

static void *wait_thread(void *data)
{
	UtmProcess *process = data;
	siginfo_t info;
	while (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	utm__context_invoke(process->context, ended_on_io_thread, process);
	return NULL;
}

static int watch_end(UtmProcess *process)
{
#ifdef SYS_pidfd_open
	process->pid_fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
#endif
	if (process->pid_fd >= 0) {
		fcntl(process->pid_fd, F_SETFD, FD_CLOEXEC);
		process->pid_source = utm__io_add_fd(process->context, process->pid_fd, G_IO_IN, on_pid_fd, process);
		return 0;
	}
	int failed = pthread_create(&process->waiter, NULL, wait_thread, process);
	process->has_waiter = !failed;
	return failed;
}

/* ---------------------------------------------------------------- the start */

typedef struct ChildSetup {
	pid_t parent;
	bool own_lifetime;
} ChildSetup;

/* In the child, between fork and exec: only async-signal-safe calls. */
static void prepare_child(gpointer data)
{
	const ChildSetup *setup = data;
	sigset_t none;
	struct sigaction standard = { .sa_handler = SIG_DFL };
	/* The I/O thread blocks every signal and the host may ignore some; the child shall feel neither. */
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
#ifdef PR_SET_PDEATHSIG
	if (!setup->own_lifetime) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != setup->parent) /* it died before the call above */
			_exit(127);
	}
#endif
}

static UtmError *spawn_error(const char *program, const GError *problem)
{
	bool missing = g_error_matches(problem, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);
	UtmError *error = utm__error_new(missing ? UTM_ERROR_NOT_FOUND : UTM_ERROR_SPAWN_FAILED, "%s", problem->message);
	return utm__error_set_file(error, program);
}

static char **environment_with(const char *const *env_set)
{
	char **environment = g_get_environ();
	for (; env_set && *env_set; env_set++) {
		const char *equals = strchr(*env_set, '=');
		g_autofree char *name = g_strndup(*env_set, (gsize)(equals - *env_set));
		environment = g_environ_setenv(environment, name, equals + 1, TRUE);
	}
	return environment;
}

/*
 * A host may have closed its standard descriptors, so that their numbers are those of our sockets; in the child they would
 * be overwritten before they are put in place. Returns a copy beyond them, or the descriptor itself when it is one.
 */
static int beyond_standard(int fd)
{
	return fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* Likewise for the pipes that GLib makes on the way: whichever of the three numbers is free is taken meanwhile. */
static gsize occupy_standard(int *ret_fds)
{
	gsize count = 0;
	int fd;
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
		ret_fds[count++] = fd;
	utm__close_fd(&fd);
	return count;
}

static bool fork_and_exec(const UtmProcessSpec *spec, const int *sources, const int *targets, int stdout_fd,
                          GPid *ret_pid, int *ret_stderr_fd, GError **problem)
{
	g_auto(GStrv) environment = environment_with(spec->env_set);
	ChildSetup setup = { .parent = getpid(), .own_lifetime = spec->own_lifetime };
	GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH | G_SPAWN_CLOEXEC_PIPES;
	int held[STDERR_FILENO + 1];
	if (stdout_fd < 0)
		flags |= G_SPAWN_STDOUT_TO_DEV_NULL;
	gsize held_count = occupy_standard(held);
	bool spawned =
		g_spawn_async_with_pipes_and_fds(spec->working_dir, spec->argv, (const char *const *)environment, flags,
		                                 prepare_child, &setup, -1, stdout_fd, -1, sources, targets,
		                                 spec->fd_count, ret_pid, NULL, NULL, ret_stderr_fd, problem);
	while (held_count)
		utm__close_fd(&held[--held_count]);
	return spawned;
}

static bool spawn_child(const UtmProcessSpec *spec, GPid *ret_pid, int *ret_stderr_fd, GError **problem)
{
	g_autofree int *sources = g_new(int, spec->fd_count + 1);
	g_autofree int *targets = g_new(int, spec->fd_count + 1);
	int stdout_fd = spec->stdout_fd < 0 ? -1 : beyond_standard(spec->stdout_fd);
	bool placed = spec->stdout_fd < 0 || stdout_fd >= 0;
	for (gsize i = 0; i < spec->fd_count; i++) {
		sources[i] = beyond_standard(spec->fds[i].source);
		targets[i] = spec->fds[i].target;
		placed = placed && sources[i] >= 0;
	}
	if (!placed)
		g_set_error(problem, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "no descriptor is free: %s", g_strerror(errno));
	bool spawned = placed && fork_and_exec(spec, sources, targets, stdout_fd, ret_pid, ret_stderr_fd, problem);
	for (gsize i = 0; i < spec->fd_count; i++)
		if (sources[i] != spec->fds[i].source)
			utm__close_fd(&sources[i]);
	if (stdout_fd != spec->stdout_fd)
		utm__close_fd(&stdout_fd);
	return spawned;
}

UtmProcess *utm__process_spawn(UtmContext *context, const UtmProcessSpec *spec, UtmError **error)
{
	GPid pid = -1;
	int stderr_fd = -1;
	g_autoptr(GError) problem = NULL;
	if (!spawn_child(spec, &pid, &stderr_fd, &problem)) {
		utm__fail_take(error, spawn_error(spec->argv[0], problem));
		return NULL;
	}
	UtmProcess *process = g_new0(UtmProcess, 1);
	process->context = context;
	process->pid = pid;
	process->pid_fd = -1;
	process->stderr_fd = stderr_fd;
	process->line = g_string_new(NULL);
	process->tail = g_string_new(NULL);
	process->on_stderr_line = spec->on_stderr_line;
	process->on_end = spec->on_end;
	process->data = spec->data;
	fcntl(stderr_fd, F_SETFL, fcntl(stderr_fd, F_GETFL) | O_NONBLOCK);
	process->stderr_source = utm__io_add_fd(context, stderr_fd, G_IO_IN, on_stderr, process);
	g_ptr_array_add(children_of(context), process);
	int failed = watch_end(process);
	if (failed) {
		utm__fail_errno(error, failed, spec->argv[0], "cannot watch the process");
		utm__process_kill(process, SIGKILL);
		process->on_stderr_line = NULL;
		process->on_end = NULL; /* it was never started, as far as the caller is concerned */
		ended(process);
		return NULL;
	}
	return process;
}

void utm__process_free(UtmProcess *process)
{
	if (!process)
		return;
	if (process->pid < 0) {
		process_dispose(process);
		return;
	}
	utm__process_kill(process, SIGKILL);
	process->on_stderr_line = NULL;
	process->on_end = NULL;
}

gint64 utm__process_get_pid(UtmProcess *process)
{
	return process->pid;
}

bool utm__process_is_running(UtmProcess *process)
{
	return process->pid > 0;
}

void utm__process_kill(UtmProcess *process, int signal)
{
	if (process->pid > 0)
		kill(-process->pid, signal);
}

const char *utm__process_get_stderr_tail(UtmProcess *process)
{
	return process->tail->len ? process->tail->str : NULL;
}
