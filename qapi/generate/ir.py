# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a schema means, checked: types, members and the facts about them. Every back end starts from here.

Definitions:
  { 'pragma': { 'c-prefix': 'UtmConfig' } }     with 'forms': true, what settings forms ask about goes into the
                                                tables too, and everything must have its doc
  { 'enum': NAME, 'data': [ VALUE or { 'name': VALUE, 'c-name': TEXT, 'doc': TEXT, 'on', 'not-on': ... } ... ],
    'doc': TEXT }
  { 'struct': NAME, 'data': { MEMBER: TYPE or { 'type': TYPE, ... } ... }, 'doc': TEXT }

A member whose name starts with * may be absent. TYPE is a name or [ name ]. Numbers are written as strings. Beside its
type a member may say:
  'doc'          one sentence of ours
  'c-name'       its name in C, where the rule gives an ugly one
  'old-name'     an earlier spelling; an entry is read wholly in one spelling or wholly in the other
  'default'      the value when the key is absent on reading; a scalar with one is always there. VALUE, or a condition,
                 whose truth is the default of a boolean
  'from-bool'    { 'true': VALUE, 'false': VALUE }: of an enum, what a boolean in its place means;
                 'or': VALUE, 'if': CONDITION in it come first
  'new'          the value in a new object; without it, the default; without that, false, 0, '' or the first enum value.
                 true for an optional section or an array of sections: a new object has one
  'generate'     'uuid', 'mac' or 'mac-lower': a new object gets a fresh one
  'constraint'   'uuid': must be one, and is kept in upper case
  'min', 'max'   range of an integer, for edits; files are read beyond it, as UTM reads them
  'unit'         of an integer
  'format'       of a string: what it says beyond being text, one of FORMATS below
  'on', 'not-on' [ VALUE of the enum Architecture ... ]: guests of which the key, or the value of an enum, means something
  'fixed'        true: never edited
  'required-if'  condition under which an optional key must be there on reading
  'read-if'      condition under which the key of a file counts; otherwise it may hold anything. Conditions see it
                 as absent then when it stands before them
  'forget'       true: reading others looks at it, and then it is forgotten
  'write-if'     condition under which a file gets the key at all; false: never
  'write-as'     { 'value': VALUE, 'unless': CONDITION }: what a file gets when the condition does not hold

CONDITION is { 'absent': MEMBER }, { 'present': MEMBER }, or { 'member': MEMBER, 'in' or 'not-in': [ VALUE ... ] }; of
'read-if' also { 'bool': MEMBER }. MEMBER is one of the same struct, or with a dot one of a section in it. Built-in types
are bool, int, number, str, data (bytes) and any.
"""

import re
from dataclasses import dataclass, field

from language import SchemaError

# What a string can say; config-schema.h tells programs.
FORMATS = ("arguments", "color", "cpu", "cpu-flag", "display-device", "domain", "file", "font", "icon", "interface",
           "ip-address", "ip-network", "lines", "mac-address", "machine", "network-device", "properties", "serial-device",
           "sound-device")
BUILTINS = ("bool", "int", "number", "str", "data", "any")
RAW_BOOLS = [-2, -3]  # UTM_SCHEMA_RAW_FALSE, UTM_SCHEMA_RAW_TRUE
MEMBERS_MAX = 255

# Every keyword of C23 and C++20 and the macros that compilers predefine: a member with such a name gets an underscore.
RESERVED = set("""
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await
co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
double dynamic_cast else enum errno explicit export extern false float for friend goto if inline int linux long mutable
namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires
restrict return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true
try typedef typeid typename typeof typeof_unqual union unix unsigned using virtual void volatile wchar_t while xor
xor_eq header
""".split())

MEMBER_KEYS = {"type", "doc", "c-name", "old-name", "default", "new", "generate", "constraint", "min", "max", "unit",
               "fixed", "required-if", "write-if", "write-as", "read-if", "from-bool", "forget", "format", "on", "not-on"}


def snake(name):
    """CamelCase, kebab-case or anything else to lower case with underscores."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"[^A-Za-z0-9]+", "_", name).lower()


