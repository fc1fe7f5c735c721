/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl config: a configuration is values, in a bundle or in a property list alone. */
#include "utmctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a configuration came from, so that it can go back there. */
typedef struct Document {
	const char *path;
	UtmContext *ctx;
	UtmBundle *bundle; /* NULL: the path is a property list */
	UtmConfig *config; /* our own copy */
} Document;

static bool has_ending(const char *path, const char *ending)
{
	size_t length = strlen(path), end = strlen(ending);

	return length > end && strcmp(path + length - end, ending) == 0;
}

/* (transfer full) The package whose configuration this file is, by its name; NULL when it is none's. */
static char *dup_package(const char *path)
{
	char *real = has_ending(path, "config.plist") ? realpath(path, NULL) : NULL;

	if (real && has_ending(real, ".utm/config.plist"))
		return real[strlen(real) - strlen("/config.plist")] = 0, real;
	free(real);
	return NULL;
}

/*
 * The file of a package is edited as the package is: nobody else may have it open. Only one that does not open, because a
 * name in it leads out, is a file like any other, so that it can be mended; and one of an older version, which is shown but
 * not brought to this version without a word.
 */
static bool open_package_of(Document *document, const char *path)
{
	char *package = dup_package(path);

	document->ctx = package ? utm_context_new(NULL, NULL) : NULL;
	bool opened = document->ctx && utm_bundle_open(document->ctx, package, &document->bundle, NULL) == 0;
	free(package);
	if (opened &&
	    utm_config_get_format(utm_bundle_get_config(document->bundle), NULL) == UTM_CONFIG_FORMAT_CURRENT)
		return true;
	utm_bundle_unref(document->bundle);
	document->bundle = NULL;
	return false;
}

static int document_open(Document *document, const char *path)
{
	struct stat info;
	UtmError *error = NULL;
	bool is_directory = stat(path, &info) == 0 && S_ISDIR(info.st_mode);

	*document = (Document){ .path = path };
	if (!is_directory && !open_package_of(document, path))
		return utm_config_new_from_file(path, &document->config, &error) < 0 ? report(path, error) : EXIT_OK;
	if (!document->ctx)
		document->ctx = utm_context_new(NULL, &error);
	if (!document->ctx || (!document->bundle && utm_bundle_open(document->ctx, path, &document->bundle, &error) < 0))
		return report(path, error);
	document->config = utm_config_copy(utm_bundle_get_config(document->bundle));
	return EXIT_OK;
}

static void document_close(Document *document)
{
	utm_config_unref(document->config);
	utm_bundle_unref(document->bundle);
	utm_context_unref(document->ctx);
}

static bool write_whole(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);
		if (written < 0 && errno != EINTR)
			return false;
		data += written < 0 ? 0 : written;
		size -= written < 0 ? 0 : (size_t)written;
	}
	return fsync(fd) == 0;
}

/* Where a file is to be written: a link stays, its target is written. What is not there yet has its own name. */
static char *dup_target(const char *path)
{
	char *target = realpath(path, NULL);
	struct stat info;

	return target || lstat(path, &info) == 0 || errno != ENOENT ? target : strdup(path);
}

/* What open() would give a new file: what there is keeps its mode. */
static mode_t mode_for(const char *target)
{
	struct stat old;
	mode_t mask = umask(0);

	umask(mask);
	return stat(target, &old) == 0 ? old.st_mode & 0777 : 0666 & ~mask;
}

static int replace_file(const char *path, const char *data, size_t size)
{
	char *target = dup_target(path);
	size_t length = strlen(target ? target : "") + sizeof ".XXXXXX";
	char *beside = target ? malloc(length) : NULL;

	if (!beside) {
		free(target);
		return complain("%s: cannot be written: %s", path, strerror(errno));
	}
	snprintf(beside, length, "%s.XXXXXX", target);
	int fd = mkostemp(beside, O_CLOEXEC);
	bool good = fd >= 0 && write_whole(fd, data, size) && fchmod(fd, mode_for(target)) == 0;
	if (fd >= 0)
		good = close(fd) == 0 && good;
	good = good && rename(beside, target) == 0;
	int status = good ? EXIT_OK : complain("%s: cannot be written: %s", path, strerror(errno));
	if (!good && fd >= 0)
		unlink(beside);
	free(beside);
	free(target);
	return status;
}

/* Devices and pipes are written, not replaced. */
static int write_special(const char *path, const char *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && (write_whole(fd, data, size) || errno == EINVAL); /* they cannot be flushed */

	if (fd >= 0)
		good = close(fd) == 0 && good;
	return good ? EXIT_OK : complain("%s: cannot be written: %s", path, strerror(errno));
}

