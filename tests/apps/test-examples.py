#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What README.md shows is what there is, and the examples compile the way a stranger compiles them."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib

from tap import SOURCE, Skip, check, run_all, same

UTMCTL, TEN_LINES, SETTINGS_FORM, ERRORS_PAGE, INCLUDE = map(os.path.abspath, sys.argv[1:])
README = (SOURCE / "README.md").read_text(encoding="utf-8")
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utm-examples-")).resolve()
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def block(beginning):
    """The one fenced block of README.md that begins so."""
    found = [b for b in re.findall(r"^```\w*\n(.*?)^```$", README, flags=re.M | re.S) if b.startswith(beginning)]
    same(len(found), 1, f"blocks that begin with {beginning!r}")
    return found[0]


def bundle(name, image):
    (WORK / name / "Data").mkdir(parents=True)
    text = (SOURCE / "examples/demo/config.plist.in").read_text(encoding="utf-8")
    text = text.replace("@UUID@", "11111111-2222-4333-8444-555555555555").replace("initrd.img", image)
    (WORK / name / "config.plist").write_text(text, encoding="utf-8")
    return WORK / name


def call(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False, cwd=WORK)


def shows_ten_lines():
    """README.md's ten lines are examples/ten-lines.c"""
    source = (SOURCE / "examples/ten-lines.c").read_text(encoding="utf-8")
    same(block("#include <stdio.h>"), source[source.index("#include"):], "the program")


def shows_usage():
    """README.md's usage is that of utmctl --help"""
    help_lines = re.findall(r"^  (utmctl .*)$", call(UTMCTL, "--help").stdout, flags=re.M)
    check(len(help_lines) > 5, help_lines)
    same(block("utmctl run").splitlines(), help_lines, "usage")


def shows_exit_codes():
    """README.md's exit codes are those of utmctl --help"""
    told = re.findall(r"^  (\d+) +\S", call(UTMCTL, "--help").stdout, flags=re.M)
    check(told, "no exit codes")
    same(re.findall(r"^\| (\d+) \|", README, flags=re.M), told, "exit codes")


def shows_an_error():
    """README.md's error is what utmctl prints, but for the directory"""
    path = bundle("Debian.utm", "../../etc/passwd")
    command, *wanted = block("$ utmctl").splitlines(keepends=True)
    done = call(UTMCTL, *shlex.split(command)[2:])
    same(done.returncode, 1, "exit code")
    same(done.stderr, "".join(wanted).replace("/home/me", str(path.parent)), "standard error")


def ten_lines_tell_errors():
    """ten-lines tells file and remedy of an error, and the name of a machine"""
    done = call(TEN_LINES, bundle("Good.utm", "initrd.img"))
    check(done.returncode == 0 and done.stdout.startswith("Demo (") and not done.stderr, f"{done}")
    done = call(TEN_LINES, WORK / "None.utm")
    check(done.returncode == 1 and re.fullmatch(rf"{WORK}/None\.utm: .*\(not-found\)\n\t\S.*\n", done.stderr), f"{done}")
    done = call(TEN_LINES)
    check(done.returncode == 1 and done.stderr == "usage: ten-lines BUNDLE\n", f"{done}")


def builds_against_the_build_tree():
    """A program is built with what ./run lets pkg-config find, and runs"""
    run = pathlib.Path(UTMCTL).parents[2] / "run"
    flags = call(run, "pkg-config", "--cflags", "--libs", "libutm")
    same(flags.returncode, 0, flags.stderr)
    made = call("cc", SOURCE / "examples/ten-lines.c", *shlex.split(flags.stdout), "-o", WORK / "ten-lines")
    same(made.returncode, 0, made.stderr)
    if "asan" in call("ldd", pathlib.Path(UTMCTL).parents[2] / "src/libutm.so").stdout:
        raise Skip("the library wants a sanitizer's runtime before it")
    told = call(run, WORK / "ten-lines", bundle("Tree.utm", "initrd.img"))
    check("libutm" in told.stdout, told)


