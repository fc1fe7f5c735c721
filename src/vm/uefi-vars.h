/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making the store of UEFI variables of a package. Everything happens on the I/O thread. */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

typedef struct UtmVarsJob UtmVarsJob;

typedef struct UtmVarsSpec {
	const char *bundle_path;
	const char *template_path; /* raw or qcow2 */
	const char *qemu_path;     /* its qemu-img is used, when there is one beside it; nullable */
	bool replace;              /* the store that is there; otherwise it stays, whoever made it meanwhile */
	/* The store is there, or it is not and everything is as before. Called exactly once; the job is gone then. */
	void (*done)(UtmError *error_taken, void *data);
	void *data;
} UtmVarsSpec;

/* NULL, without a call of `done`, when it cannot even begin: NOT_FOUND, SPAWN_FAILED, IO. The job frees itself. */
UtmVarsJob *utm__vars_make(UtmContext *context, const UtmVarsSpec *spec, UtmError **error);
/* Gives it up; `done` is called soon. */
void utm__vars_kill(UtmVarsJob *job);
