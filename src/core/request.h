/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call under way: submitted on an application's thread, worked on by the I/O thread, finished exactly once.
 *
 * The same request serves the blocking and the asynchronous form of a call:
 *
 *     request = utm__request_new(&vm->object, options.timeout_ms, options.cancel);
 *     request->... = ...;
 *     return utm__request_run(request, start, error);                       blocking
 *     return utm__request_submit(request, start, deliver, callback);        asynchronous
 *
 * `start(request)` runs on the I/O thread and arranges that utm__request_finish() is called some time, by it or later.
 * When the deadline passes or the UtmCancel is triggered first, `abort(request, code)` runs on the I/O thread; without one
 * the request is finished with that code. A request that was finished ignores being finished again.
 */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

typedef struct UtmRequest UtmRequest;
typedef void (*UtmRequestFunc)(UtmRequest *request);
typedef void (*UtmRequestAbortFunc)(UtmRequest *request, int code);
/* On the application's thread, in dispatch; calls the application's function. */
typedef void (*UtmRequestDeliverFunc)(UtmRequest *request, UtmCallback *callback);

/* timeout_ms -1: no deadline. `what` names the call in messages, such as "starting the machine"; static text. */
UtmRequest *utm__request_new(UtmObject *object, const char *what, gint64 timeout_ms, UtmCancel *cancel);
/* A call that belongs to the context alone: its completion arrives as long as that lives. It has no object. */
UtmRequest *utm__request_new_in(UtmContext *context, const char *what, gint64 timeout_ms, UtmCancel *cancel);
/* What an application gives as a time: -1 or more. `name` is the field's. */
int utm__check_timeout(gint64 timeout_ms, const char *name, UtmError **error);
UtmRequest *utm__request_ref(UtmRequest *request);
void utm__request_unref(UtmRequest *request);

/* Input of the call, owned by the request. */
void utm__request_set_input(UtmRequest *request, void *input, GDestroyNotify free_input);
void *utm__request_get_input(UtmRequest *request);
UtmObject *utm__request_get_object(UtmRequest *request); /* nullable */
UtmContext *utm__request_get_context(UtmRequest *request);
const char *utm__request_get_what(UtmRequest *request);

void utm__request_set_abort(UtmRequest *request, UtmRequestAbortFunc abort);

/* I/O thread. Finishes; takes the error (NULL: success) and the result. False when it was finished before. */
bool utm__request_finish(UtmRequest *request, UtmError *error_taken, void *result, GDestroyNotify free_result);
bool utm__request_is_finished(UtmRequest *request);
/* The error for a deadline that passed or a cancel, naming what was under way. (transfer full) */
UtmError *utm__request_abort_error(UtmRequest *request, int code);

/* After the end. The result stays with the request unless stolen. */
const UtmError *utm__request_get_error(UtmRequest *request);
void *utm__request_get_result(UtmRequest *request);
void *utm__request_steal_result(UtmRequest *request);

/* Submits and waits. Returns 0 or the error's code. The caller keeps its reference and may take the result. */
int utm__request_run(UtmRequest *request, UtmRequestFunc start, UtmError **error);
/* Submits; when it is finished, deliver runs in dispatch. Takes the callback, and keeps a reference of its own. */
void utm__request_submit(UtmRequest *request, UtmRequestFunc start, UtmRequestDeliverFunc deliver,
                         UtmCallback *callback_taken);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmRequest, utm__request_unref)

/* I/O thread, at the end of the context: nobody will finish these any more. */
void utm__requests_cancel_all(UtmContext *context);

/* --- UtmCancel, inside --- */
typedef struct UtmCancelWatch UtmCancelWatch;
bool utm__cancel_is_triggered(UtmCancel *cancel);
/* Runs fn(data) on the context's I/O thread when triggered, at most once. */
UtmCancelWatch *utm__cancel_watch(UtmCancel *cancel, UtmContext *context, UtmIoFunc fn, void *data);
/* I/O thread only: fn does not run after this. NULL is fine. */
void utm__cancel_unwatch(UtmCancelWatch *watch);
