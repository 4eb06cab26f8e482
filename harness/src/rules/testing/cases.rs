//! Counts the cases that each rule's tables judge, for the page of proof: how many were good, bad, or could not be judged.
//!
//! `PROBITY_RULE_CASES` names the file that they are written to, a line a rule; without it nothing is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Mutex;

use crate::model::{Case, Judgement, Outcome, Severity};

static COUNTED: Mutex<Counted> = Mutex::new(Counted { seen: BTreeSet::new(), rules: BTreeMap::new() });

struct Counted {
    /// Rule and digest of evidence and declaration: a case that is judged again is the same case.
    seen: BTreeSet<(&'static str, u64)>,
    rules: BTreeMap<&'static str, [u64; 3]>,
}

pub(super) fn count(rule: &'static str, case: &Case, judgement: &Judgement) {
    let Some(file) = std::env::var_os("PROBITY_RULE_CASES").map(PathBuf::from) else { return };
    let mut hasher = DefaultHasher::new();
    format!("{:?} {:?}", case.evidence, case.declaration).hash(&mut hasher);
    let mut counted = COUNTED.lock().expect("no holder panics");
    if !counted.seen.insert((rule, hasher.finish())) {
        return;
    }
    let found = judgement.findings.iter().any(|finding| finding.severity > Severity::Note);
    let column = match judgement.outcome() {
        _ if found => 1,
        Outcome::Pass => 0,
        Outcome::Fail | Outcome::Incomplete | Outcome::NotJudged => 2,
    };
    counted.rules.entry(rule).or_default()[column] += 1;
    let lines = counted.rules.iter().fold(String::new(), |mut text, (rule, [good, bad, open])| {
        _ = writeln!(text, "{rule} {good} {bad} {open}");
        text
    });
    crate::report::json::write_file(&file, &lines).expect("the file of cases can be written");
}
