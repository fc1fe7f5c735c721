# SPDX-License-Identifier: LGPL-2.1-or-later
import subprocess
import sys

import utm
from common import ROOT, WORK, check, context, demo, run_all, same

EXAMPLES = ROOT / "bindings/python/examples"


def call(*arguments):
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    same((done.returncode, done.stderr), (0, ""), f"{arguments[0].name}: {done.stdout}")
    return done.stdout


def inspect():
    """the example that looks at a package and edits it"""
    with context() as ctx:
        utm.Bundle.create(WORK / "Edited.utm", utm.Config.new("x86_64", name="Edited"), context=ctx)
        text = call(EXAMPLES / "inspect_bundle.py", WORK / "Edited.utm", "System.MemorySize=768")
        check("Edited" in text and "System.MemorySize: 512 -> 768" in text, text)
        same(utm.Bundle.open(WORK / "Edited.utm", ctx).config["System.MemorySize"], 768, "saved")


def boot():
    """the examples that boot a machine, type, take its picture and stop it"""
    for name in ("boot_and_type.py", "boot_and_type_async.py"):
        text = call(EXAMPLES / name, demo(), WORK / f"{name}.png")
        check("ended: " in text, text)
        check((WORK / f"{name}.png").read_bytes().startswith(b"\x89PNG"), "picture")


def ten_lines():
    """the ten lines of the README run"""
    text = (ROOT / "bindings/python/README.md").read_text(encoding="utf-8")
    program = text.split("```python\n", 1)[1].split("```", 1)[0].replace('"Debian.utm"', repr(str(demo())))
    (WORK / "ten.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, WORK / "ten.py"], capture_output=True, text=True, timeout=120, check=False, cwd=WORK)
    same((done.returncode, done.stderr), (0, ""), done.stdout)
    check((WORK / "screen.png").exists(), "picture")


run_all([inspect, boot, ten_lines])
