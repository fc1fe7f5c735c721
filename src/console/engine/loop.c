/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one place that knows which main context SPICE uses.
 *
 * spice-client-glib attaches all it does to GLib's default context, whatever the thread's own one is. In this program
 * nobody else does, so the default context is simply ours. An engine on a thread of a host application would begin
 * here.
 */
#include "loop.h"

#include <glib-unix.h>

static GMainContext *the_context(void)
{
	return g_main_context_default();
}

static GMainLoop *running;

void loop_run(void)
{
	running = g_main_loop_new(the_context(), FALSE);
	g_main_loop_run(running);
	g_clear_pointer(&running, g_main_loop_unref);
}

void loop_quit(void)
{
	if (running)
		g_main_loop_quit(running);
}

static guint attach(GSource *source, int priority)
{
	g_source_set_priority(source, priority);
	guint id = g_source_attach(source, the_context());
	g_source_unref(source);
	return id;
}

typedef struct FdWatch {
	LoopFdFunc fn;
	void *data;
} FdWatch;

static gboolean fd_ready(int fd, GIOCondition condition, gpointer data)
{
	FdWatch *watch = data;
	return watch->fn(fd, condition, watch->data);
}

guint loop_add_fd(int fd, GIOCondition condition, int priority, LoopFdFunc fn, void *data)
{
	FdWatch *watch = g_new(FdWatch, 1);
	*watch = (FdWatch){ fn, data };
	GSource *source = g_unix_fd_source_new(fd, condition);
	g_source_set_callback(source, G_SOURCE_FUNC(fd_ready), watch, g_free);
	return attach(source, priority);
}

typedef struct Call {
	LoopFunc fn;
	void *data;
} Call;

static gboolean once(gpointer data)
{
	Call *call = data;
	call->fn(call->data);
	return G_SOURCE_REMOVE;
}

static guint attach_once(GSource *source, int priority, LoopFunc fn, void *data)
{
	Call *call = g_new(Call, 1);
	*call = (Call){ fn, data };
	g_source_set_callback(source, once, call, g_free);
	return attach(source, priority);
}

guint loop_add_timeout(guint delay_ms, LoopFunc fn, void *data)
{
	return attach_once(g_timeout_source_new(delay_ms), G_PRIORITY_DEFAULT, fn, data);
}

guint loop_add_idle(LoopFunc fn, void *data)
{
	return attach_once(g_idle_source_new(), G_PRIORITY_LOW, fn, data);
}

static gboolean signalled(gpointer data)
{
	Call *call = data;
	call->fn(call->data);
	return G_SOURCE_CONTINUE;
}

guint loop_add_signal(int number, LoopFunc fn, void *data)
{
	Call *call = g_new(Call, 1);
	*call = (Call){ fn, data };
	GSource *source = g_unix_signal_source_new(number);
	g_source_set_callback(source, signalled, call, g_free);
	return attach(source, G_PRIORITY_DEFAULT);
}

void loop_remove(guint *id)
{
	GSource *source = *id ? g_main_context_find_source_by_id(the_context(), *id) : NULL;
	*id = 0;
	if (source)
		g_source_destroy(source);
}
