# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names in C for things that a ledger does not know yet. Once recorded, a name is final."""

import re

from names import escape, snake

# Words whose capitals the rule would cut in the wrong places.
WORDS = {"ACPIOST": "AcpiOst", "AFXDP": "AfXdp", "AuthZ": "Authz", "CXLFMW": "CxlFmw", "DBus": "Dbus", "HyperV": "Hyperv",
         "IOThread": "Iothread", "L2TPv3": "L2tpv3", "MultiFD": "Multifd", "NVMe": "Nvme", "QCow": "Qcow", "SGXEPC": "SgxEpc",
         "VDAgent": "Vdagent", "VMApple": "Vmapple"}


def stem(type_name):
    """The middle of the function names of a type, in lower case."""
    for word, spelling in WORDS.items():
        type_name = re.sub(word + r"(?![a-z])", spelling, type_name)
    return snake(type_name)


def call(name):
    return snake(name)


def member(name):
    return escape(snake(name))


def value(name):
    """The end of the name of a constant. A prefix stands before it, so it may be a keyword or begin with a digit."""
    return snake(name)
