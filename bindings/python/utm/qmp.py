# SPDX-License-Identifier: LGPL-2.1-or-later
"""Monitors: any QEMU's, whoever started it. Every command is a method, every event has its class; see `utm.qmp_types`."""

from __future__ import annotations

import asyncio
import collections
import enum
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from . import _typed, capi
from .context import Cancel, Context, PathLike, call_async, default_context, milliseconds, run_blocking
from .errors import ErrorCode, Error, QmpError, TimedOut
from .qmp_commands import AsyncQmpCommands, QmpCommands


class ConnectFlags(enum.IntFlag):
    NONE = 0
    OOB = capi.UTM_QMP_CONNECT_OOB
    LINES = capi.UTM_QMP_CONNECT_LINES
    REPLAY_UNORDERED = capi.UTM_QMP_CONNECT_REPLAY_UNORDERED
    REPLAY_PACED = capi.UTM_QMP_CONNECT_REPLAY_PACED


def _misfit(misfit: _typed.Misfit) -> Exception:
    return QmpError(ErrorCode.QMP_MALFORMED, 0, misfit.message, misfit.key_path or None, text=str(misfit))


_typed.failure = _misfit


class Event:
    """An event as it came. `typed` is its class of `utm.qmp_types`; `dropped` counts those lost before it."""

    def __init__(self, name: str, data: str | None, timestamp_us: int, dropped: int) -> None:
        self.name = name
        self.json = data
        self.timestamp = timestamp_us / 1e6 if timestamp_us >= 0 else None
        self.dropped = dropped

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.json) if self.json else {}

    @property
    def typed(self) -> _typed.Event:
        """Raises `QmpError` where the data are not of that class."""
        from . import qmp_types  # pylint: disable=import-outside-toplevel
        return qmp_types.event_from_json(self.name, self.json, self.timestamp)

    def __repr__(self) -> str:
        return f"<utm.qmp.Event {self.name} {self.json or ''}>"


