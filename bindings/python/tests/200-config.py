# SPDX-License-Identifier: LGPL-2.1-or-later
import copy
import json
import plistlib

import utm
from common import WORK, check, context, raises, run_all, same


def edits():
    """values are read, set, inserted and removed by key path"""
    config = utm.Config.new("aarch64", name="Edited")
    same((config.name, config.backend, config["System.Architecture"]), ("Edited", utm.Backend.QEMU, "aarch64"), "new")
    config["System.MemorySize"] = 2048
    config["QEMU.Hypervisor"] = False
    config["Information.Notes"] = "two\nlines"
    config.insert("Drive", {"ImageType": "CD", "Interface": "USB"})
    same((config.count("Drive"), config["Drive[0].ImageType"], "Drive[1]" in config), (1, "CD", False), "drive")
    config["Information.Icon"] = "linux"
    config.set_text("System.CPUCount", "4")
    same(config["System"]["CPUCount"], 4, "section")
    del config["Drive[0]"]
    same(config["Drive"], [], "list")
    same(config.get("Information.Notes"), "two\nlines", "text")
    other = copy.deepcopy(config)
    check(other == config, "copies are equal")
    other["System.MemorySize"] = 1024
    check(other != config and config["System.MemorySize"] == 2048, "and do not share")
    raises(utm.ConfigError, config.__setitem__, "System.Architecture", "z80")


def files():
    """files are written as UTM reads them, and read again"""
    config = utm.Config.new("x86_64", name="Filed")
    plist = config.to_plist()
    same(plistlib.loads(plist)["Information"]["Name"], "Filed", "name")
    (WORK / "config.plist").write_bytes(plist)
    check(utm.Config.load(WORK / "config.plist") == config == utm.Config.from_bytes(plist), "from file and memory")
    check(utm.Config.from_json(config.to_dict()) == config, "from JSON")
    raises(utm.ConfigError, utm.Config.from_bytes, b"nonsense")


def checks():
    """findings have severity, code, key path and remedy"""
    config = utm.Config.new("x86_64")
    config.insert("Drive", {"ImageName": "../../etc/passwd"})
    found = [each for each in config.check() if each.key_path == "Drive[0].ImageName"]
    check(found and found[0].severity == utm.Severity.ERROR and found[0].code == "path-escape" and found[0].remedy, str(found))


def tells_its_schema():
    """the schema tells kinds, words, ranges and defaults"""
    sections = {key.name: key for key in utm.schema()}
    memory = next(key for key in sections["System"].keys if key.name == "MemorySize")
    same((memory.kind, memory.unit, memory.is_list), (utm.Kind.INT, "MiB", False), "memory")
    words = [word.text for word in utm.find_key("Drive[0].Interface").words]
    check("VirtIO" in words, str(words))


def packages():
    """a package is made, opened, saved, copied and listed"""
    with context() as ctx:
        bundle = utm.Bundle.create(WORK / "One.utm", utm.Config.new("x86_64", name="One"), context=ctx)
        config = bundle.config
        config["System.MemorySize"] = 768
        bundle.save(config)
        same(utm.Bundle.open(WORK / "One.utm", ctx).config["System.MemorySize"], 768, "saved")
        clone = bundle.clone(WORK / "Two.utm", name="Two")
        same((clone.config.name, clone.config.uuid == bundle.config.uuid), ("Two", False), "clone")
        same([(entry.name, entry.error) for entry in utm.list_bundles(WORK)], [("One", None), ("Two", None)], "list")
        (WORK / "disk.img").write_bytes(b"\0" * 4096)
        name = bundle.import_file(WORK / "disk.img")
        check(name in [file.name for file in bundle.unreferenced()], "brought in")
        same([file.name for file in bundle.prune()], [name], "pruned")
        bundle.lock()
        same(bundle.lock_state, utm.LockState.LOCKED, "lock")
        bundle.unlock()


def command_lines():
    """a command line is built for a host that is written down"""
    config = utm.Config.new("x86_64", name="Line")
    argv = utm.Argv.build(config, utm.Host.from_json({"LogicalCores": 4, "PhysicalCores": 4}), "/machines/Line.utm")
    same(len(argv), len(argv.strings), "length")
    name = next(each for each in argv if each.text == "-name")
    same((name.key_path, bool(name.reason)), ("Information.Name", True), "where it came from")
    check(argv.to_shell().startswith("#!"), "script")


def typed():
    """the configuration's own types read what the library writes, byte for byte"""
    from utm import config_types  # pylint: disable=import-outside-toplevel
    config = utm.Config.new("x86_64", name="Typed")
    qemu = config_types.Qemu.from_json(config.to_json())
    same(json.loads(qemu.to_json()), config.to_dict(), "values")
    qemu.system.memory_size = 3000
    same(utm.Config.from_json(qemu.to_json())["System.MemorySize"], 3000, "edited")


run_all([edits, files, checks, tells_its_schema, packages, command_lines, typed])
