# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds what one QEMU release says to a ledger.

Releases are added oldest first. A release that the ledger knows already is merged again into the ledger of its day, and
must give what is recorded. Programs compiled against an old fact must go on when QEMU changes its mind. So when

    a type has a new name                        the recorded name stays, `name=` notes the new one
    a type is replaced by one of the same form   nothing moves, `wire=` notes it
    integers changed, none became wider;         the field stays, `wire=` notes it: text takes any enum value
      a string became an enum
    anything else changed its type               a second field `x_2` is appended, `next=` leads to it
    a struct became a union                      its tag and its branches are appended
    a required number may be absent now          `omit_x` is appended where programs send it, else `has_x`
"""

from collections import defaultdict

import ledger_text
import naming
from ledger_text import LedgerError, Line, release_key
from names import OBJECT_FIELDS
from schema import BUILTINS, INTEGERS, element
from shape import Alternate, Call, Enum, Object

TYPES = ("enum", "object", "alternate")
WIDTHS = {name: int(name.lstrip("uint") or 64) if name != "size" else 64 for name in INTEGERS}


def merge(text, schema, release, version):
    """The ledger with a release added; the one passed in is not changed."""
    known = list(text.releases)
    if release in known:
        return check_again(text, schema, release)
    if known and release_key(release) < release_key(known[-1]):
        raise LedgerError(f"{text.protocol}.ledger",
                          f"release {release} is older than {known[-1]}, which is recorded already",
                          "Releases are added oldest first: numbers and field orders of the newer one are final.")
    result = ledger_text.cut(text, known[-1], True) if known else ledger_text.Text(text.protocol, text.comments)
    result.releases[release] = version
    Merge(result, schema, release).run()
    return result


def check_again(text, schema, release):
    before = ledger_text.cut(text, release, False)
    now = ledger_text.cut(text, release, True)
    before.releases[release] = now.releases[release]
    Merge(before, schema, release).run()
    lines = zip(now.format().split("\n") + [""], before.format().split("\n") + [""])
    for number, (recorded, read) in enumerate(lines, 1):
        if recorded != read:
            raise LedgerError(f"{text.protocol}.ledger at release {release}, line {number}",
                              f"recorded is `{recorded.strip()}`, this source says `{read.strip()}`",
                              "Is it the source of another release, or did the import rules change?")
    return text


def type_kind(definition):
    return "enum" if isinstance(definition, Enum) else "alternate" if isinstance(definition, Alternate) else "object"


def is_scalar(type_name, types):
    """Whether absence needs a flag: all others are pointers, or counted."""
    if type_name.startswith("["):
        return False
    return types[type_name].kind == "enum" if type_name in types else type_name not in ("str", "any", "null")


def features_text(features):
    return ",".join(feature.name + (f"[{feature.condition}]" if feature.condition else "")
                    for feature in sorted(features, key=lambda feature: feature.name))


class Merge:
    def __init__(self, text, schema, release):
        self.text = text
        self.schema = schema
        self.release = release
        self.types = {block.name: block for block in text.blocks if block.kind in TYPES}
        self.calls = {(block.kind, block.name): block for block in text.blocks if block.kind in ("command", "event")}
        self.recorded = {}  # schema name: ledger name
        self.objects = schema.types | self.inline_arguments()

    def fail(self, block, message, advice):
        raise LedgerError(f"{self.text.protocol}.ledger", f"{block.kind} '{block.name}': {message}", advice)

    def run(self):
        self.recorded = self.match_types()
        for definition in self.schema.definitions.values():
            self.merge_definition(definition)
        for inline in [d for name, d in self.objects.items() if name not in self.schema.types]:
            self.merge_definition(inline)
        self.mark_gone()
        self.add_flags()

    def inline_arguments(self):
        """Arguments written inline where a type with a name is recorded: that type goes on, whatever QEMU calls it."""
        calls = [call for call in self.schema.of_kind("command", "event") if isinstance(call.data, Object)]
        return {call.data.name: call.data for call in calls
                if (call.kind, call.name) in self.calls and first_value(self.calls[call.kind, call.name], "args")}

    # --- which recorded type a type of the schema is ---

    def match_types(self):
        """By name; else by use: where a type vanished, the new type in its places is the same with another name."""
        current = {block.state().get("name", block.name): block.name for block in self.types.values()}
        recorded = {name: current[name] for name in self.objects if name in current}
        while True:
            found = self.renamed(recorded)
            if not found:
                break
            recorded |= found
        return recorded

    def renamed(self, recorded):
        votes = defaultdict(set)
        for old, new in self.type_pairs(recorded):
            if old in self.types and old not in recorded.values() and new not in recorded:
                votes[old].add(new)
        claimed = [new for news in votes.values() for new in news]
        return {new: old for old, news in votes.items() for new in news
                if len(news) == 1 and claimed.count(new) == 1 and self.is_same_kind(old, new)}

    def is_same_kind(self, old, new):
        """A new name for an old thing: of the same kind, and with something in common."""
        definition, block = self.objects[new], self.types[old]
        if new in self.types or block.kind != type_kind(definition):
            return False
        parts = getattr(definition, "values", None) or getattr(definition, "members", None) or definition.branches
        names = {part.name for part in parts}
        return not names or bool(names & {line.name for line in block.lines})

    def type_pairs(self, recorded):
        """(recorded type, type now) for each place that names a type and was there before."""
        for name, definition in self.objects.items():
            if name in recorded and not isinstance(definition, Enum):
                yield from self.pairs_of_parts(self.types[recorded[name]], definition)
        for call in self.schema.of_kind("command", "event"):
            block = self.calls.get((call.kind, call.name))
            if not block:
                continue
            state = block.state()
            if "args" in state and call.data is not None:
                yield state["args"], data_name(call)
            elif isinstance(call.data, Object):
                yield from self.pairs_of_parts(block, call.data)
            if "returns" in state and call.returns:
                yield element(state["returns"]), element(call.returns)

    def pairs_of_parts(self, block, definition):
        now = {(kind, part.name): part.type for kind, part in parts_of(definition)}
        for line in block.lines:
            if (line.kind, line.name) in now and "next" not in line.state():
                yield element(line.state().get("wire", line.words[2])), element(now[line.kind, line.name])

    def type_name(self, type_name):
        """A schema type as the ledger names it. Types that are new keep their name."""
        name = element(type_name)
        return type_name.replace(name, self.recorded.get(name, name))

    # --- definitions ---

    def merge_definition(self, definition):
        if isinstance(definition, Call):
            self.merge_call(definition)
            return
        kind = type_kind(definition)
        name = self.recorded.get(definition.name, definition.name)
        if definition.name not in self.schema.types and name not in self.types:
            return  # Arguments written inline are recorded with their command.
        block = self.types.get(name)
        if not block:
            block = self.types[name] = self.add_block(kind, name, naming.stem(name))
        elif block.kind != kind:
            self.fail(block, f"is now of kind '{kind}'",
                      "Nothing in C can be both. Decide how, and extend qapi/import/merge.py.")
        new_name = definition.name if definition.name != name else ""
        block.change(self.release, self.common(definition) | {"name": new_name})
        if kind == "enum":
            self.merge_values(block, definition)
        else:
            self.merge_parts(block, definition)

    def add_block(self, kind, name, stem):
        block = Line(kind, [name, stem])
        self.text.blocks.append(block)
        return block

    def common(self, thing):
        return {"if": thing.condition, "features": features_text(getattr(thing, "features", []))}

    def merge_values(self, block, enum):
        lines = {line.name: line for line in block.lines}
        for value in enum.values:
            if value.name not in lines:
                words = [value.name, naming.value(block.name, value.name), str(len(block.lines))]
                lines[value.name] = Line("value", words)
                block.lines.append(lines[value.name])
            lines[value.name].change(self.release, self.common(value))
        self.mark_lines_gone(block, {("value", value.name) for value in enum.values})

    def merge_call(self, call):
        key = (call.kind, call.name)
        block = self.calls.get(key)
        if not block:
            block = self.calls[key] = self.add_block(call.kind, call.name, naming.call(call.name))
        flags = {"oob": "allow-oob" in call.flags, "preconfig": "allow-preconfig" in call.flags,
                 "no-reply": "success-response" in call.flags, "open": "gen" in call.flags}
        state = block.state()
        arguments = self.merge_data(block, call)
        returns = self.merge_use(block, "returns", call.returns)
        next_state = self.common(call) | flags | {"args": arguments, "returns": returns}
        block.change(self.release, {fact: value for fact, value in next_state.items() if value or fact in state})

    def merge_data(self, block, call):
        """The name of the object with the arguments, or nothing where they are the call's own."""
        has_own = any(line.kind == "member" for line in block.lines)
        is_inline = isinstance(call.data, Object) and not first_value(block, "args")
        if call.data is None or is_inline or has_own:
            self.merge_parts(block, self.resolved(call.data))
            return ""
        return self.merge_use(block, "args", data_name(call))

    def resolved(self, data):
        return self.schema.types[data] if isinstance(data, str) else data or Object("struct", "", "")

    def merge_use(self, block, fact, type_name):
        """A type that a call names. Its function has that type in its signature, so only its name may change."""
        if type_name is None:
            return ""
        old, new = first_value(block, fact), self.type_name(type_name)
        if old and not self.fits(old, new):
            self.fail(block, f"'{fact}' was '{old}' and is '{new}'",
                      "The type is part of a function. Decide how to offer both, and extend qapi/import/merge.py.")
        return old or new

    # --- members and branches ---

    def merge_parts(self, block, definition):
        tag = getattr(definition, "tag", None)
        for part in getattr(definition, "members", []):
            self.merge_part(block, "member", part, is_tag=part.name == tag)
        if tag:
            self.merge_union(block, tag)
        for part in getattr(definition, "branches", []):
            self.merge_part(block, "branch", part)
        self.mark_lines_gone(block, {(kind, part.name) for kind, part in parts_of(definition)}, tag)

    def merge_part(self, block, kind, part, is_tag=False):
        forms = [line for line in block.lines if line.kind == kind and line.name == part.name]
        new = self.type_name(part.type)
        facts = self.common(part) | {"optional": part.optional}
        holds = forms and self.fits(forms[-1].words[2], new) and (self.is_enum(forms[-1].words[2]) or not is_tag)
        if not holds:
            name = naming.member(block.name, part.name, len(forms) + 1)
            line = Line(kind, [part.name, self.free_name(block, kind, name), new])
            has = kind == "member" and self.needs_flag_at_once(block, line, part)
            line.change(self.release, facts | {"has": has})
            block.lines.append(line)
            for form in forms:
                form.change(self.release, facts | {"next": name})
            return
        for form in forms:
            next_name = form.state().get("next", "")
            wire = new if new != form.words[2] and not next_name else ""
            form.change(self.release, facts | {"wire": wire, "next": next_name})

    def is_enum(self, type_name):
        """Also of an enum that comes later in this schema."""
        return isinstance(self.definition_of(type_name), Enum)

    def definition_of(self, type_name):
        """What this release says about a type that the ledger names."""
        names = {recorded: name for name, recorded in self.recorded.items()}
        return self.objects.get(names.get(type_name, type_name))

    def needs_flag_at_once(self, block, line, part):
        """A scalar that is not there in each message of each release has a flag from the beginning."""
        is_later = bool(block.history) and block.since != self.release
        if line.words[2].startswith("[") or not (part.optional or part.condition or is_later):
            return False
        return self.is_enum(line.words[2]) or line.words[2] in BUILTINS and line.words[2] not in ("str", "any", "null")

    def free_name(self, block, kind, name):
        """Branches are fields of a union of their own."""
        if kind == "branch":
            taken = {line.words[1] for line in block.lines if line.kind == "branch"}
        else:
            taken = set(OBJECT_FIELDS) | fields(block)
        if name in taken:
            self.fail(block, f"two fields are called '{name}' in C",
                      "Give one of them another name in qapi/import/naming.py.")
        return name

    def merge_union(self, block, tag_name):
        unions = [line for line in block.lines if line.kind == "union"]
        tag = [line.words[1] for line in block.lines if line.kind == "member" and line.name == tag_name][-1]
        if not unions:
            unions = [Line("union", [tag, "u"])]
            block.lines.append(unions[0])
        if unions[0].name != tag:
            self.fail(block, f"the tag was '{unions[0].name}' and is '{tag}'",
                      "Two tags cannot choose the same branches. Decide how, and extend qapi/import/merge.py.")
        unions[0].change(self.release, {})

    def fits(self, old, new):
        """Whether the recorded type can hold all values of the new one."""
        if old == new:
            return True
        if old.startswith("[") != new.startswith("["):
            return False
        old, new = element(old), element(new)
        if old in WIDTHS and new in WIDTHS:
            return WIDTHS[new] <= WIDTHS[old]
        if old == "str":
            return self.is_enum(new)
        return old in self.types and self.is_same_object(old, new)

    def is_same_object(self, old, new):
        """Both are structs with the same members."""
        definition = self.definition_of(new)
        block = self.types[old]
        if not isinstance(definition, Object) or definition.tag is not None or block.kind != "object":
            return False
        before = self.definition_of(old)
        if isinstance(before, Object) and before.tag is None:
            mine = self.signature(before)
        else:
            mine = {(line.name, line.words[2], "optional" in line.state()) for line in block.lines}
        return mine == self.signature(definition)

    def signature(self, struct):
        return {(part.name, self.type_name(part.type), part.optional) for part in struct.members}

    # --- afterwards ---

    def mark_lines_gone(self, block, wanted, tag=None):
        for line in block.lines:
            is_gone = not tag if line.kind == "union" else line.kind != "flag" and (line.kind, line.name) not in wanted
            if is_gone:
                line.change(self.release, line.state() | {"gone": True})

    def mark_gone(self):
        names = {self.recorded.get(name, name) for name in self.objects}
        for block in self.text.blocks:
            is_there = block.name in (names if block.kind in TYPES else self.schema.definitions)
            if not is_there:
                block.change(self.release, block.state() | {"gone": True})

    def add_flags(self):
        sent = self.sent_objects()
        for block in self.text.blocks:
            if block.kind == "alternate" or "gone" in block.state():
                continue
            word = "omit_" if block.kind == "command" or block.name in sent else "has_"
            flagged = {line.words[1] for line in block.lines if line.kind == "flag"}
            for line in [line for line in block.lines if line.kind == "member" and line.words[1] not in flagged]:
                if line.state().keys() & {"optional", "if", "gone", "next"} and self.lacks_flag(line):
                    flag = Line("flag", [self.free_name(block, "flag", flag_name(word, line)), line.words[1]])
                    flag.change(self.release, {})
                    block.lines.append(flag)

    def lacks_flag(self, line):
        return "has" not in line.state() and is_scalar(line.words[2], self.types)

    def sent_objects(self):
        """Names of the objects that programs make: all that the arguments of commands lead to."""
        waiting = []
        for block in self.text.blocks:
            if block.kind == "command":
                waiting += [first_value(block, "args") or "", *types_in(block)]
        result = set()
        while waiting:
            name = element(waiting.pop())
            if name in self.types and name not in result:
                result.add(name)
                waiting += types_in(self.types[name])
        return result


def parts_of(definition):
    """Members with those of the base, then branches, as (kind, part)."""
    return ([("member", part) for part in getattr(definition, "members", [])]
            + [("branch", part) for part in getattr(definition, "branches", [])])


def data_name(call):
    return call.data.name if isinstance(call.data, Object) else call.data


def types_in(block):
    return [line.words[2] for line in block.lines if line.kind in ("member", "branch")]


def flag_name(word, line):
    return word + line.words[1].rstrip("_")


def first_value(block, fact):
    return next((changes[fact] for _, changes in block.history if changes.get(fact)), None)


def fields(block):
    """Names of the fields of an object in C."""
    result = set()
    for line in block.lines:
        if line.kind == "member":
            result.add(line.words[1])
            result |= {line.words[1] + "_count"} if line.words[2].startswith("[") else set()
            result |= {flag_name("has_", line)} if line.history and "has" in line.state() else set()
        elif line.kind == "flag":
            result.add(line.words[0])
    return result
