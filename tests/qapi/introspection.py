# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares tables (tables.py) with QEMU's answer to `query-qmp-schema`, and with an agent's to `guest-info`.

QEMU masks the names of types, so types are paired: first the arguments and results of each command and event, whose
names are real, then what these lead to. A pair must hold wherever one of its two types is met again. That both sides of
each pair say the same, down to each member, case, value and feature, makes the whole of them the same.

The tables are a union of releases, and of all builds. What the release that answers has comes from `since` and `until`.
What the tables do not carry is taken from the ledger, by name: conditions, features, releases of branches, and for the
few facts that changed from release to release what they were in this one. A thing with a condition may be missing;
each condition must then be false wherever it stands, and fit to those it is made of.

What QEMU cannot tell: the width of integers (ranges.py looks at those), whether a command answers, runs before
configuration, or takes further members.
"""

import re

from tables import ledger

EMPTY = ""  # the type without members, which has no name in the tables
JSON_KINDS = {"enum": "string", "struct": "object", "str": "string", "bool": "boolean", "any": "value"}
META_KINDS = {"enum": "string", "object": "object", "array": "array"}


class Mismatch(Exception):
    """Two types that cannot be a pair: there is no point in comparing what they lead to."""


class Schema:
    """QEMU's answer, by name."""

    def __init__(self, reply):
        self.commands, self.events, self.types = {}, {}, {}
        spaces = {"command": self.commands, "event": self.events}
        for entity in reply:
            spaces.get(entity["meta-type"], self.types)[entity["name"]] = entity

    def is_empty(self, name):
        type_ = self.types[name]
        return type_["meta-type"] == "object" and not (type_["members"] or "tag" in type_ or "features" in type_)


class Tables:
    """The tables as one release sees them, joined with what the ledger knows besides."""

    def __init__(self, document, protocol, release):
        self.release, self.releases, self.at = release, protocol.releases, protocol.releases.index(release)
        self.types = {type_["name"]: type_ for type_ in document["types"]}
        self.commands = self.of_release(document["commands"])
        self.events = self.of_release(document["events"])
        own = [call.args for call in protocol.commands + protocol.events if call.args and call.args.owner]
        self.things = {thing.name: thing for thing in protocol.types + own}
        self.calls = {call.name: call for call in protocol.commands + protocol.events}

    def of_release(self, entries):
        return {entry["name"]: entry for entry in entries if self.has(entry)}

    def has(self, entry):
        return entry["since"] <= self.at and (entry["until"] < 0 or self.at <= entry["until"])

    def type(self, name):
        if name not in self.types:
            raise Mismatch(f"type '{name}' is not in the tables")
        return self.types[name]

    def thing(self, name):
        if name not in self.things:
            raise Mismatch(f"type '{name}' is not in the ledger")
        return self.things[name]

    def is_owned(self, name):
        """Arguments of one call, without a name in QEMU."""
        return bool(getattr(self.thing(name), "owner", None))

    def members(self, type_):
        """{name: (entry, its place, what the ledger has of it)} in this release."""
        thing = self.thing(type_["name"])
        known = thing.branches if isinstance(thing, ledger.Alternate) else thing.members
        return {entry["name"]: (entry, place, form) for place, entry, form in join(type_["members"], known, "name")
                if self.has(entry)}

    def branches(self, type_):
        """{value: (entry, what the ledger has of it)} in this release."""
        known = getattr(self.thing(type_["name"]), "branches", [])
        return {entry["value"]: (entry, form) for _, entry, form in join(type_.get("branches", []), known, "value")
                if not form or self.is_recorded(form)}

    def values(self, type_):
        """{name: what the ledger has of it} in this release."""
        known = {value.name: value for value in self.thing(type_["name"]).values}
        return {name: known.get(name) for name in self.of_release(type_["values"])}

    def is_recorded(self, thing):
        return self.releases.index(thing.since) <= self.at and "gone" not in self.state(thing)

    def state(self, thing):
        return thing.line.state(self.release) if thing else {}

    def condition(self, thing):
        return self.state(thing).get("if", "")

    def has_oob(self, command, thing):
        """What the tables say; where that changed from release to release, what it was in this one."""
        has_changed = thing and any("oob" in changes for _, changes in thing.line.history[1:])
        return "oob" in self.state(thing) if has_changed else command["oob"]

    def is_optional(self, entry, form):
        """What the tables say; where absence has another reason than this release, what the ledger says."""
        is_explained = entry["optional"] and form and form.may_be_absent
        return "optional" in self.state(form) if is_explained else entry["optional"]


