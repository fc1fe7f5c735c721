/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file vm.h
 * The controller of one machine: start, stop, state, end reason, serial ports.
 *
 * State is what QEMU says, by its events and by `query-status`, never what was last asked for. A machine that was
 * started always ends with a reason, see utm_vm_get_end_reason().
 */
#ifndef UTM_VM_H
#define UTM_VM_H

#include <utm/bundle.h>
#include <utm/console.h>
#include <utm/qmp.h>

UTM_BEGIN_DECLS

/** Where a machine is in its life. The numbers are those that UTM uses between its own parts. */
typedef enum UtmVmState {
	UTM_VM_STATE_STOPPED = 0,
	UTM_VM_STATE_STARTING = 1,
	/** The guest runs. */
	UTM_VM_STATE_RUNNING = 2,
	UTM_VM_STATE_PAUSING = 3,
	/** QEMU runs, the guest stands still. */
	UTM_VM_STATE_PAUSED = 4,
	UTM_VM_STATE_RESUMING = 5,
	UTM_VM_STATE_SAVING = 6,
	UTM_VM_STATE_RESTORING = 7,
	UTM_VM_STATE_STOPPING = 8
} UtmVmState;

/** How to stop a machine. */
typedef enum UtmVmStopMethod {
	/** Press the power button and leave the rest to the guest. Returns when QEMU has passed it on; fails with
	 * #UTM_ERROR_TIMEOUT or #UTM_ERROR_QMP_STALLED when it has not within 10 s. */
	UTM_VM_STOP_REQUEST = 0,
	/** Have QEMU quit. The guest loses what it did not write. Returns when QEMU is gone. */
	UTM_VM_STOP_FORCE = 1,
	/** Kill QEMU. Returns when it is gone. */
	UTM_VM_STOP_KILL = 2,
	/** Request, after its deadline force, after its deadline kill. Returns when QEMU is gone. */
	UTM_VM_STOP_ESCALATE = 3
} UtmVmStopMethod;

/** Why a machine ended. */
typedef enum UtmEndKind {
	/** The guest powered itself off, or followed the power button. */
	UTM_END_GUEST_SHUTDOWN = 1,
	/** The guest reset and QEMU was told not to reboot. */
	UTM_END_GUEST_RESET = 2,
	/** The guest's kernel panicked. */
	UTM_END_GUEST_PANIC = 3,
	/** utm_vm_stop() with force, or QEMU's `quit` by somebody else. */
	UTM_END_QUIT = 4,
	/** utm_vm_stop() with kill. */
	UTM_END_KILLED = 5,
	/** The machine never ran: the start failed or was cancelled. */
	UTM_END_START_FAILED = 6,
	/** QEMU ended on its own, with an exit status. */
	UTM_END_QEMU_EXITED = 7,
	/** A signal that was not ours ended QEMU: a crash, the out-of-memory killer, an administrator. */
	UTM_END_QEMU_SIGNALLED = 8
} UtmEndKind;

/** What an event of a machine tells. */
typedef enum UtmVmEventKind {
	/** The state changed; @a state and @a old_state are set. */
	UTM_VM_EVENT_STATE = 1,
	/** The machine ended; @a state is stopped and utm_vm_get_end_reason() is set. */
	UTM_VM_EVENT_ENDED = 2,
	/** An event of QEMU's; @a text is its name and @a json its data. */
	UTM_VM_EVENT_QMP = 3,
	/** Something the configuration asks for that this host does not give, or no longer, as when the TPM's process ended;
	 * @a text says what. */
	UTM_VM_EVENT_WARNING = 4,
	/** QEMU, or the TPM's process, wrote a line to its standard error; @a text is the line. */
	UTM_VM_EVENT_LOG = 5
} UtmVmEventKind;

