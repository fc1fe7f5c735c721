# SPDX-License-Identifier: LGPL-2.1-or-later
"""The schema language: what qapi/import takes, and what it refuses with which words.

Each case is a small schema and the first line of the error, or None. The file is called `s`; it is the text before the
first line `== NAME`, which begins a file to include.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

IMPORT = pathlib.Path(__file__).resolve().parents[2] / "qapi" / "import"

PRAGMAS = "{ 'pragma': { 'command-name-exceptions': [ 'old_one' ], " \
          "'command-returns-exceptions': [ 'old_one', 'old-two' ], 'member-name-exceptions': [ 'Old' ], 'documentation-exceptions': [], 'doc-required': true } }\n"
KINDS = "'enum', 'struct', 'union', 'alternate', 'command', 'event'"
TAG = "{ 'enum': 'Tag', 'data': [ 'a', 'b' ] }\n{ 'struct': 'Leaf', 'data': { 'x': 'int' } }\n"


def struct(members, more=""):
    return f"{{ 'struct': 'Sum', 'data': {{ {members} }}{more} }}"


def condition(text):
    return struct("", f", 'if': {text}")


def union(base="{ 'tag': 'Tag' }", data="'a': 'Leaf'", tag="tag", before=""):
    return TAG + before + f"{{ 'union': 'Uni', 'base': {base}, 'discriminator': '{tag}', 'data': {{ {data} }} }}"


CASES = {
    "lexical level": [
        ("", None),
        ("# a comment, and no line end", None),
        ("##\n# @Sum: documentation is a comment\n##\n" + struct("'a': 'str'"), None),
        ("{ 'struct':\t'Sum',\r\n 'data': { } } { 'struct': 'Top', 'data': {} }", None),
        (struct("'a': 'str' # a comment inside\n"), None),
        ("{ \"struct\": 'Sum' }", "s:1: stray '\"'"),
        ("{ 'struct': 'Sum', 'data': { 'a': 1 } }", "s:1: stray '1'"),
        ("\n\n{ 'struct': null }", "s:3: stray 'n'"),
        ("{ 'struct': 'S\n' }", "s:1: stray \"'\""),
        (r"{ 'struct': 'S\n' }", "s:1: stray \"'\""),
        ("{ 'struct': '\u00e9' }", "s:1: a string with characters other than printable ASCII"),
        ("{ 'struct': 'a\tb' }", "s:1: a string with characters other than printable ASCII"),
        (r"{ 'struct': 'a\\b', 'data': {} }", r"s:1: struct 'a\b': this is no valid name"),
        ("{ 'struct': 'Sum', }", "s:1: expected a string, found }"),
        ("{ , 'struct': 'Sum' }", "s:1: expected a string, found ,"),
        ("{ 'struct' 'Sum' }", "s:1: expected :, found 'Sum'"),
        ("{ 'struct': 'Sum'\n'data': {} }", "s:2: expected ,, found 'data'"),
        ("{ 'struct': 'Sum', 'data': {}, 'struct': 'Top' }", "s:1: key 'struct' stands twice"),
        ("{ 'enum': 'Enu', 'data': [ 'a', ] }", "s:1: expected a value, found ]"),
        ("{ 'enum': 'Enu', 'data': [ 'a' 'b' ] }", "s:1: expected ,, found 'b'"),
        ("{ 'enum': 'Enu', 'data': [ 'a'", "s:1: expected ,, found the end of the file"),
        ("{ 'enum': 'Enu',\n", "s:2: expected a string, found the end of the file"),
        ("[ 'a' ]", "s:1: expected an object, found ["),
        ("'{'", "s:1: expected an object, found '{'"),
        ("{ 'a': " + "[" * 100000, "s:1: lists and objects are nested too deeply"),
    ],
    "include": [
        ("{ 'include': 'a' }\n== a\n" + struct(""), None),
        ("{ 'include': 'a' }\n{ 'include': 'a' }\n== a\n" + struct(""), None),
        ("{ 'include': 'd/a' }\n== d/a\n{ 'include': '../b' }\n{ 'include': 'c' }\n== b\n== d/c\n", None),
        ("{ 'include': 'a' }\n" + struct("'x': 'Later'") + "\n== a\n{ 'struct': 'Later', 'data': { 'back': 'Sum' } }",
         None),
        ("\n{ 'include': 'a', 'if': 'A' }", "s:2: an include directive has no other key"),
        ("{ 'include': [ 'a' ] }", "s:1: 'include' takes a file name"),
        ("{ 'include': 'nothing' }", "s:1: included file 'nothing' cannot be read: No such file or directory"),
        ("{ 'include': 's' }", "s:1: 's' includes itself"),
        ("{ 'include': 'a' }\n== a\n\n{ 'include': 's' }", "a:2: 's' includes itself"),
        ("{ 'include': 'd/a' }\n== d/a\n\n{ 'struct': 'Bad' }", "d/a:2: struct 'Bad': lacks the key 'data'"),
        ("{ 'include': 'a' }\n}\n== a\n{ 'struct' }", "a:1: expected :, found }"),
    ],
    "pragma": [
        (PRAGMAS, None),
        (PRAGMAS + "{ 'command': 'old_one', 'returns': 'str' }\n{ 'command': 'old-two', 'returns': [ 'int' ] }\n"
         "{ 'struct': 'Old', 'data': { 'Big_One': 'int' } }", None),
        ("{ 'struct': 'Old', 'data': { 'Big_One': 'int' } }\n" + PRAGMAS, None),
        (PRAGMAS + "{ 'pragma': { 'member-name-exceptions': [] } }\n{ 'struct': 'Old', 'data': { 'Big': 'int' } }",
         "s:3: struct 'Old': member 'Big' has upper case or '_'"),
        ("{ 'pragma': {}, 'if': 'A' }", "s:1: a pragma directive has no other key"),
        ("{ 'pragma': [] }", "s:1: 'pragma' takes an object"),
        ("{ 'pragma': { 'wish': true } }", "s:1: unknown pragma 'wish'"),
        ("{ 'pragma': { 'doc-required': 'yes' } }", "s:1: pragma 'doc-required' is true or false"),
        ("{ 'pragma': { 'command-name-exceptions': 'a' } }",
         "s:1: pragma 'command-name-exceptions' takes a list of strings"),
        ("{ 'pragma': { 'member-name-exceptions': [ true ] } }",
         "s:1: pragma 'member-name-exceptions' takes a list of strings"),
    ],
    "definitions": [
        ("{}", f"s:1: a definition has exactly one of the keys {KINDS}"),
        ("{ 'struct': 'Sum', 'enum': 'Enu', 'data': {} }", f"s:1: a definition has exactly one of the keys {KINDS}"),
        ("{ 'struct': true, 'data': {} }", "s:1: 'struct' takes a name"),
        ("{ 'struct': 'Sum', 'dat': {}, 'data': {} }", "s:1: struct 'Sum': has the unknown key 'dat'"),
        (struct("") + "\n" + struct(""), "s:2: struct 'Sum': defined before"),
        ("{ 'command': 'one-two' }\n{ 'event': 'ONE_TWO' }", None),
        ("{ 'struct': 'QType', 'data': {} }", "s:1: struct 'QType': 'QType' is built in"),
        ("{ 'command': 'str' }", "s:1: command 'str': 'str' is built in"),
    ],
    "names": [
        ("{ 'struct': '__org.example_Type', 'data': { '__org.example_x-member': 'int', 'x-a9': 'int' } }", None),
        ("{ 'command': 'x-go' }\n{ 'event': 'X9_GO' }\n{ 'enum': 'Enu', 'data': [ '9p', '1-2', '-a' ] }",
         "s:3: enum 'Enu': value '-a' is no valid name"),
        ("{ 'enum': 'Enu', 'data': [ '9p', '1-2' ] }", None),
        ("{ 'struct': '9S', 'data': {} }", "s:1: struct '9S': this is no valid name"),
        ("{ 'struct': 'a', 'data': {} }", "s:1: struct 'a': names of types are CamelCase"),
        ("{ 'struct': 'ABC', 'data': {} }", "s:1: struct 'ABC': names of types are CamelCase"),
        ("{ 'struct': 'A_b', 'data': {} }", "s:1: struct 'A_b': names of types are CamelCase"),
        ("{ 'enum': 'ThingList', 'data': [] }", "s:1: enum 'ThingList': names of types do not end in 'List'"),
        ("{ 'command': 'q-go' }", "s:1: command 'q-go': this is no valid name"),
        ("{ 'command': 'go_on' }", "s:1: command 'go_on': the name has upper case or '_'"),
        ("{ 'command': 'Go' }", "s:1: command 'Go': the name has upper case or '_'"),
        ("{ 'event': 'GO-ON' }", "s:1: event 'GO-ON': names of events have neither lower case nor '-'"),
        ("{ 'event': 'Go' }", "s:1: event 'Go': names of events have neither lower case nor '-'"),
        (struct("'a_b': 'int'"), "s:1: struct 'Sum': member 'a_b' has upper case or '_'"),
        (struct("'q-a': 'int'"), "s:1: struct 'Sum': member 'q-a' is no valid name"),
        (struct("'u': 'int'"), "s:1: struct 'Sum': the name of member 'u' is reserved"),
        (struct("'*has-a': 'int'"), "s:1: struct 'Sum': the name of member '*has-a' is reserved"),
        (struct("'**a': 'int'"), "s:1: struct 'Sum': member '**a' is no valid name"),
        (struct("'': 'int'"), "s:1: struct 'Sum': member '' is no valid name"),
        (struct("'a': 'int', '*a': 'int'"), "s:1: struct 'Sum': member 'a' of 'Sum' collides with 'a' of 'Sum'"),
        (PRAGMAS + "{ 'struct': 'Old', 'data': { 'a-b': 'int', 'a_b': 'int' } }",
         "s:2: struct 'Old': member 'a_b' of 'Old' collides with 'a-b' of 'Old'"),
    ],
    "enum": [
        ("{ 'enum': 'Enu', 'data': [], 'prefix': 'P', 'features': [ 'f' ], 'if': 'A' }", None),
        ("{ 'enum': 'Enu', 'data': [ 'a', { 'name': 'b', 'if': 'B', 'features': [ 'deprecated' ] } ] }", None),
        ("{ 'enum': 'Enu' }", "s:1: enum 'Enu': lacks the key 'data'"),
        ("{ 'enum': 'Enu', 'data': { 'a': 'b' } }", "s:1: enum 'Enu': 'data' takes a list"),
        ("{ 'enum': 'Enu', 'data': [], 'prefix': true }", "s:1: enum 'Enu': 'prefix' takes a string"),
        ("{ 'enum': 'Enu', 'data': [ true ] }", "s:1: enum 'Enu': a value has a name"),
        ("{ 'enum': 'Enu', 'data': [ { 'if': 'A' } ] }", "s:1: enum 'Enu': a value lacks the key 'name'"),
        ("{ 'enum': 'Enu', 'data': [ { 'name': 'a', 'value': '1' } ] }",
         "s:1: enum 'Enu': a value has the unknown key 'value'"),
        ("{ 'enum': 'Enu', 'data': [ 'Leaf' ] }", "s:1: enum 'Enu': value 'Leaf' has upper case or '_'"),
        ("{ 'enum': 'Enu', 'data': [ 'a', 'a' ] }", "s:1: enum 'Enu': value 'a' collides with 'a'"),
        (PRAGMAS + "{ 'enum': 'Old', 'data': [ 'a-b', 'a_b' ] }", "s:2: enum 'Old': value 'a_b' collides with 'a-b'"),
    ],
    "struct": [
        (struct("'a': 'str', '*b': [ 'Sum' ], 'c': { 'type': 'Sum', 'if': 'A', 'features': [ 'f' ] }"), None),
        ("{ 'struct': 'Top', 'base': 'Sum', 'data': {} }\n" + struct("'t': 'Top'"), None),
        ("{ 'struct': 'Sum' }", "s:1: struct 'Sum': lacks the key 'data'"),
        ("{ 'struct': 'Sum', 'data': 'Top' }", "s:1: struct 'Sum': 'data' takes an object"),
        ("{ 'struct': 'Sum', 'data': [ 'a' ] }", "s:1: struct 'Sum': 'data' takes an object"),
        (struct("'a': { 'b': 'int' }"), "s:1: struct 'Sum': member 'a' lacks the key 'type'"),
        (struct("'a': { 'type': { 'b': 'int' } }"),
         "s:1: struct 'Sum': member 'a' takes the name of a type, or a list of one"),
        (struct("'a': true"), "s:1: struct 'Sum': member 'a' takes the name of a type, or a list of one"),
        (struct("'a': []"), "s:1: struct 'Sum': member 'a': a list type holds the name of one type"),
        (struct("'a': [ 'int', 'int' ]"), "s:1: struct 'Sum': member 'a': a list type holds the name of one type"),
        (struct("'a': [ [ 'int' ] ]"), "s:1: struct 'Sum': member 'a': a list type holds the name of one type"),
        (struct("'a': 'Missing'"), "s:1: struct 'Sum': member 'a' has the unknown type 'Missing'"),
        (struct("'a': [ 'Missing' ]"), "s:1: struct 'Sum': member 'a' has the unknown type 'Missing'"),
        ("{ 'command': 'go' }\n" + struct("'a': 'go'"), "s:2: struct 'Sum': member 'a' has the unknown type 'go'"),
        (struct("", ", 'base': 'int'"), "s:1: struct 'Sum': 'base' takes a struct, not built-in type 'int'"),
        (struct("", ", 'base': [ 'Top' ]"), "s:1: struct 'Sum': 'base' takes the name of a type"),
        (struct("", ", 'base': { 'a': 'int' }"), "s:1: struct 'Sum': 'base' takes the name of a type"),
        (struct("", ", 'base': 'Missing'"), "s:1: struct 'Sum': 'base' has the unknown type 'Missing'"),
        (union() + "\n" + struct("", ", 'base': 'Uni'"), "s:4: struct 'Sum': 'base' takes a struct, not union 'Uni'"),
        (struct("", ", 'base': 'Sum'"), "s:1: struct 'Sum': contains itself"),
        ("{ 'struct': 'Top', 'base': 'Sum', 'data': {} }\n" + struct("", ", 'base': 'Top'"),
         "s:1: struct 'Top': contains itself"),
        ("{ 'struct': 'Top', 'data': { 'a': 'int' } }\n\n" + struct("'*a': 'int'", ", 'base': 'Top'"),
         "s:3: struct 'Sum': member 'a' of 'Sum' collides with 'a' of 'Top'"),
    ],
    "union": [
        (union(), None),
        (union("'Base'", before="{ 'struct': 'Base', 'data': { 'tag': 'Tag', '*other': 'Uni' } }\n"), None),
        (union("'Base'", before="{ 'struct': 'Base', 'base': 'Deep', 'data': {} }\n{ 'struct': 'Deep', 'data': { 'tag': 'Tag' } }\n"),
         None),
        (union(data=""), None),
        (union(data="'a': { 'type': 'Leaf', 'if': 'B' }"), None),
        (union() + "\n{ 'union': 'Via', 'base': { 'kind': 'Tag' }, 'discriminator': 'kind', 'data': { 'b': 'Uni' } }",
         None),
        ("{ 'union': 'Uni', 'data': {} }", "s:1: union 'Uni': lacks the key 'base', 'discriminator'"),
        (union("[ 'Leaf' ]"), "s:3: union 'Uni': 'base' takes an object or the name of a type"),
        (union("'str'"), "s:3: union 'Uni': 'base' takes a struct, not built-in type 'str'"),
        (union("{}"), "s:3: union 'Uni': discriminator 'tag' is no member of the base"),
        (union(tag="*tag"), "s:3: union 'Uni': discriminator '*tag' is no member of the base"),
        (union("{ '*tag': 'Tag' }"), "s:3: union 'Uni': discriminator 'tag' is optional"),
        (union("{ 'tag': { 'type': 'Tag', 'if': 'A' } }"), "s:3: union 'Uni': discriminator 'tag' is conditional"),
        (union("{ 'tag': 'str' }"), "s:3: union 'Uni': discriminator 'tag' is of type str, not of an enum"),
        (union("{ 'tag': [ 'Tag' ] }"), "s:3: union 'Uni': discriminator 'tag' is of type [Tag], not of an enum"),
        (union(data="'a': 'int'"), "s:3: union 'Uni': branch 'a' takes a struct or a union, not built-in type 'int'"),
        (union(data="'a': [ 'Leaf' ]"), "s:3: union 'Uni': branch 'a' takes the name of a type"),
        (union(data="'a': { 'if': 'A' }"), "s:3: union 'Uni': branch 'a' lacks the key 'type'"),
        (union(data="'a': { 'type': 'Leaf', 'features': [] }"),
         "s:3: union 'Uni': branch 'a' has the unknown key 'features'"),
        (union(data="'a': 'Missing'"), "s:3: union 'Uni': branch 'a' has the unknown type 'Missing'"),
        (union(data="'c': 'Leaf'"), "s:3: union 'Uni': branch 'c' is no value of enum 'Tag'"),
        (union(data="'a': 'Uni'"), "s:3: union 'Uni': contains itself"),
        (union("{ 'tag': 'Tag', 'x': 'int' }"),
         "s:3: union 'Uni': member 'x' of 'Leaf' collides with 'x' of 'q_obj_Uni-base'"),
        (union() + "\n{ 'union': 'Via', 'base': { 'tag': 'Tag' }, 'discriminator': 'tag', 'data': { 'b': 'Uni' } }",
         "s:4: union 'Via': member 'tag' of 'q_obj_Uni-base' collides with 'tag' of 'q_obj_Via-base'"),
        (union() + "\n{ 'union': 'Via', 'base': { 'kind': 'Tag', 'x': 'int' }, 'discriminator': 'kind', 'data': { 'b': 'Uni' } }",
         "s:4: union 'Via': member 'x' of 'Leaf' collides with 'x' of 'q_obj_Via-base'"),
        ("{ 'enum': 'Tag', 'data': [] }\n{ 'union': 'Uni', 'base': { 'tag': 'Tag' }, 'discriminator': 'tag', 'data': {} }",
         "s:2: union 'Uni': has no branches"),
        (TAG + "{ 'union': 'Uni', 'base': 'Leaf', 'discriminator': [ 'x' ], 'data': {} }",
         "s:3: union 'Uni': 'discriminator' takes the name of a member"),
        (TAG + "{ 'union': 'Uni', 'base': 'Leaf', 'discriminator': 'x', 'data': [ 'a' ] }",
         "s:3: union 'Uni': 'data' takes an object"),
    ],
    "alternate": [
        (TAG + "{ 'alternate': 'Alt', 'data': { 's': 'Tag', 'n': 'int', 'b': 'bool', 'z': 'null', 'o': 'Leaf', 'l': [ 'str' ] } }",
         None),
        ("{ 'alternate': 'Alt', 'data': { 's': 'str', 'z': { 'type': 'null', 'if': 'A' } } }", None),
        ("{ 'alternate': 'Alt', 'data': {} }", "s:1: alternate 'Alt': 'data' is empty"),
        ("{ 'alternate': 'Alt', 'data': [ 'str' ] }", "s:1: alternate 'Alt': 'data' takes an object"),
        ("{ 'alternate': 'Alt', 'data': { 'Leaf': 'str' } }",
         "s:1: alternate 'Alt': branch 'Leaf' has upper case or '_'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': 'any' } }",
         "s:1: alternate 'Alt': branch 'a' cannot be of built-in type 'any'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': 'Alt' } }",
         "s:1: alternate 'Alt': branch 'a' cannot be of alternate 'Alt'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': 'Missing' } }",
         "s:1: alternate 'Alt': branch 'a' has the unknown type 'Missing'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': 'int', 'b': 'number' } }",
         "s:1: alternate 'Alt': branch 'b' cannot be told from 'a'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': 'str', 'b': 'bool' } }",
         "s:1: alternate 'Alt': branch 'b' cannot be told from 'a'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': 'int', 'b': 'str' } }",
         "s:1: alternate 'Alt': branch 'b' cannot be told from 'a'"),
        ("{ 'alternate': 'Alt', 'data': { 'a': [ 'int' ], 'b': [ 'str' ] } }",
         "s:1: alternate 'Alt': branch 'b' cannot be told from 'a'"),
        (TAG + "{ 'alternate': 'Alt', 'data': { 'a': 'Tag', 'b': 'str' } }",
         "s:3: alternate 'Alt': branch 'b' cannot be told from 'a'"),
        ("{ 'enum': 'Enu', 'data': [ 'on' ] }\n{ 'alternate': 'Alt', 'data': { 'a': 'Enu', 'b': 'bool' } }",
         "s:2: alternate 'Alt': branch 'b' cannot be told from 'a'"),
        ("{ 'enum': 'Enu', 'data': [ '9' ] }\n{ 'alternate': 'Alt', 'data': { 'a': 'int', 'b': 'Enu' } }",
         "s:2: alternate 'Alt': branch 'b' cannot be told from 'a'"),
    ],
    "command": [
        ("{ 'command': 'go' }", None),
        ("{ 'command': 'go', 'data': {}, 'gen': false, 'success-response': false, 'allow-preconfig': true, 'allow-oob': true }",
         None),
        (TAG + "{ 'command': 'go', 'data': 'Leaf', 'returns': [ 'Leaf' ], 'coroutine': true }", None),
        (union() + "\n{ 'command': 'go', 'data': 'Uni', 'boxed': true, 'returns': 'Uni' }", None),
        ("{ 'command': 'go', 'data': 'Sum', 'boxed': true }\n" + struct("'a': { 'type': 'int', 'if': 'A' }"), None),
        ("{ 'command': 'go', 'data': [ 'Leaf' ] }", "s:1: command 'go': 'data' takes an object or the name of a type"),
        ("{ 'command': 'go', 'data': true }", "s:1: command 'go': 'data' takes an object or the name of a type"),
        ("{ 'command': 'go', 'data': 'int' }", "s:1: command 'go': 'data' takes a struct, not built-in type 'int'"),
        ("{ 'command': 'go', 'data': 'Missing' }", "s:1: command 'go': 'data' has the unknown type 'Missing'"),
        (TAG + "{ 'command': 'go', 'data': 'Tag' }", "s:3: command 'go': 'data' takes a struct, not enum 'Tag'"),
        (union() + "\n{ 'command': 'go', 'data': 'Uni' }",
         "s:4: command 'go': 'data' takes union 'Uni' only with 'boxed'"),
        ("{ 'command': 'go', 'boxed': true }", "s:1: command 'go': 'boxed' without 'data'"),
        ("{ 'command': 'go', 'boxed': true, 'data': { 'a': 'int' } }",
         "s:1: command 'go': 'data' of a boxed call takes the name of a type"),
        ("{ 'command': 'go', 'data': { 'a': { 'type': 'int', 'if': 'A' } } }",
         "s:1: command 'go': conditional members of 'data' need 'boxed'"),
        ("{ 'command': 'go', 'data': 'Sum' }\n" + struct("'a': { 'type': 'int', 'if': 'A' }"),
         "s:1: command 'go': conditional members of 'data' need 'boxed'"),
        ("{ 'command': 'go', 'returns': { 'a': 'int' } }",
         "s:1: command 'go': 'returns' takes the name of a type, or a list of one"),
        ("{ 'command': 'go', 'returns': [] }", "s:1: command 'go': 'returns': a list type holds the name of one type"),
        ("{ 'command': 'go', 'returns': 'Missing' }", "s:1: command 'go': 'returns' has the unknown type 'Missing'"),
        ("{ 'command': 'go', 'returns': 'str' }",
         "s:1: command 'go': 'returns' takes a struct, a union or a list of them, not built-in type 'str'"),
        (TAG + "{ 'command': 'go', 'returns': [ 'Tag' ] }",
         "s:3: command 'go': 'returns' takes a struct, a union or a list of them, not enum 'Tag'"),
        ("{ 'command': 'go', 'gen': true }", "s:1: command 'go': flag 'gen' is false, or is not there"),
        ("{ 'command': 'go', 'success-response': 'no' }",
         "s:1: command 'go': flag 'success-response' is false, or is not there"),
        ("{ 'command': 'go', 'allow-oob': false }", "s:1: command 'go': flag 'allow-oob' is true, or is not there"),
        ("{ 'command': 'go', 'boxed': false }", "s:1: command 'go': flag 'boxed' is true, or is not there"),
        ("{ 'command': 'go', 'allow-oob': true, 'coroutine': true }",
         "s:1: command 'go': 'allow-oob' and 'coroutine' exclude each other"),
    ],
    "event": [
        ("{ 'event': 'GONE' }\n{ 'event': 'CAME', 'data': { '*a': 'int' }, 'features': [ 'unstable' ], 'if': 'A' }",
         None),
        (union() + "\n{ 'event': 'GONE', 'data': 'Uni', 'boxed': true }", None),
        ("{ 'event': 'GONE', 'returns': 'int' }", "s:1: event 'GONE': has the unknown key 'returns'"),
        ("{ 'event': 'GONE', 'boxed': true }", "s:1: event 'GONE': 'boxed' without 'data'"),
        (union() + "\n{ 'event': 'GONE', 'data': 'Uni' }",
         "s:4: event 'GONE': 'data' takes union 'Uni' only with 'boxed'"),
        ("{ 'event': 'GONE', 'data': { 'a': { 'type': 'int', 'if': 'A' } } }",
         "s:1: event 'GONE': conditional members of 'data' need 'boxed'"),
        ("{ 'event': 'GONE', 'data': { 'a': 'Missing' } }",
         "s:1: event 'GONE': member 'a' has the unknown type 'Missing'"),
    ],
    "conditions": [
        (condition("'CONFIG_X9'"), None),
        (condition("{ 'all': [ 'A', { 'any': [ 'B', { 'not': 'C' } ] } ] }"), None),
        (condition("''"), "s:1: struct 'Sum': condition '' is no name in upper case"),
        (condition("'defined(A)'"), "s:1: struct 'Sum': condition 'defined(A)' is no name in upper case"),
        (condition("[ 'A', 'B' ]"), "s:1: struct 'Sum': 'if' is a string or an object"),
        (condition("true"), "s:1: struct 'Sum': 'if' is a string or an object"),
        (condition("{}"), "s:1: struct 'Sum': 'if' has one of 'all', 'any', 'not'"),
        (condition("{ 'all': [ 'A' ], 'not': 'B' }"), "s:1: struct 'Sum': 'if' has one of 'all', 'any', 'not'"),
        (condition("{ 'some': [ 'A' ] }"), "s:1: struct 'Sum': 'if' has the unknown key 'some'"),
        (condition("{ 'any': 'A' }"), "s:1: struct 'Sum': 'any' in 'if' takes a list"),
        (condition("{ 'all': [] }"), "s:1: struct 'Sum': 'all' in 'if' takes at least one condition"),
        (condition("{ 'not': [ 'A' ] }"), "s:1: struct 'Sum': 'if' is a string or an object"),
        (struct("'a': { 'type': 'int', 'if': 'a' }"),
         "s:1: struct 'Sum': condition 'a' of member 'a' is no name in upper case"),
        (union(data="'a': { 'type': 'Leaf', 'if': [] }"),
         "s:3: union 'Uni': 'if' of branch 'a' is a string or an object"),
        ("{ 'enum': 'Enu', 'data': [ { 'name': 'a', 'if': '' } ] }",
         "s:1: enum 'Enu': condition '' of value 'a' is no name in upper case"),
        (struct("", ", 'features': [ { 'name': 'f', 'if': '1' } ]"),
         "s:1: struct 'Sum': condition '1' of feature 'f' is no name in upper case"),
    ],
    "features": [
        (struct("", ", 'features': [ 'f', { 'name': 'g', 'if': 'A' } ]"), None),
        (struct("'a': { 'type': 'int', 'features': [ 'deprecated', 'unstable' ] }"), None),
        (struct("", ", 'features': [ 'deprecated' ]"), "s:1: struct 'Sum': types do not have the feature 'deprecated'"),
        ("{ 'enum': 'Enu', 'data': [], 'features': [ 'unstable' ] }",
         "s:1: enum 'Enu': types do not have the feature 'unstable'"),
        (struct("", ", 'features': 'f'"), "s:1: struct 'Sum': 'features' is a list"),
        (struct("", ", 'features': [ true ]"), "s:1: struct 'Sum': a feature has a name"),
        (struct("", ", 'features': [ { 'name': true } ]"), "s:1: struct 'Sum': a feature has a name"),
        (struct("", ", 'features': [ { 'if': 'A' } ]"), "s:1: struct 'Sum': a feature lacks the key 'name'"),
        (struct("", ", 'features': [ { 'name': 'f', 'type': 'int' } ]"),
         "s:1: struct 'Sum': a feature has the unknown key 'type'"),
        (struct("", ", 'features': [ 'F' ]"), "s:1: struct 'Sum': feature 'F' has upper case or '_'"),
        (struct("", ", 'features': [ 'f', 'f' ]"), "s:1: struct 'Sum': feature 'f' collides with 'f'"),
        (struct("'a': { 'type': 'int', 'features': [ 'f', 'f' ] }"),
         "s:1: struct 'Sum': feature 'f' of member 'a' collides with 'f'"),
        (struct("", f", 'features': [ {', '.join(repr('f%d' % n) for n in range(62))} ]"), None),
        (struct("", f", 'features': [ {', '.join(repr('f%d' % n) for n in range(63))} ]"),
         "s:1: struct 'Sum': feature 'f62' is one more than 64"),
    ],
}


def write_files(directory, text):
    parts = re.split(r"(?m)^== (\S+)\n", text)
    for name, content in zip(["s", *parts[1::2]], parts[0::2]):
        path = pathlib.Path(directory, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def check(directory, name="s"):
    """Exit status and first line of the error."""
    done = subprocess.run([sys.executable, IMPORT, "--check", name], cwd=directory, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stderr.partition("\n")[0] or None


class Language(unittest.TestCase):
    """The table runs in this process: hundreds of interpreters would take a minute."""

    @classmethod
    def setUpClass(cls):
        sys.path[:0] = [str(IMPORT), str(IMPORT.parent / "generate")]

    def test_cases(self):
        import schema
        from language import SchemaError
        old = os.getcwd()
        for title, cases in CASES.items():
            for text, wanted in cases:
                with self.subTest(title, text=text[:200]), tempfile.TemporaryDirectory() as directory:
                    write_files(directory, text)
                    os.chdir(directory)
                    try:
                        schema.load("s")
                        error = None
                    except SchemaError as problem:
                        error = str(problem).partition("\n")[0]
                    finally:
                        os.chdir(old)
                    self.assertEqual(error, wanted)


class CommandLine(unittest.TestCase):
    def test_status(self):
        with tempfile.TemporaryDirectory() as directory:
            write_files(directory, struct("") + "\n== bad\n\n{ 'struct': 'Sum' }\n== latin\n")
            pathlib.Path(directory, "latin").write_bytes(b"# \xe9\n")
            self.assertEqual(check(directory), (0, None))
            self.assertEqual(check(directory, "bad"), (1, "bad:2: struct 'Sum': lacks the key 'data'"))
            self.assertEqual(check(directory, "latin"), (1, "latin:1: is not UTF-8"))
            self.assertEqual(check(directory, "none"), (1, "none:1: cannot be read: No such file or directory"))


if __name__ == "__main__":
    unittest.main()
