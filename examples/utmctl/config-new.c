/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl config new: a machine that was not there before. */
#include "utmctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *architecture, *target, *new_name, *backend, *operating_system;
static bool as_json;

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);
	while (length > 0 && text[length - 1] == '/')
		length--;
	return length > strlen(end) && strncmp(text + length - strlen(end), end, strlen(end)) == 0;
}

static int print_new(const UtmConfig *config)
{
	UtmError *error = NULL;
	char *text = NULL;
	size_t size = 0;
	int result = as_json ? utm_config_to_json(config, NULL, &text, &error) : utm_config_to_plist(config, &text, &size, &error);

	if (result < 0)
		return report(NULL, error);
	printf(as_json ? "%s\n" : "%s", text);
	utm_free(text);
	return EXIT_OK;
}

static int create_bundle(const char *path, const UtmConfig *config)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;
	UtmContext *ctx = utm_context_new(NULL, &error);
	int status = !ctx || utm_bundle_create(ctx, path, config, NULL, &bundle, &error) < 0 ? report(path, error) : EXIT_OK;

	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return status;
}

static int create_file(const char *path, const UtmConfig *config)
{
	UtmError *error = NULL;
	char *data = NULL;
	size_t size = 0;

	if (access(path, F_OK) == 0)
		return complain("%s: is there already\n        give another name, or remove it first", path);
	if (utm_config_to_plist(config, &data, &size, &error) < 0)
		return report(path, error);
	int status = save_file(path, data, size);
	utm_free(data);
	return status;
}

static int store(const char *path, const UtmConfig *config)
{
	int status = ends_with(path, ".utm") ? create_bundle(path, config) : create_file(path, config);
	if (status == EXIT_OK && as_json)
		return print_new(config);
	return status;
}

/* A bundle that gets no other name is called as its file. The caller frees it. */
static char *name_of(const char *path)
{
	if (new_name || !path || !ends_with(path, ".utm"))
		return new_name ? strdup(new_name) : NULL;
	char *whole = strdup(path);
	for (size_t length = strlen(whole); length > 1 && whole[length - 1] == '/'; length--)
		whole[length - 1] = '\0';
	char *slash = strrchr(whole, '/');
	char *name = strdup(slash ? slash + 1 : whole);
	name[strlen(name) - strlen(".utm")] = '\0';
	free(whole);
	if (*name)
		return name;
	free(name);
	return NULL;
}

static int run_new(const Command *command, char **operands)
{
	UtmError *error = NULL;
	UtmConfig *config = NULL;
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	const char *path = operands[0] && strcmp(operands[0], "-") != 0 ? operands[0] : NULL;

	if (backend && strcmp(backend, "qemu") != 0 && strcmp(backend, "apple") != 0)
		return misused(command, "--backend is qemu or apple, not %s", backend);
	options.backend = backend && strcmp(backend, "apple") == 0 ? UTM_BACKEND_APPLE : UTM_BACKEND_QEMU;
	options.architecture = architecture;
	options.target = target;
	options.operating_system = operating_system;
	char *name = name_of(path);
	options.name = name;
	int result = utm_config_new_default(&options, &config, &error);
	free(name);
	int status = result < 0 ? report(NULL, error) : path ? store(path, config) : print_new(config);
	utm_config_unref(config);
	return status;
}

static const Option new_options[] = {
	{ .name = "--arch", .value = &architecture },
	{ .name = "--target", .value = &target },
	{ .name = "--name", .value = &new_name },
	{ .name = "--backend", .value = &backend },
	{ .name = "--os", .value = &operating_system },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command config_new_command = {
	.name = "config new",
	.arguments = "[OUT] [--arch ARCH] [--target T] [--name NAME] [--backend apple [--os Linux]] [--json]",
	.summary = "make a machine with what such machines usually have: a bundle if OUT ends with .utm, else a property list",
	.notes = "Without OUT, or with -, it is printed. What is there already is left alone. `utmctl hardware ARCH` lists the\n"
			 "machine types of an architecture.\n",
	.options = new_options,
	.least = 0,
	.most = 1,
	.run = run_new,
};
