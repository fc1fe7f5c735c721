/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Typed commands: structs to the JSON of a command, and its answer to structs. The generated functions of
 * qmp-commands.h are thin over these; `number` is a command's place in the schema.
 */
#pragma once

#include "core/request.h"
#include "schema/protocols.h"

#include <utm/qmp.h>

int utm__qmp_call(UtmQmp *qmp, unsigned number, const void *args, const UtmQmpCallOptions *options, void *ret_result,
                  UtmError **error);
int utm__qmp_call_async(UtmQmp *qmp, unsigned number, const void *args, const UtmQmpCallOptions *options, UtmCallFunc fn,
                        void *user_data, UtmFreeFunc free_fn, UtmError **error);

/* A command of a schema; the monitor's and the guest agent's are alike. */
typedef struct UtmTypedCall {
	const UtmSchema *schema;
	guint number;
} UtmTypedCall;

static inline const UtmSchemaCall *utm__typed_row(UtmTypedCall call)
{
	return &call.schema->commands[call.number];
}

/* The result as a struct, or NULL for a command without one. */
int utm__typed_decode(UtmTypedCall call, const char *reply, void **ret_object, UtmError **error);
/* The error as the caller of a typed command sees it. */
UtmError *utm__typed_refine(UtmTypedCall call, UtmError *error_taken);

/* For any handle whose commands these are. */
int utm__typed_run(UtmQmp *qmp, UtmTypedCall call, const void *args, const UtmQmpCallOptions *options, void *ret_result,
                   UtmError **error);
int utm__typed_submit(UtmQmp *qmp, UtmTypedCall call, const void *args, const UtmQmpCallOptions *options, UtmCallFunc fn,
                      void *user_data, UtmFreeFunc free_fn, UtmError **error);

/* --- by qmp-execute.c: arguments are compact and correct JSON; `varies`: not every peer understands them --- */

int utm__qmp_run_typed(UtmQmp *qmp, UtmTypedCall call, char *arguments_taken, bool varies,
                       const UtmQmpCallOptions *options, void **ret_object, UtmError **error);
int utm__qmp_submit_typed(UtmQmp *qmp, UtmTypedCall call, char *arguments_taken, bool varies,
                          const UtmQmpCallOptions *options, UtmRequestDeliverFunc deliver, UtmCallback *callback_taken,
                          UtmError **error);
UtmTypedCall utm__qmp_request_get_typed(UtmRequest *request);
