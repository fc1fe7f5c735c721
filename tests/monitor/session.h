/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the QMP client share: a context, and a connection to a scripted server. */
#pragma once

#include "fake-qmp.h"

#include <string.h>
#include <utm/utm.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UtmError, utm_error_unref)

/* No test waits longer for anything. */
#define PATIENCE_MS 30000

static UtmContext *context;

typedef struct Session {
	FakeQmp *fake;
	UtmQmp *qmp; /* NULL when the connection failed */
	int result;
	UtmError *error;
} Session;

static inline Session session_open_with(FakeQmpScript script, void *data, const UtmQmpConnectOptions *options)
{
	Session session = { 0 };
	int fd;
	session.fake = fake_qmp_start(script, data, &fd);
	session.result = utm_qmp_connect_fd(context, fd, options, &session.qmp, &session.error);
	return session;
}

static inline Session session_open_within(FakeQmpScript script, void *data, gint64 timeout_ms)
{
	UtmQmpConnectOptions options = UTM_QMP_CONNECT_OPTIONS_INIT;
	options.timeout_ms = timeout_ms;
	return session_open_with(script, data, &options);
}

/* Connects to a script that begins with a proper negotiation. */
static inline Session session_open(FakeQmpScript script, void *data)
{
	Session session = session_open_within(script, data, PATIENCE_MS);
	if (session.error)
		g_error("%s", utm_error_get_message(session.error));
	return session;
}

static inline void session_close(Session *session)
{
	utm_qmp_unref(session->qmp);
	fake_qmp_finish(session->fake);
	utm_error_unref(session->error);
}

/* Dispatches until the condition holds; for this long at most. */
#define wait_for(condition)                                                                                          \
	for (gint64 wait_end = g_get_monotonic_time() + PATIENCE_MS * 1000; !*&(const bool){ (condition) };) {                         \
		utm_context_wait(context, 100);                                                                      \
		if (g_get_monotonic_time() > wait_end)                                                               \
			g_error("%s:%d: waited in vain for %s", __FILE__, __LINE__, #condition);                     \
	}

static inline int session_main(void)
{
	context = utm_context_new(NULL, NULL);
	int result = g_test_run();
	utm_context_unref(context);
	return result;
}
