/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console as the machine uses it. I/O thread unless said otherwise; nothing blocks. */
#pragma once

#include "base/error-private.h"
#include "core/context-private.h"

#include <utm/console.h>

/* Any thread. An idle console that can be opened and shut again and again. (transfer full) */
UtmConsole *utm__console_new(UtmContext *context);
/* It is about to be opened, or to be shut if nothing comes of it: whoever wants a picture waits until then. */
void utm__console_expect(UtmConsole *console);

/*
 * Starts the engine and connects it to a SPICE server. `done` is called exactly once: NULL error when connected, else
 * why not. A console that was closed meanwhile fails with CANCELLED. Nullable: password, done.
 */
typedef void (*UtmConsoleDoneFunc)(UtmConsole *console, const UtmError *error, void *data);
void utm__console_open(UtmConsole *console, const char *spice_path, const char *password, gint64 timeout_ms,
                       UtmConsoleDoneFunc done, void *data);
/* Ends the connection and the engine. Displays keep their last frame for those who hold it, but show none. */
void utm__console_shut(UtmConsole *console);
