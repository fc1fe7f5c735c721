# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be said about one definition without looking at any other: its keys, the form of its values, its names.

Makes the dataclasses that `schema.py` resolves. An error names the line its definition begins on, and says in words
which member it is about.
"""

import re
from dataclasses import dataclass, field

from language import SchemaError

NAME = re.compile(r"(?:__[a-z0-9.-]+_)?(?:x-)?(?P<stem>[a-z][a-z0-9_-]*)", re.IGNORECASE)
CONDITION = re.compile(r"[A-Z][A-Z0-9_]*")

KINDS = ("enum", "struct", "union", "alternate", "command", "event")
# Keys of each kind besides the name: those it must have, those it may have.
KEYS = {
    "enum": ({"data"}, {"prefix"}),
    "struct": ({"data"}, {"base"}),
    "union": ({"base", "discriminator", "data"}, set()),
    "alternate": ({"data"}, set()),
    "command": (set(), {"data", "returns", "boxed", "gen", "success-response", "allow-oob", "allow-preconfig",
                        "coroutine"}),
    "event": (set(), {"data", "boxed"}),
}
# A flag has only the value that is not its default.
FLAGS = {"boxed": True, "allow-oob": True, "allow-preconfig": True, "coroutine": True,
         "gen": False, "success-response": False}


@dataclass
class Feature:
    name: str
    condition: str = ""


@dataclass
class Value:
    """A value of an enum."""
    name: str
    condition: str = ""
    features: list = field(default_factory=list)


@dataclass
class Member:
    """A member of an object, or a branch. The type is written as in the ledger: a name, or a name in brackets."""
    name: str
    type: str
    optional: bool = False
    condition: str = ""
    features: list = field(default_factory=list)
    owner: str = ""  # for messages: where it was defined


@dataclass
class Definition:
    kind: str
    name: str
    place: str
    condition: str = ""
    features: list = field(default_factory=list)


@dataclass
class Enum(Definition):
    values: list = field(default_factory=list)


@dataclass
class Object(Definition):
    """A struct or a union; also the arguments of a command and the inline base of a union."""
    base: object = None  # a name, or an Object written inline
    own: list = field(default_factory=list)
    tag: str = None
    branches: list = field(default_factory=list)
    members: list = field(default_factory=list)  # with those of the base; filled by schema.py
    state: str = "new"


@dataclass
class Alternate(Definition):
    branches: list = field(default_factory=list)


@dataclass
class Call(Definition):
    """A command or an event."""
    data: object = None  # a name, an Object written inline, or nothing
    returns: str = None
    flags: set = field(default_factory=set)


def read(entry, pragmas):
    """The definition that a top-level object makes."""
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise SchemaError(entry.place, f"a definition has exactly one of the keys {listed(KINDS)}")
    return Shape(entry, kinds[0], pragmas).read()


def listed(names):
    return ", ".join(f"'{name}'" for name in names)


def mapped(name):
    """What names are compared by: characters that C lacks count as underscores."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


