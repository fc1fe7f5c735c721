# SPDX-License-Identifier: LGPL-2.1-or-later
"""How names of QAPI become names in C.

The ledgers record the results, so a change here touches new names only.
"""

import re

# Keywords of C23 and C++20, then lower-case macros of compilers and system headers. None can name a member.
RESERVED = frozenset("""
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await
co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace
new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict
return short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try
typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq
assert complex errno far hyper i386 imaginary interface linux mips near noreturn offsetof small sparc stderr stdin
stdout sun unix vax
""".split())

# Fields that every generated object has: the mark of the library and the branches of a union.
OBJECT_FIELDS = frozenset({"header", "u"})


def snake(name):
    """CamelCase, kebab-case, UPPER_CASE and dotted names to lower case with underscores."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"[^A-Za-z0-9]", "_", name).lower().lstrip("_")


def camel(name):
    """A snake_case name as the middle of a type name."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def escape(name):
    return name + "_" if name in RESERVED or name in OBJECT_FIELDS else name
