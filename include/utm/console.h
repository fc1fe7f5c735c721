/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file console.h
 * What a person sees and touches: a connection to a SPICE server, its displays and its input devices.
 *
 * The connection is served by an engine in a helper process, so that no SPICE code and no foreign GLib main context
 * runs in the application. If the engine dies, an event says so and it is started again, at most three times in ten
 * seconds; displays keep their last picture meanwhile.
 */
#ifndef UTM_CONSOLE_H
#define UTM_CONSOLE_H

#include <utm/context.h>
#include <utm/display.h>

UTM_BEGIN_DECLS

/**
 * Where a console is. That of a machine is idle until the first start, connecting as soon as a start begins, and closed
 * after each end; without displays in the configuration it stays idle.
 */
typedef enum UtmConsoleState {
	UTM_CONSOLE_STATE_CONNECTING = 0,
	UTM_CONSOLE_STATE_CONNECTED = 1,
	/** The engine ended and is being started again. */
	UTM_CONSOLE_STATE_RECONNECTING = 2,
	/** Over: the server closed the connection, the console was closed, or the engine cannot be kept alive. */
	UTM_CONSOLE_STATE_CLOSED = 3,
	/** Nothing to connect to yet: the machine was never started. */
	UTM_CONSOLE_STATE_IDLE = 4
} UtmConsoleState;

/** What an event of a console tells. */
typedef enum UtmConsoleEventKind {
	/** The state changed. */
	UTM_CONSOLE_EVENT_STATE = 1,
	/** The engine process ended by itself; @a error says how. A state event follows. */
	UTM_CONSOLE_EVENT_ENGINE_LOST = 2,
	/** A display has got a picture for the first time, or again, or has changed its size; @a display is its number. */
	UTM_CONSOLE_EVENT_DISPLAY_SHOWN = 3,
	/** A display has no picture any more. */
	UTM_CONSOLE_EVENT_DISPLAY_HIDDEN = 4,
	/** The guest takes keys and pointer from now on. */
	UTM_CONSOLE_EVENT_INPUT_READY = 5,
	/** Where the pointer's position comes from changed, see utm_console_get_pointer_mode(). */
	UTM_CONSOLE_EVENT_POINTER_MODE = 6
} UtmConsoleEventKind;

/** An event of a console. Valid during the callback. */
typedef struct UtmConsoleEvent {
	/** sizeof(UtmConsoleEvent) of the library */
	size_t size;
	/** A #UtmConsoleEventKind. */
	uint32_t kind;
	/** A #UtmConsoleState. */
	uint32_t state;
	/** Which display, where it is about one. */
	uint32_t display;
	/** Zero. */
	uint32_t reserved;
	/** (nullable) */
	const UtmError *error;
} UtmConsoleEvent;

/** Options of utm_console_connect_path(). Initialise with #UTM_CONSOLE_OPTIONS_INIT. */
typedef struct UtmConsoleOptions {
	/** sizeof(UtmConsoleOptions) */
	size_t size;
	/** Until the server has answered, milliseconds; 0 for 15 s, -1 for ever. */
	int64_t timeout_ms;
	/** (nullable) */
	UtmCancel *cancel;
	/** Password of the server's ticket. (nullable) */
	const char *password;
} UtmConsoleOptions;

#define UTM_CONSOLE_OPTIONS_INIT                                                                                     \
	{                                                                                                            \
		sizeof(UtmConsoleOptions), 0, NULL, NULL                                                             \
	}

/** Runs inside dispatch. */
typedef void (*UtmConsoleEventFunc)(UtmConsole *console, const UtmConsoleEvent *event, void *user_data);

/**
 * Connects to a SPICE server's unix socket, no matter who started the server.
 *
 * @param[in]  options      (nullable)
 * @param[out] ret_console  (transfer full) release with utm_console_unref()
 * @return 0; #UTM_ERROR_CONSOLE_ENGINE, #UTM_ERROR_CONSOLE_CONNECT, #UTM_ERROR_TIMEOUT, #UTM_ERROR_CANCELLED
 * @thread any but the wakeup callback; blocks
 */
UTM_API UTM_MUST_CHECK int utm_console_connect_path(UtmContext *ctx, const char *path, const UtmConsoleOptions *options,
                                                    UtmConsole **ret_console, UtmError **error);
