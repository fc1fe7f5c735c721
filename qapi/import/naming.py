# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names in C for things that a ledger does not know yet. Once recorded, a name is final."""

import re

from names import escape, snake

# Words whose capitals the rule would cut in the wrong places.
WORDS = {"ACPIOST": "AcpiOst", "AFXDP": "AfXdp", "AuthZ": "Authz", "CXLFMW": "CxlFmw", "DBus": "Dbus",
         "HyperV": "Hyperv", "IOThread": "Iothread", "L2TPv3": "L2tpv3", "MultiFD": "Multifd", "NVMe": "Nvme",
         "QCow": "Qcow", "SGXEPC": "SgxEpc", "VDAgent": "Vdagent", "VMApple": "Vmapple"}


# Names that the rules get wrong or make twice: of types and calls by their name, of parts by `Owner.name`. The second
# form of a member is `Owner.name#2`.
EXCEPTIONS = {"Audiodev.dbus#2": "dbus_options", "BlockJobInfo.type#2": "job_type",
              "ChardevBackend.pty#2": "pty_options", "ImageInfoSpecificVmdk.extents#2": "extent_infos",
              "guest-exec.capture-output#2": "capture_mode"}


def stem(name):
    """The middle of the function names of a type, in lower case."""
    words = name
    for word, spelling in WORDS.items():
        words = re.sub(word + r"(?![a-z])", spelling, words)
    return EXCEPTIONS.get(name) or snake(words)


def call(name):
    return EXCEPTIONS.get(name) or snake(name)


def member(owner, name, form=1):
    """The field of a member or branch. QEMU changed its type when there is a second form."""
    suffix = f"#{form}" if form > 1 else ""
    return EXCEPTIONS.get(f"{owner}.{name}{suffix}") or escape(snake(name)) + suffix.replace("#", "_")


def value(owner, name):
    """The end of the name of a constant. A prefix stands before it, so it may be a keyword or begin with a digit."""
    return EXCEPTIONS.get(f"{owner}.{name}") or snake(name)
