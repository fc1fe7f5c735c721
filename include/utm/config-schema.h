/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file config-schema.h
 * What configurations consist of: every section and key with its type, range, allowed values, defaults and a sentence for
 * people. Enough to build a settings form, a completion or a checker without knowing any key.
 *
 * ## A guided tour
 *
 * The schema of a back end is a tree. A *type* is a section, which has keys, or an enumeration, which has values; types
 * go by number. Keys are told into a struct of yours:
 *
 *     UtmConfigType section = UTM_CONFIG_TYPE_INIT;
 *     uint32_t root = utm_config_schema_get_root(UTM_BACKEND_QEMU);
 *     if (utm_config_schema_get_type(root, &section, &error) < 0)
 *         ...
 *     for (size_t i = 0; i < section.count; i++) {
 *         UtmConfigKey key = UTM_CONFIG_KEY_INIT;
 *         if (utm_config_schema_get_key(root, i, &key, &error) == 0)
 *             printf("%s: %s\n", key.name, key.doc);
 *     }
 *
 * Where a key's kind is #UTM_CONFIG_KIND_SECTION or #UTM_CONFIG_KIND_ENUM, UtmConfigKey.type is the type to go on with.
 * utm_config_schema_find_key() goes straight to a key by its path, `Drive[].Interface`.
 *
 * A form shows a control for each key that is not fixed: a box to tick for #UTM_CONFIG_KIND_BOOL, a menu for an
 * enumeration, a number between UtmConfigKey.min and `max` in its unit, and so on; a list for an array. The value comes
 * from utm_config_to_json(), and goes back through utm_config_set_text(), which checks it by the same schema.
 * utm_config_is_used() says which controls to grey out. `examples/settings-form.c` does all of it on a terminal.
 *
 * Everything told here is part of the library and valid for ever; nothing is allocated, and all threads may ask at once.
 */
#ifndef UTM_CONFIG_SCHEMA_H
#define UTM_CONFIG_SCHEMA_H

#include <utm/configuration.h>

UTM_BEGIN_DECLS

/** What the value of a key is; of an array, each element. */
typedef enum UtmConfigKind {
	/** true or false. */
	UTM_CONFIG_KIND_BOOL = 1,
	/** An integer from -2^63 to 2^63-1; UtmConfigKey.has_min and `has_max` say whether edits keep to less. */
	UTM_CONFIG_KIND_INT = 2,
	/** A number with a fraction. */
	UTM_CONFIG_KIND_NUMBER = 3,
	/** Text in UTF-8; UtmConfigKey.format may say more. */
	UTM_CONFIG_KIND_STRING = 4,
	/** An identifier in 8-4-4-4-12 form; kept in upper case. */
	UTM_CONFIG_KIND_UUID = 5,
	/** Bytes: `{"$data": BASE64}` in JSON. */
	UTM_CONFIG_KIND_DATA = 6,
	/** One of the values of UtmConfigKey.type. */
	UTM_CONFIG_KIND_ENUM = 7,
	/** A section with the keys of UtmConfigKey.type. */
	UTM_CONFIG_KIND_SECTION = 8
} UtmConfigKind;

/** A section or an enumeration. Initialise with #UTM_CONFIG_TYPE_INIT. */
typedef struct UtmConfigType {
	/** sizeof(UtmConfigType) */
	size_t size;
	/** Its name, such as `Drive` or `DriveInterface`; no two have the same. */
	const char *name;
	/** A sentence for people. */
	const char *doc;
	/** An enumeration, and @a count its values; otherwise a section, and @a count its keys. */
	bool is_enum;
	/** How many values or keys it has. */
	size_t count;
} UtmConfigType;
/** Initial value of #UtmConfigType. */
#define UTM_CONFIG_TYPE_INIT                                                                                         \
	{                                                                                                            \
		sizeof(UtmConfigType), NULL, NULL, false, 0                                                          \
	}

/** A value of an enumeration. Initialise with #UTM_CONFIG_VALUE_INIT. */
typedef struct UtmConfigValue {
	/** sizeof(UtmConfigValue) */
	size_t size;
	/** What the property list has, such as `VirtIO`. */
	const char *text;
	/** A sentence for people. */
	const char *doc;
	/** As UtmConfigKey.architectures. (nullable) */
	const char *architectures;
} UtmConfigValue;
/** Initial value of #UtmConfigValue. */
#define UTM_CONFIG_VALUE_INIT                                                                                        \
	{                                                                                                            \
		sizeof(UtmConfigValue), NULL, NULL, NULL                                                             \
	}

/**
 * A key of a section. Initialise with #UTM_CONFIG_KEY_INIT.
 *
 * Conditions are JSON objects about other keys: `{"key":"Mode","in":["Bridged"]}`, or with `not-in`, `{"absent":"Theme"}`,
 * `{"present":"Icon"}`. The other key is one of the same section, or with a dot one of a section in it
 * (`Boot.OperatingSystem`).
 */
