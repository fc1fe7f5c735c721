# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines: start, stop, watch. `Vm` is for programs that wait, `AsyncVm` for asyncio; `async with` gives the latter."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from . import capi
from .bundle import Bundle
from .config import Config
from .console import Console, Display, Keyboard, Pointer
from .context import Cancel, Context, PathLike, call_async, milliseconds, run_blocking
from .errors import Error, ErrorCode, InvalidState, NotFound, TimedOut
from .host import Host
from .qmp import AsyncQmp, Qmp


class VmState(enum.IntEnum):
    STOPPED = capi.UTM_VM_STATE_STOPPED
    STARTING = capi.UTM_VM_STATE_STARTING
    RUNNING = capi.UTM_VM_STATE_RUNNING
    PAUSING = capi.UTM_VM_STATE_PAUSING
    PAUSED = capi.UTM_VM_STATE_PAUSED
    RESUMING = capi.UTM_VM_STATE_RESUMING
    SAVING = capi.UTM_VM_STATE_SAVING
    RESTORING = capi.UTM_VM_STATE_RESTORING
    STOPPING = capi.UTM_VM_STATE_STOPPING

    def __str__(self) -> str:
        return capi.utm_vm_state_get_name(self)


class StopMethod(enum.IntEnum):
    REQUEST = capi.UTM_VM_STOP_REQUEST
    """Press the power button and leave the rest to the guest."""
    FORCE = capi.UTM_VM_STOP_FORCE
    """Have QEMU quit."""
    KILL = capi.UTM_VM_STOP_KILL
    ESCALATE = capi.UTM_VM_STOP_ESCALATE
    """Request, after its deadline force, after its deadline kill."""


class EndKind(enum.IntEnum):
    GUEST_SHUTDOWN = capi.UTM_END_GUEST_SHUTDOWN
    GUEST_RESET = capi.UTM_END_GUEST_RESET
    GUEST_PANIC = capi.UTM_END_GUEST_PANIC
    QUIT = capi.UTM_END_QUIT
    KILLED = capi.UTM_END_KILLED
    START_FAILED = capi.UTM_END_START_FAILED
    QEMU_EXITED = capi.UTM_END_QEMU_EXITED
    QEMU_SIGNALLED = capi.UTM_END_QEMU_SIGNALLED

    def __str__(self) -> str:
        return capi.utm_end_kind_get_name(self)


class VmEventKind(enum.IntEnum):
    STATE = capi.UTM_VM_EVENT_STATE
    ENDED = capi.UTM_VM_EVENT_ENDED
    QMP = capi.UTM_VM_EVENT_QMP
    WARNING = capi.UTM_VM_EVENT_WARNING
    LOG = capi.UTM_VM_EVENT_LOG

    def __str__(self) -> str:
        return capi.utm_vm_event_kind_get_name(self)


@dataclasses.dataclass(frozen=True)
class VmEvent:
    """An event of a machine."""
    kind: VmEventKind
    state: VmState
    """At the time of the event."""
    old_state: VmState
    """Before a state event."""
    text: str | None
    """Of `QMP` the event's name, of `WARNING` and `LOG` the text."""
    data: dict[str, Any] | None
    """Of `QMP` the event's data."""
    dropped: int
    """Events that were dropped before this one because nobody dispatched."""


@dataclasses.dataclass(frozen=True)
class EndReason:
    """Why a machine ended; `str()` is one line for people."""
    kind: EndKind
    text: str
    qemu_reason: str | None
    exit_status: int
    signal: int
    stderr_tail: str | None
    error: Error | None

    def __str__(self) -> str:
        return self.text


class _Listeners:
    """Who hears of events; what C calls. It does not know the machine, so the two make no circle."""

    def __init__(self) -> None:
        self.all: list[Callable[[VmEvent], None]] = []

    def __call__(self, kind: int, state: int, old_state: int, text: str | None, data: str | None, dropped: int) -> None:
        event = VmEvent(VmEventKind(kind), VmState(state), VmState(old_state), text, json.loads(data) if data else None, dropped)
        for listener in list(self.all):
            listener(event)


