// SPDX-License-Identifier: LGPL-2.1-or-later
//! `.utm` packages.

use crate::call::{self, Call, Promise};
use crate::cancel::{self, Cancel, Progress};
use crate::config::{LoadOptions, SharedConfig};
use crate::error::{Error, Result};
use crate::ffi::{self, handle, numbers, shared, Texts};
use crate::json::{FromJson, Value};
use crate::options::options;
use crate::{Config, Context, Host};
use std::ffi::{c_char, c_void, CString};
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::Duration;
use utm_sys as sys;

numbers! {
    /// Whether a bundle has its package to itself.
    LockState {
        /// It has not asked for that.
        Unlocked = UTM_BUNDLE_UNLOCKED,
        /// Nobody else changes or runs it.
        Locked = UTM_BUNDLE_LOCKED,
        /// It has asked, but the file system has no locks.
        Unsure = UTM_BUNDLE_LOCK_UNSURE,
    }
}

numbers! {
    /// What an entry of a directory is.
    FileKind {
        /// A device, a FIFO, a socket, or something that cannot be looked at.
        Other = UTM_BUNDLE_FILE_OTHER,
        /// A file.
        Regular = UTM_BUNDLE_FILE_REGULAR,
        /// A directory.
        Directory = UTM_BUNDLE_FILE_DIRECTORY,
        /// A symbolic link, whatever it leads to.
        Link = UTM_BUNDLE_FILE_LINK,
    }
}

numbers! {
    /// Whether new UEFI variables hold the keys with which Secure Boot is in force from the first start.
    UefiKeys {
        /// With keys when the machine has a TPM, without them otherwise.
        Auto = UTM_UEFI_KEYS_AUTO,
        /// With the keys that the firmware's maker enrolls.
        Enrolled = UTM_UEFI_KEYS_ENROLLED,
        /// Without keys.
        None = UTM_UEFI_KEYS_NONE,
    }
}

/// One entry of a bundle's `Data` directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundleFile {
    /// Name inside `Data`.
    pub name: PathBuf,
    /// Bytes that the file contains.
    pub length: u64,
    /// Bytes that it occupies on disk.
    pub allocated: u64,
    /// The configuration refers to it, or an image that it refers to is based on it.
    pub is_referenced: bool,
    /// [`Bundle::prune()`] without names removes it.
    pub is_prunable: bool,
    /// What it is.
    pub kind: FileKind,
}

/// What a package occupies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundleSize {
    /// Bytes that its files contain, holes included.
    pub length: u64,
    /// Bytes that it occupies on disk, directories included.
    pub allocated: u64,
    /// Regular files; one with several names is counted once.
    pub files: u64,
}

/// A package in a directory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BundleEntry {
    /// Absolute path.
    pub path: PathBuf,
    /// Name of the machine; that of the file, without `.utm`, when the package cannot be read.
    pub name: String,
    /// Its identifier; `None` when the package cannot be read.
    pub uuid: Option<String>,
    /// Why it cannot be read.
    pub error: Option<Error>,
}

/// The machine's icon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Icon {
    /// One that UTM brings along, by its name without extension.
    Builtin(String),
    /// The content of a file.
    Data(Vec<u8>),
}

options! {
    /// Options of [`Bundle::create()`].
    CreateOptions {
        /// Files to copy into `Data`, by the last component of their paths.
        files: list<PathBuf>,
        /// Files to copy into `Data` under names of their own: path and name.
        named_files: list<(PathBuf, String)>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Tells how far it is.
        progress: option<Progress>,
    }
}

options! {
    /// Options of [`Bundle::import()`].
    ImportOptions {
        /// Plain name, instead of the last component of the source.
        name: text,
        /// The name is taken as it is, or refused.
        exact_name: flag,
        /// Stops it; the package is then as before.
        cancel: option<Cancel>,
        /// Tells how far it is.
        progress: option<Progress>,
    }
}

options! {
    /// Options of [`Bundle::copy_to()`].
    CloneOptions {
        /// Name of the machine, instead of that of the package.
        name: text,
        /// The copy has the hardware addresses of the original; both must not run in one network.
        keep_macs: flag,
        /// What is written into the copy, as it is; then there is no name.
        config: option<Config>,
        /// Stops it; then there is no copy.
        cancel: option<Cancel>,
        /// Tells how far it is.
        progress: option<Progress>,
    }
}

