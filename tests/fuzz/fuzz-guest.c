/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer target: what a guest may send over its agent's line. The bytes go through a real socket and the transport,
 * in pieces as long as the first byte says; the second is the number of the mark that is waited for. What follows the
 * mark is read as answers until it strays, and so on.
 */
#include "qmp/envelope.h"
#include "qmp/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a socket surely holds, as nobody reads meanwhile. */
#define SIZE_MAX_TRIED 32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_mark(const UtmQmpEnvelope *envelope, uint8_t number)
{
	g_autofree char *body = g_strndup(envelope->body, envelope->body_length);
	return envelope->kind == UTM_QMP_KIND_REPLY && strtol(body, NULL, 10) == number;
}

static void read_message(UtmQmpTransport *transport, UtmQmpMessage message, uint8_t number)
{
	UtmQmpEnvelope envelope;
	g_autoptr(UtmError) error = NULL;
	bool passing = utm__qmp_transport_is_passing_over(transport);
	if (utm__qmp_envelope_read(&envelope, &utm__qmp_agent, message.text, message.length, &error) < 0) {
		g_assert_nonnull(error);
		if (!passing)
			utm__qmp_transport_pass_over(transport);
		return;
	}
	if (utm__qmp_envelope_check_body(&envelope, &utm__qmp_agent, &error) < 0) {
		g_assert_nonnull(error);
		utm__qmp_envelope_clear(&envelope);
		if (!passing)
			utm__qmp_transport_pass_over(transport);
		return;
	}
	g_assert_null(memchr(message.text, UTM_QMP_MARK, message.length));
	if (passing && is_mark(&envelope, number))
		utm__qmp_transport_trust(transport);
	if (envelope.kind == UTM_QMP_KIND_ERROR)
		utm_error_unref(utm__qmp_envelope_to_error(&envelope));
	const char *body = utm__qmp_envelope_close_body(&envelope);
	g_assert_true(!body || strlen(body) == envelope.body_length);
	utm__qmp_envelope_clear(&envelope);
}

/* All there is for now, each piece of it in bounded time. */
static bool read_all(UtmQmpTransport *transport, uint8_t number)
{
	for (int i = 0; i < 2 * SIZE_MAX_TRIED; i++) {
		UtmQmpMessage message;
		switch (utm__qmp_transport_peek(transport, &message)) {
		case UTM_QMP_INPUT_MESSAGE:
			read_message(transport, message, number);
			utm__qmp_transport_pop(transport);
			break;
		case UTM_QMP_INPUT_STRAY:
			g_assert_nonnull(utm__qmp_transport_get_end(transport));
			utm__qmp_transport_pass_over(transport);
			break;
		case UTM_QMP_INPUT_WAIT:
			return true;
		default:
			return false;
		}
	}
	g_assert_not_reached();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[2];
	if (size < 3 || size > SIZE_MAX_TRIED || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	size_t piece = data[0] ? data[0] : size;
	UtmQmpTransport *transport = utm__qmp_transport_new(fds[0], &utm__qmp_agent);
	utm__qmp_transport_pass_over(transport);
	for (size_t at = 2; at < size; at += piece) {
		size_t count = MIN(piece, size - at);
		g_assert_cmpint(write(fds[1], data + at, count), ==, (ssize_t)count);
		read_all(transport, data[1]);
	}
	close(fds[1]);
	while (read_all(transport, data[1]))
		continue;
	g_assert_nonnull(utm__qmp_transport_get_end(transport));
	utm__qmp_transport_free(transport);
	return 0;
}
