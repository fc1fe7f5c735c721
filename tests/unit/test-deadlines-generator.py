#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generator of default deadlines: each mistake in the facts is found, and the message says what to do about it."""

import copy
import pathlib
import sys
import tomllib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(SOURCE / "tests/apps"), str(SOURCE / "qapi/generate")]

import deadlines  # noqa: E402
import tap  # noqa: E402

LEDGERS = [SOURCE / "qapi/qmp.ledger", SOURCE / "qapi/qga.ledger"]
FACTS = tomllib.loads((SOURCE / "qapi/deadlines.toml").read_text(encoding="utf-8"))


def refused(change, part):
    """The facts with a change are refused with a message that has this part."""
    facts = copy.deepcopy(FACTS)
    change(facts)
    try:
        deadlines.build(facts, *LEDGERS)
    except deadlines.DeadlineError as problem:
        tap.check(part in str(problem), f"{problem} does not say: {part}")
        return
    raise AssertionError(f"{part}: was taken")


def unknown_command():
    """a command that no release has"""
    refused(lambda facts: facts["qmp"]["work"].append("blockdev-ad"), "no release has the command blockdev-ad; correct")
    refused(lambda facts: facts["qmp"]["work"].append("guest-ping"), "no release has the command guest-ping")
    refused(lambda facts: facts["qga"]["agent-work"].append("quit"), "no release has the command quit")


def two_classes():
    """a command in two classes"""
    refused(lambda facts: facts["qmp"]["memory"].append("quit"), "quit is in two classes; take it out of one")


def classes():
    """classes that are missing, unused or incomplete"""
    refused(lambda facts: facts["class"].pop("memory"), "add it with `seconds` and `why`")
    refused(lambda facts: facts["class"].update(idle={"seconds": 1, "why": "x"}), "[class.idle]: nothing is of this class")
    refused(lambda facts: facts["class"]["work"].update(seconds=0), "[class.work]: give `seconds`")
    refused(lambda facts: facts["class"]["work"].update(seconds="5"), "[class.work]: give `seconds`")
    refused(lambda facts: facts["class"]["work"].pop("why"), "[class.work]: give `seconds`")
    refused(lambda facts: facts["ordinary"].update(qmp="no"), "there is no [class.no]")


def committed():
    """the committed facts, sorted"""
    ordinary, rows = deadlines.build(FACTS, *LEDGERS)
    tap.same(ordinary, {"qmp": 30, "qga": 10}, "ordinary deadlines")
    tap.same(rows, sorted(rows), "order")
    tap.same(dict(rows)["transaction"], FACTS["class"]["work"]["seconds"], "transaction")


tap.run_all([unknown_command, two_classes, classes, committed])