options! {
    /// Options of [`Bundle::reset_uefi_variables()`].
    UefiResetOptions {
        /// With keys of Secure Boot, or without.
        keys: option<UefiKeys>,
        /// 60 seconds unless said; `Duration::MAX` is for ever.
        timeout: option<Duration>,
        /// Stops it.
        cancel: option<Cancel>,
        /// Facts to use instead of those that the library finds out.
        host: option<Host>,
    }
}

handle! {
    /// A `.utm` package: a directory with `config.plist`, a `Data` directory and perhaps a screenshot. It comes from strangers:
    /// names inside never lead out.
    ///
    /// A clone is another reference to the same; [`copy_to()`](Self::copy_to) copies the package.
    ///
    /// ```no_run
    /// let ctx = utm::Context::new()?;
    /// let bundle = utm::Bundle::open(&ctx, "Debian.utm")?;
    /// println!("{}: {} MiB", bundle.config().name(), bundle.config().int("System.MemorySize")?);
    ///
    /// let _lock = bundle.lock()?; // what is read now stays so
    /// let mut config = bundle.config().edit();
    /// config.set("System.MemorySize", 4096)?;
    /// bundle.save_config(&config)?;
    /// # Ok::<(), utm::Error>(())
    /// ```
    Bundle, UtmBundle, utm_bundle_ref, utm_bundle_unref
}
shared!(Bundle, utm_bundle_ref);

// SAFETY: every function of bundle.h is for any thread; threads that share a bundle share its lock.
unsafe impl Send for Bundle {}
// SAFETY: as above. What it hands out borrowed (path, configuration) stays valid as long as the bundle.
unsafe impl Sync for Bundle {}

unsafe fn take_files(raw: *mut sys::UtmBundleFiles) -> Vec<BundleFile> {
    let files = (0..sys::utm_bundle_files_get_count(raw))
        .map(|index| {
            let file = &*sys::utm_bundle_files_get(raw, index);
            BundleFile {
                name: ffi::copy_path(file.name).unwrap_or_default(),
                length: file.length_bytes,
                allocated: file.allocated_bytes,
                is_referenced: file.referenced,
                is_prunable: file.prunable,
                kind: FileKind::from_number(file.kind),
            }
        })
        .collect();
    sys::utm_bundle_files_free(raw);
    files
}

unsafe fn take_list(raw: *mut sys::UtmBundleList) -> Vec<BundleEntry> {
    let entries = (0..sys::utm_bundle_list_get_count(raw))
        .map(|index| {
            let entry = &*sys::utm_bundle_list_get(raw, index);
            BundleEntry {
                path: ffi::copy_path(entry.path).unwrap_or_default(),
                name: ffi::copy(entry.name).unwrap_or_default(),
                uuid: ffi::copy(entry.uuid),
                error: Error::borrow(entry.error),
            }
        })
        .collect();
    sys::utm_bundle_list_free(raw);
    entries
}

impl BundleSize {
    fn of(raw: &sys::UtmBundleSize) -> Self {
        Self { length: raw.length_bytes, allocated: raw.allocated_bytes, files: raw.file_count }
    }
}

unsafe extern "C" fn on_made(
    _: *mut sys::UtmContext,
    bundle: *mut sys::UtmBundle,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || Bundle::take(bundle));
}

unsafe extern "C" fn on_cloned(
    ctx: *mut sys::UtmContext,
    bundle: *mut sys::UtmBundle,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    on_made(ctx, bundle, error, data);
}

unsafe extern "C" fn on_imported(
    _: *mut sys::UtmBundle,
    name: *const c_char,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || ffi::copy(name).unwrap_or_default());
}

unsafe extern "C" fn on_size(
    _: *mut sys::UtmBundle,
    size: *const sys::UtmBundleSize,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || BundleSize::of(&*size));
}

unsafe extern "C" fn on_list(
    _: *mut sys::UtmContext,
    list: *mut sys::UtmBundleList,
    error: *const sys::UtmError,
    data: *mut c_void,
) {
    Promise::complete(data, error, || take_list(list));
}

