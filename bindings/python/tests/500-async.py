# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio

import utm
from utm import qmp_types
from common import WORK, check, context, demo, raises, run_all, same


def with_loop(test):
    def run():
        asyncio.run(asyncio.wait_for(test(), 60))
    run.__doc__ = test.__doc__
    return run


@with_loop
async def a_machine():
    """start, commands, pictures, events and stop are awaited"""
    with context() as ctx:
        async with utm.open(demo(), ctx) as vm:
            events = []

            async def collect():
                async for event in vm.events():
                    events.append(event)

            collecting = asyncio.create_task(collect())
            await vm.start(disposable=True)
            status, version = await asyncio.gather(vm.qmp.query_status(), vm.qmp.query_version())
            same((status.running, version.qemu.major >= 7), (True, True), "at the same time")
            check((await vm.display.wait_frame_async()).serial > 0, "waited for")
            serials = []
            async for frame in vm.display.frames():
                serials.append(frame.serial)
                if len(serials) == 3:
                    break
            check(serials == sorted(set(serials)), str(serials))
            await vm.pause()
            await vm.resume()
            reason = await vm.stop(utm.StopMethod.FORCE)
            same(reason.kind, utm.EndKind.QUIT, "end")
            await collecting
            same(events[-1].kind, utm.VmEventKind.ENDED, "events")


@with_loop
async def monitor_events():
    """events of the monitor are iterated"""
    with context() as ctx:
        async with utm.open(demo(), ctx) as vm:
            await vm.start(disposable=True)
            names = []

            async def collect():
                async for event in vm.qmp.events("STOP", "RESUME", "SHUTDOWN"):
                    names.append(event.typed)

            collecting = asyncio.create_task(collect())
            await asyncio.sleep(0)
            await vm.pause()
            await vm.resume()
            await vm.stop(utm.StopMethod.FORCE)
            await collecting
            same([type(each) for each in names], [qmp_types.StopEvent, qmp_types.ResumeEvent, qmp_types.ShutdownEvent], "events")


@with_loop
async def serial_output():
    """what the guest writes to its serial port is iterated, and nothing is lost to a slow loop"""
    with context() as ctx:
        async with utm.open(demo(), ctx) as vm:
            text = b""
            await vm.start(disposable=True)
            async for chunk in vm.serial():
                text += chunk
                await asyncio.sleep(0.01)
                if text.count(b"\n") > 5:
                    break
            check(b"Linux" in text or b"guest" in text or len(text) > 50, repr(text))
            await vm.stop(utm.StopMethod.KILL)


@with_loop
async def files():
    """copies, images and lists are made beside the loop"""
    with context() as ctx:
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                await asyncio.sleep(0.001)
                beats += 1

        beating = asyncio.create_task(beat())
        bundle = await utm.Bundle.create_async(WORK / "A.utm", utm.Config.new("x86_64", name="A"), context=ctx)
        await bundle.clone_async(WORK / "B.utm", name="B")
        await utm.image.create_async(WORK / "a.qcow2", 1 << 30, utm.image.ImageFormat.QCOW2, context=ctx)
        info = await utm.image.inspect_async(WORK / "a.qcow2", context=ctx)
        same((info.format, info.virtual_size), (utm.image.ImageFormat.QCOW2, 1 << 30), "image")
        await utm.image.convert_async(WORK / "a.qcow2", WORK / "a.raw", utm.image.ImageFormat.RAW, context=ctx)
        same([entry.name for entry in await utm.list_bundles_async(WORK, ctx)][:2], ["A", "B"], "list")
        check((await bundle.size_async()).files > 0, "size")
        check((await utm.Hardware.query_async("x86_64", context=ctx)).qemu_path, "hardware")
        beating.cancel()
        check(beats > 3, f"the loop went on: {beats}")


@with_loop
async def errors():
    """errors are raised where they are awaited"""
    with context() as ctx:
        try:
            await utm.image.inspect_async(WORK / "none.img", context=ctx)
        except utm.Error as error:
            same(error.file, str(WORK / "none.img"), "file")
        else:
            check(False, "raised")


run_all([a_machine, monitor_events, serial_output, files, errors])
