/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/recording.h"

#include "base/util.h"
#include "qmp/envelope.h"
#include "schema/json-codec.h"
#include "schema/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((gsize)256 << 20)
#define LINE_MAX_BYTES ((gsize)64 << 20)
#define LINES_MAX 1000000
/* Longer arguments are compared as they are written: a tree of them is many times as large. */
#define SORTED_MAX ((gsize)1 << 20)
#define NEGOTIATION "qmp_capabilities"
/* Two thousand years: sums of times stay far from overflowing. */
#define US_MAX ((gint64)1 << 56)

/* ---------------------------------------------------------------- messages */

typedef bool (*MemberFunc)(UtmJsonReader *reader, void *data);

/* Reads an object and nothing after it; `fn` reads each value. NULL or a problem. */
static const char *read_object(const char *text, gsize length, MemberFunc fn, void *data)
{
	UtmJsonReader reader;
	utm__json_reader_init(&reader, text, length, NULL);
	bool fine = utm__json_peek(&reader) == UTM_JSON_BEGIN_OBJECT;
	if (fine)
		utm__json_next(&reader);
	while (fine && utm__json_next(&reader) == UTM_JSON_KEY)
		fine = fn(&reader, data);
	fine = fine && reader.token == UTM_JSON_END_OBJECT && utm__json_next(&reader) == UTM_JSON_END;
	const char *problem = reader.token == UTM_JSON_ERROR ? reader.problem : "not what it should be";
	utm__json_reader_clear(&reader);
	return fine ? NULL : problem;
}

static bool read_slice(UtmJsonReader *reader, UtmQmpSlice *slice)
{
	return utm__json_skip(reader, &slice->text, &slice->length);
}

static bool read_name(UtmJsonReader *reader, char **name)
{
	if (*name || utm__json_peek(reader) != UTM_JSON_STRING || utm__json_next(reader) != UTM_JSON_STRING || reader->has_nul)
		return false;
	*name = g_strndup(reader->text, reader->length);
	return true;
}

typedef struct RequestParts {
	UtmQmpRequest *request;
	UtmQmpSlice arguments;
} RequestParts;

static bool request_member(UtmJsonReader *reader, void *data)
{
	RequestParts *parts = data;
	if (utm__json_text_is(reader, "execute") || utm__json_text_is(reader, "exec-oob"))
		return read_name(reader, &parts->request->name);
	if (utm__json_text_is(reader, "id"))
		return read_slice(reader, &parts->request->id);
	if (utm__json_text_is(reader, "arguments"))
		return utm__json_peek(reader) == UTM_JSON_BEGIN_OBJECT && read_slice(reader, &parts->arguments);
	return utm__json_skip(reader, NULL, NULL);
}

/* Appends arguments with their members in the order of names; without any, nothing. */
static bool append_sorted(GString *text, const UtmQmpSlice *arguments)
{
	UtmJsonSource source;
	UtmToken token;
	UtmValue *value = NULL;
	utm__json_source_init(&source, arguments->text, arguments->length, &utm__json_of_peers, UTM_ERROR_QMP_MALFORMED);
	bool read = source.source.next(&source.source, &token, NULL) == 0 &&
	            utm__value_read(&source.source, &token, &value, NULL) == 0;
	utm__json_reader_clear(&source.reader);
	if (read && value->as.children.count > 0) {
		UtmJsonSink sink;
		utm__json_sink_init(&sink, text, false, true);
		utm__value_write(value, &sink.sink);
	}
	utm__value_free(value);
	return read;
}

/* Two commands are the same when this text is. */
static char *make_name(const char *command, const UtmQmpSlice *arguments)
{
	GString *name = g_string_new(command);
	gsize length = name->len;
	g_string_append_c(name, ' ');
	bool sorted = arguments->length <= SORTED_MAX && (!arguments->text || append_sorted(name, arguments));
	if (!sorted) {
		g_string_truncate(name, length + 1);
		g_string_append_len(name, arguments->text, (gssize)arguments->length);
	}
	if (name->len == length + 1)
		g_string_truncate(name, length);
	return g_string_free(name, FALSE);
}

