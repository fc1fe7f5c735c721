# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a ledger to C: public headers of types, commands and events, the engine's tables, and the functions of commands.

Usage: python3 qapi/generate/protocol.py LEDGER DIRECTORY STEM. Doc comments are made of the ledger's facts alone.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import ledger  # noqa: E402
from c_backend import NONE, Strings, rows, table  # noqa: E402
from names import camel  # noqa: E402

# Public numbers of the schemas, above the type in UtmStructHeader.type; 0 belongs to the private ones.
SCHEMA_NUMBERS = {"qmp": 1, "qga": 2}
HANDLES = {"qmp": ("UtmQmp", "qmp"), "qga": ("UtmGuest", "guest")}
PEERS = {"qmp": "QEMU", "qga": "the guest agent"}
INTEGERS = {"int": "int64_t", "size": "uint64_t",
            **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}}
BUILTINS = {"str": "char *", "number": "double", "bool": "bool", "any": "UtmValue *", **INTEGERS}
KINDS = {"str": "UTM_SCHEMA_STRING", "number": "UTM_SCHEMA_NUMBER", "bool": "UTM_SCHEMA_BOOL", "any": "UTM_SCHEMA_ANY",
         "null": "UTM_SCHEMA_NULL", **{name: "UTM_SCHEMA_INT" for name in INTEGERS}}
# Members whose text is base64, which the schema says nowhere but in words.
BASE64 = {
    "qmp": {"SecretCommonProperties": ("iv",), "SecretProperties": ("iv",), "SecretKeyringProperties": ("iv",),
            "SevCapability": ("pdh", "cert-chain", "cpu0-id"), "SevLaunchMeasureInfo": ("data",),
            "SevAttestationReport": ("data",), "sev-inject-launch-secret": ("packet-header", "secret"),
            "query-sev-attestation-report": ("mnonce",),
            "SevSnpGuestProperties": ("guest-visible-workarounds", "id-block", "id-auth", "host-data")},
    "qga": {"GuestFileRead": ("buf-b64",), "guest-file-write": ("buf-b64",), "guest-set-user-password": ("password",),
            "GuestExecStatus": ("out-data", "err-data"), "guest-exec": ("input-data",)},
}
RELEASES_MAX = 15
TYPES_MAX = 0x8000


class GeneratorError(Exception):
    pass


def spaced(c_type):
    return c_type if c_type.endswith("*") else c_type + " "


class Names:
    def __init__(self, protocol):
        self.protocol = protocol
        self.stem = protocol.name
        self.type_prefix = "Utm" + camel(self.stem)
        self.lower = f"utm_{self.stem}_"
        self.upper = f"UTM_{self.stem.upper()}_"
        self.handle, self.handle_name = HANDLES[self.stem]

    def type(self, thing):
        return self.type_prefix + thing.name

    def args(self, call):
        """The type of a call's arguments, which every call has, be it one without a member."""
        suffix = "Args" if isinstance(call, ledger.Command) else "Event"
        return self.type_prefix + camel(call.c_name) + suffix

    def constant(self, thing, value_c_name):
        return f"{self.upper}{thing.c_name.upper()}_{value_c_name.upper()}"

    def type_number(self, thing):
        return f"{self.upper}TYPE_{thing.c_name.upper()}"

    def element(self, type_):
        """One value of a type in C."""
        if type_.kind == "enum":
            return "int32_t"
        if type_.kind == "builtin":
            return BUILTINS[type_.name]
        return self.type(type_.of) + " *"


# --- what a later release of the ledger says of a thing ---

def facts_of(protocol, thing):
    """Words about a thing for a doc comment."""
    words = []
    releases, peer = protocol.releases, protocol.name_of_peer
    # Only these releases were looked at; what those between them have is not known here.
    if thing.since != releases[0]:
        words.append(f"In {peer} {thing.since}, not in {releases[releases.index(thing.since) - 1]}.")
    if thing.until:
        words.append(f"In {peer} {thing.until}, not in {releases[releases.index(thing.until) + 1]}.")
    if thing.condition:
        words.append(f"Where built with {condition_text(thing.condition)}.")
    words += [word for word, is_set in (("Deprecated.", thing.deprecated), ("Unstable.", thing.unstable)) if is_set]
    return words


def condition_text(condition):
    return "`" + condition.replace(",", ", ") + "`"


