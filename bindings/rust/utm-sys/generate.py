#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""generate.py OUT INCLUDE...: makes Rust declarations of libutm's public headers.

The headers are written in one plain style, so that a few expressions read all of it; what they do not fit is an error, never
left out. Made are

- `bindings.rs`: types, constants, functions; `Default` of option structs is what their `_INIT` macro says;
- `layout.rs` and `layout.c`: two programs' halves that print the same lines when both compilers agree on every size, offset and
  number.

The thousands of functions and structs of single commands (`qmp-commands.h` and the like) are not among it: programs in Rust have
types of their own, which become JSON.
"""

import os
import re
import sys

HEADERS = ("version", "error-codes", "finding-codes", "types", "error", "value", "context", "configuration", "config-schema",
           "argv", "bundle", "hardware", "findings", "firmware", "image", "display", "console", "qmp", "guest", "vm")
SCALARS = {"void": "c_void", "char": "c_char", "int": "c_int", "bool": "bool", "double": "f64", "size_t": "usize",
           **{f"{sign}int{bits}_t": f"{'u' if sign else 'i'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}}
KEYWORDS = {"type", "match", "ref", "fn", "in", "move"}


class Problem(Exception):
    pass


def clean(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    return re.sub(r"\b(UTM_API|UTM_MUST_CHECK|UTM_BEGIN_DECLS|UTM_END_DECLS)\b", " ", text)


def escape(name):
    return f"r#{name}" if name in KEYWORDS else name


class Headers:
    def __init__(self, directories):
        self.directories = directories
        self.enums, self.structs, self.opaques, self.callbacks, self.functions = {}, {}, [], {}, {}
        self.numbers, self.inits = {}, {}
        for name in HEADERS:
            self.read(name)

    def find(self, name):
        for directory in self.directories:
            path = os.path.join(directory, "utm", name + ".h")
            if os.path.exists(path):
                return path
        raise Problem(f"utm/{name}.h is in none of {', '.join(self.directories)}")

    def read(self, name):
        with open(self.find(name), encoding="utf-8") as file:
            text = clean(file.read())
        for macro, value in re.findall(r"^#define (UTM_\w+)[ \t]+([^\n]+)$", text, re.M):
            self.read_macro(macro, value.strip())
        text = re.sub(r"^#.*$", "", text, flags=re.M)
        text = re.sub(r'extern "C" \{', "", text)
        while text.strip():
            text = self.read_declaration(name, text.strip())

    def read_macro(self, macro, value):
        init = re.fullmatch(r"\{\s*sizeof\s*\(?(\w+)\)?\s*,(.*?),?\s*\}", value)
        if init:
            self.inits[init[1]] = [part.strip() for part in init[2].split(",")]
        elif re.fullmatch(r"\d+", value):
            self.numbers[macro] = int(value)

    def read_declaration(self, header, text):
        for pattern, take in (
                (r"typedef enum (\w+) \{(.*?)\} \w+;", self.take_enum),
                (r"typedef struct (\w+) \{(.*?)\} \w+;", self.take_struct),
                (r"typedef struct (\w+) \w+;", lambda name: self.opaques.append(name)),
                (r"typedef ([^;(]+?)\(\*(\w+)\)\(([^;]*?)\);", self.take_callback),
                (r"([\w\s*]+?)(\butm_\w+)\(([^;]*?)\);", self.take_function)):
            found = re.match(pattern, text, re.S)
            if found:
                take(*found.groups())
                return text[found.end():]
        raise Problem(f"utm/{header}.h: cannot read: {text[:100]!r}")

    def take_enum(self, name, body):
        values, following = [], 0
        for entry in filter(None, (part.strip() for part in body.split(","))):
            word, _, value = (part.strip() for part in entry.partition("="))
            if value:
                shift = re.fullmatch(r"1u? << (\d+)", value)
                following = 1 << int(shift[1]) if shift else int(value)
            values.append((word, following))
            following += 1
        self.enums[name] = values

    def take_struct(self, name, body):
        self.structs[name] = [self.variable(part) for part in filter(None, (part.strip() for part in body.split(";")))]

    def take_callback(self, returns, name, parameters):
        self.callbacks[name] = (self.parameters(parameters), self.type(returns))

    def take_function(self, returns, name, parameters):
        self.functions[name] = (self.parameters(parameters), self.type(returns))

    def parameters(self, text):
        text = " ".join(text.split())
        return [] if text in ("", "void") else [self.variable(part) for part in text.split(",")]

    def variable(self, text):
        found = re.fullmatch(r"(.*?)(\w+)(?:\[(\w+)\])?", " ".join(text.split()))
        rust = self.type(found[1])
        if found[3]:
            rust = f"[{rust}; {self.numbers.get(found[3], found[3])}]"
        return found[2], rust

    def type(self, text):
        """`const char *const *` from the left: a base type, then one pointer after the other."""
        tokens = re.findall(r"\w+|\*", text)
        base = [token for token in tokens[:tokens.index("*") if "*" in tokens else len(tokens)] if token != "struct"]
        constant = "const" in base
        base = [token for token in base if token != "const"]
        if len(base) != 1:
            raise Problem(f"cannot read the type {text!r}")
        rust = SCALARS.get(base[0], base[0])
        for token in tokens[tokens.index("*"):] if "*" in tokens else []:
            if token == "const":
                constant = True
                continue
            rust, constant = f"*{'const' if constant else 'mut'} {rust}", False
        return "()" if rust == "c_void" else rust

    # --- Rust ---

    def rust(self):
        lines = ["// Made by generate.py from libutm's public headers. Do not edit.", ""]
        for name in self.opaques:
            lines += [f"opaque!({name});"]
        for name, values in self.enums.items():
            kind = "c_int" if any(number < 0 for _, number in values) else "c_uint"
            lines += ["", f"pub type {name} = {kind};"]
            lines += [f"pub const {word}: {name} = {number};" for word, number in values]
        for name, number in self.numbers.items():
            lines += [f"pub const {name}: usize = {number};"]
        for name, (parameters, returns) in self.callbacks.items():
            lines += ["", f"pub type {name} = Option<unsafe extern \"C\" fn({self.list(parameters)}){self.arrow(returns)}>;"]
        for name, members in self.structs.items():
            lines += ["", "#[repr(C)]", "#[derive(Clone, Copy, Debug)]", f"pub struct {name} {{"]
            lines += [f"    pub {escape(member)}: {rust}," for member, rust in members] + ["}"]
            if name in self.inits:
                lines += self.default(name, members)
        lines += ["", 'extern "C" {']
        for name, (parameters, returns) in self.functions.items():
            lines += [f"    pub fn {name}({self.list(parameters)}){self.arrow(returns)};"]
        return lines + ["}"]

    def list(self, parameters):
        return ", ".join(f"{escape(name)}: {rust}" for name, rust in parameters)

    @staticmethod
    def arrow(returns):
        return "" if returns == "()" else f" -> {returns}"

    def default(self, name, members):
        values = [f"std::mem::size_of::<{name}>()"] + self.inits[name]
        if len(values) != len(members):
            raise Problem(f"{name}: its initial value has {len(values)} members, not {len(members)}")
        lines = [f"impl Default for {name} {{", "    fn default() -> Self {", "        Self {"]
        for (member, rust), value in zip(members, values):
            null = "std::ptr::null_mut()" if rust.startswith("*mut") else "std::ptr::null()"
            lines += [f"            {escape(member)}: {null if value == 'NULL' else value},"]
        return lines + ["        }", "    }", "}"]

    # --- the layouts, twice ---

    def layout_rust(self):
        lines = ["pub fn lines() -> Vec<String> {", "    let mut out = Vec::new();"]
        for name, members in self.structs.items():
            lines += [f"    out.push(format!(\"{name} {{}} {{}}\", size_of::<{name}>(), align_of::<{name}>()));"]
            lines += [f"    out.push(format!(\"{name}.{member} {{}}\", offset_of!({name}, {escape(member)})));"
                      for member, _ in members]
        for values in self.enums.values():
            lines += [f"    out.push(format!(\"{word} {{}}\", {word}));" for word, _ in values]
        return lines + ["    out", "}"]

    def layout_c(self):
        lines = [f"#include <utm/{name}.h>" for name in HEADERS]
        lines += ["#include <stdalign.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void)", "{"]
        for name, members in self.structs.items():
            lines += [f"\tprintf(\"{name} %zu %zu\\n\", sizeof({name}), alignof({name}));"]
            lines += [f"\tprintf(\"{name}.{member} %zu\\n\", offsetof({name}, {member}));" for member, _ in members]
        for values in self.enums.values():
            lines += [f"\tprintf(\"{word} %d\\n\", (int){word});" for word, _ in values]
        return lines + ["\treturn 0;", "}"]


def main(out, *directories):
    try:
        headers = Headers(directories)
        texts = {"bindings.rs": headers.rust(), "layout.rs": headers.layout_rust(), "layout.c": headers.layout_c()}
    except (Problem, OSError) as problem:
        sys.exit(f"generate.py: {problem}")
    for name, lines in texts.items():
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: generate.py OUT INCLUDE...")
    main(*sys.argv[1:])
