// SPDX-License-Identifier: LGPL-2.1-or-later
//! Configurations: key paths, typed values, schema, checks, packages.

use crate::support::{config, context, Directory};
use utm::config::{schema, types, LoadOptions, NewOptions};
use utm::json::{FromJson, ToJson};
use utm::*;

#[test]
fn values_are_read_and_written_by_path() {
    let mut config = config(false);
    config.set("System.CPUCount", 3).unwrap();
    config.set("Information.Name", "Renamed").unwrap();
    config.set("QEMU.RNGDevice", true).unwrap();
    assert_eq!(config.int("System.CPUCount").unwrap(), 3);
    assert_eq!(config.string("Information.Name").unwrap(), "Renamed");
    assert!(config.bool("QEMU.RNGDevice").unwrap());
    assert_eq!((config.name(), config.uuid().len()), ("Renamed", 36));
    assert_eq!(config.insert("Drive", Some(7), "{}").unwrap_err().code(), ErrorCode::NotFound);
    config.insert("Drive", None, "{'ImageType': 'CD'}").unwrap();
    assert_eq!(config.count("Drive").unwrap(), 1);
    config.remove("Drive[0]").unwrap();
    assert_eq!(config.count("Drive").unwrap(), 0);
    assert_eq!(config.int("System.Nothing").unwrap_err().code(), ErrorCode::KeyPath);
}

#[test]
fn clones_are_copies() {
    let mut config = config(false);
    let copy = config.clone();
    assert!(copy == config);
    config.set("System.CPUCount", 5).unwrap();
    assert!(copy != config);
    assert_ne!(copy.int("System.CPUCount").unwrap(), 5);
}

#[test]
fn the_whole_is_typed_values() {
    let config = config(true);
    let mut values: types::Qemu = config.values().unwrap();
    assert_eq!(values.system.memory_size, 64);
    assert_eq!(values.display[0].hardware, "VGA");
    values.system.memory_size = 128;
    values.drive.push(types::Drive {
        identifier: "CD0".into(),
        image_type: types::ImageType::Cd,
        interface: types::DriveInterface::Usb,
        ..Default::default()
    });
    let edited = Config::from_values(&values).unwrap();
    assert_eq!(edited.int("System.MemorySize").unwrap(), 128);
    assert_eq!(edited.string("Drive[0].Interface").unwrap(), "USB");
    let system: types::System = edited.value("System").unwrap();
    assert_eq!(system.memory_size, 128);
}

#[test]
fn what_is_not_known_is_kept() {
    let mut values: types::Qemu = config(false).values().unwrap();
    values.system.extras.insert("FromTheFuture", 7);
    let config = Config::from_values(&values).unwrap();
    let again: types::Qemu = config.values().unwrap();
    assert_eq!(again.system.extras.get("FromTheFuture"), Some(&json::Value::Int(7)));
    assert!(again == values);
    let text = again.system.to_json().unwrap();
    assert_eq!(types::System::from_json(&text).unwrap().to_json().unwrap(), text);
}

#[test]
fn files_are_what_utm_writes() {
    let config = config(true);
    let plist = config.to_plist().unwrap();
    assert!(plist.starts_with(b"<?xml"));
    let again = Config::load(&plist, &LoadOptions::default()).unwrap();
    assert!(again == config);
    assert_eq!(again.format(), (config::Format::Current, 4));
    assert!(again.notes().is_empty());
}

#[test]
fn the_schema_tells_all_keys() {
    let root = schema::root(Backend::Qemu).unwrap();
    assert!(root.keys().any(|key| key.name == "System"));
    let memory = schema::find_key(Backend::Qemu, "System.MemorySize").unwrap();
    assert_eq!((memory.kind, memory.unit), (schema::Kind::Int, Some("MiB")));
    let interface = schema::find_key(Backend::Qemu, "Drive[0].Interface").unwrap();
    assert!(interface.of.unwrap().values().any(|value| value.text == "VirtIO"));
    assert_eq!(schema::find_key(Backend::Qemu, "Nothing").unwrap_err().code(), ErrorCode::KeyPath);
}

#[test]
fn checks_find_everything() {
    let mut config = config(false);
    assert!(!config.check(&Default::default()).unwrap().has_errors());
    config.insert("Drive", None, r#"{"ImageType": "Disk"}"#).unwrap();
    let findings = config.check(&CheckOptions::default()).unwrap();
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| !finding.message.is_empty() && !finding.remedy.is_empty()));
    assert!(findings
        .iter()
        .any(|finding| finding.key_path.as_deref().is_some_and(|path| path.starts_with("Drive[0]"))));
}

#[test]
fn packages_are_edited() {
    let (context, directory) = (context(), Directory::new());
    let bundle = Bundle::create(&context, directory.join("A.utm"), &config(false), &Default::default()).unwrap();
    let before = bundle.config();
    let mut config = before.edit();
    config.set("System.CPUCount", 2).unwrap();
    bundle.save_config(&config).unwrap();
    assert_ne!(before.int("System.CPUCount").unwrap(), 2);
    assert_eq!(Bundle::open(&context, bundle.path()).unwrap().config().int("System.CPUCount").unwrap(), 2);
}

#[test]
fn disks_are_made_and_looked_at() {
    let (context, directory) = (context(), Directory::new());
    let bundle = Bundle::create(&context, directory.join("A.utm"), &config(false), &Default::default()).unwrap();
    let index = bundle.add_disk(1 << 20, &Default::default()).unwrap();
    assert_eq!(index, 0);
    let name = bundle.config().string("Drive[0].ImageName").unwrap();
    let info = image::inspect(&context, bundle.resolve(&name).unwrap(), &Default::default()).unwrap();
    assert_eq!((info.format, info.virtual_size), (image::Format::Qcow2, 1 << 20));
    bundle.resize_image(&name, 2 << 20, &Default::default()).unwrap();
    assert!(bundle.files().unwrap()[0].is_referenced);
}

#[test]
fn machines_of_apple_are_read() {
    let config = Config::new(&NewOptions::default().backend(Backend::Apple)).unwrap();
    let values: types::Apple = config.values().unwrap();
    assert_eq!(Config::from_values(&values).unwrap().backend(), Backend::Apple);
}
