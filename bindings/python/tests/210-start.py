# SPDX-License-Identifier: LGPL-2.1-or-later
import utm
from common import WORK, check, context, demo, qemu_processes, raises, run_all, running, same


def runs_and_ends():
    """a machine starts, pauses, goes on, stops, and says why it ended"""
    with context() as ctx, utm.open(demo(), ctx) as vm:
        same((vm.state, vm.pid, vm.end_reason), (utm.VmState.STOPPED, None, None), "before")
        vm.start(disposable=True)
        same((vm.state, vm.pid is not None), (utm.VmState.RUNNING, True), "running")
        vm.pause()
        same(vm.state, utm.VmState.PAUSED, "paused")
        vm.resume()
        raises(utm.InvalidState, vm.start)
        reason = vm.stop(utm.StopMethod.FORCE)
        same((reason.kind, vm.end_reason, vm.state), (utm.EndKind.QUIT, reason, utm.VmState.STOPPED), "end")
        vm.start(disposable=True, paused=True)
        same(vm.state, utm.VmState.PAUSED, "started again, standing still")
        same(vm.stop(utm.StopMethod.KILL).kind, utm.EndKind.KILLED, "killed")


def is_reset():
    """the reset button works"""
    with context() as ctx, utm.Vm(utm.Bundle.create(WORK / "New.utm", utm.Config.new("x86_64", name="New"), context=ctx)) as vm:
        vm.start()
        with vm.qmp.subscribe("RESET") as subscription:
            vm.reset()
            same(subscription.wait(10).typed.guest, False, "who reset it")
        vm.stop(utm.StopMethod.KILL)


def failed_start():
    """a start that fails tells where in the configuration, and leaves nothing"""
    with context() as ctx:
        config = utm.Config.new("x86_64", name="Broken")
        config.insert("Drive", {"ImageName": "missing.qcow2"})
        vm = utm.Vm(utm.Bundle.create(WORK / "Broken.utm", config, context=ctx))
        error = raises(utm.Error, vm.start)
        same((error.code, error.key_path), (utm.ErrorCode.IMAGE_MISSING, "Drive[0].ImageName"), "error")
        same((vm.state, vm.end_reason.kind), (utm.VmState.STOPPED, utm.EndKind.START_FAILED), "state")
        same(vm.end_reason.error.code, utm.ErrorCode.IMAGE_MISSING, "reason")


def with_stops_it():
    """the end of with stops what runs"""
    with running() as vm:
        check(vm.pid, "runs")
        vm.stop(utm.StopMethod.REQUEST)
    same(vm.end_reason.kind, utm.EndKind.KILLED, "why it ended, after it is closed")
    same(qemu_processes(), [], "what is left")


run_all([runs_and_ends, is_reset, failed_start, with_stops_it])
