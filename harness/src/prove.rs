//! Would anybody notice? Breaks the evidence of green scenarios in every way that [`crate::mutation`] knows, judges each again, and
//! says which rule caught it and which break nobody would notice; and that what must not matter does not.
//!
//! Pure but for the threads it works on; the result does not depend on their number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use crate::judge::{judge, judge_on};
use crate::model::{Case, Declaration, Evidence, Outcome, Severity, Verdict};
use crate::mutation::{self, Mutant, Mutation, NEUTRALS};
use crate::report::ScenarioReport;

/// A scenario to be broken.
pub struct Green<'a> {
    pub evidence: &'a Evidence,
    pub declaration: Option<&'a Declaration>,
}

/// What came of all breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The scenarios that were broken.
    pub scenarios: Vec<String>,
    /// Scenarios that are not green: breaking them proves nothing.
    pub passed_over: Vec<String>,
    pub breaks: Vec<Broken>,
    /// Changes that must not matter, with what they changed all the same.
    pub neutrals: Vec<Disturbed>,
}

impl Proof {
    pub fn survivors(&self) -> impl Iterator<Item = &Broken> {
        self.breaks.iter().filter(|broken| broken.fate == Fate::Survived)
    }

    /// Changes that must not matter, and did.
    pub fn disturbed(&self) -> impl Iterator<Item = &Disturbed> {
        self.neutrals.iter().filter(|neutral| !neutral.changed.is_empty())
    }
}

/// One break of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    pub mutation: &'static str,
    pub about: &'static str,
    pub subject: String,
    pub fate: Fate,
    /// The rules that noticed, where they did.
    pub rules: Vec<String>,
    /// The scenario in which they noticed; of a survivor the first in which nobody did.
    pub scenario: String,
    /// In how many scenarios there was such a subject.
    pub scenarios: usize,
}

/// What becomes of a break, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A rule turns red.
    Caught,
    /// The verdict is incomplete: no pass, but nothing says what is wrong.
    Incomplete,
    /// A rule warns; the verdict is still a pass.
    Warned,
    /// Nobody would notice.
    Survived,
}

/// What a change that must not matter came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disturbed {
    pub change: &'static str,
    pub about: &'static str,
    /// Scenarios whose judgement it changed, with the first difference; empty, as it must be.
    pub changed: Vec<String>,
}

/// A green scenario with what breaks are measured against.
struct Baseline<'a> {
    evidence: &'a Evidence,
    declaration: Option<&'a Declaration>,
    report: ScenarioReport,
}

/// The subjects of one mutation, each with the scenarios that have it.
type Subjects = BTreeMap<String, Vec<(usize, Mutant)>>;

/// One break with every scenario that has its subject.
struct Attempt {
    mutation: &'static Mutation,
    subject: String,
    places: Vec<(usize, Mutant)>,
}

/// Breaks everything. `progress` hears how much of how much is done.
pub fn prove(greens: &[Green], threads: usize, progress: &(dyn Fn(usize, usize) + Sync)) -> Proof {
    let mut proof = Proof::default();
    let mut baselines = Vec::new();
    for Green { evidence, declaration } in greens {
        let report = judge(evidence, *declaration);
        let name = evidence.scenario.clone();
        match report.verdict {
            Some(Verdict::Pass) => {
                proof.scenarios.push(name);
                baselines.push(Baseline { evidence, declaration: *declaration, report });
            }
            _ => proof.passed_over.push(name),
        }
    }
    let attempts = attempts(&baselines);
    let total = attempts.len() + NEUTRALS.len() + 1;
    let done = AtomicUsize::new(0);
    let tell = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    proof.breaks = spread(threads, &attempts, |attempt| {
        let broken = attempt.run(&baselines);
        tell();
        broken
    });
    proof.neutrals = spread(threads, NEUTRALS, |neutral| {
        let changed = baselines.iter().filter_map(|baseline| baseline.disturbed_by(neutral.change)).collect();
        tell();
        Disturbed { change: neutral.name, about: neutral.about, changed }
    });
    proof.neutrals.push(other_threads(&baselines));
    tell();
    proof
}

/// Breaks with their subjects, in the order of mutations; scenarios in the order that catches soonest: those whose trees are
/// expected, small ones before large ones.
fn attempts(baselines: &[Baseline]) -> Vec<Attempt> {
    let mut order: Vec<usize> = (0..baselines.len()).collect();
    order.sort_by_key(|number| {
        let baseline = &baselines[*number];
        (baseline.evidence.expectations.is_empty(), baseline.report.counts.spans)
    });
    let mut attempts: Vec<Subjects> = Vec::new();
    attempts.resize_with(mutation::breaks().count(), BTreeMap::new);
    for number in order {
        let baseline = &baselines[number];
        let case = Case::new(baseline.evidence, baseline.declaration);
        for (mutation, subjects) in mutation::breaks().zip(&mut attempts) {
            for mutant in (mutation.mutants)(&case) {
                subjects.entry(mutant.subject.clone()).or_default().push((number, mutant));
            }
        }
    }
    let of = |(mutation, subjects): (&'static Mutation, Subjects)| {
        let attempt = move |(subject, places)| Attempt { mutation, subject, places };
        subjects.into_iter().map(attempt).collect::<Vec<_>>()
    };
    mutation::breaks().zip(attempts).flat_map(of).collect()
}