int save_file(const char *path, const char *data, size_t size)
{
	struct stat info;

	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
		return write_special(path, data, size);
	return replace_file(path, data, size);
}

int save_result(const char *path, const char *data, size_t size)
{
	char *package = dup_package(path);

	if (package) {
		int status = complain("%s: is the configuration of a package\n        Name another file; config set edits packages.", path);
		free(package);
		return status;
	}
	if (has_ending(path, ".utm"))
		return complain("%s: would be a file with the name of a package\n        Choose a name that does not end with .utm.", path);
	return save_file(path, data, size);
}

static int document_save(Document *document)
{
	UtmError *error = NULL;
	char *data = NULL;
	size_t size = 0;

	if (document->bundle)
		return utm_bundle_save_config(document->bundle, document->config, &error) < 0 ? report(document->path, error)
		                                                                              : EXIT_OK;
	/* Version 4 looks for the machine's files elsewhere: the package would be broken. */
	if (utm_config_get_format(document->config, NULL) == UTM_CONFIG_FORMAT_LEGACY_QEMU)
		return complain("%s: was written by UTM 1 to 3, which keep a machine's files elsewhere\n"
		                "        edit the package, not the file alone", document->path);
	if (utm_config_to_plist(document->config, &data, &size, &error) < 0)
		return report(document->path, error);
	int status = save_file(document->path, data, size);
	utm_free(data);
	return status;
}

/* --- names that lead out: a bundle refuses them, a property list alone has nothing that they could lead out of --- */

static void warn_of_name(const Document *document, const char *key_path)
{
	char *name = NULL;

	if (utm_config_get_string(document->config, key_path, &name, NULL) < 0)
		return; /* absent: no file */
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		complain("warning: %s: %s: \"%s\" is no plain file name; a bundle with it will not open", document->path, key_path,
		         name);
	utm_free(name);
}

static void warn_of_names(const Document *document)
{
	size_t count = 0;
	bool custom = false;

	if (document->bundle)
		return;
	(void)utm_config_get_count(document->config, "Drive", &count, NULL);
	for (size_t i = 0; i < count; i++) {
		char key_path[64];
		snprintf(key_path, sizeof key_path, "Drive[%zu].ImageName", i);
		warn_of_name(document, key_path);
	}
	if (utm_config_get_bool(document->config, "Information.IconCustom", &custom, NULL) == 0 && custom)
		warn_of_name(document, "Information.Icon");
}

/* --- actions --- */

static bool as_json, as_plist;

/* Output that did not arrive is main()'s to tell; what is left is text that is no JSON. */
static int printed(const Document *document, bool good)
{
	return good || ferror(stdout) ? EXIT_OK : complain("%s: cannot be printed", document->path);
}

static int print_plist(Document *document)
{
	UtmError *error = NULL;
	char *data = NULL;
	size_t size = 0;

	if (utm_config_to_plist(document->config, &data, &size, &error) < 0)
		return report(document->path, error);
	fwrite(data, 1, size, stdout);
	utm_free(data);
	return EXIT_OK;
}

static int show(Document *document, char **operands)
{
	UtmError *error = NULL;
	char *json = NULL;

	(void)operands;
	warn_of_names(document);
	if (as_plist)
		return print_plist(document);
	if (utm_config_to_json(document->config, NULL, &json, &error) < 0)
		return report(document->path, error);
	bool good = as_json ? puts(json) >= 0 : print_flat(stdout, json);
	utm_free(json);
	return printed(document, good);
}

static int get(Document *document, char **operands)
{
	UtmError *error = NULL;
	char *json = NULL;

	if (utm_config_to_json(document->config, operands[0], &json, &error) < 0)
		return report(document->path, error);
	bool good = as_json ? puts(json) >= 0 : print_value(stdout, json);
	utm_free(json);
	return printed(document, good);
}

static int set(Document *document, char **operands)
{
	UtmError *error = NULL;

	if (utm_config_set_text(document->config, operands[0], operands[1], &error) < 0)
		return report(document->path, error);
	warn_of_names(document);
	int status = document_save(document);
	return status == EXIT_OK && as_json ? get(document, operands) : status;
}

