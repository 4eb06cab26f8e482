use crate::model::build::{Build, at, declaration};
use crate::model::*;

/// url-api alone, then analytics-rpc, ready and registered at 2,000.
fn build() -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.change_process(&api, |process| process.started = at(10));
    let rpc = build.process("analytics-rpc");
    build.change_process(&rpc, |process| (process.started, process.ready) = (at(1_500), Some(at(1_990))));
    key(&mut build, 2_000, KeyChange::Put { value: "x".into(), lease_ttl: Some(10), serves: None });
    build
}

fn key(build: &mut Build, ms: u64, change: KeyChange) {
    build.evidence_mut().keys.push(KeyEvent { key: "analytics-rpc/1".into(), at: at(ms), change });
}

/// A detail that was sent then, with that status, degraded or not.
fn detail(build: &mut Build, sent: u64, status: u16, degraded: bool) {
    let stimulus = build.stimulus(&ProcessId::new("url-api#1"), "detail", "GET", "/api/v1/links/abc", status);
    (stimulus.sent, stimulus.answered) = (at(sent), Some(at(sent + 5)));
    let clicks = u8::from(!degraded);
    stimulus.answer.as_mut().unwrap().body = format!(r#"{{"clicks":{clicks},"degraded":{degraded}}}"#);
}

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

/// Judges details: when they were sent, and whether they were degraded.
fn details(details: &[(u64, bool)]) -> Outcome {
    let mut build = build();
    details.iter().for_each(|(sent, degraded)| detail(&mut build, *sent, 200, *degraded));
    judge(&build).outcome()
}

#[test]
fn a_client_that_finds_the_server_passes() {
    assert_eq!(details(&[(1_000, true), (2_100, false)]), Outcome::Pass);
    assert_eq!(details(&[(1_000, true), (2_050, true), (3_500, false)]), Outcome::Pass);
    assert_eq!(details(&[(1_000, true), (1_200, true), (9_000, false)]), Outcome::Pass);
}

#[test]
fn a_client_that_never_looks_again_is_found() {
    let mut build = build();
    for sent in [1_000, 2_100, 5_000] {
        detail(&mut build, sent, 200, true);
    }
    let judgement = judge(&build);
    assert_eq!(judgement.findings[0].subject, "url-api, GET /api/v1/links/{code}");
    assert_eq!(judgement.findings[0].seen, "still degraded 3000 ms after the registration");
}

#[test]
fn a_second_is_granted_to_notice() {
    assert_eq!(details(&[(1_000, true), (2_999, true)]), Outcome::NotJudged);
    assert_eq!(details(&[(1_000, true), (3_000, true)]), Outcome::Fail);
}

#[test]
fn an_error_after_the_registration_is_a_fault_too() {
    let mut build = build();
    detail(&mut build, 1_000, 200, true);
    detail(&mut build, 4_000, 503, false);
    assert_eq!(judge(&build).findings[0].seen, "HTTP 503 2000 ms after the registration");
    detail(&mut build, 5_000, 404, false);
    assert_eq!(judge(&build).outcome(), Outcome::Pass, "an unknown code has nothing to do with it");
}

#[test]
fn who_was_never_alone_or_not_asked_both_times_is_no_subject() {
    assert_eq!(details(&[(2_100, true), (4_000, true)]), Outcome::NotJudged, "nothing was asked before");
    assert_eq!(details(&[(1_000, true)]), Outcome::NotJudged, "nothing was asked after");
    let mut build = build();
    key(&mut build, 5, KeyChange::Put { value: "x".into(), lease_ttl: None, serves: None });
    detail(&mut build, 1_000, 200, true);
    detail(&mut build, 4_000, 200, true);
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged, "a server was there when it started");
}

#[test]
fn a_server_that_went_away_again_excuses_the_client() {
    let mut build = build();
    let fault = Fault {
        kind: FaultKind::Refuse,
        on: FaultTarget::Service("analytics-rpc".into()),
        began: at(3_500),
        ended: Some(at(9_000)),
        fenced: false,
    };
    build.evidence_mut().faults.push(fault);
    for (sent, degraded) in [(1_000, true), (2_500, false), (4_000, true)] {
        detail(&mut build, sent, 200, degraded);
    }
    assert_eq!(judge(&build).outcome(), Outcome::Pass);
}

#[test]
fn hostile_times_do_not_panic() {
    let mut build = build();
    key(&mut build, 3_000, KeyChange::Delete);
    detail(&mut build, 1_000, 200, true);
    detail(&mut build, 4_000, u16::MAX, true);
    let evidence = build.evidence_mut();
    evidence.stimuli[1].sent = u64::MAX;
    evidence.stimuli[1].answered = Some(0);
    assert_ne!(judge(&build).outcome(), Outcome::Incomplete);
}
