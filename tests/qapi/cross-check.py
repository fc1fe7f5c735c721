#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do the tables say what QEMU says? They are compared with live QEMUs and guest agents; the output is TAP.

    cross-check.py [--tables PROGRAM] [--qemu DIRECTORY] [--verbose] [NAME...]

Without --qemu the installed ones are asked. DIRECTORY is one that unpack-qemu.sh made; the environment variable
UTM_TEST_QEMU names one that is asked besides the installed ones. PROGRAM prints, for `qmp` or `qga` as its argument,
the tables that it is linked with (tables.py describes how); without it the ledgers are compared, which says nothing
about the library. A difference is one line that begins with a path. NAME is that of a program: qemu-system-aarch64.
"""

import argparse
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "apps")]

import introspection  # noqa: E402
import live  # noqa: E402
import tables  # noqa: E402
import tap  # noqa: E402
from ranges import Ranges  # noqa: E402

MONITORS = ("qemu-system-x86_64", "qemu-system-aarch64")
AGENTS = ("qemu-ga",)
NOT_LINKED = 77


@functools.cache
def protocol(name):
    return tables.load_ledger(name)


@functools.cache
def document(name, program):
    if not program:
        return tables.from_ledger(protocol(name))
    printed = subprocess.run([program, name], capture_output=True, check=False, timeout=60)
    if printed.returncode == NOT_LINKED:
        raise tap.Skip(f"no tables of {name} are linked")
    printed.check_returncode()
    return json.loads(printed.stdout)


def view(name, program, release):
    """The tables as a release sees them."""
    if release not in protocol(name).releases:
        raise tap.Skip(f"release {release} is not recorded")
    return introspection.Tables(document(name, program), protocol(name), release)


def report(differences, what, details=()):
    for line in [*details, *differences]:
        print("# " + line)
    tap.check(not differences, f"{len(differences)} differences")
    print("# " + what, flush=True)


def against_ledger(options, name):
    report(list(tables.differences(document(name, options.tables), tables.from_ledger(protocol(name)))),
           f"{len(document(name, options.tables)['types'])} types")


def against_monitor(options, program):
    with live.Monitor(program) as monitor:
        seen = view("qmp", options.tables, monitor.release)
        result = introspection.Comparison(seen, monitor.execute("query-qmp-schema")).run()
    report(result.differences, f"release {monitor.release}: {counted(result)}", details(options, result))


def ranges_of_monitor(options, program):
    with live.Monitor(program) as monitor:
        seen = view("qmp", options.tables, monitor.release)
        found = introspection.Comparison(seen, monitor.execute("query-qmp-schema")).run().conditions
        result = Ranges(seen, found, monitor).run()
    report(result.differences, f"release {monitor.release}: {result.count} values")


def against_agent(options, program):
    with live.Agent(program) as agent:
        result = introspection.AgentComparison(view("qga", options.tables, agent.release)).run(agent.info)
    report(result.differences, f"release {agent.release}: {counted(result)}", details(options, result))


def counted(result):
    same = ", ".join(f"{count} {what}" for what, count in result.counts.items())
    left_over = f", {len(result.left_over)} types left over" if hasattr(result, "left_over") else ""
    return f"{same} are the same; this build lacks {result.missing} things{left_over}"


def details(options, result):
    if options.verbose:
        for condition, holds in sorted(result.conditions.items()):
            yield f"condition {condition}: {introspection.word(holds)}"
        for path in getattr(result, "left_over", []):
            yield f"left over: {path}"


def programs(options):
    """(name, path, whether it was asked for)"""
    for directory in [options.qemu] if options.qemu else [None, os.environ.get("UTM_TEST_QEMU")]:
        if directory is None or directory:
            path = str(pathlib.Path(directory, "bin").resolve()) if directory else None
            for name in MONITORS + AGENTS:
                if not options.names or name in options.names:
                    yield name, shutil.which(name, path=path), f" in {directory}" if directory else ""


def cases(options):
    if options.tables and not options.names:
        for name in ("qmp", "qga"):
            yield f"{name}: the tables and the ledger", functools.partial(against_ledger, options, name)
    for name, path, where in programs(options):
        checks = [("guest-info", against_agent)] if name in AGENTS else [
            ("query-qmp-schema", against_monitor), ("ranges of integers", ranges_of_monitor)]
        for title, check in checks:
            yield f"{name}{where}: {title}", functools.partial(ask, check, options, path)


def ask(check, options, path):
    if not path:
        raise tap.Skip("is not installed")
    check(options, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", metavar="PROGRAM")
    parser.add_argument("--qemu", metavar="DIRECTORY")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("names", metavar="NAME", nargs="*")
    options = parser.parse_args()
    tests = []
    for title, test in cases(options):
        test.__doc__ = title
        tests.append(test)
    tap.run_all(tests)


if __name__ == "__main__":
    main()
