# SPDX-License-Identifier: LGPL-2.1-or-later
"""What this host has, what QEMU has, and the command line that follows from both."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterator
from typing import Any

from . import capi
from .config import Config
from .context import Context, PathLike, call_async, default_context


class HostItemKind(enum.IntEnum):
    QEMU = capi.UTM_HOST_ITEM_QEMU
    ACCELERATOR = capi.UTM_HOST_ITEM_ACCELERATOR
    AUDIO = capi.UTM_HOST_ITEM_AUDIO
    GRAPHICS = capi.UTM_HOST_ITEM_GRAPHICS
    TOOL = capi.UTM_HOST_ITEM_TOOL


class Feature(enum.IntEnum):
    """Something that a build of the library may or may not be able to do."""
    ERROR_CODE = capi.UTM_FEATURE_ERROR_CODE
    CONSOLE_ENGINE = capi.UTM_FEATURE_CONSOLE_ENGINE
    CONFIG_VERSION = capi.UTM_FEATURE_CONFIG_VERSION
    HOST_OS = capi.UTM_FEATURE_HOST_OS


def feature_supported(feature: Feature, value: int = 0) -> bool:
    """Whether this build of the library has it: an error code, SPICE (0), a version of configurations, a kind of host."""
    return bool(capi.utm_feature_supported(int(feature), value))


class HostItemState(enum.IntEnum):
    UNKNOWN = capi.UTM_HOST_ITEM_STATE_UNKNOWN
    WORKS = capi.UTM_HOST_ITEM_STATE_WORKS
    FAILS = capi.UTM_HOST_ITEM_STATE_FAILS
    ABSENT = capi.UTM_HOST_ITEM_STATE_ABSENT


@dataclasses.dataclass(frozen=True)
class HostItem:
    """Something that a host has or has not."""
    kind: HostItemKind
    state: HostItemState
    name: str
    reason: str | None
    path: str | None
    version: str | None


class Host:
    """Facts about a host that decide how a configuration becomes a command line."""

    def __init__(self, handle: Any) -> None:
        self._c = handle

    @staticmethod
    def probe(config: Config, context: Context | None = None) -> Host:
        """This host, as far as a machine of this configuration needs it."""
        return Host(capi.utm_host_probe((context or default_context()).handle, config._c))

    @staticmethod
    def probe_all(architecture: str | None = None, context: Context | None = None) -> Host:
        """All that there is to know of this host. Tries what it finds, which takes some seconds."""
        return Host(capi.utm_host_probe_all((context or default_context()).handle, architecture))

    @staticmethod
    def from_json(facts: str | dict[str, Any] = "{}", *, macos: bool = False) -> Host:
        """A host that is written down, or a typical one: `docs/host-facts.md` has the keys."""
        text = facts if isinstance(facts, str) else json.dumps(facts)
        return Host(capi.utm_host_new_from_json(capi.UTM_HOST_OS_MACOS if macos else capi.UTM_HOST_OS_LINUX, text))

    def to_json(self) -> str:
        return capi.utm_host_to_json(self._c)

    def items(self, kind: HostItemKind) -> list[HostItem]:
        found = (capi.utm_host_get_item(self._c, int(kind), i) for i in range(capi.utm_host_get_item_count(self._c, int(kind))))
        return [HostItem(kind, HostItemState(each.state), each.name, each.reason, each.path, each.version) for each in found]


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument, the configuration key that it came from, and why it is there."""
    text: str
    key_path: str | None
    reason: str | None


class Argv:
    """A command line; iterating it gives its `Argument`s, `list(map(str, argv))` is what QEMU gets."""

    def __init__(self, handle: Any) -> None:
        self._c = handle

    @staticmethod
    def build(config: Config, host: Host, bundle_path: PathLike) -> Argv:
        """What would run on that host. Looks at nothing else."""
        return Argv(capi.utm_argv_build(config._c, bundle_path, host._c))

    @property
    def program(self) -> str:
        return capi.utm_argv_get_program(self._c)

    @property
    def strings(self) -> list[str]:
        return capi.utm_argv_get_strings(self._c)

    @property
    def warnings(self) -> list[str]:
        return [capi.utm_argv_get_warning(self._c, i) for i in range(capi.utm_argv_get_warning_count(self._c))]

    def to_shell(self) -> str:
        """A script that runs it."""
        return capi.utm_argv_to_shell(self._c)

    def __len__(self) -> int:
        return capi.utm_argv_get_count(self._c)

    def __iter__(self) -> Iterator[Argument]:
        for index, text in enumerate(self.strings):
            yield Argument(text, capi.utm_argv_get_key_path(self._c, index), capi.utm_argv_get_reason(self._c, index))


