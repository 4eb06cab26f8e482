//! Gathers violations into findings: one for each subject and fault, the first in full and the others counted, so that a
//! thousand broken spans of one kind read as one finding, and a hostile million stays small.

use std::collections::BTreeMap;

use crate::model::{Case, Finding, Judgement, Severity, SourcePlace, Span};

use super::Rule;
use super::text::count;

/// Findings that one rule lists in full for one scenario.
const FINDINGS_MAX: usize = 100;
/// Spans that one finding names.
const SPANS_MAX: usize = 10;

/// What a finding says beside its subject.
#[derive(Default)]
pub(crate) struct Fault {
    /// Empty: the rule's own requirement.
    pub(crate) required: String,
    pub(crate) seen: String,
    pub(crate) candidates: Vec<String>,
    pub(crate) tree: String,
    pub(crate) fix: String,
}

/// The findings of one rule, while it judges.
pub(crate) struct Tally {
    rule: &'static Rule,
    severity: Severity,
    found: BTreeMap<(String, &'static str), Entry>,
    /// Violations of subjects beyond [`FINDINGS_MAX`].
    unlisted: u64,
}

struct Entry {
    finding: Finding,
    more: u64,
}

impl Tally {
    pub(crate) fn new(rule: &'static Rule) -> Self {
        Tally { rule, severity: rule.severity, found: BTreeMap::new(), unlisted: 0 }
    }

    /// Findings are warnings where nothing is declared: the conventions are then a guess about somebody else's system.
    pub(crate) fn warning_without_declaration(rule: &'static Rule, case: &Case) -> Self {
        let severity = if case.declaration.is_some() { rule.severity } else { Severity::Warning };
        Tally { severity, ..Tally::new(rule) }
    }

    /// Counts a violation. `fault` names the kind of violation and keeps two of one subject apart; `describe` is called for
    /// the first of each only.
    pub(crate) fn add(
        &mut self,
        subject: String,
        fault: &'static str,
        span: Option<Span<'_>>,
        describe: impl FnOnce() -> Fault,
    ) {
        self.add_as(self.severity, subject, fault, span, describe);
    }

    /// The same with a severity of its own.
    pub(crate) fn add_as(
        &mut self,
        severity: Severity,
        subject: String,
        fault: &'static str,
        span: Option<Span<'_>>,
        describe: impl FnOnce() -> Fault,
    ) {
        let key = (subject, fault);
        if let Some(entry) = self.found.get_mut(&key) {
            entry.more += 1;
            if entry.finding.spans.len() < SPANS_MAX {
                entry.finding.spans.extend(span.map(|span| (span.trace(), span.id())));
            }
            return;
        }
        if self.found.len() >= FINDINGS_MAX {
            self.unlisted += 1;
            return;
        }
        let Fault { required, seen, candidates, tree, fix } = describe();
        let finding = Finding {
            rule: self.rule.id.into(),
            severity,
            subject: key.0.clone(),
            fault: fault.into(),
            at: None,
            required: if required.is_empty() { self.rule.requirement.into() } else { required },
            seen,
            candidates,
            tree,
            fix: if fix.is_empty() { format!("probity explain {}", self.rule.id) } else { fix },
            spans: span.map(|span| (span.trace(), span.id())).into_iter().collect(),
            known: None,
            expired: None,
        };
        self.found.insert(key, Entry { finding, more: 0 });
    }

    /// Counts a violation that can be mended in a file.
    pub(crate) fn add_at(
        &mut self,
        place: impl Into<Option<SourcePlace>>,
        subject: String,
        fault: &'static str,
        describe: impl FnOnce() -> Fault,
    ) {
        let key = (subject.clone(), fault);
        self.add(subject, fault, None, describe);
        if let Some(entry) = self.found.get_mut(&key) {
            entry.finding.at = entry.finding.at.take().or_else(|| place.into());
        }
    }

    /// Puts the findings into the judgement, in the order of their subjects.
    pub(crate) fn put_into(self, judgement: &mut Judgement) {
        let unlisted = self.unlisted;
        judgement.unlisted += unlisted;
        judgement.findings.extend(self.found.into_values().map(|Entry { mut finding, more }| {
            if more > 0 {
                finding.seen += &format!(" (and {more} more like it)");
            }
            finding
        }));
        if let (1.., Some(last)) = (unlisted, judgement.findings.last_mut()) {
            last.seen += &format!("; {} of other subjects are not listed", count(unlisted, "violation"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_of_one_subject_are_one_finding_and_a_hostile_many_stay_few() {
        let rule = crate::rules::all().next().expect("a rule");
        let mut tally = Tally::new(rule);
        for number in 0..10_000 {
            let fault = || Fault { seen: "bad".into(), ..Fault::default() };
            tally.add("a".into(), "fault", None, fault);
            tally.add(format!("many {number}"), "fault", None, Fault::default);
        }
        let mut judgement = Judgement::default();
        tally.put_into(&mut judgement);
        assert_eq!(judgement.findings.len(), FINDINGS_MAX);
        assert_eq!(judgement.unlisted, 9_901);
        let one = judgement.findings.iter().find(|finding| finding.subject == "a").unwrap();
        assert_eq!(one.seen, "bad (and 9999 more like it)");
        assert_eq!((one.required.as_str(), one.fault.as_str()), (rule.requirement, "fault"));
        assert!(judgement.findings.last().unwrap().seen.contains("9901 violations of other subjects"));
    }
}
