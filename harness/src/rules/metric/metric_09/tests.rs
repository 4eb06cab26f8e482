use crate::model::build::Build;
use crate::model::*;
use crate::rules::metric::testing::*;

const RULE: &str = "METRIC-09";

fn api(body: &Body) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
    judge(RULE, &build)
}

/// analytics-consumer with its lag declared, or not.
fn consumer(body: &Body, declared: bool) -> Judgement {
    let mut declaration = declaration();
    if declared {
        let of = Saturated::ConsumerLag { topic: "click-events".into() };
        declaration.services[2].saturation = vec![Saturation { family: "messaging_consumer_lag".into(), of }];
    }
    let mut build = Build::new();
    let consumer = build.process("analytics-consumer");
    build.scrape(&consumer, ScrapeStage::Last, OPENMETRICS, &body.text());
    judge_with(RULE, &build.evidence(), Some(&declaration))
}

fn lag(value: f64) -> Body {
    Body::default().gauge("messaging_consumer_lag", &[("", value)])
}

#[test]
fn rate_errors_and_duration_pass() {
    let labels = request("GET", "/{code}", 302);
    let histogram = Body::default().histogram(LATENCY, BOUNDS, &[(&labels, 3, 0.01)]);
    assert_eq!(api(&histogram).outcome(), Outcome::Pass, "a histogram with a status has all three");
    assert_eq!(api(&histogram.counter(REQUESTS, &[(&labels, 3)])).outcome(), Outcome::Pass);
    let apart = Body::default().histogram(LATENCY, BOUNDS, &[("", 3, 0.01)]).counter(REQUESTS, &[(&labels, 3)]);
    assert_eq!(api(&apart).outcome(), Outcome::Pass, "one family may tell the outcome, another the duration");
}

#[test]
fn each_of_the_three_is_missed() {
    let seen = |body: &Body| -> Vec<String> { api(body).findings.into_iter().map(|finding| finding.required).collect() };
    let labels = request("GET", "/{code}", 302);
    let no_errors = Body::default().histogram(LATENCY, BOUNDS, &[("http_route=\"/\"", 3, 0.01)]);
    assert_eq!(seen(&no_errors), ["the errors of its requests"]);
    let no_duration = Body::default().counter(REQUESTS, &[(&labels, 3)]);
    assert_eq!(seen(&no_duration), ["the duration of its requests"]);
    let neither = Body::default().counter(REQUESTS, &[("http_route=\"/\"", 3)]);
    assert_eq!(seen(&neither).len(), 2);
}

#[test]
fn families_that_are_not_there_are_another_rules() {
    let mut asked = Asked::new();
    asked.ask("click", "GET", "/abc", 302);
    let asked = asked.scraped(&Body::default().gauge("process_threads", &[("", 3.0)]));
    assert_eq!(asked.judge(RULE).outcome(), Outcome::Incomplete);
    let idle = Body::default().histogram(LATENCY, BOUNDS, &[(&request("GET", "/", 200), 0, 0.0)]);
    assert_eq!(api(&idle).outcome(), Outcome::NotJudged, "nothing was asked of it");
}

#[test]
fn a_consumer_shows_its_lag_be_it_zero() {
    assert_eq!(consumer(&lag(0.0), true).outcome(), Outcome::Pass);
    assert_eq!(consumer(&lag(12.0), true).outcome(), Outcome::Pass);
    let missing = consumer(&Body::default().gauge("process_threads", &[("", 3.0)]), true);
    assert_eq!(errors(&missing), ["analytics-consumer, lag of click-events"]);
    let undeclared = consumer(&lag(0.0), false);
    assert_eq!(undeclared.findings[0].seen, "the system declares none");
    let posed = consumer(&Body::default().counter("messaging_consumer_lag", &[("", 3)]), true);
    assert_eq!(posed.outcome(), Outcome::Fail, "a counter is no gauge");
}

#[test]
fn a_pool_and_an_outbox_are_judged_where_they_are_declared() {
    let with = |of: Saturated, body: &Body| {
        let mut declaration = declaration();
        declaration.services[0].saturation = vec![Saturation { family: "waiting".into(), of }];
        let mut build = Build::new();
        let api = build.process("url-api");
        build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
        judge_with(RULE, &build.evidence(), Some(&declaration))
    };
    let requests = || Body::default().histogram(LATENCY, BOUNDS, &[(&request("GET", "/", 200), 1, 0.01)]);
    let pool = || Saturated::Pool { backend: "postgres".into() };
    assert_eq!(with(pool(), &requests().gauge("waiting", &[("", 1.0)])).outcome(), Outcome::Pass);
    assert_eq!(errors(&with(pool(), &requests())), ["url-api, pool of postgres"]);
    let outbox = Saturated::OutboxAge { topic: "click-events".into() };
    assert_eq!(errors(&with(outbox, &requests())), ["url-api, age of the outbox of click-events"]);
}

#[test]
fn a_hostile_body_is_no_subject() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.scrape(&api, ScrapeStage::Last, OPENMETRICS, "# TYPE \u{1}{\n");
    assert_eq!(judge(RULE, &build).findings.len(), 0);
}
