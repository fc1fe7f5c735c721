/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file types.h
 * Every opaque type of the library, the callback rules and utm_free().
 *
 * Ownership, one rule for all functions:
 *  - A pointer that is *returned* is borrowed. It lives as long as the object it was asked from, unless its
 *    comment says less. Functions named `_new`, `_ref`, `_copy`, `_acquire_...` and `_dup_...` are the exception: they
 *    give a new reference or a copy.
 *  - A pointer that comes out through a `ret_...` parameter belongs to the caller. It is left untouched when
 *    the function fails.
 *  - Counted objects go back through their own `_unref`, other objects through their own `_free`, and plain memory, such
 *    as strings, through utm_free(). All accept NULL.
 *  - References are counted atomically: `_ref` and `_unref` may be called from any thread.
 *
 * Callbacks come as a triple `(fn, user_data, free_fn)`. `fn` runs only inside utm_context_dispatch(), on the
 * thread that called it. `free_fn` (may be NULL) runs exactly once, after the last call of `fn`, even when the
 * function that took the triple fails; it too runs on an application thread, never on one of the library.
 */
#ifndef UTM_TYPES_H
#define UTM_TYPES_H

#include <utm/macros.h>

UTM_BEGIN_DECLS

/** What went wrong: code, domain, message and, where they apply, key path, file, errno, exit status, remedy. */
typedef struct UtmError UtmError;
/** The library's thread, event queue and policy; everything else belongs to one. */
typedef struct UtmContext UtmContext;
/** Lets another thread stop a call that blocks. */
typedef struct UtmCancel UtmCancel;
/** How far a long call has come. */
typedef struct UtmProgress UtmProgress;
/** A `.utm` package on disk. */
typedef struct UtmBundle UtmBundle;
/** The values of one machine's configuration, without any machine. */
typedef struct UtmConfig UtmConfig;
/** Facts about a host that decide how a configuration becomes a command line. */
typedef struct UtmHost UtmHost;
/** A QEMU command line, and where each of its arguments came from. */
typedef struct UtmArgv UtmArgv;
/** Controller of one virtual machine. */
typedef struct UtmVm UtmVm;
/** A free-form value: null, a boolean, a number, a string, an array or an object. */
typedef struct UtmValue UtmValue;
/** Why a machine ended. */
typedef struct UtmEndReason UtmEndReason;
/** A connection to a QEMU monitor. */
typedef struct UtmQmp UtmQmp;
/** A connection to the agent inside a guest. */
typedef struct UtmGuest UtmGuest;
/** What came of an asynchronous typed command. */
typedef struct UtmCallResult UtmCallResult;
/** Who hears of some events of a monitor, until its last reference goes. */
typedef struct UtmQmpSubscription UtmQmpSubscription;
/** A connection to a machine's screens and input devices. */
typedef struct UtmConsole UtmConsole;
/** One screen of a console. */
typedef struct UtmDisplay UtmDisplay;
/** One immutable picture of a display. */
typedef struct UtmFrame UtmFrame;

/** Releases the @a user_data of a callback triple. */
typedef void (*UtmFreeFunc)(void *user_data);

/** A rectangle in pixels; the origin is the upper left corner. */
typedef struct UtmRect {
	int32_t x;
	int32_t y;
	int32_t width;
	int32_t height;
} UtmRect;

/**
 * Frees plain memory that the library handed over through a `ret_...` parameter or a `_dup_...` function.
 *
 * @param[in] memory  What to free. (nullable)
 * @thread any; does not block
 */
UTM_API void utm_free(void *memory);

/**
 * Makes a token that can stop blocking calls. Put it into the options of a call, keep a reference, and trigger it
 * from any thread: the call then returns #UTM_ERROR_CANCELLED. One token may serve several calls.
 *
 * @return a new token; release with utm_cancel_unref()
 * @thread any
 */
UTM_API UTM_MUST_CHECK UtmCancel *utm_cancel_new(void);
/** Takes another reference. @return @a cancel @thread any */
UTM_API UtmCancel *utm_cancel_ref(UtmCancel *cancel);
/** Gives a reference back. @param[in] cancel (nullable) @thread any */
UTM_API void utm_cancel_unref(UtmCancel *cancel);
/** Stops every call that carries @a cancel, now and later. Cannot be undone. @thread any; does not block */
UTM_API void utm_cancel_trigger(UtmCancel *cancel);

/**
 * Makes a place where a long call writes how far it has come. Put it into the options of the call, keep a reference, and
 * look from any thread, as often as a bar is drawn. One for each call.
 *
 * @return a new one; release with utm_progress_unref()
 * @thread any
 */
UTM_API UTM_MUST_CHECK UtmProgress *utm_progress_new(void);
/** Takes another reference. @return @a progress @thread any */
UTM_API UtmProgress *utm_progress_ref(UtmProgress *progress);
/** Gives a reference back. @param[in] progress (nullable) @thread any */
UTM_API void utm_progress_unref(UtmProgress *progress);
/**
 * How far it is. Both are 0 before the call has begun to work.
 *
 * @param[out] ret_done   Bytes dealt with, holes included. (nullable)
 * @param[out] ret_total  Bytes in all. (nullable)
 * @thread any; does not block
 */
UTM_API void utm_progress_get(UtmProgress *progress, uint64_t *ret_done, uint64_t *ret_total);

UTM_END_DECLS

#endif
