use crate::model::build::{Build, at, declaration};
use crate::model::*;

fn fault(kind: FaultKind, on: &str, began: u64, ended: Option<u64>) -> Fault {
    Fault { kind, on: FaultTarget::Service(on.into()), began: at(began), ended: ended.map(at), fenced: false }
}

/// A detail that took so long while that fault lay on the RPC server, from 1,000 to 9,000. The budget is 1,000 ms.
fn took(kind: FaultKind, ms: u64) -> Judgement {
    let mut build = Build::new();
    build.evidence_mut().faults.push(fault(kind, "analytics-rpc", 1_000, Some(9_000)));
    detail(&mut build, 2_000, Some(2_000 + ms));
    judge(&build)
}

fn detail(build: &mut Build, sent: u64, answered: Option<u64>) {
    let api = ProcessId::new("url-api#1");
    if build.evidence().processes.is_empty() {
        build.process("url-api");
    }
    let stimulus = build.stimulus(&api, "detail", "GET", "/api/v1/links/abc", 200);
    (stimulus.sent, stimulus.answered) = (at(sent), answered.map(at));
    if answered.is_none() {
        (stimulus.answer, stimulus.gave_up) = (None, Some(at(sent + 2_000)));
    }
}

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

#[test]
fn an_answer_within_the_budget_passes() {
    for kind in [FaultKind::BlackHole, FaultKind::Slow, FaultKind::Pause, FaultKind::Refuse] {
        assert_eq!(took(kind, 510).outcome(), Outcome::Pass);
    }
}

#[test]
fn the_budget_itself_is_within_it() {
    assert_eq!(took(FaultKind::BlackHole, 1_000).outcome(), Outcome::Pass);
    let judgement = took(FaultKind::BlackHole, 1_001);
    assert_eq!(judgement.findings[0].subject, "url-api, GET /api/v1/links/{code}");
    assert_eq!(judgement.findings[0].seen, "an answer after 1001 ms");
}

#[test]
fn no_answer_is_a_fault() {
    let mut build = Build::new();
    build.evidence_mut().faults.push(fault(FaultKind::BlackHole, "analytics-rpc", 1_000, None));
    detail(&mut build, 2_000, None);
    assert_eq!(judge(&build).findings[0].seen, "no answer in 2000 ms");
    let stimulus = &mut build.evidence_mut().stimuli[0];
    (stimulus.gave_up, stimulus.error) = (None, Some("timed out after 2 s".into()));
    assert_eq!(judge(&build).findings[0].seen, "timed out after 2 s");
}

#[test]
fn only_what_was_sent_during_the_fault_is_judged() {
    let mut build = Build::new();
    build.evidence_mut().faults.push(fault(FaultKind::BlackHole, "analytics-rpc", 3_000, Some(4_000)));
    detail(&mut build, 2_999, Some(9_000));
    detail(&mut build, 4_001, Some(9_000));
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
    detail(&mut build, 4_000, Some(9_000));
    assert_eq!(judge(&build).outcome(), Outcome::Fail);
}

#[test]
fn other_operations_and_a_disturbed_service_are_no_subjects() {
    let mut build = Build::new();
    build.evidence_mut().faults.push(fault(FaultKind::Slow, "analytics-rpc", 1_000, None));
    let api = build.process("url-api");
    build.stimulus(&api, "click", "GET", "/abc", 302).answered = Some(at(90_000));
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged, "a click calls nobody");
    build.evidence_mut().faults.push(fault(FaultKind::Pause, "url-api", 1_000, None));
    detail(&mut build, 2_000, Some(9_000));
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_times_do_not_panic() {
    let mut build = Build::new();
    build.evidence_mut().faults.push(fault(FaultKind::Slow, "analytics-rpc", 0, None));
    detail(&mut build, 2_000, None);
    let stimulus = &mut build.evidence_mut().stimuli[0];
    (stimulus.sent, stimulus.answered, stimulus.gave_up) = (u64::MAX - 1, Some(0), Some(0));
    assert_eq!(judge(&build).outcome(), Outcome::Pass, "answered before it was sent");
}
