/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Property lists and JSON to configurations, and those to findings. Each finding is complete and in one line, and what the
 * builder of the command line refuses is an error of the check.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <utm/utm.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_finding(const UtmFinding *finding)
{
	if (!finding->message || !*finding->message || !finding->remedy || !utm_finding_code_get_name(finding->code) ||
	    !utm_finding_severity_get_name(finding->severity))
		abort();
	if (!g_utf8_validate(finding->message, -1, NULL) || strpbrk(finding->message, "\n\r\t\x1b"))
		abort();
	if (finding->key_path &&
	    (!g_utf8_validate(finding->key_path, -1, NULL) || strpbrk(finding->key_path, "\n\r\t\x1b")))
		abort();
}

static void check_config(const UtmConfig *config, const UtmHost *host)
{
	UtmConfigCheckOptions options = UTM_CONFIG_CHECK_OPTIONS_INIT;
	UtmFindings *findings = NULL;
	UtmArgv *argv = NULL;
	options.host = host;
	if (utm_config_check(config, &options, &findings, NULL) < 0)
		abort();
	for (size_t i = 0; i < utm_findings_get_count(findings); i++)
		check_finding(utm_findings_get(findings, i));
	if (utm_config_get_backend(config) == UTM_BACKEND_QEMU && utm_argv_build(config, "/vm", host, &argv, NULL) < 0 &&
	    utm_findings_get_severity(findings) != UTM_FINDING_SEVERITY_ERROR)
		abort();
	utm_argv_unref(argv);
	utm_findings_free(findings);
}

static void check_hosts(UtmConfig *config)
{
	for (uint32_t os = UTM_HOST_OS_LINUX; config && os <= UTM_HOST_OS_MACOS; os++) {
		UtmHost *host = NULL;
		if (utm_host_new_from_json(os, NULL, &host, NULL) < 0)
			abort();
		check_config(config, host);
		utm_host_unref(host);
	}
	utm_config_unref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	UtmConfig *from_plist = NULL, *from_json = NULL;
	g_autofree char *json = g_strndup((const char *)data, size);
	(void)!utm_config_load_data(data, size, NULL, &from_plist, NULL);
	(void)!utm_config_load_json(json, NULL, &from_json, NULL);
	check_hosts(from_plist);
	check_hosts(from_json);
	return 0;
}
