/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file image.h
 * Disk images: what one is, a new one, another size, another format. `qemu-img` does the work.
 *
 * ## A guided tour
 *
 * A machine and its first disk are two calls:
 *
 *     utm_bundle_create(ctx, "/home/me/New.utm", config, NULL, &bundle, &error);
 *     utm_bundle_add_disk(bundle, 20ull << 30, NULL, NULL, &error);          // 20 GiB, as its last drive
 *
 * Later its image takes less room, or gets more:
 *
 *     utm_bundle_compact_image(bundle, name, NULL, &error);                  // `name` is Drive[N].ImageName
 *     utm_bundle_resize_image(bundle, name, 40ull << 30, NULL, &error);
 *
 * Files that are in no package have the same calls by path, and two more:
 *
 *     UtmImageInfo *info;
 *     utm_image_inspect(ctx, "/tmp/cloud.img", NULL, &info, &error);         // info->virtual_size_bytes, ...
 *     utm_image_info_unref(info);
 *
 *     UtmImageConvertOptions options = UTM_IMAGE_CONVERT_OPTIONS_INIT;
 *     options.source_format = UTM_IMAGE_FORMAT_QCOW2;                        // whatever its name says
 *     options.progress = progress;                                           // a bar looks at it from any thread
 *     options.cancel = cancel;
 *     utm_image_convert(ctx, "/tmp/cloud.img", "/tmp/disk.qcow2", &options, &error);
 *
 * ### The rules
 * 1. The format of an image is never guessed where a guest could have a say: without one in the options it is what the
 *    file's name says (`.qcow2`; `.img`, `.raw`, `.iso` and the like are raw; `.vmdk`, `.vdi`, `.vhdx`, `.vhd`); for other
 *    names qcow2 where the first bytes are qcow2's, raw otherwise.
 * 2. No image leads out: one that is based on a file that does not lie beside it, or has its data in other files, is refused
 *    with #UTM_ERROR_BUNDLE_PATH_ESCAPE. utm_image_inspect() tells of a base without looking at it.
 * 3. A new file appears complete or not at all, with mode 0600, and takes nobody's place unless that is asked for. Then the
 *    old content is there until the new one is complete on the disk: a call that fails, is cancelled or is killed at any
 *    moment, together with its program, leaves the file as it was, and nothing beside it where the file system knows
 *    files without names.
 * 4. An image that a machine, or any other QEMU, has open for writing is refused with #UTM_ERROR_IMAGE_IN_USE, and no QEMU can
 *    open it for writing while it is converted.
 * 5. A relative path is resolved at once. Symbolic links to images are followed: what they lead to is worked on.
 */
#ifndef UTM_IMAGE_H
#define UTM_IMAGE_H

#include <utm/bundle.h>

UTM_BEGIN_DECLS

/** Formats of images. */
typedef enum UtmImageFormat {
	/** By the file, as rule 1 says; of a new file without a known name, qcow2. */
	UTM_IMAGE_FORMAT_AUTO = 0,
	UTM_IMAGE_FORMAT_RAW = 1,
	UTM_IMAGE_FORMAT_QCOW2 = 2,
	/** As one file; its variants of several files are refused. */
	UTM_IMAGE_FORMAT_VMDK = 3,
	UTM_IMAGE_FORMAT_VDI = 4,
	UTM_IMAGE_FORMAT_VHDX = 5,
	/** What files named `.vhd` are. */
	UTM_IMAGE_FORMAT_VPC = 6
} UtmImageFormat;

/** How much of a new image is set aside on the disk. */
typedef enum UtmImagePreallocation {
	/** Nothing: the file grows as the guest writes. */
	UTM_IMAGE_PREALLOCATION_OFF = 0,
	/** The tables; qcow2 only. */
	UTM_IMAGE_PREALLOCATION_METADATA = 1,
	/** The room, without writing to it. */
	UTM_IMAGE_PREALLOCATION_FALLOC = 2,
	/** The room, by writing zeros all over it. */
	UTM_IMAGE_PREALLOCATION_FULL = 3
} UtmImagePreallocation;

