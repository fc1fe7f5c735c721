#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much of src/argv/ the tests of the command line reach: a table of lines by file. Fails under 95 %.

    tests/coverage.py BUILD_DIRECTORY

The directory is configured with -Db_coverage=true and built as far as these tests need. What stays unreached is listed, so that
a branch without an expected command line is seen.
"""

import json
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
TESTS = ["test-examples", "test-rules", "test-configurations", "test-hostile", "test-command-line"]
LEAST = 95.0


def run(*command, **more):
    return subprocess.run(list(map(str, command)), check=True, cwd=SOURCE, **more)


def gather(build):
    """{file: {line: how often}} of what gcov tells of src/argv."""
    lines = {}
    for data in build.glob("src/**/argv_*.gcda"):
        told = run("gcov", "--json-format", "--stdout", data, capture_output=True).stdout
        for entry in (e for line in told.splitlines() for e in json.loads(line)["files"]):
            path = (build / entry["file"]).resolve()
            if path.parent != SOURCE / "src/argv":
                continue
            counts = lines.setdefault(path.name, {})
            for line in entry["lines"]:
                number = line["line_number"]
                counts[number] = max(counts.get(number, 0), line["count"])
    return lines


def show(lines):
    width = max(map(len, lines))
    reached = sum(bool(n) for counts in lines.values() for n in counts.values())
    total = sum(map(len, lines.values()))
    for name, counts in sorted(lines.items()):
        missed = sorted(number for number, count in counts.items() if not count)
        share = 100.0 * (len(counts) - len(missed)) / len(counts)
        print(f"{name:<{width}}  {len(counts):4}  {share:6.1f} %  {' '.join(map(str, missed))}")
    print(f"{'src/argv':<{width}}  {total:4}  {100.0 * reached / total:6.1f} %")
    return 100.0 * reached / total


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    if not (build / "build.ninja").exists():
        run("meson", "setup", build, "-Db_coverage=true", "-Doptimization=0", "-Dspice=disabled", "-Dgtk=disabled",
            "-Dpython=disabled", "-Drust=disabled", "-Dswift=disabled")
    run("ninja", "-C", build, *[f"tests/golden/{test}" for test in TESTS])
    for old in build.glob("src/**/*.gcda"):
        old.unlink()
    run("meson", "test", "-C", build, "--no-rebuild", *TESTS, stdout=subprocess.DEVNULL)
    share = show(gather(build))
    if share < LEAST:
        sys.exit(f"src/argv is reached to {share:.1f} %, less than {LEAST} %")


main()
