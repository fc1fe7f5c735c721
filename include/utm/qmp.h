/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file qmp.h
 * A connection to a QEMU monitor: commands as JSON, replies, events. It needs no #UtmVm: any QEMU's monitor socket
 * will do.
 *
 * ## Events, a guided tour
 *
 * QEMU tells what happens in events: the guest was reset, a disk could not be written, a job is done. A program hears
 * of them in one of three ways, and any number of its parts may do so side by side.
 *
 * *One place for all of them*: utm_qmp_set_event_handler(). Your function runs in dispatch.
 *
 * *Each part its own*: utm_qmp_subscribe() with the names that this part wants, and a function. It ends with the last
 * utm_qmp_subscription_unref().
 *
 *     static const char *const names[] = { "BLOCK_IO_ERROR", "DEVICE_DELETED", NULL };
 *     utm_qmp_subscribe(qmp, names, on_disk_event, disks, NULL, &subscription, &error);
 *
 * *Arm, then command, then wait*: a subscription without a function collects its events until somebody asks for them.
 * Made before the command, it has the event however fast QEMU was; nothing needs to dispatch meanwhile.
 *
 *     static const char *const names[] = { "DEVICE_DELETED", NULL };
 *     utm_qmp_subscribe(qmp, names, NULL, NULL, NULL, &gone, &error);               // arm
 *     utm_qmp_execute(qmp, "device_del", "{\"id\":\"usb1\"}", NULL, NULL, &error);  // command
 *     utm_qmp_subscription_wait(gone, is_usb1, NULL, NULL, &event, &error);         // wait
 *     utm_qmp_event_unref(event);
 *     utm_qmp_subscription_unref(gone);
 *
 * An event that a program cannot do without is worth a check that it is still to come: QEMU sends `STOP` when a
 * machine stops, not when one is told to that had stopped before.
 *
 * Each subscription is bounded on its own. One that does not keep up loses the newest events and is told how many
 * (UtmQmpEvent.dropped); the others lose nothing, and QEMU is never held up. The end of the connection always arrives,
 * as the last event of all.
 *
 * ## What the connected QEMU has
 *
 * A program is written against this library, which knows several releases of QEMU, and then meets one of them, built in
 * some way. utm_qmp_has() tells what that one has, from what it says about itself:
 *
 *     utm_qmp_has(qmp, "migrate.channels", NULL, &has_channels, &error);
 *
 * | question | asks for |
 * |---|---|
 * | `blockdev-add`, `BLOCK_IO_ERROR` | a command or an event |
 * | `migrate.uri` | an argument; of an event, a member of its data |
 * | `blockdev-add.backing.file` | a member of a member. Lists are looked through, and any branch of a union will do |
 * | `query-status:status` | behind the colon, a member of the result |
 * | `blockdev-add.driver=nbd` | a value of an enumeration |
 * | `blockdev-add.driver=nbd.tls-creds` | behind the value of a union's tag: a member with this value, no other branch |
 * | `device_add#json-cli-hotplug` | a feature of what was named: the command, member or value, or its type |
 *
 * Names are those of QEMU, as they are on the wire. A free-form value, such as that of `qom-set`, has whatever is asked
 * for, since QEMU takes anything there. Properties of devices, which `device_add` takes besides its own arguments, are not
 * known here: `device-list-properties` tells them. That QEMU has something does not mean that it works: whether this
 * machine, host and accelerator can do it only shows when it is tried.
 *
 * Typed commands ask by themselves. One with a member or a value that not every QEMU has is held against what this one
 * has before it is sent, and refused with #UTM_ERROR_QMP_UNSUPPORTED and the key path; #UTM_QMP_CALL_FORCE sends it all
 * the same. A required member that is left out, because a newer QEMU does not insist on it, is left to QEMU.
 *
 * The first such question or command of a connection waits for one more answer, or two. The context keeps it for other
 * connections to the same build of QEMU.
 */
#ifndef UTM_QMP_H
#define UTM_QMP_H

#include <utm/context.h>

UTM_BEGIN_DECLS