@dataclass
class Condition:
    op: str  # absent, present, in, not-in
    member: "Member"
    numbers: list = field(default_factory=list)
    inner: "Member" = None  # of the section that `member` is


@dataclass
class Fact:
    """`what` holds for a member, always or under a condition. The value is a number, or a string for string members."""
    what: str
    value: object = 0
    condition: Condition = None


@dataclass
class Value:
    name: str
    c_name: str
    doc: str = ""
    architectures: list = None  # names; None: all
    source: object = None


@dataclass
class Enum:
    name: str
    doc: str
    values: list  # of Value; the position is the number, so lists only grow at their end
    source: object = None

    @property
    def names(self):
        return [value.name for value in self.values]


@dataclass
class Member:
    name: str
    c_name: str
    type: object  # a builtin's name, an Enum or a Struct
    is_array: bool
    optional: bool
    doc: str
    old_name: str = None
    has_default: bool = False
    is_uuid: bool = False
    is_fixed: bool = False
    format: str = None
    architectures: list = None  # names; None: all
    facts: list = field(default_factory=list)
    source: object = None

    @property
    def is_pointer(self):
        """Absence is a NULL pointer or a count of 0, so no flag is needed."""
        return self.is_array or isinstance(self.type, Struct) or self.type in ("str", "data", "any")

    @property
    def has_flag(self):
        return self.optional and not self.is_pointer and not self.has_default


@dataclass
class Struct:
    name: str
    doc: str
    members: list = field(default_factory=list)
    source: object = None


@dataclass
class Schema:
    prefix: str
    enums: list
    structs: list
    has_forms: bool = False


def build(objects, name):
    """Objects of language.read() to a checked Schema."""
    pragma = [o for o in objects if "pragma" in o]
    prefix = pragma[0]["pragma"].get("c-prefix") if pragma else None
    if not prefix or not re.fullmatch(r"[A-Z][A-Za-z0-9]*", prefix):
        raise SchemaError(f"{name}:1", "the prefix of C names is missing",
                          "Begin with { 'pragma': { 'c-prefix': 'UtmThing' } }.")
    types = {}
    for entry in objects:
        if "enum" in entry:
            declare(types, make_enum(entry), entry)
        elif "struct" in entry:
            declare(types, make_struct(entry), entry)
        elif "pragma" not in entry:
            raise SchemaError(entry.place, "neither 'struct', 'enum' nor 'pragma'")
    for struct in types.values():
        if isinstance(struct, Struct):
            fill_members(struct, types)
    for struct in types.values():
        if isinstance(struct, Struct):
            fill_facts(struct)
            check_recursion(struct, [])
    fill_architectures(types)
    schema = Schema(prefix, [t for t in types.values() if isinstance(t, Enum)],
                    [t for t in types.values() if isinstance(t, Struct)], pragma[0]["pragma"].get("forms", False) is True)
    if schema.has_forms:
        check_docs(schema)
    return schema


def declare(types, new, entry):
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", new.name) or new.name.endswith("List"):
        raise SchemaError(entry.place, f"type name '{new.name}' is not CamelCase, or ends in List")
    if new.name in types or new.name in BUILTINS:
        raise SchemaError(entry.place, f"type '{new.name}' exists already")
    types[new.name] = new


def check_keys(entry, allowed):
    for key in entry:
        if key not in allowed:
            raise SchemaError(entry.places[key], f"unknown key '{key}'", f"Known here: {', '.join(sorted(allowed))}.")


def check_shape(entry, name_key, data_type, description):
    for key, kind, words in ((name_key, str, "a name"), ("data", data_type, description), ("doc", str, "a string")):
        if key != "doc" and key not in entry:
            raise SchemaError(entry.place, f"'{key}' is missing")
        if not isinstance(entry.get(key, ""), kind) and key in entry:
            raise SchemaError(entry.places[key], f"'{key}' must be {words}")


