/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer target: what a monitor may send. The bytes go through a real socket and the transport, in pieces as long as
 * the first byte says, and each message through the envelope.
 */
#include "qmp/envelope.h"
#include "qmp/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a socket surely holds, as nobody reads meanwhile. */
#define SIZE_MAX_TRIED 32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_message(UtmQmpMessage message)
{
	UtmQmpEnvelope envelope;
	g_autoptr(UtmError) error = NULL;
	if (utm__qmp_envelope_read(&envelope, &utm__qmp_monitor, message.text, message.length, &error) < 0) {
		g_assert_nonnull(error);
		return;
	}
	if (utm__qmp_envelope_check_body(&envelope, &utm__qmp_monitor, &error) < 0) {
		g_assert_nonnull(error);
		utm__qmp_envelope_clear(&envelope);
		return;
	}
	if (envelope.kind == UTM_QMP_KIND_GREETING)
		utm__qmp_greeting_get_version(envelope.body, envelope.body_length);
	if (envelope.kind == UTM_QMP_KIND_ERROR)
		utm_error_unref(utm__qmp_envelope_to_error(&envelope));
	const char *body = utm__qmp_envelope_close_body(&envelope);
	/* Nothing is cut: what is checked JSON holds no zero byte. */
	g_assert_true(!body || strlen(body) == envelope.body_length);
	utm__qmp_envelope_clear(&envelope);
}

static bool read_all(UtmQmpTransport *transport)
{
	UtmQmpMessage message;
	UtmQmpInput input;
	while ((input = utm__qmp_transport_peek(transport, &message)) == UTM_QMP_INPUT_MESSAGE) {
		read_message(message);
		utm__qmp_transport_pop(transport);
	}
	return input == UTM_QMP_INPUT_WAIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[2];
	if (size < 2 || size > SIZE_MAX_TRIED || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	size_t piece = data[0] ? data[0] : size;
	UtmQmpTransport *transport = utm__qmp_transport_new(fds[0], &utm__qmp_monitor);
	bool more = true;
	for (size_t at = 1; at < size && more; at += piece) {
		size_t count = MIN(piece, size - at);
		g_assert_cmpint(write(fds[1], data + at, count), ==, (ssize_t)count);
		more = read_all(transport);
	}
	close(fds[1]);
	while (read_all(transport))
		continue;
	g_assert_nonnull(utm__qmp_transport_get_end(transport));
	utm__qmp_transport_free(transport);
	return 0;
}
