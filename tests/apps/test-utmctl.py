#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""utmctl as a person types it: output, errors in two lines, exit codes."""

import fcntl
import json
import os
import pathlib
import plistlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from tap import SOURCE, Picture, check, demo_bundle, run_all, same

UTMCTL, BUILD_DIR = sys.argv[1:]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utmctl-"))
PLAIN = WORK / "Plain.utm"


def utmctl(*arguments, status=0, timeout=150):
    done = subprocess.run([UTMCTL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False)
    same(done.returncode, status, f"exit code of {arguments}, {done.stdout!r} {done.stderr!r}")
    return done


def demo():
    """A copy of the demo machine: other tests run theirs meanwhile."""
    own = WORK / "Demo.utm"
    if not own.exists():
        shutil.copytree(demo_bundle(BUILD_DIR), own)
    return own


def make_plain():
    """A bundle of the demo's template, without kernel and initramfs."""
    (PLAIN / "Data").mkdir(parents=True, exist_ok=True)
    text = (SOURCE / "examples/demo/config.plist.in").read_text(encoding="utf-8")
    (PLAIN / "config.plist").write_text(text.replace("@UUID@", "11111111-2222-4333-8444-555555555555"), encoding="utf-8")


def helps():
    """--help lists every command and every exit code; --version tells both versions"""
    text = utmctl("--help").stdout
    for word in ("utmctl run", "utmctl argv", "config show", "config get", "config set", "Exit codes", "130"):
        check(word in text, word)
    same(utmctl("-h").stdout, text, "-h")
    check(re.fullmatch(r"utmctl \S+, libutm \S+\n", utmctl("--version").stdout), "--version")


def helps_with_a_command():
    """--help and -h behind a command print its usage, wherever they stand"""
    for words in (["run"], ["argv"], ["config", "show"], ["config", "get"], ["config", "set"], ["config", "remove"],
                  ["config", "migrate"], ["config", "normalize"]):
        usage = next(line for line in utmctl("--help").stdout.splitlines() if f"utmctl {' '.join(words)} " in line)
        for arguments in ([*words, "--help"], [*words, "-h"], [*words, "x", "--help", "--nonsense"]):
            done = utmctl(*arguments)
            same(done.stdout.splitlines()[0], usage, f"{arguments}")
            same(done.stderr, "", f"{arguments}")
    for arguments in (["config", "--help"], ["config", "-h"]):
        same(utmctl(*arguments).stdout.count("utmctl config "), utmctl("--help").stdout.count("  utmctl config "),
             "usages of the group")


def inserts():
    """config insert puts elements where they are asked for, and makes them fit"""
    own = WORK / "Inserts.utm"
    utmctl("config", "new", own, "--arch", "aarch64")
    utmctl("config", "insert", own, "Serial")
    cards = json.loads(utmctl("config", "insert", own, "Network[0]", '{"Mode": "Emulated"}', "--json").stdout)
    same([card["Mode"] for card in cards], ["Emulated", "Shared"], "modes")
    same(cards[0]["Hardware"], cards[1]["Hardware"], "the card that fits")
    check(cards[0]["MacAddress"] != cards[1]["MacAddress"], "addresses")
    same(utmctl("config", "get", own, "Serial[0].Mode").stdout, "Terminal\n", "the port")
    for path in ("Network[7]", "System", "Nonsense", "Network[x]"):
        utmctl("config", "insert", own, path, status=1)


def spares_packages():
    """the configuration of a package is the package, whoever has it open; results do not take its place"""
    held, spared = WORK / "Held.utm", (PLAIN / "config.plist").read_bytes()
    shutil.copytree(PLAIN, held)
    utmctl("config", "set", held / "config.plist", "System.MemorySize", "300")
    lock = os.open(held, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    for name in (held, held / "config.plist"):
        check("bundle-locked" in utmctl("config", "set", name, "System.MemorySize", "301", status=1).stderr, name)
    os.close(lock)
    same(utmctl("config", "get", held, "System.MemorySize").stdout, "300\n", "the value")
    for command in ("migrate", "normalize"):
        check("is the configuration of a package" in
              utmctl("config", command, held / "config.plist", PLAIN / "config.plist", status=1).stderr, command)
        check("the name of a package" in
              utmctl("config", command, held / "config.plist", WORK / "File.utm", status=1).stderr, command)
    same((PLAIN / "config.plist").read_bytes(), spared, "the other package")


def refuses_misuse():
    """misuse is exit code 2 and a hint"""
    for arguments in ([], ["fly"], ["run"], ["run", "a", "b"], ["run", "x", "--for"], ["run", "x", "--for", "soon"],
                      ["run", "x", "--for", "nan"], ["argv", "x", "--what"], ["argv"], ["config"], ["config", "show"],
                      ["config", "get", PLAIN], ["config", "set", PLAIN, "A.B"], ["config", "eat", PLAIN],
                      ["argv", PLAIN, "--host", "beos"], ["argv", PLAIN, "--json=yes"], ["argv", PLAIN, "--json", "--shell"],
                      ["argv", PLAIN, "--shell", "--explain"], ["argv", PLAIN, "--utm-exact"],
                      ["argv", PLAIN, "--host", "linux", "--utm-exact"], ["run", PLAIN, "--arguments", "some"],
                      ["config", "show", PLAIN, "--json", "--plist"], ["config", "get", PLAIN, "System", "--plist"],
                      ["conf", "show", PLAIN]):
        done = utmctl(*arguments, status=2)
        check(re.match(r"utmctl.*: .*\n +(usage: )?utmctl ", done.stderr) and not done.stdout, f"{arguments}: {done.stderr!r}")


def refuses_keys():
    """keys that no keyboard has, and times that are none, are misuse"""
    for key in ("0", "0x80", "0xff", "0x100", "0x180", "0x200", "999999", "-1", "a", "", "@1", "0x1e@", "0x1e@x", "0x1e@-1",
                "0x1e@nan", "0x1e@inf", "0x1e@1s"):
        done = utmctl("run", "x", "--type-key", key, status=2)
        check(f"--type-key: not understood: {key}\n" in done.stderr, f"{key}: {done.stderr!r}")
    for key in ("1", "0x7f", "0x101", "0x17f", "0x1e@0", "0x1e@2.5"):
        check("not-found" in utmctl("run", WORK / "none", "--type-key", key, status=1).stderr, key)


def tells_lost_output():
    """output that cannot be written, to a full disk or a closed descriptor, is exit code 1 and told"""
    for arguments in (["--help"], ["config", "show", PLAIN], ["config", "show", PLAIN, "--plist"], ["argv", PLAIN, "--json"],
                      ["config", "get", PLAIN, "System", "--json"]):
        for redirection in (">/dev/full", ">&-"):
            done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {redirection}', UTMCTL, *map(str, arguments)], text=True,
                                  capture_output=True, timeout=60, check=False)
            same(done.returncode, 1, f"exit code of {arguments} {redirection}")
            check(re.fullmatch(r"utmctl: standard output: .*\n {8}\S.*\n", done.stderr), f"{arguments}: {done.stderr!r}")
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', UTMCTL, "config", "set", PLAIN, "QEMU.RNGDevice", "false"],
                          capture_output=True, timeout=60, check=False)
    same((done.returncode, done.stderr), (0, b""), "who prints nothing loses nothing")


