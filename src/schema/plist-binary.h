/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Binary property lists, and what both kinds say of what is wrong. */
#pragma once

#include "schema/plist-codec.h"

int utm__binary_check(const char *data, gsize size, UtmError **error);
/* Only what has been checked. Flags and errors are those of utm__schema_decode(). */
int utm__binary_decode(const char *data, gsize size, const UtmSchema *schema, guint type, guint flags, void **ret_object,
                       UtmError **error);

/* Whether a string is what the property lists of Foundation have where a value is nil. */
bool utm__plist_is_nil(const char *text, gsize length);

int utm__plist_malformed(UtmError **error, const char *problem);
int utm__plist_over_limit(UtmError **error, const char *problem);
int utm__plist_too_many_keys(UtmError **error);
