/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file context.h
 * The context: where the library's thread, its events and its policy live.
 *
 * ## A guided tour
 *
 * A #UtmContext owns one thread. Sockets, child processes, timers and files are served there; you never see it. What
 * you see is a queue of events and one file descriptor:
 *
 *     UtmContext *ctx = utm_context_new(NULL, NULL);
 *     ... open a bundle, start a machine, set handlers ...
 *     for (;;) {
 *             struct pollfd p = { utm_context_get_fd(ctx), POLLIN, 0 };
 *             poll(&p, 1, -1);
 *             utm_context_dispatch(ctx, 0);     // your callbacks run here, on your thread
 *     }
 *
 * or simply `utm_context_wait(ctx, -1)` instead of poll and dispatch. The descriptor stays the same for the life of
 * the context, becomes readable when there is something to dispatch and is never to be read or written by you. It
 * fits GLib (g_unix_fd_add), Qt (QSocketNotifier), asyncio (loop.add_reader), CFRunLoop and libuv, edge-triggered
 * pollers included. A loop that cannot watch descriptors uses utm_context_set_wakeup().
 *
 * ### The rules
 * 1. The descriptor only ever becomes readable, and that means: call utm_context_dispatch().
 * 2. Every callback runs inside utm_context_dispatch() (or utm_context_wait()) on the thread that called it.
 * 3. The wakeup callback alone is different: it may run on any thread, is coalesced, and must only wake a loop.
 * 4. Dispatch handles what was queued when it was entered; when more is left, the descriptor stays readable.
 * 5. Calls that block may be made from any thread, also inside callbacks: the library's thread never waits for you.
 *    Only the wakeup callback must not block; there such calls return #UTM_ERROR_WRONG_THREAD.
 * 6. Frames, progress and state coalesce: you get the latest. Completions always arrive. Events of a guest are
 *    bounded in number; if some had to be dropped, an event says how many.
 * 7. `free_fn` of a callback runs exactly once, after its last call, on one of your threads.
 * 8. The last utm_context_unref() stops and joins the library's thread. Pending completions are cancelled and their
 *    `free_fn` run before it returns.
 *
 * Only one thread at a time may dispatch a context. Any number of contexts may exist.
 *
 * ### What the library does to your process
 * It starts child processes (QEMU, qemu-img, the console engine), each in a process group of its own and reaped by
 * the library; it does not install signal handlers, does not touch SIGCHLD, SIGPIPE or the locale, prints nothing and
 * never uses GLib's default main context. In a host that ignores SIGCHLD, or that waits for children that are not its
 * own, machines run as elsewhere, but how QEMU ended is not known: its exit status is -1. After fork() without exec no function of the library may be called in the
 * child.
 */
#ifndef UTM_CONTEXT_H
#define UTM_CONTEXT_H

#include <utm/error.h>

UTM_BEGIN_DECLS

/** How much the log callback is told. */
typedef enum UtmLogLevel {
	UTM_LOG_NONE = 0,
	UTM_LOG_ERROR = 1,
	UTM_LOG_WARNING = 2,
	UTM_LOG_INFO = 3,
	UTM_LOG_DEBUG = 4
} UtmLogLevel;

/** Which accelerator machines may use. */
typedef enum UtmAccelPolicy {
	/** A hardware accelerator that has been proven to work for the guest's architecture, else TCG. */
	UTM_ACCEL_POLICY_AUTO = 0,
	/** As auto, but only when the configuration asks for a hypervisor too. */
	UTM_ACCEL_POLICY_CONFIG = 1,
	/** KVM, or fail. */
	UTM_ACCEL_POLICY_KVM = 2,
	/** Always emulate. */
	UTM_ACCEL_POLICY_TCG = 3
} UtmAccelPolicy;

/**
 * What becomes of the additional arguments of a configuration, and of its additional machine properties. A package from
 * a stranger can carry any: they can run programs and open files with the rights of whoever starts the machine.
 */
typedef enum UtmArgumentPolicy {
	/** QEMU gets them, and a warning lists them (#UTM_VM_EVENT_WARNING, utm_argv_get_warning()). The default: machines work
	 * as they do in UTM, and nothing goes unseen. */
	UTM_ARGUMENT_POLICY_LIST = 0,
	/** QEMU gets them. */
	UTM_ARGUMENT_POLICY_ALLOW = 1,
	/** A machine that has any does not start: #UTM_ERROR_ARGUMENTS_REFUSED. */
	UTM_ARGUMENT_POLICY_REFUSE = 2
} UtmArgumentPolicy;

