# SPDX-License-Identifier: LGPL-2.1-or-later
"""Screens, keyboard and pointer: of a machine, or of any SPICE server."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from . import capi
from .context import Cancel, Context, PathLike, default_context, milliseconds, run_blocking
from .errors import Error, ErrorCode, TimedOut


class ConsoleState(enum.IntEnum):
    CONNECTING = capi.UTM_CONSOLE_STATE_CONNECTING
    CONNECTED = capi.UTM_CONSOLE_STATE_CONNECTED
    RECONNECTING = capi.UTM_CONSOLE_STATE_RECONNECTING
    CLOSED = capi.UTM_CONSOLE_STATE_CLOSED
    IDLE = capi.UTM_CONSOLE_STATE_IDLE

    def __str__(self) -> str:
        return capi.utm_console_state_get_name(self)


class ConsoleEventKind(enum.IntEnum):
    STATE = capi.UTM_CONSOLE_EVENT_STATE
    ENGINE_LOST = capi.UTM_CONSOLE_EVENT_ENGINE_LOST
    DISPLAY_SHOWN = capi.UTM_CONSOLE_EVENT_DISPLAY_SHOWN
    DISPLAY_HIDDEN = capi.UTM_CONSOLE_EVENT_DISPLAY_HIDDEN
    INPUT_READY = capi.UTM_CONSOLE_EVENT_INPUT_READY
    POINTER_MODE = capi.UTM_CONSOLE_EVENT_POINTER_MODE

    def __str__(self) -> str:
        return capi.utm_console_event_kind_get_name(self)


class Buttons(enum.IntFlag):
    NONE = 0
    LEFT = capi.UTM_POINTER_LEFT
    MIDDLE = capi.UTM_POINTER_MIDDLE
    RIGHT = capi.UTM_POINTER_RIGHT
    WHEEL_UP = capi.UTM_POINTER_WHEEL_UP
    WHEEL_DOWN = capi.UTM_POINTER_WHEEL_DOWN
    SIDE = capi.UTM_POINTER_SIDE
    EXTRA = capi.UTM_POINTER_EXTRA


class PointerMode(enum.IntEnum):
    SERVER = capi.UTM_POINTER_MODE_SERVER
    """The guest moves it by relative motion: `move_by()`."""
    CLIENT = capi.UTM_POINTER_MODE_CLIENT
    """The application says where it is: `move()`."""


@dataclasses.dataclass(frozen=True)
class ConsoleEvent:
    kind: ConsoleEventKind
    state: ConsoleState
    display: int
    error: Error | None


class Frame(capi.FrameBuffer):
    """One immutable picture. `memoryview(frame)` and `numpy.asarray(frame)` are its pixels: height x width x 4 bytes, in the order
    blue, green, red, unused; they are the shared memory itself, and stay as long as anybody looks at them."""

    def __init__(self, handle: Any) -> None:
        self._c = handle
        info = capi.utm_frame_get_info(handle)
        self.width: int = info.width
        self.height: int = info.height
        self.stride: int = info.stride_bytes
        """Bytes from one row to the next."""
        self.fourcc: str = info.fourcc.to_bytes(4, "little").decode("latin-1")
        """The format of a pixel by its DRM name, `XR24`."""
        self.serial: int = info.serial
        """Counts the pictures of a display."""
        self.time: float = info.time_ns / 1e9
        """When it was complete: seconds on the monotonic clock."""
        self.damage: list[tuple[int, int, int, int]] = info.list_damage()
        """What may differ from the picture before: (x, y, width, height); empty means everything."""

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """(red, green, blue)."""
        pixels: Any = memoryview(self)  # type: ignore[arg-type]  # before 3.12 no type tells that it is a buffer
        blue, green, red = (pixels[y, x, channel] for channel in range(3))
        return red, green, blue

    def png(self) -> bytes:
        return capi.utm_frame_encode_png(self._c)

    def save(self, path: PathLike) -> None:
        """Writes it as PNG."""
        capi.utm_frame_save_png(self._c, path)

    def __repr__(self) -> str:
        return f"<utm.Frame {self.width}x{self.height} serial {self.serial}>"


class Display:
    """One screen."""

    def __init__(self, handle: Any, context: Context) -> None:
        self._c = handle
        self.context = context

    @property
    def index(self) -> int:
        return capi.utm_display_get_index(self._c)

    def frame(self) -> Frame | None:
        """The newest picture, if there is one."""
        handle = capi.utm_display_acquire_frame(self._c)
        return Frame(handle) if handle else None

    def wait_frame(self, after: int = 0, timeout: float | None = 30) -> Frame:
        """The newest picture whose serial is above `after`. Raises `TimedOut`."""
        cancel = Cancel()
        return Frame(run_blocking(lambda: capi.utm_display_wait_frame(self._c, after, milliseconds(timeout), cancel._c), cancel))

    def wait_stable(self, quiet: float = 0.5, timeout: float | None = 30) -> Frame:
        """The picture that has not changed for `quiet` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        frame = self.wait_frame(0, timeout)
        while end is None or time.monotonic() + quiet <= end:
            try:
                frame = self.wait_frame(frame.serial, quiet)
            except TimedOut:
                return frame
        raise self._restless(quiet, timeout)

    @staticmethod
    def _restless(quiet: float, timeout: float | None) -> TimedOut:
        return TimedOut(capi.UTM_ERROR_TIMEOUT, 0, f"the picture did not stand still for {quiet} s within {timeout} s")

    async def wait_frame_async(self, after: int = 0, timeout: float | None = 30) -> Frame:
        """As `wait_frame()`, beside an asyncio loop."""
        cancel = Cancel()
        try:
            return Frame(await asyncio.to_thread(capi.utm_display_wait_frame, self._c, after, milliseconds(timeout), cancel._c))
        except asyncio.CancelledError:
            cancel.trigger()
            raise

    async def wait_stable_async(self, quiet: float = 0.5, timeout: float | None = 30) -> Frame:
        """As `wait_stable()`, beside an asyncio loop."""
        end = None if timeout is None else time.monotonic() + timeout
        frame = await self.wait_frame_async(0, timeout)
        while end is None or time.monotonic() + quiet <= end:
            try:
                frame = await self.wait_frame_async(frame.serial, quiet)
            except TimedOut:
                return frame
        raise self._restless(quiet, timeout)

    def wait_until(self, matches: Callable[[Frame], bool], timeout: float | None = 30) -> Frame:
        """The first picture that `matches` is true for."""
        end = None if timeout is None else time.monotonic() + timeout
        frame = self.wait_frame(0, timeout)
        while not matches(frame):
            frame = self.wait_frame(frame.serial, None if end is None else max(0.001, end - time.monotonic()))
        return frame

    def save_screenshot(self, path: PathLike, timeout: float | None = 30) -> None:
        """Writes the newest picture as PNG; waits for the first."""
        capi.utm_display_save_screenshot(self._c, path, milliseconds(timeout))

    def set_frame_handler(self, handler: Callable[[], None] | None) -> None:
        """Sets who hears that there is a new picture; `frame()` is it. Pictures that nobody takes are passed over."""
        capi.utm_display_set_frame_handler(self._c, handler)

    def frames(self) -> FrameStream:
        """New pictures, the latest each time: `for frame in`, or `async for frame in`. Takes the display's one handler."""
        return FrameStream(self)


