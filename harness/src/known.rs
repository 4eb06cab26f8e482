//! Known findings: what a team accepts for now, by rule and subject or scenario, each with its reason and perhaps a last day.
//!
//! A known finding is shown and never red. What an entry cannot do is make evidence whole: a verdict that is incomplete stays
//! so. An entry that matches nothing in what was judged is an error of the file: what it accepted was fixed, or never was.
//! Pure: what day it is comes from the caller.

mod parse;
mod pattern;
#[cfg(test)]
mod tests;
mod unmatched;
mod write;

use crate::judge::regrade;
use crate::model::{Date, Finding, Known};
use crate::report::{RuleReport, ScenarioReport};

pub use parse::{ParseError, parse};
pub use unmatched::Scope;
pub use write::write;

use pattern::Pattern;

/// The version of the file format.
pub const VERSION: u64 = 1;

/// A file of known findings, read.
#[derive(Clone, Debug)]
pub struct KnownFindings {
    /// As messages name it.
    file: String,
    entries: Vec<Entry>,
}

/// One entry: findings of a rule that are accepted.
#[derive(Clone, Debug)]
struct Entry {
    rule: &'static str,
    /// `None`: every subject.
    subject: Option<Pattern>,
    /// `None`: every scenario.
    scenario: Option<Pattern>,
    reason: String,
    /// The last day on which it holds.
    until: Option<Date>,
    line: u64,
    column: u64,
}

impl KnownFindings {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Marks the findings of a scenario that an entry accepts, or accepted until a day before today, and lets its rules
    /// and its verdict follow from the others. Doing it twice does no more.
    pub fn apply(&self, today: Date, mut report: ScenarioReport) -> ScenarioReport {
        let entries: Vec<&Entry> =
            self.entries.iter().filter(|entry| entry.is_of_scenario(&report.name)).collect();
        for finding in &mut report.findings {
            mark(finding, today, &entries);
        }
        // Violations that are counted but not listed are accepted by whoever accepts all there are.
        let is_whole = |rule: &RuleReport| {
            rule.omitted == 0
                || entries.iter().any(|entry| {
                    entry.rule == rule.rule && entry.is_of_every_subject() && !entry.has_expired(today)
                })
        };
        regrade(&mut report, &is_whole);
        report
    }
}

/// Of several entries one that still holds wins, then the first in the file.
fn mark(finding: &mut Finding, today: Date, entries: &[&Entry]) {
    let of_finding = || entries.iter().filter(|entry| entry.is_of_finding(finding));
    let known = of_finding().find(|entry| !entry.has_expired(today)).map(|entry| entry.known());
    let expired = of_finding().next().map(|entry| entry.known()).filter(|_| known.is_none());
    (finding.known, finding.expired) = (known, expired);
}

impl Entry {
    fn is_of_scenario(&self, name: &str) -> bool {
        self.scenario.as_ref().is_none_or(|pattern| pattern.matches(name))
    }

    fn is_of_finding(&self, finding: &Finding) -> bool {
        self.rule == finding.rule
            && self.subject.as_ref().is_none_or(|pattern| pattern.matches(&finding.subject))
    }

    fn is_of_every_subject(&self) -> bool {
        self.subject.as_ref().is_none_or(Pattern::is_everything)
    }

    fn has_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    fn known(&self) -> Known {
        Known { reason: self.reason.clone(), until: self.until }
    }
}