/** Options of utm_context_new(). Initialise with #UTM_CONTEXT_OPTIONS_INIT. Strings are copied. */
typedef struct UtmContextOptions {
	/** sizeof(UtmContextOptions) */
	size_t size;
	/** Directories to look for QEMU programs in, before PATH; ends with NULL. (nullable) */
	const char *const *qemu_dirs;
	/** Directories to look for UEFI firmware in, before the usual ones; ends with NULL. (nullable) */
	const char *const *firmware_dirs;
	/** Where private run-time files (sockets) go; made if missing, mode 0700. NULL, or longer than a socket's address
	 * allows (66 bytes): XDG_RUNTIME_DIR, else /tmp. */
	const char *runtime_dir;
	/** The console engine program. NULL: the installed one, or UTM_CONSOLE_ENGINE of the environment. */
	const char *console_engine;
	/** A #UtmAccelPolicy. */
	uint32_t accel_policy;
	/** A #UtmArgumentPolicy. */
	uint32_t argument_policy;
} UtmContextOptions;

#define UTM_CONTEXT_OPTIONS_INIT                                                                                     \
	{                                                                                                            \
		sizeof(UtmContextOptions), NULL, NULL, NULL, NULL, UTM_ACCEL_POLICY_AUTO, UTM_ARGUMENT_POLICY_LIST                          \
	}

/** Called on any thread when there is something to dispatch; must do nothing but wake a loop. */
typedef void (*UtmWakeupFunc)(void *user_data);

/**
 * One line of the log. Runs inside dispatch.
 *
 * @param[in] level    A #UtmLogLevel.
 * @param[in] message  Without line end; valid during the call.
 */
typedef void (*UtmLogFunc)(UtmContext *ctx, uint32_t level, const char *message, void *user_data);

/**
 * Makes a context and starts its thread.
 *
 * @param[in]  options  (nullable) all defaults
 * @param[out] error    #UTM_ERROR_STRUCT_SIZE, #UTM_ERROR_STRUCT_TOO_OLD or #UTM_ERROR_STRUCT_TOO_NEW for wrong options;
 *                      #UTM_ERROR_INVALID_ARGUMENT; #UTM_ERROR_IO when descriptors or threads run out
 * @return (transfer full) release with utm_context_unref(); NULL on failure
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK UtmContext *utm_context_new(const UtmContextOptions *options, UtmError **error);

/** Takes another reference. @return @a ctx @thread any */
UTM_API UtmContext *utm_context_ref(UtmContext *ctx);

/**
 * Gives a reference back. The last one stops the library's thread, cancels what is pending and runs every remaining
 * `free_fn`. Every other object holds a reference of its own to its context. Inside a callback the end is put off
 * until the running dispatch returns; inside the wakeup callback the call is refused and logged.
 *
 * @param[in] ctx  (nullable)
 * @thread any but the wakeup callback; may block until the thread has stopped
 */
UTM_API void utm_context_unref(UtmContext *ctx);

/**
 * The descriptor to poll for reading. It belongs to the context: neither read nor close it.
 *
 * @return the same number for the whole life of the context @thread any
 */
UTM_API int utm_context_get_fd(UtmContext *ctx);

/**
 * Runs the callbacks of events that were queued when it was entered.
 *
 * @param[in] max_events  At most this many; 0 for all.
 * @return the number of events handled; #UTM_ERROR_INVALID_STATE when another thread dispatches, or inside a callback
 * @thread any, one at a time; does not block by itself
 */
UTM_API int utm_context_dispatch(UtmContext *ctx, int max_events);

/**
 * Waits until there is something to dispatch, and dispatches it.
 *
 * @param[in] timeout_ms  Milliseconds; -1 waits for ever, 0 does not wait.
 * @return the number of events handled, 0 after the time is over; errors as utm_context_dispatch()
 * @thread any, one at a time; blocks
 */
UTM_API int utm_context_wait(UtmContext *ctx, int timeout_ms);

/**
 * Sets what is called when events arrive, for loops that cannot poll a descriptor. Called once at once when events
 * already wait. The former callback is not running any more when this returns, and its @a free_fn has been called.
 *
 * @param[in] fn         (nullable) none
 * @param[in] user_data  (nullable) for @a fn
 * @param[in] free_fn    (nullable)
 * @return 0, or #UTM_ERROR_WRONG_THREAD from inside the wakeup callback
 * @thread any but the wakeup callback
 */
UTM_API int utm_context_set_wakeup(UtmContext *ctx, UtmWakeupFunc fn, void *user_data, UtmFreeFunc free_fn);

/**
 * Sets the log callback. Without one nothing is logged, unless the environment has `UTM_DEBUG=1`: then every line
 * goes to standard error.
 *
 * @param[in] level  The most talkative #UtmLogLevel that is delivered.
 * @param[in] fn     (nullable) none
 * @return 0
 * @thread any
 */
UTM_API int utm_context_set_log_handler(UtmContext *ctx, uint32_t level, UtmLogFunc fn, void *user_data,
                                        UtmFreeFunc free_fn);

UTM_END_DECLS

#endif
