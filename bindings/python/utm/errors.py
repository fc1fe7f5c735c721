# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong: one exception with everything that the library knows, and a class for each kind that programs branch on."""

from __future__ import annotations

from . import capi
from .error_codes import ErrorCode, ErrorDomain


class Error(Exception):
    """A failure of the library. `str()` of it is the whole text: file, key path, message, code, and below it what to do."""

    code: int
    """An `ErrorCode`, or the number of one that this package does not know."""
    domain: int
    message: str
    """One line for people: what failed and why."""
    key_path: str | None
    """Of the configuration value at fault, such as `Drive[1].ImageName`."""
    file: str | None
    """File or program at fault."""
    remedy: str | None
    """What to do about it, one line for people."""
    qmp_class: str | None
    """Class of the error that QEMU answered, such as `DeviceNotFound`."""
    errno: int
    """The operating system's error number, or 0."""
    exit_status: int
    """Of the process at fault: 0 to 255, 128 and the number of the signal that ended it, or -1."""
    stderr_tail: str | None
    """The last lines that the process at fault wrote to its standard error."""

    def __init__(self, code: int, domain: int, message: str, key_path: str | None = None, file: str | None = None,
                 remedy: str | None = None, qmp_class: str | None = None, errno: int = 0, exit_status: int = -1,
                 stderr_tail: str | None = None, text: str | None = None):
        super().__init__(text or message)
        known = code in ErrorCode._value2member_map_
        self.code = ErrorCode(code) if known else code
        self.domain = ErrorDomain(domain) if domain in ErrorDomain._value2member_map_ else domain
        self.message, self.key_path, self.file, self.remedy = message, key_path, file, remedy
        self.qmp_class, self.errno, self.exit_status, self.stderr_tail = qmp_class, errno, exit_status, stderr_tail

    def __reduce__(self):
        return (_make, (int(self.code), int(self.domain), self.message, self.key_path, self.file, self.remedy, self.qmp_class,
                        self.errno, self.exit_status, self.stderr_tail, str(self)))


class TimedOut(Error, TimeoutError):
    """The deadline passed. After `QMP_STALLED` nothing at all came from QEMU meanwhile."""


class Cancelled(Error):
    """The call's `Cancel` was triggered."""


class NotFound(Error, LookupError):
    """There is no such file, package, key, device or command."""


class InvalidArgument(Error, ValueError):
    """The call itself was wrong."""


class InvalidState(Error):
    """Not now: the object is not in the state that the call needs."""


class ConfigError(Error, ValueError):
    """A configuration cannot be read, or says what cannot be; `key_path` tells where."""


class KeyPathError(ConfigError, LookupError):
    """A key path that cannot be, or is used as another type than it has."""


class QmpError(Error):
    """The monitor or the guest agent answered with an error, or the connection is not one any more."""


_CLASSES: dict[int, type[Error]] = {}
for _class, _names in ((TimedOut, "TIMEOUT QMP_STALLED NO_PICTURE"), (Cancelled, "CANCELLED"),
                       (NotFound, "NOT_FOUND BUNDLE_NOT_FOUND QEMU_NOT_FOUND FIRMWARE_NOT_FOUND IMAGE_MISSING"), (KeyPathError, "KEY_PATH"),
                       (InvalidArgument, "INVALID_ARGUMENT"), (InvalidState, "INVALID_STATE")):
    _CLASSES.update({ErrorCode[name]: _class for name in _names.split() if name in ErrorCode.__members__})


def _make(code, domain, *more) -> Error:
    made = _CLASSES.get(code)
    if not made and code in ErrorCode._value2member_map_:
        name = ErrorCode(code).name
        made = ConfigError if name.startswith("CONFIG_") else QmpError if name.startswith("QMP_") else None
    return (made or Error)(code, domain, *more)


capi.set_error_factory(_make)