/** An event of a machine. Valid during the callback. */
typedef struct UtmVmEvent {
	/** sizeof(UtmVmEvent) of the library */
	size_t size;
	/** A #UtmVmEventKind. */
	uint32_t kind;
	/** A #UtmVmState, at the time of the event. */
	uint32_t state;
	/** A #UtmVmState, before a state event. */
	uint32_t old_state;
	/** Zero. */
	uint32_t reserved;
	/** (nullable) see the kinds */
	const char *text;
	/** (nullable) see the kinds */
	const char *json;
	/** Events that were dropped before this one because the application did not dispatch. */
	uint64_t dropped;
} UtmVmEvent;

/** Flags of utm_vm_start(). */
typedef enum UtmVmStartFlags {
	/** Changes to disks, UEFI variables and the TPM are thrown away at the end. */
	UTM_VM_START_DISPOSABLE = 1u << 0,
	/** Start with the guest standing still: the state becomes paused. */
	UTM_VM_START_PAUSED = 1u << 1,
	/** Additional arguments are allowed this time, whatever the context's policy says: the user has seen them. */
	UTM_VM_START_ALLOW_ARGUMENTS = 1u << 2
} UtmVmStartFlags;

/** A tap that the application has opened, for one network of the configuration instead of what its mode says. */
typedef struct UtmVmNetworkFd {
	/** Which element of `Network`. */
	uint32_t index;
	/** The descriptor of the tap, of one queue. It stays the caller's, who may close it when the call has returned. */
	int fd;
} UtmVmNetworkFd;

/** Options of utm_vm_start(). Initialise with #UTM_VM_START_OPTIONS_INIT. */
typedef struct UtmVmStartOptions {
	/** sizeof(UtmVmStartOptions) */
	size_t size;
	/** #UtmVmStartFlags */
	uint32_t flags;
	/** Must be zero. */
	uint32_t reserved;
	/** Until the guest runs, milliseconds; 0 for 60 s, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** Facts to use instead of those that the library finds out. (nullable) */
	UtmHost *host;
	/** Taps for networks of the configuration, each at most once. (nullable) */
	const UtmVmNetworkFd *network_fds;
	/** How many @a network_fds there are. */
	size_t network_fd_count;
} UtmVmStartOptions;

#define UTM_VM_START_OPTIONS_INIT                                                                                    \
	{                                                                                                            \
		sizeof(UtmVmStartOptions), 0, 0, 0, NULL, NULL, NULL, 0                                              \
	}

/** Options of utm_vm_stop(). Initialise with #UTM_VM_STOP_OPTIONS_INIT. */
typedef struct UtmVmStopOptions {
	/** sizeof(UtmVmStopOptions) */
	size_t size;
	/** How long the guest may take to follow a request before an escalation goes on, milliseconds; 0 for 30 s, -1 for
	 * ever. */
	int64_t request_timeout_ms;
	/** How long QEMU may take to quit before it is killed when escalating, and before a force stop gives up,
	 * milliseconds; 0 for 5 s, -1 for ever. */
	int64_t force_timeout_ms;
	/** Gives the call up. What it has asked for already is not taken back: a guest that heard its power button may still
	 * follow, a QEMU that was told to quit still does. (nullable) */
	UtmCancel *cancel;
} UtmVmStopOptions;

#define UTM_VM_STOP_OPTIONS_INIT                                                                                     \
	{                                                                                                            \
		sizeof(UtmVmStopOptions), 0, 0, NULL                                                                 \
	}

/** Runs inside dispatch. */
typedef void (*UtmVmEventFunc)(UtmVm *vm, const UtmVmEvent *event, void *user_data);
/**
 * The end of an asynchronous call; runs inside dispatch, exactly once, unless the last reference to @a vm goes first:
 * then only the `free_fn` runs.
 *
 * @param[in] error  (nullable) NULL: success
 */
typedef void (*UtmVmDoneFunc)(UtmVm *vm, const UtmError *error, void *user_data);
/** Bytes that a guest wrote to a serial port. Runs inside dispatch. @param[in] data valid during the call */
typedef void (*UtmVmSerialFunc)(UtmVm *vm, uint32_t index, const void *data, size_t size_bytes, void *user_data);

