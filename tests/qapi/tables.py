# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of a protocol as a JSON document: what a program that is linked with the library prints of it.

    {"protocol": "qmp",
     "types": [{"name": "BlockJobInfo", "kind": "struct", "members": [MEMBER...],
                "tag": 14, "branches": [{"value": "mirror", "type": "BlockJobInfoMirror"}...]},
               {"name": "BlockdevRef", "kind": "alternate", "members": [MEMBER...]},
               {"name": "JobType", "kind": "enum",
                "values": [{"name": "commit", "number": 0, "since": 0, "until": -1}...]}],
     "commands": [{"name": "query-block-jobs", "args": null,
                   "returns": {"kind": "struct", "type": "BlockJobInfo", "array": true}, "since": 0, "until": -1,
                   "oob": false, "preconfig": true, "no_reply": false, "open": false,
                   "conditional": false, "deprecated": false, "unstable": false}...],
     "events": [{"name": "STOP", "args": null, "since": 0, "until": -1,
                 "conditional": false, "deprecated": false, "unstable": false}...]}

MEMBER is {"name": "type", "kind": "enum", "type": "JobType", "array": false, "optional": false, "since": 1,
"until": -1, "conditional": false, "deprecated": false, "unstable": false}.

Names are those on the wire; of types, those in the ledger, so arguments that belong to one command are `MigrateArgs`.
The order of types, commands and events is free. Members and branches stand in the order of the table; those that have
the same name or value are forms of one thing, and the last that a release has is what that release says.
    kind          bool, int, number, str, any, null, enum, struct or alternate
    type          of an enum, struct or alternate its name; of an int its C type, such as "uint16" ("int64" also for
                  QAPI's `int`, "uint64" also for `size`); else null
    tag           the place among the members of the one that chooses a branch; -1 without a union
    since, until  first and last release, counted from 0 in the order of the ledger; until is -1 while QEMU has it
    optional      a message without it is read: some release takes it for optional, lacks it, or may lack it
    conditional   QEMU's build decides whether it is there
Branches do not say in which releases they are: the ledger does.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "qapi"))

import ledger  # noqa: E402

KINDS = {"builtin": None, "enum": "enum", "object": "struct", "alternate": "alternate"}
INTEGERS = {"int": "int64", "size": "uint64"} | {
    f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def load_ledger(protocol):
    return ledger.load(ROOT / "qapi" / (protocol + ".ledger"))


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def from_ledger(protocol):
    """What the tables of a ledger should be."""
    return Writer(load_ledger(protocol) if isinstance(protocol, str) else protocol).document()


class Writer:
    def __init__(self, protocol):
        self.protocol = protocol

    def document(self):
        protocol = self.protocol
        own = [call.args for call in protocol.commands + protocol.events if call.args and call.args.owner]
        return {"protocol": protocol.name,
                "types": [self.type(thing) for thing in protocol.types + own if thing.reachable],
                "commands": [self.command(command) for command in protocol.commands],
                "events": [self.call(event) for event in protocol.events]}

    def span(self, thing):
        releases = self.protocol.releases
        return {"since": releases.index(thing.since), "until": releases.index(thing.until) if thing.until else -1}

    def flags(self, thing):
        return self.span(thing) | {"conditional": bool(thing.condition), "deprecated": thing.deprecated,
                                   "unstable": thing.unstable}

    def type(self, thing):
        facts = {"name": thing.name, "kind": KINDS[type(thing).__name__.lower()]}
        if isinstance(thing, ledger.Enum):
            values = [{"name": value.name, "number": value.number} | self.span(value) for value in thing.values]
            return facts | {"values": values}
        if isinstance(thing, ledger.Alternate):
            return facts | {"members": [self.member(branch) for branch in thing.branches]}
        members, union = thing.members, thing.union
        return facts | {"members": [self.member(member) for member in members],
                        "tag": members.index(union.tag) if union else -1,
                        "branches": [{"value": branch.name, "type": branch.type.name} for branch in thing.branches]}

    def member(self, form):
        optional = getattr(form, "may_be_absent", False)
        return {"name": form.name} | use(form.type) | {"optional": optional} | self.flags(form)

    def call(self, call):
        return {"name": call.name, "args": call.args.name if call.args else None} | self.flags(call)

    def command(self, command):
        return self.call(command) | {
            "returns": use(command.returns) if command.returns else None, "oob": command.oob,
            "preconfig": command.preconfig, "no_reply": not command.has_reply, "open": command.open}


def use(type_):
    """How a place names its type."""
    if type_.of:
        kind, name = KINDS[type_.kind], type_.name
    elif type_.name in INTEGERS:
        kind, name = "int", INTEGERS[type_.name]
    else:
        kind, name = type_.name, None
    return {"kind": kind, "type": name, "array": type_.is_array}


def differences(tables, wanted):
    """Lines about what one document says otherwise than another, beyond the order of what has a name."""
    for kind in ("types", "commands", "events"):
        got, want = ({thing["name"]: thing for thing in document[kind]} for document in (tables, wanted))
        if len(got) != len(tables[kind]):
            yield f"{kind}: a name stands twice"
        for name in sorted(got.keys() | want.keys()):
            path = f"{kind[:-1]} {name}"
            if name not in got:
                yield f"{path}: is in the ledger and not in the tables"
            elif name not in want:
                yield f"{path}: is in the tables and not in the ledger"
            else:
                yield from facts_differ(path, got[name], want[name])


def facts_differ(path, got, want):
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(got.keys() | want.keys()):
            yield from facts_differ(f"{path}.{key}", got.get(key), want.get(key))
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for number, (mine, its) in enumerate(zip(got, want)):
            yield from facts_differ(f"{path}[{its.get('name', its.get('value', number))}]", mine, its)
    elif got != want:
        yield f"{path}: the tables say {json.dumps(got)}, the ledger {json.dumps(want)}"
