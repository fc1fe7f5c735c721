// SPDX-License-Identifier: LGPL-2.1-or-later
//! Keys and pointer, on a guest that shows that it got a key.

use crate::support::{wait_for, Machine, LONG};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use utm::*;

/// The S key: the painter takes its other size.
const KEY_S: u32 = 0x1f;

#[test]
fn a_key_changes_the_picture() {
    let Some(machine) = Machine::painter("w=512 h=384 w2=800 h2=600") else { return };
    let (console, display) = (machine.vm.console(), machine.vm.display(0).unwrap());
    assert_eq!(console.send_key(KEY_S, true).unwrap_err().code(), ErrorCode::InvalidState);
    let ready = Arc::new(AtomicBool::new(false));
    let is_ready = Arc::clone(&ready);
    console.set_event_handler(move |event| {
        if matches!(event, ConsoleEvent::InputReady) {
            is_ready.store(true, Ordering::Relaxed);
        }
    });
    machine.start();
    wait_for("input", || {
        machine.context.wait(Duration::from_millis(10)).unwrap();
        ready.load(Ordering::Relaxed)
    });
    wait_for("the connection", || console.state() == ConsoleState::Connected);
    wait_for("the first size", || display.frame().is_some_and(|frame| frame.width() == 512));
    console.type_key(KEY_S).unwrap();
    wait_for("the second size", || display.frame().is_some_and(|frame| frame.width() == 800));
}

#[test]
fn wrong_input_is_refused() {
    let Some(machine) = Machine::painter("w=640 h=480") else { return };
    let console = machine.vm.console();
    machine.start();
    machine.vm.wait_until(Readiness::Picture, LONG).unwrap();
    wait_for("the connection", || console.state() == ConsoleState::Connected);
    assert_eq!(console.send_key(0, true).unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_eq!(console.move_pointer(0, -1, 0, Buttons::NONE).unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_eq!(console.move_pointer(9, 0, 0, Buttons::NONE).unwrap_err().code(), ErrorCode::NotFound);
    console.move_pointer(0, 10, 10, Buttons::LEFT | Buttons::RIGHT).unwrap();
    console.move_pointer_by(1, 1, Buttons::NONE).unwrap();
    console.send_button(Buttons::LEFT, true, Buttons::LEFT).unwrap();
    console.send_button(Buttons::LEFT, false, Buttons::NONE).unwrap();
    assert!(matches!(console.pointer_mode(), PointerMode::Server | PointerMode::Client));
    console.close();
    wait_for("the end", || console.state() == ConsoleState::Closed);
}
