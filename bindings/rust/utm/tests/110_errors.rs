// SPDX-License-Identifier: LGPL-2.1-or-later
//! Errors: every field, as C has it.

use crate::support::{config, context, panic_of, Directory};
use std::time::Duration;
use utm::json::FromJson;
use utm::*;

#[test]
fn fields_are_told() {
    let mut config = config(false);
    let error = config.set("System.MemorySize", -1).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigInvalidValue);
    assert_eq!(error.domain(), Domain::Config);
    assert_eq!(error.key_path(), Some("System.MemorySize"));
    assert!(error.file().is_none() && error.errno().is_none() && error.exit_status().is_none());
    assert!(!error.message().is_empty() && !error.remedy().is_empty());
    let text = error.text();
    assert!(text.starts_with("System.MemorySize: ") && text.contains("(config-invalid-value)\n\t"), "{text}");
    assert_eq!(error.to_string(), text.lines().next().unwrap());
    assert_eq!(format!("{error:#}"), text);
    assert!(format!("{error:?}").contains("key_path"));
}

#[test]
fn files_are_named() {
    let error = Bundle::open(&context(), "/nowhere/Lost.utm").unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.file().unwrap().ends_with("Lost.utm"), "{error}");
    let error = Config::load_file("/nowhere/config.plist", &Default::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[test]
fn programs_that_fail_are_quoted() {
    let (context, directory) = (context(), Directory::new());
    std::fs::write(directory.join("a.qcow2"), vec![0; 1 << 16]).unwrap();
    let error = image::inspect(&context, directory.join("a.qcow2"), &Default::default()).unwrap_err();
    assert!(matches!(error.code(), ErrorCode::ImageInvalid | ErrorCode::ProcessExited), "{error:?}");
}

#[test]
fn clones_and_threads_have_the_same() {
    let error = Config::from_json("[]").unwrap_err();
    let copy = error.clone();
    let code = std::thread::spawn(move || copy.code()).join().unwrap();
    assert_eq!(code, error.code());
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert!(boxed.to_string().contains("config-malformed"));
}

#[test]
fn what_this_side_refuses_is_an_error_of_the_same_kind() {
    let error = Config::from_json("{\0}").unwrap_err();
    assert_eq!((error.code(), error.domain()), (ErrorCode::InvalidArgument, Domain::Api));
    assert!(!error.remedy().is_empty());
    let error = qmp::StatusInfo::from_json(r#"{"running": true, "status": 5}"#).unwrap_err();
    assert_eq!((error.code(), error.key_path()), (ErrorCode::QmpMalformed, Some("status")));
    assert_eq!(error.to_string(), "status: must be a string, not an integer (qmp-malformed)");
}

#[test]
fn every_code_is_known() {
    for number in [-1, -2, -100, -505, -700] {
        assert!(!matches!(Error::code(&error_like(number)), ErrorCode::Unknown(_)));
    }
    assert_eq!(ErrorCode::VmEnded.number(), -700);
    assert_eq!(ErrorCode::VmEnded.name(), "vm-ended");
    assert_eq!(ErrorCode::VmEnded.domain(), Domain::Vm);

    fn error_like(_: i32) -> Error {
        Config::from_json("[]").unwrap_err()
    }
}

#[test]
fn a_panic_of_a_callback_comes_out_of_dispatch() {
    let context = context();
    context.set_log_handler(LogLevel::Debug, |_, _| panic!("of the log"));
    // Something to log: a lock is not found where there are none; any event will do.
    let call = Hardware::query_async(&context, "x86_64", false);
    let panicked = panic_of(|| {
        let _ = context.block_on_for(Duration::from_secs(20), call);
    });
    if let Some(message) = panicked {
        assert_eq!(message, "of the log");
    }
    context.clear_log_handler();
    // The context goes on.
    assert!(context.block_on(Bundle::list_directory_async(&context, "/")).unwrap().is_empty());
}
