// SPDX-License-Identifier: LGPL-2.1-or-later
//! Disk images: what one is, a new one, another size, another format. `qemu-img` does the work.
//!
//! ```no_run
//! use utm::image::{self, ConvertOptions, Format};
//! let ctx = utm::Context::new()?;
//! image::create(&ctx, "/tmp/disk.qcow2", 20 << 30, &Default::default())?;
//! println!("{} bytes", image::inspect(&ctx, "/tmp/disk.qcow2", &Default::default())?.virtual_size);
//! let options = ConvertOptions::default().source_format(Format::Raw);
//! image::convert(&ctx, "/tmp/cloud.img", Some("/tmp/cloud.qcow2"), &options)?;
//! # Ok::<(), utm::Error>(())
//! ```

use crate::bundle::{attempt, on_done as on_bundle_done};
use crate::call::{self, Call, Promise};
use crate::cancel::{self, Cancel, Progress};
use crate::error::Result;
use crate::ffi::{self, numbers};
use crate::options::options;
use crate::{Bundle, Context};
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use utm_sys as sys;

numbers! {
    /// Formats of images.
    Format {
        /// By the file; of a new file without a known name, qcow2.
        Auto = UTM_IMAGE_FORMAT_AUTO,
        /// The bytes of the disk.
        Raw = UTM_IMAGE_FORMAT_RAW,
        /// QEMU's own.
        Qcow2 = UTM_IMAGE_FORMAT_QCOW2,
        /// VMware's, as one file.
        Vmdk = UTM_IMAGE_FORMAT_VMDK,
        /// VirtualBox's.
        Vdi = UTM_IMAGE_FORMAT_VDI,
        /// Hyper-V's.
        Vhdx = UTM_IMAGE_FORMAT_VHDX,
        /// What files named `.vhd` are.
        Vpc = UTM_IMAGE_FORMAT_VPC,
    }
}

impl Format {
    /// The name in QEMU's words, such as `qcow2`.
    pub fn name(self) -> Option<&'static str> {
        unsafe { ffi::borrow(sys::utm_image_format_get_name(self.number())) }
    }

    /// The format with a name of QEMU's; auto for one that is not known.
    pub fn from_name(name: &str) -> Self {
        ffi::text(name)
            .map_or(Self::Auto, |name| Self::from_number(unsafe { sys::utm_image_format_from_name(name.as_ptr()) }))
    }
}

numbers! {
    /// How much of a new image is set aside on the disk.
    Preallocation {
        /// Nothing: the file grows as the guest writes.
        Off = UTM_IMAGE_PREALLOCATION_OFF,
        /// The tables; qcow2 only.
        Metadata = UTM_IMAGE_PREALLOCATION_METADATA,
        /// The room, without writing to it.
        Falloc = UTM_IMAGE_PREALLOCATION_FALLOC,
        /// The room, by writing zeros all over it.
        Full = UTM_IMAGE_PREALLOCATION_FULL,
    }
}

numbers! {
    /// How the clusters of a new qcow2 image are compressed.
    Compression {
        /// They are not.
        None = UTM_IMAGE_COMPRESSION_NONE,
        /// Slow, and every QEMU reads it.
        Zlib = UTM_IMAGE_COMPRESSION_ZLIB,
        /// Faster, as UTM does it.
        Zstd = UTM_IMAGE_COMPRESSION_ZSTD,
    }
}

/// A saved state inside an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Identifier inside the image, a number.
    pub id: String,
    /// Name.
    pub name: String,
    /// When it was made.
    pub date: SystemTime,
    /// How long the machine had been running.
    pub vm_clock: Duration,
    /// Bytes of the machine's saved state; 0: of the disk alone.
    pub vm_state_size: u64,
}

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Absolute path, without symbolic links.
    pub path: PathBuf,
    /// As which it was read.
    pub format: Format,
    /// What its first bytes are typical of; auto: of nothing.
    pub content_format: Format,
    /// Bytes that a guest sees.
    pub virtual_size: u64,
    /// Bytes that the file contains, holes included.
    pub length: u64,
    /// Bytes that it occupies on disk.
    pub allocated: u64,
    /// Of qcow2 and the like, bytes.
    pub cluster_size: Option<u64>,
    /// The file that it is based on, as the image says it.
    pub backing_file: Option<PathBuf>,
    /// Its format, in QEMU's word.
    pub backing_format: Option<String>,
    /// Saved states inside.
    pub snapshots: Vec<Snapshot>,
    /// Nothing can be read without a password.
    pub is_encrypted: bool,
    /// It was not closed properly.
    pub is_dirty: bool,
    /// QEMU has found it damaged.
    pub is_corrupt: bool,
    /// A QEMU has it open for writing.
    pub is_in_use: bool,
}

