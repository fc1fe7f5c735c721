/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swtpm is given descriptors only: one end of a socket pair, and the file of its state. So there is no socket that
 * somebody else could reach, no file to wait for, and nothing in a path that swtpm could take for one of its options,
 * which a comma would be. That it is ready is not guessed: it is asked for its capabilities over the socket pair that QEMU
 * gets afterwards, and QEMU is started when it has answered.
 *
 * The state is one file, as UTM has it. Of a disposable run it is a copy in memory, since a TPM that remembers what the
 * disk has forgotten would be worse than none.
 */
#include "vm/tpm.h"

#include "base/file.h"
#include "base/util.h"
#include "bundle/bundle-private.h"
#include "bundle/spot.h"
#include "host/qemu-program.h"
#include "process/process.h"
#include "process/stderr-text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_MS 10000
#define KILL_MS 1000
/* The state of a TPM 2.0 is some 10 KiB, with all its memory in use some 200. */
#define STATE_MAX (16 * 1024 * 1024)

/* Descriptors in the child. */
#define CHILD_FD_CONTROL 3
#define CHILD_FD_STATE 4
#define CHILD_FD_LOCK 5

struct UtmTpm {
	UtmContext *context;
	UtmTpmSpec spec; /* without its texts, which are the caller's */
	UtmProcess *process;
	int socket; /* QEMU's end; -1 */
	guint ready_source;
	guint ready_timer;
	guint kill_timer;
	guint8 answer[8];
	gsize answered;
	bool ended;
	UtmProcessEnd end;
	char *stderr_tail;
};

/* ---------------------------------------------------------------- the state */

static int fail_state(int code, const char *path, UtmError **error)
{
	UtmError *unusable = utm__error_new(UTM_ERROR_IO, "cannot use the TPM's state: %s", g_strerror(code));
	utm__error_set_errno(unusable, code);
	utm__error_set_key_path(unusable, "QEMU.TPMDevice");
	if (code == EROFS || code == EACCES || code == EPERM)
		utm__error_set_remedy(unusable, "Copy the bundle to a place where it can be written, or start it disposable.");
	return utm__fail_take(error, utm__error_set_file(unusable, path));
}

