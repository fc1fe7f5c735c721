/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes to configuration, of all versions and both back ends, and to the state of a view. What is accepted must be written,
 * and read again to the same values, by every codec.
 */
#include "config/config-private.h"
#include <stdlib.h>
#include <string.h>
#include <utm/findings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plist(const UtmConfig *config)
{
	g_autoptr(UtmConfig) again = NULL;
	g_autoptr(UtmConfig) third = NULL;
	g_autofree char *text = NULL;
	g_autofree char *second = NULL;
	size_t size, second_size;
	if (utm_config_to_plist(config, &text, &size, NULL) < 0)
		abort();
	if (utm_config_new_from_data(text, size, &again, NULL) < 0)
		abort();
	/* A file drops what the modes rule out, so the values may differ once; the bytes may not. */
	if (utm_config_to_plist(again, &second, &second_size, NULL) < 0 || size != second_size ||
	    memcmp(text, second, size))
		abort();
	if (utm_config_new_from_data(second, second_size, &third, NULL) < 0 || !utm_config_equal(again, third))
		abort();
}

static void check_json(const UtmConfig *config)
{
	g_autofree char *text = NULL;
	g_autoptr(UtmConfig) again = NULL;
	if (utm_config_to_json(config, NULL, &text, NULL) < 0)
		abort();
	if (utm_config_load_json(text, NULL, &again, NULL) < 0)
		abort();
	if (utm_config_get_backend(again) != utm_config_get_backend(config))
		abort();
}

static void check_notes(const UtmConfig *config)
{
	for (size_t i = 0; i < utm_config_get_note_count(config); i++) {
		const UtmConfigNote *note = utm_config_get_note(config, i);
		if (!g_utf8_validate(note->key_path, -1, NULL) || !*note->reason)
			abort();
	}
	if (utm_config_get_format(config, NULL) == UTM_CONFIG_FORMAT_CURRENT && utm_config_get_note_count(config))
		abort();
}

static void check_line(const char *text)
{
	if (!text || !*text || !g_utf8_validate(text, -1, NULL))
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

/* Whatever was read can be looked at, and what is said of it goes to terminals. */
static void check_findings(const UtmConfig *config)
{
	UtmFindings *findings = NULL;
	if (utm_config_check(config, NULL, &findings, NULL) < 0)
		abort();
	for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
		check_line(utm_findings_get(findings, i)->message);
		check_line(utm_findings_get(findings, i)->remedy);
	}
	utm_findings_free(findings);
}

static void check_view(const uint8_t *data, size_t size)
{
	UtmValue *state = NULL;
	if (utm_view_state_load_data(data, size, NULL, &state, NULL) < 0)
		return;
	g_autofree char *json = utm_value_dup_json(state);
	UtmValue *again = NULL;
	if (utm_value_from_json(json, &again, NULL) < 0 || !utm_value_equal(state, again))
		abort();
	utm_value_free(again);
	utm_value_free(state);
}

static void check_load(const uint8_t *data, size_t size, const UtmConfigLoadOptions *options)
{
	g_autoptr(UtmConfig) config = NULL;
	g_autoptr(UtmError) error = NULL;
	int result = utm_config_load_data(data, size, options, &config, &error);
	if ((result < 0) != (error != NULL) || (result < 0) != (config == NULL))
		abort();
	if (config) {
		g_autoptr(UtmConfig) copy = utm_config_copy(config);
		if (!utm_config_equal(config, copy))
			abort();
		check_plist(config);
		check_json(config);
		check_notes(config);
		check_findings(config);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	UtmConfigLoadOptions exact = UTM_CONFIG_LOAD_OPTIONS_INIT;
	exact.flags = UTM_CONFIG_LOAD_UTM_EXACT;
	exact.host_architecture = "aarch64";
	check_load(data, size, NULL);
	check_load(data, size, &exact);
	check_view(data, size);
	return 0;
}
