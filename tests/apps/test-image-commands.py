#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""utmctl image and utmctl drive as a person types them."""

import hashlib
import json
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tap import Skip, check, run_all, same

UTMCTL = pathlib.Path(sys.argv[1]).resolve()
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utmctl-image-"))
MIB = 1 << 20


def utmctl(*arguments, status=0, env=None):
    if not shutil.which("qemu-img"):
        raise Skip("no qemu-img: package qemu-utils")
    done = subprocess.run([UTMCTL, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, cwd=WORK,
                          env=env)
    same(done.returncode, status, f"exit code of {arguments}, {done.stdout!r} {done.stderr!r}")
    return done


def info(name, *arguments):
    return json.loads(utmctl("image", "info", "--json", *arguments, name).stdout)


def noise(name, size):
    (WORK / name).write_bytes(random.Random(1).randbytes(size))


def digest(name):
    return hashlib.sha256((WORK / name).read_bytes()).hexdigest()


def creates_and_tells():
    """create makes an image by its name, info tells what it is, in words and as JSON"""
    utmctl("image", "create", "a.qcow2", "20G")
    told = info("a.qcow2")
    same((told["format"], told["contentFormat"], told["virtualSizeBytes"]), ("qcow2", "qcow2", 20 << 30), "JSON")
    same((told["snapshots"], told["inUse"], told["path"]), ([], False, str(WORK / "a.qcow2")), "JSON")
    text = utmctl("image", "info", "a.qcow2").stdout
    check("format: qcow2\nsize: 21474836480 bytes (20.0 GiB)\n" in text, text)
    for size, wanted in (("512", 512), ("1K", 1 << 10), ("3M", 3 * MIB), ("3MiB", 3 * MIB), ("2T", 2 << 40)):
        utmctl("image", "create", f"s{size}.img", size)
        same(info(f"s{size}.img")["virtualSizeBytes"], wanted, size)
    done = utmctl("image", "create", "a.qcow2", "1G", status=1)
    check(re.match(r"utmctl: \S+/a.qcow2: is there already \(bundle-exists\)\n +\S.*\n$", done.stderr), done.stderr)
    utmctl("image", "create", "--", "--help", "1M")
    same(info("--help", "--")["format"], "qcow2", "a name like an option")


def tells_of_saved_states_and_looks():
    """info tells saved states, and that the first bytes are another format's"""
    utmctl("image", "create", "states.qcow2", "1M")
    subprocess.run(["qemu-img", "snapshot", "-c", "before\x1b[31m", WORK / "states.qcow2"], check=True)
    same([state["name"] for state in info("states.qcow2")["snapshots"]], ["before\x1b[31m"], "saved states")
    check("before?[31m" in utmctl("image", "info", "states.qcow2").stdout, "a name for a terminal")
    utmctl("image", "create", "lies.img", "1M", "--format", "qcow2")
    check("first bytes look like qcow2" in utmctl("image", "info", "lies.img").stdout, "a note")
    same(info("lies.img")["format"], "raw", "by its name")
    same(info("lies.img", "--format", "qcow2")["virtualSizeBytes"], MIB, "as told")


def refuses_misuse():
    """misuse is exit code 2"""
    for arguments in (["image"], ["image", "info"], ["image", "create", "x"], ["image", "create", "x", "-1M"],
                      ["image", "create", "x", "0"], ["image", "create", "x", "20X"], ["image", "create", "x", "1.5G"],
                      ["image", "create", "x", "99999999T"], ["image", "create", "x", "1M", "--format", "floppy"],
                      ["image", "create", "x", "1M", "--preallocation", "some"], ["image", "convert", "x"],
                      ["image", "convert", "x", "y", "--compress", "rar"], ["drive", "add", "x"], ["drive", "add", "x", "big"],
                      ["drive", "resize", "x", "0", "1Q"], ["drive", "compact", "x"]):
        check(not utmctl(*arguments, status=2).stdout, f"{arguments}")
    check(not (WORK / "x").exists(), "nothing was made")


def resizes():
    """resize grows, and shrinks when told"""
    utmctl("image", "create", "r.qcow2", "4M")
    utmctl("image", "resize", "r.qcow2", "8M")
    done = utmctl("image", "resize", "r.qcow2", "2M", status=1)
    check("would be lost" in done.stderr, done.stderr)
    utmctl("image", "resize", "r.qcow2", "2M", "--shrink")
    same(info("r.qcow2")["virtualSizeBytes"], 2 * MIB, "size")


def converts():
    """convert and compact keep the content"""
    noise("c.img", 3 * MIB)
    utmctl("image", "convert", "c.img", "c.qcow2", "--compress", "zstd", "--verify")
    utmctl("image", "compact", "c.qcow2")
    utmctl("image", "convert", "c.qcow2", "c2.raw")
    same(digest("c2.raw"), digest("c.img"), "content")
    check("is there already" in utmctl("image", "convert", "c.img", "c.qcow2", status=1).stderr, "not replaced")
    utmctl("image", "convert", "c.img", "c.qcow2", "--replace")
    utmctl("image", "convert", "c.img", "odd", "--to", "vdi")
    same(info("odd", "--format", "vdi")["format"], "vdi", "--to")


def needs_the_tool():
    """without qemu-img the remedy names the package"""
    utmctl("image", "create", "tool.qcow2", "1M")
    done = utmctl("image", "info", "tool.qcow2", status=1, env={**os.environ, "PATH": str(WORK)})
    check(done.stderr.startswith("utmctl: qemu-img: ") and "qemu-utils" in done.stderr, done.stderr)


def begin_slow():
    """A compaction that takes seconds, its standard error a terminal."""
    utmctl("image", "info", "c.img")
    noise("slow.img", 64 * MIB)
    utmctl("image", "convert", "slow.img", "slow.qcow2", "--replace")
    master, terminal = pty.openpty()
    process = subprocess.Popen([UTMCTL, "image", "compact", WORK / "slow.qcow2", "--compress", "zlib"], stderr=terminal)
    os.close(terminal)
    return master, process


def read_until(master, pattern):
    text, end = "", time.monotonic() + 30
    while not re.search(pattern, text) and time.monotonic() < end:
        try:
            text += os.read(master, 4096).decode()
        except OSError:
            break
    check(re.search(pattern, text), f"{pattern!r} in {text!r}")
    return text


def is_interrupted():
    """a terminal sees how far it is; Ctrl-C leaves the image as it was"""
    master, process = begin_slow()
    before, entries = digest("slow.qcow2"), sorted(os.listdir(WORK))
    read_until(master, r"\r *\d+\.\d % of 64 MiB ")
    process.send_signal(signal.SIGINT)
    read_until(master, r"was cancelled \(cancelled\)")
    same(process.wait(30), 130, "exit code")
    os.close(master)
    same(digest("slow.qcow2"), before, "content")
    same(sorted(os.listdir(WORK)), entries, "files")


def manages_drives():
    """a machine and its disks: config new, drive add, list, resize, compact"""
    utmctl("config", "new", "M.utm", "--arch", "riscv64")
    same(json.loads(utmctl("drive", "list", "M.utm", "--json").stdout), [], "no drives yet")
    added = utmctl("drive", "add", "M.utm", "20G").stdout
    name = re.fullmatch(r"drive 0: (\S+\.qcow2)\n", added).group(1)
    utmctl("drive", "add", "M.utm", "1M", "--format", "raw")
    utmctl("drive", "resize", "M.utm", "0", "30G")
    utmctl("drive", "resize", "M.utm", name, "40G")
    utmctl("drive", "compact", "M.utm", "0", "--compress", "zlib", "--verify")
    drives = json.loads(utmctl("drive", "list", "M.utm", "--json").stdout)
    same([(drive["format"], drive["virtualSizeBytes"], drive["interface"]) for drive in drives],
         [("qcow2", 40 << 30, "VirtIO"), ("raw", MIB, "VirtIO")], "drives")
    same(drives[0]["imageName"], name, "name")
    check(f"0  Disk  VirtIO  {name}  qcow2  " in utmctl("drive", "list", "M.utm").stdout, "list in words")
    check("there is no drive 2" in utmctl("drive", "compact", "M.utm", "2", status=1).stderr, "no such drive")
    check("image-missing" in utmctl("drive", "compact", "M.utm", "x.qcow2", status=1).stderr, "no such image")


def tells_what_is_lost():
    """drive list goes on after a disk that cannot be read"""
    utmctl("config", "new", "L.utm", "--arch", "riscv64")
    names = [re.search(r": (\S+)", utmctl("drive", "add", "L.utm", "1M").stdout).group(1) for _ in range(2)]
    (WORK / "L.utm/Data" / names[0]).unlink()
    done = utmctl("drive", "list", "L.utm", status=1)
    check("image-missing" in done.stderr and f"1  Disk  VirtIO  {names[1]}  qcow2" in done.stdout, done.stdout + done.stderr)


try:
    run_all([creates_and_tells, tells_of_saved_states_and_looks, refuses_misuse, resizes, converts, needs_the_tool,
             is_interrupted, manages_drives, tells_what_is_lost])
finally:
    shutil.rmtree(WORK, ignore_errors=True)
