use crate::model::build::{Address, Build, at, declaration};
use crate::model::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "11112222333344445555666677778888";

/// A click with these headers, of which url-api made a trace, and the record that it sent.
struct Click {
    build: Build,
}

impl Click {
    /// `answered`: the trace that the answer names; `carried`: what the record carries.
    fn new(headers: &[(&str, &str)], answered: Option<&str>, carried: &[(&str, &str)]) -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let stimulus = build.stimulus(&api, "click", "GET", "/abc", 302);
        stimulus.headers = headers.iter().map(pair).collect();
        stimulus.trace = answered.and_then(TraceId::from_hex);
        build.record("click-events", carried);
        Click { build }
    }

    fn judge(&self) -> Judgement {
        let (evidence, declaration) = (self.build.evidence(), declaration());
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
    }
}

fn own(trace: &str, flags: &str) -> String {
    format!("00-{trace}-1234567890abcdef-{flags}")
}

/// What becomes of a valid context with this `tracestate`, when the record carries that one.
fn state(sent: &[&str], carried: &str) -> Judgement {
    let mut headers = vec![("traceparent", GOOD)];
    headers.extend(sent.iter().map(|value| ("tracestate", *value)));
    let parent = own(TRACE, "01");
    let mut record = vec![("traceparent", parent.as_str())];
    record.extend((!carried.is_empty()).then_some(("tracestate", carried)));
    Click::new(&headers, Some(TRACE), &record).judge()
}

fn faults(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.seen.as_str()).collect()
}

#[test]
fn a_valid_context_that_goes_on_passes() {
    for value in [GOOD.to_string(), format!(" \t{GOOD} "), format!("cc{}-what-the-future", &GOOD[2..])] {
        let record = own(TRACE, "01");
        let judgement = Click::new(&[("TraceParent", &value)], Some(TRACE), &[("traceparent", &record)]).judge();
        assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2), "{value}");
    }
    assert_eq!(state(&["a=1,b=2", "c@@d=3"], "a=1,b=2,c@@d=3").outcome(), Outcome::Pass);
    assert_eq!(state(&["a=1"], "new=0,a=1").outcome(), Outcome::Pass, "somebody added its own");
    assert_eq!(state(&["a=1,a=2"], "a=2").outcome(), Outcome::Pass, "of two with one key either may go");
    assert_eq!(state(&["bad"], "").outcome(), Outcome::Pass, "what cannot be read is dropped");
}

#[test]
fn a_valid_context_that_is_not_continued_is_a_fault() {
    let record = own(OTHER, "01");
    let judgement = Click::new(&[("traceparent", GOOD)], Some(OTHER), &[("traceparent", &record)]).judge();
    assert_eq!(judgement.findings[0].subject, "url-api, GET /{code}");
    assert!(faults(&judgement)[0].ends_with(": a new trace was started"));
}

#[test]
fn an_invalid_context_that_starts_a_new_trace_passes() {
    let record = own(OTHER, "03");
    for bad in [
        "",
        "00",
        &format!("{GOOD}-x"),
        &format!("ff{}", &GOOD[2..]),
        &GOOD.replace(TRACE, &"0".repeat(32)),
        &GOOD.to_uppercase(),
        &GOOD.replace("-01", "-1"),
        &GOOD.replace(TRACE, &TRACE[1..]),
    ] {
        let judgement = Click::new(&[("traceparent", bad)], Some(OTHER), &[("traceparent", &record)]).judge();
        assert_eq!(judgement.outcome(), Outcome::Pass, "{bad}");
    }
    let two = Click::new(&[("traceparent", GOOD), ("traceparent", GOOD)], Some(OTHER), &[]).judge();
    assert_eq!(two.outcome(), Outcome::Pass);
    let alone = Click::new(&[("tracestate", "a=1")], Some(OTHER), &[("traceparent", &record)]).judge();
    assert_eq!(alone.outcome(), Outcome::Pass);
}

#[test]
fn an_invalid_context_that_is_taken_over_is_a_fault() {
    let record = own(TRACE, "01");
    for bad in [format!("{GOOD}-x"), GOOD.replace("-01", "-001"), format!("ff{}", &GOOD[2..]), GOOD.to_uppercase()] {
        let judgement = Click::new(&[("traceparent", &bad)], Some(TRACE), &[("traceparent", &record)]).judge();
        assert!(faults(&judgement)[0].ends_with("its trace was continued"), "{bad}");
    }
    let short = GOOD.replace(TRACE, "af7651916cd43dd8448eb211c80319c");
    let padded = Click::new(&[("traceparent", &short)], Some(TRACE), &[]).judge();
    assert_eq!(padded.outcome(), Outcome::Fail, "padded with a zero");
    let two = Click::new(&[("traceparent", GOOD), ("traceparent", GOOD)], Some(TRACE), &[]).judge();
    assert!(faults(&two)[0].starts_with("2 traceparent headers"));
}

