# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the checked schema to C: structs and constants in the header, tables of integers in the source."""

import forms
from ir import Enum, Struct, snake

C_TYPES = {"bool": "bool", "int": "int64_t", "number": "double", "str": "char *", "data": "UtmValue *", "any": "UtmValue *"}
KINDS = {"bool": "UTM_SCHEMA_BOOL", "int": "UTM_SCHEMA_INT", "number": "UTM_SCHEMA_NUMBER", "str": "UTM_SCHEMA_STRING",
         "data": "UTM_SCHEMA_ANY", "any": "UTM_SCHEMA_ANY"}
TYPES = {"int": "sizeof(int64_t)", "data": "UTM_TOKEN_DATA"}
NONE = "UTM_SCHEMA_NONE"


class Names:
    """C names of one schema."""

    def __init__(self, schema, stem):
        self.schema = schema
        self.stem = stem
        self.lower = "utm__" + snake(stem)
        self.upper = snake(schema.prefix).upper()

    def type(self, type_):
        return self.schema.prefix + type_.name

    def index(self, type_):
        return f"{self.upper}_SCHEMA_{snake(type_.name).upper()}"

    def constant(self, enum, c_name):
        return f"{self.upper}_{snake(enum.name).upper()}_{c_name.upper()}"

    def function(self, type_, verb):
        return f"{snake(self.schema.prefix).replace('utm_', 'utm__', 1)}_{snake(type_.name)}_{verb}"


def comment(text, indent=""):
    return [f"{indent}/** {text} */"] if text else []


def made_by(stem):
    return f"/* Made by qapi/generate from qapi/{stem}.schema. Do not edit. */"


# --- header ---

def header(schema, stem):
    names = Names(schema, stem)
    out = [made_by(stem), "#pragma once", "", '#include "schema/schema.h"', ""]
    for enum in schema.enums:
        out += enum_definition(enum, names)
    out += [f"typedef struct {names.type(s)} {names.type(s)};" for s in schema.structs] + [""]
    for struct in schema.structs:
        out += struct_definition(struct, names)
    out += ["/* Numbers of the types in the schema. */", "enum {"]
    for number, type_ in enumerate(schema.enums + schema.structs):
        out.append(f"\t{names.index(type_)} = {number},")
    out += ["};", "", f"extern const UtmSchema {names.lower}_schema;", ""]
    for enum in schema.enums:
        out += enum_functions(enum, names)
    for struct in schema.structs:
        out += struct_functions(struct, names)
    return "\n".join(out)


def enum_definition(enum, names):
    out = comment(enum.doc) + ["enum {", f"\t{names.constant(enum, 'unrecognized')} = -1,"]
    for number, value in enumerate(enum.values):
        out.append(f"\t{names.constant(enum, value.c_name)} = {number}, /* {value.name} */")
    return out + ["};", ""]


def struct_definition(struct, names):
    out = comment(struct.doc) + [f"struct {names.type(struct)} {{", "\tUtmSchemaHeader header;"]
    for member in struct.members:
        out += comment(member_doc(member), "\t")
        out += ["\t" + line for line in member_fields(member, names)]
    return out + ["};", ""]


def member_fields(member, names):
    if isinstance(member.type, Struct):
        base = names.type(member.type) + " *"
    else:
        base = "int32_t" if isinstance(member.type, Enum) else C_TYPES[member.type]
    star = "" if base.endswith("*") else " "
    if member.is_array:
        return [f"size_t {member.c_name}_count;", f"{base}{star}*{member.c_name};"]
    flag = [f"bool has_{member.c_name};"] if member.has_flag else []
    return flag + [f"{base}{star}{member.c_name};"]


def member_doc(member):
    words = [f"`{member.name}`." if not member.doc else f"`{member.name}`: {member.doc}"]
    words += [f"In {fact.value}." for fact in member.facts if fact.what == "unit"]
    if isinstance(member.type, Enum):
        words.append(f"See {member.type.name}.")
    if member.optional and member.is_pointer and not member.has_default:
        words.append("(nullable)")
    return " ".join(words)