/**
 * Makes the controller of a bundle's machine. The configuration is copied: later changes of the bundle do not matter.
 *
 * @param[out] ret_vm  (transfer full) release with utm_vm_unref()
 * @return 0; #UTM_ERROR_CONFIG_INVALID_BACKEND
 * @thread any; does not block
 */
UTM_API UTM_MUST_CHECK int utm_vm_new(UtmBundle *bundle, UtmVm **ret_vm, UtmError **error);
/** Takes another reference. @return @a vm @thread any */
UTM_API UtmVm *utm_vm_ref(UtmVm *vm);
/**
 * Gives a reference back. When the last one goes, a machine that still runs is killed: whoever wants it to end well
 * calls utm_vm_stop() first. Waits until it is gone.
 *
 * @param[in] vm  (nullable) @thread any but the wakeup callback, where a running machine is killed and its memory stays;
 *                blocks
 */
UTM_API void utm_vm_unref(UtmVm *vm);

/** The bundle that it was made from. @thread any */
UTM_API UtmBundle *utm_vm_get_bundle(UtmVm *vm);
/** The configuration in use; do not change it. @thread any */
UTM_API UtmConfig *utm_vm_get_config(UtmVm *vm);
/** The state now; events of it may still wait for dispatch. @return a #UtmVmState @thread any */
UTM_API uint32_t utm_vm_get_state(UtmVm *vm);
/** Name of a state, such as `running`. @return NULL for no state @thread any */
UTM_API const char *utm_vm_state_get_name(uint32_t state);
/** Process id of QEMU, or -1 when it does not run. @thread any */
UTM_API int64_t utm_vm_get_pid(UtmVm *vm);
/** The monitor connection while QEMU runs, else NULL. Valid until the next start; take a reference to keep it. @thread any */
UTM_API UtmQmp *utm_vm_get_qmp(UtmVm *vm);
/** The console. It lives as long as @a vm, is idle before the first start, connects at each start and closes at each end.
 * @thread any */
UTM_API UtmConsole *utm_vm_get_console(UtmVm *vm);
/**
 * A display. It exists from the moment that the controller is made, for each display of the configuration, and lives as
 * long as @a vm: handlers may be set before the start and stay through restarts.
 *
 * @return NULL beyond the configured displays @thread any
 */
UTM_API UtmDisplay *utm_vm_get_display(UtmVm *vm, uint32_t index);

/**
 * Starts the machine and waits until the guest runs (or stands still, with #UTM_VM_START_PAUSED). On failure nothing
 * is left behind: no process, no socket, no file. A guest that runs and powers off at once was started; its end follows
 * as usual.
 *
 * A start that fails is an end of the machine, with a reason and an event. One that never began is not: the call was
 * wrong, the machine was not stopped, or the call was cancelled before the library came to it. Then the reason of the
 * former end stays.
 *
 * @param[in] options  (nullable)
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT, also for options that are not zero where they must be or times below -1;
 *         #UTM_ERROR_INVALID_STATE unless stopped;
 *         #UTM_ERROR_IMAGE_MISSING, #UTM_ERROR_BUNDLE_PATH_ESCAPE, #UTM_ERROR_CONFIG_INVALID_VALUE,
 *         #UTM_ERROR_CONFIG_UNSUPPORTED, #UTM_ERROR_NOT_SUPPORTED: what the configuration asks for, with its key path;
 *         #UTM_ERROR_QEMU_NOT_FOUND, #UTM_ERROR_FIRMWARE_NOT_FOUND, #UTM_ERROR_NOT_FOUND (also `swtpm`, which a TPM needs),
 *         #UTM_ERROR_SPAWN_FAILED, #UTM_ERROR_IO: what the host lacks or refuses; #UTM_ERROR_FIRMWARE_MISMATCH when the UEFI
 *         variables do not fit its firmware; #UTM_ERROR_LIMIT for what cannot be a TPM's state;
 *         #UTM_ERROR_PROCESS_EXITED with the complaint of QEMU, `swtpm` or `qemu-img`; #UTM_ERROR_QMP_PROTOCOL,
 *         #UTM_ERROR_QMP_DISCONNECTED, #UTM_ERROR_QMP_COMMAND when what runs is no QEMU that can be controlled;
 *         #UTM_ERROR_TIMEOUT, also when `swtpm` says nothing for 10 s; #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_vm_start(UtmVm *vm, const UtmVmStartOptions *options, UtmError **error);
/**
 * As utm_vm_start(), without waiting. Everything after a wrong @a options comes to @a fn. When a start fails, the event of
 * the machine's end comes first and @a fn, which alone has the error, after it.
 *
 * @thread any
 */
