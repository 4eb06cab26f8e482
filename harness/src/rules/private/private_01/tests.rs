use base64::Engine as _;
use serde_json::json;

use super::leaks::canary;
use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "PRIVATE-01";
const TOKEN: &str = "tok-9f8e7d6c5b4a";
const PASSWORD: &str = "Blue&Horse7x";

fn planted() -> Build {
    let mut build = Build::new();
    let canaries = &mut build.evidence_mut().canaries;
    canaries.push(canary(CanaryKind::BearerToken, TOKEN));
    canaries.push(canary(CanaryKind::Password, PASSWORD));
    canaries.push(canary(CanaryKind::Credential, "db-1234567890"));
    build
}

fn judged(change: impl FnOnce(&mut Build, &ProcessId)) -> Judgement {
    let mut build = planted();
    let api = build.process("url-api");
    change(&mut build, &api);
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn what_stays_inside_passes() {
    let mut shortener = Shortener::good();
    shortener.build.evidence_mut().canaries.push(canary(CanaryKind::BearerToken, TOKEN));
    let judgement = shortener.everything().judge(RULE);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1), "{:?}", judgement.findings);
    let own_answer = judged(|build, api| {
        build.stimulus(api, "create", "POST", "/api/v1/urls", 201).answer.as_mut().unwrap().body = TOKEN.into();
    });
    assert_eq!(own_answer.outcome(), Outcome::Incomplete, "silent, and what a user sent may come back");
    assert!(own_answer.findings.is_empty());
    let credential = judged(|build, api| build.log(api, "db-1234567890"));
    assert_eq!(credential.outcome(), Outcome::Pass, "that is PRIVATE-02's");
    assert_eq!(Shortener::good().everything().judge(RULE).outcome(), Outcome::NotJudged);
}

#[test]
fn attributes_names_and_messages_of_spans_are_searched() {
    let attribute = judged(|build, api| {
        build.span(api, Kind::Server, "GET /{code}").attribute("url.query", format!("token={TOKEN}").as_str()).add();
    });
    assert_eq!(subjects(&attribute), ["url-api, span `GET /{code}`, attribute `url.query`"]);
    assert_eq!(attribute.findings[0].spans.len(), 1);
    assert_eq!(attribute.findings[0].seen, "the bearer token that was planted in header 'x'");
    let name = judged(|build, api| _ = build.span(api, Kind::Server, &format!("GET /{TOKEN}")).add());
    assert_eq!(subjects(&name), ["url-api, the name of a span"]);
    let resource = judged(|build, api| {
        build.resource(api, "host.name", Some(PASSWORD));
        build.span(api, Kind::Server, "x").add();
    });
    assert_eq!(subjects(&resource), ["url-api, resource, attribute `host.name`"]);
}

#[test]
fn lines_are_searched_whether_json_or_not() {
    let body = judged(|build, api| build.log_fields(api, "WARN", "refused", None, json!({ "body": format!("{{{PASSWORD:?}}}") })));
    assert_eq!(subjects(&body), ["url-api, log field `body`"]);
    let message = judged(|build, api| build.log_line(api, "WARN", &format!("token {TOKEN}"), None));
    assert_eq!(subjects(&message), ["url-api, log field `message`"]);
    let plain = judged(|build, api| build.log(api, &format!("> Authorization: Bearer {TOKEN}")));
    assert_eq!(subjects(&plain), ["url-api, a line on standard output"]);
    assert!(plain.findings[0].seen.ends_with(", first in line 1 of standard output"), "{}", plain.findings[0].seen);
}

#[test]
fn expositions_and_records_are_searched() {
    let exposition = judged(|build, api| {
        let body = format!("a_total{{u=\"{TOKEN}\"}} 1\nb_bucket{{le=\"1\"}} 1 # {{t=\"{TOKEN}\"}} 1\nc 1\n");
        build.scrape(api, ScrapeStage::Last, "text/plain", &body);
    });
    assert_eq!(subjects(&exposition), ["url-api, exemplar of `b_bucket`", "url-api, labels of `a_total`"]);
    let header = judged(|build, _| _ = build.record("click-events", &[("baggage", "user.password=Blue%26Horse7x")]));
    assert_eq!(subjects(&header), ["records of click-events, header `baggage`"]);
    assert!(header.findings[0].seen.ends_with(", escaped, first in click-events[0] offset 0"), "{}", header.findings[0].seen);
}

#[test]
fn a_value_may_carry_what_is_declared() {
    let value = |declared: &[CanaryKind]| {
        let mut build = planted();
        build.record("click-events", &[]);
        build.evidence_mut().records[0].value = json!({ "password": PASSWORD }).to_string();
        let mut declaration = declaration();
        declaration.personal_data.insert("click-events".into(), declared.to_vec());
        judge(RULE, &build.evidence(), Some(&declaration)).outcome()
    };
    assert_eq!(value(&[]), Outcome::Fail);
    assert_eq!(value(&[CanaryKind::Email]), Outcome::Fail);
    assert_eq!(value(&[CanaryKind::Password]), Outcome::Pass);
}

#[test]
fn base64_is_no_hiding_place_and_a_letter_less_is_the_edge() {
    let header = |text: String| judged(|build, api| build.log(api, &text)).outcome();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("ann:{PASSWORD}"));
    assert_eq!(header(format!("Basic {basic}")), Outcome::Fail);
    assert_eq!(header(TOKEN.to_string()), Outcome::Fail);
    assert_eq!(header(TOKEN[..TOKEN.len() - 1].to_string()), Outcome::Pass);
}

#[test]
fn what_was_lost_leaves_it_open() {
    let open = judged(|build, _| build.evidence_mut().barrier.kind = BarrierKind::Quiet);
    assert_eq!(open.outcome(), Outcome::Incomplete);
    let silent = judged(|build, api| _ = build.stimulus(api, "click", "GET", "/abc", 302));
    assert_eq!(silent.gaps[0].why, "silent: url-api");
}

#[test]
fn no_finding_repeats_a_value_and_a_hostile_many_stay_few() {
    let judgement = judged(|build, api| {
        for number in 0..300 {
            let name = format!("{TOKEN} {number}");
            build.span(api, Kind::Server, &name).attribute(&format!("{PASSWORD}{number}"), TOKEN).add();
            build.log(api, &format!("{{\"{TOKEN}{number}\":\"{PASSWORD}\"}}"));
            build.record(&format!("t{number}"), &[(&name, PASSWORD)]);
        }
    });
    let told = serde_json::to_string(&judgement.findings).unwrap();
    assert!(judgement.findings.len() <= 100 && !told.contains(TOKEN) && !told.contains("Blue"), "{told}");
}
