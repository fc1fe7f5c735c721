# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether every public function of C is bound in each language, or left out for a reason that `unbound.txt` gives.

Usage: coverage.py [--list LANGUAGE]. With --list it prints what a language binds and what it does not, and judges nothing.

Bound is what the sources of a language's library name, outside comments and texts: in Python the interface file with its C
helpers and the package, in Rust the safe crate (the crate of declarations has all of them), in Swift the overlay. A language
that is not there is not looked at. One that the list calls `pending` is being written: what is missing is only counted, until
nothing is.
"""

import fnmatch
import io
import pathlib
import re
import sys
import tokenize

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/apps"), str(ROOT / "qapi/generate")]

import model  # noqa: E402
import tap  # noqa: E402

MAP = ROOT / "src/libutm.map"
UNBOUND = pathlib.Path(__file__).with_name("unbound.txt")
SYMBOL = re.compile(r"\butm_\w+")
# The files of each language's library: patterns, of which the first finds something where there is such a binding.
SOURCES = {
    "python": ["bindings/python/**/*.i", "bindings/python/*.[ch]", "bindings/python/utm/*.py"],
    "rust": ["bindings/rust/utm/src/**/*.rs"],
    "swift": ["bindings/swift/Sources/Utm/**/*.swift"],
}
C_LIKE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
# Of an interface file texts are code, too; what only says how a function is wrapped is no use of it.
INTERFACE = re.compile(r"//[^\n]*|/\*.*?\*/|^\s*%(?:ignore|newobject|plain_int|rename|feature|apply)\b[^\n]*", re.DOTALL | re.MULTILINE)


def public_symbols():
    return set(re.findall(r"^\s+(utm_\w+);", MAP.read_text(encoding="utf-8"), re.MULTILINE))


def families():
    """Names that entries may stand for: what the ledgers make."""
    calls = set()
    for name in ("qmp", "qga"):
        for command in model.load(str(ROOT / f"qapi/{name}.ledger")).commands:
            calls |= {f"utm_{name}_{command.c_name}", f"utm_{name}_{command.c_name}_async"}
    return {"@commands": calls}


def names_in(path, text):
    if path.suffix == ".py":
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return {token.string for token in tokens if token.type == tokenize.NAME and token.string.startswith("utm_")}
    return set(SYMBOL.findall((INTERFACE if path.suffix == ".i" else C_LIKE).sub(" ", text)))


def bound_in(language, symbols, root=ROOT):
    """The symbols that a language's sources name; None where there is no such language."""
    patterns = SOURCES[language]
    if not any(root.glob(patterns[0])):
        return None
    names = set()
    for path in {path for pattern in patterns for path in root.glob(pattern)}:
        names |= names_in(path, path.read_text(encoding="utf-8"))
    return names & symbols


class Entry:
    """A line of the list: languages, a symbol, pattern or family, and the reason."""

    def __init__(self, line, number):
        words = line.split(None, 2)
        tap.check(len(words) == 3, f"{UNBOUND.name}:{number}: languages, symbol and reason are wanted: {line}")
        self.languages = set(SOURCES) if words[0] == "all" else set(words[0].split(","))
        self.pattern, self.reason, self.number = words[1], words[2], number
        unknown = self.languages - set(SOURCES)
        tap.check(not unknown, f"{UNBOUND.name}:{number}: there is no language {', '.join(sorted(unknown))}")

    def matches(self, symbols, known_families):
        if self.pattern.startswith("@"):
            tap.check(self.pattern in known_families, f"{UNBOUND.name}:{self.number}: there is no family {self.pattern}")
            return symbols & known_families[self.pattern]
        return set(fnmatch.filter(symbols, self.pattern))


def read_list(text):
    """The entries, and the languages that are pending."""
    lines = [(line, number) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    pending = {word for line, _ in lines if line.startswith("pending ") for word in line.split()[1:]}
    return [Entry(line, number) for line, number in lines if not line.startswith("pending ")], pending


def problems(language, bound, symbols, entries, known_families):
    """What is undecided, and what the list says wrongly."""
    found, listed = [], set()
    for entry in entries:
        if language not in entry.languages:
            continue
        matched = entry.matches(symbols, known_families)
        listed |= matched
        if not matched:
            found.append(f"{entry.pattern} is listed (line {entry.number}), and nothing is called so")
        found += [f"{symbol} is listed (line {entry.number}), and is bound" for symbol in sorted(matched & bound)]
    return found + [f"{symbol} is neither bound nor listed in {UNBOUND.name}" for symbol in sorted(symbols - bound - listed)]


def judge(language):
    def test():
        symbols = public_symbols()
        bound = bound_in(language, symbols)
        if bound is None:
            raise tap.Skip("there is no such binding")
        entries, pending = read_list(UNBOUND.read_text(encoding="utf-8"))
        found = problems(language, bound, symbols, entries, families())
        print(f"# {language}: {len(bound)} of {len(symbols)} symbols are bound", flush=True)
        if language in pending:
            tap.check(found, f"{language} is complete, and not pending any more")
            raise tap.Skip(f"{len(found)} are undecided")
        tap.check(not found, "\n".join(found))
    test.__doc__ = f"{language} binds every symbol or says why not"
    return test


def comparison():
    """the comparison finds what is undecided, listed though bound, and listed though not there"""
    symbols = {"utm_a", "utm_b_get", "utm_b_set", "utm_c"}
    entries, pending = read_list("# a remark\nall utm_b_* one reason\nswift utm_c another\nrust,swift utm_gone a third\npending rust\n")
    tap.same(pending, {"rust"}, "pending")
    tap.same(problems("python", {"utm_a"}, symbols, entries, {}), ["utm_c is neither bound nor listed in unbound.txt"], "undecided")
    tap.same(problems("swift", {"utm_a", "utm_c"}, symbols, entries, {}),
             ["utm_c is listed (line 3), and is bound", "utm_gone is listed (line 4), and nothing is called so"], "listed wrongly")
    tap.same(names_in(pathlib.Path("a.rs"), '// utm_a\nutm_b_get(x); /* utm_c */ f("utm_c");'), {"utm_b_get"}, "names in Rust")
    tap.same(names_in(pathlib.Path("a.py"), '"""utm_a"""\ncapi.utm_b_get(x)  # utm_c\n'), {"utm_b_get"}, "names in Python")
    tap.same(names_in(pathlib.Path("a.i"), '%ignore utm_a;\n%typemap(newfree) char * "utm_c($1);"'), {"utm_c"}, "names in an interface")


def families_are_real():
    """what commands are called here is what the symbol map calls them"""
    missing = families()["@commands"] - public_symbols()
    tap.check(not missing, f"{len(missing)} names of commands are no symbols: {', '.join(sorted(missing)[:5])}")


def main():
    if sys.argv[1:2] == ["--list"]:
        symbols = public_symbols() - families()["@commands"]
        bound = bound_in(sys.argv[2], symbols) or set()
        print("\n".join(f"{'bound  ' if symbol in bound else 'unbound'} {symbol}" for symbol in sorted(symbols)))
        return
    tap.run_all([comparison, families_are_real] + [judge(language) for language in SOURCES])


if __name__ == "__main__":
    main()
