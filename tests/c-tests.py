#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names of a build directory's tests that are programs of ours, for runs under valgrind.

    c-tests.py BUILD SUITE[,SUITE...] [EXCEPT...]
"""

import json
import pathlib
import subprocess
import sys

build, suites, *excepted = sys.argv[1:]
wanted = {f"libutm:{suite}" for suite in suites.split(",")} | set(suites.split(","))
listing = subprocess.run(["meson", "introspect", build, "--tests"], check=True, capture_output=True, text=True).stdout
root = str(pathlib.Path(build).resolve())
for test in json.loads(listing):
    if wanted & set(test["suite"]) and test["cmd"][0].startswith(root) and test["name"] not in excepted:
        print(test["name"])
