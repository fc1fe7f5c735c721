/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file qmp.h
 * A connection to a QEMU monitor: commands as JSON, replies, events. It needs no #UtmVm: any QEMU's monitor socket
 * will do.
 */
#ifndef UTM_QMP_H
#define UTM_QMP_H

#include <utm/context.h>

UTM_BEGIN_DECLS

/** Flags of #UtmQmpConnectOptions. */
typedef enum UtmQmpConnectFlags {
	/** Ask for out-of-band execution, so that #UTM_QMP_CALL_OOB works where QEMU offers it; utm_qmp_has_oob() tells. In
	 * return at most 7 other commands are given to QEMU at a time, the rest waits on this side: QEMU would stop reading,
	 * and hear of no out-of-band command either. */
	UTM_QMP_CONNECT_OOB = 1u << 0
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
} UtmQmpConnectOptions;

#define UTM_QMP_CONNECT_OPTIONS_INIT                                                                                 \
	{                                                                                                            \
		sizeof(UtmQmpConnectOptions), 0, NULL, 0, 0                                                          \
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

/** An event of QEMU. Valid during the callback. */
typedef struct UtmQmpEvent {
	/** sizeof(UtmQmpEvent) of the library */
	size_t size;
	/** Its name, such as `SHUTDOWN`; NULL for the end of the connection, see @a error. */
	const char *name;
	/** Its data as JSON, or NULL when it has none. */
	const char *data;
	/** When QEMU sent it, wall clock, microseconds since 1970; -1 when QEMU's clock failed. */
	int64_t timestamp_us;
	/** Events that were dropped since the one delivered last, because the application did not dispatch. */
	uint64_t dropped;
	/** At the end of the connection: why it ended. */
	const UtmError *error;
} UtmQmpEvent;

/** Runs inside dispatch. */
typedef void (*UtmQmpEventFunc)(UtmQmp *qmp, const UtmQmpEvent *event, void *user_data);

/**
 * The end of an asynchronous command; runs inside dispatch, exactly once, unless the last reference to @a qmp goes
 * first: then only the `free_fn` runs.
 *
 * @param[in] reply  The `return` value as JSON, or NULL when @a error is set.
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmQmpReplyFunc)(UtmQmp *qmp, const char *reply, const UtmError *error, void *user_data);

/**
 * Connects to a monitor's unix socket and negotiates.
 *
 * @param[in]  path     The socket. Longer than a socket address holds is fine.
 * @param[in]  options  (nullable)
 * @param[out] ret_qmp  (transfer full) release with utm_qmp_unref()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO; #UTM_ERROR_TIMEOUT; #UTM_ERROR_QMP_PROTOCOL when the peer does not
 *         speak QMP; #UTM_ERROR_QMP_DISCONNECTED; #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_qmp_connect_path(UtmContext *ctx, const char *path, const UtmQmpConnectOptions *options,
                                 UtmQmp **ret_qmp, UtmError **error);
/**
 * Negotiates over a connected stream socket.
 *
 * @param[in] fd  Owned by the library from now on, also when this fails.
 * @return as utm_qmp_connect_path()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_qmp_connect_fd(UtmContext *ctx, int fd, const UtmQmpConnectOptions *options, UtmQmp **ret_qmp,
                               UtmError **error);
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
UTM_API int utm_qmp_connect_tcp(UtmContext *ctx, const char *host, uint16_t port, const UtmQmpConnectOptions *options,
                                UtmQmp **ret_qmp, UtmError **error);
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
 * Runs a command and waits for its answer. Any number of threads may have commands under way.
 *
 * @param[in]  command    Its name, such as `query-status`.
 * @param[in]  arguments  A JSON object. (nullable) none
 * @param[in]  options    (nullable)
 * @param[out] ret_reply  (transfer full) (nullable) the `return` value as compact JSON; release with utm_free()
 * The command `quit` succeeds also when QEMU is gone before it could reply.
 *
 * @return 0; #UTM_ERROR_QMP_COMMAND with QEMU's class and message; #UTM_ERROR_QMP_DISCONNECTED, or
 *         #UTM_ERROR_QMP_PROTOCOL when the peer sent what is no QMP: the message says whether the command was sent at all,
 *         and if it was, whether it took effect is unknown; #UTM_ERROR_TIMEOUT when the deadline passed, and
 *         #UTM_ERROR_QMP_STALLED when nothing else came from QEMU in that time either, both with the name of the earlier
 *         command that QEMU is busy with; #UTM_ERROR_CANCELLED; #UTM_ERROR_INVALID_ARGUMENT for arguments that are no JSON
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
 * Sets who hears of events and of the connection's end. Events that came earlier are not repeated; the end is, to a
 * handler that is set after it. At most 1024 events wait for dispatch; further ones are dropped and counted.
 *
 * @param[in] fn  (nullable) none
 * @return 0
 * @thread any; does not block
 */
UTM_API int utm_qmp_set_event_handler(UtmQmp *qmp, UtmQmpEventFunc fn, void *user_data, UtmFreeFunc free_fn);

UTM_END_DECLS

#endif
