/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest agent itself, qemu-ga, which runs on the host here: on a socket, and on a serial line that outlives it.
 * Only harmless commands; those that change the host are blocked on top of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utm/qga-commands.h>
#include <utm/qmp-types.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)

#define PATIENCE_MS 30000
#define BLOCKED                                                                                                      \
	"guest-shutdown,guest-suspend-disk,guest-suspend-ram,guest-suspend-hybrid,guest-set-time,guest-fstrim,"       \
	"guest-set-user-password,guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-set-vcpus,"                  \
	"guest-set-memory-blocks,guest-ssh-add-authorized-keys,guest-ssh-remove-authorized-keys"

static UtmContext *context;
static char *program; /* qemu-ga, or NULL */

/* ---------------------------------------------------------------- the agent */

typedef struct Agent {
	GPid pid;
	char *dir;
	char *path; /* its socket, or its side of the serial line */
} Agent;

static void die_with_parent(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void agent_spawn(Agent *agent, const char *method)
{
	g_autofree char *pid_file = g_build_filename(agent->dir, "pid", NULL);
	char *argv[] = { program, "-m", (char *)method, "-p", agent->path, "-t", agent->dir, "-f", pid_file, "-b", BLOCKED,
		         NULL };
	g_autoptr(GError) error = NULL;
	if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &agent->pid, &error))
		g_error("%s", error->message);
}

static void agent_kill(Agent *agent)
{
	kill(agent->pid, SIGKILL);
	waitpid(agent->pid, NULL, 0);
}

/* On a socket; waits until it can be connected to. */
static void agent_start(Agent *agent)
{
	agent->dir = g_dir_make_tmp("utm-test-XXXXXX", NULL);
	agent->path = g_build_filename(agent->dir, "qga", NULL);
	agent_spawn(agent, "unix-listen");
}

static void agent_clear(Agent *agent)
{
	static const char *const files[] = { "qga", "pid", "qga.state", "data" };
	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(agent->dir, files[i], NULL);
		g_unlink(path);
	}
	g_rmdir(agent->dir);
	g_free(agent->path);
	g_free(agent->dir);
}

static UtmGuest *agent_connect(Agent *agent)
{
	UtmGuest *guest = NULL;
	/* The socket's file is there a little before the agent listens. */
	for (int i = 0; i < PATIENCE_MS && !guest; i++) {
		g_autoptr(UtmError) error = NULL;
		int result = utm_guest_connect_path(context, agent->path, NULL, &guest, &error);
		if (result != 0 && result != UTM_ERROR_NOT_FOUND && result != UTM_ERROR_IO)
			g_error("%s", utm_error_get_message(error));
		g_usleep(guest ? 0 : 1000);
	}
	g_assert_nonnull(guest);
	return guest;
}

static char *execute(UtmGuest *guest, const char *command, const char *arguments)
{
	char *reply = NULL;
	g_autoptr(UtmError) error = NULL;
	if (utm_guest_execute(guest, command, arguments, NULL, &reply, &error) < 0)
		g_error("%s: %s", command, utm_error_get_message(error));
	return reply;
}

/* The integer behind "name": in the reply. */
static gint64 get_number(const char *reply, const char *name)
{
	g_autofree char *key = g_strdup_printf("\"%s\":", name);
	const char *found = strstr(reply, key);
	if (!found)
		g_error("no %s in %s", name, reply);
	return g_ascii_strtoll(found + strlen(key), NULL, 10);
}

/* ---------------------------------------------------------------- on a socket */

