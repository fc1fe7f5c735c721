/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "input.h"

#include <string.h>

#define SCANCODES 0x200

struct Input {
	SpiceInputsChannel *channel; /* nullable */
	bool client_mode;
	bool pressed[SCANCODES];
	guint buttons;
};

Input *input_new(void)
{
	return g_new0(Input, 1);
}

void input_free(Input *input)
{
	g_clear_object(&input->channel);
	g_free(input);
}

void input_set_channel(Input *input, SpiceInputsChannel *channel)
{
	g_set_object(&input->channel, channel);
	memset(input->pressed, 0, sizeof input->pressed);
	input->buttons = 0;
}

void input_set_client_mode(Input *input, bool client_mode)
{
	input->client_mode = client_mode;
}

void input_key(Input *input, guint scancode, bool pressed)
{
	/* A release without its press would reach the guest as a key of its own. */
	if (!input->channel || scancode >= SCANCODES || (!pressed && !input->pressed[scancode]))
		return;
	input->pressed[scancode] = pressed;
	if (pressed)
		spice_inputs_channel_key_press(input->channel, scancode);
	else
		spice_inputs_channel_key_release(input->channel, scancode);
}

/* The public set has SPICE's bits; single buttons are numbered from 1 in the same order. */
static int spice_button(guint button)
{
	return g_bit_nth_lsf(button, -1) + SPICE_MOUSE_BUTTON_LEFT;
}

void input_move(Input *input, guint display, int x, int y, guint buttons)
{
	if (input->channel && input->client_mode)
		spice_inputs_channel_position(input->channel, x, y, (int)display, (int)buttons);
}

void input_motion(Input *input, int dx, int dy, guint buttons)
{
	if (input->channel && !input->client_mode)
		spice_inputs_channel_motion(input->channel, dx, dy, (int)buttons);
}

void input_button(Input *input, guint button, bool pressed, guint buttons)
{
	if (!input->channel)
		return;
	input->buttons = pressed ? input->buttons | button : input->buttons & ~button;
	if (pressed)
		spice_inputs_channel_button_press(input->channel, spice_button(button), (int)buttons);
	else
		spice_inputs_channel_button_release(input->channel, spice_button(button), (int)buttons);
}

void input_release_all(Input *input)
{
	for (guint code = 0; code < SCANCODES; code++)
		if (input->pressed[code])
			input_key(input, code, false);
	while (input->buttons) {
		guint lowest = input->buttons & -input->buttons;
		input_button(input, lowest, false, input->buttons & ~lowest);
	}
}
