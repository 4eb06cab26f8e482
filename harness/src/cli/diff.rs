//! `probity diff`: what changed between two saved runs.

use std::path::Path;

use super::Done;
use super::arguments::{DenyDiff, DiffArguments};
use super::evidence::{load, scope, tell_problems};
use super::gate::Gate;
use super::output::{Failure, check_writable, is_stdout, print, write_result};
use crate::bundle::Loaded;
use crate::diff::{Diff, Side};
use crate::known::Scope;
use crate::report::terminal::Layout;
use crate::report::{Judged, RunReport};

pub(super) fn run(arguments: &DiffArguments) -> Done {
    check_places(arguments)?;
    let gate = Gate::of(arguments.known.as_deref(), false)?;
    let [a, b] = [judged(&arguments.a, &gate)?, judged(&arguments.b, &gate)?];
    let [cases_a, cases_b] = [&a, &b].map(|run| run.loaded.cases(&run.report));
    let diff = Diff::between(&a.side(&cases_a), &b.side(&cases_b));
    let is_whole = a.loaded.problems.is_empty() && b.loaded.problems.is_empty();
    let code = exit_code(&diff, &arguments.deny, is_whole);
    if !arguments.takes_stdout() {
        print(&diff.text(Layout::detect().width));
    }
    if let Some(file) = &arguments.json {
        write_result(file, &diff.json(code))?;
    }
    if let Some(file) = &arguments.markdown {
        write_result(file, &diff.markdown())?;
    }
    Ok(code)
}

/// A run, read and judged.
struct Run {
    path: String,
    loaded: Loaded,
    report: RunReport,
}

impl Run {
    fn side<'r>(&'r self, cases: &'r [Judged<'r>]) -> Side<'r> {
        Side { path: self.path.clone(), report: &self.report, cases }
    }
}

fn judged(path: &Path, gate: &Gate) -> Result<Run, Failure> {
    let loaded = load(path)?;
    tell_problems(path, &loaded.problems);
    let shown = path.display().to_string();
    // Entries that match nothing are a matter of the run's own gate.
    let report = gate.run(loaded.judge(&shown), &Scope { partial: true, ..scope(&loaded) });
    Ok(Run { path: shown, loaded, report })
}

/// A difference is no failure unless it is denied; what was not judged any more may hide one.
fn exit_code(diff: &Diff, deny: &[DenyDiff], is_whole: bool) -> u8 {
    let is_denied = |what: DenyDiff| deny.contains(&what);
    let new_findings = is_denied(DenyDiff::NewFindings) && diff.new_findings().next().is_some();
    if new_findings || is_denied(DenyDiff::Changes) && diff.has_changes() {
        1
    } else if !is_whole {
        2
    } else if is_denied(DenyDiff::NewFindings) && diff.not_judged_any_more() {
        3
    } else {
        0
    }
}

fn check_places(arguments: &DiffArguments) -> Result<(), Failure> {
    let files = || arguments.json.iter().chain(&arguments.markdown);
    if files().filter(|file| is_stdout(file)).count() > 1 {
        return Err(Failure::new("standard output can take one form, not JSON and Markdown")
            .hint("give one of them a file"));
    }
    files().try_for_each(|file| check_writable(file))
}
