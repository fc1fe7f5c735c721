/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp-monitor [--record FILE] [--watch] SOCKET|HOST:PORT [COMMAND]...
 * qmp-monitor --replay FILE [--watch] [COMMAND]...
 *
 * Attaches to a QEMU that somebody else started, for example with `-qmp unix:/tmp/qmp,server=on,wait=off`; tells how it
 * is, prints its events, and runs commands: those of the command line, or else lines of standard input. A command is
 *
 *     query-status
 *     device_del {"id":"usb1"}
 *     {"execute":"device_del","arguments":{"id":"usb1"}}
 *
 * It ends when all commands are answered; with --watch only when QEMU goes away. --record writes the session to a file,
 * --replay takes such a file for QEMU. Exit code: 0 all went well, 1 something failed, 2 it was not asked properly.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utm/qmp-commands.h>
#include <utm/qmp-events.h>
#include <utm/utm.h>

typedef struct Monitor {
	UtmContext *ctx;
	UtmQmp *qmp;
	const char *record_file, *replay_file;
	bool watch;
	int pending; /* commands without an answer */
	bool input_open, ended;
	char input[65536]; /* what was read of the next line */
	size_t input_used;
	int status; /* what main() returns */
} Monitor;

static int fail(Monitor *monitor, const char *what, const UtmError *error)
{
	char *text = error ? utm_error_dup_text(error) : NULL;

	fprintf(stderr, "qmp-monitor: %s%s%s\n", what, text ? ": " : "", text ? text : "");
	utm_free(text);
	return monitor->status = 1;
}

/* A newer QEMU may have values that the library has no name for. */
static const char *or_unknown(const char *text)
{
	return text ? text : "?";
}

/* --- events: all of this runs inside utm_context_dispatch() --- */

static void print_time(int64_t timestamp_us)
{
	time_t seconds = (time_t)(timestamp_us / 1000000);
	struct tm local;
	char text[16] = "--:--:--";

	if (timestamp_us >= 0 && localtime_r(&seconds, &local))
		strftime(text, sizeof text, "%H:%M:%S", &local);
	printf("%s.%03d  ", text, timestamp_us >= 0 ? (int)(timestamp_us / 1000 % 1000) : 0);
}

/* Each event that the library knows has a struct; a program reads those it is interested in. */
static void print_data(const UtmQmpEvent *event)
{
	const UtmQmpShutdownEvent *shutdown = utm_qmp_event_get_shutdown(event);
	const UtmQmpResetEvent *reset = utm_qmp_event_get_reset(event);
	const UtmQmpBlockIoErrorEvent *io_error = utm_qmp_event_get_block_io_error(event);
	const UtmQmpDeviceDeletedEvent *deleted = utm_qmp_event_get_device_deleted(event);
	const UtmQmpJobStatusChangeEvent *job = utm_qmp_event_get_job_status_change(event);
	const UtmQmpMigrationEvent *migration = utm_qmp_event_get_migration(event);

	if (shutdown)
		printf(" by %s: %s", shutdown->guest ? "the guest" : "the host",
		       or_unknown(utm_qmp_shutdown_cause_to_string(shutdown->reason)));
	else if (reset)
		printf(" by %s: %s", reset->guest ? "the guest" : "the host",
		       or_unknown(utm_qmp_shutdown_cause_to_string(reset->reason)));
	else if (io_error)
		printf(" %s of %s: %s", or_unknown(utm_qmp_io_operation_type_to_string(io_error->operation)), io_error->device,
		       io_error->reason);
	else if (deleted)
		printf(" %s", deleted->device ? deleted->device : deleted->path);
	else if (job)
		printf(" %s: %s", job->id, or_unknown(utm_qmp_job_status_to_string(job->status)));
	else if (migration)
		printf(" %s", or_unknown(utm_qmp_migration_status_to_string(migration->status)));
	else if (event->data)
		printf(" %s", event->data);
}

static void on_event(UtmQmp *qmp, const UtmQmpEvent *event, void *data)
{
	Monitor *monitor = data;

	(void)qmp;
	if (event->dropped > 0)
		printf("%" PRIu64 " events were lost\n", event->dropped);
	if (!event->name) {
		printf("end: %s\n", utm_error_get_message(event->error));
		monitor->ended = true;
		return;
	}
	print_time(event->timestamp_us);
	printf("%s", event->name);
	print_data(event);
	putchar('\n');
}

