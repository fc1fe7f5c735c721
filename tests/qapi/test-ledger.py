# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ledgers: what a merge records, what stays when QEMU changes its mind, what the loader makes of it and refuses.

`UTM_TEST_QEMU_SOURCES=DIR` names a directory of unpacked QEMU sources; those of recorded releases are imported again.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "qapi"), str(ROOT / "qapi/import"), str(ROOT / "qapi/generate")]

import ledger  # noqa: E402
import ledger_text  # noqa: E402
import merge  # noqa: E402
import schema  # noqa: E402
from ledger_text import LedgerError  # noqa: E402

RECORDED = pathlib.Path(__file__).with_name("recorded.txt")


def read_schema(text):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "schema.json")
        path.write_text(text, encoding="utf-8")
        return schema.load(str(path))


def merged(*texts):
    """The ledger of releases 1.0, 2.0 and so on."""
    result = ledger_text.Text("test")
    for number, text in enumerate(texts, 1):
        result = merge.merge(result, read_schema(text), f"{number}.0", f"{number}.0.0")
    return result


def lines(text, *names):
    """The lines of some blocks, without the words that these tests are not about."""
    out = []
    for block in text.blocks:
        if not names or block.name in names:
            out += [block.text(), *(line.text() for line in block.lines)]
    return out


