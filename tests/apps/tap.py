# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of whole programs share: TAP, the demo machine, pictures."""

import fcntl
import os
import pathlib
import signal
import struct
import subprocess
import sys
import traceback
import zlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class Skip(Exception):
    pass


def run_all(tests):
    """Runs functions as test cases. The first line of a docstring is the name."""
    failed = 0
    # Whoever runs this in the background may ignore them, and programs inherit that.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        name = test.__doc__.splitlines()[0]
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what):
    check(got == wanted, f"{what}: {got!r} instead of {wanted!r}")


def demo_bundle(build_dir):
    """The demo machine, made once for all tests of a build directory."""
    directory = pathlib.Path(build_dir)
    with open(directory / "demo.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([SOURCE / "examples/demo/make-demo.sh", directory / "Demo.utm"], capture_output=True, text=True,
                              env=dict(os.environ, CC="cc"), check=False)
    if done.returncode:
        raise Skip(f"no demo machine: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")
    return directory / "Demo.utm"


def children_of_nobody(word):
    """Command lines of processes that name a word: what a test left behind."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in text and int(entry.parent.name) != os.getpid():
            found.append(text)
    return found


class Picture:
    """A PNG of 8 bits a channel without interlace, as rows of bytes."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        same(data[:8], b"\x89PNG\r\n\x1a\n", f"{path}: signature")
        at, packed = 8, b""
        while at < len(data):
            length, kind = struct.unpack_from(">I4s", data, at)
            body = data[at + 8:at + 8 + length]
            if kind == b"IHDR":
                self.width, self.height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
                same((depth, interlace), (8, 0), f"{path}: kind of picture")
                self.channels = {2: 3, 6: 4}[colour]
            elif kind == b"IDAT":
                packed += body
            at += 12 + length
        self.rows = self._unfilter(zlib.decompress(packed))

    def _unfilter(self, raw):
        stride, step = self.width * self.channels, self.channels
        rows, above = [], bytearray(stride)
        for y in range(self.height):
            kind = raw[y * (stride + 1)]
            row = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
            for x in range(stride) if kind else ():
                left = row[x - step] if x >= step else 0
                corner = above[x - step] if x >= step else 0
                row[x] = (row[x] + self._predict(kind, left, above[x], corner)) & 255
            rows.append(row)
            above = row
        return rows

    @staticmethod
    def _predict(kind, left, up, corner):
        if kind < 4:
            return (0, left, up, (left + up) // 2)[kind]
        distances = [abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)]
        return (left, up, corner)[distances.index(min(distances))]

    def pixel(self, x, y):
        at = x * self.channels
        return tuple(self.rows[y][at:at + 3])
