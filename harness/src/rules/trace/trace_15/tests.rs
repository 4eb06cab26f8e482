use crate::model::build::{Address, Build, declaration};
use crate::model::*;
use crate::rules::testing::{judge, subjects};

const RULE: &str = "TRACE-15";

fn declared() -> Declaration {
    let mut declaration = declaration();
    declaration.baggage = vec!["tenant.id".into()];
    declaration
}

/// A click of a tenant through Kafka: url-api's server and producer span, the consumer's process span. Each of them has the
/// attribute as `has` says; the record has that header.
fn click(has: [&str; 3], header: &str) -> Build {
    let mut build = Build::new();
    let (api, consumer) = (build.process("url-api"), build.process("analytics-consumer"));
    let request = build.span(&api, Kind::Server, "GET /{code}").attribute("tenant.id", has[0]).add();
    let send = build.span(&api, Kind::Producer, "send click-events").child_of(request).attribute("tenant.id", has[1]).add();
    let process = build.span(&consumer, Kind::Consumer, "process click-events").child_of(send);
    process.attribute("tenant.id", has[2]).add();
    build.record("click-events", &[("baggage", header)]);
    let stimulus = build.stimulus(&api, "click", "GET", "/abc", 302);
    stimulus.trace = Some(request.trace);
    stimulus.headers = vec![("Baggage".into(), "tenant.id=acme%20ltd,other=x".into())];
    build
}

fn judged(build: &Build) -> Judgement {
    judge(RULE, &build.evidence(), Some(&declared()))
}

const TENANT: &str = "acme ltd";

#[test]
fn a_tenant_on_every_hop_passes() {
    let judgement = judged(&click([TENANT; 3], "tenant.id=acme%20ltd"));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 4), "{:?}", judgement.findings);
    let mut without = click(["x"; 3], "");
    without.evidence_mut().stimuli[0].headers.clear();
    assert_eq!(judged(&without).outcome(), Outcome::Pass, "nobody sent a tenant");
    let undeclared = judge(RULE, &click(["x"; 3], "").evidence(), Some(&declaration()));
    assert_eq!(undeclared.outcome(), Outcome::NotJudged);
}

#[test]
fn a_tenant_that_is_lost_at_kafka_fails_at_the_consumer() {
    let judgement = judged(&click([TENANT, TENANT, ""], "other=x"));
    assert_eq!(subjects(&judgement), ["analytics-consumer, span `process click-events`"]);
    assert_eq!(judgement.findings[0].candidates, ["records of click-events go without it"]);
    let another = judged(&click([TENANT, "umbrella", TENANT], "tenant.id=acme%20ltd"));
    assert_eq!((subjects(&another).len(), another.findings[0].seen.as_str()), (1, "another value"));
}

#[test]
fn a_consumer_that_is_joined_by_link_counts_unless_it_is_a_batch() {
    let linked = |links: usize| {
        let mut build = click([TENANT; 3], "tenant.id=acme%20ltd");
        let evidence = build.evidence();
        let case = Case::new(&evidence, None);
        let send = case.spans.iter().find(|span| span.kind() == Kind::Producer).unwrap();
        let send = Address { trace: send.trace(), span: send.id() };
        let consumer = ProcessId::new("analytics-consumer#1");
        let mut span = build.span(&consumer, Kind::Consumer, "process click-events");
        for _ in 0..links {
            span = span.link_to(send);
        }
        span.add();
        judged(&build).outcome()
    };
    assert_eq!((linked(1), linked(2)), (Outcome::Fail, Outcome::Pass));
}

#[test]
fn a_silent_service_leaves_it_open() {
    let mut build = click([TENANT; 3], "tenant.id=acme%20ltd");
    let rpc = build.process("analytics-rpc");
    build.stimulus(&rpc, "", "GET", "/", 200);
    assert_eq!(judged(&build).gaps[0].why, "silent: analytics-rpc");
    build.evidence_mut().stimuli[0].headers.clear();
    assert_eq!(judged(&build).outcome(), Outcome::Pass, "where no tenant travels, nothing of it can be missed");
}

#[test]
fn the_size_of_a_header_is_the_edge() {
    let sized = |bytes: usize| {
        let start = "tenant.id=acme%20ltd,x=";
        judged(&click([TENANT; 3], &format!("{start}{}", "x".repeat(bytes - start.len()))))
    };
    assert_eq!(sized(1_024).outcome(), Outcome::Pass);
    assert_eq!(sized(1_025).findings[0].seen, "1025 bytes, 2 members");
    let many = |members: usize| judged(&click([TENANT; 3], &vec!["a=b"; members].join(","))).outcome();
    assert_eq!((many(64), many(65)), (Outcome::Pass, Outcome::Fail));
}

#[test]
fn personal_data_fails_by_its_name_or_its_value() {
    let named = judged(&click([TENANT; 3], "user.phone=1"));
    assert_eq!(subjects(&named), ["records of click-events, header `baggage`"]);
    assert_eq!(named.findings[0].seen, "member `user.phone`");
    let mut build = click([TENANT; 3], "u=%2B9991234567890");
    let phone = Canary { kind: CanaryKind::Phone, value: "+9991234567890".into(), planted: Vec::new() };
    build.evidence_mut().canaries.push(phone);
    let planted = judged(&build);
    assert_eq!(planted.findings[0].seen, "the phone number of a request");
    assert!(!format!("{:?}", planted.findings).contains("1234567890"));
}

#[test]
fn hostile_headers_are_read_and_few() {
    let mut build = click([TENANT; 3], "\u{1b}[2J,=,;;;,%zz=%,é=é%");
    for number in 0..500 {
        build.record("click-events", &[("baggage", &format!("\u{1b}email{number}.phone=%%%"))]);
    }
    let judgement = judged(&build);
    assert_eq!(judgement.findings.len(), 1);
    assert!(!format!("{:?}", judgement.findings).contains('\u{1b}'));
}
