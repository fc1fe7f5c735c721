# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model that other languages' back ends walk, on the real ledgers and the real schema."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "qapi/generate"))

import model  # noqa: E402


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qmp, cls.qga, cls.config = (model.load(str(ROOT / "qapi" / name))
                                        for name in ("qmp.ledger", "qga.ledger", "config.schema"))

    def named(self, things, name):
        return next(thing for thing in things if thing.name == name)

    def test_names_are_distinct(self):
        for each in (self.qmp, self.qga, self.config):
            self.assertEqual(len({type_.name for type_ in each.types}), len(each.types))
            for struct in each.structs:
                self.assertEqual(len({member.c_name for member in struct.members}), len(struct.members), struct.name)
                self.assertEqual([m.name for m in struct.members], sorted(m.name for m in struct.members))

    def test_every_type_that_is_led_to_is_there(self):
        for each in (self.qmp, self.qga, self.config):
            known = {id(type_) for type_ in each.types}
            places = [m.type for s in each.structs for m in s.members]
            places += [b.type for thing in each.structs + each.alternates for b in thing.branches]
            places += [c.returns for c in each.commands if c.returns]
            for place in places:
                self.assertIs(place.kind in ("enum", "struct", "alternate"), place.of is not None)
                self.assertTrue(place.of is None or id(place.of) in known)

    def test_a_union(self):
        options = self.named(self.qmp.structs, "BlockdevOptions")
        self.assertEqual(options.tag.name, "driver")
        qcow2 = self.named(options.branches, "qcow2")
        self.assertIn("file", [member.name for member in qcow2.type.of.members])

    def test_what_changed_its_type(self):
        extents = self.named(self.named(self.qmp.structs, "ImageInfoSpecificVmdk").members, "extents")
        self.assertEqual((extents.c_name, extents.type.of.name, extents.older.of.name), ("extents", "VmdkExtentInfo", "ImageInfo"))
        job = self.named(self.named(self.qmp.structs, "BlockJobInfo").members, "type")
        self.assertEqual((job.type.kind, job.older), ("enum", None))

    def test_calls(self):
        stop = self.named(self.qmp.commands, "query-status")
        self.assertEqual((stop.args, stop.returns.of.name), (None, "StatusInfo"))
        self.assertTrue(self.named(self.qmp.commands, "device_add").open)
        self.assertFalse(self.named(self.qga.commands, "guest-shutdown").has_reply)
        reset = self.named(self.qmp.events, "RESET")
        self.assertEqual([m.name for m in reset.args.members], ["guest", "reason"])

    def test_the_configuration(self):
        self.assertEqual([root.name for root in self.config.roots], ["Qemu", "Apple"])
        memory = self.named(self.named(self.config.structs, "System").members, "MemorySize")
        self.assertEqual((memory.type.kind, memory.unit), ("int", "MiB"))


if __name__ == "__main__":
    unittest.main()
