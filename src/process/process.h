/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child process: started without unsafe work after fork, in a process group of its own, ended with its parent,
 * its standard error kept, its end watched and reaped. Everything here happens on the I/O thread.
 */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

typedef struct UtmProcess UtmProcess;

typedef struct UtmProcessFd {
	int source; /* stays the caller's */
	int target; /* its number in the child */
} UtmProcessFd;

typedef struct UtmProcessEnd {
	int exit_status; /* -1 when a signal ended it */
	int signal;      /* 0 when it exited */
} UtmProcessEnd;

/* Not when the host ignores SIGCHLD or waits for every child itself: then its status went there. */
static inline bool utm__process_end_is_known(const UtmProcessEnd *end)
{
	return end->signal || end->exit_status >= 0;
}

typedef struct UtmProcessSpec {
	const char *const *argv;    /* [0] is the program: a path, or a name looked up in PATH */
	const char *const *env_set; /* NAME=VALUE to add to the inherited environment; nullable */
	const char *working_dir;    /* nullable */
	const UtmProcessFd *fds;
	gsize fd_count;
	int stdout_fd;              /* -1: /dev/null */
	bool own_lifetime;          /* true: survives the death of the parent */
	/* A line of standard error. (nullable) */
	void (*on_stderr_line)(UtmProcess *process, const char *line, void *data);
	/* It ended and was reaped, and its standard error was read to its end. Called exactly once, last of all. */
	void (*on_end)(UtmProcess *process, const UtmProcessEnd *end, void *data);
	void *data;
} UtmProcessSpec;

/* NOT_FOUND or SPAWN_FAILED. (transfer full) */
UtmProcess *utm__process_spawn(UtmContext *context, const UtmProcessSpec *spec, UtmError **error);
/* Kills it if it still runs, and reaps it; its callbacks do not run any more. NULL is fine. */
void utm__process_free(UtmProcess *process);

gint64 utm__process_get_pid(UtmProcess *process); /* -1 after its end */
bool utm__process_is_running(UtmProcess *process);
/* Sends a signal to its process group; nothing after its end, so a reused pid is never hit. */
void utm__process_kill(UtmProcess *process, int signal);
/* The last lines of standard error, at most 4 KiB; NULL when it wrote none. Valid until more is written. */
const char *utm__process_get_stderr_tail(UtmProcess *process);
