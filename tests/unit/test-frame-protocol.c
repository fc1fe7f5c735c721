/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the library and an engine accept from each other. */
#include "console/frame-ring.h"
#include "console/protocol.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Fixture {
	int near, far;
} Fixture;

static Fixture fixture_new(void)
{
	int pair[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
	return (Fixture){ pair[0], pair[1] };
}

static void fixture_clear(Fixture *f)
{
	close(f->near);
	close(f->far);
}

static guint open_fds(void)
{
	guint count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The receiver's answer to raw bytes with some descriptors. */
static UtmProtocolResult answer_to(UtmProtocolSide side, const void *bytes, gsize size, guint fds)
{
	Fixture f = fixture_new();
	int numbers[8];
	char control[CMSG_SPACE(sizeof numbers)] = { 0 };
	struct iovec part = { (void *)bytes, size };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fds) {
		packet.msg_control = control;
		packet.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (guint i = 0; i < fds; i++)
			numbers[i] = STDIN_FILENO;
		memcpy(CMSG_DATA(header), numbers, fds * sizeof(int));
	}
	g_assert_cmpint(sendmsg(f.near, &packet, MSG_NOSIGNAL), >=, 0);
	guint before = open_fds();
	UtmMessage message;
	int fd = -1;
	UtmProtocolResult result = utm__protocol_receive(f.far, side, &message, &fd);
	if (result == UTM_PROTOCOL_OK && fd >= 0)
		close(fd);
	else
		g_assert_cmpint(fd, ==, -1);
	g_assert_cmpuint(open_fds(), ==, before);
	fixture_clear(&f);
	return result;
}

typedef struct Case {
	UtmMessage message;
	gsize size;
	UtmProtocolSide side;
	guint fds;
} Case;

#define SIZE(member) (G_STRUCT_OFFSET(UtmMessage, member) + sizeof(((UtmMessage *)0)->member))
#define BARE G_STRUCT_OFFSET(UtmMessage, hello)

static const Case good[] = {
	{ { .kind = UTM_MESSAGE_HELLO, .hello.version = 1 }, SIZE(hello), UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_HELLO, .hello.version = 1 }, SIZE(hello), UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_OPEN, .open.path = "/a" }, SIZE(open), UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_KEY, .key = { 0x11d, 1 } }, SIZE(key), UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_MOVE, .display = 15, .pointer = { 1, 2, 3 } }, SIZE(pointer), UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_MOTION, .pointer = { -1, -2, 0x7f } }, SIZE(pointer), UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_BUTTON, .button = { 0x40, 1, 0x40 } }, SIZE(button), UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_BUFFER_FREE }, BARE, UTM_PROTOCOL_ENGINE, 0 },
	{ { .kind = UTM_MESSAGE_CONNECTED }, BARE, UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_FAILED, .failed = { 1, "x" } }, SIZE(failed), UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_ENDED, .failed = { 3, "" } }, SIZE(failed), UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_RING, .ring = { 1, 640, 480 } }, SIZE(ring), UTM_PROTOCOL_LIBRARY, 1 },
	{ { .kind = UTM_MESSAGE_FRAME, .frame = { 1, 0, 7 } }, SIZE(frame), UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_HIDDEN }, BARE, UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_INPUT_READY }, BARE, UTM_PROTOCOL_LIBRARY, 0 },
	{ { .kind = UTM_MESSAGE_POINTER_MODE, .pointer_mode = { 1 } }, SIZE(pointer_mode), UTM_PROTOCOL_LIBRARY, 0 },
};

/* Each good message, and around it: a byte less or more, the other way, descriptors, a display too far. */
static void test_shapes(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		const Case *c = &good[i];
		UtmMessage far_display = c->message;
		far_display.display = 16;
		g_autofree char *longer = g_malloc0(c->size + 1);
		memcpy(longer, &c->message, c->size);
		g_test_message("kind %u", c->message.kind);
		g_assert_cmpint(answer_to(c->side, &c->message, c->size, c->fds), ==, UTM_PROTOCOL_OK);
		g_assert_cmpint(answer_to(c->side, &c->message, c->size - 1, c->fds), ==, UTM_PROTOCOL_BROKEN);
		g_assert_cmpint(answer_to(c->side, longer, c->size + 1, c->fds), ==, UTM_PROTOCOL_BROKEN);
		g_assert_cmpint(answer_to(c->side, &far_display, c->size, c->fds), ==, UTM_PROTOCOL_BROKEN);
		g_assert_cmpint(answer_to(c->side, &c->message, c->size, c->fds + 1), ==, UTM_PROTOCOL_BROKEN);
		g_assert_cmpint(answer_to(c->side, &c->message, c->size, 8), ==, UTM_PROTOCOL_BROKEN);
		if (c->fds)
			g_assert_cmpint(answer_to(c->side, &c->message, c->size, 0), ==, UTM_PROTOCOL_BROKEN);
		if (c->message.kind != UTM_MESSAGE_HELLO)
			g_assert_cmpint(answer_to(!c->side, &c->message, c->size, c->fds), ==, UTM_PROTOCOL_BROKEN);
	}
}

static void refuse(UtmMessage message, gsize size, UtmProtocolSide side, guint fds)
{
	g_assert_cmpint(answer_to(side, &message, size, fds), ==, UTM_PROTOCOL_BROKEN);
}

