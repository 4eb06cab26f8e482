//! What commands that read evidence have in common: loading, and saying what is wrong with it.

use std::path::Path;

use super::output::{Failure, print_failure};
use crate::bundle::{self, LoadError, Loaded, LoadedScenario};
use crate::known::Scope;

/// Damages that are told one by one.
const PROBLEMS_TOLD: usize = 10;

/// Reads evidence, or says why it is none.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    bundle::load(path).map_err(|error: LoadError| Failure::new(error.to_string()).hint(error.hint()))
}

/// What the evidence is of: a part of a run need not show what the whole would. Of a scenario's directory alone nothing is
/// known of the others.
pub(super) fn scope(loaded: &Loaded) -> Scope {
    match loaded.plan() {
        Some(plan) => Scope { scenarios: plan.all.clone(), partial: plan.defect.is_some() },
        None => {
            let has_name = |scenario: &LoadedScenario| !scenario.evidence.scenario.is_empty();
            let partial = !loaded.is_of_a_run() && loaded.scenarios.iter().any(has_name);
            Scope { scenarios: Vec::new(), partial }
        }
    }
}

/// Says what is wrong with evidence that could be read all the same. One message; what follows is what could be read.
pub(super) fn tell_problems(path: &Path, problems: &[String]) {
    if problems.is_empty() {
        return;
    }
    let mut lines: Vec<&str> = problems.iter().take(PROBLEMS_TOLD).map(String::as_str).collect();
    let more = format!("and {} more", problems.len().saturating_sub(PROBLEMS_TOLD));
    if problems.len() > PROBLEMS_TOLD {
        lines.push(&more);
    }
    let text = match lines.as_slice() {
        [line] => format!(" {line}"),
        lines => lines.iter().map(|line| format!("\n  {line}")).collect(),
    };
    print_failure(
        &Failure::new(format!("{} is not as it was saved:{text}", path.display())).hint(
            "what can be read of it follows, and proves nothing about what is missing; record it again",
        ),
    );
}
