#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Asks every installed QEMU what it has, and writes the names down in qapi/hardware.ledger.

    qapi/import/hardware.py qapi/hardware.ledger
    qapi/import/hardware.py --add qapi/hardware.ledger

Architectures whose QEMU is not installed keep what the file says of them, and so do items of newer releases. With --add
the QEMUs that are asked are newer than those of the file, which stays as it is but for what only they have, and what they
lack; both is marked with the release. Names and numbers only: descriptions are QEMU's prose and are asked for when somebody wants to
read them.
"""

import json
import os
import re
import shutil
import subprocess
import sys

# Those of UTM; Architecture in config.schema.
ARCHITECTURES = """alpha arm aarch64 avr hppa i386 loongarch64 m68k microblaze microblazeel mips mipsel mips64 mips64el
or1k ppc ppc64 riscv32 riscv64 rx s390x sh4 sh4eb sparc sparc64 tricore x86_64 xtensa xtensaeb""".split()
CATEGORIES = {"Display devices": "display", "Network devices": "network", "Sound devices": "sound"}
KINDS = ["machine", "cpu", "flag", "display", "network", "sound"]
DEADLINE_S = 60
HEADER = """# SPDX-License-Identifier: LGPL-2.1-or-later
# What QEMU has, per architecture: a stand-in for hosts without that QEMU. Made by qapi/import/hardware.py; do not edit.
# An architecture and the QEMU that was asked, then a kind, then one item per line, indented, with what is known of it.
# Items with `since` are of a newer QEMU: that one has them, and the first does not. With `gone` it is the other way round.
"""


def ask(program, commands):
    """The returns of the commands, None for those that failed."""
    words = [program, "-machine", "none", "-S", "-display", "none", "-nodefaults", "-no-user-config", "-qmp", "stdio"]
    lines = [{"execute": "qmp_capabilities"}, *commands, {"execute": "quit"}]
    done = subprocess.run(words, input="\n".join(map(json.dumps, lines)) + "\n", text=True, capture_output=True,
                          timeout=DEADLINE_S, check=True)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    version = messages[0]["QMP"]["version"]["qemu"]
    answers = [message.get("return") for message in messages if "return" in message or "error" in message]
    return "{major}.{minor}.{micro}".format(**version), answers[1:-1]


def machine_line(machine, cpu_names):
    words = [machine["name"]]
    if "alias" in machine:
        words.append("alias=" + machine["alias"])
    words += [word for word, key in (("default", "is-default"), ("deprecated", "deprecated")) if machine.get(key)]
    words.append(f"cpus={machine['cpu-max']}")
    if machine.get("default-cpu-type") in cpu_names:
        words.append("cpu=" + cpu_names[machine["default-cpu-type"]])
    return " ".join(words)


def name_cpus(types):
    """Type names to the names that -cpu takes: what all types end with is dropped."""
    short = [name[:-len("-cpu")] for name in types if name.endswith("-cpu")]
    ending = "-" + short[0].rsplit("-", 1)[-1] if short else ""
    shared = all(name.endswith(ending) and len(name) > len(ending) for name in short)
    return {name + "-cpu": name[:-len(ending)] if shared else name for name in short}


def device_lines(text):
    kind, found = None, {}
    for line in text.splitlines():
        if line.endswith(":"):
            kind = CATEGORIES.get(line[:-1])
        match = re.match(r'name "([^" ]+)"(?:, bus ([^,]+))?', line)
        # Codecs are no cards.
        if match and kind and not line.endswith(", no-user") and match[2] != "HDA":
            found.setdefault(kind, []).append(match[1] + (f" bus={match[2]}" if match[2] else ""))
    return found


def flags_type(cpu_names):
    best = [name for name, short in cpu_names.items() if short == "max"]
    return (best or [name for name in sorted(cpu_names) if "sparc" in name] or [None])[0]


def describe(program):
    """Version, and the lines of each kind."""
    version, (machines, definitions, types, qdm) = ask(program, [
        {"execute": "query-machines"}, {"execute": "query-cpu-definitions"},
        {"execute": "qom-list-types", "arguments": {"implements": "cpu", "abstract": False}},
        {"execute": "human-monitor-command", "arguments": {"command-line": "info qdm"}}])
    cpu_names = ({cpu["typename"]: cpu["name"] for cpu in definitions} if definitions
                 else name_cpus([kind["name"] for kind in types]))
    # One type may have several names.
    all_names = [cpu["name"] for cpu in definitions] if definitions else cpu_names.values()
    old = {cpu["name"] for cpu in definitions or [] if cpu.get("deprecated")}
    lists = {"machine": [machine_line(machine, cpu_names) for machine in machines],
             "cpu": [name + (" deprecated" if name in old else "") for name in all_names], **device_lines(qdm)}
    if flags_type(cpu_names):
        _, (properties,) = ask(program, [{"execute": "device-list-properties",
                                          "arguments": {"typename": flags_type(cpu_names)}}])
        lists["flag"] = [found["name"] for found in properties or []
                         if found["type"] == "bool" and found["name"] != "start-powered-off"]
    return version, lists


def read_section(text):
    lines = text.splitlines()
    lists, kind = {}, None
    for line in lines[1:]:
        if line.startswith(" "):
            lists[kind].append(line[1:])
        else:
            kind = line
            lists[kind] = []
    return lines[0].split()[2], lists


def read_ledger(path):
    """Version and lists by architecture."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        sections = re.split(r"^(?=architecture )", file.read(), flags=re.MULTILINE)[1:]
    return {section.split()[1]: read_section(section) for section in sections}


