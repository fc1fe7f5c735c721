# SPDX-License-Identifier: LGPL-2.1-or-later
"""Can the cross-check fail? A small schema of two releases and what QEMU would answer for it agree; then each kind of
mistake is made, in the tables or in the answer, and has to be reported. The same with the real tables where a QEMU is.
"""

import copy
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(path) for path in (HERE, HERE.parent / "apps", ROOT / "qapi/import", ROOT / "qapi/generate")]

import introspection  # noqa: E402
import live  # noqa: E402
import tables  # noqa: E402
from ranges import UNKNOWN, Ranges  # noqa: E402
from tables import ledger  # noqa: E402
from tap import Skip, check, run_all, same  # noqa: E402

import ledger_text  # noqa: E402
import merge  # noqa: E402
import schema  # noqa: E402

BOTH = """
{ 'enum': 'Mode',
  'data': [ 'on', 'off', { 'name': 'x-odd', 'features': [ 'unstable' ] }, { 'name': 'win', 'if': 'WIN' } ] }
{ 'struct': 'Text', 'data': { 'str': 'str' } }
{ 'struct': 'Node', 'data': { 'next': [ 'Node' ], '*many': [ 'int' ], 'lin': { 'type': 'bool', 'if': 'LIN' } } }
{ 'struct': 'OnData', 'data': { 'd': 'number' } }
{ 'struct': 'WinData', 'data': { 'w': 'Hidden' }, 'if': 'WIN' }
{ 'enum': 'Hidden', 'data': [ 'a', 'b' ] }
{ 'alternate': 'Ref', 'data': { 'name': 'str', 'node': 'Node', 'none': 'null' } }
{ 'union': 'Uni', 'base': { 'mode': 'Mode', 'n': 'uint8' }, 'discriminator': 'mode',
  'data': { 'on': 'OnData', 'win': { 'type': 'WinData', 'if': 'WIN' } } }
{ 'command': 'set', 'data': 'Uni', 'boxed': true }
{ 'command': 'win-only', 'returns': 'WinData', 'if': { 'all': [ 'WIN', 'LIN' ] } }
{ 'event': 'WENT', 'features': [ 'deprecated' ], 'data': { 'text': 'Text' } }
"""
# What is different in the second release: a type of the same form, an enumeration for a string, another type, a member
# that is optional, gone or new.
RELEASES = (BOTH + """
{ 'command': 'get', 'data': { 'ref': 'Ref', 'uri': 'str', 'old': 'bool' }, 'returns': [ 'Info' ] }
{ 'command': 'late' }
{ 'struct': 'Info', 'data': { 'text': 'Text', 'type': 'str', 'form': 'int' } }
""", BOTH + """
{ 'command': 'get', 'data': { 'ref': 'Ref', '*uri': 'str' }, 'returns': [ 'Info' ], 'allow-oob': true }
{ 'command': 'late', 'data': { '*m': 'Mode' } }
{ 'struct': 'Info', 'data': { 'text': 'FdText', 'type': 'Mode', 'form': 'bool', 'new': 'int' } }
{ 'struct': 'FdText', 'data': { 'str': 'str' } }
""")


def entity(meta_type, name, **facts):
    return {"meta-type": meta_type, "name": name} | {key.replace("_", "-"): value for key, value in facts.items()}


def object_(name, members, **facts):
    """Members are `name: type`, with a star for those that are optional."""
    return entity("object", name, members=[
        {"name": member.lstrip("*"), "type": type_} | ({"default": None} if member.startswith("*") else {})
        for member, type_ in members.items()], **facts)


def enum(name, *values, **features):
    return entity("enum", name, values=list(values), members=[
        {"name": value} | ({"features": [features["feature"]]} if value.startswith("x-") else {}) for value in values])


