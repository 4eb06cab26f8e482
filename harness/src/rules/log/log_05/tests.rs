use serde_json::json;

use crate::model::build::{Address, Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "LOG-05";

/// Requests of url-api, each answered with a status, and what is logged within each.
fn answered(statuses: &[u16], log: impl Fn(&mut Build, &ProcessId, Address, usize)) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    for (number, status) in statuses.iter().enumerate() {
        let request = build.span(&api, Kind::Server, "GET /{code}").add();
        build.stimulus(&api, "click", "GET", "/abc", *status).trace = Some(request.trace);
        log(&mut build, &api, request, number);
    }
    judge(RULE, &build.evidence(), Some(&hot()))
}

fn hot() -> Declaration {
    let mut declaration = declaration();
    declaration.logs.hot_paths = vec!["click".into()];
    declaration
}

fn at(level: &'static str) -> impl Fn(&mut Build, &ProcessId, Address, usize) {
    move |build, api, request, _| build.log_line(api, level, "done 7", Some(request))
}

#[test]
fn levels_that_fit_the_answers_pass() {
    assert_eq!(Shortener::good().everything().judge(RULE).outcome(), Outcome::Pass);
    for (status, level) in [(302, "DEBUG"), (302, "WARN"), (404, "INFO"), (500, "ERROR"), (503, "FATAL"), (200, "WARN")] {
        let judgement = answered(&[status], at(level));
        assert_eq!(judgement.outcome(), Outcome::Pass, "{status} {level}: {:?}", judgement.findings);
    }
    let nothing_logged = answered(&[500], |build, api, _, _| build.log_line(api, "INFO", "elsewhere", None));
    assert_eq!(nothing_logged.outcome(), Outcome::NotJudged);
}

#[test]
fn a_failure_below_error_fails() {
    for level in ["INFO", "WARN", "DEBUG"] {
        let judgement = answered(&[500], at(level));
        assert_eq!(subjects(&judgement), ["url-api, GET /{code}"], "{level}");
    }
    assert_eq!(answered(&[500], at("INFO")).findings[0].seen, "nothing louder than `done #` at INFO");
    let both = answered(&[500], |build, api, request, _| {
        build.log_line(api, "INFO", "one", Some(request));
        build.log_line(api, "ERROR", "two", Some(request));
    });
    assert_eq!(both.outcome(), Outcome::Pass);
}

#[test]
fn what_was_handled_is_no_error() {
    for status in [200, 302, 404, 499] {
        let judgement = answered(&[status], at("ERROR"));
        assert_eq!(judgement.findings[0].seen, "`done #` at ERROR", "{status}");
    }
    assert_eq!(answered(&[500], at("ERROR")).outcome(), Outcome::Pass, "the edge");
}

#[test]
fn what_a_request_spawned_may_fail_by_itself() {
    let spawned = |kind: Kind| {
        answered(&[302], move |build, api, request, _| {
            let send = build.span(api, kind, "send click-events").child_of(request);
            let send = send.attribute("messaging.destination.name", "click-events").add();
            let below = build.span(api, Kind::Internal, "retry").child_of(send).add();
            build.log_line(api, "ERROR", "not sent", Some(below));
        })
    };
    let click = |judgement: &Judgement| subjects(judgement).len();
    assert_eq!((click(&spawned(Kind::Producer)), click(&spawned(Kind::Client))), (0, 1));
}

#[test]
fn half_of_the_successes_is_the_edge_of_a_hot_path() {
    let every = |nth: usize| {
        answered(&[302, 302, 302, 302, 404, 404], move |build, api, request, number| {
            if number % nth == 0 {
                build.log_line(api, "INFO", "circuit closed", Some(request));
            }
        })
    };
    assert_eq!(every(3).findings[0].seen, "`circuit closed` at INFO in 2 of 4 successes");
    assert_eq!(every(4).outcome(), Outcome::Pass, "one of four");
    assert_eq!(answered(&[302], at("INFO")).outcome(), Outcome::Fail);
    let mut build = Build::new();
    let api = build.process("url-api");
    let request = build.span(&api, Kind::Server, "GET /{code}").add();
    build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(request.trace);
    build.log_line(&api, "INFO", "done", Some(request));
    assert_eq!(judge(RULE, &build.evidence(), Some(&declaration())).outcome(), Outcome::Pass, "not declared as hot");
}

/// A line of url-api outside of any request, beside a health check that was answered with that status.
fn checked(status: u16, level: &str, message: &str, own: serde_json::Value) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let probe =
        Probe { process: api.clone(), service: "url-api".into(), kind: ProbeKind::Live, at: 1, status: Some(status) };
    build.evidence_mut().probes.push(probe);
    build.log_fields(&api, level, message, None, own);
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn a_health_check_at_info_fails_by_its_path() {
    let judgement = checked(200, "INFO", "request answered", json!({ "path": "/healthz" }));
    assert_eq!(subjects(&judgement), ["url-api, /healthz"]);
    assert_eq!(checked(200, "INFO", "GET /metrics HTTP/1.1 200", json!({})).outcome(), Outcome::Fail);
    assert_eq!(checked(200, "DEBUG", "GET /metrics", json!({})).outcome(), Outcome::Pass);
    assert_eq!(checked(200, "INFO", "listening", json!({ "path": "/healthz/deep" })).outcome(), Outcome::Pass);
    assert_eq!(checked(200, "INFO", "x", json!({ "path": "/api/healthz" })).outcome(), Outcome::Pass);
    assert_eq!(checked(503, "INFO", "x", json!({ "path": "/healthz" })).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_lines_are_few_findings() {
    let statuses = [500; 300];
    let judgement = answered(&statuses, |build, api, request, number| {
        for line in 0..60 {
            build.log_line(api, "INFO", &format!("\u{1b}{}", "x".repeat(number + line)), Some(request));
        }
    });
    assert_eq!(subjects(&judgement), ["url-api, GET /{code}"]);
    assert!(!format!("{judgement:?}").contains('\u{1b}'));
}