def is_base64(names, owner, member):
    return member.name in BASE64[names.stem].get(owner.owner.name if owner.owner else owner.name, ())


def member_words(names, owner, member, tag_of_union):
    protocol = names.protocol
    words = [f"`{member.name}`."] if member.name != member.c_name else []
    if member.type.kind == "enum":
        words.append(f"See #{names.type(member.type.of)}.")
    if member.type.is_array:
        words.append("A list.")
    if is_base64(names, owner, member):
        words.append("In base64: see utm_base64_decode().")
    if tag_of_union:
        words.append("Chooses the branch.")
    if member.optional and member.flag and not member.type.is_array:
        words.append("Optional: see #UTM_SET.")
    elif member.optional:
        words.append("Optional.")
    elif member.may_be_absent:
        words.append("May be absent.")
    if member.successor:
        words.append(f"Its type changed: see `{member.successor.c_name}`.")
    return words + facts_of(protocol, member)


def flat_names(thing):
    """Names that an object's braces may hold: its own and those of its branches."""
    names = {member.name for member in thing.members}
    return names.union(*(flat_names(branch.type.of) for branch in thing.branches))


def shares_keys(union):
    """Whether a key is the union's and a branch's, because it moved from one to the other; here or in a branch."""
    own = {member.name for member in union.members}
    return any(own & flat_names(branch.type.of) or shares_keys(branch.type.of) for branch in union.branches)


def snake_of(names, command):
    """The stem of the functions of a command's arguments, under the command's name."""
    return f"{names.lower}{command.c_name}_args"


def comment(words, indent=""):
    return [f"{indent}/** {' '.join(words)} */"] if words else []


# --- the header of types ---

