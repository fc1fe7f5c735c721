/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UtmDisplay: which ring a screen's pictures are in, who is told, who waits. */
#include "console/console-impl.h"

#include "base/util.h"
#include "core/request.h"

#include <time.h>

/* ---------------------------------------------------------------- from the engine */

const char *utm__display_take_ring(UtmDisplay *display, const UtmMessage *message, int fd_taken, UtmHelper *helper)
{
	utm_autofd fd = fd_taken;
	const char *problem = NULL;
	UtmRing *ring = utm__ring_map(fd, message->ring.width, message->ring.height, &problem);
	if (!ring)
		return problem;
	utm__helper_watch_ring(helper, ring, display->index);
	utm__ring_unref(display->next_ring);
	display->next_ring = ring;
	display->next_ring_id = message->ring.ring;
	return NULL;
}

/* With the lock. The former picture stays up until the new memory holds one. Returns the ring that is over. */
static UtmRing *switch_ring(UtmDisplay *display)
{
	UtmRing *former = display->ring;
	display->ring = g_steal_pointer(&display->next_ring);
	display->ring_id = display->next_ring_id;
	display->base = display->newest;
	display->seen = 0;
	return former;
}

bool utm__display_take_frame(UtmDisplay *display, const UtmMessage *message)
{
	UtmConsole *console = display->console;
	bool first = display->next_ring && message->frame.ring == display->next_ring_id;
	UtmRing *former = NULL;
	pthread_mutex_lock(&console->lock);
	if (first)
		former = switch_ring(display);
	bool known = display->ring && message->frame.ring == display->ring_id;
	if (known) {
		display->newest = MAX(display->newest, display->base + message->frame.serial);
		pthread_cond_broadcast(&console->changed);
	}
	pthread_mutex_unlock(&console->lock);
	utm__ring_unref(former);
	if (known && utm__slot_is_set(&display->slot))
		utm__context_post(console->object.context, &display->event);
	return first;
}

bool utm__display_hide(UtmDisplay *display)
{
	UtmConsole *console = display->console;
	g_clear_pointer(&display->next_ring, utm__ring_unref);
	pthread_mutex_lock(&console->lock);
	UtmRing *former = g_steal_pointer(&display->ring);
	pthread_mutex_unlock(&console->lock);
	utm__ring_unref(former);
	return former != NULL;
}

bool utm__display_is_shown(UtmDisplay *display)
{
	pthread_mutex_lock(&display->console->lock);
	bool shown = display->ring != NULL;
	pthread_mutex_unlock(&display->console->lock);
	return shown;
}

/* ---------------------------------------------------------------- life */

static void event_run(UtmQueueEvent *event)
{
	UtmDisplay *display = (UtmDisplay *)((char *)event - G_STRUCT_OFFSET(UtmDisplay, event));
	UtmCallback *callback = utm__slot_get(&display->slot);
	if (callback)
		((UtmFrameFunc)callback->fn)(display, callback->user_data);
	utm__callback_unref(callback);
}

void utm__display_init(UtmDisplay *display, UtmConsole *console, uint32_t index)
{
	display->console = console;
	display->index = index;
	display->event.object = &console->object;
	display->event.run = event_run;
	utm__slot_init(&display->slot);
}

void utm__display_clear(UtmDisplay *display)
{
	utm__ring_unref(display->ring);
	utm__ring_unref(display->next_ring);
	utm__slot_clear(&display->slot);
}

UtmDisplay *utm_display_ref(UtmDisplay *display)
{
	if (display)
		utm__object_ref(&display->console->object);
	return display;
}

void utm_display_unref(UtmDisplay *display)
{
	if (display)
		utm__object_unref(&display->console->object);
}

uint32_t utm_display_get_index(UtmDisplay *display)
{
	return display ? display->index : 0;
}

int utm_display_set_frame_handler(UtmDisplay *display, UtmFrameFunc fn, void *user_data, UtmFreeFunc free_fn)
{
	if (!display) {
		if (free_fn)
			free_fn(user_data);
		return UTM_ERROR_INVALID_ARGUMENT;
	}
	utm__slot_set(&display->slot,
	              utm__callback_new_handler(display->console->object.context, (UtmAnyFunc)fn, user_data, free_fn));
	if (fn && utm__display_is_shown(display))
		utm__context_post(display->console->object.context, &display->event);
	return 0;
}

/* ---------------------------------------------------------------- pictures */

static UtmFrame *acquire_locked(UtmDisplay *display)
{
	UtmRingPicture picture;
	if (!display->ring || !utm__ring_acquire(display->ring, display->seen, &picture))
		return NULL;
	display->seen = MAX(display->seen, picture.serial);
	display->newest = MAX(display->newest, display->base + picture.serial);
	return utm__frame_new(display->ring, &picture, display->base);
}

UtmFrame *utm_display_acquire_frame(UtmDisplay *display)
{
	if (!display)
		return NULL;
	pthread_mutex_lock(&display->console->lock);
	UtmFrame *frame = acquire_locked(display);
	pthread_mutex_unlock(&display->console->lock);
	return frame;
}

