# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the model to Rust: types of QMP, the guest agent and the configuration, and the codes of errors and findings.

Usage: python3 qapi/generate/rust_backend.py DIRECTORY. Writes qmp.rs, qga.rs, config.rs, errors.rs, and recode.rs for tests.

What is generated declares: structs, enumerations, and for each struct two functions that show its members to whoever reads or
writes it. `bindings/rust/utm/src/json.rs` does all the rest, behind pointers and not for each type, because several hundred
types with code of their own would take a minute to compile.

Commands are structs of their arguments, `QueryStatus {}`; where the arguments are a type with a name of its own the command is a
struct around it, `BlockdevAdd(BlockdevOptions)`. Of a union the tag is an enumeration that carries the branches.
"""

import os
import sys
import textwrap
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import model  # noqa: E402

QAPI = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
KEYWORDS = set("""abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if
impl in let loop macro match mod move mut override priv pub ref return static struct super trait true try type typeof unsafe
unsized use virtual where while yield""".split())
# What types may not be called: names that code takes for granted, and those of the crate's own modules of this protocol.
TAKEN = {"String", "Vec", "Option", "Box", "Result", "Some", "None", "Ok", "Err", "Default", "Clone", "Debug", "PartialEq", "Value",
         "Object", "Command", "Nothing"}
# What members may not be called besides keywords.
HIDDEN = {"extras", "self", "Self", "crate", "super"}
WORDS = {"bool": "bool", "number": "f64", "str": "std::string::String", "any": "Value", "null": "Null"}
TRAITS = {"qmp": "QmpCommand", "qga": "GuestCommand"}
FITS = "std::result::Result<(), Misfit>"
HEAD = """// Made by qapi/generate/rust_backend.py from {source}. Do not edit.