def settings_form_shows_every_key():
    """settings-form shows each key of the schema with its value, and what has no effect"""
    for backend, *samples in (("qemu", "full.plist"), ("apple", "apple-linux.plist", "apple-macos.plist")):
        forms = [call(SETTINGS_FORM, SOURCE / "tests/data/config" / sample) for sample in samples]
        same([(form.returncode, form.stderr) for form in forms], [(0, "")] * len(forms), backend)
        for key in json.loads(call(UTMCTL, "config", "schema", "--backend", backend, "--json").stdout):
            old = key.get("obsolete") or "SharedDirectory" in key["path"]
            check(old or key["kind"] == "section" or any(key["doc"] in form.stdout for form in forms), f"{backend}: {key}")
    form = call(SETTINGS_FORM, bundle("Form.utm", "initrd.img"), "System").stdout
    for line in (r"  Memory Size: < \d+ > MiB \(1 to 16777216\)\n      Memory of the guest\.",
                 r"  CPU Count: < \d+ > processors", r"  Architecture: alpha .*\[x86_64\] xtensa xtensaeb",
                 r"  Force Multicore: \[ \]", r"  Target: \"q35\" \(machine\)", r"  CPU Flags Add: \[\] \(cpu-flag\) \+"):
        check(re.search(f"^{line}", form, flags=re.M), f"{line}: {form}")
    options = call(SETTINGS_FORM, WORK / "Form.utm", "QEMU").stdout
    check(re.search(r"^  TSO: \[ \]  \(no effect\)$", options, flags=re.M), options)
    same(call(SETTINGS_FORM).returncode, 2, "without arguments")
    for arguments in ((WORK / "None.utm",), (WORK / "Form.utm", "Nonsense")):
        done = call(SETTINGS_FORM, *arguments)
        check(done.returncode == 1 and done.stderr and not done.stdout, f"{done}")


def compile_strictly(name, *flags):
    for compiler in filter(shutil.which, ("gcc", "/usr/bin/clang")):
        done = call(compiler, *WARNINGS, *flags, f"-I{SOURCE}/include", f"-I{INCLUDE}", "-fsyntax-only",
                    SOURCE / "examples" / name)
        same(done.stderr, "", f"{name} with {compiler}")


def compile_as_c99():
    """ten-lines, settings-form, boot-and-watch and qmp-monitor compile as C99 without extensions or warnings"""
    for name in ("ten-lines.c", "settings-form.c", "boot-and-watch.c", "qmp-monitor.c"):
        compile_strictly(name, "-std=c99")


def gtk_compiles():
    """gtk-window compiles without warnings"""
    flags = subprocess.run(["pkg-config", "--cflags", "gtk+-3.0"], capture_output=True, text=True, check=False)
    if flags.returncode:
        raise Skip("no GTK")
    compile_strictly("gtk-window.c", "-std=c11", *shlex.split(flags.stdout.replace("-I", "-isystem ")))


def lists_errors():
    """errors.md has every code of the registry with its remedy"""
    page = pathlib.Path(ERRORS_PAGE).read_text(encoding="utf-8")
    registry = tomllib.loads((SOURCE / "qapi/error-registry.toml").read_text(encoding="utf-8"))
    for error in registry["error"]:
        row = [line for line in page.splitlines() if line.startswith(f"| -{error['number']} |")]
        check(len(row) == 1 and error["name"] in row[0] and error["remedy"] in row[0], f"{error}: {row}")


os.environ.setdefault("LC_ALL", "C.UTF-8")
try:
    run_all([shows_ten_lines, shows_usage, shows_exit_codes, shows_an_error, ten_lines_tell_errors,
             builds_against_the_build_tree, settings_form_shows_every_key, compile_as_c99, gtk_compiles, lists_errors])
finally:
    shutil.rmtree(WORK)