# Title, schema of 1.0, schema of 2.0, the blocks to look at, their lines afterwards.
RULES = [
    ("all facts of a type",
     "{ 'enum': 'Mode', 'data': [ 'on', { 'name': 'x-86', 'if': { 'all': [ 'A', { 'not': 'B' } ] } } ], 'prefix': 'M', 'if': 'C' }"
     "{ 'struct': 'One', 'data': { 'a-b': [ 'Mode' ], '*int': { 'type': 'int', 'features': [ 'unstable', 'deprecated' ] } },"
     "  'features': [ { 'name': 'f', 'if': 'D' } ] }"
     "{ 'alternate': 'Alt', 'data': { 'one': 'One', 'none': 'null' } }", None, (),
     ["enum Mode mode @1.0 if=C",
      "value on on 0 @1.0",
      "value x-86 x_86 1 @1.0 if=all(A,not(B))",
      "object One one @1.0 features=f[D]",
      "member a-b a_b [Mode] @1.0",
      "member int int_ int @1.0 features=deprecated,unstable optional has",
      "alternate Alt alt @1.0",
      "branch one one One @1.0",
      "branch none none null @1.0"]),
    ("all facts of commands and events",
     "{ 'command': 'do-it', 'data': { 'errno': 'int' }, 'returns': [ 'R' ], 'allow-oob': true, 'allow-preconfig': true, 'if': 'A',"
     "  'features': [ 'unstable' ] }".replace("'R'", "'Res'") +
     "{ 'command': 'x-go', 'gen': false, 'success-response': false, 'data': 'Res' } { 'struct': 'Res', 'data': {} }"
     "{ 'event': 'IT_IS', 'data': { 'b': 'bool' } }", None, ("do-it", "x-go", "IT_IS"),
     ["command do-it do_it @1.0 if=A features=unstable oob preconfig returns=[Res]",
      "member errno errno_ int @1.0",
      "command x-go x_go @1.0 no-reply open args=Res",
      "event IT_IS it_is @1.0",
      "member b b bool @1.0"]),
    ("bases are flat, a union has its place",
     "{ 'enum': 'Tag', 'data': [ 'default', 'b' ] } { 'struct': 'Base', 'data': { 'x': 'int' } }"
     "{ 'struct': 'More', 'base': 'Base', 'data': { 'tag': 'Tag' } }"
     "{ 'union': 'Uni', 'base': 'More', 'discriminator': 'tag', 'data': { 'default': { 'type': 'Base2', 'if': 'A' } } }"
     "{ 'struct': 'Base2', 'data': {} }", None, ("Uni",),
     ["object Uni uni @1.0",
      "member x x int @1.0",
      "member tag tag Tag @1.0",
      "union tag u @1.0",
      "branch default default_ Base2 @1.0 if=A"]),
    ("new things are appended, old ones are marked, positions stay",
     "{ 'enum': 'Mode', 'data': [ 'a', 'b' ] } { 'struct': 'One', 'data': { 'p': 'str', 'q': 'str' } }"
     " { 'event': 'OLD' }",
     "{ 'event': 'NEW' } { 'enum': 'Mode', 'data': [ 'c', 'b' ] }"
     "{ 'struct': 'One', 'data': { 'r': 'str', 'q': 'str', '*n': 'int', 'm': 'int' } }", (),
     ["enum Mode mode @1.0",
      "value a a 0 @1.0 @2.0 gone",
      "value b b 1 @1.0",
      "value c c 2 @2.0",
      "object One one @1.0",
      "member p p str @1.0 @2.0 gone",
      "member q q str @1.0",
      "member r r str @2.0",
      "member n n int @2.0 optional has",
      "member m m int @2.0 has",
      "event OLD old @1.0 @2.0 gone",
      "event NEW new @2.0"]),
    ("facts change", "{ 'command': 'go', 'allow-oob': true, 'data': { 'a': 'str' }, 'if': 'A' } { 'enum': 'Mode', 'data': [ 'a' ] }",
     "{ 'command': 'go', 'data': { '*a': { 'type': 'str', 'features': [ 'deprecated' ] } }, 'returns': 'Res' }"
     "{ 'enum': 'Mode', 'data': [ { 'name': 'a', 'features': [ 'unstable' ] } ] }"
     " { 'struct': 'Res', 'data': {} }", ("go", "Mode"),
     ["command go go @1.0 if=A oob @2.0 returns=Res if= !oob",
      "member a a str @1.0 @2.0 features=deprecated optional",
      "enum Mode mode @1.0",
      "value a a 0 @1.0 @2.0 features=unstable"]),
    ("a number that programs send becomes optional: omit_x",
     "{ 'command': 'go', 'data': { 'n': 'int', 's': 'str', 'l': [ 'int' ] } }",
     "{ 'command': 'go', 'data': { '*n': 'int', '*s': 'str', '*l': [ 'int' ] } }", ("go",),
     ["command go go @1.0",
      "member n n int @1.0 @2.0 optional",
      "member s s str @1.0 @2.0 optional",
      "member l l [int] @1.0 @2.0 optional",
      "flag omit_n n @2.0"]),
    ("also in an object inside the arguments",
     "{ 'command': 'go', 'data': { 'o': [ 'Arg' ] } } { 'struct': 'Arg', 'data': { 'n': 'bool' } }",
     "{ 'command': 'go', 'data': { 'o': [ 'Arg' ] } } { 'struct': 'Arg', 'data': { '*n': 'bool' } }", ("Arg",),
     ["object Arg arg @1.0", "member n n bool @1.0 @2.0 optional", "flag omit_n n @2.0"]),
    ("a number that programs receive becomes optional, conditional or is removed: has_x",
     "{ 'command': 'go', 'returns': 'Res' }"
     " { 'struct': 'Res', 'data': { 'a': 'int', 'b': 'Mode', 'c': 'number', 'd': 'bool' } }"
     "{ 'enum': 'Mode', 'data': [] }",
     "{ 'command': 'go', 'returns': 'Res' }"
     " { 'struct': 'Res', 'data': { '*a': 'int', 'b': { 'type': 'Mode', 'if': 'A' }, 'd': 'bool' } }"
     "{ 'enum': 'Mode', 'data': [] }", ("Res",),
     ["object Res res @1.0",
      "member a a int @1.0 @2.0 optional",
      "member b b Mode @1.0 @2.0 if=A",
      "member c c number @1.0 @2.0 gone",
      "member d d bool @1.0",
      "flag has_a a @2.0",
      "flag has_b b @2.0",
      "flag has_c c @2.0"]),
    ("renamed types keep their name, by use, also through each other",
     "{ 'command': 'go', 'data': 'Args1', 'returns': [ 'Res1' ] } { 'struct': 'Args1', 'data': { 'e': 'Enu1' } }"
     "{ 'struct': 'Res1', 'data': { 'e': [ 'Enu1' ] } } { 'enum': 'Enu1', 'data': [ 'a' ] }",
     "{ 'command': 'go', 'data': 'Args2', 'returns': [ 'Res2' ] } { 'struct': 'Args2', 'data': { 'e': 'Enu2' } }"
     "{ 'struct': 'Res2', 'data': { 'e': [ 'Enu2' ], 'self': 'Res2' } } { 'enum': 'Enu2', 'data': [ 'a', 'b' ] }", (),
     ["command go go @1.0 args=Args1 returns=[Res1]",
      "object Args1 args1 @1.0 @2.0 name=Args2",
      "member e e Enu1 @1.0",
      "object Res1 res1 @1.0 @2.0 name=Res2",
      "member e e [Enu1] @1.0",
      "member self self Res1 @2.0",
      "enum Enu1 enu1 @1.0 @2.0 name=Enu2",
      "value a a 0 @1.0",
      "value b b 1 @2.0"]),
    ("a new type instead of one that is still there is no new name",
     "{ 'struct': 'One', 'data': { 'a': 'Enu1', 'b': 'Enu1' } } { 'enum': 'Enu1', 'data': [ 'a' ] }",
     "{ 'struct': 'One', 'data': { 'a': 'Enu2', 'b': 'Enu1' } } { 'enum': 'Enu1', 'data': [ 'a' ] }"
     " { 'enum': 'Enu2', 'data': [ 'a' ] }",
     ("One",),
     ["object One one @1.0",
      "member a a Enu1 @1.0 @2.0 next=a_2",
      "member b b Enu1 @1.0",
      "member a a_2 Enu2 @2.0 has",
      "flag has_a a @2.0"]),
    ("a string becomes an enum: the field keeps the text",
     "{ 'struct': 'One', 'data': { 'a': 'str', 'b': [ 'str' ] } }",
     "{ 'struct': 'One', 'data': { 'a': 'Enu', 'b': [ 'Enu' ] } } { 'enum': 'Enu', 'data': [ 'a' ] }", ("One",),
     ["object One one @1.0", "member a a str @1.0 @2.0 wire=Enu", "member b b [str] @1.0 @2.0 wire=[Enu]"]),
    ("a struct becomes a union: tag and branches are appended, what moved into a branch stays",
     "{ 'struct': 'One', 'data': { 'type': 'str', 'moved': 'str', 'n': 'int' } }",
     "{ 'union': 'One', 'base': { 'type': 'Kind', 'n': 'int' }, 'discriminator': 'type', 'data': { 'a': 'Moved' } }"
     "{ 'enum': 'Kind', 'data': [ 'a', 'b' ] } { 'struct': 'Moved', 'data': { 'moved': 'str' } }", ("One",),
     ["object One one @1.0",
      "member type type str @1.0 @2.0 next=type_2",
      "member moved moved str @1.0 @2.0 gone",
      "member n n int @1.0",
      "member type type_2 Kind @2.0 has",
      "union type_2 u @2.0",
      "branch a a Moved @2.0"]),
    ("integers: what fits stays, what became wider is appended",
     "{ 'struct': 'One', 'data': { 'a': 'int', 'b': 'uint8', 'c': 'int', 'd': 'size' } }",
     "{ 'struct': 'One', 'data': { 'a': 'uint64', 'b': 'uint16', 'c': 'int8', 'd': 'number' } }", ("One",),
     ["object One one @1.0",
      "member a a int @1.0 @2.0 wire=uint64",
      "member b b uint8 @1.0 @2.0 next=b_2",
      "member c c int @1.0 @2.0 wire=int8",
      "member d d size @1.0 @2.0 next=d_2",
      "member b b_2 uint16 @2.0 has",
      "member d d_2 number @2.0 has",
      "flag has_b b @2.0",
      "flag has_d d @2.0"]),
    ("a number becomes an alternate",
     "{ 'command': 'go', 'data': { '*a': 'bool' } }",
     "{ 'command': 'go', 'data': { '*a': 'Alt' } } { 'alternate': 'Alt', 'data': { 'flag': 'bool', 'mode': 'Enu' } }"
     "{ 'enum': 'Enu', 'data': [ 'a' ] }", ("go",),
     ["command go go @1.0", "member a a bool @1.0 optional has @2.0 next=a_2", "member a a_2 Alt @2.0 optional"]),
    ("a branch gets another type: of the same form, of another form",
     "{ 'enum': 'Tag', 'data': [ 'a', 'b' ] } { 'struct': 'One', 'data': { 's': 'str' } }"
     " { 'struct': 'Keep', 'data': { 'k': 'One' } }"
     "{ 'union': 'Uni', 'base': { 'tag': 'Tag' }, 'discriminator': 'tag', 'data': { 'a': 'One', 'b': 'One' } }",
     "{ 'enum': 'Tag', 'data': [ 'a', 'b' ] } { 'struct': 'One', 'data': { 's': 'str' } }"
     " { 'struct': 'Keep', 'data': { 'k': 'One' } }"
     "{ 'union': 'Uni', 'base': { 'tag': 'Tag' }, 'discriminator': 'tag', 'data': { 'a': 'Same', 'b': 'Other' } }"
     "{ 'struct': 'Same', 'data': { 's': 'str' } }"
     " { 'struct': 'Other', 'data': { 's': 'str', '*t': 'str' } }", ("Uni",),
     ["object Uni uni @1.0",
      "member tag tag Tag @1.0",
      "union tag u @1.0",
      "branch a a One @1.0 @2.0 wire=Same",
      "branch b b One @1.0 @2.0 next=b_2",
      "branch b b_2 Other @2.0"]),
    ("a union becomes a struct",
     "{ 'enum': 'Tag', 'data': [ 'a' ] } { 'struct': 'One', 'data': {} }"
     "{ 'union': 'Uni', 'base': { 'tag': 'Tag' }, 'discriminator': 'tag', 'data': { 'a': 'One' } }",
     "{ 'enum': 'Tag', 'data': [ 'a' ] } { 'struct': 'One', 'data': {} }"
     " { 'struct': 'Uni', 'data': { 'tag': 'Tag' } }", ("Uni",),
     ["object Uni uni @1.0", "member tag tag Tag @1.0", "union tag u @1.0 @2.0 gone", "branch a a One @1.0 @2.0 gone"]),
    ("arguments get a type with a name: they stay the command's own",
     "{ 'command': 'go', 'data': { 'a': 'str' } }",
     "{ 'command': 'go', 'data': 'Args' } { 'struct': 'Args', 'data': { 'a': 'str', 'b': 'str' } }", ("go",),
     ["command go go @1.0", "member a a str @1.0", "member b b str @2.0"]),
    ("arguments lose their type's name: that type goes on",
     "{ 'command': 'go', 'data': 'Args' } { 'struct': 'Args', 'data': { 'a': 'str' } }",
     "{ 'command': 'go', 'data': { 'a': 'str', 'b': 'str' } }", (),
     ["command go go @1.0 args=Args",
      "object Args args @1.0 @2.0 name=q_obj_go-arg",
      "member a a str @1.0",
      "member b b str @2.0"]),
    ("arguments lose the name of a type that is still there: the same members stay in it",
     "{ 'command': 'go', 'data': 'Args' } { 'struct': 'Args', 'data': { 'a': 'str' } }",
     "{ 'command': 'go', 'data': { 'a': 'str' } } { 'struct': 'Args', 'data': { 'a': 'str' } }", (),
     ["command go go @1.0 args=Args", "object Args args @1.0", "member a a str @1.0"]),
    ("a vanished type and two in its places: of the same form as one of them",
     "{ 'struct': 'One', 'data': { 'a': 'Old', 'b': 'Old' } } { 'struct': 'Old', 'data': { 'x': 'str' } }",
     "{ 'struct': 'One', 'data': { 'a': 'New', 'b': 'Other' } } { 'struct': 'New', 'data': { 'x': 'str' } }"
     "{ 'struct': 'Other', 'data': { 'y': 'str' } }", ("One", "Old"),
     ["object One one @1.0",
      "member a a Old @1.0 @2.0 wire=New",
      "member b b Old @1.0 @2.0 next=b_2",
      "member b b_2 Other @2.0",
      "object Old old @1.0 @2.0 gone",
      "member x x str @1.0"]),
    ("a vanished type with one of another kind in its places",
     "{ 'struct': 'One', 'data': { 'a': 'Old' } } { 'struct': 'Old', 'data': { 'x': 'str' } }",
     "{ 'struct': 'One', 'data': { 'a': 'New' } } { 'alternate': 'New', 'data': { 'x': 'str' } }", ("One", "Old"),
     ["object One one @1.0",
      "member a a Old @1.0 @2.0 next=a_2",
      "member a a_2 New @2.0",
      "object Old old @1.0 @2.0 gone",
      "member x x str @1.0"]),
    ("a command gets arguments, and loses them",
     "{ 'command': 'more' } { 'command': 'less', 'data': { '*a': 'int' } } { 'command': 'none', 'data': 'Arg' }"
     "{ 'struct': 'Arg', 'data': {} }",
     "{ 'command': 'more', 'data': { '*a': 'int' } } { 'command': 'less' } { 'command': 'none' }"
     "{ 'struct': 'Arg', 'data': {} }", ("more", "less", "none"),
     ["command more more @1.0",
      "member a a int @2.0 optional has",
      "command less less @1.0",
      "member a a int @1.0 optional has @2.0 gone",
      "command none none @1.0 args=Arg @2.0 args="]),
]

