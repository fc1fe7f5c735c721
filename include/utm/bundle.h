/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file bundle.h
 * A `.utm` package: a directory with `config.plist`, a `Data` directory and perhaps a screenshot.
 *
 * A bundle comes from strangers. Names inside it never lead out: a file name with a directory part, an absolute name
 * or a symbolic link that leaves the package is refused with #UTM_ERROR_BUNDLE_PATH_ESCAPE.
 *
 * ## A guided tour
 *
 * Look for packages, open one, make another:
 *
 *     utm_bundle_list_directory("/home/me/Machines", &list, &error);      // names, without opening each
 *     utm_bundle_open(ctx, utm_bundle_list_get(list, 0)->path, &bundle, &error);
 *     utm_bundle_create(ctx, "/home/me/Machines/New.utm", config, NULL, &bundle, &error);
 *     utm_bundle_clone(bundle, "/home/me/Machines/Copy.utm", NULL, &copy, &error);
 *
 * Change it. A disk comes in first, then the configuration names it, so that at no moment anything is missing:
 *
 *     utm_bundle_lock(bundle, &error);                       // what is read now stays so
 *     UtmConfig *config = utm_config_copy(utm_bundle_get_config(bundle));
 *     utm_bundle_import(bundle, "/tmp/disk.qcow2", NULL, &name, &error);
 *     utm_config_set_string(config, "Drive[0].ImageName", name, &error);
 *     utm_bundle_save_config(bundle, config, &error);
 *     utm_bundle_prune(bundle, NULL, NULL, &error);          // the former disk, if nothing needs it any more
 *     utm_bundle_unlock(bundle, &error);
 *
 * ### The rules
 * 1. Reading needs no lock: what is written is written beside and renamed into place, so there is always an old or a new
 *    file, never a part of one. A process that is killed leaves at most a file of the name `.utm-XXXXXXXXXXXX.tmp`, which
 *    the next one clears away.
 * 2. Whatever changes a package, and a machine that runs, holds its lock meanwhile: two processes, or two UtmBundle of one,
 *    never change or run it both. It is an advisory lock of the operating system on the package's directory: it leaves no
 *    file behind, ends with the process, and works on read-only media. Some network file systems have none; then the log
 *    has a warning, and things work without. Other programs, UTM on macOS among them, do not know of it.
 * 3. A configuration that somebody else has saved is not overwritten: #UTM_ERROR_BUNDLE_CHANGED.
 * 4. Nothing is ever replaced, and nothing removed that was not asked for.
 * 5. A package of an older version has its files in `Images`. They are found there, and the first save moves them to
 *    `Data`. A machine can be started after that.
 */
#ifndef UTM_BUNDLE_H
#define UTM_BUNDLE_H

#include <utm/configuration.h>
#include <utm/context.h>

UTM_BEGIN_DECLS

/** Whether a bundle has its package to itself. */
typedef enum UtmBundleLockState {
	/** It has not asked for that. */
	UTM_BUNDLE_UNLOCKED = 0,
	/** Nobody else changes or runs it. */
	UTM_BUNDLE_LOCKED = 1,
	/** It has asked, but the file system has no locks. */
	UTM_BUNDLE_LOCK_UNSURE = 2
} UtmBundleLockState;

/** What an entry of a directory is. */
typedef enum UtmBundleFileKind {
	/** A device, a FIFO, a socket, or something that cannot be looked at. */
	UTM_BUNDLE_FILE_OTHER = 0,
	UTM_BUNDLE_FILE_REGULAR = 1,
	UTM_BUNDLE_FILE_DIRECTORY = 2,
	/** A symbolic link, whatever it leads to. */
	UTM_BUNDLE_FILE_LINK = 3
} UtmBundleFileKind;

/** One entry of a bundle's `Data` directory. */
typedef struct UtmBundleFile {
	/** sizeof(UtmBundleFile) of the library */
	size_t size;
	/** Name inside `Data`; valid as long as the list. */
	const char *name;
	/** Bytes that the file contains, symbolic links followed inside the bundle. */
	uint64_t length_bytes;
	/** Bytes that it occupies on disk. */
	uint64_t allocated_bytes;
	/** True when the configuration refers to it, or an image that it refers to is based on it. */
	bool referenced;
	/** True when utm_bundle_prune() without names removes it. */
	bool prunable;
	/** A #UtmBundleFileKind */
	uint32_t kind;
} UtmBundleFile;

