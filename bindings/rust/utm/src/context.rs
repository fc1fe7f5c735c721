// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where the library's thread, its events and its policy live.

use crate::call::{self, Bell, Rope};
use crate::error::{Error, ErrorCode, Result};
use crate::ffi::{self, handle, numbers, shared, Callback, Texts};
use crate::options::options;
use std::ffi::{c_char, c_int, c_void};
use std::future::Future;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use utm_sys as sys;

numbers! {
    /// How much a log handler is told.
    LogLevel {
        /// Nothing.
        None = UTM_LOG_NONE,
        /// What failed.
        Error = UTM_LOG_ERROR,
        /// What may go wrong.
        Warning = UTM_LOG_WARNING,
        /// What happens.
        Info = UTM_LOG_INFO,
        /// All.
        Debug = UTM_LOG_DEBUG,
    }
}

numbers! {
    /// Which accelerator machines may use.
    AccelPolicy {
        /// A hardware accelerator that has been proven to work for the guest's architecture, else TCG.
        Auto = UTM_ACCEL_POLICY_AUTO,
        /// As auto, but only when the configuration asks for a hypervisor too.
        Config = UTM_ACCEL_POLICY_CONFIG,
        /// KVM, or fail.
        Kvm = UTM_ACCEL_POLICY_KVM,
        /// Always emulate.
        Tcg = UTM_ACCEL_POLICY_TCG,
    }
}

numbers! {
    /// What becomes of the additional arguments of a configuration, which can run programs and open files.
    ArgumentPolicy {
        /// QEMU gets them, and a warning lists them.
        List = UTM_ARGUMENT_POLICY_LIST,
        /// QEMU gets them.
        Allow = UTM_ARGUMENT_POLICY_ALLOW,
        /// A machine that has any does not start.
        Refuse = UTM_ARGUMENT_POLICY_REFUSE,
    }
}

options! {
    /// Options of [`Context::with()`].
    ContextOptions {
        /// Directories to look for QEMU programs in, before `PATH`.
        qemu_dirs: list<PathBuf>,
        /// Directories to look for UEFI firmware in, before the usual ones.
        firmware_dirs: list<PathBuf>,
        /// Where private run-time files (sockets) go.
        runtime_dir: path,
        /// The console engine program, instead of the installed one.
        console_engine: path,
        /// Which accelerator machines may use.
        accel_policy: option<AccelPolicy>,
        /// What becomes of additional arguments.
        argument_policy: option<ArgumentPolicy>,
    }
}

handle! {
    /// The library's thread, event queue and policy. Everything else belongs to one, and keeps it alive.
    ///
    /// Callbacks, wakers of futures and streams run where a thread dispatches it. Any loop can do that: the context is
    /// [`AsFd`], its descriptor becomes readable when there is something to dispatch, and then it is time for
    /// [`dispatch()`](Self::dispatch). Programs without a loop have [`wait()`](Self::wait), [`block_on()`](Self::block_on) or a
    /// [`Dispatcher`]; those that only call blocking functions need none of it.
    ///
    /// ```
    /// use std::os::fd::AsFd;
    /// let ctx = utm::Context::new()?;
    /// let _for_the_reactor = ctx.as_fd();
    /// assert_eq!(ctx.dispatch()?, 0);
    /// # Ok::<(), utm::Error>(())
    /// ```
    Context, UtmContext, utm_context_ref, utm_context_unref
}
shared!(Context, utm_context_ref);

// SAFETY: every function of context.h is for any thread; where only one may be at a time (dispatch), the library refuses the
// others. Callbacks that other threads may run are `Send`.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

unsafe extern "C" fn on_log<F: FnMut(LogLevel, &str) + Send>(
    _: *mut sys::UtmContext,
    level: u32,
    message: *const c_char,
    data: *mut c_void,
) {
    let message = ffi::borrow(message).unwrap_or("");
    Callback::<F>::run(data, |f| f(LogLevel::from_number(level), message));
}

unsafe extern "C" fn on_wakeup<F: Fn() + Send + Sync>(data: *mut c_void) {
    let f = &*data.cast_const().cast::<F>();
    // Nobody dispatches here: there is nowhere to resume.
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err() {
        std::process::abort();
    }
}

