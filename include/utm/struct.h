/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file struct.h
 * What all typed values have in common: arguments and results of commands, data of events (`qmp-types.h`,
 * `qga-types.h`).
 *
 * ## A guided tour
 *
 * Typed values are plain structs that you read and fill member by member:
 *
 *     UtmQmpBlockdevChangeMediumArgs *args = utm_qmp_blockdev_change_medium_args_new();
 *     utm_set_string(&args->id, "cd0");
 *     utm_set_string(&args->filename, "debian.iso");
 *     failed = utm_qmp_blockdev_change_medium(qmp, args, NULL, &error);
 *     utm_qmp_blockdev_change_medium_args_free(args);
 *
 * Only the library makes them: with `_new`, `_copy`, `_from_json`, or as a result. They grow at the end with later
 * releases, so a copy by value (`*a = *b`, or one on the stack) is refused where it is handed in.
 *
 * - **Strings and structs** inside are pointers that the struct owns; NULL means absent. utm_set_string() replaces a
 *   string. A struct that you put into another one belongs to it from then on. A string that you take out, leaving NULL, goes
 *   back through utm_free().
 * - **Scalars that may be absent** have a `has_...` beside them: #UTM_SET sets both. Where it is false the value means
 *   nothing, and is not sent. A few have `omit_...` instead, which is true for absent.
 * - **Lists** in a struct are a `..._count` and a pointer to the elements; a list that is itself the result of a command
 *   has `count` and `items`. utm_append_string() and its sisters let them grow. An
 *   empty list that may be absent is absent when its pointer is NULL, and empty otherwise.
 * - **Enumerations** are `int32_t` with named constants. A value that a newer peer made up is `..._UNRECOGNIZED`; its
 *   text is among the extras under the member's name, and goes out again as it came.
 * - **Unions** have a tag and, in `u`, a pointer for each branch: only the one that the tag names may be set. Members of
 *   the branch are beside those of the union on the wire.
 * - **Alternates** are structs with a `choice` that says which of the other members counts.
 * - **Free-form values** are #UtmValue; one that stands in a struct belongs to it.
 * - **Extras** are members that this library does not know: what a newer peer sent, and what you add for one with
 *   utm_struct_set_extra(). Of a union that was read its innermost branch has them.
 *
 * Structs in structs are made one by one and put in their place. A union's branch may be a union itself, as that of a
 * disk whose image is in a file:
 *
 *     UtmQmpBlockdevOptions *file = utm_qmp_blockdev_options_new();
 *     file->driver = UTM_QMP_BLOCKDEV_DRIVER_FILE;
 *     file->u.file = utm_qmp_blockdev_options_file_new();
 *     utm_set_string(&file->u.file->filename, "debian.qcow2");
 *     UTM_SET(file->u.file, aio, UTM_QMP_BLOCKDEV_AIO_OPTIONS_THREADS);
 *
 *     UtmQmpBlockdevOptions *disk = utm_qmp_blockdev_options_new();
 *     disk->driver = UTM_QMP_BLOCKDEV_DRIVER_QCOW2;
 *     utm_set_string(&disk->node_name, "disk0");
 *     UTM_SET(disk, read_only, true);
 *     disk->u.qcow2 = utm_qmp_blockdev_options_qcow2_new();
 *     disk->u.qcow2->file = utm_qmp_blockdev_ref_new();
 *     disk->u.qcow2->file->choice = UTM_QMP_BLOCKDEV_REF_DEFINITION;
 *     disk->u.qcow2->file->definition = file;                          // which belongs to disk from now on
 *     failed = utm_qmp_blockdev_add(qmp, disk, NULL, &error);
 *     utm_qmp_blockdev_options_free(disk);                             // and all in it
 *
 * What nobody wants to build so may be written: utm_qmp_blockdev_options_from_json().
 *
 * Each type `UtmQmpThing` has utm_qmp_thing_new(), `_free`, `_copy`, `_equal`, `_to_json` and `_from_json`, which are
 * the functions below with the type filled in. A struct is not locked: one thread at a time changes it.
 */
#ifndef UTM_STRUCT_H
#define UTM_STRUCT_H

#include <utm/error.h>

UTM_BEGIN_DECLS

/** The first member of every typed value; not for you. */
typedef struct UtmStructHeader {
	uint32_t magic;
	uint32_t type;
	UtmValue *extras;
} UtmStructHeader;

/** Beside the number of a type: a list of it. */
#define UTM_STRUCT_LIST 0x8000u

/**
 * Makes an empty value: all absent, false, 0 or NULL.
 *
 * @param[in] type  Such as `UTM_QMP_TYPE_BLOCK_INFO`.
 * @return release with utm_struct_free(); NULL for a number that is no type
 * @thread any
 */
UTM_API void *utm_struct_new(uint32_t type);
/** Releases a value and all in it. @param[in] value (nullable) one that the library made @thread any */
UTM_API void utm_struct_free(void *value);
/** Copies a value and all in it. @param[in] value (nullable) @return release with utm_struct_free(); or NULL @thread any */
UTM_API void *utm_struct_copy(const void *value);
/** Whether two values of any type are the same, extras included. NULL equals NULL. @thread any */
UTM_API bool utm_struct_equal(const void *a, const void *b);
/** The type's name in QEMU's schema; NULL for what the library did not make. Valid for ever. @thread any */
UTM_API const char *utm_struct_get_type_name(const void *value);