static void test_commands(void)
{
	Agent agent;
	agent_start(&agent);
	UtmGuest *guest = agent_connect(&agent);
	g_autofree char *pong = execute(guest, "guest-ping", NULL);
	g_assert_cmpstr(pong, ==, "{}");
	g_autofree char *info = execute(guest, "guest-info", NULL);
	g_assert_nonnull(strstr(info, "\"supported_commands\":[{"));
	g_autofree char *system = execute(guest, "guest-get-osinfo", "{ }");
	g_assert_nonnull(strstr(system, "\"kernel-release\":\""));
	g_assert_cmpint(utm_guest_sync(guest, NULL, NULL), ==, 0);
	g_autofree char *number = execute(guest, "guest-sync", "{\"id\": 9007199254740993}");
	g_assert_cmpstr(number, ==, "9007199254740993");

	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_guest_execute(guest, "guest-nonsense", NULL, NULL, NULL, &error), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_cmpstr(utm_error_get_qmp_class(error), ==, "CommandNotFound");
	utm_guest_unref(guest);
	agent_kill(&agent);
	agent_clear(&agent);
}

/* The same with structs, which is what programs use. */
static void test_typed(void)
{
	Agent agent;
	agent_start(&agent);
	UtmGuest *guest = agent_connect(&agent);
	UtmQgaGuestAgentInfo *info = NULL;
	g_assert_cmpint(utm_qga_guest_info(guest, NULL, NULL, &info, NULL), ==, 0);
	g_assert_cmpuint(info->supported_commands_count, >, 20);
	g_assert_nonnull(info->supported_commands[0]->name);
	utm_qga_guest_agent_info_free(info);

	UtmQgaGuestSyncArgs *sync = utm_qga_guest_sync_args_new();
	int64_t back = 0;
	sync->id = G_MAXINT64;
	g_assert_cmpint(utm_qga_guest_sync(guest, sync, NULL, &back, NULL), ==, 0);
	g_assert_cmpint(back, ==, G_MAXINT64);
	utm_qga_guest_sync_args_free(sync);

	UtmQgaGuestFileOpenArgs *open = utm_qga_guest_file_open_args_new();
	g_autoptr(UtmError) error = NULL;
	g_assert_cmpint(utm_qga_guest_file_open(guest, open, NULL, &back, &error), ==, UTM_ERROR_INVALID_ARGUMENT);
	g_assert_cmpstr(utm_error_get_key_path(error), ==, "path");
	utm_set_string(&open->path, "/no/such/file");
	g_autoptr(UtmError) refused = NULL;
	g_assert_cmpint(utm_qga_guest_file_open(guest, open, NULL, &back, &refused), ==, UTM_ERROR_QMP_COMMAND);
	g_assert_nonnull(strstr(utm_error_get_message(refused), "/no/such/file"));
	utm_qga_guest_file_open_args_free(open);

	/* A struct of the monitor's schema is none of the agent's. */
	UtmQmpQomGetArgs *foreign = utm_qmp_qom_get_args_new();
	g_assert_cmpint(utm_qga_guest_file_open(guest, (const UtmQgaGuestFileOpenArgs *)(const void *)foreign, NULL, &back, NULL),
	                ==, UTM_ERROR_INVALID_ARGUMENT);
	utm_qmp_qom_get_args_free(foreign);
	utm_guest_unref(guest);
	agent_kill(&agent);
	agent_clear(&agent);
}

static void test_exec(void)
{
	Agent agent;
	agent_start(&agent);
	UtmGuest *guest = agent_connect(&agent);
	g_autofree char *started =
		execute(guest, "guest-exec", "{\"path\":\"/bin/echo\",\"arg\":[\"hello, host\"],\"capture-output\":true}");
	g_autofree char *arguments = g_strdup_printf("{\"pid\":%" G_GINT64_FORMAT "}", get_number(started, "pid"));
	g_autofree char *status = NULL;
	for (int i = 0; i < PATIENCE_MS && !(status && strstr(status, "\"exited\":true")); i++) {
		g_usleep(1000);
		g_free(status);
		status = execute(guest, "guest-exec-status", arguments);
	}
	g_assert_cmpint(get_number(status, "exitcode"), ==, 0);
	g_assert_nonnull(strstr(status, "\"out-data\":\"aGVsbG8sIGhvc3QK\""));
	utm_guest_unref(guest);
	agent_kill(&agent);
	agent_clear(&agent);
}

