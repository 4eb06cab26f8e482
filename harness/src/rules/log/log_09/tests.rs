use serde_json::json;

use crate::model::build::{Address, Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "LOG-09";

#[test]
fn lines_of_the_publishing_task_are_in_the_clicks_trace() {
    let judgement = Shortener::good().everything().judge(RULE);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1));
    for defect in ["consumer-ignores-headers", "kafka-send-without-headers"] {
        assert_eq!(Shortener::with(defect).everything().judge(RULE).outcome(), Outcome::Pass, "{defect}");
    }
}

#[test]
fn lines_of_a_task_without_context_stray_with_it() {
    let judgement = Shortener::with("spawn-without-context").everything().judge(RULE);
    assert_eq!(subjects(&judgement), ["url-api, line `done`"]);
    assert_eq!(judgement.findings[0].required, "the trace of the request that spawned the work: `GET /{code}`");
}

/// A click from 1000 to 1010 ms, whose send goes on until 1050, and what is logged at `at_ms`.
fn sending(at_ms: u64, log: impl FnOnce(&mut Build, &ProcessId, Address)) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let click = build.span(&api, Kind::Server, "GET /{code}").time(1_000, 1_010).add();
    let send = build.span(&api, Kind::Producer, "send click-events").child_of(click).time(1_005, 1_050);
    let send = send.attribute("messaging.destination.name", "click-events").add();
    let now = build.now_ms();
    build.pass(at_ms - now);
    log(&mut build, &api, send);
    let mut declaration = declaration();
    declaration.logs.background = vec![LogOrigin { logger: "kafka".into(), message: String::new() }];
    judge(RULE, &build.evidence(), Some(&declaration))
}

#[test]
fn a_line_without_ids_is_the_works_when_nothing_else_goes_on() {
    let plain = |build: &mut Build, api: &ProcessId, _: Address| build.log_line(api, "WARN", "slow broker", None);
    assert_eq!(subjects(&sending(1_030, plain)), ["url-api, line `slow broker`"]);
    assert_eq!(sending(1_050, plain).outcome(), Outcome::Fail, "the edge");
    assert_eq!(sending(1_051, plain).outcome(), Outcome::NotJudged);
    assert_eq!(sending(1_008, plain).outcome(), Outcome::NotJudged, "the request goes on: LOG-02");
    let library = sending(1_030, |build, api, _| {
        build.log_fields(api, "WARN", "reconnecting", None, json!({ "target": "kafka::client" }));
    });
    assert_eq!(library.outcome(), Outcome::NotJudged);
}

#[test]
fn a_span_beneath_the_work_is_the_works() {
    let beneath = sending(1_030, |build, api, send| {
        let attempt = build.span(api, Kind::Internal, "attempt").child_of(send).add();
        build.log_line(api, "WARN", "again", Some(attempt));
    });
    assert_eq!((beneath.outcome(), beneath.subjects), (Outcome::Pass, 1));
    let elsewhere = sending(1_030, |build, _, send| {
        let consumer = build.process("analytics-consumer");
        let process = build.span(&consumer, Kind::Consumer, "process click-events").child_of(send).add();
        build.log_line(&consumer, "INFO", "stored", Some(process));
    });
    assert_eq!(elsewhere.outcome(), Outcome::NotJudged, "another process is no background work");
}

/// A send that is not a child of any click.
fn stray(change: impl FnOnce(&mut Build, Address)) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let send = build.span(&api, Kind::Producer, "send click-events").add();
    build.log_line(&api, "DEBUG", "sent", Some(send));
    change(&mut build, send);
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn a_trace_with_a_missing_parent_says_nothing_of_its_beginning() {
    assert_eq!(stray(|_, _| {}).outcome(), Outcome::Fail);
    let broken = stray(|build, send| {
        let api = ProcessId::new("url-api#1");
        let lost = Address { span: SpanId([9; 8]), ..send };
        build.span(&api, Kind::Client, "x").child_of(lost).add();
    });
    assert_eq!(broken.outcome(), Outcome::NotJudged);
}

#[test]
fn where_nothing_is_spawned_nothing_is_judged() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let send = build.span(&api, Kind::Producer, "send click-events").add();
    build.log_line(&api, "DEBUG", "sent", Some(send));
    let mut quiet = declaration();
    quiet.operations.iter_mut().for_each(|operation| operation.spawns.clear());
    assert_eq!(judge(RULE, &build.evidence(), Some(&quiet)).outcome(), Outcome::NotJudged);
    assert_eq!(judge(RULE, &build.evidence(), None).outcome(), Outcome::NotJudged);
}

#[test]
fn a_thousand_stray_lines_are_one_finding() {
    let judgement = stray(|build, send| {
        let api = ProcessId::new("url-api#1");
        (0..1_000).for_each(|number| build.log_line(&api, "DEBUG", &format!("\u{1b}sent {number}"), Some(send)));
    });
    assert_eq!(judgement.findings.len(), 2);
    assert!(!format!("{judgement:?}").contains('\u{1b}'));
}
