/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp/slots.h"

/* Where the ids of each length begin; the last entry ends the longest. */
static const guint first_ids[] = { 0, 10, 100, 1000, 10000, UTM_QMP_SLOTS_MAX };

void utm__qmp_slots_init(UtmQmpSlots *slots)
{
	*slots = (UtmQmpSlots){ .slots = g_array_new(FALSE, TRUE, sizeof(UtmQmpSlot)) };
}

void utm__qmp_slots_clear(UtmQmpSlots *slots)
{
	g_array_unref(slots->slots);
}

UtmQmpSlot *utm__qmp_slots_get(UtmQmpSlots *slots, gint64 id)
{
	return id >= 0 && id < slots->slots->len ? &g_array_index(slots->slots, UtmQmpSlot, id) : NULL;
}

guint utm__qmp_slots_get_count(UtmQmpSlots *slots)
{
	return slots->slots->len;
}

static guint length_of(guint id)
{
	guint length = 0;
	while (id >= first_ids[length + 1])
		length++;
	return length;
}

void utm__qmp_slots_free_abandoned(UtmQmpSlots *slots)
{
	for (guint id = 0; id < slots->slots->len; id++)
		if (utm__qmp_slots_get(slots, id)->state == UTM_QMP_SLOT_ABANDONED)
			utm__qmp_slots_set(slots, id, UTM_QMP_SLOT_FREE);
}

int utm__qmp_slots_find_only(UtmQmpSlots *slots)
{
	if (slots->waiting != 1)
		return -1;
	guint id = 0;
	while (utm__qmp_slots_get(slots, id)->state != UTM_QMP_SLOT_WAITING)
		id++;
	return (int)id;
}

/* The next free id of this length behind the one given out last; there is one. */
static guint next_free(UtmQmpSlots *slots, guint length)
{
	guint count = first_ids[length + 1] - first_ids[length];
	for (;;) {
		guint id = first_ids[length] + slots->lengths[length].cursor;
		slots->lengths[length].cursor = (slots->lengths[length].cursor + 1) % count;
		UtmQmpSlot *slot = utm__qmp_slots_get(slots, id);
		if (!slot || slot->state == UTM_QMP_SLOT_FREE)
			return id;
	}
}

int utm__qmp_slots_take(UtmQmpSlots *slots, UtmQmpSlotState state)
{
	guint length = 0;
	while (length < G_N_ELEMENTS(slots->lengths) &&
	       slots->lengths[length].used == first_ids[length + 1] - first_ids[length])
		length++;
	if (length == G_N_ELEMENTS(slots->lengths))
		return -1;
	guint id = next_free(slots, length);
	if (id >= slots->slots->len)
		g_array_set_size(slots->slots, id + 1);
	UtmQmpSlot *slot = utm__qmp_slots_get(slots, id);
	guint16 generation = slot->generation == G_MAXUINT16 ? 1 : slot->generation + 1;
	*slot = (UtmQmpSlot){ .generation = generation, .deadline_us = G_MAXINT64 };
	utm__qmp_slots_set(slots, id, state);
	return (int)id;
}

static void count_sent(UtmQmpSlots *slots, const UtmQmpSlot *slot, int change)
{
	slots->in_band += (guint)(slot->beside ? 0 : change);
	slots->exclusive += (guint)(slot->exclusive ? change : 0);
}

void utm__qmp_slots_set_sent(UtmQmpSlots *slots, guint id, guint64 end, guint64 received, gint64 now_us)
{
	UtmQmpSlot *slot = utm__qmp_slots_get(slots, id);
	slot->sent = true;
	slot->end = end;
	slot->received = received;
	slot->since_us = now_us;
	count_sent(slots, slot, 1);
}

UtmQmpSlot utm__qmp_slots_get_oldest(UtmQmpSlots *slots)
{
	UtmQmpSlot oldest = { .end = G_MAXUINT64 };
	for (guint id = 0; id < slots->slots->len; id++) {
		const UtmQmpSlot *slot = utm__qmp_slots_get(slots, id);
		if (slot->sent && !slot->beside && slot->end < oldest.end)
			oldest = *slot;
	}
	return oldest;
}

void utm__qmp_slots_set(UtmQmpSlots *slots, guint id, UtmQmpSlotState state)
{
	UtmQmpSlot *slot = utm__qmp_slots_get(slots, id);
	guint length = length_of(id);
	slots->lengths[length].used -= slot->state != UTM_QMP_SLOT_FREE;
	slots->lengths[length].used += state != UTM_QMP_SLOT_FREE;
	slots->waiting -= slot->state == UTM_QMP_SLOT_WAITING;
	slots->waiting += state == UTM_QMP_SLOT_WAITING;
	slot->state = state;
	if (state != UTM_QMP_SLOT_WAITING) {
		slot->fn = NULL;
		slot->data = NULL;
	}
	if (state == UTM_QMP_SLOT_FREE && slot->sent) {
		slot->sent = false;
		count_sent(slots, slot, -1);
	}
}

guint utm__qmp_slots_get_ticket(UtmQmpSlots *slots, guint id)
{
	return (guint)utm__qmp_slots_get(slots, id)->generation << 16 | id;
}

int utm__qmp_slots_find_ticket(UtmQmpSlots *slots, guint ticket)
{
	guint id = ticket & 0xffff;
	UtmQmpSlot *slot = utm__qmp_slots_get(slots, id);
	bool same = slot && slot->state != UTM_QMP_SLOT_FREE && slot->generation == ticket >> 16;
	return same ? (int)id : -1;
}