def answer_of(release):
    """What a QEMU says that was built with LIN and without WIN."""
    is_new = release == "2.0"
    builtins = [("str", "string"), ("int", "int"), ("number", "number"), ("bool", "boolean"), ("null", "null")]
    reply = [
        *(entity("builtin", name, json_type=kind) for name, kind in builtins),
        *(entity("array", f"[{name}]", element_type=name) for name in ("int", "3", "6")),
        object_("0", {}),
        enum("1", "on", "off", "x-odd", feature="unstable"),
        object_("2", {"str": "str"}),
        object_("3", {"next": "[3]", "*many": "[int]", "lin": "bool"}),
        object_("4", {"d": "number"}),
        entity("alternate", "5", members=[{"type": "str"}, {"type": "3"}, {"type": "null"}]),
        object_("7", {"mode": "1", "n": "int"}, tag="mode", variants=[
            {"case": "on", "type": "4"}, {"case": "off", "type": "0"}, {"case": "x-odd", "type": "0"}]),
        object_("9", {"text": "2"}),
        enum("11", "a", "b"),
        entity("command", "set", arg_type="7", ret_type="0"),
        entity("event", "WENT", arg_type="9", features=["deprecated"]),
    ]
    if is_new:
        reply += [
            object_("6", {"text": "12", "type": "1", "form": "bool", "new": "int"}),
            object_("8", {"ref": "5", "*uri": "str"}),
            object_("10", {"*m": "1"}),
            object_("12", {"str": "str"}),
            entity("command", "get", arg_type="8", ret_type="[6]", allow_oob=True),
            entity("command", "late", arg_type="10", ret_type="0")]
    else:
        reply += [
            object_("6", {"text": "2", "type": "str", "form": "int"}),
            object_("8", {"ref": "5", "uri": "str", "old": "bool"}),
            entity("command", "get", arg_type="8", ret_type="[6]"),
            entity("command", "late", arg_type="0", ret_type="0")]
    return reply


def merged(*texts):
    result = ledger_text.Text("qmp")
    with tempfile.TemporaryDirectory() as directory:
        for number, text in enumerate(texts, 1):
            path = pathlib.Path(directory, "schema.json")
            path.write_text(text, encoding="utf-8")
            result = merge.merge(result, schema.load(str(path)), f"{number}.0", f"{number}.0.0")
    return ledger.build(result)


PROTOCOL = merged(*RELEASES)


class Case:
    """The tables and the answer of one release, to be spoilt."""

    def __init__(self, release="2.0"):
        self.release = release
        self.document = tables.Writer(PROTOCOL).document()
        self.reply = answer_of(release)

    def differences(self):
        view = introspection.Tables(self.document, PROTOCOL, self.release)
        return introspection.Comparison(view, self.reply).run().differences

    def named(self, kind, name):
        return next(thing for thing in self.document[kind] if thing["name"] == name)

    def member(self, type_, name):
        return [member for member in self.named("types", type_)["members"] if member["name"] == name][-1]

    def its(self, name):
        return next(thing for thing in self.reply if thing["name"] == name)

    def its_member(self, type_, name):
        return next(member for member in self.its(type_)["members"] if member["name"] == name)


def without(list_, name, key="name"):
    list_[:] = [thing for thing in list_ if thing[key] != name]


UNI, INFO = "Uni (command set arguments)", "Info (command get result[])"
ON, MODE = f"OnData ({UNI}/on)", f"Mode ({UNI}.mode)"
REF = "Ref (GetArgs (command get arguments).ref)"
NODE = f"Node ({REF}:object)"

