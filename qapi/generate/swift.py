#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes Swift of the ledgers, the configuration's schema and the registries: types, commands and events for `bindings/swift`.

    swift.py QAPI-DIRECTORY SOURCES-DIRECTORY ROUND-TRIP-FILE

Compiling thousands of types takes minutes when the compiler derives their coding. So each type has straight code instead: a
line for each member that reads it, and one that writes it, in the order of the wire. Enumerations are structs with a text:
what a newer QEMU has is kept by nature, and a constant costs next to nothing. Unions are enums with a payload, whose tag is
the case; they are indirect, as are members that lead to their own type again.

A file is written when its content changes, so that a build compiles what changed.
"""

import os
import sys
from dataclasses import replace

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import errors  # noqa: E402
import findings  # noqa: E402
import model  # noqa: E402

HEAD = "// Made by qapi/generate/swift.py. Do not edit.\n"
WIDTH = 120
# What cannot be a name as it stands.
KEYWORDS = frozenset("""Any Self actor as associatedtype async await break case catch class continue default defer deinit do else
    enum extension fallthrough false fileprivate for func guard if import in init inout internal is let nil operator
    precedencegroup private protocol public repeat rethrows return self static struct subscript super switch throw throws
    true try typealias var where while""".split())
# Types that generated code names, and members of the classes that the types are in.
TAKEN_TYPES = frozenset("""String Bool Double Int Int8 Int16 Int32 UInt8 UInt16 UInt32 UInt64 JSON JSONObject JSONFields JSONWriter
    UtmError Data Type Protocol Duration Result Error Void Optional Array Event Events CallOptions ConnectOptions Branch Note Format LoadOptions Storage""".split())
# Constants that would be mistaken: of an optional enumeration, `.none` is nil.
RENAMED = {"none": "noneValue", "some": "someValue", "raw_value": "rawText", "known_texts": "knownTextsValue",
           "all_cases": "allCasesValue", "unrecognized": "unrecognizedValue"}
MEMBERS_TAKEN = frozenset(["extras", "hash_value"])
SCALARS = {"bool": "Bool", "number": "Double", "str": "String", "any": "JSON"}
FILES = {"qmp": ("QMP", 6), "qga": ("Guest", 1), "config": ("Config", 1)}
CALLS = {"qmp": "QMPCommand", "qga": "GuestCommand"}


def camel(c_name):
    """`throttle_group` is `throttleGroup`, `2_5` is `_2_5`."""
    if c_name in RENAMED:
        return RENAMED[c_name]
    parts = [part for part in c_name.split("_") if part]
    name = parts[0][:1].lower() + parts[0][1:]
    for part in parts[1:]:
        name += "_" + part if name[-1].isdigit() and part[0].isdigit() else part[:1].upper() + part[1:]
    return "_" + name if name[0].isdigit() else name


def escaped(name):
    return f"`{name}`" if name in KEYWORDS else name


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def wrapped(text, indent, first, rest):
    """A comment in lines that are not too long."""
    words, lines, line = text.split(), [], first
    for word in words:
        if len(indent) + len(line) + 1 + len(word) > WIDTH and line.strip("/ "):
            lines.append(indent + line)
            line = rest
        line += " " + word
    return lines + [indent + line]


def docs(sentences, indent="", otherwise=""):
    text = " ".join(sentence for sentence in sentences if sentence) or otherwise
    return wrapped(text, indent, "///", "///") if text else []


class Namespace:
    """The types of a model, inside one class."""

    def __init__(self, model_):
        self.model = model_
        self.owner, self.file_count = FILES[model_.name]
        self.names = {}
        self.circular = find_circular(model_.structs)
        self.events = {id(event.args): event for event in model_.events if self.is_own(event, "_event")}
        self.commands = {id(command.args): command for command in model_.commands if self.is_own(command, "_args")}
        for type_ in model_.types:
            self.name_type(type_)

    @staticmethod
    def is_own(call, ending):
        return call.args is not None and call.args.c_name == call.c_name + ending

    def name_type(self, type_):
        name = type_.name
        if id(type_) in self.commands:
            name = name.removesuffix("Args") + "Command"
        name = self.short(name)
        self.names[id(type_)] = self.claim(name + "Value" if name in TAKEN_TYPES else name)

    def claim(self, name):
        if name in self.names.values() or name in TAKEN_TYPES:
            raise ValueError(f"{self.owner}.{name} would be there twice; rename one in qapi/generate/swift.py")
        return name

    def short(self, name):
        """All of the agent's types begin with Guest, and are in a class of that name."""
        return name.removeprefix("Guest") if self.owner == "Guest" and name != "Guest" else name

    def name_of(self, type_):
        return self.names[id(type_)]

    def swift_type(self, type_):
        if type_.kind == "int":
            name = f"{'' if type_.signed else 'U'}Int{'' if type_.bits == 64 and type_.signed else type_.bits}"
        else:
            # What is free in a configuration are bytes.
            name = "Data" if self.owner == "Config" and type_.kind == "any" else SCALARS.get(type_.kind) or self.name_of(type_.of)
        return f"[{name}]" if type_.is_list else name


