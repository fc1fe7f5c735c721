// SPDX-License-Identifier: LGPL-2.1-or-later
//! Machines for tests, in directories that go with them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use utm::config::NewOptions;
use utm::{AccelPolicy, ArgumentPolicy, Bundle, Config, Context, ContextOptions, CreateOptions, StartOptions, Vm};

/// More than anything takes, on a busy host, too.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("utm-rust-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A guest of `tests/guest/`: by its variable, or in the build tree that the console engine is of.
fn guest(variable: &str, name: &str) -> Option<PathBuf> {
    let by_variable = std::env::var_os(variable).map(PathBuf::from);
    let in_tree = || {
        let engine = PathBuf::from(std::env::var_os("UTM_CONSOLE_ENGINE")?);
        Some(engine.ancestors().nth(4)?.join("tests/guest").join(name))
    };
    by_variable.or_else(in_tree).filter(|path| path.exists())
}

pub fn context() -> Context {
    let options = ContextOptions::default().accel_policy(AccelPolicy::Tcg).argument_policy(ArgumentPolicy::Allow);
    Context::with(&options).expect("a context")
}

/// A configuration without what a small guest has no use for.
pub fn config(display: bool) -> Config {
    let mut config = Config::new(&NewOptions::default().architecture("x86_64").name("Test")).expect("a configuration");
    for array in ["Sound", "Network", "Drive", "Serial", "Display"] {
        config.set_text(array, "[]").expect(array);
    }
    for key in ["QEMU.UEFIBoot", "QEMU.RNGDevice", "QEMU.BalloonDevice", "QEMU.Hypervisor", "Sharing.ClipboardSharing"]
    {
        config.set(key, false).expect(key);
    }
    config.set("Sharing.DirectoryShareMode", "None").expect("no sharing");
    // The guests know the keyboard of a PC only.
    config.set("Input.UsbBusSupport", "Disabled").expect("no USB");
    config.set("QEMU.PS2Controller", true).expect("a keyboard");
    config.set("System.MemorySize", 64).expect("memory");
    if display {
        config.insert("Display", None, r#"{"Hardware": "VGA"}"#).expect("a display");
    }
    config.insert("Serial", None, r#"{"Mode": "Terminal", "Target": "Auto"}"#).expect("a serial port");
    config
}

pub struct Machine {
    pub vm: Vm,
    pub bundle: Bundle,
    pub context: Context,
    pub directory: Directory,
}

impl Machine {
    fn new(guest: &Path, arguments: Option<&str>) -> Self {
        let (context, directory) = (context(), Directory::new());
        let mut config = config(arguments.is_some());
        let name = guest.file_name().expect("a name").to_str().expect("UTF-8");
        let drive = format!(r#"{{"Identifier": "KERNEL", "ImageType": "LinuxKernel", "ImageName": "{name}"}}"#);
        config.insert("Drive", None, &drive).expect("a kernel");
        if let Some(arguments) = arguments {
            let line = format!(r#"["-append \"{arguments}\""]"#).replace(r#"\""#, "\\\"");
            config.set_text("QEMU.AdditionalArguments", &line).expect("arguments");
        }
        let options = CreateOptions::default().files([guest]);
        let bundle = Bundle::create(&context, directory.join("Test.utm"), &config, &options).expect("a bundle");
        let vm = Vm::new(&bundle).expect("a machine");
        Self { vm, bundle, context, directory }
    }

    /// A guest without a screen that does what its serial port says: `q` powers off, `r` resets, anything is echoed.
    pub fn commander() -> Option<Self> {
        let found = guest("UTM_TEST_COMMANDER", "commander.elf").map(|guest| Self::new(&guest, None));
        found.or_else(|| skip("commander.elf"))
    }

    /// A guest that paints.
    pub fn painter(arguments: &str) -> Option<Self> {
        let is_shown = std::env::var_os("UTM_CONSOLE_ENGINE").is_some();
        let guest = guest("UTM_TEST_PAINTER", "painter.elf").filter(|_| is_shown);
        guest.map(|guest| Self::new(&guest, Some(arguments))).or_else(|| skip("painter.elf, or the console engine"))
    }

    pub fn start(&self) {
        self.vm.start(&StartOptions::default()).expect("it starts");
    }

    /// Starts, and waits until the commander says that it listens.
    pub fn start_and_listen(&self) {
        let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let hears = std::sync::Arc::clone(&heard);
        self.vm.set_serial_handler(0, move |bytes| hears.lock().unwrap().extend_from_slice(bytes)).expect("a port");
        self.start();
        wait_for("the guest to be ready", || {
            self.context.wait(Duration::from_millis(20)).expect("dispatch");
            String::from_utf8_lossy(&heard.lock().unwrap()).contains("ready")
        });
    }
}

fn skip<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("UTM_TEST_REQUIRE").is_none(), "{what} is missing");
    eprintln!("skipped: {what} is missing");
    None
}

pub fn wait_for(what: &str, mut is_done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_done() {
        assert!(begun.elapsed() < LONG, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The message of a panic.
pub fn panic_of(f: impl FnOnce()) -> Option<String> {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).err()?;
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}