/* `Drive` is its end, `Drive[1]` before its second element. The path loses the index. */
static int64_t take_index(char *path)
{
	char *bracket = strrchr(path, '['), *end = NULL;
	bool is_last = bracket && path[strlen(path) - 1] == ']' && bracket[1] >= '0' && bracket[1] <= '9';
	long long index = is_last ? strtoll(bracket + 1, &end, 10) : -1;

	if (!is_last || end[1])
		return -1;
	*bracket = 0;
	return index;
}

static int insert(Document *document, char **operands)
{
	UtmError *error = NULL;
	int64_t index = take_index(operands[0]);

	if (utm_config_insert(document->config, operands[0], index, operands[1] ? operands[1] : "{}", &error) < 0)
		return report(document->path, error);
	warn_of_names(document);
	int status = document_save(document);
	return status == EXIT_OK && as_json ? get(document, operands) : status;
}

static int remove_key(Document *document, char **operands)
{
	UtmError *error = NULL;

	if (utm_config_remove(document->config, operands[0], &error) < 0)
		return report(document->path, error);
	int status = document_save(document);
	if (status == EXIT_OK && as_json)
		puts("null");
	return status;
}

static int with_document(int (*act)(Document *document, char **operands), char **operands)
{
	Document document;
	bool is_open = document_open(&document, operands[0]) == EXIT_OK;
	int status = is_open ? act(&document, operands + 1) : EXIT_UNREADABLE;

	document_close(&document);
	return status;
}

/* --- commands --- */

static int run_show(const Command *command, char **operands)
{
	return as_json && as_plist ? misused(command, "--json or --plist, not both") : with_document(show, operands);
}

static int run_get(const Command *command, char **operands)
{
	(void)command;
	return with_document(get, operands);
}

/* The value is an operand of its own, or stands behind the key path and `=`. */
static int run_set(const Command *command, char **operands)
{
	char *equals = operands[2] ? NULL : strchr(operands[1], '=');
	char *separate[] = { operands[0], operands[1], equals ? equals + 1 : operands[2], NULL };

	if (!separate[2])
		return misused(command, "which value for %s?", operands[1]);
	if (equals)
		*equals = '\0';
	return with_document(set, separate);
}

static int run_insert(const Command *command, char **operands)
{
	(void)command;
	return with_document(insert, operands);
}

static int run_remove(const Command *command, char **operands)
{
	(void)command;
	return with_document(remove_key, operands);
}

static const Option show_options[] = {
	{ .name = "--json", .present = &as_json },
	{ .name = "--plist", .present = &as_plist },
	{ 0 },
};

static const Option get_options[] = {
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

#define EXIT_NOTES "Exit codes: 0 done; 1 there is no such key, or it cannot be written; 2 the configuration cannot be read.\n"

const Command config_show_command = {
	.name = "config show",
	.arguments = "BUNDLE|PLIST [--json | --plist]",
	.summary = "print the whole configuration",
	.notes = EXIT_NOTES,
	.options = show_options,
	.least = 1,
	.most = 1,
	.run = run_show,
};

const Command config_get_command = {
	.name = "config get",
	.arguments = "BUNDLE|PLIST KEY.PATH [--json]",
	.summary = "print one value, or a section",
	.notes = EXIT_NOTES,
	.options = get_options,
	.least = 2,
	.most = 2,
	.run = run_get,
};

const Command config_set_command = {
	.name = "config set",
	.arguments = "BUNDLE|PLIST KEY.PATH VALUE [--json]",
	.summary = "check and write one value (also: KEY.PATH=VALUE)",
	.notes = "VALUE is true or false, a number, a string without quotes, or JSON for a section or an array: of a\n"
			 "section, keys that it does not name stay as they are, and null takes one out. Write -- before a value that begins\n"
			 "with a dash. --json prints what the value is now.\n\n" EXIT_NOTES,
	.options = get_options,
	.least = 2,
	.most = 3,
	.run = run_set,
};

const Command config_insert_command = {
	.name = "config insert",
	.arguments = "BUNDLE|PLIST ARRAY[INDEX] [JSON] [--json]",
	.summary = "put in a drive, a card, a serial port: one that fits the machine, with what JSON says",
	.notes = "Without [INDEX] it comes last. --json prints the array as it is now. An image for a drive is made by utmctl drive add.\n\n"
			 EXIT_NOTES,
	.options = get_options,
	.least = 2,
	.most = 3,
	.run = run_insert,
};

const Command config_remove_command = {
	.name = "config remove",
	.arguments = "BUNDLE|PLIST KEY.PATH [--json]",
	.summary = "take out an optional value or an array's element",
	.notes = EXIT_NOTES,
	.options = get_options,
	.least = 2,
	.most = 2,
	.run = run_remove,
};
