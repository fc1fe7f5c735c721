/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sized-struct.h"

#include "base/error-private.h"

#include <string.h>

/* No public struct is ever this large; a larger size is an uninitialised one. */
#define SIZE_LIMIT 4096

static bool is_zero(const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

int utm__sized_copy(void *ret, size_t size, size_t first_size, const void *options, const char *name, UtmError **error)
{
	if (!options)
		return 0;
	size_t given;
	memcpy(&given, options, sizeof given);
	if (given < sizeof given || given > SIZE_LIMIT || given % sizeof(uint32_t))
		return utm__fail(error, UTM_ERROR_STRUCT_SIZE, "%s.size is %zu, which is the size of no version of it", name, given);
	if (given < first_size)
		return utm__fail(error, UTM_ERROR_STRUCT_TOO_OLD, "%s.size is %zu, less than the first version's %zu", name,
		                 given, first_size);
	if (given > size && !is_zero((const unsigned char *)options + size, given - size))
		return utm__fail(error, UTM_ERROR_STRUCT_TOO_NEW, "%s has fields set that this library (%zu bytes) does not know",
		                 name, size);
	memset(ret, 0, size);
	memcpy(ret, options, MIN(given, size));
	memcpy(ret, &size, sizeof size);
	return 0;
}