REFUSED = [
    ("{ 'struct': 'One', 'data': {} }", "{ 'enum': 'One', 'data': [] }", "test.ledger: object 'One': is now of kind 'enum'"),
    ("{ 'command': 'go', 'returns': 'One' } { 'struct': 'One', 'data': {} }",
     "{ 'command': 'go', 'returns': [ 'One' ] } { 'struct': 'One', 'data': {} }",
     "test.ledger: command 'go': 'returns' was 'One' and is '[One]'"),
    ("{ 'command': 'go', 'data': 'One' } { 'struct': 'One', 'data': {} }",
     "{ 'command': 'go', 'data': 'Two' } { 'struct': 'One', 'data': {} } { 'struct': 'Two', 'data': { 'a': 'int' } }",
     "test.ledger: command 'go': 'args' was 'One' and is 'Two'"),
    ("{ 'enum': 'Tag', 'data': [] } { 'struct': 'One', 'data': { 'a': [ 'int' ], 'a-count': 'int' } }", None,
     "test.ledger: object 'One': two fields are called 'a_count' in C"),
    ("{ 'enum': 'Tag', 'data': [ 'a' ] } { 'union': 'Uni', 'base': { 'x': 'Tag', 'y': 'Tag' }, 'discriminator': 'x', 'data': {} }",
     "{ 'enum': 'Tag', 'data': [ 'a' ] }"
     " { 'union': 'Uni', 'base': { 'x': 'Tag', 'y': 'Tag' }, 'discriminator': 'y', 'data': {} }",
     "test.ledger: object 'Uni': the tag was 'x' and is 'y'"),
]