/** The files of a bundle's `Data` directory at one moment. */
typedef struct UtmBundleFiles UtmBundleFiles;

/** What a package occupies. Initialise with #UTM_BUNDLE_SIZE_INIT. */
typedef struct UtmBundleSize {
	/** sizeof(UtmBundleSize) */
	size_t size;
	/** Bytes that its files contain, holes included. */
	uint64_t length_bytes;
	/** Bytes that it occupies on disk, directories included. */
	uint64_t allocated_bytes;
	/** Regular files; one with several names is counted once. */
	uint64_t file_count;
} UtmBundleSize;
/** Initial value of #UtmBundleSize. */
#define UTM_BUNDLE_SIZE_INIT                                                                                         \
	{                                                                                                            \
		sizeof(UtmBundleSize), 0, 0, 0                                                                       \
	}

/** A file for a new package. */
typedef struct UtmBundleSource {
	/** Path of a regular file. */
	const char *source;
	/** Plain name in `Data`. (nullable) the last component of the source */
	const char *name;
} UtmBundleSource;

/** Options of utm_bundle_create(). Initialise with #UTM_BUNDLE_CREATE_OPTIONS_INIT. */
typedef struct UtmBundleCreateOptions {
	/** sizeof(UtmBundleCreateOptions) */
	size_t size;
	/** Files to copy into `Data`. (nullable) */
	const UtmBundleSource *files;
	/** How many. */
	size_t file_count;
	/** Stops it. (nullable) */
	UtmCancel *cancel;
	/** Tells how far it is. (nullable) */
	UtmProgress *progress;
} UtmBundleCreateOptions;
/** Initial value of #UtmBundleCreateOptions. */
#define UTM_BUNDLE_CREATE_OPTIONS_INIT                                                                               \
	{                                                                                                            \
		sizeof(UtmBundleCreateOptions), NULL, 0, NULL, NULL                                                  \
	}

/** Flags of utm_bundle_import(). */
typedef enum UtmBundleImportFlags {
	/** The name is taken as it is, or refused with #UTM_ERROR_BUNDLE_EXISTS. */
	UTM_BUNDLE_IMPORT_EXACT_NAME = 1
} UtmBundleImportFlags;

/** Options of utm_bundle_import(). Initialise with #UTM_BUNDLE_IMPORT_OPTIONS_INIT. */
typedef struct UtmBundleImportOptions {
	/** sizeof(UtmBundleImportOptions) */
	size_t size;
	/** Plain name. (nullable) the last component of the source */
	const char *name;
	/** #UtmBundleImportFlags */
	uint32_t flags;
	/** Zero. */
	uint32_t reserved;
	/** Stops it; the package is then as before. (nullable) */
	UtmCancel *cancel;
	/** Tells how far it is. (nullable) */
	UtmProgress *progress;
} UtmBundleImportOptions;
/** Initial value of #UtmBundleImportOptions. */
#define UTM_BUNDLE_IMPORT_OPTIONS_INIT                                                                               \
	{                                                                                                            \
		sizeof(UtmBundleImportOptions), NULL, 0, 0, NULL, NULL                                               \
	}

/** Flags of utm_bundle_clone(). */
typedef enum UtmBundleCloneFlags {
	/** The copy has the hardware addresses of the original; both must not run in one network. */
	UTM_BUNDLE_CLONE_KEEP_MACS = 1
} UtmBundleCloneFlags;

