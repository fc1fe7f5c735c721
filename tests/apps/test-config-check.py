#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""utmctl config check: what it prints, where, and its exit codes."""

import json
import os
import pathlib
import plistlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

from tap import SOURCE, check, run_all, same

UTMCTL = sys.argv[1]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="config-check-"))
BASE = SOURCE / "tests/golden/base.plist"
DRIVE = {"Identifier": "A", "ImageType": "Disk", "Interface": "VirtIO", "InterfaceVersion": 1, "ReadOnly": False,
         "ImageName": "a.qcow2"}


def run(*arguments, status=0, **environment):
    done = subprocess.run([UTMCTL, "config", "check", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, **environment})
    same(done.returncode, status, f"exit code of {arguments}, {done.stdout!r} {done.stderr!r}")
    return done


def values(**sections):
    config = plistlib.loads(BASE.read_bytes())
    for name, change in sections.items():
        if isinstance(change, dict):
            config[name].update(change)
        else:
            config[name] = change
    return config


def make_file(name, config):
    path = WORK / name
    path.write_bytes(plistlib.dumps(config))
    return path


def make_bundle(name, config, files=()):
    bundle = WORK / f"{name}.utm"
    (bundle / "Data").mkdir(parents=True)
    (bundle / "config.plist").write_bytes(plistlib.dumps(config))
    for file in files:
        (bundle / "Data" / file).write_bytes(b"x")
    return bundle


def valid_ones_are_silent():
    """a valid configuration prints nothing, as JSON an empty list, and 0 is the exit code"""
    same(run(BASE).stdout, "", "text")
    same(run(BASE, "--json").stdout, "[]\n", "JSON")
    same(run(make_bundle("valid", values(Drive=[DRIVE]), ["a.qcow2"])).stdout, "", "bundle")


def tells_everything():
    """each finding is a line and its remedy the next; the worst come first"""
    path = make_file("bad.plist", values(System={"CPUCount": 300}, Drive=[DRIVE, DRIVE], QEMU={"TPMDevice": True}))
    done = run(path, status=1)
    same(done.stderr, "", "standard error")
    lines = done.stdout.splitlines()
    heads, remedies = lines[::2], lines[1::2]
    same([head.split(": ")[1:3] for head in heads],
         [["Drive[1].Identifier", "error"], ["System.CPUCount", "error"], ["Drive[1].ImageName", "error"],
          ["QEMU.TPMDevice", "warning"]], "key paths and severities")
    check(all(head.startswith(f"{path}: ") and head.endswith(")") for head in heads), heads)
    check(all(remedy.startswith("        ") and remedy.strip() for remedy in remedies), remedies)


def tells_json():
    """--json has the same findings as objects"""
    bundle = make_bundle("json", values(Drive=[DRIVE], Information={"Name": 'a"\u202eb'}), ["other.qcow2"])
    found = json.loads(run(bundle, "--json", status=1).stdout)
    same([entry["code"] for entry in found], ["image-missing", "text-control", "name-changed", "file-unreferenced"], "codes")
    same([entry["severity"] for entry in found], ["error", "warning", "info", "info"], "severities")
    same(found[0]["key"], "Drive[0].ImageName", "key")
    same(found[0]["file"], str(bundle / "Data/a.qcow2"), "file")
    check(all(entry["message"] and entry["remedy"] for entry in found), found)
    check("key" not in found[3], found[3])


def infos_are_valid():
    """what is only to be known does not make a configuration bad"""
    done = run(make_file("info.plist", values(QEMU={"AdditionalArguments": ["-boot menu=on"]})))
    check("info: " in done.stdout and "(arguments-present)" in done.stdout, done.stdout)


def shows_nothing_hostile():
    """a name cannot write to the terminal"""
    for name in ("\x1b]0;owned\x07", "\u202etxt.exe", "line\nbreak"):
        path = WORK / "hostile.plist"
        config = values(Drive=[dict(DRIVE, ImageName=f"../{name}", Identifier=name)])
        path.write_bytes(plistlib.dumps(config, fmt=plistlib.FMT_BINARY))
        done = run(path, status=1)
        check(not any(c in done.stdout for c in "\x1b\x07\u202e"), repr(done.stdout))
        check(all(line.endswith(")") for line in done.stdout.splitlines()[::2]), repr(done.stdout))


def checks_what_does_not_open():
    """a package whose names lead out is refused, and what else is wrong is told all the same"""
    bundle = make_bundle("escape", values(Drive=[dict(DRIVE, ImageName="../../a")], System={"CPUCount": 300}))
    done = run(bundle, status=1)
    check("(bundle-path-escape)" in done.stderr, done.stderr)
    check("(path-escape)" in done.stdout and "(cpu-count)" in done.stdout, done.stdout)
    linked = make_bundle("linked", values(Drive=[DRIVE]))
    os.symlink("/etc/passwd", linked / "Data/a.qcow2")
    check("(bundle-path-escape)" in run(linked, status=1).stderr, "a link that leads out")


def knows_this_host():
    """--host asks this host; one without QEMU is told on standard error"""
    path = make_file("large.plist", values(System={"MemorySize": 16 * 1024 * 1024}))
    same(run(path).stdout, "", "hosts in general")
    check("(memory-host)" in run(path, "--host", status=1).stdout, "this host")
    done = run(BASE, "--host", status=1, PATH="/nonexistent")
    same(done.stdout, "", "without QEMU")
    check("(qemu-not-found)" in done.stderr, done.stderr)


def cannot_read():
    """what is no configuration gives 2, and two lines of error"""
    broken = WORK / "broken.plist"
    broken.write_text("nothing of the sort", encoding="ascii")
    empty = WORK / "empty.utm"
    empty.mkdir()
    for path in (WORK / "missing", broken, empty):
        done = run(path, status=2)
        same(done.stdout, "", f"{path}")
        same(len(done.stderr.splitlines()), 2, f"{path}: {done.stderr}")
    run(status=2)
    run(BASE, "--nonsense", status=2)


def covers_every_code():
    """every code of the registry is expected by a test"""
    tests = "".join((SOURCE / name).read_text(encoding="utf-8")
                    for name in ("tests/golden/test-findings.c", "tests/unit/test-bundle-check.c"))
    registry = tomllib.loads((SOURCE / "qapi/finding-registry.toml").read_text(encoding="utf-8"))["finding"]
    missing = [entry["name"] for entry in registry
               if f'{entry["severity"]} {entry["name"].lower().replace("_", "-")} ' not in tests
               and f'UTM_FINDING_{entry["name"]}' not in tests]
    same(missing, [], "codes that no test expects")


try:
    run_all([valid_ones_are_silent, tells_everything, tells_json, infos_are_valid, shows_nothing_hostile, checks_what_does_not_open,
             knows_this_host, cannot_read,
             covers_every_code])
finally:
    shutil.rmtree(WORK)
