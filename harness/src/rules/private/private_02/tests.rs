use super::leaks::canary;
use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{judge, subjects};

const RULE: &str = "PRIVATE-02";
const PASSWORD: &str = "db-0a1b2c3d4e5f";

fn judged(change: impl FnOnce(&mut Build, &ProcessId)) -> Judgement {
    let mut build = Build::new();
    build.evidence_mut().canaries.push(canary(CanaryKind::Credential, PASSWORD));
    build.evidence_mut().canaries.push(canary(CanaryKind::Password, "a-users-own-password"));
    let api = build.process("url-api");
    change(&mut build, &api);
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn a_configuration_without_its_password_passes() {
    let line = |text: &'static str| judged(move |build, api| build.log(api, text)).outcome();
    assert_eq!(line("connecting to postgres://app:***@db/shop"), Outcome::Pass);
    assert_eq!(line("a-users-own-password"), Outcome::Pass, "that is PRIVATE-01's");
    assert_eq!(judged(|_, _| {}).subjects, 1);
    assert_eq!(judge(RULE, &Build::new().evidence(), Some(&declaration())).outcome(), Outcome::NotJudged);
}

#[test]
fn a_connection_string_fails_wherever_it_stands() {
    let url = format!("postgres://app:{PASSWORD}@db/shop");
    let logged = judged(|build, api| build.log_fields(api, "INFO", "configured", None, serde_json::json!({ "url": url })));
    assert_eq!(subjects(&logged), ["url-api, log field `url`"]);
    assert!(!format!("{:?}", logged.findings).contains(PASSWORD));
    let attribute = judged(|build, api| {
        build.span(api, Kind::Client, "SELECT links").attribute("db.connection_string", url.as_str()).add();
    });
    assert_eq!(subjects(&attribute), ["url-api, span `SELECT links`, attribute `db.connection_string`"]);
    let answer = judged(|build, api| {
        build.stimulus(api, "click", "GET", "/abc", 500).answer.as_mut().unwrap().body = format!("cannot reach {url}");
    });
    assert_eq!(subjects(&answer), ["url-api, an answer"]);
    let key = judged(|build, _| {
        let change = KeyChange::Put { value: url.clone(), lease_ttl: None, serves: None };
        build.evidence_mut().keys.push(KeyEvent { key: "config".into(), at: 1, change });
    });
    assert_eq!(subjects(&key), ["etcd, a value"]);
}

#[test]
fn a_shorter_secret_than_six_letters_is_no_needle() {
    let secret = |value: &str| {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.evidence_mut().canaries.push(canary(CanaryKind::Credential, value));
        build.log(&api, &format!("x{value}x"));
        judge(RULE, &build.evidence(), Some(&declaration())).outcome()
    };
    assert_eq!((secret("abcde"), secret("abcdef")), (Outcome::NotJudged, Outcome::Fail));
}

#[test]
fn hostile_values_are_searched_as_they_are() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for value in ["\u{0}\u{1b}[2J\n\n", "%25%25%25", "\\u0041\\u0041", &"é".repeat(1_000)] {
        build.evidence_mut().canaries.push(canary(CanaryKind::Credential, value));
    }
    build.log(&api, &"%25".repeat(10_000));
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert_eq!((judgement.subjects, judgement.findings.len()), (4, 1));
    assert!(!format!("{:?}", judgement.findings).contains('\u{1b}'));
}
