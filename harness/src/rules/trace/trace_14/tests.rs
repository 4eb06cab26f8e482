use crate::model::build::{Address, Build, declaration};
use crate::model::*;
use crate::rules::testing::Shortener;

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

/// One trace: a request with so many rows read under it.
fn rows(count: u64) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    let root = build.span(&api, Kind::Server, "GET /{code}").add();
    for _ in 0..count {
        build.span(&api, Kind::Internal, "read row").child_of(root).add();
    }
    build
}

/// One trace: a chain of so many spans.
fn chain(length: usize) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    let mut above: Option<Address> = None;
    for number in 0..length {
        let span = build.span(&api, Kind::Internal, &format!("step {}", char::from(b'a' + (number % 26) as u8)));
        above = Some(match above {
            Some(parent) => span.child_of(parent).add(),
            None => span.add(),
        });
    }
    build
}

#[test]
fn what_the_shortener_makes_passes() {
    let shortener = Shortener::good().everything();
    assert_eq!(shortener.judge("TRACE-14").outcome(), Outcome::Pass);
    let mut batch = Shortener::good();
    batch.batch(100);
    assert_eq!(batch.judge("TRACE-14").outcome(), Outcome::Pass, "a hundred links are no spans");
}

#[test]
fn a_hundred_spans_pass_and_one_more_does_not() {
    assert_eq!(judge(&rows(99)).outcome(), Outcome::Pass);
    let judgement = judge(&rows(100));
    assert_eq!(judgement.findings[0].subject, "url-api, span `GET /{code}`");
    assert_eq!(judgement.findings[0].seen, "101 spans");
    assert_eq!(judgement.findings[0].candidates, ["100 times `read row` of `url-api`"]);
}

#[test]
fn eight_deep_passes_ten_is_a_warning_and_eleven_a_fault() {
    assert!(judge(&chain(8)).findings.is_empty());
    for warned in [9, 10] {
        let judgement = judge(&chain(warned));
        assert_eq!((judgement.outcome(), judgement.findings[0].severity), (Outcome::Pass, Severity::Warning));
    }
    let judgement = judge(&chain(11));
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert_eq!(judgement.findings[0].seen, "11 spans down to `url-api INTERNAL step k`");
}

#[test]
fn many_traces_of_one_shape_are_one_finding() {
    let mut build = rows(150);
    let api = ProcessId::new("url-api#1");
    for _ in 0..3 {
        let root = build.span(&api, Kind::Server, "GET /{code}").add();
        (0..150).for_each(|_| _ = build.span(&api, Kind::Internal, "read row").child_of(root).add());
    }
    let judgement = judge(&build);
    assert_eq!((judgement.findings.len(), judgement.subjects), (1, 4));
    assert_eq!(judgement.findings[0].seen, "151 spans (and 3 more like it)");
}

#[test]
fn an_orphan_counts_to_its_trace() {
    let mut build = rows(99);
    let api = ProcessId::new("url-api#1");
    let trace = Case::new(&build.evidence(), None).spans.traces()[0];
    let elsewhere = Address { trace, span: SpanId([9; 8]) };
    build.span(&api, Kind::Client, "lost").child_of(elsewhere).add();
    assert_eq!(judge(&build).findings[0].subject, "url-api, span `GET /{code}`");
}

#[test]
fn undeclared_systems_are_warned_only() {
    let evidence = rows(500).evidence();
    let judgement = crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, None));
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 1));
}

#[test]
fn a_long_chain_and_a_circle_are_judged_in_bounds() {
    assert_eq!(judge(&chain(3_000)).outcome(), Outcome::Fail);
    let mut build = Build::new();
    let api = build.process("url-api");
    let (one, other) = (SpanId([1; 8]), SpanId([2; 8]));
    let trace = TraceId([7; 16]);
    build.span(&api, Kind::Internal, "one").child_of(Address { trace, span: other }).with_id(one).add();
    build.span(&api, Kind::Internal, "other").child_of(Address { trace, span: one }).with_id(other).add();
    assert_eq!(judge(&build).outcome(), Outcome::Pass);
}