class Rules(unittest.TestCase):
    maxDiff = None

    def test_rules(self):
        for title, old, new, names, wanted in RULES:
            with self.subTest(title):
                text = merged(*filter(None, (old, new)))
                self.assertEqual(lines(text, *names), wanted)
                ledger.build(ledger_text.parse(text.format(), "test.ledger"))

    def test_each_rule_only_appends_and_repeats(self):
        for title, old, new, _, _ in filter(lambda rule: rule[2], RULES):
            with self.subTest(title):
                before, after = merged(old), merged(old, new)
                ledger_text.check_growth(before, after)
                for number, text in enumerate((old, new), 1):
                    again = merge.merge(after, read_schema(text), f"{number}.0", "again")
                    self.assertEqual(again.format(), after.format())
                self.assertEqual(ledger_text.parse(after.format(), "t").format(), after.format())

    def test_back_and_forth(self):
        first = "{ 'command': 'go', 'data': 'Arg' } { 'struct': 'Arg', 'data': { '*a': 'str' } }"
        second = "{ 'event': 'OTHER' }"
        text = merged(first, second, first)
        self.assertEqual(lines(text), ["command go go @1.0 args=Arg @2.0 gone @3.0 !gone",
                                       "object Arg arg @1.0 @2.0 gone @3.0 !gone",
                                       "member a a str @1.0 optional",
                                       "event OTHER other @2.0 @3.0 gone"])
        self.assertEqual(merge.merge(text, read_schema(second), "2.0", "again").format(), text.format())

    def test_refused(self):
        for old, new, wanted in REFUSED:
            with self.subTest(wanted), self.assertRaises(LedgerError) as caught:
                merged(*filter(None, (old, new)))
            self.assertEqual(str(caught.exception).partition("\n")[0], wanted)
            self.assertIn("\n  ", str(caught.exception), "there is advice")

    def test_releases_in_their_order(self):
        text = merged("{ 'event': 'ONE' }", "{ 'event': 'TWO' }")
        with self.assertRaisesRegex(LedgerError, "release 1.5 is older than 2.0, which is recorded already"):
            merge.merge(text, read_schema(""), "1.5", "1.5.0")
        with self.assertRaisesRegex(LedgerError, "release 1.0, line .*recorded is `event ONE one @1.0`, this source"):
            merge.merge(text, read_schema("{ 'event': 'TWO' }"), "1.0", "1.0.0")

    def test_nothing_recorded_may_change(self):
        old = merged("{ 'enum': 'Mode', 'data': [ 'a', 'b' ] } { 'struct': 'One', 'data': { 'x': 'int', 'y': 'int' } }")
        for was, becomes in ((" 1 @1.0", " 2 @1.0"), ("\tmember x x int @1.0\n", ""), ("x x int", "x x_ int"),
                             ("\tvalue a a 0 @1.0\n\tvalue b b 1 @1.0", "\tvalue b b 1 @1.0\n\tvalue a a 0 @1.0"),
                             ("y int @1.0", "y int @1.0 optional"), ("release 1.0 1.0.0", "release 1.0 1.0.1")):
            with self.subTest(was), self.assertRaisesRegex(LedgerError, "test.ledger:[0-9]+: recorded as"):
                self.assertIn(was, old.format())
                ledger_text.check_growth(old, ledger_text.parse(old.format().replace(was, becomes), "t"))


