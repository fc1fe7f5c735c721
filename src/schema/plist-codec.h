/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Property lists to objects of a schema and back. XML and binary are read, XML is written. */
#pragma once

#include "schema/schema.h"

/* Limits of what is read; a real configuration has a few hundred values. */
#define UTM_PLIST_SIZE_MAX ((gsize)16 << 20)
#define UTM_PLIST_DEPTH_MAX 64
#define UTM_PLIST_NODES_MAX 500000
#define UTM_PLIST_KEYS_MAX 10000 /* of one dictionary: libplist's table of them does not grow */
#define UTM_PLIST_EXPANDED_MAX ((gsize)64 << 20) /* bytes, after shared parts of a binary list are copied */

typedef struct UtmPlist UtmPlist;

/*
 * Fails with LIMIT for what is too large or too deep, with CONFIG_MALFORMED for what is no property list. The bytes must stay
 * as long as the list.
 */
int utm__plist_parse(const void *data, gsize size, UtmPlist **ret_plist, UtmError **error);
void utm__plist_free(UtmPlist *plist); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmPlist, utm__plist_free)

/* Several types may look at the same list. Flags and errors are those of utm__schema_decode(). */
int utm__plist_decode(const UtmPlist *plist, const UtmSchema *schema, guint type, guint flags, void **ret_object,
                      UtmError **error);

/* The bytes that UTM writes for the same values, and a zero byte that does not count. */
int utm__plist_encode(const UtmSchema *schema, const void *object, char **ret_data, gsize *ret_size, UtmError **error);

/* Checks the bytes before libplist sees them: size, nesting, number of nodes, no entity or cycle that grows. */
int utm__plist_check(const char *data, gsize size, UtmError **error);
bool utm__plist_is_binary(const char *data, gsize size);
