#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples on the demo machine. Usage: test-examples.py RUN PRODUCTS BUILD-DIRECTORY"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/apps"))

from tap import Picture, check, demo_bundle, run_all, same  # noqa: E402

RUN, PRODUCTS, BUILD_DIR = sys.argv[1:]
LIMIT_S = 120


def run(name, *arguments):
    done = subprocess.run([RUN, pathlib.Path(PRODUCTS) / name, *arguments], capture_output=True, text=True, timeout=LIMIT_S,
                          check=False)
    print("".join(f"# {line}\n" for line in (done.stdout + done.stderr).splitlines()))
    same(done.returncode, 0, "exit code")
    return done.stdout


def edits():
    """EditBundle tells what is there, changes a value, and refuses one that cannot be"""
    with tempfile.TemporaryDirectory(prefix="utm-swift-") as directory:
        bundle = shutil.copytree(demo_bundle(BUILD_DIR), pathlib.Path(directory) / "Demo.utm")
        check("LinuxKernel" in run("EditBundle", bundle), "no drive")
        check("saved" in run("EditBundle", bundle, "System.MemorySize=300"), "not saved")
        check("300 MiB" in run("EditBundle", bundle), "the value was not kept")
        check("(config-invalid-value)" in run("EditBundle", bundle, "System.MemorySize=-1"), "a bad value was taken")


def boots():
    """BootAndWatch boots, types, takes a screenshot, stops, and tells why it ended"""
    with tempfile.TemporaryDirectory(prefix="utm-swift-") as directory:
        picture = pathlib.Path(directory) / "screen.png"
        text = run("BootAndWatch", demo_bundle(BUILD_DIR), picture)
        check("end: guest-shutdown" in text, "no end")
        check(Picture(picture).width >= 640, "no picture")


run_all([edits, boots])
