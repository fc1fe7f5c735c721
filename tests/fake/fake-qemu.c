/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands for qemu-system-* where a test needs what the real one does not do on demand. It accepts any command line,
 * takes from it the monitor's descriptor (`-chardev socket,id=org.qemu.monitor.qmp,fd=N,server=on`; without server=on
 * the descriptor is the connection itself) and `-S`, and answers `-version`. The environment says what goes wrong:
 *
 *	FAKE_QEMU_MODE  what it does
 *	(unset)         nothing goes wrong: greets, negotiates, runs, stops, continues, powers down when asked to, quits
 *	exit            ends at once with status 1 and a message on standard error
 *	complain        the same, with warnings before the message and hints after it
 *	poweroff        its guest powers off as soon as it runs, before anybody can ask
 *	hang            takes no connection: no greeting ever
 *	rubbish         prints on the monitor what is no QMP
 *	mute            greets, and never answers a command
 *	deaf            runs, but answers nothing after qmp_capabilities
 *	no-quit         runs, accepts `quit`, and does not quit
 *	no-term         runs, ignores SIGTERM, and does not quit either
 *	numb            runs, and does not answer system_powerdown
 *	no-powerdown    runs, and its guest ignores system_powerdown
 *	crash           aborts after `cont`
 *	hangup          closes the monitor after `cont` and runs on
 *
 * It ends with the process that started it, like the real one under libutm.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *mode;
static int monitor = -1;
static const char *status = "running";
static volatile sig_atomic_t terminated;

static bool mode_is(const char *name)
{
	return strcmp(mode, name) == 0;
}

static void sleep_for_ever(void)
{
	while (!terminated)
		pause();
	exit(0);
}

static void say(const char *text)
{
	size_t left = strlen(text);
	while (left > 0) {
		ssize_t count = send(monitor, text, left, MSG_NOSIGNAL);
		if (count < 0 && mode_is("hangup"))
			sleep_for_ever();
		if (count < 0)
			exit(0);
		text += count;
		left -= (size_t)count;
	}
}

static void say_event(const char *name, const char *data)
{
	char text[512];
	snprintf(text, sizeof text,
	         "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 0}, \"event\": \"%s\"%s%s}\r\n", name,
	         *data ? ", \"data\": " : "", data);
	say(text);
}

static void say_reply(const char *value, const char *id)
{
	char text[512];
	snprintf(text, sizeof text, "{\"return\": %s%s}\r\n", value, id);
	say(text);
}

static void shut_down(const char *reason, bool guest)
{
	char data[128];
	snprintf(data, sizeof data, "{\"guest\": %s, \"reason\": \"%s\"}", guest ? "true" : "false", reason);
	say_event("SHUTDOWN", data);
	exit(0);
}

static void set_status(const char *value, const char *event)
{
	if (strcmp(status, value) != 0) {
		status = value;
		say_event(event, "");
	}
}

/* ---------------------------------------------------------------- commands */

static void do_cont(const char *id)
{
	set_status("running", "RESUME");
	say_reply("{}", id);
	if (mode_is("crash"))
		abort();
	if (mode_is("poweroff"))
		shut_down("guest-shutdown", true);
	if (mode_is("hangup"))
		shutdown(monitor, SHUT_RDWR);
}

static void do_stop(const char *id)
{
	set_status("paused", "STOP");
	say_reply("{}", id);
}

static void do_query_status(const char *id)
{
	char value[128];
	snprintf(value, sizeof value, "{\"status\": \"%s\", \"singlestep\": false, \"running\": %s}", status,
	         strcmp(status, "running") == 0 ? "true" : "false");
	say_reply(value, id);
}

static void do_system_powerdown(const char *id)
{
	if (mode_is("numb"))
		return;
	say_event("POWERDOWN", "");
	say_reply("{}", id);
	if (!mode_is("no-powerdown") && !mode_is("no-quit") && !mode_is("no-term"))
		shut_down("guest-shutdown", true);
}

static void do_system_reset(const char *id)
{
	say_event("RESET", "{\"guest\": false, \"reason\": \"host-qmp-system-reset\"}");
	say_reply("{}", id);
}

static void do_quit(const char *id)
{
	/* QEMU 7.2 and 10.0 send the event first, and sometimes no reply. */
	if (!mode_is("no-quit") && !mode_is("no-term"))
		shut_down("host-qmp-quit", false);
	say_reply("{}", id);
}

static void do_nothing(const char *id)
{
	say_reply("{}", id);
}

