/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file configuration.h
 * The configuration of a machine as values.
 *
 * Values are named by key paths in the words of the property list: `System.MemorySize`, `Drive[1].ImageName`,
 * `Network[0].PortForward[2].HostPort`. Types, allowed values and defaults come from the schema that the library is
 * built with (qapi/config.schema); a wrong path, type or value is an error that names the path.
 *
 * Keys that the library does not know are kept, at every level, and written back.
 *
 * A configuration is not tied to a context, a bundle or a thread. Reading from several threads at once is fine as long
 * as no thread writes.
 */
#ifndef UTM_CONFIGURATION_H
#define UTM_CONFIGURATION_H

#include <utm/error.h>

UTM_BEGIN_DECLS

/**
 * Reads a property list, XML or binary.
 *
 * @param[in]  data        The bytes. At most 16 MiB.
 * @param[in]  size_bytes  How many.
 * @param[out] ret_config  (transfer full) release with utm_config_unref()
 * @return 0; #UTM_ERROR_CONFIG_MALFORMED, #UTM_ERROR_CONFIG_INVALID_VALUE, #UTM_ERROR_CONFIG_TOO_OLD,
 *         #UTM_ERROR_CONFIG_TOO_NEW, #UTM_ERROR_CONFIG_INVALID_BACKEND or #UTM_ERROR_LIMIT, with the key path
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_config_new_from_data(const void *data, size_t size_bytes, UtmConfig **ret_config,
                                                    UtmError **error);
/**
 * Reads a property list file. As utm_config_new_from_data(), and the error names the file.
 *
 * @return also #UTM_ERROR_NOT_FOUND and #UTM_ERROR_IO
 * @thread any; reads a file
 */
UTM_API UTM_MUST_CHECK int utm_config_new_from_file(const char *path, UtmConfig **ret_config, UtmError **error);

/** A copy to edit. @return a new configuration; release with utm_config_unref() @thread any */
UTM_API UTM_MUST_CHECK UtmConfig *utm_config_copy(const UtmConfig *config);
/** Takes another reference to the same values. @return @a config @thread any */
UTM_API UtmConfig *utm_config_ref(UtmConfig *config);
/** Gives a reference back. @param[in] config (nullable) @thread any */
UTM_API void utm_config_unref(UtmConfig *config);
/** True when all values are equal, unknown keys included. @thread any */
UTM_API bool utm_config_equal(const UtmConfig *a, const UtmConfig *b);

/**
 * Whether a key has a value. Optional keys may be absent.
 *
 * @param[out] ret_present  false for an absent optional key
 * @return 0; #UTM_ERROR_KEY_PATH for a path that the schema does not know; #UTM_ERROR_NOT_FOUND for an index beyond
 *         the end of an array
 * @thread any
 */
UTM_API int utm_config_has(const UtmConfig *config, const char *key_path, bool *ret_present, UtmError **error);

/**
 * Reads an integer. Its unit is that of the key (`System.MemorySize` is in MiB).
 *
 * @return 0; #UTM_ERROR_KEY_PATH also when the key is no integer; #UTM_ERROR_NOT_FOUND when it is absent
 * @thread any
 */
UTM_API int utm_config_get_int(const UtmConfig *config, const char *key_path, int64_t *ret_value, UtmError **error);
/** Reads a boolean. Errors as utm_config_get_int(). @thread any */
UTM_API int utm_config_get_bool(const UtmConfig *config, const char *key_path, bool *ret_value, UtmError **error);
/**
 * Reads a string, an identifier or an enumeration, whose text is that of the property list.
 *
 * @param[out] ret_value  (transfer full) UTF-8; release with utm_free()
 * @return errors as utm_config_get_int()
 * @thread any
 */
UTM_API int utm_config_get_string(const UtmConfig *config, const char *key_path, char **ret_value, UtmError **error);
/** Number of elements of an array such as `Drive`. Errors as utm_config_get_int(). @thread any */
UTM_API int utm_config_get_count(const UtmConfig *config, const char *key_path, size_t *ret_count, UtmError **error);

/**
 * Writes an integer; range checked.
 *
 * @return 0; #UTM_ERROR_KEY_PATH, #UTM_ERROR_NOT_FOUND; #UTM_ERROR_CONFIG_INVALID_VALUE when out of range
 * @thread any
 */
UTM_API int utm_config_set_int(UtmConfig *config, const char *key_path, int64_t value, UtmError **error);
/** Writes a boolean. Errors as utm_config_set_int(). @thread any */
UTM_API int utm_config_set_bool(UtmConfig *config, const char *key_path, bool value, UtmError **error);
/** Writes a string or an enumeration. NULL clears an optional key. Errors as utm_config_set_int(). @thread any */
UTM_API int utm_config_set_string(UtmConfig *config, const char *key_path, const char *value, UtmError **error);
/**
 * Writes any value from text: `true`, `4096`, `VirtIO`, or JSON for a section or an array.
 *
 * @return as utm_config_set_int(); #UTM_ERROR_CONFIG_MALFORMED for text that does not parse
 * @thread any
 */
UTM_API int utm_config_set_text(UtmConfig *config, const char *key_path, const char *text, UtmError **error);

/**
 * Inserts an element into an array.
 *
 * @param[in] key_path  The array, such as `Drive`.
 * @param[in] index     Where; -1 for the end.
 * @param[in] json      The element as JSON; keys left out get the defaults of a new one. Single quotes are accepted.
 * @return as utm_config_set_text()
 * @thread any
 */
UTM_API int utm_config_insert(UtmConfig *config, const char *key_path, int64_t index, const char *json,
                              UtmError **error);
/**
 * Removes an element of an array (`Drive[1]`) or clears an optional key.
 *
 * @return 0; #UTM_ERROR_KEY_PATH, #UTM_ERROR_NOT_FOUND; #UTM_ERROR_CONFIG_INVALID_VALUE for a required key
 * @thread any
 */
UTM_API int utm_config_remove(UtmConfig *config, const char *key_path, UtmError **error);

/**
 * The values as JSON, with the keys of the property list.
 *
 * @param[in]  key_path  A part of it. (nullable) everything
 * @param[out] ret_json  (transfer full) indented UTF-8; release with utm_free()
 * @return 0; #UTM_ERROR_KEY_PATH, #UTM_ERROR_NOT_FOUND
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_config_to_json(const UtmConfig *config, const char *key_path, char **ret_json,
                                              UtmError **error);
/**
 * The configuration as UTM writes it: an XML property list.
 *
 * @param[out] ret_data  (transfer full) release with utm_free(); followed by a zero byte that does not count
 * @param[out] ret_size  Bytes.
 * @return 0; #UTM_ERROR_CONFIG_INVALID_VALUE for a value that cannot be written
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_config_to_plist(const UtmConfig *config, char **ret_data, size_t *ret_size,
                                               UtmError **error);

/** The machine's name, `Information.Name`; valid until the configuration changes. @thread any */
UTM_API const char *utm_config_get_name(const UtmConfig *config);
/** The machine's identifier in upper case, `Information.UUID`; valid until it changes. @thread any */
UTM_API const char *utm_config_get_uuid(const UtmConfig *config);

UTM_END_DECLS

#endif