def find_circular(structs):
    """(struct, member) of the members by which a struct would hold itself."""
    inner = {id(struct): [(member, member.type.of) for member in struct.members
                          if member.type.kind == "struct" and not member.type.is_list] for struct in structs}

    def leads_to(start, goal, seen):
        for _, next_ in inner[id(start)]:
            if next_ is goal or (id(next_) not in seen and (seen.add(id(next_)) or leads_to(next_, goal, seen))):
                return True
        return False

    return {(id(struct), member.name) for struct in structs for member, next_ in inner[id(struct)]
            if next_ is struct or leads_to(next_, struct, {id(next_)})}


# --- enumerations ---

def enum(space, enum_):
    name = space.name_of(enum_)
    out = docs(enum_.docs) + [f"public struct {name}: JSONEnum {{", "    public let rawValue: String", "",
                              "    public init(rawValue: String) {", "        self.rawValue = rawValue", "    }", ""]
    for value in enum_.values:
        out += docs(value.docs, "    ")
        out.append(f"    public static var {escaped(camel(value.c_name))}: Self {{ Self(rawValue: {quoted(value.name)}) }}")
    out += ["", "    public static var knownTexts: [String] {", "        ["]
    out += [f"            {quoted(value.name)}," for value in enum_.values]
    return out + ["        ]", "    }", "}"]


# --- alternates ---

JSON_CASES = {"str": ".string", "enum": ".string", "struct": ".object", "bool": ".bool", "int": ".int, .uint, .number",
              "number": ".number, .int, .uint", "null": ".null"}


def alternate(space, alternate_):
    name = space.name_of(alternate_)
    out = docs(alternate_.docs) + [f"public indirect enum {name}: JSONCodable {{"]
    for branch in alternate_.branches:
        payload = "" if branch.type.kind == "null" else f"({space.swift_type(branch.type)})"
        out += docs(branch.docs, "    ") + [f"    case {escaped(camel(branch.c_name))}{payload}"]
    out += ["", "    public init(json: JSON) throws(UtmError) {", "        switch json {"]
    seen = set()
    for branch in alternate_.branches:
        case = ".array" if branch.type.is_list else JSON_CASES[branch.type.kind]
        if case in seen:
            continue
        seen.add(case)
        value = "" if branch.type.kind == "null" else f"(try {space.swift_type(branch.type)}(json: json))"
        out.append(f"        case {case}: self = .{escaped(camel(branch.c_name))}{value}")
    kinds = ", ".join(("a list" if branch.type.is_list else branch.type.kind) for branch in alternate_.branches)
    out += [f"        default: throw .unfit({quoted('must be one of: ' + kinds)})", "        }", "    }", "",
            "    public func write(to writer: inout JSONWriter) {", "        switch self {"]
    for branch in alternate_.branches:
        case = escaped(camel(branch.c_name))
        out.append(f"        case .{case}: writer.null()" if branch.type.kind == "null" else
                   f"        case .{case}(let value): value.write(to: &writer)")
    return out + ["        }", "    }", "}"]


