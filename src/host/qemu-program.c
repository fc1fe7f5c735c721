/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding QEMU and its tools, and asking programs for text such as their version.
 *
 * Answers are kept by the file's identity, so that an upgrade while the context lives is noticed. Everything here
 * happens on the I/O thread.
 */
#include "host/qemu-program.h"

#include "base/util.h"
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DEADLINE_MS = 10000,
	OUTPUT_MAX = 256 * 1024, /* the list of all devices has some 50 KiB */
};

/* --- finding --- */

static bool is_program(const char *path)
{
	return g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0;
}

static char *find_in(const char *const *dirs, const char *name, GPtrArray *searched)
{
	for (; dirs && *dirs; dirs++) {
		g_autofree char *path = NULL;

		/* An empty entry of PATH would mean the current directory. */
		if (!**dirs)
			continue;
		/* Absolute, because QEMU is started in another directory. */
		g_autofree char *relative = g_build_filename(*dirs, name, NULL);
		path = g_canonicalize_filename(relative, NULL);
		g_ptr_array_add(searched, (char *)*dirs);
		if (is_program(path))
			return g_steal_pointer(&path);
	}
	return NULL;
}

/* Debian's names; others are near enough to be found by a person. */
static const char *guess_package(const char *architecture)
{
	static const struct {
		const char *prefix;
		const char *package;
	} packages[] = {
		{ "x86_64", "qemu-system-x86" },  { "i386", "qemu-system-x86" }, { "arm", "qemu-system-arm" },
		{ "aarch64", "qemu-system-arm" }, { "ppc", "qemu-system-ppc" },  { "mips", "qemu-system-mips" },
		{ "sparc", "qemu-system-sparc" }, { "", "qemu-system-misc" },
	};
	gsize i = 0;

	while (!g_str_has_prefix(architecture, packages[i].prefix))
		i++;
	return packages[i].package;
}

/* (transfer full) or NULL, and then where it was looked for. */
static char *find_program(UtmContext *context, const char *name, char **ret_searched)
{
	const char *path_variable = g_getenv("PATH");
	g_auto(GStrv) path_dirs = g_strsplit(path_variable ? path_variable : "/usr/local/bin:/usr/bin:/bin", ":", -1);
	g_autoptr(GPtrArray) searched = g_ptr_array_new();
	char *found = find_in(utm__context_get_qemu_dirs(context), name, searched);

	if (!found)
		found = find_in((const char *const *)path_dirs, name, searched);
	g_ptr_array_add(searched, NULL);
	*ret_searched = found ? NULL : g_strjoinv(", ", (char **)searched->pdata);
	return found;
}

char *utm__program_find(UtmContext *context, const char *name, const char *const *dirs)
{
	g_autofree char *searched = NULL;
	g_autoptr(GPtrArray) more = g_ptr_array_new();
	char *found = find_program(context, name, &searched);

	return found ? found : find_in(dirs, name, more);
}

char *utm__qemu_find(UtmContext *context, const char *architecture, UtmError **error)
{
	g_autofree char *name = g_strdup_printf("qemu-system-%s", architecture);
	g_autofree char *dirs = NULL;
	char *found = find_program(context, name, &dirs);

	if (found)
		return found;
	g_autofree char *remedy = g_strdup_printf(
		"Install the package %s, or name QEMU's directory in the context's options.", guess_package(architecture));
	UtmError *missing = utm__error_new(UTM_ERROR_QEMU_NOT_FOUND, "no program of this name in %s", dirs);
	utm__error_set_key_path(missing, "System.Architecture");
	utm__fail_take(error, utm__error_set_remedy(utm__error_set_file(missing, name), remedy));
	return NULL;
}

char *utm__qemu_find_tool(UtmContext *context, const char *name, const char *package, UtmError **error)
{
	g_autofree char *dirs = NULL;
	char *found = find_program(context, name, &dirs);

	if (found)
		return found;
	g_autofree char *remedy = g_strdup_printf(
		"Install the package %s, or name QEMU's directory in the context's options.", package);
	UtmError *missing = utm__error_new(UTM_ERROR_NOT_FOUND, "no program of this name in %s", dirs);
	utm__fail_take(error, utm__error_set_remedy(utm__error_set_file(missing, name), remedy));
	return NULL;
}