def join(entries, known, key):
    """(place, entry, what the ledger has of it): the same name, and of several forms the same one in order."""
    forms = {}
    for form in known:
        forms.setdefault(form.name, []).append(form)
    for place, entry in enumerate(entries):
        left = forms.get(entry[key])
        yield place, entry, left.pop(0) if left else None


class Report:
    """`differences` are lines, and none when all is well. `conditions` is {condition: whether this build has it}."""

    def __init__(self, tables):
        self.tables = tables
        self.differences = []
        self.conditions, self.seen_at = {}, {}
        self.missing = 0

    def differ(self, path, what):
        self.differences.append(f"{path}: {what}")

    def note(self, path, condition, holds):
        """A thing with a condition is there, or is not. False if it has none and had to be there."""
        if not condition:
            return holds
        before = self.conditions.setdefault(condition, holds)
        self.seen_at.setdefault((condition, holds), path)
        if before != holds:
            other = self.seen_at[condition, before]
            self.differ(path, f"condition {condition} is {word(holds)} here and not at {other}")
        return True

    def match(self, path, what, mine, its, condition):
        """Names that both sides have. `condition` gives that of one of mine."""
        for name in sorted(its - mine):
            self.differ(path, f"QEMU has {what} '{name}', the tables do not")
        for name in sorted(mine - its):
            if self.note(f"{path} {name}", condition(name), False):
                self.missing += 1
            else:
                self.differ(path, f"the tables have {what} '{name}', QEMU does not")
        for name in sorted(mine & its):
            self.note(f"{path} {name}", condition(name), True)
        return sorted(mine & its)

    def match_calls(self, path, what, mine, its):
        return self.match(path, what, mine.keys(), its.keys(),
                          lambda name: self.tables.condition(self.tables.calls.get(name)))

    def check_conditions(self):
        """Those that are made of others must fit to these."""
        known = {text: holds for text, holds in self.conditions.items() if "(" not in text}
        for _ in self.conditions:
            for text, holds in self.conditions.items():
                learn(parse(text), holds, known)
        for text, holds in self.conditions.items():
            found = evaluate(parse(text), known)
            if found is not None and found != holds:
                self.differ(self.seen_at[text, holds],
                            f"condition {text} is {word(holds)}, and what it is made of says otherwise")


class AgentComparison(Report):
    """The commands of a guest agent, as `guest-info` lists them; it tells no more than that."""

    def run(self, reply):
        mine = self.tables.commands
        its = {command["name"]: command for command in reply["supported_commands"]}
        names = self.match_calls("guest-info", "command", mine, its)
        for name in names:
            if mine[name]["no_reply"] == its[name]["success-response"]:
                self.differ(f"command {name}", "the tables say otherwise than the agent whether it answers")
        self.check_conditions()
        self.counts = {"commands": len(names)}
        return self