def make_enum(entry):
    check_keys(entry, {"enum", "data", "doc"})
    check_shape(entry, "enum", list, "a list of values")
    values, seen = [], {}
    for value in entry["data"]:
        if isinstance(value, dict):
            check_keys(value, {"name", "c-name", "doc", "on", "not-on"})
        if not isinstance(value.get("name") if isinstance(value, dict) else value, str):
            raise SchemaError(entry.places["data"], "a value is a string, or { 'name': ..., 'c-name': ... }")
        wire = value["name"] if isinstance(value, dict) else value
        c_name = value.get("c-name", snake(wire)) if isinstance(value, dict) else snake(wire)
        if wire in (v.name for v in values) or c_name in seen:
            raise SchemaError(wire.place, f"value '{wire}' collides with '{seen.get(c_name, wire)}'",
                              "Write it as { 'name': ..., 'c-name': ... }.")
        seen[c_name] = wire
        facts = value if isinstance(value, dict) else {}
        values.append(Value(str(wire), str(c_name), str(facts.get("doc", "")), source=(facts, wire.place)))
    if not values or "unrecognized" in seen:
        raise SchemaError(entry.place, "an enum has values, and none of them is called unrecognized in C")
    return Enum(str(entry["enum"]), str(entry.get("doc", "")), values, source=entry)


def make_struct(entry):
    check_keys(entry, {"struct", "data", "doc"})
    check_shape(entry, "struct", dict, "an object of members")
    if len(entry["data"]) > MEMBERS_MAX:
        raise SchemaError(entry.place, f"more than {MEMBERS_MAX} members", "Widen UTM_SCHEMA_MEMBERS_MAX first.")
    return Struct(str(entry["struct"]), str(entry.get("doc", "")), source=entry)


def fill_members(struct, types):
    entry = struct.source
    taken = {}
    for key, value in entry["data"].items():
        place = entry["data"].places[key]
        facts = value if isinstance(value, dict) else {"type": value}
        check_texts(facts, place)
        if isinstance(value, dict):
            check_keys(value, MEMBER_KEYS)
        member = make_member(key, facts, place, types)
        for name in names_in_c(member):
            if name in taken:
                raise SchemaError(place, f"'{member.name}' and '{taken[name]}' are both {name} in C",
                                  "Give one of them a 'c-name'.")
            taken[name] = member.name
        struct.members.append(member)


def check_texts(facts, place):
    if not isinstance(facts.get("type", ""), (str, list)):
        raise SchemaError(place, "a member's type is a name or [ name ]")
    for key in ("doc", "c-name", "old-name", "generate", "constraint", "unit", "format"):
        if not isinstance(facts.get(key, ""), str):
            raise SchemaError(place, f"'{key}' must be a string")
    for key in ("required-if", "write-if", "write-as", "read-if", "from-bool"):
        if not isinstance(facts.get(key, {}), dict) and (key, facts[key]) != ("write-if", False):
            raise SchemaError(place, f"'{key}' must be an object")
    if "write-as" in facts and set(facts["write-as"]) != {"value", "unless"}:
        raise SchemaError(place, "'write-as' is { 'value': VALUE, 'unless': CONDITION }")


def names_in_c(member):
    names = [member.c_name]
    if member.is_array:
        names.append(member.c_name + "_count")
    if member.has_flag:
        names.append("has_" + member.c_name)
    return names


