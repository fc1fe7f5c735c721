#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""utmctl on machines with UEFI and a TPM, with the firmware and the swtpm that are installed."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tap import Skip, check, run_all, same

UTMCTL, = sys.argv[1:]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="utmctl-"))
FIRMWARE = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
WAIT_S = 20


def utmctl(*arguments, status=0):
    done = subprocess.run([UTMCTL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    same(done.returncode, status, f"exit code of {arguments}, {done.stdout!r} {done.stderr!r}")
    return done


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")
    if not FIRMWARE.exists():
        raise Skip("ovmf is not installed")


def new_machine(name, **options):
    bundle = WORK / f"{name}.utm"
    utmctl("config", "new", bundle, "--arch", "x86_64")
    for key, value in {"Display": "[]", "Sound": "[]", "Network": "[]", **options}.items():
        utmctl("config", "set", bundle, key.replace("_", "."), value)
    return bundle


def resets_variables():
    """bundle reset-uefi makes a store, and another one in its place; other words and other machines are errors"""
    need("qemu-system-x86_64", "qemu-img")
    bundle = new_machine("Reset")
    store = bundle / "Data" / "efi_vars.fd"
    same(utmctl("bundle", "reset-uefi", bundle).stdout, "", "output")
    plain = store.read_bytes()
    same(plain[:4], b"QFI\xfb", "format")
    utmctl("bundle", "reset-uefi", bundle, "--keys", "enrolled")
    check(store.read_bytes() != plain, "the same without keys and with them")
    utmctl("bundle", "reset-uefi", bundle, "--keys", "none")
    same(store.read_bytes(), plain, "without keys")
    check("--keys is auto, enrolled or none" in utmctl("bundle", "reset-uefi", bundle, "--keys", "all", status=2).stderr, "word")
    utmctl("config", "set", bundle, "QEMU.UEFIBoot", "false")
    text = utmctl("bundle", "reset-uefi", bundle, status=1).stderr
    check(re.fullmatch(r"utmctl: .*: QEMU\.UEFIBoot: .* \(config-unsupported\)\n {8}\S.*\n", text), text)


def tells_what_does_not_fit():
    """variables of other firmware are a finding, and an error with its remedy when the machine is run"""
    need("qemu-system-x86_64", "qemu-img")
    bundle = new_machine("Unfit")
    (bundle / "Data" / "efi_vars.fd").write_bytes(bytes(131072))
    check("vars-unfit" in utmctl("config", "check", bundle, "--host", status=1).stdout, "finding")
    text = utmctl("run", bundle, "--for", "1", status=1).stderr
    check("(firmware-mismatch)" in text and "reset-uefi" in text, text)


def run_briefly(bundle):
    """What it prints. It is interrupted when it runs, and again: firmware does not heed its power button."""
    with subprocess.Popen([UTMCTL, "run", bundle, "--verbose"], stdout=subprocess.PIPE, text=True) as process:
        text = ""
        for line in process.stdout:
            text += line
            if "state: running" in line or "interrupted" in line:
                process.send_signal(signal.SIGINT)
                time.sleep(0.3)
    same(process.returncode, 130, f"exit code, {text!r}")
    return text


def runs_with_a_tpm():
    """run starts a machine with a TPM and Secure Boot, and swtpm's words are QEMU's"""
    need("qemu-system-x86_64", "qemu-img", "swtpm")
    bundle = new_machine("Trusted", QEMU_TPMDevice="true")
    text = run_briefly(bundle)
    check("state: running" in text and "as new linear NVRAM store" in text, text)
    check((bundle / "Data" / "tpmdata").stat().st_size > 1000, "state")
    text = run_briefly(bundle)
    check("state: running" in text and "NVRAM store" not in text, text)


def children_of(pid):
    text = " ".join(path.read_text(encoding="ascii") for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"))
    return {int(child): pathlib.Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() for child in text.split()}


def is_alive(pid):
    try:
        return "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def is_free(bundle):
    directory = os.open(bundle, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(directory)


def takes_the_tpm_along():
    """when utmctl itself is killed, neither QEMU nor swtpm stays"""
    need("qemu-system-x86_64", "qemu-img", "swtpm")
    bundle = new_machine("Killed", QEMU_TPMDevice="true")
    with subprocess.Popen([UTMCTL, "run", bundle], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "state: running" in line:
                break
        children = children_of(process.pid)
        names = sorted(children.values())
        process.kill()
    check("swtpm" in names and any(name.startswith("qemu-system") for name in names), names)
    deadline = time.monotonic() + WAIT_S
    while any(is_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    same([name for pid, name in children.items() if is_alive(pid)], [], "what still runs")
    # And the package is free, when the last thread of each has gone, too.
    while not is_free(bundle) and time.monotonic() < deadline:
        time.sleep(0.1)
    run_briefly(bundle)


os.environ["XDG_RUNTIME_DIR"] = str(WORK)
try:
    run_all([resets_variables, tells_what_does_not_fit, runs_with_a_tpm, takes_the_tpm_along])
finally:
    shutil.rmtree(WORK)
