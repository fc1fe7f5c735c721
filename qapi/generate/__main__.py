# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes C from a schema file: `python3 qapi/generate config.schema config-types.h config-tables.c`."""

import os
import sys

import c_backend
import ir
import language


def main(arguments):
    if len(arguments) != 3:
        print(f"usage: generate NAME.schema NAME-types.h NAME-tables.c", file=sys.stderr)
        return 2
    path, header, tables = arguments
    name = os.path.basename(path)
    try:
        with open(path, encoding="utf-8") as file:
            schema = ir.build(language.read(file.read(), name), name)
    except language.SchemaError as problem:
        print(problem, file=sys.stderr)
        return 1
    stem = name.removesuffix(".schema")
    for target, text in ((header, c_backend.header(schema, stem)), (tables, c_backend.tables(schema, stem))):
        with open(target, "w", encoding="utf-8") as file:
            file.write(text + "\n" * (not text.endswith("\n")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
