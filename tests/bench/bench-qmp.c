/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-qmp [ROUNDS]: what the library adds to a monitor command.
 *
 * The floor is a loop of write and read that parses nothing. It sends the very bytes that the library sends, id
 * included, because QEMU takes time for each byte. Floor and library alternate in short blocks on two monitors of one
 * QEMU; ratios are medians over the rounds. Wall time is two wake-ups of two processes whoever the client is, so what
 * the library itself costs shows best in processor time against a server that does no work.
 *
 * Prints name, value and unit, separated by tabs.
 */
#include <glib.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utm/qmp-commands.h>
#include <utm/utm.h>

#define ROUNDS_MAX 100
#define CALLS 500
#define OUTSTANDING 64
#define READINGS 10
#define QEMU "qemu-system-x86_64"

static UtmContext *context;

static double clock_us(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double quantile(const double *values, int count, double part)
{
	double sorted[CALLS];
	memcpy(sorted, values, sizeof *values * (size_t)count);
	qsort(sorted, (size_t)count, sizeof *sorted, compare);
	return sorted[(int)((double)(count - 1) * part)];
}

static void print(const char *name, const char *what, double value, const char *unit)
{
	printf("%s.%s\t%.6g\t%s\n", name, what, value, unit);
	fflush(stdout);
}

/* ---------------------------------------------------------------- the floor */

typedef struct Raw {
	int fd;
	int id;
	char reply[1 << 20];
} Raw;

static Raw raw;

static void raw_read_line(void)
{
	ssize_t count;
	do
		count = read(raw.fd, raw.reply, sizeof raw.reply);
	while (count > 0 && raw.reply[count - 1] != '\n');
	if (count <= 0)
		g_error("the floor's connection ended");
}

/* The library's ids go round from 0 to 9. */
static void raw_call(const char *command)
{
	char text[128];
	raw.id = (raw.id + 1) % 10;
	int length = snprintf(text, sizeof text, "{\"execute\":\"%s\",\"id\":%d}", command, raw.id);
	if (write(raw.fd, text, (size_t)length) != length)
		g_error("the floor cannot write");
	raw_read_line();
}

static void raw_open(int fd)
{
	raw.fd = fd;
	raw_read_line();
	raw_call("qmp_capabilities");
}

static void lib_call(UtmQmp *qmp, const char *command)
{
	char *reply = NULL;
	if (utm_qmp_execute(qmp, command, NULL, NULL, &reply, NULL) < 0)
		g_error("%s failed", command);
	utm_free(reply);
}

/* The same command, its answer as a struct. */
static void lib_call_typed(UtmQmp *qmp, const char *command)
{
	UtmQmpStatusInfo *status = NULL;
	if (utm_qmp_query_status(qmp, NULL, NULL, &status, NULL) < 0)
		g_error("%s failed", command);
	utm_qmp_status_info_free(status);
}

static void lib_schema_typed(UtmQmp *qmp, const char *command)
{
	UtmQmpSchemaInfoList *schema = NULL;
	if (utm_qmp_query_qmp_schema(qmp, NULL, NULL, &schema, NULL) < 0)
		g_error("%s failed", command);
	utm_qmp_schema_info_list_free(schema);
}

/* Through the I/O thread, as a call that can be cancelled goes. */
static void lib_call_cancellable(UtmQmp *qmp, const char *command)
{
	static UtmCancel *cancel;
	UtmQmpCallOptions options = UTM_QMP_CALL_OPTIONS_INIT;
	cancel = cancel ? cancel : utm_cancel_new();
	options.cancel = cancel;
	if (utm_qmp_execute(qmp, command, NULL, &options, NULL, NULL) < 0)
		g_error("%s failed", command);
}

/* ---------------------------------------------------------------- blocks of calls */

typedef void (*CallFunc)(UtmQmp *qmp, const char *command);

static void floor_call(UtmQmp *unused, const char *command)
{
	raw_call(command);
}

typedef struct Series {
	double p50[ROUNDS_MAX], p99[ROUNDS_MAX], cpu[ROUNDS_MAX];
	int count;
} Series;

static void run_block(Series *series, CallFunc call, UtmQmp *qmp, const char *command, int calls)
{
	double times[CALLS];
	double cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < calls; i++) {
		double begin = clock_us(CLOCK_MONOTONIC);
		call(qmp, command);
		times[i] = clock_us(CLOCK_MONOTONIC) - begin;
	}
	series->cpu[series->count] = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / calls;
	series->p50[series->count] = quantile(times, calls, 0.5);
	series->p99[series->count++] = quantile(times, calls, 0.99);
}

