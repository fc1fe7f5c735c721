#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes what checks can find from qapi/finding-registry.toml: header, table, documentation page."""

import re
import tomllib

from errors import RegistryError, c_string, check_unique, dashed, enum_rows, run

SEVERITIES = ("error", "warning", "info")
MADE = "/* Made by qapi/generate/findings.py from qapi/finding-registry.toml. Do not edit. */"


def load(path):
    with open(path, "rb") as file:
        findings = tomllib.load(file)["finding"]
    check_unique(findings, "finding")
    for entry in findings:
        for key in ("since", "meaning", "remedy"):
            if not entry.get(key):
                raise RegistryError(f"finding {entry['name']}: add `{key} = \"...\"`")
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", entry["name"]):
            raise RegistryError(f"finding {entry['name']}: names are UPPER_CASE")
        if entry["severity"] not in SEVERITIES:
            raise RegistryError(f"finding {entry['name']}: severity is one of {', '.join(SEVERITIES)}")
    # The table is looked into by number.
    if [entry["number"] for entry in findings] != list(range(1, len(findings) + 1)):
        raise RegistryError("findings are numbered from 1 without gaps; append")
    return findings


def header(findings):
    rows = [(f"UTM_FINDING_{entry['name']} = {entry['number']}",
             f"{entry['severity'].capitalize()}: {entry['meaning']} @since {entry['since']}") for entry in findings]
    return "\n".join([
        MADE,
        "/** @file finding-codes.h  What checks can find; a number keeps its meaning for ever. */",
        "#ifndef UTM_FINDING_CODES_H",
        "#define UTM_FINDING_CODES_H",
        "",
        "/** What was found. */",
        "typedef enum UtmFindingCode {",
        *enum_rows(rows),
        "} UtmFindingCode;",
        "",
        "#endif",
        ""])


def table(findings):
    rows = (f"\t{{ UTM_FINDING_SEVERITY_{entry['severity'].upper()}, {c_string(dashed(entry['name']))}, "
            f"{c_string(entry['remedy'])} }}," for entry in findings)
    return "\n".join([
        MADE,
        '#include "check/check-private.h"',
        "",
        "const UtmFindingEntry utm__finding_table[] = {",
        *rows,
        "};",
        "const unsigned utm__finding_table_count = sizeof utm__finding_table / sizeof utm__finding_table[0];",
        ""])


def page(findings):
    rows = (f"| {entry['number']} | `{dashed(entry['name'])}` | {entry['severity']} | {entry['meaning']} | {entry['remedy']} "
            f"| {entry['since']} |" for entry in findings)
    return "\n".join([
        "# What a check can find",
        "",
        "`utm_config_check()`, `utm_bundle_check()` and `utmctl config check` tell these. An error: the machine cannot start,",
        "or UTM refuses the file. A warning: it starts, but not as it is written. Made by `qapi/generate/findings.py`; the",
        "source is `qapi/finding-registry.toml`.",
        "",
        "| Number | Code | Severity | Meaning | Remedy | Since |",
        "|---|---|---|---|---|---|",
        *rows,
        ""])


MAKERS = {"header": header, "table": table, "page": page}


if __name__ == "__main__":
    run(__doc__, load, MAKERS)