const char *utm__qmp_request_read(UtmQmpRequest *request, const char *message, gsize length)
{
	*request = (UtmQmpRequest){ 0 };
	RequestParts parts = { .request = request };
	const char *problem = read_object(message, length, request_member, &parts);
	g_autofree char *command = g_steal_pointer(&request->name);
	if (!problem && !command)
		return "a command without `execute`";
	if (!problem)
		request->name = make_name(command, &parts.arguments);
	return problem;
}

bool utm__qmp_request_is_negotiation(const char *name)
{
	gsize length = strlen(NEGOTIATION);
	return strncmp(name, NEGOTIATION, length) == 0 && (name[length] == 0 || name[length] == ' ');
}

bool utm__qmp_request_is_aside(const char *name)
{
	return strcmp(name, "query-qmp-schema") == 0 || strcmp(name, "query-target") == 0;
}

/* ---------------------------------------------------------------- lines */

typedef struct Line {
	gint64 us;
	bool from_monitor, from_client;
	bool ends;
	UtmQmpSlice message;
} Line;

static bool line_member(UtmJsonReader *reader, void *data)
{
	Line *line = data;
	if (utm__json_text_is(reader, "us")) {
		line->us = utm__json_next(reader) == UTM_JSON_INT ? reader->integer : -1;
		return line->us >= 0 && line->us <= US_MAX;
	}
	if (utm__json_text_is(reader, "from")) {
		bool text = utm__json_next(reader) == UTM_JSON_STRING;
		line->from_monitor = text && utm__json_text_is(reader, "monitor");
		line->from_client = text && utm__json_text_is(reader, "client");
		return line->from_monitor || line->from_client;
	}
	if (utm__json_text_is(reader, "message"))
		return utm__json_peek(reader) == UTM_JSON_BEGIN_OBJECT && read_slice(reader, &line->message);
	line->ends |= utm__json_text_is(reader, "end");
	return utm__json_skip(reader, NULL, NULL);
}

typedef enum Phase {
	PHASE_GREETING,   /* it must come first */
	PHASE_GREETED,    /* the negotiation may follow; a recording that began later has none */
	PHASE_NEGOTIATED, /* the answer is still to come */
	PHASE_READY,
	PHASE_ENDED,
} Phase;

typedef struct Loader {
	UtmQmpRecording *recording;
	guint32 line;
	gint64 us;
	Phase phase;
	bool began_later; /* answers to commands from before are in it */
	UtmQmpSlice negotiation_id;
	GHashTable *waiting; /* id as it is written -> GQueue of commands */
	GHashTable *aside_ids; /* id -> name, of those */
} Loader;

static char *dup_slice(const UtmQmpSlice *slice)
{
	return g_strndup(slice->text ? slice->text : "", slice->length);
}

