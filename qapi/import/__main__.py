# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads QAPI schemas: checks one, or adds what a QEMU release says to qapi/qmp.ledger and qapi/qga.ledger.

    python3 qapi/import --check SCHEMA.json
    python3 qapi/import --release 10.0 SOURCE_TREE
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
QAPI = os.path.dirname(HERE)
# The lexical level of the language is the generator's; names and ledgers belong to both.
sys.path[1:1] = [QAPI, os.path.join(QAPI, "generate")]

import ledger_text  # noqa: E402
import merge  # noqa: E402
import schema  # noqa: E402
from language import SchemaError  # noqa: E402

# Protocol: main file of its schema in QEMU's sources.
SCHEMAS = {"qmp": "qapi/qapi-schema.json", "qga": "qga/qapi-schema.json"}
COMMENTS = ["# SPDX-License-Identifier: LGPL-2.1-or-later",
            "# Made by qapi/import; qapi/ledger_text.py explains the lines. Only ever added to."]


def main(arguments):
    options = parse(arguments)
    try:
        if options.check:
            schema.load(options.check)
        else:
            add_release(*options.release, options.ledgers)
    except (SchemaError, ledger_text.LedgerError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog="qapi/import", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", metavar="SCHEMA.json",
                      help="exit status 0 when it is valid, 1 with the first error when not")
    what.add_argument("--release", nargs=2, metavar=("RELEASE", "SOURCE_TREE"),
                      help="merge an unpacked QEMU; oldest release first")
    parser.add_argument("--ledgers", default=QAPI, metavar="DIRECTORY", help="where the ledgers are, instead of qapi/")
    return parser.parse_args(arguments)


def add_release(release, tree, directory):
    """Both ledgers or none: a schema that cannot be merged leaves the files as they are."""
    version = read_version(release, tree)
    results = {}
    for protocol, path in SCHEMAS.items():
        target = os.path.join(directory, protocol + ".ledger")
        merged = merge.merge(read_ledger(target, protocol), schema.load(os.path.join(tree, path)), release, version)
        results[target] = merged.format()
    for target, text in results.items():
        with open(target + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(target + ".new", target)


def read_version(release, tree):
    path = os.path.join(tree, "VERSION")
    try:
        with open(path, encoding="utf-8") as file:
            version = file.read().strip()
    except OSError as problem:
        raise ledger_text.LedgerError(path, f"cannot be read: {problem.strerror}",
                                      "The argument is the directory of an unpacked QEMU source archive.") from problem
    if not (version + ".").startswith(release + "."):
        raise ledger_text.LedgerError(path, f"this is version {version}, not release {release}")
    return version


def read_ledger(path, protocol):
    try:
        with open(path, encoding="utf-8") as file:
            return ledger_text.parse(file.read(), path)
    except FileNotFoundError:
        return ledger_text.Text(protocol, COMMENTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
