/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/tool.h"

#include "base/util.h"
#include "host/qemu-program.h"
#include "process/process.h"
#include "process/stderr-text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FIRST_FD = 3,
	/* An image has up to 65536 snapshots, and each is told in some 250 bytes. */
	OUTPUT_MAX = 16 * 1024 * 1024,
	PROGRESS_MAX = 64,
	READS_PER_TURN = 16,
};

struct UtmImageTool {
	UtmContext *context;
	UtmProcess *process;
	int output_fd;
	guint output_source;
	GString *output;
	bool too_much;
	char *paths[UTM_IMAGE_TOOL_FILES_MAX];
	char *options[UTM_IMAGE_TOOL_FILES_MAX]; /* nullable */
	gsize file_count;
	void (*on_progress)(guint parts, void *data);
	void (*on_end)(UtmError *error_taken, bool is_sure, const char *output, void *data);
	void *data;
};

static void tool_free(UtmImageTool *tool)
{
	utm__io_remove(tool->context, &tool->output_source);
	utm__process_free(tool->process);
	utm__close_fd(&tool->output_fd);
	g_string_free(tool->output, TRUE);
	for (gsize i = 0; i < tool->file_count; i++) {
		g_free(tool->paths[i]);
		g_free(tool->options[i]);
	}
	g_free(tool);
}

/* --- arguments --- */

char *utm__image_tool_file(gsize index)
{
	return g_strdup_printf("/proc/self/fd/%zu", FIRST_FD + index);
}

char *utm__image_tool_options(const UtmImageChain *chain, gsize first_index)
{
	GString *options = g_string_new(NULL);
	g_autoptr(GString) level = g_string_new(NULL);

	for (gsize i = 0; i < chain->count; i++) {
		g_autofree char *file = utm__image_tool_file(first_index + i);
		g_string_append_printf(options, "%s%sdriver=%s,%sfile.driver=file,%sfile.filename=%s", i ? "," : "", level->str,
		                       chain->links[i].format, level->str, level->str, file);
		g_string_append(level, "backing.");
	}
	return g_string_free(options, FALSE);
}

char *utm__image_tool_find(UtmContext *context, UtmError **error)
{
	return utm__qemu_find_tool(context, "qemu-img", "qemu-utils", error);
}

/* --- what it says --- */

/* The phrases that C libraries and QEMU have for it, in the language that it is told to use. */
static const struct {
	const char *phrase;
	int code;
	int errno_value;
} reasons[] = {
	{ "\" lock", UTM_ERROR_IMAGE_IN_USE, 0 }, /* Failed to get "write" lock, shared or not */ { "No space left on device", UTM_ERROR_IO, ENOSPC },
	{ "Disk quota exceeded", UTM_ERROR_IO, EDQUOT },   { "File too large", UTM_ERROR_IO, EFBIG },
	{ "Read-only file system", UTM_ERROR_IO, EROFS },  { "Permission denied", UTM_ERROR_IO, EACCES },
	{ "Input/output error", UTM_ERROR_IO, EIO },       { "does not support", UTM_ERROR_NOT_SUPPORTED, 0 },
	{ "Could not open", UTM_ERROR_IMAGE_INVALID, 0 },  { "corrupt", UTM_ERROR_IMAGE_INVALID, 0 },
};

/* Numbers of descriptors become the names of their files again. */
static char *name_files(const UtmImageTool *tool, const char *text)
{
	GString *named = g_string_new(text);

	for (gsize i = 0; i < tool->file_count; i++)
		if (tool->options[i])
			g_string_replace(named, tool->options[i], tool->paths[i], 0);
	/* The higher numbers first: 31 begins with 3. */
	for (gsize i = tool->file_count; i > 0; i--) {
		g_autofree char *file = utm__image_tool_file(i - 1);
		g_string_replace(named, file, tool->paths[i - 1], 0);
	}
	return g_string_free(named, FALSE);
}

/* Without the program's name, and without the file's, which the error has in a field of its own. */
static const char *strip(const UtmImageTool *tool, const char *complaint)
{
	g_autofree char *file = g_strdup_printf("Could not open '%s': ", tool->paths[0]);
	const char *words = g_str_has_prefix(complaint, "qemu-img: ") ? complaint + strlen("qemu-img: ") : complaint;

	return g_str_has_prefix(words, file) ? words + strlen(file) : words;
}

static UtmError *error_of(const UtmImageTool *tool, const char *complaint)
{
	const char *words = strip(tool, complaint);
	int code = UTM_ERROR_PROCESS_EXITED, errno_value = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(reasons) && code == UTM_ERROR_PROCESS_EXITED; i++)
		if (strstr(complaint, reasons[i].phrase)) {
			code = reasons[i].code;
			errno_value = reasons[i].errno_value;
		}
	UtmError *error = utm__error_new(code, "%s", *words ? words : "qemu-img failed without a word");
	return utm__error_set_errno(error, errno_value);
}

/* A limit of the process for files shows as a signal, where a full disk is an error. */
static UtmError *error_of_signal(int number)
{
	if (number == SIGXFSZ)
		return utm__error_set_errno(
			utm__error_new(UTM_ERROR_IO, "a file would be larger than this process may make it"), EFBIG);
	return utm__error_new(UTM_ERROR_PROCESS_EXITED, "qemu-img was ended by signal %d (%s)", number, strsignal(number));
}

