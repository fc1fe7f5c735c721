// SPDX-License-Identifier: LGPL-2.1-or-later
//! What stands between Rust and C everywhere: texts, owned pointers, callbacks.

use crate::error::{Error, Result};
use std::any::Any;
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use utm_sys as sys;

/// A text for C. One with a zero byte inside is an argument that no call accepts.
pub(crate) fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::argument("a text has a zero byte inside"))
}

pub(crate) fn optional(value: Option<&str>) -> Result<Option<CString>> {
    value.map(text).transpose()
}

pub(crate) fn path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::argument("a path has a zero byte inside"))
}

pub(crate) fn pointer(value: &Option<CString>) -> *const c_char {
    value.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

/// A list of texts that ends with NULL, and what keeps them alive.
pub(crate) struct Texts {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Texts {
    pub(crate) fn new<T: AsRef<str>>(texts: &[T]) -> Result<Self> {
        let owned = texts.iter().map(|value| text(value.as_ref())).collect::<Result<Vec<_>>>()?;
        Ok(Self::of(owned))
    }

    pub(crate) fn of(owned: Vec<CString>) -> Self {
        let pointers = owned.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { _owned: owned, pointers }
    }

    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// A text of the library's, which it guarantees to be UTF-8 but for names of files.
///
/// # Safety
/// `text` is NULL or a string that stays as it is for `'a`.
pub(crate) unsafe fn borrow<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    CStr::from_ptr(text).to_str().ok()
}

/// As `borrow()`, copied, and whatever is no UTF-8 replaced.
///
/// # Safety
/// `text` is NULL or a string.
pub(crate) unsafe fn copy(text: *const c_char) -> Option<String> {
    (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
}

/// # Safety
/// `text` is NULL or a string.
pub(crate) unsafe fn copy_path(text: *const c_char) -> Option<std::path::PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    (!text.is_null()).then(|| std::ffi::OsStr::from_bytes(CStr::from_ptr(text).to_bytes()).into())
}

/// A text that the library gave away.
///
/// # Safety
/// `text` is NULL, or a string to release with `utm_free()`, which this does.
pub(crate) unsafe fn take(text: *mut c_char) -> Option<String> {
    let copied = copy(text);
    sys::utm_free(text.cast());
    copied
}

/// Bytes that the library gave away.
///
/// # Safety
/// `data` is NULL, or `size` bytes to release with `utm_free()`, which this does.
pub(crate) unsafe fn take_bytes(data: *mut c_void, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    let copied = std::slice::from_raw_parts(data.cast::<u8>(), size).to_vec();
    sys::utm_free(data);
    copied
}

/// Milliseconds as options have them: `None` is the default (0), and what does not fit is for ever.
pub(crate) fn option_ms(timeout: Option<Duration>) -> i64 {
    timeout.map_or(0, |timeout| match parameter_ms(timeout) {
        0 => 1, // as short as can be; 0 means something else
        ms => ms,
    })
}

/// Milliseconds as parameters have them: 0 does not wait, `Duration::MAX` waits for ever. What is left of one counts as one.
pub(crate) fn parameter_ms(timeout: Duration) -> i64 {
    i64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(-1)
}

/// Runs a function that can fail, and makes its error ours.
pub(crate) fn call(f: impl FnOnce(*mut *mut sys::UtmError) -> c_int) -> Result<()> {
    let mut error = ptr::null_mut();
    let code = f(&mut error);
    if code < 0 {
        return Err(unsafe { Error::take(error, code) });
    }
    Ok(())
}

/// As `call()`, with an output.
pub(crate) fn call_for<T>(f: impl FnOnce(*mut *mut T, *mut *mut sys::UtmError) -> c_int) -> Result<*mut T> {
    let mut output = ptr::null_mut();
    call(|error| f(&mut output, error))?;
    Ok(output)
}

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a callback is on its way to whoever dispatches; what it left behind is as good as any.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

// --- callbacks ---

thread_local! {
    static PANIC: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is inside a callback.
pub(crate) fn in_callback() -> bool {
    DEPTH.get() > 0
}

/// Runs what is the application's inside a callback of C. A panic must not unwind through C: it is kept, and goes on in
/// `resume()`, out of the call that ran the callback on this thread. Of several the first counts.
pub(crate) fn guard<T>(f: impl FnOnce() -> T) -> Option<T> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(f));
    DEPTH.set(DEPTH.get() - 1);
    match result {
        Ok(value) => Some(value),
        Err(panic) => {
            PANIC.with(|kept| {
                let first = kept.take().unwrap_or(panic);
                kept.set(Some(first));
            });
            None
        }
    }
}

pub(crate) fn resume() {
    if let Some(panic) = PANIC.with(Cell::take) {
        resume_unwind(panic);
    }
}

/// The user data of a callback. It is counted, so that a handler that takes itself away while it runs is not freed under its
/// own feet, and locked, so that nothing depends on who dispatches where.
pub(crate) struct Callback<F: ?Sized>(Mutex<F>);

impl<F: Send> Callback<F> {
    pub(crate) fn into_data(function: F) -> *mut c_void {
        Arc::into_raw(Arc::new(Self(Mutex::new(function)))).cast_mut().cast()
    }

    /// Runs `f` with the function.
    ///
    /// # Safety
    /// `data` is what `into_data()` of the same type gave, and `free()` was not called with it.
    pub(crate) unsafe fn run<T>(data: *mut c_void, f: impl FnOnce(&mut F) -> T) -> Option<T> {
        let this = data.cast_const().cast::<Self>();
        Arc::increment_strong_count(this);
        let this = Arc::from_raw(this);
        let result = guard(|| f(&mut lock(&this.0)));
        guard(|| drop(this));
        result
    }

    /// `free_fn` of the triple.
    pub(crate) unsafe extern "C" fn free(data: *mut c_void) {
        guard(|| drop(Arc::from_raw(data.cast_const().cast::<Self>())));
    }
}

/// A handle of a counted object of C.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $raw:ident, $reference:ident, $unreference:ident) => {
        $(#[$doc])*
        pub struct $name(std::ptr::NonNull<utm_sys::$raw>);

        impl $name {
            /// Takes over a reference.
            #[allow(dead_code)]
            pub(crate) unsafe fn take(raw: *mut utm_sys::$raw) -> Self {
                Self(std::ptr::NonNull::new(raw).expect("the library gives an object"))
            }

            /// Takes a reference of its own to what somebody else holds.
            #[allow(dead_code)]
            pub(crate) unsafe fn borrow(raw: *mut utm_sys::$raw) -> Option<Self> {
                std::ptr::NonNull::new(raw).map(|raw| {
                    utm_sys::$reference(raw.as_ptr());
                    Self(raw)
                })
            }

            /// The object of C, for functions of `utm-sys`. It is valid as long as `self`.
            pub fn as_ptr(&self) -> *mut utm_sys::$raw {
                self.0.as_ptr()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                unsafe { utm_sys::$unreference(self.0.as_ptr()) }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    };
}

/// For objects of which another reference is as good as the first.
macro_rules! shared {
    ($name:ident, $reference:ident) => {
        impl Clone for $name {
            /// Another reference to the same object.
            fn clone(&self) -> Self {
                unsafe {
                    utm_sys::$reference(self.0.as_ptr());
                }
                Self(self.0)
            }
        }
    };
}

/// An enumeration of C with names of its own, and a place for what a later library knows.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $number:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$value_doc])* $value,)*
            /// One that this version of the crate does not know.
            Unknown(u32),
        }

        #[allow(dead_code)]
        impl $name {
            pub(crate) fn from_number(number: u32) -> Self {
                match number {
                    $(utm_sys::$number => Self::$value,)*
                    other => Self::Unknown(other),
                }
            }

            /// As C has it.
            pub fn number(self) -> u32 {
                match self {
                    $(Self::$value => utm_sys::$number,)*
                    Self::Unknown(number) => number,
                }
            }
        }
    };
}

pub(crate) use {handle, numbers, shared};