# --- structs and unions ---

def fields_of(space, struct):
    for member in struct.members:
        yield Field(space, struct, member)
        if member.older:
            yield Field(space, struct, replace(member, c_name="older_" + member.c_name, type=member.older, older=None, optional=True,
                                               docs=[f"What older releases have for `{member.name}`."]))


class Field:
    """A member as a property."""

    def __init__(self, space, struct, member):
        self.member = member
        name = camel(member.c_name)
        self.plain = name + "Member" if member.c_name in MEMBERS_TAKEN else name
        self.name = escaped(self.plain)
        self.label = self.name if self.plain in ("inout", "let", "var") else self.plain
        self.is_tag = struct.tag is member
        self.is_kept = member.moved and struct.tag is not None  # for the branch
        self.base = "Branch" if self.is_tag else space.swift_type(member.type)
        self.has_default = member.default is not None
        # What is of an older form is in a property of its own.
        self.is_optional = (member.optional or member.older is not None) and not self.has_default
        self.type = self.base + ("?" if self.is_optional else "")
        self.wrapper = "@Indirect " if (id(struct), member.name) in space.circular else ""
        self.wire = quoted(member.name)

    @property
    def default(self):
        """Of the property as Swift says it, with the sign; empty for what must be given."""
        value, type_ = self.member.default, self.member.type
        if self.is_optional:
            return " = nil"
        if not self.has_default:
            return ""
        if type_.kind == "enum":
            return f" = {self.base}(rawValue: {quoted(value)})"
        return f" = {str(value).lower() if type_.kind == 'bool' else quoted(value) if type_.kind == 'str' else value}"

    def declare(self):
        out = docs(self.member.docs + self.range(), "    ")
        return out + [f"    {self.wrapper}public var {self.name}: {self.type}"]

    def range(self):
        member = self.member
        out = [f"In {member.unit}."] if member.unit else []
        bounds = [f"{word} {value}" for word, value in (("at least", member.minimum), ("at most", member.maximum))
                  if value is not None]
        return out + ([", ".join(bounds)[:1].upper() + ", ".join(bounds)[1:] + "."] if bounds else [])

    def read(self):
        if self.is_tag:
            return read_tag(self)
        if self.member.older:
            return [f"        {self.name} = fields.findNewest({self.wire})"]
        verb = "find" if self.is_optional or self.has_default else "take"
        moved = ", keeping: true" if self.is_kept else ""
        otherwise = f" ??{self.default.removeprefix(' =')}" if self.has_default else ""
        return [f"        {self.name} = try fields.{verb}({self.wire}{moved}){otherwise}"]

    def write(self):
        value = self.name + ("?.tag" if self.is_optional else ".tag") if self.is_tag else self.name
        verb = "once" if self.member.moved else "optional" if self.is_optional else "member"
        return f"        writer.{verb}({self.wire}, {value}, &rest)"


def tag_cases(struct):
    """(case, text on the wire, the branch or None) of every value of a tag."""
    branches = {branch.name: branch for branch in struct.branches}
    return [(escaped(camel(value.c_name)), value.name, branches.get(value.name)) for value in struct.tag.type.of.values]


def branch_enum(space, struct):
    tag = space.name_of(struct.tag.type.of)
    out = ["", f"    /// What ``{camel(struct.tag.c_name)}`` says, with the members that belong to it.",
           "    public indirect enum Branch: Sendable {"]
    for case, _, branch in tag_cases(struct):
        if branch and branch.late:
            out.append("        /// Nil: of a release that has no members for it.")
        out.append(f"        case {case}" + (f"({space.name_of(branch.type.of)}{'?' if branch.late else ''})" if branch else ""))
    out += ["        /// A text that this package does not know; its members are among the extras.",
            f"        case unrecognized({tag})", "", "        /// The text alone.", f"        public var tag: {tag} {{",
            "            switch self {"]
    out += [f"            case .{case}: {tag}(rawValue: {quoted(text)})" for case, text, _ in tag_cases(struct)]
    return out + ["            case .unrecognized(let tag): tag", "            }", "        }", "    }"]


