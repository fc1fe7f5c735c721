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
 * A configuration is for one of two back ends, utm_config_get_backend(), which decides what keys there are. Files of
 * all versions are read, those of UTM 1 to 3 by the rules by which UTM itself migrates them; in memory and when written
 * every configuration is of version 4. What a migration left out or changed is told by utm_config_get_note().
 * docs/configuration-versions.md says more.
 *
 * A configuration is not tied to a context, a bundle or a thread. Reading from several threads at once is fine as long
 * as no thread writes.
 */
#ifndef UTM_CONFIGURATION_H
#define UTM_CONFIGURATION_H

#include <utm/error.h>
#include <utm/value.h>

UTM_BEGIN_DECLS

/** Which program runs a machine. */
typedef enum UtmBackend {
	UTM_BACKEND_QEMU = 1,
	/** Apple's Virtualization framework. Such machines can be read, edited and written here, but not run. */
	UTM_BACKEND_APPLE = 2
} UtmBackend;

/** The format of the file that a configuration was read from. */
typedef enum UtmConfigFormat {
	/** Version 4, of either back end, or no file at all. */
	UTM_CONFIG_FORMAT_CURRENT = 0,
	/** Versions 0 to 2 of UTM 1 to 3, for QEMU. Its files are in `Images`, its custom icon beside that. */
	UTM_CONFIG_FORMAT_LEGACY_QEMU = 1,
	/** Versions 1 to 3 of UTM 3, for Apple's framework. Its files are in `Data`, as now. */
	UTM_CONFIG_FORMAT_LEGACY_APPLE = 2
} UtmConfigFormat;

/** How files are read. */
typedef enum UtmConfigLoadFlags {
	/**
	 * A migration gives what UTM gives, its known faults included: forwarded host ports become those of the guest,
	 * a machine type may be one that UTM then refuses, custom icons of Apple machines are lost, and so on.
	 */
	UTM_CONFIG_LOAD_UTM_EXACT = 1 << 0
} UtmConfigLoadFlags;

/** Options of reading. Initialise with #UTM_CONFIG_LOAD_OPTIONS_INIT. */
typedef struct UtmConfigLoadOptions {
	/** sizeof(UtmConfigLoadOptions) */
	size_t size;
	/** #UtmConfigLoadFlags */
	uint32_t flags;
	/**
	 * Name of the machine, for versions that do not store it. (nullable) that of the directory `NAME.utm` in which the
	 * file is, or "Virtual Machine"
	 */
	const char *name;
	/**
	 * Processor architecture of the host, such as `aarch64`, on which the migration of some values depends. (nullable)
	 * this host's
	 */
	const char *host_architecture;
} UtmConfigLoadOptions;
/** Initial value of #UtmConfigLoadOptions. */
#define UTM_CONFIG_LOAD_OPTIONS_INIT                                                                                 \
	{                                                                                                            \
		sizeof(UtmConfigLoadOptions), 0, NULL, NULL                                                          \
	}

/** What became of a value of an older file. */
typedef enum UtmConfigNoteKind {
	/** It had no effect in the old machine either, or says what the new one does anyway. */
	UTM_CONFIG_NOTE_INFO = 1,
	/** It was changed, because what it said is not possible. */
	UTM_CONFIG_NOTE_CHANGED = 2,
	/** It is left out, because version 4 has no place for it. */
	UTM_CONFIG_NOTE_DROPPED = 3
} UtmConfigNoteKind;

/** Something that a migration could not carry over as it was. */
typedef struct UtmConfigNote {
	/** sizeof(UtmConfigNote) of the library */
	size_t size;
	/** What became of it. */
	UtmConfigNoteKind kind;
	/** Where it stood, in the words of the old file; valid as long as the configuration. */
	const char *key_path;
	/** One line for people. */
	const char *reason;
} UtmConfigNote;

/**
 * Reads a property list, XML or binary, of any version.
 *
 * @param[in]  data        The bytes. At most 16 MiB.
 * @param[in]  size_bytes  How many.
 * @param[in]  options     (nullable) defaults
 * @param[out] ret_config  (transfer full) release with utm_config_unref()
 * @return 0; #UTM_ERROR_CONFIG_MALFORMED for what is no property list, a missing key, a wrong type or no UUID;
 *         #UTM_ERROR_CONFIG_INVALID_VALUE for a word that an enumeration does not have; #UTM_ERROR_CONFIG_TOO_OLD,
 *         #UTM_ERROR_CONFIG_TOO_NEW; #UTM_ERROR_CONFIG_INVALID_BACKEND for an Apple machine without a version;
 *         #UTM_ERROR_LIMIT; each with the key path
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_config_load_data(const void *data, size_t size_bytes,
                                                const UtmConfigLoadOptions *options, UtmConfig **ret_config,
                                                UtmError **error);
/**
 * Reads a property list file. As utm_config_load_data(), and the error names the file.
 *
 * @return also #UTM_ERROR_NOT_FOUND and #UTM_ERROR_IO
 * @thread any; reads a file
 */
