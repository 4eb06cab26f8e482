use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{judge, subjects};

const RULE: &str = "LOG-08";

/// Rounds in which logging left these shares of the throughput, in percent.
fn judged(shares: &[u64]) -> Judgement {
    let mut build = Build::new();
    let process = build.process("url-api");
    let rounds = shares.iter().map(|share| CostRound { on_nanos: 1_000_000, off_nanos: share * 10_000 }).collect();
    let (on, off) = ("info".into(), "off".into());
    build.evidence_mut().log_costs =
        vec![LogCost { process, service: "url-api".into(), on, off, requests: 50, rounds }];
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn a_share_within_the_budget_passes() {
    assert_eq!(judged(&[97; 11]).outcome(), Outcome::Pass);
    assert_eq!(judged(&[80, 99, 85, 120, 90, 75, 101, 88, 93, 79, 110]).outcome(), Outcome::Pass);
    let wild = [95, 96, 97, 98, 99, 94, 93, 95, 3, 95, 900, 96, 94, 98, 97];
    assert_eq!(judged(&wild).outcome(), Outcome::Pass, "two wild rounds");
    assert_eq!(judge(RULE, &Build::new().evidence(), Some(&declaration())).outcome(), Outcome::NotJudged);
}

#[test]
fn a_share_beyond_the_budget_fails() {
    let judgement = judged(&[30, 33, 28, 35, 31, 40, 29, 32, 30, 31, 33]);
    assert_eq!(subjects(&judgement), ["url-api, throughput"]);
    assert_eq!(judgement.findings[0].required, "at least 70 % with logging (log_cost_percent 30)");
    assert!(judgement.findings[0].seen.contains("(28 % to 40 %, 11 rounds)"), "{}", judgement.findings[0].seen);
    assert_eq!(judged(&[0; 11]).outcome(), Outcome::Fail);
    assert_eq!(judged(&[69; 40]).outcome(), Outcome::Fail);
}

#[test]
fn the_budget_is_the_edge() {
    assert_eq!(judged(&[70; 11]).outcome(), Outcome::Pass);
    assert_eq!(judged(&[69; 11]).outcome(), Outcome::Fail);
}

#[test]
fn a_noisy_machine_is_no_fault_of_the_service() {
    let noisy = judged(&[20, 150, 60, 90, 30, 110, 71, 65, 60, 80, 20]);
    assert_eq!((noisy.outcome(), noisy.findings[0].severity), (Outcome::NotJudged, Severity::Note));
    assert!(noisy.findings[0].seen.starts_with("too noisy a machine to say: 65 % "), "{}", noisy.findings[0].seen);
    let nearly = judged(&[30, 33, 28, 35, 31, 71, 29, 32, 30, 31, 33]);
    assert_eq!(nearly.outcome(), Outcome::NotJudged, "one round is enough for a doubt");
    assert_eq!(judged(&[10; 10]).gaps[0].why, "too few rounds: 10");
}

#[test]
fn hostile_rounds_are_no_panic() {
    let mut build = Build::new();
    let process = build.process("url-api");
    let rounds = vec![CostRound { on_nanos: 0, off_nanos: u64::MAX }; 10_000];
    let cost = LogCost { process, service: "\u{1b}".into(), on: String::new(), off: String::new(), requests: 0, rounds };
    build.evidence_mut().log_costs = vec![cost];
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert_eq!(judgement.outcome(), Outcome::Incomplete);
    assert!(!format!("{judgement:?}").contains('\u{1b}'));
}