/** Flags of #UtmQmpConnectOptions. */
typedef enum UtmQmpConnectFlags {
	/** Ask for out-of-band execution, so that #UTM_QMP_CALL_OOB works where QEMU offers it; utm_qmp_has_oob() tells. At
	 * most 7 other commands are then given to QEMU at a time, and the rest waits on this side: with more, QEMU would stop
	 * reading, and hear of no out-of-band command either. */
	UTM_QMP_CONNECT_OOB = 1u << 0,
	/** End each command with a line feed. QEMU needs none, and each costs it a turn of its loop, some 3 % of a command; what
	 * passes on whole lines only, such as `socat` with `readline` or a program that logs the session, waits for it. */
	UTM_QMP_CONNECT_LINES = 1u << 1,
	/** Only utm_qmp_connect_replay(): commands may come in any order. Each takes the next recorded one that equals it,
	 * and brings the events that followed that one, up to the next command. */
	UTM_QMP_CONNECT_REPLAY_UNORDERED = 1u << 8,
	/** Only utm_qmp_connect_replay(): answers and events take as long as they took then. */
	UTM_QMP_CONNECT_REPLAY_PACED = 1u << 9
} UtmQmpConnectFlags;

/** Options of the utm_qmp_connect functions. Initialise with #UTM_QMP_CONNECT_OPTIONS_INIT. */
typedef struct UtmQmpConnectOptions {
	/** sizeof(UtmQmpConnectOptions) */
	size_t size;
	/** Until greeting and negotiation are done, milliseconds; 0 for 10 s, -1 for ever. A monitor that serves another
	 * client accepts the connection and stays silent, so a limit is wise. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** #UtmQmpConnectFlags */
	uint32_t flags;
	/** Zero. */
	uint32_t reserved;
	/** Record the session to this file, from the greeting on; utm_qmp_record() says more. (nullable) */
	const char *record_file;
} UtmQmpConnectOptions;

#define UTM_QMP_CONNECT_OPTIONS_INIT                                                                                 \
	{                                                                                                            \
		sizeof(UtmQmpConnectOptions), 0, NULL, 0, 0, NULL                                                          \
	}

/** Flags of #UtmQmpCallOptions. */
typedef enum UtmQmpCallFlags {
	/** Execute the command out of band: at once, beside all others, even while QEMU is busy with them. QEMU allows that
	 * for a few commands, such as `yank` and `migrate-pause`. */
	UTM_QMP_CALL_OOB = 1u << 0,
	/** Send also what the connected QEMU is known to lack. Without a meaning for utm_qmp_execute(), which does not look
	 * into its arguments. */
	UTM_QMP_CALL_FORCE = 1u << 1
} UtmQmpCallFlags;

/** Options of one command. Initialise with #UTM_QMP_CALL_OPTIONS_INIT. */
typedef struct UtmQmpCallOptions {
	/** sizeof(UtmQmpCallOptions) */
	size_t size;
	/** Until the reply, milliseconds; 0 for the command's own default, -1 for ever. The default is 30 s, and more for
	 * commands that move or wait for a lot of data: 5 minutes where disks, devices or back ends are opened, closed or
	 * drained, 1 hour where all memory of the guest is written or read, and for `human-monitor-command`. After the
	 * deadline the command may still take effect; its late reply is recognised and dropped. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** #UtmQmpCallFlags */
	uint32_t flags;
	/** Zero. */
	uint32_t reserved;
	/** A descriptor that goes with the command, such as `getfd` and `add-fd` want one; only over a unix socket. The
	 * caller keeps its own and may close it as soon as the call returns. The command waits until all others were
	 * answered, and later ones wait for its answer. (nullable) none */
	const int *fd;
} UtmQmpCallOptions;

#define UTM_QMP_CALL_OPTIONS_INIT                                                                                    \
	{                                                                                                            \
		sizeof(UtmQmpCallOptions), 0, NULL, 0, 0, NULL                                                       \
	}

/**
 * An event of QEMU. It never changes, is made by the library alone and shared by all who get it; it is valid during
 * the callback, and longer with a reference, also beyond the connection and the context.
 */
typedef struct UtmQmpEvent {
	/** sizeof(UtmQmpEvent) of the library */
	size_t size;
	/** Its name, such as `SHUTDOWN`; NULL for the end of the connection, see @a error. */
	const char *name;
	/** Its data as JSON, or NULL when it has none. */
	const char *data;
	/** When QEMU sent it, wall clock, microseconds since 1970; -1 when QEMU's clock failed, and for the end. */
	int64_t timestamp_us;
	/** Events that this subscriber lost since it got the last one, because too many waited for it. They were newer
	 * than those that wait still. */
	uint64_t dropped;
	/** For the end of the connection: why it ended. For an event whose data is not what its name promises: the
	 * reason, with the key path of the member; then there is no @a payload. Else NULL. */
	const UtmError *error;
	/** Which event it is as a number; -1 when this library does not know its name, and for the end. */
	int32_t id;
	/** Zero. */
	uint32_t reserved;
	/** Its data as the struct that belongs to @a id, or NULL. */
	const void *payload;
} UtmQmpEvent;

