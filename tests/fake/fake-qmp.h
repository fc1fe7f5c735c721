/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A scripted QMP server for tests: a thread at one end of a socket pair that runs a function of the test. The script
 * reads as the conversation it plays:
 *
 *	static void script(FakeQmp *fake, void *data)
 *	{
 *		fake_qmp_negotiate(fake);
 *		int id = fake_qmp_expect(fake, "query-status");
 *		fake_qmp_send(fake, "{'event': 'STOP'}");
 *		fake_qmp_reply(fake, id, "{}");
 *	}
 *
 * What a script expects and does not get makes the test fail. At its end the connection closes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct FakeQmp FakeQmp;
typedef void (*FakeQmpScript)(FakeQmp *fake, void *data);

/* Starts the script; the client's end of the connection is in *ret_fd. */
FakeQmp *fake_qmp_start(FakeQmpScript script, void *data, int *ret_fd);
/* The same at a socket that is connected already, which it takes. */
FakeQmp *fake_qmp_start_on(int fd_taken, FakeQmpScript script, void *data);
/* Waits for the end of the script. */
void fake_qmp_finish(FakeQmp *fake);

/* --- inside the script --- */

/* Text with ' for ", because C strings are easier to read so. */
void fake_qmp_send(FakeQmp *fake, const char *text);
void fake_qmp_sendf(FakeQmp *fake, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Bytes as they are. False when the client is gone. */
bool fake_qmp_send_bytes(FakeQmp *fake, const void *bytes, gsize count);

/* What the client's end takes without waiting. */
gsize fake_qmp_try_send(FakeQmp *fake, const void *bytes, gsize count);

/* What comes before this byte, which comes next. (transfer full) */
char *fake_qmp_receive_until(FakeQmp *fake, char byte);
/* What comes before the next line feed, which goes with it. (transfer full) */
char *fake_qmp_receive_line(FakeQmp *fake);
/* The next command as text, without the white space before it; NULL at the end of the connection. (transfer full) */
char *fake_qmp_receive(FakeQmp *fake);
/* The next command is this one; returns its id, or -1. */
int fake_qmp_expect(FakeQmp *fake, const char *command);
/* The same for a command out of band. */
int fake_qmp_expect_oob(FakeQmp *fake, const char *command);
/* The descriptor that came with what was read last; -1: none. (transfer full) */
int fake_qmp_take_fd(FakeQmp *fake);
/* The next command is this one with these arguments, compact, with ' for ". */
int fake_qmp_expect_arguments(FakeQmp *fake, const char *command, const char *arguments);
/* Nothing comes any more: waits for the client to close. */
void fake_qmp_expect_end(FakeQmp *fake);
/* Whatever comes goes unanswered: waits for the client to close. */
void fake_qmp_ignore_all(FakeQmp *fake);
/* Nothing comes for this time. */
void fake_qmp_expect_silence(FakeQmp *fake, int ms);

void fake_qmp_reply(FakeQmp *fake, int id, const char *value);
void fake_qmp_reply_error(FakeQmp *fake, int id, const char *class, const char *desc);

void fake_qmp_greet(FakeQmp *fake);
/* Greets and grants the client, which must ask for it, out-of-band execution. */
void fake_qmp_negotiate_oob(FakeQmp *fake);
/* Greets and answers qmp_capabilities. */
void fake_qmp_negotiate(FakeQmp *fake);
/* Answers every command with {} until the client closes. */
void fake_qmp_serve(FakeQmp *fake);
