use crate::model::build::{Build, declaration};
use crate::model::*;

const NAMED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// One click, answered with that status and those headers, of a system that promises.
fn answered(status: u16, headers: &[(&str, &str)]) -> Judgement {
    judge(status, headers, |_, _| {})
}

fn judge(
    status: u16,
    headers: &[(&str, &str)],
    change: impl FnOnce(&mut Stimulus, &mut Declaration),
) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let mut declaration = declaration();
    declaration.services[0].answers_with_trace = true;
    let stimulus = build.stimulus(&api, "click", "GET", "/abc", status);
    let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    stimulus.answer.as_mut().unwrap().headers = headers.iter().map(pair).collect();
    change(stimulus, &mut declaration);
    let evidence = build.evidence();
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

#[test]
fn an_answer_that_names_its_trace_passes_whatever_its_status() {
    for status in [302, 404, 500] {
        assert_eq!(answered(status, &[("traceresponse", NAMED)]).outcome(), Outcome::Pass);
    }
    assert_eq!(answered(200, &[("Traceparent", NAMED)]).outcome(), Outcome::Pass, "go-zero's way");
    assert_eq!(answered(200, &[("traceresponse", NAMED), ("traceparent", NAMED)]).outcome(), Outcome::Pass);
    let unsampled = NAMED.replace("-01", "-00");
    assert_eq!(answered(200, &[("traceresponse", &unsampled)]).outcome(), Outcome::Pass, "unsampled is a trace, too");
}

#[test]
fn no_header_is_a_fault() {
    let judgement = answered(404, &[("content-type", "application/json"), ("x-trace-id", "0af7651916cd43dd8448eb211c80319c")]);
    assert_eq!(judgement.findings[0].subject, "url-api, GET /{code}");
    assert_eq!(judgement.findings[0].seen, "HTTP 404 with neither header");
}

#[test]
fn what_is_no_context_is_a_fault() {
    for bad in ["", "0af7651916cd43dd8448eb211c80319c", "00-00000000000000000000000000000000-b7ad6b7169203331-01", &NAMED.to_uppercase()] {
        let judgement = answered(200, &[("traceresponse", bad)]);
        assert!(judgement.findings[0].seen.ends_with("which is no valid context"), "{bad}");
    }
}

#[test]
fn two_headers_that_disagree_are_a_fault() {
    let other = NAMED.replace("319c-", "319d-");
    let judgement = answered(200, &[("traceresponse", NAMED), ("traceresponse", &other)]);
    assert_eq!(judgement.findings[0].seen, "HTTP 200 with 2 headers that name different traces");
}

#[test]
fn who_promises_nothing_is_not_judged() {
    let unpromised = judge(200, &[], |_, declaration| declaration.services[0].answers_with_trace = false);
    assert_eq!(unpromised.outcome(), Outcome::NotJudged);
    let admin = judge(200, &[], |stimulus, _| stimulus.port = "admin".into());
    assert_eq!(admin.outcome(), Outcome::NotJudged);
    let unanswered = judge(200, &[], |stimulus, _| stimulus.answer = None);
    assert_eq!(unanswered.outcome(), Outcome::NotJudged, "the edge of what can be promised");
}

#[test]
fn hostile_headers_do_not_panic() {
    let huge = "\u{202e}0".repeat(100_000);
    let judgement = answered(200, &[("traceresponse", &huge)]);
    assert!(judgement.findings[0].seen.len() < 1_000);
    let many: Vec<(&str, &str)> = (0..10_000).map(|_| ("traceresponse", NAMED)).collect();
    assert_eq!(answered(200, &many).outcome(), Outcome::Pass);
}