class Comparison(Report):
    """With QEMU's schema. `left_over` are types that only places lead to which this build does not have."""

    def __init__(self, tables, reply):
        super().__init__(tables)
        self.schema = Schema(reply)
        self.left_over = []
        self.masked, self.named = {}, {}
        self.waiting, self.dropped = [], []
        self.counts = dict.fromkeys(("commands", "events", "types", "members", "values", "cases"), 0)

    def run(self):
        self.compare_calls("command", self.tables.commands, self.schema.commands)
        self.compare_calls("event", self.tables.events, self.schema.events)
        self.compare_waiting()
        self.explain_left_over()
        self.check_conditions()
        self.counts["types"] = len(self.named)
        return self

    # --- commands and events ---

    def compare_calls(self, kind, mine, its):
        for name in self.match_calls("schema", kind, mine, its):
            self.compare_call(f"{kind} {name}", mine[name], its[name])
            self.counts[kind + "s"] += 1
        for name in sorted(mine.keys() - its.keys()):
            self.drop(f"{kind} {name} arguments", struct_of(mine[name]["args"]))
            self.drop(f"{kind} {name} result", mine[name].get("returns"))

    def compare_call(self, path, call, its):
        thing = self.tables.calls.get(call["name"])
        self.compare_features(path, call, thing, its)
        self.pair(f"{path} arguments", struct_of(call["args"]), its["arg-type"])
        if its["meta-type"] == "command":
            self.pair(f"{path} result", call["returns"], its["ret-type"])
            oob = self.tables.has_oob(call, thing)
            if oob != its.get("allow-oob", False):
                self.differ(path, f"out of band is {word(oob)} in the tables, QEMU says otherwise")

    def compare_features(self, path, entry, thing, its):
        """The ledger has all features and conditions; the tables have flags for three of them."""
        words = self.tables.state(thing).get("features", "")
        mine = dict(re.findall(r"([^,\[]+)(?:\[([^\]]*)\])?", words))
        self.match(path, "feature", mine.keys(), set(its.get("features", [])), mine.get)
        if thing and "conditional" in entry:
            flags = {"deprecated": thing.deprecated, "unstable": thing.unstable,
                     "conditional": bool(thing.condition)}
            for name in [name for name, holds in flags.items() if entry[name] != holds]:
                self.differ(path, f"{name} is {word(entry[name])} in the tables")

    # --- pairs ---

    def pair(self, path, use, masked, form=None):
        """`use` is how the tables name a type, or None for none; `form` is what the ledger says of the place."""
        use = use or {"kind": "struct", "type": EMPTY, "array": False}
        its = self.schema.types[masked]
        try:
            if use["array"] != (its["meta-type"] == "array"):
                raise Mismatch("is a list in only one of the tables and QEMU")
            if use["array"]:
                path, masked = path + "[]", its["element-type"]
            self.pair_element(path, use, masked, form)
        except Mismatch as reason:
            self.differ(path, str(reason))

    def pair_element(self, path, use, masked, form):
        its = self.schema.types[masked]
        kind, name = use["kind"], self.tables.state(form).get("wire", "").strip("[]")
        if kind == "str" and name and name not in ledger.BUILTINS:
            kind, use = "enum", {"type": name}  # The string in C holds the values of what QEMU made an enum.
        wanted = its["name"] if its["meta-type"] == "builtin" else its["meta-type"].replace("object", "struct")
        if kind != wanted:
            raise Mismatch(f"is {kind} in the tables, {wanted} in QEMU")
        if its["meta-type"] != "builtin":
            self.pair_names(path, name or self.identity(use["type"]), use["type"], masked)

    def identity(self, name):
        """Arguments of a call's own that have no members yet are what QEMU calls empty."""
        is_empty = name and self.tables.is_owned(name) and not self.tables.members(self.tables.type(name))
        return EMPTY if is_empty else name

    def pair_names(self, path, name, structure, masked):
        """`structure` is the type in the tables that holds the values of `name`; mostly the same."""
        if self.masked.get(name, masked) != masked:
            raise Mismatch(f"{quote(name)} is QEMU's type {masked} here, and {self.masked[name]} elsewhere")
        if self.named.get(masked, name) != name:
            raise Mismatch(f"QEMU's type {masked} is {quote(name)} here, and {quote(self.named[masked])} elsewhere")
        if name in self.masked:
            return
        self.masked[name], self.named[masked] = masked, name
        if name:
            self.waiting.append((path, name, structure, masked))
        elif not self.schema.is_empty(masked):
            raise Mismatch("has no members in the tables, and some in QEMU")

    def compare_waiting(self):
        compare = {"object": self.compare_object, "enum": self.compare_enum, "alternate": self.compare_alternate}
        while self.waiting:
            place, name, structure, masked = self.waiting.pop()
            path, its = f"{name} ({place})", self.schema.types[masked]
            try:
                type_, thing = self.tables.type(structure), self.tables.thing(structure)
                if not self.tables.is_owned(structure):  # Else these facts are the call's.
                    self.note(path, self.tables.condition(thing), True)
                    self.compare_features(path, type_, thing, its)
                compare[its["meta-type"]](path, type_, its)
            except Mismatch as reason:
                self.differ(path, str(reason))

    # --- what a pair says ---

    def compare_object(self, path, type_, its):
        members = self.tables.members(type_)
        theirs = {member["name"]: member for member in its["members"]}
        for name in self.match(path, "member", members.keys(), theirs.keys(),
                               lambda name: self.tables.condition(members[name][2])):
            entry, _, form = members[name]
            self.compare_member(f"{path}.{name}", entry, form, theirs[name])
            self.counts["members"] += 1
        for name in sorted(members.keys() - theirs.keys()):
            entry, _, form = members[name]
            self.drop(f"{path}.{name}", entry, form)
        self.compare_union(path, type_, members, its)

    def compare_member(self, path, entry, form, its):
        optional = self.tables.is_optional(entry, form)
        if optional != ("default" in its):
            self.differ(path, f"is {'optional' if optional else 'required'} in the tables, QEMU says otherwise")
        if its.get("default") is not None:
            self.differ(path, "has a default value in QEMU, which is something new")
        self.compare_features(path, entry, form, its)
        self.pair(path, entry, its["type"], form)

    def compare_union(self, path, type_, members, its):
        tag = next((name for name, (_, place, _) in members.items() if place == type_["tag"]), None)
        if tag != its.get("tag"):
            raise Mismatch(f"the tag is {quote(tag)} in the tables, {quote(its.get('tag'))} in QEMU")
        if not tag:
            return
        branches = self.tables.branches(type_)
        values = self.tables.values(self.tables.type(members[tag][0]["type"]))
        for name in sorted(branches.keys() - values.keys()):
            self.differ(path, f"the tables have a branch '{name}', which is no value of the tag")
        cases = {variant["case"]: variant["type"] for variant in its["variants"]}
        forms = values | {name: form for name, (_, form) in branches.items()}
        for name in self.match(path, "case", values.keys(), cases.keys(),
                               lambda name: self.tables.condition(forms[name])):
            use = struct_of(branches[name][0]["type"]) if name in branches else None
            self.pair(f"{path}/{name}", use, cases[name], forms[name])
            self.counts["cases"] += 1
        for name in sorted(branches.keys() - cases.keys()):
            self.drop(f"{path}/{name}", struct_of(branches[name][0]["type"]), forms[name])

    def compare_enum(self, path, type_, its):
        values = self.tables.values(type_)
        theirs = {member["name"]: member for member in its["members"]}
        if theirs.keys() != set(its["values"]):
            self.differ(path, "QEMU's two lists of values are not the same")
        for name in self.match(path, "value", values.keys(), theirs.keys(),
                               lambda name: self.tables.condition(values[name])):
            self.compare_features(f"{path} {name}", {}, values[name], theirs[name])
            self.counts["values"] += 1

    def compare_alternate(self, path, type_, its):
        """Branches have no names in QEMU, and there is one for each kind of JSON."""
        members = self.tables.members(type_).values()
        mine = {kind_of_use(entry): (entry, form) for entry, _, form in members}
        theirs = {self.kind_of_type(member["type"]): member["type"] for member in its["members"]}
        if len(mine) != len(members):
            self.differ(path, "the tables have two branches for one kind of JSON")
        for kind in self.match(path, "a branch for JSON of kind", mine.keys(), theirs.keys(),
                               lambda kind: self.tables.condition(mine[kind][1])):
            self.pair(f"{path}:{kind}", mine[kind][0], theirs[kind], mine[kind][1])

    def kind_of_type(self, masked):
        its = self.schema.types[masked]
        return its["json-type"] if its["meta-type"] == "builtin" else META_KINDS.get(its["meta-type"])

    # --- types that are left over ---

    def drop(self, path, use, form=None):
        """A place that this build lacks. Types it leads to may be there all the same, if they lack its condition."""
        if use and use["type"] in self.tables.types:
            self.dropped.append((path, use | {"array": False}, form))

    def explain_left_over(self):
        """Types that nothing leads to are those of dropped places, if they say the same."""
        for masked, its in self.schema.types.items():
            is_named = its["meta-type"] in ("builtin", "array") or masked in self.named
            if not (is_named or self.schema.is_empty(masked) or self.explain(masked)):
                self.differ(f"QEMU's type {masked}", f"nothing in the tables leads to this {describe(its)}")

    def explain(self, masked):
        """Tries the types of dropped places, each on a copy of what is known."""
        for path, use, form in self.dropped_types():
            trial = self.copy()
            trial.pair(path, use, masked, form)
            trial.compare_waiting()
            if len(trial.differences) == len(self.differences):
                self.__dict__.update(trial.__dict__)
                self.left_over.append(f"{use['type']} ({path})")
                return True
        return False

    def dropped_types(self):
        """What dropped places lead to, and nothing else."""
        waiting, seen = list(self.dropped), set()
        while waiting:
            path, use, form = waiting.pop(0)
            name = use["type"]
            if name in seen or name in self.masked or name not in self.tables.types:
                continue
            seen.add(name)
            yield path, use, form
            if use["kind"] != "enum":
                type_ = self.tables.type(name)
                waiting += [(f"{path}.{member}", entry | {"array": False}, its)
                            for member, (entry, _, its) in self.tables.members(type_).items()]
                waiting += [(f"{path}/{value}", struct_of(entry["type"]), its)
                            for value, (entry, its) in self.tables.branches(type_).items()]

    def copy(self):
        trial = Comparison.__new__(Comparison)
        trial.__dict__.update({key: value.copy() if isinstance(value, (list, dict)) else value
                               for key, value in self.__dict__.items()})
        return trial


