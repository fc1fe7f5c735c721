// SPDX-License-Identifier: LGPL-2.1-or-later
//! What Rust takes the structs and constants for is what the C compiler says of the headers.

use std::mem::{align_of, offset_of, size_of};
use std::path::PathBuf;
use std::process::Command;
use utm_sys::*;

include!(concat!(env!("OUT_DIR"), "/layout.rs"));

#[test]
fn layouts_and_numbers_are_those_of_c() {
    let source = concat!(env!("OUT_DIR"), "/layout.c");
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("layout");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut words = compiler.split_whitespace();
    let done = Command::new(words.next().expect("a compiler"))
        .args(words)
        .args(env!("UTM_SYS_CFLAGS").split_whitespace())
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status()
        .expect("the C compiler runs");
    assert!(done.success());
    let told = Command::new(&program).output().expect("the program runs");
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    let ours = lines();
    assert!(ours.len() > 300, "{} lines only", ours.len());
    for (c, rust) in told.lines().zip(&ours) {
        assert_eq!(c, rust);
    }
    assert_eq!(told.lines().count(), ours.len());
}
