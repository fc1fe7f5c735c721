/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file guest.h
 * A connection to the QEMU guest agent: commands as JSON to a program inside the guest, over any socket that leads to
 * it. It needs no #UtmVm. The same commands with structs are in `utm/qga-commands.h`.
 *
 *     UtmGuest *guest = NULL;
 *     char *info = NULL;
 *     if (utm_guest_connect_path(ctx, "/run/vm/qga.sock", NULL, &guest, &error) == 0 &&
 *         utm_guest_execute(guest, "guest-get-osinfo", NULL, NULL, &info, &error) == 0)
 *             puts(info);
 *     utm_free(info);
 *     utm_guest_unref(guest);
 *
 * An agent is not a monitor. The other end of the socket is QEMU, or a program that listens itself; the agent behind
 * it may not run yet, may be stopped, started again or asleep, and the line keeps what was written meanwhile. So the
 * library asks the agent to mark its stream, passes over everything up to the mark, and only then sends a command. It
 * does that at the beginning, and again whenever it can no longer tell which answer would come next: after a command
 * that was not answered in time or was cancelled, and after anything that is no answer to what was asked. The caller
 * sees none of it, but that a call takes a little longer.
 *
 * Commands go to the agent one after the other, as it works on them anyway; those that are submitted meanwhile wait
 * here. The deadline of a call counts from its submission. The message of #UTM_ERROR_TIMEOUT says whether the command
 * had been sent; one that had not is dropped and never takes effect.
 *
 * A command that is lost, because the agent was stopped with it or restarted while nobody asked, ends with its deadline
 * and is never repeated: only the caller knows whether it may be run twice.
 *
 * Some commands have no answer when they succeed: `guest-shutdown`, `guest-suspend-disk`, `guest-suspend-ram` and
 * `guest-suspend-hybrid`. They succeed when no error has come for a second, or until the deadline if that is sooner, or
 * when the connection ends; the reply is then `{}`. Whether the guest does it, it tells by doing it.
 *
 * Everything that comes from an agent is the guest's word, true or not, and what it may cost the host is bounded: an
 * answer has at most 65 MiB, which is what `guest-file-read` makes of the 48 MiB that it reads at most, and 128 levels
 * of nesting; and what a guest writes that nobody waits for is left where it is.
 */
#ifndef UTM_GUEST_H
#define UTM_GUEST_H

#include <utm/context.h>
#include <utm/qmp.h>

UTM_BEGIN_DECLS

/** Flags of #UtmGuestConnectOptions. */
typedef enum UtmGuestConnectFlags {
	/** Do not wait for the agent to answer: the connection is there as soon as the socket is, and its calls wait. */
	UTM_GUEST_CONNECT_NO_WAIT = 1u << 0
} UtmGuestConnectFlags;

/** Options of the utm_guest_connect functions. Initialise with #UTM_GUEST_CONNECT_OPTIONS_INIT. */
typedef struct UtmGuestConnectOptions {
	/** sizeof(UtmGuestConnectOptions) */
	size_t size;
	/** Until the agent answers, milliseconds; 0 for 10 s, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** #UtmGuestConnectFlags */
	uint32_t flags;
	/** Zero. */
	uint32_t reserved;
} UtmGuestConnectOptions;

#define UTM_GUEST_CONNECT_OPTIONS_INIT                                                                               \
	{                                                                                                            \
		sizeof(UtmGuestConnectOptions), 0, NULL, 0, 0                                                        \
	}

/**
 * The end of an asynchronous command; runs inside dispatch, exactly once, unless the last reference to @a guest goes
 * first: then only the `free_fn` runs.
 *
 * @param[in] reply  The `return` value as JSON, or NULL when @a error is set.
 * @param[in] error  (nullable) valid during the call, take a reference to keep it
 */
typedef void (*UtmGuestReplyFunc)(UtmGuest *guest, const char *reply, const UtmError *error, void *user_data);