class TypesHeader:
    def __init__(self, names, layout):
        self.names = names
        self.protocol = names.protocol
        self.layout = layout

    def text(self):
        names, protocol = self.names, self.protocol
        peer = PEERS[names.stem]
        out = [made_by(names), "/**", f" * @file {names.stem}-types.h",
               f" * Every type of {peer}'s schema that a command or an event leads to. `struct.h` says how to use them.",
               " */", *guard(names, "types"), "#include <utm/struct.h>", "#include <utm/value.h>", "", "UTM_BEGIN_DECLS", ""]
        out += ["/** Numbers of the types. */", f"typedef enum {names.type_prefix}Type {{"]
        for number, thing in self.layout.numbered():
            out.append(f"\t{names.type_number(thing)} = {self.layout.public_number(number):#x},")
        out[-1] = out[-1].rstrip(",")
        out += [f"}} {names.type_prefix}Type;", ""]
        for enum in self.layout.enums():
            out += self.enum(enum)
        structs = self.layout.structs()
        out += [f"typedef struct {names.type(s)} {names.type(s)};" for s in structs]
        out += [f"typedef struct {w.c_type} {w.c_type};" for w in self.layout.lists()] + [""]
        for thing in structs:
            out += self.struct(thing) if isinstance(thing, ledger.Object) else self.alternate(thing)
        for wrapper in self.layout.lists():
            out += self.list(wrapper)
        out += self.aliases()
        out += ["/* The functions of each type: see UTM_DEFINE_STRUCT, UTM_DEFINE_LIST and UTM_DEFINE_ENUM. */"]
        out += [f"UTM_DEFINE_ENUM({names.lower}{e.c_name}, {names.type_number(e)})" for e in self.layout.enums()]
        out += [f"UTM_DEFINE_STRUCT({names.type(s)}, {names.lower}{s.c_name}, {names.type_number(s)})" for s in structs]
        out += [f"UTM_DEFINE_STRUCT({names.args(call)}, {snake_of(names, call)}, {names.type_number(call.args)})"
                for call in self.protocol.commands if call.args and not call.args.owner]
        out += [f"UTM_DEFINE_LIST({w.c_type}, {names.lower}{w.element.of.c_name}_list, {names.type_number(w.element.of)})"
                for w in self.layout.lists()]
        return "\n".join(out + ["", "UTM_END_DECLS", "", "#endif", ""])

    def enum(self, enum):
        names = self.names
        out = comment([f"`{enum.name}`.", *facts_of(self.protocol, enum)])
        out += [f"typedef enum {names.type(enum)} {{", f"\t{names.constant(enum, ledger.UNRECOGNIZED)} = -1,"]
        for value in enum.values:
            words = [f"`{value.name}`.", *facts_of(self.protocol, value)]
            out.append(f"\t{names.constant(enum, value.c_name)} = {value.number}, /**< {' '.join(words)} */")
        return out + [f"}} {names.type(enum)};", ""]

    def struct(self, thing):
        names = self.names
        owner = f" of `{thing.owner.name}`" if thing.owner else ""
        what = {"Args": "Arguments", "Event": "Data"}.get(owner and thing.name[len(camel(thing.owner.c_name)):])
        words = [f"{what}{owner}." if what else f"`{thing.name}`."]
        words += [f"Also called `{alias}`." for alias in thing.aliases]
        out = comment(words + facts_of(self.protocol, thing))
        out += [f"struct {names.type(thing)} {{", "\tUtmStructHeader header;"]
        tag = thing.union.tag if thing.union else None
        for item in self.layout.fields(thing):
            if isinstance(item, ledger.Flag):
                out += [f"\t/** Whether `{item.member.c_name}` is there. */", f"\tbool {item.c_name};"]
            elif isinstance(item, ledger.Union):
                out += self.union(thing, item)
            elif isinstance(item, ledger.Branch):
                out += [f"\t/** Another form of the branch `{item.name}`. */",
                        f"\t{names.type(item.type.of)} *{item.c_name};"]
            else:
                out += comment(member_words(names, thing, item, item is tag), "\t")
                out += ["\t" + line for line in self.member(item)]
        return out + ["};", ""]

    def member(self, member):
        element = self.names.element(member.type)
        if member.type.is_array:
            return [f"size_t {member.c_name}_count;", f"{spaced(element)}*{member.c_name};"]
        flag = [f"bool {member.flag};"] if member.flag_is_own else []
        return flag + [f"{spaced(element)}{member.c_name};"]

    def union(self, thing, union):
        out = [f"\t/** By `{union.tag.c_name}`; other values have no further members. */", "\tunion {"]
        for branch in thing.branches:
            if not branch.is_successor:
                value = next(value for value in union.tag.type.of.values if value.name == branch.name)
                late = ["May be absent."] if ledger.is_late(self.protocol, thing, branch, value) else []
                out += comment([f"`{branch.name}`.", *late, *facts_of(self.protocol, branch)], "\t\t")
                out.append(f"\t\t{self.names.type(branch.type.of)} *{branch.c_name};")
        return out + [f"\t}} {union.c_name};"]

    def alternate(self, thing):
        names = self.names
        out = [f"/** Which member of a #{names.type(thing)} counts. */", f"typedef enum {names.type(thing)}Choice {{"]
        out += [f"\t{names.constant(thing, branch.c_name)} = {number}," for number, branch in enumerate(thing.branches, 1)]
        out[-1] = out[-1].rstrip(",")
        out += [f"}} {names.type(thing)}Choice;", ""]
        out += comment([f"`{thing.name}`: one of several kinds of value.", *facts_of(self.protocol, thing)])
        out += [f"struct {names.type(thing)} {{", "\tUtmStructHeader header;",
                f"\t/** See #{names.type(thing)}Choice. */", "\tint32_t choice;"]
        for branch in thing.branches:
            if branch.type.name != "null":
                out += ["\t" + line for line in self.branch_of_alternate(branch)]
        return out + ["};", ""]

    def branch_of_alternate(self, branch):
        element = self.names.element(branch.type)
        if branch.type.is_array:
            return [f"size_t {branch.c_name}_count;", f"{spaced(element)}*{branch.c_name};"]
        return [f"{spaced(element)}{branch.c_name};"]

    def list(self, wrapper):
        element = self.names.element(wrapper.element)
        return [f"/** A list of `{wrapper.element.name}`, the result of a command. */", f"struct {wrapper.c_type} {{",
                "\tUtmStructHeader header;", "\tsize_t count;", f"\t{spaced(element)}*items;", "};", ""]

    def aliases(self):
        """Calls whose arguments have a name in the schema, or which have none."""
        names = self.names
        out = []
        for call in self.protocol.commands + self.protocol.events:
            if call.args and not call.args.owner:
                out.append(f"typedef {names.type(call.args)} {names.args(call)};")
            elif not call.args:
                out.append(f"typedef struct {names.args(call)} {names.args(call)}; /* `{call.name}` has none */")
        return out + [""]


