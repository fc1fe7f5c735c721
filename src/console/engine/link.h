/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "engine.h"

/* Serves the library at the other end of the socket with an engine of that kind, until the library closes its end. */
void link_serve(int socket, const EngineKind *kind);
