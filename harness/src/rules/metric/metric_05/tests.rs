use super::super::otlp::tests::{evidence, request};
use super::super::testing::*;
use super::SDK_DEFAULT;
use crate::model::build::Build;
use crate::model::*;

fn scraped(body: &Body) -> Judgement {
    Asked::new().scraped(body).judge("METRIC-05")
}

/// The latency of the three requests, with these bounds, each so many seconds long.
fn latency(bounds: &[f64], each: f64) -> Body {
    Body::default().histogram(LATENCY, bounds, &[(&request_labels(), 3, each)])
}

fn request_labels() -> String {
    super::super::testing::request("GET", "/{code}", 302)
}

#[test]
fn a_histogram_in_seconds_with_the_objective_among_its_bounds_passes() {
    assert_eq!(scraped(&latency(BOUNDS, 0.001)).outcome(), Outcome::Pass);
    assert_eq!(scraped(&latency(&[0.25], 0.001)).outcome(), Outcome::Pass);
    let both = latency(BOUNDS, 0.001).histogram("db_client_operation_duration_seconds", &[0.1], &[("", 9, 4.0)]);
    assert_eq!(scraped(&both).outcome(), Outcome::Pass, "no objective is declared for that one");
}

#[test]
fn a_gauge_is_no_latency() {
    let judgement = scraped(&Body::default().gauge(LATENCY, &[("", 0.001)]));
    assert_eq!(errors(&judgement), [format!("url-api, family `{LATENCY}`")]);
    assert_eq!(judgement.findings[0].seen, "a gauge");
}

#[test]
fn bounds_without_the_objective_are_too_coarse() {
    let judgement = scraped(&latency(&[1.0, 5.0, 10.0], 0.001));
    assert_eq!(judgement.findings[0].required, "a bound at the objective, 0.25 s");
    assert_eq!(judgement.findings[0].seen, "the bounds 1 5 10");
    assert_eq!(scraped(&latency(&[0.2499, 0.2501], 0.001)).outcome(), Outcome::Fail);
    assert_eq!(scraped(&latency(&[0.250_000_000_000_01], 0.001)).outcome(), Outcome::Pass);
    assert!(scraped(&latency(&SDK_DEFAULT, 0.001)).findings[0].seen.contains("made for milliseconds"));
}

#[test]
fn a_sum_over_the_time_that_we_waited_is_in_another_unit() {
    // Each of the three requests took 5 ms for us, and 50 ms are granted on top of each.
    assert_eq!(scraped(&latency(BOUNDS, 0.005)).outcome(), Outcome::Pass);
    assert_eq!(scraped(&latency(BOUNDS, 0.054)).outcome(), Outcome::Pass);
    let judgement = scraped(&latency(BOUNDS, 0.056));
    assert_eq!(errors(&judgement), [format!("url-api, family `{LATENCY}`")]);
    let judgement = scraped(&latency(BOUNDS, 4.2));
    assert_eq!(judgement.findings[0].required, "a sum of no more than the 15 ms that we waited for 3 answers");
    assert_eq!(judgement.findings[0].seen, "a sum of 12.6 seconds: 4.2 s each");
}

#[test]
fn requests_that_were_not_ours_are_not_timed() {
    let more = Body::default().histogram(LATENCY, BOUNDS, &[(&request_labels(), 4, 9.0)]);
    assert_eq!(scraped(&more).outcome(), Outcome::Pass);
    let mut asked = Asked::new();
    let before = latency(BOUNDS, 4.2);
    asked.build.scrape(&asked.api, ScrapeStage::Before, OPENMETRICS, &before.text());
    assert_eq!(asked.scraped(&before).judge("METRIC-05").outcome(), Outcome::Pass, "nothing came after the first scrape");
}

#[test]
fn an_unanswered_request_may_have_lasted_until_the_scrape() {
    let mut asked = Asked::new();
    let stimulus = asked.ask("click", "GET", "/abc", 302);
    (stimulus.answer, stimulus.answered) = (None, None);
    for _ in 0..200 {
        asked.ask("create", "POST", "/api/v1/urls", 201).process = None;
    }
    let body = latency(BOUNDS, 0.3);
    assert_eq!(asked.scraped(&body).judge("METRIC-05").outcome(), Outcome::Pass);
}

/// Plain text's histograms are not checked when they are read.
fn plain(lines: &str) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.scrape(&api, ScrapeStage::Last, TEXT, &format!("# HELP h Help.\n# TYPE h histogram\n{lines}"));
    judge("METRIC-05", &build)
}

