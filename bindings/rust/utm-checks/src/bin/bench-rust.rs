// SPDX-License-Identifier: LGPL-2.1-or-later
//! What calls cost through this binding: lines of `name nanoseconds`, of the fastest of several rounds.
//!
//! Usage: bench-rust [DIRECTORY]. `getter` is the name of a configuration, `query-status` a blocking command to a QEMU without
//! a guest, `frame` the latest picture of 1920 x 1080 with its damage, and a byte of it. What cannot be
//! measured here is left out. UTM_TEST_PAINTER names the guest that paints.

use std::hint::black_box;
use std::time::{Duration, Instant};
use utm::config::NewOptions;
use utm::{qmp, AccelPolicy, ArgumentPolicy, Bundle, Config, Context, ContextOptions, CreateOptions, Vm};

const ROUNDS: u32 = 7;

fn measure(name: &str, count: u32, mut f: impl FnMut()) {
    f();
    let round = |_| {
        let begun = Instant::now();
        for _ in 0..count {
            f();
        }
        begun.elapsed().as_nanos() / u128::from(count)
    };
    println!("{name} {}", (0..ROUNDS).map(round).min().unwrap_or(0));
}

fn config(painter: &str) -> utm::Result<Config> {
    let mut config = Config::new(&NewOptions::default().architecture("x86_64").name("Bench"))?;
    for array in ["Sound", "Network", "Drive", "Serial", "Display"] {
        config.set_text(array, "[]")?;
    }
    for key in ["QEMU.UEFIBoot", "QEMU.RNGDevice", "QEMU.BalloonDevice", "QEMU.Hypervisor", "Sharing.ClipboardSharing"]
    {
        config.set(key, false)?;
    }
    config.set("Sharing.DirectoryShareMode", "None")?;
    config.insert("Display", None, r#"{"Hardware": "VGA", "VgaRamMib": 32}"#)?;
    config.insert("Drive", None, &format!(r#"{{"ImageType": "LinuxKernel", "ImageName": "{painter}"}}"#))?;
    config.set_text("QEMU.AdditionalArguments", r#"["-append \"w=1920 h=1080 mode=box fps=30\""]"#)?;
    Ok(config)
}

fn run() -> utm::Result<()> {
    let plain = Config::new(&Default::default())?;
    measure("getter", 1_000_000, || {
        black_box(black_box(&plain).name().len());
    });
    let Some(painter) = std::env::var_os("UTM_TEST_PAINTER").map(std::path::PathBuf::from).filter(|path| path.exists())
    else {
        return Ok(());
    };
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let path = directory.join(format!("utm-bench-{}.utm", std::process::id()));
    let options = ContextOptions::default().accel_policy(AccelPolicy::Tcg).argument_policy(ArgumentPolicy::Allow);
    let context = Context::with(&options)?;
    let name = painter.file_name().and_then(|name| name.to_str()).unwrap_or("painter.elf");
    let bundle = Bundle::create(&context, &path, &config(name)?, &CreateOptions::default().files([&painter]))?;
    let vm = Vm::new(&bundle)?;
    vm.start(&Default::default())?;
    let monitor = vm.qmp()?;
    let display = vm.display(0)?;
    let mut serial = 0;
    while let Ok(frame) = display.wait_frame(serial, Duration::from_secs(20)) {
        serial = frame.serial();
        if frame.width() == 1920 {
            break;
        }
    }
    measure("frame", 10_000, || {
        let frame = display.frame().expect("a picture");
        black_box(frame.damage().len());
        black_box(frame.bytes().last());
    });
    // A guest that stands still, so that its emulation takes no time from the monitor.
    vm.pause()?;
    measure("query-status", 2_000, || {
        black_box(monitor.execute(&qmp::QueryStatus {}).expect("an answer").running);
    });
    vm.stop(utm::Stop::Kill)?;
    drop((vm, bundle));
    let _ = std::fs::remove_dir_all(&path);
    Ok(())
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => 0.into(),
        Err(error) => {
            eprintln!("bench-rust: {error:#}");
            1.into()
        }
    }
}