/* What swtpm finds, it opens anew through the descriptor: the file must be no link, and nothing that hangs. */
static int open_state(const UtmSpot *spot, int flags, UtmError **error)
{
	utm_autofd fd = openat(spot->dir, spot->name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat info;
	if (fd < 0 || fstat(fd, &info) < 0)
		return fail_state(errno, spot->path, error);
	if (!S_ISREG(info.st_mode))
		return fail_state(EINVAL, spot->path, error);
	if (info.st_size > STATE_MAX) {
		UtmError *large = utm__error_new(UTM_ERROR_LIMIT, "a TPM's state has at most %d bytes", STATE_MAX);
		return utm__fail_take(error, utm__error_set_file(large, spot->path));
	}
	int taken = fd;
	fd = -1;
	return taken;
}

static int copy_to_memory(const UtmSpot *spot, UtmError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct stat info;
	int failed = spot->exists ? utm__spot_read(spot, STATE_MAX, bytes, &info, error) : 0;
	if (failed < 0)
		return failed;
	utm_autofd fd = memfd_create("tpm-state", MFD_CLOEXEC);
	failed = fd < 0 ? errno : utm__write_all(fd, bytes->data, bytes->len);
	if (failed)
		return fail_state(failed, spot->path, error);
	int taken = fd;
	fd = -1;
	return taken;
}

/* The descriptor, or a negative code. */
static int take_state(const UtmTpmSpec *spec, UtmError **error)
{
	g_auto(UtmSpot) spot = UTM_SPOT_INIT;
	utm_autofd root = utm__open_root(spec->bundle_path, error);
	if (root < 0)
		return root;
	int failed = utm__spot_find(root, spec->bundle_path, UTM_BUNDLE_DATA, UTM_BUNDLE_TPM_DATA, &spot, error);
	if (failed < 0)
		return failed;
	return spec->disposable ? copy_to_memory(&spot, error) : open_state(&spot, O_RDWR | O_CREAT, error);
}

/* ---------------------------------------------------------------- is it ready? */

static void stop_waiting(UtmTpm *tpm)
{
	utm__io_remove(tpm->context, &tpm->ready_source);
	utm__io_remove(tpm->context, &tpm->ready_timer);
}

static bool is_waited_for(const UtmTpm *tpm)
{
	return tpm->ready_timer != 0;
}

static void tell_ready(UtmTpm *tpm, UtmError *error_taken)
{
	g_autoptr(UtmError) error = error_taken;
	stop_waiting(tpm);
	tpm->spec.on_ready(tpm, error, tpm->spec.data);
}

/* The capabilities themselves are QEMU's to judge. At the end of the stream the end of the process says more. */
static bool on_answer(int fd, GIOCondition condition, void *data)
{
	UtmTpm *tpm = data;
	ssize_t count = recv(fd, tpm->answer + tpm->answered, sizeof tpm->answer - tpm->answered, MSG_DONTWAIT);
	tpm->answered += count > 0 ? (gsize)count : 0;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (count > 0 && tpm->answered < sizeof tpm->answer)
		return true;
	tpm->ready_source = 0;
	if (count > 0)
		tell_ready(tpm, NULL);
	return false;
}

static void on_ready_deadline(void *data)
{
	UtmTpm *tpm = data;
	const char *tail = utm__process_get_stderr_tail(tpm->process);
	const char *words = utm__last_line(tail);
	UtmError *error = utm__error_new(UTM_ERROR_TIMEOUT, "swtpm did not answer within %" G_GINT64_FORMAT " ms%s%s",
	                                 tpm->spec.ready_timeout_ms, words ? ": " : "", words ? words : "");
	utm__error_set_key_path(error, "QEMU.TPMDevice");
	utm__error_set_remedy(error, "Try whether swtpm works on this host, or set QEMU.TPMDevice to false.");
	tpm->ready_timer = 0;
	tell_ready(tpm, utm__error_set_exit(error, -1, tail));
}

/* CMD_GET_CAPABILITY of swtpm's control channel: a number, answered with eight bytes. */
static void ask(UtmTpm *tpm)
{
	static const guint8 get_capability[] = { 0, 0, 0, 1 };
	/* A new socket has room for it; should swtpm be gone already, its end is about to be seen. */
	ssize_t sent = send(tpm->socket, get_capability, sizeof get_capability, MSG_NOSIGNAL);
	(void)sent;
	tpm->ready_source = utm__io_add_fd(tpm->context, tpm->socket, G_IO_IN, on_answer, tpm);
	tpm->ready_timer = utm__io_add_timeout(tpm->context, tpm->spec.ready_timeout_ms, on_ready_deadline, tpm);
}

/* ---------------------------------------------------------------- the process */

static void on_line(UtmProcess *process, const char *line, void *data)
{
	UtmTpm *tpm = data;
	if (tpm->spec.on_line)
		tpm->spec.on_line(line, tpm->spec.data);
}

static void on_process_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	UtmTpm *tpm = data;
	bool waited = is_waited_for(tpm);
	tpm->ended = true;
	tpm->end = *end;
	tpm->stderr_tail = g_strdup(utm__process_get_stderr_tail(process));
	utm__io_remove(tpm->context, &tpm->kill_timer);
	if (waited)
		tell_ready(tpm, utm__tpm_ended_error(tpm, "while starting"));
	tpm->spec.on_end(tpm, tpm->spec.data);
}

/* That it made a new file, which it says itself, is not why it ended. */
static const char *last_words(const char *tail)
{
	const char *words = utm__last_line(tail);
	return words && !strstr(words, "as new linear NVRAM store") ? words : NULL;
}

UtmError *utm__tpm_ended_error(const UtmTpm *tpm, const char *when)
{
	const char *words = last_words(tpm->stderr_tail);
	int status = tpm->end.signal ? 128 + tpm->end.signal : tpm->end.exit_status;
	g_autofree char *how = tpm->end.signal ? g_strdup_printf("signal %d", tpm->end.signal)
	                       : status < 0    ? g_strdup("how is not known")
	                                       : g_strdup_printf("exit status %d", status);
	UtmError *error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "swtpm, the TPM's program, ended %s (%s)%s%s", when, how,
	                                 words ? ": " : "", words ? words : "");
	utm__error_set_key_path(error, "QEMU.TPMDevice");
	return utm__error_set_exit(error, status, tpm->stderr_tail);
}

