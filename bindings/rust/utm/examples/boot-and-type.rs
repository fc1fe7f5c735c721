// SPDX-License-Identifier: LGPL-2.1-or-later
//! boot-and-type BUNDLE [DIRECTORY]
//!
//! Boots a machine, waits until its picture rests, types a key, waits for another picture, saves both, presses the power button
//! and tells why the machine ended.

use std::path::Path;
use std::time::{Duration, Instant};
use utm::{Bundle, Console, Context, Display, Error, ErrorCode, Frame, StartOptions, Stop, Vm};

const KEY_A: u32 = 0x1e;
/// An emulated guest on a slow host needs most of it.
const PATIENCE: Duration = Duration::from_secs(90);
/// A picture that did not change for so long is taken for finished.
const QUIET: Duration = Duration::from_millis(1500);

/// The picture after which nothing came for a while, when it is accepted.
fn wait_for_rest(display: &Display, accept: impl Fn(&Frame) -> bool) -> utm::Result<Frame> {
    let begun = Instant::now();
    let mut frame = display.wait_frame(0, PATIENCE)?;
    loop {
        match display.wait_frame(frame.serial(), QUIET) {
            Ok(newer) => frame = newer,
            Err(error) if error.code() != ErrorCode::NoPicture => return Err(error),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) if accept(&frame) => return Ok(frame),
            Err(_) => (),
        }
    }
}

fn wait_for_input(console: &Console) -> utm::Result<()> {
    let begun = Instant::now();
    loop {
        match console.type_key(KEY_A) {
            Err(error) if error.code() == ErrorCode::InvalidState && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(100));
            }
            other => return other,
        }
    }
}

/// Whether a thousandth of the pixels differ: a blinking cursor is less.
fn differs(a: &Frame, b: &Frame) -> bool {
    let changed = a.bytes().chunks_exact(4).zip(b.bytes().chunks_exact(4)).filter(|(a, b)| a[..3] != b[..3]).count();
    (a.width(), a.height()) != (b.width(), b.height()) || changed > a.bytes().len() / 4000
}

fn run(path: &str, directory: &Path) -> utm::Result<()> {
    let context = Context::new()?;
    let bundle = Bundle::open(&context, path)?;
    let vm = Vm::new(&bundle)?;
    let display = vm.display(0)?;
    vm.start(&StartOptions::default().disposable(true))?;
    println!("QEMU is process {}", vm.pid().unwrap_or(-1));

    let before = wait_for_rest(&display, |frame| !is_plain(frame))?;
    before.save_png(directory.join("screen.png"))?;
    println!("picture of {} x {}", before.width(), before.height());
    wait_for_input(&vm.console())?;
    let after = wait_for_rest(&display, |frame| differs(&before, frame))?;
    after.save_png(directory.join("screen-after-key.png"))?;
    println!("another one after a key");

    let end = vm.stop(Stop::Escalate)?;
    println!("{}: {end}", end.kind());
    Ok(())
}

/// Text on black, as a firmware and a kernel have it, is not what is waited for.
fn is_plain(frame: &Frame) -> bool {
    let dark = frame.bytes().chunks_exact(4).filter(|pixel| pixel[..3].iter().all(|byte| *byte < 16)).count();
    dark > frame.bytes().len() / 8
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &arguments[..] {
        [path] => run(path, Path::new(".")),
        [path, directory] => run(path, Path::new(directory)),
        _ => {
            eprintln!("usage: boot-and-type BUNDLE [DIRECTORY]");
            return 2.into();
        }
    };
    match result {
        Ok(()) => 0.into(),
        Err(error) => {
            tell(&error);
            1.into()
        }
    }
}

fn tell(error: &Error) {
    eprintln!("boot-and-type: {error:#}");
    if let Some(tail) = error.stderr_tail() {
        eprintln!("{tail}");
    }
}
