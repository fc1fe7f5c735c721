// SPDX-License-Identifier: LGPL-2.1-or-later
//! The configuration of a machine as values.

use crate::error::Result;
use crate::ffi::{self, handle, numbers};
use crate::json::{FromJson, ToJson};
use crate::options::options;
use std::ffi::CString;
use std::ops::Deref;
use std::path::Path;
use std::ptr;
use utm_sys as sys;

numbers! {
    /// Which program runs a machine.
    Backend {
        /// QEMU.
        Qemu = UTM_BACKEND_QEMU,
        /// Apple's Virtualization framework. Such machines can be read, edited and written here, but not run.
        Apple = UTM_BACKEND_APPLE,
    }
}

numbers! {
    /// The format of the file that a configuration was read from.
    Format {
        /// Version 4, or no file at all.
        Current = UTM_CONFIG_FORMAT_CURRENT,
        /// Versions 0 to 2 of UTM 1 to 3, for QEMU.
        LegacyQemu = UTM_CONFIG_FORMAT_LEGACY_QEMU,
        /// Versions 1 to 3 of UTM 3, for Apple's framework.
        LegacyApple = UTM_CONFIG_FORMAT_LEGACY_APPLE,
    }
}

numbers! {
    /// What became of a value of an older file.
    NoteKind {
        /// It had no effect in the old machine either, or says what the new one does anyway.
        Info = UTM_CONFIG_NOTE_INFO,
        /// It was changed, because what it said is not possible.
        Changed = UTM_CONFIG_NOTE_CHANGED,
        /// It is left out, because version 4 has no place for it.
        Dropped = UTM_CONFIG_NOTE_DROPPED,
    }
}

/// Something that a migration could not carry over as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What became of it.
    pub kind: NoteKind,
    /// Where it stood, in the words of the old file.
    pub key_path: String,
    /// One line for people.
    pub reason: String,
}

options! {
    /// How files are read.
    LoadOptions {
        /// A migration gives what UTM gives, its known faults included.
        utm_exact: flag,
        /// Name of the machine, for versions that do not store it.
        name: text,
        /// Processor architecture of the host, instead of this one's.
        host_architecture: text,
    }
}

options! {
    /// What a new configuration is for.
    NewOptions {
        /// Which program is to run the machine; QEMU when nothing is said.
        backend: option<Backend>,
        /// Processor architecture of the guest, such as `riscv64`.
        architecture: text,
        /// Machine type of QEMU, such as `virt`.
        target: text,
        /// Name of the machine.
        name: text,
        /// Processor architecture of the host, instead of this one's.
        host_architecture: text,
        /// What UTM gives even where the machine cannot start with it.
        utm_exact: flag,
    }
}

/// Texts of options, as C wants them.
pub(crate) struct LoadTexts(Option<CString>, Option<CString>);

impl LoadOptions {
    pub(crate) fn texts(&self) -> Result<LoadTexts> {
        Ok(LoadTexts(ffi::optional(self.name.as_deref())?, ffi::optional(self.host_architecture.as_deref())?))
    }

    pub(crate) fn raw(&self, texts: &LoadTexts) -> sys::UtmConfigLoadOptions {
        sys::UtmConfigLoadOptions {
            flags: if self.utm_exact { sys::UTM_CONFIG_LOAD_UTM_EXACT } else { 0 },
            name: ffi::pointer(&texts.0),
            host_architecture: ffi::pointer(&texts.1),
            ..Default::default()
        }
    }
}

handle! {
    /// The values of one machine's configuration, without any machine. They are named by key paths in the words of the property
    /// list: `System.MemorySize`, `Drive[1].ImageName`. Keys that the library does not know are kept.
    ///
    /// A clone is a copy to edit.
    ///
    /// ```
    /// use utm::{config::NewOptions, Config};
    /// let mut config = Config::new(&NewOptions::default().architecture("aarch64").name("Arm"))?;
    /// config.set("System.MemorySize", 4096)?;
    /// config.insert("Drive", None, r#"{"ImageType": "CD", "Interface": "USB"}"#)?;
    /// assert_eq!(config.int("System.MemorySize")?, 4096);
    /// assert_eq!(config.count("Drive")?, 1);
    /// # Ok::<(), utm::Error>(())
    /// ```
    Config, UtmConfig, utm_config_ref, utm_config_unref
}