# What is spoilt, how, and the beginning of the one line that must be among the differences.
MISTAKES = [
    ("a command is missing", lambda c: without(c.document["commands"], "set"),
     "schema: QEMU has command 'set', the tables do not"),
    ("a command too many", lambda c: without(c.reply, "late"), "schema: the tables have command 'late', QEMU does not"),
    ("an event is missing", lambda c: without(c.document["events"], "WENT"),
     "schema: QEMU has event 'WENT', the tables do not"),
    ("a command of another release", lambda c: c.named("commands", "set").update(until=0),
     "schema: QEMU has command 'set', the tables do not"),
    ("no arguments", lambda c: c.named("commands", "get").update(args=None),
     "command get arguments: has no members in the tables, and some in QEMU"),
    ("other arguments", lambda c: c.named("commands", "set").update(args="OnData"),
     "OnData (command set arguments): QEMU has member 'mode', the tables do not"),
    ("no result", lambda c: c.named("commands", "get").update(returns=None),
     "command get result: is a list in only one"),
    ("one result, not a list", lambda c: c.named("commands", "get")["returns"].update(array=False),
     "command get result: is a list in only one of the tables and QEMU"),
    ("a result too many", lambda c: c.its("get").update({"ret-type": "0"}),
     "command get result: is a list in only one"),
    ("not out of band", lambda c: c.named("commands", "set").update(oob=True),
     "command set: out of band is true in the tables"),
    ("a member is missing", lambda c: without(c.named("types", "OnData")["members"], "d"),
     f"{ON}: QEMU has member 'd', the tables do not"),
    ("a member too many", lambda c: without(c.its("9")["members"], "text"),
     "WentEvent (event WENT arguments): the tables have member 'text', QEMU does not"),
    ("a member's name", lambda c: c.member("OnData", "d").update(name="e"), f"{ON}: "),
    ("a member of another release", lambda c: c.member("Info", "new").update(since=0, until=0),
     f"{INFO}: QEMU has member 'new', the tables do not"),
    ("required, not optional", lambda c: c.member("Node", "many").update(optional=False),
     f"{NODE}.many: is required in the tables"),
    ("optional, not required", lambda c: c.member("OnData", "d").update(optional=True),
     f"{ON}.d: is optional in the tables"),
    ("QEMU's member is optional", lambda c: c.its_member("4", "d").update(default=None),
     f"{ON}.d: is required in the tables"),
    ("QEMU's member has a default", lambda c: c.its_member("3", "many").update(default=[]),
     f"{NODE}.many: has a default value"),
    ("another built-in type", lambda c: c.member("OnData", "d").update(kind="int", type="int64"),
     f"{ON}.d: is int in the tables, number in QEMU"),
    ("a string, not an enumeration", lambda c: c.member("LateArgs", "m").update(kind="str", type=None),
     "LateArgs (command late arguments).m: is str in the tables, enum in QEMU"),
    ("another enumeration where the tables keep the text", lambda c: c.its_member("6", "type").update(type="11"),
     f"{INFO}.type: "),
    ("a number where the tables keep the text of an enumeration",
     lambda c: c.its_member("6", "type").update(type="int"),
     f"{INFO}.type: is enum in the tables, int in QEMU"),
    ("another struct", lambda c: c.member("WentEvent", "text").update(type="OnData"),
     f"{UNI}/on: 'OnData' is QEMU's type 4 here, and 2 elsewhere"),
    ("a struct of the same form", lambda c: c.its_member("9", "text").update(type="12"),
     f"{INFO}.text: QEMU's type 12 is 'FdText' here, and 'Text' elsewhere"),
    ("another enumeration", lambda c: c.member("LateArgs", "m").update(type="Hidden"),
     "LateArgs (command late arguments).m: QEMU's type 1 is 'Hidden' here, and 'Mode' elsewhere"),
    ("one, not a list", lambda c: c.member("Node", "next").update(array=False),
     f"{NODE}.next: is a list in only one"),
    ("a list, not one", lambda c: c.member("OnData", "d").update(array=True),
     f"{ON}.d: is a list in only one"),
    ("a list of something else", lambda c: c.member("Node", "many").update(kind="str", type=None),
     f"{NODE}.many[]: is str in the tables, int in QEMU"),
    ("only the first of two forms", lambda c: c.named("types", "Info")["members"].remove(c.member("Info", "form")),
     f"{INFO}.form: is int in the tables, bool in QEMU"),
    ("a type is missing", lambda c: without(c.document["types"], "OnData"), f"{ON}: type 'OnData'"),
    ("another tag", lambda c: c.named("types", "Uni").update(tag=1),
     f"{UNI}: the tag is 'n' in the tables, 'mode' in QEMU"),
    ("no tag", lambda c: c.named("types", "Uni").update(tag=-1),
     f"{UNI}: the tag is nothing in the tables, 'mode' in QEMU"),
    ("a branch is missing", lambda c: without(c.named("types", "Uni")["branches"], "on", "value"),
     f"{UNI}/on: "),
    ("a branch too many", lambda c: c.named("types", "Uni")["branches"].append({"value": "off", "type": "OnData"}),
     f"{UNI}/off: "),
    ("a branch for no value", lambda c: c.named("types", "Uni")["branches"].append({"value": "of", "type": "OnData"}),
     f"{UNI}: the tables have a branch 'of', which is no value of the tag"),
    ("another branch", lambda c: c.named("types", "Uni")["branches"][0].update(type="Text"),
     f"{UNI}/on: "),
    ("a case is missing", lambda c: without(c.its("7")["variants"], "off", "case"),
     f"{UNI}: the tables have case 'off', QEMU does not"),
    ("a value's name", lambda c: c.named("types", "Mode")["values"][1].update(name="of"),
     f"{MODE}: QEMU has value 'off', the tables do not"),
    ("a value is missing", lambda c: without(c.named("types", "Mode")["values"], "on"),
     f"{MODE}: QEMU has value 'on', the tables do not"),
    ("a value of another release", lambda c: c.named("types", "Mode")["values"][0].update(until=0),
     f"{MODE}: QEMU has value 'on', the tables do not"),
    ("QEMU lost a value", lambda c: (c.its("1")["values"].remove("off"), without(c.its("1")["members"], "off")),
     f"{MODE}: the tables have value 'off', QEMU does not"),
    ("QEMU contradicts itself", lambda c: c.its("1")["values"].remove("off"),
     f"{MODE}: QEMU's two lists of values are not the same"),
    ("an alternate lacks a branch", lambda c: without(c.named("types", "Ref")["members"], "none"),
     f"{REF}: QEMU has a branch for JSON of kind 'null', the tables do not"),
    ("an alternate's branch", lambda c: c.member("Ref", "name").update(kind="bool"),
     f"{REF}: QEMU has a branch for JSON of kind 'string', the tables do not"),
    ("two branches for strings", lambda c: c.member("Ref", "none").update(kind="enum", type="Mode"),
     f"{REF}: the tables have two branches for one kind of JSON"),
    ("a struct is an alternate", lambda c: c.member("GetArgs", "ref").update(kind="struct"),
     "GetArgs (command get arguments).ref: is struct in the tables, alternate in QEMU"),
    ("a feature is not recorded", lambda c: c.its("get").update(features=["fresh"]),
     "command get: QEMU has feature 'fresh', the tables do not"),
    ("a feature is not QEMU's", lambda c: c.its("WENT").pop("features"),
     "event WENT: the tables have feature 'deprecated', QEMU does not"),
    ("a value's feature is not QEMU's", lambda c: c.its("1")["members"][2].pop("features"),
     f"{MODE} x-odd: the tables have feature 'unstable'"),
    ("a member's feature is not recorded", lambda c: c.its_member("4", "d").update(features=["deprecated"]),
     f"{ON}.d: QEMU has feature 'deprecated', the tables do not"),
    ("a flag of the tables", lambda c: c.named("events", "WENT").update(deprecated=False),
     "event WENT: deprecated is false in the tables"),
    ("a condition of the tables", lambda c: c.member("Node", "lin").update(conditional=False),
     f"{NODE}.lin: conditional is false in the tables"),
    ("a condition holds here and not there", lambda c: c.its("7")["variants"].append({"case": "win", "type": "0"}),
     f"{MODE} win: condition WIN is false here and not at Uni"),
    ("a condition holds, and a part of it does not", lambda c: c.reply.append(
        entity("command", "win-only", arg_type="0", ret_type="11")),
     "schema win-only: condition all(WIN,LIN) is true, and"),
    ("a type that nothing leads to", lambda c: c.reply.append(enum("99", "x", "y")),
     "QEMU's type 99: nothing in the tables leads to this enum of x, y"),
    ("what is left over is not the same", lambda c: c.its("11")["members"].append({"name": "c"}) or
     c.its("11")["values"].append("c"), "QEMU's type 11: nothing in the tables leads to this enum of a, b, c"),
]


