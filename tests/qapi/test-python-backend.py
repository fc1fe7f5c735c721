# SPDX-License-Identifier: LGPL-2.1-or-later
"""The generated Python: what one writes with it. That its JSON is C's is what bindings/tests/round-trip.py finds out."""

import asyncio
import copy
import importlib
import json
import pathlib
import pickle
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "qapi/generate"))
sys.dont_write_bytecode = True

import python_backend  # noqa: E402

_directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
for _name in ("qmp.ledger", "qga.ledger", "config.schema"):
    python_backend.main(str(ROOT / "qapi" / _name), _directory.name)
_package = types.ModuleType("generated")
_package.__path__ = [str(ROOT / "bindings/python/utm"), _directory.name]
sys.modules["generated"] = _package

typed = importlib.import_module("generated._typed")
commands = importlib.import_module("generated.qmp_commands")
COMMANDS_IMPORT_TYPES = "generated.qmp_types" in sys.modules
qmp = importlib.import_module("generated.qmp_types")
config = importlib.import_module("generated.config_types")


class Peer(commands.QmpCommands):
    def __init__(self, reply="{}"):
        self.reply, self.sent = reply, []

    def _execute(self, command, arguments, timeout):
        self.sent.append((command, arguments, timeout))
        return self.reply


class AsyncPeer(commands.AsyncQmpCommands):
    def __init__(self, reply):
        self.reply = reply

    async def _execute(self, command, arguments, timeout):
        await asyncio.sleep(0)
        return self.reply


class Types(unittest.TestCase):
    def disk(self):
        return qmp.BlockdevOptions(driver="qcow2", node_name="disk0", file=qmp.BlockdevOptions(driver="file", filename="x"))

    def test_union(self):
        disk = self.disk()
        self.assertIsInstance(disk.branch, qmp.BlockdevOptionsQcow2)
        self.assertEqual((disk.driver, disk.file.filename), (qmp.BlockdevDriver.QCOW2, "x"))
        self.assertEqual(disk.to_json(), '{"driver":"qcow2","node-name":"disk0","file":{"driver":"file","filename":"x"}}')
        self.assertEqual(qmp.BlockdevOptions.from_json(disk.to_json()), disk)
        with self.assertRaises(TypeError):
            qmp.BlockdevOptions(driver="qcow2", fil="x")
        with self.assertRaises(AttributeError):
            disk.nothing  # pylint: disable=pointless-statement
        disk.branch = qmp.BlockdevOptionsFile(filename="y")
        with self.assertRaises(typed.Misfit) as caught:
            disk.to_json()
        self.assertEqual(caught.exception.key_path, "driver")

    def test_misspelt_member(self):
        with self.assertRaises(AttributeError):
            self.disk().read_olny = True

    def test_copies(self):
        disk = self.disk()
        for other in (copy.deepcopy(disk), pickle.loads(pickle.dumps(disk))):
            self.assertEqual(other, disk)
            self.assertIsNot(other.branch, disk.branch)
        self.assertIn("node_name='disk0'", repr(disk))

    def test_enum(self):
        self.assertEqual(qmp.RunState.RUNNING, "running")
        self.assertIs(qmp.RunState("running"), qmp.RunState.RUNNING)
        odd = qmp.RunState("odd")
        self.assertEqual((odd, odd.is_known, repr(odd)), ("odd", False, "RunState('odd')"))
        self.assertIn(qmp.RunState.PAUSED, qmp.RunState.known())
        self.assertEqual(qmp.QKeyCode.N1, "1")

    def test_extras(self):
        info = qmp.StatusInfo.from_json('{"a":null,"running":true,"status":"new","zz":[1.0,1e21]}')
        self.assertEqual((info.extras, info.status), ({"a": None, "zz": [1.0, 1e21]}, "new"))
        self.assertEqual(info.to_json(), '{"a":null,"running":true,"status":"new","zz":[1.0,1e+21]}')

    def test_null_is_not_absence(self):
        args = qmp.BlockdevOptions(driver="qcow2", file="x", backing=typed.NULL)
        self.assertEqual(args.to_json(), '{"driver":"qcow2","backing":null,"file":"x"}')
        self.assertIs(qmp.BlockdevOptions.from_json(args.to_json()).backing, typed.NULL)

    def test_errors(self):
        for text, path in (('{"actual":"x"}', "actual"), ("{}", "actual"), ('{"actual":1,"actual":1}', "actual"), ("[]", ""), ("nul", "")):
            with self.assertRaises(typed.Misfit) as caught:
                qmp.BalloonInfo.from_json(text)
            self.assertEqual((caught.exception.code, caught.exception.key_path), ("QMP_MALFORMED", path))
        with self.assertRaises(typed.Misfit) as caught:
            config.Drive.from_json('{"Identifier":1}')
        self.assertEqual((caught.exception.code, caught.exception.key_path), ("CONFIG_MALFORMED", "Identifier"))
        disk = self.disk()
        disk.file.branch.filename = 5
        with self.assertRaises(typed.Misfit) as caught:
            disk.to_json()
        self.assertEqual(str(caught.exception), "file.filename: must be a string, not an integer")
        self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")
        disk.branch.file = disk
        with self.assertRaises(typed.Misfit) as caught:
            disk.to_json()
        self.assertIn("nested too deeply", str(caught.exception))

    def test_package_makes_the_error(self):
        failure, typed.failure = typed.failure, lambda misfit: KeyError(misfit.key_path)
        try:
            with self.assertRaises(KeyError):
                qmp.BalloonInfo.from_json("{}")
        finally:
            typed.failure = failure

    def test_events(self):
        reset = qmp.event_from_json("RESET", '{"guest":true,"reason":"guest-reset"}', 1.5)
        self.assertIsInstance(reset, qmp.ResetEvent)
        self.assertEqual((reset.event, reset.guest, reset.reason, reset.timestamp), ("RESET", True, "guest-reset", 1.5))
        self.assertIsInstance(qmp.event_from_json("STOP", None), qmp.StopEvent)
        new = qmp.event_from_json("NEW", '{"a":1}')
        self.assertEqual((new.event, new.extras), ("NEW", {"a": 1}))

    def test_configuration(self):
        drive = config.Drive(identifier="D", interface="VirtIO", image_type="Disk", interface_version=1, read_only=False)
        self.assertEqual(json.loads(drive.to_json())["Interface"], "VirtIO")
        again = config.Drive.from_json(drive.to_json(indent=True))
        self.assertEqual(again, drive)
        shared = config.AppleSharedDirectory(bookmark=b"\0\1", read_only=True)
        self.assertIn('{"$data":"AAE="}', shared.to_json())
        self.assertEqual(config.AppleSharedDirectory.from_json(shared.to_json()).bookmark, b"\0\1")


