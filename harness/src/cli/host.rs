//! What a binary that hosts the commands brings along: its scenarios, if it has any.

use std::sync::Arc;

use super::output::Failure;
use crate::run::System;

/// Systems with scenarios, for `run` and `defects`.
pub struct Host {
    /// The systems as far as lists need them: programs may be missing.
    pub describe: fn() -> Vec<System>,
    /// The systems ready to run: builds what they need. The error is one message.
    pub load: fn() -> Result<Vec<System>, String>,
}

pub(super) fn described(host: Option<&Host>) -> Result<Vec<Arc<System>>, Failure> {
    host.map(|host| shared((host.describe)())).ok_or_else(no_scenarios)
}

pub(super) fn loaded(host: Option<&Host>) -> Result<Vec<Arc<System>>, Failure> {
    let host = host.ok_or_else(no_scenarios)?;
    (host.load)().map(shared).map_err(Failure::new)
}

fn shared(systems: Vec<System>) -> Vec<Arc<System>> {
    systems.into_iter().map(Arc::new).collect()
}

fn no_scenarios() -> Failure {
    Failure::new("this binary has no scenarios").hint(
        "the reference scenarios run with `cargo probity run`; `probity exec -- CMD` judges any program",
    )
}