# What stands wrong in a ledger, and the error. `@` is release 1.0.
BROKEN = [
    ("", "t:1: a ledger begins with `ledger NAME`"),
    ("enum Mode mode @1.0", "t:1: a ledger begins with `ledger NAME`"),
    ("ledger t", "t.ledger: no release is recorded"),
    ("ledger t\nrelease 1.0", "t:2: a release has a number and a version"),
    ("ledger t\nrelease 1.0 1\nrelease 1.0 1", "t:3: release 1.0 is not newer than the one before"),
    ("L\nthing x x @1.0", "t:3: unknown kind of line 'thing'"),
    ("L\nobject One @1.0", "t:3: 'object' has 2 words and then @RELEASE"),
    ("L\nobject One one", "t:3: 'object' has 2 words and then @RELEASE"),
    ("L\nobject One one @2.0", "t:3: release 2.0 is not in this ledger"),
    ("L\nobject One one @1.0 @1.0", "t:3: @1.0 stands behind @1.0"),
    ("L\nobject One one @1.0 nice", "t:3: unknown fact 'nice'"),
    ("L\nobject One one @1.0 nice=1", "t:3: unknown fact 'nice=1'"),
    ("L\nmember x x int @1.0", "t:3: 'member' belongs below another line"),
    ("L\n\tmember x x int @1.0", "t:3: 'member' does not belong here"),
    ("L\nenum Mode mode @1.0\n\tmember x x int @1.0", "t:4: 'member' does not belong here"),
    ("L\nobject One one @1.0\nobject One two @1.0", "t:4: type 'One' exists already"),
    ("L\nenum str str @1.0", "t:3: type 'str' exists already"),
    ("L\nobject One One @1.0", "t:3: 'One' is no name in C"),
    ("L\nobject One one @1.0\n\tmember 9x 9x int @1.0", "t:4: '9x' is no name in C"),
    ("L\nobject One one @1.0\n\tmember if if int @1.0", "t:4: 'if' is a keyword or a macro in C or C++"),
    ("L\nobject One one @1.0\n\tmember errno errno int @1.0", "t:4: 'errno' is a keyword or a macro in C or C++"),
    ("L\nobject One one @1.0\n\tmember x x None @1.0", "t:4: type 'None' is not recorded"),
    ("L\nobject One one @1.0\n\tmember header header int @1.0", "t:3: 'One' has two fields called 'header' in C"),
    ("L\nobject One one @1.0\n\tmember x x [int] @1.0\n\tmember x-count x_count int @1.0",
     "t:3: 'One' has two fields called 'x_count' in C"),
    ("L\nobject One one @1.0\n\tmember x x int @1.0 optional has\n\tmember has-x has_x int @1.0",
     "t:3: 'One' has two fields called 'has_x' in C"),
    ("L\nobject One one @1.0\n\tmember x x int @1.0 optional", "t:4: 'x' may be absent, and nothing in C says so"),
    ("L\nobject One one @1.0\n\tmember x x str @1.0 optional has",
     "t:4: 'x' is a pointer in C and has the flag 'has_x'"),
    ("L\nobject One one @1.0\n\tflag has_x x @1.0", "t:4: 'flag' of a member that is not above it"),
    ("L\nobject One one @1.0\n\tmember x x int @1.0\n\tmember x x_2 str @1.0", "t:5: 'x' stands twice"),
    ("L\nobject One one @1.0\n\tbranch x x One @1.0", "t:3: 'One' has branches and no union"),
    ("L\nobject One one @1.0\n\tbranch x x int @1.0", "t:4: branch 'x' of a union is no object"),
    ("L\nobject One one @1.0\n\tmember x x int @1.0\n\tunion x u @1.0", "t:5: the tag 'x' is no enum"),
    ("L\nenum Mode mode @1.0\n\tvalue a a 0 @1.0\n\tvalue b b 2 @1.0", "t:5: value 'b' has number 2, and is the 1th"),
    ("L\nenum Mode mode @1.0\n\tvalue a-b a_b 0 @1.0\n\tvalue a_b a_b 1 @1.0",
     "t:3: 'Mode' has two values called 'a_b' in C"),
    ("L\nenum Mode mode @1.0\n\tvalue unrecognized unrecognized 0 @1.0",
     "t:3: 'Mode' has two values called 'unrecognized' in C"),
    ("L\nalternate Alt alt @1.0\n\tbranch a x int @1.0\n\tbranch b x str @1.0",
     "t:3: 'Alt' has two branches called 'x' in C"),
    ("L\ncommand go go @1.0 args=int", "t:3: 'args=int' of 'go' is no object"),
    ("L\ncommand go go @1.0 returns=None", "t:3: type 'None' is not recorded"),
    ("L\ncommand one-new one_new @1.0\nobject One one @1.0", "t:3: 'one-new' and 'One' both make a function 'one_new'"),
    ("L\ncommand a-b a_b @1.0\ncommand a.b a_b @1.0", "t:4: 'a.b' and 'a-b' both make a function 'a_b'"),
    ("L\nobject GoArgs goargs @1.0\ncommand go go @1.0\n\tmember x x int @1.0",
     "t:4: 'GoArgs' and 'GoArgs' both make a type 'GoArgs'"),
    ("L\nenum AaBb aa_bb @1.0\n\tvalue c c 0 @1.0\nenum Aa aa @1.0\n\tvalue bb-c bb_c 0 @1.0",
     "t:6: 'bb-c' and 'c' both make a constant 'aa_bb_c'"),
]


