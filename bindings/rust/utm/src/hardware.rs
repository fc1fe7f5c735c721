// SPDX-License-Identifier: LGPL-2.1-or-later
//! What machines, processors and devices there are, for lists to choose from.

use crate::bundle::attempt;
use crate::call::{Call, Promise};
use crate::error::Result;
use crate::ffi::{self, handle, numbers, shared};
use crate::Context;
use std::ffi::c_void;
use utm_sys as sys;

numbers! {
    /// What there are lists of.
    HardwareKind {
        /// Machine types: `System.Target`.
        Machine = UTM_HARDWARE_MACHINE,
        /// Processors: `System.CPU`.
        Cpu = UTM_HARDWARE_CPU,
        /// Features of processors: `System.CPUFlagsAdd`.
        CpuFlag = UTM_HARDWARE_CPU_FLAG,
        /// `Display[].Hardware`
        Display = UTM_HARDWARE_DISPLAY,
        /// `Network[].Hardware`
        Network = UTM_HARDWARE_NETWORK,
        /// `Sound[].Hardware`
        Sound = UTM_HARDWARE_SOUND,
        /// Properties of one machine type or device; only of [`Hardware::properties()`].
        Property = UTM_HARDWARE_PROPERTY,
    }
}

/// One item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HardwareItem<'a> {
    /// As configurations have it.
    pub name: &'a str,
    /// Another name for the same.
    pub alias: Option<&'a str>,
    /// One line for people, QEMU's own; never known without QEMU.
    pub description: Option<&'a str>,
    /// The bus that a device is plugged into, in QEMU's word.
    pub bus: Option<&'a str>,
    /// The processor of a machine type when nothing is said.
    pub cpu: Option<&'a str>,
    /// The release of QEMU that is known to have it, where older ones do not.
    pub since: Option<&'a str>,
    /// Of a property: QEMU's word for what it takes, such as `uint32`, or the name of an enumeration.
    pub type_name: Option<&'a str>,
    /// Of a property: what it is when nothing is said, as JSON.
    pub default_json: Option<&'a str>,
    /// The most processors that a machine type can have, where that is known.
    pub max_cpus: Option<u32>,
    /// QEMU takes it when nothing is said.
    pub is_default: bool,
    /// QEMU means to drop it.
    pub is_deprecated: bool,
    /// It is part of a board: only machines that have it can use it.
    pub is_on_board: bool,
    /// Newer releases of QEMU have it no more.
    pub is_gone: bool,
}

handle! {
    /// Everything that is known of one architecture. It never changes.
    ///
    /// ```
    /// use utm::{Hardware, HardwareKind};
    /// let hardware = Hardware::builtin("aarch64")?;
    /// assert!(hardware.find(HardwareKind::Machine, "virt").is_some());
    /// # Ok::<(), utm::Error>(())
    /// ```
    Hardware, UtmHardware, utm_hardware_ref, utm_hardware_unref
}
shared!(Hardware, utm_hardware_ref);

// SAFETY: it never changes, and any number of threads may read it (hardware.h).
unsafe impl Send for Hardware {}
// SAFETY: as above.
unsafe impl Sync for Hardware {}

unsafe extern "C" fn on_hardware(
    _: *mut sys::UtmContext,
    hardware: *mut sys::UtmHardware,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || Hardware::take(hardware));
}

fn flags(installed_only: bool) -> u32 {
    if installed_only {
        sys::UTM_HARDWARE_INSTALLED_ONLY
    } else {
        0
    }
}

