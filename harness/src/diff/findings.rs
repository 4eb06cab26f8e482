//! Findings: the same in both runs, or in one of them. Rule, scenario, subject and fault make a finding the same.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Pairs;
use crate::model::{Finding, Known, Severity};
use crate::report::Judged;

/// Findings of both runs; notes are no matter of a gate.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    pub new: Vec<FindingChange>,
    pub gone: Vec<FindingChange>,
    pub still: Vec<FindingChange>,
}

/// One finding, as the later run has it; of what is gone, as the earlier one had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingChange {
    pub scenario: String,
    pub rule: String,
    pub severity: Severity,
    pub subject: String,
    pub fault: String,
    pub required: String,
    pub seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

impl FindingChange {
    fn of(scenario: &str, finding: &Finding) -> FindingChange {
        FindingChange {
            scenario: scenario.into(),
            rule: finding.rule.clone(),
            severity: finding.severity,
            subject: finding.subject.clone(),
            fault: finding.fault.clone(),
            required: finding.required.clone(),
            seen: finding.seen.clone(),
            known: finding.known.clone(),
        }
    }
}

type Identity<'f> = (&'f str, &'f str, &'f str, Severity);

impl Findings {
    pub(super) fn between(pairs: &Pairs) -> Findings {
        let mut findings = Findings::default();
        for pair in &pairs.both {
            let (was, is) = (by_identity(&pair.a), by_identity(&pair.b));
            for (identity, finding) in &is {
                let change = FindingChange::of(&pair.name, finding);
                let list = if was.contains_key(identity) { &mut findings.still } else { &mut findings.new };
                list.push(change);
            }
            let gone = was.iter().filter(|(identity, _)| !is.contains_key(*identity));
            findings.gone.extend(gone.map(|(_, finding)| FindingChange::of(&pair.name, finding)));
        }
        // What a new scenario finds is new; what one that is not judged any more found is not gone.
        for judged in &pairs.only_b {
            let name = &judged.report.name;
            findings.new.extend(by_identity(judged).values().map(|finding| FindingChange::of(name, finding)));
        }
        findings
    }
}

fn by_identity<'f>(judged: &Judged<'f>) -> BTreeMap<Identity<'f>, &'f Finding> {
    let findings = judged.report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    findings
        .map(|finding| {
            let identity = (&*finding.rule, &*finding.subject, &*finding.fault, finding.severity);
            (identity, finding)
        })
        .collect()
}