typedef struct UtmConfigKey {
	/** sizeof(UtmConfigKey) */
	size_t size;
	/** Its name in the property list, such as `MemorySize`. */
	const char *name;
	/** An earlier name, which is read, but not written. (nullable) */
	const char *old_name;
	/** A sentence for people. */
	const char *doc;
	/** Such as `MiB`. (nullable) */
	const char *unit;
	/**
	 * What a string says: `arguments` (of QEMU), `color` (`#rrggbb`), `cpu`, `cpu-flag`, `display-device`, `domain`, `file`
	 * (name of one in the package), `font`, `icon`, `interface` (of the host's network), `ip-address`, `ip-network`, `lines`
	 * (text of several), `mac-address`, `machine`, `network-device`, `properties` (`name=value` with commas),
	 * `serial-device`, `sound-device`. Later releases may have more. (nullable) nothing of these
	 */
	const char *format;
	/** What reading a file gives without the key, as JSON. (nullable) nothing: see @a is_optional and @a default_if */
	const char *default_json;
	/** Of a boolean: what reading gives without the key is whether this condition holds. (nullable) */
	const char *default_if;
	/**
	 * What a new object has, as JSON; `{}` is a section with what new ones have, `[{}]` an array of one. (nullable) the key is absent, each object
	 * gets another one (@a is_generated), or the value depends on others (@a default_if)
	 */
	const char *new_json;
	/** The condition under which the value has an effect and is written into files. (nullable) always */
	const char *used_if;
	/** The condition under which an optional key must be there when a file is read. (nullable) never */
	const char *required_if;
	/** The architectures of guests for which the key means something, with blanks between them. (nullable) all */
	const char *architectures;
	/** Its kind; of an array, that of each element. */
	UtmConfigKind kind;
	/** The type of a section or an enumeration; 0 for other kinds. */
	uint32_t type;
	/** The smallest integer that edits accept, when @a has_min. */
	int64_t min;
	/** The largest one, when @a has_max. */
	int64_t max;
	/** @a min counts. */
	bool has_min;
	/** @a max counts. */
	bool has_max;
	/** It is an array, whose order matters. */
	bool is_array;
	/** It may be absent. Reading refuses a file without a key that is not optional. */
	bool is_optional;
	/** Edits refuse it. */
	bool is_fixed;
	/** Each new object gets another one: identifiers and hardware addresses. */
	bool is_generated;
	/** Only early files have it; it is never written. */
	bool is_obsolete;
} UtmConfigKey;
/** Initial value of #UtmConfigKey. */
#define UTM_CONFIG_KEY_INIT                                                                                          \
	{                                                                                                            \
		sizeof(UtmConfigKey), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,              \
			UTM_CONFIG_KIND_BOOL, 0, 0, 0, false, false, false, false, false, false, false               \
	}

/**
 * The section that a configuration of a back end is.
 *
 * Numbers of types are those of this library: another release may have others, names stay.
 *
 * @return its type; 0 for a number that is no back end
 * @thread any
 */
UTM_API uint32_t utm_config_schema_get_root(UtmBackend backend);
/**
 * Tells about a section or an enumeration.
 *
 * @param[in]     type      From utm_config_schema_get_root() or UtmConfigKey.type.
 * @param[in,out] ret_type  Its size must be set; a shorter one gets less.
 * @return 0; #UTM_ERROR_NOT_FOUND for what is no type; #UTM_ERROR_STRUCT_SIZE; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_config_schema_get_type(uint32_t type, UtmConfigType *ret_type, UtmError **error);
/**
 * Tells about a key of a section. Keys come in an order that suits people.
 *
 * @param[in]     index    Below the section's count.
 * @param[in,out] ret_key  Its size must be set; a shorter one gets less.
 * @return as utm_config_schema_get_type(); #UTM_ERROR_NOT_FOUND also beyond the end and for an enumeration
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_config_schema_get_key(uint32_t type, size_t index, UtmConfigKey *ret_key,
                                                     UtmError **error);
/**
 * Tells about a value of an enumeration.
 *
 * @param[in]     index      Below the enumeration's count.
 * @param[in,out] ret_value  Its size must be set; a shorter one gets less.
 * @return as utm_config_schema_get_type(); #UTM_ERROR_NOT_FOUND also beyond the end and for a section
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_config_schema_get_value(uint32_t type, size_t index, UtmConfigValue *ret_value,
                                                       UtmError **error);
/**
 * Tells about the key that a path leads to. Any index will do, or none: `Drive[1].Interface` is `Drive[].Interface`.
 *
 * `Drive` is the array; `Drive[]` is one of its elements, which is told as a key that is no array, not optional and without
 * defaults.
 *
 * @param[in]     key_path  Not empty.
 * @param[in,out] ret_key   Its size must be set; a shorter one gets less.
 * @return 0; #UTM_ERROR_KEY_PATH for a path that the schema does not know; #UTM_ERROR_STRUCT_SIZE;
 *         #UTM_ERROR_INVALID_ARGUMENT
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_config_schema_find_key(UtmBackend backend, const char *key_path, UtmConfigKey *ret_key,
                                                      UtmError **error);

/**
 * Whether a key has an effect as things are: its condition and those of the sections that it is in hold, they are there,
 * and it means something for the architecture of the guest. What is not used may be set all the same.
 *
 * @param[in]  key_path  Of a value that is there or may be: `Network[0].BridgeInterface`.
 * @param[out] ret_used  false when a file would not get the value, or the machine does not care
 * @return 0; #UTM_ERROR_KEY_PATH for a path that the schema does not know; #UTM_ERROR_NOT_FOUND for an index beyond the
 *         end of an array; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any; the configuration must not change meanwhile
 */
UTM_API int utm_config_is_used(const UtmConfig *config, const char *key_path, bool *ret_used, UtmError **error);

UTM_END_DECLS

#endif