class FrameStream:
    """The pictures of a display, as they come; those that the loop is too slow for are passed over."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def __iter__(self) -> Iterator[Frame]:
        serial = 0
        while True:
            frame = self._display.wait_frame(serial, None)
            serial = frame.serial
            yield frame

    async def __aiter__(self) -> AsyncIterator[Frame]:
        display, ready, serial = self._display, asyncio.Event(), 0
        display.context.attach(asyncio.get_running_loop())
        display.set_frame_handler(ready.set)
        try:
            while True:
                ready.clear()
                frame = display.frame()
                if frame and frame.serial > serial:
                    serial = frame.serial
                    yield frame
                else:
                    await ready.wait()
        finally:
            display.set_frame_handler(None)


# Set 1 codes of a keyboard with the layout of the United States, row by row; the upper row of each pair is with shift.
_ROWS = ((0x02, "1234567890-=", "!@#$%^&*()_+"), (0x10, "qwertyuiop[]", "QWERTYUIOP{}"), (0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
         (0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"), (0x39, " ", " "), (0x1c, "\n", "\n"), (0x0f, "\t", "\t"), (0x01, "\x1b", "\x1b"),
         (0x0e, "\b", "\b"))
_KEYS = {character: (first + place, shifted is row)
         for first, plain, shifted in _ROWS for row in (shifted, plain) for place, character in enumerate(row)}
SHIFT = 0x2a


class Keyboard:
    """Keys by their PC AT set 1 codes: 1 to 0x7f, those with the prefix E0 as 0x100 + code."""

    def __init__(self, console: Any) -> None:
        self._c = console

    def press(self, code: int) -> None:
        capi.utm_console_send_key(self._c, code, True)

    def release(self, code: int) -> None:
        capi.utm_console_send_key(self._c, code, False)

    def tap(self, *codes: int) -> None:
        """Presses keys together, and releases them."""
        for code in codes:
            self.press(code)
        for code in reversed(codes):
            self.release(code)

    def type(self, text: str, pause: float = 0.01) -> None:
        """Types a text on a keyboard with the layout of the United States, which the guest must be set to."""
        for character in text:
            if character not in _KEYS:
                raise ValueError(f"{character!r} is on no key of a United States keyboard")
        for character in text:
            code, shifted = _KEYS[character]
            self.tap(*((SHIFT, code) if shifted else (code,)))
            time.sleep(pause)


class Pointer:
    """Mouse or tablet."""

    def __init__(self, console: Any) -> None:
        self._c = console

    @property
    def mode(self) -> PointerMode:
        return PointerMode(capi.utm_console_get_pointer_mode(self._c))

    def move(self, x: int, y: int, buttons: Buttons = Buttons.NONE, display: int = 0) -> None:
        """To a place, in pixels of a display; with an effect in `PointerMode.CLIENT` only."""
        capi.utm_console_move_pointer(self._c, display, x, y, int(buttons))

    def move_by(self, dx: int, dy: int, buttons: Buttons = Buttons.NONE) -> None:
        """By a distance; with an effect in `PointerMode.SERVER` only."""
        capi.utm_console_move_pointer_by(self._c, dx, dy, int(buttons))

    def button(self, button: Buttons, pressed: bool, buttons: Buttons = Buttons.NONE) -> None:
        """Presses or releases one; `buttons` are all that are pressed then."""
        capi.utm_console_send_button(self._c, int(button), pressed, int(buttons))

    def click(self, button: Buttons = Buttons.LEFT) -> None:
        self.button(button, True, button)
        self.button(button, False)


class Console:
    """A connection to a machine's screens and input devices."""

    def __init__(self, handle: Any, context: Context) -> None:
        self._c = handle
        self.context = context
        self.keyboard = Keyboard(handle)
        self.pointer = Pointer(handle)

    @staticmethod
    def connect(path: PathLike, *, password: str | None = None, timeout: float | None = 15, context: Context | None = None) -> Console:
        """To a SPICE server's unix socket, no matter who started it."""
        ctx, cancel = context or default_context(), Cancel()
        options = {"timeout_ms": milliseconds(timeout), "cancel": cancel._c, "password": password}
        return Console(run_blocking(lambda: capi.utm_console_connect_path(ctx.handle, path, options), cancel), ctx)

    @property
    def state(self) -> ConsoleState:
        return ConsoleState(capi.utm_console_get_state(self._c))

    @property
    def engine_pid(self) -> int | None:
        pid = capi.utm_console_get_engine_pid(self._c)
        return None if pid < 0 else pid

    def display(self, index: int = 0) -> Display | None:
        handle = capi.utm_console_get_display(self._c, index)
        return Display(handle, self.context) if handle else None

    def set_event_handler(self, handler: Callable[[ConsoleEvent], None] | None) -> None:
        """Sets who hears of events; the present state is told at once."""
        def on_event(kind: int, state: int, display: int, error: Error | None) -> None:
            handler(ConsoleEvent(ConsoleEventKind(kind), ConsoleState(state), display, error))  # type: ignore[misc]
        capi.utm_console_set_event_handler(self._c, on_event if handler else None)

    def close(self) -> None:
        capi.utm_console_close(self._c)

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