def test_agreement():
    """what is the same has no differences"""
    for release in ("1.0", "2.0"):
        same(Case(release).differences(), [], f"release {release}")
    same(Case("1.0").reply == Case("2.0").reply, False, "answers of the releases")
    other = Case("1.0")
    other.reply = answer_of("2.0")
    check(len(other.differences()) >= 5, "the answer of another release is taken")


def test_mistakes():
    """each mistake is reported"""
    for title, spoil, wanted in MISTAKES:
        case = Case()
        spoil(case)
        found = case.differences()
        check([line for line in found if line.startswith(wanted)], f"{title}: {wanted!r} is not in {found}")


def test_ledger():
    """tables that say otherwise than the ledger are reported"""
    wanted = tables.Writer(PROTOCOL).document()
    same(list(tables.differences(copy.deepcopy(wanted), wanted)), [], "the same")
    for path, spoil in (
            ("command set.no_reply: the tables say true, the ledger false",
             lambda c: c.named("commands", "set").update(no_reply=True)),
            ("command set.open", lambda c: c.named("commands", "set").pop("open")),
            ("type Uni.members[n].type: the tables say \"uint16\", the ledger \"uint8\"",
             lambda c: c.member("Uni", "n").update(type="uint16")),
            ("type Mode.values[on].number", lambda c: c.named("types", "Mode")["values"][0].update(number=7)),
            ("type Mode: is in the ledger and not", lambda c: without(c.document["types"], "Mode")),
            ("type New: is in the tables and not", lambda c: c.document["types"].append({"name": "New"})),
            ("commands: a name stands twice", lambda c: c.document["commands"].append(c.document["commands"][0]))):
        case = Case()
        spoil(case)
        found = list(tables.differences(case.document, wanted))
        check(len(found) == 1 and found[0].startswith(path), f"{path}: {found}")


def test_agent():
    """an agent that says otherwise is reported"""
    view = introspection.Tables(Case().document, PROTOCOL, "2.0")
    listed = [{"name": name, "success-response": name != "late"} for name in ("get", "late", "more")]
    same(introspection.AgentComparison(view).run({"supported_commands": listed}).differences, [
        "guest-info: QEMU has command 'more', the tables do not",
        "guest-info: the tables have command 'set', QEMU does not",
        "command late: the tables say otherwise than the agent whether it answers"], "differences")