/** Options of utm_bundle_clone(). Initialise with #UTM_BUNDLE_CLONE_OPTIONS_INIT. */
typedef struct UtmBundleCloneOptions {
	/** sizeof(UtmBundleCloneOptions) */
	size_t size;
	/** Name of the machine. (nullable) that of the package, without `.utm` */
	const char *name;
	/** #UtmBundleCloneFlags */
	uint32_t flags;
	/** Zero. */
	uint32_t reserved;
	/** Stops it; then there is no copy. (nullable) */
	UtmCancel *cancel;
	/** Tells how far it is. (nullable) */
	UtmProgress *progress;
	/**
	 * What is written into the copy, as it is; then there are no name and no flags. For a machine that moves, and for
	 * one that is migrated: the copy of an older version has its files where version 4 has them. It never stands at its
	 * place without this. (nullable) that of the original, with another identifier, name and hardware addresses
	 */
	const UtmConfig *config;
} UtmBundleCloneOptions;
/** Initial value of #UtmBundleCloneOptions. */
#define UTM_BUNDLE_CLONE_OPTIONS_INIT                                                                                \
	{                                                                                                            \
		sizeof(UtmBundleCloneOptions), NULL, 0, 0, NULL, NULL, NULL                                          \
	}

/** A package in a directory. Its strings are valid as long as the list. */
typedef struct UtmBundleEntry {
	/** sizeof(UtmBundleEntry) of the library */
	size_t size;
	/** Absolute path. */
	const char *path;
	/** Name of the machine; that of the file, without `.utm`, when the package cannot be read. */
	const char *name;
	/** Its identifier; NULL when the package cannot be read. */
	const char *uuid;
	/** Why it cannot be read; NULL when it can. */
	const UtmError *error;
} UtmBundleEntry;

/** The packages of a directory at one moment. */
typedef struct UtmBundleList UtmBundleList;

/**
 * The end of utm_bundle_create_async() and utm_bundle_clone_async(); runs inside dispatch, exactly once.
 *
 * @param[in] bundle  (transfer full) the new package, opened; release with utm_bundle_unref(). NULL when @a error is set
 * @param[in] error   (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmBundleMadeFunc)(UtmContext *ctx, UtmBundle *bundle, const UtmError *error, void *user_data);
/**
 * The end of utm_bundle_import_async(); runs inside dispatch, exactly once, unless the last reference to @a bundle goes
 * first: then only the `free_fn` runs, and the file is copied all the same.
 *
 * @param[in] name   What the file is called now; valid during the call. NULL when @a error is set
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmBundleImportedFunc)(UtmBundle *bundle, const char *name, const UtmError *error, void *user_data);
/**
 * The end of utm_bundle_get_size_async(); runs inside dispatch, exactly once, unless the last reference to @a bundle goes
 * first: then only the `free_fn` runs.
 *
 * @param[in] size   Valid during the call. NULL when @a error is set
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmBundleSizeFunc)(UtmBundle *bundle, const UtmBundleSize *size, const UtmError *error, void *user_data);
/**
 * The end of utm_bundle_list_directory_async(); runs inside dispatch, exactly once.
 *
 * @param[in] list   (transfer full) release with utm_bundle_list_free(). NULL when @a error is set
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmBundleListFunc)(UtmContext *ctx, UtmBundleList *list, const UtmError *error, void *user_data);

/**
 * Lists the packages directly in a directory, that is all entries whose names end with `.utm`, sorted by path. Those that
 * cannot be read are listed too, with the reason.
 *
 * @param[out] ret_list  (transfer full) release with utm_bundle_list_free()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO; #UTM_ERROR_LIMIT for more than 100000 packages
 * @thread any; reads files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_list_directory(const char *path, UtmBundleList **ret_list, UtmError **error);
/**
 * The same; the list comes to @a fn.
 *
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; everything later comes to @a fn
 * @thread any; does not block
 */
UTM_API int utm_bundle_list_directory_async(UtmContext *ctx, const char *path, UtmBundleListFunc fn, void *user_data,
                                            UtmFreeFunc free_fn, UtmError **error);
/** Number of packages. @thread any */
UTM_API size_t utm_bundle_list_get_count(const UtmBundleList *list);
/** Package @a index, or NULL beyond the end; valid as long as the list. @thread any */
UTM_API const UtmBundleEntry *utm_bundle_list_get(const UtmBundleList *list, size_t index);
/** Releases a list. @param[in] list (nullable) @thread any */
UTM_API void utm_bundle_list_free(UtmBundleList *list);