class Commands(unittest.TestCase):
    def test_types_come_later(self):
        self.assertFalse(COMMANDS_IMPORT_TYPES)

    def test_blocking(self):
        peer = Peer('{"running":true,"status":"running"}')
        self.assertEqual(peer.query_status(timeout=2).status, qmp.RunState.RUNNING)
        self.assertEqual(peer.sent, [("query-status", None, 2)])

    def test_arguments(self):
        peer = Peer()
        self.assertIsNone(peer.block_resize(node_name="disk0", size=1 << 30))
        peer.blockdev_add(driver="null-co", node_name="n")
        peer.blockdev_add(qmp.BlockdevOptions(driver="null-co", node_name="n"))
        peer.device_add(driver="virtio-blk", id="d", **{"share-rw": True})
        self.assertEqual([json.loads(arguments) for _, arguments, _ in peer.sent],
                         [{"node-name": "disk0", "size": 1 << 30}] + 2 * [{"driver": "null-co", "node-name": "n"}] +
                         [{"driver": "virtio-blk", "id": "d", "share-rw": True}])
        with self.assertRaises(TypeError):
            peer.block_resize(node_name="disk0")
        with self.assertRaises(typed.Misfit):
            peer.block_resize(size="much")

    def test_results(self):
        self.assertEqual(Peer('["tpm-tis"]').query_tpm_models(), [qmp.TpmModel.TPM_TIS])
        self.assertEqual(Peer('"text"').human_monitor_command(command_line="info"), "text")
        with self.assertRaises(typed.Misfit) as caught:
            Peer('[{"device":"a"},{}]').query_block()
        self.assertTrue(caught.exception.key_path.startswith("[0]."))

    def test_asyncio(self):
        self.assertTrue(asyncio.run(AsyncPeer('{"running":true,"status":"running"}').query_status()).running)


if __name__ == "__main__":
    unittest.main()
