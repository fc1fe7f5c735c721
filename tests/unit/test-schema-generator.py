#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The schema generator: every mistake is found, with its line; correct schemas compile to what they say."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "qapi", "generate")
sys.path.insert(0, SOURCE)

import c_backend
import forms
import ir
import language

PREFIX = "{ 'pragma': { 'c-prefix': 'UtmTest' } }\n"
ENUM = "{ 'enum': 'E', 'data': [ 'One', 'Two' ] }\n"


def build(text):
    return ir.build(language.read(text, "t.schema"), "t.schema")


def member(facts, more=""):
    return build(PREFIX + ENUM + "{ 'struct': 'S', 'data': { 'A': 'E', '*B': 'int', 'M': " + facts + more + " } }")


class Mistakes(unittest.TestCase):
    def refuse(self, text, line, part):
        with self.assertRaises(language.SchemaError) as caught:
            build(text)
        message = str(caught.exception)
        self.assertTrue(message.startswith(f"t.schema:{line}: "), message)
        self.assertIn(part, message)

    def refuse_member(self, facts, part):
        others = "'A': 'E', '*B': 'int', 'Str': 'str'"
        self.refuse(PREFIX + ENUM + "{ 'struct': 'S', 'data': {\n " + others + ",\n " + facts + " } }", 5, part)

    def test_text(self):
        self.refuse("\n\n\"x\"", 3, "stray")
        self.refuse("{ 'a': 1 }", 1, "stray")
        self.refuse("{ 'a': 'b\n' }", 1, "stray")
        self.refuse("{ 'a': '\t' }", 1, "printable")
        self.refuse("{ 'a': 'é' }", 1, "printable")
        self.refuse("{ 'a' 'b' }", 1, "expected :")
        self.refuse("{ 'a': 'b', }", 1, "expected a string")
        self.refuse("{ 'a': 'b'\n", 2, "the end of the file")
        self.refuse("[ 'a' ]", 1, "expected {")
        self.refuse("{ 'a': 'b',\n 'a': 'c' }", 2, "stands twice")
        self.refuse("{ 'a': ['b' 'c'] }", 1, "expected ,")
        self.refuse("{ 'a': }", 1, "expected a value")

    def test_definitions(self):
        self.refuse(ENUM, 1, "prefix")
        self.refuse(PREFIX + "{ 'union': 'U' }", 2, "neither")
        self.refuse(PREFIX + ENUM + ENUM, 3, "exists already")
        self.refuse(PREFIX + "{ 'enum': 'str', 'data': ['a'] }", 2, "CamelCase")
        self.refuse(PREFIX + "{ 'struct': 'ThingList', 'data': {} }", 2, "List")
        self.refuse(PREFIX + "{ 'enum': 'X', 'data': [] }", 2, "has values")
        self.refuse(PREFIX + "{ 'enum': 'X', 'data': ['unrecognized'] }", 2, "unrecognized")
        self.refuse(PREFIX + "{ 'enum': 'X', 'data': ['a-b',\n 'a_b'] }", 3, "collides")
        self.refuse(PREFIX + "{ 'enum': 'X',\n 'date': ['a'] , 'data': ['a'] }", 3, "unknown key 'date'")

    def test_shapes(self):
        self.refuse(PREFIX + "{ 'enum': 'X' }", 2, "'data' is missing")
        self.refuse(PREFIX + "{ 'enum': 'X', 'data': {} }", 2, "a list of values")
        self.refuse(PREFIX + "{ 'enum': 'X', 'data': [ true ] }", 2, "a value is a string")
        self.refuse(PREFIX + "{ 'enum': 'X', 'data': [ { 'c-name': 'x' } ] }", 2, "a value is a string")
        self.refuse(PREFIX + "{ 'struct': [], 'data': {} }", 2, "a name")
        self.refuse(PREFIX + "{ 'struct': 'S', 'data': ['x'] }", 2, "an object")
        self.refuse(PREFIX + "{ 'struct': 'S',\n 'doc': true, 'data': {} }", 3, "a string")
        self.refuse_member("'M': true", "a name or")
        self.refuse_member("'M': { 'type': 'int', 'doc': [] }", "must be a string")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': 'B' }", "must be an object")
        self.refuse_member("'*M': { 'type': 'int', 'write-as': { 'value': '1' } }", "'write-as' is")
        self.refuse_member("'*M': { 'type': 'int', 'write-as': { 'value': '1', 'unless': 'B' } }", "a condition is")

    def test_members(self):
        self.refuse_member("'M': 'Nothing'", "does not exist")
        self.refuse_member("'M': { 'doc': 'x' }", "no type")
        self.refuse_member("'M': ['E', 'E']", "exactly one")
        self.refuse_member("'*A': 'int'", "both")
        self.refuse_member("'HasB': 'int'", "both")
        self.refuse_member("'M': { 'type': 'int', 'c-name': '9' }", "no name in C")
        self.refuse_member("'M': { 'type': 'int', 'defualt': '1' }", "unknown key 'defualt'")

    def test_facts(self):
        self.refuse_member("'M': { 'type': 'int', 'default': '1' }", "required")
        self.refuse_member("'*M': { 'type': ['int'], 'default': '1' }", "only scalars")
        self.refuse_member("'*M': { 'type': 'int', 'default': '1.5' }", "integer")
        self.refuse_member("'*M': { 'type': 'int', 'default': '9223372036854775808' }", "integer")
        self.refuse_member("'*M': { 'type': 'bool', 'default': 'yes' }", "true or false")
        self.refuse_member("'*M': { 'type': 'E', 'default': 'Three' }", "Allowed: One, Two")
        self.refuse_member("'*M': { 'type': 'int', 'default': { 'absent': 'B' } }", "no boolean")
        self.refuse_member("'M': { 'type': 'str', 'min': '1' }", "no integer")
        self.refuse_member("'M': { 'type': 'int', 'constraint': 'uuid' }", "only strings")
        self.refuse_member("'M': { 'type': 'str', 'constraint': 'url' }", "only constraint")
        self.refuse_member("'M': { 'type': 'int', 'generate': 'uuid' }", "for strings")
        self.refuse_member("'M': { 'type': 'int', 'write-if': { 'absent': 'B' } }", "always be written")
        self.refuse_member("'M': { 'type': 'int', 'required-if': { 'absent': 'B' } }", "required anyway")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': { 'absent': 'Z' } }", "does not have")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': { 'when': 'B' } }", "not a condition")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': { 'member': 'A', 'in': ['x'] } }", "Allowed")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': { 'member': 'Str', 'in': ['x'] } }", "not strings")

    def test_facts_of_reading(self):
        self.refuse_member("'M': { 'type': 'int', 'read-if': { 'absent': 'B' } }", "always counts")
        self.refuse_member("'M': { 'type': 'int', 'forget': true }", "always counts")
        self.refuse_member("'*M': { 'type': 'int', 'read-if': false }", "must be an object")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': true }", "must be an object")
        self.refuse_member("'M': { 'type': 'int', 'from-bool': { 'true': '1', 'false': '0' } }", "for an enum")
        self.refuse_member("'M': { 'type': 'E', 'from-bool': { 'true': 'One' } }", "'from-bool' is")
        self.refuse_member("'M': { 'type': 'E', 'from-bool': { 'true': 'One', 'false': 'Three' } }", "Allowed")
        self.refuse_member("'M': { 'type': 'E', 'from-bool': { 'true': 'One', 'false': 'Two', 'or': 'One' } }",
                           "a condition is")
        self.refuse_member("'*M': { 'type': 'int', 'write-if': { 'absent': 'A.B' } }", "no section")
        self.refuse_member("'*M': { 'type': 'data', 'default': 'x' }", "scalar")
        section = "{ 'struct': 'T', 'data': { 'C': 'E' } }\n{ 'struct': 'S', 'data': { 'A': 'T',\n "
        self.refuse(PREFIX + ENUM + section + "'*M': { 'type': 'int', 'write-if': { 'absent': 'A.D' } } } }", 5, "T does not")
        build(PREFIX + ENUM + section + "'*M': { 'type': 'int', 'write-if': { 'member': 'A.C', 'in': ['One'] } } } }")

    def test_facts_for_forms(self):
        self.refuse_member("'M': { 'type': 'int', 'format': 'cpu' }", "no format")
        self.refuse_member("'M': { 'type': 'str', 'format': 'poem' }", "no format")
        self.refuse_member("'M': { 'type': 'int', 'on': ['arm'] }", "values of the enum Architecture")
        machines = "{ 'enum': 'Architecture', 'data': [ 'arm', 'rx' ] }\n"
        for facts in ("'on': 'arm'", "'on': []", "'not-on': ['x']", "'on': ['arm'], 'not-on': ['rx']"):
            self.refuse(PREFIX + machines + "{ 'struct': 'S', 'data': {\n 'M': { 'type': 'int', " + facts + " } } }", 4,
                        "values of the enum Architecture")
        self.refuse(PREFIX + machines + "{ 'enum': 'X', 'data': [\n { 'name': 'a', 'on': ['x'] } ] }", 4, "Architecture")

    def test_docs_for_forms(self):
        pragma = "{ 'pragma': { 'c-prefix': 'UtmTest', 'forms': true } }\n"
        self.refuse(pragma + "{ 'enum': 'X', 'data': [ 'a' ] }", 2, "X has no 'doc'")
        self.refuse(pragma + "{ 'enum': 'X', 'doc': 'x', 'data': [\n 'a' ] }", 3, "'a' of X has no 'doc'")
        self.refuse(pragma + "{ 'struct': 'S', 'data': {} }", 2, "S has no 'doc'")
        self.refuse(pragma + "{ 'struct': 'S', 'doc': 'x', 'data': {\n 'M': 'int' } }", 3, "'M' of S has no 'doc'")

    def test_recursion(self):
        loop = "{ 'struct': 'S', 'data': { 'A': 'T' } }\n{ 'struct': 'T', 'data': { 'A': 'S' } }"
        self.refuse(PREFIX + loop, 2, "itself")
        build(PREFIX + "{ 'struct': 'S', 'data': { '*A': 'S', 'B': ['S'] } }")

    def test_too_many(self):
        names = ", ".join(f"'M{i}': 'int'" for i in range(256))
        self.refuse(PREFIX + "{ 'struct': 'S', 'data': { " + names + " } }", 2, "255")

    def test_string_pool(self):
        strings = c_backend.Strings()
        with self.assertRaises(OverflowError):
            for i in range(1000):
                strings.add(str(i) * 50)

    def test_command_line(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "bad.schema")
            with open(path, "w", encoding="utf-8") as file:
                file.write(PREFIX + "{ 'struct': 'S', 'data': { 'A': 'x' } }")
            made = [os.path.join(directory, name) for name in ("h", "c")]
            result = subprocess.run([sys.executable, "-B", SOURCE, path, *made], capture_output=True, text=True)
            self.assertEqual(result.returncode, 1)
            self.assertTrue(result.stderr.startswith("bad.schema:2: type 'x'"), result.stderr)
            self.assertFalse(any(os.path.exists(name) for name in made))


