# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import gc
import resource
import threading
import weakref

import utm
from common import check, context, demo, qemu_processes, run_all, run_script, running, same


def ten_thousand_frames():
    """10,000 frames and their views take no memory that stays"""
    with running() as vm:
        vm.display.wait_frame()
        before = 0
        for number in range(10000):
            frame = vm.display.frame()
            check(memoryview(frame)[0, 0, 0] >= 0, "a pixel")
            if number == 2000:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        check(grown < 16384, f"{grown} KiB more")
        vm.stop(utm.StopMethod.KILL)


def dropped_in_callbacks():
    """handlers may drop themselves and what called them"""
    with context() as ctx:
        vm = utm.open(demo(), ctx)
        vm.start(disposable=True)
        display, dropped = vm.display, []

        def on_frame():
            display.set_frame_handler(None)
            dropped.append(display.frame())

        display.set_frame_handler(on_frame)
        kept = [vm]
        vm.on_event(lambda event: kept.clear() if event.kind == utm.VmEventKind.ENDED else None)
        while not dropped:
            check(ctx.wait(20), "a picture")
        vm.stop(utm.StopMethod.KILL)
        del vm
        while kept:
            check(ctx.wait(10), "the end")


def dropped_with_work_pending():
    """what is pending when its owner goes ends once, or not at all"""
    ended = []
    for _ in range(20):
        with context() as ctx, utm.open(demo(), ctx) as vm:
            vm.start(disposable=True)
            done = ended.append
            for _ in range(50):
                utm.capi.utm_qmp_execute_async(vm.qmp._c, "query-status", None, None, lambda reply, error: done(error))
            gone = weakref.ref(done) if hasattr(done, "__weakref__") else None
            vm.stop(utm.StopMethod.KILL)
            del gone
    gc.collect()
    check(len(ended) <= 1000, str(len(ended)))


def a_loop_that_ends_first():
    """a loop may end while things are awaited"""
    async def main(ctx):
        vm = utm.open(demo(), ctx)
        async with vm as machine:
            await machine.start(disposable=True)
            machine.waiting = asyncio.create_task(machine.qmp.query_status())
            await machine.stop(utm.StopMethod.KILL)
            await asyncio.gather(machine.waiting, return_exceptions=True)
            machine.left = asyncio.ensure_future(asyncio.sleep(3600))
    with context() as ctx:
        asyncio.run(main(ctx))
        asyncio.run(main(ctx))


def many_threads():
    """threads share a context"""
    with running() as vm:
        errors = []

        def work():
            try:
                for _ in range(100):
                    vm.qmp.query_status()
                    vm.display.frame()
                    same(vm.state, utm.VmState.RUNNING, "state")
            except BaseException as error:  # pylint: disable=broad-except
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            vm.context.wait(0.02)
        same(errors, [], "errors")
        vm.stop(utm.StopMethod.KILL)


def exit_while_running():
    """an interpreter that ends with a machine running ends well, and the machine with it"""
    for more in ("", "vm.on_event(print)\nvm.display.set_frame_handler(lambda: vm)\n",
                 "import threading\nthreading.Thread(target=ctx.wait, daemon=True).start()\n",
                 "utm.capi.utm_qmp_execute_async(vm.qmp._c, 'query-status', None, None, print)\n"):
        done = run_script("import sys, utm\nctx = utm.Context(accel_policy=utm.AccelPolicy.TCG)\n"
                          "vm = utm.open(sys.argv[1], ctx)\nvm.start(disposable=True)\n" + more + "print('end')\n", demo())
        same((done.returncode, done.stdout.splitlines()[-1:], done.stderr), (0, ["end"], ""), more)
    same(qemu_processes(), [], "what is left")


run_all([ten_thousand_frames, dropped_in_callbacks, dropped_with_work_pending, a_loop_that_ends_first, many_threads,
         exit_while_running])
