# SPDX-License-Identifier: LGPL-2.1-or-later
"""libutm for Python: UTM's virtual machines on any host.

    import utm

    with utm.open("Debian.utm") as vm:
        vm.start(disposable=True)
        vm.keyboard.type("echo hello\\n")
        vm.display.wait_stable().save("screen.png")
        for disk in vm.qmp.query_block():
            print(disk.device, disk.inserted and disk.inserted.file)

With `async with` the same for asyncio. Modules: `bundle`, `config`, `host`, `vm`, `console`, `qmp`, `guest`, `image`, `errors`;
`qmp_types`, `qga_types` and `config_types` have the types of QEMU's monitor, of the guest agent and of configurations.
"""

from . import capi, image
from .bundle import Bundle, LockState, UefiKeys, list_bundles, list_bundles_async
from .config import Backend, Config, Finding, Key, Kind, Note, Severity, find_key, schema
from .console import Buttons, Console, ConsoleState, Display, Frame, Keyboard, Pointer, PointerMode
from .context import AccelPolicy, ArgumentPolicy, Cancel, Context, LogLevel, Progress, default_context
from .errors import (Cancelled, ConfigError, Error, ErrorCode, ErrorDomain, InvalidArgument, InvalidState, KeyPathError, NotFound,
                     QmpError, TimedOut)
from .guest import AsyncGuest, Guest
from .host import (Argument, Argv, Feature, Hardware, HardwareKind, Host, HostItemKind, HostItemState, feature_supported,
                   user_arguments)
from .qmp import AsyncQmp, ConnectFlags, Event, Qmp, Subscription
from .vm import AsyncVm, EndKind, EndReason, SerialPort, StopMethod, Vm, VmEvent, VmEventKind, VmState, open

__version__: str = capi.utm_version_string()

__all__ = [name for name in dir() if not name.startswith("_") and name not in ("capi", "bundle", "config", "console", "context")]