unsafe extern "C" fn free_wakeup<F>(data: *mut c_void) {
    ffi::guard(|| drop(Box::from_raw(data.cast::<F>())));
}

impl Context {
    /// A context with all defaults.
    pub fn new() -> Result<Self> {
        Self::with(&ContextOptions::default())
    }

    /// A context with options.
    pub fn with(options: &ContextOptions) -> Result<Self> {
        let dirs = |dirs: &[PathBuf]| {
            let owned = dirs.iter().map(|dir| ffi::path(dir)).collect::<Result<Vec<_>>>()?;
            Ok::<_, Error>((!owned.is_empty()).then(|| Texts::of(owned)))
        };
        let qemu_dirs = dirs(&options.qemu_dirs)?;
        let firmware_dirs = dirs(&options.firmware_dirs)?;
        let runtime_dir = options.runtime_dir.as_deref().map(ffi::path).transpose()?;
        let console_engine = options.console_engine.as_deref().map(ffi::path).transpose()?;
        let raw = sys::UtmContextOptions {
            qemu_dirs: qemu_dirs.as_ref().map_or(std::ptr::null(), Texts::as_ptr),
            firmware_dirs: firmware_dirs.as_ref().map_or(std::ptr::null(), Texts::as_ptr),
            runtime_dir: ffi::pointer(&runtime_dir),
            console_engine: ffi::pointer(&console_engine),
            accel_policy: options.accel_policy.map_or(0, AccelPolicy::number),
            argument_policy: options.argument_policy.map_or(0, ArgumentPolicy::number),
            ..Default::default()
        };
        let mut error = std::ptr::null_mut();
        let context = unsafe { sys::utm_context_new(&raw, &mut error) };
        if context.is_null() {
            return Err(unsafe { Error::take(error, sys::UTM_ERROR_IO) });
        }
        Ok(unsafe { Self::take(context) })
    }

    fn count(result: c_int) -> Result<usize> {
        ffi::resume();
        match usize::try_from(result) {
            Ok(count) => Ok(count),
            Err(_) if result == sys::UTM_ERROR_INVALID_STATE => Err(Error::new(
                ErrorCode::InvalidState,
                "another thread dispatches, or this is inside a callback".into(),
            )),
            Err(_) => Err(Error::new(ErrorCode::from_number(result), "cannot dispatch here".into())),
        }
    }

    /// Runs the callbacks of events that were queued when it was entered, and tells how many.
    ///
    /// # Panics
    /// When a callback did: the panic goes on from here.
    pub fn dispatch(&self) -> Result<usize> {
        Self::count(unsafe { sys::utm_context_dispatch(self.as_ptr(), 0) })
    }

    /// As [`dispatch()`](Self::dispatch), of at most `most` events.
    pub fn dispatch_some(&self, most: usize) -> Result<usize> {
        let most = c_int::try_from(most.max(1)).unwrap_or(c_int::MAX);
        Self::count(unsafe { sys::utm_context_dispatch(self.as_ptr(), most) })
    }

    /// Waits until there is something to dispatch, and dispatches it. `Duration::MAX` waits for ever.
    ///
    /// # Panics
    /// When a callback did.
    pub fn wait(&self, timeout: Duration) -> Result<usize> {
        let ms = c_int::try_from(ffi::parameter_ms(timeout)).unwrap_or(c_int::MAX);
        Self::count(unsafe { sys::utm_context_wait(self.as_ptr(), ms) })
    }