class FakeMonitor:
    """Knows the ranges of Uni.n and Node.many, or believes in others."""

    def __init__(self, **ranges):
        self.ranges = {"n": (0, 255), "many": (-2**63, 2**63 - 1)} | ranges
        self.seen = []

    def ask(self, command, arguments):
        check(UNKNOWN in arguments, f"{command} could be carried out")
        self.seen.append((command, arguments))
        return {"error": {"desc": self.complaint(arguments)}}

    def complaint(self, value):
        for name, inner in value.items():
            low, high = self.ranges.get(name, (0, 0))
            for number in inner if isinstance(inner, list) else [inner]:
                if isinstance(number, int) and name in self.ranges and not low <= number <= high:
                    return f"Parameter '{name}' is out of range"
                if isinstance(number, dict) and UNKNOWN not in self.complaint(number):
                    return self.complaint(number)
        return f"Parameter '{UNKNOWN}' is unexpected"


def test_ranges():
    """each integer is tried at its ends, and another width is reported"""
    view = introspection.Tables(Case().document, PROTOCOL, "2.0")

    def differences(monitor):
        return Ranges(view, {"WIN": False, "all(WIN,LIN)": False}, monitor).run().differences

    monitor = FakeMonitor()
    same(differences(monitor), [], "differences")
    same([arguments["n"] for _, arguments in monitor.seen if arguments.get("n")], [255, -1, 256], "values of n")
    check(("get", {"ref": {"next": [], "lin": False, "many": [2**63]}, UNKNOWN: 0}) in monitor.seen, "in a reference")
    check(all("win" not in arguments.values() for _, arguments in monitor.seen), "a value that QEMU lacks was sent")
    for ranges, wanted in (({"n": (0, 65535)}, 1), ({"n": (-128, 127)}, 2), ({"many": (0, 2**64 - 1)}, 2)):
        same(len(differences(FakeMonitor(**ranges))), wanted, f"differences for {ranges}")


# --- the real tables ---

def spoilers(document, view, named):
    """(path, what spoils one thing of the tables that this QEMU shows, what mends it)"""
    types = {type_["name"]: type_ for type_ in document["types"]}
    for name in sorted(named - {introspection.EMPTY}):
        type_ = types.get(name)
        if not type_ or type_["kind"] == "alternate":
            continue
        if type_["kind"] == "enum":
            for value in type_["values"]:
                if view.has(value) and not view.condition(view.values(type_)[value["name"]]):
                    yield f"{name} {value['name']}: rename", value, {"name": value["name"] + "-x"}
            continue
        for entry, _, form in view.members(type_).values():
            if view.condition(form):
                continue
            path = f"{name}.{entry['name']}: "
            yield path + "rename", entry, {"name": entry["name"] + "-x"}
            yield path + "list", entry, {"array": not entry["array"]}
            yield path + "kind", entry, {"kind": "bool" if entry["kind"] != "bool" else "str", "type": None}
            if not form.may_be_absent or "optional" in view.state(form):
                yield path + "optional", entry, {"optional": not entry["optional"]}
    for kind, calls in (("command", view.commands), ("event", view.events)):
        for name, call in calls.items():
            if not view.condition(view.calls[name]):
                yield f"{kind} {name}: rename", call, {"name": name + "-x"}


def test_real():
    """real tables with one mistake differ from QEMU's answer"""
    program = shutil.which("qemu-system-x86_64") or shutil.which("qemu-system-aarch64")
    if not program:
        raise Skip("no QEMU is installed")
    protocol = tables.load_ledger("qmp")
    with live.Monitor(program) as monitor:
        release, reply = monitor.release, monitor.execute("query-qmp-schema")
    if release not in protocol.releases:
        raise Skip(f"release {release} is not recorded")
    document = tables.from_ledger("qmp")

    def compare():
        return introspection.Comparison(introspection.Tables(document, protocol, release), reply).run()

    result = compare()
    same(result.differences, [], "differences without a mistake")
    mistakes = list(spoilers(document, introspection.Tables(document, protocol, release), set(result.masked)))
    check(len(mistakes) > 5000, f"{len(mistakes)} mistakes")
    for path, entry, wrong in mistakes[::len(mistakes) // 60]:
        right = {key: entry[key] for key in wrong}
        entry.update(wrong)
        check(compare().differences, f"{path}: was not reported")
        entry.update(right)


if __name__ == "__main__":
    run_all([test_agreement, test_mistakes, test_ledger, test_agent, test_ranges, test_real])
