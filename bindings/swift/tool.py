#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What meson has to do for the Swift package, which SwiftPM builds.

    tool.py list                         the files that the package consists of, one a line
    tool.py assemble QAPI PACKAGE STAMP  a copy with the generated sources, which SwiftPM can build
    tool.py install PACKAGE DIRECTORY    the same for users, without what only the build tree needs
    tool.py swift RUN PACKAGE WORD...    `swift WORD...` of that copy against the build tree, all output beside it
    tool.py test RUN PACKAGE             the tests, as TAP

SwiftPM wants all sources of a package below one directory, and nothing generated belongs into the source tree. So the
package is put together in the build directory. Files are written when they changed, for a build then compiles only those.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PARTS = ("Package.swift", "README.md", "Sources", "Examples", "Tests")
# Made in the copy, so it is no part of it that went out of use.
GENERATED = ("Sources/Utm/Generated", "Tests/RoundTrip/Types.swift")
# Debug information costs half as much time again for generated types; who debugs builds by hand. XCTest needs the index.
FLAGS = ["-Xswiftc", "-gnone"]


def files():
    for part in PARTS:
        path = HERE / part
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def copy(source, target):
    """Whether it was another."""
    content = source.read_bytes()
    if target.exists() and target.read_bytes() == content:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True


def is_generated(name):
    return any(name == path or name.startswith(path + "/") for path in GENERATED)


def assemble(qapi, package, stamp):
    package = pathlib.Path(package)
    wanted = {str(path.relative_to(HERE)): path for path in files()}
    for name, path in wanted.items():
        copy(path, package / name)
    for path in list(package.rglob("*")):
        name = str(path.relative_to(package))
        if path.is_file() and name not in wanted and not is_generated(name):
            path.unlink()
    generator = pathlib.Path(qapi) / "generate/swift.py"
    subprocess.run([sys.executable, "-B", generator, qapi, package / GENERATED[0], package / GENERATED[1]], check=True)
    pathlib.Path(stamp).touch()


def install(package, directory):
    """Below DESTDIR, which meson has put into the environment."""
    target = pathlib.Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"]) / directory
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("Tests"))
    manifest = target / "Package.swift"
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if "Tests" not in line), encoding="utf-8")


def command(run, package, words):
    beside = pathlib.Path(package).parent
    return [run, "swift", *words, "--package-path", package, "--scratch-path", beside / "scratch", "--cache-path", beside / "cache",
            "--config-path", beside / "config", "--security-path", beside / "security", *FLAGS]


def swift(run, package, *words):
    """Quiet unless it fails, with all that it said then."""
    done = subprocess.run(command(run, package, words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout)
    for line in done.stdout.splitlines():
        if "warning:" in line and ".swift:" in line:
            print(line, file=sys.stderr)


CASE = re.compile(r"Test Case '([^']+)' (passed|failed|skipped) \(([\d.]+) seconds\)")


def test(run, package):
    """One test case for each of XCTest's; the rest of its words as comments."""
    words = command(run, package, ["test", "--skip-build", "--disable-swift-testing"])
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        number = 0
        for line in process.stdout:
            print("# " + line.rstrip())
            if found := CASE.match(line):
                number += 1
                name, outcome, seconds = found.groups()
                print(f"{'not ' if outcome == 'failed' else ''}ok {number} - {name}"
                      f"{' # SKIP' if outcome == 'skipped' else ''}", flush=True)
    if process.returncode and number == 0:
        print("Bail out! swift test failed")
    print(f"1..{number}")
    sys.exit(process.returncode)


def main(word, *rest):
    if word == "list":
        print("\n".join(str(path) for path in files()))
    else:
        {"assemble": assemble, "install": install, "swift": swift, "test": test}[word](*rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
