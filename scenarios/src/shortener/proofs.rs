//! The barrier earning its keep: telemetry that is late, refused, sent elsewhere or lost with its process. The verdict is
//! right, or incomplete with the hop named; never a pass over nothing, never a wrong failure. And the scrape rules held
//! against a real Prometheus, on files and services that are broken.

use std::time::Duration;

use probity::collector::Behaviour;
use probity::model::{Outcome as RuleOutcome, Verdict};
use probity::run::{Outcome, Proof, Running, Scenario, Stack, Stop};

use super::defects::broken_scrape_files;
use super::scraping::{PROMETHEUS, some_traffic, taken_port, three};
use super::traffic::{click, clicks_are_rows, link};
use super::{API, CONSUMER, drive};

pub(super) fn all() -> Vec<Proof> {
    let mut all = of_the_barrier();
    all.extend(on_broken_targets());
    all
}

fn of_the_barrier() -> Vec<Proof> {
    let proof = |name, about, stack, drive, holds| Proof {
        scenario: Scenario { name, family: "barrier", about, stack, drive },
        holds,
    };
    vec![
        proof(
            "an_exporter_delayed_by_three_seconds_passes",
            "spans that wait three seconds are waited for; judged without the barrier they would be missing",
            || two().spans_delay(Duration::from_secs(3)).also_judged_early(),
            drive!(one_click),
            passes_and_would_not_without_the_barrier,
        ),
        proof(
            "a_wrong_endpoint_is_a_silent_service",
            "a service whose endpoint is wrong is proven silent: TRACE-01, and no wrong failure besides",
            || two().set_for(CONSUMER, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
            drive!(one_click),
            fails_trace_01_alone,
        ),
        proof(
            "what_a_collector_refused_is_accounted_for",
            "what was refused and came again leaves no gap; what did not is one, at that hop",
            two,
            drive!(click_while_refused),
            accounts_for_what_was_refused,
        ),
        proof(
            "a_consumer_killed_before_its_flush_is_incomplete",
            "the work was done and its telemetry is missing: incomplete, and the consumer is named",
            || two().spans_delay(Duration::from_secs(60)),
            drive!(click_and_kill),
            is_incomplete_and_names_the_consumer,
        ),
    ]
}

/// Prometheus on every broken copy of prometheus.yml, and on services whose ports are not as declared: whatever is wrong
/// with them, both must say the same.
fn on_broken_targets() -> Vec<Proof> {
    let proof = |name, about, stack, drive| Proof {
        scenario: Scenario { name, family: "scrape", about, stack, drive },
        holds: prometheus_agrees,
    };
    vec![
        proof(
            "a_real_prometheus_agrees_on_every_broken_file",
            "for each broken copy of prometheus.yml, Prometheus and SCRAPE-01 and 02 see the same targets down",
            broken_files,
            drive!(some_traffic),
        ),
        proof(
            "a_real_prometheus_agrees_on_metrics_on_the_main_port",
            "metrics on the main port too: the main port's target is up for both",
            || {
                let stack = three().set_for(API, "SHORTENER_DEFECT", "metrics-on-main-port");
                stack.scraped_by_variant(PROMETHEUS, "main port", main_port).asks_prometheus()
            },
            drive!(some_traffic),
        ),
        proof(
            "a_real_prometheus_agrees_on_a_taken_port",
            "a service without its metrics port: refused for both, or answered by the other service",
            || {
                let stack = Stack::of(&[API, CONSUMER]).scraped_by(PROMETHEUS).started_by_drive();
                stack.set_for(CONSUMER, "SHORTENER_DEFECT", "metrics-port-conflict").asks_prometheus()
            },
            drive!(taken_port),
        ),
    ]
}

/// What a broken copy of a file changes.
type Change = fn(&str) -> String;

fn broken_files() -> Stack {
    let more: [(&str, Change); 5] = [
        ("https", |text| text.replace("/metrics", "/metrics\n    scheme: https")),
        ("closed port", |text| text.replace(":9465", ":9999")),
        ("unknown field", |text| text.replace("metrics_path", "metric_path")),
        ("two jobs of one name", |text| text.replace("job_name: analytics-rpc", "job_name: url-api")),
        ("not YAML", |text| text.replace("targets: [", "targets: [[")),
    ];
    let variants = broken_scrape_files().chain(more);
    let stack =
        variants.fold(three(), |stack, (name, change)| stack.scraped_by_variant(PROMETHEUS, name, change));
    stack.asks_prometheus()
}

fn main_port(text: &str) -> String {
    text.replace("url-api:9464", "url-api:8080")
}

fn prometheus_agrees(outcome: &Outcome) -> Result<(), String> {
    if let Some(error) = &outcome.report.error {
        return Err(error.clone());
    }
    let rule = outcome.report.rules.iter().find(|rule| rule.rule == "SCRAPE-05");
    match rule {
        Some(rule) if rule.outcome == RuleOutcome::Pass && rule.subjects > 0 => Ok(()),
        rule => Err(format!("SCRAPE-05 must pass with subjects, and is {rule:?}")),
    }
}

fn two() -> Stack {
    Stack::of(&[API, CONSUMER]).set("CONSUMER_JOIN", "parent")
}

async fn one_click(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 302);
    clicks_are_rows(running, 1).await
}

