#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keys and the words of enumerations of schema files, as lines of a libFuzzer dictionary: schema-words.py SCHEMA..."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "qapi/generate"))

import ir
import language


def words_of(path):
    schema = ir.build(language.read(path.read_text(encoding="utf-8"), path.name), path.name)
    for struct in schema.structs:
        for member in struct.members:
            yield from filter(None, (member.name, member.old_name))
    for enum in schema.enums:
        yield from (value.name for value in enum.values)


for word in sorted({word for argument in sys.argv[1:] for word in words_of(pathlib.Path(argument))}):
    print(f'"{word}"')