def read_tag(field):
    """The branch is read after all members: then nothing is left but what belongs to it."""
    verb = "find" if field.is_optional else "take"
    return [f"        let tag: String{'?' if field.is_optional else ''} = try fields.{verb}({field.wire})"]


def read_branch(space, struct, field):
    out = ["        switch tag {"]
    for case, text, branch in tag_cases(struct):
        value = f"(try {space.name_of(branch.type.of)}(fields: &fields))" if branch else ""
        if branch and branch.late:
            names = ", ".join(quoted(member.name) for member in model.all_members(branch.type.of))
            value = f"(fields.hasAny([{names}]) ? {value[1:-1]} : nil)"
        out.append(f"        case {quoted(text)}: {field.name} = .{case}{value}")
    if field.is_optional:
        out.append(f"        case nil: {field.name} = nil")
    text = "tag!" if field.is_optional else "tag"
    tag = space.name_of(struct.tag.type.of)
    return out + [f"        default: {field.name} = .unrecognized({tag}(rawValue: {text}))", "        }"]


def write_branch(struct, field):
    out = [f"        switch {field.name} {{"]
    for case, _, branch in tag_cases(struct):
        if branch:
            out.append(f"        case .{case}(let branch): branch{'?' if branch.late else ''}.writeMembers(to: &writer)")
    return out + ["        default: break", "        }"]


def initializer(fields):
    ordered = [f for f in fields if not f.default] + [f for f in fields if f.default]
    parameters = [f"{f.label}: {f.type}{f.default}" for f in ordered] + ["extras: JSONObject = [:]"]
    lines, line = [], "       "
    for index, parameter in enumerate(parameters):
        piece = " " + parameter + ("," if index + 1 < len(parameters) else "")
        if len(line) + len(piece) > WIDTH:
            lines.append(line)
            line = "       "
        line += piece
    out = ["", "    public init("] + lines + [line, "    ) {"]
    out += [f"        self.{f.name} = {f.name}" for f in fields]
    return out + ["        self.extras = extras", "    }"]


def struct(space, struct_):
    fields = list(fields_of(space, struct_))
    tag = next((field for field in fields if field.is_tag), None)
    conforms, extra, sentences = "JSONStruct", [], list(struct_.docs)
    command, event = space.commands.get(id(struct_)), space.events.get(id(struct_))
    if command:
        conforms, extra = f"JSONStruct, {CALLS[space.model.name]}", call_facts(space, command)
        sentences.insert(0, f"`{command.name}`.")
    if event:
        conforms, extra = "JSONStruct, QMPEvent", [f"    public static var name: String {{ {quoted(event.name)} }}", ""]
        sentences.insert(0, f"`{event.name}`.")
    out = docs(sentences) + [f"public struct {space.name_of(struct_)}: {conforms} {{"] + extra
    for field in fields:
        out += field.declare()
    out.append("    /// Members that this package does not know.")
    out.append("    public var extras: JSONObject")
    out += initializer(fields)
    if tag:
        out += branch_enum(space, struct_)
    out += ["", "    public init(fields: inout JSONFields) throws(UtmError) {"]
    for field in fields:
        out += field.read()
    if tag:
        out += read_branch(space, struct_, tag)
    out += ["        extras = fields.takeRest()", "    }", "",
            "    public func writeMembers(to writer: inout JSONWriter) {"]
    out += ["        writer.forgetNames()"] if tag and any(member.moved for member in struct_.members) else []
    out += ["        var rest = JSONRest(extras)"]
    out += [field.write() for field in fields]
    out += ["        writer.rest(&rest)"] + (write_branch(struct_, tag) if tag else [])
    return out + ["    }", "}"]


# --- commands and events ---

def reply_type(space, command):
    return space.swift_type(command.returns) if command.returns else "EmptyReply"


