/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file hardware.h
 * What machines, processors and devices there are, for lists to choose from.
 *
 * The QEMU that is installed is asked, once for each version of its file; where there is none, a list of names that the
 * library brings stands in. Nothing here is needed to run a machine: names that no list has may still be good ones.
 */
#ifndef UTM_HARDWARE_H
#define UTM_HARDWARE_H

#include <utm/context.h>

UTM_BEGIN_DECLS

/** Everything that is known of one architecture. It never changes, and any number of threads may read it. */
typedef struct UtmHardware UtmHardware;

/** What there are lists of. */
typedef enum UtmHardwareKind {
	/** Machine types: `System.Target`. */
	UTM_HARDWARE_MACHINE = 0,
	/** Processors: `System.CPU`. The first is `default`, the choice of the library. */
	UTM_HARDWARE_CPU = 1,
	/** Features of processors: `System.CPUFlagsAdd`, `System.CPUFlagsRemove`. For few architectures only. */
	UTM_HARDWARE_CPU_FLAG = 2,
	/** `Display[].Hardware` */
	UTM_HARDWARE_DISPLAY = 3,
	/** `Network[].Hardware` */
	UTM_HARDWARE_NETWORK = 4,
	/** `Sound[].Hardware` */
	UTM_HARDWARE_SOUND = 5,
	/** Properties of one machine type or device: utm_hardware_query_properties() alone has them. */
	UTM_HARDWARE_PROPERTY = 6
} UtmHardwareKind;

/** What is to be known of an item at a glance. */
typedef enum UtmHardwareItemFlags {
	/** QEMU takes it when nothing is said. */
	UTM_HARDWARE_ITEM_DEFAULT = 1 << 0,
	/** QEMU means to drop it. */
	UTM_HARDWARE_ITEM_DEPRECATED = 1 << 1,
	/** It is part of a board: only machines that have it can use it. */
	UTM_HARDWARE_ITEM_ON_BOARD = 1 << 2,
	/** In the list that the library brings: machine types and processors that newer releases of QEMU have no more. */
	UTM_HARDWARE_ITEM_GONE = 1 << 3
} UtmHardwareItemFlags;

/** One item of a list. Strings are valid as long as the hardware. */
typedef struct UtmHardwareItem {
	/** sizeof(UtmHardwareItem) of the library */
	size_t size;
	/** As configurations have it. */
	const char *name;
	/** Another name for the same. (nullable) */
	const char *alias;
	/** One line for people, QEMU's own. (nullable) never known without QEMU */
	const char *description;
	/** The bus that a device is plugged into, in QEMU's word: `PCI`, `virtio-bus`, `ISA`. (nullable) */
	const char *bus;
	/** The processor of a machine type when nothing is said. (nullable) */
	const char *cpu;
	/** #UtmHardwareItemFlags */
	uint32_t flags;
	/** The most processors that a machine type can have; 0: not known. */
	uint32_t max_cpus;
	/** In the list that the library brings: the release of QEMU that is known to have it, where older ones do not. (nullable) */
	const char *since;
	/** Of a property: QEMU's word for what it takes, such as `uint32`, `bool`, `str`, or the name of an enumeration. (nullable) */
	const char *type;
	/** Of a property: what it is when nothing is said, as JSON. (nullable) not told */
	const char *default_json;
} UtmHardwareItem;

/** How to find out. */
typedef enum UtmHardwareFlags {
	/** Without QEMU, fail with #UTM_ERROR_QEMU_NOT_FOUND instead of taking the list that the library brings. */
	UTM_HARDWARE_INSTALLED_ONLY = 1 << 0
} UtmHardwareFlags;

/**
 * What there is for an architecture.
 *
 * Runs QEMU, without a machine, when it has not been asked yet or its file has changed; that takes a fraction of a second.
 *
 * @param[in]  ctx           Where QEMU is looked for, and who keeps the answer. (nullable) the list that the library brings;
 *                           then the call does not block
 * @param[in]  architecture  Such as `aarch64`.
 * @param[in]  flags         #UtmHardwareFlags
 * @param[out] ret_hardware  (transfer full) release with utm_hardware_unref()
 * @return 0; #UTM_ERROR_CONFIG_INVALID_VALUE for an architecture that UTM does not have; #UTM_ERROR_INVALID_ARGUMENT, also
 *         for unknown flags; of a QEMU that does not answer as
 *         one #UTM_ERROR_TIMEOUT, #UTM_ERROR_PROCESS_EXITED, #UTM_ERROR_QMP_PROTOCOL or #UTM_ERROR_LIMIT
 * @thread any but the context's own; blocks, 20 seconds at most
 */