def survives_a_gone_reader():
    """a reader that goes away is an error like any other, not a signal"""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([UTMCTL, "config", "show", PLAIN], stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False,
                          restore_signals=True)
    os.close(write_end)
    same(done.returncode, 1, f"exit code, {done.stderr!r}")


def shows_flat():
    """config show prints one line per value, in the words of the property list"""
    lines = utmctl("config", "show", PLAIN).stdout.splitlines()
    for line in ("System.MemorySize = 256", "Information.Name = Demo", "Drive[1].ImageName = initrd.img", "Network = []",
                 "QEMU.UEFIBoot = false", 'QEMU.AdditionalArguments[1] = -no-reboot'):
        check(line in lines, f"{line!r} is not in {lines}")


def shows_json_and_plist():
    """config show --json and --plist hold the same values as the file"""
    wanted = plistlib.loads((PLAIN / "config.plist").read_bytes())
    same(json.loads(utmctl("config", "show", PLAIN, "--json").stdout), wanted, "JSON")
    same(plistlib.loads(utmctl("config", "show", PLAIN, "--plist").stdout.encode()), wanted, "property list")
    same(json.loads(utmctl("config", "show", PLAIN / "config.plist", "--json").stdout), wanted, "of the file alone")


def gets_and_sets():
    """config set writes what config get reads, into bundle and property list, and changes nothing else"""
    before = plistlib.loads((PLAIN / "config.plist").read_bytes())
    for target in (PLAIN, PLAIN / "config.plist"):
        utmctl("config", "set", target, "System.MemorySize", "384")
        same(utmctl("config", "get", target, "System.MemorySize").stdout, "384\n", "integer")
        utmctl("config", "set", target, "QEMU.RNGDevice=true")
        same(utmctl("config", "get", target, "QEMU.RNGDevice").stdout, "true\n", "boolean")
        utmctl("config", "set", target, "Information.Name", 'A "good" name, ü')
        same(utmctl("config", "get", target, "Information.Name").stdout, 'A "good" name, ü\n', "string")
        same(json.loads(utmctl("config", "get", target, "Drive[0]", "--json").stdout)["ImageName"], "vmlinuz", "section")
        after = plistlib.loads((PLAIN / "config.plist").read_bytes())
        after["System"]["MemorySize"], after["QEMU"]["RNGDevice"], after["Information"]["Name"] = 256, False, "Demo"
        same(after, before, "the rest")
        make_plain()
    same(sorted(os.listdir(PLAIN)), ["Data", "config.plist"], "files")


def writes_through_links():
    """config set on a link to a property list writes its target and leaves the link"""
    (WORK / "target.plist").write_bytes((PLAIN / "config.plist").read_bytes())
    (WORK / "target.plist").chmod(0o640)
    (WORK / "sub").mkdir()
    link = WORK / "sub/link.plist"
    link.symlink_to("../target.plist")
    utmctl("config", "set", link, "System.MemorySize", "300")
    check(link.is_symlink(), "the link is gone")
    same(plistlib.loads((WORK / "target.plist").read_bytes())["System"]["MemorySize"], 300, "the target's value")
    same((WORK / "target.plist").stat().st_mode & 0o777, 0o640, "the target's mode")
    same(os.listdir(WORK / "sub"), ["link.plist"], "files beside the link")


def warns_of_names():
    """an image name that no bundle could have is warned of where no bundle refuses it"""
    alone = WORK / "alone.plist"
    for name, warned in (("../../x", True), ("/etc/passwd", True), ("..", True), ("sub/x", True), ("x..y.img", False)):
        alone.write_bytes((PLAIN / "config.plist").read_bytes())
        done = utmctl("config", "set", alone, "Drive[1].ImageName", name)
        for text in (done.stderr, utmctl("config", "show", alone).stderr, utmctl("config", "show", alone, "--json").stderr):
            wanted = rf'utmctl: warning: .*alone\.plist: Drive\[1\]\.ImageName: "{re.escape(name)}" .*\n' if warned else ""
            check(re.fullmatch(wanted, text), f"{name}: {text!r}")
    check("bundle-path-escape" in utmctl("config", "set", PLAIN, "Drive[1].ImageName", "../x", status=1).stderr, "in a bundle")


def says_what_a_value_must_be():
    """a value of the wrong form is answered with the right form, not with a place in JSON"""
    cases = [
        ("QEMU.UEFIBoot", "yes", 'must be true or false, not "yes"'),
        ("System.MemorySize", "4 GB", 'must be an integer from 1 to 16777216 (MiB), not "4 GB"'),
        ("System.MemorySize", "0", "0 is out of range: 1 to 16777216 MiB"),
        ("Drive[0].Interface", "Steam", '"Steam" is not allowed; use None, IDE, SCSI, '),
        ("System.CPUFlagsAdd", "sse", 'must be a JSON array in brackets, not "sse"'),
        ("Sharing", "on", 'must be a JSON object in braces, not "on"'),
    ]
    for key, value, wanted in cases:
        done = utmctl("config", "set", PLAIN, key, value, status=1)
        check(f": {key}: {wanted}" in done.stderr, f"{key}: {done.stderr!r}")


def tells_the_schema():
    """config schema tells keys for people and as JSON, all of them, a section or one"""
    everything = utmctl("config", "schema").stdout
    check("\nSystem.MemorySize\n    Memory of the guest.\n    integer from 1 to 16777216 MiB; new 512\n" in everything, everything)
    check("; used if Mode is TcpClient or TcpServer\n" in everything and "; used if Theme is absent" in everything, everything)
    one = utmctl("config", "schema", "Drive[7].Interface").stdout
    check(one.startswith("Drive[].Interface\n") and re.search(r"^      VirtIO +virtio-blk", one, flags=re.M), one)
    section = utmctl("config", "schema", "Network[]").stdout
    paths = re.findall(r"^\S+", section, flags=re.M)
    check(paths[0] == "Network[]" and "Network[].PortForward[].HostPort" in paths, section)
    check(all(path.startswith("Network[]") for path in paths), section)
    keys = {key["path"]: key for key in json.loads(utmctl("config", "schema", "--json").stdout)}
    same(set(re.findall(r"^[A-Z]\S+", everything, flags=re.M)), set(keys), "paths")
    same(keys["Drive[].ReadOnly"]["default-if"], {"absent": "ImageName"}, "a condition")
    check({"text": "Disk", "doc": "A disk."} in keys["Drive[].ImageType"]["values"], keys["Drive[].ImageType"])
    apple = json.loads(utmctl("config", "schema", "System.Boot", "--backend=apple", "--json").stdout)
    same([apple[0]["path"], apple[1]["path"]], ["System.Boot", "System.Boot.OperatingSystem"], "paths of a section")


def refuses_keys_of_the_schema():
    """config schema refuses paths and back ends that there are not"""
    for arguments in (["Nonsense"], ["Virtualization"], ["Drive.Interface"], ["System.Boot"]):
        done = utmctl("config", "schema", *arguments, "--json", status=1)
        check(done.stdout == "" and "(key-path)" in done.stderr, f"{done}")
    check("qemu or apple" in utmctl("config", "schema", "--backend", "xen", status=2).stderr, "--backend xen")


