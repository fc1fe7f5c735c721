// SPDX-License-Identifier: LGPL-2.1-or-later
//! Handles: what they are, that they go between threads, that they keep what they need.

use crate::support::{config, context, Directory};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use utm::*;

/// All handles may be sent and shared; `utm` says why at each.
#[test]
fn handles_are_send_and_sync() {
    fn both<T: Send + Sync>() {}
    both::<Context>();
    both::<Dispatcher>();
    both::<Bundle>();
    both::<BundleLock>();
    both::<Config>();
    both::<SharedConfig>();
    both::<Host>();
    both::<Argv>();
    both::<Hardware>();
    both::<Vm>();
    both::<EndReason>();
    both::<Console>();
    both::<Display>();
    both::<Frame>();
    both::<Qmp>();
    both::<qmp::Subscription>();
    both::<qmp::QmpEvent>();
    both::<Guest>();
    both::<Cancel>();
    both::<Progress>();
    both::<Error>();
    fn send<T: Send>() {}
    send::<Call<()>>();
    send::<VmEvents>();
    send::<Frames>();
    send::<qmp::QmpEvents>();
}

#[test]
fn versions_are_told() {
    assert_eq!(version(), (0, 1, 0));
    assert!(has_feature(0, ErrorCode::Timeout.number() as u32));
    assert!(!has_feature(99, 0));
}

#[test]
fn a_context_has_one_descriptor() {
    let context = context();
    let fd = context.as_fd().as_raw_fd();
    assert!(fd >= 0);
    assert_eq!(context.clone().as_raw_fd(), fd);
    assert_eq!(context.dispatch().unwrap(), 0);
    assert_eq!(context.wait(Duration::from_millis(1)).unwrap(), 0);
}

#[test]
fn a_bundle_keeps_its_context() {
    let directory = Directory::new();
    let bundle = Bundle::create(&context(), directory.join("A.utm"), &config(false), &Default::default()).unwrap();
    assert_eq!(bundle.context().dispatch().unwrap(), 0);
    let other = bundle.clone();
    drop(bundle);
    let name = std::thread::spawn(move || other.config().name().to_string()).join().unwrap();
    assert_eq!(name, "Test");
}

#[test]
fn a_host_tells_a_command_line() {
    let host = Host::from_json(HostOs::Linux, "{}").unwrap();
    let argv = Argv::build(&config(true), "/machines/Test.utm", &host).unwrap();
    assert!(argv.program().ends_with("qemu-system-x86_64"));
    assert_eq!(argv.iter().count(), argv.len());
    assert!(argv.iter().all(|argument| !argument.reason.is_empty()));
    let memory = argv.iter().find(|argument| argument.key_path == Some("System.MemorySize")).expect("-m");
    assert!(*memory.text == *"-m" || memory.text.to_string().contains("64"));
    assert!(argv.to_shell().unwrap().starts_with("#!"));
    assert!(Host::from_json(HostOs::Linux, &host.to_json().unwrap()).is_ok());
}

#[test]
fn hardware_is_listed() {
    let hardware = Hardware::builtin("aarch64").unwrap();
    assert_eq!(hardware.architecture(), "aarch64");
    assert!(hardware.items(HardwareKind::Machine).count() > 10);
    assert_eq!(hardware.find(HardwareKind::Machine, "virt").unwrap().alias, Some("virt"));
    assert!(hardware.qemu_path().is_none());
}

#[test]
fn packages_are_listed_and_copied() {
    let (context, directory) = (context(), Directory::new());
    let bundle = Bundle::create(&context, directory.join("A.utm"), &config(false), &Default::default()).unwrap();
    let options = CloneOptions::default().name("Other");
    let copy = bundle.copy_to(directory.join("B.utm"), &options).unwrap();
    assert_ne!(copy.config().uuid(), bundle.config().uuid());
    let list = Bundle::list_directory(directory.join("")).unwrap();
    let names: Vec<_> = list.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["Test", "Other"]);
    assert!(bundle.size().unwrap().files >= 1);
    let lock = bundle.lock().unwrap();
    assert_eq!(bundle.lock_state(), LockState::Locked);
    drop(lock);
    assert_eq!(bundle.lock_state(), LockState::Unlocked);
}
