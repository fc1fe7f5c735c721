#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles every public header alone, as C99 and as C++17, with every compiler there is, without a warning."""

import pathlib
import shutil
import subprocess
import sys

COMPILERS = [("gcc", "c99"), ("/usr/bin/clang", "c99"), ("g++", "c++17"), ("/usr/bin/clang++", "c++17")]
# The one header that includes another library's.
OTHERS = {"json-glib.h": "json-glib-1.0"}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compile_alone(compiler, standard, header, includes):
    language = "c++" if standard.startswith("c++") else "c"
    command = [compiler, f"-std={standard}", "-x", language, "-fsyntax-only", *WARNINGS, *includes, "-"]
    if header in OTHERS:
        flags = subprocess.run(["pkg-config", "--cflags", OTHERS[header]], check=True, capture_output=True, text=True).stdout
        command += flags.replace("-I", "-isystem ").split()
    return subprocess.run(command, input=f"#include <utm/{header}>\n", capture_output=True, text=True)


def main():
    directories = [pathlib.Path(d) for d in sys.argv[1:]]
    headers = sorted({p.name for d in directories for p in (d / "utm").glob("*.h")})
    includes = [f"-I{d}" for d in directories]
    count = failed = 0
    for compiler, standard in COMPILERS:
        if not shutil.which(compiler):
            count += 1
            print(f"ok {count} - {compiler} # SKIP not installed")
            continue
        for header in headers:
            result = compile_alone(compiler, standard, header, includes)
            count += 1
            failed += result.returncode != 0
            print(f"{'ok' if result.returncode == 0 else 'not ok'} {count} - {header} as {standard} with {compiler}")
            for line in result.stderr.splitlines():
                print(f"# {line}")
    print(f"1..{count}")
    return 1 if failed or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
