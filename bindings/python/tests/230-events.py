# SPDX-License-Identifier: LGPL-2.1-or-later
import utm
from utm import qmp_types
from common import check, raises, run_all, running, same


def of_the_machine():
    """a machine's events come in order, up to its end"""
    with running() as vm:
        heard = []
        vm.on_event(heard.append)
        vm.pause()
        vm.stop(utm.StopMethod.FORCE)
        events = list(vm.events(timeout=10))
        same(events[-1].kind, utm.VmEventKind.ENDED, "last")
        same(heard, events, "listeners hear the same")
        states = [str(event.state) for event in events if event.kind == utm.VmEventKind.STATE]
        check("paused" in states, str(states))
        qmp = [event.text for event in events if event.kind == utm.VmEventKind.QMP]
        check("STOP" in qmp, str(qmp))


def of_the_monitor():
    """a subscription misses nothing that a command brings about, and waits for what is wanted"""
    with running() as vm:
        with vm.qmp.subscribe("STOP", "RESUME") as subscription:
            vm.pause()
            vm.resume()
            event = subscription.wait(10, lambda each: each.name == "RESUME")
            check(isinstance(event.typed, qmp_types.ResumeEvent) and event.timestamp, repr(event))
            raises(utm.TimedOut, subscription.wait, 0.05)
        with vm.qmp.subscribe("SHUTDOWN") as subscription:
            vm.stop(utm.StopMethod.FORCE)
            seen = list(subscription)
            same([(event.name, event.typed.guest) for event in seen], [("SHUTDOWN", False)], "until the end")


def handler_hears_the_end():
    """a handler hears of events, and of the end with its error"""
    with running() as vm:
        heard = []
        vm.qmp.set_event_handler(lambda event, error: heard.append(error.code if error else event.name))
        vm.pause()
        vm.stop(utm.StopMethod.FORCE)
        while utm.ErrorCode.QMP_DISCONNECTED not in heard:
            check(vm.context.wait(10), "the end is told")
        check("STOP" in heard, str(heard))


run_all([of_the_machine, of_the_monitor, handler_hears_the_end])
