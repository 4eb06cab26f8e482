use crate::model::build::{Address, Build, at, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "TRACE-16";

#[test]
fn sane_spans_pass() {
    let judgement = Shortener::good().everything().judge(RULE);
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 0), "{:?}", judgement.findings);
    for defect in ["middle-span-dropped", "telemetry-block-missing", "consumer-without-span"] {
        assert_eq!(Shortener::with(defect).everything().judge(RULE).outcome(), Outcome::Pass, "{defect}");
    }
}

#[test]
fn a_clock_that_is_off_fails_at_the_child() {
    let judgement = Shortener::with("clock-skewed").everything().judge(RULE);
    let span = "analytics-rpc, span `analytics.v1.Analytics/GetClickCount`";
    assert_eq!(subjects(&judgement), ["analytics-rpc, its clock", span]);
    assert!(judgement.findings[1].seen.starts_with("it starts 4"), "{}", judgement.findings[1].seen);
}

#[test]
fn a_span_that_only_a_log_knows_was_never_ended() {
    let judgement = Shortener::with("span-never-ended").everything().judge(RULE);
    assert_eq!(subjects(&judgement), ["url-api, span that logged `done`"]);
}

/// A parent at 1000 ms, a child from `start` to `end`.
fn child(start: u64, end: u64) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let parent = build.span(&api, Kind::Server, "parent").time(1_000, 1_100).add();
    build.span(&api, Kind::Client, "child").child_of(parent).time(start, end).add();
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn the_tolerance_is_the_edge() {
    assert_eq!(child(1_000, 1_000).outcome(), Outcome::Pass);
    assert_eq!(child(500, 600).outcome(), Outcome::Pass, "500 ms before: what clocks may differ");
    assert_eq!(child(499, 600).outcome(), Outcome::Fail);
    assert_eq!(child(2_000, 3_000).outcome(), Outcome::Pass, "after its parent's end: work goes on");
    assert_eq!(child(1_001, 1_000).findings[0].seen, "it ends 1 ms before it starts");
}

#[test]
fn two_different_spans_of_one_id_fail_and_a_retry_does_not() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let first = build.span(&api, Kind::Server, "one").add();
    let mut evidence = build.evidence();
    evidence.requests.push(evidence.requests[0].clone());
    assert_eq!(judge(RULE, &evidence, None).outcome(), Outcome::Pass);
    build.span(&api, Kind::Server, "two").in_trace(first.trace).with_id(first.span).add();
    let judgement = judge(RULE, &build.evidence(), None);
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert!(judgement.findings[0].seen.ends_with("came under the same trace and span id"));
}

/// A trace of which one span came, and a log line of another span in it or elsewhere.
fn witnessed(line: impl Fn(Address) -> String, change: impl FnOnce(&mut Build, &ProcessId)) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let root = build.span(&api, Kind::Server, "GET /{code}").add();
    build.stimulus(&api, "click", "GET", "/abc", 302);
    build.log(&api, &line(Address { span: SpanId([0xee; 8]), ..root }));
    change(&mut build, &api);
    judge(RULE, &build.evidence(), Some(&declaration()))
}

fn json(span: Address) -> String {
    format!(r#"{{"msg":"x","trace_id":"{}","span_id":"{}"}}"#, span.trace, span.span)
}

#[test]
fn ids_are_read_in_the_words_of_several_loggers() {
    assert_eq!(witnessed(json, |_, _| {}).outcome(), Outcome::Fail);
    let ecs = |span: Address| format!(r#"{{"trace.id":"{}","span.id":"{}"}}"#, span.trace, span.span);
    assert_eq!(witnessed(ecs, |_, _| {}).outcome(), Outcome::Fail);
    let go_zero = |span: Address| format!(r#"{{"trace":"{}","span":"{}"}}"#, span.trace, span.span);
    assert_eq!(witnessed(go_zero, |_, _| {}).outcome(), Outcome::Fail);
    let nested = |span: Address| format!(r#"{{"fields":{{"trace_id":"{}","span_id":"{}"}}}}"#, span.trace, span.span);
    assert_eq!(witnessed(nested, |_, _| {}).outcome(), Outcome::Fail);
    let unsampled = |span: Address| json(span).replace("\"msg\"", "\"trace_flags\":\"00\",\"msg\"");
    assert_eq!(witnessed(unsampled, |_, _| {}).outcome(), Outcome::Pass);
    assert_eq!(witnessed(|span| format!("span {}", span.span), |_, _| {}).outcome(), Outcome::Pass);
}

#[test]
fn a_trace_that_was_lost_as_a_whole_says_nothing_of_its_spans() {
    let elsewhere = |span: Address| json(Address { trace: TraceId([7; 16]), ..span });
    assert_eq!(witnessed(elsewhere, |_, _| {}).outcome(), Outcome::Pass);
}

#[test]
fn an_open_fence_or_a_silent_process_leaves_it_open() {
    let killed = witnessed(json, |build, api| {
        build.change_process(api, |process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    });
    assert_eq!(killed.outcome(), Outcome::Incomplete);
    let silent = witnessed(json, |build, _| {
        build.evidence_mut().requests.clear();
        build.evidence_mut().ledger.senders[0].counts = Counts::default();
    });
    assert_eq!(silent.gaps[0].why, "silent: url-api");
    let quiet = witnessed(json, |build, _| build.evidence_mut().barrier.kind = BarrierKind::Absent);
    assert_eq!(quiet.outcome(), Outcome::Pass, "files: what is there is judged, what is not is not");
}

#[test]
fn hostile_times_and_parents_are_told_and_nothing_overflows() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let parent = build.span(&api, Kind::Server, "far").time(0, 0).shifted(i64::MAX / 1_000_000).add();
    build.span(&api, Kind::Client, "\u{1b}near").child_of(parent).shifted(-i64::MAX / 1_000_000).add();
    let own = Address { trace: TraceId([1; 16]), span: SpanId([1; 8]) };
    build.span(&api, Kind::Client, "own").child_of(own).with_id(own.span).time(1, 2).add();
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert!(judgement.findings.iter().any(|finding| finding.seen == "it names itself as its parent"));
    assert!(judgement.findings.iter().any(|finding| finding.seen == "it was exported without one"));
    assert!(!format!("{judgement:?}").contains('\u{1b}') && at(0) > 0);
}

#[test]
fn nothing_is_outside_the_life_of_its_process() {
    // A built process starts at 0 and ends at 900,000 ms.
    let alone = |start: u64, end: u64| {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.span(&api, Kind::Server, "alone").time(start, end).add();
        judge(RULE, &build.evidence(), Some(&declaration()))
    };
    assert_eq!(alone(1_000, 2_000).outcome(), Outcome::Pass);
    assert_eq!(alone(899_000, 900_500).outcome(), Outcome::Pass, "500 ms after: what clocks may differ");
    let late = alone(899_000, 900_501);
    assert_eq!((late.outcome(), late.findings.len()), (Outcome::Fail, 1));
    assert!(late.findings[0].seen.contains("ends 501 ms after its process"), "{}", late.findings[0].seen);
    let mut build = Build::new();
    let api = build.process("url-api");
    build.change_process(&api, |process| process.started = at(5_000));
    build.span(&api, Kind::Server, "early").time(4_499, 6_000).add();
    assert_eq!(judge(RULE, &build.evidence(), None).outcome(), Outcome::Fail);
}
