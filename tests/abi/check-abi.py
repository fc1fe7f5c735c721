#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the public interface with itself and with what was released.

Three lists of symbols must be the same: those the headers declare, those the map exports, those the built library has.
The values of all enumerators and the layout of all public structs must be those of tests/abi/abi.txt: lines may be added
to that file, never changed or taken away. UTM_TEST_REGENERATE=1 rewrites it; a person reviews the difference.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def read_headers(directories):
    """Header text without comments and preprocessor lines."""
    text = ""
    for directory in directories:
        for path in sorted(pathlib.Path(directory).glob("*.h")):
            text += path.read_text(encoding="utf-8") + "\n"
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"\\\n", " ", text)
    return re.sub(r"^\s*#.*$", "", text, flags=re.M)


def declared_symbols(text):
    return set(re.findall(r"UTM_API[^;{]*?\b(utm_\w+)\s*\(", text))


def mapped_symbols(path):
    text = re.sub(r"/\*.*?\*/", " ", pathlib.Path(path).read_text(encoding="utf-8"), flags=re.S)
    return set(re.findall(r"^\s*(utm_\w+);", text, flags=re.M))


def built_symbols(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in lines.splitlines()}
    return {name for name in names if not name.startswith("LIBUTM_")}


def enumerators(text):
    for body in re.findall(r"typedef enum \w+ \{(.*?)\}", text, flags=re.S):
        for item in body.split(","):
            if item.strip():
                yield item.split("=")[0].strip()


def structs(text):
    for name, body in re.findall(r"^(?:typedef )?struct (\w+) \{(.*?)^\}(?: \w+)?;", text, flags=re.S | re.M):
        body = re.sub(r"union \{.*?\} (\w+);", r"union \1;", body, flags=re.S)
        members = []
        for declaration in filter(str.strip, body.split(";")):
            members.append(re.sub(r"\[.*", "", declaration).replace("*", " ").split()[-1])
        yield name, members


def printer(text, directories):
    """A C program that prints what the compiler makes of the headers."""
    headers = sorted(path.name for directory in directories for path in pathlib.Path(directory).glob("*.h"))
    lines = ["#include <stdio.h>", "#include <stddef.h>", *(f"#include <utm/{name}>" for name in headers),
             "int main(void)", "{"]
    for name in enumerators(text):
        lines.append(f'\tprintf("enum {name} %lld\\n", (long long){name});')
    for name, members in structs(text):
        lines.append(f'\tprintf("struct {name} size %zu\\n", sizeof({name}));')
        for member in members:
            lines.append(f'\tprintf("member {name}.{member} offset %zu size %zu\\n", offsetof({name}, {member}), '
                         f"sizeof((({name} *)0)->{member}));")
    return "\n".join(lines + ["\treturn 0;", "}", ""])


def flags_of_others():
    """For json-glib.h, the one header that includes another library's."""
    flags = subprocess.run(["pkg-config", "--cflags", "json-glib-1.0"], check=True, capture_output=True, text=True).stdout
    return flags.replace("-I", "-isystem ").split()


def compiled_facts(text, compiler, directories):
    with tempfile.TemporaryDirectory() as work:
        source = pathlib.Path(work) / "print.c"
        source.write_text(printer(text, directories), encoding="utf-8")
        includes = [f"-I{pathlib.Path(d).parent}" for d in directories] + flags_of_others()
        subprocess.run(compiler.split() + includes + ["-o", f"{work}/print", str(source)], check=True)
        return subprocess.run([f"{work}/print"], check=True, capture_output=True, text=True).stdout.splitlines()


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, name, problems):
        self.count += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.count} - {name}")
        for problem in problems:
            print(f"# {problem}")


def same(one, other, one_name, other_name):
    return ([f"{s}: in the {one_name}, not in the {other_name}" for s in sorted(one - other)]
            + [f"{s}: in the {other_name}, not in the {one_name}" for s in sorted(other - one)])


def compare_released(facts, path):
    """A struct may grow at its end, so only its own size line may change."""
    released = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    present = set(facts)
    gone = [line for line in released if line not in present and not re.match(r"struct \w+ size", line)]
    new = sorted(present - set(released))
    return ([f"released, but not so any more: {line}" for line in gone]
            + [f"not recorded yet: {line} (run with UTM_TEST_REGENERATE=1 and review)" for line in new])


def main():
    library, map_path, compiler, *directories = sys.argv[1:]
    text = read_headers(directories)
    declared, mapped, built = declared_symbols(text), mapped_symbols(map_path), built_symbols(library)
    facts = [f"symbol {name}" for name in sorted(declared)] + compiled_facts(text, compiler, directories)
    path = HERE / "abi.txt"
    if os.environ.get("UTM_TEST_REGENERATE") == "1":
        path.write_text("\n".join(facts) + "\n", encoding="utf-8")
    tap = Tap()
    tap.check("headers and map", same(declared, mapped, "headers", "map"))
    tap.check("map and library", same(mapped, built, "map", "library"))
    tap.check("enough was found", [] if len(declared) > 50 and len(facts) > 200 else ["the headers were not understood"])
    tap.check("released interface", compare_released(facts, path))
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
