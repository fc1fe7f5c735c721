/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file json-glib.h
 * Free-form values as trees of json-glib, for programs that work with those. Not part of `utm.h`: it is the one header that
 * needs another library's, `pkg-config --cflags json-glib-1.0`.
 */
#ifndef UTM_JSON_GLIB_H
#define UTM_JSON_GLIB_H

#include <json-glib/json-glib.h>
#include <utm/value.h>

UTM_BEGIN_DECLS

/**
 * Copies a value into a tree. Integers beyond 2^63-1 become numbers with a fraction, the nearest that there are: json-glib has
 * no others.
 *
 * @param[in] value  (nullable) null
 * @return release with json_node_unref()
 * @thread any
 */
UTM_API JsonNode *utm_value_dup_json_node(const UtmValue *value);
/**
 * Copies a tree into a value.
 *
 * @param[in]  node       At most 128 levels and 500 000 values.
 * @param[out] ret_value  (transfer full) release with utm_value_free()
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT for what JSON cannot say: a number that is not finite, a string that is no UTF-8;
 *         and for more than that
 * @thread any
 */
UTM_API int utm_value_from_json_node(JsonNode *node, UtmValue **ret_value, UtmError **error);

UTM_END_DECLS

#endif
