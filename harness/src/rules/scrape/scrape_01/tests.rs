use super::super::testing::*;
use crate::model::*;

/// The configuration with one piece of text replaced.
fn with(from: &str, to: &str) -> Judgement {
    assert!(CONFIG.contains(from), "{from}");
    judge("SCRAPE-01", &scraped_by(&CONFIG.replacen(from, to, 1)))
}

/// The configuration with url-api's target answering this.
fn answering(answer: HttpAnswer) -> Judgement {
    let mut build = scraped_by(CONFIG);
    build.evidence_mut().targets[0].answer = Some(answer);
    judge("SCRAPE-01", &build)
}

fn says(content_type: Option<&str>, body: &str) -> HttpAnswer {
    HttpAnswer { status: Some(200), content_type: content_type.map(String::from), body: body.into(), ..HttpAnswer::default() }
}

#[test]
fn targets_that_answer_with_metrics_are_up() {
    let judgement = judge("SCRAPE-01", &scraped_by(CONFIG));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 3));
    assert_eq!(answering(says(Some("text/plain; version=0.0.4"), "a 1\n")).outcome(), Outcome::Pass);
    assert_eq!(answering(says(Some("text/plain"), "")).outcome(), Outcome::Pass, "an empty exposition is up");
}

#[test]
fn the_main_port_is_not_the_metrics_port() {
    let judgement = with("url-api:9464", "url-api:8080");
    assert_eq!(errors(&judgement), ["compose/prometheus.yml line 4, target url-api:8080"]);
    let finding = &judgement.findings[0];
    assert_eq!(finding.seen, "/metrics answers HTTP 404; it is the main port, and metrics are on the admin port");
    assert_eq!(finding.candidates, ["url-api:9464/metrics"]);
}

#[test]
fn a_wrong_path_a_page_and_a_closed_port_are_down() {
    let path = with("job_name: url-api\n", "job_name: url-api\n    metrics_path: /metricz\n");
    assert_eq!(path.findings[0].seen, "/metricz answers HTTP 404");
    let page = with("job_name: url-api\n", "job_name: url-api\n    metrics_path: /\n");
    assert_eq!(page.findings[0].seen, "/ answers 200 with Content-Type `text/html; charset=utf-8`, which is no metrics format");
    let closed = with("url-api:9464", "url-api:9999");
    assert_eq!(closed.findings[0].seen, "connection refused: nothing listens on that port");
    let https = with("job_name: url-api\n", "job_name: url-api\n    scheme: https\n");
    assert_eq!(https.findings[0].seen, "https, asked of a port that speaks http");
}

#[test]
fn localhost_is_prometheus_own_host() {
    let judgement = with("url-api:9464", "localhost:9464");
    assert_eq!(errors(&judgement), ["compose/prometheus.yml line 4, target localhost:9464"]);
    assert_eq!(with("url-api:9464", "localhost:9090").outcome(), Outcome::Pass, "it may scrape itself");
}

#[test]
fn a_content_type_that_says_nothing_is_down_without_a_fallback() {
    let judgement = answering(says(None, "a 1\n"));
    assert_eq!(judgement.findings[0].seen, "/metrics answers 200 with no Content-Type");
    let mut build = scraped_by(&CONFIG.replacen("url-api\n", "url-api\n    fallback_scrape_protocol: PrometheusText0.0.4\n", 1));
    build.evidence_mut().targets[0].answer = Some(says(None, "a 1\n"));
    assert_eq!(judge("SCRAPE-01", &build).outcome(), Outcome::Pass);
}

#[test]
fn a_body_that_is_cut_off_is_down() {
    let openmetrics = Some("application/openmetrics-text; version=1.0.0");
    let judgement = answering(says(openmetrics, "# TYPE a gauge\na 1\n"));
    assert!(judgement.findings[0].seen.contains("line 3, column 1: no # EOF at the end"), "{judgement:?}");
    assert_eq!(answering(says(openmetrics, "# TYPE a gauge\na 1\n# EOF")).outcome(), Outcome::Pass);
    let refused = HttpAnswer { error: Some("connection refused".into()), ..HttpAnswer::default() };
    assert_eq!(answering(refused).findings[0].seen, "/metrics answers connection refused");
}

#[test]
fn hosts_that_are_not_there_are_another_rules() {
    assert_eq!(with("url-api:9464", "gone:9464").outcome(), Outcome::Pass);
}

#[test]
fn what_was_not_started_or_lost_its_port_is_no_subject() {
    let mut build = scraped_by(CONFIG);
    let refused = HttpAnswer { error: Some("connection refused".into()), ..HttpAnswer::default() };
    build.evidence_mut().targets[1].answer = Some(refused);
    build.evidence_mut().processes.retain(|process| process.service != "analytics-rpc");
    let judgement = judge("SCRAPE-01", &build);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 2));
}

#[test]
fn what_is_not_evaluated_or_not_asked_is_incomplete() {
    let relabelled = with("job_name: url-api\n", "job_name: url-api\n    relabel_configs: [{action: drop, regex: x}]\n");
    assert_eq!((relabelled.outcome(), relabelled.gaps[0].why.as_str()), (Outcome::Incomplete, "not evaluated: relabel_configs"));
    let mut build = scraped_by(CONFIG);
    build.evidence_mut().targets[0].answer = None;
    assert_eq!(judge("SCRAPE-01", &build).outcome(), Outcome::Incomplete);
}

#[test]
fn a_file_that_prometheus_does_not_start_with_is_an_error() {
    let judgement = judge("SCRAPE-01", &scraped_by("scrape_configs:\n  - metrics_path: /m\n"));
    assert_eq!(errors(&judgement), [FILE]);
    assert_eq!(judgement.findings[0].seen, "line 2: a job without `job_name`");
}

#[test]
fn hostile_answers_are_shown_harmless_and_short() {
    let body = format!("a{{b=\"\u{1b}[2J\"}} \u{1b}{}\n", "9".repeat(100_000));
    let judgement = answering(says(Some("text/plain"), &body));
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert!(judgement.findings[0].seen.len() < 500 && !judgement.findings[0].seen.contains('\u{1b}'));
    let judgement = answering(says(Some(&format!("text/\u{1b}[2J{}", "x".repeat(100_000))), "a 1\n"));
    assert!(judgement.findings[0].seen.len() < 500 && !judgement.findings[0].seen.contains('\u{1b}'));
}
