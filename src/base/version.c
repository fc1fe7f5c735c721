/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error-private.h"

#include <utm/argv.h>
#include <utm/version.h>

const char *utm_version_string(void)
{
	return UTM_VERSION_STRING;
}

uint32_t utm_version_number(void)
{
	return UTM_VERSION_MAJOR * 1000000u + UTM_VERSION_MINOR * 1000u + UTM_VERSION_MICRO;
}

bool utm_feature_supported(uint32_t feature, uint32_t value)
{
	switch (feature) {
	case UTM_FEATURE_ERROR_CODE:
		return utm_error_code_get_name((int)value) != NULL;
	case UTM_FEATURE_CONSOLE_ENGINE:
		return value == 0 && UTM_HAVE_SPICE_ENGINE;
	case UTM_FEATURE_CONFIG_VERSION:
		return value == 4;
	case UTM_FEATURE_HOST_OS:
		return value == UTM_HOST_OS_LINUX || value == UTM_HOST_OS_MACOS;
	default:
		return false;
	}
}
