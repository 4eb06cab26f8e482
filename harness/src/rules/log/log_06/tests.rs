use serde_json::{Value, json};

use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "LOG-06";

/// One batch of the consumer, and so many lines within it.
fn batch(lines: usize) -> Judgement {
    let mut build = Build::new();
    let consumer = build.process("analytics-consumer");
    let process = build.span(&consumer, Kind::Consumer, "process click-events").add();
    let insert = build.span(&consumer, Kind::Client, "INSERT clicks").child_of(process).add();
    build.log_line(&consumer, "DEBUG", "batch read", Some(process));
    for number in 1..lines {
        build.log_line(&consumer, "INFO", &format!("row {number} stored"), Some(insert));
    }
    judge(RULE, &build.evidence(), Some(&declaration()))
}

/// Events at a level, outside of any request, each with that field.
fn events(level: &str, key: &str, values: impl Iterator<Item = Value>) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    for value in values {
        build.log_fields(&api, level, "unknown code", None, json!({ key: value }));
    }
    judge(RULE, &build.evidence(), Some(&declaration()))
}

fn codes(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|number| json!(format!("code-{number}")))
}

#[test]
fn a_line_or_two_a_request_pass() {
    assert_eq!(Shortener::good().everything().judge(RULE).outcome(), Outcome::Pass);
    assert_eq!(batch(3).outcome(), Outcome::Pass);
    assert_eq!(events("INFO", "table", std::iter::repeat_n(json!("links"), 500)).outcome(), Outcome::Pass);
}

#[test]
fn the_budget_of_lines_is_the_edge() {
    assert_eq!(batch(20).outcome(), Outcome::Pass);
    let judgement = batch(21);
    assert_eq!(subjects(&judgement), ["analytics-consumer, span `process click-events`"]);
    assert_eq!(judgement.findings[0].seen, "21 lines, `row # stored` the most");
}

#[test]
fn the_number_of_values_is_the_edge() {
    assert_eq!(events("INFO", "code", codes(50)).outcome(), Outcome::Pass);
    let judgement = events("INFO", "code", codes(51));
    assert_eq!(subjects(&judgement), ["url-api, line `unknown code`, field `code`"]);
    assert!(judgement.findings[0].seen.starts_with("more: `code-0`, `code-1`, `code-10` and 48 more"));
    for level in ["DEBUG", "WARN", "ERROR"] {
        assert_eq!(events(level, "code", codes(500)).outcome(), Outcome::NotJudged, "{level}");
    }
}

#[test]
fn numbers_count_where_they_name_something() {
    let numbers = |count: u64| (0..count).map(Value::from);
    assert_eq!(events("INFO", "user.id", numbers(100)).outcome(), Outcome::Fail);
    assert_eq!(events("INFO", "order_number", numbers(100)).outcome(), Outcome::Fail);
    assert_eq!(events("INFO", "duration_ms", numbers(100)).outcome(), Outcome::Pass);
    assert_eq!(events("INFO", "http.response.status_code", numbers(100)).outcome(), Outcome::Pass);
}

#[test]
fn what_was_sampled_may_hold_any_value() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for value in codes(500) {
        build.log_fields(&api, "INFO", "unknown code", None, json!({ "code": value, "sample_rate": 0.01 }));
    }
    assert_eq!(judge(RULE, &build.evidence(), Some(&declaration())).outcome(), Outcome::NotJudged);
}

#[test]
fn messages_with_values_in_them_are_counted_by_their_logger() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for number in 0..60 {
        let letter = |place: u8| char::from(b'a' + number / place % 26);
        let message = format!("unknown code {}{}", letter(26), letter(1));
        build.log_fields(&api, "INFO", &message, None, json!({ "target": "services::links" }));
    }
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert_eq!(subjects(&judgement), ["url-api, messages of `services::links`"]);
}

#[test]
fn a_threshold_can_be_overridden() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let request = build.span(&api, Kind::Server, "GET /{code}").add();
    (0..3).for_each(|_| build.log_line(&api, "INFO", "x", Some(request)));
    let mut declaration = declaration();
    declaration.thresholds.log_lines_per_request = 2;
    assert_eq!(judge(RULE, &build.evidence(), Some(&declaration)).outcome(), Outcome::Fail);
    assert_eq!(judge(RULE, &build.evidence(), None).outcome(), Outcome::Pass);
}

#[test]
fn a_hostile_many_of_fields_is_bounded_and_harmless() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for number in 0..12_000 {
        build.log_fields(&api, "INFO", "x", None, json!({ format!("\u{1b}{number}"): "y".repeat(100) }));
    }
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 10_000));
}
