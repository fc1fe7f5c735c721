# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import threading
import time

import utm
from common import check, context, demo, qemu_processes, raises, run_all, run_script, running, same


def a_token():
    """a token ends a call of another thread"""
    with running() as vm:
        cancel = utm.Cancel()
        threading.Timer(0.2, cancel.trigger).start()
        began = time.monotonic()
        raises(utm.Cancelled, lambda: vm.stop(utm.StopMethod.ESCALATE, request_timeout=60, cancel=cancel))
        check(time.monotonic() - began < 20, "at once")
        raises(utm.Cancelled, lambda: vm.stop(cancel=cancel))
        vm.stop(utm.StopMethod.KILL)


def a_task():
    """a task that is cancelled cancels its call, and leaves nothing"""
    async def main():
        with context() as ctx:
            async with utm.open(demo(), ctx) as vm:
                task = asyncio.create_task(vm.start(disposable=True))
                await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    pass
                same(vm.state, utm.VmState.STOPPED, "state")
    asyncio.run(asyncio.wait_for(main(), 30))
    same(qemu_processes(), [], "what is left")


def control_c():
    """Ctrl-C ends a call that waits, and the interpreter goes on"""
    done = run_script("import os, signal, sys, threading, time, utm\n"
                      "ctx = utm.Context(accel_policy=utm.AccelPolicy.TCG)\n"
                      "with utm.open(sys.argv[1], ctx) as vm:\n"
                      "    vm.start(disposable=True)\n"
                      "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
                      "    began = time.monotonic()\n"
                      "    try:\n"
                      "        vm.display.wait_frame(1 << 60, None)\n"
                      "    except KeyboardInterrupt:\n"
                      "        print('interrupted', time.monotonic() - began < 20)\n"
                      "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
                      "    try:\n"
                      "        while True: ctx.wait(None)\n"
                      "    except KeyboardInterrupt:\n"
                      "        print('interrupted')\n"
                      "    vm.stop(utm.StopMethod.KILL)\n"
                      "print(vm)\n", demo())
    same((done.returncode, done.stdout.splitlines()[:2]), (0, ["interrupted True", "interrupted"]), done.stderr)


def a_deadline():
    """a deadline ends a call"""
    with running(paused=True) as vm:
        error = raises(utm.TimedOut, vm.display.wait_frame, 1 << 60, 0.05)
        check(isinstance(error, TimeoutError), "Python's own, too")
        raises(utm.Error, lambda: vm.start(timeout=0.001))
        vm.stop(utm.StopMethod.KILL)


run_all([a_token, a_task, control_c, a_deadline])
