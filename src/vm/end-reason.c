/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a machine ended: from the SHUTDOWN event where there was one, else from how the process ended. */
#include "process/stderr-text.h"
#include "vm/vm-private.h"

struct UtmEndReason {
	gint refs;
	UtmEndKind kind;
	char *text;
	char *qemu_reason;
	char *stderr_tail;
	int exit_status;
	int signal;
	UtmError *error;
};

static const struct {
	const char *qemu_reason; /* ShutdownCause on the wire */
	UtmEndKind kind;
	const char *text;
} shutdown_causes[] = {
	{ "guest-shutdown", UTM_END_GUEST_SHUTDOWN, "The guest shut down." },
	{ "guest-reset", UTM_END_GUEST_RESET, "The guest reset, and QEMU was told not to reboot." },
	{ "guest-panic", UTM_END_GUEST_PANIC, "The guest's kernel panicked." },
	{ "host-qmp-quit", UTM_END_QUIT, "QEMU was told to quit." },
	{ "host-qmp-system-reset", UTM_END_GUEST_RESET, "The machine was reset, and QEMU was told not to reboot." },
	{ "host-signal", UTM_END_QEMU_EXITED, "A signal asked QEMU to quit." },
	{ "host-ui", UTM_END_QEMU_EXITED, "QEMU's own user interface was closed." },
	{ "host-error", UTM_END_QEMU_EXITED, "QEMU gave up after an error on the host." },
};

static const char *const kind_names[] = {
	[UTM_END_GUEST_SHUTDOWN] = "guest-shutdown",
	[UTM_END_GUEST_RESET] = "guest-reset",
	[UTM_END_GUEST_PANIC] = "guest-panic",
	[UTM_END_QUIT] = "quit",
	[UTM_END_KILLED] = "killed",
	[UTM_END_START_FAILED] = "start-failed",
	[UTM_END_QEMU_EXITED] = "qemu-exited",
	[UTM_END_QEMU_SIGNALLED] = "qemu-signalled",
};

static void set(UtmEndReason *reason, UtmEndKind kind, char *text_taken)
{
	reason->kind = kind;
	reason->text = text_taken;
}

static bool from_shutdown_event(UtmEndReason *reason, const UtmVmRun *run)
{
	if (!run->shutdown_seen)
		return false;
	for (gsize i = 0; i < G_N_ELEMENTS(shutdown_causes); i++) {
		if (g_strcmp0(shutdown_causes[i].qemu_reason, run->shutdown_reason) == 0) {
			set(reason, shutdown_causes[i].kind, g_strdup(shutdown_causes[i].text));
			return true;
		}
	}
	set(reason, UTM_END_QEMU_EXITED, g_strdup_printf("QEMU shut down (%s).", run->shutdown_reason));
	return true;
}

static void from_process(UtmEndReason *reason, const UtmVmRun *run)
{
	/* Of a QEMU that ran for long, the last thing it said. */
	const char *words = utm__last_line(run->stderr_tail);
	if (run->end.signal)
		set(reason, UTM_END_QEMU_SIGNALLED,
		    g_strdup_printf("Signal %d (%s) ended QEMU.", run->end.signal, g_strsignal(run->end.signal)));
	else if (!utm__process_end_is_known(&run->end))
		set(reason, UTM_END_QEMU_EXITED, g_strdup("QEMU ended; its exit status went to somebody else in this process."));
	else if (words)
		set(reason, UTM_END_QEMU_EXITED,
		    g_strdup_printf("QEMU ended with exit status %d: %s", run->end.exit_status, words));
	else
		set(reason, UTM_END_QEMU_EXITED, g_strdup_printf("QEMU ended with exit status %d.", run->end.exit_status));
}

UtmEndReason *utm__end_reason_new(const UtmVmRun *run)
{
	UtmEndReason *reason = g_new0(UtmEndReason, 1);
	reason->refs = 1;
	reason->exit_status = run->process_ended ? run->end.exit_status : -1;
	reason->signal = run->end.signal;
	reason->qemu_reason = g_strdup(run->shutdown_reason);
	reason->stderr_tail = g_strdup(run->stderr_tail);
	reason->error = utm_error_ref(run->start_error);
	if (run->start_error)
		set(reason, UTM_END_START_FAILED,
		    g_strdup_printf("The start failed: %s", utm_error_get_message(run->start_error)));
	else if (run->monitor_lost && run->end.signal)
		set(reason, UTM_END_QEMU_EXITED, g_strdup("QEMU closed its monitor but did not end; it was killed."));
	else if (run->killed_by_us && (run->end.signal || !utm__process_end_is_known(&run->end)))
		set(reason, UTM_END_KILLED, g_strdup("QEMU was killed on request."));
	else if (!from_shutdown_event(reason, run))
		from_process(reason, run);
	return reason;
}

UtmEndReason *utm_end_reason_ref(UtmEndReason *reason)
{
	if (reason)
		g_atomic_int_inc(&reason->refs);
	return reason;
}

void utm_end_reason_unref(UtmEndReason *reason)
{
	if (!reason || !g_atomic_int_dec_and_test(&reason->refs))
		return;
	g_free(reason->text);
	g_free(reason->qemu_reason);
	g_free(reason->stderr_tail);
	utm_error_unref(reason->error);
	g_free(reason);
}

uint32_t utm_end_reason_get_kind(const UtmEndReason *reason)
{
	return reason ? reason->kind : 0;
}

const char *utm_end_kind_get_name(uint32_t kind)
{
	return kind < G_N_ELEMENTS(kind_names) ? kind_names[kind] : NULL;
}

const char *utm_end_reason_get_text(const UtmEndReason *reason)
{
	return reason ? reason->text : "The machine has not ended yet.";
}

const char *utm_end_reason_get_qemu_reason(const UtmEndReason *reason)
{
	return reason ? reason->qemu_reason : NULL;
}

int utm_end_reason_get_exit_status(const UtmEndReason *reason)
{
	return reason ? reason->exit_status : -1;
}

int utm_end_reason_get_signal(const UtmEndReason *reason)
{
	return reason ? reason->signal : 0;
}

const char *utm_end_reason_get_stderr_tail(const UtmEndReason *reason)
{
	return reason ? reason->stderr_tail : NULL;
}

const UtmError *utm_end_reason_get_error(const UtmEndReason *reason)
{
	return reason ? reason->error : NULL;
}
