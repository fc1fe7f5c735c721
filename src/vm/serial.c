/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A serial port in terminal mode: a socket that QEMU inherits as a listener and that we are the first client of.
 *
 * What the guest writes waits here for dispatch. When a lot waits, reading stops, QEMU's socket fills up and the guest
 * waits too: nothing is lost. Without a handler nobody would ever read, so then only the newest bytes are kept.
 */
#include "base/util.h"
#include "process/runtime-dir.h"
#include "vm/vm-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG_MAX (1024 * 1024)
#define UNHEARD_MAX (64 * 1024)
#define WRITE_MAX (1024 * 1024)

struct UtmVmSerial {
	UtmVm *vm;
	guint index;
	UtmHandlerSlot handler;
	UtmQueueEvent event; /* embedded: one notice for all that waits */

	pthread_mutex_t lock; /* guards what is below, up to connected */
	GByteArray *incoming;
	GByteArray *outgoing;
	bool connected;
	bool held; /* by the application: nothing is delivered */
	bool asleep; /* reading has stopped until the application has taken something */

	/* I/O thread only */
	int fd;
	guint reader;
	guint writer;
};

static bool on_readable(int fd, GIOCondition condition, void *data);
static bool on_writable(int fd, GIOCondition condition, void *data);

/* The I/O thread. */
static void wake_reader(void *data)
{
	UtmVmSerial *serial = data;
	if (serial->fd >= 0 && !serial->reader)
		serial->reader = utm__io_add_fd(serial->vm->object.context, serial->fd, G_IO_IN, on_readable, serial);
	utm__object_release(&serial->vm->object);
}

/* There is room again. With the lock. */
static void wake_locked(UtmVmSerial *serial)
{
	if (!serial->asleep)
		return;
	serial->asleep = false;
	utm__object_hold(&serial->vm->object);
	utm__context_invoke(serial->vm->object.context, wake_reader, serial);
}

/* NULL while the application does not want any. */
static GByteArray *take_incoming(UtmVmSerial *serial)
{
	GByteArray *bytes = NULL;
	pthread_mutex_lock(&serial->lock);
	if (!serial->held) {
		bytes = serial->incoming;
		serial->incoming = g_byte_array_new();
		wake_locked(serial);
	}
	pthread_mutex_unlock(&serial->lock);
	return bytes;
}

static void deliver(UtmQueueEvent *event)
{
	UtmVmSerial *serial = (UtmVmSerial *)((char *)event - G_STRUCT_OFFSET(UtmVmSerial, event));
	UtmCallback *callback = utm__slot_get(&serial->handler);
	if (!callback)
		return;
	GByteArray *bytes = take_incoming(serial);
	if (bytes && bytes->len)
		((UtmVmSerialFunc)callback->fn)(serial->vm, serial->index, bytes->data, bytes->len, callback->user_data);
	g_clear_pointer(&bytes, g_byte_array_unref);
	utm__callback_unref(callback);
}

UtmVmSerial *utm__serial_new(UtmVm *vm, guint index)
{
	UtmVmSerial *serial = g_new0(UtmVmSerial, 1);
	serial->vm = vm;
	serial->index = index;
	serial->fd = -1;
	serial->incoming = g_byte_array_new();
	serial->outgoing = g_byte_array_new();
	serial->event.object = &vm->object;
	serial->event.run = deliver;
	utm__slot_init(&serial->handler);
	pthread_mutex_init(&serial->lock, NULL);
	return serial;
}

void utm__serial_free(UtmVmSerial *serial)
{
	utm__slot_clear(&serial->handler);
	g_byte_array_unref(serial->incoming);
	g_byte_array_unref(serial->outgoing);
	pthread_mutex_destroy(&serial->lock);
	g_free(serial);
}

int utm__serial_listen(UtmVmSerial *serial, const char *dir, UtmError **error)
{
	g_autofree char *name = g_strdup_printf(UTM_SOCKET_TERMINAL, serial->index);
	g_autofree char *path = NULL;
	utm_autofd listener = utm__listen_unix(dir, name, &path, error);
	if (listener < 0)
		return listener;
	serial->fd = utm__unix_connect(path, error);
	if (serial->fd < 0)
		return serial->fd;
	serial->reader = utm__io_add_fd(serial->vm->object.context, serial->fd, G_IO_IN, on_readable, serial);
	pthread_mutex_lock(&serial->lock);
	serial->connected = true;
	pthread_mutex_unlock(&serial->lock);
	int listening = listener;
	listener = -1;
	return listening;
}

/* With the lock. */
static void keep_newest(UtmVmSerial *serial)
{
	if (serial->incoming->len > UNHEARD_MAX)
		g_byte_array_remove_range(serial->incoming, 0, serial->incoming->len - UNHEARD_MAX);
}

