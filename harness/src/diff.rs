//! What changed between two runs: trees, spans and their attributes, series, durations, findings.
//!
//! Made for two runs of one system, before and after a change. What differs from run to run by itself (ids, ports, times, order,
//! how many records a consumer took at once, how often something was tried while a fault lay on it) is no change: two runs of the
//! same system differ in nothing. Scenarios are compared with those of the same name. Pure, and linear in the spans.

mod durations;
mod findings;
mod markdown;
mod operations;
mod sections;
mod series;
mod terminal;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::HashMap;

use serde::Serialize;

use crate::model::{Case, Verdict};
use crate::report::json;
use crate::report::{Judged, RunReport, ScenarioReport};

pub use durations::{Durations, Slower, Spread};
pub use findings::{FindingChange, Findings};
pub use operations::{AttributeChange, SpanChange};
pub use series::SeriesChange;
pub use trees::{Drawing, TreeChange};

use operations::Operations;
use series::Families;
use trees::Trees;

/// The version of the JSON form.
pub const VERSION: u32 = 1;

/// One of the two runs.
pub struct Side<'a> {
    /// As a person named it.
    pub path: String,
    pub report: &'a RunReport,
    /// In the order of the report's scenarios.
    pub cases: &'a [Judged<'a>],
}

/// All that changed.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// The earlier run.
    pub a: Overview,
    /// The later run.
    pub b: Overview,
    pub scenarios: Scenarios,
    pub findings: Findings,
    pub trees: Vec<TreeChange>,
    /// Changed trees, drawn: enough of them to show every change once.
    pub drawings: Vec<Drawing>,
    pub spans: Vec<SpanChange>,
    pub attributes: Vec<AttributeChange>,
    pub series: Vec<SeriesChange>,
    pub durations: Durations,
}

/// What one side was.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub path: String,
    pub subject: String,
    pub verdict: Verdict,
    pub scenarios: usize,
    pub spans: u64,
}

/// Which scenarios were compared, and how their verdicts changed.
#[derive(Debug, Default, Serialize)]
pub struct Scenarios {
    /// On both sides, with evidence.
    pub compared: usize,
    /// Judged on one side only: not there, skipped, or without evidence on the other.
    pub only_a: Vec<String>,
    pub only_b: Vec<String>,
    pub verdicts: Vec<VerdictChange>,
}

#[derive(Debug, Serialize)]
pub struct VerdictChange {
    pub scenario: String,
    pub a: &'static str,
    pub b: &'static str,
}

impl Diff {
    /// Compares an earlier run with a later one.
    pub fn between(a: &Side, b: &Side) -> Diff {
        let pairs = Pairs::of(a, b);
        let (mut trees, mut operations, mut families) =
            (Trees::default(), Operations::default(), Families::default());
        for Pair { name, a, b } in &pairs.both {
            let steady = is_steady(a) && is_steady(b);
            let [a, b] = [a, b].map(|judged| Case::new(judged.evidence, judged.declaration));
            trees.compare(name, &a, &b, steady);
            operations.add(name, [&a, &b], steady);
            families.compare(name, [&a, &b], steady);
        }
        let (spans, attributes, durations) = operations.changes();
        let (trees, drawings) = trees.changes();
        Diff {
            a: Overview::of(a),
            b: Overview::of(b),
            findings: Findings::between(&pairs),
            scenarios: pairs.scenarios(),
            trees,
            drawings,
            spans,
            attributes,
            series: families.changes(),
            durations,
        }
    }

    /// Whether anything changed but durations, which depend on the machine too.
    pub fn has_changes(&self) -> bool {
        let Scenarios { only_a, only_b, verdicts, .. } = &self.scenarios;
        let Findings { new, gone, .. } = &self.findings;
        let lists = [only_a.len(), only_b.len(), verdicts.len(), new.len(), gone.len(), self.trees.len()];
        let more = [self.spans.len(), self.attributes.len(), self.series.len()];
        lists.iter().chain(&more).any(|length| *length > 0)
    }

    /// New findings that nobody accepted.
    pub fn new_findings(&self) -> impl Iterator<Item = &FindingChange> {
        self.findings.new.iter().filter(|finding| finding.known.is_none())
    }

    /// Scenarios that were judged before and are not any more: nothing new can be excluded there.
    pub fn not_judged_any_more(&self) -> bool {
        let open = |word: &str| matches!(word, "incomplete" | "error");
        let lost = self.scenarios.verdicts.iter().any(|change| open(change.b) && !open(change.a));
        lost || !self.scenarios.only_a.is_empty()
    }

