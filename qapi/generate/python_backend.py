# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the model to Python: classes of all types and events, and methods of all commands, blocking and for asyncio.

Usage: python3 qapi/generate/python_backend.py LEDGER-OR-SCHEMA DIRECTORY. Writes NAME_types.py, and of a protocol NAME_commands.py.

What is generated declares; `bindings/python/utm/_typed.py` reads and writes by the tables in it. The classes are written out, with
annotations and constructors, because editors and type checkers read the text; the commands are in a module of their own, which
does not import the types until one is used, so that importing the package stays cheap.
"""

import keyword
import os
import sys
import textwrap

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import model  # noqa: E402

# What attributes and parameters may not be called, besides keywords.
RESERVED = {"self", "cls", "extras", "branch", "event", "timestamp", "timeout", "members", "value", "from_json", "to_json", "from_value",
            "to_value"}
PEERS = {"qmp": ("Qmp", "QEMU"), "qga": ("Qga", "the guest agent")}
HEAD = '''# SPDX-License-Identifier: LGPL-2.1-or-later
# Generated from {source} by qapi/generate/python_backend.py.
"""{doc}"""
'''
WIDTH = 116


def attribute(c_name):
    return c_name + "_" if keyword.iskeyword(c_name) or c_name in RESERVED else c_name


def constant(c_name):
    name = c_name.upper()
    return "N" + name if name[0].isdigit() else name + "_" if keyword.iskeyword(name) else name


def camel(text):
    return "".join(word[:1].upper() + word[1:].lower() for word in text.replace("-", "_").split("_"))


def distinct(names, where):
    assert len(set(names)) == len(names), f"{where}: {sorted(names)}"
    return names


def spec(type_, is_config=False):
    """What tables call a type."""
    if type_.kind == "int":
        word = f"{'i' if type_.signed else 'u'}{type_.bits}"
    else:
        word = type_.of.name if type_.of else "data" if is_config and type_.kind == "any" else type_.kind
    return f"[{word}]" if type_.is_list else word


def annotation(type_, is_config=False, is_parameter=False):
    words = {"int": "int", "number": "float", "str": "str", "bool": "bool", "null": "Null", "any": "bytes" if is_config else "Any"}
    word = type_.of.name if type_.of else words[type_.kind]
    if is_parameter and type_.kind == "enum" and not type_.is_list:
        word += " | str"
    return f"list[{word}]" if type_.is_list else word


def text(words):
    """Sentences as the inside of a string in triple quotes."""
    return " ".join(words).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def doc(words, indent):
    """Sentences in lines, as a documentation string."""
    body = text(words)
    if len(body) + len(indent) + 6 <= WIDTH and not body.endswith('"'):
        return [f'{indent}"""{body}"""']
    lines = textwrap.wrap(body, WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    return [f'{indent}"""{lines[0]}', *(indent + line for line in lines[1:]), f'{indent}"""']


def wrapped(head, items, tail, indent):
    """`head` + items + `tail` in lines of a bounded length."""
    line = head + ", ".join(items) + tail
    if len(line) <= WIDTH:
        return [line]
    lines, inner, current = [head], indent + "    ", ""
    for item in items:
        if current and len(inner) + len(current) + len(item) + 3 > WIDTH:
            lines.append(inner + current.rstrip())
            current = ""
        current += item + ", "
    return lines + [inner + current.rstrip(" ,"), indent + tail]


def tuple_of(head, items):
    """The same of a tuple, which is one with a single item, too."""
    return wrapped(head + "(", items, ",)" if len(items) == 1 else ")", "    ")


class Types:
    def __init__(self, model_):
        self.model = model_
        self.is_config = model_.name == "config"
        self.exported = []
        self.events = {}
        self.hidden = set()

    def module(self, source):
        what = "the configuration" if self.is_config else PEERS[self.model.name][1]
        out = HEAD.format(source=source, doc=f"The types of {what}, from what is known of {'its format' if self.is_config else 'its protocol'}.")
        body = []
        for enum in self.model.enums:
            body += self.enum(enum)
        self.events = {event.name: camel(event.name) + "Event" for event in self.model.events}
        events = {self.events[event.name]: event for event in self.model.events}
        for struct in self.model.structs:
            event = events.get(struct.name)
            body += self.struct(struct, struct.name, "Event" if event else None, event)
        for alternate in self.model.alternates:
            body += self.alternate(alternate)
        for event in self.model.events:
            body += self.event(event)
        distinct(self.exported, source)
        if self.model.events:
            body += self.event_table()
        unions = [struct for struct in self.model.structs if struct.tag]
        body += ["", "if TYPE_CHECKING:"] + [line for union in unions for line in self.branch_alias(union)] if unions else []
        lines = [out.rstrip("\n"), "", "from __future__ import annotations", "",
                 "from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, Union", "",
                 "from . import _typed", "from ._typed import NULL, Null", "", "if TYPE_CHECKING:", "    import builtins", ""]
        lines += wrapped("__all__ = [", [f'"{name}"' for name in ["NULL", *sorted(self.exported)]], "]", "")
        return "\n".join(lines + body) + "\n"

    # --- enumerations ---

    def enum(self, enum):
        self.exported.append(enum.name)
        names = distinct([constant(value.c_name) for value in enum.values], enum.name)
        out = ["", "", f"class {enum.name}(_typed.OpenEnum):"]
        out += doc(enum.docs or [f"A text of {len(names)} that are known."], "    ")
        out += ["", "    __slots__ = ()"]
        out += wrapped("    _texts = {", [f'"{name}": "{value.name}"' for name, value in zip(names, enum.values)], "}", "    ")
        for name, value in zip(names, enum.values):
            out.append(f"    {name}: ClassVar[{enum.name}]")
            out += doc(value.docs, "    ") if value.docs else []
        return out

    # --- structs ---

    def row(self, member):
        name = attribute(member.c_name)
        row = [f'"{member.name}"', "None" if name == member.name else f'"{name}"', f'"{spec(member.type, self.is_config)}"']
        more = [not member.optional or None, f'"{spec(member.older)}"' if member.older else None,
                None if member.default is None else repr(member.default)]
        while more and more[-1] is None:
            more.pop()
        return f"({', '.join(row + [str(word) for word in more])})"

    def member_type(self, member, is_parameter=False):
        word = annotation(member.type, self.is_config, is_parameter)
        if word in self.hidden:
            word = f"builtins.{word}"
        if member.older:
            word += f" | {annotation(member.older)}"
        if member.type.kind == "any" and not self.is_config and not member.type.is_list:
            return word
        return word + " | None" if member.optional and member.default is None else word

    def default(self, member):
        if member.default is None:
            return "None"
        if member.type.kind == "enum":
            value = next(value for value in member.type.of.values if value.name == member.default)
            return f'"{value.name}"'
        return repr(member.default)

    def struct(self, struct, name, base=None, event=None):
        self.exported.append(name)
        attributes = distinct([attribute(member.c_name) for member in struct.members], name)
        self.hidden = set(attributes)  # a member that is called as a type is hides that type in its class
        base = base or ("Union" if struct.tag else "Struct")
        assert not (event and struct.tag)
        out = ["", "", f"class {name}(_typed.{base}):"]
        out += doc(struct.docs or [self.summary(struct, event)], "    ")
        quoted = [f'"{word}"' for word in attributes]
        out += ["", *tuple_of("    __slots__ = ", quoted)]
        if event:
            out.append(f'    event = "{event.name}"')
        if self.is_config:
            out.append("    _null_is_absent = True")
        if struct.members:
            out += tuple_of("    _table = ", [self.row(member) for member in struct.members])
        if struct.tag:
            out.append(f'    _tag = "{struct.tag.name}"')
            out += wrapped("    _branches = {", [f'"{b.name}": "{b.type.of.name}"' for b in struct.branches], "}", "    ")
            late = [f'"{branch.name}"' for branch in struct.branches if branch.late]
            out += [f"    _late = frozenset(({', '.join(late)},))"] if late else []
            out.append(f"    branch: _{struct.name}Branch | None")
        for member, word in zip(struct.members, attributes):
            out.append(f"    {word}: {self.member_type(member)}")
            words = self.member_docs(member)
            out += doc(words, "    ") if words else []
        out += [""] + self.constructor(name, struct, attributes, event)
        return out

    def summary(self, struct, event):
        if event:
            return f"`{event.name}`."
        return f"More members by `{struct.tag.name}`." if struct.tag else f"`{struct.name}`."

    def branch_alias(self, struct):
        """What its branches are, for type checkers alone."""
        names = dict.fromkeys(branch.type.of.name for branch in struct.branches)
        return wrapped(f"    _{struct.name}Branch: TypeAlias = Union[", list(names), "]", "    ")

    def member_docs(self, member):
        words = list(member.docs)
        if member.unit:
            words.append(f"In {member.unit}.")
        if member.minimum is not None or member.maximum is not None:
            low, high = member.minimum, member.maximum
            words.append(f"From {low} to {high}." if None not in (low, high) else
                         f"At least {low}." if high is None else f"At most {high}.")
        return words

    def parameters(self, struct, attributes):
        """Required ones first; all by name."""
        pairs = sorted(zip(struct.members, attributes), key=lambda pair: pair[0].optional)
        return [f"{word}: {self.member_type(member, True)}" + (f" = {self.default(member)}" if member.optional else "")
                for member, word in pairs]

    def constructor(self, name, struct, attributes, event):
        parameters = self.parameters(struct, attributes)
        if event:
            parameters.append("timestamp: float | None = None")
        if struct.tag:
            parameters.append("**members: Any")
        first = ["self"] + ([f"branch: _{name}Branch | None = None"] if struct.tag else [])
        out = wrapped("    def __init__(", first + (["*"] if struct.members or event else []) + parameters, ") -> None:", "    ")
        out.append("        self.extras = None")
        for member, word in zip(struct.members, attributes):
            is_enum = member.type.kind == "enum" and not member.type.is_list
            out.append(f"        self.{word} = {member.type.of.name}.of({word})" if is_enum else f"        self.{word} = {word}")
        if event:
            out.append("        self.timestamp = timestamp")
        if struct.tag:
            out.append("        self._begin(branch, members)")
        return out

    # --- alternates ---

    def alternate(self, alternate):
        self.exported.append(alternate.name)
        types = dict.fromkeys(annotation(branch.type) for branch in alternate.branches)
        branches = [f'"{branch.name}": "{spec(branch.type)}"' for branch in alternate.branches]
        return ["", "", "if TYPE_CHECKING:", f'    {alternate.name}: TypeAlias = "{" | ".join(types)}"', "else:",
                *wrapped(f'    {alternate.name} = _typed.Alternate(__name__, "{alternate.name}", {{', branches, "})", "    ")]

    # --- events ---

    def event(self, event):
        """Those whose data have no name of their own, or none that is theirs alone, or are nothing."""
        name = self.events[event.name]
        struct = model.Struct(name, "", event.docs, event.args.members if event.args else [])
        return [] if name in self.exported else self.struct(struct, name, "Event", event)

    def event_table(self):
        out = ["", "", "# By the names that the peer has for them."]
        out += wrapped("EVENTS: dict[str, type[_typed.Event]] = {", [f'"{name}": {cls}' for name, cls in self.events.items()], "}", "")
        return out + ["", "", "def event_from_json(name: str, text: str | bytes | None, timestamp: float | None = None) -> _typed.Event:",
                      '    """The typed event of a name and its data; one that nobody knows has them in its `extras`."""',
                      "    return _typed.event_from_json(EVENTS, name, text, timestamp)"]


class Commands:
    def __init__(self, model_):
        self.model = model_
        self.prefix, self.peer = PEERS[model_.name]
        self.types = Types(model_)

    def module(self, source):
        lines = [HEAD.format(source=source, doc=f"The commands of {self.peer} as methods, blocking and for asyncio.").rstrip("\n"), "",
                 "from __future__ import annotations", "", "from typing import TYPE_CHECKING, Any", "", "from . import _typed", "",
                 "if TYPE_CHECKING:", f"    from .{self.model.name}_types import *  # noqa: F403", "",
                 f'__all__ = ["Async{self.prefix}Commands", "{self.prefix}Commands"]', "", "",
                 "class _Types:", '    """The module of the types, imported when one is first used."""', "",
                 "    def __getattr__(self, name: str) -> Any:",
                 f"        from . import {self.model.name}_types as module", "        return getattr(module, name)", "", "",
                 "_types: Any = _Types()"]
        return "\n".join(lines + self.mixin(False) + self.mixin(True)) + "\n"

    def mixin(self, is_async):
        name = f"{'Async' if is_async else ''}{self.prefix}Commands"
        word = "async " if is_async else ""
        out = ["", "", f"class {name}:", f'    """The commands of {self.peer}. `timeout` is in seconds; None is the deadline of the command."""',
               "", f"    {word}def _execute(self, command: str, arguments: str | None, timeout: float | None) -> str:",
               "        raise NotImplementedError"]
        for command in self.model.commands:
            out += self.method(command, is_async)
        return out

    def method(self, command, is_async):
        struct, word = command.args, "async " if is_async else ""
        attributes = [attribute(member.c_name) for member in struct.members] if struct else []
        boxed = bool(struct and struct.tag)
        members = self.types.parameters(struct, attributes) if struct and not boxed else []
        parameters = ["self"] + ([f"value: {struct.name} | None = None", "/"] if boxed else []) + ["*"] + members
        parameters.append("timeout: float | None = None")
        if boxed or command.open:
            parameters.append("**members: Any")
        returns = annotation(command.returns) if command.returns else "None"
        out = ["", *wrapped(f"    {word}def {self.name(command)}(", parameters, f") -> {returns}:", "    ")]
        out += doc([f"`{command.name}`.", *command.docs, *self.more(command, boxed)], "        ")
        call, arguments = "await self._execute" if is_async else "self._execute", "None"
        if struct:
            given = "members" if boxed else "{" + ", ".join(f'"{name}": {name}' for name in attributes) + "}"
            inner = [f'_types, "{struct.name}"', "value" if boxed else "None", given] + (["members"] if command.open else [])
            out += wrapped("        arguments = _typed.arguments(", inner, ")", "        ")
            arguments = "arguments"
        line = f'{call}("{command.name}", {arguments}, timeout)'
        return out + [f'        return _typed.result(_types, "{spec(command.returns)}", {line})' if command.returns else f"        {line}"]

    def name(self, command):
        return command.c_name + "_" if keyword.iskeyword(command.c_name) else command.c_name

    def more(self, command, boxed):
        words = []
        if boxed:
            words.append(f"Takes a `{command.args.name}`, or its members by name.")
        if command.open:
            words.append("Takes other members under the names that they have on the wire.")
        return words + ([] if command.has_reply else ["Has no reply where it succeeds."])


def write(directory, name, content):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(content)


def main(path, directory):
    loaded, source = model.load(path), os.path.basename(path)
    write(directory, f"{loaded.name}_types.py", Types(loaded).module(source))
    if loaded.commands:
        write(directory, f"{loaded.name}_commands.py", Commands(loaded).module(source))


if __name__ == "__main__":
    main(*sys.argv[1:])