static void print_series(const char *name, const Series *series)
{
	print(name, "p50", quantile(series->p50, series->count, 0.5), "us");
	print(name, "p99", quantile(series->p99, series->count, 0.5), "us");
	print(name, "cpu", quantile(series->cpu, series->count, 0.5), "us/call");
}

/* The median of the ratios of each round: both of a round ran next to each other. */
static void print_ratio(const char *name, const char *what, const double *values, const double *floors, int count)
{
	double ratios[ROUNDS_MAX];
	for (int i = 0; i < count; i++)
		ratios[i] = values[i] / floors[i];
	print(name, what, quantile(ratios, count, 0.5), "ratio");
}

/* Returns the floor's processor time. */
static double alternate(const char *name, CallFunc call, UtmQmp *qmp, const char *command, int rounds, int calls)
{
	Series floor = { 0 }, library = { 0 };
	g_autofree char *floor_name = g_strconcat(name, ".raw", NULL), *library_name = g_strconcat(name, ".utm", NULL);
	for (int i = 0; i < rounds; i++) {
		run_block(&floor, floor_call, NULL, command, calls);
		run_block(&library, call, qmp, command, calls);
	}
	print_series(floor_name, &floor);
	print_series(library_name, &library);
	print_ratio(name, "p50.ratio", library.p50, floor.p50, rounds);
	print_ratio(name, "cpu.ratio", library.cpu, floor.cpu, rounds);
	return quantile(floor.cpu, rounds, 0.5);
}

/* ---------------------------------------------------------------- many outstanding */

typedef struct Pipeline {
	UtmQmp *qmp;
	int sent, answered, total;
} Pipeline;

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Pipeline *pipeline = data;
	pipeline->answered++;
	if (error)
		g_error("a command failed");
	if (pipeline->sent == pipeline->total)
		return;
	pipeline->sent++;
	utm_qmp_execute_async(qmp, "query-status", NULL, NULL, on_reply, pipeline, NULL, NULL);
}

static void on_result(UtmCallResult *result, void *data)
{
	Pipeline *pipeline = data;
	UtmQmpStatusInfo *status = NULL;
	pipeline->answered++;
	if (utm_qmp_query_status_finish(result, &status, NULL) < 0)
		g_error("a command failed");
	utm_qmp_status_info_free(status);
	if (pipeline->sent == pipeline->total)
		return;
	pipeline->sent++;
	utm_qmp_query_status_async(pipeline->qmp, NULL, NULL, on_result, pipeline, NULL, NULL);
}

