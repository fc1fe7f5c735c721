// SPDX-License-Identifier: LGPL-2.1-or-later
//! Calls that go on while the program does something else, and queues of what happened: the part of the crate that futures and
//! streams are made of. No runtime is assumed: wakers are called inside dispatch, whoever dispatches.

use crate::cancel::Cancel;
use crate::error::{Error, ErrorCode, Result};
use crate::ffi::{self, lock};
use crate::Context;
use std::collections::VecDeque;
use std::ffi::{c_int, c_short, c_void};
use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use utm_sys as sys;

// --- one answer ---

struct Answer<T> {
    value: Option<Result<T>>,
    waker: Option<Waker>,
    over: bool,
}

/// What the library calls when an asynchronous call is over: the user data of its callback.
pub(crate) struct Promise<T>(Mutex<Answer<T>>);

impl<T: Send> Promise<T> {
    fn settle(&self, value: Result<T>) {
        let waker = {
            let mut answer = lock(&self.0);
            if answer.over {
                return;
            }
            answer.over = true;
            answer.value = Some(value);
            answer.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Called by the function of a callback triple.
    ///
    /// # Safety
    /// `data` is what `begin()` gave for the same `T`, and its `free()` was not called.
    pub(crate) unsafe fn complete(data: *mut c_void, error: *const sys::UtmError, value: impl FnOnce() -> T) {
        let this = &*data.cast_const().cast::<Self>();
        ffi::guard(|| this.settle(Error::borrow(error).map_or_else(|| Ok(value()), Err)));
    }

    unsafe extern "C" fn free(data: *mut c_void) {
        let this = Arc::from_raw(data.cast_const().cast::<Self>());
        ffi::guard(|| {
            this.settle(Err(Error::dropped()));
            drop(this);
        });
    }
}

/// A call under way: a future of its result. Somebody has to dispatch the context meanwhile: a loop that watches its
/// descriptor, a [`Dispatcher`](crate::Dispatcher), or [`Context::block_on()`].
///
/// Dropped before its end it triggers the call's [`Cancel`]: that of the options, else one of its own.
/// [`detach()`](Self::detach) lets the call go on by itself.
#[must_use = "a call that is dropped is cancelled"]
pub struct Call<T> {
    promise: Arc<Promise<T>>,
    cancel: Option<Cancel>,
}

impl<T: Send> Call<T> {
    /// Submits a call. `submit` gets user data and the function that frees it, of which C calls the latter in any case.
    pub(crate) fn begin(
        cancel: Option<Cancel>,
        submit: impl FnOnce(*mut c_void, sys::UtmFreeFunc, *mut *mut sys::UtmError) -> c_int,
    ) -> Self {
        let promise = Arc::new(Promise(Mutex::new(Answer { value: None, waker: None, over: false })));
        let data = Arc::into_raw(Arc::clone(&promise)).cast_mut().cast::<c_void>();
        if let Err(error) = ffi::call(|ret_error| submit(data, Some(Promise::<T>::free), ret_error)) {
            // `free()` was first, with nothing to tell.
            let mut answer = lock(&promise.0);
            answer.over = true;
            answer.value = Some(Err(error));
        }
        Self { promise, cancel }
    }

    /// One that failed before it began.
    pub(crate) fn failed(error: Error) -> Self {
        Self {
            promise: Arc::new(Promise(Mutex::new(Answer { value: Some(Err(error)), waker: None, over: true }))),
            cancel: None,
        }
    }
}

impl<T> Call<T> {
    /// Lets the call go on without anybody who waits for its end.
    pub fn detach(mut self) {
        self.cancel = None;
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        lock(&self.promise.0).over
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T>;

    /// # Panics
    /// After it was ready.
    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let mut answer = lock(&self.promise.0);
        if let Some(value) = answer.value.take() {
            return Poll::Ready(value);
        }
        assert!(!answer.over, "a call was polled after its end");
        answer.waker = Some(task.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        let over = lock(&self.promise.0).over;
        if let Some(cancel) = self.cancel.take().filter(|_| !over) {
            cancel.trigger();
        }
    }
}

/// The token of a call's options, or one for the call to be dropped by.
pub(crate) fn token(cancel: &Option<Cancel>) -> Option<Cancel> {
    Some(cancel.clone().unwrap_or_default())
}

// --- many ---

/// What waits for a program that does not take it; then the newest is dropped and counted.
const ROOM: usize = 1024;

struct Waiting<T> {
    items: VecDeque<T>,
    dropped: u64,
    closed: bool,
    waker: Option<Waker>,
}

/// What handlers put events into.
pub(crate) struct Queue<T>(Mutex<Waiting<T>>);

impl<T> Queue<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Waiting { items: VecDeque::new(), dropped: 0, closed: false, waker: None })))
    }

    fn change(&self, f: impl FnOnce(&mut Waiting<T>)) {
        let waker = {
            let mut waiting = lock(&self.0);
            f(&mut waiting);
            waiting.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// `make` gets the number of those that were dropped before. `keep`: also without room.
    pub(crate) fn push(&self, keep: bool, make: impl FnOnce(u64) -> T) {
        self.change(|waiting| {
            if waiting.items.len() >= ROOM && !keep {
                waiting.dropped += 1;
            } else {
                let dropped = std::mem::take(&mut waiting.dropped);
                waiting.items.push_back(make(dropped));
            }
        });
    }

    /// Puts one in unless one waits already.
    pub(crate) fn notify(&self, item: T) {
        self.change(|waiting| {
            if waiting.items.is_empty() {
                waiting.items.push_back(item);
            }
        });
    }

    /// Nothing will come any more.
    pub(crate) fn close(&self) {
        self.change(|waiting| waiting.closed = true);
    }

    pub(crate) fn poll(&self, task: &mut Task<'_>) -> Poll<Option<T>> {
        let mut waiting = lock(&self.0);
        if let Some(item) = waiting.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        if waiting.closed {
            return Poll::Ready(None);
        }
        waiting.waker = Some(task.waker().clone());
        Poll::Pending
    }
}

/// Closes its queue when the handler that holds it goes.
pub(crate) struct Feed<T>(pub(crate) Arc<Queue<T>>);

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

// --- waiting ---

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

const POLLIN: c_short = 1;

#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
type Count = std::ffi::c_uint;
#[cfg(not(any(target_os = "macos", target_os = "ios", target_os = "freebsd")))]
type Count = std::ffi::c_ulong;

extern "C" {
    fn poll(fds: *mut PollFd, count: Count, timeout_ms: c_int) -> c_int;
}

/// A pair of sockets by which one thread wakes another out of `poll()`.
pub(crate) struct Bell {
    near: UnixStream,
    far: Arc<Rope>,
}

#[derive(Debug)]
pub(crate) struct Rope(UnixStream);

impl Rope {
    pub(crate) fn ring(&self) {
        // When it is full, it has rung.
        let _ = (&self.0).write(&[1]);
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Bell {
    pub(crate) fn new() -> std::io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok(Self { near, far: Arc::new(Rope(far)) })
    }

    pub(crate) fn rope(&self) -> Arc<Rope> {
        Arc::clone(&self.far)
    }

    /// Waits until the context has something to dispatch, and dispatches it, or until the bell rings or the time is over.
    pub(crate) fn wait(&self, context: &Context, until: Option<Instant>) {
        let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
        let timeout = c_int::try_from(ffi::parameter_ms(left)).unwrap_or(c_int::MAX);
        let mut fds =
            [context.as_fd().as_raw_fd(), self.near.as_raw_fd()].map(|fd| PollFd { fd, events: POLLIN, revents: 0 });
        // An interrupted poll is one that found nothing; the caller comes again.
        unsafe { poll(fds.as_mut_ptr(), 2, timeout) };
        if fds[1].revents != 0 {
            let mut bytes = [0; 64];
            while matches!((&self.near).read(&mut bytes), Ok(count) if count > 0) {}
        }
        if fds[0].revents != 0 {
            match context.dispatch() {
                // Another thread is at it. The descriptor is readable until it is done.
                Err(error) if error.code() == ErrorCode::InvalidState => {
                    unsafe { poll(&mut fds[1], 1, 1) };
                }
                _ => (),
            }
        }
    }
}

thread_local! {
    static BELL: std::cell::RefCell<Option<Bell>> = const { std::cell::RefCell::new(None) };
}

/// Polls `f` until it is ready, dispatching meanwhile; `None` after the time.
pub(crate) fn drive<T>(
    context: &Context,
    until: Option<Instant>,
    mut f: impl FnMut(&mut Task<'_>) -> Poll<T>,
) -> Option<T> {
    assert!(!ffi::in_callback(), "waiting for a future or an event stream inside a callback of the same library");
    let bell = BELL.take().unwrap_or_else(|| Bell::new().expect("descriptors to wait with"));
    let waker = Waker::from(bell.rope());
    let mut task = Task::from_waker(&waker);
    let result = loop {
        if let Poll::Ready(value) = f(&mut task) {
            break Some(value);
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            break None;
        }
        bell.wait(context, until);
    };
    BELL.set(Some(bell));
    result
}
