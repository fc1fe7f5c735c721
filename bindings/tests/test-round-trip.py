# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether round-trip.py notices a program that disagrees, ends early, or answers nothing."""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/apps"))

import tap  # noqa: E402

VALUES = sys.argv[sys.argv.index("--values") + 1]

# Answers from what emit-values says itself, so it agrees by construction; what is behind changes that.
CHEAT = """
import subprocess, sys
answers = {}
for line in subprocess.run([sys.argv[1], "1"], stdout=subprocess.PIPE, check=True).stdout.splitlines():
    if line.count(b"\\t") == 2:
        answers[line.rpartition(b"\\t")[0]] = line.rpartition(b"\\t")[2]
for number, line in enumerate(sys.stdin.buffer):
    answer = answers[line.rstrip(b"\\n")]
"""


def outcome(code):
    done = subprocess.run([sys.executable, "-B", HERE / "round-trip.py", "--values", VALUES, "--count", "1", "--", sys.executable,
                           "-c", CHEAT + code, VALUES], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_agrees():
    """one that agrees passes"""
    status, text = outcome("    print(answer.decode())\n")
    tap.same(status, 0, text)
    tap.check("ok 2" in text, text)


def test_differs():
    """one that differs in one value fails, and the value is named"""
    status, text = outcome("    print(answer.decode() + ('x' if number == 700 else ''))\n")
    tap.same(status, 1, text)
    tap.check("it makes" in text and "and C" in text, text)


def test_ends():
    """one that ends early fails"""
    status, text = outcome("    print(answer.decode(), flush=True)\n    if number == 20: sys.exit()\n")
    tap.same(status, 1, text)
    tap.check("ended before it had answered" in text, text)


def test_lenient():
    """one that takes what does not fit fails"""
    status, text = outcome("    print('{}' if answer.startswith(b'!') else answer.decode())\n")
    tap.same(status, 1, text)


if __name__ == "__main__":
    tap.run_all([test_agrees, test_differs, test_ends, test_lenient])