/**
 * Writes a value as JSON, the way it is on the wire: members in the order of their names, those of a union before those of
 * its branch.
 *
 * @param[out] ret_json  (transfer full) compact; release with utm_free()
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT, with the key path, for what cannot be said: a required member that is not set,
 *         an enumeration without a text, a number that is not finite, a string that is no UTF-8, a copy by value
 * @thread any
 */
UTM_API int utm_struct_to_json(const void *value, char **ret_json, UtmError **error);
/**
 * Reads a value from JSON, with strings in double quotes. Members that the library does not know become extras.
 *
 * @param[in]  type       A type, or with #UTM_STRUCT_LIST a list of it.
 * @param[out] ret_value  (transfer full) a pointer to the struct; release with utm_struct_free()
 * @return 0; #UTM_ERROR_QMP_MALFORMED, with the key path; #UTM_ERROR_INVALID_ARGUMENT for a number that is no type
 * @thread any
 */
UTM_API int utm_struct_from_json(uint32_t type, const char *json, void *ret_value, UtmError **error);

/**
 * Adds a member that the struct has no field for, or replaces one that was added.
 *
 * @param[in] name   Its name on the wire; not one that has a field.
 * @param[in] value  Its value as JSON. (nullable) removes it
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any
 */
UTM_API int utm_struct_set_extra(void *value, const char *name, const char *json, UtmError **error);
/**
 * What came with this name and has no field. For an enumeration that is `..._UNRECOGNIZED`: its text, as a JSON string,
 * or for a list of them an array with null where the library knows the value.
 *
 * @return (nullable) valid until the struct changes
 * @thread any
 */
UTM_API const UtmValue *utm_struct_get_extra(const void *value, const char *name);

/**
 * Sets a scalar that may be absent, and its `has_...`: `UTM_SET(args, force, true)`. The compiler refuses members without
 * one. Uses @a object twice.
 */
#define UTM_SET(object, member, value) ((void)((object)->has_##member = true, (object)->member = (value)))

/* With NULL for the member, the list or the count these do nothing. */

/** Replaces a string member by a copy of @a text. @param[in] text (nullable) absent @thread any */
UTM_API void utm_set_string(char **member, const char *text);
/** Appends a copy of @a text to a list of strings. @thread any */
UTM_API void utm_append_string(char ***list, size_t *count, const char *text);
/** Appends a struct to a list of structs, which owns it from now on. @param[in] list Address of the list's member. @thread any */
UTM_API void utm_append_struct(void *list, size_t *count, void *value_taken);
/**
 * Appends a number, a boolean or an enumeration's value to a list of them.
 *
 * @param[in] list  Address of the list's member.
 * @param[in] item  Address of the value to copy.
 * @param[in] size  Its size in bytes: that of an element of the list.
 * @thread any
 */
UTM_API void utm_append_scalar(void *list, size_t *count, const void *item, size_t size);

/** The text of an enumeration's value on the wire. @return (nullable) valid for ever @thread any */
UTM_API const char *utm_enum_to_string(uint32_t type, int32_t value);
/** The value of a text. @param[in] text (nullable) @return -1, which is `..._UNRECOGNIZED`, for an unknown text @thread any */
UTM_API int32_t utm_enum_from_string(uint32_t type, const char *text);

UTM_END_DECLS

/* The functions of one type, as the generated headers have them. */

#define UTM_DEFINE_VALUE(Type, stem, number)                                                                         \
	static inline void stem##_free(Type *value)                                                                  \
	{                                                                                                            \
		utm_struct_free(value);                                                                              \
	}                                                                                                            \
	static inline Type *stem##_copy(const Type *value)                                                           \
	{                                                                                                            \
		return (Type *)utm_struct_copy(value);                                                               \
	}                                                                                                            \
	static inline bool stem##_equal(const Type *a, const Type *b)                                                \
	{                                                                                                            \
		return utm_struct_equal(a, b);                                                                       \
	}                                                                                                            \
	static inline int stem##_to_json(const Type *value, char **ret_json, UtmError **error)                       \
	{                                                                                                            \
		return utm_struct_to_json(value, ret_json, error);                                                   \
	}                                                                                                            \
	static inline int stem##_from_json(const char *json, Type **ret_value, UtmError **error)                     \
	{                                                                                                            \
		return utm_struct_from_json(number, json, ret_value, error);                                         \
	}

#define UTM_DEFINE_STRUCT(Type, stem, number)                                                                        \
	static inline Type *stem##_new(void)                                                                         \
	{                                                                                                            \
		return (Type *)utm_struct_new(number);                                                               \
	}                                                                                                            \
	UTM_DEFINE_VALUE(Type, stem, number)

#define UTM_DEFINE_LIST(Type, stem, number) UTM_DEFINE_VALUE(Type, stem, (number) | UTM_STRUCT_LIST)

#define UTM_DEFINE_ENUM(stem, number)                                                                                \
	static inline const char *stem##_to_string(int32_t value)                                                    \
	{                                                                                                            \
		return utm_enum_to_string(number, value);                                                            \
	}                                                                                                            \
	static inline int32_t stem##_from_string(const char *text)                                                   \
	{                                                                                                            \
		return utm_enum_from_string(number, text);                                                           \
	}

#endif
