#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs cargo for meson: against this build tree, into this build directory, from the distribution's crates alone.

Usage: cargo.py --check                       whether a build is possible; says why not, and exits with 1
       cargo.py RUN TARGET-DIRECTORY --stamp FILE ARGUMENT...     builds
       cargo.py RUN TARGET-DIRECTORY --tap ARGUMENT...            tests, and tells the cases as TAP
       cargo.py RUN TARGET-DIRECTORY --lint   rustfmt and clippy, where they are, as TAP

RUN is the build directory's `run`, by which libutm is found.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
REGISTRY = pathlib.Path("/usr/share/cargo/registry")
CRATES = {"futures-core": "librust-futures-core-dev", "serde": "librust-serde-dev"}
OLDEST = (1, 82)
CASE = re.compile(r"^test (.+?) \.\.\. (ok|FAILED|ignored)\b")


def check():
    cargo = shutil.which("cargo")
    if not cargo:
        return "cargo is not on PATH"
    text = subprocess.run([cargo, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < OLDEST:
        return f"cargo is {'.'.join(map(str, version))}, and 1.82 is needed"
    missing = [package for crate, package in CRATES.items() if not list(REGISTRY.glob(f"{crate}-[0-9]*"))]
    return f"packages are missing: {', '.join(missing)}" if missing else None


def cargo(run, target, arguments, **options):
    """In the directory of the workspace, whose `.cargo/config.toml` names the distribution's crates."""
    environment = dict(os.environ, CARGO_TARGET_DIR=target, CARGO_TERM_COLOR="never")
    return subprocess.Popen([run, "cargo", *arguments], cwd=HERE, env=environment, **options)


def build(run, target, stamp, *arguments):
    status = cargo(run, target, arguments).wait()
    if status == 0:
        pathlib.Path(stamp).touch()
    return status


def tap(run, target, *arguments):
    """One case of libtest is one of TAP; what is not a case is a remark."""
    process = cargo(run, target, arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    number = 0
    for line in process.stdout:
        case = CASE.match(line)
        if not case:
            print(f"# {line}", end="", flush=True)
            continue
        number += 1
        print(f"{'not ' if case[2] == 'FAILED' else ''}ok {number} - {case[1]}{' # SKIP' if case[2] == 'ignored' else ''}", flush=True)
    status = process.wait()
    print(f"1..{number}")
    return status


def lint(run, target):
    worst = 0
    print("1..2")
    for number, (tool, arguments) in enumerate((("fmt", ["fmt", "--all", "--check"]),
                                                ("clippy", ["clippy", "-q", "--workspace", "--all-targets", "--", "-D", "warnings"])), 1):
        if cargo(run, target, [tool, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait():
            print(f"ok {number} - {tool} # SKIP there is no cargo {tool}")
            continue
        done = cargo(run, target, arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = done.communicate()[0]
        print("".join(f"# {line}\n" for line in text.splitlines()) if done.returncode else "", end="")
        print(f"{'not ' if done.returncode else ''}ok {number} - cargo {tool} finds nothing")
        worst = max(worst, done.returncode)
    return worst


def main(arguments):
    if arguments == ["--check"]:
        problem = check()
        print(problem or "")
        return bool(problem)
    run, target, what, *rest = arguments
    return {"--stamp": build, "--tap": tap, "--lint": lint}[what](run, target, *rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