def call_facts(space, command):
    return [f"    public typealias Reply = {reply_type(space, command)}",
            f"    public static var name: String {{ {quoted(command.name)} }}", ""]


def command_base(space, command):
    name = "".join(part[:1].upper() + part[1:] for part in camel(command.c_name).split("_") if part)
    return space.short(name) + "Command"


def command_without_args(space, command, name):
    return docs(command.docs, otherwise=f"`{command.name}`.") + [
        f"public struct {name}: {CALLS[space.model.name]} {{"] + call_facts(space, command) + [
        "    public init() {}", "", "    public init(json: JSON) throws(UtmError) {", "        _ = try JSONFields(json)", "    }",
        "", "    public func write(to writer: inout JSONWriter) {", "        writer.beginObject()", "        writer.endObject()",
        "    }", "}"]


def command_of_shared(space, command, name):
    args = space.name_of(command.args)
    return docs(command.docs, otherwise=f"`{command.name}`.") + [
        f"public struct {name}: {CALLS[space.model.name]} {{"] + call_facts(space, command) + [
        f"    public var arguments: {args}", "", f"    public init(_ arguments: {args}) {{", "        self.arguments = arguments",
        "    }", "", "    public init(json: JSON) throws(UtmError) {", f"        arguments = try {args}(json: json)", "    }", "",
        "    public func write(to writer: inout JSONWriter) {",
        "        arguments.write(to: &writer)", "    }", "}"]


def method(space, command, type_name):
    """The command as a function of the connection."""
    returns = "" if not command.returns else f" -> {reply_type(space, command)}"
    if command.args is None:
        parameters, value = [], f"{type_name}()"
    elif space.is_own(command, "_args") and not command.args.tag:
        fields = list(fields_of(space, command.args))
        ordered = [f for f in fields if not f.default] + [f for f in fields if f.default]
        parameters = [f"{f.label}: {f.type}{f.default}" for f in ordered]
        arguments = [f"{f.label}: {f.name}" for f in ordered]
        if command.open:
            parameters.append("extras: JSONObject = [:]")
            arguments.append("extras: extras")
        value = f"{type_name}({', '.join(arguments)})"
    elif space.is_own(command, "_args"):
        parameters, value = [f"_ command: {type_name}"], "command"
    else:
        parameters, value = [f"_ arguments: {space.name_of(command.args)}"], f"{type_name}(arguments)"
    parameters.append("calling callOptions: CallOptions = CallOptions()")
    name = camel(command.c_name)
    name = name[len("guest"):][:1].lower() + name[len("guest") + 1:] if space.owner == "Guest" else name
    return docs([f"`{command.name}`."] + command.docs, "    ") + (["    @discardableResult"] if returns else []) + [
        f"    public func {escaped(name)}(", f"        {', '.join(parameters)}", f"    ) async throws(UtmError){returns} {{",
        f"        {'' if returns else '_ = '}try await execute({value}, options: callOptions)", "    }"]


def calls(space):
    """(types, methods): commands whose arguments are no type of their own, events without data; and functions."""
    types, methods = [], []
    for command in space.model.commands:
        if id(command.args) in space.commands:
            name = space.name_of(command.args)
        else:
            name = space.claim(command_base(space, command))
            space.names[command.name] = name
            make = command_of_shared if command.args else command_without_args
            types.append(make(space, command, name))
        methods.append(method(space, command, name))
    for event in space.model.events:
        if id(event.args) not in space.events:
            types.append(event_of_shared(space, event))
    return types, methods


def event_of_shared(space, event):
    name = space.claim("".join(part.capitalize() for part in event.name.split("_")) + "Event")
    space.names[event.name] = name
    head = docs(event.docs, otherwise=f"`{event.name}`.") + [
        f"public struct {name}: QMPEvent {{", f"    public static var name: String {{ {quoted(event.name)} }}", ""]
    if event.args:
        data = space.name_of(event.args)
        return head + [f"    public var data: {data}", "", "    public init(json: JSON) throws(UtmError) {",
                       f"        data = try {data}(json: json)", "    }", "",
                       "    public func write(to writer: inout JSONWriter) {",
                       "        data.write(to: &writer)", "    }", "}"]
    return head + ["    public init() {}", "", "    public init(json: JSON) throws(UtmError) {", "        _ = try JSONFields(json)",
                   "    }", "", "    public func write(to writer: inout JSONWriter) {", "        writer.beginObject()",
                   "        writer.endObject()", "    }", "}"]