/* --- commands --- */

typedef struct Command {
	Monitor *monitor;
	char *name;
} Command;

static void command_free(void *data)
{
	Command *command = data;

	free(command->name);
	free(command);
}

static void on_reply(UtmQmp *qmp, const char *reply, const UtmError *error, void *data)
{
	Command *command = data;

	(void)qmp;
	command->monitor->pending--;
	if (error)
		fail(command->monitor, command->name, error);
	else
		printf("%s: %s\n", command->name, reply);
}

static void send_command(Monitor *monitor, const char *name, const char *arguments)
{
	Command *command = malloc(sizeof *command);
	UtmError *error = NULL;

	command->monitor = monitor;
	command->name = strdup(name);
	if (utm_qmp_execute_async(monitor->qmp, name, arguments, NULL, on_reply, command, command_free, &error) == 0)
		monitor->pending++;
	else
		fail(monitor, name, error);
	utm_error_unref(error);
}

/* {"execute":"name","arguments":{...}} */
static void send_object(Monitor *monitor, const char *line)
{
	UtmValue *object = NULL;
	UtmError *error = NULL;
	const UtmValue *arguments;
	const char *name;
	char *json;

	if (utm_value_from_json(line, &object, &error) < 0) {
		fail(monitor, line, error);
		utm_error_unref(error);
		return;
	}
	name = utm_value_get_string(utm_value_get_member(object, "execute"));
	arguments = utm_value_get_member(object, "arguments");
	json = arguments ? utm_value_dup_json(arguments) : NULL;
	if (name)
		send_command(monitor, name, json);
	else
		fail(monitor, "no \"execute\" in it", NULL);
	utm_free(json);
	utm_value_free(object);
}

static void send_line(Monitor *monitor, char *line)
{
	line += strspn(line, " \t\r");
	if (*line == '{') {
		send_object(monitor, line);
	} else if (*line) {
		char *end = line + strcspn(line, " \t\r"), *arguments = end + strspn(end, " \t\r");
		bool has_arguments = *arguments != '\0';
		*end = '\0';
		send_command(monitor, line, has_arguments ? arguments : NULL);
	}
}

