/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long commands may take whose caller named no deadline; qapi/deadlines.toml says why so long. */
#pragma once

#include <glib.h>

/* Milliseconds, of a command of QEMU's monitor or of the guest agent: those of the agent all begin with `guest-`. */
gint64 utm__qmp_default_timeout_ms(const char *command);
