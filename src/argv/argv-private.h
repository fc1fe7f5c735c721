/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line builder as the machine uses it: what only exists at run time comes in here. */
#pragma once

#include "base/error-private.h"

#include <utm/argv.h>

/* What utm_argv_build() leaves at defaults. A zeroed struct with the descriptors at -1 prints paths instead of numbers. */
typedef struct UtmArgvRuntime {
	/* Listening sockets that QEMU inherits; -1: QEMU is told the path below runtime_dir to listen at. */
	int qmp_fd;
	int agent_fd;
	const int *serial_fds; /* one per serial port in terminal mode; nullable */
	gsize serial_fd_count;
	const int *network_fds; /* taps that QEMU inherits, by network of the configuration; -1: none. nullable */
	gsize network_fd_count;
	int tpm_fd; /* a connection to swtpm that QEMU inherits; -1: it connects to the path that UTM uses */
	/* Directory of the sockets, and QEMU's working directory. NULL: bare file names. */
	const char *runtime_dir;
	bool disposable;
} UtmArgvRuntime;

#define UTM_ARGV_RUNTIME_INIT { .qmp_fd = -1, .agent_fd = -1, .tpm_fd = -1 }

/* Fixed names below runtime_dir. */
#define UTM_SOCKET_QMP "qmp.sock"
#define UTM_SOCKET_AGENT "qga.sock"
#define UTM_SOCKET_SPICE "spice.sock"
#define UTM_SOCKET_TERMINAL "term%u.sock"

/* Why something is refused, or not as the configuration says. */
typedef enum UtmArgvProblemKind {
	UTM_ARGV_REFUSED,
	UTM_ARGV_NO_PLACE,   /* the machine lacks a place for it, on every host */
	UTM_ARGV_NO_AGENT,   /* the same, and perhaps nobody asked for it */
	UTM_ARGV_HOST_LACKS, /* another host might do it */
	UTM_ARGV_LISTED,     /* nothing is wrong: somebody should know. The check has rules of its own for it */
} UtmArgvProblemKind;

/* Strings live as long as the UtmArgv. */
typedef struct UtmArgvProblem {
	UtmArgvProblemKind kind;
	int code; /* a UtmErrorCode when it is refused */
	const char *key_path; /* nullable */
	const char *text;
	const char *remedy; /* nullable: that of the code */
} UtmArgvProblem;

int utm__argv_build(const UtmConfig *config, const char *bundle_path, const UtmHost *host,
                    const UtmArgvRuntime *runtime, UtmArgv **ret_argv, UtmError **error);
/*
 * Goes on after what it refuses, and adds everything there is to say to `problems`, an array of UtmArgvProblem. What comes
 * out is a command line to look into, not to run. The configuration is for QEMU.
 */
UtmArgv *utm__argv_inspect(const UtmConfig *config, const char *bundle_path, const UtmHost *host, GArray *problems);