def names(lines):
    """All that an item is called by."""
    found = {line.split()[0] for line in lines}
    return found | {word[len("alias="):] for line in lines for word in line.split() if word.startswith("alias=")}


def mark(line, release):
    """An item of a newer QEMU; what QEMU takes when nothing is said, and what a short name means, the older one tells."""
    words = [word for word in line.split() if word != "default" and not word.startswith("alias=")]
    return " ".join([*words, "since=" + release])


def is_in(line, known):
    """Whether an item, or what its short name means, is among these names."""
    return bool(names([line]) & known)


def merge(old, newer, release):
    """The lists of `old`, with marks, and what only `newer` has."""
    for kind in KINDS:
        known, current = names(old.get(kind, [])), names(newer.get(kind, []))
        # Devices may be in modules that are not installed.
        stays = kind not in ("machine", "cpu")
        lines = [line if stays or is_in(line, current) or "=" + release in line else f"{line} gone={release}"
                 for line in old.get(kind, [])]
        lines += [mark(line, release) for line in newer.get(kind, []) if line.split()[0] not in known]
        old[kind] = lines
    return old


def keep_marks(old, lists):
    """What is known of newer QEMUs goes over into lists that were asked anew."""
    for kind, lines in old.items():
        gone = {line.split()[0]: line.split()[-1] for line in lines if " gone=" in line}
        known = names(lists.get(kind, []))
        lists[kind] = [f"{line} {gone[line.split()[0]]}" if line.split()[0] in gone else line
                       for line in lists.get(kind, [])]
        lists[kind] += [line for line in lines if " since=" in line and line.split()[0] not in known]
    return lists


def update(old, asked, is_newer):
    """Version and lists of an architecture, from what the ledger has (None: nothing) and what QEMU says."""
    version, lists = asked
    if not old:
        return asked
    if is_newer:
        return old[0], merge(old[1], lists, ".".join(version.split(".")[:2]))
    return version, keep_marks(old[1], lists)


def write_section(architecture, version, lists):
    text = f"architecture {architecture} {version}\n"
    for kind in KINDS:
        if lists.get(kind):
            text += kind + "\n" + "".join(f" {line}\n" for line in sorted(lists[kind]))
    return text


def main(arguments):
    is_newer = arguments[:1] == ["--add"]
    path = arguments[-1]
    sections = read_ledger(path)
    for architecture in ARCHITECTURES:
        program = shutil.which("qemu-system-" + architecture)
        if program:
            sections[architecture] = update(sections.get(architecture), describe(program), is_newer)
        else:
            print(f"{architecture}: QEMU is not installed", file=sys.stderr)
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEADER + "".join(write_section(name, *sections[name]) for name in ARCHITECTURES if name in sections))


if __name__ == "__main__":
    main(sys.argv[1:])
