//! Scraping the right ports: the scrape configuration of `compose/` against the running services.

use std::time::Duration;

use probity::run::{Running, Scenario, Stack, Stop};

use super::traffic::{click, clicks_are_rows, link};
use super::{API, CONSUMER, RPC, drive};

/// Relative to the root of the workspace.
pub(super) const PROMETHEUS: &str = "compose/prometheus.yml";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "every_target_answers_with_metrics",
            family: "scrape",
            about: "each target of prometheus.yml is a live listener that answers metrics, and no service is left out",
            stack: three,
            drive: drive!(some_traffic),
        },
        Scenario {
            name: "a_real_prometheus_agrees_on_every_target",
            family: "scrape",
            about: "Prometheus, given prometheus.yml and the same answers, comes to the same result for each target",
            stack: || three().asks_prometheus(),
            drive: drive!(some_traffic),
        },
        Scenario {
            name: "a_taken_metrics_port_is_a_loud_failure",
            family: "scrape",
            about: "a service that finds its metrics port taken ends, and says why",
            stack: || Stack::of(&[API, CONSUMER]).scraped_by(PROMETHEUS).started_by_drive(),
            drive: drive!(taken_port),
        },
    ]
}

pub(super) fn three() -> Stack {
    Stack::of(&[API, RPC, CONSUMER]).scraped_by(PROMETHEUS)
}

pub(super) async fn some_traffic(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await
}

pub(super) async fn taken_port(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    running.start(API).await?;
    running.ready(API, Duration::from_secs(10)).await;
    if let Some(taken) = running.address(API, "admin") {
        running.start_on(CONSUMER, "admin", taken).await?;
    }
    if !running.is_running(CONSUMER) {
        // It failed loudly. Whoever is on call gives it a port of its own.
        running.start(CONSUMER).await?;
        running.ready(CONSUMER, Duration::from_secs(10)).await;
    }
    some_traffic(running).await
}