char *utm__qemu_find_tool_beside(UtmContext *context, const char *qemu_path, const char *name, const char *package,
                                 UtmError **error)
{
	g_autofree char *dir = g_path_get_dirname(qemu_path ? qemu_path : "");
	g_autofree char *beside = g_build_filename(dir, name, NULL);

	return qemu_path && is_program(beside) ? g_steal_pointer(&beside) : utm__qemu_find_tool(context, name, package, error);
}

/* --- what is known already --- */

typedef struct Answer {
	UtmQemuIdentity identity;
	char *text;
} Answer;

static const char answers_key;

static void answer_free(void *data)
{
	Answer *answer = data;

	g_free(answer->text);
	g_free(answer);
}

static void *answers_make(UtmContext *context)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, answer_free);
}

/* By path and question. */
static GHashTable *get_answers(UtmContext *context)
{
	return utm__context_get_data(context, &answers_key, answers_make, (void (*)(void *))g_hash_table_unref);
}

bool utm__qemu_identify(const char *path, UtmQemuIdentity *ret_identity)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return false;
	*ret_identity = (UtmQemuIdentity){ (gint64)status.st_dev, (gint64)status.st_ino, status.st_size, status.st_mtim.tv_sec,
		                        status.st_mtim.tv_nsec };
	return true;
}

/* --- asking --- */

typedef struct Question {
	UtmContext *context;
	char *path;
	const UtmProgramQuestion *asked;
	char *key;
	UtmQemuIdentity identity;
	UtmProcess *process;
	int output_fd;
	guint output_source;
	guint deadline_source;
	GString *output;
	bool timed_out;
	UtmProgramDone done;
	void *data;
} Question;

static void question_free(Question *question)
{
	utm__io_remove(question->context, &question->output_source);
	utm__io_remove(question->context, &question->deadline_source);
	utm__process_free(question->process);
	utm__close_fd(&question->output_fd);
	g_string_free(question->output, TRUE);
	g_free(question->path);
	g_free(question->key);
	g_free(question);
}

/* One piece of the output; false at its end, and when there is nothing to read now. */
static bool read_some(Question *question)
{
	char buffer[4096];
	ssize_t length = read(question->output_fd, buffer, sizeof(buffer));

	/* More than that is rubbish, but a program must not be stopped by a full pipe. */
	if (length > 0 && question->output->len < OUTPUT_MAX)
		g_string_append_len(question->output, buffer, length);
	return length > 0;
}

static bool on_output(int fd, GIOCondition condition, void *data)
{
	Question *question = data;

	if (read_some(question))
		return true;
	question->output_source = 0;
	return false;
}

static void on_deadline(void *data)
{
	Question *question = data;

	question->deadline_source = 0;
	question->timed_out = true;
	utm__process_kill(question->process, SIGKILL);
}

static UtmError *make_failure(Question *question, const UtmProcessEnd *end)
{
	const char *tail = utm__process_get_stderr_tail(question->process);
	const char *what = question->asked->what;
	int status = end->signal ? 128 + end->signal : end->exit_status;
	UtmError *error;

	if (question->timed_out)
		error = utm__error_new(UTM_ERROR_TIMEOUT, "the program did not tell %s within %d seconds", what, DEADLINE_MS / 1000);
	else
		error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "the program ended with status %d when asked for %s", status,
		                       what);
	return utm__error_set_file(utm__error_set_exit(error, status, tail), question->path);
}

static void remember(Question *question)
{
	Answer *answer = g_new0(Answer, 1);

	answer->identity = question->identity;
	answer->text = g_strdup(question->output->str);
	g_hash_table_replace(get_answers(question->context), g_strdup(question->key), answer);
}