def make_member(key, facts, place, types):
    optional = key.startswith("*")
    name = key[1:] if optional else str(key)
    if "type" not in facts:
        raise SchemaError(place, f"member '{name}' has no type")
    is_array = isinstance(facts["type"], list)
    if is_array and len(facts["type"]) != 1:
        raise SchemaError(place, f"the array type of '{name}' names exactly one type")
    type_name = facts["type"][0] if is_array else facts["type"]
    kind = str(type_name) if type_name in BUILTINS else types.get(type_name)
    if kind is None:
        raise SchemaError(place, f"type '{type_name}' of '{name}' does not exist",
                          f"Built in are {', '.join(BUILTINS)}.")
    c_name = str(facts.get("c-name", snake(name)))
    c_name += "_" if c_name in RESERVED else ""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", c_name):
        raise SchemaError(place, f"'{c_name}' is no name in C", "Give the member a 'c-name'.")
    member = Member(name, c_name, kind, is_array, optional, str(facts.get("doc", "")), source=(facts, place))
    member.old_name = facts.get("old-name")
    member.is_fixed = facts.get("fixed", False) is True
    member.is_uuid = facts.get("constraint") == "uuid"
    if "constraint" in facts and (not member.is_uuid or kind != "str"):
        raise SchemaError(place, "the only constraint is 'uuid', and only strings have it")
    member.has_default = "default" in facts
    member.format = facts.get("format")
    if "format" in facts and (member.format not in FORMATS or kind != "str"):
        raise SchemaError(place, f"'{member.format}' is no format, or not that of a string", f"Known: {', '.join(FORMATS)}.")
    return member


def fill_facts(struct):
    for member in struct.members:
        facts, place = member.source
        if "default" in facts:
            add_default(struct, member, facts["default"], place)
        if "new" in facts:
            is_section = isinstance(member.type, Struct) and facts["new"] is True
            member.facts.append(Fact("new", 1 if is_section else value_of(member, facts["new"], place)))
        if "generate" in facts:
            add_generator(member, facts["generate"], place)
        for limit in ("min", "max"):
            if limit in facts:
                if member.type != "int" or member.is_array:
                    raise SchemaError(place, f"'{limit}' of '{member.name}', which is no integer")
                member.facts.append(Fact(limit, value_of(member, facts[limit], place)))
        if "unit" in facts:
            member.facts.append(Fact("unit", str(facts["unit"])))
        for key in ("required-if", "write-if", "read-if"):
            if key in facts:
                never = Condition("in", member, [])
                member.facts.append(Fact(key, 0, condition_of(struct, facts[key], place) if facts[key] else never))
        if "from-bool" in facts:
            add_from_bool(struct, member, facts["from-bool"], place)
        if facts.get("forget", False) is True:
            member.facts.append(Fact("forget"))
        if ("read-if" in facts or "forget" in facts) and not member.optional:
            raise SchemaError(place, f"'{member.name}' is required, so it always counts")
        if "required-if" in facts and not member.optional:
            raise SchemaError(place, f"'{member.name}' is required anyway", f"Write '*{member.name}'.")
        if "write-if" in facts and not member.optional:
            raise SchemaError(place, f"'{member.name}' is required, so it must always be written")
        if "write-as" in facts:
            forced = facts["write-as"]
            member.facts.append(Fact("write-as", value_of(member, forced["value"], place),
                                     condition_of(struct, forced["unless"], place)))


def fill_architectures(types):
    known = types["Architecture"].names if isinstance(types.get("Architecture"), Enum) else []
    for type_ in types.values():
        for part in type_.values if isinstance(type_, Enum) else type_.members:
            part.architectures = architectures_of(known, *part.source)


def architectures_of(known, facts, place):
    given = [key for key in ("on", "not-on") if key in facts]
    if not given:
        return None
    names = facts[given[0]]
    wrong = not isinstance(names, list) or not names or any(name not in known for name in names)
    if len(given) > 1 or wrong:
        raise SchemaError(place, "'on' or 'not-on' is a list of values of the enum Architecture")
    return [name for name in known if (name in names) == (given[0] == "on")]


def check_docs(schema):
    """A form shows every one of them."""
    for type_ in schema.enums + schema.structs:
        if not type_.doc:
            raise SchemaError(type_.source.place, f"{type_.name} has no 'doc'")
        for part in type_.values if isinstance(type_, Enum) else type_.members:
            if not part.doc:
                raise SchemaError(part.source[1], f"'{part.name}' of {type_.name} has no 'doc'")