/// The end of a call about a bundle that has no result.
pub(crate) unsafe extern "C" fn on_done(_: *mut sys::UtmBundle, error: *const sys::UtmError, data: *mut c_void) {
    Promise::complete(data, error, || ());
}

/// What options of C point to.
struct CreateTexts {
    texts: Vec<(CString, Option<CString>)>,
}

impl CreateOptions {
    fn texts(&self) -> Result<CreateTexts> {
        let plain = self.files.iter().map(|path| Ok((ffi::path(path)?, None)));
        let named = self.named_files.iter().map(|(path, name)| Ok((ffi::path(path)?, Some(ffi::text(name)?))));
        Ok(CreateTexts { texts: plain.chain(named).collect::<Result<_>>()? })
    }

    /// `sources` is what the result points to.
    fn raw(&self, texts: &CreateTexts, sources: &mut Vec<sys::UtmBundleSource>) -> sys::UtmBundleCreateOptions {
        sources.extend(
            texts
                .texts
                .iter()
                .map(|(source, name)| sys::UtmBundleSource { source: source.as_ptr(), name: ffi::pointer(name) }),
        );
        sys::UtmBundleCreateOptions {
            files: sources.as_ptr(),
            file_count: sources.len(),
            cancel: cancel::raw(&self.cancel),
            progress: cancel::raw_progress(&self.progress),
            ..Default::default()
        }
    }
}

impl ImportOptions {
    fn raw(&self, name: &Option<CString>) -> sys::UtmBundleImportOptions {
        sys::UtmBundleImportOptions {
            name: ffi::pointer(name),
            flags: if self.exact_name { sys::UTM_BUNDLE_IMPORT_EXACT_NAME } else { 0 },
            cancel: cancel::raw(&self.cancel),
            progress: cancel::raw_progress(&self.progress),
            ..Default::default()
        }
    }
}

impl CloneOptions {
    fn raw(&self, name: &Option<CString>) -> sys::UtmBundleCloneOptions {
        sys::UtmBundleCloneOptions {
            name: ffi::pointer(name),
            flags: if self.keep_macs { sys::UTM_BUNDLE_CLONE_KEEP_MACS } else { 0 },
            cancel: cancel::raw(&self.cancel),
            progress: cancel::raw_progress(&self.progress),
            config: self.config.as_ref().map_or(ptr::null(), |config| config.as_ptr()),
            ..Default::default()
        }
    }
}

impl UefiResetOptions {
    fn raw(&self) -> sys::UtmUefiResetOptions {
        sys::UtmUefiResetOptions {
            keys: self.keys.map_or(0, UefiKeys::number),
            timeout_ms: ffi::option_ms(self.timeout),
            cancel: cancel::raw(&self.cancel),
            host: self.host.as_ref().map_or(ptr::null_mut(), Host::as_ptr),
            ..Default::default()
        }
    }
}

/// The package's lock; given back when this is dropped.
#[derive(Debug)]
pub struct BundleLock(Bundle);

impl Drop for BundleLock {
    fn drop(&mut self) {
        unsafe { sys::utm_bundle_unlock(self.0.as_ptr(), ptr::null_mut()) };
    }
}

/// Early return of what failed before an asynchronous call began.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return $crate::call::Call::failed(error),
        }
    };
}
pub(crate) use attempt;

