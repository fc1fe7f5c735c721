# SPDX-License-Identifier: LGPL-2.1-or-later
"""The context: the library's thread, its events, its policy; and how Python waits for it."""

from __future__ import annotations

import atexit
import enum
import os
import select
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import capi
from .errors import InvalidState, ErrorCode

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
PathLike = str | bytes | os.PathLike
# What pip installs has its own.
_ENGINE = os.path.join(os.path.dirname(__file__), "utm-console-engine")


class AccelPolicy(enum.IntEnum):
    """Which accelerator machines may use."""
    AUTO = capi.UTM_ACCEL_POLICY_AUTO
    CONFIG = capi.UTM_ACCEL_POLICY_CONFIG
    KVM = capi.UTM_ACCEL_POLICY_KVM
    TCG = capi.UTM_ACCEL_POLICY_TCG


class ArgumentPolicy(enum.IntEnum):
    """What becomes of a configuration's additional arguments, which can do anything that QEMU can."""
    LIST = capi.UTM_ARGUMENT_POLICY_LIST
    ALLOW = capi.UTM_ARGUMENT_POLICY_ALLOW
    REFUSE = capi.UTM_ARGUMENT_POLICY_REFUSE


class LogLevel(enum.IntEnum):
    NONE = capi.UTM_LOG_NONE
    ERROR = capi.UTM_LOG_ERROR
    WARNING = capi.UTM_LOG_WARNING
    INFO = capi.UTM_LOG_INFO
    DEBUG = capi.UTM_LOG_DEBUG


def milliseconds(seconds: float | None) -> int:
    """A time for C: None is no deadline there, as everywhere in Python."""
    return -1 if seconds is None else max(1, round(seconds * 1000))


class Cancel:
    """Stops calls that carry it, from any thread: they raise `Cancelled`. It cannot be undone."""

    def __init__(self) -> None:
        self._c = capi.utm_cancel_new()

    def trigger(self) -> None:
        capi.utm_cancel_trigger(self._c)


class Progress:
    """How far a long call has come; give each its own, and look from any thread."""

    def __init__(self) -> None:
        self._c = capi.utm_progress_new()

    @property
    def bytes(self) -> tuple[int, int]:
        """(done, total); both 0 before the call has begun to work."""
        return capi.utm_progress_get(self._c)


def run_blocking(call: Callable[[], T], cancel: Cancel) -> T:
    """Runs a call that may take long so that Ctrl-C ends it: on the main thread signals are only seen between calls of C."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    result: list[Any] = []

    def work() -> None:
        try:
            result[:] = [call(), None]
        except BaseException as error:  # pylint: disable=broad-except
            result[:] = [None, error]

    worker = threading.Thread(target=work, name="utm-call", daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(3600)
    except BaseException:
        cancel.trigger()
        worker.join()
        raise
    if result[1]:
        raise result[1]
    return result[0]


class Context:
    """Owns the library's thread. Everything else belongs to one.

    Callbacks run where the application dispatches: in `dispatch()`, `wait()`, in what waits by them, such as iterators of
    events; or in an asyncio loop, from the first `await` of something that belongs to the context.
    """

    def __init__(self, *, qemu_dirs: Sequence[PathLike] | None = None, firmware_dirs: Sequence[PathLike] | None = None,
                 runtime_dir: PathLike | None = None, console_engine: PathLike | None = None,
                 accel_policy: AccelPolicy = AccelPolicy.AUTO, argument_policy: ArgumentPolicy = ArgumentPolicy.LIST) -> None:
        if console_engine is None and "UTM_CONSOLE_ENGINE" not in os.environ and os.path.exists(_ENGINE):
            console_engine = _ENGINE
        self._c = capi.utm_context_new({
            "qemu_dirs": qemu_dirs, "firmware_dirs": firmware_dirs, "runtime_dir": runtime_dir,
            "console_engine": console_engine, "accel_policy": int(accel_policy), "argument_policy": int(argument_policy)})
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._machines: weakref.WeakSet[Any] = weakref.WeakSet()
        _contexts.add(self)

    @property
    def handle(self) -> Any:
        """For `utm.capi`."""
        if self._c is None:
            raise InvalidState(ErrorCode.INVALID_STATE, 0, "the context is closed")
        if self._pid != os.getpid():
            raise InvalidState(ErrorCode.INVALID_STATE, 0, "after fork() the child cannot use its parent's context; make one of its own")
        return self._c

    def fileno(self) -> int:
        """Readable when there is something to dispatch; for select, poll and loops of others."""
        return capi.utm_context_get_fd(self.handle)

    def dispatch(self, max_events: int = 0) -> int:
        """Runs callbacks for what is there now; returns how many. Raises what a callback raises."""
        return capi.utm_context_dispatch(self.handle, max_events)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for events, runs their callbacks and returns how many; 0 when `timeout` seconds passed. Ctrl-C ends it."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            ready = select.select([self.fileno()], [], [], left)[0]
            count = self.dispatch() if ready else 0
            if count or not ready:
                return count

    def set_log_handler(self, level: LogLevel, handler: Callable[[LogLevel, str], None] | None) -> None:
        """Sets who hears of what the library has to say, up to `level`."""
        fn = (lambda number, text: handler(LogLevel(number), text)) if handler else None
        capi.utm_context_set_log_handler(self.handle, int(level), fn)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Dispatches in an asyncio loop from now on. What is awaited does it by itself."""
        if self._loop is loop and not loop.is_closed():
            return
        self.detach()
        loop.add_reader(self.fileno(), self.dispatch)
        self._loop = loop

    def detach(self) -> None:
        """Leaves its asyncio loop."""
        loop, self._loop = self._loop, None
        if loop and not loop.is_closed():
            loop.remove_reader(self.fileno())

    def close(self) -> None:
        """Stops the library's thread; machines of it that run are killed. Without it that happens at the end of the program."""
        if self._c is None or self._pid != os.getpid():
            return
        self.detach()
        for machine in list(self._machines):
            machine.close()
        self._c = None

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_contexts: weakref.WeakSet[Context] = weakref.WeakSet()
_default: Context | None = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of what is opened without naming one; made with the first."""
    global _default  # pylint: disable=global-statement
    with _default_lock:
        if _default is None or _default._c is None or _default._pid != os.getpid():
            _default = Context()
        return _default


@atexit.register
def _close_all() -> None:
    for context in list(_contexts):
        context.close()


async def call_async(context: Context, start: Callable[[Callable[..., None]], None], cancel: Cancel | None = None) -> Any:
    """Awaits a function of C that takes a callback: `start(done)` calls it, `done(result, error)` ends it.

    A task that is cancelled triggers `cancel`, and is over when the library has let go of what was begun.
    """
    import asyncio  # pylint: disable=import-outside-toplevel

    loop = asyncio.get_running_loop()
    context.attach(loop)
    future: asyncio.Future[Any] = loop.create_future()

    def done(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)

    start(done)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if cancel:
            cancel.trigger()
            await asyncio.wait([future])
            future.exception()
        raise
