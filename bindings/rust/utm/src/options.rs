// SPDX-License-Identifier: LGPL-2.1-or-later
//! Options are made with `Default` and setters, `StartOptions::default().disposable(true)`, so that more can be added.

macro_rules! option_type {
    (flag) => { bool };
    (text) => { Option<String> };
    (path) => { Option<std::path::PathBuf> };
    (value $t:ty) => { $t };
    (option $t:ty) => { Option<$t> };
    (list $t:ty) => { Vec<$t> };
}

macro_rules! option_setter {
    ($(#[$doc:meta])* $field:ident flag) => {
        $(#[$doc])*
        pub fn $field(mut self, $field: bool) -> Self {
            self.$field = $field;
            self
        }
    };
    ($(#[$doc:meta])* $field:ident text) => {
        $(#[$doc])*
        pub fn $field(mut self, $field: impl Into<String>) -> Self {
            self.$field = Some($field.into());
            self
        }
    };
    ($(#[$doc:meta])* $field:ident path) => {
        $(#[$doc])*
        pub fn $field(mut self, $field: impl Into<std::path::PathBuf>) -> Self {
            self.$field = Some($field.into());
            self
        }
    };
    ($(#[$doc:meta])* $field:ident value $t:ty) => {
        $(#[$doc])*
        pub fn $field(mut self, $field: $t) -> Self {
            self.$field = $field;
            self
        }
    };
    ($(#[$doc:meta])* $field:ident option $t:ty) => {
        $(#[$doc])*
        pub fn $field(mut self, $field: impl Into<Option<$t>>) -> Self {
            self.$field = $field.into();
            self
        }
    };
    ($(#[$doc:meta])* $field:ident list $t:ty) => {
        $(#[$doc])*
        pub fn $field(mut self, $field: impl IntoIterator<Item = impl Into<$t>>) -> Self {
            self.$field = $field.into_iter().map(Into::into).collect();
            self
        }
    };
}

/// A struct of options: `flag` is a `bool`, `text` and `path` may be absent, `option<T>` too, `value<T>` is one always.
macro_rules! options {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ident $(<$t:ty>)?,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $(pub(crate) $field: crate::options::option_type!($kind $($t)?),)*
        }

        impl $name {
            $(crate::options::option_setter!($(#[$field_doc])* $field $kind $($t)?);)*
        }
    };
}

pub(crate) use {option_setter, option_type, options};