/** How the clusters of a new qcow2 image are compressed. What a guest writes later is not. */
typedef enum UtmImageCompression {
	UTM_IMAGE_COMPRESSION_NONE = 0,
	/** Slow, and every QEMU reads it. */
	UTM_IMAGE_COMPRESSION_ZLIB = 1,
	/** Faster, as UTM does it; for QEMU 5.1 and later. */
	UTM_IMAGE_COMPRESSION_ZSTD = 2
} UtmImageCompression;

/** A saved state inside an image. Its strings are valid as long as the info. */
typedef struct UtmImageSnapshot {
	/** sizeof(UtmImageSnapshot) of the library */
	size_t size;
	/** Identifier inside the image, a number. */
	const char *id;
	/** Name. */
	const char *name;
	/** When it was made, seconds since 1970. */
	int64_t date_s;
	/** How long the machine had been running, nanoseconds. */
	uint64_t vm_clock_ns;
	/** Bytes of the machine's saved state; 0: of the disk alone. */
	uint64_t vm_state_bytes;
} UtmImageSnapshot;

/** What an image is. It never changes; counted. Its strings are valid as long as itself. */
typedef struct UtmImageInfo {
	/** sizeof(UtmImageInfo) of the library */
	size_t size;
	/** Absolute path, without symbolic links. */
	const char *path;
	/** The #UtmImageFormat as which it was read. */
	uint32_t format;
	/**
	 * The #UtmImageFormat that its first bytes are typical of; #UTM_IMAGE_FORMAT_AUTO: none, as of most raw images. Where it
	 * is not `format`, the name may be wrong, or a guest may have written an image into its disk: only somebody who knows
	 * where the file is from can tell.
	 */
	uint32_t content_format;
	/** Bytes that a guest sees. */
	uint64_t virtual_size_bytes;
	/** Bytes that the file contains, holes included. */
	uint64_t length_bytes;
	/** Bytes that it occupies on disk. */
	uint64_t allocated_bytes;
	/** Of qcow2 and the like, bytes; 0: the format has none. */
	uint64_t cluster_size_bytes;
	/** The file that it is based on, as the image says it. (nullable) */
	const char *backing_file;
	/** Its format, in QEMU's word. (nullable) the image does not say */
	const char *backing_format;
	/** Saved states inside. */
	const UtmImageSnapshot *const *snapshots;
	/** How many. */
	size_t snapshot_count;
	/** Nothing can be read without a password. */
	bool encrypted;
	/** It was not closed properly; QEMU puts it in order when it opens it. */
	bool dirty;
	/** QEMU has found it damaged, and opens it only for reading. */
	bool corrupt;
	/** A QEMU has it open for writing: sizes and states may be different by now. */
	bool in_use;
} UtmImageInfo;

