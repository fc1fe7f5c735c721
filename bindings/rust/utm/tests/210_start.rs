// SPDX-License-Identifier: LGPL-2.1-or-later
//! Starting and stopping real machines.

use crate::support::{Machine, LONG};
use utm::*;

#[test]
fn a_machine_runs_pauses_and_is_killed() {
    let Some(machine) = Machine::commander() else { return };
    let vm = &machine.vm;
    assert_eq!(vm.state(), VmState::Stopped);
    assert!(vm.pid().is_none() && vm.qmp().is_err() && vm.end_reason().is_none());
    machine.start();
    assert_eq!(vm.state(), VmState::Running);
    assert!(vm.pid().is_some());
    assert_eq!(vm.start(&Default::default()).unwrap_err().code(), ErrorCode::InvalidState);
    vm.pause().unwrap();
    assert_eq!(vm.state().to_string(), "paused");
    vm.resume().unwrap();
    vm.reset().unwrap();
    let end = vm.stop(Stop::Kill).unwrap();
    assert_eq!((end.kind(), end.signal()), (EndKind::Killed, Some(9)));
    assert!(!end.to_string().is_empty());
    assert_eq!(vm.state(), VmState::Stopped);
}

#[test]
fn a_guest_powers_itself_off() {
    let Some(machine) = Machine::commander() else { return };
    machine.start_and_listen();
    machine.vm.serial_write(0, b"q").unwrap();
    machine.vm.wait_until(Readiness::State(VmState::Stopped), LONG).unwrap();
    let end = machine.vm.end_reason().unwrap();
    assert_eq!((end.kind(), end.exit_status()), (EndKind::GuestShutdown, Some(0)));
    assert_eq!(end.qemu_reason(), Some("guest-shutdown"));
}

#[test]
fn it_starts_paused_and_again() {
    let Some(machine) = Machine::commander() else { return };
    for _ in 0..2 {
        let options = StartOptions::default().paused(true).disposable(true);
        machine.vm.start(&options).unwrap();
        assert_eq!(machine.vm.state(), VmState::Paused);
        assert_eq!(machine.vm.stop(Stop::Force).unwrap().kind(), EndKind::Quit);
    }
}

#[test]
fn a_start_that_fails_says_why() {
    let Some(machine) = Machine::commander() else { return };
    std::fs::remove_file(machine.bundle.path().join("Data/commander.elf")).unwrap();
    let error = machine.vm.start(&Default::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageMissing);
    assert_eq!(error.key_path(), Some("Drive[0].ImageName"));
    let end = machine.vm.end_reason().unwrap();
    assert_eq!(end.kind(), EndKind::StartFailed);
    assert_eq!(end.error().unwrap().code(), ErrorCode::ImageMissing);
}
