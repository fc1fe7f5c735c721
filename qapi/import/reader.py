# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a schema with everything it includes: the definitions in their order, and the pragmas, which count for all.

A line of `##` opens a documentation block; to us it is a comment like any other.
"""

import os
from dataclasses import dataclass, field

import language
from language import SchemaError

LISTS = ("command-name-exceptions", "command-returns-exceptions", "documentation-exceptions", "member-name-exceptions")


@dataclass
class Source:
    """All files of one schema."""
    definitions: list = field(default_factory=list)
    pragmas: dict = field(default_factory=lambda: {name: [] for name in LISTS})
    files: list = field(default_factory=list)


def read(path):
    """The source of the schema whose main file is at path."""
    try:
        text = _text(path)
    except OSError as problem:
        raise SchemaError(f"{path}:1", f"cannot be read: {problem.strerror}") from problem
    source = Source()
    _add_file(source, path, text, [])
    return source


def _text(path):
    with open(path, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError as problem:
            raise SchemaError(f"{path}:1", "is not UTF-8") from problem


def _add_file(source, path, text, above):
    source.files.append(os.path.abspath(path))
    for entry in _entries(path, text):
        if "include" in entry:
            _include(source, path, entry, above + [os.path.abspath(path)])
        elif "pragma" in entry:
            _pragma(source, entry)
        else:
            source.definitions.append(entry)


def _entries(path, text):
    """One by one, so that the first mistake of a file and its includes is the one that is told."""
    reader = language.Reader(text, path)
    while reader.kind != "end":
        if reader.text != "{":
            reader.fail("an object")
        place = reader.place
        try:
            entry = reader.object()
        except RecursionError as problem:
            raise SchemaError(place, "lists and objects are nested too deeply") from problem
        yield entry


def _include(source, path, entry, above):
    if len(entry) != 1:
        raise SchemaError(entry.place, "an include directive has no other key")
    name = entry["include"]
    if not isinstance(name, str):
        raise SchemaError(entry.place, "'include' takes a file name")
    target = os.path.join(os.path.dirname(path), name)
    if os.path.abspath(target) in above:
        raise SchemaError(entry.place, f"'{name}' includes itself")
    if os.path.abspath(target) in source.files:
        return
    try:
        text = _text(target)
    except OSError as problem:
        raise SchemaError(entry.place, f"included file '{target}' cannot be read: {problem.strerror}") from problem
    _add_file(source, target, text, above)


def _pragma(source, entry):
    pragma = entry["pragma"]
    if len(entry) != 1:
        raise SchemaError(entry.place, "a pragma directive has no other key")
    if not isinstance(pragma, dict):
        raise SchemaError(entry.place, "'pragma' takes an object")
    for name, value in pragma.items():
        if name == "doc-required":
            if not isinstance(value, bool):
                raise SchemaError(entry.place, "pragma 'doc-required' is true or false")
        elif name not in LISTS:
            raise SchemaError(entry.place, f"unknown pragma '{name}'")
        elif not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SchemaError(entry.place, f"pragma '{name}' takes a list of strings")
        else:
            source.pragmas[name] = list(value)
