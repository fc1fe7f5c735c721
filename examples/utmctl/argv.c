/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl argv: what would be run, and why. */
#include "utmctl.h"

#include <stdlib.h>
#include <string.h>

#define FACTS_MAX (1024 * 1024)

typedef struct Request {
	const char *host_name;
	const char *facts_file;
	bool json, explain;
} Request;

static Request request;

static char *read_facts(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = malloc(FACTS_MAX + 1);
	size_t size = file && text ? fread(text, 1, FACTS_MAX + 1, file) : 0;
	bool good = file && text && !ferror(file) && size <= FACTS_MAX;

	if (file)
		fclose(file);
	if (good) {
		text[size] = '\0';
		return text;
	}
	complain("%s: cannot be read as host facts\n        name a readable JSON file of at most 1 MiB", path);
	free(text);
	return NULL;
}

static int find_host(const Command *command, UtmContext *ctx, UtmBundle *bundle, UtmHost **ret_host)
{
	UtmError *error = NULL;

	if (!request.host_name && !request.facts_file)
		return utm_host_probe(ctx, utm_bundle_get_config(bundle), ret_host, &error) < 0 ? report(NULL, error) : EXIT_OK;
	uint32_t os = UTM_HOST_OS_LINUX;
	if (request.host_name && strcmp(request.host_name, "macos") == 0)
		os = UTM_HOST_OS_MACOS;
	else if (request.host_name && strcmp(request.host_name, "linux") != 0)
		return misused(command, "--host is linux or macos, not %s", request.host_name);
	char *facts = request.facts_file ? read_facts(request.facts_file) : NULL;
	if (request.facts_file && !facts)
		return EXIT_OPERATION;
	int code = utm_host_new_from_json(os, facts, ret_host, &error);
	free(facts);
	return code < 0 ? report(request.facts_file, error) : EXIT_OK;
}

static void print_lines(const UtmArgv *argv, bool explain)
{
	const char *const *strings = utm_argv_get_strings(argv);

	printf("%s\n", utm_argv_get_program(argv));
	for (size_t i = 0; i < utm_argv_get_count(argv); i++) {
		const char *key_path = explain ? utm_argv_get_key_path(argv, i) : NULL;
		printf("%s%s%s\n", strings[i], key_path ? "\t# " : "", key_path ? key_path : "");
	}
}

static void print_json(const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);

	printf("{\n  \"program\": ");
	print_json_string(stdout, utm_argv_get_program(argv));
	printf(",\n  \"arguments\": [");
	for (size_t i = 0; i < utm_argv_get_count(argv); i++) {
		printf("%s\n    {\"text\": ", i ? "," : "");
		print_json_string(stdout, strings[i]);
		if (utm_argv_get_key_path(argv, i)) {
			printf(", \"key\": ");
			print_json_string(stdout, utm_argv_get_key_path(argv, i));
		}
		printf("}");
	}
	printf("\n  ],\n  \"warnings\": [");
	for (size_t i = 0; i < utm_argv_get_warning_count(argv); i++) {
		printf("%s\n    ", i ? "," : "");
		print_json_string(stdout, utm_argv_get_warning(argv, i));
	}
	printf("%s]\n}\n", utm_argv_get_warning_count(argv) ? "\n  " : "");
}

static int build_and_print(const Command *command, UtmContext *ctx, UtmBundle *bundle)
{
	UtmError *error = NULL;
	UtmHost *host = NULL;
	UtmArgv *argv = NULL;
	int status = find_host(command, ctx, bundle, &host);

	if (status != EXIT_OK)
		return status;
	if (utm_argv_build(utm_bundle_get_config(bundle), utm_bundle_get_path(bundle), host, &argv, &error) < 0) {
		utm_host_unref(host);
		return report(utm_bundle_get_path(bundle), error);
	}
	if (request.json)
		print_json(argv);
	else
		print_lines(argv, request.explain);
	for (size_t i = 0; !request.json && i < utm_argv_get_warning_count(argv); i++)
		complain("warning: %s", utm_argv_get_warning(argv, i));
	utm_argv_unref(argv);
	utm_host_unref(host);
	return EXIT_OK;
}

static int run_argv(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;

	if (request.json && request.explain)
		return misused(command, "--json or --explain, not both");
	UtmContext *ctx = utm_context_new(NULL, &error);
	if (!ctx)
		return report(NULL, error);
	int status = utm_bundle_open(ctx, operands[0], &bundle, &error) < 0 ? report(operands[0], error)
	                                                                    : build_and_print(command, ctx, bundle);
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return status;
}

static const Option options[] = {
	{ .name = "--host", .value = &request.host_name },
	{ .name = "--host-facts", .value = &request.facts_file },
	{ .name = "--json", .present = &request.json },
	{ .name = "--explain", .present = &request.explain },
	{ 0 },
};

const Command argv_command = {
	.name = "argv",
	.arguments = "BUNDLE [--host linux|macos] [--host-facts FILE] [--json | --explain]",
	.summary = "print QEMU's command line, one argument per line; nothing is started",
	.notes = "Without --host, the facts of this host are gathered first; with it, those of a typical host are used, and\n"
			 "--host-facts changes some of them. --explain adds the key path that each argument comes from.\n",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run_argv,
};