class Meaning(unittest.TestCase):
    def test_snake(self):
        for name, expected in (("IconCustom", "icon_custom"), ("UUID", "uuid"), ("CPUFlagsAdd", "cpu_flags_add"),
                               ("PS2Controller", "ps2_controller"), ("blockdev-add", "blockdev_add"), ("2.0", "2_0"),
                               ("__com.example_thing", "_com_example_thing"), ("x86_64", "x86_64"), ("NVMe", "nv_me")):
            self.assertEqual(ir.snake(name), expected)

    def test_members(self):
        more = ", 'default': 'bool', '*C': { 'type': 'int', 'default': '3' }"
        struct = member("{ 'type': ['str'], 'old-name': 'm' }", more).structs[0]
        by_name = {m.name: m for m in struct.members}
        self.assertTrue(by_name["M"].is_array)
        self.assertEqual(by_name["default"].c_name, "default_")
        self.assertTrue(by_name["B"].has_flag)
        self.assertFalse(by_name["C"].has_flag)

    def test_forward_reference(self):
        structs = "{ 'struct': 'S', 'data': { 'A': 'T', 'B': ['E'] } }\n{ 'struct': 'T', 'data': {} }\n"
        schema = build(PREFIX + structs + ENUM)
        self.assertEqual([s.name for s in schema.structs], ["S", "T"])

    def test_forms(self):
        more = (", '*Default': { 'type': 'E', 'default': 'Two' }, '*If': { 'type': 'bool', 'default': { 'absent': 'B' } }"
                ", 'New': { 'type': 'str', 'new': 'a' }, 'Empty': 'str', 'First': 'E', 'Zero': 'int', 'List': ['str']"
                ", '*Maybe': ['str'], 'Made': { 'type': 'str', 'generate': 'uuid' }, 'Inner': 'T', '*Outer': 'T'"
                ", '*Given': { 'type': 'T', 'new': true }, '*In': { 'type': 'int', 'write-if': { 'member': 'A', 'in': ['Two'] } }"
                ", '*Deep': { 'type': 'int', 'write-if': { 'member': 'Inner.C', 'not-in': ['true'] } }"
                ", 'As': { 'type': 'int', 'write-as': { 'value': '0', 'unless': { 'present': 'B' } } }"
                ", '*Need': { 'type': 'int', 'required-if': { 'absent': 'B' } }, '*Old': { 'type': 'int', 'write-if': false }"
                ", '*Some': { 'type': 'int', 'not-on': ['rx'] }")
        text = PREFIX + ENUM + ("{ 'enum': 'Architecture', 'data': [ 'arm', 'rx', 'sh4' ] }\n"
                                "{ 'struct': 'T', 'data': { 'C': 'bool' } }\n")
        schema = build(text + "{ 'struct': 'S', 'data': { 'A': 'E', '*B': 'int', 'M': 'data'" + more + " } }")
        told = {m.name: {k: v for k, v in forms.member_texts(m).items() if v} for m in schema.structs[1].members}
        for name, expected in {
                "A": {"new_json": '"One"'}, "B": {}, "M": {}, "Default": {"default_json": '"Two"', "new_json": '"Two"'},
                "If": {"default_if": '{"absent":"B"}'}, "New": {"new_json": '"a"'}, "Empty": {"new_json": '""'},
                "First": {"new_json": '"One"'}, "Zero": {"new_json": "0"}, "List": {"new_json": "[]"}, "Maybe": {}, "Made": {},
                "Inner": {"new_json": "{}"}, "Outer": {}, "Given": {"new_json": "{}"},
                "In": {"used_if": '{"key":"A","in":["Two"]}'}, "Deep": {"used_if": '{"key":"Inner.C","not-in":[true]}'},
                "As": {"new_json": "0", "used_if": '{"present":"B"}'}, "Need": {"required_if": '{"absent":"B"}'}, "Old": {},
                "Some": {"architectures": "arm sh4"}}.items():
            self.assertEqual(told[name], expected, name)

    def test_compiles(self):
        compiler, flags = os.environ.get("CC", "cc"), os.environ.get("UTM_TEST_CFLAGS")
        if flags is None:
            self.skipTest("UTM_TEST_CFLAGS is not set")
        schema = member("{ 'type': 'any' }", ", 'D': 'data', '*K': { 'type': 'E', 'from-bool': { 'true': 'One', "
                        "'false': 'Two', 'or': 'Two', 'if': { 'present': 'B' } } }, '*R': { 'type': 'bool', "
                        "'forget': true, 'read-if': { 'bool': 'K' }, 'write-if': false }, '*N': { 'type': 'number' }, '*L': ['bool'], 'struct': 'str', "
                        "'*X': { 'type': 'int', 'default': '-9223372036854775808', 'max': '9223372036854775807' }")
        with tempfile.TemporaryDirectory() as directory:
            made = {"t-types.h": c_backend.header(schema, "t"), "t-tables.c": c_backend.tables(schema, "t")}
            for name, text in made.items():
                with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                    file.write(text)
            subprocess.run([compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags.split(),
                            os.path.join(directory, "t-tables.c")], check=True)


class Dictionary(unittest.TestCase):
    def test_words_for_fuzzers(self):
        """Keys, old spellings and words of enumerations, each a line of a dictionary."""
        top = os.path.join(SOURCE, "..", "..")
        done = subprocess.run([sys.executable, "-B", os.path.join(top, "tests/fuzz/schema-words.py"),
                               os.path.join(top, "qapi/config.schema")], capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        for word in ("MemorySize", "hostPort", "VirtIO", "aarch64"):
            self.assertIn(f'"{word}"', lines)


class Tap(unittest.TestResult):
    """Test Anything Protocol, as the C tests speak it."""

    def say(self, test, good, more=""):
        print(f"{'ok' if good else 'not ok'} {self.testsRun} {test.id()}{more}", flush=True)

    def addSuccess(self, test):
        self.say(test, True)

    def addSkip(self, test, reason):
        self.say(test, True, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, False)
        print("".join("# " + line for line in self.failures[-1][1].splitlines(True)), flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.say(test, False)
        print("".join("# " + line for line in self.errors[-1][1].splitlines(True)), flush=True)


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    print(f"1..{suite.countTestCases()}", flush=True)
    result = Tap()
    suite.run(result)
    sys.exit(not result.wasSuccessful())
