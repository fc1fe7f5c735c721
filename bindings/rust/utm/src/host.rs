// SPDX-License-Identifier: LGPL-2.1-or-later
//! Facts about a host, and the command lines that configurations become on it.

use crate::error::Result;
use crate::ffi::{self, handle, numbers, shared};
use crate::{Config, Context};
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use utm_sys as sys;

numbers! {
    /// The operating system whose command line is built.
    HostOs {
        /// Stock QEMU on Linux.
        Linux = UTM_HOST_OS_LINUX,
        /// UTM's own QEMU on macOS, in UTM's spelling.
        MacOs = UTM_HOST_OS_MACOS,
    }
}

numbers! {
    /// What [`Host::items()`] tells about.
    HostItemKind {
        /// QEMU programs, by guest architecture; only of [`Host::probe_all()`].
        Qemu = UTM_HOST_ITEM_QEMU,
        /// Accelerators: `kvm`, `tcg`.
        Accelerator = UTM_HOST_ITEM_ACCELERATOR,
        /// Sound systems in QEMU's words; only of [`Host::probe_all()`].
        Audio = UTM_HOST_ITEM_AUDIO,
        /// What OpenGL for guests takes; only of [`Host::probe_all()`].
        Graphics = UTM_HOST_ITEM_GRAPHICS,
        /// Programs beside QEMU; only of [`Host::probe_all()`].
        Tool = UTM_HOST_ITEM_TOOL,
    }
}

numbers! {
    /// Whether something of the host works.
    HostItemState {
        /// It was not tried; the reason may say why.
        NotTried = UTM_HOST_ITEM_STATE_UNKNOWN,
        /// It was tried, and works.
        Works = UTM_HOST_ITEM_STATE_WORKS,
        /// It is there, and does not work.
        Fails = UTM_HOST_ITEM_STATE_FAILS,
        /// It is not there.
        Absent = UTM_HOST_ITEM_STATE_ABSENT,
    }
}

/// Something of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostItem {
    /// What it is.
    pub name: String,
    /// Whether it works.
    pub state: HostItemState,
    /// Why it does not work, or what is known of it: one line for people.
    pub reason: Option<String>,
    /// The program or device.
    pub path: Option<PathBuf>,
    /// Its version.
    pub version: Option<String>,
}

handle! {
    /// Facts about a host that decide how a configuration becomes a command line. They never change.
    Host, UtmHost, utm_host_ref, utm_host_unref
}
shared!(Host, utm_host_ref);

// SAFETY: a host's facts never change once gathered; counted atomically (argv.h, types.h).
unsafe impl Send for Host {}
// SAFETY: as above; everything only reads.
unsafe impl Sync for Host {}

