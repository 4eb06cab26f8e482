use crate::model::build::{Address, Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "LOG-02";

#[test]
fn lines_within_their_requests_pass() {
    let judgement = Shortener::good().everything().judge(RULE);
    assert_eq!(judgement.outcome(), Outcome::Pass, "{:?}", judgement.findings);
    for defect in ["consumer-ignores-headers", "clock-skewed", "middle-span-dropped", "spawn-without-context"] {
        let judgement = Shortener::with(defect).everything().judge(RULE);
        assert_eq!(judgement.outcome(), Outcome::Pass, "{defect}: {:?}", judgement.findings);
    }
}

/// A request of url-api from 1000 to 1010 ms, and what is logged at `at_ms`.
fn logged(at_ms: u64, log: impl FnOnce(&mut Build, &ProcessId, Address)) -> Judgement {
    let evidence = requested(at_ms, log);
    judge(RULE, &evidence, Some(&background()))
}

fn requested(at_ms: u64, log: impl FnOnce(&mut Build, &ProcessId, Address)) -> Evidence {
    let mut build = Build::new();
    let api = build.process("url-api");
    let request = build.span(&api, Kind::Server, "GET /{code}").time(1_000, 1_010).add();
    build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(request.trace);
    let now = build.now_ms();
    build.pass(at_ms.saturating_sub(now));
    log(&mut build, &api, request);
    build.evidence()
}

fn background() -> Declaration {
    let mut declaration = declaration();
    let origin = LogOrigin { logger: "services::discovery".into(), message: String::new() };
    declaration.logs.background = vec![origin];
    declaration
}

#[test]
fn a_line_within_a_request_needs_ids_and_one_outside_does_not() {
    let plain = |build: &mut Build, api: &ProcessId, _| build.log_line(api, "INFO", "no row 17", None);
    let judgement = logged(1_009, plain);
    assert_eq!(subjects(&judgement), ["url-api, line `no row #`"]);
    assert_eq!(logged(1_009, |build, api, request| build.log_line(api, "INFO", "x", Some(request))).outcome(), Outcome::Pass);
    assert_eq!(logged(1_010, plain).outcome(), Outcome::Fail, "the request ends then: the edge");
    assert_eq!(logged(1_011, plain).outcome(), Outcome::Pass);
    let silent = logged(1_011, |build, _, _| {
        let rpc = build.process("analytics-rpc");
        plain(build, &rpc, Address { trace: TraceId([1; 16]), span: SpanId([1; 8]) });
    });
    assert_eq!(silent.outcome(), Outcome::NotJudged, "who sent no spans may have served requests then");
}

#[test]
fn what_is_declared_as_background_needs_none() {
    let from = |logger: &'static str| {
        logged(1_009, move |build, api, _| {
            build.log_fields(api, "INFO", "endpoints changed", None, serde_json::json!({ "target": logger }));
        })
    };
    assert_eq!(from("services::discovery::watch").outcome(), Outcome::NotJudged);
    assert_eq!(from("services::links").outcome(), Outcome::Fail);
}

#[test]
fn ids_that_are_none_fail_wherever_they_stand() {
    let ids = |trace: &'static str, span: &'static str| {
        let own = serde_json::json!({ "trace_id": trace, "span_id": span });
        logged(5_000, move |build, api, _| build.log_fields(api, "INFO", "listening", None, own))
    };
    let zeros = ids("00000000000000000000000000000000", "0000000000000000");
    assert_eq!((subjects(&zeros).as_slice(), zeros.findings[0].seen.as_str()), (["url-api, line `listening`"].as_slice(), "all-zero trace_id"));
    for (trace, span) in [
        ("0af7651916cd43dd8448eb211c80319c", "0000000000000000"),
        ("0AF7651916CD43DD8448EB211C80319C", "b7ad6b7169203331"),
        ("0af7651916cd43dd", "b7ad6b7169203331"),
        ("", ""),
    ] {
        assert_eq!(ids(trace, span).outcome(), Outcome::Fail, "{trace} {span}");
    }
    let half = serde_json::json!({ "trace_id": "0af7651916cd43dd8448eb211c80319c" });
    let half = logged(5_000, move |build, api, _| build.log_fields(api, "INFO", "x", None, half));
    assert_eq!(half.findings[0].seen, "trace_id without span_id");
}