impl Hardware {
    /// What there is for an architecture, as the installed QEMU says; without one, `installed_only` fails, else the list that
    /// the library brings stands in. May run QEMU, for a fraction of a second.
    pub fn query(context: &Context, architecture: &str, installed_only: bool) -> Result<Self> {
        let architecture = ffi::text(architecture)?;
        let made = ffi::call_for(|hardware, error| unsafe {
            sys::utm_hardware_query(context.as_ptr(), architecture.as_ptr(), flags(installed_only), hardware, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// As [`query()`](Self::query), without waiting.
    pub fn query_async(context: &Context, architecture: &str, installed_only: bool) -> Call<Self> {
        let architecture = match ffi::text(architecture) {
            Ok(architecture) => architecture,
            Err(error) => return Call::failed(error),
        };
        Call::begin(None, |data, free, error| unsafe {
            let flags = flags(installed_only);
            sys::utm_hardware_query_async(
                context.as_ptr(),
                architecture.as_ptr(),
                flags,
                Some(on_hardware),
                data,
                free,
                error,
            )
        })
    }

    /// The properties of a machine type or of a device, as items of the kind [`HardwareKind::Property`]. Asks QEMU.
    pub fn properties(context: &Context, architecture: &str, kind: HardwareKind, name: &str) -> Result<Self> {
        let (architecture, name) = (ffi::text(architecture)?, ffi::text(name)?);
        let made = ffi::call_for(|hardware, error| unsafe {
            sys::utm_hardware_query_properties(
                context.as_ptr(),
                architecture.as_ptr(),
                kind.number(),
                name.as_ptr(),
                hardware,
                error,
            )
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// As [`properties()`](Self::properties), without waiting.
    pub fn properties_async(context: &Context, architecture: &str, kind: HardwareKind, name: &str) -> Call<Self> {
        let (architecture, name) = (attempt!(ffi::text(architecture)), attempt!(ffi::text(name)));
        Call::begin(None, |data, free, error| unsafe {
            sys::utm_hardware_query_properties_async(
                context.as_ptr(),
                architecture.as_ptr(),
                kind.number(),
                name.as_ptr(),
                Some(on_hardware),
                data,
                free,
                error,
            )
        })
    }

    /// The list that the library brings.
    pub fn builtin(architecture: &str) -> Result<Self> {
        let architecture = ffi::text(architecture)?;
        let made = ffi::call_for(|hardware, error| unsafe {
            sys::utm_hardware_query(std::ptr::null_mut(), architecture.as_ptr(), 0, hardware, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// The architecture that was asked about.
    pub fn architecture(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_hardware_get_architecture(self.as_ptr())).unwrap_or("") }
    }

    /// The version of the QEMU that told it.
    pub fn qemu_version(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_hardware_get_qemu_version(self.as_ptr())).unwrap_or("") }
    }

    /// The program that told it; `None` for the list that the library brings.
    pub fn qemu_path(&self) -> Option<&str> {
        unsafe { ffi::borrow(sys::utm_hardware_get_qemu_path(self.as_ptr())) }
    }

    unsafe fn item(&self, raw: *const sys::UtmHardwareItem) -> Option<HardwareItem<'_>> {
        let raw = raw.as_ref()?;
        Some(HardwareItem {
            name: ffi::borrow(raw.name).unwrap_or(""),
            alias: ffi::borrow(raw.alias),
            description: ffi::borrow(raw.description),
            bus: ffi::borrow(raw.bus),
            cpu: ffi::borrow(raw.cpu),
            since: ffi::borrow(raw.since),
            type_name: ffi::borrow(raw.r#type),
            default_json: ffi::borrow(raw.default_json),
            max_cpus: (raw.max_cpus > 0).then_some(raw.max_cpus),
            is_default: raw.flags & sys::UTM_HARDWARE_ITEM_DEFAULT != 0,
            is_deprecated: raw.flags & sys::UTM_HARDWARE_ITEM_DEPRECATED != 0,
            is_on_board: raw.flags & sys::UTM_HARDWARE_ITEM_ON_BOARD != 0,
            is_gone: raw.flags & sys::UTM_HARDWARE_ITEM_GONE != 0,
        })
    }

    /// The items of a kind, in the order of their names.
    pub fn items(&self, kind: HardwareKind) -> impl Iterator<Item = HardwareItem<'_>> {
        let count = unsafe { sys::utm_hardware_get_count(self.as_ptr(), kind.number()) };
        (0..count)
            .filter_map(move |index| unsafe { self.item(sys::utm_hardware_get(self.as_ptr(), kind.number(), index)) })
    }

    /// The item with this name, or with this alias.
    pub fn find(&self, kind: HardwareKind, name: &str) -> Option<HardwareItem<'_>> {
        let name = ffi::text(name).ok()?;
        unsafe { self.item(sys::utm_hardware_find(self.as_ptr(), kind.number(), name.as_ptr())) }
    }
}