UTM_API UTM_MUST_CHECK int utm_config_load_file(const char *path, const UtmConfigLoadOptions *options,
                                                UtmConfig **ret_config, UtmError **error);
/**
 * Reads JSON with the keys of the property list, as utm_config_to_json() writes it: whatever that gives is read to equal
 * values, also those that no file holds. As utm_config_load_data(), but what is beyond a bound is #UTM_ERROR_CONFIG_MALFORMED
 * too, and no key is required because of the value of another.
 *
 * @param[in] json  One JSON object; strings may stand in single quotes.
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_config_load_json(const char *json, const UtmConfigLoadOptions *options,
                                                UtmConfig **ret_config, UtmError **error);
/** utm_config_load_data() without options. @thread any; does not block */
UTM_API UTM_MUST_CHECK int utm_config_new_from_data(const void *data, size_t size_bytes, UtmConfig **ret_config,
                                                    UtmError **error);
/** utm_config_load_file() without options. @thread any; reads a file */
UTM_API UTM_MUST_CHECK int utm_config_new_from_file(const char *path, UtmConfig **ret_config, UtmError **error);

/** How new machines are made. */
typedef enum UtmConfigNewFlags {
	/**
	 * What UTM gives even where the machine cannot start with it: cards for boards without a bus for them (or1k-sim, spike,
	 * sim, mcf5208evb and none; eTSEC in a g3beige or pseries, sb16 in a g3beige or B160L, e1000e in an s390x), 512 MiB for a
	 * SPARCstation that takes 256, and for a LoongArch board that needs more than 1024, and machine types of QEMU 10.0. A
	 * machine of the Apple back end has no operating system then.
	 */
	UTM_CONFIG_NEW_UTM_EXACT = 1 << 0
} UtmConfigNewFlags;

/** Options of utm_config_new_default(). Initialise with #UTM_CONFIG_NEW_OPTIONS_INIT. */
typedef struct UtmConfigNewOptions {
	/** sizeof(UtmConfigNewOptions) */
	size_t size;
	/** Which program is to run the machine. */
	UtmBackend backend;
	/** Processor architecture of the guest, such as `riscv64`. (nullable) `x86_64`; `aarch64` for Apple */
	const char *architecture;
	/** Machine type of QEMU. (nullable) the one that suits the architecture; NULL for Apple, which has none */
	const char *target;
	/** Name of the machine. (nullable) "Virtual Machine" */
	const char *name;
	/** Processor architecture of the host, which decides `QEMU.Hypervisor`. (nullable) this host's */
	const char *host_architecture;
	/** #UtmConfigNewFlags */
	uint32_t flags;
} UtmConfigNewOptions;
/** Initial value of #UtmConfigNewOptions. */
#define UTM_CONFIG_NEW_OPTIONS_INIT                                                                                  \
	{                                                                                                            \
		sizeof(UtmConfigNewOptions), UTM_BACKEND_QEMU, NULL, NULL, NULL, NULL, 0                             \
	}

/**
 * Makes the configuration of a new machine, with the devices that UTM gives one of that architecture and machine type:
 * a display or else a serial port, a network card, a sound card, USB, firmware, sharing. A machine of the Apple back end is
 * one for Linux: UEFI, a platform, a network card and a serial port; Apple's framework gives the platform its identity. It
 * has no drives; each call gives other identifiers and hardware addresses.
 *
 * Machine types differ between releases of QEMU, so that one which is not known here is taken as one without
 * specialities; utm_config_check() and QEMU have the last word.
 *
 * @param[in]  options     (nullable) defaults
 * @param[out] ret_config  (transfer full) release with utm_config_unref()
 * @return 0; #UTM_ERROR_CONFIG_INVALID_VALUE with the key path for an unknown architecture, what can be no machine type
 *         and an empty name; #UTM_ERROR_CONFIG_INVALID_BACKEND; #UTM_ERROR_STRUCT_SIZE; #UTM_ERROR_INVALID_ARGUMENT
 *         also for unknown flags
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_config_new_default(const UtmConfigNewOptions *options, UtmConfig **ret_config,
                                                  UtmError **error);
/**
 * How UTM attaches a new drive to a machine: a value for `Drive[].Interface`.
 *
 * @param[in] image_type  A value of `Drive[].ImageType`.
 * @return valid for ever; NULL for a machine of the Apple back end
 * @thread any
 */
