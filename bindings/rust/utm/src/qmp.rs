// SPDX-License-Identifier: LGPL-2.1-or-later
//! A connection to a QEMU monitor, and everything that QEMU's protocol has as types: [`Qmp::execute()`] takes a command and gives
//! what belongs to it.
//!
//! ```no_run
//! use utm::qmp::{self, Qmp};
//! let ctx = utm::Context::new()?;
//! let qmp = Qmp::connect(&ctx, "/run/vm7/qmp.sock", &Default::default())?;
//! for disk in qmp.execute(&qmp::QueryBlock {})? {
//!     println!("{}: {}", disk.device, disk.inserted.map_or("empty".into(), |inserted| inserted.file));
//! }
//! # Ok::<(), utm::Error>(())
//! ```
//!
//! Types read what any release sends: members and texts that they do not know are kept, and written again.

use crate::bundle::attempt;
use crate::call::{self, Call, Feed, Promise, Queue};
use crate::cancel::{self, Cancel};
use crate::error::{Error, Result};
use crate::ffi::{self, handle, shared, Callback, Texts};
use crate::json::{FromJson, ToJson, Value};
use crate::options::options;
use crate::Context;
use futures_core::Stream;
use std::ffi::{c_char, c_int, c_void, CString};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;
use utm_sys as sys;

pub use crate::generated::qmp::*;

options! {
    /// Options of [`Qmp::connect()`] and the like.
    ConnectOptions {
        /// Until greeting and negotiation are done: 10 seconds unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Ask for out-of-band execution.
        oob: flag,
        /// End each command with a line feed.
        lines: flag,
        /// Of a replay: commands may come in any order.
        replay_unordered: flag,
        /// Of a replay: answers and events take as long as they took then.
        replay_paced: flag,
        /// Record the session to this file, from the greeting on.
        record_file: path,
    }
}

options! {
    /// Options of one command.
    CallOptions {
        /// Until the reply; the command's own default unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Execute out of band.
        oob: flag,
        /// A descriptor that goes with the command.
        fd: option<Arc<OwnedFd>>,
    }
}

impl ConnectOptions {
    fn raw(&self, record_file: &Option<CString>) -> sys::UtmQmpConnectOptions {
        let flags = [
            (self.oob, sys::UTM_QMP_CONNECT_OOB),
            (self.lines, sys::UTM_QMP_CONNECT_LINES),
            (self.replay_unordered, sys::UTM_QMP_CONNECT_REPLAY_UNORDERED),
            (self.replay_paced, sys::UTM_QMP_CONNECT_REPLAY_PACED),
        ];
        sys::UtmQmpConnectOptions {
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            flags: flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum(),
            record_file: ffi::pointer(record_file),
            ..Default::default()
        }
    }
}

impl CallOptions {
    /// `fd` is what the result points to.
    pub(crate) fn raw(&self, fd: &mut c_int) -> sys::UtmQmpCallOptions {
        let with = self.fd.as_ref().map(|own| own.as_raw_fd());
        *fd = with.unwrap_or(-1);
        sys::UtmQmpCallOptions {
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            flags: if self.oob { sys::UTM_QMP_CALL_OOB } else { 0 },
            fd: if with.is_some() { fd } else { std::ptr::null() },
            ..Default::default()
        }
    }
}

/// A command, of the monitor or of the guest agent, as a type: its members are the arguments.
pub trait Command: ToJson {
    /// Its name on the wire.
    const NAME: &'static str;
    /// What it gives.
    type Result: FromJson + Send + 'static;
}

/// A command of the monitor.
pub trait QmpCommand: Command {}

/// An event as a type: its members are the data.
pub trait EventData: FromJson {
    /// Its name on the wire.
    const NAME: &'static str;
}

/// What a command gives that gives nothing: an empty object, of which anything is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nothing;

handle! {
    /// A connection to a QEMU monitor. It needs no machine of ours: any QEMU's socket will do.
    Qmp, UtmQmp, utm_qmp_ref, utm_qmp_unref
}
shared!(Qmp, utm_qmp_ref);