class SerialPort:
    """A serial port of a machine, as a terminal: bytes in and out."""

    def __init__(self, handle: Any, index: int) -> None:
        self._c = handle
        self.index = index

    def set_handler(self, handler: Callable[[bytes], None] | None) -> None:
        """Sets who gets what the guest writes. Nothing is lost: while nobody dispatches the guest waits."""
        capi.utm_vm_set_serial_handler(self._c, self.index, handler)

    def hold(self, hold: bool = True) -> None:
        """Has the handler called no more, or with False again. Meanwhile the guest waits when it has written much."""
        capi.utm_vm_serial_hold(self._c, self.index, hold)

    def write(self, data: bytes) -> None:
        capi.utm_vm_serial_write(self._c, self.index, data)


class _Machine:
    """What machines are to both kinds of programs."""

    def __init__(self, bundle: Bundle) -> None:
        self._handle: Any = capi.utm_vm_new(bundle._c)
        self._listeners = _Listeners()
        self._ended: Any = None
        self.bundle = bundle
        self.context: Context = bundle.context
        capi.utm_vm_set_event_handler(self._handle, self._listeners)
        self.context._machines.add(self)

    @property
    def _c(self) -> Any:
        if self._handle is None:
            raise InvalidState(ErrorCode.INVALID_STATE, 0, "the machine is closed")
        return self._handle

    @property
    def config(self) -> Config:
        """A copy of the configuration in use."""
        return Config(capi.utm_vm_get_config(self._c)).copy()

    @property
    def state(self) -> VmState:
        """What QEMU says; events of it may still wait for dispatch."""
        return VmState(capi.utm_vm_get_state(self._c))

    @property
    def pid(self) -> int | None:
        """Of QEMU while it runs."""
        pid = capi.utm_vm_get_pid(self._c)
        return None if pid < 0 else pid

    def _monitor(self) -> Qmp:
        handle = capi.utm_vm_get_qmp(self._c)
        if not handle:
            raise InvalidState(ErrorCode.INVALID_STATE, 0, "the machine does not run")
        return Qmp(handle, self.context)

    @property
    def console(self) -> Console:
        return Console(capi.utm_vm_get_console(self._c), self.context)

    @property
    def display(self) -> Display:
        """The first screen."""
        return self.displays[0]

    @property
    def displays(self) -> list[Display]:
        """A screen for each display of the configuration."""
        found: list[Display] = []
        while handle := capi.utm_vm_get_display(self._c, len(found)):
            found.append(Display(handle, self.context))
        if not found:
            raise NotFound(ErrorCode.NOT_FOUND, 0, "the machine has no display")
        return found

    @property
    def keyboard(self) -> Keyboard:
        return self.console.keyboard

    @property
    def pointer(self) -> Pointer:
        return self.console.pointer

    @property
    def serials(self) -> list[SerialPort]:
        """The serial ports in terminal mode."""
        return [SerialPort(self._c, index) for index in range(capi.utm_vm_get_serial_count(self._c))]

    @property
    def end_reason(self) -> EndReason | None:
        """Why it ended last; also when it is closed."""
        c = self._ended if self._handle is None else capi.utm_vm_get_end_reason(self._handle)
        if not c:
            return None
        return EndReason(EndKind(capi.utm_end_reason_get_kind(c)), capi.utm_end_reason_get_text(c),
                         capi.utm_end_reason_get_qemu_reason(c), capi.utm_end_reason_get_exit_status(c),
                         capi.utm_end_reason_get_signal(c), capi.utm_end_reason_get_stderr_tail(c),
                         capi.utm_end_reason_get_error(c))

    def on_event(self, listener: Callable[[VmEvent], None]) -> Callable[[], None]:
        """Adds who hears of events, while somebody dispatches. Returns what takes it away again."""
        self._listeners.all.append(listener)
        return lambda: self._listeners.all.remove(listener) if listener in self._listeners.all else None

    def close(self) -> None:
        """Lets go of it. A machine that still runs is killed: stop it first."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._listeners.all.clear()
            capi.utm_vm_set_event_handler(handle, None)
            if capi.utm_vm_get_state(handle) != capi.UTM_VM_STATE_STOPPED:
                capi.utm_vm_stop(handle, capi.UTM_VM_STOP_KILL, None)
            self._ended = capi.utm_vm_get_end_reason(handle)


def _start_options(disposable: bool, paused: bool, allow_arguments: bool, timeout: float | None, host: Host | None,
                   taps: Mapping[int, int] | None, cancel: Cancel) -> dict[str, Any]:
    flags = ((capi.UTM_VM_START_DISPOSABLE if disposable else 0) | (capi.UTM_VM_START_PAUSED if paused else 0) |
             (capi.UTM_VM_START_ALLOW_ARGUMENTS if allow_arguments else 0))
    return {"flags": flags, "timeout_ms": milliseconds(timeout), "cancel": cancel._c, "host": host and host._c,
            "network_fds": dict(taps) if taps else None}


def _stop_options(request_timeout: float | None, force_timeout: float | None, cancel: Cancel) -> dict[str, Any]:
    return {"request_timeout_ms": milliseconds(request_timeout), "force_timeout_ms": milliseconds(force_timeout),
            "cancel": cancel._c}


class Vm(_Machine):
    """The controller of one machine.

        with utm.open("Debian.utm") as vm:
            vm.start(disposable=True)
            vm.display.wait_stable().save("screen.png")

    The end of `with` stops a machine that still runs: power button, 30 s for the guest, then force; after an exception at once.
    `async with` gives an `AsyncVm` instead.
    """

    @property
    def qmp(self) -> Qmp:
        """The monitor, while it runs."""
        return self._monitor()

    def start(self, *, disposable: bool = False, paused: bool = False, allow_arguments: bool = False,
              timeout: float | None = 60, host: Host | None = None, taps: Mapping[int, int] | None = None,
              cancel: Cancel | None = None) -> None:
        """Starts it and returns when the guest runs. When that fails nothing is left behind.

        With `disposable` changes to disks are thrown away at the end; `allow_arguments` is for a user who has seen the
        additional ones; `taps` are descriptors of taps by the index of their network.
        """
        cancel = cancel or Cancel()
        options = _start_options(disposable, paused, allow_arguments, timeout, host, taps, cancel)
        run_blocking(lambda: capi.utm_vm_start(self._c, options), cancel)

    def stop(self, method: StopMethod = StopMethod.ESCALATE, *, request_timeout: float | None = 30,
             force_timeout: float | None = 5, cancel: Cancel | None = None) -> EndReason | None:
        """Stops it. Returns why it ended; a `REQUEST` returns when the power button is pressed."""
        cancel = cancel or Cancel()
        options = _stop_options(request_timeout, force_timeout, cancel)
        run_blocking(lambda: capi.utm_vm_stop(self._c, int(method), options), cancel)
        return self.end_reason if self.state == VmState.STOPPED else None

    def pause(self) -> None:
        capi.utm_vm_pause(self._c)

    def resume(self) -> None:
        capi.utm_vm_resume(self._c)

    def reset(self) -> None:
        """As the reset button does."""
        capi.utm_vm_reset(self._c)

    def events(self, timeout: float | None = None) -> Iterator[VmEvent]:
        """Its events as they come, up to that of its end. Dispatches meanwhile; raises `TimedOut` after `timeout` seconds in all."""
        queue: collections.deque[VmEvent] = collections.deque()
        remove = self.on_event(queue.append)
        end = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                while queue:
                    event = queue.popleft()
                    yield event
                    if event.kind == VmEventKind.ENDED:
                        return
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(ErrorCode.TIMEOUT, 0, f"the machine did not end within {timeout} s")
                self.context.wait(left)
        finally:
            remove()

    def wait_until(self, what: str, timeout: float | None = 60) -> None:
        """Waits for `"running"`, `"paused"`, `"stopped"` or another state, or for the first `"picture"`."""
        if what == "picture":
            self.display.wait_frame(0, timeout)
            return
        wanted = VmState[what.upper()]
        end = None if timeout is None else time.monotonic() + timeout
        while self.state != wanted:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimedOut(ErrorCode.TIMEOUT, 0, f"the machine is {self.state}, and not {what} after {timeout} s")
            self.context.wait(0.1 if left is None else min(left, 0.1))

    def __enter__(self) -> Vm:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if self._handle is not None and self.state != VmState.STOPPED:
                self.stop(StopMethod.KILL if kind else StopMethod.ESCALATE)
        finally:
            self.close()

    async def __aenter__(self) -> AsyncVm:
        self._async = AsyncVm(self)
        self.context.attach(asyncio.get_running_loop())
        return self._async

    async def __aexit__(self, kind: object, *_: object) -> None:
        try:
            if self._handle is not None and self.state != VmState.STOPPED:
                await self._async.stop(StopMethod.KILL if kind else StopMethod.ESCALATE)
        finally:
            self.close()

    def __repr__(self) -> str:
        return f"<utm.Vm {self.bundle.path!r}>" if self._handle is None else f"<utm.Vm {self.bundle.path!r} {self.state}>"


class AsyncVm:
    """A machine for asyncio. What is not a coroutine here is that of the `Vm`: `config`, `state`, `display`, `keyboard`, ..."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.vm, name)

    @property
    def qmp(self) -> AsyncQmp:
        return self.vm._monitor().asyncio

    async def start(self, *, disposable: bool = False, paused: bool = False, allow_arguments: bool = False,
                    timeout: float | None = 60, host: Host | None = None, taps: Mapping[int, int] | None = None) -> None:
        """As `Vm.start()`. A task that is cancelled ends the start, and nothing is left of it."""
        cancel = Cancel()
        options = _start_options(disposable, paused, allow_arguments, timeout, host, taps, cancel)
        await call_async(self.vm.context, lambda done: capi.utm_vm_start_async(self.vm._c, options, done), cancel)

    async def stop(self, method: StopMethod = StopMethod.ESCALATE, *, request_timeout: float | None = 30,
                   force_timeout: float | None = 5) -> EndReason | None:
        cancel = Cancel()
        options = _stop_options(request_timeout, force_timeout, cancel)
        await call_async(self.vm.context, lambda done: capi.utm_vm_stop_async(self.vm._c, int(method), options, done), cancel)
        return self.vm.end_reason if self.vm.state == VmState.STOPPED else None

    async def pause(self) -> None:
        await call_async(self.vm.context, lambda done: capi.utm_vm_pause_async(self.vm._c, done))

    async def resume(self) -> None:
        await call_async(self.vm.context, lambda done: capi.utm_vm_resume_async(self.vm._c, done))

    async def reset(self) -> None:
        await call_async(self.vm.context, lambda done: capi.utm_vm_reset_async(self.vm._c, done))

    async def events(self) -> AsyncIterator[VmEvent]:
        """Its events from now on, up to that of its end."""
        queue: collections.deque[VmEvent] = collections.deque()
        ready = asyncio.Event()

        def on_event(event: VmEvent) -> None:
            queue.append(event)
            ready.set()

        remove = self.vm.on_event(on_event)
        self.vm.context.attach(asyncio.get_running_loop())
        try:
            while True:
                while queue:
                    event = queue.popleft()
                    yield event
                    if event.kind == VmEventKind.ENDED:
                        return
                ready.clear()
                await ready.wait()
        finally:
            remove()

    async def serial(self, index: int = 0) -> AsyncIterator[bytes]:
        """What the guest writes to a serial port. Nothing is lost: while the loop is not taken on, the guest waits."""
        chunks: collections.deque[bytes] = collections.deque()
        ready = asyncio.Event()
        port = self.vm.serials[index]

        def on_data(data: bytes) -> None:
            chunks.append(data)
            port.hold(True)
            ready.set()

        self.vm.context.attach(asyncio.get_running_loop())
        port.set_handler(on_data)
        try:
            while True:
                while chunks:
                    yield chunks.popleft()
                ready.clear()
                port.hold(False)
                await ready.wait()
        finally:
            port.hold(False)
            port.set_handler(None)


def open(path: PathLike, context: Context | None = None) -> Vm:  # pylint: disable=redefined-builtin
    """The machine of a package."""
    return Vm(Bundle.open(path, context))