#[test]
fn buckets_are_cumulative_and_end_with_the_count() {
    let good = "h_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 9\nh_count 3\n";
    assert_eq!(plain(good).outcome(), Outcome::Pass);
    for (from, to, seen) in [
        ("le=\"2\"} 1", "le=\"2\"} 0", "1 up to 1 and 0 up to 2"),
        ("h_count 3", "h_count 4", "3 in the +Inf bucket, and a count of 4"),
        ("h_count 3\n", "", "no _count"),
        ("h_bucket{le=\"+Inf\"} 3\n", "", "no +Inf bucket"),
        ("le=\"2\"", "le=\"1.0\"", "the bound 1 twice"),
        ("le=\"2\"", "l=\"2\"", "a bucket without a bound"),
        ("le=\"2\"", "le=\"NaN\"", "a bucket without a bound"),
        ("le=\"2\"} 1", "le=\"2\"} NaN", "1 up to 1 and NaN up to 2"),
    ] {
        let judgement = plain(&good.replace(from, to));
        assert!(judgement.findings.iter().any(|finding| finding.seen.contains(seen)), "{from} {to}: {judgement:?}");
    }
}

#[test]
fn a_missing_family_is_incomplete_once_it_is_due() {
    let judgement = scraped(&Body::default());
    assert_eq!((judgement.outcome(), judgement.gaps[0].why.as_str()), (Outcome::Incomplete, "silent: url-api"));
    let mut idle = Asked::new();
    idle.build.evidence_mut().stimuli.clear();
    assert_eq!(idle.scraped(&Body::default()).judge("METRIC-05").outcome(), Outcome::NotJudged);
}

#[test]
fn pushed_durations_of_an_undeclared_program_are_warnings() {
    let judged = |name: &str, unit: &str, bounds: &[f64]| {
        judge_with("METRIC-05", &evidence(&[request("web", name, unit, "x", bounds)]), None)
    };
    let milliseconds = judged("http.server.duration", "ms", &SDK_DEFAULT);
    assert_eq!((milliseconds.outcome(), milliseconds.findings[0].severity), (Outcome::Pass, Severity::Warning));
    assert_eq!(milliseconds.findings[0].subject, "web, metric `http.server.duration`");
    assert!(judged("http.server.request.duration", "s", &SDK_DEFAULT).findings[0].seen.contains("default bounds"));
    assert_eq!(judged("http.server.request.duration", "s", BOUNDS).findings, []);
    assert_eq!(judged("http.server.request.body.size", "By", &SDK_DEFAULT).outcome(), Outcome::NotJudged);
    let declared = evidence(&[request("web", "http.server.duration", "ms", "x", &[])]);
    assert_eq!(judge_with("METRIC-05", &declared, Some(&declaration())).outcome(), Outcome::NotJudged);
}

#[test]
fn a_hostile_histogram_is_judged_without_a_panic() {
    let buckets: String = (0..5_000).map(|bound| format!("h_bucket{{le=\"{bound}e300\"}} {bound}\n")).collect();
    assert_eq!(plain(&buckets).outcome(), Outcome::Fail);
    assert_eq!(plain("h_bucket{le=\"\u{202e}\"} -Inf\nh_bucket{le=\"-Inf\"} NaN\n").outcome(), Outcome::Fail);
    let huge = Body::default().raw(&format!("# TYPE {LATENCY} histogram\n{LATENCY}_bucket{{le=\"+Inf\"}} 1e308\n"));
    assert_eq!(scraped(&huge).findings[0].seen, "no _count");
}

/// The database latency of url-api, and as many spans of 2 ms.
fn queries(spans: u64, count: u64, each: f64) -> Judgement {
    let mut asked = Asked::new();
    for _ in 0..spans {
        let span = asked.build.span(&asked.api, Kind::Client, "SELECT links");
        span.attribute("db.system.name", "postgresql").time(0, 2).add();
    }
    let body = latency(BOUNDS, 0.001).histogram("db_client_operation_duration_seconds", BOUNDS, &[("", count, each)]);
    let asked = asked.scraped(&body);
    let mut declaration = declaration();
    let mut family = declaration.services[0].families[0].clone();
    (family.name, family.counts, family.slo_bound) = ("db_client_operation_duration_seconds".into(), None, None);
    declaration.services[0].families.push(family);
    judge_with("METRIC-05", &asked.build.evidence(), Some(&declaration))
}

#[test]
fn a_sum_far_beyond_the_spans_of_the_same_work_is_in_another_unit() {
    // 10 spans of 2 ms: a hundred times as long is 2 s, and 50 ms are granted on top of each.
    assert_eq!(queries(10, 10, 0.002).outcome(), Outcome::Pass);
    assert_eq!(queries(10, 10, 0.249).outcome(), Outcome::Pass);
    let judgement = queries(10, 10, 2.0);
    assert_eq!(errors(&judgement), ["url-api, family `db_client_operation_duration_seconds`"]);
    assert_eq!(judgement.findings[0].seen, "a sum of 20 seconds over 10 observations");
    assert_eq!(judgement.findings[0].required, "about as long as the 10 spans of the same work, 20 ms together");
    assert_eq!(queries(10, 10, 0.251).outcome(), Outcome::Fail);
}

#[test]
fn observations_without_a_span_are_not_measured_by_spans() {
    assert_eq!(queries(9, 10, 2.0).outcome(), Outcome::Pass);
    assert_eq!(queries(0, 10, 2.0).outcome(), Outcome::Pass);
    assert_eq!(queries(10, 0, 2.0).outcome(), Outcome::Pass);
}
