/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the console share. */
#pragma once

#include "console/console-private.h"
#include "console/frame-ring.h"
#include "console/helper.h"
#include "core/queue.h"

/* A new engine is started this often within this time before the console gives up. */
#define UTM_CONSOLE_RESTARTS 3
#define UTM_CONSOLE_RESTART_WINDOW_US (10 * G_USEC_PER_SEC)

/* Part of its console, and counted with it. */
struct UtmDisplay {
	UtmConsole *console;
	uint32_t index;
	UtmHandlerSlot slot;
	UtmQueueEvent event; /* there is a new picture */

	/* guarded by the console's lock */
	UtmRing *ring;     /* whose pictures are shown; NULL without a picture */
	guint32 ring_id;
	guint64 base;      /* what a serial of the ring lacks to be one of the display */
	guint64 seen;      /* serial in the ring of the picture that was acquired last */
	guint64 newest;    /* serial of the display */

	/* I/O thread: memory that came, and holds no picture yet */
	UtmRing *next_ring;
	guint32 next_ring_id;
};

struct UtmConsole {
	UtmObject object;
	UtmHandlerSlot slot;
	UtmDisplay displays[UTM_PROTOCOL_DISPLAYS];

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a picture came, the state changed, an engine is gone */
	uint32_t state;
	UtmError *failure; /* why it is closed, when that was nobody's wish */
	uint32_t pointer_mode;
	bool input_ready;
	gint64 engine_pid;
	guint winding_up; /* engines that were stopped and still run */

	/* I/O thread */
	UtmHelper *helper;
	char *path;
	char *password;
	gint64 timeout_ms;
	guint deadline;
	UtmConsoleDoneFunc done; /* while connecting for the first time */
	void *done_data;
	gint64 losses[UTM_CONSOLE_RESTARTS]; /* when engines were lost, newest first */
};

/* --- display.c --- */
void utm__display_init(UtmDisplay *display, UtmConsole *console, uint32_t index);
void utm__display_clear(UtmDisplay *display);
/* I/O thread. Takes the descriptor. What is wrong with it, or NULL. */
const char *utm__display_take_ring(UtmDisplay *display, const UtmMessage *message, int fd_taken, UtmHelper *helper);
/* I/O thread. True when the display shows something, or something of another size, from now on. */
bool utm__display_take_frame(UtmDisplay *display, const UtmMessage *message);
/* Shows nothing any more. True when it did. */
bool utm__display_hide(UtmDisplay *display);
bool utm__display_is_shown(UtmDisplay *display);

/* --- frame.c --- */
/* Takes a picture that is held in the ring. `base` is added to its serial. */
UtmFrame *utm__frame_new(UtmRing *ring, const UtmRingPicture *picture_taken, guint64 base);

/* --- png.c --- */
int utm__png_encode(const void *pixels, uint32_t width, uint32_t height, uint32_t stride, void **ret_data,
                    size_t *ret_size, UtmError **error);
