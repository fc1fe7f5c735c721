/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file findings.h
 * What is wrong with a configuration, or with a package: everything, not only the first thing.
 *
 *     UtmFindings *findings = NULL;
 *     if (utm_config_check(config, NULL, &findings, &error) < 0)
 *         return report(error);
 *     for (size_t i = 0; i < utm_findings_get_count(findings); i++) {
 *         const UtmFinding *finding = utm_findings_get(findings, i);
 *         printf("%s: %s\n    %s\n", finding->key_path, finding->message, finding->remedy);
 *     }
 *     utm_findings_free(findings);
 *
 * Reading a configuration refuses what cannot be read; what it lets through can still be wrong. A check asks the rules of
 * the format, of QEMU, and of the back end, and among them utm_argv_build(): whatever that refuses or warns of is found too.
 *
 * A configuration alone is judged for hosts in general: only what no host can do is an error. With the facts of one host,
 * what that one lacks is found as well. Texts are for people and in English; `code` is for programs. The installed page
 * findings.md lists all codes.
 */
#ifndef UTM_FINDINGS_H
#define UTM_FINDINGS_H

#include <utm/argv.h>
#include <utm/bundle.h>
#include <utm/finding-codes.h>
#include <utm/hardware.h>

UTM_BEGIN_DECLS

/** How bad it is. */
typedef enum UtmFindingSeverity {
	/** Somebody may want to know. */
	UTM_FINDING_SEVERITY_INFO = 1,
	/** The machine starts, but not as the configuration says. */
	UTM_FINDING_SEVERITY_WARNING = 2,
	/** The machine cannot start, or UTM refuses the file. */
	UTM_FINDING_SEVERITY_ERROR = 3
} UtmFindingSeverity;

/** One thing that was found. Its strings are valid as long as the list. */
typedef struct UtmFinding {
	/** sizeof(UtmFinding) of the library */
	size_t size;
	/** A #UtmFindingSeverity */
	uint32_t severity;
	/** A #UtmFindingCode */
	uint32_t code;
	/** Where, such as `Drive[1].ImageName`; NULL for what no key says. */
	const char *key_path;
	/** What and why: one line without control characters. */
	const char *message;
	/** What to do about it: one line. */
	const char *remedy;
	/** Absolute path of the file that it is about; NULL when it is about none. */
	const char *file;
} UtmFinding;

/** The findings of one check: first errors, then warnings, then the rest, each in the order of the rules. */
typedef struct UtmFindings UtmFindings;

/** Options of checks. Initialise with #UTM_CONFIG_CHECK_OPTIONS_INIT. */
typedef struct UtmConfigCheckOptions {
	/** sizeof(UtmConfigCheckOptions) */
	size_t size;
	/** The host that the machine is to run on. (nullable) hosts in general */
	const UtmHost *host;
	/**
	 * What the QEMU has that is to run the machine, of utm_hardware_query() for its architecture. A name that it lacks is
	 * then an error. Not used for machines of the Apple back end. (nullable) the list that the library brings, by which it
	 * is a warning
	 */
	const UtmHardware *hardware;
} UtmConfigCheckOptions;
/** Initial value of #UtmConfigCheckOptions. */
#define UTM_CONFIG_CHECK_OPTIONS_INIT                                                                                \
	{                                                                                                            \
		sizeof(UtmConfigCheckOptions), NULL, NULL                                                            \
	}

/**
 * Checks the values of a configuration of either back end. No file is looked at.
 *
 * @param[in]  options       (nullable) defaults
 * @param[out] ret_findings  (transfer full) perhaps empty; release with utm_findings_free()
 * @return 0, whatever was found; #UTM_ERROR_STRUCT_SIZE; #UTM_ERROR_INVALID_ARGUMENT also for hardware of another
 *         architecture
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_config_check(const UtmConfig *config, const UtmConfigCheckOptions *options,
                                            UtmFindings **ret_findings, UtmError **error);
/**
 * Checks a package: its configuration, as utm_config_check() does, and its files. Nothing is changed.
 *
 * @param[in]  options       (nullable) defaults
 * @param[out] ret_findings  (transfer full) perhaps empty; release with utm_findings_free()
 * @return 0, whatever was found; also #UTM_ERROR_IO, #UTM_ERROR_LIMIT when the package cannot be looked at
 * @thread any; reads files
 */
UTM_API UTM_MUST_CHECK int utm_bundle_check(UtmBundle *bundle, const UtmConfigCheckOptions *options,
                                            UtmFindings **ret_findings, UtmError **error);

/** Number of findings. @thread any */
UTM_API size_t utm_findings_get_count(const UtmFindings *findings);
/** Finding @a index, or NULL beyond the end; valid as long as the list. @thread any */
UTM_API const UtmFinding *utm_findings_get(const UtmFindings *findings, size_t index);
/** The worst #UtmFindingSeverity of a list, 0 for an empty one. @thread any */
UTM_API uint32_t utm_findings_get_severity(const UtmFindings *findings);
/** Releases a list. @param[in] findings (nullable) @thread any */
UTM_API void utm_findings_free(UtmFindings *findings);

/** The code in words, such as `drive-without-image`; NULL for none of ours. @thread any */
UTM_API const char *utm_finding_code_get_name(uint32_t code);
/** `error`, `warning` or `info`; NULL for none of these. @thread any */
UTM_API const char *utm_finding_severity_get_name(uint32_t severity);

UTM_END_DECLS

#endif
