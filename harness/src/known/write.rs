//! The first file of known findings, for a team that starts with many: what would fail today, sorted, one entry a subject.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::VERSION;
use super::pattern::Pattern;
use crate::model::{Date, Finding};
use crate::report::ScenarioReport;

/// Characters of a subject that are written; what follows is `*`.
const SUBJECT_MAX: usize = 500;

/// A file that accepts what fails in these reports, as if today was the day on which that was decided: errors, and warnings
/// where they are denied. Each entry names its scenario where the subject was found in one scenario only.
pub fn write(reports: &[ScenarioReport], today: Date, warnings_too: bool) -> String {
    let counts = |finding: &&Finding| finding.is_error() || warnings_too && finding.is_warning();
    let mut entries: BTreeMap<(&str, String), BTreeSet<&str>> = BTreeMap::new();
    for report in reports {
        for finding in report.findings.iter().filter(counts) {
            let entry = (finding.rule.as_str(), subject(&finding.subject));
            entries.entry(entry).or_default().insert(&report.name);
        }
        // What is counted but not listed can only be accepted as a whole.
        let unlisted = report.rules.iter().filter(|rule| rule.omitted > 0);
        for rule in unlisted
            .filter(|rule| report.findings.iter().filter(counts).any(|finding| finding.rule == rule.rule))
        {
            entries.entry((rule.rule.as_str(), "*".into())).or_default().insert(&report.name);
        }
    }
    let mut text = format!(
        "# Findings that are accepted for now; `probity explain known` says how this file is read.\nversion: {VERSION}\n"
    );
    text.push_str(if entries.is_empty() { "known: []\n" } else { "known:\n" });
    for ((rule, subject), scenarios) in entries {
        _ = writeln!(text, "  - rule: {rule}\n    subject: {}", quoted(&subject));
        if let [scenario] = Vec::from_iter(scenarios)[..]
            && !scenario.is_empty()
        {
            _ = writeln!(text, "    scenario: {}", quoted(&Pattern::exactly(scenario)));
        }
        _ = writeln!(text, "    reason: accepted on {today} when this file was first written");
    }
    text
}

fn subject(text: &str) -> String {
    match text.char_indices().nth(SUBJECT_MAX) {
        Some((end, _)) => Pattern::exactly(&text[..end]) + "*",
        None if text.is_empty() => "*".into(),
        None => Pattern::exactly(text),
    }
}

/// As a double-quoted YAML scalar in one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            plain if plain == ' ' || plain.is_ascii_graphic() || plain.is_alphanumeric() => {
                quoted.push(plain)
            }
            other => _ = write!(quoted, "\\U{:08X}", u32::from(other)),
        }
    }
    quoted.push('"');
    quoted
}