class Shape:
    def __init__(self, entry, kind, pragmas):
        self.entry = entry
        self.kind = kind
        self.pragmas = pragmas
        self.label = kind

    def fail(self, message, advice=None):
        raise SchemaError(self.entry.place, f"{self.label}: {message}", advice)

    def read(self):
        name = self.entry[self.kind]
        if not isinstance(name, str):
            raise SchemaError(self.entry.place, f"'{self.kind}' takes a name")
        self.label = f"{self.kind} '{name}'"
        self.check_definition_name(name)
        needed, allowed = KEYS[self.kind]
        self.check_keys(self.entry, needed | {self.kind}, allowed | {"if", "features"}, "")
        result = getattr(self, "read_" + self.kind)(name)
        result.condition = self.condition(self.entry, "")
        result.features = self.features(self.entry, "")
        self.check_flags()
        return result

    def common(self, name):
        return {"kind": self.kind, "name": str(name), "place": self.entry.place}

    # --- names ---

    def stem(self, name, what):
        match = NAME.fullmatch(name)
        if not match or mapped(name).startswith("q_"):
            self.fail(f"{what} is no valid name")
        return match["stem"]

    def check_definition_name(self, name):
        stem = self.stem(name, "this")
        if self.kind == "event":
            if re.search(r"[a-z-]", stem):
                self.fail("names of events have neither lower case nor '-'")
        elif self.kind == "command":
            self.check_lower(stem, "the name", may_underscore=name in self.pragmas["command-name-exceptions"])
        elif not re.fullmatch(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", stem):
            self.fail("names of types are CamelCase")
        elif name.endswith("List"):
            self.fail("names of types do not end in 'List'")

    def check_lower(self, stem, what, may_upper=False, may_underscore=False):
        if (re.search(r"[A-Z]", stem) and not may_upper) or ("_" in stem and not may_underscore):
            self.fail(f"{what} has upper case or '_'", "Old names may, if a pragma lists them.")

    def check_member_name(self, name, what, is_exception):
        self.check_lower(self.stem(name, what), what, is_exception, is_exception)

    # --- parts that several kinds have ---

    def check_keys(self, value, needed, allowed, what):
        prefix = what + " " if what else ""
        missing = [key for key in sorted(needed) if key not in value]
        if missing:
            self.fail(f"{prefix}lacks the key {listed(missing)}")
        unknown = [key for key in value if key not in needed | allowed]
        if unknown:
            self.fail(f"{prefix}has the unknown key {listed(unknown)}",
                      f"Known here: {listed(sorted(needed | allowed))}.")

    def check_flags(self):
        for key, value in FLAGS.items():
            if key in self.entry and self.entry[key] is not value:
                self.fail(f"flag '{key}' is {str(value).lower()}, or is not there")
        if "allow-oob" in self.entry and "coroutine" in self.entry:
            self.fail("'allow-oob' and 'coroutine' exclude each other")

    def condition(self, value, what):
        """The condition as one word: NAME, all(A,B), any(A,B), not(A)."""
        of = f" of {what}" if what else ""
        return self.one_condition(value["if"], of) if "if" in value else ""

    def one_condition(self, condition, of):
        if isinstance(condition, str):
            if not CONDITION.fullmatch(condition):
                self.fail(f"condition '{condition}'{of} is no name in upper case")
            return str(condition)
        if not isinstance(condition, dict):
            self.fail(f"'if'{of} is a string or an object")
        self.check_keys(condition, set(), {"all", "any", "not"}, f"'if'{of}")
        if len(condition) != 1:
            self.fail(f"'if'{of} has one of 'all', 'any', 'not'")
        (operator, operands), = condition.items()
        if operator == "not":
            return f"not({self.one_condition(operands, of)})"
        if not isinstance(operands, list):
            self.fail(f"'{operator}' in 'if'{of} takes a list")
        if not operands:
            self.fail(f"'{operator}' in 'if'{of} takes at least one condition")
        return f"{operator}({','.join(self.one_condition(operand, of) for operand in operands)})"

    def features(self, value, what):
        of = f" of {what}" if what else ""
        if "features" not in value:
            return []
        if not isinstance(value["features"], list):
            self.fail(f"'features'{of} is a list")
        result = []
        for item in value["features"]:
            if isinstance(item, dict):
                self.check_keys(item, {"name"}, {"if"}, f"a feature{of}")
            name = item["name"] if isinstance(item, dict) else item
            if not isinstance(name, str):
                self.fail(f"a feature{of} has a name")
            label = f"feature '{name}'{of}"
            self.check_member_name(name, label, False)
            result.append(Feature(str(name), self.condition(item, label) if isinstance(item, dict) else ""))
        return result

    def type_name(self, value, what):
        if not isinstance(value, str):
            self.fail(f"{what} takes the name of a type")
        return str(value)

    def type_or_array(self, value, what):
        if isinstance(value, str):
            return str(value)
        if not isinstance(value, list):
            self.fail(f"{what} takes the name of a type, or a list of one")
        if len(value) != 1 or not isinstance(value[0], str):
            self.fail(f"{what}: a list type holds the name of one type")
        return f"[{value[0]}]"

    def members(self, value, what, owner):
        if not isinstance(value, dict):
            self.fail(f"{what} takes an object" + (" or the name of a type" if self.kind != "struct" else ""))
        is_exception = owner in self.pragmas["member-name-exceptions"]
        return [self.member(str(key), item, is_exception) for key, item in value.items()]

    def member(self, key, item, is_exception):
        label = f"member '{key}'"
        name = key.removeprefix("*")
        self.check_member_name(name, label, is_exception)
        if mapped(name) == "u" or mapped(name).startswith("has_"):
            self.fail(f"the name of {label} is reserved")
        item = item if isinstance(item, dict) else {"type": item}
        self.check_keys(item, {"type"}, {"if", "features"}, label)
        condition = self.condition(item, label)
        features = self.features(item, label)
        return Member(name, self.type_or_array(item["type"], label), key != name, condition, features)

    def branches(self, read_type):
        if not isinstance(self.entry["data"], dict):
            self.fail("'data' takes an object")
        result = []
        for key, item in self.entry["data"].items():
            label = f"branch '{key}'"
            if self.kind == "alternate":
                self.check_member_name(key, label, False)
            item = item if isinstance(item, dict) else {"type": item}
            self.check_keys(item, {"type"}, {"if"}, label)
            condition = self.condition(item, label)
            result.append(Member(str(key), read_type(item["type"], label), condition=condition))
        return result

    # --- the kinds ---

    def read_enum(self, name):
        if not isinstance(self.entry["data"], list):
            self.fail("'data' takes a list")
        if not isinstance(self.entry.get("prefix", ""), str):
            self.fail("'prefix' takes a string")
        is_exception = name in self.pragmas["member-name-exceptions"]
        return Enum(**self.common(name), values=[self.value(item, is_exception) for item in self.entry["data"]])

    def value(self, item, is_exception):
        item = item if isinstance(item, dict) else {"name": item}
        self.check_keys(item, {"name"}, {"if", "features"}, "a value")
        name = item["name"]
        if not isinstance(name, str):
            self.fail("a value has a name")
        label = f"value '{name}'"
        # Alone among names, values may begin with a digit.
        self.check_member_name("d" + name if name[:1].isdigit() else name, label, is_exception)
        return Value(str(name), self.condition(item, label), self.features(item, label))

    def read_struct(self, name):
        own = self.members(self.entry["data"], "'data'", name)
        base = self.type_name(self.entry["base"], "'base'") if "base" in self.entry else None
        return Object(**self.common(name), own=own, base=base)

    def read_union(self, name):
        base = self.entry["base"]
        base = str(base) if isinstance(base, str) else self.inline(base, "'base'", name, "base")
        tag = self.entry["discriminator"]
        if not isinstance(tag, str):
            self.fail("'discriminator' takes the name of a member")
        return Object(**self.common(name), base=base, tag=str(tag), branches=self.branches(self.type_name))

    def read_alternate(self, name):
        if not self.entry["data"]:
            self.fail("'data' is empty")
        return Alternate(**self.common(name), branches=self.branches(self.type_or_array))

    def read_command(self, name):
        result = self.call(name)
        if "returns" in self.entry:
            result.returns = self.type_or_array(self.entry["returns"], "'returns'")
        return result

    def read_event(self, name):
        return self.call(name)

    def call(self, name):
        result = Call(**self.common(name), flags={key for key in FLAGS if key in self.entry})
        data = self.entry.get("data")
        if self.entry.get("boxed", False):
            if data is None:
                self.fail("'boxed' without 'data'")
            result.data = self.type_name(data, "'data' of a boxed call")
        elif isinstance(data, str):
            result.data = str(data)
        elif data is not None:
            result.data = self.inline(data, "'data'", None, "arg")
        return result

    def inline(self, value, what, owner, role):
        """Members without a type of their own. QEMU calls such types by the name made here."""
        members = self.members(value, what, owner)
        return Object("struct", f"q_obj_{self.entry[self.kind]}-{role}", self.entry.place, own=members)
