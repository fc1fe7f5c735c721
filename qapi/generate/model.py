# SPDX-License-Identifier: LGPL-2.1-or-later
"""Protocols and the configuration as a language other than C needs them: `load(path)` of a ledger or a schema gives a `Model`.

C has a table of everything that was ever recorded, for its structs are an ABI. A language whose types are compiled into the
program, or made when it starts, needs less: one shape for each type, that of the newest release, which reads what older ones
send. What is on the wire is JSON, and C's is the measure: a type that reads what `utm_struct_to_json()` wrote, or for the
configuration `utm_config_to_json()`, writes the very same bytes.

The rules of that JSON, for back ends:

- It is compact. Members stand in the order of their names, compared by UTF-16 units. Of a union, those of the struct itself come first, then
  those of the branch that the tag chooses, in turn sorted, and so on inwards.
- Members that a type does not know are its *extras*, kept as free-form values and written again in their place in that order.
  Extras of a union are those of the innermost branch that was read, or of the struct itself when the tag chooses none.
- A branch that is `late` came after its union, whose older peers send nothing of it: when none of its members is there (extras
  do not count), neither is the branch, and extras are the struct's.
- A member that is in a struct and in its branch (`Member.moved`) is read into both and written once, by the outer one.
- Absent members are not written. `null` is not absence: it is only fit for what may be null.
- Enumerations are texts. One that is not in the list is kept and written again.
- Integers are checked against their width. On reading, a real without a fraction counts as an integer.
- An alternate is told by the kind of JSON value: the first branch whose type takes it.
- In free-form values (`any`) numbers keep what they are: integer or real. Members of objects are sorted, too; of two with the
  same name the later one counts.
- `Member.older` is the type that older releases have in the member's place, where the newest does not read that: tried second.
- The error for what does not fit names the key path, `a.b[3].c`.

Names are those of C, in `snake_case` (`c_name`), without a trailing underscore: it is each language's to escape its own
keywords. They are final, and free of collisions within their owner.
"""

import os
import sys
from dataclasses import dataclass, field

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import ir  # noqa: E402
import language  # noqa: E402
import ledger  # noqa: E402

# Bits and sign of QAPI's integers.
WIDTHS = {"int": (64, True), "size": (64, False),
          **{f"{sign}int{bits}": (bits, not sign) for sign in ("", "u") for bits in (8, 16, 32, 64)}}


@dataclass
class Type:
    kind: str  # bool, int, number, str, any, null, enum, struct, alternate
    of: object = field(default=None, repr=False)  # the Enum, Struct or Alternate
    is_list: bool = False
    bits: int = 0
    signed: bool = True


@dataclass
class Value:
    name: str
    c_name: str
    docs: list  # sentences, from facts alone


@dataclass
class Enum:
    name: str  # as on the wire's schema; CamelCase
    c_name: str
    docs: list
    values: list = field(default_factory=list)


@dataclass
class Member:
    name: str
    c_name: str
    type: Type
    optional: bool  # may be absent, here or in some release
    docs: list
    older: Type = None
    default: object = None  # of the configuration: what absence means, where that is always the same; then C always writes it
    minimum: int = None
    maximum: int = None
    unit: str = None
    moved: bool = False


@dataclass
class Branch:
    name: str  # the value of the tag, or of an alternate the name of the branch
    c_name: str
    type: Type
    docs: list
    late: bool = False


@dataclass
class Struct:
    name: str
    c_name: str
    docs: list
    members: list = field(default_factory=list)  # sorted as on the wire
    tag: Member = None  # of a union; also among the members
    branches: list = field(default_factory=list)  # of a union; values of the tag without one add no members

    @property
    def required(self):
        return [member for member in self.members if not member.optional]


@dataclass
class Alternate:
    name: str
    c_name: str
    docs: list
    branches: list = field(default_factory=list)