# --- the headers of commands and events ---

def commands_header(names, layout):
    peer = PEERS[names.stem]
    out = [made_by(names), "/**", f" * @file {names.stem}-commands.h",
           f" * Every command of {peer}, each in a blocking and an asynchronous form.", " *",
           " * `args` may be NULL where no argument is required. `options` (nullable) may change the deadline, carry a",
           " * UtmCancel and more. A result (transfer full) is left untouched on failure.", " *",
           " * The blocking form returns 0 or what utm_qmp_execute() returns, and besides:" if names.stem == "qmp" else
           " * The blocking form returns 0 or what utm_guest_execute() returns, and besides:",
           " * #UTM_ERROR_INVALID_ARGUMENT, with the key path, for arguments that cannot be sent;",
           f" * #UTM_ERROR_QMP_UNSUPPORTED when the connected peer lacks the command, or something in the arguments;",
           " * #UTM_ERROR_QMP_MALFORMED, with the key path, when its answer does not fit the type.", " *",
           " * The asynchronous form returns 0 or #UTM_ERROR_INVALID_ARGUMENT; everything later comes to `fn`, which calls",
           " * the `_finish` of the same command for the result and the error.", " *",
           " * @thread any but the wakeup callback for the blocking form, which blocks; any for the others", " */",
           *guard(names, "commands"), f"#include <utm/{names.stem}-types.h>",
           f"#include <utm/{'qmp' if names.stem == 'qmp' else 'guest'}.h>", "", "UTM_BEGIN_DECLS", ""]
    out += ["/** Numbers of the commands. */", f"typedef enum {names.type_prefix}Command {{"]
    for number, command in enumerate(names.protocol.commands):
        out.append(f"\t{names.upper}COMMAND_{command.c_name.upper()} = {layout.public_number(number):#x},")
    out[-1] = out[-1].rstrip(",")
    out += [f"}} {names.type_prefix}Command;", ""]
    for command in names.protocol.commands:
        out += command_declarations(names, layout, command)
    return "\n".join(out + ["UTM_END_DECLS", "", "#endif", ""])


def command_words(names, command):
    args = "no arguments" if not command.args else f"#{names.args(command)}"
    if command.args and not command.args_optional:
        args += ", required"
    words = [f"`{command.name}`: {args}."]
    if command.open:
        words.append("Takes more members than are declared: see utm_struct_set_extra().")
    words += [text for text, is_set in (("May go out of band.", command.oob), ("Allowed before `x-exit-preconfig`.", command.preconfig),
                                        ("Has no answer but an error.", not command.has_reply)) if is_set]
    return words + facts_of(names.protocol, command)


def signature(names, layout, command):
    """(blocking, asynchronous) without the semicolon."""
    stem = names.lower + command.c_name
    first = f"{names.handle} *{names.handle_name}, const {names.args(command)} *args, const UtmQmpCallOptions *options"
    result = layout.result(command)
    out = f", {spaced(result)}*ret_result" if result else ""
    return (f"int {stem}({first}{out}, UtmError **error)",
            f"int {stem}_async({first}, UtmCallFunc fn, void *user_data, UtmFreeFunc free_fn, UtmError **error)")


def command_declarations(names, layout, command):
    result = layout.result(command)
    blocking, asynchronous = signature(names, layout, command)
    out = ["/** " + " ".join(command_words(names, command)) + " */"]
    out += [f"UTM_API {blocking};", f"/** {names.lower}{command.c_name}(), not waiting. */", f"UTM_API {asynchronous};"]
    parameter = f", {spaced(result)}*ret_result" if result else ""
    given = "ret_result" if result else "NULL"
    return out + [f"static inline int {names.lower}{command.c_name}_finish(UtmCallResult *result{parameter}, "
                  "UtmError **error)", "{",
                  f"\treturn utm_call_result_finish(result, {names.upper}COMMAND_{command.c_name.upper()}, {given}, error);", "}", ""]


