#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""qmp-monitor on a QEMU that this test starts, and on recordings of it; README.md's lines about any QEMU."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from tap import SOURCE, Skip, check, run_all, same

MONITOR, LIBRARY, INCLUDE = map(os.path.abspath, sys.argv[1:])
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utm-qmp-monitor-"))
SOCKET, RECORDING = WORK / "qmp.sock", WORK / "session.jsonl"
QEMU = "qemu-system-x86_64"
PATIENCE = 60
STATE = r"QEMU \d+\.\d+\.\d+: prelaunch\ndisks: ide1-cd0 \(empty\), disk0 \(null-co://\)\n"
TIME = r"\d\d:\d\d:\d\d\.\d{3}  "


class Machine:
    """A machine that never runs its processor, with a disk and an empty drive. monitor: what -qmp is to have."""

    def __init__(self, monitor):
        if not shutil.which(QEMU):
            raise Skip(f"no {QEMU}")
        self.log = open(WORK / "qemu.log", "w+b")
        self.process = subprocess.Popen([QEMU, "-M", "pc", "-S", "-display", "none", "-nodefaults", "-qmp", monitor,
                                         "-drive", "if=ide,media=cdrom,index=2", "-blockdev", "null-co,node-name=d0",
                                         "-device", "ide-hd,drive=d0,id=disk0"], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def __enter__(self):
        return self

    def wait(self):
        same(self.process.wait(timeout=PATIENCE), 0, "QEMU's exit status")

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait(timeout=PATIENCE)
        self.log.close()
        SOCKET.unlink(missing_ok=True)


def unix_machine():
    machine = Machine(f"unix:{SOCKET},server=on,wait=off")
    deadline = time.monotonic() + PATIENCE
    while machine.process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(SOCKET)) == 0:
                break
        time.sleep(0.02)
    check(machine.process.poll() is None, "QEMU does not run")
    return machine


