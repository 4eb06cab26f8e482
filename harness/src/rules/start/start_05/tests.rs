use crate::model::build::{Build, at, declaration};
use crate::model::*;

/// url-api, which started at 10 and was ready then, beside a collector that came at 5,000.
fn build(ready: Option<u64>) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.change_process(&api, |process| (process.started, process.ready) = (at(10), ready.map(at)));
    collector(&mut build, FaultKind::Late, 0, Some(5_000));
    build
}

fn collector(build: &mut Build, kind: FaultKind, began: u64, ended: Option<u64>) {
    let fault = Fault { kind, on: FaultTarget::Collector, began: at(began), ended: ended.map(at), fenced: false };
    build.evidence_mut().faults.push(fault);
}

/// A click that was sent then, with its span where it arrived.
fn click(build: &mut Build, sent: u64, arrived: bool) {
    let api = ProcessId::new("url-api#1");
    let trace = match arrived {
        true => build.span(&api, Kind::Server, "GET /{code}").add().trace,
        false => TraceId([7; 16]),
    };
    let stimulus = build.stimulus(&api, "click", "GET", "/abc", 302);
    (stimulus.sent, stimulus.answered, stimulus.trace) = (at(sent), Some(at(sent + 5)), Some(trace));
}

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

#[test]
fn who_is_ready_and_serves_without_a_collector_passes() {
    assert_eq!(judge(&build(Some(500))).outcome(), Outcome::Pass);
    let mut served = build(Some(500));
    click(&mut served, 1_000, false);
    click(&mut served, 6_000, true);
    let judgement = judge(&served);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 3));
    let mut never = Build::new();
    collector(&mut never, FaultKind::Refuse, 0, None);
    never.process("url-api");
    assert_eq!(judge(&never).outcome(), Outcome::Pass, "it never came, and nobody waited");
}

#[test]
fn who_waits_for_the_collector_is_found() {
    let judgement = judge(&build(Some(5_200)));
    assert_eq!(judgement.findings[0].subject, "url-api");
    assert_eq!(judgement.findings[0].seen, "not ready for 4990 ms without one, and ready 200 ms after it came");
    assert_eq!(judge(&build(None)).findings[0].seen, "never ready");
    assert_eq!(judge(&build(Some(5_000))).outcome(), Outcome::Pass, "ready as it came");
    assert_eq!(judge(&build(Some(5_001))).outcome(), Outcome::Fail);
}

#[test]
fn a_short_absence_and_a_backend_that_was_away_prove_nothing() {
    let mut short = build(Some(2_000));
    short.evidence_mut().faults[0].ended = Some(at(1_009));
    assert_eq!(judge(&short).outcome(), Outcome::NotJudged);
    short.evidence_mut().faults[0].ended = Some(at(1_010));
    assert_eq!(judge(&short).outcome(), Outcome::Fail);
    let mut waiting = build(Some(5_200));
    let on = FaultTarget::Backend("postgres".into());
    let fault = Fault { kind: FaultKind::Refuse, on, began: at(0), ended: Some(at(5_100)), fenced: false };
    waiting.evidence_mut().faults.push(fault);
    assert_eq!(judge(&waiting).outcome(), Outcome::NotJudged);
}

#[test]
fn a_request_that_hangs_without_a_collector_is_a_fault() {
    let mut build = build(Some(500));
    click(&mut build, 1_000, false);
    let stimulus = &mut build.evidence_mut().stimuli[0];
    (stimulus.answer, stimulus.answered, stimulus.error) = (None, None, Some("no answer in time".into()));
    let judgement = judge(&build);
    assert_eq!(judgement.findings[0].subject, "url-api, GET /{code}");
    assert_eq!(judgement.findings[0].seen, "no answer in time");
}

#[test]
fn spans_of_what_came_after_must_arrive() {
    let mut build = build(Some(500));
    click(&mut build, 6_000, false);
    assert_eq!(judge(&build).findings[0].seen, "no span of url-api");
    let api = ProcessId::new("url-api#1");
    build.change_process(&api, |process| process.fence = Fence::Quiet { at: at(9_000) });
    assert_eq!(judge(&build).outcome(), Outcome::Incomplete, "what is only quiet may still come");
}

#[test]
fn a_collector_that_went_away_later_is_another_rules() {
    let mut build = Build::new();
    build.process("url-api");
    collector(&mut build, FaultKind::Refuse, 2_000, Some(3_000));
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_times_do_not_panic() {
    let mut build = build(Some(0));
    click(&mut build, 6_000, false);
    let evidence = build.evidence_mut();
    (evidence.faults[0].began, evidence.faults[0].ended) = (u64::MAX, Some(0));
    evidence.stimuli[0].sent = u64::MAX;
    assert_eq!(judge(&build).outcome(), Outcome::NotJudged);
}
