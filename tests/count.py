#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the test cases in logs of `meson test`, and prints which failed.

    count.py RESULTS LABEL LOG.json     adds a line "LABEL passed failed skipped" to RESULTS
    count.py RESULTS                    prints the sum as the last line of a test run; exit code 1 when anything failed
"""

import json
import pathlib
import re
import sys

CASE = re.compile(r"^(not )?ok\b[^#\n]*(# *(SKIP|TODO))?", re.I | re.M)
BAD_RESULTS = {"FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"}


def count_program(test):
    """(passed, failed, skipped) of one test program. A program that dies between its cases is one failure more."""
    passed = failed = skipped = 0
    for bad, directive, kind in CASE.findall(test.get("stdout") or ""):
        if directive and kind.upper() == "SKIP":
            skipped += 1
        elif bad:
            failed += 1
        else:
            passed += 1
    if test["result"] in BAD_RESULTS and not failed:
        failed += 1
    elif passed + failed + skipped == 0:
        passed, skipped = (0, 1) if test["result"] == "SKIP" else (1, 0)
    return passed, failed, skipped


def print_failures(test):
    """What TAP says below each failed case, and the end of standard error."""
    telling = False
    for line in (test.get("stdout") or "").splitlines():
        if CASE.match(line):
            telling = line.lower().startswith("not ok")
        if telling:
            print(f"    {line}")
    for line in (test.get("stderr") or "").splitlines()[-30:]:
        print(f"    {line}")


def add_log(results, label, path):
    sums = [0, 0, 0]
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        print(f"{label}: no log was written")
        lines, sums = [], [0, 1, 0]
    for test in map(json.loads, lines):
        counts = count_program(test)
        sums = [a + b for a, b in zip(sums, counts)]
        if counts[1]:
            print(f"{label}: {test['name']}: {counts[1]} failed, {test['result']}")
            print_failures(test)
    with open(results, "a", encoding="utf-8") as out:
        out.write(f"{label} {sums[0]} {sums[1]} {sums[2]}\n")
    print(f"{label}: {sums[0]} passed, {sums[1]} failed, {sums[2]} skipped")


def print_sum(results):
    rows = [line.split() for line in pathlib.Path(results).read_text(encoding="utf-8").splitlines()]
    passed, failed, skipped = (sum(int(row[i]) for row in rows) for i in (1, 2, 3))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if len(sys.argv) == 2:
    sys.exit(print_sum(sys.argv[1]))
add_log(*sys.argv[1:])
