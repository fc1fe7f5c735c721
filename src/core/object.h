/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the counted handles that belong to a context have in common: two counts.
 *
 * Public references are the application's. When the last one goes, the object is *closed*: it stops its work, its
 * callbacks never run again, and its reference to the context goes.
 *
 * Internal references keep only the memory: queued events and work on the I/O thread hold them. Were these public, a
 * queued event would keep its object, the object its context, and the context its queue: nothing would ever be freed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <utm/context.h>

typedef struct UtmObject UtmObject;

typedef struct UtmObjectClass {
	const char *name;
	/* The last public reference went. On the thread that dropped it, an application's; may block. NULL: nothing to do. */
	void (*close)(UtmObject *object);
	/* The last internal reference went: free everything, the struct included. Any thread. */
	void (*free)(UtmObject *object);
} UtmObjectClass;

struct UtmObject {
	const UtmObjectClass *klass;
	UtmContext *context;
	gint public_refs;
	gint internal_refs;
};

/* Starts with one public reference, which counts as one internal one. Takes a reference to the context. */
void utm__object_init(UtmObject *object, const UtmObjectClass *klass, UtmContext *context);

void utm__object_ref(UtmObject *object);
void utm__object_unref(UtmObject *object); /* accepts NULL */
/* Takes a public reference unless the object is closed. */
bool utm__object_try_ref(UtmObject *object);
bool utm__object_is_closed(UtmObject *object);

void utm__object_hold(UtmObject *object);    /* internal */
void utm__object_release(UtmObject *object); /* internal */