// SAFETY: every function of qmp.h is for any thread; handlers that dispatching threads run are `Send`.
unsafe impl Send for Qmp {}
// SAFETY: as above.
unsafe impl Sync for Qmp {}

/// An answer that is read when the future is polled: on the thread that wants it, not where somebody dispatches.
#[must_use = "a call that is dropped is cancelled"]
pub struct TypedCall<T> {
    call: Call<String>,
    _type: PhantomData<fn() -> T>,
}

impl<T: FromJson> std::future::Future for TypedCall<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Result<T>> {
        Pin::new(&mut self.call).poll(task).map(|reply| T::from_json(&reply?))
    }
}

impl<T> TypedCall<T> {
    pub(crate) fn new(call: Call<String>) -> Self {
        Self { call, _type: PhantomData }
    }

    /// Lets the call go on without anybody who waits for its end.
    pub fn detach(self) {
        self.call.detach();
    }
}

unsafe extern "C" fn on_reply(
    _: *mut sys::UtmQmp,
    reply: *const c_char,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || ffi::copy(reply).unwrap_or_default());
}

unsafe extern "C" fn on_has(_: *mut sys::UtmQmp, has: bool, error: *const sys::UtmError, data: *mut c_void) {
    Promise::complete(data, error, || has);
}

unsafe extern "C" fn on_event<F: FnMut(QmpEvent) + Send>(
    _: *mut sys::UtmQmp,
    event: *const sys::UtmQmpEvent,
    data: *mut c_void,
) {
    let event = QmpEvent::borrow(event);
    Callback::<F>::run(data, |f| f(event));
}

unsafe extern "C" fn matches<F: FnMut(&QmpEvent) -> bool>(event: *const sys::UtmQmpEvent, data: *mut c_void) -> bool {
    let event = QmpEvent::borrow(event);
    // After a panic the wait is to end.
    ffi::guard(|| (*data.cast::<F>())(&event)).unwrap_or(true)
}

impl Qmp {
    /// Connects to a monitor's unix socket and negotiates.
    pub fn connect(context: &Context, path: impl AsRef<Path>, options: &ConnectOptions) -> Result<Self> {
        let path = ffi::path(path.as_ref())?;
        Self::connect_by(options, |raw, qmp, error| unsafe {
            sys::utm_qmp_connect_path(context.as_ptr(), path.as_ptr(), raw, qmp, error)
        })
    }

    /// Negotiates over a connected stream socket.
    pub fn connect_fd(context: &Context, fd: OwnedFd, options: &ConnectOptions) -> Result<Self> {
        Self::connect_by(options, |raw, qmp, error| unsafe {
            sys::utm_qmp_connect_fd(context.as_ptr(), fd.into_raw_fd(), raw, qmp, error)
        })
    }

    /// Connects to a monitor that listens on a TCP port, and negotiates.
    pub fn connect_tcp(context: &Context, host: &str, port: u16, options: &ConnectOptions) -> Result<Self> {
        let host = ffi::text(host)?;
        Self::connect_by(options, |raw, qmp, error| unsafe {
            sys::utm_qmp_connect_tcp(context.as_ptr(), host.as_ptr(), port, raw, qmp, error)
        })
    }

    /// Connects to a recorded session instead of a QEMU: it stands in for QEMU in tests of programs.
    pub fn connect_replay(context: &Context, path: impl AsRef<Path>, options: &ConnectOptions) -> Result<Self> {
        let path = ffi::path(path.as_ref())?;
        Self::connect_by(options, |raw, qmp, error| unsafe {
            sys::utm_qmp_connect_replay(context.as_ptr(), path.as_ptr(), raw, qmp, error)
        })
    }

