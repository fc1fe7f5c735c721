/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking a QEMU what it has: one process without a machine, a few commands one after another, and its end. The answer is
 * kept by the file's identity, like its version. Everything here happens on the I/O thread.
 */
#include "host/hardware.h"

#include "base/util.h"
#include "host/qemu-program.h"
#include "process/process.h"
#include "qmp/client.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

enum {
	DEADLINE_MS = 15000,
	MONITOR_FD = 3,
	KNOWN_MAX = 256, /* answers that are kept */
};

/* --- what is known already --- */

typedef struct Known {
	UtmQemuIdentity identity;
	UtmHardware *hardware;
} Known;

static const char known_key;

static void known_free(void *data)
{
	Known *known = data;

	utm_hardware_unref(known->hardware);
	g_free(known);
}

static void *known_make(UtmContext *context)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
}

static GHashTable *get_known(UtmContext *context)
{
	return utm__context_get_data(context, &known_key, known_make, (void (*)(void *))g_hash_table_unref);
}

/* --- asking --- */

typedef struct Asking Asking;

typedef struct Question {
	const char *command, *arguments;
	char *(*make_arguments)(Asking *asking); /* NULL from it: nothing to ask */
	bool may_fail;                           /* not every architecture has it */
	void (*take)(Asking *asking, UtmValue *answer);
} Question;

/* What is asked one after another, and how the answers are brought in order. */
typedef struct Plan {
	const Question *questions;
	gsize count;
	void (*seal)(UtmHardware *hardware);
} Plan;

struct Asking {
	UtmContext *context;
	char *path;
	char *key; /* two programs may be one file that goes by its name */
	UtmQemuIdentity identity;
	UtmProcess *process;
	UtmQmpClient *client;
	guint deadline_source;
	guint step;
	UtmHardware *hardware;
	UtmValue *definitions; /* nullable */
	UtmValue *machines;
	GHashTable *cpu_names; /* nullable */
	bool complete;
	UtmError *error; /* nullable */
	const Plan *plan;
	char *type; /* whose properties are asked for; nullable */
	UtmHardwareDone done;
	void *data;
};

static void asking_free(Asking *asking)
{
	utm__io_remove(asking->context, &asking->deadline_source);
	utm__qmp_client_free(asking->client);
	utm__process_free(asking->process);
	utm_value_free(asking->definitions);
	utm_value_free(asking->machines);
	g_clear_pointer(&asking->cpu_names, g_hash_table_unref);
	utm_hardware_unref(asking->hardware);
	utm_error_unref(asking->error);
	g_free(asking->path);
	g_free(asking->key);
	g_free(asking->type);
	g_free(asking);
}

/* Enough, for good or ill; on_end does the rest. The first reason counts. */
static void stop(Asking *asking, UtmError *error_taken)
{
	if (error_taken && (asking->error || asking->complete))
		utm_error_unref(error_taken);
	else if (error_taken)
		asking->error = utm__error_set_file(error_taken, asking->path);
	utm__process_kill(asking->process, SIGKILL);
}

static void stop_too_many(Asking *asking)
{
	stop(asking,
	     utm__error_new(UTM_ERROR_LIMIT, "the program has more than %d items of one kind", UTM_HARDWARE_ITEMS_MAX));
}

/* --- the questions, in their order --- */

static void on_machines(Asking *asking, UtmValue *answer)
{
	asking->machines = answer;
}

static void on_definitions(Asking *asking, UtmValue *answer)
{
	asking->definitions = answer;
}

static void on_types(Asking *asking, UtmValue *answer)
{
	asking->cpu_names = utm__hardware_name_cpus(asking->definitions, answer);
	utm_value_free(answer);
	if (!utm__hardware_take_machines(asking->hardware, asking->machines, asking->cpu_names) ||
	    !utm__hardware_take_cpus(asking->hardware, asking->definitions, asking->cpu_names))
		stop_too_many(asking);
}

static void on_devices(Asking *asking, UtmValue *answer)
{
	if (!utm__hardware_take_devices(asking->hardware, utm_value_get_string(answer)))
		stop_too_many(asking);
	utm_value_free(answer);
}

static void on_flags(Asking *asking, UtmValue *answer)
{
	if (!utm__hardware_take_flags(asking->hardware, answer))
		stop_too_many(asking);
	utm_value_free(answer);
}

static void on_properties(Asking *asking, UtmValue *answer)
{
	if (!utm__hardware_take_properties(asking->hardware, answer))
		stop_too_many(asking);
	utm_value_free(answer);
}

