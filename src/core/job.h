/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous calls whose work blocks, such as copying disks: it is done on a thread of its own, since the I/O thread must
 * not. Otherwise they are requests as all others.
 *
 * Such a call ends when its work has, also when it is cancelled: what was begun has been cleared away then. At the end of
 * the context the work is cancelled and waited for.
 */
#pragma once

#include "core/request.h"

typedef struct UtmJobClass {
	const char *what; /* names the call in messages */
	/* On the job's thread; looks at `cancel` now and then. Whatever it uses must do without public references. */
	int (*run)(void *input, UtmCancel *cancel, void **ret_result, UtmError **error);
	GDestroyNotify free_input;
	GDestroyNotify free_result;
	UtmRequestDeliverFunc deliver;
} UtmJobClass;

/* `object` is whom the call is about; NULL: the context itself. `cancel` is the application's (nullable). */
void utm__job_submit(UtmContext *context, UtmObject *object, const UtmJobClass *klass, void *input_taken, UtmCancel *cancel,
                     UtmCallback *callback_taken);