class Loader(unittest.TestCase):
    def test_broken(self):
        for text, wanted in BROKEN:
            with self.subTest(wanted, text=text), self.assertRaises(LedgerError) as caught:
                ledger.build(ledger_text.parse(text.replace("L\n", "ledger t\nrelease 1.0 1.0.0\n"), "t"))
            self.assertEqual(str(caught.exception).partition("\n")[0], wanted)

    def test_what_the_generator_gets(self):
        protocol = ledger.build(merged(
            "{ 'command': 'set', 'data': { 'n': 'int', 'o': 'In' }, 'success-response': false }"
            " { 'command': 'get', 'returns': [ 'Out' ] }"
            "{ 'struct': 'In', 'data': { 'both': 'Both' } } { 'struct': 'Both', 'data': {} }"
            " { 'struct': 'Alone', 'data': {} }"
            "{ 'struct': 'Out', 'data': { 'type': 'str', 'b': 'Both', 'old': 'int' } }"
            " { 'event': 'WAS', 'data': { 'x': 'int' } }",
            "{ 'command': 'set', 'data': { '*n': 'int', 'o': 'In' }, 'success-response': false }"
            " { 'command': 'get', 'returns': [ 'Out' ] }"
            "{ 'struct': 'In', 'data': { 'both': 'Both' } } { 'struct': 'Both', 'data': {} }"
            " { 'struct': 'Alone', 'data': {} }"
            "{ 'enum': 'Kind', 'data': [ 'a' ] }"
            "{ 'union': 'Out', 'base': { 'type': 'Kind', 'b': { 'type': 'Both', 'features': [ { 'name': 'unstable', 'if': { 'any': [ 'A', 'B' ] } } ] } },"
            "  'discriminator': 'type', 'data': { 'a': 'In' } }"))
        types = {type_.name: type_ for type_ in protocol.types}
        self.assertEqual({name: (type_.reachable, type_.sent, type_.received) for name, type_ in types.items()},
                         {"In": (True, True, True), "Both": (True, True, True), "Alone": (False, False, False),
                          "Out": (True, False, True), "Kind": (True, False, True)})
        set_, get = protocol.commands
        self.assertEqual((set_.args.name, set_.args.owner), ("SetArgs", set_))
        self.assertEqual((set_.has_reply, set_.args_optional, get.args, get.has_reply), (False, False, None, True))
        self.assertEqual((get.returns.of, get.returns.is_array), (types["Out"], True))
        n, o, flag = set_.args.fields
        self.assertEqual((n.flag, n.flag_is_own, n.optional, n.may_be_absent), ("omit_n", False, False, True))
        self.assertEqual((flag.c_name, flag.member, o.type.of, o.may_be_absent), ("omit_n", n, types["In"], False))
        text, b, old, tag = types["Out"].members
        self.assertEqual((text.type.name, text.successor), ("str", tag))
        self.assertEqual((tag.type.of, tag.is_successor), (types["Kind"], True))
        self.assertEqual((types["Out"].union.tag, types["Out"].union.since), (tag, "2.0"))
        self.assertIs(types["Out"].branches[0].type.of, types["In"])
        self.assertEqual((tag.since, tag.flag, tag.flag_is_own), ("2.0", "has_type_2", True))
        self.assertEqual((b.features, b.unstable, b.deprecated), (["unstable"], True, False))
        self.assertEqual(b.feature_conditions, {"unstable": "any(A,B)"})
        self.assertEqual((old.since, old.until, old.flag, b.until), ("1.0", "1.0", "has_old", None))
        event = protocol.events[0]
        self.assertEqual((event.until, event.args.name, event.args.c_name), ("1.0", "WasEvent", "was_event"))


