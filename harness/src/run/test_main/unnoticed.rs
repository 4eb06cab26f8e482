//! `prove` over what the suite has just captured: each green scenario is broken in every known way, and no break of it may go
//! unnoticed, nor may what must not matter. It takes as long as half of the suite, and so only who asks for it has it.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use super::{Suite, cannot};
use crate::bundle::{self, LoadedScenario};
use crate::model::Verdict;
use crate::prove::{Fate, Green, Proof, prove};
use crate::report::proof;
use crate::report::terminal::Layout;
use crate::run::{System, Task};

/// A scenario with more spans is left out: it is judged again for each break, and small ones have what it has.
const SPANS_MAX: u64 = 300;

/// Asks for it, whatever its value.
const VARIABLE: &str = "PROBITY_PROVE";

/// Only of systems with defects: those promise that whatever breaks is noticed.
pub(super) fn trial(suite: &Arc<Suite>) -> Option<Trial> {
    let suite = suite.clone();
    let promised = suite.systems.iter().any(|system| !system.defects.is_empty());
    let asked = std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty());
    let reason = (!asked).then(|| format!("only with {VARIABLE}=1: it takes as long as half of the suite"));
    let trial = || Trial::test("no_break_goes_unnoticed", move || suite.no_break_goes_unnoticed());
    promised.then(|| super::skippable(trial(), reason))
}

impl Suite {
    fn no_break_goes_unnoticed(&self) -> Result<(), Failed> {
        let mut captured = Vec::new();
        for system in self.systems.iter().filter(|system| !system.defects.is_empty()) {
            captured.extend(self.captured(system)?);
        }
        let greens: Vec<Green> = captured.iter().map(green).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let proof = prove(&greens, threads, &|_, _| ());
        match holds(&proof) {
            true => Ok(()),
            false => Err(self.fail(proof::terminal(&proof, false, &Layout::detect()))),
        }
    }

    /// What each green scenario of a system left; one that is not green has a test that says so.
    fn captured(&self, system: &Arc<System>) -> Result<Vec<LoadedScenario>, Failed> {
        let mut captured = Vec::new();
        for scenario in system.scenarios.iter().filter(|scenario| cannot(scenario).is_none()) {
            let outcome = self.runtime.block_on(self.good(Task::new(system, scenario)))?;
            let report = &outcome.report;
            let small = report.counts.spans <= SPANS_MAX;
            let Some(path) = outcome.evidence.as_ref() else { continue };
            if small && report.verdict == Some(Verdict::Pass) {
                let loaded = bundle::load(path).map_err(|error| self.fail(error.to_string()))?;
                captured.extend(loaded.scenarios);
            }
        }
        Ok(captured)
    }
}

fn green(LoadedScenario { evidence, declaration, .. }: &LoadedScenario) -> Green<'_> {
    Green { evidence, declaration: declaration.as_ref() }
}

/// A break must turn a rule red, or at least take the pass away.
fn holds(proof: &Proof) -> bool {
    let noticed = |fate| matches!(fate, Fate::Caught | Fate::Incomplete);
    !proof.breaks.is_empty()
        && proof.breaks.iter().all(|broken| noticed(broken.fate))
        && proof.disturbed().next().is_none()
}
