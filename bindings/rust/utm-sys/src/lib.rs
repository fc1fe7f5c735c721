// SPDX-License-Identifier: LGPL-2.1-or-later
//! libutm as it is: the functions, structs and constants of its public headers, without any safety. The crate `utm` is made of
//! them, and what programs want. The headers of the installed library say what each of them does.
//!
//! The functions of single QEMU commands, several thousand, are left out: `utm` has types of its own for them.

#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_uint, c_void};

macro_rules! opaque {
    ($name:ident) => {
        /// Behind a pointer only.
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
            _not_movable: std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
