//! What makes a finding the same finding in the next run, when ids, ports, offsets and the order of events are others.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Names the way in which these are made; another way gets another number.
const NAME: &str = "probityFinding/v1";

/// The fingerprints of one scenario's results, in the order of its report.
pub(super) struct Fingerprints<'r> {
    scenario: &'r str,
    seen: HashMap<String, u64>,
}

impl<'r> Fingerprints<'r> {
    pub(super) fn of(scenario: &'r str) -> Self {
        Fingerprints { scenario, seen: HashMap::new() }
    }

    /// Of a fault of a subject. Those that only their numbers tell apart are counted.
    pub(super) fn next(&mut self, rule: &str, subject: &str, fault: &str) -> Value {
        let mut digest = Sha256::new();
        for part in [NAME, rule, self.scenario, &without_numbers(subject), fault] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        let hex: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let count = self.seen.entry(hex.clone()).or_default();
        *count += 1;
        let fingerprint = format!("{hex}:{count}");
        // The second is the only one that GitHub compares; without it, it hashes the line, which all findings of a scenario
        // share.
        json!({ NAME: fingerprint, "primaryLocationLineHash": fingerprint })
    }
}

/// Places within topics and files move from run to run: `click-events[0] offset 17`, `compose/prometheus.yml line 8`.
fn without_numbers(subject: &str) -> String {
    let mut stable = String::with_capacity(subject.len());
    for (number, part) in subject.split_inclusive(|letter: char| !letter.is_ascii_digit()).enumerate() {
        let digits = part.len() - part.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let moves = number > 0 && ["[", "offset ", "line "].iter().any(|before| stable.ends_with(before));
        if digits > 0 && moves {
            stable.push('#');
            stable.push_str(&part[digits..]);
        } else {
            stable.push_str(part);
        }
    }
    stable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(scenario: &str, rule: &str, subject: &str, fault: &str) -> Value {
        Fingerprints::of(scenario).next(rule, subject, fault)
    }

    #[test]
    fn another_partition_offset_or_line_is_the_same_finding() {
        let table = [
            ("click-events[0] offset 17", "click-events[3] offset 4"),
            (
                "compose/prometheus.yml line 8, target url-api:8080",
                "compose/prometheus.yml line 12, target url-api:8080",
            ),
            ("url-api, record 5 of click-events[2]", "url-api, record 5 of click-events[0]"),
        ];
        for (before, after) in table {
            assert_eq!(one("a", "MSG-02", before, "alone"), one("a", "MSG-02", after, "alone"), "{before}");
        }
    }

    #[test]
    fn another_scenario_rule_subject_or_fault_is_another_finding() {
        let all = [
            one("a", "MSG-02", "url-api", "alone"),
            one("b", "MSG-02", "url-api", "alone"),
            one("a", "MSG-01", "url-api", "alone"),
            one("a", "MSG-02", "url-api, span `GET /v1`", "alone"),
            one("a", "MSG-02", "url-api, span `GET /v2`", "alone"),
            one("a", "MSG-02", "url-api", "other"),
            one("a", "MSG-02", "url-ap", "ialone"),
        ];
        for (number, fingerprint) in all.iter().enumerate() {
            assert!(!all[..number].contains(fingerprint), "{number}");
        }
    }

    #[test]
    fn findings_that_only_numbers_tell_apart_are_counted() {
        let mut fingerprints = Fingerprints::of("a");
        let first = fingerprints.next("MSG-02", "t[0] offset 1", "alone");
        let second = fingerprints.next("MSG-02", "t[0] offset 2", "alone");
        assert_ne!(first, second);
    }
}
