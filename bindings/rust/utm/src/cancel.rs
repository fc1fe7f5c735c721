// SPDX-License-Identifier: LGPL-2.1-or-later
//! Stopping long calls, and seeing how far they are.

use crate::ffi::{handle, shared};
use utm_sys as sys;

handle! {
    /// Lets another thread stop calls that block. Give a clone of it to the options of any number of them: when it is
    /// triggered they end with [`ErrorCode::Cancelled`](crate::ErrorCode::Cancelled), now and later.
    Cancel, UtmCancel, utm_cancel_ref, utm_cancel_unref
}
shared!(Cancel, utm_cancel_ref);

// SAFETY: made to be triggered from any thread; counted atomically (types.h).
unsafe impl Send for Cancel {}
// SAFETY: as above: `utm_cancel_trigger()` is for any thread.
unsafe impl Sync for Cancel {}

impl Cancel {
    /// A new token.
    pub fn new() -> Self {
        unsafe { Self::take(sys::utm_cancel_new()) }
    }

    /// Stops every call that carries it. Cannot be undone.
    pub fn trigger(&self) {
        unsafe { sys::utm_cancel_trigger(self.as_ptr()) }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

handle! {
    /// How far a long call has come. Give a clone of it to the options of one call, and look as often as a bar is drawn.
    Progress, UtmProgress, utm_progress_ref, utm_progress_unref
}
shared!(Progress, utm_progress_ref);

// SAFETY: written by the library's threads and read from any; counted atomically (types.h).
unsafe impl Send for Progress {}
// SAFETY: as above.
unsafe impl Sync for Progress {}

impl Progress {
    /// A new one.
    pub fn new() -> Self {
        unsafe { Self::take(sys::utm_progress_new()) }
    }

    /// Bytes dealt with, and bytes in all; both 0 before the call has begun to work.
    pub fn get(&self) -> (u64, u64) {
        let (mut done, mut total) = (0, 0);
        unsafe { sys::utm_progress_get(self.as_ptr(), &mut done, &mut total) };
        (done, total)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn raw(cancel: &Option<Cancel>) -> *mut sys::UtmCancel {
    cancel.as_ref().map_or(std::ptr::null_mut(), Cancel::as_ptr)
}

pub(crate) fn raw_progress(progress: &Option<Progress>) -> *mut sys::UtmProgress {
    progress.as_ref().map_or(std::ptr::null_mut(), Progress::as_ptr)
}
