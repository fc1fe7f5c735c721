# SPDX-License-Identifier: LGPL-2.1-or-later
import gc
import weakref

import utm
from common import context, demo, raises, run_all, run_script, same, check


def closes_twice():
    """a context is closed once, by hand or by with; then it says so"""
    with context() as ctx:
        check(ctx.fileno() >= 0, "descriptor")
    ctx.close()
    raises(utm.InvalidState, ctx.fileno)


def goes_with_the_last_reference():
    """handles are given back when nobody has them any more, in any order"""
    ctx = context()
    bundle = utm.Bundle.open(demo(), ctx)
    vm = utm.Vm(bundle)
    gone = [weakref.ref(each) for each in (ctx, bundle, vm)]
    del ctx, bundle
    same(vm.state, utm.VmState.STOPPED, "state")
    del vm
    gc.collect()
    same([each() for each in gone], [None] * 3, "what is left")


def machine_after_close():
    """a closed machine says so"""
    with context() as ctx:
        vm = utm.open(demo(), ctx)
        vm.close()
        vm.close()
        raises(utm.InvalidState, lambda: vm.state)
        check("stopped" not in repr(vm), repr(vm))


def names_of_things():
    """states, kinds and words are those of the library"""
    same(str(utm.VmState.RUNNING), "running", "state")
    same(str(utm.EndKind.GUEST_SHUTDOWN), "guest-shutdown", "end")
    same(str(utm.VmEventKind.ENDED), "ended", "event")
    check(utm.__version__.count(".") == 2, utm.__version__)


def refuses_a_fork():
    """after fork the child is refused its parent's context, and ends well"""
    done = run_script("import os, utm\nctx = utm.Context()\npid = os.fork()\nif pid == 0:\n    try:\n        ctx.fileno()\n"
                      "    except utm.InvalidState as error:\n        os._exit(7 if 'fork' in error.message else 8)\n    os._exit(9)\n"
                      "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))")
    same((done.returncode, done.stdout), (0, "7\n"), done.stderr)


def imports_quickly():
    """importing the package does not import the types of QEMU"""
    done = run_script("import sys, utm\nprint([name for name in sys.modules if name.endswith('_types')])")
    same(done.stdout, "[]\n", done.stderr)


run_all([closes_twice, goes_with_the_last_reference, machine_after_close, names_of_things, refuses_a_fork, imports_quickly])