impl Attempt {
    /// Tries scenario after scenario until a rule turns red.
    fn run(&self, baselines: &[Baseline]) -> Broken {
        let mut best: Option<(Fate, Vec<String>, usize)> = None;
        for (number, mutant) in &self.places {
            let baseline = &baselines[*number];
            let broken = judge(&mutant.of(baseline.evidence), baseline.declaration);
            let (fate, rules) = noticed(&baseline.report, &broken);
            if best.as_ref().is_none_or(|(known, ..)| fate < *known) {
                best = Some((fate, rules, *number));
            }
            if fate == Fate::Caught {
                break;
            }
        }
        let (fate, rules, number) = best.unwrap_or((Fate::Survived, Vec::new(), 0));
        Broken {
            mutation: self.mutation.name,
            about: self.mutation.about,
            subject: self.subject.clone(),
            fate,
            rules,
            scenario: baselines
                .get(number)
                .map(|baseline| baseline.evidence.scenario.clone())
                .unwrap_or_default(),
            scenarios: self.places.len(),
        }
    }
}

/// What a judgement noticed that it did not say before, and by which rules.
fn noticed(good: &ScenarioReport, bad: &ScenarioReport) -> (Fate, Vec<String>) {
    let newly = |outcome: Outcome| -> Vec<String> {
        let rules = bad.rules_that(outcome).into_iter();
        rules.filter(|rule| good.outcome(rule) != outcome).map(String::from).collect()
    };
    let failed = newly(Outcome::Fail);
    if !failed.is_empty() {
        return (Fate::Caught, failed);
    }
    if bad.verdict != Some(Verdict::Pass) {
        return (Fate::Incomplete, newly(Outcome::Incomplete));
    }
    let warned = warnings(good, bad);
    if warned.is_empty() { (Fate::Survived, Vec::new()) } else { (Fate::Warned, warned) }
}

/// Rules with a warning that was not there before.
fn warnings(good: &ScenarioReport, bad: &ScenarioReport) -> Vec<String> {
    let same = |finding: &crate::model::Finding| {
        good.findings.iter().any(|known| {
            (&known.rule, &known.subject, &known.seen) == (&finding.rule, &finding.subject, &finding.seen)
        })
    };
    let new = bad.findings.iter().filter(|finding| finding.severity == Severity::Warning && !same(finding));
    let mut rules: Vec<String> = new.map(|finding| finding.rule.clone()).collect();
    rules.dedup();
    rules
}

impl Baseline<'_> {
    /// The first difference, if a change that must not matter made one.
    fn disturbed_by(&self, change: fn(&mut Evidence)) -> Option<String> {
        let mut changed = self.evidence.clone();
        change(&mut changed);
        self.difference(&judge(&changed, self.declaration))
    }

    fn difference(&self, other: &ScenarioReport) -> Option<String> {
        let (before, after) = (mutation::without_arrival(&self.report), mutation::without_arrival(other));
        let at = before.bytes().zip(after.bytes()).position(|(before, after)| before != after);
        let at = at.or((before.len() != after.len()).then(|| before.len().min(after.len())))?;
        let near = |text: &str| -> String {
            let from = (0..=at.saturating_sub(40)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text[from..].chars().take(100).collect()
        };
        Some(format!("{}: `{}` became `{}`", self.evidence.scenario, near(&before), near(&after)))
    }
}

/// The same evidence on one thread and on many.
fn other_threads(baselines: &[Baseline]) -> Disturbed {
    let changed = baselines.iter().filter_map(|baseline| {
        let case = Case::new(baseline.evidence, baseline.declaration);
        [1, 2, 7].into_iter().find_map(|threads| baseline.difference(&judge_on(threads, &case)))
    });
    Disturbed {
        change: "threads",
        about: "the rules run on one, two and seven threads",
        changed: changed.collect(),
    }
}

/// Does the work on so many threads; results in the order of the work.
fn spread<T: Sync, R: Send>(threads: usize, work: &[T], one: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((number, item)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            work.get(at).map(|item| (at, item))
        } {
            done.push((number, one(item)));
        }
        done
    };
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, 64)).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests;