UTM_API int utm_vm_start_async(UtmVm *vm, const UtmVmStartOptions *options, UtmVmDoneFunc fn, void *user_data,
                               UtmFreeFunc free_fn, UtmError **error);
/**
 * Stops the machine. Of a stopped machine, force, kill and escalate succeed at once.
 *
 * @param[in] method   A #UtmVmStopMethod.
 * @param[in] options  (nullable)
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT, also for times below -1; #UTM_ERROR_INVALID_STATE for a request when the guest
 *         does not run; #UTM_ERROR_TIMEOUT when a force stop's deadline passed: QEMU still runs; #UTM_ERROR_CANCELLED;
 *         for a request also the errors of utm_qmp_execute()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_vm_stop(UtmVm *vm, uint32_t method, const UtmVmStopOptions *options, UtmError **error);
/** As utm_vm_stop(), without waiting. @thread any */
UTM_API int utm_vm_stop_async(UtmVm *vm, uint32_t method, const UtmVmStopOptions *options, UtmVmDoneFunc fn,
                              void *user_data, UtmFreeFunc free_fn, UtmError **error);
/**
 * Has the guest stand still, and waits for it. QEMU has 10 s to do it and 10 s to tell its state after it; nothing cancels
 * the call.
 *
 * @return 0; #UTM_ERROR_INVALID_STATE unless running; #UTM_ERROR_TIMEOUT, or #UTM_ERROR_QMP_STALLED when nothing came from
 *         QEMU in that time: it may still take effect, and the state then says so; #UTM_ERROR_VM_ENDED,
 *         #UTM_ERROR_QMP_COMMAND, #UTM_ERROR_QMP_DISCONNECTED
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_vm_pause(UtmVm *vm, UtmError **error);
/** As utm_vm_pause(), without waiting: all but #UTM_ERROR_INVALID_ARGUMENT comes to @a fn. @thread any */
UTM_API int utm_vm_pause_async(UtmVm *vm, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);
/** Has the guest go on; otherwise as utm_vm_pause(). @return #UTM_ERROR_INVALID_STATE unless paused @thread any but the
 * wakeup callback; blocks */
UTM_API int utm_vm_resume(UtmVm *vm, UtmError **error);
/** As utm_vm_resume(), without waiting. @thread any */
UTM_API int utm_vm_resume_async(UtmVm *vm, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);
/** Resets the guest as its reset button would; otherwise as utm_vm_pause(). @return #UTM_ERROR_INVALID_STATE unless running
 * or paused @thread any but the wakeup callback; blocks */
UTM_API int utm_vm_reset(UtmVm *vm, UtmError **error);
/** As utm_vm_reset(), without waiting. @thread any */
UTM_API int utm_vm_reset_async(UtmVm *vm, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error);

/** Name of an event's kind, such as `ended`. @return NULL for no kind @thread any */
UTM_API const char *utm_vm_event_kind_get_name(uint32_t kind);
/**
 * Sets who hears of events. At most 1024 wait for dispatch, and 256 changes of state besides; further ones are dropped and
 * counted. The one event of the end always arrives.
 *
 * @param[in] fn  (nullable)
 * @return 0
 * @thread any
 */