/**
 * Connects to an agent's unix socket and waits for the agent to answer.
 *
 * @param[in]  path       The socket: of QEMU's character device, or of an agent that listens. Any length is fine.
 * @param[in]  options    (nullable)
 * @param[out] ret_guest  (transfer full) release with utm_guest_unref()
 * @return 0; #UTM_ERROR_NOT_FOUND, #UTM_ERROR_IO; #UTM_ERROR_TIMEOUT when no agent answers, which says nothing about
 *         whether one ever will; #UTM_ERROR_QMP_DISCONNECTED; #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_guest_connect_path(UtmContext *ctx, const char *path, const UtmGuestConnectOptions *options,
                                   UtmGuest **ret_guest, UtmError **error);
/**
 * The same over a connected stream socket.
 *
 * @param[in] fd  Owned by the library from now on, also when this fails.
 * @return as utm_guest_connect_path()
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_guest_connect_fd(UtmContext *ctx, int fd, const UtmGuestConnectOptions *options, UtmGuest **ret_guest,
                                 UtmError **error);
/** Takes another reference. @return @a guest @thread any */
UTM_API UtmGuest *utm_guest_ref(UtmGuest *guest);
/** Gives a reference back; the last one closes the connection. @param[in] guest (nullable) @thread any */
UTM_API void utm_guest_unref(UtmGuest *guest);
/** Closes the connection now. Pending commands end with #UTM_ERROR_QMP_DISCONNECTED. @thread any; does not block */
UTM_API void utm_guest_close(UtmGuest *guest);

/**
 * Asks whether the agent is there, and takes up its stream anew. Not needed before commands, which do so themselves.
 *
 * @param[in] options  (nullable)
 * @return 0 when it answered; #UTM_ERROR_TIMEOUT, #UTM_ERROR_QMP_DISCONNECTED, #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_guest_sync(UtmGuest *guest, const UtmQmpCallOptions *options, UtmError **error);
/**
 * Runs a command in the guest and waits for its answer. Any number of threads may have commands under way; they are
 * sent one after the other.
 *
 * @param[in]  command    Its name, such as `guest-ping`. `guest-sync-delimited` is answered like utm_guest_sync().
 * @param[in]  arguments  A JSON object. (nullable) none
 * @param[in]  options    (nullable) An agent has no out-of-band execution and takes no descriptors: with
 *                        #UTM_QMP_CALL_OOB or `fd` the call fails with #UTM_ERROR_NOT_SUPPORTED.
 * @param[out] ret_reply  (transfer full) (nullable) the `return` value as compact JSON; release with utm_free()
 * @return 0; #UTM_ERROR_QMP_COMMAND with the agent's class and message; #UTM_ERROR_TIMEOUT; #UTM_ERROR_CANCELLED;
 *         #UTM_ERROR_QMP_DISCONNECTED, or #UTM_ERROR_QMP_PROTOCOL when the agent sent what is no answer to it: whether
 *         the command took effect is unknown, but after PROTOCOL the next command finds the way back;
 *         #UTM_ERROR_INVALID_ARGUMENT for arguments that are no JSON object; #UTM_ERROR_LIMIT when too many commands
 *         wait
 * @thread any but the wakeup callback; blocks
 */
UTM_API int utm_guest_execute(UtmGuest *guest, const char *command, const char *arguments,
                              const UtmQmpCallOptions *options, char **ret_reply, UtmError **error);
/**
 * Sends a command; its answer comes to @a fn.
 *
 * @param[in] fn  (nullable) the answer is dropped
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; everything later comes to @a fn
 * @thread any; does not block
 */
UTM_API int utm_guest_execute_async(UtmGuest *guest, const char *command, const char *arguments,
                                    const UtmQmpCallOptions *options, UtmGuestReplyFunc fn, void *user_data,
                                    UtmFreeFunc free_fn, UtmError **error);

UTM_END_DECLS

#endif