// SAFETY: a configuration is tied to no thread (configuration.h), and `Config` has the only reference to what it can change.
unsafe impl Send for Config {}
// SAFETY: reading from several threads is fine as long as none writes, and writing takes `&mut self`.
unsafe impl Sync for Config {}

impl Clone for Config {
    fn clone(&self) -> Self {
        unsafe { Self::take(sys::utm_config_copy(self.as_ptr())) }
    }
}

impl PartialEq for Config {
    /// All values are equal, unknown keys included.
    fn eq(&self, other: &Self) -> bool {
        unsafe { sys::utm_config_equal(self.as_ptr(), other.as_ptr()) }
    }
}

/// A value that a key can be given with [`Config::set()`].
pub trait SetValue: sealed::Sealed {
    #[doc(hidden)]
    fn set(self, config: &mut Config, key_path: &str) -> Result<()>;
}

mod sealed {
    pub trait Sealed {}
    macro_rules! sealed {
        ($($t:ty)*) => {$(impl Sealed for $t {})*};
    }
    sealed!(bool i8 u8 i16 u16 i32 u32 i64 &str &String);
}

macro_rules! set_int {
    ($($t:ty)*) => {$(
        impl SetValue for $t {
            fn set(self, config: &mut Config, key_path: &str) -> Result<()> {
                config.set_int(key_path, i64::from(self))
            }
        }
    )*};
}
set_int!(i8 u8 i16 u16 i32 u32 i64);

impl SetValue for bool {
    fn set(self, config: &mut Config, key_path: &str) -> Result<()> {
        let path = ffi::text(key_path)?;
        ffi::call(|error| unsafe { sys::utm_config_set_bool(config.as_ptr(), path.as_ptr(), self, error) })
    }
}

impl SetValue for &str {
    fn set(self, config: &mut Config, key_path: &str) -> Result<()> {
        let (path, value) = (ffi::text(key_path)?, ffi::text(self)?);
        ffi::call(|error| unsafe { sys::utm_config_set_string(config.as_ptr(), path.as_ptr(), value.as_ptr(), error) })
    }
}

impl SetValue for &String {
    fn set(self, config: &mut Config, key_path: &str) -> Result<()> {
        self.as_str().set(config, key_path)
    }
}

