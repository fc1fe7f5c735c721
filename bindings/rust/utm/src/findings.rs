// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is wrong with a configuration, or with a package: everything, not only the first thing.

use crate::error::Result;
use crate::ffi;
use crate::{Bundle, Config, Hardware, Host};
use std::path::PathBuf;
use utm_sys as sys;

pub use crate::generated::errors::FindingCode;

crate::ffi::numbers! {
    /// How bad it is.
    Severity {
        /// Somebody may want to know.
        Info = UTM_FINDING_SEVERITY_INFO,
        /// The machine starts, but not as the configuration says.
        Warning = UTM_FINDING_SEVERITY_WARNING,
        /// The machine cannot start, or UTM refuses the file.
        Error = UTM_FINDING_SEVERITY_ERROR,
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for programs.
    pub code: FindingCode,
    /// Where, such as `Drive[1].ImageName`; `None` for what no key says.
    pub key_path: Option<String>,
    /// What and why: one line.
    pub message: String,
    /// What to do about it: one line.
    pub remedy: String,
    /// The file that it is about.
    pub file: Option<PathBuf>,
}

/// What a check found: first errors, then warnings, then the rest, each in the order of the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Copies a list of the library's, and frees it.
    unsafe fn take(raw: *mut sys::UtmFindings) -> Self {
        let found = (0..sys::utm_findings_get_count(raw))
            .map(|index| {
                let finding = &*sys::utm_findings_get(raw, index);
                Finding {
                    severity: Severity::from_number(finding.severity),
                    code: FindingCode::from_number(finding.code),
                    key_path: ffi::copy(finding.key_path),
                    message: ffi::copy(finding.message).unwrap_or_default(),
                    remedy: ffi::copy(finding.remedy).unwrap_or_default(),
                    file: ffi::copy_path(finding.file),
                }
            })
            .collect();
        sys::utm_findings_free(raw);
        Self(found)
    }

    /// Whether an error is among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl std::ops::Deref for Findings {
    type Target = [Finding];

    fn deref(&self) -> &[Finding] {
        &self.0
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// By what a check judges.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions<'a> {
    host: Option<&'a Host>,
    hardware: Option<&'a Hardware>,
}

impl<'a> CheckOptions<'a> {
    /// The host that the machine is to run on, instead of hosts in general.
    pub fn host(mut self, host: &'a Host) -> Self {
        self.host = Some(host);
        self
    }

    /// What the QEMU has that is to run the machine, instead of the list that the library brings.
    pub fn hardware(mut self, hardware: &'a Hardware) -> Self {
        self.hardware = Some(hardware);
        self
    }

    fn raw(&self) -> sys::UtmConfigCheckOptions {
        sys::UtmConfigCheckOptions {
            host: self.host.map_or(std::ptr::null(), |host| host.as_ptr()),
            hardware: self.hardware.map_or(std::ptr::null(), |hardware| hardware.as_ptr()),
            ..Default::default()
        }
    }
}

impl Config {
    /// Checks the values. No file is looked at.
    ///
    /// ```
    /// let mut config = utm::Config::new(&Default::default())?;
    /// config.set("System.Target", "no-such-machine")?;
    /// for finding in &config.check(&Default::default())? {
    ///     println!("{:?}: {}\n    {}", finding.key_path, finding.message, finding.remedy);
    /// }
    /// # Ok::<(), utm::Error>(())
    /// ```
    pub fn check(&self, options: &CheckOptions<'_>) -> Result<Findings> {
        let raw = options.raw();
        let found =
            ffi::call_for(|findings, error| unsafe { sys::utm_config_check(self.as_ptr(), &raw, findings, error) })?;
        Ok(unsafe { Findings::take(found) })
    }
}

impl Bundle {
    /// Checks the configuration, and the files. Nothing is changed.
    pub fn check(&self, options: &CheckOptions<'_>) -> Result<Findings> {
        let raw = options.raw();
        let found =
            ffi::call_for(|findings, error| unsafe { sys::utm_bundle_check(self.as_ptr(), &raw, findings, error) })?;
        Ok(unsafe { Findings::take(found) })
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(unsafe { ffi::borrow(sys::utm_finding_severity_get_name(self.number())).unwrap_or("unknown") })
    }
}
