/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine inside. UtmVm lives as long as the application wants it; UtmVmRun is one life of its QEMU, made at the start
 * and gone after the end. Everything of a run belongs to the I/O thread; what other threads ask for is in UtmVm, under
 * its lock.
 */
#pragma once

#include "argv/argv-private.h"
#include "base/error-private.h"
#include "config/config-private.h"
#include "console/console-private.h"
#include "core/request.h"
#include "process/process.h"
#include "qmp/client.h"
#include "vm/tpm.h"
#include "vm/uefi-vars.h"

#include <utm/vm.h>

typedef struct UtmVmRun UtmVmRun;
typedef struct UtmVmSerial UtmVmSerial;

struct UtmVm {
	UtmObject object;
	UtmBundle *bundle;
	UtmConfig *config;
	UtmConsole *console;
	UtmHandlerSlot events;
	UtmVmSerial **serials;
	guint serial_count;

	pthread_mutex_t lock; /* guards what is below, up to changed */
	pthread_cond_t changed;
	UtmVmState state;
	bool active;     /* a run exists; its end signals changed */
	gint64 qemu_pid; /* -1 */
	UtmQmp *qmp;     /* of the present or the last run */
	UtmEndReason *end_reason;

	UtmVmRun *run; /* I/O thread only; NULL between lives */
};

/* How far a run has come. */
typedef enum RunPhase {
	RUN_PREPARING, /* host facts, firmware, TPM */
	RUN_CONNECTING, /* QEMU was spawned, its monitor has not answered */
	RUN_READY,     /* started: the application has been told */
	RUN_ENDING     /* nothing is waited for but the end */
} RunPhase;

struct UtmVmRun {
	UtmVm *vm; /* held */
	RunPhase phase;
	UtmRequest *start;       /* until it is finished */
	bool resumed;            /* the guest has run */
	UtmError *start_error;   /* why the start failed */
	UtmVmStartOptions options;
	UtmHost *host;
	char *dir;
	int dir_lock;
	int bundle_lock;         /* for QEMU; -1 */
	bool bundle_held;        /* nobody else runs or changes the bundle */
	char *spice_path;
	UtmProcess *qemu;
	bool host_probe_pending;
	UtmVarsJob *vars_job;    /* makes the UEFI variables */
	UtmTpm *tpm;
	guint tpm_timer;         /* it ended before QEMU did */
	UtmQmpClient *client;
	bool client_closed;
	UtmProcessEnd end;
	bool process_ended;
	char *stderr_tail;
	char *shutdown_reason;   /* of the SHUTDOWN event */
	bool shutdown_seen;
	bool killed_by_us;
	bool monitor_lost;       /* killed because it could not be controlled any more */
	GPtrArray *stops;        /* StopCall: calls that wait for the end */
	guint end_timer;
	guint lost_timer;
	bool ended;              /* the end is on its way, nothing may be added */
};

/* vm.c: the asynchronous form of a call; without a request it failed already, with the error. */
int utm__vm_submit(UtmRequest *request, UtmRequestFunc begin, UtmVmDoneFunc fn, void *user_data, UtmFreeFunc free_fn,
                   UtmError *wrong_taken, UtmError **error);

/* state.c: what QEMU says becomes the machine's state */
void utm__vm_set_state(UtmVm *vm, UtmVmState state);
/* An event of QEMU's: state, end reason, the application. */
void utm__vm_on_qmp_event(UtmVmRun *run, const char *name, const char *data_json, gint64 timestamp_us);
/* Asks for the run state and takes it over; then done(run, error, data), also when the run ended meanwhile. */
typedef void (*UtmVmStatusFunc)(UtmVmRun *run, const UtmError *error, void *data);
void utm__vm_query_status(UtmVmRun *run, UtmVmStatusFunc done, void *data);

/* events.c: what becomes a callback */
void utm__vm_emit_state(UtmVm *vm, UtmVmState old_state, UtmVmState state);
void utm__vm_emit_ended(UtmVm *vm);
void utm__vm_emit_text(UtmVm *vm, UtmVmEventKind kind, const char *text, const char *json);

/* start.c */
void utm__vm_start_begin(UtmRequest *request);
void utm__vm_start_abort(UtmRequest *request, int code);
/* The guest runs, or stands still as was asked for; the caller is told. */
void utm__vm_start_succeed(UtmVmRun *run);
/* Gives the start up; its call fails with the error once nothing is left behind. */
void utm__vm_start_fail(UtmVmRun *run, UtmError *error_taken);
/* QEMU is gone, all that it said has been read, and nothing of it meant that the guest ran. */
void utm__vm_start_ended(UtmVmRun *run);

/* stop.c */
void utm__vm_stop_begin(UtmRequest *request);
void utm__vm_stop_abort(UtmRequest *request, int code);
/* Ends QEMU at once, whatever it is doing. */
void utm__vm_kill(UtmVmRun *run);
/* The run's process or connection ended; when all that was waited for is over, the run is, too. */
void utm__vm_check_end(UtmVmRun *run);

/* end-reason.c (transfer full) */
UtmEndReason *utm__end_reason_new(const UtmVmRun *run);

/* serial.c */
UtmVmSerial *utm__serial_new(UtmVm *vm, guint index);
void utm__serial_free(UtmVmSerial *serial);
/* I/O thread. Makes the listening socket that QEMU inherits and connects to it. The descriptor or a negative code. */
int utm__serial_listen(UtmVmSerial *serial, const char *dir, UtmError **error);
/* I/O thread. Reads what QEMU left behind, and closes. */
void utm__serial_end(UtmVmSerial *serial);
int utm__serial_set_handler(UtmVmSerial *serial, UtmCallback *callback_taken);
void utm__serial_hold(UtmVmSerial *serial, bool hold);
int utm__serial_write(UtmVmSerial *serial, const void *data, gsize size, UtmError **error);