/* As much as the agent gives in one answer. */
static void test_longest_read(void)
{
	const gint64 count = 48 << 20;
	Agent agent;
	agent_start(&agent);
	UtmGuest *guest = agent_connect(&agent);
	g_autofree char *path = g_build_filename(agent.dir, "data", NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	g_assert_cmpint(ftruncate(fd, count), ==, 0);
	close(fd);
	g_autofree char *open_arguments = g_strdup_printf("{\"path\":\"%s\"}", path);
	g_autofree char *handle = execute(guest, "guest-file-open", open_arguments);
	g_autofree char *arguments = g_strdup_printf("{\"handle\":%s,\"count\":%" G_GINT64_FORMAT "}", handle, count);
	g_autofree char *data = execute(guest, "guest-file-read", arguments);
	g_assert_cmpint(get_number(data, "count"), ==, count);
	g_assert_cmpuint(strlen(data), >, 64 << 20);
	utm_guest_unref(guest);
	agent_kill(&agent);
	agent_clear(&agent);
}

/* The agent's parser outlives a client that left in the middle of a command. */
static void test_half_a_command_before(void)
{
	static const char half[] = "{\"execute\": \"guest-info\", \"arguments\": {\"id\": [[\"half of";
	Agent agent;
	agent_start(&agent);
	utm_guest_unref(agent_connect(&agent));
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, agent.path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
	g_assert_cmpint(write(fd, half, sizeof half - 1), ==, sizeof half - 1);
	close(fd);
	UtmGuest *guest = agent_connect(&agent);
	g_autofree char *pong = execute(guest, "guest-ping", NULL);
	g_assert_cmpstr(pong, ==, "{}");

	/* The end of this agent is the end of its socket. */
	agent_kill(&agent);
	g_assert_cmpint(utm_guest_execute(guest, "guest-ping", NULL, NULL, NULL, NULL), ==, UTM_ERROR_QMP_DISCONNECTED);
	utm_guest_unref(guest);
	agent_clear(&agent);
}

/* ---------------------------------------------------------------- on a serial line */

/* What QEMU is between the host's socket and the guest's device: it carries bytes, whoever is at the other end. */
typedef struct SerialLine {
	int socket, serial, kept; /* kept: the guest's side, so that the line stays when the agent goes */
	GThread *thread;
} SerialLine;

static bool carry(int from, int to)
{
	char bytes[4096];
	ssize_t count = read(from, bytes, sizeof bytes);
	for (ssize_t sent = 0, part; sent < count; sent += part)
		if ((part = write(to, bytes + sent, (size_t)(count - sent))) < 0)
			return false;
	return count > 0;
}

static void *carry_both_ways(void *data)
{
	SerialLine *line = data;
	struct pollfd ends[] = { { .fd = line->socket, .events = POLLIN }, { .fd = line->serial, .events = POLLIN } };
	bool open = true;
	while (open && poll(ends, 2, -1) > 0) {
		if (ends[1].revents)
			open = carry(line->serial, line->socket);
		if (ends[0].revents)
			open = carry(line->socket, line->serial) && open;
	}
	return NULL;
}

/* The library's end of the line; the guest's is the path of a terminal. */
static int serial_line_open(SerialLine *line, char **ret_path)
{
	int fds[2];
	struct termios raw;
	line->serial = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	g_assert_cmpint(grantpt(line->serial), ==, 0);
	g_assert_cmpint(unlockpt(line->serial), ==, 0);
	*ret_path = g_strdup(ptsname(line->serial));
	line->kept = open(*ret_path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	g_assert_cmpint(tcgetattr(line->kept, &raw), ==, 0);
	cfmakeraw(&raw);
	g_assert_cmpint(tcsetattr(line->kept, TCSANOW, &raw), ==, 0);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	line->socket = fds[0];
	line->thread = g_thread_new("line", carry_both_ways, line);
	return fds[1];
}

static void serial_line_close(SerialLine *line)
{
	g_thread_join(line->thread);
	close(line->socket);
	close(line->serial);
	close(line->kept);
}

static int ping_within(UtmGuest *guest, gint64 timeout_ms)
{
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	return utm_guest_execute(guest, "guest-ping", NULL, &options, NULL, NULL);
}

static void test_restart(void)
{
	Agent agent = { .dir = g_dir_make_tmp("utm-test-XXXXXX", NULL) };
	SerialLine line;
	UtmGuest *guest = NULL;
	UtmGuestConnectOptions options = UTM_GUEST_CONNECT_OPTIONS_INIT;
	options.flags = UTM_GUEST_CONNECT_NO_WAIT;
	int fd = serial_line_open(&line, &agent.path);
	g_assert_cmpint(utm_guest_connect_fd(context, fd, &options, &guest, NULL), ==, 0);
	g_assert_cmpint(ping_within(guest, 100), ==, UTM_ERROR_TIMEOUT);
	for (int i = 0; i < 4; i++) {
		agent_spawn(&agent, "isa-serial");
		/* An agent that starts throws away what it finds; only a question for a mark is asked again. */
		if (i == 1)
			g_assert_cmpint(utm_guest_sync(guest, NULL, NULL), ==, 0);
		g_assert_cmpint(ping_within(guest, PATIENCE_MS), ==, 0);
		g_assert_cmpint(ping_within(guest, PATIENCE_MS), ==, 0);
		/* It ends idle, then asked in vain, then at work. */
		if (i == 2) {
			kill(agent.pid, SIGSTOP);
			g_assert_cmpint(ping_within(guest, 100), ==, UTM_ERROR_TIMEOUT);
		}
		agent_kill(&agent);
		if (i == 1)
			g_assert_cmpint(ping_within(guest, 100), ==, UTM_ERROR_TIMEOUT);
	}
	utm_guest_unref(guest);
	serial_line_close(&line);
	agent_clear(&agent);
}

/* A late answer of a real agent: it is stopped for longer than the deadline. */
static void test_stopped(void)
{
	Agent agent;
	agent_start(&agent);
	UtmGuest *guest = agent_connect(&agent);
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	options.timeout_ms = 100;
	kill(agent.pid, SIGSTOP);
	g_assert_cmpint(utm_guest_execute(guest, "guest-info", NULL, &options, NULL, NULL), ==, UTM_ERROR_TIMEOUT);
	kill(agent.pid, SIGCONT);
	g_autofree char *pong = execute(guest, "guest-ping", NULL);
	g_assert_cmpstr(pong, ==, "{}");
	utm_guest_unref(guest);
	agent_kill(&agent);
	agent_clear(&agent);
}

static void add(const char *name, void (*test)(void))
{
	if (program)
		g_test_add_func(name, test);
}

static void test_missing(void)
{
	g_test_skip("no qemu-ga here");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	program = g_find_program_in_path("qemu-ga");
	if (!program && g_file_test("/usr/sbin/qemu-ga", G_FILE_TEST_IS_EXECUTABLE))
		program = g_strdup("/usr/sbin/qemu-ga");
	if (!program)
		g_test_add_func("/guest-real/missing", test_missing);
	add("/guest-real/commands", test_commands);
	add("/guest-real/typed", test_typed);
	add("/guest-real/exec", test_exec);
	add("/guest-real/longest-read", test_longest_read);
	add("/guest-real/half-a-command-before", test_half_a_command_before);
	add("/guest-real/restart", test_restart);
	add("/guest-real/stopped", test_stopped);
	context = utm_context_new(NULL, NULL);
	int result = g_test_run();
	utm_context_unref(context);
	g_free(program);
	return result;
}
