#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the error codes of libutm from qapi/error-registry.toml: header, tables, documentation page, Python's enumerations."""

import argparse
import re
import sys
import tomllib


class RegistryError(Exception):
    pass


def load(path):
    with open(path, "rb") as file:
        registry = tomllib.load(file)
    check_unique(registry["domain"], "domain")
    check_unique(registry["error"], "error")
    for entry in registry["error"]:
        for key in ("since", "meaning", "remedy"):
            if not entry.get(key):
                raise RegistryError(f"error {entry['name']}: add `{key} = \"...\"`")
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", entry["name"]):
            raise RegistryError(f"error {entry['name']}: names are UPPER_CASE")
        entry["domain"] = domain_of(registry["domain"], entry["number"])
    return registry


def check_unique(entries, kind):
    for key in ("number", "name"):
        seen = set()
        for entry in entries:
            if entry[key] in seen:
                raise RegistryError(f"{kind} {key} {entry[key]} is used twice; append with a new one")
            seen.add(entry[key])


def domain_of(domains, number):
    """Codes 1 to 99 belong to the first domain, 100 to 199 to the second, and so on."""
    for domain in domains:
        if domain["number"] == number // 100 + 1:
            return domain
    raise RegistryError(f"error number {number} belongs to no domain")


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def dashed(name):
    return name.lower().replace("_", "-")


def header(registry):
    out = [
        "/* Made by qapi/generate/errors.py from qapi/error-registry.toml. Do not edit. */",
        "/** @file error-codes.h  Every error code; a number keeps its meaning for ever. */",
        "#ifndef UTM_ERROR_CODES_H",
        "#define UTM_ERROR_CODES_H",
        "",
        "/** Which part of the library failed. */",
        "typedef enum UtmErrorDomain {",
    ]
    rows = [(f"UTM_ERROR_DOMAIN_{d['name'].upper()} = {d['number']}", d["meaning"]) for d in registry["domain"]]
    out += enum_rows(rows)
    out += ["} UtmErrorDomain;", "", "/** What kind of failure it is; functions return these negative numbers. */"]
    out += ["typedef enum UtmErrorCode {"]
    rows = [("UTM_OK = 0", "Success.")]
    rows += [(f"UTM_ERROR_{e['name']} = -{e['number']}", f"{e['meaning']} @since {e['since']}") for e in registry["error"]]
    out += enum_rows(rows)
    out += ["} UtmErrorCode;", "", "#endif"]
    return "\n".join(out) + "\n"


def enum_rows(rows):
    last = len(rows) - 1
    for index, (name, meaning) in enumerate(rows):
        yield f"\t/** {meaning} */"
        yield f"\t{name}" + ("," if index < last else "")


def tables(registry):
    out = [
        "/* Made by qapi/generate/errors.py from qapi/error-registry.toml. Do not edit. */",
        '#include "base/error-table.h"',
        "",
        "const UtmErrorEntry utm__error_table[] = {",
    ]
    for error in sorted(registry["error"], key=lambda e: e["number"]):
        fields = [f"-{error['number']}", str(error["domain"]["number"]), c_string(dashed(error["name"])),
                  c_string(error["meaning"]), c_string(error["remedy"])]
        out.append("\t{ " + ", ".join(fields) + " },")
    out += ["};", "const unsigned utm__error_table_count = sizeof utm__error_table / sizeof utm__error_table[0];"]
    return "\n".join(out) + "\n"


def python(registry):
    out = ["# Made by qapi/generate/errors.py from qapi/error-registry.toml. Do not edit.", '"""Every error code."""', "", "import enum", "", "",
           "class ErrorDomain(enum.IntEnum):", '    """Which part of the library failed."""']
    for domain in registry["domain"]:
        out += [f"    {domain['name'].upper()} = {domain['number']}", f'    """{domain["meaning"]}"""']
    out += ["", "", "class ErrorCode(enum.IntEnum):", '    """What kind of failure it is; a number keeps its meaning for ever."""']
    for error in registry["error"]:
        out += [f"    {error['name']} = -{error['number']}", f'    """{error["meaning"]}"""']
    return "\n".join(out) + "\n"


def page(registry):
    out = ["# Error codes", "", "Made by `qapi/generate/errors.py`; the source is `qapi/error-registry.toml`.", ""]
    for domain in registry["domain"]:
        out += [f"## {domain['name']}", "", domain["meaning"], "", "| Number | Code | Meaning | Remedy | Since |",
                "|---|---|---|---|---|"]
        for error in registry["error"]:
            if error["domain"] is domain:
                out.append(f"| -{error['number']} | `UTM_ERROR_{error['name']}` (`{dashed(error['name'])}`) "
                           f"| {error['meaning']} | {error['remedy']} | {error['since']} |")
        out.append("")
    return "\n".join(out)


MAKERS = {"header": header, "tables": tables, "page": page, "python": python}


def run(description, load_registry, makers):
    """The command line of a maker from a registry: WHAT REGISTRY OUTPUT."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("what", choices=makers)
    parser.add_argument("registry")
    parser.add_argument("output")
    args = parser.parse_args()
    try:
        text = makers[args.what](load_registry(args.registry))
    except (RegistryError, KeyError, tomllib.TOMLDecodeError) as problem:
        sys.exit(f"{args.registry}: {problem}")
    with open(args.output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    run(__doc__, load, MAKERS)
