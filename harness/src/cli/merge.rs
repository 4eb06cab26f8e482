//! `probity merge`: the shards of one run as one run.

use super::arguments::MergeArguments;
use super::evidence::{load, scope, tell_problems};
use super::gate::Gate;
use super::output::{Failure, print, relative};
use super::{Done, reports};
use crate::bundle::{self, MergeError};
use crate::report::terminal::{self, Layout};

pub(super) fn run(arguments: &MergeArguments) -> Done {
    reports::check_places(&arguments.report)?;
    let gate = Gate::read(&arguments.report)?;
    bundle::merge(&arguments.shards, &arguments.evidence).map_err(refused)?;
    // Read back from where it was saved: what is reported is what `check` will find there.
    let loaded = load(&arguments.evidence)?;
    tell_problems(&arguments.evidence, &loaded.problems);
    let shown = relative(&arguments.evidence);
    let mut report = gate.run(loaded.judge(&shown), &scope(&loaded));
    report.evidence = Some(shown.clone());
    if !arguments.report.takes_stdout() {
        print(&terminal::run(&report, &Layout::detect().with_evidence(Some(shown))));
    }
    Ok(reports::write(&report, &loaded.cases(&report), Some(&arguments.evidence), &arguments.report))
}

fn refused(error: MergeError) -> Failure {
    Failure::new(error.to_string()).hint(error.hint())
}
