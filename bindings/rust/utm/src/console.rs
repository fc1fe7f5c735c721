// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a person sees and touches: displays, their pictures, keys and pointer.

use crate::call::{self, Feed, Queue};
use crate::cancel::{self, Cancel};
use crate::error::{Error, Result};
use crate::ffi::{self, handle, numbers, shared, Callback};
use crate::options::options;
use crate::Context;
use futures_core::Stream;
use std::ffi::c_void;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;
use utm_sys as sys;

numbers! {
    /// Where a console is.
    ConsoleState {
        /// The server has not answered yet.
        Connecting = UTM_CONSOLE_STATE_CONNECTING,
        /// Pictures come, keys go.
        Connected = UTM_CONSOLE_STATE_CONNECTED,
        /// The engine ended and is being started again.
        Reconnecting = UTM_CONSOLE_STATE_RECONNECTING,
        /// Over.
        Closed = UTM_CONSOLE_STATE_CLOSED,
        /// Nothing to connect to yet: the machine was never started.
        Idle = UTM_CONSOLE_STATE_IDLE,
    }
}

numbers! {
    /// Where the pointer's position comes from.
    PointerMode {
        /// The guest moves it by relative motion.
        Server = UTM_POINTER_MODE_SERVER,
        /// The application says where it is.
        Client = UTM_POINTER_MODE_CLIENT,
    }
}

/// An event of a console.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConsoleEvent {
    /// The state changed.
    State(ConsoleState),
    /// The engine process ended by itself. A state event follows.
    EngineLost(Option<Error>),
    /// A display has got a picture for the first time, or again, or has changed its size.
    DisplayShown(u32),
    /// A display has no picture any more.
    DisplayHidden(u32),
    /// The guest takes keys and pointer from now on.
    InputReady,
    /// Where the pointer's position comes from changed.
    PointerMode,
    /// One that this version of the crate does not know.
    Unknown(u32),
}

options! {
    /// Options of [`Console::connect()`].
    ConsoleOptions {
        /// Until the server has answered: 15 seconds unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Password of the server's ticket.
        password: text,
    }
}

/// Buttons of a pointer, as a set: `Buttons::LEFT | Buttons::RIGHT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Buttons(u32);

impl Buttons {
    /// No button.
    pub const NONE: Self = Self(0);
    /// The left one.
    pub const LEFT: Self = Self(sys::UTM_POINTER_LEFT);
    /// The middle one.
    pub const MIDDLE: Self = Self(sys::UTM_POINTER_MIDDLE);
    /// The right one.
    pub const RIGHT: Self = Self(sys::UTM_POINTER_RIGHT);
    /// The wheel, away from the person.
    pub const WHEEL_UP: Self = Self(sys::UTM_POINTER_WHEEL_UP);
    /// The wheel, towards the person.
    pub const WHEEL_DOWN: Self = Self(sys::UTM_POINTER_WHEEL_DOWN);
    /// The first one at the side.
    pub const SIDE: Self = Self(sys::UTM_POINTER_SIDE);
    /// The second one at the side.
    pub const EXTRA: Self = Self(sys::UTM_POINTER_EXTRA);
}