async fn click_while_refused(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    let refusing = running.disturb_collector(Behaviour::Refuse);
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await?;
    running.refused_requests_arrive(2, Duration::from_secs(5)).await;
    running.heal(refusing).await
}

async fn click_and_kill(running: &mut Running) -> Result<(), Stop> {
    one_click(running).await?;
    running.group_catches_up("click-events", "analytics").await;
    running.kill(CONSUMER).await
}

fn verdict(outcome: &Outcome, required: Verdict) -> Result<(), String> {
    match outcome.report.verdict {
        Some(seen) if seen == required => Ok(()),
        seen => Err(format!(
            "the verdict must be {}, and is {}",
            required.word(),
            seen.map_or("skipped", Verdict::word)
        )),
    }
}

fn passes_and_would_not_without_the_barrier(outcome: &Outcome) -> Result<(), String> {
    verdict(outcome, Verdict::Pass)?;
    match outcome.early.as_ref().and_then(|early| early.verdict) {
        Some(Verdict::Fail) => Ok(()),
        early => Err(format!("judged without the barrier it must fail wrongly, and is {early:?}")),
    }
}

fn fails_trace_01_alone(outcome: &Outcome) -> Result<(), String> {
    verdict(outcome, Verdict::Fail)?;
    match outcome.report.rules_that(RuleOutcome::Fail).as_slice() {
        ["TRACE-01"] => Ok(()),
        failed => Err(format!("TRACE-01 alone must fail, not {failed:?}")),
    }
}

/// What was refused and came again leaves no gap; what never came again is a gap at that hop.
fn accounts_for_what_was_refused(outcome: &Outcome) -> Result<(), String> {
    let counts = || outcome.report.ledger.iter().map(|entry| entry.counts);
    if counts().map(|counts| counts.refused_requests).sum::<u64>() < 2 {
        return Err("the ledger says nothing of refusals".to_string());
    }
    if counts().any(|counts| counts.lost() > 0) {
        verdict(outcome, Verdict::Incomplete)?;
        return names(outcome, &[API, CONSUMER]);
    }
    verdict(outcome, Verdict::Pass)
}

fn is_incomplete_and_names_the_consumer(outcome: &Outcome) -> Result<(), String> {
    verdict(outcome, Verdict::Incomplete)?;
    names(outcome, &[CONSUMER])
}

fn names(outcome: &Outcome, services: &[&str]) -> Result<(), String> {
    let named =
        outcome.report.incomplete.iter().any(|why| services.iter().any(|service| why.contains(service)));
    if named {
        Ok(())
    } else {
        Err(format!("none of {services:?} is named in {:?}", outcome.report.incomplete))
    }
}
