// SPDX-License-Identifier: LGPL-2.1-or-later
//! Events of a machine: to a function, as an iterator, as a stream, on a thread of their own.

use crate::support::{panic_of, wait_for, Machine, LONG};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use utm::*;

#[test]
fn they_come_in_dispatch_on_this_thread() {
    let Some(machine) = Machine::commander() else { return };
    let states = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&states);
    let here = std::thread::current().id();
    machine.vm.set_event_handler(move |event| {
        assert_eq!(std::thread::current().id(), here);
        if let VmEventKind::State(_) = event.kind {
            seen.lock().unwrap().push(event.state);
        }
    });
    machine.start();
    assert!(states.lock().unwrap().is_empty());
    wait_for("the states", || {
        machine.context.wait(Duration::from_millis(10)).unwrap();
        states.lock().unwrap().contains(&VmState::Running)
    });
    assert_eq!(states.lock().unwrap()[0], VmState::Starting);
}

#[test]
fn the_iterator_ends_with_the_machine() {
    let Some(machine) = Machine::commander() else { return };
    let mut events = machine.vm.events();
    assert!(events.next_within(Duration::from_millis(1)).is_none());
    let mut serial = Vec::new();
    machine.start_and_listen();
    machine.vm.serial_write(0, b"q").unwrap();
    for event in events {
        serial.push(event);
    }
    assert!(matches!(serial.last().unwrap().kind, VmEventKind::Ended));
    assert!(serial.iter().any(|event| matches!(&event.kind, VmEventKind::Qmp(name, _) if name == "SHUTDOWN")));
    assert!(serial.iter().all(|event| event.dropped == 0));
}

#[test]
fn another_iterator_ends_the_first() {
    let Some(machine) = Machine::commander() else { return };
    let mut first = machine.vm.events();
    let _second = machine.vm.events();
    assert!(first.next().is_none());
}

#[test]
fn a_thread_dispatches_for_those_without_a_loop() {
    let Some(machine) = Machine::commander() else { return };
    let dispatcher = Dispatcher::new(&machine.context).unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    let here = std::thread::current().id();
    machine.vm.set_event_handler(move |_| {
        assert_ne!(std::thread::current().id(), here);
        counter.fetch_add(1, Ordering::Relaxed);
    });
    machine.start();
    wait_for("events", || count.load(Ordering::Relaxed) >= 2);
    // The iterator works beside it, too.
    let events = machine.vm.events();
    machine.vm.stop(Stop::Kill).unwrap();
    assert!(events.into_iter().any(|event| matches!(event.kind, VmEventKind::Ended)));
    dispatcher.stop();
}

#[test]
fn a_panic_goes_on_where_somebody_dispatches() {
    let Some(machine) = Machine::commander() else { return };
    machine.vm.set_event_handler(|_| panic!("of a handler"));
    machine.start();
    let message = panic_of(|| while machine.context.wait(LONG).unwrap() == 0 {});
    assert_eq!(message.as_deref(), Some("of a handler"));
    // The library goes on as if nothing had been, and so does the handler.
    assert_eq!(machine.vm.state(), VmState::Running);
    machine.vm.clear_event_handler();
    machine.context.dispatch().unwrap();
}

#[test]
fn a_wakeup_wakes_a_loop() {
    let Some(machine) = Machine::commander() else { return };
    let (sender, woken) = std::sync::mpsc::sync_channel(1);
    machine.context.set_wakeup(move || sender.try_send(()).unwrap_or(())).unwrap();
    let call = machine.vm.start_async(&Default::default());
    woken.recv_timeout(LONG).unwrap();
    machine.context.dispatch().unwrap();
    machine.context.clear_wakeup().unwrap();
    machine.context.block_on_for(LONG, call).expect("in time").unwrap();
}