/**
 * Makes a new package: complete, or not at all.
 *
 * @param[in]  path        Where; its last component ends with `.utm`. utm_bundle_dup_file_name() makes one from a name.
 * @param[in]  config      What to write into it; it is copied.
 * @param[in]  options     (nullable) no files
 * @param[out] ret_bundle  (transfer full) the new package, opened
 * @return 0; #UTM_ERROR_BUNDLE_EXISTS when anything of that name is there; #UTM_ERROR_NOT_FOUND for the directory or a
 *         source; #UTM_ERROR_IO; #UTM_ERROR_CANCELLED; #UTM_ERROR_CONFIG_INVALID_VALUE; #UTM_ERROR_BUNDLE_PATH_ESCAPE
 * @thread any but the wakeup callback; blocks while files are copied
 */
UTM_API UTM_MUST_CHECK int utm_bundle_create(UtmContext *ctx, const char *path, const UtmConfig *config,
                                             const UtmBundleCreateOptions *options, UtmBundle **ret_bundle,
                                             UtmError **error);
/**
 * The same on a thread of the library's; the package comes to @a fn. The end of the context cancels it.
 *
 * @param[in] config  It is copied at once, and so are the options.
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT, #UTM_ERROR_STRUCT_SIZE; everything later comes to @a fn
 * @thread any; does not block
 */
UTM_API int utm_bundle_create_async(UtmContext *ctx, const char *path, const UtmConfig *config,
                                    const UtmBundleCreateOptions *options, UtmBundleMadeFunc fn, void *user_data,
                                    UtmFreeFunc free_fn, UtmError **error);

/**
 * Makes a copy: all files, of which blocks are shared where the file system can, with an identifier, a name and hardware
 * addresses of its own unless the options have a configuration for it. Devices, FIFOs and sockets stay behind.
 *
 * @param[in]  path        As for utm_bundle_create().
 * @param[in]  options     (nullable) defaults
 * @param[out] ret_bundle  (transfer full) the copy, opened
 * @return as utm_bundle_create(); #UTM_ERROR_INVALID_STATE while a machine runs from the original;
 *         #UTM_ERROR_BUNDLE_LOCKED, #UTM_ERROR_BUNDLE_CHANGED, #UTM_ERROR_LIMIT
 * @thread any but the wakeup callback; blocks while files are copied
 */
UTM_API UTM_MUST_CHECK int utm_bundle_clone(UtmBundle *bundle, const char *path, const UtmBundleCloneOptions *options,
                                            UtmBundle **ret_bundle, UtmError **error);
/**
 * The same on a thread of the library's; the copy comes to @a fn, unless the last reference to @a bundle goes first: then
 * only the `free_fn` runs, and the copy is made all the same. The end of the context cancels it.
 *
 * @return as utm_bundle_create_async()
 * @thread any; does not block
 */
UTM_API int utm_bundle_clone_async(UtmBundle *bundle, const char *path, const UtmBundleCloneOptions *options,
                                   UtmBundleMadeFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);

/**
 * The name of a package for a machine, as UTM makes it: `.utm` behind the name, and a dash for what no file name should
 * have.
 *
 * @return (transfer full) release with utm_free() @thread any
 */
UTM_API UTM_MUST_CHECK char *utm_bundle_dup_file_name(const char *name);

/**
 * Opens a package and reads its configuration. Nothing in it is changed.
 *
 * @param[in]  path        The package directory; a relative path is resolved at once.
 * @param[out] ret_bundle  (transfer full) release with utm_bundle_unref()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_NOT_A_BUNDLE, #UTM_ERROR_IO, #UTM_ERROR_LIMIT;
 *         #UTM_ERROR_BUNDLE_PATH_ESCAPE when the configuration file or a name in it leads out of the package;
 *         #UTM_ERROR_CONFIG_MALFORMED, #UTM_ERROR_CONFIG_INVALID_VALUE, #UTM_ERROR_CONFIG_TOO_OLD,
 *         #UTM_ERROR_CONFIG_TOO_NEW, #UTM_ERROR_CONFIG_INVALID_BACKEND; each names the file and, where there is one, the
 *         key path
 * @thread any; reads files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_open(UtmContext *ctx, const char *path, UtmBundle **ret_bundle, UtmError **error);
/** Takes another reference. @return @a bundle @thread any */
UTM_API UtmBundle *utm_bundle_ref(UtmBundle *bundle);
/** Gives a reference back. @param[in] bundle (nullable) @thread any */
UTM_API void utm_bundle_unref(UtmBundle *bundle);

