# SPDX-License-Identifier: LGPL-2.1-or-later
import utm
from common import WORK, Skip, check, raises, run_all, running, same


def pixels():
    """a frame is a buffer of rows of pixels, without a copy"""
    with running() as vm:
        frame = vm.display.wait_frame()
        view = memoryview(frame)
        same((view.shape, view.itemsize, view.readonly), ((frame.height, frame.width, 4), 1, True), "shape")
        same((view.strides[0], frame.fourcc), (frame.stride, "XR24"), "stride")
        check(frame.serial > 0 and frame.time > 0 and len(frame.pixel(0, 0)) == 3, repr(frame))
        check(raises(TypeError, lambda: view.__setitem__((0, 0, 0), 1)), "read only")
        again = vm.display.wait_frame(frame.serial)
        check(again.serial > frame.serial, "the next")
        vm.stop(utm.StopMethod.KILL)
    del vm
    same(len(view.tobytes()), frame.width * frame.height * 4, "pixels outlive machine and context")
    del frame
    check(view[0, 0, 0] >= 0, "and the frame itself")


def as_array():
    """numpy takes it as it is"""
    try:
        import numpy  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise Skip("numpy is not installed") from None
    with running() as vm:
        frame = vm.display.wait_frame()
        array = numpy.asarray(frame)
        same((array.shape, array.flags.owndata), ((frame.height, frame.width, 4), False), "array")


def pictures():
    """screenshots are PNG"""
    with running() as vm:
        vm.display.save_screenshot(WORK / "a.png")
        vm.display.wait_frame().save(WORK / "b.png")
        for data in ((WORK / "a.png").read_bytes(), (WORK / "b.png").read_bytes(), vm.display.frame().png()):
            check(data.startswith(b"\x89PNG\r\n"), str(data[:8]))


def handlers():
    """a handler hears of pictures in dispatch; iterating gives the latest"""
    with running() as vm:
        count = []
        vm.display.set_frame_handler(lambda: count.append(vm.display.frame().serial))
        while len(count) < 3:
            check(vm.context.wait(20), "a picture comes")
        check(count == sorted(count), str(count))
        vm.display.set_frame_handler(None)
        serials = [frame.serial for frame, _ in zip(vm.display.frames(), range(3))]
        check(serials == sorted(set(serials)), str(serials))


def stands_still():
    """a picture that does not stand still within the time is an error"""
    with running() as vm:
        raises(utm.TimedOut, vm.display.wait_stable, 5, 0.5)


def no_display():
    """a machine without a display says so"""
    with utm.Context(accel_policy=utm.AccelPolicy.TCG) as ctx:
        config = utm.Config.new("x86_64", name="Headless")
        while config.count("Display"):
            del config["Display[0]"]
        vm = utm.Vm(utm.Bundle.create(WORK / "Headless.utm", config, context=ctx))
        raises(utm.NotFound, lambda: vm.display)


run_all([pixels, as_array, pictures, handlers, stands_still, no_display])
