#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The README's first command, without its installing and building: boot the demo machine and look at what came out."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from tap import Picture, check, demo_bundle, run_all, same

PROGRAM, BUILD_DIR = sys.argv[1:]
# Such as valgrind with its options.
WRAPPER = shlex.split(os.environ.get("UTM_TEST_WRAPPER", ""))
LIMIT_S = 300
# Of picture.c: the corners of the first two gradients.
FIRST_CORNERS = ((18, 60, 120), (230, 120, 60))
SECOND_CORNERS = ((16, 100, 70), (240, 210, 70))


class State:
    output = ""
    directory = None
    seconds = 0.0


def boots():
    """boot-and-watch does its work and says so"""
    bundle = demo_bundle(BUILD_DIR)
    State.directory = pathlib.Path(tempfile.mkdtemp(prefix="utm-demo-"))
    begun = time.monotonic()
    done = subprocess.run([*WRAPPER, PROGRAM, bundle, State.directory], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    State.seconds, State.output = time.monotonic() - begun, done.stdout
    print("".join(f"# {line}\n" for line in done.stdout.splitlines() + done.stderr.splitlines()))
    same(done.returncode, 0, "exit code")


def tells_in_order():
    """states, serial lines, pictures, key and end come in their order"""
    wanted = [r"state +stopped -> starting", r"state +starting -> running", r"serial +demo: up", r"serial +demo: ready",
              r"saved .*screen\.png", r"typed", r"changed +[1-9]", r"saved .*screen-after-key\.png", r"pressed",
              r"state +.* -> stopped", r"end +guest-shutdown: "]
    at = 0
    for pattern in wanted:
        match = re.compile(pattern).search(State.output, at)
        check(match, f"no /{pattern}/ after {State.output[max(0, at - 80):at]!r}")
        at = match.end()


def reaches_the_guest():
    """the key and the power button arrived in the guest"""
    check("serial   demo: key 30" in State.output, "no key 30")
    check("serial   demo: key 116" in State.output, "no power button")


def near(pixel, wanted):
    return all(abs(a - b) <= 4 for a, b in zip(pixel, wanted))


def check_corners(name, corners):
    picture = Picture(State.directory / name)
    check(picture.width >= 640 and picture.height >= 480, f"{picture.width} x {picture.height}")
    first, last = picture.pixel(0, 0), picture.pixel(picture.width - 1, picture.height - 1)
    check(near(first, corners[0]) and near(last, corners[1]), f"{name}: corners {first} {last}")


def shows_the_picture():
    """screen.png shows what the guest painted first"""
    check_corners("screen.png", FIRST_CORNERS)


def shows_the_other_picture():
    """screen-after-key.png shows what it painted after the key"""
    check_corners("screen-after-key.png", SECOND_CORNERS)
    shutil.rmtree(State.directory)


run_all([boots, tells_in_order, reaches_the_guest, shows_the_picture, shows_the_other_picture])
