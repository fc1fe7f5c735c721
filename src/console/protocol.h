/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library and a console engine say to each other.
 *
 * They share a SOCK_SEQPACKET socket pair: one packet is one message, a fixed struct that begins with its kind. The
 * engine talks to a guest, and a guest may have taken it over: whatever arrives is checked for size, direction and
 * values before anything believes it. The engine checks as much, so that a mistake on our side shows at once.
 *
 * Order: the library says HELLO, the engine answers HELLO with its version. The library says OPEN; the engine answers
 * CONNECTED or FAILED. Then rings, frames and events come, and input goes. The library ends it by closing its side; the
 * engine then lets go of pressed keys and exits. When the server goes away the engine says ENDED and waits to be
 * closed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define UTM_PROTOCOL_VERSION 1u
/* The engine's end of the socket pair. */
#define UTM_ENGINE_FD 3
#define UTM_PROTOCOL_DISPLAYS 16
#define UTM_PROTOCOL_TEXT_MAX 256
#define UTM_PROTOCOL_PATH_MAX 4096

/*
 * An engine that is closed may have to finish joining first, or its server crashes. Each of these leaves room for the one
 * before: joining is waited for, the engine exits whatever the server does, it is killed, and who closed waits no more.
 */
#define UTM_ENGINE_JOIN_MS 2500
#define UTM_ENGINE_EXIT_MS 2800
#define UTM_ENGINE_KILL_MS 3000
#define UTM_ENGINE_WAIT_MS 4000

typedef enum UtmMessageKind {
	/* both ways */
	UTM_MESSAGE_HELLO = 1,
	/* library to engine */
	UTM_MESSAGE_OPEN = 2,
	UTM_MESSAGE_KEY = 3,
	UTM_MESSAGE_MOVE = 4,
	UTM_MESSAGE_MOTION = 5,
	UTM_MESSAGE_BUTTON = 6,
	UTM_MESSAGE_BUFFER_FREE = 7,
	/* engine to library */
	UTM_MESSAGE_CONNECTED = 32,
	UTM_MESSAGE_FAILED = 33,
	UTM_MESSAGE_ENDED = 34,
	UTM_MESSAGE_RING = 35, /* carries the ring's memory */
	UTM_MESSAGE_FRAME = 36,
	UTM_MESSAGE_HIDDEN = 37,
	UTM_MESSAGE_INPUT_READY = 38,
	UTM_MESSAGE_POINTER_MODE = 39,
} UtmMessageKind;

/* Why a connection failed. */
typedef enum UtmEngineFailure {
	UTM_ENGINE_FAILURE_CONNECT = 1,
	UTM_ENGINE_FAILURE_AUTH = 2,
	UTM_ENGINE_FAILURE_PROTOCOL = 3,
} UtmEngineFailure;

typedef struct UtmMessage {
	guint32 kind;
	guint32 display; /* where it is about one, else 0 */
	union {
		struct {
			guint32 version;
		} hello;
		struct {
			char path[UTM_PROTOCOL_PATH_MAX];
			char password[UTM_PROTOCOL_TEXT_MAX];
		} open;
		struct {
			guint32 scancode;
			guint32 pressed;
		} key;
		struct {
			gint32 x; /* or the distance, for MOTION */
			gint32 y;
			guint32 buttons;
		} pointer;
		struct {
			guint32 button;
			guint32 pressed;
			guint32 buttons;
		} button;
		struct {
			guint32 failure;
			char text[UTM_PROTOCOL_TEXT_MAX];
		} failed;
		struct {
			guint32 ring;
			guint32 width;
			guint32 height;
		} ring;
		struct {
			guint32 ring;
			guint32 unused;
			guint64 serial;
		} frame;
		struct {
			guint32 mode;
		} pointer_mode;
	};
} UtmMessage;

typedef enum UtmProtocolSide { UTM_PROTOCOL_LIBRARY, UTM_PROTOCOL_ENGINE } UtmProtocolSide;

typedef enum UtmProtocolResult {
	UTM_PROTOCOL_OK,
	UTM_PROTOCOL_AGAIN,
	UTM_PROTOCOL_CLOSED,
	UTM_PROTOCOL_BROKEN, /* the peer does not speak this protocol, or the socket failed */
} UtmProtocolResult;

/* Sends one message whole, without waiting; any thread. `fd` -1 for none, else duplicated to the peer. */
UtmProtocolResult utm__protocol_send(int socket, const UtmMessage *message, int fd);
/*
 * Takes one message for `side`, without waiting, and checks it: kind, length, direction, texts that end, numbers in
 * their range. `ret_fd` is the descriptor that came with it (the caller's to close) where its kind carries one, else
 * -1.
 */
UtmProtocolResult utm__protocol_receive(int socket, UtmProtocolSide side, UtmMessage *ret, int *ret_fd);
