// SPDX-License-Identifier: LGPL-2.1-or-later
//! Has `qapi/generate/rust_backend.py` make the types of QMP, the guest agent and the configuration.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    let qapi = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("a directory")).join("../../../qapi");
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let status = Command::new(&python)
        .arg("-B")
        .arg(qapi.join("generate/rust_backend.py"))
        .arg(env::var("OUT_DIR").expect("OUT_DIR"))
        .status()
        .unwrap_or_else(|error| panic!("{python} cannot be run: {error}"));
    assert!(status.success(), "rust_backend.py failed: {status}");
    println!("cargo:rerun-if-env-changed=PYTHON");
    for directory in [&qapi, &qapi.join("generate")] {
        for entry in fs::read_dir(directory).expect("qapi/").flatten().filter(|entry| entry.path().is_file()) {
            println!("cargo:rerun-if-changed={}", entry.path().display());
        }
    }
}
