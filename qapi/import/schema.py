# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole schema: definitions that know each other, checked against each other."""

import re

import reader
import shape
from language import SchemaError
from shape import Alternate, Call, Enum, Object, Value, mapped

INTEGERS = ("int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "size")
# Built-in types by the form their values have in JSON.
BUILTINS = {name: "number" for name in INTEGERS}
BUILTINS |= {"str": "string", "number": "number", "bool": "boolean", "any": "value", "null": "null"}
FEATURES_MAX = 64
# Features with a meaning to every program; types cannot have them.
FEATURES_OF_USES = ("deprecated", "unstable")


def load(path):
    """The checked schema whose main file is at path."""
    source = reader.read(path)
    definitions = [shape.read(entry, source.pragmas) for entry in source.definitions]
    return Schema(definitions, source.pragmas).check()


def element(type_name):
    return type_name.strip("[]")


class Schema:
    """Definitions by name, in the order of the files. `types` holds named types and the predefined enum."""

    def __init__(self, definitions, pragmas):
        self.pragmas = pragmas
        self.definitions = {}
        self.types = {"QType": Enum("enum", "QType", "", values=[Value(name) for name in (
            "none", "qnull", "qnum", "qstring", "qdict", "qlist", "qbool")])}
        for definition in definitions:
            self.declare(definition)

    def of_kind(self, *kinds):
        return [definition for definition in self.definitions.values() if definition.kind in kinds]

    def declare(self, definition):
        name = definition.name
        if name in BUILTINS or name == "QType":
            raise SchemaError(definition.place, f"{label(definition)}: '{name}' is built in")
        if name in self.definitions:
            raise SchemaError(definition.place, f"{label(definition)}: defined before",
                              f"{self.definitions[name].place}: the first definition")
        self.definitions[name] = definition
        if not isinstance(definition, Call):
            self.types[name] = definition

    def check(self):
        for definition in self.definitions.values():
            Checks(self, definition).run()
        self.check_feature_count()
        return self

    def check_feature_count(self):
        seen = set(FEATURES_OF_USES)
        for definition in self.definitions.values():
            for feature in all_features(definition):
                seen.add(feature.name)
                if len(seen) > FEATURES_MAX:
                    raise SchemaError(definition.place,
                                      f"{label(definition)}: feature '{feature.name}' is one more than {FEATURES_MAX}")


def label(definition):
    return f"{definition.kind} '{definition.name}'"


def all_features(definition):
    """The features of a definition and of all its parts."""
    parts = [definition, *getattr(definition, "values", []), *getattr(definition, "own", [])]
    for inline in (getattr(definition, "base", None), getattr(definition, "data", None)):
        parts += inline.own if isinstance(inline, Object) else []
    return [feature for part in parts for feature in part.features]


class Checks:
    """The checks of one definition. Members of objects are resolved on the way."""

    def __init__(self, schema, definition):
        self.schema = schema
        self.definition = definition

    def fail(self, message, advice=None):
        raise SchemaError(self.definition.place, f"{label(self.definition)}: {message}", advice)

    def run(self):
        definition = self.definition
        self.check_features(definition.features, "")
        if not isinstance(definition, Call):
            for feature in definition.features:
                if feature.name in FEATURES_OF_USES:
                    self.fail(f"types do not have the feature '{feature.name}'",
                              "Give it to members, commands and events.")
        if isinstance(definition, Enum):
            self.check_enum(definition)
        elif isinstance(definition, Alternate):
            self.check_alternate(definition)
        elif isinstance(definition, Call):
            self.check_call(definition)
        else:
            self.check_object(definition)

    def find(self, type_name, what):
        """A built-in type's name, or the definition of a type."""
        name = element(type_name)
        if name in BUILTINS:
            return name
        if name not in self.schema.types:
            self.fail(f"{what} has the unknown type '{name}'")
        return self.schema.types[name]

    def check_features(self, features, of):
        self.check_unique([feature.name for feature in features], "feature", of)

    def check_unique(self, names, what, of=""):
        seen = {}
        for name in names:
            if mapped(name) in seen:
                self.fail(f"{what} '{name}'{of} collides with '{seen[mapped(name)]}'")
            seen[mapped(name)] = name

    # --- the kinds ---

    def check_enum(self, enum):
        self.check_unique([value.name for value in enum.values], "value")
        for value in enum.values:
            self.check_features(value.features, f" of value '{value.name}'")

    def check_object(self, obj):
        """Fills obj.members. Recursion follows what lies inside an object on the wire: its base and its branches."""
        if obj.state == "checked":
            return
        if obj.state == "open":
            self.fail("contains itself")
        obj.state = "open"
        if obj.base is not None:
            obj.members += self.base_of(obj).members
        obj.members += [self.own_member(member, obj) for member in obj.own]
        self.check_members_unique(obj.members, {})
        if obj.tag is not None:
            self.check_branches(obj)
        obj.state = "checked"

    def base_of(self, obj):
        if isinstance(obj.base, Object):
            Checks(self.schema, obj.base).check_object(obj.base)
            return obj.base
        base = self.find(obj.base, "'base'")
        if not isinstance(base, Object) or base.tag is not None:
            self.fail(f"'base' takes a struct, not {describe(base)}")
        Checks(self.schema, base).check_object(base)
        return base

    def own_member(self, member, obj):
        self.find(member.type, f"member '{member.name}'")
        self.check_features(member.features, f" of member '{member.name}'")
        member.owner = obj.name
        return member

    def check_members_unique(self, members, seen):
        for member in members:
            other = seen.get(mapped(member.name))
            if other:
                self.fail(f"member '{member.name}' of '{member.owner}' collides with '{other.name}' of '{other.owner}'")
            seen[mapped(member.name)] = member

    def check_branches(self, union):
        enum = self.tag_enum(union)
        names = [value.name for value in enum.values]
        if not names and not union.branches:
            self.fail("has no branches")
        for branch in union.branches:
            type_ = self.find(branch.type, f"branch '{branch.name}'")
            if branch.name not in names:
                self.fail(f"branch '{branch.name}' is no value of enum '{enum.name}'")
            if not isinstance(type_, Object):
                self.fail(f"branch '{branch.name}' takes a struct or a union, not {describe(type_)}")
            Checks(self.schema, type_).check_object(type_)
        self.check_branches_unique(union, {mapped(member.name): member for member in union.members})

    def check_branches_unique(self, union, seen):
        """Branches are flat on the wire: their members, and those of a union in a branch, meet those of the base."""
        for branch in union.branches:
            inside = dict(seen)
            type_ = self.schema.types[branch.type]
            self.check_members_unique(type_.members, inside)
            self.check_branches_unique(type_, inside)

    def tag_enum(self, union):
        tag = next((member for member in union.members if member.name == union.tag), None)
        if not tag:
            self.fail(f"discriminator '{union.tag}' is no member of the base")
        enum = self.find(tag.type, f"discriminator '{union.tag}'")
        if not isinstance(enum, Enum) or tag.type.startswith("["):
            self.fail(f"discriminator '{union.tag}' is of type {tag.type}, not of an enum")
        if tag.optional:
            self.fail(f"discriminator '{union.tag}' is optional")
        if tag.condition:
            self.fail(f"discriminator '{union.tag}' is conditional")
        return enum

    def check_alternate(self, alternate):
        self.check_unique([branch.name for branch in alternate.branches], "branch")
        taken = {}
        for branch in alternate.branches:
            forms = self.json_forms(branch)
            if not forms:
                self.fail(f"branch '{branch.name}' cannot be of {describe(self.find(branch.type, ''))}")
            for form in forms:
                if form in taken:
                    self.fail(f"branch '{branch.name}' cannot be told from '{taken[form]}'")
                taken[form] = branch.name

    def json_forms(self, branch):
        """Forms of JSON values that would be taken for this branch. Command lines have nothing but strings."""
        type_ = self.find(branch.type, f"branch '{branch.name}'")
        if branch.type.startswith("["):
            return ["array"]
        if isinstance(type_, Object):
            return ["object"]
        if isinstance(type_, Enum):
            names = [value.name for value in type_.values]
            return (["string"] + ["boolean"] * any(name in ("on", "off") for name in names)
                    + ["number"] * any(re.match(r"[-+0-9.]", name) for name in names))
        if isinstance(type_, Alternate) or type_ == "any":
            return []
        return ["string", "number", "boolean"] if type_ == "str" else [BUILTINS[type_]]

    def check_call(self, call):
        if call.data is not None:
            self.check_data(call)
        if call.returns is None:
            return
        result = self.find(call.returns, "'returns'")
        if not isinstance(result, Object) and call.name not in self.schema.pragmas["command-returns-exceptions"]:
            self.fail(f"'returns' takes a struct, a union or a list of them, not {describe(result)}",
                      "Old commands may return others, if a pragma lists them.")

    def check_data(self, call):
        data = call.data if isinstance(call.data, Object) else self.find(call.data, "'data'")
        if not isinstance(data, Object):
            self.fail(f"'data' takes a struct, not {describe(data)}")
        is_boxed = "boxed" in call.flags
        if data.tag is not None and not is_boxed:
            self.fail(f"'data' takes {describe(data)} only with 'boxed'")
        if data is call.data:
            self.check_object(data)
        else:
            Checks(self.schema, data).check_object(data)
        if not is_boxed and any(member.condition for member in data.members):
            self.fail("conditional members of 'data' need 'boxed'")


def describe(type_):
    return f"built-in type '{type_}'" if isinstance(type_, str) else label(type_)
