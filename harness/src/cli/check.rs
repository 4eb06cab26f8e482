//! `probity check`: judges saved evidence again.

use super::Done;
use super::arguments::CheckArguments;
use super::evidence::{load, tell_problems};
use super::output::{print, relative};
use super::reports;
use crate::bundle::Loaded;
use crate::model::BarrierKind;
use crate::report::terminal::{self, Layout};

pub(super) fn run(arguments: &CheckArguments) -> Done {
    reports::check_places(&arguments.report)?;
    let path = &arguments.evidence;
    let mut loaded = load(path)?;
    if arguments.complete {
        state_complete(&mut loaded);
    }
    tell_problems(path, &loaded.problems);
    let shown = path.display().to_string();
    let mut report = arguments.report.apply(loaded.judge(&shown));
    report.evidence = Some(relative(&path.canonicalize().unwrap_or_else(|_| path.clone())));
    if !arguments.report.takes_stdout() {
        print(&terminal::run(&report, &Layout::detect().with_evidence(Some(shown))));
    }
    Ok(reports::write(&report, &loaded.cases(&report), None, &arguments.report))
}

/// Takes the reader's word for what no barrier proves. A barrier that stayed open is evidence, and stays.
fn state_complete(loaded: &mut Loaded) {
    for scenario in &mut loaded.scenarios {
        let barrier = &mut scenario.evidence.barrier;
        if matches!(barrier.kind, BarrierKind::Absent | BarrierKind::Quiet) {
            barrier.kind = BarrierKind::Stated;
        }
    }
}
