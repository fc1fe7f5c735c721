# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk images, through qemu-img. Whatever fails or is stopped leaves the old image."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

from . import capi
from .context import Cancel, Context, PathLike, Progress, call_async, default_context, milliseconds, run_blocking


class ImageFormat(enum.IntEnum):
    AUTO = capi.UTM_IMAGE_FORMAT_AUTO
    RAW = capi.UTM_IMAGE_FORMAT_RAW
    QCOW2 = capi.UTM_IMAGE_FORMAT_QCOW2
    VMDK = capi.UTM_IMAGE_FORMAT_VMDK
    VDI = capi.UTM_IMAGE_FORMAT_VDI
    VHDX = capi.UTM_IMAGE_FORMAT_VHDX
    VPC = capi.UTM_IMAGE_FORMAT_VPC


class Preallocation(enum.IntEnum):
    OFF = capi.UTM_IMAGE_PREALLOCATION_OFF
    METADATA = capi.UTM_IMAGE_PREALLOCATION_METADATA
    FALLOC = capi.UTM_IMAGE_PREALLOCATION_FALLOC
    FULL = capi.UTM_IMAGE_PREALLOCATION_FULL


class Compression(enum.IntEnum):
    NONE = capi.UTM_IMAGE_COMPRESSION_NONE
    ZLIB = capi.UTM_IMAGE_COMPRESSION_ZLIB
    ZSTD = capi.UTM_IMAGE_COMPRESSION_ZSTD


@dataclasses.dataclass(frozen=True)
class Snapshot:
    id: str
    name: str
    date: int
    vm_clock_ns: int
    vm_state_bytes: int


@dataclasses.dataclass(frozen=True)
class ImageInfo:
    """What an image is. Sizes are in bytes."""
    path: str
    format: ImageFormat
    content_format: ImageFormat
    virtual_size: int
    length: int
    allocated: int
    cluster_size: int
    backing_file: str | None
    backing_format: str | None
    snapshots: tuple[Snapshot, ...]
    encrypted: bool
    dirty: bool
    corrupt: bool
    in_use: bool


def _info(c: Any) -> ImageInfo:
    snapshots = [c.get_snapshot(i) for i in range(c.snapshot_count)]
    return ImageInfo(c.path, ImageFormat(c.format), ImageFormat(c.content_format), c.virtual_size_bytes, c.length_bytes,
                     c.allocated_bytes, c.cluster_size_bytes, c.backing_file, c.backing_format,
                     tuple(Snapshot(s.id, s.name, s.date_s, s.vm_clock_ns, s.vm_state_bytes) for s in snapshots), c.encrypted,
                     c.dirty, c.corrupt, c.in_use)


def inspect(path: PathLike, format: ImageFormat = ImageFormat.AUTO, *, timeout: float | None = 60,
            context: Context | None = None) -> ImageInfo:
    """Tells what an image is."""
    ctx, cancel = context or default_context(), Cancel()
    options = {"format": int(format), "timeout_ms": milliseconds(timeout), "cancel": cancel._c}
    return _info(run_blocking(lambda: capi.utm_image_inspect(ctx.handle, path, options), cancel))


async def inspect_async(path: PathLike, format: ImageFormat = ImageFormat.AUTO, *, timeout: float | None = 60,
                        context: Context | None = None) -> ImageInfo:
    ctx, cancel = context or default_context(), Cancel()
    options = {"format": int(format), "timeout_ms": milliseconds(timeout), "cancel": cancel._c}
    return _info(await call_async(ctx, lambda done: capi.utm_image_inspect_async(ctx.handle, path, options, done), cancel))


def create(path: PathLike, size: int, format: ImageFormat = ImageFormat.AUTO, *,
           preallocation: Preallocation = Preallocation.OFF, context: Context | None = None) -> None:
    """Makes an empty image of `size` bytes."""
    ctx, cancel = context or default_context(), Cancel()
    options = {"format": int(format), "preallocation": int(preallocation), "cancel": cancel._c}
    run_blocking(lambda: capi.utm_image_create(ctx.handle, path, size, options), cancel)


async def create_async(path: PathLike, size: int, format: ImageFormat = ImageFormat.AUTO, *,
                       preallocation: Preallocation = Preallocation.OFF, context: Context | None = None) -> None:
    ctx, cancel = context or default_context(), Cancel()
    options = {"format": int(format), "preallocation": int(preallocation), "cancel": cancel._c}
    await call_async(ctx, lambda done: capi.utm_image_create_async(ctx.handle, path, size, options, done), cancel)


def resize(path: PathLike, size: int, format: ImageFormat = ImageFormat.AUTO, *, shrink: bool = False,
           context: Context | None = None) -> None:
    """Another size, in bytes. What lies behind a smaller one is lost, so that must be allowed."""
    ctx, cancel = context or default_context(), Cancel()
    options = {"format": int(format), "flags": capi.UTM_IMAGE_RESIZE_SHRINK if shrink else 0, "cancel": cancel._c}
    run_blocking(lambda: capi.utm_image_resize(ctx.handle, path, size, options), cancel)


async def resize_async(path: PathLike, size: int, format: ImageFormat = ImageFormat.AUTO, *, shrink: bool = False,
                       context: Context | None = None) -> None:
    ctx, cancel = context or default_context(), Cancel()
    options = {"format": int(format), "flags": capi.UTM_IMAGE_RESIZE_SHRINK if shrink else 0, "cancel": cancel._c}
    await call_async(ctx, lambda done: capi.utm_image_resize_async(ctx.handle, path, size, options, done), cancel)


def _convert_options(source_format: ImageFormat, format: ImageFormat, compression: Compression, replace: bool,
                     drop_snapshots: bool, verify: bool, progress: Progress | None, cancel: Cancel) -> dict[str, Any]:
    flags = ((capi.UTM_IMAGE_CONVERT_REPLACE if replace else 0) | (capi.UTM_IMAGE_CONVERT_VERIFY if verify else 0) |
             (capi.UTM_IMAGE_CONVERT_DROP_SNAPSHOTS if drop_snapshots else 0))
    return {"source_format": int(source_format), "format": int(format), "compression": int(compression), "flags": flags,
            "progress": progress and progress._c, "cancel": cancel._c}


def convert(source: PathLike, destination: PathLike, format: ImageFormat = ImageFormat.AUTO, *,
            source_format: ImageFormat = ImageFormat.AUTO, compression: Compression = Compression.NONE, replace: bool = False,
            drop_snapshots: bool = False, verify: bool = False, progress: Progress | None = None,
            context: Context | None = None) -> None:
    """Copies an image into another format."""
    ctx, cancel = context or default_context(), Cancel()
    options = _convert_options(source_format, format, compression, replace, drop_snapshots, verify, progress, cancel)
    run_blocking(lambda: capi.utm_image_convert(ctx.handle, source, destination, options), cancel)


async def convert_async(source: PathLike, destination: PathLike, format: ImageFormat = ImageFormat.AUTO, *,
                        source_format: ImageFormat = ImageFormat.AUTO, compression: Compression = Compression.NONE,
                        replace: bool = False, drop_snapshots: bool = False, verify: bool = False,
                        progress: Progress | None = None, context: Context | None = None) -> None:
    ctx, cancel = context or default_context(), Cancel()
    options = _convert_options(source_format, format, compression, replace, drop_snapshots, verify, progress, cancel)
    await call_async(ctx, lambda done: capi.utm_image_convert_async(ctx.handle, source, destination, options, done), cancel)
