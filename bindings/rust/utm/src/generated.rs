// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `qapi/generate/rust_backend.py` makes of the facts in `qapi/` when the crate is built.

#![allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]

pub(crate) mod errors {
    include!(concat!(env!("OUT_DIR"), "/errors.rs"));
}

#[allow(non_camel_case_types)]
pub mod config {
    //! The configuration as types: [`Qemu`] and [`Apple`] are whole ones.
    include!(concat!(env!("OUT_DIR"), "/config.rs"));
}

pub mod qmp {
    include!(concat!(env!("OUT_DIR"), "/qmp.rs"));
}

pub mod qga {
    include!(concat!(env!("OUT_DIR"), "/qga.rs"));
}
