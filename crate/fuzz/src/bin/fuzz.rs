//! The targets for libFuzzer, which says in `FUZZ_TARGET` which one: see tools/fuzz.

#![no_main]
#![allow(unsafe_code, clippy::expect_used, missing_docs, reason = "libFuzzer calls a function of a C name")]

use std::sync::LazyLock;

use muc_cloud_notify_fuzz::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET says which target");
    *TARGETS.iter().find(|target| target.name == name).expect("there is a target of this name")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