    fn connect_by(
        options: &ConnectOptions,
        connect: impl FnOnce(*const sys::UtmQmpConnectOptions, *mut *mut sys::UtmQmp, *mut *mut sys::UtmError) -> c_int,
    ) -> Result<Self> {
        let record_file = options.record_file.as_deref().map(ffi::path).transpose()?;
        let raw = options.raw(&record_file);
        let made = ffi::call_for(|qmp, error| connect(&raw, qmp, error))?;
        Ok(unsafe { Self::take(made) })
    }

    /// Whether a replayed session was the recorded one: for the end of a test.
    pub fn check_replay(&self) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_qmp_check_replay(self.as_ptr(), error) })
    }

    /// Records the session to a file from now on. **The file holds secrets** when commands or answers do.
    pub fn record(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = ffi::path(path.as_ref())?;
        ffi::call(|error| unsafe { sys::utm_qmp_record(self.as_ptr(), path.as_ptr(), error) })
    }

    /// Ends the recording and waits until it is in the file.
    pub fn stop_recording(&self) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_qmp_record_stop(self.as_ptr(), error) })
    }

    /// Closes the connection now, for everybody. Pending commands end with an error.
    pub fn close(&self) {
        unsafe { sys::utm_qmp_close(self.as_ptr()) }
    }

    /// The greeting's `QMP` object as JSON: version and capabilities.
    pub fn greeting(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_qmp_get_greeting(self.as_ptr())).unwrap_or("") }
    }

    /// QEMU's version: major, minor, micro.
    pub fn qemu_version(&self) -> (u32, u32, u32) {
        let version = unsafe { sys::utm_qmp_get_qemu_version(self.as_ptr()) };
        (version / 1_000_000, version / 1000 % 1000, version % 1000)
    }

    /// Whether out-of-band execution works here.
    pub fn has_oob(&self) -> bool {
        unsafe { sys::utm_qmp_has_oob(self.as_ptr()) }
    }

    /// Whether the connected QEMU has something: `blockdev-add`, `migrate.uri`, `query-status:status`,
    /// `blockdev-add.driver=nbd`. `utm/qmp.h` has all kinds of questions.
    pub fn has(&self, what: &str) -> Result<bool> {
        let (what, mut has) = (ffi::text(what)?, false);
        ffi::call(|error| unsafe {
            sys::utm_qmp_has(self.as_ptr(), what.as_ptr(), std::ptr::null(), &mut has, error)
        })?;
        Ok(has)
    }

    /// As [`has()`](Self::has), without waiting.
    pub fn has_async(&self, what: &str) -> Call<bool> {
        let (what, token) = (attempt!(ffi::text(what)), call::token(&None));
        let raw = sys::UtmQmpCallOptions { cancel: cancel::raw(&token), ..Default::default() };
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_qmp_has_async(self.as_ptr(), what.as_ptr(), &raw, Some(on_has), data, free, error)
        })
    }

    /// Runs a command and waits for its answer.
    pub fn execute<C: QmpCommand>(&self, command: &C) -> Result<C::Result> {
        self.execute_with(command, &CallOptions::default())
    }

    /// As [`execute()`](Self::execute), with options.
    pub fn execute_with<C: QmpCommand>(&self, command: &C, options: &CallOptions) -> Result<C::Result> {
        C::Result::from_json(&self.execute_json(C::NAME, Some(&command.to_json()?), options)?)
    }

    /// As [`execute()`](Self::execute), without waiting.
    pub fn execute_async<C: QmpCommand>(&self, command: &C, options: &CallOptions) -> TypedCall<C::Result> {
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
            sys::utm_qmp_execute(self.as_ptr(), command.as_ptr(), arguments, &raw, reply, error)
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
            sys::utm_qmp_execute_async(
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

    /// Sets who hears, in dispatch, of all events and of the connection's end.
    pub fn set_event_handler(&self, handler: impl FnMut(QmpEvent) + Send + 'static) {
        fn set<F: FnMut(QmpEvent) + Send + 'static>(qmp: &Qmp, handler: F) {
            let data = Callback::into_data(handler);
            unsafe {
                sys::utm_qmp_set_event_handler(qmp.as_ptr(), Some(on_event::<F>), data, Some(Callback::<F>::free))
            };
        }
        set(self, handler);
    }

    /// Takes the handler away.
    pub fn clear_event_handler(&self) {
        unsafe { sys::utm_qmp_set_event_handler(self.as_ptr(), None, std::ptr::null_mut(), None) };
    }

    /// Subscribes to events by name, or to all: they are collected until somebody waits for them. In force when this returns, so
    /// that arm, then command, then wait never misses one. Nobody needs to dispatch.
    ///
    /// ```no_run
    /// # fn example(qmp: &utm::Qmp) -> utm::Result<()> {
    /// use utm::qmp::{self, EventData};
    /// let mut gone = qmp.subscribe(Some(&[qmp::DeviceDeletedEvent::NAME]))?;      // arm
    /// qmp.execute(&qmp::DeviceDel { id: "usb1".into(), ..Default::default() })?;  // command
    /// gone.wait(std::time::Duration::from_secs(5))?;                              // wait
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(&self, names: Option<&[&str]>) -> Result<Subscription> {
        let names = names.map(Texts::new).transpose()?;
        let names = names.as_ref().map_or(std::ptr::null(), Texts::as_ptr);
        let made = ffi::call_for(|subscription, error| unsafe {
            sys::utm_qmp_subscribe(self.as_ptr(), names, None, std::ptr::null_mut(), None, subscription, error)
        })?;
        Ok(unsafe { Subscription::take(made) })
    }

    /// Subscribes to events by name, or to all, with a function that gets them in dispatch, as long as the result lives.
    pub fn subscribe_with(
        &self,
        names: Option<&[&str]>,
        handler: impl FnMut(QmpEvent) + Send + 'static,
    ) -> Result<Handler> {
        fn subscribe<F: FnMut(QmpEvent) + Send + 'static>(
            qmp: &Qmp,
            names: *const *const c_char,
            handler: F,
        ) -> Result<*mut sys::UtmQmpSubscription> {
            let data = Callback::into_data(handler);
            let free = Some(Callback::<F>::free as unsafe extern "C" fn(*mut c_void));
            ffi::call_for(|subscription, error| unsafe {
                sys::utm_qmp_subscribe(qmp.as_ptr(), names, Some(on_event::<F>), data, free, subscription, error)
            })
        }
        let names = names.map(Texts::new).transpose()?;
        let made = subscribe(self, names.as_ref().map_or(std::ptr::null(), Texts::as_ptr), handler)?;
        Ok(Handler { _subscription: unsafe { Subscription::take(made) } })
    }

    /// Events by name, or all, as a stream. It ends with the connection. Somebody has to dispatch.
    pub fn events(&self, names: Option<&[&str]>) -> Result<QmpEvents> {
        let queue = Queue::new();
        let feed = Feed(Arc::clone(&queue));
        let handler = self.subscribe_with(names, move |event| match event.name() {
            // What the queue had to drop is told by nobody else; an event cannot be changed to tell of it.
            Some(_) => feed.0.push(false, |_| event),
            None => feed.0.close(),
        })?;
        Ok(QmpEvents { queue, _handler: handler })
    }
}