def events_header(names):
    events = names.protocol.events
    out = [made_by(names), "/**", f" * @file {names.stem}-events.h",
           " * Every event of QEMU. #UtmQmpEvent.id says which one it is, #UtmQmpEvent.payload has its data.", " */",
           *guard(names, "events"), f"#include <utm/{names.stem}-types.h>", f"#include <utm/{names.stem}.h>", "",
           "UTM_BEGIN_DECLS", "", "/** Events. */", f"typedef enum {names.type_prefix}EventId {{",
           f"\t{names.upper}EVENT_UNRECOGNIZED = -1, /**< One that the library does not know. */"]
    for number, event in enumerate(events):
        words = [f"`{event.name}`.", *facts_of(names.protocol, event)]
        out.append(f"\t{names.upper}EVENT_{event.c_name.upper()} = {number}, /**< {' '.join(words)} */")
    out += [f"}} {names.type_prefix}EventId;", ""]
    for event in events:
        if event.args:
            out += [f"/** The data of `{event.name}`. @return (nullable) NULL for another event, and when its data was not "
                    "understood */",
                    f"static inline const {names.args(event)} *{names.lower}event_get_{event.c_name}"
                    f"(const UtmQmpEvent *event)", "{",
                    f"\treturn event->id == {names.upper}EVENT_{event.c_name.upper()} "
                    f"? (const {names.args(event)} *)event->payload : NULL;", "}"]
    return "\n".join(out + ["", "UTM_END_DECLS", "", "#endif", ""])


def guard(names, part):
    macro = f"UTM_{names.stem.upper()}_{part.upper()}_H"
    return [f"#ifndef {macro}", f"#define {macro}", ""]


def made_by(names):
    return f"/* Made by qapi/generate from qapi/{names.stem}.ledger. Do not edit. */"


# --- functions of commands ---

def functions(names, layout):
    call = f"utm__{names.handle_name}_call"
    out = [made_by(names), f'#include "{names.handle_name}/typed.h"', "", f"#include <utm/{names.stem}-commands.h>", ""]
    for number, command in enumerate(names.protocol.commands):
        blocking, asynchronous = signature(names, layout, command)
        result = "ret_result" if layout.result(command) else "NULL"
        out += [blocking, "{", f"\treturn {call}({names.handle_name}, {number}, args, options, {result}, error);", "}", "",
                asynchronous, "{",
                f"\treturn {call}_async({names.handle_name}, {number}, args, options, fn, user_data, free_fn, error);", "}", ""]
    return "\n".join(out)


# --- the order of things in the tables ---

class Wrapper:
    """The result of a command that is no object: a list, or a scalar."""

    def __init__(self, names, type_, number):
        self.element = ledger.Type(type_.name, type_.of)
        self.is_list = type_.is_array
        self.number = number
        element = names.element(self.element)
        if self.is_list:
            self.c_type = names.type(type_.of) + "List"
            self.name = type_.name + "List"
        else:
            self.c_type = "Result" + camel(type_.name)
            self.name = type_.name
            self.c_result = element