options! {
    /// Options of [`inspect()`].
    InspectOptions {
        /// As which it is read.
        format: option<Format>,
        /// 30 seconds unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
    }
}

options! {
    /// Options of [`create()`] and [`Bundle::add_disk()`].
    CreateOptions {
        /// qcow2, raw or auto.
        format: option<Format>,
        /// How much is set aside.
        preallocation: option<Preallocation>,
        /// One minute unless said, or without end where room is set aside; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
    }
}

options! {
    /// Options of [`resize()`].
    ResizeOptions {
        /// As which it is read.
        format: option<Format>,
        /// The new size may be smaller: what is behind it is lost.
        shrink: flag,
        /// 5 minutes unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
    }
}

options! {
    /// Options of [`convert()`] and [`Bundle::compact_image()`].
    ConvertOptions {
        /// As which the source is read.
        source_format: option<Format>,
        /// What it becomes.
        format: option<Format>,
        /// For qcow2.
        compression: option<Compression>,
        /// What is at the destination gives way to the new image, when that is complete.
        replace: flag,
        /// Saved states inside an image that gives way may be lost.
        drop_snapshots: flag,
        /// Old and new are read again and compared before the new one takes its place.
        verify: flag,
        /// For ever unless said.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Counts bytes of the guest's disk.
        progress: option<Progress>,
    }
}

fn number(format: Option<Format>) -> u32 {
    format.map_or(0, Format::number)
}

impl InspectOptions {
    fn raw(&self) -> sys::UtmImageInspectOptions {
        sys::UtmImageInspectOptions {
            format: number(self.format),
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            ..Default::default()
        }
    }
}

impl CreateOptions {
    fn raw(&self) -> sys::UtmImageCreateOptions {
        sys::UtmImageCreateOptions {
            format: number(self.format),
            preallocation: self.preallocation.map_or(0, Preallocation::number),
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            ..Default::default()
        }
    }
}

impl ResizeOptions {
    fn raw(&self) -> sys::UtmImageResizeOptions {
        sys::UtmImageResizeOptions {
            format: number(self.format),
            flags: if self.shrink { sys::UTM_IMAGE_RESIZE_SHRINK } else { 0 },
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            ..Default::default()
        }
    }
}

impl ConvertOptions {
    fn raw(&self) -> sys::UtmImageConvertOptions {
        let flags = [
            (self.replace, sys::UTM_IMAGE_CONVERT_REPLACE),
            (self.drop_snapshots, sys::UTM_IMAGE_CONVERT_DROP_SNAPSHOTS),
            (self.verify, sys::UTM_IMAGE_CONVERT_VERIFY),
        ];
        sys::UtmImageConvertOptions {
            source_format: number(self.source_format),
            format: number(self.format),
            compression: self.compression.map_or(0, Compression::number),
            flags: flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum(),
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            progress: cancel::raw_progress(&self.progress),
            ..Default::default()
        }
    }
}

