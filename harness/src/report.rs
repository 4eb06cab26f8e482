//! What a run says of itself, as values: [`RunReport`] of [`ScenarioReport`]s, and the forms in which people and machines
//! read them.
//!
//! A report follows from evidence and declaration alone, except for what is marked as the run's own (times, backends, why a
//! scenario was skipped or could not be run); the same evidence gives the same report, byte for byte.

pub mod escape;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
mod kind;
pub mod markdown;
mod plan;
pub mod progress;
pub mod proof;
pub mod sarif;
pub mod terminal;
#[cfg(test)]
mod testing;
pub mod text;
pub mod trees;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

pub use kind::Kind;
pub use plan::{Plan, Shard, ShardError};

use crate::model::{Barrier, Declaration, Evidence, Finding, Gap, Outcome, Override, SenderEntry, Verdict};

/// Everything a run has to say.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    pub verdict: Verdict,
    /// What was run: a system's name, `exec`, `listen`, or the path of the evidence.
    pub subject: String,
    pub interrupted: bool,
    /// What was wrong with the evidence that was read (cut off, edited); never empty together with a passing verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Entries of the file of known findings that match nothing: the run fails until they are corrected or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched_known: Vec<UnmatchedEntry>,
    pub backends: Vec<BackendReport>,
    pub scenarios: Vec<ScenarioReport>,
    /// Wall time of the whole run in seconds; the run's own.
    pub seconds: f64,
    /// Which share of the scenarios this is, when it is not all that were chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// It was to judge nothing: a shard of more than there are scenarios.
    #[serde(skip)]
    nothing_to_judge: bool,
    /// Where the evidence lies, as a person would type it; the run's own, and no part of the JSON.
    #[serde(skip)]
    pub evidence: Option<String>,
}

impl RunReport {
    /// Puts scenarios together. The worst verdict wins; skipped ones stand outside it, and where nothing was judged at all
    /// the run is incomplete.
    pub fn new(subject: impl Into<String>, scenarios: Vec<ScenarioReport>) -> Self {
        RunReport {
            verdict: worst(&scenarios),
            subject: subject.into(),
            interrupted: false,
            problems: Vec::new(),
            unmatched_known: Vec::new(),
            backends: Vec::new(),
            scenarios,
            seconds: 0.0,
            shard: None,
            nothing_to_judge: false,
            evidence: None,
        }
    }

    /// Records which share of its scenarios the run was to judge. A share of nothing passes.
    pub fn with_plan(mut self, plan: &Plan) -> Self {
        self.shard = plan.shard;
        self.nothing_to_judge = plan.share().next().is_none();
        if self.scenarios.is_empty() && self.nothing_to_judge {
            self.verdict = Verdict::Pass;
        }
        self
    }

    pub fn with_backends(mut self, backends: Vec<BackendReport>) -> Self {
        self.backends = backends;
        self
    }

    /// Marks the run as ended by a signal before it was done: never green.
    pub fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self.verdict = self.verdict.worst(Verdict::Error);
        self
    }

    /// Records what was wrong with the evidence. Judging damaged evidence proves nothing: the verdict is `error`.
    pub fn with_problems(mut self, problems: Vec<String>) -> Self {
        if !problems.is_empty() {
            self.verdict = Verdict::Error;
        }
        self.problems = problems;
        self
    }

    /// Changes each scenario, and lets the verdict of the run follow.
    pub fn regraded(mut self, change: impl FnMut(ScenarioReport) -> ScenarioReport) -> Self {
        self.scenarios = self.scenarios.into_iter().map(change).collect();
        let is_empty = self.scenarios.is_empty() && self.nothing_to_judge;
        self.verdict = if is_empty { Verdict::Pass } else { worst(&self.scenarios) };
        if !self.unmatched_known.is_empty() {
            self.verdict = Verdict::Fail;
        }
        if self.interrupted {
            self.verdict = self.verdict.worst(Verdict::Error);
        }
        let problems = std::mem::take(&mut self.problems);
        self.with_problems(problems)
    }

    /// Records entries of the file of known findings that match nothing. The run fails.
    pub fn with_unmatched_known(mut self, unmatched: Vec<UnmatchedEntry>) -> Self {
        if !unmatched.is_empty() {
            self.verdict = self.verdict.worst(Verdict::Fail);
        }
        self.unmatched_known = unmatched;
        self
    }

    /// 1 any fail, else 2 any error, else 3 any incomplete, else 0; an interrupt is always 2.
    pub fn exit_code(&self) -> u8 {
        if self.interrupted { 2 } else { self.verdict.exit_code() }
    }

    pub fn totals(&self) -> Totals {
        Totals::of(&self.scenarios)
    }

    /// The thresholds that were not the default ones, each once and in a line.
    pub(crate) fn overrides(&self) -> std::collections::BTreeSet<String> {
        self.scenarios.iter().flat_map(|scenario| &scenario.thresholds).map(Override::to_string).collect()
    }
}