UTM_API int utm_vm_set_event_handler(UtmVm *vm, UtmVmEventFunc fn, void *user_data, UtmFreeFunc free_fn);

/** Number of serial ports in terminal mode. @thread any */
UTM_API uint32_t utm_vm_get_serial_count(UtmVm *vm);
/**
 * Sets who gets what the guest writes to a serial port in terminal mode. At most 1 MiB waits for dispatch; then the guest
 * waits, and nothing is lost. Without a handler the newest 64 KiB are kept and delivered to the first one.
 *
 * @param[in] index  Counted over the serial ports in terminal mode, from 0.
 * @param[in] fn     (nullable) none
 * @return 0; #UTM_ERROR_NOT_FOUND beyond the last port
 * @thread any
 */
UTM_API int utm_vm_set_serial_handler(UtmVm *vm, uint32_t index, UtmVmSerialFunc fn, void *user_data,
                                      UtmFreeFunc free_fn, UtmError **error);
/**
 * Has the handler of a serial port called no more, or again. Meanwhile what the guest writes waits as if nobody dispatched:
 * 1 MiB at most, then the guest waits, and nothing is lost. For handlers that pass bytes on to somebody slower; other
 * callbacks go on.
 *
 * @param[in] hold  true: not now; false: go on
 * @return 0; #UTM_ERROR_NOT_FOUND beyond the last port
 * @thread any; does not block. After it returns in a callback or between dispatches the handler is not called.
 */
UTM_API int utm_vm_serial_hold(UtmVm *vm, uint32_t index, bool hold, UtmError **error);
/**
 * Sends bytes to a serial port, as if typed on a terminal there. They are queued.
 *
 * @return 0; #UTM_ERROR_NOT_FOUND; #UTM_ERROR_INVALID_STATE when the machine does not run; #UTM_ERROR_LIMIT when 1 MiB
 *         waits already
 * @thread any; does not block
 */
UTM_API int utm_vm_serial_write(UtmVm *vm, uint32_t index, const void *data, size_t size_bytes, UtmError **error);

/**
 * Why the machine ended the last time, or NULL before its first end and while it runs. Valid until it is started again;
 * take a reference to keep it.
 *
 * @thread any
 */
UTM_API UtmEndReason *utm_vm_get_end_reason(UtmVm *vm);
/** Takes another reference. @return @a reason @thread any */
UTM_API UtmEndReason *utm_end_reason_ref(UtmEndReason *reason);
/** Gives a reference back. @param[in] reason (nullable) @thread any */
UTM_API void utm_end_reason_unref(UtmEndReason *reason);
/** What kind of end it was. @return a #UtmEndKind @thread any */
UTM_API uint32_t utm_end_reason_get_kind(const UtmEndReason *reason);
/** Name of a kind of end, such as `guest-shutdown`. @return NULL for no kind @thread any */
UTM_API const char *utm_end_kind_get_name(uint32_t kind);
/** One line for people. @return never NULL @thread any */
UTM_API const char *utm_end_reason_get_text(const UtmEndReason *reason);
/** The reason that QEMU's `SHUTDOWN` event gave, such as `guest-shutdown`. (nullable) @thread any */
UTM_API const char *utm_end_reason_get_qemu_reason(const UtmEndReason *reason);
/** QEMU's exit status, or -1 when a signal ended it or it never ran. @thread any */
UTM_API int utm_end_reason_get_exit_status(const UtmEndReason *reason);
/** The signal that ended QEMU, or 0. @thread any */
UTM_API int utm_end_reason_get_signal(const UtmEndReason *reason);
/** The last lines QEMU wrote to its standard error. (nullable) @thread any */
UTM_API const char *utm_end_reason_get_stderr_tail(const UtmEndReason *reason);
/** The error of a failed start. (nullable) @thread any */
UTM_API const UtmError *utm_end_reason_get_error(const UtmEndReason *reason);

UTM_END_DECLS

#endif