typedef struct Wait {
	UtmDisplay *display;
	guint64 after_serial;
	gint64 timeout_ms;
	UtmCancel *cancel;
	struct timespec deadline;
} Wait;

static void wake_waiters(void *data)
{
	UtmConsole *console = ((Wait *)data)->display->console;
	pthread_mutex_lock(&console->lock);
	pthread_cond_broadcast(&console->changed);
	pthread_mutex_unlock(&console->lock);
}

static void set_deadline(Wait *wait)
{
	gint64 ms = MIN(wait->timeout_ms, (gint64)G_MAXINT32 * 1000);
	clock_gettime(CLOCK_MONOTONIC, &wait->deadline);
	wait->deadline.tv_sec += ms / 1000;
	wait->deadline.tv_nsec += ms % 1000 * 1000000;
	if (wait->deadline.tv_nsec >= 1000000000) {
		wait->deadline.tv_sec++;
		wait->deadline.tv_nsec -= 1000000000;
	}
}

/* With the lock. True: something may have changed; false: the time is over. */
static bool sleep_locked(Wait *wait)
{
	UtmConsole *console = wait->display->console;
	if (wait->timeout_ms < 0)
		return pthread_cond_wait(&console->changed, &console->lock) == 0;
	return pthread_cond_timedwait(&console->changed, &console->lock, &wait->deadline) == 0;
}

static UtmFrame *newer_frame_locked(Wait *wait)
{
	UtmFrame *frame = wait->display->newest > wait->after_serial ? acquire_locked(wait->display) : NULL;
	if (frame && utm_frame_get_info(frame)->serial > wait->after_serial)
		return frame;
	utm_frame_unref(frame);
	return NULL;
}

/* With the lock. 0 as long as one may still come. */
static int no_picture_to_come_locked(UtmDisplay *display, UtmError **error)
{
	UtmConsole *console = display->console;
	if (console->state == UTM_CONSOLE_STATE_IDLE)
		return utm__fail(error, UTM_ERROR_INVALID_STATE, "display %u shows nothing: no machine with a display was started",
		                 display->index);
	if (console->state != UTM_CONSOLE_STATE_CLOSED)
		return 0;
	if (console->failure)
		return utm__fail_take(error, utm_error_ref(console->failure));
	return utm__fail(error, UTM_ERROR_VM_ENDED, "display %u shows nothing: its console is closed", display->index);
}

static int wait_locked(Wait *wait, UtmFrame **ret_frame, UtmError **error)
{
	UtmDisplay *display = wait->display;
	for (bool again = true;; again = sleep_locked(wait)) {
		UtmFrame *frame = newer_frame_locked(wait);
		if (frame) {
			*ret_frame = frame;
			return 0;
		}
		if (utm__cancel_is_triggered(wait->cancel))
			return utm__fail(error, UTM_ERROR_CANCELLED, "waiting for a picture was cancelled");
		int failed = no_picture_to_come_locked(display, error);
		if (failed)
			return failed;
		if (!again)
			return utm__fail(error, UTM_ERROR_NO_PICTURE, "display %u showed no new picture within %" G_GINT64_FORMAT
			                 " ms", display->index, wait->timeout_ms);
	}
}

static void nothing(void *data)
{
}

/* A start that was asked for before this has begun afterwards, and its console is expected. */
static void let_starts_begin(UtmConsole *console)
{
	uint32_t state = utm_console_get_state(console);
	if (state == UTM_CONSOLE_STATE_IDLE || state == UTM_CONSOLE_STATE_CLOSED)
		utm__context_call(console->object.context, nothing, NULL);
}

static void unwatch(void *data)
{
	utm__cancel_unwatch(data);
}

int utm_display_wait_frame(UtmDisplay *display, uint64_t after_serial, int64_t timeout_ms, UtmCancel *cancel,
                           UtmFrame **ret_frame, UtmError **error)
{
	if (!display || !ret_frame || timeout_ms < -1)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "display and ret_frame must not be NULL, nor the time "
		                 "below -1");
	UtmConsole *console = display->console;
	UtmContext *context = console->object.context;
	int wrong = utm__context_check_blocking(context, error);
	if (wrong < 0)
		return wrong;
	Wait wait = { .display = display, .after_serial = after_serial, .timeout_ms = timeout_ms, .cancel = cancel };
	set_deadline(&wait);
	let_starts_begin(console);
	UtmCancelWatch *watch = cancel ? utm__cancel_watch(cancel, context, wake_waiters, &wait) : NULL;
	pthread_mutex_lock(&console->lock);
	int failed = wait_locked(&wait, ret_frame, error);
	pthread_mutex_unlock(&console->lock);
	if (watch)
		utm__context_call(context, unwatch, watch);
	return failed;
}

int utm_display_save_screenshot(UtmDisplay *display, const char *path, int64_t timeout_ms, UtmError **error)
{
	UtmFrame *frame = NULL;
	if (!path)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "path must not be NULL");
	int failed = utm_display_wait_frame(display, 0, timeout_ms, NULL, &frame, error);
	if (failed)
		return failed;
	failed = utm_frame_save_png(frame, path, error);
	utm_frame_unref(frame);
	return failed;
}