def enum_functions(enum, names):
    schema, index = f"&{names.lower}_schema", names.index(enum)
    return [f"static inline const char *{names.function(enum, 'get_text')}(int32_t value)",
            "{", f"\treturn utm__schema_enum_get_text({schema}, {index}, value);", "}", ""]


def struct_functions(struct, names):
    schema, index, type_ = f"&{names.lower}_schema", names.index(struct), names.type(struct)
    return [f"static inline {type_} *{names.function(struct, 'new')}(void)",
            "{", f"\treturn ({type_} *)utm__schema_new({schema}, {index});", "}",
            f"static inline void {names.function(struct, 'free')}({type_} *object)",
            "{", f"\tutm__schema_free({schema}, object);", "}", ""]


# --- tables ---

class Strings:
    """One text for all strings; each is known by its offset. Offset 0 is the empty string."""

    LIMIT = 1 << 16

    def __init__(self):
        self.offsets = {"": 0}
        self.size = 1

    def add(self, text):
        if text not in self.offsets:
            self.offsets[text] = self.size
            self.size += len(text.encode()) + 1
            if self.size > self.LIMIT:
                raise OverflowError("the string pool is beyond 64 KiB: widen the offsets in src/schema/schema.h")
        return self.offsets[text]

    def lines(self):
        return [f"\t{c_string(text)} \"\\0\"" for text in self.offsets]


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Tables:
    def __init__(self, schema, stem):
        self.names = Names(schema, stem)
        self.schema = schema
        self.stem = stem
        self.types = schema.enums + schema.structs
        self.strings = Strings()
        self.numbers = []
        self.conditions = []
        self.facts = []
        self.values = []
        self.members = []
        self.forms = []
        self.value_forms = []
        self.sorted = []
        self.type_rows = []

    def build(self):
        for type_ in self.types:
            row = self.add_enum(type_) if isinstance(type_, Enum) else self.add_struct(type_)
            self.type_rows.append(row)
        return self

    def type_row(self, kind, type_, first, entries, size):
        by_name = len(self.sorted)
        order = sorted(range(len(entries)), key=lambda i: entries[i].encode("utf-16-be"))
        self.sorted += order
        return (f"\t{{ .name = {self.strings.add(type_.name)}, .doc = {self.strings.add(type_.doc)}, .kind = {kind}, "
                f".has_old_names = {int(has_old_names(type_))},\n\t  .first = {first}, .count = {len(entries)}, "
                f".by_name = {by_name}, .named_count = {len(entries)}, .size = {size}, .tag = {NONE} }},")

    def add_enum(self, enum):
        first = len(self.values)
        self.values += [self.strings.add(name) for name in enum.names]
        if self.schema.has_forms:
            self.value_forms += [self.form_row(forms.value_texts(value)) for value in enum.values]
        return self.type_row("UTM_SCHEMA_ENUM", enum, first, enum.names, 0)

    def add_struct(self, struct):
        first = len(self.members)
        c_type = self.names.type(struct)
        for member in struct.members:
            self.members.append(self.member_row(struct, member, c_type))
            if self.schema.has_forms:
                self.forms.append(self.form_row(forms.member_texts(member)))
        return self.type_row("UTM_SCHEMA_STRUCT", struct, first, [m.name for m in struct.members], f"sizeof({c_type})")

    def member_row(self, struct, member, c_type):
        first_fact = len(self.facts)
        for fact in member.facts:
            self.facts.append(self.fact_row(struct, member, fact))
        flags = [name for name, is_set in (("OPTIONAL", member.optional), ("ARRAY", member.is_array),
                                           ("UUID", member.is_uuid), ("FIXED", member.is_fixed)) if is_set]
        flag = "0"
        if member.is_array:
            flag = f"offsetof({c_type}, {member.c_name}_count)"
        elif member.has_flag:
            flag = f"offsetof({c_type}, has_{member.c_name})"
        kind, type_ = self.kind_of(member.type)
        return (f"\t{{ .name = {self.strings.add(member.name)}, .old_name = {self.strings.add(member.old_name or '')}, "
                f".doc = {self.strings.add(member.doc)}, .kind = {kind}, .type = {type_},\n"
                f"\t  .flags = {' | '.join('UTM_SCHEMA_' + f for f in flags) or '0'}, "
                f".offset = offsetof({c_type}, {member.c_name}), .flag_offset = {flag},\n"
                f"\t  .first_fact = {first_fact}, .fact_count = {len(member.facts)}, .span = UTM_SCHEMA_SPAN_ALL }},")

    def form_row(self, texts):
        fields = [f".{name} = {self.strings.add(text)}" for name, text in texts.items() if text]
        return f"\t{{ {', '.join(fields) or '0'} }},"

    def kind_of(self, type_):
        if isinstance(type_, Enum):
            return "UTM_SCHEMA_ENUM", self.names.index(type_)
        if isinstance(type_, Struct):
            return "UTM_SCHEMA_STRUCT", self.names.index(type_)
        return KINDS[type_], TYPES.get(type_, NONE)

    def fact_row(self, struct, member, fact):
        value = self.strings.add(fact.value) if isinstance(fact.value, str) else self.add_number(fact.value)
        what = "UTM_SCHEMA_FACT_" + fact.what.upper().replace("-", "_")
        condition = self.add_condition(struct, fact.condition) if fact.condition else NONE
        return f"\t{{ .what = {what}, .value = {value}, .condition = {condition} }},"

    def add_number(self, number):
        if number not in self.numbers:
            self.numbers.append(number)
        return self.numbers.index(number)

    def add_condition(self, struct, condition):
        first = len(self.numbers)
        self.numbers += condition.numbers
        op = "UTM_SCHEMA_IF_" + condition.op.upper().replace("-", "_")
        inner = 1 + condition.member.type.members.index(condition.inner) if condition.inner else 0
        row = (f"\t{{ .op = {op}, .member = {struct.members.index(condition.member)}, .first_number = {first}, "
               f".count = {len(condition.numbers)}, .inner = {inner} }},")
        if row not in self.conditions:
            self.conditions.append(row)
        return self.conditions.index(row)

    def text(self):
        stem = self.stem
        out = [made_by(stem), f'#include "{stem}-types.h"', "", "static const char strings[] ="]
        out += self.strings.lines()
        out[-1] += ";"
        out += table("int64_t", "numbers", [f"\t{number_text(n)}," for n in self.numbers])
        out += table("uint16_t", "values", rows(self.values))
        out += table("uint16_t", "sorted", rows(self.sorted))
        out += table("UtmSchemaCondition", "conditions", self.conditions)
        out += table("UtmSchemaFact", "facts", self.facts)
        out += table("UtmSchemaMember", "members", self.members)
        out += table("UtmSchemaType", "types", self.type_rows)
        if self.schema.has_forms:
            out += table("UtmSchemaForm", "forms", self.forms)
            out += table("UtmSchemaValueForm", "value_forms", self.value_forms)
        out += ["", f"const UtmSchema {self.names.lower}_schema = {{",
                *(f"\t.{name} = {name}," for name in ("strings", "numbers", "values", "sorted", "conditions", "facts",
                                                     "members", "types")),
                *(f"\t.{name} = {name}," for name in ("forms", "value_forms") if self.schema.has_forms),
                f"\t.type_count = {len(self.types)},", "\t.malformed = UTM_ERROR_CONFIG_MALFORMED,",
                "\t.not_allowed = UTM_ERROR_CONFIG_INVALID_VALUE,", "\t.unwritable = UTM_ERROR_CONFIG_INVALID_VALUE,",
                "};", ""]
        return "\n".join(out)


def has_old_names(type_):
    return isinstance(type_, Struct) and any(m.old_name for m in type_.members)


def number_text(number):
    return "INT64_MIN" if number == -2**63 else f"INT64_C({number})"


def rows(numbers):
    return ["\t" + " ".join(f"{n}," for n in numbers[i:i + 20]) for i in range(0, len(numbers), 20)]


def table(c_type, name, lines):
    """C has no empty arrays: an empty table holds one zero that nobody reads."""
    nothing = ["\t{ 0 }," if c_type.startswith("Utm") else "\t0,"]
    return ["", f"static const {c_type} {name}[] = {{", *(lines or nothing), "};"]


def tables(schema, stem):
    return Tables(schema, stem).build().text()
