/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and pointer: checked here, then on their way to the engine. Nobody waits for them. */
#include "console/console-impl.h"

#define ALL_BUTTONS 0x7fu

typedef struct Post {
	UtmConsole *console;
	UtmMessage message;
} Post;

static void post_on_io_thread(void *data)
{
	Post *post = data;
	if (post->console->helper)
		utm__helper_send(post->console->helper, &post->message);
	utm__object_release(&post->console->object);
	g_free(post);
}

static int check_connected(UtmConsole *console, UtmError **error)
{
	if (!console)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "console must not be NULL");
	uint32_t state = utm_console_get_state(console);
	if (state != UTM_CONSOLE_STATE_CONNECTED)
		return utm__fail(error, UTM_ERROR_INVALID_STATE, "the console is %s, not connected",
		                 utm_console_state_get_name(state));
	return 0;
}

static int post(UtmConsole *console, const UtmMessage *message, UtmError **error)
{
	int failed = check_connected(console, error);
	if (failed)
		return failed;
	Post *work = g_new(Post, 1);
	work->console = console;
	work->message = *message;
	utm__object_hold(&console->object);
	utm__context_invoke(console->object.context, post_on_io_thread, work);
	return 0;
}

int utm_console_send_key(UtmConsole *console, uint32_t scancode, bool pressed, UtmError **error)
{
	uint32_t code = scancode & 0xffu;
	if (scancode >= 0x200 || code == 0 || code > 0x7f)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "scancode 0x%x is none: 1 to 0x7f, or 0x100 more after E0",
		                 scancode);
	UtmMessage message = { .kind = UTM_MESSAGE_KEY };
	message.key.scancode = scancode;
	message.key.pressed = pressed;
	return post(console, &message, error);
}

static int post_pointer(UtmConsole *console, UtmMessageKind kind, uint32_t display, int32_t x, int32_t y,
                        uint32_t buttons, UtmError **error)
{
	if (buttons & ~ALL_BUTTONS)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "buttons 0x%x do not exist", buttons & ~ALL_BUTTONS);
	UtmMessage message = { .kind = kind, .display = display };
	message.pointer.x = x;
	message.pointer.y = y;
	message.pointer.buttons = buttons;
	return post(console, &message, error);
}

int utm_console_move_pointer(UtmConsole *console, uint32_t display, int32_t x, int32_t y, uint32_t buttons,
                             UtmError **error)
{
	if (x < 0 || y < 0)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "the position %d, %d is nowhere", x, y);
	int failed = check_connected(console, error);
	if (failed)
		return failed;
	/* Whether it exists is known by what it shows; without a picture there are no positions either. */
	UtmDisplay *there = utm_console_get_display(console, display);
	if (!there || !utm__display_is_shown(there))
		return utm__fail(error, UTM_ERROR_NOT_FOUND, "display %u does not exist, or shows nothing", display);
	return post_pointer(console, UTM_MESSAGE_MOVE, display, x, y, buttons, error);
}

int utm_console_move_pointer_by(UtmConsole *console, int32_t dx, int32_t dy, uint32_t buttons, UtmError **error)
{
	return post_pointer(console, UTM_MESSAGE_MOTION, 0, dx, dy, buttons, error);
}

int utm_console_send_button(UtmConsole *console, uint32_t button, bool pressed, uint32_t buttons, UtmError **error)
{
	if (button == 0 || button & (button - 1) || button & ~ALL_BUTTONS || buttons & ~ALL_BUTTONS)
		return utm__fail(error, UTM_ERROR_INVALID_ARGUMENT, "button 0x%x of 0x%x does not exist", button, buttons);
	UtmMessage message = { .kind = UTM_MESSAGE_BUTTON };
	message.button.button = button;
	message.button.pressed = pressed;
	message.button.buttons = buttons;
	return post(console, &message, error);
}
