# SPDX-License-Identifier: LGPL-2.1-or-later
"""A ledger as the generator needs it: `load(path)` gives a checked `Protocol` of plain dataclasses.

`Protocol` has `enums`, `objects`, `alternates`, `commands` and `events`: all that was ever recorded, in the order of
the file. Each of them, and each value, member and branch, is a `Thing`:
    name            on the wire
    c_name          in C, in lower case; final
    since, until    first and last release; until is None while QEMU has it
    condition       of the build, as QEMU's newest release has it, or ""
    features        names; also `deprecated` and `unstable`. `feature_conditions` is {feature: condition}

`Protocol.blocks` are all of these in the order of the file, which only grows at its end: positions in it are numbers
that last.

Objects are flat: members of bases are in them. `Object.fields` holds `Member`, `Flag` and `Union` in the order of C;
`Object.members`, `Object.union` and `Object.branches` pick out theirs. `call.args`, the arguments of a command or the
data of an event, is either an object of its own, called `<Camel>Args` or `<Camel>Event` (`args.owner` is the call), or
one that has a name in the schema (`args.owner` is None; make `<Camel>Args` a typedef of it). It is None when there
never was any: the function of such a command still takes a pointer, for a later release may add some.

What differs between releases, and how to make code of it:
    Member.flag           the bool that says whether a scalar is there; None where it always is, or is a pointer.
                          `has_x` stands right before the member if `flag_is_own`, else it is a `Flag` among the fields.
                          `omit_x` is the reverse: true leaves out a member that older releases require.
    Member.optional       every release that knows it takes messages without it
    Member.may_be_absent  on receipt: in some release optional, conditional, removed, or not yet in its object
    Form.wire_type        QEMU's newest type, where `type` still holds its values; else the same as `type`
    Form.successor        the member or branch that took over its name on the wire when the type changed (`x_2`); that
                          has `is_successor`. Decode fills each form that the value fits, encode sends the newest set.
    Object.branches       values of the tag without a branch add no members. What left the base for a branch is in both:
                          encode sends a name once.

Types are `Type(name, of, is_array)`: `of` is the Enum, Object or Alternate, None for a built-in type. `Type.kind` is
"builtin", "enum", "object" or "alternate".

`reachable`, `sent` and `received` say whether commands and events lead to a type, and in which direction. Only
reachable types need C. All names that `Protocol.functions()` and `Protocol.constants()` list are free of collisions.
"""

import os
import re
from dataclasses import dataclass, field

import ledger_text
from ledger_text import LedgerError
from names import OBJECT_FIELDS, RESERVED, camel

BUILTINS = frozenset({"str", "number", "bool", "any", "null", "int", "int8", "int16", "int32", "int64",
                      "uint8", "uint16", "uint32", "uint64", "size"})
POINTERS = frozenset({"str", "any", "null"})
# What is appended to the stem of a type to name its functions, and to a command's name.
TYPE_VERBS = ("new", "free", "copy", "equal", "to_json", "from_json", "to_string", "from_string")
COMMAND_VERBS = ("", "async", "finish")
UNRECOGNIZED = "unrecognized"


@dataclass
class Thing:
    """What every line of a ledger has."""
    name: str
    c_name: str
    since: str
    until: str
    condition: str
    features: list
    feature_conditions: dict
    line: object = field(repr=False)  # its ledger_text.Line; `state(release)` of it tells more

    @property
    def deprecated(self):
        return "deprecated" in self.features

    @property
    def unstable(self):
        return "unstable" in self.features


@dataclass
class Type:
    name: str
    of: object = field(default=None, repr=False)
    is_array: bool = False

    @property
    def kind(self):
        return type(self.of).__name__.lower() if self.of else "builtin"

    @property
    def is_pointer(self):
        """Whether absence is NULL (or, for a list, NULL with a count of 0), so that no flag is needed."""
        return self.is_array or self.kind in ("object", "alternate") or self.name in POINTERS


@dataclass
class Value(Thing):
    number: int


@dataclass
class Reached(Thing):
    """A type. Aliases are names that QEMU gave it later."""
    aliases: list
    reachable: bool = False
    sent: bool = False
    received: bool = False


@dataclass
class Enum(Reached):
    values: list = field(default_factory=list)


@dataclass
class Form(Thing):
    """A member or a branch."""
    type: Type
    wire_type: Type
    successor: object = field(default=None, repr=False)
    is_successor: bool = False


@dataclass
class Member(Form):
    optional: bool = False
    may_be_absent: bool = False
    flag: str = None
    flag_is_own: bool = False