    /// Runs a future to its end on this thread, and dispatches the context meanwhile. Callbacks may run here or, where there
    /// is a [`Dispatcher`], on its thread. The future may also wait for things that have nothing to do with this library.
    ///
    /// # Panics
    /// Inside a callback, and when a callback did.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        call::drive(self, None, |task| future.as_mut().poll(task)).expect("no deadline")
    }

    /// As [`block_on()`](Self::block_on), for a limited time. `None` when that is over; the future is dropped then.
    pub fn block_on_for<F: Future>(&self, timeout: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        call::drive(self, Instant::now().checked_add(timeout), |task| future.as_mut().poll(task))
    }

    /// Sets who gets the log, up to a level. It runs in dispatch.
    pub fn set_log_handler(&self, level: LogLevel, handler: impl FnMut(LogLevel, &str) + Send + 'static) {
        fn set<F: FnMut(LogLevel, &str) + Send + 'static>(context: &Context, level: LogLevel, handler: F) {
            let data = Callback::into_data(handler);
            let free = Some(Callback::<F>::free as unsafe extern "C" fn(*mut c_void));
            unsafe {
                sys::utm_context_set_log_handler(context.as_ptr(), level.number(), Some(on_log::<F>), data, free)
            };
        }
        set(self, level, handler);
    }

    /// Takes the log handler away.
    pub fn clear_log_handler(&self) {
        unsafe { sys::utm_context_set_log_handler(self.as_ptr(), 0, None, std::ptr::null_mut(), None) };
    }

    /// Sets what is called when events arrive, for loops that cannot poll a descriptor. It may run on any thread, must do
    /// nothing but wake the loop, and must not panic.
    pub fn set_wakeup(&self, wakeup: impl Fn() + Send + Sync + 'static) -> Result<()> {
        fn set<F: Fn() + Send + Sync + 'static>(context: &Context, wakeup: F) -> c_int {
            let data = Box::into_raw(Box::new(wakeup)).cast::<c_void>();
            unsafe { sys::utm_context_set_wakeup(context.as_ptr(), Some(on_wakeup::<F>), data, Some(free_wakeup::<F>)) }
        }
        ffi::call(|_| set(self, wakeup))
    }

    /// Takes the wakeup callback away; it is not running any more when this returns.
    pub fn clear_wakeup(&self) -> Result<()> {
        ffi::call(|_| unsafe { sys::utm_context_set_wakeup(self.as_ptr(), None, std::ptr::null_mut(), None) })
    }
}

impl AsFd for Context {
    /// The descriptor to watch for reading. It belongs to the context: neither read nor close it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        unsafe { BorrowedFd::borrow_raw(sys::utm_context_get_fd(self.as_ptr())) }
    }
}

impl std::os::fd::AsRawFd for Context {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        unsafe { sys::utm_context_get_fd(self.as_ptr()) }
    }
}

/// A thread that dispatches a context, for programs without a loop: callbacks and wakers run on it. It ends when this is
/// dropped.
///
/// ```
/// let ctx = utm::Context::new()?;
/// let _dispatcher = utm::Dispatcher::new(&ctx)?;
/// // From here on futures make progress, whatever executor polls them.
/// # Ok::<(), utm::Error>(())
/// ```
#[derive(Debug)]
pub struct Dispatcher {
    thread: Option<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    rope: Arc<Rope>,
}

impl Dispatcher {
    /// Starts the thread.
    pub fn new(context: &Context) -> Result<Self> {
        let problem = |error: std::io::Error| Error::new(ErrorCode::Io, format!("cannot start a thread: {error}"));
        let bell = Bell::new().map_err(problem)?;
        let over = Arc::new(AtomicBool::new(false));
        let (rope, context, is_over) = (bell.rope(), context.clone(), Arc::clone(&over));
        let thread = std::thread::Builder::new()
            .name("utm-dispatch".into())
            .spawn(move || {
                while !is_over.load(Ordering::Acquire) {
                    bell.wait(&context, None);
                }
            })
            .map_err(problem)?;
        Ok(Self { thread: Some(thread), over, rope })
    }

    fn end(&mut self) -> std::thread::Result<()> {
        self.over.store(true, Ordering::Release);
        self.rope.ring();
        match self.thread.take() {
            // Its own thread, in a callback: it ends when that returns.
            Some(thread) if thread.thread().id() == std::thread::current().id() => Ok(()),
            Some(thread) => thread.join(),
            None => Ok(()),
        }
    }

    /// Ends the thread.
    ///
    /// # Panics
    /// When a callback did on it; then nothing was dispatched any more.
    pub fn stop(mut self) {
        if let Err(panic) = self.end() {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Dispatcher {
    /// Ends the thread. A panic of a callback has told of itself already, and is not repeated.
    fn drop(&mut self) {
        let _ = self.end();
    }
}