impl std::ops::BitOr for Buttons {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

handle! {
    /// A connection to a machine's screens and input devices.
    Console, UtmConsole, utm_console_ref, utm_console_unref
}
shared!(Console, utm_console_ref);

// SAFETY: every function of console.h is for any thread; handlers that dispatching threads run are `Send`.
unsafe impl Send for Console {}
// SAFETY: as above.
unsafe impl Sync for Console {}

unsafe extern "C" fn on_event<F: FnMut(&ConsoleEvent) + Send>(
    _: *mut sys::UtmConsole,
    event: *const sys::UtmConsoleEvent,
    data: *mut c_void,
) {
    let raw = &*event;
    let event = match raw.kind {
        sys::UTM_CONSOLE_EVENT_STATE => ConsoleEvent::State(ConsoleState::from_number(raw.state)),
        sys::UTM_CONSOLE_EVENT_ENGINE_LOST => ConsoleEvent::EngineLost(Error::borrow(raw.error)),
        sys::UTM_CONSOLE_EVENT_DISPLAY_SHOWN => ConsoleEvent::DisplayShown(raw.display),
        sys::UTM_CONSOLE_EVENT_DISPLAY_HIDDEN => ConsoleEvent::DisplayHidden(raw.display),
        sys::UTM_CONSOLE_EVENT_INPUT_READY => ConsoleEvent::InputReady,
        sys::UTM_CONSOLE_EVENT_POINTER_MODE => ConsoleEvent::PointerMode,
        other => ConsoleEvent::Unknown(other),
    };
    Callback::<F>::run(data, |f| f(&event));
}

impl Console {
    /// Connects to a SPICE server's unix socket, no matter who started the server.
    pub fn connect(context: &Context, path: impl AsRef<Path>, options: &ConsoleOptions) -> Result<Self> {
        let (path, password) = (ffi::path(path.as_ref())?, ffi::optional(options.password.as_deref())?);
        let raw = sys::UtmConsoleOptions {
            timeout_ms: ffi::option_ms(options.timeout),
            cancel: cancel::raw(&options.cancel),
            password: ffi::pointer(&password),
            ..Default::default()
        };
        let made = ffi::call_for(|console, error| unsafe {
            sys::utm_console_connect_path(context.as_ptr(), path.as_ptr(), &raw, console, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Closes the connection and ends the engine. Frames that were acquired stay valid.
    pub fn close(&self) {
        unsafe { sys::utm_console_close(self.as_ptr()) }
    }

    /// Where it is.
    pub fn state(&self) -> ConsoleState {
        ConsoleState::from_number(unsafe { sys::utm_console_get_state(self.as_ptr()) })
    }

    /// Process id of the engine, for diagnosis.
    pub fn engine_pid(&self) -> Option<i64> {
        Some(unsafe { sys::utm_console_get_engine_pid(self.as_ptr()) }).filter(|pid| *pid >= 0)
    }

    /// Sets who hears of events, in dispatch. The present state is told at once.
    pub fn set_event_handler(&self, handler: impl FnMut(&ConsoleEvent) + Send + 'static) {
        fn set<F: FnMut(&ConsoleEvent) + Send + 'static>(console: &Console, handler: F) {
            let data = Callback::into_data(handler);
            unsafe {
                sys::utm_console_set_event_handler(
                    console.as_ptr(),
                    Some(on_event::<F>),
                    data,
                    Some(Callback::<F>::free),
                );
            }
        }
        set(self, handler);
    }

    /// Takes the handler away.
    pub fn clear_event_handler(&self) {
        unsafe { sys::utm_console_set_event_handler(self.as_ptr(), None, std::ptr::null_mut(), None) };
    }

    /// A display of the server, by the number of its SPICE channel, 0 to 15. It need not show anything yet. `None` beyond.
    pub fn display(&self, index: u32) -> Option<Display> {
        unsafe { Display::borrow(sys::utm_console_get_display(self.as_ptr(), index)) }
    }

    /// Presses or releases a key. `scancode`: PC AT set 1, 1 to 0x7f; codes with the prefix E0 as 0x100 + code.
    pub fn send_key(&self, scancode: u32, pressed: bool) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_console_send_key(self.as_ptr(), scancode, pressed, error) })
    }

    /// Presses and releases a key.
    pub fn type_key(&self, scancode: u32) -> Result<()> {
        self.send_key(scancode, true)?;
        self.send_key(scancode, false)
    }

    /// Moves the pointer to a position of a display, with the buttons that are pressed. Has an effect in
    /// [`PointerMode::Client`] only.
    pub fn move_pointer(&self, display: u32, x: i32, y: i32, buttons: Buttons) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_console_move_pointer(self.as_ptr(), display, x, y, buttons.0, error) })
    }

    /// Moves the pointer by a distance. Has an effect in [`PointerMode::Server`] only.
    pub fn move_pointer_by(&self, dx: i32, dy: i32, buttons: Buttons) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_console_move_pointer_by(self.as_ptr(), dx, dy, buttons.0, error) })
    }

    /// Presses or releases one button; `buttons` are all that are pressed after this.
    pub fn send_button(&self, button: Buttons, pressed: bool, buttons: Buttons) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_console_send_button(self.as_ptr(), button.0, pressed, buttons.0, error) })
    }

    /// Where the pointer's position comes from.
    pub fn pointer_mode(&self) -> PointerMode {
        PointerMode::from_number(unsafe { sys::utm_console_get_pointer_mode(self.as_ptr()) })
    }
}

handle! {
    /// One screen of a console. Its pictures are pulled: [`frame()`](Self::frame) gives the latest.
    Display, UtmDisplay, utm_display_ref, utm_display_unref
}
shared!(Display, utm_display_ref);

