// SPDX-License-Identifier: LGPL-2.1-or-later
//! The controller of one machine: start, stop, state, end reason, serial ports.

use crate::call::{self, Call, Feed, Promise, Queue};
use crate::cancel::{self, Cancel};
use crate::config::SharedConfig;
use crate::error::{Error, ErrorCode, Result};
use crate::ffi::{self, handle, numbers, shared, Callback};
use crate::json::{FromJson, Value};
use crate::options::options;
use crate::{Bundle, Console, Context, Display, Frame, Host, Qmp};
use futures_core::Stream;
use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};
use utm_sys as sys;

numbers! {
    /// Where a machine is in its life.
    VmState {
        /// No QEMU runs.
        Stopped = UTM_VM_STATE_STOPPED,
        /// On the way to the next.
        Starting = UTM_VM_STATE_STARTING,
        /// The guest runs.
        Running = UTM_VM_STATE_RUNNING,
        /// On the way to the next.
        Pausing = UTM_VM_STATE_PAUSING,
        /// QEMU runs, the guest stands still.
        Paused = UTM_VM_STATE_PAUSED,
        /// On the way to running.
        Resuming = UTM_VM_STATE_RESUMING,
        /// Its state is being saved.
        Saving = UTM_VM_STATE_SAVING,
        /// A saved state is being taken up.
        Restoring = UTM_VM_STATE_RESTORING,
        /// On the way to stopped.
        Stopping = UTM_VM_STATE_STOPPING,
    }
}

impl std::fmt::Display for VmState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(unsafe { ffi::borrow(sys::utm_vm_state_get_name(self.number())).unwrap_or("unknown") })
    }
}

numbers! {
    /// How to stop a machine.
    Stop {
        /// Press the power button and leave the rest to the guest.
        Request = UTM_VM_STOP_REQUEST,
        /// Have QEMU quit. The guest loses what it did not write.
        Force = UTM_VM_STOP_FORCE,
        /// Kill QEMU.
        Kill = UTM_VM_STOP_KILL,
        /// Request, after its deadline force, after its deadline kill.
        Escalate = UTM_VM_STOP_ESCALATE,
    }
}

numbers! {
    /// Why a machine ended.
    EndKind {
        /// The guest powered itself off, or followed the power button.
        GuestShutdown = UTM_END_GUEST_SHUTDOWN,
        /// The guest reset and QEMU was told not to reboot.
        GuestReset = UTM_END_GUEST_RESET,
        /// The guest's kernel panicked.
        GuestPanic = UTM_END_GUEST_PANIC,
        /// Stopped with force, or by somebody else's `quit`.
        Quit = UTM_END_QUIT,
        /// Stopped with kill.
        Killed = UTM_END_KILLED,
        /// The machine never ran: the start failed or was cancelled.
        StartFailed = UTM_END_START_FAILED,
        /// QEMU ended on its own, with an exit status.
        QemuExited = UTM_END_QEMU_EXITED,
        /// A signal that was not ours ended QEMU.
        QemuSignalled = UTM_END_QEMU_SIGNALLED,
    }
}

/// An event of a machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VmEvent {
    /// What it tells.
    pub kind: VmEventKind,
    /// The state at the time of the event.
    pub state: VmState,
    /// Events that were dropped before this one because nobody took them.
    pub dropped: u64,
}

/// What an event of a machine tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum VmEventKind {
    /// The state changed, from this one.
    State(VmState),
    /// The machine ended; [`Vm::end_reason()`] is set.
    Ended,
    /// An event of QEMU's: its name, and its data as JSON. Typed ones come from [`Qmp::subscribe()`].
    Qmp(String, Option<String>),
    /// Something the configuration asks for that this host does not give.
    Warning(String),
    /// A line of QEMU's standard error.
    Log(String),
    /// One that this version of the crate does not know.
    Unknown(u32),
}

options! {
    /// Options of [`Vm::start()`].
    StartOptions {
        /// Changes to disks, UEFI variables and the TPM are thrown away at the end.
        disposable: flag,
        /// Start with the guest standing still.
        paused: flag,
        /// Additional arguments are allowed this time: the user has seen them.
        allow_arguments: flag,
        /// Until the guest runs: 60 seconds unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Facts to use instead of those that the library finds out.
        host: option<Host>,
        /// Taps for networks of the configuration: which element of `Network`, and the descriptor.
        network_fds: list<(u32, Arc<OwnedFd>)>,
    }
}