/// The worst verdict wins; where nothing was judged at all the run is incomplete.
fn worst(scenarios: &[ScenarioReport]) -> Verdict {
    let judged = scenarios.iter().filter_map(|scenario| scenario.verdict);
    judged.reduce(Verdict::worst).unwrap_or(Verdict::Incomplete)
}

/// An entry of the file of known findings that accepts nothing there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnmatchedEntry {
    /// `known.yaml:12:5`.
    pub place: String,
    pub rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    pub reason: String,
    /// The nearest finding of the rule, or the nearest name; `None`: the rule found nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// What a run adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub scenarios: usize,
    pub pass: usize,
    pub fail: usize,
    pub error: usize,
    pub incomplete: usize,
    pub skipped: usize,
    /// Rules that judged at least one subject somewhere.
    pub rules: usize,
    pub spans: u64,
    /// Warnings that nobody accepted.
    pub warnings: usize,
    /// Findings that the file of known findings accepts.
    pub known: usize,
    /// Spans and requests that were lost on the way and not explained.
    pub lost: u64,
}

impl Totals {
    fn of(scenarios: &[ScenarioReport]) -> Self {
        let mut totals = Totals { scenarios: scenarios.len(), ..Totals::default() };
        let mut judged = std::collections::BTreeSet::new();
        for scenario in scenarios {
            match scenario.verdict {
                Some(Verdict::Pass) => totals.pass += 1,
                Some(Verdict::Fail) => totals.fail += 1,
                Some(Verdict::Error) => totals.error += 1,
                Some(Verdict::Incomplete) => totals.incomplete += 1,
                None => totals.skipped += 1,
            }
            let rules = scenario.rules.iter().filter(|rule| rule.subjects > 0);
            judged.extend(rules.map(|rule| rule.rule.as_str()));
            totals.spans += scenario.counts.spans;
            totals.warnings += scenario.findings.iter().filter(|finding| finding.is_warning()).count();
            totals.known += scenario.findings.iter().filter(|finding| finding.known.is_some()).count();
            totals.lost += scenario.ledger.iter().map(|entry| entry.counts.lost()).sum::<u64>();
        }
        totals.rules = judged.len();
        totals
    }
}

/// A backend as it was used; the run's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendReport {
    /// `etcd`, `postgres`, `kafka`.
    pub name: String,
    /// `embedded`, `local`, `containers`, `external`.
    pub provider: String,
    pub version: String,
    pub ready_ms: u64,
    /// What this provider cannot do, one line each.
    pub limits: Vec<String>,
}

/// One scenario (or one `exec`, `listen`, set of files), judged.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ScenarioReport {
    /// Empty for `exec`, `listen` and files.
    pub name: String,
    /// `trace`, `metric`, …; the run's own.
    pub family: String,
    /// `None`: skipped, outside the verdict.
    #[serde(serialize_with = "verdict_or_skipped")]
    pub verdict: Option<Verdict>,
    /// Why it was not run; the run's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Why it could not be run or judged: a backend, the harness, the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds by phase; the run's own.
    pub seconds: BTreeMap<String, f64>,
    pub counts: Counts,
    /// What there was to see, in a few words: `12 spans in 1 trace`, `3 of 3 targets up`.
    pub headline: String,
    pub findings: Vec<Finding>,
    /// Whether warnings that nobody accepted fail it (`--deny warnings`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub denies_warnings: bool,
    /// Why the verdict is incomplete, one reason each; empty when nothing is missing.
    pub incomplete: Vec<String>,
    /// Every rule, in the order of the catalogue.
    pub rules: Vec<RuleReport>,
    pub processes: Vec<ProcessReport>,
    pub topics: Vec<TopicReport>,
    pub barrier: Barrier,
    pub ledger: Vec<SenderEntry>,
    /// Thresholds that the system's declaration overrides, with its reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Override>,
    /// The command that runs it again alone; the run's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun: Option<String>,
}