def removes():
    """config remove takes out an element and an optional key"""
    utmctl("config", "remove", PLAIN, "Drive[0]")
    same(utmctl("config", "get", PLAIN, "Drive[0].ImageName").stdout, "initrd.img\n", "what moved up")
    utmctl("config", "remove", PLAIN, "Information.Notes")
    check("Notes" not in utmctl("config", "show", PLAIN).stdout, "Notes are still there")
    make_plain()


def edits_apple_machines():
    """a machine of Apple's framework is shown and edited like any other, but neither run nor turned into a command line"""
    bundle = WORK / "Mac.utm"
    (bundle / "Data").mkdir(parents=True)
    shutil.copy(SOURCE / "tests/data/config/apple-macos.plist", bundle / "config.plist")
    before = plistlib.loads((bundle / "config.plist").read_bytes())
    check("Virtualization.Keyboard = Mac" in utmctl("config", "show", bundle).stdout.splitlines(), "show")
    same(utmctl("config", "get", bundle, "System.Boot.OperatingSystem").stdout, "macOS\n", "get")
    same(utmctl("config", "set", bundle, "System.MemorySize=2048", "--json").stdout, "2048\n", "set --json")
    for command in (["show"], ["get", "System"], ["set", "System.CPU=max"], ["remove", "Drive[0]"]):
        utmctl("config", command[0], WORK / "none.plist", *command[1:], "--json", status=2)
    same(utmctl("config", "show", bundle, "--plist").stdout.encode(), (bundle / "config.plist").read_bytes(), "bytes")
    utmctl("config", "set", bundle, "System.MemorySize", "4096")
    utmctl("config", "set", bundle, "Virtualization.Pointer", "Mouse")
    before["System"]["MemorySize"], before["Virtualization"]["Pointer"] = 4096, "Mouse"
    same(plistlib.loads((bundle / "config.plist").read_bytes()), before, "after set")
    for arguments in (["argv", bundle], ["argv", bundle, "--host", "macos"], ["run", bundle, "--for", "1"]):
        text = utmctl(*arguments, status=1).stderr
        check(re.fullmatch(r"utmctl: .*Virtualization framework.* \(not-supported\)\n {8}\S.*\n", text), text)


def shows_old_machines():
    """a machine of UTM 1 to 3 is shown as version 4, named after its package, and its file stays as it is"""
    bundle = WORK / "Old one.utm"
    (bundle / "Images").mkdir(parents=True)
    shutil.copy(SOURCE / "tests/data/config/legacy-qemu-2.plist", bundle / "config.plist")
    before = (bundle / "config.plist").read_bytes()
    lines = utmctl("config", "show", bundle / "config.plist").stdout.splitlines()
    for line in ("ConfigurationVersion = 4", "Information.Name = Old one", "Network[0].PortForward[0].HostPort = 5353"):
        check(line in lines, f"{line!r} is not in {lines}")
    same(utmctl("config", "get", bundle, "System.Target").stdout, "virt-6.0\n", "get")
    text = utmctl("config", "set", bundle / "config.plist", "System.MemorySize", "300", status=1).stderr
    check("edit the package" in text, text)
    same((bundle / "config.plist").read_bytes(), before, "the file")


def old_bundle(name, sample="legacy-qemu-2.plist"):
    """A bundle as UTM 3 left it, in a directory of its own."""
    bundle = WORK / name / "Old one.utm"
    (bundle / "Images").mkdir(parents=True)
    shutil.copy(SOURCE / "tests/data/config" / sample, bundle / "config.plist")
    for drive in plistlib.loads((bundle / "config.plist").read_bytes())["Drives"]:
        if drive.get("ImagePath"):
            (bundle / "Images" / drive["ImagePath"]).write_bytes(b"image")
    return bundle


