/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The schemas that peers of ours speak, generated from qapi/qmp.ledger and qapi/qga.ledger. */
#pragma once

#include "schema/schema.h"

extern const UtmSchema utm__qmp_schema;
extern const UtmSchema utm__qga_schema;

/* The schema that made a public struct; NULL for what the library did not make. */
const UtmSchema *utm__protocol_of(const void *value);

/* The place of an event in the schema; -1 for one that it does not know. */
int utm__protocol_find_event(const UtmSchema *schema, const char *name);

/* What a peer said: newer members and values are kept. `ret_value` is a pointer to a struct of the type. */
int utm__protocol_decode(const UtmSchema *schema, guint type, const char *text, gsize size, void **ret_value,
                         UtmError **error);
/* Compact JSON to the end of `text`. `ret_varies` (nullable) as in utm__schema_encode(). */
int utm__protocol_encode(const UtmSchema *schema, const void *value, GString *text, bool *ret_varies, UtmError **error);