static void on_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	Question *question = data;
	bool good = !question->timed_out && !end->signal && end->exit_status <= 0;

	/* What is in the pipe, not more: somebody else may still hold it open. */
	while (question->output->len < OUTPUT_MAX && read_some(question))
		continue;
	if (good)
		remember(question);
	question->done(good ? question->output->str : NULL, good ? NULL : make_failure(question, end), question->data);
	question_free(question);
}

static UtmProcess *spawn(Question *question, UtmError **error)
{
	const char *argv[] = { question->path, question->asked->arguments[0], question->asked->arguments[1], NULL };
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		utm__fail_errno(error, errno, question->path, "pipe");
		return NULL;
	}
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	question->output_fd = pipe_fds[0];
	UtmProcessSpec spec = { .argv = argv, .stdout_fd = pipe_fds[1], .on_end = on_end, .data = question };
	UtmProcess *process = utm__process_spawn(question->context, &spec, error);
	close(pipe_fds[1]);
	return process;
}

static void ask(UtmContext *context, const char *path, const UtmProgramQuestion *asked, char *key_taken,
                const UtmQemuIdentity *identity, UtmProgramDone done, void *data)
{
	Question *question = g_new0(Question, 1);
	UtmError *error = NULL;

	*question = (Question){ .context = context,
		                    .path = g_strdup(path),
		                    .asked = asked,
		                    .key = key_taken,
		                    .identity = *identity,
		                    .output_fd = -1,
		                    .output = g_string_new(NULL),
		                    .done = done,
		                    .data = data };
	question->process = spawn(question, &error);
	if (!question->process) {
		done(NULL, error, data);
		question_free(question);
		return;
	}
	question->output_source = utm__io_add_fd(context, question->output_fd, G_IO_IN, on_output, question);
	question->deadline_source = utm__io_add_timeout(context, DEADLINE_MS, on_deadline, question);
}

void utm__program_ask(UtmContext *context, const char *path, const UtmProgramQuestion *question, UtmProgramDone done,
                      void *data)
{
	const char *more = question->arguments[1];
	g_autofree char *key = g_strjoin(" ", question->arguments[0], more ? more : "", path, NULL);
	Answer *answer = g_hash_table_lookup(get_answers(context), key);
	UtmQemuIdentity identity;

	if (!utm__qemu_identify(path, &identity)) {
		UtmError *error = NULL;

		utm__fail_errno(&error, errno, path, "stat");
		done(NULL, error, data);
	} else if (answer && utm__qemu_is_same(&answer->identity, &identity)) {
		done(answer->text, NULL, data);
	} else {
		ask(context, path, question, g_steal_pointer(&key), &identity, done, data);
	}
}

/* --- QEMU's version --- */

typedef struct Version {
	char *path;
	UtmQemuVersionDone done;
	void *data;
} Version;

/* "QEMU emulator version 7.2.22 (Debian ...)": the first word that is a number with dots. */
static char *parse_version(const char *output)
{
	static const char prefix[] = "QEMU emulator version ";
	const char *start = g_str_has_prefix(output, prefix) ? output + strlen(prefix) : NULL;
	gsize length = start ? strspn(start, "0123456789.") : 0;

	return length && length < 32 && g_ascii_isdigit(*start) ? g_strndup(start, length) : NULL;
}

static void on_version_text(const char *text, UtmError *error_taken, void *data)
{
	Version *asked = data;
	g_autofree char *version = text ? parse_version(text) : NULL;

	if (text && !version)
		error_taken = utm__error_set_file(
			utm__error_set_exit(utm__error_new(UTM_ERROR_PROCESS_EXITED,
		                                       "the program does not answer like QEMU when asked for its version"),
		                        0, NULL),
			asked->path);
	asked->done(version, error_taken, asked->data);
	g_free(asked->path);
	g_free(asked);
}

void utm__qemu_ask_version(UtmContext *context, const char *path, UtmQemuVersionDone done, void *data)
{
	static const UtmProgramQuestion question = { "its version", { "-version" } };
	Version *asked = g_new0(Version, 1);

	*asked = (Version){ g_strdup(path), done, data };
	utm__program_ask(context, path, &question, on_version_text, asked);
}