options! {
    /// Options of [`Vm::stop_with()`].
    StopOptions {
        /// How long the guest may take to follow a request: 30 seconds unless said; `Duration::MAX` is for ever.
        request_timeout: option<Duration>,
        /// How long QEMU may take to quit: 5 seconds unless said; `Duration::MAX` is for ever.
        force_timeout: option<Duration>,
        /// Gives the call up.
        cancel: option<Cancel>,
    }
}

impl StartOptions {
    /// `taps` is what the result points to.
    fn raw(&self, taps: &mut Vec<sys::UtmVmNetworkFd>) -> sys::UtmVmStartOptions {
        taps.extend(
            self.network_fds.iter().map(|(index, fd)| sys::UtmVmNetworkFd { index: *index, fd: fd.as_raw_fd() }),
        );
        let flags = [
            (self.disposable, sys::UTM_VM_START_DISPOSABLE),
            (self.paused, sys::UTM_VM_START_PAUSED),
            (self.allow_arguments, sys::UTM_VM_START_ALLOW_ARGUMENTS),
        ];
        sys::UtmVmStartOptions {
            flags: flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum(),
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            host: self.host.as_ref().map_or(std::ptr::null_mut(), Host::as_ptr),
            network_fds: taps.as_ptr(),
            network_fd_count: taps.len(),
            ..Default::default()
        }
    }
}

impl StopOptions {
    fn raw(&self) -> sys::UtmVmStopOptions {
        sys::UtmVmStopOptions {
            request_timeout_ms: ffi::option_ms(self.request_timeout),
            force_timeout_ms: ffi::option_ms(self.force_timeout),
            cancel: cancel::raw(&self.cancel),
            ..Default::default()
        }
    }
}

/// What [`Vm::wait_until()`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// The machine is in this state.
    State(VmState),
    /// The first display shows a picture.
    Picture,
}

handle! {
    /// The controller of one machine.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use utm::{qmp, Readiness, StartOptions, Stop};
    ///
    /// let ctx = utm::Context::new()?;
    /// let bundle = utm::Bundle::open(&ctx, "Debian.utm")?;
    /// let vm = utm::Vm::new(&bundle)?;
    /// vm.start(&StartOptions::default().disposable(true))?;
    /// vm.wait_until(Readiness::Picture, Duration::from_secs(30))?;
    /// let status: qmp::StatusInfo = vm.qmp()?.execute(&qmp::QueryStatus {})?;
    /// println!("{}", status.status);
    /// vm.display(0)?.save_screenshot("screen.png", Duration::from_secs(5))?;
    /// println!("{}", vm.stop(Stop::Escalate)?.text());
    /// # Ok::<(), utm::Error>(())
    /// ```
    ///
    /// When the last reference goes, a machine that still runs is killed: stop it first if it is to end well.
    Vm, UtmVm, utm_vm_ref, utm_vm_unref
}
shared!(Vm, utm_vm_ref);

// SAFETY: every function of vm.h is for any thread; handlers that dispatching threads run are `Send`.
unsafe impl Send for Vm {}
// SAFETY: as above.
unsafe impl Sync for Vm {}

unsafe extern "C" fn on_event<F: FnMut(&VmEvent) + Send>(
    _: *mut sys::UtmVm,
    event: *const sys::UtmVmEvent,
    data: *mut c_void,
) {
    let raw = &*event;
    let text = || ffi::copy(raw.text).unwrap_or_default();
    let kind = match raw.kind {
        sys::UTM_VM_EVENT_STATE => VmEventKind::State(VmState::from_number(raw.old_state)),
        sys::UTM_VM_EVENT_ENDED => VmEventKind::Ended,
        sys::UTM_VM_EVENT_QMP => VmEventKind::Qmp(text(), ffi::copy(raw.json)),
        sys::UTM_VM_EVENT_WARNING => VmEventKind::Warning(text()),
        sys::UTM_VM_EVENT_LOG => VmEventKind::Log(text()),
        other => VmEventKind::Unknown(other),
    };
    let event = VmEvent { kind, state: VmState::from_number(raw.state), dropped: raw.dropped };
    Callback::<F>::run(data, |f| f(&event));
}

unsafe extern "C" fn on_serial<F: FnMut(&[u8]) + Send>(
    _: *mut sys::UtmVm,
    _: u32,
    bytes: *const c_void,
    size: usize,
    data: *mut c_void,
) {
    let bytes = if size == 0 { &[] } else { std::slice::from_raw_parts(bytes.cast::<u8>(), size) };
    Callback::<F>::run(data, |f| f(bytes));
}

unsafe extern "C" fn on_done(_: *mut sys::UtmVm, error: *const sys::UtmError, data: *mut c_void) {
    Promise::complete(data, error, || ());
}