/** An event; runs inside dispatch. */
typedef void (*UtmQmpEventFunc)(UtmQmp *qmp, const UtmQmpEvent *event, void *user_data);
/** Whether this is the event that was waited for. Runs on the thread that waits; may call anything. */
typedef bool (*UtmQmpEventMatchFunc)(const UtmQmpEvent *event, void *user_data);

/** Options of utm_qmp_subscription_wait(). Initialise with #UTM_QMP_WAIT_OPTIONS_INIT. */
typedef struct UtmQmpWaitOptions {
	/** sizeof(UtmQmpWaitOptions) */
	size_t size;
	/** Until the event, milliseconds; 0 for 30 s, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
} UtmQmpWaitOptions;

#define UTM_QMP_WAIT_OPTIONS_INIT                                                                                    \
	{                                                                                                            \
		sizeof(UtmQmpWaitOptions), 0, NULL                                                                   \
	}

/**
 * The end of an asynchronous command; runs inside dispatch, exactly once, unless the last reference to @a qmp goes
 * first: then only the `free_fn` runs.
 *
 * @param[in] reply  The `return` value as JSON, or NULL when @a error is set.
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmQmpReplyFunc)(UtmQmp *qmp, const char *reply, const UtmError *error, void *user_data);

/**
 * The end of utm_qmp_has_async(); runs inside dispatch, exactly once, unless the last reference to @a qmp goes first: then
 * only the `free_fn` runs.
 *
 * @param[in] has    The answer; false when @a error is set.
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmQmpHasFunc)(UtmQmp *qmp, bool has, const UtmError *error, void *user_data);

/**
 * Connects to a monitor's unix socket and negotiates. A monitor that greets and then reads nothing for 2.5 seconds, as
 * QEMU 7.2 now and then does to a client that comes while it starts, is connected to again within the same limit.
 *
 * @param[in]  path     The socket. Longer than a socket address holds is fine.
 * @param[in]  options  (nullable)
 * @param[out] ret_qmp  (transfer full) release with utm_qmp_unref()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO; #UTM_ERROR_TIMEOUT; #UTM_ERROR_QMP_PROTOCOL when the peer does not
 *         speak QMP; #UTM_ERROR_QMP_DISCONNECTED; #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API UTM_MUST_CHECK int utm_qmp_connect_path(UtmContext *ctx, const char *path, const UtmQmpConnectOptions *options,
                                                UtmQmp **ret_qmp, UtmError **error);
/**
 * Negotiates over a connected stream socket.
 *
 * @param[in] fd  Owned by the library from now on, also when this fails.
 * @return as utm_qmp_connect_path()
 * @thread any but the wakeup callback; blocks
 */
UTM_API UTM_MUST_CHECK int utm_qmp_connect_fd(UtmContext *ctx, int fd, const UtmQmpConnectOptions *options,
                                              UtmQmp **ret_qmp, UtmError **error);
/**
 * Connects to a monitor that listens on a TCP port, and negotiates. A monitor gives full control over QEMU to whoever
 * reaches it: use a port of this host, or a tunnel.
 *
 * @param[in] host  A name or a numeric address, IPv4 or IPv6 without brackets. The addresses of a name are tried one after
 *                  the other. Names are looked up with the system's resolver, which knows neither deadline nor cancel.
 * @param[in] port  1 to 65535
 * @return as utm_qmp_connect_path(); #UTM_ERROR_NOT_FOUND when there is no such host; #UTM_ERROR_IO with the errno
 * @thread any but the wakeup callback; blocks
 */
UTM_API UTM_MUST_CHECK int utm_qmp_connect_tcp(UtmContext *ctx, const char *host, uint16_t port,
                                               const UtmQmpConnectOptions *options, UtmQmp **ret_qmp, UtmError **error);
/**
 * Connects to a recorded session instead of a QEMU: what utm_qmp_record() wrote, or somebody by hand. It stands in for
 * QEMU in tests of programs, which need to change nothing else: the connection behaves as the recorded one did.
 *
 * Commands are told apart by name and arguments, as values; the order of members does not matter. They must come in the
 * order of the recording, unless #UTM_QMP_CONNECT_REPLAY_UNORDERED is set. Each gets its recorded answer; events come
 * between the same commands and answers as they did. Those before the first command wait until somebody subscribes to
 * events, or for that command. A command that was not answered then is not answered now.
 *
 * A command that the recording does not have, or not there, fails with #UTM_ERROR_QMP_COMMAND, class `ReplayMismatch`,
 * and a message that says what the recording has instead. The session goes on, and utm_qmp_check_replay() tells of it.
 *
 * `qmp_capabilities` at the beginning, `query-target` and `query-qmp-schema` have no place in the order: the library
 * sends them when it needs to. Descriptors that go with a command are closed.
 *
 * The recording is read at once, and may change afterwards. It has 256 MiB and a million lines at most.
 *
 * @param[in]  path     The recording; docs/qmp-recordings.md has the format.
 * @param[in]  options  As for a real connection. (nullable)
 * @param[out] ret_qmp  (transfer full) release with utm_qmp_unref()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO; #UTM_ERROR_QMP_MALFORMED with file and line; #UTM_ERROR_LIMIT; and as
 *         utm_qmp_connect_path() when the recorded session did not get through its negotiation
 * @thread any but the wakeup callback; blocks
 */
UTM_API UTM_MUST_CHECK int utm_qmp_connect_replay(UtmContext *ctx, const char *path,
                                                  const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                                                  UtmError **error);
/**
 * Whether a replayed session was the recorded one: for the end of a test.
 *
 * @return 0; #UTM_ERROR_NOT_FOUND when there was a command that the recording does not have, with the first such;
 *         #UTM_ERROR_INVALID_STATE when it has commands that were not sent; #UTM_ERROR_INVALID_ARGUMENT when @a qmp plays
 *         no recording
 * @thread any
 */
UTM_API int utm_qmp_check_replay(UtmQmp *qmp, UtmError **error);
/**
 * Records the session to a file from now on: all that goes to QEMU and comes from it, one line of JSON per message.
 * docs/qmp-recordings.md has the format, utm_qmp_connect_replay() plays it. It works for the connection of a machine,
 * too; then what the library itself says to QEMU is among it.
 *
 * **The file holds secrets** when commands or answers do, passwords for example. Only its owner may read it.
 *
 * It is written by a thread of its own, and 128 MiB may wait for that. When they are full, or the disk is, the recording
 * ends with a line of the log. The session never does, and never waits for a disk. The recording ends with the session,
 * or with the last reference to @a qmp; utm_context_unref() waits up to 5 s for what is not written yet.
 *
 * @param[in] path  Made with mode 0600, or emptied.
 * @return 0; #UTM_ERROR_IO and #UTM_ERROR_NOT_FOUND when it cannot be opened; #UTM_ERROR_INVALID_STATE when the session is
 *         recorded already; #UTM_ERROR_QMP_DISCONNECTED; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any but the wakeup callback
 */
UTM_API int utm_qmp_record(UtmQmp *qmp, const char *path, UtmError **error);
/**
 * Ends the recording and waits until it is in the file; also after the end of the session.
 *
 * @return 0; what ended the recording before: #UTM_ERROR_IO with the errno, or #UTM_ERROR_LIMIT when the disk was too
 *         slow; #UTM_ERROR_TIMEOUT when the disk did not take the rest within 10 s; #UTM_ERROR_INVALID_STATE when there is
 *         no recording; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_qmp_record_stop(UtmQmp *qmp, UtmError **error);
/** Takes another reference. @return @a qmp @thread any */
UTM_API UtmQmp *utm_qmp_ref(UtmQmp *qmp);
/** Gives a reference back; the last one closes the connection. @param[in] qmp (nullable) @thread any */
UTM_API void utm_qmp_unref(UtmQmp *qmp);
/** Closes the connection now. Pending commands end with #UTM_ERROR_QMP_DISCONNECTED. @thread any; does not block */
UTM_API void utm_qmp_close(UtmQmp *qmp);

/** The greeting's `QMP` object as JSON: version and capabilities. Valid as long as @a qmp. @thread any */
UTM_API const char *utm_qmp_get_greeting(UtmQmp *qmp);
/** QEMU's version, major * 1000000 + minor * 1000 + micro. @thread any */
UTM_API uint32_t utm_qmp_get_qemu_version(UtmQmp *qmp);
/** Whether #UTM_QMP_CALL_OOB works here: it was asked for when connecting, and QEMU offers it. @thread any */
UTM_API bool utm_qmp_has_oob(UtmQmp *qmp);

/**
 * Whether the connected QEMU has something: see "What the connected QEMU has" above.
 *
 * @param[in]  what     The question, 1024 bytes at most.
 * @param[in]  options  Deadline, 0 for 30 s, and cancel; nothing else may be set. (nullable)
 * @param[out] ret_has  The answer. What QEMU has never heard of is false, and no error.
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT for a question that is none: the message says at which byte;
 *         #UTM_ERROR_QMP_UNSUPPORTED when the peer does not tell what it supports; #UTM_ERROR_QMP_MALFORMED or
 *         #UTM_ERROR_LIMIT when what it tells makes no sense; #UTM_ERROR_TIMEOUT; #UTM_ERROR_CANCELLED;
 *         #UTM_ERROR_QMP_DISCONNECTED
 * @thread any but the wakeup callback; blocks until the first answer of this connection, then no more
 */
UTM_API UTM_MUST_CHECK int utm_qmp_has(UtmQmp *qmp, const char *what, const UtmQmpCallOptions *options, bool *ret_has,
                                       UtmError **error);
/**
 * The same; the answer comes to @a fn.
 *
 * @param[in] fn  (nullable) the answer is dropped; what QEMU has is known from then on
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; everything later comes to @a fn
 * @thread any; does not block
 */
UTM_API int utm_qmp_has_async(UtmQmp *qmp, const char *what, const UtmQmpCallOptions *options, UtmQmpHasFunc fn,
                              void *user_data, UtmFreeFunc free_fn, UtmError **error);

/**
 * Runs a command and waits for its answer. Any number of threads may have commands under way; those that one thread gives
 * reach QEMU in that order, except out-of-band ones. `quit` succeeds also when QEMU is gone before it could reply.
 *
 * @param[in]  command    Its name, such as `query-status`.
 * @param[in]  arguments  A JSON object, with strings in double quotes. (nullable) none
 * @param[in]  options    (nullable)
 * @param[out] ret_reply  (transfer full) (nullable) the `return` value as compact JSON; release with utm_free()
 * @return 0; #UTM_ERROR_QMP_COMMAND with QEMU's class and message; #UTM_ERROR_QMP_DISCONNECTED, or
 *         #UTM_ERROR_QMP_PROTOCOL when the peer sent what is no QMP: the message says whether the command was sent at all,
 *         and if it was, whether it took effect is unknown; #UTM_ERROR_TIMEOUT when the deadline passed, and
 *         #UTM_ERROR_QMP_STALLED when nothing else came from QEMU in that time either, which was a second at least; both
 *         with the name of the earlier command that QEMU is busy with; #UTM_ERROR_CANCELLED; #UTM_ERROR_INVALID_ARGUMENT for arguments that are no JSON
 *         object, and for a descriptor that is none; #UTM_ERROR_NOT_SUPPORTED for #UTM_QMP_CALL_OOB without
 *         utm_qmp_has_oob(), and for a descriptor over TCP; #UTM_ERROR_LIMIT when too many commands wait for their answer
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_qmp_execute(UtmQmp *qmp, const char *command, const char *arguments, const UtmQmpCallOptions *options,
                            char **ret_reply, UtmError **error);
/**
 * Sends a command; its answer comes to @a fn.
 *
 * @param[in] fn  (nullable) the answer is dropped
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; everything later comes to @a fn
 * @thread any; does not block
 */
UTM_API int utm_qmp_execute_async(UtmQmp *qmp, const char *command, const char *arguments,
                                  const UtmQmpCallOptions *options, UtmQmpReplyFunc fn, void *user_data,
                                  UtmFreeFunc free_fn, UtmError **error);
/**
 * Sets who hears of all events and of the connection's end: a subscription of the connection's own, of which there is
 * one. It hears of what comes from now on, and of the end also when that is over. Events that still wait for the former
 * handler go with it.
 *
 * @param[in] fn  (nullable) none
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any but the wakeup callback; does not block
 */
UTM_API int utm_qmp_set_event_handler(UtmQmp *qmp, UtmQmpEventFunc fn, void *user_data, UtmFreeFunc free_fn);

/* --- typed commands: qmp-commands.h --- */

/**
 * The end of an asynchronous typed command; runs inside dispatch, exactly once, unless the last reference to the
 * connection goes first: then only the `free_fn` runs. Call the command's own `_finish` in it.
 *
 * @param[in] result  Valid during the call.
 */
typedef void (*UtmCallFunc)(UtmCallResult *result, void *user_data);

/**
 * What the `_finish` of each command calls.
 *
 * @param[in]  command     The number of the command.
 * @param[out] ret_result  (transfer full) (nullable) where the result goes, by its type. It can be taken once.
 * @return 0; what went wrong with the command; #UTM_ERROR_INVALID_ARGUMENT when it is another command's;
 *         #UTM_ERROR_INVALID_STATE when the result was taken already
 * @thread dispatch
 */
UTM_API int utm_call_result_finish(UtmCallResult *result, uint32_t command, void *ret_result, UtmError **error);
/**
 * Subscribes to events by name. It is in force when this returns: an event that a command brings about which is sent
 * afterwards is never missed. An event that QEMU sent just before may be among the first.
 *
 * The end of the connection is told to every subscription, once; to one that is made after it, too.
 *
 * A subscription holds a reference to its connection, which stays open as long: use utm_qmp_close() to close it for
 * everybody.
 *
 * @param[in]  names             Ends with NULL; copied. Names that this QEMU does not know are fine. An empty list means
 *                               the end only. (nullable) every event
 * @param[in]  fn                Gets the events in dispatch, in the order in which QEMU sent them. (nullable) they are
 *                               collected for utm_qmp_subscription_wait(), and @a free_fn runs when the subscription ends
 * @param[out] ret_subscription  (transfer full) release with utm_qmp_subscription_unref()
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; #UTM_ERROR_LIMIT for too many names, or subscriptions of one connection
 * @thread any but the wakeup callback; does not block
 */
UTM_API int utm_qmp_subscribe(UtmQmp *qmp, const char *const *names, UtmQmpEventFunc fn, void *user_data,
                              UtmFreeFunc free_fn, UtmQmpSubscription **ret_subscription, UtmError **error);
/** Takes another reference. @return @a subscription @thread any */
UTM_API UtmQmpSubscription *utm_qmp_subscription_ref(UtmQmpSubscription *subscription);
/**
 * Gives a reference back. The last one ends the subscription: events that still wait for it are dropped, and its
 * function is not called again. In that function itself this takes effect when it returns.
 *
 * @param[in] subscription  (nullable)
 * @thread any
 */
UTM_API void utm_qmp_subscription_unref(UtmQmpSubscription *subscription);
/**
 * Waits for an event of a subscription that has no function. What came since the subscription was made counts, oldest
 * first. *Events that do not match are consumed*: neither this wait nor a later one sees them again. The event that is
 * returned tells in UtmQmpEvent.dropped how many were lost since the last one that was returned.
 *
 * Several threads may wait at once; each event goes to one of them. It works inside callbacks and without anybody
 * dispatching, and keeps the subscription while it lasts.
 *
 * @param[in]  match       (nullable) any event does
 * @param[in]  match_data  (nullable) for @a match
 * @param[in]  options     (nullable)
 * @param[out] ret_event   (transfer full) (nullable) release with utm_qmp_event_unref()
 * @return 0; #UTM_ERROR_TIMEOUT; #UTM_ERROR_CANCELLED, also when events wait; #UTM_ERROR_QMP_DISCONNECTED when the
 *         connection has ended and none of the events before its end matched; #UTM_ERROR_INVALID_STATE when the
 *         subscription has a function; #UTM_ERROR_INVALID_ARGUMENT
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_qmp_subscription_wait(UtmQmpSubscription *subscription, UtmQmpEventMatchFunc match, void *match_data,
                                      const UtmQmpWaitOptions *options, const UtmQmpEvent **ret_event,
                                      UtmError **error);

/** Takes another reference. @param[in] event (nullable) one of the library's @return @a event @thread any */
UTM_API const UtmQmpEvent *utm_qmp_event_ref(const UtmQmpEvent *event);
/** Gives a reference back. @param[in] event (nullable) @thread any */
UTM_API void utm_qmp_event_unref(const UtmQmpEvent *event);

UTM_END_DECLS

#endif
