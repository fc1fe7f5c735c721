/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file argv.h
 * From configuration and host facts to a QEMU command line, without running anything.
 *
 * utm_argv_build() is a pure function: it reads no file, no clock and no environment. All it knows of the host is in
 * the #UtmHost, which either comes from utm_host_probe() or is written by hand (JSON), so anyone can ask what a
 * machine would get on another host.
 */
#ifndef UTM_ARGV_H
#define UTM_ARGV_H

#include <utm/configuration.h>
#include <utm/context.h>

UTM_BEGIN_DECLS

/** The operating system whose command line is built. */
typedef enum UtmHostOs {
	/** Stock QEMU on Linux. */
	UTM_HOST_OS_LINUX = 0,
	/** UTM's own QEMU on macOS, in UTM's spelling. Its faults are mended unless the facts have `UtmExact`. */
	UTM_HOST_OS_MACOS = 1
} UtmHostOs;

/**
 * Gathers the facts of this host that the configuration's architecture needs: QEMU program and version, cores,
 * firmware, audio. What was learnt is kept in the context, so the second call costs next to nothing.
 *
 * @param[out] ret_host  (transfer full) release with utm_host_unref()
 * @return 0; #UTM_ERROR_QEMU_NOT_FOUND; #UTM_ERROR_PROCESS_EXITED when the QEMU program does not run or is none,
 *         #UTM_ERROR_TIMEOUT when it does not answer; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_SPAWN_FAILED, #UTM_ERROR_IO when it
 *         cannot be run; #UTM_ERROR_CONFIG_INVALID_BACKEND
 * @thread any; blocks, runs the QEMU program once
 */
UTM_API UTM_MUST_CHECK int utm_host_probe(UtmContext *ctx, const UtmConfig *config, UtmHost **ret_host,
                                          UtmError **error);
/**
 * Facts written by hand. docs/host-facts.md lists the keys; those left out get the values of a typical host.
 *
 * @param[in] json  (nullable) all defaults
 * @return 0; #UTM_ERROR_CONFIG_MALFORMED, #UTM_ERROR_CONFIG_INVALID_VALUE with the key path
 * @thread any
 */
UTM_API UTM_MUST_CHECK int utm_host_new_from_json(uint32_t os, const char *json, UtmHost **ret_host, UtmError **error);
/** The facts as JSON. @param[out] ret_json (transfer full) release with utm_free() @return 0 @thread any */
UTM_API UTM_MUST_CHECK int utm_host_to_json(const UtmHost *host, char **ret_json, UtmError **error);
/** Takes another reference. @return @a host @thread any */
UTM_API UtmHost *utm_host_ref(UtmHost *host);
/** Gives a reference back. @param[in] host (nullable) @thread any */
UTM_API void utm_host_unref(UtmHost *host);

/**
 * Builds the command line of a machine.
 *
 * @param[in]  config    The configuration; it is not changed.
 * @param[in]  bundle_path  Where the package is, for the paths of its files. Only text: nothing is looked up.
 * @param[in]  host      The host.
 * @param[out] ret_argv  (transfer full) release with utm_argv_unref()
 * @return 0; #UTM_ERROR_CONFIG_UNSUPPORTED, #UTM_ERROR_CONFIG_INVALID_VALUE, #UTM_ERROR_FIRMWARE_NOT_FOUND,
 *         #UTM_ERROR_BUNDLE_PATH_ESCAPE, #UTM_ERROR_ARGUMENTS_REFUSED, each with the key path
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_argv_build(const UtmConfig *config, const char *bundle_path, const UtmHost *host,
                                          UtmArgv **ret_argv, UtmError **error);
/** Takes another reference. @return @a argv @thread any */
UTM_API UtmArgv *utm_argv_ref(UtmArgv *argv);
/** Gives a reference back. @param[in] argv (nullable) @thread any */
UTM_API void utm_argv_unref(UtmArgv *argv);

/** The program, such as `qemu-system-x86_64`; its path when the host facts have one. @thread any */
UTM_API const char *utm_argv_get_program(const UtmArgv *argv);
/** All arguments after the program, ending with NULL; valid as long as @a argv. @thread any */
UTM_API const char *const *utm_argv_get_strings(const UtmArgv *argv);
/** Number of arguments after the program. @thread any */
UTM_API size_t utm_argv_get_count(const UtmArgv *argv);
/** Key path that argument @a index came from, or NULL when it is always there. @thread any */
UTM_API const char *utm_argv_get_key_path(const UtmArgv *argv, size_t index);
/**
 * Why argument @a index is there, as one plain sentence in English; an option and its value have the same. NULL beyond the
 * end. @thread any
 */
UTM_API const char *utm_argv_get_reason(const UtmArgv *argv, size_t index);
/**
 * The command line as a script for the POSIX shell that runs as it is: every argument is quoted, whatever bytes it has.
 * Sockets are made in a new private directory, or in `UTM_RUN_DIR`. Without a monitor's `cont` the guest stands still.
 *
 * @param[out] ret_script  (transfer full) release with utm_free()
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_argv_to_shell(const UtmArgv *argv, char **ret_script, UtmError **error);
/**
 * The additional arguments of a configuration, split as UTM splits them: white space separates, double quotes protect it.
 * They come last on the command line and may do anything that QEMU can, with the rights of its user. Show them before a
 * machine of a stranger runs; #UtmArgumentPolicy says what becomes of them. utm_config_check() tells which of them
 * reach the host.
 *
 * @param[out] ret_arguments  (transfer full) ends with NULL; release the whole with one utm_free()
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; #UTM_ERROR_NOT_SUPPORTED for a machine of the Apple back end
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_argv_list_user_arguments(const UtmConfig *config, char ***ret_arguments, UtmError **error);
/** Number of warnings: things the configuration asks for that this host does not get. @thread any */
UTM_API size_t utm_argv_get_warning_count(const UtmArgv *argv);
/** Warning @a index as one line for people, or NULL beyond the end. @thread any */
UTM_API const char *utm_argv_get_warning(const UtmArgv *argv, size_t index);

UTM_END_DECLS

#endif
