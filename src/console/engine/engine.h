/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one interface between the protocol and what speaks to a display server.
 *
 *     library <--protocol--> link.c <--EngineHost, EngineKind--> session.c, input.c (SPICE), or another engine
 *                              ^                                      |
 *                              +------------- picture.c <-------------+   pictures into shared memory, for any engine
 *
 * Everything runs on the one thread of loop.c.
 */
#pragma once

#include "console/protocol.h"

#include <glib.h>
#include <stdbool.h>

typedef struct Engine Engine;
typedef struct Picture Picture;

/* What an engine tells. Texts are copied. */
typedef struct EngineHost {
	void (*connected)(void *host);
	/* The connection could not be made. */
	void (*failed)(void *host, UtmEngineFailure failure, const char *text);
	/* The connection that was is over. */
	void (*ended)(void *host, UtmEngineFailure failure, const char *text);
	void (*input_ready)(void *host);
	void (*pointer_mode)(void *host, bool client);
	/* Where to put the pictures of a display; lives as long as the host. NULL for numbers beyond the protocol's. */
	Picture *(*picture)(void *host, guint display);
	/* Everything is wound up after close(). */
	void (*closed)(void *host);
	void *data;
} EngineHost;

/* What an engine does. */
typedef struct EngineKind {
	const char *name;
	Engine *(*create)(const EngineHost *host);
	void (*open)(Engine *engine, const char *path, const char *password);
	void (*key)(Engine *engine, guint scancode, bool pressed);
	void (*move)(Engine *engine, guint display, int x, int y, guint buttons);
	void (*motion)(Engine *engine, int dx, int dy, guint buttons);
	void (*button)(Engine *engine, guint button, bool pressed, guint buttons);
	/* Releases pressed keys, disconnects, and says closed() once the server can have got it. */
	void (*close)(Engine *engine);
	void (*destroy)(Engine *engine);
} EngineKind;

extern const EngineKind spice_engine;
