//! The scenarios of the reference systems. One list serves `cargo probity run` and `cargo test --test scenarios`.

pub mod shortener;

use std::path::PathBuf;

use probity::run::System;

/// The services' binaries, found by whoever built them: name and path.
pub type Programs<'p> = &'p dyn Fn(&str) -> PathBuf;

/// Every reference system, as Probity runs it.
pub fn systems(programs: Programs) -> Vec<System> {
    vec![shortener::system(programs)]
}