def tree(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def migrates_bundles():
    """config migrate brings a bundle to version 4 where it is: notes, files in Data, exit code 1 when something is lost"""
    bundle = old_bundle("migrate")
    before = tree(bundle)
    images = sorted(os.listdir(bundle / "Images"))
    told = utmctl("config", "migrate", bundle, "--dry-run", status=1)
    check(re.search(r"^dropped: \S+: \S", told.stdout, re.M) and not told.stderr, f"{told}")
    check(all(re.fullmatch(r"(info|changed|dropped): \S+: \S.*", line) for line in told.stdout.splitlines()), told.stdout)
    same(tree(bundle), before, "after --dry-run")
    same(utmctl("config", "migrate", bundle, status=1).stdout, told.stdout, "notes")
    same(sorted(os.listdir(bundle / "Data")), images, "moved files")
    check(not (bundle / "Images").exists(), "Images is still there")
    written = plistlib.loads((bundle / "config.plist").read_bytes())
    same((written["ConfigurationVersion"], written["Information"]["Name"]), (4, "Old one"), "version, name")
    after = tree(bundle)
    same(utmctl("config", "migrate", bundle).stdout, "", "the second time")
    same(tree(bundle), after, "after the second time")


def migrates_to_another_place():
    """config migrate IN OUT leaves IN alone; the copy is the same machine"""
    bundle = old_bundle("elsewhere")
    before = tree(bundle)
    moved = bundle.parent / "New.utm"
    utmctl("config", "migrate", bundle, moved, status=1)
    same(tree(bundle), before, "the old one")
    same(sorted(os.listdir(moved / "Data")), sorted(os.listdir(bundle / "Images")), "files")
    utmctl("config", "migrate", bundle, status=1)
    here, there = (plistlib.loads((path / "config.plist").read_bytes()) for path in (bundle, moved))
    same(there, here, "identity, name and addresses")
    check("(bundle-exists)" in utmctl("config", "migrate", bundle, moved, status=1).stderr, "over another one")


def migrates_as_utm_does():
    """config migrate --utm-exact gives UTM's own faults, in bundles, files and pipes"""
    bundle = old_bundle("exact")
    file = bundle.parent / "out.plist"
    forward = lambda path: plistlib.loads(path.read_bytes())["Network"][0]["PortForward"][0]
    utmctl("config", "migrate", bundle / "config.plist", file, status=1)
    same((forward(file)["HostPort"], forward(file)["GuestPort"]), (5353, 53), "mended")
    same(plistlib.loads(file.read_bytes())["Information"]["Name"], "Old one", "name of the package")
    utmctl("config", "migrate", bundle / "config.plist", file, "--utm-exact", status=1)
    same((forward(file)["HostPort"], forward(file)["GuestPort"]), (53, 53), "of a file")
    with open(bundle / "config.plist", "rb") as standard_input:
        done = subprocess.run([UTMCTL, "config", "migrate", "-", "-", "--utm-exact"], stdin=standard_input, capture_output=True,
                              timeout=60, check=False)
    same((done.returncode, plistlib.loads(done.stdout)["Network"][0]["PortForward"][0]["HostPort"]), (1, 53), "of a pipe")
    check(b"dropped: " in done.stderr and b"dropped: " not in done.stdout, f"{done.stderr!r}")
    utmctl("config", "migrate", bundle, "--utm-exact", status=1)
    same(forward(bundle / "config.plist")["HostPort"], 53, "of a bundle")


def reports_migrations():
    """config migrate --json tells the same as the lines do"""
    bundle = old_bundle("report")
    lines = utmctl("config", "migrate", bundle, "--dry-run", status=1).stdout.splitlines()
    told = json.loads(utmctl("config", "migrate", bundle, "--dry-run", "--json", status=1).stdout)
    same([f'{note["kind"]}: {note["keyPath"]}: {note["reason"]}' for note in told["notes"]], lines, "notes")
    notes = told.pop("notes")
    check(notes, "no notes")
    same(told, {"path": str(bundle), "backend": "QEMU", "format": "legacy-qemu", "version": 2, "lossy": True, "written": None},
         "report")
    told = json.loads(utmctl("config", "migrate", bundle, "--json", status=1).stdout)
    same(told["written"], str(bundle), "where")
    same(json.loads(utmctl("config", "migrate", bundle, "--json").stdout)["format"], "current", "the second time")
    apple = WORK / "report" / "apple.plist"
    shutil.copy(SOURCE / "tests/data/config/legacy-apple-3.plist", apple)
    same(json.loads(utmctl("config", "migrate", apple, "--json", status=1).stdout)["format"], "legacy-apple", "Apple")
    same(plistlib.loads(apple.read_bytes())["Backend"], "Apple", "in its place")


def tells_strange_keys():
    """keys with control characters, in notes, do not reach the terminal; JSON has them as they are"""
    old = WORK / "strange.plist"
    keys = ["line\nbreak", "\t\x7f", "\u009b31m", "\u00a0\u00fc \u20ac"]
    data = plistlib.dumps({key: 1 for key in keys}, fmt=plistlib.FMT_BINARY)
    old.write_bytes(data)
    lines = utmctl("config", "migrate", old, "--dry-run", status=1).stdout.split("\n")
    same(len(lines), len(keys) + 1, f"lines of {lines}")
    for key in ("line?break", "??", "?31m", keys[3]):
        check(any(line.startswith(f"dropped: {key}: ") for line in lines), f"{key!r}: {lines}")
    told = json.loads(utmctl("config", "migrate", old, "--dry-run", "--json", status=1).stdout)
    same(sorted(note["keyPath"] for note in told["notes"]), sorted(keys), "in JSON")


def refuses_migrations():
    """what cannot be read is exit code 2; a file of a package alone is not migrated in its place"""
    bundle = old_bundle("refused")
    before = tree(bundle)
    check("name another file" in utmctl("config", "migrate", bundle / "config.plist", status=1).stderr, "in its place")
    check("standard output" in utmctl("config", "migrate", bundle, "-", status=2).stderr, "a bundle to standard output")
    for arguments in (["-"], ["-", "-", "--json"]):
        utmctl("config", "migrate", *arguments, status=2)
    same(tree(bundle), before, "the bundle")
    bad = WORK / "refused" / "bad.plist"
    bad.write_bytes(b"\xff\xfe" * 100)
    huge = WORK / "refused" / "huge.plist"
    huge.touch()
    os.truncate(huge, 1 << 40)
    for path, code in ((bad, "config-malformed"), (huge, "limit")):
        for words in (["migrate", path], ["normalize", path, WORK / "refused" / "out"]):
            text = utmctl("config", *words, status=2).stderr
            check(re.fullmatch(rf"utmctl: {path}: .* \({code}\)\n {{8}}\S.*\n", text), text)
    for words in (["migrate", WORK / "none"], ["normalize", WORK / "none", "-"], ["normalize", WORK, "-"]):
        utmctl("config", *words, status=2)
    check(not (WORK / "refused" / "out").exists(), "something was written")


def normalizes():
    """config normalize makes UTM's bytes of XML, binary and JSON, in files and pipes"""
    place = WORK / "normal"
    place.mkdir()
    for sample in ("full.plist", "apple-macos.plist", "unknown-keys.plist"):
        wanted = (SOURCE / "tests/data/config" / sample).read_bytes()
        values = plistlib.loads(wanted)
        inputs = {
            "xml": plistlib.dumps(values, sort_keys=False),
            "binary": plistlib.dumps(values, fmt=plistlib.FMT_BINARY, sort_keys=False),
            "json": utmctl("config", "show", SOURCE / "tests/data/config" / sample, "--json").stdout.encode(),
        }
        for name, data in inputs.items():
            (place / name).write_bytes(data)
            utmctl("config", "normalize", place / name, place / "out")
            check((place / "out").read_bytes() == wanted, f"{sample} from {name}")
            done = subprocess.run([UTMCTL, "config", "normalize", "-", "-"], input=data, capture_output=True, timeout=60,
                                  check=False)
            same((done.returncode, done.stderr), (0, b""), f"{sample} from {name}, through pipes")
            check(done.stdout == wanted, f"{sample} from {name}, through pipes")
    same(utmctl("config", "normalize", PLAIN, "-").stdout, utmctl("config", "show", PLAIN, "--plist").stdout, "of a bundle")
    told = json.loads(utmctl("config", "normalize", place / "json", place / "out", "--json").stdout)
    same((told["format"], told["written"], told["notes"]), ("current", str(place / "out"), []), "report")
    utmctl("config", "normalize", SOURCE / "tests/data/config/legacy-qemu-2.plist", place / "out", status=1)
    same(plistlib.loads((place / "out").read_bytes())["ConfigurationVersion"], 4, "of an older version")


def normalizes_into_odd_places():
    """a new file gets the mode that the mask says, an old one keeps its own, a link stays, a device is not replaced"""
    place = WORK / "odd"
    place.mkdir()
    new, old = place / "new", place / "old"
    old.write_text("x", encoding="utf-8")
    old.chmod(0o600)
    (place / "link").symlink_to("old")
    subprocess.run(["sh", "-c", 'umask 027; exec "$0" config normalize "$@"', UTMCTL, PLAIN, new], timeout=60, check=True)
    same(new.stat().st_mode & 0o777, 0o640, "mode of a new file")
    utmctl("config", "normalize", PLAIN, place / "link")
    same((old.read_bytes(), old.stat().st_mode & 0o777), (new.read_bytes(), 0o600), "through a link")
    check((place / "link").is_symlink(), "the link is gone")
    done = utmctl("config", "normalize", PLAIN, "/dev/stdout")
    same(done.stdout.encode(), new.read_bytes(), "into a pipe by its name")
    os.mkfifo(place / "fifo")
    with subprocess.Popen(["cat", place / "fifo"], stdout=subprocess.PIPE) as reader:
        utmctl("config", "normalize", PLAIN, place / "fifo")
        same(reader.stdout.read(), new.read_bytes(), "into a FIFO")
    check((place / "fifo").is_fifo(), "the FIFO is gone")
    utmctl("config", "normalize", PLAIN, place, status=1)
    utmctl("config", "normalize", PLAIN, place / "none" / "x", status=1)
    same(sorted(os.listdir(place)), ["fifo", "link", "new", "old"], "files")


def errors_have_two_lines():
    """errors name file, key path and code on one line, and the remedy on the next"""
    cases = [
        (["config", "get", PLAIN, "System.NoSuchKey"], r"utmctl: .*System\.NoSuchKey.* \(key-path\)\n {8}\S.*\n"),
        (["config", "set", PLAIN, "System.MemorySize", "much"], r"utmctl: .*System\.MemorySize: .* \(config-\S+\)\n {8}\S.*\n"),
        (["config", "set", PLAIN, "Drive[0].Interface", "Steam"],
         r"utmctl: .*Drive\[0\]\.Interface: .* \(config-invalid-value\)\n {8}\S.*\n"),
        (["config", "show", WORK / "none.plist"], r"utmctl: .*none\.plist: .* \(not-found\)\n {8}\S.*\n"),
        (["argv", WORK / "None.utm"], r"utmctl: .*None\.utm: .* \(not-\S+\)\n {8}\S.*\n"),
        (["run", WORK], r"utmctl: .*: .* \(not-a-bundle\)\n {8}\S.*\n"),
    ]
    for arguments, pattern in cases:
        done = utmctl(*arguments, status=2 if arguments[1] == "show" else 1)
        check(re.fullmatch(pattern, done.stderr), f"{arguments}: {done.stderr!r}")


def errors_of_images():
    """a name that leads out of the bundle, and a missing image, are told with their key path"""
    for name, code in (("../../etc/passwd", "bundle-path-escape"), ("gone.qcow2", "image-missing")):
        text = (PLAIN / "config.plist").read_text(encoding="utf-8").replace("vmlinuz", name)
        (PLAIN / "config.plist").write_text(text, encoding="utf-8")
        done = subprocess.run([UTMCTL, "run", PLAIN, "--for", "1"], capture_output=True, text=True, timeout=60, check=False)
        make_plain()
        same(done.returncode, 1, f"exit code, {done.stderr!r}")
        check(re.search(rf"Drive\[0\]\.ImageName: .*\({code}\)\n {{8}}\S", done.stderr), f"{name}: {done.stderr!r}")


def prints_argv():
    """argv prints one argument per line for both hosts, starts nothing, and --json agrees"""
    for host in ("linux", "macos"):
        lines = utmctl("argv", PLAIN, "--host", host).stdout.splitlines()
        check("qemu-system-x86_64" in lines[0], lines[0])
        check("-machine" in lines and "virtio-vga" in " ".join(lines), lines)
        check(f"{PLAIN}/Data/vmlinuz" in lines, lines)
        check("console=ttyS0 quiet loglevel=2 mitigations=off panic=-1" in lines, lines)
        told = json.loads(utmctl("argv", PLAIN, "--host", host, "--json").stdout)
        same([told["program"]] + [a["text"] for a in told["arguments"]], lines, host)
    utmctl("argv", PLAIN)


def explains_arguments():
    """each argument has its key path and a reason, in columns and as JSON"""
    rows = utmctl("argv", PLAIN, "--host", "linux", "--explain").stdout.splitlines()
    check(any(re.match(r"-device virtio-vga +Display\[0\]\.Hardware +The guest sees this display\.$", row) for row in rows), rows)
    columns = {row.index("System.") for row in rows if "System." in row}
    same(len(columns), 1, "columns of the key paths")
    told = json.loads(utmctl("argv", PLAIN, "--host", "linux", "--json", "--explain").stdout)["arguments"]
    same([a["text"] for a in told if not a.get("reason")], [], "arguments without a reason")


HOSTILE = ["it's", "a b", "$(touch gone)", "`id`", "\\", "\"q\"", "*", "new\nline", "-x", "--", "", "a,b=c", "é", ";&|<>", "~", "#", "!x"]


def prints_scripts():
    """--shell: the script runs as it is, and every byte of every argument survives it"""
    bundle = WORK / "it's $HOME `x` \n.utm"
    shutil.copytree(PLAIN, bundle)
    printer = WORK / "a 'printer'"
    printer.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n", encoding="utf-8")
    printer.chmod(0o755)
    facts = WORK / "printer.json"
    facts.write_text(json.dumps({"QemuPath": str(printer), "SharedDirectory": "/x", "DataDirs": HOSTILE}), encoding="utf-8")
    told = json.loads(utmctl("argv", bundle, "--host-facts", facts, "--json").stdout)
    script = WORK / "start.sh"
    script.write_text(utmctl("argv", bundle, "--host-facts", facts, "--shell").stdout, encoding="utf-8")
    ran = subprocess.run(["sh", script], capture_output=True, timeout=60, check=True, env={**os.environ, "TMPDIR": str(WORK)})
    seen = [text.decode() for text in ran.stdout.split(b"\0")[:-1]]
    same(seen, [a["text"] for a in told["arguments"]], "arguments that the program sees")
    check(set(HOSTILE) <= set(seen), seen)


def hostile_bundle():
    """The demo machine, with hostile words wherever there are words."""
    bundle = WORK / "it's, a=b $HOME `x` \"y\".utm"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(demo(), bundle)
    name = "a,readonly=on\n-device x 'b'.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", bundle / "Data" / name, "2M"], check=True, timeout=60)
    config = plistlib.loads((bundle / "config.plist").read_bytes())
    config["Information"]["Name"] = "-name,\n'x' help=?"
    config["Network"] = [{"Mode": "Emulated", "Hardware": "e1000", "MacAddress": "52:54:00:00:00:01", "IsolateFromHost": False,
                          "PortForward": [], "VlanDnsSearchDomain": "a,hostfwd=tcp::1-:2", "VlanDhcpDomain": ",,$(id)"}]
    config["Drive"].append({"ImageType": "Disk", "Interface": "VirtIO", "InterfaceVersion": 1, "Identifier": "HOSTILE",
                            "ReadOnly": False, "ImageName": name})
    (bundle / "config.plist").write_bytes(plistlib.dumps(config))
    return bundle, str(bundle / "Data" / name)