static double run_library_pipeline(UtmQmp *qmp, bool typed, int total, double *ret_rate)
{
	Pipeline pipeline = { .qmp = qmp, .total = total };
	double begin = clock_us(CLOCK_MONOTONIC), cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	for (; pipeline.sent < OUTSTANDING; pipeline.sent++) {
		if (typed)
			utm_qmp_query_status_async(qmp, NULL, NULL, on_result, &pipeline, NULL, NULL);
		else
			utm_qmp_execute_async(qmp, "query-status", NULL, NULL, on_reply, &pipeline, NULL, NULL);
	}
	while (pipeline.answered < total)
		utm_context_wait(context, -1);
	*ret_rate = total / (clock_us(CLOCK_MONOTONIC) - begin) * 1e6;
	return (clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / total;
}

static double run_raw_pipeline(int total, double *ret_rate)
{
	static const char command[] = "{\"execute\":\"query-status\",\"id\":10}";
	int sent = 0, answered = 0;
	double begin = clock_us(CLOCK_MONOTONIC), cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	while (answered < total) {
		g_autoptr(GString) batch = g_string_new(NULL);
		for (; sent < total && sent - answered < OUTSTANDING; sent++)
			g_string_append(batch, command);
		if (batch->len && write(raw.fd, batch->str, batch->len) != (ssize_t)batch->len)
			g_error("the floor cannot write");
		ssize_t count = read(raw.fd, raw.reply, sizeof raw.reply);
		for (ssize_t i = 0; i < count; i++)
			answered += raw.reply[i] == '\n';
	}
	*ret_rate = total / (clock_us(CLOCK_MONOTONIC) - begin) * 1e6;
	return (clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / total;
}

static void pipelines(const char *name, UtmQmp *qmp, int rounds, int total, double sync_cpu)
{
	double raw_cpu[ROUNDS_MAX], cpu[ROUNDS_MAX], raw_rate[ROUNDS_MAX], rate[ROUNDS_MAX];
	double typed_cpu[ROUNDS_MAX], typed_rate[ROUNDS_MAX];
	for (int i = 0; i < rounds; i++) {
		raw_cpu[i] = run_raw_pipeline(total, &raw_rate[i]);
		cpu[i] = run_library_pipeline(qmp, false, total, &rate[i]);
		typed_cpu[i] = run_library_pipeline(qmp, true, total, &typed_rate[i]);
	}
	print(name, "async64.raw.cpu", quantile(raw_cpu, rounds, 0.5), "us/call");
	print(name, "async64.utm.cpu", quantile(cpu, rounds, 0.5), "us/call");
	print(name, "async64.raw.rate", quantile(raw_rate, rounds, 0.5), "1/s");
	print(name, "async64.utm.rate", quantile(rate, rounds, 0.5), "1/s");
	print_ratio(name, "async64.rate.ratio", rate, raw_rate, rounds);
	print(name, "async64.cpu.to_raw_sync", quantile(cpu, rounds, 0.5) / sync_cpu, "ratio");
	print(name, "async64.typed.cpu.to_raw_sync", quantile(typed_cpu, rounds, 0.5) / sync_cpu, "ratio");
}

/* ---------------------------------------------------------------- a server that does no work */

static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
			       "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n";

/* Answers each command, known by the id that ends it, with what QEMU answers to query-status. */
static void serve(int fd)
{
	static char input[1 << 16], output[1 << 20];
	size_t have = 0;
	ssize_t count = write(fd, greeting, sizeof greeting - 1);
	while (count > 0 && (count = read(fd, input + have, sizeof input - 1 - have)) > 0) {
		char *begin = input, *end, *out = output;
		have += (size_t)count;
		input[have] = 0;
		while ((end = strchr(begin, '}'))) {
			*end = 0;
			out += sprintf(out, "{\"return\": {\"status\": \"running\", \"singlestep\": false, "
			               "\"running\": true}, %s}\r\n", strstr(begin, "\"id\":"));
			begin = end + 1;
		}
		have -= (size_t)(begin - input);
		memmove(input, begin, have);
		if (out > output)
			count = write(fd, output, (size_t)(out - output));
	}
	_exit(0);
}

/* Returns the client's end. */
static int start_server(pid_t *ret_pid)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 || (*ret_pid = fork()) < 0)
		g_error("no server");
	if (*ret_pid == 0) {
		close(fds[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fds[0]);
	}
	close(fds[0]);
	return fds[1];
}

static UtmQmp *lib_open(int fd)
{
	UtmQmp *qmp = NULL;
	if (utm_qmp_connect_fd(context, fd, NULL, &qmp, NULL) < 0)
		g_error("cannot connect");
	return qmp;
}

/* Both servers are children made before there are threads. */
static void bench_fake(int raw_fd, int lib_fd, int rounds)
{
	UtmQmp *qmp = lib_open(lib_fd);
	raw_open(raw_fd);
	double sync_cpu = alternate("qmp.fake.sync", lib_call, qmp, "query-status", rounds, CALLS);
	alternate("qmp.fake.typed", lib_call_typed, qmp, "query-status", rounds, CALLS);
	alternate("qmp.fake.cancellable", lib_call_cancellable, qmp, "query-status", rounds, CALLS);
	pipelines("qmp.fake", qmp, rounds, 20000, sync_cpu);
	utm_qmp_unref(qmp);
	close(raw_fd);
}

/* ---------------------------------------------------------------- QEMU */

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	for (int i = 0; i < 10000; i++) {
		if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
			return fd;
		g_usleep(1000);
	}
	g_error("QEMU does not listen");
}

