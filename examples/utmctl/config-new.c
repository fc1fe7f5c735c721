/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl config new: a machine with what UTM gives new ones, as a bundle, a property list, or printed. */
#include "utmctl.h"

#include <string.h>
#include <unistd.h>

static const char *architecture, *target, *machine_name, *backend;
static bool as_json;

static int print_config(const UtmConfig *config)
{
	UtmError *error = NULL;
	char *text = NULL;
	size_t size;
	int result = as_json ? utm_config_to_json(config, NULL, &text, &error)
	                     : utm_config_to_plist(config, &text, &size, &error);

	if (result < 0)
		return report(NULL, error);
	fputs(text, stdout);
	if (as_json)
		putchar('\n');
	utm_free(text);
	return EXIT_OK;
}

static int write_plist(const UtmConfig *config, const char *path)
{
	UtmError *error = NULL;
	char *data = NULL;
	size_t size;

	if (access(path, F_OK) == 0)
		return complain("%s: it is there already\n        choose another name, or remove it", path);
	if (utm_config_to_plist(config, &data, &size, &error) < 0)
		return report(path, error);
	int status = save_file(path, data, size);
	utm_free(data);
	return status;
}

static int create_bundle(const UtmConfig *config, const char *path)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;
	UtmContext *ctx = utm_context_new(NULL, &error);

	if (!ctx)
		return report(path, error);
	int status = utm_bundle_create(ctx, path, config, NULL, &bundle, &error) < 0 ? report(path, error) : EXIT_OK;
	utm_bundle_unref(bundle);
	utm_context_unref(ctx);
	return status;
}

static bool ends_with(const char *text, const char *ending)
{
	size_t length = strlen(text), wanted = strlen(ending);

	return length > wanted && strcmp(text + length - wanted, ending) == 0;
}

/* The machine is called as its bundle, unless it is told otherwise. Returns `buffer`, or NULL for no name of its own. */
static const char *name_of(const char *out, char *buffer, size_t size)
{
	const char *slash = strrchr(out, '/');
	const char *last = slash ? slash + 1 : out;
	size_t length = strlen(last);

	if (!ends_with(last, ".utm") || length - 4 >= size)
		return NULL;
	memcpy(buffer, last, length - 4);
	buffer[length - 4] = '\0';
	return buffer;
}

static int put(const UtmConfig *config, const char *out)
{
	if (strcmp(out, "-") == 0)
		return print_config(config);
	int status = ends_with(out, ".utm") ? create_bundle(config, out) : write_plist(config, out);
	return status == EXIT_OK && as_json ? print_config(config) : status;
}

/* A machine type that no QEMU has may be one of tomorrow's: it is made, and told of. */
static void warn(const UtmConfig *config)
{
	UtmFindings *findings = NULL;
	const UtmFinding *finding;

	if (utm_config_check(config, NULL, &findings, NULL) < 0)
		return;
	for (size_t i = 0; (finding = utm_findings_get(findings, i)); i++)
		if (finding->severity >= UTM_FINDING_SEVERITY_WARNING)
			fprintf(stderr, "utmctl: warning: %s: %s\n", finding->key_path ? finding->key_path : "configuration", finding->message);
	utm_findings_free(findings);
}

static int run_new(const Command *command, char **operands)
{
	UtmConfigNewOptions options = UTM_CONFIG_NEW_OPTIONS_INIT;
	const char *out = operands[0];
	UtmConfig *config = NULL;
	UtmError *error = NULL;
	char buffer[256];

	if (strcmp(out, "-") != 0 && !ends_with(out, ".utm") && !ends_with(out, ".plist"))
		return misused(command, "%s is neither NAME.utm nor FILE.plist nor -", out);
	if (backend && strcmp(backend, "qemu") != 0 && strcmp(backend, "apple") != 0)
		return misused(command, "--backend is qemu or apple, not %s", backend);
	options.backend = backend && strcmp(backend, "apple") == 0 ? UTM_BACKEND_APPLE : UTM_BACKEND_QEMU;
	if (!architecture && options.backend == UTM_BACKEND_QEMU)
		return misused(command, "for which architecture? --arch says it");
	options.architecture = architecture;
	options.target = target;
	options.name = machine_name ? machine_name : name_of(out, buffer, sizeof buffer);
	if (utm_config_new_default(&options, &config, &error) < 0)
		return report(NULL, error);
	warn(config);
	int status = put(config, out);
	utm_config_unref(config);
	return status;
}

static const Option options[] = {
	{ .name = "--arch", .value = &architecture },
	{ .name = "--target", .value = &target },
	{ .name = "--name", .value = &machine_name },
	{ .name = "--backend", .value = &backend },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command config_new_command = {
	.name = "config new",
	.arguments = "OUT --arch ARCH [--target T] [--name N] [--backend qemu|apple] [--json]",
	.summary = "make a machine with the devices that UTM gives new ones; it has no drives",
	.notes = "OUT is NAME.utm for a bundle, FILE.plist for a property list, or - to print it. Nothing is overwritten. --json "
	         "prints\n"
			 "what was made as JSON. ARCH is in QEMU's words, x86_64 or riscv64; T is one of its machine types, which `utmctl hardware ARCH` lists.\n",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run_new,
};
