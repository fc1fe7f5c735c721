# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guest agents, over their sockets. Every command is a method; see `utm.qga_types`."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any

from . import capi
from .context import Cancel, Context, PathLike, call_async, default_context, milliseconds, run_blocking
from .errors import ErrorCode, TimedOut
from .qga_commands import AsyncQgaCommands, QgaCommands


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a program in the guest ended."""
    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes


class Guest(QgaCommands):
    """A guest agent connection; any thread may use it."""

    def __init__(self, handle: Any, context: Context) -> None:
        self._c = handle
        self.context = context

    @staticmethod
    def connect(path: PathLike, *, timeout: float | None = 30, wait: bool = True, context: Context | None = None) -> Guest:
        """To the agent's unix socket. Without `wait` it does not matter whether the agent runs yet."""
        ctx, cancel = context or default_context(), Cancel()
        options = {"timeout_ms": milliseconds(timeout), "cancel": cancel._c, "flags": 0 if wait else capi.UTM_GUEST_CONNECT_NO_WAIT}
        return Guest(run_blocking(lambda: capi.utm_guest_connect_path(ctx.handle, path, options), cancel), ctx)

    @staticmethod
    def connect_fd(fd: int, *, timeout: float | None = 30, wait: bool = True, context: Context | None = None) -> Guest:
        """Over a connected socket, which belongs to the library from now on."""
        ctx, cancel = context or default_context(), Cancel()
        options = {"timeout_ms": milliseconds(timeout), "cancel": cancel._c, "flags": 0 if wait else capi.UTM_GUEST_CONNECT_NO_WAIT}
        return Guest(run_blocking(lambda: capi.utm_guest_connect_fd(ctx.handle, fd, options), cancel), ctx)

    def sync(self, timeout: float | None = None) -> None:
        """Waits until the agent answers, and what it sent before is passed over."""
        capi.utm_guest_sync(self._c, None if timeout is None else {"timeout_ms": milliseconds(timeout)})

    def execute(self, command: str, arguments: dict[str, Any] | None = None, *, timeout: float | None = None) -> Any:
        """Any command with any arguments."""
        return json.loads(self._execute(command, json.dumps(arguments) if arguments else None, timeout))

    def _execute(self, command: str, arguments: str | None, timeout: float | None) -> str:
        options = None if timeout is None else {"timeout_ms": milliseconds(timeout)}
        return capi.utm_guest_execute(self._c, command, arguments, options)

    async def _execute_async(self, command: str, arguments: str | None, timeout: float | None) -> str:
        cancel = Cancel()
        options = {"timeout_ms": 0 if timeout is None else milliseconds(timeout), "cancel": cancel._c}
        return await call_async(self.context, lambda done: capi.utm_guest_execute_async(self._c, command, arguments, options, done),
                                cancel)

    @property
    def asyncio(self) -> AsyncGuest:
        """The same commands as coroutines."""
        return AsyncGuest(self)

    def run(self, command: Sequence[str], *, input: bytes | None = None, timeout: float | None = 60) -> Ended:
        """Runs a program in the guest and waits for its end."""
        end = None if timeout is None else time.monotonic() + timeout
        arguments: dict[str, Any] = {"path": command[0], "arg": list(command[1:]), "capture-output": True}
        if input is not None:
            arguments["input-data"] = base64.b64encode(input).decode()
        pid, pause = self.execute("guest-exec", arguments)["pid"], 0.01
        while not (status := self.execute("guest-exec-status", {"pid": pid}))["exited"]:
            if end is not None and time.monotonic() > end:
                raise TimedOut(ErrorCode.TIMEOUT, 0, f"{command[0]} in the guest took longer than {timeout} s; it still runs")
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
        return Ended(status.get("exitcode"), status.get("signal"), base64.b64decode(status.get("out-data", "")),
                     base64.b64decode(status.get("err-data", "")))

    def close(self) -> None:
        capi.utm_guest_close(self._c)

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncGuest(AsyncQgaCommands):
    """A guest agent connection whose commands are coroutines."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    async def _execute(self, command: str, arguments: str | None, timeout: float | None) -> str:
        return await self.guest._execute_async(command, arguments, timeout)