def monitor(*arguments, text="", status=0):
    done = subprocess.run([MONITOR, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=PATIENCE,
                          check=False)
    same(done.returncode, status, f"exit code of {arguments}, {done.stdout!r} {done.stderr!r}")
    return done


def matches(pattern, text):
    check(re.fullmatch(pattern, text), f"{text!r} is not {pattern!r}")


def tells_and_runs():
    """it tells what there is, runs commands of the command line, and fails when one of them does"""
    with unix_machine():
        done = monitor(SOCKET, "query-name", '{"arguments":{"driver":"null-co","node-name":"d1"},"execute":"blockdev-add"}',
                       'blockdev-del {"node-name":"d1"}')
        matches(STATE + r"query-name: \{\}\nblockdev-add: \{\}\nblockdev-del: \{\}\n", done.stdout)
        same(done.stderr, "", "standard error")
        done = monitor(SOCKET, 'device_del {"id":"gone"}', "query-name", status=1)
        matches(STATE + r"query-name: \{\}\n", done.stdout)
        check("device_del" in done.stderr and "gone" in done.stderr, done.stderr)
        for wrong in ("query-name {", '{"execute":', "{}", "query name"):
            monitor(SOCKET, wrong, status=1)


def reads_input():
    """it reads commands from lines of standard input, the last one without its end too"""
    with unix_machine():
        done = monitor(SOCKET, text='query-name\n\n  \t\n  {"execute":"query-kvm"}\nstop\nquery-name')
        matches(STATE + r'query-name: \{\}\nquery-kvm: \{.*\}\nstop: \{\}\nquery-name: \{\}\n', done.stdout)
        monitor(SOCKET, text="x" * 70000, status=1)


def watches_records_replays():
    """it prints typed events until QEMU goes, records that, and tells the same from the recording"""
    commands = ("cont", "stop", "system_reset", "quit")
    with unix_machine() as machine:
        live = monitor("--watch", "--record", RECORDING, SOCKET, *commands).stdout
        machine.wait()
    reset = f"{TIME}RESET by the host: host-qmp-system-reset\n"
    check(re.search(reset, live), live)
    matches(STATE + f"(?:{TIME}[A-Z].*\n|[a-z_]+: {{}}\n)*{TIME}SHUTDOWN by the host: host-qmp-quit\n(?:quit: {{}}\n)?"
            "end: the monitor closed the connection\n", live)
    same(RECORDING.stat().st_mode & 0o777, 0o600, "mode of the recording")
    lines = [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]
    check("QMP" in lines[0]["message"] and "end" in lines[-1], lines)
    same([line["message"]["execute"] for line in lines if line["from"] == "client"],
         ["qmp_capabilities", "query-status", "query-block", *commands], "recorded commands")
    same(monitor("--watch", "--replay", RECORDING, *commands).stdout, live, "what the replay told")
    done = monitor("--watch", "--replay", RECORDING, "cont", "fly", *commands[1:], status=1)
    check("does not have this command here: fly" in done.stderr and "not the recorded session" in done.stderr, done.stderr)


def attaches_over_tcp():
    """it attaches to HOST:PORT"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Machine(f"tcp:127.0.0.1:{port},server=on,wait=off") as machine:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and machine.process.poll() is None:
            done = subprocess.run([MONITOR, f"127.0.0.1:{port}", "query-name"], capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.02)
        matches(STATE + r"query-name: \{\}\n", done.stdout)


def refuses_misuse():
    """misuse is exit code 2, what cannot be reached 1"""
    for arguments in ([], ["--watch"], ["--record"], ["--replay"], ["--fly", "x"], ["--record", "x"]):
        check("usage:" in monitor(*arguments, status=2).stderr, arguments)
    for target in (WORK / "none", "127.0.0.1:1"):
        check("cannot attach" in monitor(target, status=1).stderr, target)
    RECORDING.write_text("garbage\n", encoding="utf-8")
    check("line 1" in monitor("--replay", RECORDING, status=1).stderr, "garbage")


PROGRAM = """#include <stdio.h>
#include <utm/utm.h>
{include}
static int list_disks(UtmContext *ctx)
{{
UtmError *error = NULL;
{body}
return 0;
}}
int main(void)
{{
	UtmContext *ctx = utm_context_new(NULL, NULL);
	int failed = list_disks(ctx);
	utm_context_unref(ctx);
	return failed;
}}
"""


def readme_snippet():
    """README.md's lines about any QEMU compile without warnings and list the disks of one"""
    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    found = [b for b in re.findall(r"^```c\n(.*?)^```$", readme, flags=re.M | re.S) if "utm_qmp_connect_path" in b]
    same(len(found), 1, "such blocks")
    include, _, body = found[0].partition("\n\n")
    check("/run/vm7/qmp.sock" in body, body)
    source = WORK / "disks.c"
    source.write_text(PROGRAM.format(include=include, body=body.replace("/run/vm7/qmp.sock", str(SOCKET))), encoding="utf-8")
    program = WORK / "disks.o"
    subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE}/include", f"-I{INCLUDE}", "-c", "-o", program,
                    source], check=True)
    if re.search(rb"__[at]san_init", pathlib.Path(LIBRARY).read_bytes()):
        raise Skip("compiles; a library with a sanitizer does not go with this program")
    subprocess.run(["cc", "-o", WORK / "disks", program, LIBRARY, f"-Wl,-rpath,{pathlib.Path(LIBRARY).parent}"], check=True)
    with unix_machine():
        done = subprocess.run([WORK / "disks"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    same((done.returncode, done.stdout), (0, "ide1-cd0: empty\n: null-co://\n"), f"the program ({done.stderr})")


try:
    run_all([tells_and_runs, reads_input, watches_records_replays, attaches_over_tcp, refuses_misuse, readme_snippet])
finally:
    shutil.rmtree(WORK)
