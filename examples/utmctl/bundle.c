/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl bundle: packages as files. */
#include "utmctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int with_bundle(const char *path, int (*act)(UtmBundle *bundle, char **operands), char **operands)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;
	UtmContext *ctx = utm_context_new(NULL, &error);
	int status = !ctx || utm_bundle_open(ctx, path, &bundle, &error) < 0 ? report(path, error) : act(bundle, operands);

	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return status;
}

static bool as_json, confirmed, keep_macs;
static const char *new_name;

/* --- list --- */

static void print_entry(const UtmBundleEntry *entry)
{
	const char *code = utm_error_code_get_name(utm_error_get_code(entry->error));

	printf("%-36s  ", entry->uuid ? entry->uuid : "-");
	print_plain(stdout, entry->name);
	printf("  ");
	print_plain(stdout, entry->path);
	if (entry->error)
		printf("  (%s: %s)", code ? code : "unknown", utm_error_get_message(entry->error));
	printf("\n");
}

static void print_member(const char *before, const char *name, const char *value)
{
	if (!value)
		return;
	printf("%s\"%s\": ", before, name);
	print_json_string(stdout, value);
}

static void print_json_entry(const UtmBundleEntry *entry, bool first)
{
	printf("%s\n  {", first ? "" : ",");
	print_member("", "path", entry->path);
	print_member(", ", "name", entry->name);
	print_member(", ", "uuid", entry->uuid);
	if (entry->error) {
		print_member(", ", "error", utm_error_code_get_name(utm_error_get_code(entry->error)));
		print_member(", ", "message", utm_error_get_message(entry->error));
	}
	printf("}");
}

static int run_list(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmBundleList *list = NULL;

	(void)command;
	if (utm_bundle_list_directory(operands[0] ? operands[0] : ".", &list, &error) < 0)
		return report(operands[0], error);
	printf("%s", as_json ? "[" : "");
	for (size_t i = 0; i < utm_bundle_list_get_count(list); i++) {
		if (as_json)
			print_json_entry(utm_bundle_list_get(list, i), i == 0);
		else
			print_entry(utm_bundle_list_get(list, i));
	}
	printf("%s", as_json ? "\n]\n" : "");
	utm_bundle_list_free(list);
	return EXIT_OK;
}

/* --- size --- */

static int size_of(UtmBundle *bundle, char **operands)
{
	UtmError *error = NULL;
	UtmBundleSize size = UTM_BUNDLE_SIZE_INIT;

	if (utm_bundle_get_size(bundle, &size, &error) < 0)
		return report(operands[0], error);
	printf(as_json ? "{\"allocatedBytes\": %" PRIu64 ", \"lengthBytes\": %" PRIu64 ", \"files\": %" PRIu64 "}\n"
	               : "on disk: %" PRIu64 " bytes\ncontent: %" PRIu64 " bytes\nfiles: %" PRIu64 "\n",
	       size.allocated_bytes, size.length_bytes, size.file_count);
	return EXIT_OK;
}

static int run_size(const Command *command, char **operands)
{
	(void)command;
	return with_bundle(operands[0], size_of, operands);
}

/* --- view --- */

static int view_of(UtmBundle *bundle, char **operands)
{
	UtmError *error = NULL;
	UtmValue *state = NULL;

	if (utm_bundle_get_view_state(bundle, NULL, &state, &error) < 0)
		return report(operands[0], error);
	char *json = utm_value_dup_json(state);
	bool good = as_json ? puts(json) >= 0 : utm_value_get_count(state) == 0 || print_flat(stdout, json);
	utm_free(json);
	utm_value_free(state);
	return good || ferror(stdout) ? EXIT_OK : complain("%s: cannot be printed", operands[0]);
}

static int run_view(const Command *command, char **operands)
{
	(void)command;
	return with_bundle(operands[0], view_of, operands);
}

/* --- prune --- */