static char *name_type(const char *type)
{
	UtmValue *name = type ? utm_value_new_string(type) : NULL;
	char *json = name ? utm_value_dup_json(name) : NULL;
	char *arguments = json ? g_strdup_printf("{\"typename\":%s}", json) : NULL;

	utm_free(json);
	utm_value_free(name);
	return arguments;
}

static char *make_flags_arguments(Asking *asking)
{
	return name_type(utm__hardware_find_flags_type(asking->cpu_names));
}

static char *make_type_arguments(Asking *asking)
{
	return name_type(asking->type);
}

static const Question list_questions[] = {
	{ "query-machines", NULL, NULL, false, on_machines },
	{ "query-cpu-definitions", NULL, NULL, true, on_definitions },
	{ "qom-list-types", "{\"implements\":\"cpu\",\"abstract\":false}", NULL, false, on_types },
	{ "human-monitor-command", "{\"command-line\":\"info qdm\"}", NULL, false, on_devices },
	{ "device-list-properties", NULL, make_flags_arguments, true, on_flags },
};
static const Question device_question = { "device-list-properties", NULL, make_type_arguments, false, on_properties };
static const Question machine_question = { "qom-list-properties", NULL, make_type_arguments, false, on_properties };

static const Plan lists = { list_questions, G_N_ELEMENTS(list_questions), utm__hardware_seal };
static const Plan device = { &device_question, 1, utm__hardware_sort };
static const Plan machine = { &machine_question, 1, utm__hardware_sort };

/* What a QEMU says of a type that it does not have. */
static UtmError *no_type_error(const Asking *asking)
{
	UtmError *error = utm__error_new(UTM_ERROR_NOT_FOUND, "QEMU %s has no %s %.*s",
	                                 utm_hardware_get_architecture(asking->hardware),
	                                 asking->plan == &machine ? "machine type" : "device",
	                                 (int)(strlen(asking->type) - (asking->plan == &machine ? strlen("-machine") : 0)),
	                                 asking->type);
	return utm__error_set_remedy(error, "`info qdm` of its monitor lists its devices, `-machine help` its machine types.");
}

static void ask_next(Asking *asking);

static void on_reply(UtmQmpClient *client, const char *reply_json, const UtmError *error, void *data)
{
	Asking *asking = data;
	UtmValue *answer = NULL;
	UtmError *failure = NULL;
	const Question *question = &asking->plan->questions[asking->step++];

	if (asking->error)
		return;
	if (reply_json && utm_value_from_json(reply_json, &answer, &failure) < 0) {
		stop(asking, utm__error_new(UTM_ERROR_QMP_PROTOCOL, "the program's answer to %s is no JSON: %s",
		                            question->command, utm_error_get_message(failure)));
		utm_error_unref(failure);
		return;
	}
	bool refused = !reply_json && utm_error_get_code(error) == UTM_ERROR_QMP_COMMAND;
	if (!reply_json && !(question->may_fail && refused)) {
		stop(asking, refused && asking->type ? no_type_error(asking) : utm_error_ref((UtmError *)error));
		return;
	}
	if (reply_json)
		question->take(asking, answer);
	if (!asking->error)
		ask_next(asking);
}

static void complete(Asking *asking)
{
	guint32 version = utm__qmp_client_get_qemu_version(asking->client);
	g_autofree char *text = g_strdup_printf("%u.%u.%u", version / 1000000, version / 1000 % 1000, version % 1000);

	utm__hardware_set_version(asking->hardware, text);
	asking->plan->seal(asking->hardware);
	asking->complete = true;
	stop(asking, NULL);
}

static void ask_next(Asking *asking)
{
	for (; asking->step < asking->plan->count; asking->step++) {
		const Question *question = &asking->plan->questions[asking->step];
		g_autofree char *made = question->make_arguments ? question->make_arguments(asking) : NULL;

		if (question->make_arguments && !made)
			continue;
		utm__qmp_client_send(asking->client, question->command, made ? made : question->arguments, -1, on_reply, asking);
		return;
	}
	complete(asking);
}

/* --- the process --- */

static void on_ready(UtmQmpClient *client, const UtmError *error, void *data)
{
	if (error)
		stop(data, utm_error_ref((UtmError *)error));
	else
		ask_next(data);
}

static void on_closed(UtmQmpClient *client, const UtmError *error, void *data)
{
	stop(data, utm_error_ref((UtmError *)error));
}

static void on_event(UtmQmpClient *client, const char *name, const char *data_json, gint64 timestamp_us, void *data)
{
}