/** Takes another reference. @return @a console @thread any */
UTM_API UtmConsole *utm_console_ref(UtmConsole *console);
/** Gives a reference back; the last one closes the console. @param[in] console (nullable) @thread any */
UTM_API void utm_console_unref(UtmConsole *console);
/** Closes the connection and ends the engine. Frames that were acquired stay valid. @thread any; does not block */
UTM_API void utm_console_close(UtmConsole *console);
/** @return a #UtmConsoleState @thread any */
UTM_API uint32_t utm_console_get_state(UtmConsole *console);
/** Name of a state, such as `connected`. @return NULL for no state @thread any */
UTM_API const char *utm_console_state_get_name(uint32_t state);
/** Name of an event's kind, such as `display-shown`. @return NULL for no kind @thread any */
UTM_API const char *utm_console_event_kind_get_name(uint32_t kind);
/** Process id of the engine, or -1. For diagnosis. @thread any */
UTM_API int64_t utm_console_get_engine_pid(UtmConsole *console);
/** Sets who hears of events. The present state is told at once. @param[in] fn (nullable) @return 0 @thread any */
UTM_API int utm_console_set_event_handler(UtmConsole *console, UtmConsoleEventFunc fn, void *user_data,
                                          UtmFreeFunc free_fn);
/**
 * A display of the server, by the number of its SPICE channel. It need not show anything yet.
 *
 * @param[in] index  0 to 15
 * @return valid as long as @a console; NULL beyond 15 @thread any
 */
UTM_API UtmDisplay *utm_console_get_display(UtmConsole *console, uint32_t index);

/** @name Input */
/**@{*/

/** Buttons of a pointer, as a set. */
typedef enum UtmPointerButtons {
	UTM_POINTER_LEFT = 1u << 0,
	UTM_POINTER_MIDDLE = 1u << 1,
	UTM_POINTER_RIGHT = 1u << 2,
	UTM_POINTER_WHEEL_UP = 1u << 3,
	UTM_POINTER_WHEEL_DOWN = 1u << 4,
	UTM_POINTER_SIDE = 1u << 5,
	UTM_POINTER_EXTRA = 1u << 6
} UtmPointerButtons;

/** Where the pointer's position comes from. */
typedef enum UtmPointerMode {
	/** The guest moves it by relative motion. */
	UTM_POINTER_MODE_SERVER = 0,
	/** The application says where it is: an absolute device such as a USB tablet. */
	UTM_POINTER_MODE_CLIENT = 1
} UtmPointerMode;

/**
 * Presses or releases a key. What is still pressed is released when the console closes.
 *
 * @param[in] scancode  PC AT set 1 code, 1 to 0x7f; codes with the prefix E0 as 0x100 + code.
 * @return 0; #UTM_ERROR_INVALID_ARGUMENT; #UTM_ERROR_INVALID_STATE while the console is not connected
 * @thread any; does not block
 */
UTM_API int utm_console_send_key(UtmConsole *console, uint32_t scancode, bool pressed, UtmError **error);
/**
 * Moves the pointer to a position. Has an effect in #UTM_POINTER_MODE_CLIENT only.
 *
 * @param[in] x, y     Pixels of that display, not negative.
 * @param[in] buttons  #UtmPointerButtons that are pressed.
 * @return as utm_console_send_key(); #UTM_ERROR_NOT_FOUND when that display does not exist, or shows nothing now
 * @thread any; does not block
 */
UTM_API int utm_console_move_pointer(UtmConsole *console, uint32_t display, int32_t x, int32_t y, uint32_t buttons,
                                     UtmError **error);
/**
 * Moves the pointer by a distance. Has an effect in #UTM_POINTER_MODE_SERVER only.
 *
 * @return as utm_console_send_key() @thread any; does not block
 */
UTM_API int utm_console_move_pointer_by(UtmConsole *console, int32_t dx, int32_t dy, uint32_t buttons,
                                        UtmError **error);
/**
 * Presses or releases one pointer button.
 *
 * @param[in] button   One of #UtmPointerButtons.
 * @param[in] buttons  All that are pressed, after this.
 * @return as utm_console_send_key() @thread any; does not block
 */
UTM_API int utm_console_send_button(UtmConsole *console, uint32_t button, bool pressed, uint32_t buttons,
                                    UtmError **error);
/** @return a #UtmPointerMode @thread any */
UTM_API uint32_t utm_console_get_pointer_mode(UtmConsole *console);
/**@}*/

UTM_END_DECLS

#endif
