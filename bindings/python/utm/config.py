# SPDX-License-Identifier: LGPL-2.1-or-later
"""Configurations as values: read, ask, edit, check, write. No machine runs."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import TYPE_CHECKING, Any

from . import capi
from .context import PathLike
from .errors import NotFound

if TYPE_CHECKING:
    from .host import Hardware, Host


class Backend(enum.IntEnum):
    QEMU = capi.UTM_BACKEND_QEMU
    APPLE = capi.UTM_BACKEND_APPLE


class ConfigFormat(enum.IntEnum):
    """Which kind of file a configuration was read from."""
    CURRENT = capi.UTM_CONFIG_FORMAT_CURRENT
    LEGACY_QEMU = capi.UTM_CONFIG_FORMAT_LEGACY_QEMU
    LEGACY_APPLE = capi.UTM_CONFIG_FORMAT_LEGACY_APPLE


class NoteKind(enum.IntEnum):
    INFO = capi.UTM_CONFIG_NOTE_INFO
    CHANGED = capi.UTM_CONFIG_NOTE_CHANGED
    DROPPED = capi.UTM_CONFIG_NOTE_DROPPED


@dataclasses.dataclass(frozen=True)
class Note:
    """What became of a value when an older configuration was migrated."""
    kind: NoteKind
    key_path: str | None
    reason: str


class Severity(enum.IntEnum):
    INFO = capi.UTM_FINDING_SEVERITY_INFO
    WARNING = capi.UTM_FINDING_SEVERITY_WARNING
    ERROR = capi.UTM_FINDING_SEVERITY_ERROR


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that is wrong, or worth knowing."""
    severity: Severity
    code: str
    key_path: str | None
    message: str
    remedy: str | None
    file: str | None


def _findings(found: Any) -> list[Finding]:
    items = (capi.utm_findings_get(found, index) for index in range(capi.utm_findings_get_count(found)))
    return [Finding(Severity(each.severity), capi.utm_finding_code_get_name(each.code), each.key_path, each.message, each.remedy,
                    each.file) for each in items]


def _check_options(host: Host | None, hardware: Hardware | None) -> dict[str, Any]:
    return {"host": host and host._c, "hardware": hardware and hardware._c}


class Config:
    """A configuration. Key paths name its values, as `System.MemorySize` or `Drive[0].ImageName`.

    `config["System.MemorySize"]` reads, `config["System.MemorySize"] = 4096` checks and writes, `"Drive[2]" in config` asks,
    `del config["Drive[2]"]` removes. Sections and lists are read as dictionaries and lists: copies.
    """

    def __init__(self, handle: Any) -> None:
        self._c = handle

    @staticmethod
    def load(source: PathLike, *, name: str | None = None, utm_exact: bool = False) -> Config:
        """Reads a file of any version that UTM ever wrote: property list, XML or binary, or JSON."""
        return Config(capi.utm_config_load_file(source, {"name": name, "flags": int(utm_exact)}))

    @staticmethod
    def from_bytes(data: bytes, *, name: str | None = None, utm_exact: bool = False) -> Config:
        """The same from memory."""
        return Config(capi.utm_config_load_data(data, {"name": name, "flags": int(utm_exact)}))

    @staticmethod
    def from_json(text: str | dict[str, Any], *, name: str | None = None) -> Config:
        """From JSON, as text or as what `json.loads()` makes of it."""
        return Config(capi.utm_config_load_json(text if isinstance(text, str) else json.dumps(text), {"name": name}))

    @staticmethod
    def new(architecture: str | None = None, *, target: str | None = None, name: str | None = None,
            backend: Backend = Backend.QEMU) -> Config:
        """A new machine, with the devices that UTM gives one."""
        return Config(capi.utm_config_new_default({"backend": int(backend), "architecture": architecture, "target": target,
                                                   "name": name}))

    def copy(self) -> Config:
        return Config(capi.utm_config_copy(self._c))

    __copy__ = copy

    def __deepcopy__(self, _: Any) -> Config:
        return self.copy()

    @property
    def name(self) -> str | None:
        return capi.utm_config_get_name(self._c)

    @property
    def uuid(self) -> str | None:
        return capi.utm_config_get_uuid(self._c)

    @property
    def backend(self) -> Backend:
        return Backend(capi.utm_config_get_backend(self._c))

    @property
    def format(self) -> ConfigFormat:
        result = capi.utm_config_get_format(self._c)
        return ConfigFormat(result[0] if isinstance(result, tuple) else result)

    @property
    def notes(self) -> list[Note]:
        """What could not be carried over from an older version as it was."""
        items = (capi.utm_config_get_note(self._c, index) for index in range(capi.utm_config_get_note_count(self._c)))
        return [Note(NoteKind(each.kind), each.key_path, each.reason) for each in items]

    def __contains__(self, key_path: str) -> bool:
        try:
            return capi.utm_config_has(self._c, key_path)
        except NotFound:  # an index beyond the end
            return False

    def __getitem__(self, key_path: str) -> Any:
        return json.loads(capi.utm_config_to_json(self._c, key_path))

    def get(self, key_path: str, default: Any = None) -> Any:
        """The value, or `default` when it is not set. A key path that cannot be is an error all the same."""
        return self[key_path] if key_path in self else default

    def __setitem__(self, key_path: str, value: Any) -> None:
        if isinstance(value, bool):
            capi.utm_config_set_bool(self._c, key_path, value)
        elif isinstance(value, int):
            capi.utm_config_set_int(self._c, key_path, value)
        elif isinstance(value, str):
            capi.utm_config_set_string(self._c, key_path, value)
        else:
            capi.utm_config_set_text(self._c, key_path, json.dumps(value))

    def set_text(self, key_path: str, text: str) -> None:
        """As a person types it: a number, a word, or JSON, by what the key takes."""
        capi.utm_config_set_text(self._c, key_path, text)

    def insert(self, key_path: str, value: Any = None, index: int = -1) -> None:
        """Adds an element to a list, at its end or before `index`; without a value a new one with its defaults."""
        capi.utm_config_insert(self._c, key_path, index, None if value is None else json.dumps(value))

    def __delitem__(self, key_path: str) -> None:
        capi.utm_config_remove(self._c, key_path)

    def count(self, key_path: str) -> int:
        """The length of a list."""
        return capi.utm_config_get_count(self._c, key_path)

    def is_used(self, key_path: str) -> bool:
        """Whether the value has an effect, as the others stand."""
        return capi.utm_config_is_used(self._c, key_path)

    def default_interface(self, image_type: str) -> str | None:
        """The interface that a new drive of this type gets."""
        return capi.utm_config_get_default_interface(self._c, image_type)

    def check(self, host: Host | None = None, hardware: Hardware | None = None) -> list[Finding]:
        """Everything that is wrong with it, at once."""
        return _findings(capi.utm_config_check(self._c, _check_options(host, hardware)))

    def to_json(self, key_path: str = "") -> str:
        return capi.utm_config_to_json(self._c, key_path)

    def to_dict(self) -> dict[str, Any]:
        return json.loads(self.to_json())

    def to_plist(self) -> bytes:
        """The property list that UTM reads, as it writes it."""
        return capi.utm_config_to_plist(self._c)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and capi.utm_config_equal(self._c, other._c)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<utm.Config {self.name!r}>"