@dataclass
class Flag:
    c_name: str
    member: Member
    since: str


@dataclass
class Union:
    """Where the pointers to branches are; `tag` chooses."""
    c_name: str
    tag: Member
    since: str
    until: str


@dataclass
class Branch(Form):
    pass


@dataclass
class Object(Reached):
    fields: list = field(default_factory=list)
    branches: list = field(default_factory=list)
    owner: object = field(default=None, repr=False)  # the command or event whose arguments these are

    @property
    def members(self):
        return [item for item in self.fields if isinstance(item, Member)]

    @property
    def union(self):
        return next((item for item in self.fields if isinstance(item, Union)), None)


@dataclass
class Alternate(Reached):
    branches: list = field(default_factory=list)


@dataclass
class Call(Thing):
    args: Object = None
    args_optional: bool = True  # NULL will do: each argument is optional in some release


@dataclass
class Command(Call):
    returns: Type = None
    oob: bool = False
    preconfig: bool = False
    has_reply: bool = True
    open: bool = False  # takes members beyond the declared ones


@dataclass
class Event(Call):
    pass


@dataclass
class Protocol:
    name: str
    releases: list
    enums: list = field(default_factory=list)
    objects: list = field(default_factory=list)  # with a name in the schema
    alternates: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    events: list = field(default_factory=list)
    blocks: list = field(default_factory=list)

    @property
    def types(self):
        return self.enums + self.objects + self.alternates

    @property
    def argument_objects(self):
        """Objects that belong to one command or event."""
        return [call.args for call in self.commands + self.events if call.args and call.args.owner]

    def functions(self):
        """(middle of a function's name, thing) of everything that may be generated."""
        for thing in self.types + self.argument_objects:
            yield from ((f"{thing.c_name}_{verb}", thing) for verb in TYPE_VERBS)
        for command in self.commands:
            yield from ((command.c_name + (verb and "_" + verb), command) for verb in COMMAND_VERBS)

    def constants(self):
        """(name of a constant without its prefix, in lower case, thing)."""
        for enum in self.enums:
            yield f"{enum.c_name}_{UNRECOGNIZED}", enum
            yield from ((f"{enum.c_name}_{value.c_name}", value) for value in enum.values)


def load(path):
    """The protocol that a ledger file describes; LedgerError says what is missing and what to do."""
    with open(path, encoding="utf-8") as file:
        return build(ledger_text.parse(file.read(), os.path.basename(path)))


def build(text):
    return Builder(text).build()


