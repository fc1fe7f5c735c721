# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a language's types agree with C's, byte for byte, on random values of every type: of QMP, the guest agent and the
configuration.

Usage: round-trip.py --values EMIT-VALUES [--count N] [--seed SEED] -- PROGRAM [ARGUMENT...]

The program is the language's: for each line `protocol/Type TAB JSON` that it reads it decodes the JSON into the native type and
writes one line: the JSON that the value becomes, or `!` and the key path of what does not fit, behind which a TAB and the
message may stand. It ends when its input does. It may write whenever it likes; it must not wait for more than a line.

UTM_ROUND_TRIP sets how many values of each type there are; every value comes a second time with something in it changed.
"""

import argparse
import collections
import os
import pathlib
import queue
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/apps"), str(ROOT / "qapi/generate")]

import model  # noqa: E402
import tap  # noqa: E402

COUNT = 10
SHOWN = 300


def known_types():
    """Those of the model, which are fewer than C's: without what no command or event leads to."""
    for name in ("qmp.ledger", "qga.ledger", "config.schema"):
        loaded = model.load(str(ROOT / "qapi" / name))
        yield from (f"{loaded.name}/{type_.name}" for type_ in loaded.structs + loaded.alternates)


def agrees(got, wanted):
    got = got.split(b"\t")[0]
    if wanted.endswith(b"*") and wanted.startswith(b"!"):
        return got.startswith(wanted[:-1])
    return got == wanted


def shortened(text):
    text = text.decode(errors="replace")
    return text if len(text) <= SHOWN else text[:SHOWN] + f"... ({len(text)} characters)"


def around(a, b):
    """Both texts from a little before they part."""
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    start = max(0, at - 60)
    return tuple(shortened((b"..." if start else b"") + text[start:]) for text in (a, b))


class Run:
    def __init__(self, options):
        self.options = options
        self.known = set(known_types())
        self.seen = collections.Counter()
        self.expected = queue.Queue(maxsize=10000)
        self.compared = 0

    def start(self):
        arguments = [self.options.values, str(self.options.count)] + ([self.options.seed] if self.options.seed else [])
        self.source = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        self.program = subprocess.Popen(self.options.program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.feed, daemon=True).start()

    def feed(self):
        try:
            for line in self.source.stdout:
                # Before the first line there is what C's test framework says.
                if line.count(b"\t") != 2:
                    continue
                type_, text, outcome = line.rstrip(b"\n").split(b"\t")
                if type_.decode() not in self.known:
                    continue
                self.program.stdin.write(type_ + b"\t" + text + b"\n")
                self.expected.put((type_, text, outcome))
            self.program.stdin.close()
        except BrokenPipeError:
            pass
        self.expected.put(None)

    def compare(self):
        while (case := self.expected.get()):
            type_, text, outcome = case
            got = self.program.stdout.readline()
            tap.check(got, f"the program ended before it had answered {type_.decode()} {shortened(text)}")
            got = got.rstrip(b"\n")
            if not agrees(got, outcome):
                mine, theirs = around(got, outcome)
                raise AssertionError(f"{type_.decode()}: of {shortened(text)}\nit makes {mine}\n   and C {theirs}")
            self.seen[type_.decode()] += 1
            self.compared += 1
        tap.same(self.program.wait(30), 0, "exit status of the program")
        tap.same(self.source.wait(30), 0, "exit status of emit-values")

    def stop(self):
        for process in (self.program, self.source):
            if process.poll() is None:
                process.kill()
            process.wait()


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", required=True)
    parser.add_argument("--count", type=int, default=int(os.environ.get("UTM_ROUND_TRIP") or COUNT))
    parser.add_argument("--seed")
    parser.add_argument("program", nargs="+")
    return parser.parse_args()


def main():
    run = Run(options())

    def agreement():
        """what it reads and writes is what C does"""
        run.start()
        try:
            run.compare()
        finally:
            run.stop()
        print(f"# {run.compared} values of {len(run.seen)} types", flush=True)

    def every_type():
        """every type was tried"""
        missing = sorted(run.known - set(run.seen))
        tap.check(not missing, f"{len(missing)} of {len(run.known)} types were not: {', '.join(missing[:10])}")

    tap.run_all([agreement, every_type])


if __name__ == "__main__":
    main()