def add_default(struct, member, default, place):
    if not member.optional:
        raise SchemaError(place, f"'{member.name}' is required, so it has no default", f"Write '*{member.name}'.")
    if member.is_array or isinstance(member.type, Struct):
        raise SchemaError(place, f"only scalars have a default, '{member.name}' is none")
    if isinstance(default, dict):
        if member.type != "bool":
            raise SchemaError(place, f"'{member.name}' is no boolean, so its default is no condition")
        member.facts.append(Fact("default", 1, condition_of(struct, default, place)))
        default = "false"
    member.facts.append(Fact("default", value_of(member, default, place)))


def add_generator(member, name, place):
    if name not in ("uuid", "mac", "mac-lower") or member.type != "str":
        raise SchemaError(place, "'generate' is 'uuid', 'mac' or 'mac-lower', for strings")
    member.facts.append(Fact("generate-" + name.removesuffix("-lower"), int(name == "mac-lower")))


def add_from_bool(struct, member, rule, place):
    if not isinstance(member.type, Enum) or member.is_array or not {"true", "false"} <= set(rule):
        raise SchemaError(place, "'from-bool' is { 'true': VALUE, 'false': VALUE }, for an enum")
    if "or" in rule:
        member.facts.append(Fact("from-bool", value_of(member, rule["or"], place),
                                 condition_of(struct, rule.get("if"), place)))
    member.facts.append(Fact("from-bool", value_of(member, rule["true"], place),
                             Condition("in", member, RAW_BOOLS[1:])))
    member.facts.append(Fact("from-bool", value_of(member, rule["false"], place)))


def value_of(member, value, place):
    """A value in the schema as the tables hold it: a number, or a string for strings."""
    text = {True: "true", False: "false"}.get(value, value)
    if not isinstance(text, str) or member.is_array or isinstance(member.type, Struct) or member.type == "data":
        raise SchemaError(place, f"a value for '{member.name}' must be a scalar in quotes")
    if member.type == "str":
        return str(text)
    if isinstance(member.type, Enum):
        names = member.type.names
        if text not in names:
            raise SchemaError(place, f"'{text}' is no {member.type.name}", f"Allowed: {', '.join(names)}.")
        return names.index(text)
    if member.type == "bool":
        if text not in ("true", "false"):
            raise SchemaError(place, f"'{member.name}' is a boolean: true or false")
        return int(text == "true")
    if member.type != "int" or not re.fullmatch(r"-?[0-9]+", text) or not -2**63 <= int(text) < 2**63:
        raise SchemaError(place, f"'{text}' is no 64 bit integer for '{member.name}'")
    return int(text)


def condition_of(struct, value, place):
    def find_in(owner, name):
        for member in owner.members:
            if member.name == name:
                return member
        raise SchemaError(place, f"condition on '{name}', which {owner.name} does not have")

    def find(name):
        outer, _, inner = name.partition(".")
        member = find_in(struct, outer)
        if not inner:
            return member, None
        if not isinstance(member.type, Struct) or member.is_array:
            raise SchemaError(place, f"condition on '{name}', but '{outer}' is no section")
        return member, find_in(member.type, inner)

    if not isinstance(value, dict):
        raise SchemaError(place, "a condition is an object")
    for op in ("absent", "present"):
        if op in value:
            member, inner = find(value[op])
            return Condition(op, member, inner=inner)
    if "bool" in value:
        return Condition("in", find(value["bool"])[0], RAW_BOOLS)
    for op in ("in", "not-in"):
        if op in value and "member" in value:
            member, inner = find(value["member"])
            compared = inner or member
            if compared.type == "str":
                raise SchemaError(place, "conditions compare booleans, integers and enums, not strings")
            return Condition(op, member, [value_of(compared, v, place) for v in value[op]], inner)
    raise SchemaError(place, "not a condition",
                      "Write { 'absent': M }, { 'present': M } or { 'member': M, 'in': [ ... ] }.")


def check_recursion(struct, above):
    """A required section inside itself would have no end; arrays and optional sections end by themselves."""
    if struct in above:
        raise SchemaError(struct.source.place, f"{struct.name} contains itself as a required member")
    for member in struct.members:
        if isinstance(member.type, Struct) and not member.is_array and not member.optional:
            check_recursion(member.type, above + [struct])