def ask(lines, command):
    """What a monitor returns; its greeting and events are passed over."""
    lines.write(json.dumps({"execute": command}) + "\n")
    lines.flush()
    while "return" not in (answer := json.loads(lines.readline())):
        check("error" not in answer, answer)
    return answer["return"]


def ask_script(text, *commands):
    """The answers of the QEMU that a script starts. It ends with its monitor's quit."""
    script = WORK / "real.sh"
    script.write_text(text, encoding="utf-8")
    place = pathlib.Path(tempfile.mkdtemp(prefix="utm-sh-"))
    with subprocess.Popen(["sh", script], stderr=subprocess.PIPE, env={**os.environ, "UTM_RUN_DIR": str(place)}) as running:
        try:
            deadline = time.monotonic() + 60
            while not (place / "qmp.sock").exists():
                check(running.poll() is None, "QEMU ended")
                check(time.monotonic() < deadline, "QEMU does not start")
                time.sleep(0.02)
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.settimeout(60)
                monitor.connect(str(place / "qmp.sock"))
                lines = monitor.makefile("rw", encoding="utf-8")
                answers = [ask(lines, command) for command in ("qmp_capabilities", *commands)][1:]
                lines.write('{"execute":"quit"}\n')
                lines.flush()
            same(running.wait(60), 0, "exit status")
        except OSError as problem:
            raise AssertionError(running.communicate(timeout=60)[1]) from problem
        finally:
            if running.poll() is None:
                running.kill()
    shutil.rmtree(place)
    return answers


