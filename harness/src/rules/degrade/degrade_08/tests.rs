use crate::model::build::{Build, at};
use crate::model::*;
use crate::rules::testing::Shortener;

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), crate::model::build::declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

/// url-api, asked to end at 5,000, that ended then and so.
fn ended(ms: u64, exit: Exit, within_grace: bool) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    let end = ProcessEnd { at: at(ms), exit, asked: Some(at(5_000)), within_grace };
    build.change_process(&api, |process| process.end = Some(end));
    build
}

#[test]
fn an_exit_of_0_within_grace_passes() {
    assert_eq!(judge(&ended(5_200, Exit::Code(0), true)).outcome(), Outcome::Pass);
    assert_eq!(judge(&ended(10_000, Exit::Code(0), true)).outcome(), Outcome::Pass, "the grace of 5 s itself");
    assert_eq!(judge(&ended(10_001, Exit::Code(0), true)).findings[0].seen, "an end after 5001 ms");
}

#[test]
fn another_exit_or_none_in_time_is_a_fault() {
    let seen = |build: &Build| judge(build).findings[0].seen.clone();
    assert_eq!(seen(&ended(5_010, Exit::Code(1), true)), "exit code 1");
    assert_eq!(seen(&ended(5_010, Exit::Signal(15), true)), "SIGTERM");
    assert_eq!(seen(&ended(10_100, Exit::Signal(9), false)), "still running after 5100 ms, then ended by SIGKILL");
}

#[test]
fn who_was_not_asked_never_ready_or_paused_is_no_subject() {
    let mut crashed = ended(5_010, Exit::Code(1), false);
    crashed.evidence_mut().processes[0].end.as_mut().unwrap().asked = None;
    assert_eq!(judge(&crashed).outcome(), Outcome::NotJudged);
    let mut starting = ended(5_010, Exit::Signal(15), true);
    starting.evidence_mut().processes[0].ready = None;
    assert_eq!(judge(&starting).outcome(), Outcome::NotJudged);
    let mut paused = ended(10_100, Exit::Signal(9), false);
    let on = FaultTarget::Service("url-api".into());
    let fault = Fault { kind: FaultKind::Pause, on, began: at(4_000), ended: None, fenced: false };
    paused.evidence_mut().faults.push(fault);
    assert_eq!(judge(&paused).outcome(), Outcome::NotJudged);
}

/// A click that was sent then and came to that end.
fn click(sent: u64, answered: Option<(u64, u16)>, gave_up: Option<u64>, error: Option<&str>) -> Judgement {
    let mut build = ended(5_200, Exit::Code(0), true);
    let stimulus = build.stimulus(&ProcessId::new("url-api#1"), "click", "GET", "/abc", 302);
    stimulus.sent = at(sent);
    stimulus.answered = answered.map(|(ms, _)| at(ms));
    stimulus.answer = answered.map(|(_, status)| Answer { status, ..Answer::default() });
    (stimulus.gave_up, stimulus.error) = (gave_up.map(at), error.map(String::from));
    judge(&build)
}

#[test]
fn a_request_under_way_is_answered() {
    let judgement = click(4_900, Some((5_100, 302)), None, None);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2));
    assert_eq!(click(4_900, Some((5_000, 302)), None, None).subjects, 1, "over as SIGTERM came");
    assert_eq!(click(5_000, None, Some(5_001), Some("connection refused")).subjects, 1, "sent as it came");
}

#[test]
fn a_request_that_is_dropped_is_a_fault() {
    let judgement = click(4_900, None, Some(5_001), Some("connection reset by peer"));
    assert_eq!(judgement.findings[0].subject, "url-api, GET /{code}");
    assert_eq!(judgement.findings[0].seen, "connection reset by peer");
    assert_eq!(click(4_900, None, None, Some("connection closed before message completed")).outcome(), Outcome::Fail);
    assert_eq!(click(4_900, Some((5_100, 503)), None, None).findings[0].seen, "HTTP 503");
    assert_eq!(click(1_000, None, Some(3_000), Some("timed out")).outcome(), Outcome::Pass, "given up long before");
    assert_eq!(click(1_000, None, None, Some("timed out after 2 s")).outcome(), Outcome::Pass);
}

/// Details, of which the last spans of the server may never have been exported.
fn flushed(details: usize, lost: usize) -> Shortener {
    let mut shortener = Shortener::good();
    (0..details).for_each(|_| shortener.detail("OK"));
    let rpc = shortener.rpc.clone();
    let mut requests = shortener.build.evidence().requests;
    // Each detail makes a server span and a database span.
    let of_rpc = |request: &ExportRequest| request.process.as_ref() == Some(&rpc);
    for _ in 0..2 * lost {
        let last = requests.iter().rposition(of_rpc).unwrap();
        requests.remove(last);
    }
    shortener.build.evidence_mut().requests = requests;
    shortener
}

#[test]
fn what_was_recorded_is_flushed() {
    assert_eq!(flushed(5, 0).judge("DEGRADE-08").outcome(), Outcome::Pass);
    let judgement = flushed(5, 1).judge("DEGRADE-08");
    assert_eq!(judgement.findings[0].subject, "analytics-rpc");
    assert_eq!(judgement.findings[0].required, "a server span for each of the 5 calls that it answered");
    assert_eq!(judgement.findings[0].seen, "4 arrived, and it ended cleanly: the rest was never exported");
}

#[test]
fn lost_contexts_silence_and_open_ends_are_not_held_against_the_flush() {
    let mut dropped = Shortener::with("grpc-client-drops-context");
    (0..3).for_each(|_| dropped.detail("OK"));
    assert_eq!(dropped.judge("DEGRADE-08").outcome(), Outcome::Pass);
    assert_eq!(flushed(5, 5).judge("DEGRADE-08").outcome(), Outcome::Pass, "a silent service is TRACE-01's");
    let mut killed = flushed(5, 1);
    let rpc = killed.rpc.clone();
    killed.build.change_process(&rpc, |process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    assert_eq!(killed.judge("DEGRADE-08").outcome(), Outcome::Pass);
    let mut refused = flushed(5, 1);
    refused.build.evidence_mut().ledger.senders.iter_mut().for_each(|entry| entry.counts.lost_spans = 2);
    assert_eq!(refused.judge("DEGRADE-08").outcome(), Outcome::Pass, "the collector refused them");
    let mut failed = Shortener::good();
    failed.detail("UNAVAILABLE");
    failed.detail("NOT_FOUND");
    assert_eq!(failed.judge("DEGRADE-08").outcome(), Outcome::Pass, "nobody served the call that failed");
}

#[test]
fn hostile_times_do_not_panic() {
    let mut build = ended(0, Exit::Signal(i32::MIN), true);
    build.evidence_mut().processes[0].end.as_mut().unwrap().asked = Some(u64::MAX);
    assert_eq!(judge(&build).outcome(), Outcome::Fail);
}
