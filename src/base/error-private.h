/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making errors. An error is filled while one function owns it; once handed on it never changes. */
#pragma once

#include <glib.h>
#include <utm/error.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)

UtmError *utm__error_new(int code, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* All of these take copies, accept NULL and return their first argument, so that calls chain. */
UtmError *utm__error_set_key_path(UtmError *error, const char *key_path);
UtmError *utm__error_set_file(UtmError *error, const char *file);
UtmError *utm__error_set_remedy(UtmError *error, const char *remedy);
UtmError *utm__error_set_qmp_class(UtmError *error, const char *qmp_class);
UtmError *utm__error_set_errno(UtmError *error, int errno_value);
UtmError *utm__error_set_exit(UtmError *error, int exit_status, const char *stderr_tail);

/* A new error as `error` with the place filled in where it has none yet; for callers that know the file. */
UtmError *utm__error_at_file(UtmError *error_taken, const char *file);

/* Stores the error (dropping it when nobody asked for it) and returns its code. */
int utm__fail_take(UtmError **error, UtmError *error_taken);
int utm__fail(UtmError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* "`what`: strerror" with the errno kept; ENOENT becomes NOT_FOUND, everything else IO. */
int utm__fail_errno(UtmError **error, int errno_value, const char *file, const char *what);