/* Takes the whole lines out of what was read. */
static void send_lines(Monitor *monitor)
{
	char *line = monitor->input, *end = monitor->input + monitor->input_used, *line_end;

	while ((line_end = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		*line_end = '\0';
		send_line(monitor, line);
		line = line_end + 1;
	}
	monitor->input_used = (size_t)(end - line);
	memmove(monitor->input, line, monitor->input_used);
}

static void read_input(Monitor *monitor)
{
	size_t room = sizeof monitor->input - 1 - monitor->input_used;
	ssize_t count = room > 0 ? read(0, monitor->input + monitor->input_used, room) : 0;

	if (room == 0)
		fail(monitor, "a line of the input is too long", NULL);
	monitor->input_open = count > 0;
	if (count > 0)
		monitor->input_used += (size_t)count;
	else if (monitor->input_used > 0)
		monitor->input[monitor->input_used++] = '\n'; /* a last line without its end */
	send_lines(monitor);
}

/* --- how it is: commands with typed results, and waiting for them, for a change --- */

static void print_status(Monitor *monitor)
{
	uint32_t version = utm_qmp_get_qemu_version(monitor->qmp);
	UtmQmpStatusInfo *status = NULL;
	UtmError *error = NULL;

	if (utm_qmp_query_status(monitor->qmp, NULL, NULL, &status, &error) < 0) {
		fail(monitor, "query-status", error);
		utm_error_unref(error);
		return;
	}
	printf("QEMU %" PRIu32 ".%" PRIu32 ".%" PRIu32 ": %s\n", version / 1000000, version / 1000 % 1000, version % 1000,
	       or_unknown(utm_qmp_run_state_to_string(status->status)));
	utm_qmp_status_info_free(status);
}

static void print_disks(Monitor *monitor)
{
	UtmQmpBlockInfoList *disks = NULL;
	UtmError *error = NULL;

	if (utm_qmp_query_block(monitor->qmp, NULL, NULL, &disks, &error) < 0) {
		fail(monitor, "query-block", error);
		utm_error_unref(error);
		return;
	}
	printf("disks:%s", disks->count ? "" : " none");
	for (size_t i = 0; i < disks->count; i++) {
		const UtmQmpBlockInfo *disk = disks->items[i];
		const char *name = *disk->device ? disk->device : disk->qdev;
		printf("%s %s (%s)", i ? "," : "", or_unknown(name), disk->inserted ? disk->inserted->file : "empty");
	}
	putchar('\n');
	utm_qmp_block_info_list_free(disks);
}

/* --- the program --- */

/* SOCKET, or HOST:PORT: what has no slash, and a number behind its last colon. */
static int connect_to(Monitor *monitor, const char *target, UtmError **error)
{
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	const char *colon = strchr(target, '/') ? NULL : strrchr(target, ':');
	long port = colon ? strtol(colon + 1, NULL, 10) : 0;
	char host[256];

	options.record_file = monitor->record_file;
	if (monitor->replay_file)
		return utm_qmp_connect_replay(monitor->ctx, monitor->replay_file, &options, &monitor->qmp, error);
	if (port < 1 || port > 65535)
		return utm_qmp_connect_path(monitor->ctx, target, &options, &monitor->qmp, error);
	snprintf(host, sizeof host, "%.*s", (int)(colon - target), target);
	return utm_qmp_connect_tcp(monitor->ctx, host, (uint16_t)port, &options, &monitor->qmp, error);
}

static void run(Monitor *monitor)
{
	while (!monitor->ended && (monitor->watch || monitor->input_open || monitor->pending > 0)) {
		struct pollfd fds[] = {
			{ utm_context_get_fd(monitor->ctx), POLLIN, 0 },
			{ monitor->input_open ? 0 : -1, POLLIN, 0 },
		};
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			utm_context_dispatch(monitor->ctx, 0);
		if (fds[1].revents)
			read_input(monitor);
	}
	/* What came with the last answer. */
	utm_context_dispatch(monitor->ctx, 0);
}

/* Whether the recording is complete, and the replay was what the recording had been. */
static void finish(Monitor *monitor)
{
	UtmError *error = NULL;

	if (monitor->record_file && utm_qmp_record_stop(monitor->qmp, &error) < 0)
		fail(monitor, "the recording is not complete", error);
	utm_error_unref(error);
	error = NULL;
	if (monitor->replay_file && utm_qmp_check_replay(monitor->qmp, &error) < 0)
		fail(monitor, "not the recorded session", error);
	utm_error_unref(error);
}

static int attach(Monitor *monitor, const char *target, char **commands)
{
	UtmError *error = NULL;

	monitor->ctx = utm_context_new(NULL, &error);
	if (!monitor->ctx || connect_to(monitor, target, &error) < 0) {
		fail(monitor, "cannot attach", error);
		utm_error_unref(error);
		return 1;
	}
	utm_qmp_set_event_handler(monitor->qmp, on_event, monitor, NULL);
	print_status(monitor);
	print_disks(monitor);
	monitor->input_open = !*commands;
	for (; *commands; commands++)
		send_line(monitor, *commands);
	return 0;
}

/* Returns the first argument that is no option, or NULL. */
static char **read_options(Monitor *monitor, char **argument)
{
	for (; *argument && strncmp(*argument, "--", 2) == 0; argument++) {
		if (strcmp(*argument, "--watch") == 0)
			monitor->watch = true;
		else if (strcmp(*argument, "--record") == 0 && argument[1])
			monitor->record_file = *++argument;
		else if (strcmp(*argument, "--replay") == 0 && argument[1])
			monitor->replay_file = *++argument;
		else
			return NULL;
	}
	return monitor->replay_file || *argument ? argument : NULL;
}

int main(int argc, char **argv)
{
	static Monitor monitor;
	char **rest = argc > 0 ? read_options(&monitor, argv + 1) : NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!rest) {
		fprintf(stderr, "usage: qmp-monitor [--record FILE] [--watch] SOCKET|HOST:PORT [COMMAND]...\n"
		                "       qmp-monitor --replay FILE [--watch] [COMMAND]...\n");
		return 2;
	}
	const char *target = monitor.replay_file ? monitor.replay_file : *rest++;
	if (attach(&monitor, target, rest) == 0) {
		run(&monitor);
		finish(&monitor);
	}
	utm_qmp_unref(monitor.qmp);
	utm_context_unref(monitor.ctx);
	return monitor.status;
}