class Builder:
    def __init__(self, text):
        self.text = text
        self.releases = list(text.releases)
        self.types = {}
        self.protocol = Protocol(text.protocol, self.releases)

    def build(self):
        if not self.releases:
            raise LedgerError(f"{self.text.protocol}.ledger", "no release is recorded",
                              "Add one with qapi/import --release.")
        makers = {"enum": self.add_enum, "object": self.add_object, "alternate": self.add_alternate}
        for block in self.text.blocks:
            if block.kind in makers:
                self.check_new_type(block)
                self.types[block.name] = makers[block.kind](block)
        for type_ in self.protocol.objects + self.protocol.alternates:
            self.fill(type_, type_.line)
        for block in self.text.blocks:
            if block.kind in ("command", "event"):
                self.add_call(block)
        things = {id(thing.line): thing for thing in
                  self.protocol.types + self.protocol.commands + self.protocol.events}
        self.protocol.blocks = [things[id(block)] for block in self.text.blocks]
        self.mark_reachable()
        self.check_names()
        return self.protocol

    # --- facts ---

    def thing(self, line):
        """The facts of Thing. Those of the newest release that has it count."""
        check_c_name(line)
        until = None
        if "gone" in line.state():
            gone = [release for release, changes in line.history if changes.get("gone")][-1]
            until = self.releases[self.releases.index(gone) - 1]
        words = [word for word in line.state().get("features", "").split(",") if word]
        features = {word.partition("[")[0]: word.partition("[")[2].rstrip("]") for word in split_features(words)}
        return {"name": line.name, "c_name": line.words[1], "since": line.since, "until": until,
                "condition": line.state().get("if", ""), "features": list(features),
                "feature_conditions": {name: text for name, text in features.items() if text}, "line": line}

    def check_new_type(self, line):
        if line.name in self.types or line.name in BUILTINS:
            raise LedgerError(line.place, f"type '{line.name}' exists already")

    def named(self, line):
        names = [changes["name"] for _, changes in line.history if changes.get("name")]
        return self.thing(line) | {"aliases": [name for name in names if not name.startswith("q_obj_")]}

    def add_enum(self, block):
        enum = Enum(**self.named(block))
        for number, line in enumerate(block.lines):
            if line.words[2] != str(number):
                raise LedgerError(line.place, f"value '{line.name}' has number {line.words[2]}, and is the {number}th",
                                  "Numbers are recorded in order, beginning with 0; they never change.")
            enum.values.append(Value(**self.thing(line), number=number))
        check_distinct(block, [value.c_name for value in enum.values] + [UNRECOGNIZED], "values")
        self.protocol.enums.append(enum)
        return enum

    def add_object(self, block):
        self.protocol.objects.append(Object(**self.named(block)))
        return self.protocol.objects[-1]

    def add_alternate(self, block):
        self.protocol.alternates.append(Alternate(**self.named(block)))
        return self.protocol.alternates[-1]

    def type(self, word, line):
        name = word.strip("[]")
        if name not in BUILTINS and name not in self.types:
            raise LedgerError(line.place, f"type '{name}' is not recorded",
                              "Run qapi/import --release on a source that has it.")
        return Type(name, self.types.get(name), word.startswith("["))

    # --- objects ---

    def fill(self, type_, block):
        """Fields and branches of an object, branches of an alternate."""
        forms = {}
        flags = {line.words[1]: line for line in block.lines if line.kind == "flag"}
        for line in block.lines:
            if line.kind == "member":
                item = self.member(line, block, flags.get(line.words[1]))
                type_.fields.append(item)
            elif line.kind == "branch":
                item = self.branch(line, type_)
                type_.branches.append(item)
            else:
                type_.fields.append(self.other_field(line, type_))
                continue
            self.link_forms(forms, item, line)
        self.check_fields(type_, block)

    def form(self, line):
        type_ = self.type(line.words[2], line)
        wire = line.state().get("wire")
        return self.thing(line) | {"type": type_, "wire_type": self.type(wire, line) if wire else type_}

    def member(self, line, block, flag):
        member = Member(**self.form(line))
        states = [line.state(release) for release in self.releases[self.releases.index(line.since):]]
        member.optional = all("optional" in state or "gone" in state for state in states)
        is_later = block.since != line.since
        member.may_be_absent = is_later or any(state.keys() & {"optional", "if", "gone", "next"} for state in states)
        if "has" in line.state():
            member.flag, member.flag_is_own = "has_" + member.c_name.rstrip("_"), True
        elif flag:
            member.flag = flag.words[0]
        if member.flag and member.type.is_pointer:
            raise LedgerError(line.place, f"'{member.name}' is a pointer in C and has the flag '{member.flag}'")
        if not member.flag and member.may_be_absent and not member.type.is_pointer:
            raise LedgerError(line.place, f"'{member.name}' may be absent, and nothing in C says so",
                              f"End the block with `flag has_{member.c_name} {member.c_name} @{self.releases[-1]}`.")
        return member

    def branch(self, line, owner):
        branch = Branch(**self.form(line))
        if isinstance(owner, Object) and (branch.type.kind != "object" or branch.type.is_array):
            raise LedgerError(line.place, f"branch '{line.name}' of a union is no object")
        return branch

    def other_field(self, line, type_):
        member = next((m for m in type_.members if m.c_name == line.words[1 if line.kind == "flag" else 0]), None)
        if not member:
            raise LedgerError(line.place, f"'{line.kind}' of a member that is not above it")
        if line.kind == "flag":
            return Flag(line.words[0], member, line.since)
        if member.type.kind != "enum" or member.type.is_array:
            raise LedgerError(line.place, f"the tag '{member.name}' is no enum")
        return Union(line.words[1], member, line.since, self.thing(line)["until"])

    def link_forms(self, forms, item, line):
        key = (line.kind, line.name)
        if key in forms:
            before = forms[key]
            if before.line.state().get("next") != item.c_name:
                raise LedgerError(line.place, f"'{line.name}' stands twice", f"The first needs `next={item.c_name}`.")
            before.successor, item.is_successor = item, True
        forms[key] = item

    def check_fields(self, type_, block):
        check_distinct(block, [branch.c_name for branch in type_.branches], "branches")
        if isinstance(type_, Alternate):
            return
        names = list(OBJECT_FIELDS - {"u"})
        for item in type_.fields:
            names.append(item.c_name)
            if isinstance(item, Member):
                names += [item.flag] if item.flag_is_own else []
                names += [item.c_name + "_count"] if item.type.is_array else []
        check_distinct(block, names, "fields")
        if type_.branches and not type_.union:
            raise LedgerError(block.place, f"'{block.name}' has branches and no union",
                              "Add a line `union TAG u @RELEASE`.")

    # --- commands and events ---

    def add_call(self, block):
        state = block.state()
        facts = self.thing(block) | {"args": self.args(block)}
        if facts["args"]:
            facts["args_optional"] = all(was_ever(member, "optional", "gone") for member in facts["args"].members)
        if block.kind == "event":
            self.protocol.events.append(Event(**facts))
            call = self.protocol.events[-1]
        else:
            returns = recorded_type(block, "returns")
            facts["returns"] = self.type(returns, block) if returns else None
            self.protocol.commands.append(Command(**facts, oob="oob" in state, preconfig="preconfig" in state,
                                                  has_reply="no-reply" not in state, open="open" in state))
            call = self.protocol.commands[-1]
        if call.args and call.args.line is block:
            call.args.owner = call

    def args(self, block):
        name = recorded_type(block, "args")
        if name:
            type_ = self.type(name, block)
            if type_.kind != "object" or type_.is_array:
                raise LedgerError(block.place, f"'args={name}' of '{block.name}' is no object")
            return type_.of
        if not block.lines:
            return None
        facts = self.thing(block)
        suffix = "args" if block.kind == "command" else "event"
        facts["name"] = camel(facts["c_name"]) + suffix.capitalize()
        facts["c_name"] += "_" + suffix
        result = Object(**facts, aliases=[])
        self.fill(result, block)
        return result

    # --- all of it ---

    def mark_reachable(self):
        for command in self.protocol.commands:
            self.reach(command.args, "sent")
            self.reach(command.returns.of if command.returns else None, "received")
        for event in self.protocol.events:
            self.reach(event.args, "received")

    def reach(self, type_, direction):
        waiting = [type_]
        while waiting:
            type_ = waiting.pop()
            if not type_ or getattr(type_, direction):
                continue
            type_.reachable = True
            setattr(type_, direction, True)
            if not isinstance(type_, Enum):
                forms = type_.branches + (type_.members if isinstance(type_, Object) else [])
                waiting += [form.type.of for form in forms]

    def check_names(self):
        """Names of functions, constants and types are in one space each."""
        check_spaces(self.protocol.functions(), "function")
        check_spaces(self.protocol.constants(), "constant")
        types = self.protocol.types + self.protocol.argument_objects
        check_spaces([(name, type_) for type_ in types for name in [type_.name, *type_.aliases]], "type")