class Layout:
    """Numbers of types: a block's place in the ledger, and behind them the wrappers, whose numbers nobody sees."""

    def __init__(self, names):
        self.names = names
        self.protocol = names.protocol
        self.blocks = self.protocol.blocks
        self.numbers = {}
        for number, block in enumerate(self.blocks):
            self.numbers[id(block)] = number
            if isinstance(block, ledger.Call) and block.args and block.args.owner is block:
                self.numbers[id(block.args)] = number
        self.wrappers = {}
        for command in self.protocol.commands:
            type_ = command.returns
            if type_ and (type_.is_array or type_.kind != "object"):
                key = (type_.name, type_.is_array)
                if key not in self.wrappers:
                    self.wrappers[key] = Wrapper(names, type_, len(self.blocks) + len(self.wrappers))
        if len(self.blocks) + len(self.wrappers) >= TYPES_MAX or len(self.protocol.releases) > RELEASES_MAX:
            raise GeneratorError(f"{names.stem}: too many types or releases: widen the numbers in src/schema/schema.h")
        self.check()

    def check(self):
        """Constants and types that the ledger does not know of must not collide with those that it checked."""
        constants = [name for name, _ in self.protocol.constants()]
        for alternate in self.protocol.alternates:
            constants += [f"{alternate.c_name}_{branch.c_name}" for branch in alternate.branches]
        constants += [f"event_{event.c_name}" for event in self.protocol.events]
        constants += [f"type_{thing.c_name}" for _, thing in self.numbered()]
        constants += [f"command_{command.c_name}" for command in self.protocol.commands]
        types = [thing.name for thing in self.enums() + self.structs()] + [w.name for w in self.lists()]
        types += [a.name + "Choice" for a in self.protocol.alternates] + ["Type", "Command", "EventId"]
        types += [self.names.args(call).removeprefix(self.names.type_prefix)
                  for call in self.protocol.commands + self.protocol.events if not call.args or not call.args.owner]
        for what, all_names in (("constant", constants), ("type", types)):
            seen = set()
            for name in all_names:
                if name in seen:
                    raise GeneratorError(f"{self.names.stem}: two things make the {what} '{name}'\n  Give the newer one "
                                         "another name in qapi/import/naming.py and import its release again.")
                seen.add(name)

    def public_number(self, number):
        return SCHEMA_NUMBERS[self.names.stem] << 16 | number

    def number(self, thing):
        return self.numbers[id(thing)]

    def row_thing(self, block):
        """What stands in the tables for a block; None when its number is only kept."""
        if isinstance(block, ledger.Call):
            return block.args if block.args and block.args.owner is block else None
        return block if block.reachable else None

    def numbered(self):
        for number, block in enumerate(self.blocks):
            thing = self.row_thing(block)
            if thing:
                yield number, thing

    def enums(self):
        return [thing for _, thing in self.numbered() if isinstance(thing, ledger.Enum)]

    def structs(self):
        return [thing for _, thing in self.numbered() if not isinstance(thing, ledger.Enum)]

    def lists(self):
        return [wrapper for wrapper in self.wrappers.values() if wrapper.is_list]

    def fields(self, thing):
        """Fields in the order of the ledger's lines; a later form of a branch is a field of its own."""
        items = {id(item.line): item for item in thing.members + [b for b in thing.branches if b.is_successor]}
        others = iter([item for item in thing.fields if not isinstance(item, ledger.Member)])
        for line in thing.line.lines:
            if id(line) in items:
                yield items[id(line)]
            elif line.kind in ("flag", "union"):
                yield next(others)

    def returns_row(self, command):
        type_ = command.returns
        if not type_:
            return None
        wrapper = self.wrappers.get((type_.name, type_.is_array))
        return wrapper.number if wrapper else self.number(type_.of)

    def result(self, command):
        """What `ret_result` points to; None without a result."""
        type_ = command.returns
        if not type_:
            return None
        wrapper = self.wrappers.get((type_.name, type_.is_array))
        if not wrapper:
            return self.names.type(type_.of) + " *"
        return wrapper.c_type + " *" if wrapper.is_list else wrapper.c_result


# --- tables ---

