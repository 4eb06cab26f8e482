use serde_json::json;

use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "LOG-01";

/// Lines of url-api, judged with a declared profile.
fn judged(profile: &str, lines: &[&str]) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    lines.iter().for_each(|line| build.log(&api, line));
    let mut declaration = declaration();
    declaration.logs.profile = Some(profile.into());
    judge(RULE, &build.evidence(), Some(&declaration))
}

/// A good line of OpenTelemetry's profile with one field changed; `null` removes it.
fn changed(key: &str, value: serde_json::Value) -> Judgement {
    let mut line = json!({
        "timestamp": "2026-11-21T06:36:10.877256Z", "level": "WARN", "message": "", "service.name": "url-api",
        "service.version": "1", "deployment.environment.name": "test",
    });
    line[key] = value;
    line.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    judged("otel", &[&line.to_string()])
}

#[test]
fn lines_of_the_declared_profile_pass() {
    let judgement = Shortener::good().everything().judge(RULE);
    assert_eq!(judgement.outcome(), Outcome::Pass, "{:?}", judgement.findings);
    assert_eq!(changed("own", json!({"a": [1]})).outcome(), Outcome::Pass);
    let ecs = r#"{"@timestamp":"2026-11-21T06:36:10Z","log.level":"info","message":"x","ecs.version":"8.11",
        "service":{"name":"a","version":"1","environment":"test"}}"#;
    assert_eq!(judged("ecs", &[&ecs.replace('\n', "")]).outcome(), Outcome::Pass);
    let go_zero = r#"{"@timestamp":"2026-11-21T06:36:10.877+08:00","caller":"a/b.go:1","content":"x","level":"slow"}"#;
    assert_eq!(judged("go-zero", &[go_zero, "", "  "]).subjects, 1);
}

#[test]
fn a_line_for_people_fails_by_its_stream() {
    let mut shortener = Shortener::good();
    let api = shortener.api.clone();
    shortener.build.log(&api, "url-api is starting up ...");
    shortener.build.log(&api, "thread 'main' panicked at src/main.rs:1:1:");
    let lines = &mut shortener.build.evidence_mut().logs;
    lines.last_mut().unwrap().stderr = true;
    let judgement = shortener.judge(RULE);
    assert_eq!(subjects(&judgement), ["url-api, standard error", "url-api, standard output"]);
    assert_eq!(judgement.findings[1].seen, "`url-api is starting up ...` is none");
    for other in ["[1,2]", "\"text\"", "{\"a\":1} {\"b\":2}", "{\"a\":", "INFO {\"a\":1}"] {
        assert_eq!(judged("otel", &[other]).outcome(), Outcome::Fail, "{other}");
    }
}

#[test]
fn a_field_that_is_missing_or_another_thing_fails_by_its_key() {
    for (key, value, seen) in [
        ("timestamp", json!(null), "a line goes without it"),
        ("timestamp", json!(1_795_242_970), "it is a number"),
        ("timestamp", json!("2026-11-21 06:36:10"), "`2026-11-21 06:36:10` is none"),
        ("timestamp", json!("2026-11-21T07:36:10+01:00"), "`2026-11-21T07:36:10+01:00` is local time"),
        ("level", json!(30), "it is a number"),
        ("level", json!("LOUD"), "`LOUD` is none"),
        ("message", json!(null), "a line goes without it"),
        ("message", json!({"text": "x"}), "it is an object"),
        ("service.name", json!(""), "it is empty"),
        ("service.version", json!(null), "a line goes without it"),
        ("deployment.environment.name", json!(true), "it is a truth value"),
    ] {
        let judgement = changed(key, value);
        assert_eq!(subjects(&judgement), [format!("url-api, field `{key}`")]);
        assert_eq!(judgement.findings[0].seen, seen, "{key}");
    }
    assert_eq!(changed("message", json!(null)).findings[0].candidates[0], "deployment.environment.name");
    let nested = r#"{"timestamp":"2026-11-21T06:36:10Z","level":"INFO","fields":{"message":"x"},"service":{"name":"a"}}"#;
    assert_eq!(subjects(&judged("otel", &[nested])).len(), 4, "otel does not nest");
}

#[test]
fn the_longest_line_that_is_kept_is_the_edge() {
    let line = |length: usize| format!("{{\"a\":\"{}", "x".repeat(length - 6));
    assert_eq!(judged("otel", &[&line(LogLine::BYTES_MAX - 4)]).outcome(), Outcome::Fail, "it is whole, and no object");
    assert_eq!(judged("otel", &[&line(LogLine::BYTES_MAX - 3)]).outcome(), Outcome::Incomplete);
}

#[test]
fn the_last_line_of_a_killed_process_may_be_torn() {
    let torn = |exit: Exit| {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.log_line(&api, "INFO", "listening", None);
        build.log(&api, "{\"timestamp\":\"2026-11-");
        build.change_process(&api, |process| process.end.as_mut().unwrap().exit = exit);
        judge(RULE, &build.evidence(), Some(&declaration()))
    };
    assert_eq!((torn(Exit::Signal(9)).outcome(), torn(Exit::Signal(9)).subjects), (Outcome::Pass, 1));
    assert_eq!(torn(Exit::Code(0)).outcome(), Outcome::Fail);
}

#[test]
fn without_a_declaration_lines_show_their_profile_and_faults_are_warnings() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.log_line(&api, "INFO", "listening", None);
    build.log(&api, "hello");
    let judgement = judge(RULE, &build.evidence(), None);
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 1));
    build.evidence_mut().logs.remove(0);
    let judgement = judge(RULE, &build.evidence(), None);
    assert_eq!(judgement.not_judged.as_deref(), Some("no line is of a profile that is known"));
    assert_eq!(judge(RULE, &Evidence::default(), None).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_lines_are_told_few_and_harmless() {
    let lines: Vec<String> = (0..1_000)
        .map(|number| format!("{{\"\\u001b[2J{number}\":1,\"level\":\"\u{202e}\"}}"))
        .chain([format!("{{\"a\":{}", "[".repeat(10_000))])
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let judgement = judged("otel", &lines);
    assert_eq!(judgement.findings.len(), 7);
    assert!(judgement.findings.iter().any(|finding| finding.seen.ends_with("(and 999 more like it)")));
    assert!(!format!("{judgement:?}").contains(['\u{1b}', '\u{202e}']));
}
