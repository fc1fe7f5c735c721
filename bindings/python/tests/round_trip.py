# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python's side of bindings/tests/round-trip.py: reads values into the generated classes and writes them again.

Usage: round_trip.py RUNTIME-DIRECTORY GENERATED-DIRECTORY. The package around them, which needs the C library, is not imported.
"""

import importlib
import sys
import types


def package(directories):
    made = types.ModuleType("utm_types")
    made.__path__ = directories
    sys.modules["utm_types"] = made


def answer(typed, modules, line):
    name, _, text = line.rstrip(b"\n").partition(b"\t")
    protocol, _, type_ = name.decode().partition("/")
    of = getattr(modules[protocol], type_)
    try:
        value = of.from_json(text)
        return of.to_json(value) if isinstance(of, typed.Alternate) else value.to_json()
    except typed.Misfit as misfit:
        return f"!{misfit.key_path}\t{misfit.message}"


def main():
    package(sys.argv[1:])
    typed = importlib.import_module("utm_types._typed")
    modules = {name: importlib.import_module(f"utm_types.{name}_types") for name in ("qmp", "qga", "config")}
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(answer(typed, modules, line).encode() + b"\n")


if __name__ == "__main__":
    main()