UTM_API const char *utm_config_get_default_interface(const UtmConfig *config, const char *image_type);

/** A copy to edit. @return a new configuration; release with utm_config_unref() @thread any */
UTM_API UTM_MUST_CHECK UtmConfig *utm_config_copy(const UtmConfig *config);
/** Takes another reference to the same values. @return @a config @thread any */
UTM_API UtmConfig *utm_config_ref(UtmConfig *config);
/** Gives a reference back. @param[in] config (nullable) @thread any */
UTM_API void utm_config_unref(UtmConfig *config);
/** True when all values are equal, unknown keys included. @thread any */
UTM_API bool utm_config_equal(const UtmConfig *a, const UtmConfig *b);

/** The back end that the machine is for. @return 0 for NULL @thread any */
UTM_API UtmBackend utm_config_get_backend(const UtmConfig *config);
/**
 * What the values were read from. Copies keep it, since the machine's files still lie where that format has them.
 *
 * @param[out] ret_version  Version in that format, 0 when the file did not say. (nullable)
 * @thread any
 */
UTM_API UtmConfigFormat utm_config_get_format(const UtmConfig *config, int64_t *ret_version);
/** Number of notes; 0 for files of version 4. @thread any */
UTM_API size_t utm_config_get_note_count(const UtmConfig *config);
/** Note @a index, or NULL beyond the end; valid as long as the configuration. @thread any */
UTM_API const UtmConfigNote *utm_config_get_note(const UtmConfig *config, size_t index);

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
 * Writes any value from text: `true`, `4096`, `VirtIO`, or JSON for a section or an array. In a section, and in an element such as
 * `Drive[0]`, keys that the JSON does not name stay as they are, unknown ones too; null clears an optional key. An array is
 * replaced as a whole, and what its elements do not name gets the values of new ones.
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
 * @param[in] json      The element as JSON; keys left out get the defaults of a new one, and what fits the machine: `Hardware`
 *                      of displays, network and sound cards, `Interface` of disks and CDs. Single quotes are accepted.
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
 * The values as JSON, with the keys of the property list. Data are `{"$data": BASE64}`, dates `{"$date": SECONDS}` since 2001,
 * numbers that are none `{"$real": TEXT}`; an unknown dictionary with one of these as its only key is read as what it then says.
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

/**
 * Reads `view.plist`, which older packages have beside their configuration: what UTM now keeps outside of packages.
 *
 * The result is an object with the keys of UTM's registry, each there only when the file says something about it:
 * `WindowSettings` (`{"0": {"Scale", "Origin": [x, y], "ToolbarVisible", "KeyboardVisible", "DisplayZoomLocked"}}`),
 * `Suspended`, `SharedDirectories` and `ExternalDrives` (`{"Path", "Bookmark", "ReadOnly"}`, the latter by the drive's
 * `Identifier`), and `Package` (`{"BookmarkRemote"}`). Bookmarks are `{"$data": BASE64}`; only macOS can follow them.
 *
 * With #UTM_CONFIG_LOAD_UTM_EXACT the keyboard is visible when the toolbar is, a file that does not say hides both, and
 * drives have their old names.
 *
 * @param[in]  data       The bytes. At most 16 MiB.
 * @param[in]  options    (nullable) defaults
 * @param[out] ret_state  (transfer full) release with utm_value_free()
 * @return 0; #UTM_ERROR_CONFIG_MALFORMED; #UTM_ERROR_LIMIT
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_view_state_load_data(const void *data, size_t size_bytes,
                                                    const UtmConfigLoadOptions *options, UtmValue **ret_state,
                                                    UtmError **error);

/** The machine's name, `Information.Name`; valid until the configuration changes. @thread any */
UTM_API const char *utm_config_get_name(const UtmConfig *config);
/** The machine's identifier in upper case, `Information.UUID`; valid until it changes. @thread any */
UTM_API const char *utm_config_get_uuid(const UtmConfig *config);

UTM_END_DECLS

#endif