static int spawn(UtmTpm *tpm, const UtmTpmSpec *spec, int control_fd, int state_fd, UtmError **error)
{
	UtmProcessFd fds[] = { { control_fd, CHILD_FD_CONTROL }, { state_fd, CHILD_FD_STATE }, { spec->lock_fd, CHILD_FD_LOCK } };
	g_autofree char *state = g_strdup_printf("backend-uri=file:///dev/fd/%d", CHILD_FD_STATE);
	g_autofree char *control = g_strdup_printf("type=unixio,clientfd=%d", CHILD_FD_CONTROL);
	const char *argv[] = { spec->program, "socket", "--tpm2", "--tpmstate", state, "--ctrl", control, "--terminate", NULL };
	UtmProcessSpec process = {
		.argv = argv,
		.fds = fds,
		.fd_count = spec->lock_fd < 0 ? 2 : 3,
		.stdout_fd = -1,
		.on_stderr_line = on_line,
		.on_end = on_process_end,
		.data = tpm,
	};
	tpm->process = utm__process_spawn(tpm->context, &process, error);
	return tpm->process ? 0 : UTM_ERROR_SPAWN_FAILED;
}

static int start(UtmTpm *tpm, const UtmTpmSpec *spec, UtmError **error)
{
	int ends[2];
	utm_autofd state_fd = take_state(spec, error);
	if (state_fd < 0)
		return state_fd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return utm__fail_errno(error, errno, NULL, "cannot make a socket for the TPM");
	tpm->socket = ends[0];
	int failed = spawn(tpm, spec, ends[1], state_fd, error);
	utm__close_fd(&ends[1]);
	if (!failed)
		ask(tpm);
	return failed;
}

UtmTpm *utm__tpm_start(UtmContext *context, const UtmTpmSpec *spec, UtmError **error)
{
	UtmTpm *tpm = g_new0(UtmTpm, 1);
	tpm->context = context;
	tpm->spec = *spec;
	tpm->spec.program = tpm->spec.bundle_path = NULL;
	tpm->spec.ready_timeout_ms = spec->ready_timeout_ms ? spec->ready_timeout_ms : READY_MS;
	tpm->socket = -1;
	if (start(tpm, spec, error) == 0)
		return tpm;
	utm__tpm_free(tpm);
	return NULL;
}

char *utm__tpm_find_program(UtmContext *context, const char *qemu_path, UtmError **error)
{
	UtmError *missing = NULL;
	char *found = utm__qemu_find_tool_beside(context, qemu_path, "swtpm", "swtpm", &missing);
	if (found)
		return found;
	utm__error_set_key_path(missing, "QEMU.TPMDevice");
	utm__error_set_remedy(missing, "Install the package swtpm, or set QEMU.TPMDevice to false.");
	utm__fail_take(error, missing);
	return NULL;
}

int utm__tpm_take_socket(UtmTpm *tpm)
{
	int taken = tpm->socket;
	tpm->socket = -1;
	return taken;
}

bool utm__tpm_is_running(const UtmTpm *tpm)
{
	return tpm && !tpm->ended;
}

static void on_kill_deadline(void *data)
{
	UtmTpm *tpm = data;
	tpm->kill_timer = 0;
	utm__process_kill(tpm->process, SIGKILL);
}

void utm__tpm_end(UtmTpm *tpm)
{
	if (tpm->ended || tpm->kill_timer)
		return;
	stop_waiting(tpm);
	utm__process_kill(tpm->process, SIGTERM);
	tpm->kill_timer = utm__io_add_timeout(tpm->context, KILL_MS, on_kill_deadline, tpm);
}

void utm__tpm_free(UtmTpm *tpm)
{
	if (!tpm)
		return;
	stop_waiting(tpm);
	utm__io_remove(tpm->context, &tpm->kill_timer);
	utm__process_free(tpm->process);
	utm__close_fd(&tpm->socket);
	g_free(tpm->stderr_tail);
	g_free(tpm);
}