impl Bundle {
    /// Opens a package and reads its configuration. Nothing in it is changed.
    pub fn open(context: &Context, path: impl AsRef<Path>) -> Result<Self> {
        let path = ffi::path(path.as_ref())?;
        let made = ffi::call_for(|bundle, error| unsafe {
            sys::utm_bundle_open(context.as_ptr(), path.as_ptr(), bundle, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// Makes a new package: complete, or not at all. The last component of `path` ends with `.utm`.
    pub fn create(context: &Context, path: impl AsRef<Path>, config: &Config, options: &CreateOptions) -> Result<Self> {
        let (path, texts, mut sources) = (ffi::path(path.as_ref())?, options.texts()?, Vec::new());
        let raw = options.raw(&texts, &mut sources);
        let made = ffi::call_for(|bundle, error| unsafe {
            sys::utm_bundle_create(context.as_ptr(), path.as_ptr(), config.as_ptr(), &raw, bundle, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// As [`create()`](Self::create), without waiting.
    pub fn create_async(
        context: &Context,
        path: impl AsRef<Path>,
        config: &Config,
        options: &CreateOptions,
    ) -> Call<Self> {
        let (path, texts, mut sources) = (attempt!(ffi::path(path.as_ref())), attempt!(options.texts()), Vec::new());
        let token = call::token(&options.cancel);
        let mut raw = options.raw(&texts, &mut sources);
        raw.cancel = cancel::raw(&token);
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_bundle_create_async(
                context.as_ptr(),
                path.as_ptr(),
                config.as_ptr(),
                &raw,
                Some(on_made),
                data,
                free,
                error,
            )
        })
    }

    /// Makes a copy of the package: all files, with an identifier, a name and hardware addresses of its own.
    pub fn copy_to(&self, path: impl AsRef<Path>, options: &CloneOptions) -> Result<Self> {
        let (path, name) = (ffi::path(path.as_ref())?, ffi::optional(options.name.as_deref())?);
        let raw = options.raw(&name);
        let made = ffi::call_for(|bundle, error| unsafe {
            sys::utm_bundle_clone(self.as_ptr(), path.as_ptr(), &raw, bundle, error)
        })?;
        Ok(unsafe { Self::take(made) })
    }

    /// As [`copy_to()`](Self::copy_to), without waiting.
    pub fn copy_to_async(&self, path: impl AsRef<Path>, options: &CloneOptions) -> Call<Self> {
        let path = attempt!(ffi::path(path.as_ref()));
        let name = attempt!(ffi::optional(options.name.as_deref()));
        let token = call::token(&options.cancel);
        let mut raw = options.raw(&name);
        raw.cancel = cancel::raw(&token);
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_bundle_clone_async(self.as_ptr(), path.as_ptr(), &raw, Some(on_cloned), data, free, error)
        })
    }

    /// The packages directly in a directory, sorted by path. Those that cannot be read are listed too, with the reason.
    pub fn list_directory(path: impl AsRef<Path>) -> Result<Vec<BundleEntry>> {
        let path = ffi::path(path.as_ref())?;
        let list = ffi::call_for(|list, error| unsafe { sys::utm_bundle_list_directory(path.as_ptr(), list, error) })?;
        Ok(unsafe { take_list(list) })
    }

    /// As [`list_directory()`](Self::list_directory), without waiting.
    pub fn list_directory_async(context: &Context, path: impl AsRef<Path>) -> Call<Vec<BundleEntry>> {
        let path = attempt!(ffi::path(path.as_ref()));
        Call::begin(None, |data, free, error| unsafe {
            sys::utm_bundle_list_directory_async(context.as_ptr(), path.as_ptr(), Some(on_list), data, free, error)
        })
    }

    /// The name of a package for a machine, as UTM makes it.
    pub fn file_name(name: &str) -> Result<String> {
        let name = ffi::text(name)?;
        Ok(unsafe { ffi::take(sys::utm_bundle_dup_file_name(name.as_ptr())).unwrap_or_default() })
    }

    /// The context that the bundle belongs to.
    pub fn context(&self) -> Context {
        unsafe { Context::borrow(sys::utm_bundle_get_context(self.as_ptr())).expect("a context") }
    }

    /// The absolute path of the package, without symbolic links.
    pub fn path(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        // Former results stay valid as strings, as long as the bundle.
        let path = unsafe { std::ffi::CStr::from_ptr(sys::utm_bundle_get_path(self.as_ptr())) };
        Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()))
    }

    /// The configuration as it was read. It is shared: `edit()` gives a copy to change.
    pub fn config(&self) -> SharedConfig {
        unsafe { SharedConfig::borrow(sys::utm_bundle_get_config(self.as_ptr())) }
    }

    /// The absolute path of a file of the `Data` directory, by the name that a configuration gives it.
    pub fn resolve(&self, name: &str) -> Result<PathBuf> {
        let name = ffi::text(name)?;
        let path =
            ffi::call_for(|path, error| unsafe { sys::utm_bundle_resolve(self.as_ptr(), name.as_ptr(), path, error) })?;
        let copied = unsafe { ffi::copy_path(path) };
        unsafe { sys::utm_free(path.cast()) };
        Ok(copied.unwrap_or_default())
    }

    /// The `Data` directory, sorted by name.
    pub fn files(&self) -> Result<Vec<BundleFile>> {
        let files = ffi::call_for(|files, error| unsafe { sys::utm_bundle_list_files(self.as_ptr(), files, error) })?;
        Ok(unsafe { take_files(files) })
    }

    /// Those entries of `Data` that the configuration does not refer to.
    pub fn unreferenced_files(&self) -> Result<Vec<BundleFile>> {
        let files =
            ffi::call_for(|files, error| unsafe { sys::utm_bundle_list_unreferenced(self.as_ptr(), files, error) })?;
        Ok(unsafe { take_files(files) })
    }

    /// Removes files that the configuration does not refer to, by name, or those that are prunable, and tells which.
    pub fn prune(&self, names: Option<&[&str]>) -> Result<Vec<BundleFile>> {
        let names = names.map(Texts::new).transpose()?;
        let names = names.as_ref().map_or(ptr::null(), Texts::as_ptr);
        let files = ffi::call_for(|files, error| unsafe { sys::utm_bundle_prune(self.as_ptr(), names, files, error) })?;
        Ok(unsafe { take_files(files) })
    }

    /// Removes one file.
    pub fn remove_file(&self, name: &str) -> Result<()> {
        let name = ffi::text(name)?;
        ffi::call(|error| unsafe { sys::utm_bundle_remove_file(self.as_ptr(), name.as_ptr(), error) })
    }

    /// Copies a file into `Data` and tells what it is called now, for `Drive[N].ImageName`.
    pub fn import(&self, source: impl AsRef<Path>, options: &ImportOptions) -> Result<String> {
        let (source, name) = (ffi::path(source.as_ref())?, ffi::optional(options.name.as_deref())?);
        let raw = options.raw(&name);
        let taken = ffi::call_for(|taken, error| unsafe {
            sys::utm_bundle_import(self.as_ptr(), source.as_ptr(), &raw, taken, error)
        })?;
        Ok(unsafe { ffi::take(taken).unwrap_or_default() })
    }

    /// As [`import()`](Self::import), without waiting.
    pub fn import_async(&self, source: impl AsRef<Path>, options: &ImportOptions) -> Call<String> {
        let source = attempt!(ffi::path(source.as_ref()));
        let name = attempt!(ffi::optional(options.name.as_deref()));
        let token = call::token(&options.cancel);
        let mut raw = options.raw(&name);
        raw.cancel = cancel::raw(&token);
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_bundle_import_async(self.as_ptr(), source.as_ptr(), &raw, Some(on_imported), data, free, error)
        })
    }