def is_late(protocol, union, branch, value):
    """Whether some release has the tag's value, whatever its type was then, without the branch."""
    if branch.is_successor:
        return False
    position = protocol.releases.index
    tags = [member for member in union.members if member.name == union.union.tag.name]
    first = max(min(position(tag.since) for tag in tags), position(value.since))
    return position(branch.since) > first or bool(branch.until and branch.until != value.until)


def split_features(words):
    """Conditions of features may hold commas: all(A,B)."""
    result = []
    for word in words:
        if result and result[-1].count("[") > result[-1].count("]"):
            result[-1] += "," + word
        else:
            result.append(word)
    return result


def was_ever(thing, *facts):
    return any(changes.get(fact) for _, changes in thing.line.history for fact in facts)


def recorded_type(block, fact):
    """The first value a fact had: what programs were compiled against."""
    return next((changes[fact] for _, changes in block.history if changes.get(fact)), None)


def check_c_name(line):
    name = line.words[1]
    pattern = r"[a-z0-9_]+" if line.kind == "value" else r"[a-z][a-z0-9_]*"
    if not re.fullmatch(pattern, name):
        raise LedgerError(line.place, f"'{name}' is no name in C",
                          "Names are of lower case letters, digits and underscores.")
    if line.kind in ("member", "branch") and name in RESERVED:
        raise LedgerError(line.place, f"'{name}' is a keyword or a macro in C or C++", f"Record it as '{name}_'.")


def check_spaces(names, what):
    seen = {}
    for name, thing in names:
        if seen.setdefault(name, thing) is not thing:
            raise LedgerError(thing.line.place, f"'{thing.name}' and '{seen[name].name}' both make a {what} '{name}'",
                              "Give the newer one another name in qapi/import/naming.py and import its release again.")


def check_distinct(block, names, what):
    seen = set()
    for name in names:
        if name in seen:
            raise LedgerError(block.place, f"'{block.name}' has two {what} called '{name}' in C",
                              "Give the newer one another name.")
        seen.add(name)