// SAFETY: every function of display.h is for any thread; the frame handler is `Send`.
unsafe impl Send for Display {}
// SAFETY: as above.
unsafe impl Sync for Display {}

unsafe extern "C" fn on_frame<F: FnMut() + Send>(_: *mut sys::UtmDisplay, data: *mut c_void) {
    Callback::<F>::run(data, |f| f());
}

impl Display {
    /// Its number, counted from 0.
    pub fn index(&self) -> u32 {
        unsafe { sys::utm_display_get_index(self.as_ptr()) }
    }

    /// The latest picture, when there is one.
    pub fn frame(&self) -> Option<Frame> {
        let raw = unsafe { sys::utm_display_acquire_frame(self.as_ptr()) };
        (!raw.is_null()).then(|| unsafe { Frame::take(raw) })
    }

    /// Waits for a picture newer than the one with that serial number (0: any). Needs nobody to dispatch. `Duration::MAX` waits
    /// for ever.
    pub fn wait_frame(&self, after: u64, timeout: Duration) -> Result<Frame> {
        self.wait_frame_or(after, timeout, None)
    }

    /// As [`wait_frame()`](Self::wait_frame), until cancelled.
    pub fn wait_frame_or(&self, after: u64, timeout: Duration, cancel: Option<&Cancel>) -> Result<Frame> {
        let (ms, cancel) = (ffi::parameter_ms(timeout), cancel.map_or(std::ptr::null_mut(), Cancel::as_ptr));
        let frame = ffi::call_for(|frame, error| unsafe {
            sys::utm_display_wait_frame(self.as_ptr(), after, ms, cancel, frame, error)
        })?;
        Ok(unsafe { Frame::take(frame) })
    }

    /// Takes a screenshot: waits for a picture if there is none yet, and writes it as PNG.
    pub fn save_screenshot(&self, path: impl AsRef<Path>, timeout: Duration) -> Result<()> {
        let path = ffi::path(path.as_ref())?;
        let ms = ffi::parameter_ms(timeout);
        ffi::call(|error| unsafe { sys::utm_display_save_screenshot(self.as_ptr(), path.as_ptr(), ms, error) })
    }

    /// Sets who hears, in dispatch, that there is a new picture. When there is one already, it is told at once.
    pub fn set_frame_handler(&self, handler: impl FnMut() + Send + 'static) {
        fn set<F: FnMut() + Send + 'static>(display: &Display, handler: F) {
            let data = Callback::into_data(handler);
            unsafe {
                sys::utm_display_set_frame_handler(
                    display.as_ptr(),
                    Some(on_frame::<F>),
                    data,
                    Some(Callback::<F>::free),
                );
            }
        }
        set(self, handler);
    }

    /// Takes the handler away.
    pub fn clear_frame_handler(&self) {
        unsafe { sys::utm_display_set_frame_handler(self.as_ptr(), None, std::ptr::null_mut(), None) };
    }

    /// Pictures as they come, the latest each time, as a stream. It takes the place of the frame handler. It ends when another
    /// one takes its place, not with the machine: watch [`Vm::events()`](crate::Vm::events) too.
    pub fn frames(&self) -> Frames {
        let queue = Queue::new();
        let feed = Feed(Arc::clone(&queue));
        self.set_frame_handler(move || feed.0.notify(()));
        Frames { display: self.clone(), queue }
    }
}

/// The pictures of a display as they come: a stream, see [`Display::frames()`].
pub struct Frames {
    display: Display,
    queue: Arc<Queue<()>>,
}

