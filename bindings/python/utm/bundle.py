# SPDX-License-Identifier: LGPL-2.1-or-later
"""`.utm` packages on disk."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import capi
from .config import Config, Finding, _check_options, _findings
from .context import Cancel, Context, PathLike, Progress, call_async, default_context, milliseconds, run_blocking
from .errors import Error

if TYPE_CHECKING:
    from .host import Hardware, Host


class LockState(enum.IntEnum):
    UNLOCKED = capi.UTM_BUNDLE_UNLOCKED
    LOCKED = capi.UTM_BUNDLE_LOCKED
    UNSURE = capi.UTM_BUNDLE_LOCK_UNSURE


class FileKind(enum.IntEnum):
    OTHER = capi.UTM_BUNDLE_FILE_OTHER
    REGULAR = capi.UTM_BUNDLE_FILE_REGULAR
    DIRECTORY = capi.UTM_BUNDLE_FILE_DIRECTORY
    LINK = capi.UTM_BUNDLE_FILE_LINK


class UefiKeys(enum.IntEnum):
    AUTO = capi.UTM_UEFI_KEYS_AUTO
    ENROLLED = capi.UTM_UEFI_KEYS_ENROLLED
    NONE = capi.UTM_UEFI_KEYS_NONE


@dataclasses.dataclass(frozen=True)
class File:
    """A file of a package."""
    name: str
    length: int
    allocated: int
    referenced: bool
    prunable: bool
    kind: FileKind


@dataclasses.dataclass(frozen=True)
class Size:
    """What a package takes, in bytes."""
    length: int
    allocated: int
    files: int


@dataclasses.dataclass(frozen=True)
class Entry:
    """A package in a directory. `error` says why one cannot be opened."""
    path: str
    name: str | None
    uuid: str | None
    error: Error | None


def _files(found: Any) -> list[File]:
    items = (capi.utm_bundle_files_get(found, i) for i in range(capi.utm_bundle_files_get_count(found)))
    return [File(each.name, each.length_bytes, each.allocated_bytes, each.referenced, each.prunable, FileKind(each.kind))
            for each in items]


def _entries(found: Any) -> list[Entry]:
    items = (capi.utm_bundle_list_get(found, i) for i in range(capi.utm_bundle_list_get_count(found)))
    return [Entry(each.path, each.name, each.uuid, each.error) for each in items]


def list_bundles(directory: PathLike) -> list[Entry]:
    """The packages in a directory, in the order of their names."""
    return _entries(capi.utm_bundle_list_directory(directory))


async def list_bundles_async(directory: PathLike, context: Context | None = None) -> list[Entry]:
    ctx = context or default_context()
    return _entries(await call_async(ctx, lambda done: capi.utm_bundle_list_directory_async(ctx.handle, directory, done)))


def file_name(name: str) -> str:
    """The file name that a machine of this name gets."""
    return capi.utm_bundle_dup_file_name(name)


class Bundle:
    """A package. Nothing that fails, or is killed, leaves it half changed."""

    def __init__(self, handle: Any, context: Context) -> None:
        self._c = handle
        self.context = context

    @staticmethod
    def open(path: PathLike, context: Context | None = None) -> Bundle:
        ctx = context or default_context()
        return Bundle(capi.utm_bundle_open(ctx.handle, path), ctx)

    @staticmethod
    def create(path: PathLike, config: Config, *, files: Sequence[tuple[PathLike, str]] = (), progress: Progress | None = None,
               cancel: Cancel | None = None, context: Context | None = None) -> Bundle:
        """Makes a package; `files` are (source, name) of what goes into its Data directory."""
        ctx, cancel = context or default_context(), cancel or Cancel()
        options = {"files": list(files), "cancel": cancel._c, "progress": progress and progress._c}
        return Bundle(run_blocking(lambda: capi.utm_bundle_create(ctx.handle, path, config._c, options), cancel), ctx)

    @staticmethod
    async def create_async(path: PathLike, config: Config, *, files: Sequence[tuple[PathLike, str]] = (),
                           progress: Progress | None = None, context: Context | None = None) -> Bundle:
        ctx, cancel = context or default_context(), Cancel()
        options = {"files": list(files), "cancel": cancel._c, "progress": progress and progress._c}
        return Bundle(await call_async(ctx, lambda done: capi.utm_bundle_create_async(
            ctx.handle, path, config._c, options, done), cancel), ctx)

    def _clone_options(self, name: str | None, keep_macs: bool, config: Config | None, progress: Progress | None,
                       cancel: Cancel) -> dict[str, Any]:
        return {"name": name, "flags": capi.UTM_BUNDLE_CLONE_KEEP_MACS if keep_macs else 0, "config": config and config._c,
                "progress": progress and progress._c, "cancel": cancel._c}

    def clone(self, path: PathLike, *, name: str | None = None, keep_macs: bool = False, config: Config | None = None,
              progress: Progress | None = None, cancel: Cancel | None = None) -> Bundle:
        """A copy with an identity of its own; blocks are shared where the file system can."""
        cancel = cancel or Cancel()
        options = self._clone_options(name, keep_macs, config, progress, cancel)
        return Bundle(run_blocking(lambda: capi.utm_bundle_clone(self._c, path, options), cancel), self.context)

    async def clone_async(self, path: PathLike, *, name: str | None = None, keep_macs: bool = False,
                          config: Config | None = None, progress: Progress | None = None) -> Bundle:
        cancel = Cancel()
        options = self._clone_options(name, keep_macs, config, progress, cancel)
        return Bundle(await call_async(self.context, lambda done: capi.utm_bundle_clone_async(self._c, path, options, done),
                                       cancel), self.context)

    @property
    def path(self) -> str:
        return capi.utm_bundle_get_path(self._c)

    @property
    def config(self) -> Config:
        """A copy of its configuration, to look at or to edit; `save()` writes it."""
        return Config(capi.utm_bundle_get_config(self._c)).copy()

    def save(self, config: Config) -> None:
        capi.utm_bundle_save_config(self._c, config._c)

    def rename(self, name: str) -> None:
        """Another name for the machine and the package."""
        capi.utm_bundle_rename(self._c, name)

    def resolve(self, name: str) -> str:
        """The path of a file in its Data directory; refused where the name leads out of it."""
        return capi.utm_bundle_resolve(self._c, name)

    def lock(self) -> None:
        """Nobody else can change or run it until `unlock()`."""
        capi.utm_bundle_lock(self._c)

    def unlock(self) -> None:
        capi.utm_bundle_unlock(self._c)

    @property
    def lock_state(self) -> LockState:
        return LockState(capi.utm_bundle_get_lock_state(self._c))

    def files(self) -> list[File]:
        return _files(capi.utm_bundle_list_files(self._c))

    def unreferenced(self) -> list[File]:
        """Files that the configuration does not name."""
        return _files(capi.utm_bundle_list_unreferenced(self._c))

    def prune(self, names: Sequence[str] | None = None) -> list[File]:
        """Removes files that nothing refers to: these, or all of them. Returns what is gone."""
        return _files(capi.utm_bundle_prune(self._c, names))

    def remove_file(self, name: str) -> None:
        capi.utm_bundle_remove_file(self._c, name)

    def _import_options(self, name: str | None, exact_name: bool, progress: Progress | None, cancel: Cancel) -> dict[str, Any]:
        return {"name": name, "flags": capi.UTM_BUNDLE_IMPORT_EXACT_NAME if exact_name else 0,
                "progress": progress and progress._c, "cancel": cancel._c}

    def import_file(self, source: PathLike, *, name: str | None = None, exact_name: bool = False,
                    progress: Progress | None = None, cancel: Cancel | None = None) -> str:
        """Copies a file into the package. Returns its name there."""
        cancel = cancel or Cancel()
        options = self._import_options(name, exact_name, progress, cancel)
        return run_blocking(lambda: capi.utm_bundle_import(self._c, source, options), cancel)

    async def import_file_async(self, source: PathLike, *, name: str | None = None, exact_name: bool = False,
                                progress: Progress | None = None) -> str:
        cancel = Cancel()
        options = self._import_options(name, exact_name, progress, cancel)
        return await call_async(self.context, lambda done: capi.utm_bundle_import_async(self._c, source, options, done), cancel)

    def size(self) -> Size:
        found = capi.utm_bundle_get_size(self._c)
        return Size(found.length_bytes, found.allocated_bytes, found.file_count)

    async def size_async(self) -> Size:
        return Size(*await call_async(self.context, lambda done: capi.utm_bundle_get_size_async(self._c, done)))

    @property
    def icon(self) -> str | bytes | None:
        """The name of one that UTM brings, or the bytes of a picture."""
        found = capi.utm_bundle_get_icon(self._c)
        return found[0] if isinstance(found, tuple) else found

    def set_icon(self, picture: bytes) -> None:
        capi.utm_bundle_set_icon(self._c, picture)

    @property
    def screenshot(self) -> bytes | None:
        """A PNG of the last screen, if there is one."""
        return capi.utm_bundle_read_screenshot(self._c)

    def write_screenshot(self, png: bytes) -> None:
        capi.utm_bundle_write_screenshot(self._c, png)

    @property
    def view_state(self) -> dict[str, Any] | None:
        """What UTM keeps of its windows."""
        text = capi.utm_bundle_get_view_state(self._c, None)
        return None if text is None else json.loads(text)

    def check(self, host: Host | None = None, hardware: Hardware | None = None) -> list[Finding]:
        """Everything that is wrong with it, its files included."""
        return _findings(capi.utm_bundle_check(self._c, _check_options(host, hardware)))

    def add_disk(self, size: int) -> int:
        """Makes a disk image of `size` bytes and a drive for it. Returns the drive's index."""
        cancel = Cancel()
        return run_blocking(lambda: capi.utm_bundle_add_disk(self._c, size, {"cancel": cancel._c}), cancel)

    def resize_image(self, name: str, size: int, *, shrink: bool = False) -> None:
        cancel = Cancel()
        options = {"flags": capi.UTM_IMAGE_RESIZE_SHRINK if shrink else 0, "cancel": cancel._c}
        run_blocking(lambda: capi.utm_bundle_resize_image(self._c, name, size, options), cancel)

    async def resize_image_async(self, name: str, size: int, *, shrink: bool = False) -> None:
        cancel = Cancel()
        options = {"flags": capi.UTM_IMAGE_RESIZE_SHRINK if shrink else 0, "cancel": cancel._c}
        await call_async(self.context, lambda done: capi.utm_bundle_resize_image_async(self._c, name, size, options, done), cancel)

    def compact_image(self, name: str, *, progress: Progress | None = None) -> None:
        """Gives back what the guest has freed."""
        cancel = Cancel()
        options = {"progress": progress and progress._c, "cancel": cancel._c}
        run_blocking(lambda: capi.utm_bundle_compact_image(self._c, name, options), cancel)

    async def compact_image_async(self, name: str, *, progress: Progress | None = None) -> None:
        cancel = Cancel()
        options = {"progress": progress and progress._c, "cancel": cancel._c}
        await call_async(self.context, lambda done: capi.utm_bundle_compact_image_async(self._c, name, options, done), cancel)

    def reset_uefi_variables(self, keys: UefiKeys = UefiKeys.AUTO, *, timeout: float | None = 60) -> None:
        """The machine's UEFI variables as its firmware brings them."""
        cancel = Cancel()
        options = {"keys": int(keys), "timeout_ms": milliseconds(timeout), "cancel": cancel._c}
        run_blocking(lambda: capi.utm_bundle_reset_uefi_variables(self._c, options), cancel)

    async def reset_uefi_variables_async(self, keys: UefiKeys = UefiKeys.AUTO, *, timeout: float | None = 60) -> None:
        cancel = Cancel()
        options = {"keys": int(keys), "timeout_ms": milliseconds(timeout), "cancel": cancel._c}
        await call_async(self.context, lambda done: capi.utm_bundle_reset_uefi_variables_async(self._c, options, done), cancel)

    def __repr__(self) -> str:
        return f"<utm.Bundle {self.path!r}>"
