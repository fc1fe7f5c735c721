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

static int document_open(Document *document, const char *path)
{
	struct stat info;
	UtmError *error = NULL;
	bool is_directory = stat(path, &info) == 0 && S_ISDIR(info.st_mode);

	*document = (Document){ .path = path };
	if (!is_directory)
		return utm_config_new_from_file(path, &document->config, &error) < 0 ? report(path, error) : EXIT_OK;
	document->ctx = utm_context_new(NULL, &error);
	if (!document->ctx || utm_bundle_open(document->ctx, path, &document->bundle, &error) < 0)
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

/* Beside and renamed, so that a crash leaves the old file or the new one. */
static int save_plist(const char *path, const char *data, size_t size)
{
	size_t length = strlen(path) + sizeof ".XXXXXX";
	char *beside = malloc(length);
	struct stat old;

	if (!beside)
		return complain("%s: out of memory", path);
	snprintf(beside, length, "%s.XXXXXX", path);
	int fd = mkostemp(beside, O_CLOEXEC);
	bool good = fd >= 0 && write_whole(fd, data, size) && (stat(path, &old) < 0 || fchmod(fd, old.st_mode & 0777) == 0);
	if (fd >= 0)
		good = close(fd) == 0 && good;
	good = good && rename(beside, path) == 0;
	int status = good ? EXIT_OK : complain("%s: cannot be written: %s", path, strerror(errno));
	if (!good && fd >= 0)
		unlink(beside);
	free(beside);
	return status;
}

static int document_save(Document *document)
{
	UtmError *error = NULL;
	char *data = NULL;
	size_t size = 0;

	if (document->bundle)
		return utm_bundle_save_config(document->bundle, document->config, &error) < 0 ? report(document->path, error)
		                                                                              : EXIT_OK;
	if (utm_config_to_plist(document->config, &data, &size, &error) < 0)
		return report(document->path, error);
	int status = save_plist(document->path, data, size);
	utm_free(data);
	return status;
}

typedef struct Format {
	bool json, plist;
} Format;

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

static int show(Document *document, char **operands, const Format *format)
{
	UtmError *error = NULL;
	char *json = NULL;

	(void)operands;
	if (format->plist)
		return print_plist(document);
	if (utm_config_to_json(document->config, NULL, &json, &error) < 0)
		return report(document->path, error);
	bool good = format->json ? puts(json) >= 0 : print_flat(stdout, json);
	utm_free(json);
	return good ? EXIT_OK : complain("%s: cannot be printed", document->path);
}

static int get(Document *document, char **operands, const Format *format)
{
	UtmError *error = NULL;
	char *json = NULL;

	if (utm_config_to_json(document->config, operands[0], &json, &error) < 0)
		return report(document->path, error);
	bool good = format->json ? puts(json) >= 0 : print_value(stdout, json);
	utm_free(json);
	return good ? EXIT_OK : complain("%s: %s: cannot be printed", document->path, operands[0]);
}

static int set(Document *document, char **operands, const Format *format)
{
	UtmError *error = NULL;
	char *equals = operands[1] ? NULL : strchr(operands[0], '=');
	const char *value = operands[1] ? operands[1] : equals ? equals + 1 : NULL;

	(void)format;
	if (!value)
		return misused("config", "set: which value for %s?", operands[0]);
	if (equals)
		*equals = '\0';
	if (utm_config_set_text(document->config, operands[0], value, &error) < 0)
		return report(document->path, error);
	return document_save(document);
}

static int remove_key(Document *document, char **operands, const Format *format)
{
	UtmError *error = NULL;

	(void)format;
	if (utm_config_remove(document->config, operands[0], &error) < 0)
		return report(document->path, error);
	return document_save(document);
}

static const struct Action {
	const char *name;
	int least, most; /* operands after the path */
	int (*run)(Document *document, char **operands, const Format *format);
} actions[] = {
	{ "show", 0, 0, show },
	{ "get", 1, 1, get },
	{ "set", 1, 2, set },
	{ "remove", 1, 1, remove_key },
};

int command_config(int argc, char **argv)
{
	Format format = { 0 };
	const Option options[] = {
		{ .name = "--json", .present = &format.json },
		{ .name = "--plist", .present = &format.plist },
	};
	Document document;

	argc = take_options(argc, argv, options, sizeof options / sizeof options[0]);
	if (argc < 0)
		return EXIT_USAGE;
	if (argc < 3)
		return misused(argv[0], "show, get, set or remove, and which bundle or property list?");
	argv[argc] = NULL; /* options are gone, so there is room */
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		if (argc - 3 < actions[i].least || argc - 3 > actions[i].most)
			return misused(argv[0], "%s: wrong number of arguments", argv[1]);
		int status = document_open(&document, argv[2]);
		if (status == EXIT_OK)
			status = actions[i].run(&document, argv + 3, &format);
		document_close(&document);
		return status;
	}
	return misused(argv[0], "no such action: %s", argv[1]);
}
