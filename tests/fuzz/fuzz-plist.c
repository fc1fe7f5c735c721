/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes to configuration. What is accepted must be written, and read again to the same values, by every codec. */
#include "config/config-private.h"
#include "schema/json-codec.h"

#include <stdlib.h>
#include <string.h>

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
	void *again = NULL;
	if (utm_config_to_json(config, NULL, &text, NULL) < 0)
		abort();
	if (utm__json_decode(&utm__config_schema, UTM_CONFIG_SCHEMA_QEMU, text, strlen(text), UTM_SCHEMA_KEEP_UNKNOWN,
	                     &again, NULL) < 0)
		abort();
	utm__schema_free(&utm__config_schema, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(UtmConfig) config = NULL;
	g_autoptr(UtmError) error = NULL;
	int result = utm_config_new_from_data(data, size, &config, &error);
	if ((result < 0) != (error != NULL) || (result < 0) != (config == NULL))
		abort();
	if (config) {
		g_autoptr(UtmConfig) copy = utm_config_copy(config);
		if (!utm_config_equal(config, copy))
			abort();
		check_plist(config);
		check_json(config);
	}
	return 0;
}