/** The context that the bundle belongs to. @thread any */
UTM_API UtmContext *utm_bundle_get_context(UtmBundle *bundle);
/** The absolute path of the package, without symbolic links. @thread any */
UTM_API const char *utm_bundle_get_path(UtmBundle *bundle);
/** The configuration as it was read. It is shared: copy it with utm_config_copy() to edit. @thread any */
UTM_API UtmConfig *utm_bundle_get_config(UtmBundle *bundle);

/**
 * Finds a file of the `Data` directory by the name that a configuration gives it.
 *
 * @param[in]  name      A plain file name.
 * @param[out] ret_path  (transfer full) absolute path; release with utm_free()
 * @return 0; #UTM_ERROR_BUNDLE_PATH_ESCAPE when the name leads out of the package; #UTM_ERROR_IMAGE_MISSING when
 *         there is no such file; #UTM_ERROR_IO
 * @thread any; reads directories
 */
UTM_API UTM_MUST_CHECK int utm_bundle_resolve(UtmBundle *bundle, const char *name, char **ret_path, UtmError **error);

/**
 * Lists the `Data` directory, sorted by name. A bundle without one has an empty list.
 *
 * @param[out] ret_files  (transfer full) release with utm_bundle_files_free()
 * @return 0; #UTM_ERROR_IO; #UTM_ERROR_LIMIT for more than 65536 entries
 * @thread any; reads directories
 */
UTM_API UTM_MUST_CHECK int utm_bundle_list_files(UtmBundle *bundle, UtmBundleFiles **ret_files, UtmError **error);
/** Number of entries. @thread any */
UTM_API size_t utm_bundle_files_get_count(const UtmBundleFiles *files);
/** Entry @a index, or NULL beyond the end; valid as long as the list. @thread any */
UTM_API const UtmBundleFile *utm_bundle_files_get(const UtmBundleFiles *files, size_t index);
/** Releases a list. @param[in] files (nullable) @thread any */
UTM_API void utm_bundle_files_free(UtmBundleFiles *files);

/**
 * Lists those entries of `Data` that the configuration does not refer to, sorted by name. The log, UEFI variables and the
 * state of a TPM are among them only when they are of no use any more.
 *
 * @param[out] ret_files  (transfer full) release with utm_bundle_files_free()
 * @return as utm_bundle_list_files()
 * @thread any; reads directories
 */
UTM_API UTM_MUST_CHECK int utm_bundle_list_unreferenced(UtmBundle *bundle, UtmBundleFiles **ret_files, UtmError **error);

/**
 * Removes files of `Data` that the configuration does not refer to. Links are removed themselves, never followed;
 * directories stay.
 *
 * @param[in]  names        Which, ends with NULL; when one of them cannot be removed none is. (nullable) what
 *                          UtmBundleFile.prunable says: disk images of the kinds that UTM and this library make, no word of
 *                          the configuration being their name, and what interrupted calls left behind
 * @param[out] ret_removed  (transfer full) what was removed; release with utm_bundle_files_free(). (nullable)
 * @return 0; #UTM_ERROR_INVALID_STATE for a file that is referred to, a directory, or while a machine runs;
 *         #UTM_ERROR_IMAGE_MISSING for a name that is not there; #UTM_ERROR_BUNDLE_LOCKED, #UTM_ERROR_BUNDLE_CHANGED,
 *         #UTM_ERROR_IO, #UTM_ERROR_LIMIT
 * @thread any; removes files
 */
UTM_API int utm_bundle_prune(UtmBundle *bundle, const char *const *names, UtmBundleFiles **ret_removed, UtmError **error);
/** Removes one file. As utm_bundle_prune() with its name. @thread any; removes files */
UTM_API UTM_MUST_CHECK int utm_bundle_remove_file(UtmBundle *bundle, const char *name, UtmError **error);