def struct_of(name):
    return {"kind": "struct", "type": name, "array": False} if name else None


def kind_of_use(use):
    return "array" if use["array"] else JSON_KINDS.get(use["kind"], use["kind"])


def describe(its):
    names = [member["name"] for member in its.get("members", []) if "name" in member]
    return f"{its['meta-type']} of {', '.join(names[:8]) or 'nothing'}"


def quote(name):
    return f"'{name}'" if name else "nothing"


def word(holds):
    return "true" if holds else "false"


# --- conditions: a name, or (all, any or not, [conditions]) ---

def parse(text):
    tokens = re.findall(r"\w+|[(),]", text)

    def one():
        name = tokens.pop(0)
        if not tokens or tokens[0] != "(":
            return name
        parts = []
        while tokens.pop(0) != ")":
            parts.append(one())
        return name, parts
    return one()


def evaluate(tree, known):
    """True, False, or None where it is not known."""
    if isinstance(tree, str):
        return known.get(tree)
    values = [evaluate(part, known) for part in tree[1]]
    if tree[0] == "not":
        return None if values[0] is None else not values[0]
    decisive = tree[0] == "any"
    return decisive if decisive in values else None if None in values else not decisive


def learn(tree, holds, known):
    """What a condition that holds, or does not, says about its parts."""
    if isinstance(tree, str):
        known.setdefault(tree, holds)
    elif tree[0] == "not":
        learn(tree[1][0], not holds, known)
    elif holds == (tree[0] == "all"):
        for part in tree[1]:
            learn(part, holds, known)
