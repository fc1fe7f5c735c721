/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-start [ROUNDS]: what the library adds to the start and the forced stop of a machine.
 *
 * The floor is a bare fork and exec of the very same arguments, with sockets at the same descriptors: greeting,
 * qmp_capabilities, cont, query-status until running; then quit, until reaped. Both alternate in one run; ratios are of
 * medians. Prints name, value and unit, separated by tabs.
 *
 * Once with a display, whose console engine is a client that QEMU has to let go of at its end and the floor has not, and
 * once without.
 */
#include "bundle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utm/utm.h>

#define ROUNDS_MAX 200
/* Until a console engine that was just started has come to rest. */
#define SETTLE_US 700000

typedef struct Times {
	double start_ms[ROUNDS_MAX];
	double stop_ms[ROUNDS_MAX];
	int count;
} Times;

static double now_ms(void)
{
	return (double)g_get_monotonic_time() / 1000;
}

static void require(int result, UtmError *error)
{
	if (result < 0) {
		g_autofree char *text = utm_error_dup_text(error);
		g_error("%s", text);
	}
}

static char **copy_arguments(gint64 pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
	g_autofree char *text = NULL;
	gsize size = 0;
	g_assert_true(g_file_get_contents(path, &text, &size, NULL));
	GPtrArray *words = g_ptr_array_new();
	for (char *word = text; word < text + size; word += strlen(word) + 1)
		g_ptr_array_add(words, g_strdup(word));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

static void run_library(UtmVm *vm, Times *times, char ***arguments)
{
	UtmError *error = NULL;
	double before = now_ms();
	require(utm_vm_start(vm, NULL, &error), error);
	double running = now_ms();
	if (!*arguments)
		*arguments = copy_arguments(utm_vm_get_pid(vm));
	g_usleep(SETTLE_US);
	double stopping = now_ms();
	require(utm_vm_stop(vm, UTM_VM_STOP_FORCE, NULL, &error), error);
	times->stop_ms[times->count] = now_ms() - stopping;
	times->start_ms[times->count++] = running - before;
}

static int listen_at(const char *dir, const char *name, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	g_snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", dir, name);
	unlink(address->sun_path);
	if (bind(fd, (struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 4) < 0)
		g_error("%s: cannot listen", address->sun_path);
	return fd;
}

/* One command, until the end of the reply's line. */
static char *ask(int fd, const char *command)
{
	static char reply[65536];
	gsize have = 0;
	if (command && send(fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		return NULL;
	while (!have || reply[have - 1] != '\n') {
		ssize_t count = recv(fd, reply + have, sizeof reply - 1 - have, 0);
		if (count <= 0)
			break;
		have += (gsize)count;
	}
	reply[have] = 0;
	return reply;
}

static pid_t spawn(char **arguments, const char *dir, const int *fds, int count)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	int high[8];
	for (int i = 0; i < count; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 20);
	for (int i = 0; i < count; i++)
		dup2(high[i], 3 + i);
	int null = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	if (chdir(dir) == 0)
		execvp(arguments[0], arguments);
	_exit(127);
}

static void run_floor(char **arguments, const char *dir, int serials, Times *times)
{
	struct sockaddr_un qmp_address, other;
	double before = now_ms();
	int fds[8] = { listen_at(dir, "qmp.sock", &qmp_address), listen_at(dir, "qga.sock", &other) };
	for (int i = 0; i < serials; i++)
		fds[2 + i] = listen_at(dir, "term.sock", &other);
	pid_t pid = spawn(arguments, dir, fds, 2 + serials);
	for (int i = 0; i < 2 + serials; i++)
		close(fds[i]);
	int qmp = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(qmp, (struct sockaddr *)&qmp_address, sizeof qmp_address) < 0)
		g_error("cannot connect");
	ask(qmp, NULL);
	ask(qmp, "{\"execute\":\"qmp_capabilities\"}");
	ask(qmp, "{\"execute\":\"cont\"}");
	while (!strstr(ask(qmp, "{\"execute\":\"query-status\"}"), "\"running\": true"))
		;
	double running = now_ms();
	g_usleep(SETTLE_US);
	double stopping = now_ms();
	ask(qmp, "{\"execute\":\"quit\"}");
	waitpid(pid, NULL, 0);
	times->stop_ms[times->count] = now_ms() - stopping;
	times->start_ms[times->count++] = running - before;
	close(qmp);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, compare);
	return values[count / 2];
}

static void report(const char *machine, const char *what, double library, double floor_value)
{
	printf("start.%s.%s.libutm\t%.2f\tms\n", machine, what, library);
	printf("start.%s.%s.floor\t%.2f\tms\n", machine, what, floor_value);
	printf("start.%s.%s.ratio\t%.3f\tx\n", machine, what, library / floor_value);
}

static void measure(UtmContext *context, const char *machine, const TestEdit *edits, int rounds)
{
	Times library = { 0 }, bare = { 0 };
	char **arguments = NULL;
	UtmBundle *bundle = NULL;
	UtmVm *vm = NULL;
	UtmError *error = NULL;
	char *path = test_bundle_new("Bench", edits);
	g_autofree char *dir = g_dir_make_tmp("utm-bench-XXXXXX", NULL);
	require(utm_bundle_open(context, path, &bundle, &error), error);
	require(utm_vm_new(bundle, &vm, &error), error);
	run_library(vm, &library, &arguments); /* warms the page cache and the host probe */
	library.count = 0;
	for (int i = 0; i < rounds; i++) {
		run_floor(arguments, dir, 1, &bare);
		run_library(vm, &library, &arguments);
	}
	report(machine, "running", median(library.start_ms, rounds), median(bare.start_ms, rounds));
	report(machine, "force-stop", median(library.stop_ms, rounds), median(bare.stop_ms, rounds));
	utm_vm_unref(vm);
	utm_bundle_unref(bundle);
	g_strfreev(arguments);
	test_bundle_remove(path);
	test_remove_tree(dir);
}

int main(int argc, char **argv)
{
	static const TestEdit display[] = { { "System.MemorySize", "128" }, { NULL, NULL } };
	static const TestEdit headless[] = { { "System.MemorySize", "128" }, { "Display", "[]" }, { NULL, NULL } };
	int rounds = CLAMP(argc > 1 ? atoi(argv[1]) : 11, 1, ROUNDS_MAX);
	UtmContextOptions options = UTM_CONTEXT_OPTIONS_INIT;
	options.accel_policy = UTM_ACCEL_POLICY_TCG;
	UtmContext *context = utm_context_new(&options, NULL);
	measure(context, "display", display, rounds);
	measure(context, "headless", headless, rounds);
	utm_context_unref(context);
	return 0;
}
