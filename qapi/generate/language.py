# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the schema language: a sequence of objects of single quoted strings, lists, objects, true and false.

The lexical level is QAPI's, so that one reader serves our own schemas and QEMU's. Every value remembers its line,
because the checks come later and still have to say where.
"""

import re

TOKEN = re.compile(r"(?P<space>[ \t\r\n]+)|(?P<comment>#[^\n]*)|(?P<mark>[{}\[\]:,])"
                   r"|(?P<string>'(?:[^'\\\n]|\\\\)*')|(?P<word>true|false)\b")


class SchemaError(Exception):
    """A mistake in a schema, with its place and what to do about it."""

    def __init__(self, place, message, advice=None):
        text = f"{place}: {message}"
        super().__init__(f"{text}\n  {advice}" if advice else text)


class Text(str):
    """A string with its place, `file:line`."""

    place = "?"


class Object(dict):
    """An object with the places of its keys; it keeps their order."""

    def __init__(self, place):
        super().__init__()
        self.place = place
        self.places = {}


class List(list):
    def __init__(self, place):
        super().__init__()
        self.place = place


def tokens(text, name):
    position, line = 0, 1
    while position < len(text):
        match = TOKEN.match(text, position)
        place = f"{name}:{line}"
        if not match:
            raise SchemaError(place, f"stray {text[position]!r}",
                              "Strings are in single quotes on one line; \\\\ is the only escape; numbers are strings.")
        if match.lastgroup == "string" and not (match[0].isascii() and match[0].isprintable()):
            raise SchemaError(place, "a string with characters other than printable ASCII")
        if match.lastgroup not in ("space", "comment"):
            yield match.lastgroup, match[0], place
        line += match[0].count("\n")
        position = match.end()
    yield "end", "", f"{name}:{line}"


class Reader:
    def __init__(self, text, name):
        self.stream = tokens(text, name)
        self.advance()

    def advance(self):
        self.kind, self.text, self.place = next(self.stream)

    def fail(self, expected):
        found = self.text or "the end of the file"
        raise SchemaError(self.place, f"expected {expected}, found {found}")

    def expect(self, mark):
        if self.text != mark:
            self.fail(mark)
        self.advance()

    def value(self):
        if self.text == "{":
            return self.object()
        if self.text == "[":
            return self.list()
        if self.kind == "string":
            return self.string()
        if self.kind == "word":
            word = self.text == "true"
            self.advance()
            return word
        return self.fail("a value")

    def string(self):
        if self.kind != "string":
            self.fail("a string")
        result = Text(self.text[1:-1].replace("\\\\", "\\"))
        result.place = self.place
        self.advance()
        return result

    def object(self):
        result = Object(self.place)
        self.expect("{")
        while self.text != "}":
            if result:
                self.expect(",")
            key = self.string()
            if key in result:
                raise SchemaError(key.place, f"key '{key}' stands twice")
            self.expect(":")
            result.places[key] = key.place
            result[key] = self.value()
        self.advance()
        return result

    def list(self):
        result = List(self.place)
        self.expect("[")
        while self.text != "]":
            if result:
                self.expect(",")
            result.append(self.value())
        self.advance()
        return result


def read(text, name):
    """The top-level objects of one schema text."""
    reader = Reader(text, name)
    result = []
    while reader.kind != "end":
        if reader.text != "{":
            reader.fail("{")
        result.append(reader.object())
    return result