@dataclass
class Call:
    name: str  # on the wire
    c_name: str
    docs: list
    args: Struct = None  # None: it takes, or carries, nothing


@dataclass
class Command(Call):
    returns: Type = None  # None: an empty object
    has_reply: bool = True
    oob: bool = False
    open: bool = False  # takes members beyond the declared ones


@dataclass
class Event(Call):
    pass


@dataclass
class Model:
    name: str  # qmp, qga, config
    releases: list = field(default_factory=list)
    enums: list = field(default_factory=list)
    structs: list = field(default_factory=list)  # those of arguments and events among them
    alternates: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    events: list = field(default_factory=list)
    roots: list = field(default_factory=list)  # of the configuration: the structs that a whole one can be

    @property
    def types(self):
        return self.enums + self.structs + self.alternates


def load(path):
    return from_ledger(ledger.load(path)) if path.endswith(".ledger") else from_schema(path)


# --- protocols ---

def sentences(protocol, thing):
    """What is to be said of a thing: when it came and went, what it depends on."""
    releases, words = protocol.releases, []
    if thing.since != releases[0]:
        words.append(f"Since {thing.since}.")
    if thing.until:
        words.append(f"Until {thing.until}.")
    if thing.condition:
        words.append(f"Where built with `{thing.condition.replace(',', ', ')}`.")
    return words + [word for word, is_set in (("Deprecated.", thing.deprecated), ("Unstable.", thing.unstable)) if is_set]


def plain(c_name):
    return c_name.rstrip("_")


class FromLedger:
    def __init__(self, protocol):
        self.protocol = protocol
        self.model = Model(protocol.name, list(protocol.releases))
        self.made = {}

    def build(self):
        protocol, model = self.protocol, self.model
        things = [block.args if isinstance(block, ledger.Call) else block for block in protocol.blocks]
        calls = {id(call.args) for call in protocol.commands + protocol.events if call.args and call.args.owner}
        things = [thing for thing in things if thing and (id(thing) in calls or thing.reachable)]
        for thing in things:
            self.declare(thing)
        for thing in things:
            if not isinstance(thing, ledger.Enum):
                self.fill(thing)
        for command in protocol.commands:
            model.commands.append(self.call(Command, command, returns=self.returns(command), has_reply=command.has_reply,
                                            oob=command.oob, open=command.open))
        model.events = [self.call(Event, event) for event in protocol.events]
        mark_moved(model)
        return model

    def declare(self, thing):
        if id(thing) in self.made:
            return
        makers = {ledger.Enum: (Enum, self.model.enums), ledger.Object: (Struct, self.model.structs),
                  ledger.Alternate: (Alternate, self.model.alternates)}
        make, place = makers[type(thing)]
        new = make(thing.name, thing.c_name, sentences(self.protocol, thing))
        if isinstance(thing, ledger.Enum):
            new.values = [Value(value.name, plain(value.c_name), sentences(self.protocol, value)) for value in thing.values]
        self.made[id(thing)] = new
        place.append(new)

    def type(self, type_):
        if type_.kind == "builtin":
            bits, signed = WIDTHS.get(type_.name, (0, True))
            return Type("int" if bits else type_.name, None, type_.is_array, bits, signed)
        kind = {"object": "struct"}.get(type_.kind, type_.kind)
        return Type(kind, self.made[id(type_.of)], type_.is_array)

    def fill(self, thing):
        new = self.made[id(thing)]
        if isinstance(thing, ledger.Object) and not new.members:
            newest = [member for member in thing.members if not member.successor]
            new.members = sorted((self.member(thing, member) for member in newest), key=lambda m: m.name.encode())
            if thing.union:
                new.tag = next(member for member in new.members if member.name == thing.union.tag.name)
        if not new.branches:
            new.branches = [self.branch(thing, branch) for branch in thing.branches if not branch.successor]

    def member(self, owner, member):
        first = member
        while (before := next((other for other in owner.members if other.successor is first), None)):
            first = before
        new = Member(member.name, plain(first.c_name), self.type(member.type), first.may_be_absent or member.may_be_absent,
                     sentences(self.protocol, first))
        if first is not member and not reads(member.type, first.type):
            new.older = self.type(first.type)
        return new

    def branch(self, thing, branch):
        """Of a branch with several forms the newest, which is named and comes as the first did."""
        first = next(other for other in thing.branches if other.name == branch.name)
        new = Branch(branch.name, plain(first.c_name), self.type(branch.type), sentences(self.protocol, first))
        if isinstance(thing, ledger.Object):
            value = next(value for value in thing.union.tag.type.of.values if value.name == branch.name)
            new.late = ledger.is_late(self.protocol, thing, first, value)
        return new

    def returns(self, command):
        return self.type(command.returns) if command.returns else None

    def call(self, make, call, **more):
        return make(call.name, call.c_name, sentences(self.protocol, call), self.made[id(call.args)] if call.args else None,
                    **more)