impl Frames {
    /// Waits for the next picture, dispatching the context meanwhile. `None` when the time is over.
    pub fn next_within(&mut self, context: &Context, timeout: Duration) -> Option<Frame> {
        let until = std::time::Instant::now().checked_add(timeout);
        call::drive(context, until, |task| Pin::new(&mut *self).poll_next(task)).flatten()
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Frame>> {
        loop {
            match self.queue.poll(task) {
                Poll::Ready(Some(())) => {
                    if let Some(frame) = self.display.frame() {
                        return Poll::Ready(Some(frame));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// A rectangle in pixels; the origin is the upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Rect {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

const _: () = assert!(size_of::<Rect>() == size_of::<sys::UtmRect>() && std::mem::offset_of!(Rect, height) == 12);

handle! {
    /// One immutable picture. Its pixels are those in shared memory, without a copy; they stay as they are as long as this lives,
    /// which may be longer than display, machine and context.
    ///
    /// ```no_run
    /// # fn show(_: &[u8]) {}
    /// # let ctx = utm::Context::new()?;
    /// # let console = utm::Console::connect(&ctx, "/run/spice.sock", &Default::default())?;
    /// let frame = console.display(0).unwrap().wait_frame(0, std::time::Duration::from_secs(10))?;
    /// for rect in frame.damage() {
    ///     for row in frame.rows().skip(rect.y as usize).take(rect.height as usize) {
    ///         show(&row[rect.x as usize * 4..][..rect.width as usize * 4]);
    ///     }
    /// }
    /// # Ok::<(), utm::Error>(())
    /// ```
    Frame, UtmFrame, utm_frame_ref, utm_frame_unref
}
shared!(Frame, utm_frame_ref);

// SAFETY: a frame is immutable, and nothing writes to its pixels while a reference exists (display.h); counted atomically.
unsafe impl Send for Frame {}
// SAFETY: as above.
unsafe impl Sync for Frame {}

impl Frame {
    fn info(&self) -> &sys::UtmFrameInfo {
        unsafe { &*sys::utm_frame_get_info(self.as_ptr()) }
    }

    /// Pixels.
    pub fn width(&self) -> u32 {
        self.info().width
    }

    /// Pixels.
    pub fn height(&self) -> u32 {
        self.info().height
    }

    /// Bytes from one row to the next.
    pub fn stride(&self) -> usize {
        self.info().stride_bytes as usize
    }

    /// The format of pixels, as DRM names it; `XR24`: 32 bits in host byte order 0xXXRRGGBB.
    pub fn fourcc(&self) -> u32 {
        self.info().fourcc
    }

    /// Grows with every picture of the display; gaps are pictures that were overtaken.
    pub fn serial(&self) -> u64 {
        self.info().serial
    }

    /// When the picture was complete, by the system's monotonic clock.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.info().time_ns.try_into().unwrap_or(0))
    }

    /// What changed since the frame that was acquired before this one; the whole frame for the first and after a size change.
    pub fn damage(&self) -> &[Rect] {
        let info = self.info();
        let count = (info.damage_count as usize).min(sys::UTM_FRAME_DAMAGE_MAX);
        // SAFETY: the same layout, checked above.
        unsafe { std::slice::from_raw_parts(info.damage.as_ptr().cast(), count) }
    }

    /// The pixels: height times stride bytes. They are borrowed from the frame, which must live as long:
    ///
    /// ```compile_fail,E0505
    /// # fn example(frame: utm::Frame) {
    /// let bytes = frame.bytes();
    /// drop(frame);
    /// println!("{}", bytes[0]);
    /// # }
    /// ```
    pub fn bytes(&self) -> &[u8] {
        let size = self.height() as usize * self.stride();
        // SAFETY: so many bytes are there, and nothing writes to them as long as there is a reference.
        unsafe { std::slice::from_raw_parts(sys::utm_frame_get_data(self.as_ptr()).cast(), size) }
    }

    /// The rows from the top, without what may stand behind their last pixel.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let width = self.width() as usize * 4;
        self.bytes().chunks_exact(self.stride().max(1)).map(move |row| &row[..width])
    }

    /// Red, green and blue of a pixel; `None` beyond the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let row = self.rows().nth(y as usize)?;
        let bytes = row.chunks_exact(4).nth(x as usize)?;
        let [_, red, green, blue] = u32::from_ne_bytes(bytes.try_into().ok()?).to_be_bytes();
        Some([red, green, blue])
    }

    /// The frame as a PNG file in memory.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut size = 0;
        let data =
            ffi::call_for(|data, error| unsafe { sys::utm_frame_encode_png(self.as_ptr(), data, &mut size, error) })?;
        Ok(unsafe { ffi::take_bytes(data, size) })
    }

    /// Writes the frame as a PNG file, beside and renamed.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = ffi::path(path.as_ref())?;
        ffi::call(|error| unsafe { sys::utm_frame_save_png(self.as_ptr(), path.as_ptr(), error) })
    }
}

impl std::fmt::Display for ConsoleState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(unsafe { ffi::borrow(sys::utm_console_state_get_name(self.number())).unwrap_or("unknown") })
    }
}