static const struct {
	const char *name;
	void (*run)(const char *id);
} commands[] = {
	{ "qmp_capabilities", do_nothing },
	{ "cont", do_cont },
	{ "stop", do_stop },
	{ "query-status", do_query_status },
	{ "system_powerdown", do_system_powerdown },
	{ "system_reset", do_system_reset },
	{ "quit", do_quit },
};

/* `, "id": N` as the answer repeats it. */
static void copy_id(const char *command, char *ret, size_t size)
{
	const char *id = strstr(command, "\"id\":");
	int length = id ? (int)strcspn(id, ",}") : 0;
	snprintf(ret, size, "%s%.*s", id ? ", " : "", length, id ? id : "");
}

static void obey(const char *command)
{
	char id[64], pattern[64];
	copy_id(command, id, sizeof id);
	if (mode_is("mute") || (mode_is("deaf") && !strstr(command, "qmp_capabilities")))
		return;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		snprintf(pattern, sizeof pattern, "\"execute\":\"%s\"", commands[i].name);
		if (strstr(command, pattern)) {
			commands[i].run(id);
			return;
		}
	}
	char text[256];
	snprintf(text, sizeof text, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"not in the fake\"}%s}\r\n",
	         id);
	say(text);
}

/* The length of the first whole command, or 0. */
static size_t whole_command(const char *input, size_t size)
{
	int depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < size; i++) {
		if (quoted && input[i] == '\\')
			i++;
		else if (input[i] == '"')
			quoted = !quoted;
		else if (!quoted && (input[i] == '{' || input[i] == '}'))
			depth += input[i] == '{' ? 1 : -1;
		if (i < size && input[i] == '}' && !quoted && depth == 0)
			return i + 1;
	}
	return 0;
}

/* Until the client closes; then this monitor serves no other. */
static void serve(void)
{
	static char input[65536];
	size_t size = 0;
	say("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"fake\"}, "
	    "\"capabilities\": [\"oob\"]}}\r\n");
	for (;;) {
		ssize_t count = recv(monitor, input + size, sizeof input - 1 - size, 0);
		if (terminated)
			shut_down("host-signal", false);
		if (count == 0 || (count < 0 && errno != EINTR))
			return;
		size += count > 0 ? (size_t)count : 0;
		for (size_t length; (length = whole_command(input, size)) > 0; size -= length) {
			char last = input[length];
			input[length] = 0;
			obey(input);
			input[length] = last;
			memmove(input, input + length, size - length);
		}
	}
}

/* ---------------------------------------------------------------- start */

static void open_monitor(int argc, char **argv)
{
	static const char prefix[] = "socket,id=org.qemu.monitor.qmp,";
	for (int i = 1; i + 1 < argc; i++) {
		const char *fd = strcmp(argv[i], "-chardev") == 0 && strncmp(argv[i + 1], prefix, sizeof prefix - 1) == 0
		                         ? strstr(argv[i + 1], "fd=") : NULL;
		if (!fd)
			continue;
		int number = atoi(fd + 3);
		monitor = strstr(fd, "server=on") ? accept(number, NULL, NULL) : number;
	}
	if (monitor < 0) {
		fprintf(stderr, "fake-qemu: no monitor\n");
		exit(1);
	}
}

static void on_term(int signal)
{
	terminated = 1;
}

static void watch_signals(void)
{
	struct sigaction action = { .sa_handler = mode_is("no-term") ? SIG_IGN : on_term };
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
}

int main(int argc, char **argv)
{
	mode = getenv("FAKE_QEMU_MODE");
	mode = mode ? mode : "";
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-version") == 0 || strcmp(argv[i], "--version") == 0) {
			puts("QEMU emulator version 7.2.22 (fake)");
			return 0;
		}
		if (strcmp(argv[i], "-S") == 0)
			status = "prelaunch";
	}
	if (mode_is("exit")) {
		fprintf(stderr, "fake-qemu: Could not open 'disk.qcow2': Permission denied\n");
		return 1;
	}
	if (mode_is("complain")) {
		fputs("qemu-system-x86_64: warning: TCG doesn't support requested feature\n"
		      "qemu-system-x86_64: -device frob: 'frob' is not a valid device model name\n"
		      "Use '-device help' to list the devices\n", stderr);
		return 1;
	}
	watch_signals();
	if (mode_is("hang"))
		sleep_for_ever();
	open_monitor(argc, argv);
	if (mode_is("rubbish")) {
		say("QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ");
		sleep_for_ever();
	}
	serve();
	sleep_for_ever();
	return 0;
}