type Simple = unsafe extern "C" fn(
    *mut sys::UtmVm,
    sys::UtmVmDoneFunc,
    *mut c_void,
    sys::UtmFreeFunc,
    *mut *mut sys::UtmError,
) -> c_int;

impl Vm {
    /// The controller of a bundle's machine. The configuration is copied: later changes of the bundle do not matter.
    pub fn new(bundle: &Bundle) -> Result<Self> {
        let made = ffi::call_for(|vm, error| unsafe { sys::utm_vm_new(bundle.as_ptr(), vm, error) })?;
        Ok(unsafe { Self::take(made) })
    }

    /// The bundle that it was made from.
    pub fn bundle(&self) -> Bundle {
        unsafe { Bundle::borrow(sys::utm_vm_get_bundle(self.as_ptr())).expect("a bundle") }
    }

    /// The configuration in use.
    pub fn config(&self) -> SharedConfig {
        unsafe { SharedConfig::borrow(sys::utm_vm_get_config(self.as_ptr())) }
    }

    fn context(&self) -> Context {
        self.bundle().context()
    }

    /// The state now; events of it may still wait for dispatch.
    pub fn state(&self) -> VmState {
        VmState::from_number(unsafe { sys::utm_vm_get_state(self.as_ptr()) })
    }

    /// Process id of QEMU, while it runs.
    pub fn pid(&self) -> Option<i64> {
        Some(unsafe { sys::utm_vm_get_pid(self.as_ptr()) }).filter(|pid| *pid >= 0)
    }

    /// The monitor connection while QEMU runs.
    pub fn qmp(&self) -> Result<Qmp> {
        unsafe { Qmp::borrow(sys::utm_vm_get_qmp(self.as_ptr())) }
            .ok_or_else(|| Error::new(ErrorCode::InvalidState, "the machine does not run: it has no monitor".into()))
    }

    /// The console: idle before the first start, it connects at each start and closes at each end.
    pub fn console(&self) -> Console {
        unsafe { Console::borrow(sys::utm_vm_get_console(self.as_ptr())).expect("a console") }
    }

    /// A display of the configuration. Its handlers may be set before the start and stay through restarts.
    pub fn display(&self, index: u32) -> Result<Display> {
        unsafe { Display::borrow(sys::utm_vm_get_display(self.as_ptr(), index)) }
            .ok_or_else(|| Error::new(ErrorCode::NotFound, format!("the machine has no display {index}")))
    }

    /// Starts the machine and waits until the guest runs. On failure nothing is left behind.
    pub fn start(&self, options: &StartOptions) -> Result<()> {
        let mut taps = Vec::new();
        let raw = options.raw(&mut taps);
        ffi::call(|error| unsafe { sys::utm_vm_start(self.as_ptr(), &raw, error) })
    }

