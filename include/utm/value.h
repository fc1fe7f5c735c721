/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file value.h
 * Free-form values: what QEMU's schema calls `any`, and members that the library does not know.
 *
 * Integers keep all of their 64 bits, with or without sign. A value is made from JSON, read here, and does not change.
 */
#ifndef UTM_VALUE_H
#define UTM_VALUE_H

#include <utm/error.h>

UTM_BEGIN_DECLS

/** What a #UtmValue is. */
typedef enum UtmValueKind {
	UTM_VALUE_NULL = 0,
	UTM_VALUE_BOOL = 1,
	/** An integer from -2^63 to 2^63-1. */
	UTM_VALUE_INT = 2,
	/** An integer from 2^63 to 2^64-1. */
	UTM_VALUE_UINT = 3,
	/** A number with a fraction or an exponent. */
	UTM_VALUE_NUMBER = 4,
	UTM_VALUE_STRING = 5,
	UTM_VALUE_ARRAY = 6,
	UTM_VALUE_OBJECT = 7
} UtmValueKind;

/**
 * Reads a value.
 *
 * @param[in]  json       One JSON value; strings may stand in single quotes. At most 16 MiB, 128 levels and 500 000 values.
 * @param[out] ret_value  (transfer full) release with utm_value_free()
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT when it is no JSON, has a number beyond 64 bits or U+0000 in a string
 * @thread any
 */
UTM_API int utm_value_from_json(const char *json, UtmValue **ret_value, UtmError **error);
/** A boolean. @return release with utm_value_free() @thread any */
UTM_API UtmValue *utm_value_new_bool(bool value);
/** An integer. @return release with utm_value_free() @thread any */
UTM_API UtmValue *utm_value_new_int(int64_t value);
/** An integer without sign: of the kind #UTM_VALUE_INT up to 2^63-1. @return release with utm_value_free() @thread any */
UTM_API UtmValue *utm_value_new_uint(uint64_t value);
/** A string. @param[in] text (nullable) null instead. Must be UTF-8 to be written @return release with utm_value_free() @thread any */
UTM_API UtmValue *utm_value_new_string(const char *text);
/** The value as compact JSON, members in the order of their names. @return release with utm_free() @thread any */
UTM_API char *utm_value_dup_json(const UtmValue *value);
/** A copy. @param[in] value (nullable) @return release with utm_value_free(); or NULL @thread any */
UTM_API UtmValue *utm_value_copy(const UtmValue *value);
/** Releases a value that came through a `ret_...` parameter or from utm_value_copy(). @param[in] value (nullable) @thread any */
UTM_API void utm_value_free(UtmValue *value);
/** Whether two values are the same; 1 and 1.0 are not. NULL equals NULL. @thread any */
UTM_API bool utm_value_equal(const UtmValue *a, const UtmValue *b);

/** @param[in] value (nullable) is #UTM_VALUE_NULL @thread any */
UTM_API UtmValueKind utm_value_get_kind(const UtmValue *value);
/** True for true; false for everything else. @thread any */
UTM_API bool utm_value_get_bool(const UtmValue *value);
/** @return an #UTM_VALUE_INT; 0 for everything else @thread any */
UTM_API int64_t utm_value_get_int(const UtmValue *value);
/** @return an #UTM_VALUE_UINT, or an #UTM_VALUE_INT that is not negative; 0 for everything else @thread any */
UTM_API uint64_t utm_value_get_uint(const UtmValue *value);
/** @return any number, integers rounded to a double; 0 for everything else @thread any */
UTM_API double utm_value_get_number(const UtmValue *value);
/** @return a string, valid as long as the value; NULL for everything else @thread any */
UTM_API const char *utm_value_get_string(const UtmValue *value);
/** How many elements or members there are; 0 for what has none. @thread any */
UTM_API size_t utm_value_get_count(const UtmValue *value);
/** An element, or the value of a member; members are in the order of their names. @return (nullable) @thread any */
UTM_API const UtmValue *utm_value_get_item(const UtmValue *value, size_t index);
/** The name of a member. @return (nullable) @thread any */
UTM_API const char *utm_value_get_key(const UtmValue *value, size_t index);
/** The value of the member with this name. @return (nullable) @thread any */
UTM_API const UtmValue *utm_value_get_member(const UtmValue *value, const char *name);

/* Bytes in strings: what `guest-file-read` and `guest-exec-status` answer, for example. */

/**
 * The bytes that a base64 text stands for.
 *
 * @param[in]  text      (nullable) no bytes, as an empty one. Without line breaks, as QEMU and its guest agent write it.
 * @param[out] ret_data  (transfer full) a NUL follows the bytes, which is not counted; release with utm_free()
 * @param[out] ret_size  How many bytes. (nullable)
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT when it is no base64
 * @thread any
 */
UTM_API int utm_base64_decode(const char *text, char **ret_data, size_t *ret_size, UtmError **error);
/** Bytes as base64. @param[in] data (nullable) none, when @a size is 0 @return release with utm_free() @thread any */
UTM_API char *utm_base64_encode(const void *data, size_t size);

UTM_END_DECLS

#endif