# --- the schema, for settings forms ---

class Kind(enum.IntEnum):
    BOOL = capi.UTM_CONFIG_KIND_BOOL
    INT = capi.UTM_CONFIG_KIND_INT
    NUMBER = capi.UTM_CONFIG_KIND_NUMBER
    STRING = capi.UTM_CONFIG_KIND_STRING
    UUID = capi.UTM_CONFIG_KIND_UUID
    DATA = capi.UTM_CONFIG_KIND_DATA
    ENUM = capi.UTM_CONFIG_KIND_ENUM
    SECTION = capi.UTM_CONFIG_KIND_SECTION


@dataclasses.dataclass(frozen=True)
class Word:
    """A value of an enumeration."""
    text: str
    doc: str | None
    architectures: str | None


@dataclasses.dataclass(frozen=True)
class Key:
    """What is known of a key: enough to draw its control."""
    name: str
    kind: Kind
    doc: str | None
    unit: str | None
    format: str | None
    default: Any
    default_if: str | None
    new: Any
    used_if: str | None
    required_if: str | None
    architectures: str | None
    minimum: int | None
    maximum: int | None
    is_list: bool
    is_optional: bool
    is_fixed: bool
    is_generated: bool
    is_obsolete: bool
    type: int

    @property
    def words(self) -> list[Word]:
        """Of an enumeration."""
        if self.kind != Kind.ENUM:
            return []
        values = [capi.utm_config_schema_get_value(self.type, i) for i in range(capi.utm_config_schema_get_type(self.type).count)]
        return [Word(each.text, each.doc, each.architectures) for each in values]

    @property
    def keys(self) -> list[Key]:
        """Of a section."""
        return _keys(self.type) if self.kind == Kind.SECTION else []


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _key(c: Any) -> Key:
    return Key(c.name, Kind(c.kind), c.doc, c.unit, c.format, _json(c.default_json), c.default_if, _json(c.new_json), c.used_if,
               c.required_if, c.architectures, c.min if c.has_min else None, c.max if c.has_max else None, c.is_array,
               c.is_optional, c.is_fixed, c.is_generated, c.is_obsolete, c.type)


def _keys(type_: int) -> list[Key]:
    return [_key(capi.utm_config_schema_get_key(type_, i)) for i in range(capi.utm_config_schema_get_type(type_).count)]


def schema(backend: Backend = Backend.QEMU) -> list[Key]:
    """The keys of a whole configuration; sections have theirs."""
    return _keys(capi.utm_config_schema_get_root(int(backend)))


def find_key(key_path: str, backend: Backend = Backend.QEMU) -> Key:
    """What is known of the key at a path."""
    return _key(capi.utm_config_schema_find_key(int(backend), key_path))
