use crate::model::build::{Build, at, declaration};
use crate::model::*;

const WHOLE: &str = r#"{"clicks":3,"degraded":false}"#;
const DEGRADED: &str = r#"{"clicks":0,"degraded":true}"#;

/// Both services, and etcd away from 3,000 to 5,000.
fn lost(kind: FaultKind) -> Build {
    let mut build = Build::new();
    build.process("url-api");
    build.process("analytics-rpc");
    build.evidence_mut().faults.push(fault(kind, FaultTarget::Backend("etcd".into()), 3_000, Some(5_000)));
    build
}

fn fault(kind: FaultKind, on: FaultTarget, began: u64, ended: Option<u64>) -> Fault {
    Fault { kind, on, began: at(began), ended: ended.map(at), fenced: false }
}

fn detail(build: &mut Build, sent: u64, status: u16, body: &str) {
    let stimulus = build.stimulus(&ProcessId::new("url-api#1"), "detail", "GET", "/api/v1/links/abc", status);
    (stimulus.sent, stimulus.answered) = (at(sent), Some(at(sent + 10)));
    stimulus.answer.as_mut().unwrap().body = body.into();
}

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

/// A whole answer before, and that one while etcd is away.
fn during(kind: FaultKind, status: u16, body: &str) -> Judgement {
    let mut build = lost(kind);
    detail(&mut build, 2_000, 200, WHOLE);
    detail(&mut build, 4_000, status, body);
    judge(&build)
}

#[test]
fn a_whole_answer_while_etcd_is_away_passes() {
    for kind in [FaultKind::Refuse, FaultKind::Stop, FaultKind::Kill, FaultKind::BlackHole, FaultKind::Pause] {
        let judgement = during(kind, 200, WHOLE);
        assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1), "{kind:?}");
    }
    assert_eq!(during(FaultKind::Refuse, 404, "").outcome(), Outcome::Pass, "nothing was there to be told");
}

#[test]
fn a_degraded_answer_fails() {
    let judgement = during(FaultKind::Refuse, 200, DEGRADED);
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert_eq!(judgement.findings[0].subject, "url-api, GET /api/v1/links/{code}");
    assert_eq!(judgement.findings[0].seen, "an answer without `analytics-rpc`, which was there all the time");
}

#[test]
fn an_error_or_no_answer_fails() {
    let judgement = during(FaultKind::Kill, 503, "");
    assert_eq!(judgement.findings[0].seen, "HTTP 503 while etcd was away");
    let mut build = lost(FaultKind::Stop);
    detail(&mut build, 2_000, 200, WHOLE);
    detail(&mut build, 4_000, 200, "");
    let stimulus = &mut build.evidence_mut().stimuli[1];
    (stimulus.answer, stimulus.answered, stimulus.gave_up) = (None, None, Some(at(4_900)));
    stimulus.error = Some("timed out".into());
    assert_eq!(judge(&build).findings[0].seen, "timed out");
}

#[test]
fn a_call_that_failed_fails_whatever_the_answer_says() {
    let mut build = lost(FaultKind::Refuse);
    detail(&mut build, 2_000, 200, WHOLE);
    let api = ProcessId::new("url-api#1");
    let root = build.span(&api, Kind::Server, "GET /api/v1/links/{code}").add();
    let call = build.span(&api, Kind::Client, "analytics.v1.Analytics/GetClickCount").child_of(root);
    call.attribute("rpc.response.status_code", "UNAVAILABLE").status(Status::Error).add();
    detail(&mut build, 4_000, 200, r#"{"clicks":0}"#);
    build.evidence_mut().stimuli[1].trace = Some(root.trace);
    assert_eq!(judge(&build).outcome(), Outcome::Fail);
}

#[test]
fn the_ends_of_the_fault_are_the_edge() {
    let sent = |ms: u64| {
        let mut build = lost(FaultKind::Refuse);
        detail(&mut build, 2_000, 200, WHOLE);
        detail(&mut build, ms, 200, DEGRADED);
        judge(&build).outcome()
    };
    assert_eq!(sent(2_999), Outcome::NotJudged);
    assert_eq!(sent(3_000), Outcome::Fail);
    assert_eq!(sent(4_990), Outcome::Fail);
    assert_eq!(sent(4_991), Outcome::NotJudged, "answered when etcd was back");
}

#[test]
fn who_was_never_reached_before_is_not_known() {
    let mut build = lost(FaultKind::Refuse);
    detail(&mut build, 4_000, 200, DEGRADED);
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged, "START-03 has it");
    let mut build = lost(FaultKind::Refuse);
    detail(&mut build, 2_000, 200, DEGRADED);
    detail(&mut build, 4_000, 200, DEGRADED);
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
}

#[test]
fn a_callee_that_was_down_itself_is_degrade_01_s() {
    let with = |change: fn(&mut Build)| {
        let mut build = lost(FaultKind::Refuse);
        detail(&mut build, 2_000, 200, WHOLE);
        detail(&mut build, 4_000, 200, DEGRADED);
        change(&mut build);
        judge(&build).outcome()
    };
    let refused = |build: &mut Build| {
        let on = FaultTarget::Service("analytics-rpc".into());
        build.evidence_mut().faults.push(fault(FaultKind::Refuse, on, 3_500, Some(4_500)));
    };
    assert_eq!(with(refused), Outcome::NotJudged);
    let ended = |build: &mut Build| {
        build.change_process(&ProcessId::new("analytics-rpc#1"), |process| {
            process.end.as_mut().unwrap().asked = Some(at(3_500));
        });
    };
    assert_eq!(with(ended), Outcome::NotJudged);
}

#[test]
fn other_backends_slow_etcds_and_callees_that_do_not_register_are_no_subjects() {
    let mut build = lost(FaultKind::Slow);
    detail(&mut build, 2_000, 200, WHOLE);
    detail(&mut build, 4_000, 200, DEGRADED);
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
    build.evidence_mut().faults[0].kind = FaultKind::Refuse;
    assert_eq!(judge(&build).outcome(), Outcome::Fail);
    build.evidence_mut().faults[0].on = FaultTarget::Backend("postgres".into());
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
    build.evidence_mut().faults[0].on = FaultTarget::Backend("etcd".into());
    let (evidence, mut declaration) = (build.evidence(), declaration());
    declaration.services[1].registers = None;
    let judgement = crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)));
    assert_eq!(judgement.outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_times_and_bodies_are_no_panic() {
    let mut build = lost(FaultKind::Refuse);
    detail(&mut build, 2_000, 200, WHOLE);
    detail(&mut build, 4_000, 200, &"[".repeat(100_000));
    let evidence = build.evidence_mut();
    evidence.faults[0].ended = Some(0);
    evidence.stimuli[1].answered = Some(0);
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
}
