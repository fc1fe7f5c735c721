/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources on the I/O thread: descriptors and timers, attached to the context's private main context. */
#include "core/context-private.h"

typedef struct FdSource {
	GSource source;
	void *tag;
	int fd;
	UtmIoFdFunc fn;
	void *data;
} FdSource;

static gboolean fd_dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
	FdSource *self = (FdSource *)source;
	GIOCondition condition = g_source_query_unix_fd(source, self->tag);
	if (condition && !self->fn(self->fd, condition, self->data))
		return G_SOURCE_REMOVE;
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs fd_funcs = { .dispatch = fd_dispatch };

guint utm__io_add_fd(UtmContext *context, int fd, GIOCondition condition, UtmIoFdFunc fn, void *data)
{
	GSource *source = g_source_new(&fd_funcs, sizeof(FdSource));
	FdSource *self = (FdSource *)source;
	self->fd = fd;
	self->fn = fn;
	self->data = data;
	self->tag = g_source_add_unix_fd(source, fd, condition);
	guint id = g_source_attach(source, utm__context_get_main(context));
	g_source_unref(source);
	return id;
}

typedef struct Timeout {
	UtmIoFunc fn;
	void *data;
} Timeout;

static gboolean timeout_fire(gpointer data)
{
	Timeout *timeout = data;
	timeout->fn(timeout->data);
	return G_SOURCE_REMOVE;
}

guint utm__io_add_timeout(UtmContext *context, gint64 delay_ms, UtmIoFunc fn, void *data)
{
	Timeout *timeout = g_new(Timeout, 1);
	timeout->fn = fn;
	timeout->data = data;
	GSource *source = g_timeout_source_new((guint)CLAMP(delay_ms, 0, G_MAXINT));
	g_source_set_callback(source, timeout_fire, timeout, g_free);
	guint id = g_source_attach(source, utm__context_get_main(context));
	g_source_unref(source);
	return id;
}

void utm__io_remove(UtmContext *context, guint *id)
{
	guint number = *id;
	*id = 0;
	GSource *source = number ? g_main_context_find_source_by_id(utm__context_get_main(context), number) : NULL;
	if (source)
		g_source_destroy(source);
}
