# SPDX-License-Identifier: LGPL-2.1-or-later
"""What introspection hides: the range of each integer that commands take. A live QEMU tells by what it refuses.

Each integer is sent with its smallest and greatest value and the ones beyond, in an otherwise least message. Nothing
is carried out: every message has one member more that QEMU does not know, and QEMU reads the members in front of
anything else. A complaint about that member means that all others were right.

Of a 64-bit integer without sign only the upper end is tried: QEMU takes negative numbers for it.
"""

from tables import INTEGERS

UNKNOWN = "no-such-member"
LIMITS = {f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-2**(bits - 1), 2**(bits - 1) - 1)
          for sign in ("", "u") for bits in (8, 16, 32, 64)}
SAMPLES = {"int": 0, "str": "x", "bool": False, "number": 0.5, "any": {}, "null": None}


class Ranges:
    """`conditions` are those that a comparison of the same QEMU found."""

    def __init__(self, tables, conditions, monitor):
        self.tables, self.conditions, self.monitor = tables, conditions, monitor
        self.differences = []
        self.count = 0

    def run(self):
        waiting, seen = self.all_arguments(), set()
        while waiting:
            command, path, name, wrap = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            type_ = self.tables.type(name)
            if type_["kind"] == "alternate":
                places = [(path, entry, form, wrap) for entry, form in self.members(type_).values()]
            else:
                waiting += self.branches(command, path, type_, wrap)
                places = self.places(path, type_, wrap)
            for place, entry, form, inside in places:
                if entry["kind"] == "int":
                    self.try_integer(command, place, self.integer(entry, form), entry, inside)
                elif entry["kind"] in ("struct", "alternate"):
                    waiting.append((command, place, entry["type"], inside))
        return self

    def all_arguments(self):
        """Where each command begins: (command, path, type, what makes arguments of an object of that type)."""
        return [(name, name, command["args"], lambda value: value) for name, command in self.tables.commands.items()
                if command["args"] and not command["open"] and self.is_there(self.tables.calls.get(name))]

    def is_there(self, thing):
        return self.conditions.get(self.tables.condition(thing), True)

    def members(self, type_):
        """{name: (entry, what the ledger has of it)} in this build."""
        return {name: (entry, form) for name, (entry, _, form) in self.tables.members(type_).items()
                if self.is_there(form)}

    def integer(self, entry, form):
        """QEMU's type, where the table keeps another that was recorded first."""
        wire = self.tables.state(form).get("wire", "").strip("[]")
        return INTEGERS.get(wire, entry["type"])

    def places(self, path, type_, wrap):
        least = self.least(type_)
        for name, (entry, form) in self.members(type_).items():
            yield (f"{path}.{name}", entry, form, lambda value, name=name, entry=entry:
                   wrap(least | {name: [value] if entry["array"] else value}))

    def branches(self, command, path, type_, wrap):
        """An object of a branch, with the members of the base around it."""
        for value, (entry, form) in self.tables.branches(type_).items():
            if self.is_there(form) and value in self.values_of_tag(type_):
                base = self.least_base(type_) | {self.tag(type_)["name"]: value}
                yield (command, f"{path}/{value}", entry["type"], lambda value, base=base: wrap(base | value))

    def tag(self, type_):
        members = self.tables.members(type_).values()
        return next((entry for entry, place, _ in members if place == type_.get("tag")), None)

    def values_of_tag(self, type_):
        return self.values(self.tag(type_)["type"])

    def values(self, enum):
        return [value for value, thing in self.tables.values(self.tables.type(enum)).items() if self.is_there(thing)]

    # --- the least of a type ---

    def least_base(self, type_):
        return {name: self.sample(entry) for name, (entry, form) in self.members(type_).items()
                if not self.tables.is_optional(entry, form)}

    def least(self, type_):
        result, tag = self.least_base(type_), self.tag(type_)
        branches = self.tables.branches(type_)
        if tag and result[tag["name"]] in branches:
            result |= self.least(self.tables.type(branches[result[tag["name"]]][0]["type"]))
        return result

    def sample(self, entry):
        if entry["array"]:
            return []
        if entry["kind"] in SAMPLES:
            return SAMPLES[entry["kind"]]
        if entry["kind"] == "enum":
            return self.values(entry["type"])[0]
        type_ = self.tables.type(entry["type"])
        if type_["kind"] == "alternate":
            # Objects come last: they may lead here again.
            branches = [entry for entry, _ in self.members(type_).values()]
            return self.sample(sorted(branches, key=lambda entry: entry["kind"] == "struct")[0])
        return self.least(type_)

    # --- what QEMU thinks of it ---

    def try_integer(self, command, path, kind, entry, wrap):
        low, high = LIMITS[kind]
        right = [low, high]
        wrong = [high + 1] if kind == "uint64" else [low - 1, high + 1]
        for value in right + wrong:
            self.count += 1
            answer = self.monitor.ask(command, wrap(value) | {UNKNOWN: 0})
            complaint = answer.get("error", {}).get("desc", "none: it was carried out")
            is_taken = f"'{UNKNOWN}'" in complaint
            is_about_it = entry["name"] in complaint or entry["array"] and "'null'" in complaint
            if is_taken != (value in right) or not (is_taken or is_about_it):
                self.differences.append(f"{path}: is {entry['type']} in the tables; QEMU on {value}: {complaint}")
