# SPDX-License-Identifier: LGPL-2.1-or-later
import pickle
import sys

import utm
from common import WORK, check, context, demo, raises, run_all, same


def has_every_part():
    """an error has its code, file, key path, remedy and text"""
    error = raises(utm.NotFound, utm.open, WORK / "none.utm")
    same((error.code, error.domain, error.file), (utm.ErrorCode.NOT_FOUND, utm.ErrorDomain.API, str(WORK / "none.utm")), "parts")
    check(error.remedy and error.errno == 2, f"{error.remedy} {error.errno}")
    check(str(error).startswith(f"{WORK}/none.utm: ") and "(not-found)" in str(error), str(error))
    config = utm.Config.new("x86_64")
    error = raises(utm.ConfigError, config.__setitem__, "System.MemorySize", -5)
    same(error.key_path, "System.MemorySize", "key path")
    error = raises(utm.KeyPathError, config.__getitem__, "System.Nonsense")
    check(isinstance(error, LookupError) and isinstance(error, ValueError), "classes")


def is_pickled():
    """an error goes through pickle whole"""
    error = raises(utm.NotFound, utm.open, WORK / "none.utm")
    again = pickle.loads(pickle.dumps(error))
    same((type(again), again.code, again.file, str(again)), (type(error), error.code, error.file, str(error)), "pickled")


def wrong_calls():
    """what C cannot take is an error of Python"""
    raises(ValueError, utm.open, "with\0null")
    raises(TypeError, utm.open, 5)
    with context() as ctx:
        vm = utm.open(demo(), ctx)
        raises(utm.InvalidArgument, utm.capi.utm_vm_stop, vm._c, 99, None)
    error = raises(TypeError, utm.capi.utm_context_new, {"no_such": 1})
    check("no_such" in str(error), str(error))


def paths_of_bytes():
    """paths that are no UTF-8 go there and back"""
    path = bytes(WORK) + b"/\xff.utm"
    bundle = utm.Bundle.create(path, utm.Config.new("x86_64"))
    same(bundle.path.encode("utf-8", "surrogateescape"), path, "path")


def raised_in_callbacks():
    """what a callback raises comes out of dispatch; a second one is told of"""
    told = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda details: told.append(details.exc_value)
    try:
        with context() as ctx:
            def done(*_):
                raise KeyError(len(told))
            for _ in range(2):
                utm.capi.utm_hardware_query_async(ctx.handle, "riscv64", 0, done)
            caught = []
            while len(caught) + len(told) < 2:
                try:
                    ctx.wait(20)
                except KeyError as error:
                    caught.append(error)
            check(caught, "the first comes out")
    finally:
        sys.unraisablehook = hook


run_all([has_every_part, is_pickled, wrong_calls, paths_of_bytes, raised_in_callbacks])
