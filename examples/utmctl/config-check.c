/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* utmctl config check: everything that is wrong with a configuration, or with a package, at once. */
#include "utmctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool as_json, on_this_host;

/* --- printing --- */

static void print_finding(const char *path, const UtmFinding *finding)
{
	printf("%s: ", finding->file ? finding->file : path);
	if (finding->key_path)
		printf("%s: ", finding->key_path);
	printf("%s: %s (%s)\n        %s\n", utm_finding_severity_get_name(finding->severity), finding->message,
	       utm_finding_code_get_name(finding->code), finding->remedy);
}

static void print_member(const char *before, const char *key, const char *value)
{
	if (!value)
		return;
	printf("%s\"%s\": ", before, key);
	print_json_string(stdout, value);
}

static void print_finding_json(const UtmFinding *finding, bool first)
{
	print_member(first ? "\n  {" : ",\n  {", "severity", utm_finding_severity_get_name(finding->severity));
	print_member(", ", "code", utm_finding_code_get_name(finding->code));
	print_member(", ", "key", finding->key_path);
	print_member(", ", "file", finding->file);
	print_member(", ", "message", finding->message);
	print_member(", ", "remedy", finding->remedy);
	printf("}");
}

/* Why the package does not open is the first of them. */
static void print_closed_json(const UtmError *closed)
{
	print_member("\n  {", "severity", utm_finding_severity_get_name(UTM_FINDING_SEVERITY_ERROR));
	print_member(", ", "code", utm_error_code_get_name(utm_error_get_code(closed)));
	print_member(", ", "key", utm_error_get_key_path(closed));
	print_member(", ", "file", utm_error_get_file(closed));
	print_member(", ", "message", utm_error_get_message(closed));
	print_member(", ", "remedy", utm_error_get_remedy(closed));
	printf("}");
}

static int print_findings(const char *path, const UtmError *closed, UtmFindings *findings)
{
	size_t count = utm_findings_get_count(findings);
	bool valid = !closed && utm_findings_get_severity(findings) < UTM_FINDING_SEVERITY_WARNING;

	if (as_json)
		printf("[");
	if (as_json && closed)
		print_closed_json(closed);
	for (size_t i = 0; i < count; i++) {
		if (as_json)
			print_finding_json(utm_findings_get(findings, i), i == 0 && !closed);
		else
			print_finding(path, utm_findings_get(findings, i));
	}
	if (as_json)
		printf("%s]\n", count || closed ? "\n" : "");
	utm_findings_free(findings);
	return valid ? EXIT_OK : EXIT_FINDINGS;
}

/* --- checking --- */

static int unreadable(const char *path, UtmError *error)
{
	report(path, error);
	return EXIT_UNREADABLE;
}

/* A host that cannot run the machine at all is told on standard error; then the check is one for hosts in general. */
static int find_host(UtmContext *ctx, const UtmConfig *config, UtmHost **ret_host)
{
	UtmError *error = NULL;

	/* Nothing here runs a machine of the other back end. */
	if (!on_this_host || utm_config_get_backend(config) != UTM_BACKEND_QEMU)
		return EXIT_OK;
	return utm_host_probe(ctx, config, ret_host, &error) < 0 ? (report(NULL, error), EXIT_FINDINGS) : EXIT_OK;
}

/* Nothing for a QEMU that is not installed: that is what the host is reported for. */
static UtmHardware *find_hardware(UtmContext *ctx, const UtmConfig *config)
{
	UtmHardware *hardware = NULL;
	char *architecture = NULL;

	if (!on_this_host || utm_config_get_backend(config) != UTM_BACKEND_QEMU)
		return NULL;
	if (utm_config_get_string(config, "System.Architecture", &architecture, NULL) == 0 &&
	    utm_hardware_query(ctx, architecture, UTM_HARDWARE_INSTALLED_ONLY, &hardware, NULL) < 0)
		hardware = NULL;
	utm_free(architecture);
	return hardware;
}

/* The bundle is NULL for a configuration alone, or for one of a package that does not open because of `closed`. */
static int check(UtmContext *ctx, const char *path, UtmBundle *bundle, const UtmError *closed, const UtmConfig *config)
{
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmFindings *findings = NULL;
	UtmError *error = NULL;
	UtmHost *host = NULL;
	int host_status = find_host(ctx, config, &host);

	UtmHardware *hardware = find_hardware(ctx, config);

	options.host = host;
	options.hardware = hardware;
	int code = bundle ? utm_bundle_check(bundle, &options, &findings, &error)
	                  : utm_config_check(config, &options, &findings, &error);
	utm_host_unref(host);
	utm_hardware_unref(hardware);
	if (code < 0)
		return unreadable(path, error);
	int status = print_findings(path, closed, findings);
	return status == EXIT_OK ? host_status : status;
}

static int check_file(UtmContext *ctx, const char *path, const UtmError *closed)
{
	UtmError *error = NULL;
	UtmConfig *config = NULL;

	if (utm_config_new_from_file(path, &config, &error) < 0)
		return unreadable(path, error);
	int status = check(ctx, path, NULL, closed, config);
	utm_config_unref(config);
	return status;
}

/* A package with a name that leads out does not open. That is a finding, and there may be more beside it. */
static int check_closed(UtmContext *ctx, const char *path, UtmError *error)
{
	size_t length = strlen(path) + sizeof "/config.plist";
	char *file = malloc(length);

	if (!file)
		return unreadable(path, error);
	snprintf(file, length, "%s/config.plist", path);
	int status = check_file(ctx, file, error);
	free(file);
	report(path, error);
	return status;
}

static int check_bundle(UtmContext *ctx, const char *path)
{
	UtmError *error = NULL;
	UtmBundle *bundle = NULL;
	int code = utm_bundle_open(ctx, path, &bundle, &error);

	if (code == UTM_ERROR_BUNDLE_PATH_ESCAPE && utm_error_get_key_path(error))
		return check_closed(ctx, path, error);
	if (code < 0)
		return unreadable(path, error);
	int status = check(ctx, path, bundle, NULL, utm_bundle_get_config(bundle));
	utm_bundle_unref(bundle);
	return status;
}

static int run_check(const Command *command, char **operands)
{
	struct stat info;
	UtmError *error = NULL;
	UtmContextOptions options_of_context = UTM_CONTEXT_OPTIONS_INIT;

	options_of_context.accel_policy = chosen_accelerator();
	UtmContext *ctx = utm_context_new(&options_of_context, &error);
	bool is_directory = stat(operands[0], &info) == 0 && S_ISDIR(info.st_mode);

	(void)command;
	if (!ctx)
		return unreadable(operands[0], error);
	int status = is_directory ? check_bundle(ctx, operands[0]) : check_file(ctx, operands[0], NULL);
	utm_context_unref(ctx);
	return status;
}

static const Option options[] = {
	{ .name = "--host", .present = &on_this_host },
	{ .name = "--json", .present = &as_json },
	{ 0 },
};

const Command config_check_command = {
	.name = "config check",
	.arguments = "BUNDLE|PLIST [--host] [--json]",
	.summary = "tell everything that is wrong, and what to do about it",
	.notes = "An error: the machine cannot start, or UTM refuses the file. A warning: it starts, but not as it is "
	         "written. The\n"
			 "rest is to be known. With --host, what this host and its QEMU lack is told too.\n"
			 "\n"
			 "Exit codes: 0 without errors and warnings, 1 with some, 2 when it cannot be read.\n",
	.options = options,
	.least = 1,
	.most = 1,
	.run = run_check,
};