impl Info {
    unsafe fn copy(raw: &sys::UtmImageInfo) -> Self {
        let snapshots = (0..raw.snapshot_count)
            .map(|index| {
                let snapshot = &**raw.snapshots.add(index);
                Snapshot {
                    id: ffi::copy(snapshot.id).unwrap_or_default(),
                    name: ffi::copy(snapshot.name).unwrap_or_default(),
                    date: SystemTime::UNIX_EPOCH + Duration::from_secs(snapshot.date_s.try_into().unwrap_or(0)),
                    vm_clock: Duration::from_nanos(snapshot.vm_clock_ns),
                    vm_state_size: snapshot.vm_state_bytes,
                }
            })
            .collect();
        Self {
            path: ffi::copy_path(raw.path).unwrap_or_default(),
            format: Format::from_number(raw.format),
            content_format: Format::from_number(raw.content_format),
            virtual_size: raw.virtual_size_bytes,
            length: raw.length_bytes,
            allocated: raw.allocated_bytes,
            cluster_size: (raw.cluster_size_bytes > 0).then_some(raw.cluster_size_bytes),
            backing_file: ffi::copy_path(raw.backing_file),
            backing_format: ffi::copy(raw.backing_format),
            snapshots,
            is_encrypted: raw.encrypted,
            is_dirty: raw.dirty,
            is_corrupt: raw.corrupt,
            is_in_use: raw.in_use,
        }
    }
}

unsafe extern "C" fn on_done(_: *mut sys::UtmContext, error: *const sys::UtmError, data: *mut c_void) {
    Promise::complete(data, error, || ());
}

unsafe extern "C" fn on_info(
    _: *mut sys::UtmContext,
    info: *mut sys::UtmImageInfo,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || Info::copy(&*info));
}

/// Tells what an image is. Works on images in use too.
pub fn inspect(context: &Context, path: impl AsRef<Path>, options: &InspectOptions) -> Result<Info> {
    let (path, raw) = (ffi::path(path.as_ref())?, options.raw());
    let info = ffi::call_for(|info, error| unsafe {
        sys::utm_image_inspect(context.as_ptr(), path.as_ptr(), &raw, info, error)
    })?;
    let copied = unsafe { Info::copy(&*info) };
    unsafe { sys::utm_image_info_unref(info) };
    Ok(copied)
}

/// As [`inspect()`], without waiting.
pub fn inspect_async(context: &Context, path: impl AsRef<Path>, options: &InspectOptions) -> Call<Info> {
    let (path, token) = (attempt!(ffi::path(path.as_ref())), call::token(&options.cancel));
    let raw = sys::UtmImageInspectOptions { cancel: cancel::raw(&token), ..options.raw() };
    Call::begin(token, |data, free, error| unsafe {
        sys::utm_image_inspect_async(context.as_ptr(), path.as_ptr(), &raw, Some(on_info), data, free, error)
    })
}

/// Makes an image that reads as zeros. Nothing is ever overwritten. `size`: bytes, a multiple of 512.
pub fn create(context: &Context, path: impl AsRef<Path>, size: u64, options: &CreateOptions) -> Result<()> {
    let (path, raw) = (ffi::path(path.as_ref())?, options.raw());
    ffi::call(|error| unsafe { sys::utm_image_create(context.as_ptr(), path.as_ptr(), size, &raw, error) })
}

/// As [`create()`], without waiting.
pub fn create_async(context: &Context, path: impl AsRef<Path>, size: u64, options: &CreateOptions) -> Call<()> {
    let (path, token) = (attempt!(ffi::path(path.as_ref())), call::token(&options.cancel));
    let raw = sys::UtmImageCreateOptions { cancel: cancel::raw(&token), ..options.raw() };
    Call::begin(token, |data, free, error| unsafe {
        sys::utm_image_create_async(context.as_ptr(), path.as_ptr(), size, &raw, Some(on_done), data, free, error)
    })
}

/// Gives an image another size.
pub fn resize(context: &Context, path: impl AsRef<Path>, size: u64, options: &ResizeOptions) -> Result<()> {
    let (path, raw) = (ffi::path(path.as_ref())?, options.raw());
    ffi::call(|error| unsafe { sys::utm_image_resize(context.as_ptr(), path.as_ptr(), size, &raw, error) })
}

/// As [`resize()`], without waiting.
pub fn resize_async(context: &Context, path: impl AsRef<Path>, size: u64, options: &ResizeOptions) -> Call<()> {
    let (path, token) = (attempt!(ffi::path(path.as_ref())), call::token(&options.cancel));
    let raw = sys::UtmImageResizeOptions { cancel: cancel::raw(&token), ..options.raw() };
    Call::begin(token, |data, free, error| unsafe {
        sys::utm_image_resize_async(context.as_ptr(), path.as_ptr(), size, &raw, Some(on_done), data, free, error)
    })
}

