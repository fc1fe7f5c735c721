# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the numbered tests share: TAP, the demo machine, a context."""

import atexit
import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/apps"))

import tap  # noqa: E402
import utm  # noqa: E402
from tap import Skip, check, run_all, same  # noqa: E402,F401

BUILD = pathlib.Path(os.environ["UTM_TEST_BUILD"])
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utm-python-"))
atexit.register(shutil.rmtree, WORK, ignore_errors=True)


@functools.cache
def demo():
    """The demo machine, of this process alone: others run at the same time."""
    return shutil.copytree(tap.demo_bundle(BUILD), WORK / "Demo.utm")


def context(**options):
    return utm.Context(accel_policy=utm.AccelPolicy.TCG, **options)


@contextlib.contextmanager
def running(**options):
    """The demo machine, started; changes to it are thrown away."""
    with context() as ctx, utm.open(demo(), ctx) as vm:
        vm.start(disposable=True, **options)
        try:
            yield vm
        finally:
            if vm.state != utm.VmState.STOPPED:
                vm.stop(utm.StopMethod.KILL)


def raises(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")


def run_script(text, *arguments, **options):
    """Another interpreter with this package."""
    return subprocess.run([sys.executable, "-X", "faulthandler", "-c", text, *map(str, arguments)], capture_output=True, text=True,
                          timeout=90, check=False, **options)


def qemu_processes():
    return [line for line in tap.children_of_nobody("qemu-system") if str(demo()) in line]
