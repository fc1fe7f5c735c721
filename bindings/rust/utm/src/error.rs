// SPDX-License-Identifier: LGPL-2.1-or-later
//! What went wrong.

use crate::ffi;
use std::ffi::c_int;
use std::fmt;
use std::ptr::NonNull;
use utm_sys as sys;

pub use crate::generated::errors::{Domain, ErrorCode};

/// What a function of this crate gives.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong: a code for programs, a message for people, and where they apply, key path, file, errno, exit status and the
/// like.
///
/// It is one pointer wide. Shown with `{}` it is one line; with `{:#}` what to do about it stands below.
///
/// ```
/// let error = utm::Config::from_json("[]").unwrap_err();
/// assert_eq!(error.code(), utm::ErrorCode::ConfigMalformed);
/// println!("{error}\n\t{}", error.remedy());
/// ```
pub struct Error(Kind);

enum Kind {
    Library(NonNull<sys::UtmError>),
    Own(Box<Own>),
}

struct Own {
    code: ErrorCode,
    message: String,
    key_path: Option<String>,
}

// SAFETY: an error of the library never changes once made, and its references are counted atomically (error.h).
unsafe impl Send for Error {}
// SAFETY: likewise; all accessors only read.
unsafe impl Sync for Error {}

impl Error {
    /// Takes over the error of a call that failed with `code`.
    pub(crate) unsafe fn take(raw: *mut sys::UtmError, code: c_int) -> Self {
        match NonNull::new(raw) {
            Some(raw) => Self(Kind::Library(raw)),
            None => Self::new(ErrorCode::from_number(code), "the library gives no reason".into()),
        }
    }

    /// Of an error that a callback got, or that belongs to another object.
    pub(crate) unsafe fn borrow(raw: *const sys::UtmError) -> Option<Self> {
        NonNull::new(raw.cast_mut()).map(|raw| {
            sys::utm_error_ref(raw.as_ptr());
            Self(Kind::Library(raw))
        })
    }

    pub(crate) fn new(code: ErrorCode, message: String) -> Self {
        Self(Kind::Own(Box::new(Own { code, message, key_path: None })))
    }

    pub(crate) fn argument(message: &str) -> Self {
        Self::new(ErrorCode::InvalidArgument, message.into())
    }

    /// The other end has gone away with nothing to tell.
    pub(crate) fn dropped() -> Self {
        Self::new(ErrorCode::Cancelled, "the object that the call was about has gone".into())
    }

    pub(crate) fn at(code: ErrorCode, message: String, key_path: String) -> Self {
        Self(Kind::Own(Box::new(Own { code, message, key_path: (!key_path.is_empty()).then_some(key_path) })))
    }

    unsafe fn text_of(
        &self,
        get: unsafe extern "C" fn(*const sys::UtmError) -> *const std::ffi::c_char,
    ) -> Option<&str> {
        match &self.0 {
            Kind::Library(raw) => ffi::borrow(get(raw.as_ptr())),
            Kind::Own(_) => None,
        }
    }

    unsafe fn number_of(&self, get: unsafe extern "C" fn(*const sys::UtmError) -> c_int, absent: c_int) -> Option<i32> {
        match &self.0 {
            Kind::Library(raw) => Some(get(raw.as_ptr())).filter(|number| *number != absent),
            Kind::Own(_) => None,
        }
    }

    /// What kind of failure it is.
    pub fn code(&self) -> ErrorCode {
        match &self.0 {
            Kind::Library(raw) => ErrorCode::from_number(unsafe { sys::utm_error_get_code(raw.as_ptr()) }),
            Kind::Own(own) => own.code,
        }
    }

    /// Which part of the library failed.
    pub fn domain(&self) -> Domain {
        match &self.0 {
            Kind::Library(raw) => Domain::from_number(unsafe { sys::utm_error_get_domain(raw.as_ptr()) }),
            Kind::Own(own) => own.code.domain(),
        }
    }

    /// One line for people: what failed and why, without what the other accessors tell.
    pub fn message(&self) -> &str {
        match &self.0 {
            Kind::Library(raw) => unsafe { ffi::borrow(sys::utm_error_get_message(raw.as_ptr())).unwrap_or("") },
            Kind::Own(own) => &own.message,
        }
    }

    /// What to do about it, one line for people.
    pub fn remedy(&self) -> &str {
        match &self.0 {
            Kind::Library(raw) => unsafe { ffi::borrow(sys::utm_error_get_remedy(raw.as_ptr())).unwrap_or("") },
            Kind::Own(own) => own.code.remedy(),
        }
    }

    /// Key path of the configuration value, or of the member of QEMU's answer, at fault: `Drive[1].ImageName`.
    pub fn key_path(&self) -> Option<&str> {
        match &self.0 {
            Kind::Own(own) => own.key_path.as_deref(),
            Kind::Library(_) => unsafe { self.text_of(sys::utm_error_get_key_path) },
        }
    }

    /// File or program at fault.
    pub fn file(&self) -> Option<&str> {
        unsafe { self.text_of(sys::utm_error_get_file) }
    }

    /// Class of the error that QEMU answered, such as `DeviceNotFound`; kept as QEMU wrote it.
    pub fn qmp_class(&self) -> Option<&str> {
        unsafe { self.text_of(sys::utm_error_get_qmp_class) }
    }

    /// The operating system's errno.
    pub fn errno(&self) -> Option<i32> {
        unsafe { self.number_of(sys::utm_error_get_errno, 0) }
    }

    /// Exit status of the process at fault, 0 to 255; 128 + signal number when a signal ended it.
    pub fn exit_status(&self) -> Option<i32> {
        unsafe { self.number_of(sys::utm_error_get_exit_status, -1) }
    }

    /// The last lines that the process at fault wrote to its standard error.
    pub fn stderr_tail(&self) -> Option<&str> {
        unsafe { self.text_of(sys::utm_error_get_stderr_tail) }
    }

    /// The whole error as text: one line `FILE: KEY PATH: MESSAGE (code name)` and, below it, the remedy.
    pub fn text(&self) -> String {
        match &self.0 {
            Kind::Library(raw) => unsafe { ffi::take(sys::utm_error_dup_text(raw.as_ptr())).unwrap_or_default() },
            Kind::Own(own) => {
                let path = own.key_path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
                format!("{path}{} ({})\n\t{}", own.message, own.code.name(), own.code.remedy())
            }
        }
    }
}

impl Clone for Error {
    fn clone(&self) -> Self {
        match &self.0 {
            Kind::Library(raw) => unsafe { Self::borrow(raw.as_ptr()).expect("an error") },
            Kind::Own(own) => Self(Kind::Own(Box::new(Own {
                code: own.code,
                message: own.message.clone(),
                key_path: own.key_path.clone(),
            }))),
        }
    }
}

impl Drop for Error {
    fn drop(&mut self) {
        if let Kind::Library(raw) = &self.0 {
            unsafe { sys::utm_error_unref(raw.as_ptr()) }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        match text.split_once('\n') {
            Some((line, _)) if !f.alternate() => f.write_str(line),
            _ => f.write_str(&text),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown.field("code", &self.code()).field("message", &self.message());
        for (name, value) in [("key_path", self.key_path()), ("file", self.file()), ("qmp_class", self.qmp_class())] {
            if let Some(value) = value {
                shown.field(name, &value);
            }
        }
        shown.finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}
