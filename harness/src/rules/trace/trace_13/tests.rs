use crate::model::build::{Build, declaration};
use crate::model::*;

/// A request answered with that status, of a system that promises to keep errors. The statuses of its trace's spans.
struct Asked {
    build: Build,
    declaration: Declaration,
}

impl Asked {
    fn answered(status: u16, spans: &[Status]) -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        let trace = TraceId([3; 16]);
        for status in spans {
            build.span(&api, Kind::Server, "GET /{code}").in_trace(trace).status(*status).add();
        }
        build.stimulus(&api, "click", "GET", "/abc", status).trace = Some(trace);
        let mut declaration = declaration();
        declaration.sampling = Some(Sampling { ratio: 0.01, keeps_errors: true });
        Asked { build, declaration }
    }

    fn judge(&self) -> Judgement {
        let evidence = self.build.evidence();
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&self.declaration)))
    }
}

#[test]
fn a_failed_request_whose_error_was_kept_passes() {
    assert_eq!(Asked::answered(500, &[Status::Error]).judge().outcome(), Outcome::Pass);
    assert_eq!(Asked::answered(503, &[Status::Unset, Status::Error]).judge().outcome(), Outcome::Pass);
    assert_eq!(Asked::answered(599, &[Status::Error, Status::Error]).judge().subjects, 1);
}

#[test]
fn a_failed_request_that_was_sampled_away_is_a_fault() {
    let judgement = Asked::answered(500, &[]).judge();
    assert_eq!(judgement.findings[0].subject, "url-api, GET /{code}");
    assert_eq!(judgement.findings[0].seen, "HTTP 500, and no span of its trace");
}

#[test]
fn a_trace_without_its_error_is_a_fault() {
    let judgement = Asked::answered(502, &[Status::Unset, Status::Ok]).judge();
    assert_eq!(judgement.findings[0].seen, "HTTP 502, and no span of url-api with status Error");
    let mut elsewhere = Asked::answered(500, &[]);
    let rpc = elsewhere.build.process("analytics-rpc");
    elsewhere.build.span(&rpc, Kind::Server, "call").in_trace(TraceId([3; 16])).status(Status::Error).add();
    assert_eq!(elsewhere.judge().outcome(), Outcome::Fail, "another service's error is not its own");
}

#[test]
fn what_did_not_fail_is_no_subject_up_to_499() {
    for status in [200, 302, 404, 499] {
        assert_eq!(Asked::answered(status, &[]).judge().outcome(), Outcome::NotJudged, "{status}");
    }
}

#[test]
fn who_promises_nothing_is_not_judged() {
    let mut silent = Asked::answered(500, &[]);
    silent.declaration.sampling = Some(Sampling { ratio: 0.01, keeps_errors: false });
    assert_eq!(silent.judge().outcome(), Outcome::NotJudged);
    silent.declaration.sampling = None;
    assert_eq!(silent.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn without_a_proof_of_absence_it_is_a_gap() {
    let mut open = Asked::answered(500, &[]);
    open.build.evidence_mut().barrier.steps[0].closed = false;
    assert_eq!(open.judge().outcome(), Outcome::Incomplete);
    let mut lost = Asked::answered(500, &[]);
    lost.build.evidence_mut().ledger.senders[0].exporter_says.push("dropped 3 spans".into());
    assert_eq!(lost.judge().outcome(), Outcome::Incomplete);
}

#[test]
fn hostile_answers_do_not_panic() {
    let mut hostile = Asked::answered(u16::MAX, &[]);
    let stimulus = &mut hostile.build.evidence_mut().stimuli[0];
    stimulus.service = "\u{202e}".repeat(10_000);
    stimulus.process = None;
    assert!(hostile.judge().findings.iter().all(|finding| finding.seen.len() < 1_000));
    hostile.build.evidence_mut().stimuli[0].trace = None;
    assert_eq!(hostile.judge().outcome(), Outcome::NotJudged, "unaddressed");
}