/** Options of utm_image_inspect(). Initialise with #UTM_IMAGE_INSPECT_OPTIONS_INIT. */
typedef struct UtmImageInspectOptions {
	/** sizeof(UtmImageInspectOptions) */
	size_t size;
	/** A #UtmImageFormat */
	uint32_t format;
	/** Zero. */
	uint32_t reserved;
	/** Milliseconds; 0 for 30 s, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
} UtmImageInspectOptions;
/** Initial value of #UtmImageInspectOptions. */
#define UTM_IMAGE_INSPECT_OPTIONS_INIT                                                                               \
	{                                                                                                            \
		sizeof(UtmImageInspectOptions), UTM_IMAGE_FORMAT_AUTO, 0, 0, NULL                                    \
	}

/** Options of utm_image_create() and utm_bundle_add_disk(). Initialise with #UTM_IMAGE_CREATE_OPTIONS_INIT. */
typedef struct UtmImageCreateOptions {
	/** sizeof(UtmImageCreateOptions) */
	size_t size;
	/** #UTM_IMAGE_FORMAT_QCOW2, #UTM_IMAGE_FORMAT_RAW, or #UTM_IMAGE_FORMAT_AUTO */
	uint32_t format;
	/** A #UtmImagePreallocation */
	uint32_t preallocation;
	/** Milliseconds; 0 for 1 minute, or without end where room is set aside; -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
} UtmImageCreateOptions;
/** Initial value of #UtmImageCreateOptions. */
#define UTM_IMAGE_CREATE_OPTIONS_INIT                                                                                \
	{                                                                                                            \
		sizeof(UtmImageCreateOptions), UTM_IMAGE_FORMAT_AUTO, UTM_IMAGE_PREALLOCATION_OFF, 0, NULL           \
	}

/** Flags of utm_image_resize(). */
typedef enum UtmImageResizeFlags {
	/** The new size may be smaller: what is behind it is lost. */
	UTM_IMAGE_RESIZE_SHRINK = 1
} UtmImageResizeFlags;

/** Options of utm_image_resize(). Initialise with #UTM_IMAGE_RESIZE_OPTIONS_INIT. */
typedef struct UtmImageResizeOptions {
	/** sizeof(UtmImageResizeOptions) */
	size_t size;
	/** A #UtmImageFormat */
	uint32_t format;
	/** #UtmImageResizeFlags */
	uint32_t flags;
	/** Milliseconds; 0 for 5 minutes, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
} UtmImageResizeOptions;
/** Initial value of #UtmImageResizeOptions. */
#define UTM_IMAGE_RESIZE_OPTIONS_INIT                                                                                \
	{                                                                                                            \
		sizeof(UtmImageResizeOptions), UTM_IMAGE_FORMAT_AUTO, 0, 0, NULL                                     \
	}

/** Flags of utm_image_convert(). */
typedef enum UtmImageConvertFlags {
	/** What is at the destination gives way to the new image, when that is complete. */
	UTM_IMAGE_CONVERT_REPLACE = 1,
	/** Saved states inside an image that gives way may be lost. They are not carried over, so without this such an image
	 * is refused. */
	UTM_IMAGE_CONVERT_DROP_SNAPSHOTS = 2,
	/** Old and new are read again and compared before the new one takes its place. */
	UTM_IMAGE_CONVERT_VERIFY = 4
} UtmImageConvertFlags;

/** Options of utm_image_convert() and utm_bundle_compact_image(). Initialise with #UTM_IMAGE_CONVERT_OPTIONS_INIT. */
typedef struct UtmImageConvertOptions {
	/** sizeof(UtmImageConvertOptions) */
	size_t size;
	/** A #UtmImageFormat: the source's */
	uint32_t source_format;
	/** A #UtmImageFormat: what it becomes. In place, #UTM_IMAGE_FORMAT_AUTO is what it was. */
	uint32_t format;
	/** A #UtmImageCompression; for qcow2 */
	uint32_t compression;
	/** #UtmImageConvertFlags */
	uint32_t flags;
	/** Milliseconds; 0 and -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** Counts bytes of the guest's disk. (nullable) */
	UtmProgress *progress;
} UtmImageConvertOptions;
/** Initial value of #UtmImageConvertOptions. */
#define UTM_IMAGE_CONVERT_OPTIONS_INIT                                                                               \
	{                                                                                                            \
		sizeof(UtmImageConvertOptions), UTM_IMAGE_FORMAT_AUTO, UTM_IMAGE_FORMAT_AUTO,                        \
			UTM_IMAGE_COMPRESSION_NONE, 0, 0, NULL, NULL                                                 \
	}

/**
 * The end of an asynchronous call; runs inside dispatch, exactly once, unless the last reference to @a ctx goes first: then
 * only the `free_fn` runs, and the work is ended as by a cancel.
 *
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmImageDoneFunc)(UtmContext *ctx, const UtmError *error, void *user_data);
/**
 * The end of utm_image_inspect_async(), as #UtmImageDoneFunc.
 *
 * @param[in] info   NULL when @a error is set; valid during the call, take a reference to keep it
 * @param[in] error  (nullable) likewise
 */
typedef void (*UtmImageInfoFunc)(UtmContext *ctx, UtmImageInfo *info, const UtmError *error, void *user_data);
/**
 * The end of an asynchronous call about an image of a package, as #UtmImageDoneFunc. When the last reference to @a bundle
 * goes first, the work goes on, and only the `free_fn` runs.
 */
typedef void (*UtmBundleImageFunc)(UtmBundle *bundle, const UtmError *error, void *user_data);

/** The name of a format in QEMU's words, such as `qcow2`. @return static; NULL for auto and unknown ones @thread any */
UTM_API const char *utm_image_format_get_name(uint32_t format);
/** The format with this name. @return #UTM_IMAGE_FORMAT_AUTO for one that is not known @thread any */
UTM_API uint32_t utm_image_format_from_name(const char *name);

/**
 * Tells what an image is. Works on images in use too.
 *
 * @param[in]  options   (nullable) defaults
 * @param[out] ret_info  (transfer full) release with utm_image_info_unref()
 * @return 0; #UTM_ERROR_NOT_FOUND for the file, and for `qemu-img`, which is then the error's file; #UTM_ERROR_IO;
 *         #UTM_ERROR_IMAGE_INVALID for what is not of that format; #UTM_ERROR_BUNDLE_PATH_ESCAPE for an image with its data
 *         in other files; #UTM_ERROR_PROCESS_EXITED with the complaint of `qemu-img`; #UTM_ERROR_LIMIT;
 *         #UTM_ERROR_TIMEOUT, #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API UTM_MUST_CHECK int utm_image_inspect(UtmContext *ctx, const char *path, const UtmImageInspectOptions *options,
                                             UtmImageInfo **ret_info, UtmError **error);
/**
 * As utm_image_inspect(), without waiting.
 *
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT, and what can be seen without opening the file; the rest comes to @a fn
 * @thread any
 */
UTM_API int utm_image_inspect_async(UtmContext *ctx, const char *path, const UtmImageInspectOptions *options,
                                    UtmImageInfoFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);
/** Takes another reference. @return @a info @thread any */
UTM_API UtmImageInfo *utm_image_info_ref(UtmImageInfo *info);
/** Gives a reference back. @param[in] info (nullable) @thread any */
UTM_API void utm_image_info_unref(UtmImageInfo *info);

/**
 * Makes an image that reads as zeros. Nothing is ever overwritten.
 *
 * @param[in] size_bytes  What the guest sees: a multiple of 512, not 0.
 * @param[in] options     (nullable) defaults
 * @return 0; #UTM_ERROR_BUNDLE_EXISTS when something of that name is there; otherwise as utm_image_inspect()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_image_create(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageCreateOptions *options,
                             UtmError **error);
/** As utm_image_create(), without waiting; errors as utm_image_inspect_async(). @thread any */
UTM_API int utm_image_create_async(UtmContext *ctx, const char *path, uint64_t size_bytes,
                                   const UtmImageCreateOptions *options, UtmImageDoneFunc fn, void *user_data,
                                   UtmFreeFunc free_fn, UtmError **error);

/**
 * Gives an image another size. What is added reads as zeros; partitions and file systems are the guest's to enlarge. The
 * image is changed where it is, which takes a moment; it stays good whenever that is interrupted.
 *
 * @param[in] size_bytes  As for utm_image_create().
 * @param[in] options     (nullable) defaults
 * @return 0, also when it has that size already; #UTM_ERROR_INVALID_ARGUMENT for less than it has, without the flag;
 *         #UTM_ERROR_IMAGE_IN_USE; otherwise as utm_image_inspect()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_image_resize(UtmContext *ctx, const char *path, uint64_t size_bytes, const UtmImageResizeOptions *options,
                             UtmError **error);
/** As utm_image_resize(), without waiting; errors as utm_image_inspect_async(). @thread any */
UTM_API int utm_image_resize_async(UtmContext *ctx, const char *path, uint64_t size_bytes,
                                   const UtmImageResizeOptions *options, UtmImageDoneFunc fn, void *user_data,
                                   UtmFreeFunc free_fn, UtmError **error);

/**
 * Writes the content of an image into a new one, which stands alone: without what reads as zeros, without saved states, and
 * with the content of the images that it is based on.
 *
 * In place that gives back the room of what the guest has deleted and told the disk about. The new file has the former
 * one's owner and mode, cluster size and kind of compression; images that are based on it stay good.
 *
 * @param[in] destination  (nullable) in place: the new image takes the source's, as with #UTM_IMAGE_CONVERT_REPLACE
 * @param[in] options      (nullable) defaults
 * @return 0; #UTM_ERROR_BUNDLE_EXISTS when the destination is there, without the flag; #UTM_ERROR_IMAGE_IN_USE, also when the
 *         source was written to meanwhile; #UTM_ERROR_INVALID_STATE for saved states that would be lost, without the flag;
 *         #UTM_ERROR_NOT_SUPPORTED for encrypted images; #UTM_ERROR_IO, also when the disk is full, with the errno;
 *         otherwise as utm_image_inspect()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_image_convert(UtmContext *ctx, const char *source, const char *destination,
                              const UtmImageConvertOptions *options, UtmError **error);
/** As utm_image_convert(), without waiting; errors as utm_image_inspect_async(). @thread any */
UTM_API int utm_image_convert_async(UtmContext *ctx, const char *source, const char *destination,
                                    const UtmImageConvertOptions *options, UtmImageDoneFunc fn, void *user_data,
                                    UtmFreeFunc free_fn, UtmError **error);

/**
 * Gives a machine one more disk: a new image, named by a new identifier as UTM does it, and a drive at the end of the
 * configuration, attached as fits the machine. The configuration is saved.
 *
 * @param[in]  size_bytes  As for utm_image_create().
 * @param[in]  options     (nullable) defaults: qcow2
 * @param[out] ret_index   its place in `Drive` (nullable)
 * @return 0; #UTM_ERROR_BUNDLE_LOCKED; otherwise as utm_image_create() and utm_bundle_save_config(): then there is neither
 *         image nor drive
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_bundle_add_disk(UtmBundle *bundle, uint64_t size_bytes, const UtmImageCreateOptions *options,
                                size_t *ret_index, UtmError **error);
/**
 * utm_image_resize() of an image of a package. No machine can be started from it meanwhile.
 *
 * @param[in] name  As in `Drive[N].ImageName`.
 * @return 0; #UTM_ERROR_INVALID_STATE while a machine of @a bundle runs; #UTM_ERROR_BUNDLE_LOCKED;
 *         #UTM_ERROR_IMAGE_MISSING; otherwise as utm_image_resize()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_bundle_resize_image(UtmBundle *bundle, const char *name, uint64_t size_bytes,
                                    const UtmImageResizeOptions *options, UtmError **error);
/** As utm_bundle_resize_image(), without waiting; errors as utm_image_inspect_async(). @thread any */
UTM_API int utm_bundle_resize_image_async(UtmBundle *bundle, const char *name, uint64_t size_bytes,
                                          const UtmImageResizeOptions *options, UtmBundleImageFunc fn, void *user_data,
                                          UtmFreeFunc free_fn, UtmError **error);
/**
 * utm_image_convert() in place of an image of a package, which keeps its format. No machine can be started from it
 * meanwhile.
 *
 * @param[in] name     As in `Drive[N].ImageName`.
 * @param[in] options  (nullable) defaults; `format` and `source_format` must be #UTM_IMAGE_FORMAT_AUTO
 * @return as utm_bundle_resize_image() and utm_image_convert()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_bundle_compact_image(UtmBundle *bundle, const char *name, const UtmImageConvertOptions *options,
                                     UtmError **error);
/** As utm_bundle_compact_image(), without waiting; errors as utm_image_inspect_async(). @thread any */
UTM_API int utm_bundle_compact_image_async(UtmBundle *bundle, const char *name, const UtmImageConvertOptions *options,
                                           UtmBundleImageFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);

UTM_END_DECLS

#endif