    /// As [`start()`](Self::start), without waiting.
    pub fn start_async(&self, options: &StartOptions) -> Call<()> {
        let mut taps = Vec::new();
        let token = call::token(&options.cancel);
        let mut raw = options.raw(&mut taps);
        raw.cancel = cancel::raw(&token);
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_vm_start_async(self.as_ptr(), &raw, Some(on_done), data, free, error)
        })
    }

    /// Stops the machine and tells why it ended. Of a request, the end is waited for, too: for 30 seconds.
    pub fn stop(&self, method: Stop) -> Result<EndReason> {
        self.stop_with(method, &StopOptions::default())
    }

    /// As [`stop()`](Self::stop), with options.
    pub fn stop_with(&self, method: Stop, options: &StopOptions) -> Result<EndReason> {
        let raw = options.raw();
        let until = Instant::now()
            + options.request_timeout.unwrap_or(Duration::from_secs(30)).min(Duration::from_secs(1 << 31));
        ffi::call(|error| unsafe { sys::utm_vm_stop(self.as_ptr(), method.number(), &raw, error) })?;
        loop {
            match self.end_reason() {
                Some(reason) => return Ok(reason),
                None if Instant::now() >= until => {
                    return Err(Error::new(ErrorCode::Timeout, "the guest does not follow the power button".into()))
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Asks the machine to stop, without waiting for more than [`Stop`] says.
    pub fn stop_async(&self, method: Stop, options: &StopOptions) -> Call<()> {
        let token = call::token(&options.cancel);
        let raw = sys::UtmVmStopOptions { cancel: cancel::raw(&token), ..options.raw() };
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_vm_stop_async(self.as_ptr(), method.number(), &raw, Some(on_done), data, free, error)
        })
    }

    fn simple(&self, call: Simple) -> Call<()> {
        Call::begin(None, |data, free, error| unsafe { call(self.as_ptr(), Some(on_done), data, free, error) })
    }

    /// Has the guest stand still, and waits for it.
    pub fn pause(&self) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_vm_pause(self.as_ptr(), error) })
    }

    /// As [`pause()`](Self::pause), without waiting. Nothing cancels it.
    pub fn pause_async(&self) -> Call<()> {
        self.simple(sys::utm_vm_pause_async)
    }

    /// Has the guest go on.
    pub fn resume(&self) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_vm_resume(self.as_ptr(), error) })
    }

    /// As [`resume()`](Self::resume), without waiting. Nothing cancels it.
    pub fn resume_async(&self) -> Call<()> {
        self.simple(sys::utm_vm_resume_async)
    }

    /// Resets the guest as its reset button would.
    pub fn reset(&self) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_vm_reset(self.as_ptr(), error) })
    }

    /// As [`reset()`](Self::reset), without waiting. Nothing cancels it.
    pub fn reset_async(&self) -> Call<()> {
        self.simple(sys::utm_vm_reset_async)
    }

    /// Waits for a state, or for a picture. Needs nobody to dispatch.
    pub fn wait_until(&self, readiness: Readiness, timeout: Duration) -> Result<()> {
        match readiness {
            Readiness::Picture => self.display(0)?.wait_frame(0, timeout).map(|_: Frame| ()),
            Readiness::State(wanted) => {
                let begun = Instant::now();
                while self.state() != wanted {
                    if begun.elapsed() >= timeout {
                        let text = format!("the machine is {} still, not {wanted}", self.state());
                        return Err(Error::new(ErrorCode::Timeout, text));
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(())
            }
        }
    }

    /// Sets who hears of events, in dispatch.
    ///
    /// Whichever thread dispatches runs it, so what it holds must be `Send`:
    ///
    /// ```compile_fail,E0277
    /// # fn example(vm: &utm::Vm) {
    /// let count = std::rc::Rc::new(std::cell::Cell::new(0));
    /// vm.set_event_handler(move |_| count.set(count.get() + 1));
    /// # }
    /// ```
    pub fn set_event_handler(&self, handler: impl FnMut(&VmEvent) + Send + 'static) {
        fn set<F: FnMut(&VmEvent) + Send + 'static>(vm: &Vm, handler: F) {
            let data = Callback::into_data(handler);
            unsafe { sys::utm_vm_set_event_handler(vm.as_ptr(), Some(on_event::<F>), data, Some(Callback::<F>::free)) };
        }
        set(self, handler);
    }

    /// Takes the handler away.
    pub fn clear_event_handler(&self) {
        unsafe { sys::utm_vm_set_event_handler(self.as_ptr(), None, std::ptr::null_mut(), None) };
    }

    /// The events from now on, as an iterator that blocks and as a stream. They end with the machine: that of its end is the
    /// last. It takes the place of the event handler, and of another iterator, which ends.
    ///
    /// ```no_run
    /// # let ctx = utm::Context::new()?;
    /// # let vm = utm::Vm::new(&utm::Bundle::open(&ctx, "Debian.utm")?)?;
    /// let events = vm.events();
    /// vm.start_async(&Default::default()).detach();
    /// for event in events {
    ///     println!("{}: {:?}", event.state, event.kind);
    /// }
    /// println!("{}", vm.end_reason().unwrap());
    /// # Ok::<(), utm::Error>(())
    /// ```
    pub fn events(&self) -> VmEvents {
        let queue = Queue::new();
        let feed = Feed(Arc::clone(&queue));
        self.set_event_handler(move |event| {
            let is_end = matches!(event.kind, VmEventKind::Ended);
            feed.0.push(is_end, |dropped| VmEvent { dropped: event.dropped + dropped, ..event.clone() });
            if is_end {
                feed.0.close();
            }
        });
        VmEvents { context: self.context(), queue }
    }

    /// Number of serial ports in terminal mode.
    pub fn serial_count(&self) -> u32 {
        unsafe { sys::utm_vm_get_serial_count(self.as_ptr()) }
    }

    /// Sets who gets, in dispatch, what the guest writes to a serial port in terminal mode.
    pub fn set_serial_handler(&self, index: u32, handler: impl FnMut(&[u8]) + Send + 'static) -> Result<()> {
        fn set<F: FnMut(&[u8]) + Send + 'static>(vm: &Vm, index: u32, handler: F) -> Result<()> {
            let data = Callback::into_data(handler);
            let free = Some(Callback::<F>::free as unsafe extern "C" fn(*mut c_void));
            ffi::call(|error| unsafe {
                sys::utm_vm_set_serial_handler(vm.as_ptr(), index, Some(on_serial::<F>), data, free, error)
            })
        }
        set(self, index, handler)
    }

    /// Takes the handler away.
    pub fn clear_serial_handler(&self, index: u32) -> Result<()> {
        ffi::call(|error| unsafe {
            sys::utm_vm_set_serial_handler(self.as_ptr(), index, None, std::ptr::null_mut(), None, error)
        })
    }

    /// Sends bytes to a serial port, as if typed on a terminal there. They are queued.
    pub fn serial_write(&self, index: u32, data: &[u8]) -> Result<()> {
        ffi::call(|error| unsafe {
            sys::utm_vm_serial_write(self.as_ptr(), index, data.as_ptr().cast(), data.len(), error)
        })
    }

    /// Why the machine ended the last time; `None` before its first end and while it runs.
    pub fn end_reason(&self) -> Option<EndReason> {
        unsafe { EndReason::borrow(sys::utm_vm_get_end_reason(self.as_ptr())) }
    }
}

