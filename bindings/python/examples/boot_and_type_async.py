# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same in asyncio, with the machine's events: boot_and_type_async.py BUNDLE SCREENSHOT.png"""

import asyncio
import sys

import utm


async def main(path: str, screenshot: str) -> None:
    async with utm.open(path) as vm:
        async def tell() -> None:
            async for event in vm.events():
                if event.kind == utm.VmEventKind.STATE:
                    print(f"state: {event.state}")

        telling = asyncio.create_task(tell())
        await vm.start(disposable=True)
        async with asyncio.timeout(120):
            async for frame in vm.display.frames():
                if frame.size == (1280, 800):
                    break
        vm.keyboard.type("a")
        vm.display.frame().save(screenshot)
        print(f"ended: {await vm.stop(request_timeout=5)}")
        await telling


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except utm.Error as error:
        sys.exit(f"{error}")
