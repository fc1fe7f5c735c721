// SPDX-License-Identifier: LGPL-2.1-or-later
//! Things that go at odd moments: in callbacks, with work pending, while a machine runs.

use crate::support::{context, panic_of, wait_for, Directory, Machine, LONG};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use utm::qmp::{self, CallOptions};
use utm::*;

/// Counts how often it was dropped.
struct Tally(Arc<AtomicU32>);

impl Drop for Tally {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_closure_is_dropped_once() {
    let Some(machine) = Machine::commander() else { return };
    let count = Arc::new(AtomicU32::new(0));
    for _ in 0..3 {
        let tally = Tally(Arc::clone(&count));
        machine.vm.set_event_handler(move |_| assert!(Arc::strong_count(&tally.0) > 0));
    }
    machine.context.dispatch().unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    let tally = Tally(Arc::clone(&count));
    assert!(machine.vm.set_serial_handler(7, move |_| assert!(Arc::strong_count(&tally.0) > 0)).is_err());
    assert_eq!(count.load(Ordering::Relaxed), 3);
    drop(machine);
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[test]
fn a_handler_may_take_itself_away() {
    let Some(machine) = Machine::commander() else { return };
    let count = Arc::new(AtomicU32::new(0));
    let (tally, vm) = (Tally(Arc::clone(&count)), Mutex::new(Some(machine.vm.clone())));
    machine.vm.set_event_handler(move |_| {
        let own = vm.lock().unwrap().take();
        own.expect("called once").clear_event_handler();
        // Still here.
        assert_eq!(tally.0.load(Ordering::Relaxed), 0);
    });
    machine.start();
    wait_for("the handler to be dropped", || {
        machine.context.wait(Duration::from_millis(10)).unwrap();
        count.load(Ordering::Relaxed) == 1
    });
}

#[test]
fn the_last_reference_may_go_in_a_callback() {
    let Some(machine) = Machine::commander() else { return };
    let Machine { vm, bundle, context, directory } = machine;
    let own = Mutex::new(Some((vm.clone(), bundle)));
    vm.start(&Default::default()).unwrap();
    let monitor = vm.qmp().unwrap();
    let _handler = monitor.subscribe_with(Some(&["STOP"]), move |_| drop(own.lock().unwrap().take())).unwrap();
    drop(vm);
    monitor.execute(&qmp::Stop {}).unwrap();
    wait_for("QEMU's end", || {
        context.wait(Duration::from_millis(10)).unwrap();
        monitor.execute_json("query-status", None, &CallOptions::default()).is_err()
    });
    drop(directory);
}

#[test]
fn work_may_be_pending_when_everything_goes() {
    let Some(machine) = Machine::commander() else { return };
    machine.start();
    let monitor = machine.vm.qmp().unwrap();
    let calls: Vec<_> = (0..50).map(|_| monitor.execute_async(&qmp::QueryStatus {}, &Default::default())).collect();
    let kept = machine.vm.pause_async();
    let context = machine.context.clone();
    drop(monitor);
    drop(machine);
    // They end all the same: with an answer, or with the news that there is nobody left.
    for call in calls {
        assert!(context.block_on_for(LONG, call).is_some());
    }
    drop(context);
    assert!(kept.is_finished());
}

#[test]
fn a_context_goes_with_its_calls() {
    let (context, directory) = (context(), Directory::new());
    let call = Bundle::list_directory_async(&context, directory.join(""));
    drop(context);
    assert!(call.is_finished());
}

#[test]
fn ten_thousand_frames_leave_nothing_behind() {
    let Some(machine) = Machine::painter("w=320 h=200 mode=box fps=0") else { return };
    machine.start();
    let display = machine.vm.display(0).unwrap();
    display.wait_frame(0, LONG).unwrap();
    let before = descriptors();
    let mut held = std::collections::VecDeque::new();
    for round in 0..10_000u32 {
        held.push_back(display.frame().expect("a picture"));
        if held.len() > 2 {
            held.pop_front();
        }
        if round % 1000 == 0 {
            let serial = held.back().unwrap().serial();
            held.clear();
            display.wait_frame(serial, LONG).unwrap();
        }
    }
    drop(held);
    assert!(descriptors() <= before + 2, "{} descriptors, then {}", before, descriptors());
    display.wait_frame(display.frame().unwrap().serial(), LONG).unwrap();
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count())
}

#[test]
fn waiting_inside_a_callback_is_told() {
    let Some(machine) = Machine::commander() else { return };
    let context = machine.context.clone();
    machine.vm.set_event_handler(move |_| {
        assert_eq!(context.dispatch().unwrap_err().code(), ErrorCode::InvalidState);
        context.block_on(async {});
    });
    machine.start();
    let message = panic_of(|| while machine.context.wait(LONG).unwrap() == 0 {});
    assert!(message.unwrap().contains("inside a callback"));
    machine.vm.clear_event_handler();
}

/// Runs as a process of its own: see below.
#[test]
#[ignore = "a part of another test"]
fn child_that_exits_while_running() {
    let Some(machine) = Machine::commander() else { return };
    machine.start();
    println!("\npid {}", machine.vm.pid().unwrap());
    std::process::exit(7);
}

#[test]
fn a_process_may_exit_while_a_machine_runs() {
    let Some(_) = Machine::commander() else { return };
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_exits_while_running", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(7));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let pid = text.lines().find_map(|line| line.strip_prefix("pid ")).expect("a pid").to_string();
    wait_for("QEMU to go with it", || {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        !line.contains("qemu")
    });
}
