// SPDX-License-Identifier: LGPL-2.1-or-later
//! Pictures of a real guest.

use crate::support::{wait_for, Machine, LONG};
use std::time::Duration;
use utm::*;

const SIZE: &str = "w=512 h=384";

#[test]
fn a_frame_is_the_picture() {
    let Some(machine) = Machine::painter(&format!("{SIZE} mode=grad fps=30")) else { return };
    let display = machine.vm.display(0).unwrap();
    assert!(display.frame().is_none());
    machine.start();
    machine.vm.wait_until(Readiness::Picture, LONG).unwrap();
    let mut frame = display.wait_frame(0, LONG).unwrap();
    wait_for("the guest's size", || {
        frame = display.wait_frame(frame.serial(), LONG).unwrap();
        frame.width() == 512
    });
    assert_eq!((frame.width(), frame.height()), (512, 384));
    assert_eq!(&frame.fourcc().to_le_bytes(), b"XR24");
    assert!(frame.stride() >= 512 * 4);
    assert_eq!(frame.bytes().len(), frame.stride() * 384);
    assert_eq!(frame.rows().len(), 384);
    assert!(frame.rows().all(|row| row.len() == 512 * 4));
    assert!(frame.pixel(511, 383).is_some() && frame.pixel(512, 0).is_none() && frame.pixel(0, 384).is_none());
    assert!(!frame.damage().is_empty());
    assert!(frame.damage().iter().all(|r| r.x >= 0 && r.x + r.width <= 512 && r.y >= 0 && r.y + r.height <= 384));
    assert!(frame.time() > Duration::ZERO);
    let next = display.wait_frame(frame.serial(), LONG).unwrap();
    assert!(next.serial() > frame.serial());
}

#[test]
fn it_is_no_copy_and_outlives_everything() {
    let Some(machine) = Machine::painter(&format!("{SIZE} mode=grad fps=30")) else { return };
    machine.start();
    let frame = machine.vm.display(0).unwrap().wait_frame(0, LONG).unwrap();
    let again = frame.clone();
    assert_eq!(frame.bytes().as_ptr(), again.bytes().as_ptr());
    let before: u64 = frame.bytes().iter().map(|byte| u64::from(*byte)).sum();
    drop(frame);
    drop(machine);
    let after = std::thread::spawn(move || again.bytes().iter().map(|byte| u64::from(*byte)).sum::<u64>());
    assert_eq!(after.join().unwrap(), before);
}

#[test]
fn frames_come_as_a_stream() {
    let Some(machine) = Machine::painter(&format!("{SIZE} mode=box fps=30")) else { return };
    let display = machine.vm.display(0).unwrap();
    let mut frames = display.frames();
    machine.start();
    let mut last = 0;
    for _ in 0..5 {
        let frame = frames.next_within(&machine.context, LONG).expect("a picture");
        assert!(frame.serial() > last);
        last = frame.serial();
    }
    display.clear_frame_handler();
    while frames.next_within(&machine.context, Duration::from_millis(50)).is_some() {}
}

#[test]
fn screenshots_are_png() {
    let Some(machine) = Machine::painter(&format!("{SIZE} mode=box fps=30")) else { return };
    machine.start();
    let path = machine.directory.join("screen.png");
    let display = machine.vm.display(0).unwrap();
    display.save_screenshot(&path, LONG).unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"\x89PNG"));
    let png = display.frame().unwrap().to_png().unwrap();
    machine.bundle.set_screenshot(Some(&png)).unwrap();
    assert_eq!(machine.bundle.screenshot().unwrap(), png);
    machine.vm.stop(Stop::Kill).unwrap();
    assert_eq!(display.wait_frame(u64::MAX, LONG).unwrap_err().code(), ErrorCode::VmEnded);
}

#[test]
fn displays_are_those_of_the_configuration() {
    let Some(machine) = Machine::commander() else { return };
    assert_eq!(machine.vm.display(0).unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(machine.vm.console().state(), ConsoleState::Idle);
}
