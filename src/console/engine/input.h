/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and pointer of a SPICE session. */
#pragma once

#include <spice-client.h>
#include <stdbool.h>

typedef struct Input Input;

Input *input_new(void);
void input_free(Input *input);
/* (nullable) none; what was sent before is forgotten. */
void input_set_channel(Input *input, SpiceInputsChannel *channel);
void input_set_client_mode(Input *input, bool client_mode);
void input_key(Input *input, guint scancode, bool pressed);
void input_move(Input *input, guint display, int x, int y, guint buttons);
void input_motion(Input *input, int dx, int dy, guint buttons);
void input_button(Input *input, guint button, bool pressed, guint buttons);
/* Releases every key and button that is pressed. */
void input_release_all(Input *input);