class Subscription:
    """Events of some names, from the moment it was made. Collects them for `wait()`, or for iterating; ends with the connection.

    `close()`, or the end of `with`, ends it.
    """

    def __init__(self, qmp: Qmp, names: tuple[str, ...]) -> None:
        self._c = capi.utm_qmp_subscribe(qmp._c, names or None, None)

    def wait(self, timeout: float | None = 30, match: Callable[[Event], bool] | None = None) -> Event:
        """The next event, or the next that `match` is true for; others are passed over. Raises `TimedOut`, or `QmpError` at the
        end of the connection."""
        end = None if timeout is None else time.monotonic() + timeout
        cancel = Cancel()
        while True:
            left = None if end is None else max(0.001, end - time.monotonic())
            options = {"timeout_ms": milliseconds(left), "cancel": cancel._c}
            name, data, timestamp_us, dropped, _ = run_blocking(
                lambda: capi.utm_qmp_subscription_wait(self._c, None, options), cancel)
            event = Event(name, data, timestamp_us, dropped)
            if match is None or match(event):
                return event

    def __iter__(self) -> Iterator[Event]:
        try:
            while True:
                yield self.wait(None)
        except QmpError as error:
            if error.code != ErrorCode.QMP_DISCONNECTED:
                raise

    def close(self) -> None:
        self._c = None

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Qmp(QmpCommands):
    """A monitor connection; any thread may use it.

    `qmp.query_status()` and its sisters are typed. `execute()` sends any command with any arguments.
    """

    def __init__(self, handle: Any, context: Context) -> None:
        self._c = handle
        self.context = context

    @staticmethod
    def _connect(start: Callable[[Any, dict[str, Any]], Any], timeout: float | None, flags: ConnectFlags,
                 record_file: PathLike | None, context: Context | None) -> Qmp:
        ctx, cancel = context or default_context(), Cancel()
        options = {"timeout_ms": milliseconds(timeout), "cancel": cancel._c, "flags": int(flags), "record_file": record_file}
        return Qmp(run_blocking(lambda: start(ctx.handle, options), cancel), ctx)

    @staticmethod
    def connect(path: PathLike, *, timeout: float | None = 30, flags: ConnectFlags = ConnectFlags.NONE,
                record_file: PathLike | None = None, context: Context | None = None) -> Qmp:
        """To a unix socket, of a QEMU started with `-qmp unix:PATH,server=on,wait=off`."""
        return Qmp._connect(lambda c, o: capi.utm_qmp_connect_path(c, path, o), timeout, flags, record_file, context)

    @staticmethod
    def connect_fd(fd: int, *, timeout: float | None = 30, flags: ConnectFlags = ConnectFlags.NONE,
                   record_file: PathLike | None = None, context: Context | None = None) -> Qmp:
        """Over a connected socket, which belongs to the library from now on."""
        return Qmp._connect(lambda c, o: capi.utm_qmp_connect_fd(c, fd, o), timeout, flags, record_file, context)

    @staticmethod
    def connect_tcp(host: str, port: int, *, timeout: float | None = 30, flags: ConnectFlags = ConnectFlags.NONE,
                    record_file: PathLike | None = None, context: Context | None = None) -> Qmp:
        """Over TCP. A monitor gives full control over QEMU to whoever reaches it."""
        return Qmp._connect(lambda c, o: capi.utm_qmp_connect_tcp(c, host, port, o), timeout, flags, record_file, context)

    @staticmethod
    def connect_replay(path: PathLike, *, flags: ConnectFlags = ConnectFlags.NONE, context: Context | None = None) -> Qmp:
        """To a recorded session instead of a QEMU: a double for tests. `check_replay()` at its end."""
        return Qmp._connect(lambda c, o: capi.utm_qmp_connect_replay(c, path, o), 30, flags, None, context)

    def check_replay(self) -> None:
        """Raises when the session was not the recorded one."""
        capi.utm_qmp_check_replay(self._c)

    def record(self, path: PathLike) -> None:
        """Records the session from now on. The file holds secrets when commands or answers do."""
        capi.utm_qmp_record(self._c, path)

    def record_stop(self) -> None:
        capi.utm_qmp_record_stop(self._c)

    def execute(self, command: str, arguments: dict[str, Any] | str | None = None, *, timeout: float | None = None,
                oob: bool = False, force: bool = False, fd: int | None = None) -> Any:
        """Runs any command and returns what QEMU returned. Without a timeout the deadline is that of the command."""
        text = arguments if isinstance(arguments, (str, type(None))) else json.dumps(arguments)
        return json.loads(capi.utm_qmp_execute(self._c, command, text, _call_options(timeout, oob, force, fd)))

    def _execute(self, command: str, arguments: str | None, timeout: float | None) -> str:
        return capi.utm_qmp_execute(self._c, command, arguments, _call_options(timeout))

    async def execute_async(self, command: str, arguments: dict[str, Any] | str | None = None, *, timeout: float | None = None,
                            oob: bool = False, force: bool = False, fd: int | None = None) -> Any:
        text = arguments if isinstance(arguments, (str, type(None))) else json.dumps(arguments)
        return json.loads(await self._execute_async(command, text, timeout, oob, force, fd))

    async def _execute_async(self, command: str, text: str | None, timeout: float | None, oob: bool = False,
                             force: bool = False, fd: int | None = None) -> str:
        cancel = Cancel()
        options = _call_options(timeout, oob, force, fd) or {}
        options["cancel"] = cancel._c
        return await call_async(self.context, lambda done: capi.utm_qmp_execute_async(self._c, command, text, options, done), cancel)

    @property
    def asyncio(self) -> AsyncQmp:
        """The same commands as coroutines."""
        return AsyncQmp(self)

    def has(self, what: str) -> bool:
        """Whether the connected QEMU has a command, argument, event, value or feature, as `blockdev-add.arguments.driver`."""
        return capi.utm_qmp_has(self._c, what, None)

    async def has_async(self, what: str) -> bool:
        return await call_async(self.context, lambda done: capi.utm_qmp_has_async(self._c, what, None, done))

    @property
    def greeting(self) -> dict[str, Any]:
        return json.loads(capi.utm_qmp_get_greeting(self._c))

    @property
    def qemu_version(self) -> tuple[int, int, int]:
        number = capi.utm_qmp_get_qemu_version(self._c)
        return number // 1000000, number // 1000 % 1000, number % 1000

    @property
    def has_oob(self) -> bool:
        return capi.utm_qmp_has_oob(self._c)

    def set_event_handler(self, handler: Callable[[Event | None, Error | None], None] | None) -> None:
        """Sets who hears of all events; and of the connection's end, once, with None and the error."""
        def on_event(name: str | None, data: str | None, timestamp_us: int, dropped: int, error: Error | None) -> None:
            handler(Event(name, data, timestamp_us, dropped) if name else None, error)  # type: ignore[misc]
        capi.utm_qmp_set_event_handler(self._c, on_event if handler else None)

    def subscribe(self, *names: str) -> Subscription:
        """Events by name, or all. In force when this returns: what a command brings about that is sent afterwards is not missed."""
        return Subscription(self, names)

    async def events(self, *names: str) -> AsyncIterator[Event]:
        """Events by name, or all, until the connection ends. They are collected from the first step of the iteration on."""
        queue: collections.deque[Event | None] = collections.deque()
        ready = asyncio.Event()

        def on_event(name: str | None, data: str | None, timestamp_us: int, dropped: int, _: Any) -> None:
            queue.append(Event(name, data, timestamp_us, dropped) if name else None)
            ready.set()

        self.context.attach(asyncio.get_running_loop())
        subscription = capi.utm_qmp_subscribe(self._c, names or None, on_event)
        try:
            while True:
                while queue:
                    event = queue.popleft()
                    if event is None:
                        return
                    yield event
                ready.clear()
                await ready.wait()
        finally:
            del subscription

    def close(self) -> None:
        """Closes the connection for everybody who uses it."""
        capi.utm_qmp_close(self._c)

    def __enter__(self) -> Qmp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _call_options(timeout: float | None, oob: bool = False, force: bool = False, fd: int | None = None) -> dict[str, Any] | None:
    if timeout is None and not oob and not force and fd is None:
        return None
    return {"timeout_ms": 0 if timeout is None else milliseconds(timeout), "fd": fd,
            "flags": (capi.UTM_QMP_CALL_OOB if oob else 0) | (capi.UTM_QMP_CALL_FORCE if force else 0)}


class AsyncQmp(AsyncQmpCommands):
    """A monitor connection whose commands are coroutines."""

    def __init__(self, qmp: Qmp) -> None:
        self.qmp = qmp

    async def _execute(self, command: str, arguments: str | None, timeout: float | None) -> str:
        return await self.qmp._execute_async(command, arguments, timeout)

    async def execute(self, command: str, arguments: dict[str, Any] | str | None = None, **options: Any) -> Any:
        return await self.qmp.execute_async(command, arguments, **options)

    def events(self, *names: str) -> AsyncIterator[Event]:
        return self.qmp.events(*names)


__all__ = ["AsyncQmp", "ConnectFlags", "Event", "Qmp", "Subscription", "TimedOut"]