    /// Takes the package's lock, so that between reading and saving nobody else changes it, and reads the configuration again
    /// when somebody has.
    pub fn lock(&self) -> Result<BundleLock> {
        ffi::call(|error| unsafe { sys::utm_bundle_lock(self.as_ptr(), error) })?;
        Ok(BundleLock(self.clone()))
    }

    /// Whether the bundle has the lock now, for whatever reason.
    pub fn lock_state(&self) -> LockState {
        LockState::from_number(unsafe { sys::utm_bundle_get_lock_state(self.as_ptr()) })
    }

    /// Writes a configuration into the package, so that a crash leaves the old or the new file.
    pub fn save_config(&self, config: &Config) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_bundle_save_config(self.as_ptr(), config.as_ptr(), error) })
    }

    /// Gives the machine another name, and with it the package.
    pub fn rename(&self, name: &str) -> Result<()> {
        let name = ffi::text(name)?;
        ffi::call(|error| unsafe { sys::utm_bundle_rename(self.as_ptr(), name.as_ptr(), error) })
    }

    /// What the package occupies on disk.
    pub fn size(&self) -> Result<BundleSize> {
        let mut raw = sys::UtmBundleSize::default();
        ffi::call(|error| unsafe { sys::utm_bundle_get_size(self.as_ptr(), &mut raw, error) })?;
        Ok(BundleSize::of(&raw))
    }

    /// As [`size()`](Self::size), without waiting.
    pub fn size_async(&self) -> Call<BundleSize> {
        Call::begin(None, |data, free, error| unsafe {
            sys::utm_bundle_get_size_async(self.as_ptr(), Some(on_size), data, free, error)
        })
    }

    /// The machine's icon.
    pub fn icon(&self) -> Result<Icon> {
        let (mut builtin, mut data, mut size) = (ptr::null_mut(), ptr::null_mut(), 0);
        ffi::call(|error| unsafe {
            sys::utm_bundle_get_icon(self.as_ptr(), &mut builtin, &mut data, &mut size, error)
        })?;
        Ok(unsafe {
            match ffi::take(builtin) {
                Some(name) => Icon::Builtin(name),
                None => Icon::Data(ffi::take_bytes(data, size)),
            }
        })
    }

    /// Puts an icon, a PNG, JPEG or icns file, into the package and saves the configuration with it.
    pub fn set_icon(&self, data: &[u8]) -> Result<()> {
        ffi::call(|error| unsafe { sys::utm_bundle_set_icon(self.as_ptr(), data.as_ptr().cast(), data.len(), error) })
    }

    /// The last screenshot, as a PNG file. It is not checked: decode it with care.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        let mut size = 0;
        let data = ffi::call_for(|data, error| unsafe {
            sys::utm_bundle_read_screenshot(self.as_ptr(), data, &mut size, error)
        })?;
        Ok(unsafe { ffi::take_bytes(data, size) })
    }

    /// Replaces the screenshot by a PNG file, or removes it.
    pub fn set_screenshot(&self, data: Option<&[u8]>) -> Result<()> {
        let (start, size) = data.map_or((ptr::null(), 0), |data| (data.as_ptr(), data.len()));
        ffi::call(|error| unsafe { sys::utm_bundle_write_screenshot(self.as_ptr(), start.cast(), size, error) })
    }

    /// What `view.plist` of an older package says of windows, removable media and shared directory; `utm/configuration.h`
    /// tells what it looks like.
    pub fn view_state(&self, options: &LoadOptions) -> Result<Value> {
        let texts = options.texts()?;
        let raw = options.raw(&texts);
        let state =
            ffi::call_for(|state, error| unsafe { sys::utm_bundle_get_view_state(self.as_ptr(), &raw, state, error) })?;
        unsafe { take_value(state) }
    }

    /// Puts fresh UEFI variables in the place of those that the machine has, or makes its first.
    pub fn reset_uefi_variables(&self, options: &UefiResetOptions) -> Result<()> {
        let raw = options.raw();
        ffi::call(|error| unsafe { sys::utm_bundle_reset_uefi_variables(self.as_ptr(), &raw, error) })
    }

    /// As [`reset_uefi_variables()`](Self::reset_uefi_variables), without waiting.
    pub fn reset_uefi_variables_async(&self, options: &UefiResetOptions) -> Call<()> {
        let token = call::token(&options.cancel);
        let raw = sys::UtmUefiResetOptions { cancel: cancel::raw(&token), ..options.raw() };
        Call::begin(token, |data, free, error| unsafe {
            sys::utm_bundle_reset_uefi_variables_async(self.as_ptr(), &raw, Some(on_done), data, free, error)
        })
    }
}

/// A free-form value of the library's, which is freed.
pub(crate) unsafe fn take_value(raw: *mut sys::UtmValue) -> Result<Value> {
    let json = ffi::take(sys::utm_value_dup_json(raw)).unwrap_or_default();
    sys::utm_value_free(raw);
    Value::from_json(&json)
}

/// Reads `view.plist`, which older packages have beside their configuration.
pub fn load_view_state(data: &[u8], options: &LoadOptions) -> Result<Value> {
    let texts = options.texts()?;
    let raw = options.raw(&texts);
    let state = ffi::call_for(|state, error| unsafe {
        sys::utm_view_state_load_data(data.as_ptr().cast(), data.len(), &raw, state, error)
    })?;
    unsafe { take_value(state) }
}