#define REFUSE(side, member, fds, ...) refuse((UtmMessage){ __VA_ARGS__ }, SIZE(member), UTM_PROTOCOL_##side, fds)

static void test_values(void)
{
	UtmMessage endless = { .kind = UTM_MESSAGE_OPEN };
	memset(&endless.open, 'x', sizeof endless.open);
	refuse(endless, SIZE(open), UTM_PROTOCOL_ENGINE, 0);
	UtmMessage endless_text = { .kind = UTM_MESSAGE_FAILED, .failed.failure = 1 };
	memset(endless_text.failed.text, 'x', sizeof endless_text.failed.text);
	refuse(endless_text, SIZE(failed), UTM_PROTOCOL_LIBRARY, 0);
	REFUSE(ENGINE, key, 0, .kind = UTM_MESSAGE_KEY, .key = { 0, 1 });
	REFUSE(ENGINE, key, 0, .kind = UTM_MESSAGE_KEY, .key = { 0x80, 1 });
	REFUSE(ENGINE, key, 0, .kind = UTM_MESSAGE_KEY, .key = { 0x21d, 1 });
	REFUSE(ENGINE, key, 0, .kind = UTM_MESSAGE_KEY, .key = { 1, 2 });
	REFUSE(ENGINE, pointer, 0, .kind = UTM_MESSAGE_MOVE, .pointer = { 0, 0, 0x80 });
	REFUSE(ENGINE, button, 0, .kind = UTM_MESSAGE_BUTTON, .button = { 3, 1, 3 });
	REFUSE(ENGINE, button, 0, .kind = UTM_MESSAGE_BUTTON, .button = { 0, 1, 0 });
	REFUSE(LIBRARY, failed, 0, .kind = UTM_MESSAGE_FAILED, .failed = { 0, "" });
	REFUSE(LIBRARY, failed, 0, .kind = UTM_MESSAGE_FAILED, .failed = { 4, "" });
	REFUSE(LIBRARY, ring, 1, .kind = UTM_MESSAGE_RING, .ring = { 1, 0, 1 });
	REFUSE(LIBRARY, ring, 1, .kind = UTM_MESSAGE_RING, .ring = { 1, G_MAXUINT32, 2 });
	REFUSE(LIBRARY, frame, 0, .kind = UTM_MESSAGE_FRAME, .frame = { 1, 0, 0 });
	REFUSE(LIBRARY, frame, 0, .kind = UTM_MESSAGE_FRAME, .frame = { 1, 0, G_MAXUINT64 });
	REFUSE(LIBRARY, pointer_mode, 0, .kind = UTM_MESSAGE_POINTER_MODE, .pointer_mode = { 2 });
	REFUSE(LIBRARY, hello, 0, .kind = 0);
	REFUSE(LIBRARY, hello, 0, .kind = 40);
	REFUSE(LIBRARY, hello, 0, .kind = G_MAXUINT32);
}

static void test_random(void)
{
	guchar bytes[sizeof(UtmMessage) + 8];
	for (int i = 0; i < 3000; i++) {
		gsize size = (gsize)g_test_rand_int_range(1, i % 2 ? 40 : (int)sizeof bytes);
		for (gsize j = 0; j < size; j++)
			bytes[j] = (guchar)g_test_rand_int();
		if (i % 3) {
			guint32 kind = (guint32)g_test_rand_int_range(0, 48);
			memcpy(bytes, &kind, MIN(size, sizeof kind));
		}
		answer_to(i % 5 ? UTM_PROTOCOL_LIBRARY : UTM_PROTOCOL_ENGINE, bytes, size, (guint)g_test_rand_int_range(0, 3));
	}
}

static void test_ends(void)
{
	Fixture f = fixture_new();
	UtmMessage message = { .kind = UTM_MESSAGE_CONNECTED };
	int fd;
	g_assert_cmpint(utm__protocol_receive(f.far, UTM_PROTOCOL_LIBRARY, &message, &fd), ==, UTM_PROTOCOL_AGAIN);
	message.kind = UTM_MESSAGE_CONNECTED;
	UtmProtocolResult result;
	guint sent = 0;
	while ((result = utm__protocol_send(f.near, &message, -1)) == UTM_PROTOCOL_OK)
		sent++;
	g_assert_cmpint(result, ==, UTM_PROTOCOL_AGAIN);
	for (guint i = 0; i < sent; i++)
		g_assert_cmpint(utm__protocol_receive(f.far, UTM_PROTOCOL_LIBRARY, &message, &fd), ==, UTM_PROTOCOL_OK);
	close(f.near);
	g_assert_cmpint(utm__protocol_receive(f.far, UTM_PROTOCOL_LIBRARY, &message, &fd), ==, UTM_PROTOCOL_CLOSED);
	message = (UtmMessage){ .kind = UTM_MESSAGE_CONNECTED };
	g_assert_cmpint(utm__protocol_send(f.far, &message, -1), ==, UTM_PROTOCOL_CLOSED); /* and no SIGPIPE */
	close(f.far);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/protocol/shapes", test_shapes);
	g_test_add_func("/protocol/values", test_values);
	g_test_add_func("/protocol/random", test_random);
	g_test_add_func("/protocol/ends", test_ends);
	return g_test_run();
}
