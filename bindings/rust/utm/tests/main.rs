// SPDX-License-Identifier: LGPL-2.1-or-later
//! The tests of the Rust binding, numbered as those of the other languages. Those from 210 on run a real QEMU with the small
//! guests of `tests/guest/`: where these are not, they say so and pass. UTM_TEST_REQUIRE=1 makes that a failure.

mod support;

#[path = "100_handle.rs"]
mod t100_handle;
#[path = "110_errors.rs"]
mod t110_errors;
#[path = "200_config.rs"]
mod t200_config;
#[path = "210_start.rs"]
mod t210_start;
#[path = "220_qmp.rs"]
mod t220_qmp;
#[path = "230_events.rs"]
mod t230_events;
#[path = "300_frames.rs"]
mod t300_frames;
#[path = "310_input.rs"]
mod t310_input;
#[path = "500_async.rs"]
mod t500_async;
#[path = "510_cancel.rs"]
mod t510_cancel;
#[path = "600_lifetime.rs"]
mod t600_lifetime;