#[test]
fn a_header_that_is_not_valid_and_goes_through_as_it_came_is_a_fault() {
    let bad = format!("{GOOD}.");
    let judgement = Click::new(&[("traceparent", &bad)], Some(OTHER), &[("traceparent", &bad)]).judge();
    assert_eq!(judgement.findings[0].subject, "url-api, records of click-events");
    assert!(faults(&judgement)[0].ends_with("as it came in"));
    let none = Click::new(&[("traceparent", "")], Some(OTHER), &[]).judge();
    assert_eq!(none.outcome(), Outcome::Pass, "no header is MSG-01's");
}

#[test]
fn flags_are_handed_on_as_the_version_knows_them() {
    let flags = |sent: &str, carried: &str| {
        let record = own(TRACE, carried);
        Click::new(&[("traceparent", &GOOD.replace("-01", sent))], Some(TRACE), &[("traceparent", &record)]).judge()
    };
    assert_eq!(flags("-02", "02").outcome(), Outcome::Pass);
    assert_eq!(flags("-03", "02").outcome(), Outcome::Pass, "whether it is sampled is TRACE-11's");
    assert!(faults(&flags("-03", "01"))[0].starts_with("flags 03 came in, and 01 stand at"));
    assert_eq!(flags("-01", "03").outcome(), Outcome::Fail, "nobody may set what was not set");
    assert_eq!(flags("-ff", "ff").findings[0].required, "reserved flags written as zero");
    assert_eq!(flags("-ff", "03").outcome(), Outcome::Pass);
}

#[test]
fn a_tracestate_is_handed_on_whole_and_in_order() {
    assert_eq!(state(&["a=1,b=2"], "a=1").outcome(), Outcome::Fail);
    assert_eq!(state(&["a=1", "b=2"], "a=1").outcome(), Outcome::Fail, "only the first header was read");
    assert_eq!(state(&["a=1,b=2"], "b=2,a=1").outcome(), Outcome::Fail);
    assert_eq!(state(&["a=1"], "a=1,=").findings[0].required, "a `tracestate` that is valid, or none");
    let long: Vec<String> = (0..30).map(|number| format!("k{number}={}", "v".repeat(20))).collect();
    assert_eq!(state(&[&long.join(",")], &long[..20].join(",")).outcome(), Outcome::Pass, "over 512 characters may be cut");
    let edge = format!("a={},b={}", "v".repeat(250), "v".repeat(252));
    assert_eq!(state(&[&edge], &edge[..252]).outcome(), Outcome::Fail, "{} characters may not", edge.len());
}

#[test]
fn a_tracestate_without_its_traceparent_is_not_handed_on() {
    let record = own(OTHER, "01");
    let click = |bad: &str| {
        Click::new(&[("traceparent", bad), ("tracestate", "a=1")], Some(OTHER), &[("traceparent", &record), ("tracestate", "a=1")])
    };
    assert_eq!(click("nothing").judge().findings[0].subject, "url-api, records of click-events");
}

#[test]
fn callees_are_called_with_the_tracestate() {
    let called = |state: &str| {
        let mut click = Click::new(&[("traceparent", GOOD), ("tracestate", "a=1,b@@c=2")], Some(TRACE), &[]);
        let rpc = click.build.process("analytics-rpc");
        let caller = Address { trace: TraceId::from_hex(TRACE).unwrap(), span: SpanId([7; 8]) };
        click.build.span(&rpc, Kind::Server, "call").child_of(caller).trace_state(state).add();
        click.judge()
    };
    assert_eq!(called("a=1").outcome(), Outcome::Pass, "OpenTelemetry's own type cannot hold the other");
    assert_eq!(called("").findings[0].subject, "analytics-rpc, span `call`");
}

#[test]
fn an_answer_without_a_trace_is_judged_by_spans_or_is_a_gap() {
    let open = Click::new(&[("traceparent", GOOD)], None, &[]).judge();
    assert_eq!(open.outcome(), Outcome::Incomplete);
    let taken = |bad: &str| {
        let mut click = Click::new(&[("traceparent", bad)], None, &[]);
        let api = ProcessId::new("url-api#1");
        click.build.span(&api, Kind::Server, "GET /{code}").in_trace(TraceId::from_hex(TRACE).unwrap()).add();
        click.judge()
    };
    assert_eq!(taken(GOOD).outcome(), Outcome::Pass);
    assert_eq!(taken(&format!("{GOOD}-x")).outcome(), Outcome::Fail);
}

#[test]
fn who_was_sent_no_context_or_gave_no_answer_is_no_subject() {
    assert_eq!(Click::new(&[("accept", "*/*")], Some(OTHER), &[]).judge().outcome(), Outcome::NotJudged);
    let mut unanswered = Click::new(&[("traceparent", GOOD)], None, &[]);
    unanswered.build.evidence_mut().stimuli[0].answer = None;
    assert_eq!(unanswered.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_headers_do_not_panic_and_stay_small() {
    let huge = "-".repeat(1_000_000);
    let wide = "\u{202e}".repeat(100_000);
    for bad in [huge.as_str(), wide.as_str(), "\0", &"é".repeat(60)] {
        let mut click = Click::new(&[("traceparent", bad), ("tracestate", bad)], Some(OTHER), &[("traceparent", bad), ("tracestate", bad)]);
        click.build.evidence_mut().records[0].at = at(u64::MAX / 2_000_000);
        assert!(click.judge().findings.iter().all(|finding| finding.seen.len() < 1_000));
    }
}
