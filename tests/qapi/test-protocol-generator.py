#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""From ledger to C: what a program was compiled against stays, and what cannot be generated is said with advice."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [os.path.join(ROOT, "qapi"), os.path.join(ROOT, "qapi", "generate"), os.path.join(ROOT, "tests", "apps")]

import ledger  # noqa: E402
import ledger_text  # noqa: E402
import protocol  # noqa: E402
import tap  # noqa: E402

TOY = """ledger qmp
release 1.0 1.0.0
release 2.0 2.0.0

enum Colour colour @1.0
\tvalue red red 0 @1.0
\tvalue blue blue 1 @2.0

object Base base @1.0
\tmember colour colour Colour @1.0
\tunion colour u @1.0
\tbranch red red Red @1.0
\tmember count count uint16 @1.0 optional has

object Red red @1.0
\tmember default default_ str @1.0 optional

alternate RedOrStr red_or_str @1.0
\tbranch red red Red @1.0
\tbranch text text str @1.0

command get-base get_base @1.0 returns=Base
\tmember which which RedOrStr @1.0 optional

command get-reds get_reds @2.0 returns=[Red] features=unstable

event PAINTED painted @1.0
\tmember names names [str] @1.0
"""


def files_of(text):
    built = ledger.build(ledger_text.parse(text, "toy.ledger"))
    built.name_of_peer = "QEMU"
    names = protocol.Names(built)
    layout = protocol.Layout(names)
    return {"types": protocol.TypesHeader(names, layout).text(), "commands": protocol.commands_header(names, layout),
            "events": protocol.events_header(names), "tables": protocol.Tables(names, layout).build().text(),
            "functions": protocol.functions(names, layout)}


def squeezed(text):
    return re.sub(r"\s+", " ", text)


def numbers(text):
    return dict(re.findall(r"(UTM_QMP_\w+) = (\w+)", text))


def check(what, condition, said=""):
    tap.check(condition, what + (": " + said if said else ""))


def failure(text):
    try:
        files_of(text)
    except (ledger.LedgerError, protocol.GeneratorError) as problem:
        return str(problem)
    return ""


def test_shape():
    """each kind of thing in C"""
    files = files_of(TOY)
    types, commands, events = squeezed(files["types"]), squeezed(files["commands"]), squeezed(files["events"])
    check("a union: tag, pointers of branches, then what was appended",
            "int32_t colour;" in types and "union { /** `red`. */ UtmQmpRed *red; } u;" in types
            and types.index("} u;") < types.index("bool has_count; uint16_t count;"))
    check("keywords are escaped", "char *default_;" in types)
    check("an alternate counts its branches from 1",
            "UTM_QMP_RED_OR_STR_RED = 1, UTM_QMP_RED_OR_STR_TEXT = 2" in types)
    check("an enumeration has its sentinel and the recorded numbers",
            "UTM_QMP_COLOUR_UNRECOGNIZED = -1, UTM_QMP_COLOUR_RED = 0," in types)
    check("releases and features are told",
            "`blue`. In QEMU 2.0, not in 1.0." in types
          and "`get-reds`: no arguments. In QEMU 2.0, not in 1.0. Unstable." in commands)
    check("a command with an object, one with a list",
            "UtmQmpBase **ret_result, UtmError **error);" in commands
            and "UtmQmpRedList **ret_result, UtmError **error);" in commands)
    check("an event has a number and its data",
            "UTM_QMP_EVENT_PAINTED = 0" in events and "const UtmQmpPaintedEvent *utm_qmp_event_get_painted" in events)
    check("a list in an event", "size_t names_count; char **names;" in types)
    check("the same ledger gives the same text", files == files_of(TOY))


def test_growth():
    """Another release, with a new type, value, member and command: all that was there keeps its number and place."""
    grown = TOY.replace("release 2.0 2.0.0\n", "release 2.0 2.0.0\nrelease 3.0 3.0.0\n")
    grown = grown.replace("\tvalue blue blue 1 @2.0\n", "\tvalue blue blue 1 @2.0\n\tvalue amber amber 2 @3.0\n")
    grown = grown.replace("optional has\n\nobject Red", "optional has\n\tmember area area int @3.0 optional has\n\nobject Red")
    grown = grown.replace("member default default_ str @1.0 optional", "member default default_ str @1.0 optional @3.0 gone optional")
    grown += "\nobject New new @3.0\n\tmember x x int @3.0\n\ncommand get-new get_new @3.0 returns=[New]\n"
    before, after = files_of(TOY), files_of(grown)
    for part in ("types", "commands", "events"):
        old, new = numbers(before[part]), numbers(after[part])
        check(f"{part}: numbers stay", old and all(new.get(name) == value for name, value in old.items()))
    body = re.search(r"struct UtmQmpBase \{.*?\n\};", after["types"], re.S).group(0)
    check("a member comes behind the others", body.index("count;") < body.index("has_area;") < body.index("int64_t area;"))
    check("a member that is gone keeps its place", "char *default_;" in after["types"] and "In QEMU 2.0, not in 3.0." in after["types"])


def test_base64():
    """the table of base64 members names what there is"""
    for stem, owners in protocol.BASE64.items():
        recorded = ledger.load(os.path.join(ROOT, "qapi", f"{stem}.ledger"))
        things = {thing.name: thing for thing in recorded.objects}
        things.update({call.name: call.args for call in recorded.commands if call.args and call.args.owner})
        for owner, names in owners.items():
            strings = {member.name for member in things[owner].members if member.type.name == "str"}
            check(f"{owner}", strings.issuperset(names), f"{sorted(set(names) - strings)}")


def test_failures():
    """what cannot be generated is refused with advice"""
    cases = (
        ("a reserved word", TOY.replace("default_", "default"), "Record it as 'default_'"),
        ("a type that nobody recorded", TOY.replace("which which RedOrStr", "which which Green"), "type 'Green' is not recorded"),
        ("two members of one name in C", TOY.replace("member count count", "member colour-2 colour"), "called 'colour' in C"),
        ("a name that is none in C", TOY.replace("get-base get_base", "get-base get-base"), "is no name in C"),
        ("a list and a type of one name", TOY + "\nobject RedList red_list @2.0\n\tmember x x int @2.0\n"
         "\ncommand use-it use_it @2.0 args=RedList\n", "make the type 'RedList'"),
        ("constants of an alternate and an enum", TOY + "\nenum RedOr red_or @2.0\n\tvalue str-red str_red 0 @2.0\n"
         "\ncommand use-it use_it @2.0\n\tmember x x RedOr @2.0\n", "make the constant 'red_or_str_red'"),
    )
    for what, text, expected in cases:
        said = failure(text)
        check(what, expected in said, said or "nothing was said")


def test_real_ledgers():
    """the real ledgers"""
    for stem in ("qmp", "qga"):
        files = protocol.generate(os.path.join(ROOT, "qapi", stem + ".ledger"))
        built = ledger.load(os.path.join(ROOT, "qapi", stem + ".ledger"))
        declared = set(re.findall(rf"UTM_API int (utm_{stem}_\w+)\(", files[f"{stem}-commands.h"]))
        wanted = {f"utm_{stem}_{c.c_name}{end}" for c in built.commands for end in ("", "_async")}
        check(f"{stem}: each command in both forms, and nothing else", declared == wanted)
        check(f"{stem}: nothing that a comment must not hold", "*/ */" not in "".join(files.values()))


if __name__ == "__main__":
    tap.run_all([test_shape, test_growth, test_base64, test_failures, test_real_ledgers])