# --- files ---

def extension(space, blocks):
    lines = []
    for block in blocks:
        lines += [("    " + line if line else line) for line in block] + [""]
    return "\n".join([HEAD, f"extension {space.owner} {{"] + lines[:-1] + ["}", ""])


def type_blocks(space):
    makers = ((space.model.enums, enum), (space.model.structs, struct), (space.model.alternates, alternate))
    return [make(space, type_) for types, make in makers for type_ in types]


def protocol_files(space):
    types = type_blocks(space)
    if space.model.commands:
        more, methods = calls(space)
        types += more
        yield f"{space.owner}Commands.swift", "\n".join(
            [HEAD, f"extension {space.owner} {{"] + [line for block in methods for line in block + [""]][:-1] + ["}", ""])
    for number in range(space.file_count):
        ending = str(number + 1) if space.file_count > 1 else ""
        yield f"{space.owner}Types{ending}.swift", extension(space, types[number::space.file_count])


def code_file(type_, entries):
    out = [HEAD, f"extension {type_} {{"]
    for name, number, meaning in entries:
        out += wrapped(meaning, "    ", "///", "///")
        out.append(f"    public static let {escaped(name)} = Self(rawValue: {number})")
    return "\n".join(out + ["}", ""])


ACRONYMS = {"qemu": "QEMU", "qmp": "QMP", "vm": "VM", "io": "IO"}


def code_name(name):
    first, *rest = name.lower().split("_")
    return first + "".join(ACRONYMS.get(part, part.capitalize()) for part in rest)


def registry_files(directory):
    registry = errors.load(os.path.join(directory, "error-registry.toml"))
    codes = [(code_name(entry["name"]), -entry["number"], entry["meaning"]) for entry in registry["error"]]
    domains = [(domain["name"], domain["number"], domain["meaning"]) for domain in registry["domain"]]
    yield "ErrorCodes.swift", code_file("UtmError.Code", codes) + code_file("UtmError.Domain", domains).replace(HEAD, "")
    found = findings.load(os.path.join(directory, "finding-registry.toml"))
    yield "FindingCodes.swift", code_file("Finding.Code", [
        (code_name(entry["name"]), entry["number"], entry["meaning"]) for entry in found])


def round_trip(spaces):
    """Every type by the name of its protocol and its own in C, for the test that compares their JSON with C's."""
    out = [HEAD, "import Utm", ""]
    for space in spaces:
        out += [f"private func {space.model.name}Types() -> [String: any JSONValue.Type] {{",
                "    var types: [String: any JSONValue.Type] = [:]"]
        for type_ in space.model.types:
            out.append(f"    types[{quoted(space.model.name + '/' + type_.name)}] = {space.owner}.{space.name_of(type_)}.self")
        out += ["    return types", "}", ""]
    out += ["let allTypes = [" + ", ".join(f"{space.model.name}Types()" for space in spaces) +
            "].reduce(into: [:]) { $0.merge($1) { $1 } }", ""]
    return "\n".join(out)


def write(path, text):
    """Only what changed."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main(directory, sources, round_trip_file):
    spaces = [Namespace(model.load(os.path.join(directory, file))) for file in ("qmp.ledger", "qga.ledger", "config.schema")]
    files = dict(registry_files(directory))
    for space in spaces:
        files |= dict(protocol_files(space))
    for name, text in files.items():
        write(os.path.join(sources, name), text)
    for stale in set(os.listdir(sources)) - set(files):
        os.remove(os.path.join(sources, stale))
    write(round_trip_file, round_trip(spaces))


if __name__ == "__main__":
    main(*sys.argv[1:])
