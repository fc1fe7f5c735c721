#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the table of default deadlines: `deadlines.py deadlines.toml qmp.ledger qga.ledger deadline-table.c`.

The table is sorted by name and holds no pointers, so that it stays in pages that all processes share.
"""

import sys
import tomllib


class DeadlineError(Exception):
    pass


def commands_of(path):
    """Names of the commands in a ledger. Its lines are explained in ledger_text.py; a command's begins with that word."""
    with open(path, encoding="utf-8") as ledger:
        return {line.split()[1] for line in ledger if line.startswith("command ")}


def seconds_of(facts, name, where):
    entry = facts["class"].get(name)
    if not entry:
        raise DeadlineError(f"{where}: there is no [class.{name}]; add it with `seconds` and `why`")
    if not isinstance(entry.get("seconds"), int) or entry["seconds"] < 1 or not entry.get("why"):
        raise DeadlineError(f"[class.{name}]: give `seconds`, a whole number from 1, and `why`")
    return entry["seconds"]


def rows_of(facts, protocol, ledger):
    known = commands_of(ledger)
    rows = {}
    for name, commands in facts[protocol].items():
        seconds = seconds_of(facts, name, f"[{protocol}]")
        for command in commands:
            if command not in known:
                raise DeadlineError(f"[{protocol}] {name}: no release has the command {command}; correct its spelling, or "
                                    f"take it out, unless {ledger} lacks a release")
            if command in rows:
                raise DeadlineError(f"[{protocol}] {command} is in two classes; take it out of one")
            rows[command] = seconds
    return rows


def build(facts, qmp_ledger, qga_ledger):
    rows = rows_of(facts, "qmp", qmp_ledger) | rows_of(facts, "qga", qga_ledger)
    for command in sorted(commands_of(qmp_ledger) | commands_of(qga_ledger)):
        if command.startswith("guest-") != (command in commands_of(qga_ledger)):
            raise DeadlineError(f"{command}: src/qmp/deadline.c tells the agent's commands by `guest-`; teach it this one")
    ordinary = {name: seconds_of(facts, facts["ordinary"][name], "[ordinary]") for name in ("qmp", "qga")}
    used = set(facts["ordinary"].values()) | set(facts["qmp"]) | set(facts["qga"])
    unused = sorted(set(facts["class"]) - used)
    if unused:
        raise DeadlineError(f"[class.{unused[0]}]: nothing is of this class; take it out")
    return ordinary, sorted(rows.items())


def table(ordinary, rows):
    out = [
        "/* Made by qapi/generate/deadlines.py from qapi/deadlines.toml. Do not edit. */",
        '#include "qmp/deadline-private.h"',
        "",
        f"const int utm__qmp_ordinary_seconds = {ordinary['qmp']};",
        f"const int utm__qga_ordinary_seconds = {ordinary['qga']};",
        f"_Static_assert(UTM_DEADLINE_NAME_SIZE > {max(len(name) for name, seconds in rows)}, \"a name does not fit\");",
        "const UtmDeadlineEntry utm__deadline_table[] = {",
    ]
    out += [f'\t{{ "{name}", {seconds} }},' for name, seconds in rows]
    out += ["};", f"const unsigned utm__deadline_count = {len(rows)};"]
    return "\n".join(out) + "\n"


def main(arguments):
    if len(arguments) != 4:
        print("usage: deadlines.py deadlines.toml qmp.ledger qga.ledger OUTPUT", file=sys.stderr)
        return 2
    path, qmp_ledger, qga_ledger, output = arguments
    try:
        with open(path, "rb") as file:
            text = table(*build(tomllib.load(file), qmp_ledger, qga_ledger))
    except (DeadlineError, KeyError, tomllib.TOMLDecodeError) as problem:
        print(f"{path}: {problem}", file=sys.stderr)
        return 1
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