impl Host {
    /// The facts of this host that the configuration's architecture needs. Runs QEMU the first time.
    pub fn probe(context: &Context, config: &Config) -> Result<Self> {
        let made = ffi::call_for(|host, error| unsafe {
            sys::utm_host_probe(context.as_ptr(), config.as_ptr(), host, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// All that there is to know about this host, for people and for forms. Takes seconds the first time.
    ///
    /// `architecture`: of the guest; `None` for the host's.
    pub fn probe_all(context: &Context, architecture: Option<&str>) -> Result<Self> {
        let architecture = ffi::optional(architecture)?;
        let made = ffi::call_for(|host, error| unsafe {
            sys::utm_host_probe_all(context.as_ptr(), ffi::pointer(&architecture), host, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Facts written by hand, as JSON; `{}` is a typical host.
    pub fn from_json(os: HostOs, json: &str) -> Result<Self> {
        let json = ffi::text(json)?;
        let made = ffi::call_for(|host, error| unsafe {
            sys::utm_host_new_from_json(os.number(), json.as_ptr(), host, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// The facts as JSON.
    pub fn to_json(&self) -> Result<String> {
        let json = ffi::call_for(|json, error| unsafe { sys::utm_host_to_json(self.as_ptr(), json, error) })?;
        Ok(unsafe { ffi::take(json).unwrap_or_default() })
    }

    /// What is known of a kind.
    pub fn items(&self, kind: HostItemKind) -> Vec<HostItem> {
        let count = unsafe { sys::utm_host_get_item_count(self.as_ptr(), kind.number()) };
        (0..count)
            .filter_map(|index| {
                let mut raw = sys::UtmHostItem::default();
                ffi::call(|error| unsafe {
                    sys::utm_host_get_item(self.as_ptr(), kind.number(), index, &mut raw, error)
                })
                .ok()?;
                Some(unsafe {
                    HostItem {
                        name: ffi::copy(raw.name).unwrap_or_default(),
                        state: HostItemState::from_number(raw.state),
                        reason: ffi::copy(raw.reason),
                        path: ffi::copy_path(raw.path),
                        version: ffi::copy(raw.version),
                    }
                })
            })
            .collect()
    }
}

handle! {
    /// A QEMU command line, and where each of its arguments came from.
    ///
    /// ```
    /// use utm::{config::NewOptions, Argv, Config, Host, HostOs};
    /// let config = Config::new(&NewOptions::default().architecture("riscv64"))?;
    /// let host = Host::from_json(HostOs::Linux, "{}")?;
    /// let argv = Argv::build(&config, "/machines/R.utm", &host)?;
    /// println!("{}", argv.program());
    /// for argument in argv.iter() {
    ///     println!("{}  # {}", argument.text, argument.reason);
    /// }
    /// # Ok::<(), utm::Error>(())
    /// ```
    Argv, UtmArgv, utm_argv_ref, utm_argv_unref
}
shared!(Argv, utm_argv_ref);

// SAFETY: a command line never changes once built; counted atomically.
unsafe impl Send for Argv {}
// SAFETY: as above; everything only reads.
unsafe impl Sync for Argv {}

/// An argument of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument<'a> {
    /// The argument.
    pub text: &'a ArgumentText,
    /// Key path that it came from; `None` when it is always there.
    pub key_path: Option<&'a str>,
    /// Why it is there, as one plain sentence.
    pub reason: &'a str,
}

/// An argument's text, which is UTF-8 but for names of files that are not.
#[derive(Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct ArgumentText(CStr);

impl ArgumentText {
    fn new(text: &CStr) -> &Self {
        // SAFETY: transparent.
        unsafe { &*(std::ptr::from_ref(text) as *const Self) }
    }

    /// The bytes.
    pub fn as_c_str(&self) -> &CStr {
        &self.0
    }

    /// The text, when it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.0.to_str().ok()
    }
}

impl std::fmt::Display for ArgumentText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0.to_string_lossy())
    }
}

impl PartialEq<str> for ArgumentText {
    fn eq(&self, other: &str) -> bool {
        self.0.to_bytes() == other.as_bytes()
    }
}

impl Argv {
    /// Builds the command line of a machine. Pure: nothing is looked up or run, and the package need not exist.
    pub fn build(config: &Config, bundle_path: impl AsRef<Path>, host: &Host) -> Result<Self> {
        let path = ffi::path(bundle_path.as_ref())?;
        let made = ffi::call_for(|argv, error| unsafe {
            sys::utm_argv_build(config.as_ptr(), path.as_ptr(), host.as_ptr(), argv, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// The additional arguments of a configuration, split as UTM splits them. They may do anything that QEMU can: show them
    /// before a machine of a stranger runs.
    pub fn user_arguments(config: &Config) -> Result<Vec<String>> {
        let list =
            ffi::call_for(|list, error| unsafe { sys::utm_argv_list_user_arguments(config.as_ptr(), list, error) })?;
        let mut arguments = Vec::new();
        unsafe {
            let mut at = list;
            while !(*at).is_null() {
                arguments.extend(ffi::copy(*at));
                at = at.add(1);
            }
            sys::utm_free(list.cast());
        }
        Ok(arguments)
    }

    /// The program, such as `qemu-system-x86_64`; its path when the facts have one.
    pub fn program(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_argv_get_program(self.as_ptr())).unwrap_or("") }
    }

    /// Number of arguments after the program.
    pub fn len(&self) -> usize {
        unsafe { sys::utm_argv_get_count(self.as_ptr()) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The arguments after the program.
    pub fn iter(&self) -> impl Iterator<Item = Argument<'_>> {
        (0..self.len()).map(|index| unsafe {
            Argument {
                text: ArgumentText::new(CStr::from_ptr(*sys::utm_argv_get_strings(self.as_ptr()).add(index))),
                key_path: ffi::borrow(sys::utm_argv_get_key_path(self.as_ptr(), index)),
                reason: ffi::borrow(sys::utm_argv_get_reason(self.as_ptr(), index)).unwrap_or(""),
            }
        })
    }

    /// Things the configuration asks for that this host does not get, each one line for people.
    pub fn warnings(&self) -> Vec<String> {
        let count = unsafe { sys::utm_argv_get_warning_count(self.as_ptr()) };
        (0..count).filter_map(|index| unsafe { ffi::copy(sys::utm_argv_get_warning(self.as_ptr(), index)) }).collect()
    }

    /// The command line as a script for the POSIX shell that runs as it is.
    pub fn to_shell(&self) -> Result<String> {
        let script = ffi::call_for(|script, error| unsafe { sys::utm_argv_to_shell(self.as_ptr(), script, error) })?;
        Ok(unsafe { ffi::take(script).unwrap_or_default() })
    }
}
