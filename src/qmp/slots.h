/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of one connection that have no answer yet, by their id.
 *
 * QEMU reads a command byte by byte, with a system call for each, so ids are short: the shortest that is free, but not
 * the one used last, so that an answer sent twice by mistake is not taken for the answer of the next command. The id of
 * a command that nobody waits for any more stays taken until its late answer comes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct UtmQmpDeferred;

#define UTM_QMP_SLOTS_MAX 65536

typedef enum UtmQmpSlotState {
	UTM_QMP_SLOT_FREE,
	UTM_QMP_SLOT_WAITING,   /* for an answer, which goes to fn */
	UTM_QMP_SLOT_LENT,      /* for an answer that the calling thread reads itself */
	UTM_QMP_SLOT_ABANDONED, /* the answer will be dropped */
} UtmQmpSlotState;

/* Enough for the commands there are; a longer name shows cut in messages. */
#define UTM_QMP_SLOT_NAME_SIZE 48

typedef struct UtmQmpSlot {
	UtmQmpSlotState state;
	guint16 generation;
	bool sent;      /* it is on its way, and not in `deferred` */
	bool beside;    /* executed out of band, beside the others */
	bool exclusive; /* no other in-band command is under way with it */
	bool decodes;   /* the answer is not checked before it is handed on */
	guint64 end;      /* once sent: where the command ends in the stream of bytes */
	guint64 received; /* once sent: how many bytes the peer had sent by then */
	gint64 since_us;  /* when it was sent, or, before that, given */
	gint64 timeout_ms;
	gint64 deadline_us; /* G_MAXINT64: none */
	struct UtmQmpDeferred *deferred; /* the command itself, while it must not be sent yet */
	void (*fn)(void);
	void *data;
	char name[UTM_QMP_SLOT_NAME_SIZE];
} UtmQmpSlot;

typedef struct UtmQmpSlots {
	GArray *slots; /* of UtmQmpSlot, by id */
	guint waiting;
	guint in_band;   /* sent, not beside, and not answered */
	guint exclusive; /* of these */
	struct {
		guint used, cursor;
	} lengths[5]; /* ids of 1 to 5 digits */
} UtmQmpSlots;

void utm__qmp_slots_init(UtmQmpSlots *slots);
void utm__qmp_slots_clear(UtmQmpSlots *slots);

/* A slot in this state; its id, or -1 when all are taken. */
int utm__qmp_slots_take(UtmQmpSlots *slots, UtmQmpSlotState state);
void utm__qmp_slots_set(UtmQmpSlots *slots, guint id, UtmQmpSlotState state);
/* The answers of abandoned commands will not come any more. */
void utm__qmp_slots_free_abandoned(UtmQmpSlots *slots);
/* The id of the command that waits, or -1 when none or several do. */
int utm__qmp_slots_find_only(UtmQmpSlots *slots);
/* NULL when the id was never given out. Valid until the next take. */
UtmQmpSlot *utm__qmp_slots_get(UtmQmpSlots *slots, gint64 id);
guint utm__qmp_slots_get_count(UtmQmpSlots *slots);
/* From now on it is under way. */
void utm__qmp_slots_set_sent(UtmQmpSlots *slots, guint id, guint64 end, guint64 received, gint64 now_us);
/* The in-band command under way that was sent first: what the server is busy with. Not `sent` when there is none. */
UtmQmpSlot utm__qmp_slots_get_oldest(UtmQmpSlots *slots);

/* A number that names one use of an id, never 0; and back: the id, or -1 when that use is over. */
guint utm__qmp_slots_get_ticket(UtmQmpSlots *slots, guint id);
int utm__qmp_slots_find_ticket(UtmQmpSlots *slots, guint ticket);
