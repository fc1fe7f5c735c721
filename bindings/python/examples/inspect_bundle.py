# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells what a package has and what is wrong with it, and edits its configuration: inspect_bundle.py BUNDLE [KEY.PATH=VALUE]..."""

import sys

import utm


def main(path: str, *edits: str) -> int:
    bundle = utm.Bundle.open(path)
    config = bundle.config
    print(f"{config.name}: {config['System.Architecture']}, {config['System.MemorySize']} MiB, {config.count('Drive')} drives")
    for edit in edits:
        key_path, _, value = edit.partition("=")
        former = config.get(key_path)
        config.set_text(key_path, value)
        print(f"{key_path}: {former} -> {config[key_path]}")
    for finding in config.check():
        print(f"{finding.severity.name.lower()}: {finding.key_path or path}: {finding.message}")
    if edits:
        bundle.save(config)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except utm.Error as error:
        sys.exit(f"{error}")