static void on_deadline(void *data)
{
	Asking *asking = data;

	asking->deadline_source = 0;
	stop(asking, utm__error_new(UTM_ERROR_TIMEOUT, "the program did not tell what it has within %d seconds",
	                            DEADLINE_MS / 1000));
}

static UtmError *ended_error(const Asking *asking)
{
	const char *tail = utm__process_get_stderr_tail(asking->process);
	bool speaks = tail && *tail;
	UtmError *error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "the program ended when asked what it has%s%.*s", speaks ? ": " : "",
	                                 speaks ? (int)strcspn(tail, "\n") : 0, speaks ? tail : "");
	if (asking->type)
		utm__error_set_remedy(error, "A module of QEMU that this device is made of may be missing: install it, or do without.");
	return utm__error_set_file(error, asking->path);
}

static void on_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	Asking *asking = data;
	UtmError *error = g_steal_pointer(&asking->error);
	UtmHardware *hardware = asking->complete ? g_steal_pointer(&asking->hardware) : NULL;

	/* Its end may be noticed before that of its monitor. */
	if (!hardware && (!error || utm_error_get_code(error) == UTM_ERROR_QMP_DISCONNECTED)) {
		utm_error_unref(error);
		error = ended_error(asking);
	}
	if (hardware) {
		Known *known = g_new0(Known, 1);

		*known = (Known){ asking->identity, utm_hardware_ref(hardware) };
		if (g_hash_table_size(get_known(asking->context)) >= KNOWN_MAX)
			g_hash_table_remove_all(get_known(asking->context));
		g_hash_table_replace(get_known(asking->context), g_strdup(asking->key), known);
		g_clear_pointer(&error, utm_error_unref);
	}
	asking->done(hardware, error, asking->data);
	asking_free(asking);
}

static int spawn(Asking *asking, UtmError **error)
{
	static const UtmQmpClientFuncs funcs = { .ready = on_ready, .event = on_event, .closed = on_closed };
	const char *argv[] = { asking->path,  "-machine",
		                   "none",        "-S",
		                   "-display",    "none",
		                   "-nodefaults", "-no-user-config",
		                   "-chardev",    "socket,id=org.qemu.monitor.qmp,fd=3",
		                   "-mon",        "chardev=org.qemu.monitor.qmp,mode=control",
		                   NULL };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return utm__fail_errno(error, errno, asking->path, "socketpair");
	UtmProcessFd fd = { ends[1], MONITOR_FD };
	UtmProcessSpec spec = {
		.argv = argv, .fds = &fd, .fd_count = 1, .stdout_fd = -1, .on_end = on_end, .data = asking
	};
	asking->process = utm__process_spawn(asking->context, &spec, error);
	utm__close_fd(&ends[1]);
	if (!asking->process) {
		utm__close_fd(&ends[0]);
		return -1;
	}
	asking->client = utm__qmp_client_new(asking->context, ends[0], -1, &funcs, asking);
	asking->deadline_source = utm__io_add_timeout(asking->context, DEADLINE_MS, on_deadline, asking);
	return 0;
}

static void ask(UtmContext *context, const char *architecture, const char *path, const Plan *plan, const char *type,
                UtmHardwareDone done, void *data)
{
	g_autofree char *key = g_strjoin(" ", architecture, path, type, NULL);
	Known *known = g_hash_table_lookup(get_known(context), key);
	UtmQemuIdentity identity;
	UtmError *error = NULL;

	if (!utm__qemu_identify(path, &identity)) {
		utm__fail_errno(&error, errno, path, "stat");
		done(NULL, error, data);
		return;
	}
	if (known && utm__qemu_is_same(&known->identity, &identity)) {
		done(utm_hardware_ref(known->hardware), NULL, data);
		return;
	}
	Asking *asking = g_new0(Asking, 1);
	*asking = (Asking){ .context = context,
		                .path = g_strdup(path),
		                .key = g_steal_pointer(&key),
		                .identity = identity,
		                .hardware = utm__hardware_new(architecture, path),
		                .plan = plan,
		                .type = g_strdup(type),
		                .done = done,
		                .data = data };
	if (spawn(asking, &error) < 0) {
		done(NULL, error, data);
		asking_free(asking);
	}
}

void utm__hardware_ask(UtmContext *context, const char *architecture, const char *path, UtmHardwareDone done,
                       void *data)
{
	ask(context, architecture, path, &lists, NULL, done, data);
}

void utm__hardware_ask_properties(UtmContext *context, const char *architecture, const char *path, bool is_machine,
                                  const char *type, UtmHardwareDone done, void *data)
{
	ask(context, architecture, path, is_machine ? &machine : &device, type, done, data);
}