/**
 * Copies a file into `Data`. Blocks are shared where the file system can, holes stay holes, the new file has mode 0600.
 *
 * Its name is that of the options, or with `-2`, `-3` and so on before the extension when that is taken, be it by a file,
 * by the configuration, by a name that differs only in case, or by a meaning of its own such as `efi_vars.fd`. Characters
 * that do not belong into a name become dashes.
 *
 * @param[in]  source    A regular file.
 * @param[in]  options   (nullable) defaults
 * @param[out] ret_name  (transfer full) what it is called now, for `Drive[N].ImageName`; release with utm_free()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO, #UTM_ERROR_CANCELLED, #UTM_ERROR_BUNDLE_LOCKED,
 *         #UTM_ERROR_BUNDLE_EXISTS, #UTM_ERROR_LIMIT
 * @thread any but the wakeup callback; blocks while the file is copied
 */
UTM_API UTM_MUST_CHECK int utm_bundle_import(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options,
                                             char **ret_name, UtmError **error);
/**
 * The same on a thread of the library's; the name comes to @a fn. The end of the context cancels it.
 *
 * @return as utm_bundle_create_async()
 * @thread any; does not block
 */
UTM_API int utm_bundle_import_async(UtmBundle *bundle, const char *source, const UtmBundleImportOptions *options,
                                    UtmBundleImportedFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);

/**
 * Takes the package's lock, so that between reading and saving nobody else changes it, and reads the configuration again
 * when somebody has. Calls add up: each needs its utm_bundle_unlock(). Functions that change the package take the lock by
 * themselves for as long as they work.
 *
 * @return 0, also where the file system has no locks: see utm_bundle_get_lock_state();
 *         #UTM_ERROR_BUNDLE_LOCKED when another process or another UtmBundle has it; the message names the process where
 *         that is known; #UTM_ERROR_IO, and what reading gives, as utm_bundle_open()
 * @thread any; does not wait for the lock
 */
UTM_API UTM_MUST_CHECK int utm_bundle_lock(UtmBundle *bundle, UtmError **error);
/** Gives back what utm_bundle_lock() took. @return 0, or #UTM_ERROR_INVALID_STATE without that @thread any */
UTM_API int utm_bundle_unlock(UtmBundle *bundle, UtmError **error);
/** Whether the bundle has the lock now, for whatever reason. @return a #UtmBundleLockState @thread any */
UTM_API uint32_t utm_bundle_get_lock_state(UtmBundle *bundle);

/**
 * Writes a configuration into the package: beside the old file, flushed, then renamed over it, so that a crash leaves
 * the old or the new file and never a part of one. It keeps its mode, and its owner as far as that is allowed; a new one
 * gets 0600. No other file is touched, but those of an older version move to `Data` first. The bundle's own configuration
 * is then a copy of @a config.
 *
 * @param[in] config  What to write; it is copied.
 * @return 0; #UTM_ERROR_IO, also when the disk or the quota is full or the file system is read-only;
 *         #UTM_ERROR_CONFIG_INVALID_VALUE for a value that cannot be written; #UTM_ERROR_BUNDLE_PATH_ESCAPE for a file name
 *         that leads out of the package; #UTM_ERROR_BUNDLE_LOCKED; #UTM_ERROR_BUNDLE_CHANGED when the file is not the one
 *         that was read; #UTM_ERROR_BUNDLE_MIGRATION
 * @thread any; writes files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_save_config(UtmBundle *bundle, const UtmConfig *config, UtmError **error);

/**
 * Gives the machine another name, and with it the package: its directory is renamed as utm_bundle_dup_file_name() says.
 * Former results of utm_bundle_get_path() stay valid as strings.
 *
 * @return 0; #UTM_ERROR_BUNDLE_EXISTS when something of that name is there; #UTM_ERROR_INVALID_STATE while a machine runs,
 *         whose QEMU knows its files by path; otherwise as utm_bundle_save_config()
 * @thread any; writes files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_rename(UtmBundle *bundle, const char *name, UtmError **error);

/**
 * What the package occupies on disk. Files with several names count once, links are not followed, other file systems
 * mounted inside are left out. Blocks that copies share are counted for each.
 *
 * @param[in,out] ret_size  Initialised with #UTM_BUNDLE_SIZE_INIT.
 * @return 0; #UTM_ERROR_IO; #UTM_ERROR_LIMIT for more than 1000000 entries; #UTM_ERROR_STRUCT_SIZE
 * @thread any; reads directories
 */
