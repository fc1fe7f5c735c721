#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes C text of qapi/hardware.ledger: one string, so that nothing is relocated and little is read before it is needed."""

import sys

HEAD = """/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Made from qapi/hardware.ledger; do not edit. */
extern const char utm__hardware_snapshot[];
/* Begins with a line feed, so that each section does. */
const char utm__hardware_snapshot[] = "\\n"
"""


def main(source, target):
    with open(source, encoding="ascii") as file:
        lines = [line.rstrip("\n") for line in file if not line.startswith("#")]
    strange = [line for line in lines if '"' in line or "\\" in line]
    if strange:
        sys.exit(f"{source}: {strange[0]}: no name has such characters")
    with open(target, "w", encoding="ascii") as file:
        file.write(HEAD + "\n".join(f'"{line}\\n"' for line in lines) + ";\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
