use crate::model::build::Build;
use crate::model::*;
use crate::rules::metric::testing::{Body, OPENMETRICS, errors, judge, judge_with};

const RULE: &str = "SCRAPE-04";

fn scraped(body: &str, took_ms: Option<u64>) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.scrape(&api, ScrapeStage::Last, OPENMETRICS, body);
    build.evidence_mut().scrapes[0].answer.took_ms = took_ms;
    build
}

fn samples(number: usize) -> String {
    let labels: Vec<String> = (0..number).map(|number| format!("part=\"{number}\"")).collect();
    let series: Vec<_> = labels.iter().map(|labels| (labels.as_str(), 1.0)).collect();
    Body::default().gauge("detail", &series).text()
}

#[test]
fn quick_and_small_answers_pass() {
    for (number, took) in [(0, Some(0)), (10, Some(40)), (100, None)] {
        assert_eq!(judge(RULE, &scraped(&samples(number), took)).outcome(), Outcome::Pass);
    }
}

#[test]
fn the_limits_are_the_edge() {
    assert_eq!(judge(RULE, &scraped(&samples(1), Some(1_000))).outcome(), Outcome::Pass);
    let slow = judge(RULE, &scraped(&samples(1), Some(1_001)));
    assert_eq!((errors(&slow), slow.findings[0].seen.as_str()), (vec!["url-api"], "1001 ms"));
    assert_eq!(judge(RULE, &scraped(&samples(10_000), None)).outcome(), Outcome::Pass);
    let many = judge(RULE, &scraped(&samples(10_001), None));
    assert_eq!(many.findings[0].seen, "10001 samples");
}

#[test]
fn a_large_body_fails_whatever_it_is() {
    let large = judge(RULE, &scraped(&"x".repeat(10_000_001), None));
    assert_eq!((large.findings.len(), large.findings[0].required.as_str()), (1, "a size of at most 10000000 bytes"));
}

#[test]
fn an_override_moves_the_limit_and_a_refusal_is_another_rules() {
    let mut declaration = crate::rules::metric::testing::declaration();
    declaration.thresholds.scrape_samples = 20_000;
    let build = scraped(&samples(10_001), None);
    assert_eq!(judge_with(RULE, &build.evidence(), Some(&declaration)).outcome(), Outcome::Pass);
    let mut down = scraped("", Some(5_000));
    down.evidence_mut().scrapes[0].answer.status = None;
    assert_eq!(judge(RULE, &down).outcome(), Outcome::NotJudged);
}
