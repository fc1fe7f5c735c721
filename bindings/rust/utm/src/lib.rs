// SPDX-License-Identifier: LGPL-2.1-or-later
//! UTM's back end for Rust: open a `.utm` machine, turn its configuration into a QEMU command line, run it, control it, see its
//! screen and type into it.
//!
//! ```no_run
//! use std::time::Duration;
//! use utm::{qmp, Bundle, Context, Readiness, StartOptions, Stop, Vm};
//!
//! let ctx = Context::new()?;
//! let bundle = Bundle::open(&ctx, "Debian.utm")?;
//! let vm = Vm::new(&bundle)?;
//! vm.start(&StartOptions::default().disposable(true))?;
//! vm.wait_until(Readiness::Picture, Duration::from_secs(30))?;
//! let status: qmp::StatusInfo = vm.qmp()?.execute(&qmp::QueryStatus {})?;
//! println!("{}", status.status);
//! vm.display(0)?.frame().expect("a picture").save_png("screen.png")?;
//! println!("{}", vm.stop(Stop::Escalate)?);
//! # Ok::<(), utm::Error>(())
//! ```
//!
//! # Threads
//!
//! All handles are `Send` and `Sync`: every function of the library is for any thread. Callbacks, wakers of futures and streams
//! run where somebody dispatches the [`Context`]. Blocking functions need nobody to dispatch.
//!
//! A callback is `FnMut + Send`. When it panics, the panic goes on out of the call that dispatched, never through C.
//!
//! # Waiting
//!
//! Each long call has a blocking form and one with `_async`, a future of no runtime in particular: [`Call`]. Dropping it cancels
//! the call. Events are iterators and `futures_core::Stream`s. A reactor watches the descriptor of the context ([`AsFd`]) and
//! calls [`Context::dispatch()`]; without a reactor there are [`Context::block_on()`] and [`Dispatcher`].
//!
//! [`AsFd`]: std::os::fd::AsFd

#![warn(missing_docs)]

mod bundle;
mod call;
mod cancel;
pub mod config;
mod console;
mod context;
mod error;
mod ffi;
pub mod findings;
mod generated;
pub mod guest;
mod hardware;
mod host;
pub mod image;
pub mod json;
mod options;
pub mod qmp;
#[doc(hidden)]
pub mod schema;
mod vm;

pub use bundle::{
    load_view_state, Bundle, BundleEntry, BundleFile, BundleLock, BundleSize, CloneOptions, CreateOptions, FileKind,
    Icon, ImportOptions, LockState, UefiKeys, UefiResetOptions,
};
pub use call::Call;
pub use cancel::{Cancel, Progress};
pub use config::{Backend, Config, SharedConfig};
pub use console::{
    Buttons, Console, ConsoleEvent, ConsoleOptions, ConsoleState, Display, Frame, Frames, PointerMode, Rect,
};
pub use context::{AccelPolicy, ArgumentPolicy, Context, ContextOptions, Dispatcher, LogLevel};
pub use error::{Domain, Error, ErrorCode, Result};
pub use findings::{CheckOptions, Finding, FindingCode, Findings, Severity};
pub use guest::Guest;
pub use hardware::{Hardware, HardwareItem, HardwareKind};
pub use host::{Argument, ArgumentText, Argv, Host, HostItem, HostItemKind, HostItemState, HostOs};
pub use qmp::Qmp;
pub use vm::{
    EndKind, EndReason, Readiness, StartOptions, Stop, StopOptions, Vm, VmEvent, VmEventKind, VmEvents, VmState,
};

/// The version of the library that is linked: major, minor, micro.
pub fn version() -> (u32, u32, u32) {
    let number = unsafe { utm_sys::utm_version_number() };
    (number / 1_000_000, number / 1000 % 1000, number % 1000)
}

/// The same as text.
pub fn version_text() -> &'static str {
    unsafe { ffi::borrow(utm_sys::utm_version_string()).unwrap_or("") }
}

/// Whether the library that is linked has something: an error code, a console engine, a configuration version, a kind of host.
/// `feature` is one of `utm_sys::UTM_FEATURE_...`.
pub fn has_feature(feature: u32, value: u32) -> bool {
    unsafe { utm_sys::utm_feature_supported(feature, value) }
}
