// SPDX-License-Identifier: LGPL-2.1-or-later
//! edit-bundle BUNDLE [KEY.PATH=VALUE]...
//!
//! Shows a machine's configuration, changes it, checks what came out, and saves it when nothing is wrong.

use utm::config::types;
use utm::{Bundle, Context, Severity};

fn show(bundle: &Bundle) -> utm::Result<()> {
    let config = bundle.config();
    let machine: types::Qemu = config.values()?;
    println!("{} ({})", config.name(), bundle.path().display());
    println!("  {} {}, {} MiB", machine.system.architecture, machine.system.target, machine.system.memory_size);
    for (index, drive) in machine.drive.iter().enumerate() {
        let file = drive.image_name.as_deref().unwrap_or("removable");
        println!("  drive {index}: {} on {}: {file}", drive.image_type, drive.interface);
    }
    Ok(())
}

fn edit(bundle: &Bundle, changes: &[String]) -> utm::Result<bool> {
    let _lock = bundle.lock()?; // so that nobody else changes it meanwhile
    let mut config = bundle.config().edit();
    for change in changes {
        let (key_path, value) = change.split_once('=').unwrap_or((change, ""));
        config.set_text(key_path, value)?;
    }
    let findings = config.check(&Default::default())?;
    for finding in &findings {
        println!("  {}: {}: {}", finding.severity, finding.key_path.as_deref().unwrap_or("machine"), finding.message);
        println!("    {}", finding.remedy);
    }
    let is_good = findings.iter().all(|finding| finding.severity != Severity::Error);
    if is_good {
        bundle.save_config(&config)?;
    }
    Ok(is_good)
}

fn run(path: &str, changes: &[String]) -> utm::Result<bool> {
    let context = Context::new()?;
    let bundle = Bundle::open(&context, path)?;
    let is_good = changes.is_empty() || edit(&bundle, changes)?;
    show(&bundle)?;
    Ok(is_good)
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((path, changes)) = arguments.split_first() else {
        eprintln!("usage: edit-bundle BUNDLE [KEY.PATH=VALUE]...");
        return 2.into();
    };
    match run(path, changes) {
        Ok(is_good) => u8::from(!is_good).into(),
        Err(error) => {
            eprintln!("edit-bundle: {error:#}");
            1.into()
        }
    }
}
