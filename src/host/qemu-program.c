/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding QEMU, and asking it for its version.
 *
 * The answer is kept by the file's identity, so that an upgrade while the context lives is noticed. Everything here
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
	OUTPUT_MAX = 4096,
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

/* --- what is known already --- */

typedef struct Program {
	UtmQemuIdentity identity;
	char *version; /* NULL while it is being asked */
} Program;

static const char programs_key;

static void program_free(void *data)
{
	Program *program = data;

	g_free(program->version);
	g_free(program);
}

static void *programs_make(UtmContext *context)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, program_free);
}

static GHashTable *get_programs(UtmContext *context)
{
	return utm__context_get_data(context, &programs_key, programs_make, (void (*)(void *))g_hash_table_unref);
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
	UtmQemuIdentity identity;
	UtmProcess *process;
	int output_fd;
	guint output_source;
	guint deadline_source;
	GString *output;
	bool timed_out;
	UtmQemuVersionDone done;
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
	g_free(question);
}

/* "QEMU emulator version 7.2.22 (Debian ...)": the first word that is a number with dots. */
static char *parse_version(const char *output)
{
	static const char prefix[] = "QEMU emulator version ";
	const char *start = g_str_has_prefix(output, prefix) ? output + strlen(prefix) : NULL;
	gsize length = start ? strspn(start, "0123456789.") : 0;

	return length && length < 32 && g_ascii_isdigit(*start) ? g_strndup(start, length) : NULL;
}

/* One piece of the output; false at its end, and when there is nothing to read now. */
static bool read_some(Question *question)
{
	char buffer[1024];
	ssize_t length = read(question->output_fd, buffer, sizeof(buffer));

	/* More than a version is rubbish, but a program must not be stopped by a full pipe. */
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
	int status = end->signal ? 128 + end->signal : end->exit_status;
	UtmError *error;

	if (question->timed_out)
		error = utm__error_new(UTM_ERROR_TIMEOUT, "the program did not tell its version within %d seconds",
		                       DEADLINE_MS / 1000);
	else if (status > 0)
		error = utm__error_new(UTM_ERROR_PROCESS_EXITED, "the program ended with status %d when asked for its version",
		                       status);
	else
		error = utm__error_new(UTM_ERROR_PROCESS_EXITED,
		                       "the program does not answer like QEMU when asked for its version");
	return utm__error_set_file(utm__error_set_exit(error, status, tail), question->path);
}

static void remember(Question *question, const char *version)
{
	Program *program = g_new0(Program, 1);

	program->identity = question->identity;
	program->version = g_strdup(version);
	g_hash_table_replace(get_programs(question->context), g_strdup(question->path), program);
}

static void on_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	Question *question = data;
	g_autofree char *version = NULL;
	UtmError *error = NULL;

	/* What is in the pipe, not more: somebody else may still hold it open. */
	while (question->output->len < OUTPUT_MAX && read_some(question))
		continue;
	if (!end->signal && end->exit_status <= 0)
		version = parse_version(question->output->str);
	if (version)
		remember(question, version);
	else
		error = make_failure(question, end);
	question->done(version, error, question->data);
	question_free(question);
}

static UtmProcess *spawn(Question *question, UtmError **error)
{
	const char *argv[] = { question->path, "-version", NULL };
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

static void ask(UtmContext *context, const char *path, const UtmQemuIdentity *identity, UtmQemuVersionDone done, void *data)
{
	Question *question = g_new0(Question, 1);
	UtmError *error = NULL;

	*question = (Question){ .context = context,
		                    .path = g_strdup(path),
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

void utm__qemu_ask_version(UtmContext *context, const char *path, UtmQemuVersionDone done, void *data)
{
	Program *program = g_hash_table_lookup(get_programs(context), path);
	UtmQemuIdentity identity;

	if (!utm__qemu_identify(path, &identity)) {
		UtmError *error = NULL;

		utm__fail_errno(&error, errno, path, "stat");
		done(NULL, error, data);
	} else if (program && utm__qemu_is_same(&program->identity, &identity)) {
		done(program->version, NULL, data);
	} else {
		ask(context, path, &identity, done, data);
	}
}
