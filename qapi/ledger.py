# SPDX-License-Identifier: LGPL-2.1-or-later
"""A ledger as the generator needs it: `load(path)` gives a checked `Protocol` of plain dataclasses.

    Protocol.enums, objects, alternates, commands, events     everything ever recorded, in the order of the file
    thing.name       on the wire                               thing.since, thing.until    first and last release; until is
    thing.c_name     in C; final                                                           None while QEMU has it
    thing.condition  of the build, newest form, or ""          thing.features              names in the newest release that has it
    thing.deprecated, thing.unstable                           thing.feature_conditions    {feature: condition}

Objects are flat: members of bases are in them, in the order of their fields in C. `Object.fields` has `Member`, `Flag` and
`Union` in that order; `Object.members`, `Object.union`, `Object.branches` pick them. The arguments of a command or the data
of an event are `call.args`: an Object of its own, named `<Camel>Args` or `<Camel>Event` (then `args.owner` is the call), or one
that has a name in the schema (`call.args.owner` is None; make `<Camel>Args` a typedef of it). A command that takes nothing has
`args` None; since a later release may add some, its function should still take a pointer.

What differs between releases, and how to make code of it:
    Member.flag          name of the bool that says whether a scalar is there; None where it always is, or is a pointer.
                         `has_x` stands right before the member when `flag_is_own`, else it is a Flag field of its own.
                         `omit_x` is the reverse: true leaves a member out that older releases require.
    Member.optional      QEMU accepts its absence in every release that knows it: check nothing when sending
    Member.may_be_absent on receipt: optional, conditional, removed or added later than its object in any release
    Member.wire_type     the newest type in QEMU, where the recorded one still holds its values; else the same as `type`
    Member.successor     the Member that took over under the same name on the wire when the type changed (`x_2`). Decode fills
                         each form the value fits and leaves the others; encode sends the newest form that is set.
                         `Member.is_successor` marks the other end. Branches have the same.
    Branch.type          of a union: an Object; of an alternate: any. Values of the tag without a branch add no members.
                         A member that left the base for a branch is in both: encode sends a name once.
Types are `Type(name, of, is_array)`: `of` is None for a built-in type, else the Enum, Object or Alternate. `Type.kind` is
"builtin", "enum", "object" or "alternate".

`reachable`, `sent` and `received` say whether commands and events lead to a type at all, and in which direction; only
reachable types need C. `Protocol.functions()` lists the middles of all function names and is checked for collisions.
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
            raise LedgerError(f"{self.text.protocol}.ledger", "no release is recorded", "Add one with qapi/import --release.")
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
                "feature_conditions": {name: condition for name, condition in features.items() if condition}, "line": line}

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
        check_distinct(block, [value.c_name for value in enum.values] + [UNRECOGNIZED], "value")
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
            raise LedgerError(line.place, f"type '{name}' is not recorded", "Run qapi/import --release on a source that has it.")
        return Type(name, self.types.get(name), word.startswith("["))

    # --- objects ---

    def fill(self, type_, block):
        """Fields and branches of an object, branches of an alternate."""
        forms = {}
        flags = {line.words[1]: line for line in block.lines if line.kind == "flag"}
        for line in block.lines:
            if line.kind == "member":
                item = self.member(line, block, flags.pop(line.words[1], None))
                type_.fields.append(item)
            elif line.kind == "branch":
                item = self.branch(line, type_)
                type_.branches.append(item)
            else:
                type_.fields.append(self.other_field(line, type_))
                continue
            self.link_forms(forms, item, line)
        if flags:
            line = list(flags.values())[0]
            raise LedgerError(line.place, f"flag of '{line.words[1]}', which is no member")
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
                              f"Add `flag has_{member.c_name} {member.c_name} @{self.releases[-1]}` at the end of the block.")
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
        check_distinct(block, [branch.c_name for branch in type_.branches], "branch")
        if isinstance(type_, Alternate):
            return
        names = list(OBJECT_FIELDS - {"u"})
        for item in type_.fields:
            names.append(item.c_name)
            if isinstance(item, Member):
                names += [item.flag] if item.flag_is_own else []
                names += [item.c_name + "_count"] if item.type.is_array else []
        check_distinct(block, names, "field")
        if type_.branches and not type_.union:
            raise LedgerError(block.place, f"'{block.name}' has branches and no union", "Add a line `union TAG u @RELEASE`.")

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
            self.protocol.commands.append(Command(
                **facts, returns=self.type(returns, block) if returns else None, oob="oob" in state, open="open" in state,
                preconfig="preconfig" in state, has_reply="no-reply" not in state))
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
        """Names of types and functions are in one space each."""
        functions, types = {}, {}
        for name, thing in self.protocol.functions():
            if functions.setdefault(name, thing) is not thing:
                raise LedgerError(thing.line.place, f"'{thing.name}' and '{functions[name].name}' both make a function '{name}'",
                                  "Give the newer one another name in qapi/import/naming.py and import its release again.")
        for thing in self.protocol.types + self.protocol.argument_objects:
            for name in [thing.name, *thing.aliases]:
                if types.setdefault(name, thing) is not thing:
                    raise LedgerError(thing.line.place, f"two types are called '{name}' in C",
                                      "A schema type has the name of a command's arguments: rename in qapi/ledger.py.")


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
        raise LedgerError(line.place, f"'{name}' is no name in C", "Lower case letters, digits and underscores, please.")
    if line.kind in ("member", "branch") and name in RESERVED:
        raise LedgerError(line.place, f"'{name}' is a keyword or a macro in C or C++", f"Record it as '{name}_'.")


def check_distinct(block, names, what):
    seen = set()
    for name in names:
        if name in seen:
            raise LedgerError(block.place, f"'{block.name}' has two {what}s called '{name}' in C", "Give the newer one another name.")
        seen.add(name)
