# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a settings form asks about members and values, as texts for the tables: defaults and conditions as JSON.

A condition is {"key":NAME,"in":[...]} or "not-in", {"absent":NAME} or {"present":NAME}; NAME is a key of the same
section, or with a dot one of a section in it.
"""

import json

from ir import RAW_BOOLS, Enum, Struct


def value_texts(value):
    return {"doc": value.doc, "architectures": words(value.architectures)}


def member_texts(member):
    default, default_if = default_of(member)
    return {"default_json": default, "default_if": default_if, "new_json": new_of(member), "used_if": used_if(member),
            "required_if": condition_text(find(member, "required-if")), "format": member.format,
            "architectures": words(member.architectures)}


def words(names):
    return " ".join(names) if names else ""


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def find(member, what):
    return next((fact for fact in member.facts if fact.what == what), None)


def plain(member, number):
    """A value as the tables hold it, as a file has it."""
    if isinstance(member.type, Enum):
        return member.type.names[number]
    return bool(number) if member.type == "bool" else number


def default_of(member):
    """What reading gives without the key: a value, or of a boolean a condition whose truth it is."""
    fact = find(member, "default")
    if not fact:
        return "", ""
    return ("", condition_text(fact)) if fact.condition else (compact(plain(member, fact.value)), "")


def new_of(member):
    """What a new object has: nothing where the key is absent, or where each object gets another one."""
    fact = find(member, "new")
    if any(fact.what.startswith("generate-") for fact in member.facts):
        return ""
    if member.is_array:
        return "[{}]" if fact else "" if member.optional else "[]"
    if isinstance(member.type, Struct):
        return "{}" if fact or not member.optional else ""
    if fact:
        return compact(plain(member, fact.value))
    if member.optional:
        return default_of(member)[0]
    return "" if member.type in ("data", "any") else compact("" if member.type == "str" else plain(member, 0))


def used_if(member):
    """When the value gets into a file; what is never written has no condition."""
    fact = find(member, "write-if") or find(member, "write-as")
    never = fact and fact.condition.op == "in" and not fact.condition.numbers
    return "" if never else condition_text(fact)


def condition_text(fact):
    if not fact or not fact.condition:
        return ""
    condition = fact.condition
    compared = condition.inner or condition.member
    name = condition.member.name + (f".{condition.inner.name}" if condition.inner else "")
    if condition.op in ("absent", "present"):
        return compact({condition.op: name})
    assert not set(condition.numbers) & set(RAW_BOOLS), "forms do not see what a boolean meant in an early file"
    return compact({"key": name, condition.op: [plain(compared, number) for number in condition.numbers]})
