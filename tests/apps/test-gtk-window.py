#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the GTK example's own check on the demo machine, on an X server of its own. The program prints the TAP."""

import subprocess
import sys

from tap import Skip, demo_bundle

PROGRAM, BUILD_DIR = sys.argv[1:]
try:
    bundle = demo_bundle(BUILD_DIR)
except Skip as reason:
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)
sys.exit(subprocess.run(["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", PROGRAM, "--check", bundle], check=False).returncode)