/// A function that gets events, until this is dropped: see [`Qmp::subscribe_with()`].
#[derive(Debug)]
#[must_use = "the subscription ends when it is dropped"]
pub struct Handler {
    _subscription: Subscription,
}

/// Events of a monitor as a stream, see [`Qmp::events()`].
pub struct QmpEvents {
    queue: Arc<Queue<QmpEvent>>,
    _handler: Handler,
}

impl Stream for QmpEvents {
    type Item = QmpEvent;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<QmpEvent>> {
        self.queue.poll(task)
    }
}

handle! {
    /// Events of a monitor that are collected until somebody waits for them, see [`Qmp::subscribe()`]. Each event goes to one
    /// who waits. As an iterator it waits for ever, and ends with the connection.
    Subscription, UtmQmpSubscription, utm_qmp_subscription_ref, utm_qmp_subscription_unref
}
shared!(Subscription, utm_qmp_subscription_ref);

// SAFETY: several threads may wait at once, and references are counted atomically (qmp.h).
unsafe impl Send for Subscription {}
// SAFETY: as above.
unsafe impl Sync for Subscription {}

impl Subscription {
    /// Waits for the next event.
    pub fn wait(&self, timeout: Duration) -> Result<QmpEvent> {
        self.wait_for(timeout, None, |_| true)
    }

