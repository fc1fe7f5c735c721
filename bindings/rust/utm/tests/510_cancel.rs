// SPDX-License-Identifier: LGPL-2.1-or-later
//! Giving calls up: with a token, with a deadline, by dropping a future.

use crate::support::{context, wait_for, Directory, Machine, LONG};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use utm::qmp::{CallOptions, ConnectOptions, Qmp};
use utm::*;

/// Somebody who accepts and says nothing.
fn silent(directory: &Directory) -> (UnixListener, std::path::PathBuf) {
    let path = directory.join("socket");
    (UnixListener::bind(&path).unwrap(), path)
}

#[test]
fn a_token_ends_a_call_from_another_thread() {
    let (context, directory) = (context(), Directory::new());
    let (_listener, path) = silent(&directory);
    let cancel = Cancel::new();
    let trigger = cancel.clone();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        trigger.trigger();
    });
    let begun = Instant::now();
    let options = ConnectOptions::default().timeout(LONG).cancel(cancel.clone());
    let error = Qmp::connect(&context, &path, &options).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Cancelled);
    assert!(begun.elapsed() < LONG / 2);
    other.join().unwrap();
    // It stays so.
    assert_eq!(Qmp::connect(&context, &path, &options).unwrap_err().code(), ErrorCode::Cancelled);
}

#[test]
fn deadlines_are_kept() {
    let (context, directory) = (context(), Directory::new());
    let (_listener, path) = silent(&directory);
    let options = ConnectOptions::default().timeout(Duration::from_millis(30));
    assert_eq!(Qmp::connect(&context, &path, &options).unwrap_err().code(), ErrorCode::Timeout);
    assert!(context.block_on_for(Duration::from_millis(10), std::future::pending::<()>()).is_none());
}

#[test]
fn a_future_that_is_dropped_cancels_its_call() {
    let Some(machine) = Machine::commander() else { return };
    let vm = &machine.vm;
    drop(vm.start_async(&StartOptions::default()));
    // Either it was given up before it began, or its end says so.
    wait_for("the end of the start", || {
        machine.context.wait(Duration::from_millis(5)).unwrap();
        vm.state() == VmState::Stopped
    });
    if let Some(end) = vm.end_reason() {
        assert_eq!(end.error().unwrap().code(), ErrorCode::Cancelled);
    }
    let call = vm.start_async(&StartOptions::default());
    machine.context.block_on_for(LONG, call).unwrap().unwrap();
}

#[test]
fn one_that_is_detached_goes_on() {
    let Some(machine) = Machine::commander() else { return };
    machine.vm.start_async(&StartOptions::default()).detach();
    machine.vm.wait_until(Readiness::State(VmState::Running), LONG).unwrap();
}

#[test]
fn waits_for_frames_and_events_are_cancelled() {
    let Some(machine) = Machine::painter("w=640 h=480") else { return };
    machine.start();
    let (cancel, display) = (Cancel::new(), machine.vm.display(0).unwrap());
    cancel.trigger();
    let error = display.wait_frame_or(u64::MAX, LONG, Some(&cancel)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Cancelled);
    let monitor = machine.vm.qmp().unwrap();
    let events = monitor.subscribe(Some(&["RTC_CHANGE"])).unwrap();
    assert_eq!(events.wait_for(LONG, Some(&cancel), |_| true).unwrap_err().code(), ErrorCode::Cancelled);
    assert_eq!(events.wait(Duration::from_millis(5)).unwrap_err().code(), ErrorCode::Timeout);
    let options = CallOptions::default().cancel(cancel);
    assert_eq!(monitor.execute_json("query-status", None, &options).unwrap_err().code(), ErrorCode::Cancelled);
}

#[test]
fn a_state_that_does_not_come_is_a_timeout() {
    let Some(machine) = Machine::commander() else { return };
    let error = machine.vm.wait_until(Readiness::State(VmState::Running), Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Timeout);
}