UTM_API UTM_MUST_CHECK int utm_bundle_get_size(UtmBundle *bundle, UtmBundleSize *ret_size, UtmError **error);
/**
 * The same on a thread of the library's; the size comes to @a fn.
 *
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; everything later comes to @a fn
 * @thread any; does not block
 */
UTM_API int utm_bundle_get_size_async(UtmBundle *bundle, UtmBundleSizeFunc fn, void *user_data, UtmFreeFunc free_fn,
                                      UtmError **error);

/**
 * The machine's icon: the name of one that UTM brings along, or the content of a file.
 *
 * @param[out] ret_builtin  (transfer full) name without extension, or NULL; release with utm_free()
 * @param[out] ret_data     (transfer full) content of a file, or NULL; release with utm_free()
 * @param[out] ret_size     its size in bytes, or 0
 * @return 0; #UTM_ERROR_NOT_FOUND for none, or a file that is lost; #UTM_ERROR_IO; #UTM_ERROR_LIMIT for more than 64 MiB
 * @thread any; reads files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_get_icon(UtmBundle *bundle, char **ret_builtin, void **ret_data, size_t *ret_size,
                                               UtmError **error);
/**
 * Puts an icon into the package and saves the configuration with it. A former icon stays as a file until it is removed. For
 * one that UTM brings along, set `Information.Icon` and `Information.IconCustom` and save.
 *
 * @param[in] data  A PNG, JPEG or icns file of at most 64 MiB.
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT for another kind of file; as utm_bundle_save_config()
 * @thread any; writes files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_set_icon(UtmBundle *bundle, const void *data, size_t size_bytes, UtmError **error);

/**
 * The last screenshot, as a PNG file. It is not checked: decode it with care.
 *
 * @param[out] ret_data  (transfer full) release with utm_free()
 * @return 0; #UTM_ERROR_NOT_FOUND when there is none; #UTM_ERROR_IO; #UTM_ERROR_LIMIT for more than 64 MiB
 * @thread any; reads a file
 */
UTM_API UTM_MUST_CHECK int utm_bundle_read_screenshot(UtmBundle *bundle, void **ret_data, size_t *ret_size,
                                                      UtmError **error);
/**
 * Replaces the screenshot, for example by what utm_frame_encode_png() gives.
 *
 * @param[in] data  A PNG file of at most 64 MiB. (nullable) removes it
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT for what is no PNG; #UTM_ERROR_BUNDLE_LOCKED; #UTM_ERROR_IO
 * @thread any; writes a file
 */
UTM_API UTM_MUST_CHECK int utm_bundle_write_screenshot(UtmBundle *bundle, const void *data, size_t size_bytes,
                                                       UtmError **error);

/**
 * What `view.plist` says of the machine's windows, removable media and shared directory: packages of UTM 1 to 3 have it
 * there, UTM now keeps it outside of packages. It is read anew at each call, and never removed.
 *
 * @param[in]  options    As for utm_view_state_load_data(), which tells what the result looks like. (nullable) defaults
 * @param[out] ret_state  (transfer full) release with utm_value_free()
 * @return 0; #UTM_ERROR_NOT_FOUND when there is none; #UTM_ERROR_BUNDLE_PATH_ESCAPE when it leads out of the package;
 *         #UTM_ERROR_IO; #UTM_ERROR_CONFIG_MALFORMED, #UTM_ERROR_LIMIT
 * @thread any; reads a file
 */
UTM_API UTM_MUST_CHECK int utm_bundle_get_view_state(UtmBundle *bundle, const UtmConfigLoadOptions *options,
                                                     UtmValue **ret_state, UtmError **error);

UTM_END_DECLS

#endif