/// The events of a machine, see [`Vm::events()`].
pub struct VmEvents {
    context: Context,
    queue: Arc<Queue<VmEvent>>,
}

impl VmEvents {
    /// Waits for the next event, for a limited time, dispatching the context meanwhile. `None` when the time is over, and after
    /// the last one.
    pub fn next_within(&mut self, timeout: Duration) -> Option<VmEvent> {
        call::drive(&self.context, Instant::now().checked_add(timeout), |task| self.queue.poll(task)).flatten()
    }
}

impl Iterator for VmEvents {
    type Item = VmEvent;

    /// Waits for the next event, dispatching the context meanwhile.
    fn next(&mut self) -> Option<VmEvent> {
        call::drive(&self.context, None, |task| self.queue.poll(task)).flatten()
    }
}

impl Stream for VmEvents {
    type Item = VmEvent;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<VmEvent>> {
        self.queue.poll(task)
    }
}

handle! {
    /// Why a machine ended. Shown, it is one line for people.
    EndReason, UtmEndReason, utm_end_reason_ref, utm_end_reason_unref
}
shared!(EndReason, utm_end_reason_ref);

// SAFETY: an end's reason never changes; counted atomically.
unsafe impl Send for EndReason {}
// SAFETY: as above; everything only reads.
unsafe impl Sync for EndReason {}

impl EndReason {
    /// What kind of end it was.
    pub fn kind(&self) -> EndKind {
        EndKind::from_number(unsafe { sys::utm_end_reason_get_kind(self.as_ptr()) })
    }

    /// One line for people.
    pub fn text(&self) -> &str {
        unsafe { ffi::borrow(sys::utm_end_reason_get_text(self.as_ptr())).unwrap_or("") }
    }

    /// The reason that QEMU's `SHUTDOWN` event gave, such as `guest-shutdown`.
    pub fn qemu_reason(&self) -> Option<&str> {
        unsafe { ffi::borrow(sys::utm_end_reason_get_qemu_reason(self.as_ptr())) }
    }

    /// QEMU's exit status, unless a signal ended it or it never ran.
    pub fn exit_status(&self) -> Option<i32> {
        Some(unsafe { sys::utm_end_reason_get_exit_status(self.as_ptr()) }).filter(|status| *status >= 0)
    }

    /// The signal that ended QEMU.
    pub fn signal(&self) -> Option<i32> {
        Some(unsafe { sys::utm_end_reason_get_signal(self.as_ptr()) }).filter(|signal| *signal > 0)
    }

    /// The last lines QEMU wrote to its standard error.
    pub fn stderr_tail(&self) -> Option<&str> {
        unsafe { ffi::borrow(sys::utm_end_reason_get_stderr_tail(self.as_ptr())) }
    }

    /// The error of a failed start.
    pub fn error(&self) -> Option<Error> {
        unsafe { Error::borrow(sys::utm_end_reason_get_error(self.as_ptr())) }
    }
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.text())
    }
}

impl VmEvent {
    /// The data of an event of QEMU's as a value.
    pub fn data(&self) -> Result<Value> {
        match &self.kind {
            VmEventKind::Qmp(_, Some(json)) => Value::from_json(json),
            _ => Ok(Value::Null),
        }
    }
}

impl std::fmt::Display for EndKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(unsafe { ffi::borrow(sys::utm_end_kind_get_name(self.number())).unwrap_or("unknown") })
    }
}
