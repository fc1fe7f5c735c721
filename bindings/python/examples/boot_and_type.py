# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots a machine, waits for a picture, types, takes a screenshot, stops it: boot_and_type.py BUNDLE SCREENSHOT.png"""

import sys

import utm


def main(path: str, screenshot: str) -> None:
    with utm.open(path) as vm:
        vm.start(disposable=True)
        frame = vm.display.wait_stable(2, timeout=120)
        print(f"picture: {frame.width} x {frame.height}")
        vm.keyboard.type("a")
        vm.display.wait_frame(frame.serial, timeout=30).save(screenshot)
        print(f"ended: {vm.stop(request_timeout=5)}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except utm.Error as error:
        sys.exit(f"{error}")
