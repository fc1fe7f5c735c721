// SPDX-License-Identifier: LGPL-2.1-or-later
//! What configurations consist of: every section and key with its type, range, allowed values, defaults and a sentence for
//! people. Enough to build a settings form without knowing any key.
//!
//! ```
//! use utm::{config::schema, Backend};
//! let root = schema::root(Backend::Qemu).expect("a section");
//! for key in root.keys() {
//!     println!("{}: {}", key.name, key.doc);
//! }
//! let memory = schema::find_key(Backend::Qemu, "System.MemorySize")?;
//! assert_eq!(memory.unit, Some("MiB"));
//! # Ok::<(), utm::Error>(())
//! ```

use crate::config::Backend;
use crate::error::Result;
use crate::ffi::{self, numbers};
use utm_sys as sys;

numbers! {
    /// What the value of a key is; of an array, each element.
    Kind {
        /// true or false.
        Bool = UTM_CONFIG_KIND_BOOL,
        /// An integer.
        Int = UTM_CONFIG_KIND_INT,
        /// A number with a fraction.
        Number = UTM_CONFIG_KIND_NUMBER,
        /// Text; the key's format may say more.
        String = UTM_CONFIG_KIND_STRING,
        /// An identifier in 8-4-4-4-12 form; kept in upper case.
        Uuid = UTM_CONFIG_KIND_UUID,
        /// Bytes: `{"$data": BASE64}` in JSON.
        Data = UTM_CONFIG_KIND_DATA,
        /// One of the values of the key's type.
        Enum = UTM_CONFIG_KIND_ENUM,
        /// A section with the keys of the key's type.
        Section = UTM_CONFIG_KIND_SECTION,
    }
}

/// A section or an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    number: u32,
    count: usize,
    /// Its name, such as `Drive` or `DriveInterface`.
    pub name: &'static str,
    /// A sentence for people.
    pub doc: &'static str,
    /// An enumeration; otherwise a section.
    pub is_enum: bool,
}

/// A value of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// What the property list has, such as `VirtIO`.
    pub text: &'static str,
    /// A sentence for people.
    pub doc: &'static str,
    /// The architectures of guests for which it means something, with blanks between them; `None`: all.
    pub architectures: Option<&'static str>,
}

/// A key of a section. What its conditions and formats look like is in `utm/config-schema.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// Its name in the property list, such as `MemorySize`.
    pub name: &'static str,
    /// An earlier name, which is read, but not written.
    pub old_name: Option<&'static str>,
    /// A sentence for people.
    pub doc: &'static str,
    /// Such as `MiB`.
    pub unit: Option<&'static str>,
    /// What a string says: `file`, `mac-address`, `machine` and so on.
    pub format: Option<&'static str>,
    /// What reading a file gives without the key, as JSON.
    pub default_json: Option<&'static str>,
    /// Of a boolean: what reading gives without the key is whether this condition holds.
    pub default_if: Option<&'static str>,
    /// What a new object has, as JSON.
    pub new_json: Option<&'static str>,
    /// The condition under which the value has an effect and is written into files.
    pub used_if: Option<&'static str>,
    /// The condition under which an optional key must be there when a file is read.
    pub required_if: Option<&'static str>,
    /// The architectures of guests for which the key means something, with blanks between them; `None`: all.
    pub architectures: Option<&'static str>,
    /// Its kind; of an array, that of each element.
    pub kind: Kind,
    /// The type of a section or an enumeration.
    pub of: Option<Type>,
    /// The smallest integer that edits accept.
    pub min: Option<i64>,
    /// The largest one.
    pub max: Option<i64>,
    /// It is an array, whose order matters.
    pub is_array: bool,
    /// It may be absent.
    pub is_optional: bool,
    /// Edits refuse it.
    pub is_fixed: bool,
    /// Each new object gets another one.
    pub is_generated: bool,
    /// Only early files have it; it is never written.
    pub is_obsolete: bool,
}

impl Type {
    fn new(number: u32) -> Option<Self> {
        let mut raw = sys::UtmConfigType::default();
        ffi::call(|error| unsafe { sys::utm_config_schema_get_type(number, &mut raw, error) }).ok()?;
        // SAFETY: all texts of the schema are part of the library and valid for ever.
        let text = |text| unsafe { ffi::borrow::<'static>(text).unwrap_or("") };
        Some(Self { number, count: raw.count, name: text(raw.name), doc: text(raw.doc), is_enum: raw.is_enum })
    }

    /// The keys of a section, in an order that suits people; none of an enumeration.
    pub fn keys(self) -> impl Iterator<Item = Key> {
        (0..if self.is_enum { 0 } else { self.count }).filter_map(move |index| {
            let mut raw = sys::UtmConfigKey::default();
            ffi::call(|error| unsafe { sys::utm_config_schema_get_key(self.number, index, &mut raw, error) }).ok()?;
            Some(Key::new(&raw))
        })
    }

    /// The values of an enumeration; none of a section.
    pub fn values(self) -> impl Iterator<Item = Value> {
        (0..if self.is_enum { self.count } else { 0 }).filter_map(move |index| {
            let mut raw = sys::UtmConfigValue::default();
            ffi::call(|error| unsafe { sys::utm_config_schema_get_value(self.number, index, &mut raw, error) }).ok()?;
            // SAFETY: as above.
            let text = |text| unsafe { ffi::borrow::<'static>(text) };
            Some(Value {
                text: text(raw.text).unwrap_or(""),
                doc: text(raw.doc).unwrap_or(""),
                architectures: text(raw.architectures),
            })
        })
    }
}

impl Key {
    fn new(raw: &sys::UtmConfigKey) -> Self {
        // SAFETY: as above.
        let text = |text| unsafe { ffi::borrow::<'static>(text) };
        Self {
            name: text(raw.name).unwrap_or(""),
            old_name: text(raw.old_name),
            doc: text(raw.doc).unwrap_or(""),
            unit: text(raw.unit),
            format: text(raw.format),
            default_json: text(raw.default_json),
            default_if: text(raw.default_if),
            new_json: text(raw.new_json),
            used_if: text(raw.used_if),
            required_if: text(raw.required_if),
            architectures: text(raw.architectures),
            kind: Kind::from_number(raw.kind),
            of: Type::new(raw.r#type),
            min: raw.has_min.then_some(raw.min),
            max: raw.has_max.then_some(raw.max),
            is_array: raw.is_array,
            is_optional: raw.is_optional,
            is_fixed: raw.is_fixed,
            is_generated: raw.is_generated,
            is_obsolete: raw.is_obsolete,
        }
    }
}

/// The section that a configuration of a back end is.
pub fn root(backend: Backend) -> Option<Type> {
    Type::new(unsafe { sys::utm_config_schema_get_root(backend.number()) })
}

/// The key that a path leads to. Any index will do, or none: `Drive[1].Interface` is `Drive[].Interface`.
pub fn find_key(backend: Backend, key_path: &str) -> Result<Key> {
    let (path, mut raw) = (ffi::text(key_path)?, sys::UtmConfigKey::default());
    ffi::call(|error| unsafe { sys::utm_config_schema_find_key(backend.number(), path.as_ptr(), &mut raw, error) })?;
    Ok(Key::new(&raw))
}