#[test]
fn ids_of_a_span_that_never_came_fail_where_others_of_its_trace_did() {
    let judgement = Shortener::with("span-never-ended").everything().judge(RULE);
    assert_eq!(subjects(&judgement), ["url-api, line `done`"]);
    let missing = |build: &mut Build, api: &ProcessId, request: Address| {
        build.log_line(api, "INFO", "x", Some(Address { span: SpanId([9; 8]), ..request }));
    };
    assert_eq!(logged(1_005, missing).outcome(), Outcome::Fail);
    let killed = logged(1_005, |build, api, request| {
        missing(build, api, request);
        build.change_process(api, |process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    });
    assert_eq!(killed.gaps[0].why, "url-api: killed (SIGKILL)");
    let unsampled = logged(1_005, |build, api, request| {
        let own = serde_json::json!({ "trace_flags": "00" });
        build.log_fields(api, "INFO", "x", Some(Address { span: SpanId([9; 8]), ..request }), own);
    });
    assert_eq!(unsampled.outcome(), Outcome::NotJudged);
}

#[test]
fn ids_of_another_services_span_fail() {
    let judgement = logged(1_005, |build, _, request| {
        let rpc = build.process("analytics-rpc");
        build.log_line(&rpc, "INFO", "counted", Some(request));
        build.span(&rpc, Kind::Server, "call").child_of(request).add();
    });
    assert_eq!(subjects(&judgement), ["analytics-rpc, line `counted`"]);
    assert_eq!(judgement.findings[0].seen, "they are of a span of url-api");
}

#[test]
fn a_process_that_never_names_a_captured_trace_invents_them() {
    let strange = Address { trace: TraceId([7; 16]), span: SpanId([7; 8]) };
    let judgement = logged(1_005, |build, api, _| {
        build.log_line(api, "INFO", "x", Some(strange));
        build.log_line(api, "INFO", "y", Some(strange));
    });
    assert_eq!(subjects(&judgement), ["url-api, trace ids of its logs"]);
    assert!(judgement.findings[0].seen.contains("2 lines"));
    let lost = logged(1_005, |build, api, request| {
        build.log_line(api, "INFO", "x", Some(request));
        build.log_line(api, "INFO", "y", Some(strange));
    });
    assert_eq!((lost.outcome(), lost.subjects), (Outcome::Pass, 1), "one trace among others was lost as a whole");
}

#[test]
fn a_silent_process_leaves_it_open() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.stimulus(&api, "click", "GET", "/abc", 302);
    build.log_line(&api, "INFO", "x", Some(Address { trace: TraceId([7; 16]), span: SpanId([7; 8]) }));
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert_eq!(judgement.gaps[0].why, "silent: url-api");
}

#[test]
fn without_a_declaration_only_who_never_writes_ids_is_warned() {
    let plain = |build: &mut Build, api: &ProcessId, _: Address| build.log_line(api, "INFO", "x", None);
    let judgement = judge(RULE, &requested(1_005, plain), None);
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 1));
    let some = requested(1_005, |build, api, request| {
        build.log_line(api, "INFO", "x", Some(request));
        plain(build, api, request);
    });
    assert!(judge(RULE, &some, None).findings.is_empty());
}

#[test]
fn hostile_lines_are_few_findings() {
    let judgement = logged(1_000, |build, api, _| {
        for number in 0..2_000 {
            let message = format!("\u{1b}{}", char::from(b'a' + (number % 26) as u8).to_string().repeat(number % 97 + 1));
            let own = serde_json::json!({ "trace_id": number, "span_id": {"a": []} });
            build.log_fields(api, "INFO", &message, None, own);
        }
    });
    assert!(judgement.findings.len() <= 100 && !format!("{judgement:?}").contains('\u{1b}'));
}