static bool same_slice(const UtmQmpSlice *a, const UtmQmpSlice *b)
{
	return a->length == b->length && (a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
}

static void add_place(GHashTable *places, char *name, guint32 command)
{
	GArray *list = g_hash_table_lookup(places, name);
	if (!list) {
		list = g_array_new(FALSE, TRUE, sizeof(guint32));
		g_array_set_size(list, 1);
		g_hash_table_insert(places, name, list);
	}
	g_array_append_val(list, command);
}

static void add_command(Loader *loader, UtmQmpRequest *request)
{
	UtmQmpRecording *recording = loader->recording;
	UtmQmpRecordedCommand command = { .name = g_steal_pointer(&request->name), .us = loader->us, .line = loader->line };
	guint32 number = recording->commands->len;
	g_array_append_val(recording->commands, command);
	if (!command.name)
		return;
	add_place(recording->places, command.name, number);
	g_autofree char *id = dup_slice(&request->id);
	GQueue *queue = g_hash_table_lookup(loader->waiting, id);
	if (!queue) {
		queue = g_queue_new();
		g_hash_table_insert(loader->waiting, g_steal_pointer(&id), queue);
	}
	g_queue_push_tail(queue, GUINT_TO_POINTER(number));
}

static const char *read_client(Loader *loader, const Line *line)
{
	UtmQmpRequest request;
	const char *problem = utm__qmp_request_read(&request, line->message.text, line->message.length);
	if (problem)
		return problem;
	if (loader->phase == PHASE_GREETING) {
		problem = "a recording begins with the monitor's greeting";
	} else if (loader->phase == PHASE_GREETED && utm__qmp_request_is_negotiation(request.name)) {
		/* Of events before it the client did not hear. */
		g_array_set_size(loader->recording->steps, 0);
		loader->phase = PHASE_NEGOTIATED;
		loader->negotiation_id = request.id;
		utm__qmp_recording_get(loader->recording, 0)->us = loader->us;
	} else if (utm__qmp_request_is_aside(request.name)) {
		g_hash_table_insert(loader->aside_ids, dup_slice(&request.id), g_strdup(request.name));
	} else {
		loader->began_later |= loader->phase == PHASE_GREETED;
		loader->phase = loader->phase == PHASE_GREETED ? PHASE_READY : loader->phase;
		add_command(loader, &request);
	}
	g_free(request.name);
	return problem;
}

typedef struct AnswerParts {
	UtmQmpSlice id;
	UtmQmpStep *step;
} AnswerParts;

static bool answer_member(UtmJsonReader *reader, void *data)
{
	AnswerParts *parts = data;
	bool is_error = utm__json_text_is(reader, "error");
	if (utm__json_text_is(reader, "id"))
		return read_slice(reader, &parts->id);
	if (!is_error && !utm__json_text_is(reader, "return"))
		return utm__json_skip(reader, NULL, NULL);
	parts->step->is_error = is_error;
	return read_slice(reader, &parts->step->text);
}

static void add_step(Loader *loader, UtmQmpStep *step)
{
	GArray *commands = loader->recording->commands;
	step->segment = commands->len - 1;
	step->delay_us = MAX(loader->us - g_array_index(commands, UtmQmpRecordedCommand, step->segment).us, 0);
	g_array_append_val(loader->recording->steps, *step);
}

static const char *read_answer(Loader *loader, const Line *line)
{
	UtmQmpStep step = { 0 };
	AnswerParts parts = { .step = &step };
	const char *problem = read_object(line->message.text, line->message.length, answer_member, &parts);
	if (problem)
		return problem;
	if (loader->phase == PHASE_NEGOTIATED && same_slice(&parts.id, &loader->negotiation_id)) {
		loader->recording->negotiated = step;
		loader->phase = PHASE_READY;
		utm__qmp_recording_get(loader->recording, 0)->us = loader->us;
		return NULL;
	}
	g_autofree char *id = dup_slice(&parts.id);
	const char *aside = g_hash_table_lookup(loader->aside_ids, id);
	GQueue *queue = g_hash_table_lookup(loader->waiting, id);
	step.command = queue ? GPOINTER_TO_UINT(g_queue_pop_head(queue)) : 0;
	if (step.command)
		add_step(loader, &step);
	else if (aside)
		g_hash_table_insert(loader->recording->asides, g_strdup(aside), g_memdup2(&step, sizeof step));
	if (!step.command && aside)
		g_hash_table_remove(loader->aside_ids, id);
	return step.command || aside || loader->began_later || loader->phase == PHASE_GREETED
	           ? NULL
	           : "an answer to no command of the recording";
}

static const char *read_monitor(Loader *loader, const Line *line)
{
	UtmQmpEnvelope envelope;
	UtmQmpStep step = { .text = line->message };
	/* It only becomes writable where its body is closed, which is not done here. */
	if (utm__qmp_envelope_read(&envelope, &utm__qmp_monitor, (char *)line->message.text, line->message.length, NULL) < 0)
		return "not a message of QMP";
	UtmQmpKind kind = envelope.kind;
	UtmQmpSlice greeting = { envelope.body, envelope.body_length };
	utm__qmp_envelope_clear(&envelope);
	if (kind != UTM_QMP_KIND_GREETING && loader->phase == PHASE_GREETING)
		return "a recording begins with the monitor's greeting";
	switch (kind) {
	case UTM_QMP_KIND_GREETING:
		/* A monitor that did not read was connected to again. */
		if (loader->phase != PHASE_GREETING && loader->phase != PHASE_NEGOTIATED)
			return "a second greeting";
		loader->recording->greeting = greeting;
		loader->phase = PHASE_GREETED;
		return NULL;
	case UTM_QMP_KIND_EVENT:
		/* Before that, the client heard of none. */
		if (loader->phase != PHASE_NEGOTIATED)
			add_step(loader, &step);
		return NULL;
	default:
		return read_answer(loader, line);
	}
}

static const char *read_end(Loader *loader)
{
	UtmQmpStep step = { 0 };
	if (loader->phase == PHASE_GREETING)
		return "a recording begins with the monitor's greeting";
	loader->recording->ends_early = loader->phase == PHASE_NEGOTIATED;
	loader->phase = PHASE_ENDED;
	add_step(loader, &step);
	return NULL;
}

static const char *read_line(Loader *loader, const char *text, gsize length)
{
	Line line = { .us = loader->us };
	const char *problem = read_object(text, length, line_member, &line);
	if (problem)
		return problem;
	if (!line.from_client && !line.from_monitor)
		return "it does not say who it is from";
	if (!line.message.text && !(line.ends && line.from_monitor))
		return "it has no message";
	if (loader->phase == PHASE_ENDED)
		return "it follows the end";
	loader->us = line.us;
	if (!line.message.text)
		return read_end(loader);
	return line.from_client ? read_client(loader, &line) : read_monitor(loader, &line);
}

static int fail_at(Loader *loader, int code, const char *problem, UtmError **error)
{
	return utm__fail(error, code, "line %u of the recording: %s", loader->line, problem);
}

static bool is_blank(const char *text, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if (!g_ascii_isspace(text[i]))
			return false;
	return true;
}

static int read_lines(Loader *loader, gsize size, UtmError **error)
{
	const char *at = loader->recording->bytes, *end = at + size;
	for (const char *line_end; at < end; at = line_end + 1) {
		loader->line++;
		line_end = memchr(at, '\n', (gsize)(end - at));
		if (!line_end)
			return fail_at(loader, UTM_ERROR_QMP_MALFORMED, "it ends in the middle of a line", error);
		gsize length = (gsize)(line_end - at);
		if (length > LINE_MAX_BYTES)
			return fail_at(loader, UTM_ERROR_LIMIT, "more than 64 MiB", error);
		if (loader->line > LINES_MAX)
			return fail_at(loader, UTM_ERROR_LIMIT, "more lines than are read", error);
		const char *problem = is_blank(at, length) ? NULL : read_line(loader, at, length);
		if (problem)
			return fail_at(loader, UTM_ERROR_QMP_MALFORMED, problem, error);
	}
	loader->line++;
	if (loader->phase == PHASE_GREETING)
		return fail_at(loader, UTM_ERROR_QMP_MALFORMED, "it ends before the monitor's greeting", error);
	return 0;
}

/* ---------------------------------------------------------------- the file */

/* Returns an errno. */
static int read_bytes(int fd, char *bytes, gsize size, gsize *ret_count)
{
	*ret_count = 0;
	while (*ret_count < size) {
		ssize_t count = read(fd, bytes + *ret_count, size - *ret_count);
		if (count < 0 && errno != EINTR)
			return errno;
		if (count == 0)
			break;
		*ret_count += (gsize)MAX(count, 0);
	}
	return 0;
}

static int read_file(UtmQmpRecording *recording, gsize *ret_size, UtmError **error)
{
	struct stat info;
	/* Not blocking: a FIFO would wait for a writer. */
	utm_autofd fd = open(recording->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &info) < 0)
		return utm__fail_errno(error, errno, NULL, "cannot open the recording");
	if (!S_ISREG(info.st_mode))
		return utm__fail(error, UTM_ERROR_IO, "the recording is not a regular file");
	if ((guint64)info.st_size > FILE_MAX)
		return utm__fail(error, UTM_ERROR_LIMIT, "the recording has more than 256 MiB");
	recording->bytes = g_malloc((gsize)info.st_size + 1);
	int failed = read_bytes(fd, recording->bytes, (gsize)info.st_size, ret_size);
	return failed ? utm__fail_errno(error, failed, NULL, "cannot read the recording") : 0;
}

