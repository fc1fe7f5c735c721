/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random values of any type of a protocol, made by its table: members that may be absent or not, any branch of a union,
 * any choice of an alternate, values of enumerations that nobody knows, members that nobody knows. Nesting is bounded.
 * They come from g_test_rand_int(), so that a seed brings them back.
 */
#pragma once

#include "schema/protocols.h"

/*
 * `ret_exact` (nullable): reading what was written gives an equal struct. Else something in it has more than one form,
 * of which one was set and reading fills several; then only the text is the same again.
 */
void *random_struct_new(const UtmSchema *schema, guint type, bool *ret_exact);

/*
 * Of a schema of files: what edits could have made, within ranges and of known words, with unknown keys of every type
 * that property lists have, and without what only early files hold.
 */
void *random_file_new(const UtmSchema *schema, guint type);

/* The value as JSON, keys in any order, with white space and escapes that need not be. */
char *random_spelling(const UtmValue *value);

/* Type by type: those that `schema` has a struct for, wrappers included. */
bool is_struct_type(const UtmSchema *schema, guint type);
/* "BlockInfo", "arguments of migrate"... for messages. */
const char *struct_type_name(const UtmSchema *schema, guint type);