static UtmError *make_error(UtmImageTool *tool, const UtmProcessEnd *end)
{
	g_autofree char *tail = name_files(tool, utm__process_get_stderr_tail(tool->process) ?: "");
	g_autofree char *complaint = utm__find_complaint(tail, "qemu-img");
	UtmError *error;

	if (tool->too_much)
		error = utm__error_new(UTM_ERROR_LIMIT, "qemu-img says more than %d bytes about it", OUTPUT_MAX);
	else if (end->signal)
		error = error_of_signal(end->signal);
	else if (utm__process_end_is_known(end) ? end->exit_status == 0 : !*tail)
		return NULL;
	else
		error = error_of(tool, complaint ? complaint : "");
	/* What is written comes last, what is read first. */
	bool writing = utm_error_get_errno(error) == ENOSPC || utm_error_get_errno(error) == EDQUOT ||
	               utm_error_get_errno(error) == EFBIG;
	utm__error_set_file(error, tool->paths[writing ? tool->file_count - 1 : 0]);
	return utm__error_set_exit(error, end->signal ? 128 + end->signal : end->exit_status, *tail ? tail : NULL);
}

/* "    (12.34/100%)" and a carriage return, again and again; the last one that is complete counts. */
static void take_progress(UtmImageTool *tool)
{
	const char *start = g_strrstr(tool->output->str, "(");
	const char *end = start ? strstr(start, "/100%)") : NULL;

	if (end) {
		tool->on_progress((guint)CLAMP(g_ascii_strtod(start + 1, NULL) * 100, 0, 10000), tool->data);
		g_string_erase(tool->output, 0, end + 1 - tool->output->str);
	}
	if (tool->output->len > PROGRESS_MAX)
		g_string_truncate(tool->output, 0);
}

/* One piece; false at its end, and when there is nothing to read now. */
static bool read_some(UtmImageTool *tool)
{
	char bytes[4096];
	ssize_t count = read(tool->output_fd, bytes, sizeof bytes);

	if (count <= 0)
		return false;
	if (tool->output->len + (gsize)count > OUTPUT_MAX) {
		tool->too_much = true;
		utm__image_tool_kill(tool);
		return false;
	}
	g_string_append_len(tool->output, bytes, count);
	if (tool->on_progress)
		take_progress(tool);
	return true;
}

static bool on_output(int fd, GIOCondition condition, void *data)
{
	UtmImageTool *tool = data;

	for (int i = 0; i < READS_PER_TURN; i++)
		if (!read_some(tool))
			break;
	if (!tool->too_much && !(condition & (G_IO_HUP | G_IO_ERR)))
		return true;
	tool->output_source = 0;
	return false;
}

static void on_process_end(UtmProcess *process, const UtmProcessEnd *end, void *data)
{
	UtmImageTool *tool = data;

	while (!tool->too_much && read_some(tool))
		continue;
	tool->on_end(make_error(tool, end), utm__process_end_is_known(end), tool->output->str, tool->data);
	tool_free(tool);
}

/* --- the start --- */

static UtmProcess *spawn(UtmImageTool *tool, const char *program, const UtmImageToolSpec *spec, int output_fd,
                         UtmError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	UtmProcessFd fds[UTM_IMAGE_TOOL_FILES_MAX];
	/* Its messages are read here. */
	const char *const environment[] = { "LC_ALL=C", NULL };

	g_ptr_array_add(argv, (char *)program);
	for (const char *const *argument = spec->arguments; *argument; argument++)
		g_ptr_array_add(argv, (char *)*argument);
	g_ptr_array_add(argv, NULL);
	for (gsize i = 0; i < spec->file_count; i++)
		fds[i] = (UtmProcessFd){ .source = spec->files[i].fd, .target = (int)(FIRST_FD + i) };
	UtmProcessSpec process = { .argv = (const char *const *)argv->pdata,
		                       .env_set = environment,
		                       .fds = fds,
		                       .fd_count = spec->file_count,
		                       .stdout_fd = output_fd,
		                       .on_end = on_process_end,
		                       .data = tool };
	return utm__process_spawn(tool->context, &process, error);
}

UtmImageTool *utm__image_tool_run(UtmContext *context, const UtmImageToolSpec *spec, UtmError **error)
{
	g_autofree char *program = utm__image_tool_find(context, error);
	int pipe_fds[2];

	if (!program)
		return NULL;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		utm__fail_errno(error, errno, program, "pipe");
		return NULL;
	}
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	UtmImageTool *tool = g_new0(UtmImageTool, 1);
	*tool = (UtmImageTool){ .context = context,
		                    .output_fd = pipe_fds[0],
		                    .output = g_string_new(NULL),
		                    .on_progress = spec->on_progress,
		                    .on_end = spec->on_end,
		                    .data = spec->data };
	for (; tool->file_count < spec->file_count; tool->file_count++) {
		tool->paths[tool->file_count] = g_strdup(spec->files[tool->file_count].path);
		tool->options[tool->file_count] = g_strdup(spec->files[tool->file_count].options);
	}
	tool->process = spawn(tool, program, spec, pipe_fds[1], error);
	utm__close_fd(&pipe_fds[1]);
	if (!tool->process) {
		tool_free(tool);
		return NULL;
	}
	tool->output_source = utm__io_add_fd(context, tool->output_fd, G_IO_IN, on_output, tool);
	return tool;
}

void utm__image_tool_kill(UtmImageTool *tool)
{
	utm__process_kill(tool->process, SIGKILL);
}