def reads(newer, older):
    """Whether the newer type takes all that the older one is: a text as an enumeration, a boolean as one of several kinds."""
    if newer.is_array != older.is_array:
        return False
    if newer.kind == "alternate":
        return any(branch.type.name == older.name and branch.type.is_array == older.is_array for branch in newer.of.branches)
    return newer.kind == "enum" and older.name == "str"


def mark_moved(model):
    """Members that stand in a struct and in one of its branches."""
    for struct in model.structs:
        names = {member.name: member for member in struct.members}
        for branch in struct.branches:
            for member in all_members(branch.type.of):
                if member.name in names:
                    member.moved = names[member.name].moved = True


def all_members(struct):
    for member in struct.members:
        yield member
    for branch in struct.branches:
        yield from all_members(branch.type.of)


def from_ledger(protocol):
    return FromLedger(protocol).build()


# --- the configuration ---

def from_schema(path):
    name = os.path.basename(path)
    with open(path, encoding="utf-8") as file:
        schema = ir.build(language.read(file.read(), name), name)
    model = Model(name.removesuffix(".schema"))
    made = {}
    for enum in schema.enums:
        values = [Value(value.name, plain(value.c_name), [value.doc] if value.doc else []) for value in enum.values]
        made[enum.name] = Enum(enum.name, ir.snake(enum.name), [enum.doc], values)
    for struct in schema.structs:
        made[struct.name] = Struct(struct.name, ir.snake(struct.name), [struct.doc])
    for struct in schema.structs:
        members = [config_member(made, member) for member in struct.members]
        made[struct.name].members = sorted(members, key=lambda m: m.name.encode())
    model.enums = [made[enum.name] for enum in schema.enums]
    model.structs = [made[struct.name] for struct in schema.structs]
    model.roots = [made[name] for name in ("Qemu", "Apple") if name in made]
    return model


def config_member(made, member):
    is_lone = isinstance(member.type, str)
    kind = {"data": "any"}.get(member.type, member.type) if is_lone else \
        "enum" if isinstance(member.type, ir.Enum) else "struct"
    type_ = Type(kind, None if is_lone else made[member.type.name], member.is_array, 64 if kind == "int" else 0)
    defaults = [fact for fact in member.facts if fact.what == "default"]
    new = Member(member.name, plain(member.c_name), type_, member.optional, [member.doc] if member.doc else [])
    if len(defaults) == 1 and not defaults[0].condition:
        new.default = default_of(member, defaults[0].value)
    for fact in member.facts:
        if fact.what in ("min", "max"):
            setattr(new, {"min": "minimum", "max": "maximum"}[fact.what], fact.value)
        elif fact.what == "unit":
            new.unit = fact.value
    return new


def default_of(member, value):
    """As the wire has it: a text for an enumeration."""
    if isinstance(member.type, ir.Enum):
        return member.type.names[value]
    return bool(value) if member.type == "bool" else value
