use super::super::testing::*;
use crate::model::build::{Build, at};
use crate::model::*;

fn socket(process: &ProcessId, role: Option<&str>, metrics: Option<HttpAnswer>) -> Socket {
    let service = process.as_str().split('#').next().unwrap().to_string();
    Socket {
        process: process.clone(),
        address: format!("{service}:1"),
        service,
        role: role.map(String::from),
        metrics,
        held_by: None,
    }
}

/// url-api with its two ports and, if asked for, one more.
fn listening(more: Option<Socket>) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    let sockets = &mut build.evidence_mut().sockets;
    sockets.push(socket(&api, Some("admin"), Some(answer("admin", "/metrics"))));
    sockets.push(socket(&api, Some("main"), Some(answer("main", "/metrics"))));
    sockets.extend(more);
    judge("SCRAPE-03", &build)
}

fn api() -> ProcessId {
    ProcessId::new("url-api#1")
}

#[test]
fn metrics_on_the_declared_port_alone_pass() {
    let judgement = listening(None);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2));
    let page = HttpAnswer { content_type: Some("text/plain".into()), ..answer("admin", "/") };
    assert_eq!(listening(Some(socket(&api(), None, Some(page)))).outcome(), Outcome::Pass, "a page is no metrics");
    let empty = HttpAnswer { body: String::new(), content_type: Some("text/plain".into()), ..answer("admin", "/") };
    assert_eq!(listening(Some(socket(&api(), None, Some(empty)))).outcome(), Outcome::Pass);
    assert_eq!(listening(Some(socket(&api(), Some("main"), None))).outcome(), Outcome::Pass, "gRPC does not answer");
}

#[test]
fn metrics_on_the_main_port_too_are_a_fault() {
    let judgement = listening(Some(socket(&api(), Some("main"), Some(answer("admin", "/metrics")))));
    assert_eq!(errors(&judgement), ["url-api, main port"]);
    assert_eq!(judgement.findings[0].required, "metrics on url-api:9464/metrics alone");
}

#[test]
fn metrics_on_an_undeclared_port_are_a_fault() {
    let judgement = listening(Some(socket(&api(), None, Some(answer("admin", "/metrics")))));
    assert_eq!(errors(&judgement), ["url-api, undeclared port"]);
    let plain = HttpAnswer {
        status: Some(200),
        content_type: Some("text/plain".into()),
        body: "one_sample 1\n".into(),
        error: None,
        took_ms: None,
    };
    assert_eq!(listening(Some(socket(&api(), None, Some(plain)))).outcome(), Outcome::Fail, "one sample is enough");
}

#[test]
fn a_process_without_its_declared_port_is_a_fault() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.evidence_mut().sockets.push(socket(&api, Some("main"), Some(answer("main", "/metrics"))));
    assert_eq!(errors(&judge("SCRAPE-03", &build)), ["url-api, admin port"]);
}

/// A consumer that was given the port that url-api holds, and that ended so, or goes on.
fn taken(end: Option<ProcessEnd>) -> Judgement {
    let mut build = Build::new();
    let (api, consumer) = (build.process("url-api"), build.process("analytics-consumer"));
    build.change_process(&consumer, |process| (process.ready, process.end) = (None, end));
    let lost = Socket { held_by: Some(api.clone()), ..socket(&consumer, Some("admin"), None) };
    build.evidence_mut().sockets.push(lost);
    build.evidence_mut().sockets.push(socket(&api, Some("admin"), Some(answer("admin", "/metrics"))));
    judge("SCRAPE-03", &build)
}

#[test]
fn a_taken_port_is_a_loud_failure() {
    let ended = |exit, asked: Option<u64>| {
        let asked = asked.map(at);
        taken(Some(ProcessEnd { at: at(500), exit, asked, within_grace: asked.is_some() }))
    };
    assert_eq!(ended(Exit::Code(1), None).outcome(), Outcome::Pass);
    assert_eq!(ended(Exit::Signal(6), None).outcome(), Outcome::Pass);
    assert_eq!(ended(Exit::Code(0), None).outcome(), Outcome::Fail, "an exit of 0 is no error");
    assert_eq!(ended(Exit::Code(0), Some(400)).outcome(), Outcome::Fail, "it went on until it was asked to end");
    let judgement = taken(None);
    assert_eq!(errors(&judgement), ["analytics-consumer"]);
    assert_eq!(judgement.findings[0].seen, "it goes on, while url-api answers on the port");
}

#[test]
fn without_sockets_or_a_declaration_nothing_is_judged() {
    assert_eq!(judge("SCRAPE-03", &Build::new()).outcome(), Outcome::NotJudged);
    let mut build = Build::new();
    let api = build.process("url-api");
    build.evidence_mut().sockets.push(socket(&api, None, Some(answer("admin", "/metrics"))));
    let evidence = build.evidence();
    let rule = crate::rules::find("SCRAPE-03").unwrap();
    assert_eq!(crate::rules::testing::judged(rule, &Case::new(&evidence, None)).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_roles_are_shown_harmless() {
    let judgement = listening(Some(socket(&api(), Some("\u{1b}[2J"), Some(answer("admin", "/metrics")))));
    assert_eq!(errors(&judgement).len(), 1);
    assert!(!judgement.findings[0].subject.contains('\u{1b}'));
}
