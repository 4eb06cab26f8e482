use super::super::testing::*;
use crate::model::*;

const METRICS: &str = "# HELP up_seconds Up.\n# TYPE up_seconds gauge\nup_seconds 1\n# EOF\n";

/// The three targets, and what Prometheus 3 made of each.
fn seen_as(scraped: [Result<u64, &str>; 3]) -> model_build::Build {
    let mut build = scraped_by(CONFIG);
    for (target, scraped) in build.evidence_mut().targets.iter_mut().zip(scraped) {
        target.prometheus = Some(view("3.5.0", scraped));
    }
    build
}

use crate::model::build as model_build;

fn view(version: &str, scraped: Result<u64, &str>) -> PrometheusView {
    PrometheusView { version: version.into(), scraped: scraped.map_err(String::from) }
}

/// url-api's target, which answered this and which Prometheus saw like that.
fn one(answer: HttpAnswer, version: &str, scraped: Result<u64, &str>) -> Judgement {
    let mut build = scraped_by(CONFIG);
    let target = &mut build.evidence_mut().targets[0];
    target.answer = Some(answer);
    target.prometheus = Some(view(version, scraped));
    judge("SCRAPE-05", &build)
}

fn says(status: u16, content_type: &str, body: &str) -> HttpAnswer {
    let content_type = (!content_type.is_empty()).then(|| content_type.to_string());
    HttpAnswer { status: Some(status), content_type, body: body.into(), error: None, took_ms: None }
}

fn fails(error: &str) -> HttpAnswer {
    HttpAnswer { error: Some(error.into()), ..HttpAnswer::default() }
}

#[test]
fn the_same_samples_agree_and_without_a_prometheus_nothing_is_judged() {
    let judgement = judge("SCRAPE-05", &seen_as([Ok(1), Ok(1), Ok(1)]));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 3));
    let judgement = judge("SCRAPE-05", &scraped_by(CONFIG));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::NotJudged, 0));
}

#[test]
fn another_number_of_samples_is_named_with_both() {
    let judgement = judge("SCRAPE-05", &seen_as([Ok(2), Ok(1), Ok(1)]));
    assert_eq!(errors(&judgement), ["compose/prometheus.yml line 4, target url-api:9464"]);
    let finding = &judgement.findings[0];
    assert_eq!(finding.required, "as Prometheus 3.5.0 says: up, with 2 samples");
    assert_eq!(finding.seen, "up, with 1 samples");
}

#[test]
fn up_here_and_down_there_is_a_fault_with_prometheuss_own_words() {
    let judgement = judge("SCRAPE-05", &seen_as([Ok(1), Err("expected label value, got \"x\""), Ok(1)]));
    assert_eq!(errors(&judgement).len(), 1);
    assert!(judgement.findings[0].required.contains("down: a body that is not in its format (expected label value"));
}

#[test]
fn down_for_the_same_kind_of_reason_agrees() {
    let get = "Get \"http://127.0.0.1:1/metrics\": ";
    for (answer, theirs) in [
        (fails("Connection refused (os error 111)"), format!("{get}dial tcp 127.0.0.1:1: connect: connection refused")),
        (fails(HttpAnswer::NOT_IN_TIME), format!("{get}context deadline exceeded")),
        (fails("connection closed before message completed"), format!("{get}EOF")),
        (says(404, "text/plain", ""), "server returned HTTP status 404 Not Found".into()),
        (says(200, "text/html", "<p>"), "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target".into()),
        (says(200, "", "a 1\n"), "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target".into()),
        (says(200, "text/plain", "{}\n"), "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: \"{}\\n\"".into()),
    ] {
        let judgement = one(answer, "3.5.0", Err(&theirs));
        assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1), "{theirs}: {:?}", judgement.findings);
    }
}

#[test]
fn down_for_another_reason_differs() {
    let judgement = one(says(404, "text/plain", ""), "3.5.0", Err("Get \"http://x\": connect: connection refused"));
    assert_eq!(judgement.findings[0].seen, "down: a status other than 200");
    assert_eq!(errors(&judgement).len(), 1);
}

#[test]
fn before_version_3_an_answer_that_does_not_say_what_it_is_was_text() {
    assert_eq!(one(says(200, "application/json", "a 1\n"), "2.42.0+ds", Ok(1)).outcome(), Outcome::Pass);
    assert_eq!(one(says(200, "text/html", "<p>\n"), "2.42.0+ds", Err("\"INVALID\" is not a valid start token")).outcome(), Outcome::Pass);
    assert_eq!(errors(&one(says(200, "application/json", "a 1\n"), "3.5.0", Ok(1))).len(), 1);
}

#[test]
fn what_openmetrics_forbids_and_prometheus_reads_is_a_warning() {
    let cut = METRICS.replace("up_seconds 1\n", "up_seconds 1\nup_seconds 1\n");
    let judgement = one(says(200, "application/openmetrics-text", &cut), "3.5.0", Ok(2));
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 1));
    assert_eq!(judgement.findings[0].severity, Severity::Warning);
}

#[test]
fn hosts_ports_and_prometheus_itself_are_compared_without_an_answer() {
    let config = CONFIG
        .replace("url-api:9464", "gone:9464")
        .replace("analytics-rpc:9465", "localhost:9465")
        .replace("analytics-consumer:9466", "localhost:9090");
    let mut build = scraped_by(&config);
    let theirs = ["Get \"http://x\": dial tcp: lookup gone: no such host", "Get \"http://x\": connect: connection refused"];
    let targets = &mut build.evidence_mut().targets;
    targets[0].prometheus = Some(view("3.5.0", Err(theirs[0])));
    targets[1].prometheus = Some(view("3.5.0", Err(theirs[1])));
    targets[2].prometheus = Some(view("3.5.0", Ok(612)));
    let judgement = judge("SCRAPE-05", &build);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 3));
}

#[test]
fn a_file_that_one_of_the_two_refuses_is_a_fault() {
    let mut build = scraped_by(CONFIG);
    build.evidence_mut().files[0].prometheus = Some(Err("field metric_path not found in type config.plain".into()));
    let judgement = judge("SCRAPE-05", &build);
    assert_eq!(errors(&judgement), ["compose/prometheus.yml"]);
    assert_eq!(judgement.findings[0].seen, "it is read");
    build.evidence_mut().files[0].error = Some("line 3: not YAML".into());
    assert_eq!(judge("SCRAPE-05", &build).outcome(), Outcome::Pass);
}

#[test]
fn limits_and_what_is_not_evaluated_are_not_this_rules() {
    let over = one(says(200, "text/plain", "a 1\n"), "3.5.0", Err("sample limit exceeded"));
    assert_eq!((over.outcome(), over.subjects), (Outcome::NotJudged, 0));
    let mut build = seen_as([Ok(1), Ok(1), Ok(1)]);
    build.evidence_mut().targets[1].not_evaluated = Some("relabel_configs".into());
    assert_eq!(judge("SCRAPE-05", &build).outcome(), Outcome::Incomplete);
}

#[test]
fn hostile_words_are_bounded_and_on_one_line() {
    let hostile = format!("\u{1b}[2J\n{}", "x".repeat(100_000));
    let judgement = one(says(404, "text/plain", ""), &hostile, Err(&hostile));
    let finding = &judgement.findings[0];
    assert!(finding.required.len() < 2_000 && !finding.required.contains('\u{1b}'), "{}", finding.required.len());
}