#[allow(unused_imports)]
use crate::json::{{self, Data, Field, Misfit, Null, Object, Record, Value, Versions}};
"""


def camel(text):
    name = "".join(word[:1].upper() + word[1:] for word in text.replace("-", "_").replace(".", "_").split("_"))
    return "N" + name if name[:1].isdigit() else name


def member_name(c_name):
    if c_name in HIDDEN or c_name[0].isdigit():
        return c_name + "_"
    return "r#" + c_name if c_name in KEYWORDS else c_name


def type_name(name):
    name = name[0].upper() + name[1:]
    return name + "Value" if name in TAKEN else name


def doc(words, indent=""):
    text = " ".join(words).replace("[", "\\[").replace("]", "\\]").replace("<", "\\<")
    lines = textwrap.wrap(text, 116 - len(indent), break_long_words=False, break_on_hyphens=False)
    return [f"{indent}/// {line}" for line in lines]


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def distinct(names, owner):
    """Variants that differ in more than their spelling in camel case."""
    seen, made = set(), []
    for name in names:
        while name in seen or name == "Unknown":
            name += "_"
        seen.add(name)
        made.append(name)
    return made


class Types:
    def __init__(self, model_):
        self.model = model_
        self.is_config = model_.name == "config"
        self.names = {id(type_): type_name(type_.name) for type_ in model_.types}
        self.boxed = self.find_cycles()
        self.commands, self.records, self.all = {}, [], []
        self.name_commands()

    def find_cycles(self):
        """Members by which a struct would contain itself: (struct, member)."""
        targets = {id(struct): [(member, member.type.of) for member in struct.members
                                if member.type.kind == "struct" and not member.type.is_list] for struct in self.model.structs}
        boxed = set()
        for struct in self.model.structs:
            for member, target in targets[id(struct)]:
                reached, waiting = set(), [target]
                while waiting:
                    current = waiting.pop()
                    if id(current) not in reached:
                        reached.add(id(current))
                        waiting += [other for _, other in targets[id(current)]]
                if id(struct) in reached:
                    boxed.add((id(struct), member.name))
        return boxed

    def name_commands(self):
        """Command -> (name, what it is: "alone", "is" its arguments' struct, or "around" it)."""
        used, taken = {}, set(self.names.values())
        for command in self.model.commands:
            used[id(command.args)] = used.get(id(command.args), 0) + 1
        for command in self.model.commands:
            name, args = camel(command.c_name), command.args
            if args and (args.name == camel(command.c_name) or args.c_name == command.c_name + "_args"):
                kind = "is"
                if name not in taken:
                    taken.discard(self.names[id(args)])
                    self.names[id(args)] = name
                name = self.names[id(args)]
            else:
                kind = "around" if args else "alone"
                name += "Command" if name in taken else ""
            assert kind == "is" or name not in taken, name
            taken.add(name)
            self.commands[command.name] = (name, kind)

    # --- types ---

    def plain(self, type_):
        if type_.kind == "int":
            return f"{'i' if type_.signed else 'u'}{type_.bits}"
        if type_.of:
            return self.names[id(type_.of)]
        return "Data" if self.is_config and type_.kind == "any" else WORDS[type_.kind]

    def listed(self, type_):
        return f"Vec<{self.plain(type_)}>" if type_.is_list else self.plain(type_)

    def member_type(self, struct, member):
        if struct.tag is member:
            word = self.tag_name(struct)
        elif (id(struct), member.name) in self.boxed:
            word = f"Box<{self.plain(member.type)}>"
        else:
            word = self.listed(member.type)
        if member.older:
            word = f"Versions<{word}, {self.listed(member.older)}>"
        return f"std::option::Option<{word}>" if member.optional and member.default is None else word

    def tag_name(self, struct):
        return self.names[id(struct)] + "Branch"

    # --- whole files ---

    def text(self, source):
        lines = HEAD.format(source=source).splitlines()
        for enum in self.model.enums:
            variants = distinct([camel(value.c_name) for value in enum.values], enum.name)
            lines += self.enumeration(self.names[id(enum)], enum.docs, [(v, value.name, value.docs, "") for v, value in
                                                                        zip(variants, enum.values)])
        for struct in self.model.structs:
            lines += self.struct(struct)
        for alternate in self.model.alternates:
            lines += self.alternate(alternate)
        for command in self.model.commands:
            lines += self.command(command)
        for event in self.model.events:
            lines += self.event(event)
        lines += ["", f"crate::__record! {{ {' '.join(self.records)} }}"]
        lines += ['#[cfg(feature = "serde")]', f"crate::__serde! {{ {' '.join(self.all)} }}"]
        return "\n".join(lines) + "\n"

    # --- enumerations ---

    def enumeration(self, name, docs, variants):
        """Variants are (name, text, docs, payload); `Unknown` holds what no release here has."""
        self.all.append(name)
        lines = ["", *doc(docs or [f"A text of {len(variants)} that are known; others are kept."]),
                 "#[derive(Clone, Debug, PartialEq)]", "#[non_exhaustive]", f"pub enum {name} {{"]
        for variant, _, words, payload in variants:
            lines += doc(words, "    ") + [f"    {variant}{payload and f'({payload})'},"]
        lines += ["    /// A text that no release known here has; empty: none yet.", "    Unknown(std::string::String),", "}", "",
                  f"impl {name} {{", "    /// The text on the wire.", "    pub fn as_str(&self) -> &str {", "        match self {"]
        lines += [f"            Self::{variant}{'(_)' if payload else ''} => {quoted(text)},"
                  for variant, text, _, payload in variants]
        lines += ["            Self::Unknown(text) => text,", "        }", "    }", "}", "",
                  f"impl std::convert::From<&str> for {name} {{", "    fn from(text: &str) -> Self {", "        match text {"]
        for variant, text, _, payload in variants:
            made = "" if not payload else "(std::default::Default::default())"
            if payload.startswith("std::option::Option<Box"):
                made = "(std::option::Option::Some(std::default::Default::default()))"
            lines.append(f"            {quoted(text)} => Self::{variant}{made},")
        lines += ["            other => Self::Unknown(other.into()),", "        }", "    }", "}", "",
                  f"impl std::default::Default for {name} {{", "    fn default() -> Self {",
                  "        Self::Unknown(std::string::String::new())", "    }", "}", "",
                  f"impl std::fmt::Display for {name} {{", "    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {",
                  "        f.pad(self.as_str())", "    }", "}", "",
                  f"impl Field for {name} {{", f"    fn read(&mut self, value: Value, _: u32) -> {FITS} {{",
                  "        *self = Self::from(json::take_text(value)?.as_str());", "        Ok(())", "    }", "",
                  f"    fn write(&self, out: &mut std::string::String, depth: u32) -> {FITS} {{",
                  "        json::put_text(self.as_str(), out, depth)", "    }", "}"]
        return lines

    # --- structs ---

    def struct(self, struct, name=None):
        name = name or self.names[id(struct)]
        self.records.append(name)
        self.all.append(name)
        fields = [(member, member_name(member.c_name), self.member_type(struct, member)) for member in struct.members]
        default = any(member.default is not None for member in struct.members)
        lines = ["", *doc(struct.docs or [f"`{struct.name}`"]), f"#[derive(Clone, Debug, {'' if default else 'Default, '}PartialEq)]",
                 f"pub struct {name} {{"]
        for member, field, rust in fields:
            lines += doc(self.member_docs(member), "    ") + [f"    pub {field}: {rust},"]
        has_extras = bool(struct.members) or not struct.c_name.endswith("_args")
        if has_extras:
            lines += ["    /// Members that this version of the crate does not know; they are written again.", "    pub extras: Object,"]
        lines.append("}")
        if default:
            lines += self.defaults(struct, name, fields)
        lines += self.record(struct, name, fields, has_extras)
        return lines + (self.tag(struct) if struct.tag else [])

    def member_docs(self, member):
        words = list(member.docs) or [f"`{member.name}`"]
        if member.unit:
            words.append(f"In {member.unit}.")
        if member.minimum is not None:
            words.append(f"At least {member.minimum}.")
        if member.maximum is not None:
            words.append(f"At most {member.maximum}.")
        return words

    def defaults(self, struct, name, fields):
        lines = ["", f"impl std::default::Default for {name} {{", "    fn default() -> Self {", "        Self {"]
        for member, field, _ in fields:
            value = "std::default::Default::default()"
            if member.default is not None and member.type.kind == "enum":
                value = f"{self.plain(member.type)}::from({quoted(member.default)})"
            elif member.default is not None and member.type.kind == "str":
                value = f"{quoted(member.default)}.into()"
            elif member.default is not None:
                value = str(member.default).lower()
            lines.append(f"            {field}: {value},")
        return lines + ["            extras: Object::new(),", "        }", "    }", "}"]

    def flags(self, member):
        words = [word for word, is_set in (("json::REQUIRED", not member.optional), ("json::MOVED", member.moved),
                                           ("json::NULL_IS_ABSENT", self.is_config)) if is_set]
        return " | ".join(words) or "0"

    def record(self, struct, name, fields, has_extras):
        use = "visit" if fields else "_"
        lines = ["", f"impl Record for {name} {{",
                 f"    fn members<'a>(&'a self, {use}: &mut dyn FnMut(&'static str, &'a dyn Field)) {{"]
        lines += [f"        visit({quoted(member.name)}, &self.{field});" for member, field, _ in fields]
        lines += ["    }", "", f"    fn members_mut(&mut self, {use}: &mut dyn FnMut(&'static str, &mut dyn Field, u8)) {{"]
        lines += [f"        visit({quoted(member.name)}, &mut self.{field}, {self.flags(member)});" for member, field, _ in fields]
        some = ("Some(&self.extras)", "Some(&mut self.extras)") if has_extras else ("None", "None")
        lines += ["    }", "", "    fn extras(&self) -> std::option::Option<&Object> {", f"        {some[0]}", "    }", "",
                  "    fn extras_mut(&mut self) -> std::option::Option<&mut Object> {", f"        {some[1]}", "    }"]
        if struct.tag:
            field = member_name(struct.tag.c_name)
            get = ("self.{0}.as_ref()?", "self.{0}.as_mut()?") if struct.tag.optional else ("self.{0}", "self.{0}")
            lines += ["", "    fn branch(&self) -> std::option::Option<&dyn Record> {", f"        {get[0].format(field)}.branch()", "    }", "",
                      "    fn branch_mut(&mut self) -> std::option::Option<&mut dyn Record> {",
                      f"        {get[1].format(field)}.branch_mut()", "    }"]
            if any(branch.late for branch in struct.branches):
                if struct.tag.optional:
                    is_late, drop = "is_some_and(|tag| tag.is_late())", f"if let Some(tag) = self.{field}.as_mut() {{ tag.drop_branch() }}"
                    is_late = f"self.{field}.as_ref().{is_late}"
                else:
                    is_late, drop = f"self.{field}.is_late()", f"self.{field}.drop_branch()"
                lines += ["", "    fn is_late(&self) -> bool {", f"        {is_late}", "    }", "",
                          "    fn drop_branch(&mut self) {", f"        {drop}", "    }"]
        return lines + ["}"]

    def tag(self, struct):
        """The tag with its branches: each value is there, and carries the members that it adds."""
        name, enum = self.tag_name(struct), struct.tag.type.of
        branches = {branch.name: branch for branch in struct.branches}
        names = distinct([camel(value.c_name) for value in enum.values], name)
        variants, with_branch, late = [], [], []
        for variant, value in zip(names, enum.values):
            branch, payload = branches.get(value.name), ""
            if branch:
                payload = f"Box<{self.plain(branch.type)}>"
                payload = f"std::option::Option<{payload}>" if branch.late else payload
                with_branch.append((variant, branch))
                late += [variant] if branch.late else []
            variants.append((variant, value.name, value.docs, payload))
        lines = self.enumeration(name, [f"What `{struct.tag.name}` of `{struct.name}` says, with the members that belong to it."], variants)
        lines += ["", f"impl {name} {{", "    fn branch(&self) -> std::option::Option<&dyn Record> {", "        match self {"]
        lines += [f"            Self::{variant}(branch) => {'branch.as_deref().map(|branch| branch as _)' if branch.late else 'Some(&**branch)'},"
                  for variant, branch in with_branch]
        lines += ["            _ => None,", "        }", "    }", "",
                  "    fn branch_mut(&mut self) -> std::option::Option<&mut dyn Record> {", "        match self {"]
        lines += [f"            Self::{variant}(branch) => {'branch.as_deref_mut().map(|branch| branch as _)' if branch.late else 'Some(&mut **branch)'},"
                  for variant, branch in with_branch]
        lines += ["            _ => None,", "        }", "    }"]
        if late:
            lines += ["", "    fn is_late(&self) -> bool {", f"        matches!(self, {' | '.join(f'Self::{v}(_)' for v in late)})", "    }",
                      "", "    fn drop_branch(&mut self) {", "        match self {"]
            lines += [f"            Self::{variant}(branch) => *branch = None," for variant in late]
            lines += ["            _ => (),", "        }", "    }"]
        return lines + ["}"]

    # --- alternates ---

    def alternate(self, alternate):
        name = self.names[id(alternate)]
        self.all.append(name)
        branches = []
        for branch in alternate.branches:
            word = self.listed(branch.type)
            branches.append((camel(branch.c_name), f"Box<{word}>" if branch.type.kind == "struct" and not branch.type.is_list else word,
                             "list" if branch.type.is_list else branch.type.kind))
        lines = ["", *doc(alternate.docs or [f"`{alternate.name}`: one of several kinds of value."]), "#[derive(Clone, Debug, PartialEq)]",
                 f"pub enum {name} {{"]
        lines += [f"    {variant}({word})," for variant, word, _ in branches]
        # Not one that may contain another of these.
        simple = next(variant for variant, _, kind in branches if kind != "struct")
        lines += ["}", "", f"impl std::default::Default for {name} {{", "    fn default() -> Self {",
                  f"        Self::{simple}(std::default::Default::default())", "    }", "}", "", f"impl Field for {name} {{",
                  f"    fn read(&mut self, value: Value, depth: u32) -> {FITS} {{"]
        for variant, word, kind in branches:
            lines += [f"        if json::takes({quoted(kind)}, &value) {{",
                      f"            let mut made = <{word}>::default();", "            made.read(value, depth)?;",
                      f"            *self = Self::{variant}(made);", "            return Ok(());", "        }"]
        lines += ["        Err(json::other_kind(&value))", "    }", "",
                  f"    fn write(&self, out: &mut std::string::String, depth: u32) -> {FITS} {{", "        match self {"]
        lines += [f"            Self::{variant}(value) => value.write(out, depth)," for variant, _, _ in branches]
        lines += ["        }", "    }", "}"]
        for variant, word, _ in branches:
            inner = word[4:-1] if word.startswith("Box<") else word
            made = "Box::new(value)" if word.startswith("Box<") else "value"
            lines += ["", f"impl std::convert::From<{inner}> for {name} {{", f"    fn from(value: {inner}) -> Self {{",
                      f"        Self::{variant}({made})", "    }", "}"]
        return lines

    # --- commands and events ---

    def command(self, command):
        name, kind = self.commands[command.name]
        words = [f"`{command.name}`.", *command.docs]
        lines = []
        if kind == "alone":
            self.records.append(name)
            self.all.append(name)
            lines += ["", *doc(words), "#[derive(Clone, Debug, Default, PartialEq)]", f"pub struct {name} {{}}"]
            lines += self.record(model.Struct(name, "", []), name, [], False)
        elif kind == "around":
            self.all.append(name)
            args = self.names[id(command.args)]
            lines += ["", *doc(words), "#[derive(Clone, Debug, Default, PartialEq)]", f"pub struct {name}(pub {args});", "",
                      f"impl Field for {name} {{", f"    fn read(&mut self, value: Value, depth: u32) -> {FITS} {{",
                      "        self.0.read(value, depth)", "    }", "",
                      f"    fn write(&self, out: &mut std::string::String, depth: u32) -> {FITS} {{",
                      "        self.0.write(out, depth)", "    }", "}"]
        returns = self.listed(command.returns) if command.returns else "crate::qmp::Nothing"
        return lines + ["", f"impl crate::qmp::Command for {name} {{", f"    const NAME: &'static str = {quoted(command.name)};",
                        f"    type Result = {returns};", "}", "", f"impl crate::{self.place()}::{TRAITS[self.model.name]} for {name} {{}}"]

    def place(self):
        return {"qmp": "qmp", "qga": "guest"}[self.model.name]

    def event(self, event):
        """Its struct; or one of that name when its data are a type of another, or nothing."""
        name = camel(event.c_name.lower()) + "Event"
        lines = []
        if name not in self.names.values():
            struct = model.Struct(event.name, "", event.docs, event.args.members if event.args else [])
            self.names[id(struct)] = name
            lines += self.struct(struct, name)
            self.kept = getattr(self, "kept", []) + [struct]  # so that its id stays its own
        return lines + ["", f"impl crate::qmp::EventData for {name} {{", f"    const NAME: &'static str = {quoted(event.name)};", "}"]


# --- codes ---

def registry(name, key):
    with open(os.path.join(QAPI, name), "rb") as file:
        content = tomllib.load(file)
    return content, content[key]


def codes(name, entries, number, docs, kind, tables):
    """An enumeration of numbers."""
    variants = [("".join(word.capitalize() for word in entry["name"].replace("-", "_").split("_")), entry) for entry in entries]
    lines = ["", *doc([docs]), "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]", "#[non_exhaustive]", f"pub enum {name} {{"]
    for variant, entry in variants:
        lines += doc([entry["meaning"]], "    ") + [f"    {variant},"]
    lines += ["    /// One that this version of the crate does not know.", f"    Unknown({kind}),", "}", "", f"impl {name} {{",
              f"    pub(crate) fn from_number(number: {kind}) -> Self {{", "        match number {"]
    lines += [f"            {number(entry)} => Self::{variant}," for variant, entry in variants]
    lines += ["            other => Self::Unknown(other),", "        }", "    }", "", "    /// As C has it.",
              f"    pub fn number(self) -> {kind} {{", "        match self {"]
    lines += [f"            Self::{variant} => {number(entry)}," for variant, entry in variants]
    lines += ["            Self::Unknown(number) => number,", "        }", "    }"]
    for function, words, of, unknown, returns in tables:
        lines += ["", f"    /// {words}", f"    pub fn {function}(self) -> {returns} {{", "        match self {"]
        lines += [f"            Self::{variant} => {of(entry)}," for variant, entry in variants]
        lines += [f"            Self::Unknown(_) => {unknown},", "        }", "    }"]
    return lines + ["}"]


def errors():
    content, entries = registry("error-registry.toml", "error")
    _, findings = registry("finding-registry.toml", "finding")
    domains = {}
    for domain in content["domain"]:
        domains[domain["number"]] = domain["name"]
    lines = ["// Made by qapi/generate/rust_backend.py from error-registry.toml and finding-registry.toml. Do not edit."]
    lines += codes("Domain", content["domain"], lambda entry: entry["number"], "Which part of the library failed.", "i32",
                   [("name", "In words, such as `bundle`.", lambda entry: quoted(entry["name"]), '"unknown"', "&'static str")])
    name = ("name", "In words, such as `bundle-path-escape`.",
            lambda entry: quoted(entry["name"].lower().replace("_", "-")), '"?"', "&'static str")
    meaning = ("meaning", "What it means, one sentence.", lambda entry: quoted(entry["meaning"]), '""', "&'static str")
    remedy = ("remedy", "What to do about it, without details that only the error itself knows.",
              lambda entry: quoted(entry.get("remedy", "")), '""', "&'static str")
    domain = ("domain", "Which part of the library has such errors.",
              lambda entry: f"Domain::{domains[entry['number'] // 100 + 1].capitalize()}", "Domain::Unknown(0)", "Domain")
    lines += codes("ErrorCode", entries, lambda entry: f"-{entry['number']}", "What kind of failure it is.", "i32",
                   [name, meaning, remedy, domain])
    lines += codes("FindingCode", findings, lambda entry: entry["number"], "What a check can find.", "u32", [name, meaning, remedy])
    return "\n".join(lines) + "\n"


def recode(all_types):
    """For the comparison with C: each type by its name, read and written again."""
    lines = ["pub fn recode(name: &str, json: &str) -> Option<utm::Result<String>> {", "    Some(match name {"]
    for types, module in all_types:
        for type_ in types.model.structs + types.model.alternates:
            lines.append(f'        "{types.model.name}/{type_.name}" => again::<utm::{module}::{types.names[id(type_)]}>(json),')
    return "\n".join(lines + ["        _ => return None,", "    })", "}"]) + "\n"


def main(directory):
    texts, all_types = {"errors.rs": errors()}, []
    for source, module in (("qmp.ledger", "qmp"), ("qga.ledger", "guest"), ("config.schema", "config::types")):
        types = Types(model.load(os.path.join(QAPI, source)))
        texts[types.model.name + ".rs"] = types.text(source)
        all_types.append((types, module))
    texts["recode.rs"] = recode(all_types)
    for name, text in texts.items():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: rust_backend.py DIRECTORY")
    main(sys.argv[1])
