# SPDX-License-Identifier: LGPL-2.1-or-later
import os

import utm
from utm import qmp_types
from common import WORK, check, context, raises, run_all, running, same


def typed_commands():
    """commands are methods with typed results"""
    with running() as vm:
        qmp = vm.qmp
        status = qmp.query_status()
        check(isinstance(status, qmp_types.StatusInfo) and status.running, repr(status))
        same(status.status, qmp_types.RunState.RUNNING, "state")
        same(status.status, "running", "a text, too")
        check(qmp.qemu_version >= (7, 2, 0) and qmp.greeting["version"], str(qmp.qemu_version))
        disk = WORK / "disk.raw"
        disk.write_bytes(b"\0" * 65536)
        qmp.blockdev_add(qmp_types.BlockdevOptions(driver="file", node_name="f0", filename=str(disk)))
        nodes = qmp.query_named_block_nodes()
        same([(node.node_name, node.drv) for node in nodes if node.node_name == "f0"], [("f0", "file")], "node")
        error = raises(utm.QmpError, lambda: qmp.blockdev_del(node_name="nothing"))
        same((error.code, error.qmp_class), (utm.ErrorCode.QMP_COMMAND, "GenericError"), "error")
        raises(TypeError, lambda: qmp.blockdev_del(nodename="f0"))


def untyped_commands():
    """any command goes as JSON, with deadline and descriptor"""
    with running() as vm:
        qmp = vm.qmp
        same(qmp.execute("query-name").get("name") is not None, True, "name")
        raises(utm.QmpError, qmp.execute, "no-such-command")
        check(qmp.has("query-status") and not qmp.has("query-stattus"), "has")
        read, write = os.pipe()
        qmp.execute("getfd", {"fdname": "pipe"}, fd=read)
        os.close(read)
        os.close(write)


def recorded():
    """a recorded session stands in for QEMU"""
    with running() as vm:
        vm.qmp.record(WORK / "session.jsonl")
        wanted = vm.qmp.execute("query-kvm")
        vm.qmp.record_stop()
    with context() as ctx:
        double = utm.Qmp.connect_replay(WORK / "session.jsonl", flags=utm.ConnectFlags.REPLAY_UNORDERED, context=ctx)
        same(double.execute("query-kvm"), wanted, "answer")
        error = raises(utm.QmpError, double.execute, "query-pci")
        same(error.qmp_class, "ReplayMismatch", "what was not recorded")


run_all([typed_commands, untyped_commands, recorded])
