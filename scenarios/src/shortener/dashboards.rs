//! What `compose/` shows and alerts on, asked of a real Prometheus that scrapes the running services: each panel returns data,
//! each rule can be evaluated, each latency panel has exemplars to click on.

use std::path::Path;
use std::time::Duration;

use probity::prometheus::{ApiError, Prometheus};
use probity::run::{Running, Scenario, Stack, Stop};
use probity::until::{Never, Probe, until};

use super::scraping::PROMETHEUS;
use super::traffic::{click, clicks_are_rows, detail, link};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive};
use crate::compose::{Expression, RULES, alerts, exemplar_selector, metric_names, panels, with_every_value};

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "every_panel_and_alert_has_data",
        family: "scrape",
        about: "Prometheus finds data for each expression of the dashboards and of the alerts, and exemplars where they are shown",
        stack: || Stack::of(&[API, RPC, CONSUMER]).needs_prometheus(),
        drive: drive!(shown),
    }]
}

/// Between two scrapes.
const INTERVAL: Duration = Duration::from_secs(1);
/// Prometheus looks at its targets for the first time after about five seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// Clicks, and details, of one burst.
const BURST: usize = 10;
/// Bursts until everything that can have a rate has one.
const BURSTS_MAX: usize = 5;
/// How long after a burst was scraped rules and rates may take.
const SETTLED: Duration = Duration::from_secs(5);

async fn shown(running: &mut Running) -> Result<(), Stop> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = |error: String| Stop(format!("compose: {error}"));
    let mut expressions = panels(&root).map_err(files)?;
    expressions.extend(alerts(&root).map_err(files)?.into_iter().map(with_every_value));

    let code = link(running).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let prometheus = running.prometheus(PROMETHEUS, RULES, INTERVAL).await?;
    traffic(running, &code, 1).await?;
    seen(&prometheus, BURST).await?;
    let mut findings = vec![Err("not evaluated".to_string()); expressions.len()];
    // What increases between two scrapes has a rate; whatever was scraped for the first time after its last burst has none.
    for burst in 2..=BURSTS_MAX {
        traffic(running, &code, burst).await?;
        seen(&prometheus, burst * BURST).await?;
        evaluate(&prometheus, &expressions, &mut findings).await;
        if findings.iter().all(Result::is_ok) {
            break;
        }
    }
    for (expression, finding) in expressions.iter().zip(findings) {
        running.expect_that(&expression.place, "data from Prometheus", finding);
    }
    rules_are_evaluated(running, &prometheus).await?;
    prometheus.stop().await;
    Ok(())
}

async fn traffic(running: &mut Running, code: &str, burst: usize) -> Result<(), Stop> {
    link(running).await?;
    running.send_all((0..BURST).map(|_| click(code)).collect(), 4).await;
    running.send_all((0..BURST).map(|_| detail(code)).collect(), 4).await;
    running.send(click("none")).await;
    clicks_are_rows(running, (burst * BURST) as u64).await
}

/// Waits until Prometheus has scraped what so many requests and records made of each service.
async fn seen(prometheus: &Prometheus, count: usize) -> Result<(), Stop> {
    let counted = [
        "sum(http_server_requests_total{http_response_status_code=\"302\"})",
        "sum(rpc_server_calls_total)",
        "sum(messaging_process_duration_seconds_count)",
        "sum(db_client_operation_duration_seconds_count{db_operation_name=\"INSERT\", db_collection_name=\"clicks\"})",
    ];
    let waited = until("scrapes of the traffic", LIMIT, async || -> Result<_, ApiError> {
        for counted in counted {
            let value = prometheus.query(counted).await?.first().map_or(0.0, |series| series.value);
            if value < count as f64 {
                return Ok(Probe::NotYet(format!("{counted} = {value}, not yet {count}")));
            }
        }
        Ok(Probe::Ready(()))
    });
    waited.await.map_err(|error| Stop(error.to_string()))
}

/// Looks for what was missing so far, until nothing is or the limit has passed: rules and rates are there a scrape later.
async fn evaluate(prometheus: &Prometheus, expressions: &[Expression], findings: &mut [Result<(), String>]) {
    let waited = until("data for each expression", SETTLED, async || -> Result<_, Never> {
        for (finding, expression) in findings.iter_mut().zip(expressions) {
            if finding.is_err() {
                *finding = has_data(prometheus, expression).await;
            }
        }
        let missing = findings.iter().filter(|finding| finding.is_err()).count();
        Ok(if missing == 0 { Probe::Ready(()) } else { Probe::NotYet(format!("{missing} without data")) })
    });
    // What is missing is in the findings.
    _ = waited.await;
}

async fn has_data(prometheus: &Prometheus, expression: &Expression) -> Result<(), String> {
    let series = prometheus.query(&expression.text).await.map_err(|error| error.to_string())?;
    if series.is_empty() {
        return Err(why_empty(prometheus, expression).await);
    }
    if series.iter().all(|series| series.value.is_nan()) {
        return Err(format!("nothing but NaN: its rates are 0{}", scraped(prometheus, expression).await));
    }
    if let Some(selector) = exemplar_selector(expression) {
        let found = prometheus.exemplars(&selector).await.map_err(|error| error.to_string())?;
        if found.is_empty() {
            return Err(format!("no exemplar for {selector}"));
        }
    }
    Ok(())
}

/// How often each metric was scraped, and what it came to.
async fn scraped(prometheus: &Prometheus, expression: &Expression) -> String {
    let mut text = String::new();
    for name in metric_names(&expression.text) {
        for asked in [
            format!("max(count_over_time({name}[1m]))"),
            format!("max(changes({name}[1m]))"),
            format!("max({name})"),
        ] {
            let value = prometheus.query(&asked).await.ok().and_then(|series| Some(series.first()?.value));
            text += &format!(", {asked} = {value:?}");
        }
    }
    text
}

/// What of it Prometheus does not know.
async fn why_empty(prometheus: &Prometheus, expression: &Expression) -> String {
    let mut unknown = Vec::new();
    for name in metric_names(&expression.text) {
        match prometheus.query(&format!("count({name})")).await {
            Ok(series) if series.is_empty() => unknown.push(name),
            _ => {}
        }
    }
    match unknown.is_empty() {
        true => {
            "no series: each metric exists, and none has those labels, or nothing matches between them".into()
        }
        false => format!("no series: nobody exposes {}", unknown.join(", ")),
    }
}

/// Every recording and alerting rule was loaded, and came to a result without an error.
async fn rules_are_evaluated(running: &mut Running, prometheus: &Prometheus) -> Result<(), Stop> {
    let rules = prometheus.rules().await.map_err(|error| Stop(error.to_string()))?;
    let wrong: Vec<String> = rules
        .iter()
        .filter(|rule| rule.health != "ok")
        .map(|rule| format!("{}: {} {}", rule.name, rule.health, rule.last_error))
        .collect();
    let seen = match (rules.is_empty(), wrong.is_empty()) {
        (true, _) => Err("no rules".to_string()),
        (false, false) => Err(wrong.join("; ")),
        (false, true) => Ok(()),
    };
    running.expect_that("rules of Prometheus", "each evaluated without an error", seen);
    Ok(())
}
