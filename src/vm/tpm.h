/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TPM of a machine: a swtpm process that keeps its state in the package, and a socket pair between it and QEMU.
 * Everything happens on the I/O thread.
 */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

typedef struct UtmTpm UtmTpm;

typedef struct UtmTpmSpec {
	const char *program;     /* of utm__tpm_find_program() */
	const char *bundle_path;
	bool disposable;         /* what the guest changes goes with the process */
	int lock_fd;             /* the package's lock, for swtpm too; stays the caller's; -1 */
	gint64 ready_timeout_ms; /* 0: the usual 10 s */
	/* It answers, or it never will: TIMEOUT, PROCESS_EXITED. Not called after utm__tpm_end(). */
	void (*on_ready)(UtmTpm *tpm, const UtmError *error, void *data);
	/* A line of its standard error. */
	void (*on_line)(const char *line, void *data);
	/* Its process is gone. Called exactly once, last of all. */
	void (*on_end)(UtmTpm *tpm, void *data);
	void *data;
} UtmTpmSpec;

/* The one beside `qemu_path` (nullable), or the host's; NOT_FOUND. (transfer full) */
char *utm__tpm_find_program(UtmContext *context, const char *qemu_path, UtmError **error);
/*
 * Starts it. SPAWN_FAILED; IO when the state cannot be read or written; LIMIT; BUNDLE_PATH_ESCAPE.
 * (transfer full)
 */
UtmTpm *utm__tpm_start(UtmContext *context, const UtmTpmSpec *spec, UtmError **error);
/* QEMU's end of the connection, for the caller to close once QEMU has it. Only when it is ready, and once. */
int utm__tpm_take_socket(UtmTpm *tpm);
bool utm__tpm_is_running(const UtmTpm *tpm);
/* Has it end: asked first, killed a second later. Fine more than once. */
void utm__tpm_end(UtmTpm *tpm);
/* How it ended, with its last words. (transfer full) */
UtmError *utm__tpm_ended_error(const UtmTpm *tpm, const char *when);
/* After its end. NULL is fine. */
void utm__tpm_free(UtmTpm *tpm);