class Committed(unittest.TestCase):
    """The ledgers of this project."""

    def setUp(self):
        self.texts = {}
        for protocol in ("qmp", "qga"):
            content = (ROOT / "qapi" / (protocol + ".ledger")).read_text(encoding="utf-8")
            self.texts[protocol] = content, ledger_text.parse(content, protocol + ".ledger")

    def test_load(self):
        for protocol, (content, text) in self.texts.items():
            self.assertEqual(text.format(), content)
            self.assertEqual(ledger.load(ROOT / "qapi" / (protocol + ".ledger")).name, protocol)

    def test_what_was_recorded_holds(self):
        """The state of each release has the recorded checksum. UTM_TEST_REGENERATE=1 adds those of new releases."""
        recorded = dict(line.rsplit(" ", 1) for line in RECORDED.read_text(encoding="utf-8").splitlines() if line)
        found = {f"{protocol} {release}": checksum(text, release)
                 for protocol, (_, text) in self.texts.items() for release in text.releases}
        if os.environ.get("UTM_TEST_REGENERATE"):
            found |= recorded
            RECORDED.write_text("".join(f"{key} {value}\n" for key, value in found.items()), encoding="utf-8")
            recorded = found
        self.assertEqual(found, recorded)

    @unittest.skipUnless(os.environ.get("UTM_TEST_QEMU_SOURCES"), "UTM_TEST_QEMU_SOURCES is not set")
    def test_sources_say_the_same(self):
        with tempfile.TemporaryDirectory() as directory:
            for release in self.texts["qmp"][1].releases:
                tree = find_source(os.environ["UTM_TEST_QEMU_SOURCES"], release)
                run_import(directory, release, tree)
                run_import(ROOT / "qapi", release, tree)
            for protocol, (content, _) in self.texts.items():
                self.assertEqual(pathlib.Path(directory, protocol + ".ledger").read_text(encoding="utf-8"), content)
                self.assertEqual((ROOT / "qapi" / (protocol + ".ledger")).read_text(encoding="utf-8"), content)


