# SPDX-License-Identifier: LGPL-2.1-or-later
"""What calls cost through this binding; see tests/bench/bench-handles.c, whose names these are: bench_handles.py PAINTER-ELF"""

import sys
import tempfile
import time
from collections.abc import Callable

import utm

ROUNDS = 7


def measure(name: str, count: int, call: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter_ns() - begun) / count)
    print(name, round(best))


def painter_config() -> utm.Config:
    """Nothing but a screen."""
    config = utm.Config.new("x86_64", name="Bench")
    for key in ("Sound", "Network", "Drive", "Serial", "Display"):
        config.set_text(key, "[]")
    for key in ("QEMU.UEFIBoot", "QEMU.RNGDevice", "QEMU.BalloonDevice", "QEMU.Hypervisor", "Sharing.ClipboardSharing"):
        config[key] = False
    config["Sharing.DirectoryShareMode"] = "None"
    config.set_text("QEMU.AdditionalArguments", '["-append \\"w=1920 h=1080 mode=box fps=30\\""]')
    config.insert("Display", {"Hardware": "VGA", "VgaRamMib": 32})
    config.insert("Drive", {"ImageType": "LinuxKernel", "ImageName": "painter.elf"})
    return config


def look(display: utm.Display) -> int:
    frame = display.frame()
    assert frame
    return sum(width for _, _, width, _ in frame.damage) + memoryview(frame)[0, 0, 0]


def main(painter: str) -> None:
    config = painter_config()
    with (tempfile.TemporaryDirectory() as directory,
          utm.Context(accel_policy=utm.AccelPolicy.TCG, argument_policy=utm.ArgumentPolicy.ALLOW) as context):
        bundle = utm.Bundle.create(f"{directory}/Bench.utm", config, files=[(painter, "painter.elf")], context=context)
        with utm.Vm(bundle) as vm:
            vm.start()
            vm.display.wait_until(lambda frame: frame.width == 1920)
            display = vm.display
            measure("frame", 1000, lambda: look(display))
            vm.pause()
            qmp = vm.qmp
            measure("query-status", 500, qmp.query_status)
            measure("getter", 20000, lambda: config.name)
            measure("getter-int", 20000, lambda: config["System.MemorySize"])
            vm.stop(utm.StopMethod.KILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
