/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl config migrate, normalize: from any version and any codec to the file that UTM would write. */
#include "utmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One byte more than the library takes, so that it is the library that says so. */
#define INPUT_MAX ((size_t)(16 << 20) + 1)

static bool as_json, dry_run, utm_exact;

typedef struct Input {
	const char *path; /* "-": standard input */
	char *bytes;      /* with a zero behind them; NULL for a bundle */
	size_t size;
	UtmContext *ctx;
	UtmBundle *bundle; /* NULL for a file */
	UtmConfig *config;
} Input;

/* --- reading --- */

static bool is_standard(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static int unreadable(const char *path, UtmError *error)
{
	report(path, error);
	return EXIT_UNREADABLE;
}

/* Pipes too: `utmctl config normalize <(plutil ...) -`. */
static int read_bytes(Input *input)
{
	int fd = is_standard(input->path) ? dup(0) : open(input->path, O_RDONLY | O_CLOEXEC);
	ssize_t count = fd < 0 ? -1 : 1;

	input->bytes = malloc(INPUT_MAX + 1);
	while (input->bytes && count > 0 && input->size < INPUT_MAX) {
		count = read(fd, input->bytes + input->size, INPUT_MAX - input->size);
		input->size += count > 0 ? (size_t)count : 0;
	}
	bool good = input->bytes && count >= 0;
	if (good)
		input->bytes[input->size] = '\0';
	else
		complain("%s: cannot be read: %s", input->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good ? EXIT_OK : EXIT_UNREADABLE;
}

static bool is_json(const Input *input)
{
	return input->bytes[strspn(input->bytes, " \t\r\n")] == '{' && strlen(input->bytes) == input->size;
}

/* Versions before 4 are named by their package: the directory `NAME.utm` in which the file is. */
static char *package_name(const char *path)
{
	char *real = realpath(path, NULL);
	char *slash = real ? strrchr(real, '/') : NULL;
	size_t length = slash ? (size_t)(slash - real) : 0;

	if (length <= strlen(".utm") || strncmp(slash - strlen(".utm"), ".utm", strlen(".utm")) != 0) {
		free(real);
		return NULL;
	}
	real[length - strlen(".utm")] = '\0';
	slash = strrchr(real, '/');
	memmove(real, slash + 1, strlen(slash + 1) + 1);
	return real;
}

static int load_file(Input *input, UtmConfigLoadOptions *options)
{
	UtmError *error = NULL;
	int status = read_bytes(input), result;

	if (status != EXIT_OK)
		return status;
	char *name = is_standard(input->path) ? NULL : package_name(input->path);
	options->name = name && *name ? name : NULL;
	result = is_json(input) ? utm_config_load_json(input->bytes, options, &input->config, &error)
	                        : utm_config_load_data(input->bytes, input->size, options, &input->config, &error);
	free(name);
	return result < 0 ? unreadable(input->path, error) : EXIT_OK;
}

/* A bundle mends UTM's faults when it reads. What somebody saves between the two readings keeps this one from being saved. */
static int load_bundle(Input *input, const UtmConfigLoadOptions *options)
{
	UtmError *error = NULL;

	input->ctx = utm_context_new(NULL, &error);
	if (!input->ctx || utm_bundle_open(input->ctx, input->path, &input->bundle, &error) < 0)
		return unreadable(input->path, error);
	if (!options->flags) {
		input->config = utm_config_copy(utm_bundle_get_config(input->bundle));
		return EXIT_OK;
	}
	const char *root = utm_bundle_get_path(input->bundle);
	size_t length = strlen(root) + sizeof "/config.plist";
	char *path = malloc(length);
	snprintf(path, length, "%s/config.plist", root);
	int result = utm_config_load_file(path, options, &input->config, &error);
	free(path);
	return result < 0 ? unreadable(input->path, error) : EXIT_OK;
}

static int input_open(Input *input, const char *path)
{
	struct stat info;
	UtmConfigLoadOptions options = UTM_CONFIG_LOAD_OPTIONS_INIT;

	*input = (Input){ .path = path };
	options.flags = utm_exact ? UTM_CONFIG_LOAD_UTM_EXACT : 0;
	bool is_bundle = !is_standard(path) && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
	return is_bundle ? load_bundle(input, &options) : load_file(input, &options);
}

static void input_close(Input *input)
{
	utm_config_unref(input->config);
	utm_bundle_unref(input->bundle);
	utm_context_unref(input->ctx);
	free(input->bytes);
}

/* --- telling --- */

static const char *const kinds[] = {
	[UTM_CONFIG_NOTE_INFO] = "info",
	[UTM_CONFIG_NOTE_CHANGED] = "changed",
	[UTM_CONFIG_NOTE_DROPPED] = "dropped",
};
static const char *const formats[] = {
	[UTM_CONFIG_FORMAT_CURRENT] = "current",
	[UTM_CONFIG_FORMAT_LEGACY_QEMU] = "legacy-qemu",
	[UTM_CONFIG_FORMAT_LEGACY_APPLE] = "legacy-apple",
};

static bool loses_something(const UtmConfig *config)
{
	for (size_t i = 0; i < utm_config_get_note_count(config); i++)
		if (utm_config_get_note(config, i)->kind != UTM_CONFIG_NOTE_INFO)
			return true;
	return false;
}

static void print_notes(FILE *out, const UtmConfig *config)
{
	for (size_t i = 0; i < utm_config_get_note_count(config); i++) {
		const UtmConfigNote *note = utm_config_get_note(config, i);
		fprintf(out, "%s: ", kinds[note->kind]);
		print_plain(out, note->key_path);
		fprintf(out, ": ");
		print_plain(out, note->reason);
		fprintf(out, "\n");
	}
}

static void print_json_member(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	if (value)
		print_json_string(stdout, value);
	else
		printf("null");
}

static void print_json_report(const Input *input, const char *written)
{
	int64_t version = 0;
	UtmConfigFormat format = utm_config_get_format(input->config, &version);

	printf("{\n  ");
	print_json_member("path", input->path);
	printf(",\n  \"backend\": \"%s\",\n  \"format\": \"%s\",\n  \"version\": %" PRId64 ",\n  \"lossy\": %s,\n  ",
	       utm_config_get_backend(input->config) == UTM_BACKEND_APPLE ? "Apple" : "QEMU", formats[format], version,
	       loses_something(input->config) ? "true" : "false");
	print_json_member("written", written);
	printf(",\n  \"notes\": [");
	for (size_t i = 0; i < utm_config_get_note_count(input->config); i++) {
		const UtmConfigNote *note = utm_config_get_note(input->config, i);
		printf("%s\n    {\"kind\": \"%s\", ", i ? "," : "", kinds[note->kind]);
		print_json_member("keyPath", note->key_path);
		printf(", ");
		print_json_member("reason", note->reason);
		printf("}");
	}
	printf("%s]\n}\n", utm_config_get_note_count(input->config) ? "\n  " : "");
}

/* `written`: where, or NULL for nowhere. */
static int tell(const Input *input, const char *written)
{
	if (as_json)
		print_json_report(input, written);
	else
		print_notes(is_standard(written) ? stderr : stdout, input->config);
	return loses_something(input->config) ? EXIT_FINDINGS : EXIT_OK;
}

/* --- writing --- */

static int write_plist(const Input *input, const char *path)
{
	UtmError *error = NULL;
	char *data = NULL;
	size_t size = 0;
	int status = EXIT_OK;

	if (utm_config_to_plist(input->config, &data, &size, &error) < 0)
		return report(input->path, error);
	if (is_standard(path))
		fwrite(data, 1, size, stdout); /* that it did not arrive is main()'s to tell */
	else
		status = save_result(path, data, size);
	utm_free(data);
	return status;
}

/* The machine moves, so the copy keeps its identity; and it appears when it is of version 4. */
static int write_copy(const Input *input, const char *path)
{
	UtmError *error = NULL;
	UtmBundle *copy = NULL;
	UtmBundleCloneOptions options = UTM_BUNDLE_CLONE_OPTIONS_INIT;
	int status = EXIT_OK;

	options.config = input->config;
	if (utm_bundle_clone(input->bundle, path, &options, &copy, &error) < 0)
		status = report(path, error);
	utm_bundle_unref(copy);
	return status;
}

static int write_in_place(const Input *input)
{
	UtmError *error = NULL;

	if (input->bundle)
		return utm_bundle_save_config(input->bundle, input->config, &error) < 0 ? report(input->path, error) : EXIT_OK;
	/* Version 4 looks for the machine's files elsewhere: the package would be broken. */
	if (utm_config_get_format(input->config, NULL) == UTM_CONFIG_FORMAT_LEGACY_QEMU)
		return complain("%s: was written by UTM 1 to 3, which keep a machine's files elsewhere\n"
		                "        migrate the package, or name another file for the result", input->path);
	return write_plist(input, input->path);
}

/* --- commands --- */

static int migrate(const Command *command, Input *input, const char *out)
{
	bool current = utm_config_get_format(input->config, NULL) == UTM_CONFIG_FORMAT_CURRENT;
	int status = EXIT_OK;

	if (dry_run || (current && !out))
		return tell(input, NULL);
	if (input->bundle && is_standard(out))
		return misused(command, "a bundle cannot go to standard output; config normalize writes its configuration there");
	if (!out)
		status = write_in_place(input);
	else
		status = input->bundle ? write_copy(input, out) : write_plist(input, out);
	return status == EXIT_OK ? tell(input, out ? out : input->path) : status;
}

static int run_migrate(const Command *command, char **operands)
{
	Input input;

	if (is_standard(operands[0]) && !operands[1] && !dry_run)
		return misused(command, "where should what comes from standard input go?");
	if (as_json && is_standard(operands[1]) && !dry_run)
		return misused(command, "--json takes standard output for itself");
	int status = input_open(&input, operands[0]);
	if (status == EXIT_OK)
		status = migrate(command, &input, operands[1]);
	input_close(&input);
	return status;
}

static int run_normalize(const Command *command, char **operands)
{
	Input input;

	if (as_json && is_standard(operands[1]))
		return misused(command, "--json takes standard output for itself");
	int status = input_open(&input, operands[0]);
	if (status == EXIT_OK)
		status = write_plist(&input, operands[1]);
	if (status == EXIT_OK)
		status = tell(&input, operands[1]);
	input_close(&input);
	return status;
}

#define EXIT_NOTES                                                                                                     \
	"Each line on standard output, on standard error when that is taken, is a note: `dropped` or `changed`, what could\n" \
	"not be carried over as it was, or `info`, what had no effect anyway; then the key path in the old file, and why.\n" \
	"\n"                                                                                                                \
	"Exit codes: 0 done, nothing is lost; 1 done, but something was dropped or changed, or it could not be written, which\n" \
	"is told on standard error; 2 it cannot be read, or it was not asked properly.\n"

static const Option migrate_options[] = {
	{ .name = "--dry-run", .present = &dry_run },
	{ .name = "--utm-exact", .present = &utm_exact },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

static const Option normalize_options[] = {
	{ .name = "--utm-exact", .present = &utm_exact },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command config_migrate_command = {
	.name = "config migrate",
	.arguments = "IN [OUT] [--dry-run] [--utm-exact] [--json]",
	.summary = "bring a bundle or a file of UTM 1 to 3 to version 4, and tell what that costs",
	.notes = "IN is a bundle, a file, or - for standard input. A bundle stays where it is, and its files move to where\n"
			 "version 4 has them; with OUT, a path that ends with .utm, a copy does, and IN stays as it is. What is of version 4\n"
			 "already is written only when there is an OUT. A file of a QEMU machine needs an OUT: its package would break.\n"
			 "--utm-exact gives what UTM itself makes of it, with its known faults. --dry-run writes nothing.\n\n" EXIT_NOTES,
	.options = migrate_options,
	.least = 1,
	.most = 2,
	.run = run_migrate,
};

const Command config_normalize_command = {
	.name = "config normalize",
	.arguments = "IN OUT [--utm-exact] [--json]",
	.summary = "write a configuration byte for byte as UTM does, from XML, binary or JSON",
	.notes = "IN is a bundle or a file of any version, OUT a file; - is standard input, standard output. Keys that nobody knows\n"
			 "stay where they are. With --json, standard output has a report.\n\n" EXIT_NOTES,
	.options = normalize_options,
	.least = 2,
	.most = 2,
	.run = run_normalize,
};
