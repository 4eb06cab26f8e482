use serde_json::json;

use crate::model::build::{Build, at, declaration};
use crate::model::*;
use crate::rules::testing::{judge, subjects};

const RULE: &str = "LOG-07";

/// An attempt at 1000 ms to have debug for 200 ms.
fn attempt(credentials: Credentials, status: u16, seen: &[(u64, &str)]) -> LevelChange {
    let reading = |(ms, level): &(u64, &str)| LevelReading { at: at(*ms), level: Some(level.to_string()) };
    LevelChange {
        process: ProcessId::new("url-api#1"),
        service: "url-api".into(),
        at: at(1_000),
        credentials,
        level: "debug".into(),
        lasts_ms: 200,
        before: Some("info".into()),
        status: Some(status),
        seen: seen.iter().map(reading).collect(),
    }
}

fn judged(changes: &[LevelChange], told: bool) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    if told {
        build.log_fields(&api, "WARN", "log level changed", None, json!({ "from": "info", "to": "debug" }));
    }
    build.evidence_mut().level_changes = changes.to_vec();
    judge(RULE, &build.evidence(), Some(&declaration()))
}

fn good() -> LevelChange {
    attempt(Credentials::Right, 200, &[(1_001, "debug"), (1_210, "info")])
}

#[test]
fn a_change_with_the_token_that_ends_and_is_logged_passes() {
    let refused = attempt(Credentials::None, 401, &[(1_001, "info")]);
    let forbidden = attempt(Credentials::Wrong, 403, &[(1_001, "info")]);
    let judgement = judged(&[refused, forbidden, good()], true);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 3), "{:?}", judgement.findings);
    assert_eq!(judged(&[], true).outcome(), Outcome::NotJudged);
    let mut build = Build::new();
    let api = build.process("url-api");
    build.log_line(&api, "WARN", "set level to DEBUG for 1 s", None);
    build.evidence_mut().level_changes = vec![good()];
    assert_eq!(judge(RULE, &build.evidence(), None).findings, []);
}

#[test]
fn whoever_does_not_know_the_token_is_refused() {
    let open = attempt(Credentials::None, 200, &[(1_001, "debug")]);
    let judgement = judged(&[open], true);
    assert_eq!(subjects(&judgement), ["url-api, log level"]);
    assert_eq!(judgement.findings[0].seen, "the level changed without credentials");
    let polite = attempt(Credentials::Wrong, 200, &[(1_001, "info")]);
    assert_eq!(judged(&[polite], true).findings[0].seen, "HTTP 200 with wrong credentials");
    let deaf = attempt(Credentials::Wrong, 401, &[(1_001, "debug")]);
    assert_eq!(judged(&[deaf], true).outcome(), Outcome::Fail, "it says no and does it");
}

#[test]
fn a_change_that_is_refused_or_untold_fails() {
    let refused = attempt(Credentials::Right, 500, &[(1_001, "info")]);
    assert_eq!(judged(&[refused], true).findings[0].seen, "HTTP 500, and the level is `info`");
    assert_eq!(judged(&[good()], false).findings[0].seen, "none");
}

#[test]
fn the_margin_behind_its_time_is_the_edge() {
    let back = |ms: u64| attempt(Credentials::Right, 200, &[(1_001, "debug"), (ms, "debug"), (9_000, "info")]);
    assert_eq!(judged(&[back(3_200)], true).outcome(), Outcome::Pass, "200 ms and the margin of 2 s");
    assert_eq!(judged(&[back(3_201)], true).findings[0].seen, "it went back later than that");
    let stays = |until: u64| judged(&[attempt(Credentials::Right, 200, &[(1_001, "debug"), (until, "debug")])], true);
    assert_eq!(stays(3_201).findings[0].seen, "it did not go back");
    assert_eq!(stays(3_200).outcome(), Outcome::Incomplete);
}

#[test]
fn no_answer_leaves_it_open() {
    let silent = LevelChange { status: None, ..good() };
    assert_eq!(judged(&[silent], true).outcome(), Outcome::Incomplete);
    let slow = attempt(Credentials::Right, 200, &[(1_200, "info")]);
    assert_eq!(judged(&[slow], true).gaps[0].why, "it was not read before its time was over");
    let at_once = attempt(Credentials::Right, 200, &[(1_199, "info")]);
    assert_eq!(judged(&[at_once], true).findings[0].seen, "HTTP 200, and the level is `info`");
}

#[test]
fn hostile_readings_are_harmless() {
    let mut change = good();
    (change.level, change.before, change.lasts_ms) = ("\u{1b}".into(), None, u64::MAX);
    change.seen = vec![LevelReading { at: 0, level: Some("\u{202e}".into()) }; 1_000];
    let judgement = judged(&vec![change; 1_000], true);
    assert_eq!(judgement.findings.len(), 1);
    assert!(!format!("{judgement:?}").contains(['\u{1b}', '\u{202e}']));
}
