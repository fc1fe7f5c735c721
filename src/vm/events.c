/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the I/O thread to the application's event handler, bounded by kind. */
#include "vm/vm-private.h"

/* States come on top of a full queue of the guest's events; the one end of a run always arrives. */
#define EVENTS_MAX 1024
#define STATE_EVENTS_MAX (EVENTS_MAX + 256)

static const char *const kind_names[] = {
	[UTM_VM_EVENT_STATE] = "state",     [UTM_VM_EVENT_ENDED] = "ended", [UTM_VM_EVENT_QMP] = "qmp",
	[UTM_VM_EVENT_WARNING] = "warning", [UTM_VM_EVENT_LOG] = "log",
};

const char *utm_vm_event_kind_get_name(uint32_t kind)
{
	return kind < G_N_ELEMENTS(kind_names) ? kind_names[kind] : NULL;
}

typedef struct VmEvent {
	UtmQueueEvent event;
	UtmVm *vm;
	UtmVmEvent told;
	char *text;
	char *json;
} VmEvent;

static void event_run(UtmQueueEvent *event)
{
	VmEvent *self = (VmEvent *)event;
	self->told.dropped = utm__slot_leave(&self->vm->events);
	UtmCallback *callback = utm__slot_get(&self->vm->events);
	if (callback)
		((UtmVmEventFunc)callback->fn)(self->vm, &self->told, callback->user_data);
	utm__callback_unref(callback);
}

static void event_free(UtmQueueEvent *event)
{
	VmEvent *self = (VmEvent *)event;
	g_free(self->text);
	g_free(self->json);
	g_free(self);
}

static void emit(UtmVm *vm, guint max, UtmVmEvent told, const char *text, const char *json)
{
	if (!utm__slot_is_set(&vm->events) || !utm__slot_admit(&vm->events, max))
		return;
	VmEvent *event = g_new0(VmEvent, 1);
	event->event.object = &vm->object;
	event->event.run = event_run;
	event->event.free = event_free;
	event->vm = vm;
	event->text = g_strdup(text);
	event->json = g_strdup(json);
	told.size = sizeof told;
	told.text = event->text;
	told.json = event->json;
	event->told = told;
	utm__context_post(vm->object.context, &event->event);
}

void utm__vm_emit_state(UtmVm *vm, UtmVmState old_state, UtmVmState state)
{
	UtmVmEvent told = { .kind = UTM_VM_EVENT_STATE, .state = state, .old_state = old_state };
	emit(vm, STATE_EVENTS_MAX, told, utm_vm_state_get_name(state), NULL);
}

void utm__vm_emit_ended(UtmVm *vm)
{
	UtmVmEvent told = { .kind = UTM_VM_EVENT_ENDED, .state = UTM_VM_STATE_STOPPED };
	emit(vm, G_MAXUINT, told, utm_end_reason_get_text(vm->end_reason), NULL);
}

void utm__vm_emit_text(UtmVm *vm, UtmVmEventKind kind, const char *text, const char *json)
{
	UtmVmEvent told = { .kind = kind, .state = utm_vm_get_state(vm) };
	emit(vm, EVENTS_MAX, told, text, json);
}