    /// Waits for an event that matches; others are consumed.
    ///
    /// # Panics
    /// When `wanted` did.
    pub fn wait_for<F: FnMut(&QmpEvent) -> bool>(
        &self,
        timeout: Duration,
        cancel: Option<&Cancel>,
        mut wanted: F,
    ) -> Result<QmpEvent> {
        let raw = sys::UtmQmpWaitOptions {
            timeout_ms: ffi::option_ms(Some(timeout)),
            cancel: cancel.map_or(std::ptr::null_mut(), Cancel::as_ptr),
            ..Default::default()
        };
        let mut event = std::ptr::null();
        let data = std::ptr::from_mut(&mut wanted).cast::<c_void>();
        let result = ffi::call(|error| unsafe {
            sys::utm_qmp_subscription_wait(self.as_ptr(), Some(matches::<F>), data, &raw, &mut event, error)
        });
        let taken = result.map(|()| QmpEvent(event));
        ffi::resume();
        taken
    }
}

impl Iterator for Subscription {
    type Item = QmpEvent;

    fn next(&mut self) -> Option<QmpEvent> {
        self.wait(Duration::MAX).ok()
    }
}

/// An event of QEMU. It never changes, and is shared by all who get it.
pub struct QmpEvent(*const sys::UtmQmpEvent);

// SAFETY: an event never changes, and is shared by all who get it (qmp.h); counted atomically.
unsafe impl Send for QmpEvent {}
// SAFETY: as above.
unsafe impl Sync for QmpEvent {}

impl QmpEvent {
    unsafe fn borrow(raw: *const sys::UtmQmpEvent) -> Self {
        Self(sys::utm_qmp_event_ref(raw))
    }

    fn raw(&self) -> &sys::UtmQmpEvent {
        unsafe { &*self.0 }
    }

    /// Its name, such as `SHUTDOWN`; `None` for the end of the connection.
    pub fn name(&self) -> Option<&str> {
        unsafe { ffi::borrow(self.raw().name) }
    }

    /// Its data as JSON.
    pub fn json(&self) -> Option<&str> {
        unsafe { ffi::borrow(self.raw().data) }
    }

    /// Its data as a value.
    pub fn value(&self) -> Result<Value> {
        self.json().map_or(Ok(Value::Null), Value::from_json)
    }

    /// Its data as the type of an event; `None` when it is another one.
    pub fn get<T: EventData>(&self) -> Option<Result<T>> {
        (self.name() == Some(T::NAME)).then(|| T::from_json(self.json().unwrap_or("{}")))
    }

    /// When QEMU sent it, since 1970.
    pub fn timestamp(&self) -> Option<Duration> {
        u64::try_from(self.raw().timestamp_us).ok().map(Duration::from_micros)
    }

    /// Events that this subscriber lost since it got the last one.
    pub fn dropped(&self) -> u64 {
        self.raw().dropped
    }

    /// For the end of the connection, why it ended; for another event, why its data is not what its name promises.
    pub fn error(&self) -> Option<Error> {
        unsafe { Error::borrow(self.raw().error) }
    }
}

impl Clone for QmpEvent {
    fn clone(&self) -> Self {
        unsafe { Self::borrow(self.0) }
    }
}

impl Drop for QmpEvent {
    fn drop(&mut self) {
        unsafe { sys::utm_qmp_event_unref(self.0) }
    }
}

impl std::fmt::Debug for QmpEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QmpEvent").field("name", &self.name()).field("data", &self.json()).finish_non_exhaustive()
    }
}