static gint compare_segments(gconstpointer a, gconstpointer b)
{
	guint32 left = ((const UtmQmpStep *)a)->segment, right = ((const UtmQmpStep *)b)->segment;
	return (left > right) - (left < right);
}

/* Moves each answer to its own command. The order within a segment stays: the sort is stable. */
static void move_answers(UtmQmpRecording *recording)
{
	for (guint i = 0; i < recording->steps->len; i++) {
		UtmQmpStep *step = &g_array_index(recording->steps, UtmQmpStep, i);
		if (!step->command)
			continue;
		step->delay_us += utm__qmp_recording_get(recording, step->segment)->us -
		                  utm__qmp_recording_get(recording, step->command)->us;
		step->segment = step->command;
	}
	g_array_sort(recording->steps, compare_segments);
}

static void find_segments(UtmQmpRecording *recording)
{
	for (guint i = 0; i < recording->steps->len; i++) {
		const UtmQmpStep *step = &g_array_index(recording->steps, UtmQmpStep, i);
		UtmQmpRecordedCommand *command = utm__qmp_recording_get(recording, step->segment);
		command->first_step = command->step_count++ ? command->first_step : i;
		if (step->command)
			utm__qmp_recording_get(recording, step->command)->answer = step;
	}
}

static void clear_command(gpointer data)
{
	g_free(((UtmQmpRecordedCommand *)data)->name);
}

