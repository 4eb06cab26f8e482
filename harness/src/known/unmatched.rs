//! Entries that match nothing in what was judged: they accepted something that is gone, or never was.
//!
//! Only what was judged can say so: an entry whose scenario was not run (another shard, `--only`, skipped, an error), or
//! whose rule could not be judged there, is left alone.

use super::pattern::Pattern;
use super::{Entry, KnownFindings};
use crate::model::Outcome;
use crate::nearest::nearest;
use crate::report::text::shortened;
use crate::report::{ScenarioReport, UnmatchedEntry};

/// Findings that an entry is compared with to name the nearest; hostile evidence has a thousand for a rule.
const CANDIDATES_MAX: usize = 200;
/// Characters of a subject that are compared and shown.
const SUBJECT_MAX: usize = 200;

/// What could have been judged, so that what was not run is not held against an entry.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Every scenario that there is; empty: no scenarios (`exec`, files), or nothing is known of others.
    pub scenarios: Vec<String>,
    /// Only a part was looked at, in a way that the names do not tell: a defect was in it, it was cut short.
    pub partial: bool,
}

impl KnownFindings {
    /// The entries that match no finding although all was judged that they could match.
    pub fn unmatched(&self, scope: &Scope, reports: &[ScenarioReport]) -> Vec<UnmatchedEntry> {
        let run = Run::new(scope, reports);
        self.entries
            .iter()
            .filter(|entry| run.disproves(entry))
            .map(|entry| UnmatchedEntry {
                place: format!("{}:{}:{}", self.file, entry.line, entry.column),
                rule: entry.rule.into(),
                subject: entry.subject.as_ref().map(ToString::to_string),
                scenario: entry.scenario.as_ref().map(ToString::to_string),
                reason: entry.reason.clone(),
                nearest: run.nearest(entry),
            })
            .collect()
    }
}

/// What was judged, of what there is.
struct Run<'r> {
    scope: &'r Scope,
    judged: Vec<&'r ScenarioReport>,
}

impl<'r> Run<'r> {
    fn new(scope: &'r Scope, reports: &'r [ScenarioReport]) -> Run<'r> {
        let is_judged = |report: &&ScenarioReport| report.verdict.is_some() && report.error.is_none();
        Run { scope, judged: reports.iter().filter(is_judged).collect() }
    }

    fn disproves(&self, entry: &Entry) -> bool {
        let of_entry = || self.judged.iter().copied().filter(|report| entry.is_of_scenario(&report.name));
        let matches =
            |report: &ScenarioReport| report.findings.iter().any(|finding| entry.is_of_finding(finding));
        let is_open = |report: &ScenarioReport| {
            let rule = report.rules.iter().find(|rule| rule.rule == entry.rule);
            rule.is_some_and(|rule| {
                rule.outcome == Outcome::Incomplete
                    || !rule.gaps.is_empty()
                    || rule.omitted > 0
                    || rule.not_judged.is_some()
            })
        };
        if of_entry().any(|report| matches(report) || is_open(report)) {
            return false;
        }
        self.all_was_judged(entry)
    }

    /// Whether every scenario that the entry could match was judged. A scenario's name that nothing has is disproved.
    fn all_was_judged(&self, entry: &Entry) -> bool {
        let is_judged = |name: &String| self.judged.iter().any(|report| report.name == *name);
        if self.scope.scenarios.is_empty() {
            let judged = self.judged.iter().any(|report| entry.is_of_scenario(&report.name));
            let named = entry.scenario.as_ref().is_some_and(Pattern::is_exact);
            return judged && (!self.scope.partial || named);
        }
        let mut of_entry = self.scope.scenarios.iter().filter(|name| entry.is_of_scenario(name));
        let all = of_entry.all(is_judged);
        all && !self.scope.partial
    }

    /// The nearest finding of the rule, else the nearest name of a scenario.
    fn nearest(&self, entry: &Entry) -> Option<String> {
        if let Some(pattern) = &entry.scenario
            && pattern.is_exact()
            && !self.scope.scenarios.is_empty()
            && !self.scope.scenarios.iter().any(|name| pattern.matches(name))
        {
            let name = nearest(&pattern.to_string(), self.scope.scenarios.iter().map(String::as_str));
            return Some(
                name.map_or("no scenario has that name".into(), |name| format!("the scenario {name}")),
            );
        }
        let of_rule = self.judged.iter().flat_map(|report| {
            let findings = report.findings.iter().filter(|finding| finding.rule == entry.rule);
            findings.map(|finding| (report.name.as_str(), shortened(&finding.subject, SUBJECT_MAX)))
        });
        let found: Vec<(&str, String)> = of_rule.take(CANDIDATES_MAX).collect();
        let wanted = entry.subject.as_ref().map_or_else(String::new, ToString::to_string);
        let subject = nearest(&wanted, found.iter().map(|(_, subject)| subject.as_str()));
        let subject = subject.or(found.first().map(|(_, subject)| subject.as_str()))?;
        let (scenario, subject) = found.iter().find(|(_, found)| found == subject)?;
        Some(match *scenario {
            "" => subject.clone(),
            scenario => format!("{subject} (in {scenario})"),
        })
    }
}
