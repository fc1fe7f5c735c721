// SPDX-License-Identifier: LGPL-2.1-or-later
//! Finds libutm with pkg-config and has `generate.py` make the declarations of its public headers. `PKG_CONFIG_PATH` leads to
//! an uninstalled one, as the build directory's `run` sets it.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn output_of(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    match command.stderr(Stdio::inherit()).output() {
        Ok(done) if done.status.success() => String::from_utf8(done.stdout).expect("output in UTF-8"),
        Ok(done) => panic!("{shown} failed: {}", done.status),
        Err(error) => panic!("{shown} cannot be run: {error}"),
    }
}

fn main() {
    let pkg_config = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let out = PathBuf::from(env::var("OUT_DIR").expect("OUT_DIR"));
    let flags = output_of(Command::new(&pkg_config).args(["--cflags", "--libs", "libutm"]));
    // The directories of headers are needed also where the compiler looks by itself.
    let all_flags = output_of(
        Command::new(&pkg_config).env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1").args(["--cflags-only-I", "libutm"]),
    );
    let includes: Vec<&str> = all_flags.split_whitespace().filter_map(|flag| flag.strip_prefix("-I")).collect();

    for flag in flags.split_whitespace() {
        if let Some(directory) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={directory}");
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={library}");
        }
    }
    output_of(Command::new(python).arg("-B").arg("generate.py").arg(&out).args(&includes));
    println!("cargo:rustc-env=UTM_SYS_CFLAGS={}", all_flags.trim());
    println!("cargo:rerun-if-changed=generate.py");
    for include in &includes {
        println!("cargo:rerun-if-changed={include}/utm");
    }
    for name in ["PKG_CONFIG", "PKG_CONFIG_PATH", "PYTHON"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
}