void utm__qmp_recording_free(UtmQmpRecording *recording)
{
	if (!recording)
		return;
	g_hash_table_unref(recording->places);
	g_hash_table_unref(recording->asides);
	g_array_unref(recording->commands);
	g_array_unref(recording->steps);
	g_free(recording->bytes);
	g_free(recording->path);
	g_free(recording);
}

static UtmQmpRecording *recording_new(const char *path)
{
	UtmQmpRecording *recording = g_new0(UtmQmpRecording, 1);
	recording->path = g_strdup(path);
	recording->commands = g_array_new(FALSE, TRUE, sizeof(UtmQmpRecordedCommand));
	g_array_set_clear_func(recording->commands, clear_command);
	g_array_set_size(recording->commands, 1);
	recording->steps = g_array_new(FALSE, FALSE, sizeof(UtmQmpStep));
	recording->places = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_array_unref);
	recording->asides = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return recording;
}

UtmQmpRecording *utm__qmp_recording_load(const char *path, bool by_command, UtmError **error)
{
	g_autoptr(UtmQmpRecording) recording = recording_new(path);
	UtmError *failure = NULL;
	gsize size = 0;
	Loader loader = { .recording = recording };
	loader.waiting = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_queue_free);
	loader.aside_ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (read_file(recording, &size, &failure) == 0)
		read_lines(&loader, size, &failure);
	g_hash_table_unref(loader.waiting);
	g_hash_table_unref(loader.aside_ids);
	if (failure) {
		utm__fail_take(error, utm__error_at_file(failure, path));
		return NULL;
	}
	if (by_command)
		move_answers(recording);
	find_segments(recording);
	return g_steal_pointer(&recording);
}