class CommandLine(unittest.TestCase):
    def test_release(self):
        with tempfile.TemporaryDirectory() as directory:
            tree = pathlib.Path(directory, "tree")
            for protocol in ("qapi", "qga"):
                (tree / protocol).mkdir(parents=True)
                (tree / protocol / "qapi-schema.json").write_text("{ 'event': 'ONE' }", encoding="utf-8")
            self.assertIn("VERSION: cannot be read", run_import(directory, "1.0", tree, 1))
            (tree / "VERSION").write_text("1.0.5\n", encoding="utf-8")
            self.assertIn("this is version 1.0.5, not release 1", run_import(directory, "1.00", tree, 1))
            run_import(directory, "1.0", tree)
            content = pathlib.Path(directory, "qga.ledger").read_text(encoding="utf-8")
            self.assertIn("\nrelease 1.0 1.0.5\n\nevent ONE one @1.0\n", content)
            (tree / "VERSION").write_text("2.0.0\n", encoding="utf-8")
            (tree / "qga/qapi-schema.json").write_text("{ 'event': 'one' }", encoding="utf-8")
            self.assertIn("qga/qapi-schema.json:1: event 'one'", run_import(directory, "2.0", tree, 1))
            self.assertEqual(pathlib.Path(directory, "qga.ledger").read_text(encoding="utf-8"), content)
            self.assertNotIn("2.0", pathlib.Path(directory, "qmp.ledger").read_text(encoding="utf-8"))


def checksum(text, release):
    state = ledger_text.cut(text, release, True)
    state.comments = []
    return hashlib.sha256(state.format().encode()).hexdigest()


def find_source(directory, release):
    for path in pathlib.Path(directory).glob("*/VERSION"):
        if (path.read_text(encoding="utf-8").strip() + ".").startswith(release + "."):
            return path.parent
    raise FileNotFoundError(f"no source of QEMU {release} in {directory}")


def run_import(directory, release, tree, status=0):
    done = subprocess.run([sys.executable, ROOT / "qapi/import", "--ledgers", directory, "--release", release, tree],
                          capture_output=True, text=True, check=False)
    if done.returncode != status:
        raise AssertionError(f"status {done.returncode}: {done.stderr}")
    return done.stderr


if __name__ == "__main__":
    unittest.main()
