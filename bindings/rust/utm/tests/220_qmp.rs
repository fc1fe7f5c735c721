// SPDX-License-Identifier: LGPL-2.1-or-later
//! The monitor of a real QEMU, and types.

use crate::support::{context, Directory, Machine, LONG};
use utm::json::{FromJson, ToJson};
use utm::qmp::{self, CallOptions, EventData, Qmp};
use utm::*;

#[test]
fn commands_are_typed() {
    let Some(machine) = Machine::commander() else { return };
    machine.start();
    let monitor = machine.vm.qmp().unwrap();
    let status: qmp::StatusInfo = monitor.execute(&qmp::QueryStatus {}).unwrap();
    assert!(status.running);
    assert_eq!(status.status, qmp::RunState::Running);
    assert!(monitor.qemu_version() >= (7, 0, 0));
    assert!(monitor.greeting().contains("version"));
    let types =
        monitor.execute(&qmp::QomListTypes { implements: Some("device".into()), ..Default::default() }).unwrap();
    assert!(types.len() > 10);
    assert!(monitor.has("query-status").unwrap() && !monitor.has("no-such-command").unwrap());
    let text = monitor.execute(&qmp::HumanMonitorCommand { command_line: "info version".into(), ..Default::default() });
    assert!(text.unwrap().starts_with(char::is_numeric));
    let json = monitor.execute_json("query-version", None, &CallOptions::default()).unwrap();
    assert!(qmp::VersionInfo::from_json(&json).unwrap().qemu.major >= 7);
    machine.vm.stop(Stop::Kill).unwrap();
    assert_eq!(monitor.execute(&qmp::QueryStatus {}).unwrap_err().code(), ErrorCode::QmpDisconnected);
}

#[test]
fn errors_have_qemus_class() {
    let Some(machine) = Machine::commander() else { return };
    machine.start();
    let monitor = machine.vm.qmp().unwrap();
    let error = monitor.execute(&qmp::DeviceDel { id: "nothing".into(), ..Default::default() }).unwrap_err();
    assert_eq!((error.code(), error.qmp_class()), (ErrorCode::QmpCommand, Some("DeviceNotFound")));
    let blocks = monitor.execute(&qmp::BlockdevAdd(qmp::BlockdevOptions {
        node_name: Some("null0".into()),
        driver: qmp::BlockdevOptionsBranch::NullCo(Default::default()),
        ..Default::default()
    }));
    blocks.unwrap();
    let nodes = monitor.execute(&qmp::QueryNamedBlockNodes::default()).unwrap();
    assert!(nodes.iter().any(|node| node.node_name.as_deref() == Some("null0")));
}

#[test]
fn events_are_waited_for() {
    let Some(machine) = Machine::commander() else { return };
    machine.start();
    let monitor = machine.vm.qmp().unwrap();
    let stops = monitor.subscribe(Some(&[qmp::StopEvent::NAME, qmp::ResumeEvent::NAME])).unwrap();
    monitor.execute(&qmp::Stop {}).unwrap();
    let event = stops.wait(LONG).unwrap();
    assert_eq!(event.name(), Some("STOP"));
    assert!(event.get::<qmp::StopEvent>().unwrap().is_ok() && event.get::<qmp::ResumeEvent>().is_none());
    assert!(event.timestamp().is_some() && event.dropped() == 0);
    monitor.execute(&qmp::Cont {}).unwrap();
    stops.wait_for(LONG, None, |event| event.name() == Some("RESUME")).unwrap();
    machine.vm.stop(Stop::Kill).unwrap();
    assert_eq!(stops.wait(LONG).unwrap_err().code(), ErrorCode::QmpDisconnected);
}

#[test]
fn recordings_stand_in_for_qemu() {
    let Some(machine) = Machine::commander() else { return };
    let record = machine.directory.join("session.jsonl");
    machine.start();
    let monitor = machine.vm.qmp().unwrap();
    monitor.record(&record).unwrap();
    let name = monitor.execute(&qmp::QueryName {}).unwrap();
    monitor.stop_recording().unwrap();
    drop(machine.vm.stop(Stop::Kill).unwrap());
    let replay = Qmp::connect_replay(&machine.context, &record, &Default::default()).unwrap();
    assert!(replay.execute(&qmp::QueryName {}).unwrap() == name);
    replay.check_replay().unwrap();
}

#[test]
fn what_is_not_known_is_written_again() {
    let text = r#"{"new":{"b":1.0,"a":"\u00e9\n"},"running":true,"status":"levitating"}"#;
    let status = qmp::StatusInfo::from_json(text).unwrap();
    assert_eq!(status.status, qmp::RunState::Unknown("levitating".into()));
    assert_eq!(
        status.to_json().unwrap(),
        "{\"new\":{\"a\":\"é\\n\",\"b\":1.0},\"running\":true,\"status\":\"levitating\"}"
    );
    let error =
        qmp::BlockInfo::from_json(r#"{"device": "d", "locked": true, "removable": 1, "type": ""}"#).unwrap_err();
    assert_eq!(error.key_path(), Some("removable"));
}

#[test]
fn nobody_there_is_an_error() {
    let directory = Directory::new();
    let error = Qmp::connect(&context(), directory.join("socket"), &Default::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    let error = Guest::connect(&context(), directory.join("socket"), &Default::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}
