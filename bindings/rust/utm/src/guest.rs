// SPDX-License-Identifier: LGPL-2.1-or-later
//! A connection to the QEMU guest agent, and its commands as types.
//!
//! ```no_run
//! use utm::guest::{self, Guest};
//! let ctx = utm::Context::new()?;
//! let guest = Guest::connect(&ctx, "/run/vm/qga.sock", &Default::default())?;
//! println!("{:?}", guest.execute(&guest::GuestGetOsinfo {})?.pretty_name);
//! # Ok::<(), utm::Error>(())
//! ```
//!
//! Everything that comes from an agent is the guest's word, true or not.

use crate::bundle::attempt;
use crate::call::{self, Call, Promise};
use crate::cancel::{self, Cancel};
use crate::error::Result;
use crate::ffi::{self, handle, shared};
use crate::json::FromJson;
use crate::options::options;
use crate::qmp::{CallOptions, Command, TypedCall};
use crate::Context;
use std::ffi::{c_char, c_void};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;
use utm_sys as sys;

pub use crate::generated::qga::*;

options! {
    /// Options of [`Guest::connect()`].
    ConnectOptions {
        /// Until the agent answers: 10 seconds unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Do not wait for the agent to answer: the connection is there as soon as the socket is, and its calls wait.
        no_wait: flag,
    }
}

impl ConnectOptions {
    fn raw(&self) -> sys::UtmGuestConnectOptions {
        sys::UtmGuestConnectOptions {
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            flags: if self.no_wait { sys::UTM_GUEST_CONNECT_NO_WAIT } else { 0 },
            ..Default::default()
        }
    }
}

/// A command of the guest agent.
pub trait GuestCommand: Command {}

handle! {
    /// A connection to the agent inside a guest.
    Guest, UtmGuest, utm_guest_ref, utm_guest_unref
}
shared!(Guest, utm_guest_ref);

// SAFETY: every function of guest.h is for any thread.
unsafe impl Send for Guest {}
// SAFETY: as above; commands of several threads wait for each other inside the library.
unsafe impl Sync for Guest {}

unsafe extern "C" fn on_reply(
    _: *mut sys::UtmGuest,
    reply: *const c_char,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || ffi::copy(reply).unwrap_or_default());
}

impl Guest {
    /// Connects to an agent's unix socket and waits for the agent to answer.
    pub fn connect(context: &Context, path: impl AsRef<Path>, options: &ConnectOptions) -> Result<Self> {
        let (path, raw) = (ffi::path(path.as_ref())?, options.raw());
        let made = ffi::call_for(|guest, error| unsafe {
            sys::utm_guest_connect_path(context.as_ptr(), path.as_ptr(), &raw, guest, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// The same over a connected stream socket.
    pub fn connect_fd(context: &Context, fd: OwnedFd, options: &ConnectOptions) -> Result<Self> {
        let raw = options.raw();
        let made = ffi::call_for(|guest, error| unsafe {
            sys::utm_guest_connect_fd(context.as_ptr(), fd.into_raw_fd(), &raw, guest, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Closes the connection now. Pending commands end with an error.
    pub fn close(&self) {
        unsafe { sys::utm_guest_close(self.as_ptr()) }
    }

    /// Asks whether the agent is there. Not needed before commands, which do so themselves.
    pub fn sync(&self, options: &CallOptions) -> Result<()> {
        let mut fd = -1;
        let raw = options.raw(&mut fd);
        ffi::call(|error| unsafe { sys::utm_guest_sync(self.as_ptr(), &raw, error) })
    }

    /// Runs a command in the guest and waits for its answer.
    pub fn execute<C: GuestCommand>(&self, command: &C) -> Result<C::Result> {
        self.execute_with(command, &CallOptions::default())
    }

    /// As [`execute()`](Self::execute), with options.
    pub fn execute_with<C: GuestCommand>(&self, command: &C, options: &CallOptions) -> Result<C::Result> {
        C::Result::from_json(&self.execute_json(C::NAME, Some(&command.to_json()?), options)?)
    }

    /// As [`execute()`](Self::execute), without waiting.
    pub fn execute_async<C: GuestCommand>(&self, command: &C, options: &CallOptions) -> TypedCall<C::Result> {
        TypedCall::new(match command.to_json() {
            Ok(json) => self.execute_json_async(C::NAME, Some(&json), options),
            Err(error) => Call::failed(error),
        })
    }

    /// Runs a command by its name, with arguments and answer as JSON.
    pub fn execute_json(&self, command: &str, arguments: Option<&str>, options: &CallOptions) -> Result<String> {
        let (command, arguments, mut fd) = (ffi::text(command)?, ffi::optional(arguments)?, -1);
        let raw = options.raw(&mut fd);
        let reply = ffi::call_for(|reply, error| unsafe {
            let arguments = ffi::pointer(&arguments);
            sys::utm_guest_execute(self.as_ptr(), command.as_ptr(), arguments, &raw, reply, error)
        })?;
        Ok(unsafe { ffi::take(reply).unwrap_or_default() })
    }

    /// As [`execute_json()`](Self::execute_json), without waiting.
    pub fn execute_json_async(&self, command: &str, arguments: Option<&str>, options: &CallOptions) -> Call<String> {
        let (command, arguments) = (attempt!(ffi::text(command)), attempt!(ffi::optional(arguments)));
        let (token, mut fd) = (call::token(&options.cancel), -1);
        let raw = sys::UtmQmpCallOptions { cancel: cancel::raw(&token), ..options.raw(&mut fd) };
        Call::begin(token, |data, free, error| unsafe {
            let arguments = ffi::pointer(&arguments);
            sys::utm_guest_execute_async(
                self.as_ptr(),
                command.as_ptr(),
                arguments,
                &raw,
                Some(on_reply),
                data,
                free,
                error,
            )
        })
    }
}