def starts_scripts():
    """a script of --shell starts a real QEMU, paused; hostile words are words in it"""
    bundle, image = hostile_bundle()
    status, blocks, name = ask_script(utmctl("argv", bundle, "--shell").stdout, "query-status", "query-block", "query-name")
    same(status["status"], "prelaunch", "status")
    same([b["inserted"]["file"] for b in blocks if "HOSTILE" in b["device"]], [image], "the image")
    same([b["inserted"]["ro"] for b in blocks if "HOSTILE" in b["device"]], [False], "read-only")
    same(name["name"], "namex help", "name")


def repeats_utms_faults():
    """--utm-exact leaves UTM's faults in, which are mended otherwise"""
    bundle, _ = hostile_bundle()
    exact, mended = (utmctl("argv", bundle, "--host", "macos", *more).stdout for more in (["--utm-exact"], []))
    check(",dnssearch=a,hostfwd" in exact and ",dnssearch=a,,hostfwd" in mended, (exact, mended))
    check("format=qcow2,file.filename=" in mended and "format=qcow2,file.filename=" not in exact, (exact, mended))


def refuses_arguments():
    """run --arguments refuse: a machine with additional arguments does not start, and says which"""
    bundle = WORK / "Arguments.utm"
    shutil.copytree(demo(), bundle)
    told = utmctl("argv", bundle).stderr
    check("warning: QEMU.AdditionalArguments: QEMU gets additional arguments: -append" in told, told)
    done = utmctl("run", bundle, "--arguments", "refuse", status=1)
    check("(arguments-refused)" in done.stderr and "-append" in done.stderr, done.stderr)


def takes_host_facts():
    """--host-facts changes the command line; damaged facts are an error that names the file"""
    facts = WORK / "facts.json"
    facts.write_text("{", encoding="utf-8")
    check("facts.json" in utmctl("argv", PLAIN, "--host-facts", facts, status=1).stderr, "damaged facts")
    utmctl("argv", PLAIN, "--host-facts", WORK / "gone.json", status=1)


def checks_the_screenshot_first():
    """a picture that cannot be saved is told before the machine starts"""
    for shot in (WORK / "none/shot.png", WORK):
        done = utmctl("run", PLAIN, "--screenshot", shot, status=1)
        check(re.fullmatch(rf"utmctl: {shot}: no picture .*\n {{8}}\S.*\n", done.stderr) and not done.stdout, f"{done}")


def runs_for_a_time():
    """run --for stops in time, with picture, typed key, serial output and end reason"""
    bundle = demo()
    shot = WORK / "shot.png"
    for seconds in (24, 48, 96):  # the first is plenty, unless the machine is busy with other things
        done = utmctl("run", bundle, "--for", str(seconds), "--screenshot", shot, "--type-key", f"0x1e@{seconds - 4}")
        if "serial: demo: key 30" in done.stdout.splitlines():
            break
    print("".join(f"# {line}\n" for line in done.stdout.splitlines()))
    for line in ("state: running", "serial: demo: ready", "typed: 0x1e", "serial: demo: key 30", "time is over",
                 f"screenshot: {shot}", "state: stopped"):
        check(line in done.stdout.splitlines(), f"{line!r} is not in {done.stdout!r}")
    check(re.search(r"^end: guest-shutdown: ", done.stdout, re.M), "end reason")
    check("\nqemu: " not in done.stdout and "SPICE_" not in done.stdout and "not typed" not in done.stdout, "noise")
    check(Picture(shot).pixel(0, 0) == (16, 100, 70), "the picture is not that after the key")


def runs_until_the_guest_ends():
    """run without --for ends with the guest"""
    bundle = demo()
    # Escape ends it, once it listens; before, nobody hears.
    keys = [word for second in range(8, 60, 2) for word in ("--type-key", f"0x01@{second}")]
    done = utmctl("run", bundle, *keys)
    check("serial: demo: power off" in done.stdout, done.stdout)
    check(re.search(r"^end: guest-shutdown: ", done.stdout, re.M), "end reason")


def interrupt(process, wanted, method):
    seen = []
    for line in process.stdout:
        seen.append(line)
        if wanted in line:
            method()
    return "".join(seen)


def stops_at_ctrl_c():
    """Ctrl-C has the guest power off; exit code 130"""
    bundle = demo()
    with subprocess.Popen([UTMCTL, "run", bundle, "--type-key", "0x1e@500"], stdout=subprocess.PIPE, text=True) as process:
        text = interrupt(process, "demo: ready", lambda: process.send_signal(signal.SIGINT))
    same(process.returncode, 130, f"exit code, {text!r}")
    check("demo: power off" in text and "end: guest-shutdown" in text, text)
    check("\nnot typed: 0x1e: its time never came\n" in text, text)


def stops_at_hangup():
    """SIGHUP and SIGTERM stop the guest in order, and a second SIGHUP does not kill; no process or directory stays"""
    bundle = demo()
    runtime = WORK / "runtime"
    runtime.mkdir(mode=0o700)
    environment = dict(os.environ, XDG_RUNTIME_DIR=str(runtime))
    for signals in ([signal.SIGHUP, signal.SIGHUP], [signal.SIGTERM]):
        def send():
            check(os.listdir(runtime), "sockets elsewhere")
            for number in signals:
                process.send_signal(number)
                time.sleep(0.3)

        with subprocess.Popen([UTMCTL, "run", bundle], stdout=subprocess.PIPE, text=True, env=environment) as process:
            text = interrupt(process, "demo: ready", send)
        same(process.returncode, 130, f"exit code, {text!r}")
        check("demo: power off" in text and "end: guest-shutdown" in text, text)
        same(os.listdir(runtime), [], "what was left behind")