impl Config {
    /// The configuration of a new machine, with the devices that UTM gives one of that architecture and machine type. It has no
    /// drives.
    pub fn new(options: &NewOptions) -> Result<Self> {
        let texts = [&options.architecture, &options.target, &options.name, &options.host_architecture]
            .map(|value| ffi::optional(value.as_deref()));
        let [architecture, target, name, host_architecture] = texts;
        let (architecture, target, name, host_architecture) = (architecture?, target?, name?, host_architecture?);
        let raw = sys::UtmConfigNewOptions {
            backend: options.backend.unwrap_or(Backend::Qemu).number(),
            architecture: ffi::pointer(&architecture),
            target: ffi::pointer(&target),
            name: ffi::pointer(&name),
            host_architecture: ffi::pointer(&host_architecture),
            flags: if options.utm_exact { sys::UTM_CONFIG_NEW_UTM_EXACT } else { 0 },
            ..Default::default()
        };
        let made = ffi::call_for(|config, error| unsafe { sys::utm_config_new_default(&raw, config, error) })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Reads a property list, XML or binary, of any version.
    pub fn load(data: &[u8], options: &LoadOptions) -> Result<Self> {
        let texts = options.texts()?;
        let raw = options.raw(&texts);
        let made = ffi::call_for(|config, error| unsafe {
            sys::utm_config_load_data(data.as_ptr().cast(), data.len(), &raw, config, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Reads a property list file.
    pub fn load_file(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let path = ffi::path(path.as_ref())?;
        let texts = options.texts()?;
        let raw = options.raw(&texts);
        let made =
            ffi::call_for(|config, error| unsafe { sys::utm_config_load_file(path.as_ptr(), &raw, config, error) })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Reads JSON with the keys of the property list, as [`to_json()`](Self::to_json) writes it.
    pub fn from_json(json: &str) -> Result<Self> {
        let json = ffi::text(json)?;
        let made = ffi::call_for(|config, error| unsafe {
            sys::utm_config_load_json(json.as_ptr(), ptr::null(), config, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// A configuration of typed values: [`crate::config::types::Qemu`] or `Apple`.
    pub fn from_values(values: &dyn ToJson) -> Result<Self> {
        Self::from_json(&values.to_json()?)
    }

    /// The whole as typed values, [`crate::config::types::Qemu`] or `Apple`.
    pub fn values<T: FromJson>(&self) -> Result<T> {
        T::from_json(&self.to_json(None)?)
    }

    /// A part of it as a typed value: `config.value::<types::System>("System")`.
    pub fn value<T: FromJson>(&self, key_path: &str) -> Result<T> {
        T::from_json(&self.to_json(Some(key_path))?)
    }

    /// The back end that the machine is for.
    pub fn backend(&self) -> Backend {
        Backend::from_number(unsafe { sys::utm_config_get_backend(self.as_ptr()) })
    }

    /// What the values were read from, and the version in that format, 0 when the file did not say.
    pub fn format(&self) -> (Format, i64) {
        let mut version = 0;
        let format = unsafe { sys::utm_config_get_format(self.as_ptr(), &mut version) };
        (Format::from_number(format), version)
    }

    /// What a migration could not carry over as it was.
    pub fn notes(&self) -> Vec<Note> {
        let count = unsafe { sys::utm_config_get_note_count(self.as_ptr()) };
        (0..count)
            .map(|index| unsafe {
                let note = &*sys::utm_config_get_note(self.as_ptr(), index);
                Note {
                    kind: NoteKind::from_number(note.kind),
                    key_path: ffi::copy(note.key_path).unwrap_or_default(),
                    reason: ffi::copy(note.reason).unwrap_or_default(),
                }
            })
            .collect()
    }

    /// The machine's name, `Information.Name`.
    pub fn name(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_config_get_name(self.as_ptr())).unwrap_or("") }
    }

    /// The machine's identifier in upper case, `Information.UUID`.
    pub fn uuid(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_config_get_uuid(self.as_ptr())).unwrap_or("") }
    }

    /// Whether a key has a value. Optional keys may be absent.
    pub fn has(&self, key_path: &str) -> Result<bool> {
        let (path, mut present) = (ffi::text(key_path)?, false);
        ffi::call(|error| unsafe { sys::utm_config_has(self.as_ptr(), path.as_ptr(), &mut present, error) })?;
        Ok(present)
    }

    /// An integer, in the unit of its key (`System.MemorySize` is in MiB).
    pub fn int(&self, key_path: &str) -> Result<i64> {
        let (path, mut value) = (ffi::text(key_path)?, 0);
        ffi::call(|error| unsafe { sys::utm_config_get_int(self.as_ptr(), path.as_ptr(), &mut value, error) })?;
        Ok(value)
    }

    /// A boolean.
    pub fn bool(&self, key_path: &str) -> Result<bool> {
        let (path, mut value) = (ffi::text(key_path)?, false);
        ffi::call(|error| unsafe { sys::utm_config_get_bool(self.as_ptr(), path.as_ptr(), &mut value, error) })?;
        Ok(value)
    }

    /// A string, an identifier or an enumeration.
    pub fn string(&self, key_path: &str) -> Result<String> {
        let path = ffi::text(key_path)?;
        let value = ffi::call_for(|value, error| unsafe {
            sys::utm_config_get_string(self.as_ptr(), path.as_ptr(), value, error)
        })?;
        Ok(unsafe { ffi::take(value).unwrap_or_default() })
    }

    /// Number of elements of an array such as `Drive`.
    pub fn count(&self, key_path: &str) -> Result<usize> {
        let (path, mut count) = (ffi::text(key_path)?, 0);
        ffi::call(|error| unsafe { sys::utm_config_get_count(self.as_ptr(), path.as_ptr(), &mut count, error) })?;
        Ok(count)
    }

    /// Writes an integer, a boolean, a string or an enumeration; type and range are checked. What a bundle or a machine shows is
    /// shared and cannot be written to:
    ///
    /// ```compile_fail,E0596
    /// # fn example(bundle: &utm::Bundle) {
    /// let config = bundle.config();
    /// config.set("System.MemorySize", 4096).unwrap();
    /// # }
    /// ```
    pub fn set(&mut self, key_path: &str, value: impl SetValue) -> Result<()> {
        value.set(self, key_path)
    }

    fn set_int(&mut self, key_path: &str, value: i64) -> Result<()> {
        let path = ffi::text(key_path)?;
        ffi::call(|error| unsafe { sys::utm_config_set_int(self.as_ptr(), path.as_ptr(), value, error) })
    }

    /// Writes any value from text: `true`, `4096`, `VirtIO`, or JSON for a section or an array. In a section, keys that the JSON
    /// does not name stay as they are.
    pub fn set_text(&mut self, key_path: &str, value: &str) -> Result<()> {
        let (path, value) = (ffi::text(key_path)?, ffi::text(value)?);
        ffi::call(|error| unsafe { sys::utm_config_set_text(self.as_ptr(), path.as_ptr(), value.as_ptr(), error) })
    }

    /// Writes a section or an array from typed values.
    pub fn set_value(&mut self, key_path: &str, value: &dyn ToJson) -> Result<()> {
        self.set_text(key_path, &value.to_json()?)
    }

    /// Inserts an element, as JSON, into an array; `None` is the end. Keys left out get what fits the machine.
    pub fn insert(&mut self, key_path: &str, index: Option<usize>, json: &str) -> Result<()> {
        let (path, json) = (ffi::text(key_path)?, ffi::text(json)?);
        let index = index.map_or(-1, |index| i64::try_from(index).unwrap_or(i64::MAX));
        ffi::call(|error| unsafe { sys::utm_config_insert(self.as_ptr(), path.as_ptr(), index, json.as_ptr(), error) })
    }

    /// Removes an element of an array (`Drive[1]`) or clears an optional key.
    pub fn remove(&mut self, key_path: &str) -> Result<()> {
        let path = ffi::text(key_path)?;
        ffi::call(|error| unsafe { sys::utm_config_remove(self.as_ptr(), path.as_ptr(), error) })
    }

    /// The values, or a part of them, as indented JSON with the keys of the property list.
    pub fn to_json(&self, key_path: Option<&str>) -> Result<String> {
        let path = ffi::optional(key_path)?;
        let json = ffi::call_for(|json, error| unsafe {
            sys::utm_config_to_json(self.as_ptr(), ffi::pointer(&path), json, error)
        })?;
        Ok(unsafe { ffi::take(json).unwrap_or_default() })
    }

    /// The configuration as UTM writes it: an XML property list.
    pub fn to_plist(&self) -> Result<Vec<u8>> {
        let mut size = 0;
        let data =
            ffi::call_for(|data, error| unsafe { sys::utm_config_to_plist(self.as_ptr(), data, &mut size, error) })?;
        Ok(unsafe { ffi::take_bytes(data.cast(), size) })
    }

    /// Whether a key has an effect as things are.
    pub fn is_used(&self, key_path: &str) -> Result<bool> {
        let (path, mut used) = (ffi::text(key_path)?, false);
        ffi::call(|error| unsafe { sys::utm_config_is_used(self.as_ptr(), path.as_ptr(), &mut used, error) })?;
        Ok(used)
    }

    /// How UTM attaches a new drive to the machine; `None` for one of the Apple back end.
    pub fn default_interface(&self, image_type: &str) -> Result<Option<&'static str>> {
        let image_type = ffi::text(image_type)?;
        Ok(unsafe { ffi::borrow(sys::utm_config_get_default_interface(self.as_ptr(), image_type.as_ptr())) })
    }
}

/// A configuration that others share, and which nobody changes: that of a bundle or of a machine. Every reading method of
/// [`Config`] is its own; [`edit()`](Self::edit) gives a copy to change.
#[derive(Debug)]
pub struct SharedConfig(Config);

impl SharedConfig {
    pub(crate) unsafe fn borrow(raw: *mut sys::UtmConfig) -> Self {
        Self(Config::borrow(raw).expect("a configuration"))
    }

    /// A copy to edit.
    pub fn edit(&self) -> Config {
        self.0.clone()
    }
}

impl Deref for SharedConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

impl Clone for SharedConfig {
    fn clone(&self) -> Self {
        unsafe { Self::borrow(self.0.as_ptr()) }
    }
}

pub use crate::generated::config as types;
pub use crate::schema;