/* What one reading came to. */
typedef enum ReadResult {
	READ_MORE,   /* something; more may follow */
	READ_PAUSED, /* something, and enough for now: dispatch wakes the reader */
	READ_NONE,   /* nothing is there yet */
	READ_OVER    /* the end */
} ReadResult;

static ReadResult store(UtmVmSerial *serial, const guint8 *bytes, gsize count)
{
	pthread_mutex_lock(&serial->lock);
	/* Under the lock: a handler that is set meanwhile either is seen here or finds these bytes. */
	bool heard = utm__slot_is_set(&serial->handler);
	g_byte_array_append(serial->incoming, bytes, (guint)count);
	if (!heard)
		keep_newest(serial);
	bool full = serial->incoming->len >= BACKLOG_MAX;
	serial->asleep = full;
	pthread_mutex_unlock(&serial->lock);
	if (heard)
		utm__context_post(serial->vm->object.context, &serial->event);
	return full ? READ_PAUSED : READ_MORE;
}

static ReadResult read_once(UtmVmSerial *serial)
{
	guint8 bytes[16384];
	ssize_t count = recv(serial->fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (count > 0)
		return store(serial, bytes, (gsize)count);
	return count < 0 && (errno == EAGAIN || errno == EINTR) ? READ_NONE : READ_OVER;
}

static bool on_readable(int fd, GIOCondition condition, void *data)
{
	UtmVmSerial *serial = data;
	ReadResult result = read_once(serial);
	if (result == READ_MORE || result == READ_NONE)
		return true;
	serial->reader = 0;
	return false;
}

void utm__serial_end(UtmVmSerial *serial)
{
	if (serial->fd < 0)
		return;
	/* QEMU is gone, so what is left is what fits a socket buffer: keep it all, awake or not. */
	for (int i = 0; i < 256 && read_once(serial) != READ_OVER; i++)
		;
	UtmContext *context = serial->vm->object.context;
	utm__io_remove(context, &serial->reader);
	utm__io_remove(context, &serial->writer);
	utm__close_fd(&serial->fd);
	pthread_mutex_lock(&serial->lock);
	serial->connected = false;
	serial->asleep = false;
	g_byte_array_set_size(serial->outgoing, 0);
	pthread_mutex_unlock(&serial->lock);
}

int utm__serial_set_handler(UtmVmSerial *serial, UtmCallback *callback_taken)
{
	bool heard = callback_taken != NULL;
	utm__slot_set(&serial->handler, callback_taken);
	if (heard) {
		utm__context_post(serial->vm->object.context, &serial->event);
		return 0;
	}
	/* Nobody will take what waits, and the guest shall not wait for that. */
	pthread_mutex_lock(&serial->lock);
	keep_newest(serial);
	wake_locked(serial);
	pthread_mutex_unlock(&serial->lock);
	return 0;
}

void utm__serial_hold(UtmVmSerial *serial, bool hold)
{
	pthread_mutex_lock(&serial->lock);
	bool freed = serial->held && !hold;
	serial->held = hold;
	pthread_mutex_unlock(&serial->lock);
	if (freed)
		utm__context_post(serial->vm->object.context, &serial->event);
}

/* ---------------------------------------------------------------- to the guest */

static bool on_writable(int fd, GIOCondition condition, void *data)
{
	UtmVmSerial *serial = data;
	pthread_mutex_lock(&serial->lock);
	ssize_t sent = send(fd, serial->outgoing->data, serial->outgoing->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		g_byte_array_remove_range(serial->outgoing, 0, (guint)sent);
	bool broken = sent < 0 && errno != EAGAIN && errno != EINTR;
	bool more = serial->outgoing->len > 0 && !broken;
	pthread_mutex_unlock(&serial->lock);
	if (!more)
		serial->writer = 0;
	return more;
}

static void start_writer(void *data)
{
	UtmVmSerial *serial = data;
	if (serial->fd >= 0 && !serial->writer)
		serial->writer = utm__io_add_fd(serial->vm->object.context, serial->fd, G_IO_OUT, on_writable, serial);
	utm__object_release(&serial->vm->object);
}

int utm__serial_write(UtmVmSerial *serial, const void *data, gsize size, UtmError **error)
{
	pthread_mutex_lock(&serial->lock);
	bool connected = serial->connected;
	bool full = size > WRITE_MAX || serial->outgoing->len + size > WRITE_MAX;
	if (connected && !full)
		g_byte_array_append(serial->outgoing, data, (guint)size);
	pthread_mutex_unlock(&serial->lock);
	if (!connected)
		return utm__fail(error, UTM_ERROR_INVALID_STATE, "serial port %u: the machine does not run", serial->index);
	if (full)
		return utm__fail(error, UTM_ERROR_LIMIT, "serial port %u: no more than %d bytes may wait", serial->index, WRITE_MAX);
	utm__object_hold(&serial->vm->object);
	utm__context_invoke(serial->vm->object.context, start_writer, serial);
	return 0;
}