def user_arguments(config: Config) -> list[str]:
    """The additional arguments of a configuration, which may do anything that QEMU can."""
    return capi.utm_argv_list_user_arguments(config._c)


class HardwareKind(enum.IntEnum):
    MACHINE = capi.UTM_HARDWARE_MACHINE
    CPU = capi.UTM_HARDWARE_CPU
    CPU_FLAG = capi.UTM_HARDWARE_CPU_FLAG
    DISPLAY = capi.UTM_HARDWARE_DISPLAY
    NETWORK = capi.UTM_HARDWARE_NETWORK
    SOUND = capi.UTM_HARDWARE_SOUND
    PROPERTY = capi.UTM_HARDWARE_PROPERTY


class HardwareFlags(enum.IntFlag):
    DEFAULT = capi.UTM_HARDWARE_ITEM_DEFAULT
    DEPRECATED = capi.UTM_HARDWARE_ITEM_DEPRECATED
    ON_BOARD = capi.UTM_HARDWARE_ITEM_ON_BOARD
    GONE = capi.UTM_HARDWARE_ITEM_GONE


@dataclasses.dataclass(frozen=True)
class HardwareItem:
    """A machine type, processor, device or property."""
    name: str
    alias: str | None
    description: str | None
    bus: str | None
    cpu: str | None
    flags: HardwareFlags
    max_cpus: int
    since: str | None
    type: str | None
    default: Any


def _item(c: Any) -> HardwareItem:
    default = None if c.default_json is None else json.loads(c.default_json)
    return HardwareItem(c.name, c.alias, c.description, c.bus, c.cpu, HardwareFlags(c.flags), c.max_cpus, c.since, c.type, default)


class Hardware:
    """What there is to choose from for an architecture."""

    def __init__(self, handle: Any) -> None:
        self._c = handle

    @staticmethod
    def query(architecture: str, *, installed_only: bool = False, context: Context | None = None) -> Hardware:
        """Asks the QEMU that is installed; without one it is the list that the library brings."""
        return Hardware(capi.utm_hardware_query((context or default_context()).handle, architecture, int(installed_only)))

    @staticmethod
    async def query_async(architecture: str, *, installed_only: bool = False, context: Context | None = None) -> Hardware:
        ctx = context or default_context()
        return Hardware(await call_async(ctx, lambda done: capi.utm_hardware_query_async(
            ctx.handle, architecture, int(installed_only), done)))

    @staticmethod
    def snapshot(architecture: str) -> Hardware:
        """The list that the library brings."""
        return Hardware(capi.utm_hardware_query(None, architecture, 0))

    @staticmethod
    def properties(architecture: str, kind: HardwareKind, name: str, context: Context | None = None) -> list[HardwareItem]:
        """The properties of a machine type or device."""
        found = Hardware(capi.utm_hardware_query_properties((context or default_context()).handle, architecture, int(kind), name))
        return found.list(HardwareKind.PROPERTY)

    @staticmethod
    async def properties_async(architecture: str, kind: HardwareKind, name: str,
                               context: Context | None = None) -> list[HardwareItem]:
        ctx = context or default_context()
        return Hardware(await call_async(ctx, lambda done: capi.utm_hardware_query_properties_async(
            ctx.handle, architecture, int(kind), name, done))).list(HardwareKind.PROPERTY)

    @property
    def architecture(self) -> str:
        return capi.utm_hardware_get_architecture(self._c)

    @property
    def qemu_version(self) -> str:
        return capi.utm_hardware_get_qemu_version(self._c)

    @property
    def qemu_path(self) -> str | None:
        """None: it is the list that the library brings."""
        return capi.utm_hardware_get_qemu_path(self._c)

    def list(self, kind: HardwareKind) -> list[HardwareItem]:
        return [_item(capi.utm_hardware_get(self._c, int(kind), i)) for i in range(capi.utm_hardware_get_count(self._c, int(kind)))]

    def find(self, kind: HardwareKind, name: str) -> HardwareItem | None:
        found = capi.utm_hardware_find(self._c, int(kind), name)
        return _item(found) if found else None