def leaves_nohup_alone():
    """SIGHUP that was ignored from the start stays ignored"""
    bundle = demo()
    with subprocess.Popen([UTMCTL, "run", bundle, "--for", "3"], stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        text = interrupt(process, "state: running", lambda: process.send_signal(signal.SIGHUP))
    same(process.returncode, 0, f"exit code, {text!r}")
    check("time is over" in text and "interrupted" not in text, text)


def runs_without_reader():
    """a guest runs on when nobody reads what it prints any more; that is told at the end"""
    bundle = demo()
    shot = WORK / "unread.png"
    with subprocess.Popen([UTMCTL, "run", bundle, "--for", "3", "--screenshot", shot], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    same(process.returncode, 1, f"exit code, {errors!r}")
    check("utmctl: standard output: " in errors and shot.exists(), f"{errors!r}")


def shows_qemu_when_asked():
    """run --verbose prints QEMU's standard error and all of its events"""
    done = utmctl("run", demo(), "--for", "1", "--verbose")
    check("\nqemu: " in done.stdout and "event: SPICE_" in done.stdout, done.stdout)


def kills_at_second_ctrl_c():
    """a second Ctrl-C does not wait for the guest"""
    bundle = demo()

    def twice():
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)

    with subprocess.Popen([UTMCTL, "run", bundle], stdout=subprocess.PIPE, text=True) as process:
        text = interrupt(process, "state: running", twice)  # a kernel that boots hears no power button
    same(process.returncode, 130, f"exit code, {text!r}")
    check("end: killed" in text, text)


def copy_of_plain(name):
    """A fresh copy of the plain bundle, in a directory of its own."""
    bundle = WORK / name / "Machine.utm"
    shutil.copytree(PLAIN, bundle)
    return bundle


def lists_bundles():
    """bundle list tells the sound and the broken ones, as text and as JSON"""
    place = copy_of_plain("list").parent
    (place / "Broken.utm").mkdir()
    (place / "new\nline.utm").mkdir()
    (place / "No bundle").mkdir()
    lines = utmctl("bundle", "list", place).stdout.splitlines()
    same(len(lines), 3, f"lines {lines}")
    check(lines[1].startswith("11111111-2222-4333-8444-555555555555  Demo  ") and lines[1].endswith("Machine.utm"), lines[1])
    check(lines[0].startswith("-") and "Broken" in lines[0] and "(not-a-bundle: " in lines[0], lines[0])
    check("new?line" in lines[2], lines[2])
    entries = json.loads(utmctl("bundle", "list", place, "--json").stdout)
    same([entry["name"] for entry in entries], ["Broken", "Demo", "new\nline"], "names")
    same(entries[1]["uuid"], "11111111-2222-4333-8444-555555555555", "identifier")
    check(set(entries[0]) == {"path", "name", "error", "message"}, entries[0])
    same(json.loads(utmctl("bundle", "list", place / "No bundle", "--json").stdout), [], "of an empty directory")
    check("(not-found)" in utmctl("bundle", "list", place / "nowhere", status=1).stderr, "of none")


def tells_sizes():
    """bundle size counts bytes on disk"""
    bundle = copy_of_plain("size")
    (bundle / "Data" / "big").write_bytes(b"x" * 1000000)
    size = json.loads(utmctl("bundle", "size", bundle, "--json").stdout)
    same(size["files"], 2, "files")
    same(size["lengthBytes"], 1000000 + (bundle / "config.plist").stat().st_size, "content")
    check(1000000 <= size["allocatedBytes"] < 1100000, size)
    check(f"on disk: {size['allocatedBytes']} bytes\n" in utmctl("bundle", "size", bundle).stdout, "as text")


def shows_views():
    """bundle view prints what view.plist says; a bundle without one is an error"""
    bundle = copy_of_plain("view")
    text = utmctl("bundle", "view", bundle, status=1).stderr
    check(re.fullmatch(r"utmctl: .*view\.plist: .* \(not-found\)\n {8}\S.*\n", text), text)
    shutil.copy(SOURCE / "tests/data/view/view.plist", bundle)
    lines = utmctl("bundle", "view", bundle).stdout.splitlines()
    check("WindowSettings.0.Scale = 2.0" in lines, lines)
    same(json.loads(utmctl("bundle", "view", bundle, "--json").stdout)["WindowSettings"]["0"]["Scale"], 2.0, "scale")
    (bundle / "view.plist").write_bytes(plistlib.dumps({"ShowToolbar": True}))
    same(utmctl("bundle", "view", bundle).stdout, "", "nothing to say")


def prunes():
    """bundle prune only lists; with --yes it removes disk images that nothing speaks of, and others by name"""
    data = copy_of_plain("prune") / "Data"
    for name in ("old.img", "notes.txt", "initrd.img"):
        (data / name).write_text("x", encoding="ascii")
    listed = utmctl("bundle", "prune", data.parent).stdout
    check(re.search(r"^would go  old\.img  \d+ bytes$", listed, re.M), listed)
    check(re.search(r"^stays     notes\.txt ", listed, re.M) and "initrd" not in listed, listed)
    check((data / "old.img").exists(), "listing removes nothing")
    removed = utmctl("bundle", "prune", data.parent, "--yes").stdout
    check(re.fullmatch(r"removed  old\.img  \d+ bytes\n", removed), removed)
    same(sorted(p.name for p in data.iterdir()), ["initrd.img", "notes.txt"], "what is left")
    check("used by the configuration" in utmctl("bundle", "prune", data.parent, "initrd.img", "--yes", status=1).stderr, "used")
    utmctl("bundle", "prune", data.parent, "notes.txt", "--yes")
    same([p.name for p in data.iterdir()], ["initrd.img"], "what is left")


def clones_and_renames():
    """bundle clone makes a machine of its own, bundle rename another name; neither replaces anything"""
    bundle = copy_of_plain("clone")
    (bundle / "Data" / "initrd.img").write_text("content", encoding="ascii")
    copy = bundle.parent / "Copy.utm"
    same(utmctl("bundle", "clone", bundle, copy).stdout, f"{copy.resolve()}\n", "where it is")
    same(utmctl("config", "get", copy, "Information.Name").stdout, "Copy\n", "name")
    check(utmctl("config", "get", copy, "Information.UUID").stdout != "11111111-2222-4333-8444-555555555555\n", "identifier")
    same((copy / "Data" / "initrd.img").read_text(encoding="ascii"), "content", "content")
    check("(bundle-exists)" in utmctl("bundle", "clone", bundle, copy, status=1).stderr, "once more")
    utmctl("bundle", "clone", bundle, bundle.parent / "Other", status=1)
    utmctl("bundle", "clone", bundle, bundle.parent / "Third.utm", "--name", "Dritte")
    same(utmctl("config", "get", bundle.parent / "Third.utm", "Information.Name").stdout, "Dritte\n", "name")
    check("(bundle-exists)" in utmctl("bundle", "rename", bundle, "Copy", status=1).stderr, "taken")
    same(utmctl("bundle", "rename", bundle, "A/B").stdout, f"{(bundle.parent / 'A-B.utm').resolve()}\n", "new path")
    same(utmctl("config", "get", bundle.parent / "A-B.utm", "Information.Name").stdout, "A/B\n", "name")
    same(sorted(p.name for p in bundle.parent.iterdir()), ["A-B.utm", "Copy.utm", "Third.utm"], "what is there")


def keeps_others_out():
    """what another process has locked is not changed, and the message names that process"""
    bundle = copy_of_plain("locked")
    descriptor = os.open(bundle, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    for arguments in (["config", "set", bundle, "QEMU.RNGDevice", "false"], ["bundle", "rename", bundle, "X"],
                      ["bundle", "prune", bundle, "--yes"], ["bundle", "clone", bundle, bundle.parent / "C.utm"]):
        text = utmctl(*arguments, status=1).stderr
        check(f"in use by process {os.getpid()} (" in text and "(bundle-locked)" in text, text)
    utmctl("config", "show", bundle)
    os.close(descriptor)
    utmctl("config", "set", bundle, "QEMU.RNGDevice", "false")


def makes_new_machines():
    """config new makes a bundle, a property list or text, overwrites nothing, and names what is wrong"""
    bundle, alone = WORK / "Brand new.utm", WORK / "new.plist"
    same(utmctl("config", "new", bundle, "--arch", "riscv64").stdout, "", "nothing to tell")
    same(utmctl("config", "get", bundle, "Information.Name").stdout, "Brand new\n", "named as the bundle")
    same(utmctl("config", "get", bundle, "Display[0].Hardware").stdout, "virtio-ramfb\n", "display")
    made = json.loads(utmctl("config", "new", alone, "--arch", "ppc", "--target", "mac99", "--name", "Mac", "--json").stdout)
    same(made, plistlib.loads(alone.read_bytes()), "the file is what was told")
    same((made["Information"]["Name"], made["Network"][0]["Hardware"]), ("Mac", "sungem"), "what was asked for")
    for out in (bundle, alone):
        before = utmctl("config", "show", out).stdout
        utmctl("config", "new", out, "--arch", "avr", status=1)
        same(utmctl("config", "show", out).stdout, before, "not overwritten")
    same(plistlib.loads(utmctl("config", "new", "-", "--backend", "apple").stdout.encode())["Backend"], "Apple", "Apple")
    check("System.Architecture: " in utmctl("config", "new", "-", "--arch", "cris", status=1).stderr, "no architecture")
    check("System.Target: " in utmctl("config", "new", "-", "--arch", "arm", "--target", "a,b", status=1).stderr, "no target")
    for arguments in (["-"], ["x.txt", "--arch", "arm"], ["-", "--arch", "arm", "--backend", "xen"], ["--arch", "arm"]):
        utmctl("config", "new", *arguments, status=2)


def tells_the_host():
    """host: QEMUs, accelerators, helpers; as facts that argv takes"""
    facts = json.loads(utmctl("host", "--json").stdout)
    tried = {entry["Name"]: entry for entry in facts["Accelerators"]}
    assert set(tried) == {"kvm", "tcg"}, tried
    assert tried["tcg"]["State"] == "Works", tried
    assert (tried["kvm"]["State"] == "Works") == (facts["Architecture"] in facts["Accelerated"]), facts
    assert any(entry["Name"] == facts["Architecture"] for entry in facts["Programs"]), facts["Programs"]
    text = utmctl("host", "--arch", "riscv64").stdout
    for word in ("accelerators", "kvm", "absent", "sound", "render-node", "swtpm", "UEFI"):
        assert word in text, text
    done = utmctl("host", "--arch", "vax", status=1)
    assert "System.Architecture" in done.stderr, done.stderr


def json_of_any_path():
    """--json: paths that are no UTF-8 are JSON all the same, and come back"""
    directory = os.fsencode(WORK) + b"/odd \xff \xc3\xa9 \xed\xa0\x80"
    os.mkdir(directory)
    package = os.fsdecode(directory + b"/New.utm")
    utmctl("config", "new", package, "--arch", "x86_64")
    done = subprocess.run([UTMCTL, "argv", package, "--host", "linux", "--json"], capture_output=True, check=True)
    texts = [each["text"] for each in json.loads(done.stdout.decode("utf-8"))["arguments"]]
    check(any(directory in os.fsencode(text) for text in texts), str(texts))


def lists_hardware():
    """hardware: QEMU's own lists, or those that the library brings"""
    brought = json.loads(utmctl("hardware", "riscv64", "--snapshot", "--json").stdout)
    check("qemuPath" not in brought and brought["qemuVersion"], str(brought)[:200])
    check("virt" in [machine["name"] for machine in brought["machines"]], "machines")
    same(brought["cpus"][0], {"name": "default", "default": True}, "the first processor")
    live = json.loads(utmctl("hardware", "x86_64", "--json").stdout)
    check(live["qemuPath"].endswith("/qemu-system-x86_64"), live["qemuPath"])
    cards = {card["name"]: card for card in live["networks"]}
    same(cards["e1000"]["bus"], "PCI", "bus")
    check(cards["e1000"]["description"], "description")
    text = utmctl("hardware", "x86_64").stdout
    check(text.startswith("x86_64, QEMU ") and "\nmachine types\n" in text and "\nsound cards\n" in text, text[:200])
    card = json.loads(utmctl("hardware", "x86_64", "--device", "e1000", "--json").stdout)
    same(sorted(card), ["architecture", "properties", "qemuPath", "qemuVersion"], "what is told of a device")
    check("mac" in [each["name"] for each in card["properties"]], "properties")
    check("smm  OnOffAuto" in utmctl("hardware", "x86_64", "--machine", "q35").stdout, "properties of a machine type")
    done = utmctl("hardware", "x86_64", "--device", "none", status=1)
    check("QEMU x86_64 has no device none (not-found)" in done.stderr, done.stderr)
    utmctl("hardware", "x86_64", "--device", "e1000", "--snapshot", status=2)
    done = utmctl("hardware", "cris", status=1)
    check("System.Architecture" in done.stderr and "invalid-value" in done.stderr, done.stderr)


def tells_qemus_words():
    """a start that QEMU refuses is told with each of QEMU's last lines below"""
    bundle = WORK / "Refused.utm"
    shutil.copytree(demo(), bundle)
    utmctl("config", "set", bundle, "QEMU.AdditionalArguments[1]", "--", "-device nonsense")
    done = utmctl("run", bundle, status=1)
    check("nonsense" in done.stderr.splitlines()[0] and "(process-exited)" in done.stderr.splitlines()[0], done.stderr)
    check(all(line.startswith("        it said: ") for line in done.stderr.splitlines()[2:]), done.stderr)
    check("\nqemu: " not in done.stdout and "end: start-failed" in done.stdout, done.stdout)


def tells_a_bad_end():
    """QEMU ended by a signal of somebody else's: exit code 3"""
    bundle = demo()
    with subprocess.Popen([UTMCTL, "run", bundle], stdout=subprocess.PIPE, text=True) as process:
        def kill_qemu():
            children = pathlib.Path(f"/proc/{process.pid}/task").glob("*/children")
            for pid in " ".join(c.read_text(encoding="ascii") for c in children).split():
                if "qemu" in pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii"):
                    os.kill(int(pid), signal.SIGSEGV)
        text = interrupt(process, "state: running", kill_qemu)
    same(process.returncode, 3, f"exit code, {text!r}")
    check("end: qemu-signalled" in text and "end: signal 11" in text, text)
    check(re.search(r"^qemu: .*TCG", text, re.M), f"QEMU's last lines: {text!r}")


make_plain()
try:
    run_all([helps, helps_with_a_command, inserts, spares_packages, refuses_misuse, refuses_keys, tells_lost_output, survives_a_gone_reader,
             shows_flat, shows_json_and_plist, gets_and_sets, writes_through_links, warns_of_names,
             says_what_a_value_must_be, removes, makes_new_machines, json_of_any_path, lists_hardware, tells_the_host, tells_the_schema, refuses_keys_of_the_schema,
             edits_apple_machines, shows_old_machines, migrates_bundles,
             migrates_to_another_place, migrates_as_utm_does, reports_migrations, tells_strange_keys, refuses_migrations,
             normalizes, normalizes_into_odd_places, errors_have_two_lines, errors_of_images, prints_argv, explains_arguments, prints_scripts,
             starts_scripts, repeats_utms_faults, refuses_arguments, takes_host_facts,
             checks_the_screenshot_first, runs_for_a_time, runs_until_the_guest_ends, stops_at_ctrl_c, stops_at_hangup,
             leaves_nohup_alone, runs_without_reader, shows_qemu_when_asked, kills_at_second_ctrl_c, tells_qemus_words,
             tells_a_bad_end, lists_bundles, tells_sizes, shows_views, prunes, clones_and_renames, keeps_others_out])
finally:
    shutil.rmtree(WORK)