static bool is_named(char **names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void print_files(const UtmBundleFiles *files, char **names, const char *going, const char *staying)
{
	for (size_t i = 0; i < utm_bundle_files_get_count(files); i++) {
		const UtmBundleFile *file = utm_bundle_files_get(files, i);
		const char *what = !staying || (*names ? is_named(names, file->name) : file->prunable) ? going : staying;
		printf("%s  ", what);
		print_plain(stdout, file->name);
		printf("  %" PRIu64 " bytes\n", file->allocated_bytes);
	}
}

static int prune(UtmBundle *bundle, char **operands)
{
	UtmError *error = NULL;
	UtmBundleFiles *files = NULL;
	char **names = operands + 1;
	int result = confirmed ? utm_bundle_prune(bundle, *names ? (const char *const *)names : NULL, &files, &error)
	                       : utm_bundle_list_unreferenced(bundle, &files, &error);

	if (result < 0)
		return report(operands[0], error);
	print_files(files, names, confirmed ? "removed" : "would go", confirmed ? NULL : "stays   ");
	utm_bundle_files_free(files);
	return EXIT_OK;
}

static int run_prune(const Command *command, char **operands)
{
	(void)command;
	return with_bundle(operands[0], prune, operands);
}

/* --- clone, rename --- */

static int clone_bundle(UtmBundle *bundle, char **operands)
{
	UtmError *error = NULL;
	UtmBundle *copy = NULL;
	UtmBundleCloneOptions options = UTM_BUNDLE_CLONE_OPTIONS_INIT;

	options.name = new_name;
	options.flags = keep_macs ? UTM_BUNDLE_CLONE_KEEP_MACS : 0;
	if (utm_bundle_clone(bundle, operands[1], &options, &copy, &error) < 0)
		return report(operands[1], error);
	print_plain(stdout, utm_bundle_get_path(copy));
	printf("\n");
	utm_bundle_unref(copy);
	return EXIT_OK;
}

static int run_clone(const Command *command, char **operands)
{
	(void)command;
	return with_bundle(operands[0], clone_bundle, operands);
}

static int rename_bundle(UtmBundle *bundle, char **operands)
{
	UtmError *error = NULL;

	if (utm_bundle_rename(bundle, operands[1], &error) < 0)
		return report(operands[0], error);
	print_plain(stdout, utm_bundle_get_path(bundle));
	printf("\n");
	return EXIT_OK;
}

static int run_rename(const Command *command, char **operands)
{
	(void)command;
	return with_bundle(operands[0], rename_bundle, operands);
}

/* --- commands --- */

static const Option json_options[] = {
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

static const Option prune_options[] = {
	{ .name = "--yes", .present = &confirmed },
	{ 0 },
};

static const Option clone_options[] = {
	{ .name = "--name", .value = &new_name },
	{ .name = "--keep-macs", .present = &keep_macs },
	{ 0 },
};

const Command bundle_list_command = {
	.name = "bundle list",
	.arguments = "[DIRECTORY] [--json]",
	.summary = "list the bundles of a directory: identifier, name, path, and what is wrong with those that are broken",
	.options = json_options,
	.least = 0,
	.most = 1,
	.run = run_list,
};

const Command bundle_size_command = {
	.name = "bundle size",
	.arguments = "BUNDLE [--json]",
	.summary = "print what a bundle occupies on disk",
	.options = json_options,
	.least = 1,
	.most = 1,
	.run = run_size,
};

const Command bundle_view_command = {
	.name = "bundle view",
	.arguments = "BUNDLE [--json]",
	.summary = "print what view.plist of a bundle of UTM 1 to 3 says of windows, media and shared directory",
	.options = json_options,
	.least = 1,
	.most = 1,
	.run = run_view,
};

const Command bundle_prune_command = {
	.name = "bundle prune",
	.arguments = "BUNDLE [NAME]... [--yes]",
	.summary = "list the files that the configuration does not refer to; with --yes, remove those that would go",
	.notes = "By themselves only disk images go of which nothing speaks any more. Other files go when they are named.\n",
	.options = prune_options,
	.least = 1,
	.most = 1000000,
	.run = run_prune,
};

const Command bundle_clone_command = {
	.name = "bundle clone",
	.arguments = "BUNDLE NEW.utm [--name NAME] [--keep-macs]",
	.summary = "copy a bundle; the copy is a machine of its own",
	.notes = "The copy is called NAME, or as its file. It gets another identifier and other hardware addresses.\n",
	.options = clone_options,
	.least = 2,
	.most = 2,
	.run = run_clone,
};

const Command bundle_rename_command = {
	.name = "bundle rename",
	.arguments = "BUNDLE NAME",
	.summary = "give the machine and its bundle another name",
	.least = 2,
	.most = 2,
	.run = run_rename,
};
