/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file error.h
 * Errors are objects that the caller owns; nothing is kept per thread.
 *
 * Functions that can fail return 0, or a negative #UtmErrorCode, and take `UtmError **error` as their last
 * parameter. Pass NULL when the code is enough. Otherwise the pointer must hold NULL before the call; after a
 * failure it holds a new error for the caller to release with utm_error_unref().
 *
 * An error never changes once made, so it may be read from any thread and travels unchanged through completions.
 */
#ifndef UTM_ERROR_H
#define UTM_ERROR_H

#include <utm/error-codes.h>
#include <utm/types.h>

UTM_BEGIN_DECLS

/** Takes another reference. @return @a error @thread any */
UTM_API UtmError *utm_error_ref(UtmError *error);
/** Gives a reference back. @param[in] error (nullable) @thread any */
UTM_API void utm_error_unref(UtmError *error);

/** What kind of failure it is. @return a negative #UtmErrorCode @thread any */
UTM_API int utm_error_get_code(const UtmError *error);
/** Which part of the library failed. @return a #UtmErrorDomain @thread any */
UTM_API int utm_error_get_domain(const UtmError *error);
/** One line for people: what failed and why, without what the other accessors tell. @return never NULL @thread any */
UTM_API const char *utm_error_get_message(const UtmError *error);
/** Key path of the configuration value at fault, such as `Drive[1].ImageName`. (nullable) @thread any */
UTM_API const char *utm_error_get_key_path(const UtmError *error);
/** File or program at fault. (nullable) @thread any */
UTM_API const char *utm_error_get_file(const UtmError *error);
/** What to do about it, one line for people. @return never NULL @thread any */
UTM_API const char *utm_error_get_remedy(const UtmError *error);
/** Class of the error that QEMU answered, such as `DeviceNotFound`; kept as QEMU wrote it. (nullable) @thread any */
UTM_API const char *utm_error_get_qmp_class(const UtmError *error);
/** The operating system's errno, or 0. @thread any */
UTM_API int utm_error_get_errno(const UtmError *error);
/** Exit status of the process at fault (0 to 255), 128 + signal number when a signal ended it, or -1. @thread any */
UTM_API int utm_error_get_exit_status(const UtmError *error);
/** The last lines that the process at fault wrote to its standard error. (nullable) @thread any */
UTM_API const char *utm_error_get_stderr_tail(const UtmError *error);

/**
 * The whole error as text: one line `FILE: KEY PATH: MESSAGE (code name)` and, below it, the remedy.
 *
 * @return text to release with utm_free() @thread any
 */
UTM_API UTM_MUST_CHECK char *utm_error_dup_text(const UtmError *error);

/** The name of a code, such as `bundle-path-escape`. @return NULL for a code that does not exist @thread any */
UTM_API const char *utm_error_code_get_name(int code);
/** What a code means, one sentence. @return NULL for a code that does not exist @thread any */
UTM_API const char *utm_error_code_get_meaning(int code);

UTM_END_DECLS

#endif