static void die_with_parent(gpointer unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static GPid start_qemu(const char *raw_path, const char *lib_path)
{
	g_autofree char *first = g_strdup_printf("socket,id=a,path=%s,server=on,wait=off", raw_path);
	g_autofree char *second = g_strdup_printf("socket,id=b,path=%s,server=on,wait=off", lib_path);
	char *argv[] = { QEMU, "-M", "none", "-nodefaults", "-display", "none", "-chardev", first, "-mon",
		         "chardev=a,mode=control", "-chardev", second, "-mon", "chardev=b,mode=control", NULL };
	GPid pid;
	g_autoptr(GError) error = NULL;
	if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL,
	                   &pid, &error))
		g_error("%s", error->message);
	return pid;
}

static void read_tree(const char *text)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	if (!json_parser_load_from_data(parser, text, -1, NULL))
		g_error("json-glib cannot read the schema");
}

static void read_structs(const char *text)
{
	UtmQmpSchemaInfoList *schema = NULL;
	if (utm_qmp_schema_info_list_from_json(text, &schema, NULL) < 0)
		g_error("the library cannot read the schema");
	utm_qmp_schema_info_list_free(schema);
}

/* Processor time to read a text and to let go of what was read. */
static double measure_reading(void (*read)(const char *text), const char *text)
{
	double begin = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < READINGS; i++)
		read(text);
	return (clock_us(CLOCK_PROCESS_CPUTIME_ID) - begin) / READINGS;
}

/* A large answer as structs, against what json-glib needs for a tree that nobody has looked into yet. */
static void bench_decode(UtmQmp *qmp, int rounds)
{
	char *reply = NULL;
	double tree[ROUNDS_MAX], structs[ROUNDS_MAX];
	utm_qmp_execute(qmp, "query-qmp-schema", NULL, NULL, &reply, NULL);
	for (int i = 0; i < rounds; i++) {
		tree[i] = measure_reading(read_tree, reply);
		structs[i] = measure_reading(read_structs, reply);
	}
	print("qmp.schema", "json_glib_tree.cpu", quantile(tree, rounds, 0.5), "us");
	print("qmp.schema", "structs.cpu", quantile(structs, rounds, 0.5), "us");
	print_ratio("qmp.schema", "structs.cpu.ratio", structs, tree, rounds);
	utm_free(reply);
}

static void bench_qemu(int rounds)
{
	g_autofree char *dir = g_dir_make_tmp("utm-bench-XXXXXX", NULL);
	g_autofree char *raw_path = g_build_filename(dir, "raw", NULL), *lib_path = g_build_filename(dir, "lib", NULL);
	GPid pid = start_qemu(raw_path, lib_path);
	raw_open(connect_unix(raw_path));
	UtmQmp *qmp = lib_open(connect_unix(lib_path));
	double sync_cpu = alternate("qmp.qemu.sync", lib_call, qmp, "query-status", rounds, CALLS);
	alternate("qmp.qemu.typed", lib_call_typed, qmp, "query-status", rounds, CALLS);
	alternate("qmp.qemu.cancellable", lib_call_cancellable, qmp, "query-status", rounds, CALLS);
	pipelines("qmp.qemu", qmp, MIN(rounds, 5), 2000, sync_cpu);
	alternate("qmp.qemu.schema", lib_call, qmp, "query-qmp-schema", rounds, 10);
	alternate("qmp.qemu.schema_typed", lib_schema_typed, qmp, "query-qmp-schema", rounds, 10);
	bench_decode(qmp, rounds);
	utm_qmp_unref(qmp);
	close(raw.fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	g_unlink(raw_path);
	g_unlink(lib_path);
	g_rmdir(dir);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? CLAMP(atoi(argv[1]), 1, ROUNDS_MAX) : 15;
	pid_t servers[2];
	int raw_fd = start_server(&servers[0]), lib_fd = start_server(&servers[1]);
	g_autofree char *qemu = g_find_program_in_path(QEMU);
	context = utm_context_new(NULL, NULL);
	bench_fake(raw_fd, lib_fd, rounds);
	if (qemu)
		bench_qemu(rounds);
	utm_context_unref(context);
	for (int i = 0; i < 2; i++)
		waitpid(servers[i], NULL, 0);
	return 0;
}
