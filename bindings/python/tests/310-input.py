# SPDX-License-Identifier: LGPL-2.1-or-later
import time

import utm
from common import check, raises, run_all, running, same


def keys_change_the_picture():
    """a key that is typed changes what the guest shows"""
    with running() as vm:
        def bright(frame):
            return frame.size == (1280, 800) and sum(frame.pixel(frame.width // 2, frame.height // 2)) > 0
        vm.display.wait_until(bright, timeout=60)
        before = bytes(vm.display.wait_stable(0.5))
        vm.keyboard.type("a")
        vm.display.wait_until(lambda frame: bytes(frame) != before, timeout=20)


def what_no_key_has():
    """a text is refused whole when a character is on no key"""
    with running() as vm:
        raises(ValueError, vm.keyboard.type, "a\u00e9")
        raises(utm.InvalidArgument, vm.keyboard.press, 0x1000)


def pointer():
    """the pointer is moved in its mode"""
    with running() as vm:
        end = time.monotonic() + 20
        while vm.console.state != utm.ConsoleState.CONNECTED:
            check(time.monotonic() < end, "it connects")
            vm.context.wait(0.1)
        vm.display.wait_frame()
        vm.pointer.move_by(1, 1)
        vm.pointer.click(utm.Buttons.RIGHT)
        check(vm.pointer.mode in (utm.PointerMode.SERVER, utm.PointerMode.CLIENT), "mode")
        same(vm.console.state, utm.ConsoleState.CONNECTED, "console")


run_all([keys_change_the_picture, what_no_key_has, pointer])
