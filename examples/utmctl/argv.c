/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl argv: what would be run, and why. */
#include "utmctl.h"

#include <stdlib.h>
#include <string.h>

#define FACTS_MAX (1024 * 1024)

typedef struct Request {
	const char *host_name;
	const char *facts_file;
	bool json, explain, shell, exact;
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

/* The facts as text with the switches of the command line in it. NULL: none. Released with free(). */
static char *make_facts(const char *file)
{
	char *facts = file ? read_facts(file) : strdup("{}");
	const char *rest = facts ? strchr(facts, '{') : NULL;
	size_t size = facts ? strlen(facts) + 32 : 0;
	char *changed = rest && request.exact ? malloc(size) : NULL;

	if (!changed)
		return facts;
	/* The last of two equal keys counts, but the file is unlikely to have it. */
	snprintf(changed, size, "{\"UtmExact\":true%s%s", strspn(rest + 1, " \t\r\n}") == strlen(rest + 1) ? "" : ",", rest + 1);
	free(facts);
	return changed;
}

static int find_host(const Command *command, UtmContext *ctx, UtmBundle *bundle, UtmHost **ret_host)
{
	UtmError *error = NULL;
	bool macos = request.host_name && strcmp(request.host_name, "macos") == 0;

	if (request.host_name && !macos && strcmp(request.host_name, "linux") != 0)
		return misused(command, "--host is linux or macos, not %s", request.host_name);
	if (request.exact && !macos)
		return misused(command, "--utm-exact goes with --host macos");
	if (!request.host_name && !request.facts_file)
		return utm_host_probe(ctx, utm_bundle_get_config(bundle), ret_host, &error) < 0 ? report(NULL, error) : EXIT_OK;
	char *facts = make_facts(request.facts_file);
	if (!facts)
		return EXIT_OPERATION;
	int code = utm_host_new_from_json(macos ? UTM_HOST_OS_MACOS : UTM_HOST_OS_LINUX, facts, ret_host, &error);
	free(facts);
	return code < 0 ? report(request.facts_file, error) : EXIT_OK;
}

static void print_lines(const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);

	printf("%s\n", utm_argv_get_program(argv));
	for (size_t i = 0; i < utm_argv_get_count(argv); i++)
		printf("%s\n", strings[i]);
}

/* --- with reasons --- */

/* Columns: long arguments have what belongs to them in the next line. */
#define ARGUMENT_COLUMN_MAX 48

/* In columns of a terminal, roughly: characters, not bytes. */
static size_t measure(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* An option and what looks like its value are one row. Returns how many arguments row `i` has. */
static size_t measure_row(const UtmArgv *argv, size_t i, size_t *ret_width)
{
	const char *const *strings = utm_argv_get_strings(argv);
	bool pair = strings[i][0] == '-' && strings[i + 1] && strings[i + 1][0] != '-';

	*ret_width = measure(strings[i]) + (pair ? 1 + measure(strings[i + 1]) : 0);
	return pair ? 2 : 1;
}

static void measure_columns(const UtmArgv *argv, size_t *ret_argument, size_t *ret_key)
{
	size_t width;

	*ret_argument = *ret_key = 1;
	for (size_t i = 0; i < utm_argv_get_count(argv);) {
		const char *key_path = utm_argv_get_key_path(argv, i);

		i += measure_row(argv, i, &width);
		*ret_argument = width > *ret_argument && width <= ARGUMENT_COLUMN_MAX ? width : *ret_argument;
		width = key_path ? measure(key_path) : 1;
		*ret_key = width > *ret_key ? width : *ret_key;
	}
}

static void pad(size_t from, size_t to)
{
	printf("%*s", (int)(to > from ? to - from : 0), "");
}

static void print_explained(const UtmArgv *argv)
{
	const char *const *strings = utm_argv_get_strings(argv);
	size_t argument_width, key_width, width;

	measure_columns(argv, &argument_width, &key_width);
	printf("%s\n", utm_argv_get_program(argv));
	for (size_t i = 0; i < utm_argv_get_count(argv);) {
		/* An option's place in the configuration is that of its value, which is finer. */
		size_t count = measure_row(argv, i, &width), last = i + count - 1;
		const char *key_path = utm_argv_get_key_path(argv, last), *reason = utm_argv_get_reason(argv, last);

		print_plain(stdout, strings[i]);
		if (count == 2) {
			printf(" ");
			print_plain(stdout, strings[last]);
		}
		if (width > argument_width)
			printf("\n");
		pad(width > argument_width ? 0 : width, argument_width + 2);
		printf("%s", key_path ? key_path : "-");
		pad(key_path ? measure(key_path) : 1, key_width + 2);
		printf("%s\n", reason ? reason : "-");
		i += count;
	}
}

static void print_member(const char *name, const char *text)
{
	if (!text)
		return;
	printf(", \"%s\": ", name);
	print_json_string(stdout, text);
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
		print_member("key", utm_argv_get_key_path(argv, i));
		if (request.explain)
			print_member("reason", utm_argv_get_reason(argv, i));
		printf("}");
	}
	printf("\n  ],\n  \"warnings\": [");
	for (size_t i = 0; i < utm_argv_get_warning_count(argv); i++) {
		printf("%s\n    ", i ? "," : "");
		print_json_string(stdout, utm_argv_get_warning(argv, i));
	}
	printf("%s]\n}\n", utm_argv_get_warning_count(argv) ? "\n  " : "");
}

static int print_shell(const UtmArgv *argv)
{
	UtmError *error = NULL;
	char *script = NULL;

	if (utm_argv_to_shell(argv, &script, &error) < 0)
		return report(NULL, error);
	fputs(script, stdout);
	utm_free(script);
	return EXIT_OK;
}

static int print_argv(const UtmArgv *argv)
{
	int status = EXIT_OK;

	if (request.json)
		print_json(argv);
	else if (request.shell)
		status = print_shell(argv);
	else if (request.explain)
		print_explained(argv);
	else
		print_lines(argv);
	for (size_t i = 0; !request.json && i < utm_argv_get_warning_count(argv); i++)
		complain("warning: %s", utm_argv_get_warning(argv, i));
	return status;
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
	status = print_argv(argv);
	utm_argv_unref(argv);
	utm_host_unref(host);
	return status;
}

static int run_argv(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;

	if (request.shell && (request.json || request.explain))
		return misused(command, "--shell stands alone");
	UtmContextOptions options_of_context = UTM_CONTEXT_OPTIONS_INIT;

	options_of_context.accel_policy = chosen_accelerator();
	UtmContext *ctx = utm_context_new(&options_of_context, &error);
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
	{ .name = "--shell", .present = &request.shell },
	{ .name = "--utm-exact", .present = &request.exact },
	{ 0 },
};

const Command argv_command = {
	.name = "argv",
	.arguments = "BUNDLE [--host linux|macos] [--utm-exact] [--host-facts FILE] [--json] [--explain | --shell]",
	.summary = "print QEMU's command line, one argument per line; nothing is started",
	.notes = "The facts of this host are gathered first. With --host or --host-facts nothing is looked at: they are those of a\n"
			 "typical host, and what FILE says, which `utmctl host --json` can make. --host macos is in UTM's spelling with its faults mended, --utm-exact leaves them\n"
			 "in, missing quotes included. --explain adds the key path that each argument comes from, and why it is there; --shell\n"
			 "prints a script that starts it, with its sockets in a private directory or in UTM_RUN_DIR. A machine with a TPM needs\n"
			 "its swtpm besides, and a new one with UEFI its variables: `utmctl bundle reset-uefi` makes them.\n",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run_argv,
};
