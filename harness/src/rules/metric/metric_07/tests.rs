use crate::model::build::Build;
use crate::model::*;
use crate::rules::metric::otlp::tests::counter;
use crate::rules::metric::testing::*;

const RULE: &str = "METRIC-07";

/// url-api's requests, scraped with each value in turn.
fn scraped(values: &[u64]) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    for value in values {
        let body = Body::default().counter(REQUESTS, &[(&request("GET", "/{code}", 302), *value)]);
        build.scrape(&api, ScrapeStage::Amid, OPENMETRICS, &body.text());
    }
    build
}

#[test]
fn a_counter_that_rises_or_stays_passes() {
    for values in [&[0, 4, 7][..], &[3, 3], &[0, 1_000_000]] {
        let judgement = judge(RULE, &scraped(values));
        assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1), "{values:?}");
    }
}

#[test]
fn a_counter_that_falls_fails_by_one_or_to_zero() {
    for values in [&[4, 3][..], &[0, 4, 2], &[9, 0]] {
        let judgement = judge(RULE, &scraped(values));
        assert_eq!(errors(&judgement), ["url-api, family `http_server_requests`"], "{values:?}");
    }
    let seen = &judge(RULE, &scraped(&[0, 4, 2])).findings[0].seen;
    assert!(seen.ends_with("fell from 4 to 2"), "{seen}");
}

#[test]
fn one_look_or_a_new_process_proves_nothing() {
    assert_eq!(judge(RULE, &scraped(&[7])).outcome(), Outcome::NotJudged);
    let mut build = scraped(&[7]);
    let second = build.process("url-api");
    let body = Body::default().counter(REQUESTS, &[(&request("GET", "/{code}", 302), 1)]);
    build.scrape(&second, ScrapeStage::Last, OPENMETRICS, &body.text());
    assert_eq!(judge(RULE, &build).outcome(), Outcome::NotJudged, "a restart begins at zero");
}

#[test]
fn buckets_and_counts_of_histograms_rise_too_and_gauges_may_fall() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for count in [5, 4] {
        let body = Body::default().histogram(LATENCY, BOUNDS, &[("", count, 0.01)]).gauge("queue_length", &[("", count as f64)]);
        build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
    }
    assert_eq!(errors(&judge(RULE, &build)), [format!("url-api, family `{LATENCY}`")]);
    let mut build = Build::new();
    let api = build.process("url-api");
    for length in [5.0, 4.0] {
        let body = Body::default().gauge("queue_length", &[("", length)]);
        build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
    }
    assert_eq!(judge(RULE, &build).outcome(), Outcome::NotJudged);
}

#[test]
fn pushed_sums_fall_in_the_order_of_their_times_not_of_their_arrival() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let push = |ms, value| counter(&api, "http.server.requests", ms, &[(&[("http.route", "/{code}")], value)]);
    let late = [push(300, 9.0), push(200, 4.0)];
    build.evidence_mut().requests.extend(late);
    assert_eq!(judge_with(RULE, &build.evidence(), None).outcome(), Outcome::Pass);
    assert_eq!(judge(RULE, &build).outcome(), Outcome::NotJudged, "a declared system is judged by its scrapes");
    build.evidence_mut().requests.push(push(400, 8.0));
    let judgement = judge(RULE, &build);
    assert_eq!(errors(&judgement), ["url-api, metric `http.server.requests`"]);
    assert!(judgement.findings[0].seen.contains("from 9 to 8"), "{}", judgement.findings[0].seen);
}

#[test]
fn a_hostile_value_is_no_fall() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for value in ["NaN", "1", "+Inf"] {
        let body = format!("# TYPE a counter\na_total{{x=\"\\\"}} 1\"}} {value}\n# EOF\n");
        build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body);
    }
    assert_ne!(judge(RULE, &build).outcome(), Outcome::Fail);
}