UTM_API UTM_MUST_CHECK int utm_hardware_query(UtmContext *ctx, const char *architecture, uint32_t flags,
                                              UtmHardware **ret_hardware, UtmError **error);
/**
 * The end of utm_hardware_query_async(); runs inside dispatch, exactly once.
 *
 * @param[in] hardware  (transfer full) release with utm_hardware_unref(). NULL when @a error is set
 * @param[in] error     (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmHardwareFunc)(UtmContext *ctx, UtmHardware *hardware, const UtmError *error, void *user_data);
/**
 * The same; the answer comes to @a fn.
 *
 * @param[in] fn  (nullable) the answer is dropped, and known from then on
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT, also without a context; #UTM_ERROR_CONFIG_INVALID_VALUE; everything later comes
 *         to @a fn
 * @thread any; does not block
 */
UTM_API int utm_hardware_query_async(UtmContext *ctx, const char *architecture, uint32_t flags, UtmHardwareFunc fn,
                                     void *user_data, UtmFreeFunc free_fn, UtmError **error);
/**
 * The properties of a machine type or of a device: what may stand behind it in `-machine` and `-device`.
 *
 * Runs QEMU as utm_hardware_query() does, once for each; the library brings no list of them. QEMU itself ends when it is
 * asked of a device whose module is not installed: that is the error.
 *
 * @param[in]  kind          #UTM_HARDWARE_MACHINE for a machine type. Else a device: any kind of those, and the name may be one
 *                           that is in no list, such as `virtio-blk-pci`.
 * @param[in]  name          Name, or alias where a list has it.
 * @param[out] ret_hardware  (transfer full) has #UTM_HARDWARE_PROPERTY alone; release with utm_hardware_unref()
 * @return as utm_hardware_query(); #UTM_ERROR_NOT_FOUND when this QEMU has no such machine type or device;
 *         #UTM_ERROR_INVALID_ARGUMENT also for a kind that is neither
 * @thread any but the context's own; blocks, 20 seconds at most
 */
UTM_API UTM_MUST_CHECK int utm_hardware_query_properties(UtmContext *ctx, const char *architecture, UtmHardwareKind kind,
                                                         const char *name, UtmHardware **ret_hardware, UtmError **error);
/** The same; the answer comes to @a fn, as that of utm_hardware_query_async(). @thread any; does not block */
UTM_API int utm_hardware_query_properties_async(UtmContext *ctx, const char *architecture, UtmHardwareKind kind,
                                                const char *name, UtmHardwareFunc fn, void *user_data,
                                                UtmFreeFunc free_fn, UtmError **error);
/** Takes another reference. @return @a hardware @thread any */
UTM_API UtmHardware *utm_hardware_ref(UtmHardware *hardware);
/** Gives a reference back. @param[in] hardware (nullable) @thread any */
UTM_API void utm_hardware_unref(UtmHardware *hardware);

/** The architecture that was asked about. @thread any */
UTM_API const char *utm_hardware_get_architecture(const UtmHardware *hardware);
/** The version of the QEMU that told it, such as `7.2.22`. @thread any */
UTM_API const char *utm_hardware_get_qemu_version(const UtmHardware *hardware);
/** The program that told it; NULL for the list that the library brings. @thread any */
UTM_API const char *utm_hardware_get_qemu_path(const UtmHardware *hardware);

/** Number of items; 0 for a kind that does not exist. @thread any */
UTM_API size_t utm_hardware_get_count(const UtmHardware *hardware, UtmHardwareKind kind);
/** An item, in the order of the names; NULL beyond the end. @return valid as long as the hardware @thread any */
UTM_API const UtmHardwareItem *utm_hardware_get(const UtmHardware *hardware, UtmHardwareKind kind, size_t index);
/** The item with this name, or with this alias. @return (nullable) valid as long as the hardware @thread any */
UTM_API const UtmHardwareItem *utm_hardware_find(const UtmHardware *hardware, UtmHardwareKind kind, const char *name);

UTM_END_DECLS

#endif