impl ScenarioReport {
    /// A scenario that was not run because its prerequisite is declared missing.
    pub fn skipped(name: impl Into<String>, family: impl Into<String>, reason: impl Into<String>) -> Self {
        ScenarioReport {
            name: name.into(),
            family: family.into(),
            skipped: Some(reason.into()),
            ..ScenarioReport::default()
        }
    }

    /// A scenario that could not be run, through no fault of the system under test.
    pub fn could_not_run(
        name: impl Into<String>,
        family: impl Into<String>,
        error: impl Into<String>,
    ) -> Self {
        ScenarioReport { name: name.into(), family: family.into(), ..ScenarioReport::default() }
            .with_error(error)
    }

    /// A scenario of the run that there is no evidence of.
    pub fn missing(name: impl Into<String>, why: impl Into<String>) -> Self {
        ScenarioReport {
            name: name.into(),
            verdict: Some(Verdict::Incomplete),
            incomplete: vec![why.into()],
            ..ScenarioReport::default()
        }
    }

    /// Adds an error to what was judged; a failure stays one.
    pub fn with_error(mut self, error: impl Into<String>) -> Self {
        self.verdict = Some(self.verdict.map_or(Verdict::Error, |verdict| verdict.worst(Verdict::Error)));
        self.error = Some(error.into());
        self
    }

    /// Lets warnings that nobody accepted fail it too (`--deny warnings`).
    pub fn deny_warnings(mut self) -> Self {
        self.denies_warnings = true;
        if self.findings.iter().any(Finding::is_warning) {
            self.verdict = self.verdict.map(|verdict| verdict.worst(Verdict::Fail));
        }
        self
    }

    /// The sum over the phases.
    pub fn total_seconds(&self) -> f64 {
        // The sum of nothing is -0.0.
        0.0 + self.seconds.values().sum::<f64>()
    }

    /// What a rule came to.
    pub fn outcome(&self, rule: &str) -> Outcome {
        self.rules
            .iter()
            .find(|judged| judged.rule == rule)
            .map_or(Outcome::NotJudged, |judged| judged.outcome)
    }

    /// The ids of the rules with that outcome, in the order of the catalogue.
    pub fn rules_that(&self, outcome: Outcome) -> Vec<&str> {
        self.rules.iter().filter(|rule| rule.outcome == outcome).map(|rule| rule.rule.as_str()).collect()
    }
}

fn verdict_or_skipped<S: Serializer>(verdict: &Option<Verdict>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.map_or("skipped", Verdict::word))
}

/// One scenario with what it was judged on: what a report shows beyond verdicts (trees, series, places in files) is read
/// from there. Every renderer but those for a terminal and JSON is a pure function of a [`RunReport`] and its cases, in the
/// order of its scenarios.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    pub report: &'a ScenarioReport,
    pub evidence: &'a Evidence,
    pub declaration: Option<&'a Declaration>,
}

/// How much was captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub requests: u64,
    pub services: u64,
    pub spans: u64,
    pub traces: u64,
    pub points: u64,
    pub log_records: u64,
}

/// What one rule came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleReport {
    pub rule: String,
    /// The rule's one line, which heads its findings.
    #[serde(skip)]
    pub requirement: &'static str,
    pub outcome: Outcome,
    /// How many subjects were judged, good or bad.
    pub subjects: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Why nothing was judged although there might have been a subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<String>,
    /// Findings, violations and gaps beyond the bounds, which are counted but not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One process as the barrier left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessReport {
    pub process: String,
    pub service: String,
    /// Whether its fence proves that all it ended was exported or lost.
    pub complete: bool,
    /// `complete`, `killed (SIGKILL)`, `never ready`, ….
    pub state: String,
}

/// What went through a topic, and how far a group got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopicReport {
    pub topic: String,
    pub group: String,
    pub produced: u64,
    pub committed: u64,
}