/// Writes the content of an image into a new one; without a destination, in place.
pub fn convert(
    context: &Context,
    source: impl AsRef<Path>,
    destination: Option<impl AsRef<Path>>,
    options: &ConvertOptions,
) -> Result<()> {
    let (source, raw) = (ffi::path(source.as_ref())?, options.raw());
    let destination = destination.map(|path| ffi::path(path.as_ref())).transpose()?;
    let destination = ffi::pointer(&destination);
    ffi::call(|error| unsafe { sys::utm_image_convert(context.as_ptr(), source.as_ptr(), destination, &raw, error) })
}

/// As [`convert()`], without waiting.
pub fn convert_async(
    context: &Context,
    source: impl AsRef<Path>,
    destination: Option<impl AsRef<Path>>,
    options: &ConvertOptions,
) -> Call<()> {
    let (source, token) = (attempt!(ffi::path(source.as_ref())), call::token(&options.cancel));
    let destination = attempt!(destination.map(|path| ffi::path(path.as_ref())).transpose());
    let raw = sys::UtmImageConvertOptions { cancel: cancel::raw(&token), ..options.raw() };
    Call::begin(token, |data, free, error| unsafe {
        let destination = ffi::pointer(&destination);
        sys::utm_image_convert_async(
            context.as_ptr(),
            source.as_ptr(),
            destination,
            &raw,
            Some(on_done),
            data,
            free,
            error,
        )
    })
}

impl Bundle {
    /// Gives a machine one more disk: a new image, and a drive at the end of the configuration, which is saved. Tells its place
    /// in `Drive`.
    pub fn add_disk(&self, size: u64, options: &CreateOptions) -> Result<usize> {
        let (raw, mut index) = (options.raw(), 0);
        ffi::call(|error| unsafe { sys::utm_bundle_add_disk(self.as_ptr(), size, &raw, &mut index, error) })?;
        Ok(index)
    }

    /// Gives an image of the package another size; `name` as in `Drive[N].ImageName`.
    pub fn resize_image(&self, name: &str, size: u64, options: &ResizeOptions) -> Result<()> {
        let (name, raw) = (ffi::text(name)?, options.raw());
        ffi::call(|error| unsafe { sys::utm_bundle_resize_image(self.as_ptr(), name.as_ptr(), size, &raw, error) })
    }

    /// As [`resize_image()`](Self::resize_image), without waiting.
    pub fn resize_image_async(&self, name: &str, size: u64, options: &ResizeOptions) -> Call<()> {
        let (name, token) = (attempt!(ffi::text(name)), call::token(&options.cancel));
        let raw = sys::UtmImageResizeOptions { cancel: cancel::raw(&token), ..options.raw() };
        Call::begin(token, |data, free, error| unsafe {
            let done = Some(on_bundle_done as unsafe extern "C" fn(_, _, _));
            sys::utm_bundle_resize_image_async(self.as_ptr(), name.as_ptr(), size, &raw, done, data, free, error)
        })
    }

    /// Writes an image of the package anew, which gives back the room of what the guest has deleted.
    pub fn compact_image(&self, name: &str, options: &ConvertOptions) -> Result<()> {
        let (name, raw) = (ffi::text(name)?, options.raw());
        ffi::call(|error| unsafe { sys::utm_bundle_compact_image(self.as_ptr(), name.as_ptr(), &raw, error) })
    }

    /// As [`compact_image()`](Self::compact_image), without waiting.
    pub fn compact_image_async(&self, name: &str, options: &ConvertOptions) -> Call<()> {
        let (name, token) = (attempt!(ffi::text(name)), call::token(&options.cancel));
        let raw = sys::UtmImageConvertOptions { cancel: cancel::raw(&token), ..options.raw() };
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_bundle_compact_image_async(
                self.as_ptr(),
                name.as_ptr(),
                &raw,
                Some(on_bundle_done),
                data,
                free,
                error,
            )
        })
    }
}