class Tables:
    def __init__(self, names, layout):
        self.names = names
        self.protocol = names.protocol
        self.layout = layout
        self.strings = Strings()
        self.values, self.value_spans, self.sorted = [], [], []
        self.members, self.branches, self.types = [], [], []

    def build(self):
        for block in self.layout.blocks:
            thing = self.layout.row_thing(block)
            adders = {ledger.Enum: self.enum, ledger.Object: self.object, ledger.Alternate: self.alternate}
            self.types.append(adders[type(thing)](thing) if thing else f"\t{{ .tag = {NONE} }},")
        self.types += [self.wrapper(wrapper) for wrapper in self.layout.wrappers.values()]
        return self

    def span(self, thing):
        releases = self.protocol.releases
        until = releases.index(thing.until) if thing.until else RELEASES_MAX
        return f"UTM_SCHEMA_SPAN({releases.index(thing.since)}, {until})"

    def row(self, name, kind, first, count, named, size, tag=NONE, first_branch=0, branch_count=0, shared=False):
        by_name = len(self.sorted)
        self.sorted += [index for index, _ in sorted(named, key=lambda entry: entry[1])]
        return (f"\t{{ .name = {self.strings.add(name)}, .kind = {kind}, .first = {first}, .count = {count}, "
                f".by_name = {by_name}, .named_count = {len(named)},\n\t  .size = {size}, .tag = {tag}, "
                f".first_branch = {first_branch}, .branch_count = {branch_count}, .shares_keys = {int(shared)} }},")

    def enum(self, enum):
        first = len(self.values)
        self.values += [self.strings.add(value.name) for value in enum.values]
        self.value_spans += [self.span(value) + (" | UTM_SCHEMA_VALUE_CONDITIONAL" if value.condition else "")
                             for value in enum.values]
        named = [(value.number, value.name) for value in enum.values]
        return self.row(enum.name, "UTM_SCHEMA_ENUM", first, len(enum.values), named, 0)

    def object(self, thing):
        c_type = self.names.type(thing)
        first, members = len(self.members), thing.members
        if len(members) > 255:
            raise GeneratorError(f"'{thing.name}' has more than 255 members: widen UTM_SCHEMA_MEMBERS_MAX first")
        for index, member in enumerate(members):
            next_form = members.index(member.successor) - index if member.successor else 0
            self.members.append(self.member(c_type, member, next_form))
        named = [(index, member.name) for index, member in enumerate(members) if not member.is_successor]
        first_branch = len(self.branches)
        for branch in thing.branches:
            self.branches.append(self.branch(c_type, thing, branch))
        tag = members.index(thing.union.tag) if thing.union else NONE
        return self.row(thing.name, "UTM_SCHEMA_STRUCT", first, len(members), named, f"sizeof({c_type})", tag,
                        first_branch, len(thing.branches), shares_keys(thing))

    def kind_of(self, type_):
        if type_.kind == "enum":
            return "UTM_SCHEMA_ENUM", self.layout.number(type_.of)
        if type_.kind != "builtin":
            return "UTM_SCHEMA_STRUCT", self.layout.number(type_.of)
        if type_.name not in INTEGERS:
            return KINDS[type_.name], NONE
        unsigned = " | UTM_SCHEMA_INT_UNSIGNED" if INTEGERS[type_.name].startswith("u") else ""
        return KINDS[type_.name], f"sizeof({INTEGERS[type_.name]}){unsigned}"

    def member_row(self, name, type_, flags, span, offset, flag_offset, next_form=0):
        kind, type_number = self.kind_of(type_)
        flags = (["ARRAY"] if type_.is_array else []) + flags
        return (f"\t{{ .name = {self.strings.add(name)}, .kind = {kind}, .type = {type_number}, "
                f".flags = {' | '.join('UTM_SCHEMA_' + flag for flag in flags) or '0'}, .span = {span},\n"
                f"\t  .offset = {offset}, .flag_offset = {flag_offset}, .next_form = {next_form} }},")

    def member(self, c_type, member, next_form):
        flag = "0"
        if member.type.is_array:
            flag = f"offsetof({c_type}, {member.c_name}_count)"
        elif member.flag:
            flag = f"offsetof({c_type}, {member.flag})"
        flags = [name for name, is_set in (
            ("OPTIONAL", member.may_be_absent), ("CONDITIONAL", member.condition),
            ("OMIT", member.flag and member.flag.startswith("omit_")), ("DEPRECATED", member.deprecated),
            ("UNSTABLE", member.unstable)) if is_set]
        return self.member_row(member.name, member.type, flags, self.span(member), f"offsetof({c_type}, {member.c_name})",
                               flag, next_form)

    def branch(self, c_type, thing, branch):
        value = next(value for value in thing.union.tag.type.of.values if value.name == branch.name)
        place = branch.c_name if branch.is_successor else f"{thing.union.c_name}.{branch.c_name}"
        late = ", .late = 1" if ledger.is_late(self.protocol, thing, branch, value) else ""
        return (f"\t{{ .value = {value.number}, .type = {self.layout.number(branch.type.of)}, "
                f".offset = offsetof({c_type}, {place}){late} }},")

    def alternate(self, thing):
        c_type, first = self.names.type(thing), len(self.members)
        for branch in thing.branches:
            is_null = branch.type.name == "null"
            offset = "0" if is_null else f"offsetof({c_type}, {branch.c_name})"
            flag = f"offsetof({c_type}, {branch.c_name}_count)" if branch.type.is_array else "0"
            self.members.append(self.member_row(branch.name, branch.type, [], self.span(branch), offset, flag))
        named = [(index, branch.name) for index, branch in enumerate(thing.branches)]
        return self.row(thing.name, "UTM_SCHEMA_ALTERNATE", first, len(thing.branches), named, f"sizeof({c_type})",
                        f"offsetof({c_type}, choice)")

    def wrapper(self, wrapper):
        first, c_type = len(self.members), wrapper.c_type
        type_ = ledger.Type(wrapper.element.name, wrapper.element.of, wrapper.is_list)
        place, flag = ("items", f"offsetof({c_type}, count)") if wrapper.is_list else ("value", "0")
        self.members.append(self.member_row("", type_, [], "UTM_SCHEMA_SPAN_ALL", f"offsetof({c_type}, {place})", flag))
        return self.row(wrapper.name, "UTM_SCHEMA_WRAPPER", first, 1, [(0, "")], f"sizeof({c_type})")

    def call(self, call):
        args = self.layout.number(call.args) if call.args else NONE
        returns, flags = NONE, []
        if isinstance(call, ledger.Command):
            returns = NONE if call.returns is None else self.layout.returns_row(call)
            flags = [name for name, is_set in (("CALL_OOB", call.oob), ("CALL_PRECONFIG", call.preconfig),
                                               ("CALL_NO_REPLY", not call.has_reply), ("CALL_OPEN", call.open)) if is_set]
        flags += [name for name, is_set in (("CONDITIONAL", call.condition), ("DEPRECATED", call.deprecated),
                                            ("UNSTABLE", call.unstable)) if is_set]
        return (f"\t{{ .name = {self.strings.add(call.name)}, .args = {args}, .returns = {returns}, "
                f".flags = {' | '.join('UTM_SCHEMA_' + flag for flag in flags) or '0'}, .span = {self.span(call)} }},")

    def text(self):
        names, protocol = self.names, self.protocol
        commands = [self.call(command) for command in protocol.commands]
        events = [self.call(event) for event in protocol.events]
        by_name = sorted(range(len(events)), key=lambda index: protocol.events[index].name)
        out = [made_by(names), '#include "schema/protocols.h"', "", f"#include <utm/{names.stem}-types.h>", ""]
        for wrapper in self.layout.wrappers.values():
            if not wrapper.is_list:
                out += [f"typedef struct {wrapper.c_type} {{", "\tUtmStructHeader header;",
                        f"\t{spaced(wrapper.c_result)}value;", f"}} {wrapper.c_type};", ""]
        out += ["static const char strings[] ="] + self.strings.lines()
        out[-1] += ";"
        out += table("uint16_t", "values", rows(self.values))
        out += table("uint16_t", "value_spans", [f"\t{span}," for span in self.value_spans])
        out += table("uint16_t", "sorted", rows(self.sorted))
        out += table("UtmSchemaMember", "members", self.members)
        out += table("UtmSchemaBranch", "branches", self.branches)
        out += table("UtmSchemaType", "types", self.types)
        out += table("UtmSchemaCall", "commands", commands)
        out += table("UtmSchemaCall", "events", events)
        out += table("uint16_t", "events_by_name", rows(by_name))
        out += ["", f"const UtmSchema utm__{names.stem}_schema = {{"]
        out += [f"\t.{name} = {name}," for name in ("strings", "values", "value_spans", "sorted", "members", "branches",
                                                   "types", "commands", "events", "events_by_name")]
        out += [f"\t.type_count = {len(self.types)},", f"\t.command_count = {len(commands)},",
                f"\t.event_count = {len(events)},", f"\t.release_count = {len(protocol.releases)},",
                f"\t.number = {SCHEMA_NUMBERS[names.stem]},", "\t.malformed = UTM_ERROR_QMP_MALFORMED,",
                "\t.not_allowed = UTM_ERROR_QMP_MALFORMED,", "\t.unwritable = UTM_ERROR_INVALID_ARGUMENT,", "};", ""]
        return "\n".join(out)


def generate(path):
    """Name of a file: its text."""
    protocol = ledger.load(path)
    protocol.name_of_peer = {"qmp": "QEMU", "qga": "agent"}[protocol.name]
    names = Names(protocol)
    layout = Layout(names)
    stem = protocol.name
    result = {f"{stem}-types.h": TypesHeader(names, layout).text(), f"{stem}-commands.h": commands_header(names, layout),
              f"{stem}-tables.c": Tables(names, layout).build().text(), f"{stem}-commands.c": functions(names, layout)}
    if protocol.events:
        result[f"{stem}-events.h"] = events_header(names)
    return result


def main(arguments):
    """The targets' names say what goes where: headers and sources may be in different directories."""
    if len(arguments) < 2:
        print("usage: protocol.py LEDGER FILE...", file=sys.stderr)
        return 2
    try:
        texts = generate(arguments[0])
        for target in arguments[1:]:
            with open(target, "w", encoding="utf-8") as file:
                file.write(texts[os.path.basename(target)])
    except (ledger.LedgerError, GeneratorError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