    /// The JSON form: `docs/json.md`.
    pub fn json(&self, exit_code: u8) -> String {
        #[derive(Serialize)]
        struct Document<'d> {
            format: &'static str,
            version: u32,
            tool: &'static str,
            exit_code: u8,
            changed: bool,
            #[serde(flatten)]
            diff: &'d Diff,
        }
        json::pretty(&Document {
            format: "probity-diff",
            version: VERSION,
            tool: concat!("probity ", env!("CARGO_PKG_VERSION")),
            exit_code,
            changed: self.has_changes(),
            diff: self,
        })
    }

    /// For a terminal of that many columns.
    pub fn text(&self, width: Option<usize>) -> String {
        terminal::render(self, width)
    }

    /// For the summary of a pull request.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }
}

impl Overview {
    fn of(side: &Side) -> Overview {
        let totals = side.report.totals();
        Overview {
            path: side.path.clone(),
            subject: side.report.subject.clone(),
            verdict: side.report.verdict,
            scenarios: totals.scenarios,
            spans: totals.spans,
        }
    }
}

/// Scenarios of the same name.
struct Pairs<'a> {
    both: Vec<Pair<'a>>,
    only_a: Vec<Judged<'a>>,
    only_b: Vec<Judged<'a>>,
}

struct Pair<'a> {
    name: String,
    a: Judged<'a>,
    b: Judged<'a>,
}

impl<'a> Pairs<'a> {
    fn of(a: &Side<'a>, b: &Side<'a>) -> Pairs<'a> {
        let [a, b] = [a, b].map(|side| side.cases.iter().copied().filter(has_evidence).collect::<Vec<_>>());
        // One program, or two files: there is nothing else that they could be compared with.
        if let ([a], [b]) = (a.as_slice(), b.as_slice())
            && (a.report.name.is_empty() || b.report.name.is_empty())
        {
            let name = a.report.name.clone();
            return Pairs { both: vec![Pair { name, a: *a, b: *b }], only_a: Vec::new(), only_b: Vec::new() };
        }
        let mut later: HashMap<&str, Judged> =
            b.iter().map(|judged| (judged.report.name.as_str(), *judged)).collect();
        let (mut both, mut only_a) = (Vec::new(), Vec::new());
        for judged in a {
            match later.remove(judged.report.name.as_str()) {
                Some(b) => both.push(Pair { name: judged.report.name.clone(), a: judged, b }),
                None => only_a.push(judged),
            }
        }
        let only_b = b.iter().filter(|judged| later.contains_key(judged.report.name.as_str())).copied();
        Pairs { both, only_a, only_b: only_b.collect() }
    }

    fn scenarios(&self) -> Scenarios {
        let names = |only: &[Judged]| only.iter().map(|judged| judged.report.name.clone()).collect();
        let change = |pair: &Pair| {
            let [a, b] = [pair.a, pair.b].map(|judged| verdict(judged.report));
            (a != b).then(|| VerdictChange { scenario: pair.name.clone(), a, b })
        };
        Scenarios {
            compared: self.both.len(),
            only_a: names(&self.only_a),
            only_b: names(&self.only_b),
            verdicts: self.both.iter().filter_map(change).collect(),
        }
    }
}

fn has_evidence(judged: &Judged) -> bool {
    let evidence = judged.evidence;
    let is_empty = evidence.requests.is_empty() && evidence.processes.is_empty();
    judged.report.verdict.is_some() && !is_empty
}

fn verdict(report: &ScenarioReport) -> &'static str {
    report.verdict.map_or("skipped", Verdict::word)
}

/// Whether nothing was disturbed: how often something is tried, and what fails meanwhile, is chance otherwise.
fn is_steady(judged: &Judged) -> bool {
    judged.evidence.faults.is_empty() && judged.evidence.orders.is_empty()
}

/// Which of the two runs.
const A: usize = 0;
const B: usize = 1;

/// Names of scenarios in which something was seen: counted, the first ones kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct In {
    /// How many.
    pub count: usize,
    /// The first of them; empty where scenarios have no names.
    pub first: Vec<String>,
}

impl In {
    const KEPT: usize = 10;

    fn add(&mut self, scenario: &str) {
        self.count += 1;
        if self.first.len() < In::KEPT && !scenario.is_empty() {
            self.first.push(scenario.into());
        }
    }
}
