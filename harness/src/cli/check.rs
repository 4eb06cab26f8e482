//! `probity check`: judges saved evidence again.

use super::Done;
use super::arguments::CheckArguments;
use super::evidence::{load, scope, tell_problems};
use super::gate::Gate;
use super::output::{note, print, relative};
use super::reports;
use crate::bundle::Loaded;
use crate::model::BarrierKind;
use crate::report::terminal::{self, Layout};

pub(super) fn run(arguments: &CheckArguments) -> Done {
    reports::check_places(&arguments.report)?;
    let path = &arguments.evidence;
    let mut gate = Gate::read(&arguments.report)?;
    let mut loaded = load(path)?;
    if arguments.complete {
        state_complete(&mut loaded);
    }
    tell_problems(path, &loaded.problems);
    let shown = path.display().to_string();
    let report = loaded.judge(&shown);
    let written = arguments.write_known.as_deref().map(|file| gate.write_known(file, &report.scenarios));
    let written = written.transpose()?;
    let mut report = gate.run(report, &scope(&loaded));
    report.evidence = Some(relative(&path.canonicalize().unwrap_or_else(|_| path.clone())));
    if let Some(said) = written {
        note(&said);
    }
    if !arguments.report.takes_stdout() {
        print(&terminal::run(&report, &Layout::detect().with_evidence(Some(shown))));
    }
    Ok(reports::write(&report, &loaded.cases(&report), None, &arguments.report))
}

/// Takes the reader's word for what no barrier proves. A barrier that stayed open is evidence, and stays.
pub(super) fn state_complete(loaded: &mut Loaded) {
    for scenario in &mut loaded.scenarios {
        let barrier = &mut scenario.evidence.barrier;
        if matches!(barrier.kind, BarrierKind::Absent | BarrierKind::Quiet) {
            barrier.kind = BarrierKind::Stated;
        }
    }
}
