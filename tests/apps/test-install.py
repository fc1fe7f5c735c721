#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library as a stranger gets it: installed into a prefix, and as a Meson subproject."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from tap import SOURCE, check, demo_bundle, run_all, same

BUILD_DIR = sys.argv[1]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utm-install-"))
PREFIX = WORK / "prefix"
PROGRAM = SOURCE / "examples/ten-lines.c"
SUBPROJECT = """project('stranger', 'c', default_options: ['libutm:tests=false', 'libutm:gtk=disabled'])
subproject('libutm')
executable('stranger', 'ten-lines.c', dependencies: dependency('libutm'))
"""


def plain_environment():
    """Without what the test harness has set for the build tree."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("UTM_", "LD_", "PKG_CONFIG", "ASAN", "CFLAGS", "CC"))}


def environment():
    library = next(PREFIX.rglob("libutm.so")).parent
    return dict(plain_environment(), LD_LIBRARY_PATH=str(library), PKG_CONFIG_PATH=str(library / "pkgconfig"))


def call(*command, **options):
    options.setdefault("env", plain_environment())
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    check(done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def bundle():
    path = WORK / "Plain.utm"
    path.mkdir(exist_ok=True)
    text = (SOURCE / "examples/demo/config.plist.in").read_text(encoding="utf-8")
    (path / "config.plist").write_text(text.replace("@UUID@", "11111111-2222-4333-8444-555555555555"), encoding="utf-8")
    return path


def installs():
    """meson install into a prefix"""
    call("meson", "setup", WORK / "build", SOURCE, f"--prefix={PREFIX}", "-Dtests=false", "-Dgtk=disabled",
         "-Dpython=disabled", "-Drust=disabled", "-Dswift=disabled")
    call("meson", "install", "-C", WORK / "build")


def brings_everything():
    """headers, library with soname, pkg-config file, engine and utmctl are there, and nothing else"""
    files = sorted(str(p.relative_to(PREFIX)) for p in PREFIX.rglob("*") if p.is_file() or p.is_symlink())
    headers = {pathlib.Path(f).name for f in files if f.startswith("include/utm/")}
    made = {p.name for p in (WORK / "build/include/utm").glob("*.h")}
    check({"version.h", "error-codes.h"} <= made, made)
    wanted = {p.name for p in (SOURCE / "include/utm").glob("*.h")} | made
    same(headers, wanted, "headers")
    rest = [f for f in files if not f.startswith("include/utm/")]
    for ending in ("libutm.so", "libutm.so.0", "pkgconfig/libutm.pc", "bin/utmctl", "libutm/utm-console-engine",
                   "share/doc/libutm/errors.md", "share/doc/libutm/findings.md",
                   "share/doc/libutm/limits.md"):
        check(any(f.endswith(ending) for f in rest), f"no {ending} in {rest}")
    strangers = [f for f in rest if not f.startswith("share/") and "utm" not in pathlib.Path(f).name]
    same(strangers, [], "what else was installed")


def private_stays_private():
    """pkg-config --cflags --libs names libutm and no library that it uses itself"""
    flags = call("pkg-config", "--cflags", "--libs", "libutm", env=environment())
    check("-lutm" in flags, flags)
    for word in ("glib", "json", "plist", "spice"):
        check(word not in flags, flags)


def ten_lines_run():
    """ten lines of C outside of the tree build with pkg-config and run, as C99 and as C++"""
    flags = shlex.split(call("pkg-config", "--cflags", "--libs", "libutm", env=environment()))
    for compiler, language in (("cc", ["-std=c99"]), ("c++", ["-x", "c++", "-std=c++17"])):
        if not shutil.which(compiler):
            continue
        call(compiler, *language, "-Wall", "-Wextra", "-pedantic", "-Werror", "-o", WORK / "ten", PROGRAM, *flags, cwd=WORK)
        text = call(WORK / "ten", bundle(), env=environment())
        check(text.startswith("Demo (") and "libutm 0." in text, text)
        bad = subprocess.run([WORK / "ten", WORK / "none.utm"], capture_output=True, text=True, env=environment(), check=False)
        check(bad.returncode == 1 and "none.utm: " in bad.stderr, f"a missing bundle is an error: {bad.stderr}")


def installed_utmctl_runs_a_machine():
    """the installed utmctl boots the demo with the installed engine"""
    demo = demo_bundle(BUILD_DIR)
    text = call(PREFIX / "bin/utmctl", "run", demo, "--for", "3", "--screenshot", WORK / "shot.png", env=environment())
    check("state: running" in text and "screenshot: " in text and "end: " in text, text)


def is_a_subproject():
    """dependency('libutm') of a Meson subproject"""
    stranger = WORK / "stranger"
    (stranger / "subprojects").mkdir(parents=True)
    (stranger / "meson.build").write_text(SUBPROJECT, encoding="utf-8")
    shutil.copy(PROGRAM, stranger)
    (stranger / "subprojects/libutm").symlink_to(SOURCE)
    call("meson", "setup", stranger / "build", stranger)
    call("ninja", "-C", stranger / "build", "-j2", "stranger")
    check(call(stranger / "build/stranger", bundle()).startswith("Demo ("), "the subproject's program")


try:
    run_all([installs, brings_everything, private_stays_private, ten_lines_run, installed_utmctl_runs_a_machine,
             is_a_subproject])
finally:
    shutil.rmtree(WORK)
