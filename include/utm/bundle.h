/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file bundle.h
 * A `.utm` package: a directory with `config.plist`, a `Data` directory and perhaps a screenshot.
 *
 * A bundle comes from strangers. Names inside it never lead out: a file name with a directory part, an absolute name
 * or a symbolic link that leaves the package is refused with #UTM_ERROR_BUNDLE_PATH_ESCAPE.
 */
#ifndef UTM_BUNDLE_H
#define UTM_BUNDLE_H

#include <utm/configuration.h>
#include <utm/context.h>

UTM_BEGIN_DECLS

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
	/** True when the configuration refers to it. */
	bool referenced;
} UtmBundleFile;

/** The files of a bundle's `Data` directory at one moment. */
typedef struct UtmBundleFiles UtmBundleFiles;

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
 * Writes a configuration into the package: beside the old file, flushed, then renamed over it, so that a crash leaves
 * the old or the new file and never a part of one. It keeps its mode; a new one gets 0600. No other file is touched. The
 * bundle's own configuration is then a copy of @a config.
 *
 * @param[in] config  What to write; it is copied.
 * @return 0; #UTM_ERROR_IO; #UTM_ERROR_CONFIG_INVALID_VALUE for a value that cannot be written;
 *         #UTM_ERROR_BUNDLE_PATH_ESCAPE for a file name that leads out of the package
 * @thread any; writes files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_save_config(UtmBundle *bundle, const UtmConfig *config, UtmError **error);

UTM_END_DECLS

#endif
