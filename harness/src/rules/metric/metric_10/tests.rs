use crate::model::build::Build;
use crate::model::*;
use crate::rules::metric::otlp::tests::counter;
use crate::rules::metric::testing::*;

const RULE: &str = "METRIC-10";
const LABELS: &[(&str, &str)] =
    &[("http.request.method", "GET"), ("http.route", "/{code}"), ("http.response.status_code", "302")];

/// url-api with its requests scraped as one value, and pushed as another at the end.
fn both(scraped: u64, pushed: Option<f64>) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    let body = Body::default().counter(REQUESTS, &[(&request("GET", "/{code}", 302), scraped)]);
    build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
    let at = build.now_ms() + 100;
    // Something else is always pushed: a service that pushes nothing is no subject.
    build.evidence_mut().requests.push(counter(&api, "shortener.degraded.answers", at, &[]));
    if let Some(value) = pushed {
        build.evidence_mut().requests.push(counter(&api, "http.server.requests", at, &[(LABELS, value)]));
    }
    build
}

fn seen(build: &Build) -> Vec<String> {
    judge(RULE, build).findings.into_iter().map(|finding| finding.seen).collect()
}

/// But for the degraded answers, which are pushed without points.
fn outcome(build: &Build) -> Outcome {
    let mut judgement = judge(RULE, build);
    judgement.gaps.retain(|gap| !gap.subject.contains("degraded"));
    judgement.outcome()
}

#[test]
fn the_same_values_pass_zero_or_not() {
    for value in [1, 7, 1_000_000] {
        assert_eq!(outcome(&both(value, Some(value as f64))), Outcome::Pass, "{value}");
    }
    assert_eq!(outcome(&both(0, Some(0.0))), Outcome::Pass);
    let mut silent = both(7, None);
    silent.evidence_mut().requests.clear();
    assert_eq!(outcome(&silent), Outcome::NotJudged, "who pushes nothing is no subject");
}

#[test]
fn a_family_or_a_value_that_only_one_side_has_fails() {
    assert_eq!(seen(&both(7, None)), ["scraped, and not in the OTLP stream"]);
    assert!(seen(&both(7, Some(6.0)))[0].starts_with("7 when scraped, 6 in the OTLP stream"));
    assert!(seen(&both(7, Some(0.0)))[0].starts_with("7 when scraped, 0"));
    let mut undeclared = both(7, Some(7.0));
    let api = undeclared.evidence().processes[0].id.clone();
    let at = undeclared.now_ms() + 100;
    undeclared.evidence_mut().requests.push(counter(&api, "queue.items", at, &[(&[], 1.0)]));
    assert_eq!(seen(&undeclared), ["in the OTLP stream, and not scraped"]);
}

#[test]
fn the_newest_cumulative_value_counts_whatever_came_last() {
    let mut build = both(7, Some(7.0));
    let api = build.evidence().processes[0].id.clone();
    let early = build.now_ms() + 50;
    build.evidence_mut().requests.push(counter(&api, "http.server.requests", early, &[(LABELS, 3.0)]));
    assert_eq!(outcome(&build), Outcome::Pass);
}

#[test]
fn what_is_not_of_one_moment_is_not_compared() {
    let mut killed = both(7, Some(6.0));
    let api = killed.evidence().processes[0].id.clone();
    killed.change_process(&api, |process| process.fence = Fence::Open { why: "killed".into() });
    assert_eq!(outcome(&killed), Outcome::NotJudged);
    let mut busy = both(7, Some(8.0));
    busy.stimulus(&api, "click", "GET", "/abc", 302);
    assert_eq!(outcome(&busy), Outcome::NotJudged, "a request came after the scrape");
    let mut early = both(7, Some(6.0));
    let scraped = early.evidence().scrapes[0].at;
    early.evidence_mut().requests.iter_mut().for_each(|request| request.received_unix_nanos = scraped - 1);
    assert_eq!(outcome(&early), Outcome::NotJudged, "it did not flush at its end");
}

#[test]
fn beyond_many_label_sets_sums_are_compared() {
    let many = |pushed: f64| {
        let mut build = Build::new();
        let api = build.process("url-api");
        let labels: Vec<String> = (0..200).map(|number| request("GET", &format!("/{number}"), 302)).collect();
        let series: Vec<_> = labels.iter().map(|labels| (labels.as_str(), 1)).collect();
        let body = Body::default().counter(REQUESTS, &series);
        build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
        let at = build.now_ms() + 100;
        let overflow: &[(&str, &str)] = &[("otel.metric.overflow", "true")];
        build.evidence_mut().requests.push(counter(&api, "http.server.requests", at, &[(overflow, pushed)]));
        judge(RULE, &build).outcome()
    };
    assert_eq!(many(200.0), Outcome::Pass);
    assert_eq!(many(199.0), Outcome::Fail);
}
