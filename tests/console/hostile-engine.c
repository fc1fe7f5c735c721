/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A console engine that a guest has taken over. UTM_TEST_HOSTILE says how it behaves. It uses the project's own
 * protocol code where that lets it lie, and sendmsg() where it does not.
 */
#include "console/frame-ring.h"
#include "console/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_message(const UtmMessage *message, int fd)
{
	while (utm__protocol_send(UTM_ENGINE_FD, message, fd) == UTM_PROTOCOL_AGAIN)
		poll(&(struct pollfd){ UTM_ENGINE_FD, POLLOUT, 0 }, 1, 1000);
}

static void send_bytes(const void *bytes, gsize size)
{
	(void)!send(UTM_ENGINE_FD, bytes, size, MSG_NOSIGNAL);
}

/* Waits for a message of that kind. The end of the library is the end of us. */
static void expect(guint32 kind)
{
	UtmMessage message = { 0 };
	do {
		int fd;
		poll(&(struct pollfd){ UTM_ENGINE_FD, POLLIN, 0 }, 1, -1);
		UtmProtocolResult result = utm__protocol_receive(UTM_ENGINE_FD, UTM_PROTOCOL_ENGINE, &message, &fd);
		if (result == UTM_PROTOCOL_CLOSED || result == UTM_PROTOCOL_BROKEN)
			exit(0);
	} while (message.kind != kind);
}

static void greet(void)
{
	expect(UTM_MESSAGE_HELLO);
	send_message(&(UtmMessage){ .kind = UTM_MESSAGE_HELLO, .hello.version = UTM_PROTOCOL_VERSION }, -1);
	expect(UTM_MESSAGE_OPEN);
}

static void connect_fine(void)
{
	greet();
	send_message(&(UtmMessage){ .kind = UTM_MESSAGE_CONNECTED }, -1);
}

static void stay(void)
{
	for (;;)
		expect(UTM_MESSAGE_HELLO);
}

static void send_ring(int fd, guint32 width, guint32 height)
{
	UtmMessage message = { .kind = UTM_MESSAGE_RING, .ring = { 1, width, height } };
	send_message(&message, fd);
}

static void send_frame(guint32 ring, guint64 serial)
{
	UtmMessage message = { .kind = UTM_MESSAGE_FRAME, .frame = { .ring = ring, .serial = serial } };
	send_message(&message, -1);
}

static int sealed_memory(gsize size, int seals)
{
	int fd = memfd_create("hostile", MFD_ALLOW_SEALING);
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		exit(9);
	return fd;
}

static gsize ring_size(guint32 width, guint32 height)
{
	UtmRingLayout layout;
	utm__ring_layout(&layout, width, height);
	return layout.total_size;
}

/* --- the behaviours --- */

static void die_at_once(void)
{
	fprintf(stderr, "I do not want to\n");
	exit(3);
}

static void crash(void)
{
	connect_fine();
	raise(SIGKILL);
}

static void be_silent(void)
{
	expect(UTM_MESSAGE_HELLO);
	stay();
}

/* Does not even leave when it is told to. */
static void cling(void)
{
	signal(SIGTERM, SIG_IGN);
	connect_fine();
	send_message(&(UtmMessage){ .kind = UTM_MESSAGE_INPUT_READY }, -1);
	close(UTM_ENGINE_FD);
	for (;;)
		pause();
}

static void other_version(void)
{
	expect(UTM_MESSAGE_HELLO);
	send_message(&(UtmMessage){ .kind = UTM_MESSAGE_HELLO, .hello.version = 99 }, -1);
	stay();
}

static void no_hello(void)
{
	send_message(&(UtmMessage){ .kind = UTM_MESSAGE_CONNECTED }, -1);
	stay();
}

static void rubbish(void)
{
	connect_fine();
	send_bytes("rubbish rubbish rubbish", 23);
	stay();
}

static void oversized(void)
{
	static char much[100000];
	connect_fine();
	send_bytes(much, sizeof much);
	stay();
}

static void unsealed(void)
{
	connect_fine();
	send_ring(sealed_memory(ring_size(640, 480), 0), 640, 480);
	stay();
}

static void too_small(void)
{
	connect_fine();
	send_ring(sealed_memory(8192, F_SEAL_SHRINK | F_SEAL_GROW), 640, 480);
	stay();
}

static void not_memory(void)
{
	connect_fine();
	send_ring(open("/dev/null", O_RDWR), 640, 480);
	stay();
}

/* Frames of rings that do not exist, of the wrong ring, from far in the future. All of it is only a picture less. */
static void false_frames(void)
{
	connect_fine();
	send_frame(7, 1);
	send_ring(sealed_memory(ring_size(640, 480), F_SEAL_SHRINK | F_SEAL_GROW), 640, 480);
	send_frame(2, 5);
	send_frame(1, UTM_RING_SERIAL_MAX);
	stay();
}

static void flood(void)
{
	connect_fine();
	for (;;) {
		send_message(&(UtmMessage){ .kind = UTM_MESSAGE_POINTER_MODE, .pointer_mode.mode = 1 }, -1);
		send_message(&(UtmMessage){ .kind = UTM_MESSAGE_POINTER_MODE, .pointer_mode.mode = 0 }, -1);
		send_message(&(UtmMessage){ .kind = UTM_MESSAGE_INPUT_READY }, -1);
	}
}

/* Says it has failed, in many words with control characters and bytes that are no text. */
static void insult(void)
{
	greet();
	UtmMessage message = { .kind = UTM_MESSAGE_FAILED, .failed.failure = UTM_ENGINE_FAILURE_CONNECT };
	memset(message.failed.text, 'x', sizeof message.failed.text - 1);
	memcpy(message.failed.text, "no\n\033[31m\xff\xfe way", 14);
	send_message(&message, -1);
	stay();
}

/* Publishes pictures while it fills the control area with rubbish. */
static void scribble(void)
{
	connect_fine();
	UtmRingLayout layout;
	utm__ring_layout(&layout, 64, 64);
	int fd = sealed_memory(layout.total_size, F_SEAL_SHRINK | F_SEAL_GROW);
	guint32 *words = mmap(NULL, layout.total_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	words[0] = 0;
	send_ring(fd, 64, 64);
	guint32 seed = 1;
	for (guint64 serial = 1;; serial++) {
		for (gsize i = 0; i < layout.control_size / 4; i++) {
			seed = seed * 1664525 + 1013904223;
			words[i] = seed >> 30 ? seed >> 8 & 3 : seed;
		}
		send_frame(1, serial);
	}
}

static const struct {
	const char *name;
	void (*behave)(void);
} behaviours[] = {
	{ "die-at-once", die_at_once }, { "crash", crash },           { "be-silent", be_silent },
	{ "cling", cling },             { "other-version", other_version }, { "no-hello", no_hello },
	{ "rubbish", rubbish },         { "oversized", oversized },   { "unsealed", unsealed },
	{ "too-small", too_small },     { "not-memory", not_memory }, { "false-frames", false_frames },
	{ "flood", flood },             { "insult", insult },         { "scribble", scribble },
};

int main(void)
{
	const char *name = getenv("UTM_TEST_HOSTILE");
	for (gsize i = 0; name && i < G_N_ELEMENTS(behaviours); i++)
		if (strcmp(name, behaviours[i].name) == 0)
			behaviours[i].behave();
	return 8;
}
