/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "console/protocol.h"

#include "console/frame-ring.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than any message carries; the surplus is closed. */
#define FDS_MAX 4

#define TO_ENGINE (1u << UTM_PROTOCOL_ENGINE)
#define TO_LIBRARY (1u << UTM_PROTOCOL_LIBRARY)

#define BARE offsetof(UtmMessage, hello)
#define WITH(member) (G_STRUCT_OFFSET(UtmMessage, member) + sizeof(((UtmMessage *)0)->member))

static bool ends(const char *text, gsize size)
{
	return memchr(text, 0, size) != NULL;
}

static bool check_open(const UtmMessage *m)
{
	return ends(m->open.path, sizeof m->open.path) && ends(m->open.password, sizeof m->open.password);
}

static bool check_key(const UtmMessage *m)
{
	guint32 code = m->key.scancode & 0xffu;
	return m->key.scancode < 0x200 && code >= 1 && code <= 0x7f && m->key.pressed <= 1;
}

static bool check_pointer(const UtmMessage *m)
{
	return m->pointer.buttons < 0x80;
}

static bool check_button(const UtmMessage *m)
{
	guint32 button = m->button.button;
	return button && button < 0x80 && !(button & (button - 1)) && m->button.pressed <= 1 && m->button.buttons < 0x80;
}

static bool check_failed(const UtmMessage *m)
{
	return m->failed.failure >= UTM_ENGINE_FAILURE_CONNECT && m->failed.failure <= UTM_ENGINE_FAILURE_PROTOCOL &&
	       ends(m->failed.text, sizeof m->failed.text);
}

static bool check_ring(const UtmMessage *m)
{
	UtmRingLayout layout;
	return utm__ring_layout(&layout, m->ring.width, m->ring.height);
}

static bool check_frame(const UtmMessage *m)
{
	return m->frame.serial >= 1 && m->frame.serial <= UTM_RING_SERIAL_MAX;
}

static bool check_pointer_mode(const UtmMessage *m)
{
	return m->pointer_mode.mode <= 1;
}

typedef struct Kind {
	guint32 directions;
	gsize size;
	guint fds;
	bool (*check)(const UtmMessage *message);
} Kind;

static const Kind kinds[] = {
	[UTM_MESSAGE_HELLO] = { TO_ENGINE | TO_LIBRARY, WITH(hello), 0, NULL },
	[UTM_MESSAGE_OPEN] = { TO_ENGINE, WITH(open), 0, check_open },
	[UTM_MESSAGE_KEY] = { TO_ENGINE, WITH(key), 0, check_key },
	[UTM_MESSAGE_MOVE] = { TO_ENGINE, WITH(pointer), 0, check_pointer },
	[UTM_MESSAGE_MOTION] = { TO_ENGINE, WITH(pointer), 0, check_pointer },
	[UTM_MESSAGE_BUTTON] = { TO_ENGINE, WITH(button), 0, check_button },
	[UTM_MESSAGE_BUFFER_FREE] = { TO_ENGINE, BARE, 0, NULL },
	[UTM_MESSAGE_CONNECTED] = { TO_LIBRARY, BARE, 0, NULL },
	[UTM_MESSAGE_FAILED] = { TO_LIBRARY, WITH(failed), 0, check_failed },
	[UTM_MESSAGE_ENDED] = { TO_LIBRARY, WITH(failed), 0, check_failed },
	[UTM_MESSAGE_RING] = { TO_LIBRARY, WITH(ring), 1, check_ring },
	[UTM_MESSAGE_FRAME] = { TO_LIBRARY, WITH(frame), 0, check_frame },
	[UTM_MESSAGE_HIDDEN] = { TO_LIBRARY, BARE, 0, NULL },
	[UTM_MESSAGE_INPUT_READY] = { TO_LIBRARY, BARE, 0, NULL },
	[UTM_MESSAGE_POINTER_MODE] = { TO_LIBRARY, WITH(pointer_mode), 0, check_pointer_mode },
};

static const Kind *kind_of(guint32 number)
{
	return number < G_N_ELEMENTS(kinds) && kinds[number].directions ? &kinds[number] : NULL;
}

typedef union Ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
} Ancillary;

UtmProtocolResult utm__protocol_send(int socket, const UtmMessage *message, int fd)
{
	struct iovec part = { (void *)message, kind_of(message->kind)->size };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	Ancillary ancillary = { 0 };
	if (fd >= 0) {
		packet.msg_control = ancillary.bytes;
		packet.msg_controllen = CMSG_SPACE(sizeof fd);
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	ssize_t sent;
	do
		sent = sendmsg(socket, &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return UTM_PROTOCOL_OK;
	if (errno == EAGAIN || errno == ENOBUFS)
		return UTM_PROTOCOL_AGAIN;
	return errno == EPIPE || errno == ECONNRESET ? UTM_PROTOCOL_CLOSED : UTM_PROTOCOL_BROKEN;
}

/* Keeps the first `wanted` descriptors of the packet in `ret`, closes the others. Returns how many came. */
static guint take_fds(struct msghdr *packet, int *ret, guint wanted)
{
	guint count = 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(packet); h; h = CMSG_NXTHDR(packet, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		gsize bytes = h->cmsg_len - CMSG_LEN(0);
		for (gsize at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
			if (count++ < wanted)
				*ret = fd;
			else
				close(fd);
		}
	}
	return count;
}

static bool acceptable(const UtmMessage *message, gsize size, UtmProtocolSide side, guint fds)
{
	const Kind *kind = size >= BARE ? kind_of(message->kind) : NULL;
	return kind && kind->directions & 1u << side && kind->size == size && kind->fds == fds &&
	       message->display < UTM_PROTOCOL_DISPLAYS && (!kind->check || kind->check(message));
}

UtmProtocolResult utm__protocol_receive(int socket, UtmProtocolSide side, UtmMessage *ret, int *ret_fd)
{
	Ancillary ancillary;
	struct iovec part = { ret, sizeof *ret };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes,
		.msg_controllen = sizeof ancillary.bytes };
	ssize_t size;
	do
		size = recvmsg(socket, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? UTM_PROTOCOL_AGAIN : errno == ECONNRESET ? UTM_PROTOCOL_CLOSED : UTM_PROTOCOL_BROKEN;
	int fd = -1;
	guint fds = take_fds(&packet, &fd, 1);
	if (!(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && acceptable(ret, (gsize)size, side, fds)) {
		*ret_fd = fd;
		return UTM_PROTOCOL_OK;
	}
	if (fd >= 0)
		close(fd);
	return size == 0 && fds == 0 ? UTM_PROTOCOL_CLOSED : UTM_PROTOCOL_BROKEN;
}
