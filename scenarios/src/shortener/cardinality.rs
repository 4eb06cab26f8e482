//! Cardinality limits and true counts.

use std::time::Duration;

use probity::backend::Kind;
use probity::model::ScrapeStage;
use probity::run::{Connection, Request, Running, Scenario, Stack, Stop};

use super::traffic::{click, clicks_are_rows, code, create, detail, link};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive};

/// Distinct ids driven first, and in all.
const FIRST: u64 = 1_000;
const ALL: u64 = 2_000;

const AT_ONCE: usize = 24;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "two_thousand_links_add_no_series",
            family: "metric",
            about: "distinct links, codes, paths and user agents add no series after the first thousand",
            // Thousands of series are exported once, at the end: in between it would be all that a broken service does.
            stack: || Stack::of(&[API]).set("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
            drive: drive!(distinct_ids),
        },
        Scenario {
            name: "a_known_mix_is_counted_truly",
            family: "metric",
            about: "requests, errors and calls are counted exactly, split by outcome",
            stack: || Stack::of(&[API, RPC, CONSUMER]).set("RPC_DEADLINE_MS", "2000"),
            drive: drive!(known_mix),
        },
        Scenario {
            name: "a_retried_call_is_counted_once",
            family: "metric",
            about: "a call that is tried twice is one call",
            stack: || Stack::of(&[API, RPC]),
            drive: drive!(retried_call),
        },
    ]
}

async fn distinct_ids(running: &mut Running) -> Result<(), Stop> {
    drive_distinct(running, 0, FIRST).await?;
    running.scrape(ScrapeStage::Driven { ids: FIRST }).await;
    drive_distinct(running, FIRST, ALL).await?;
    running.scrape(ScrapeStage::Driven { ids: ALL }).await;
    Ok(())
}

/// A link for each number, its code clicked by a user agent of that number; every tenth asks for a path that does not exist.
async fn drive_distinct(running: &mut Running, from: u64, to: u64) -> Result<(), Stop> {
    let creates = (from..to).map(|number| create(&format!("https://example.com/{number}"))).collect();
    let created = running.send_all(creates, AT_ONCE).await;
    let mut requests = Vec::new();
    for (number, sent) in (from..to).zip(&created) {
        let agent = format!("client/{number}.0 (unit {number})");
        requests.push(click(&code(sent)?).header("user-agent", agent));
        if number % 10 == 0 {
            requests.push(Request::get(API, format!("/no/such/path/{number}")));
        }
    }
    running.send_all(requests, AT_ONCE).await;
    running.records_arrive("click-events", to as i64).await;
    Ok(())
}

async fn known_mix(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    // One fixed client address: a label of it is one series, and still wrong.
    let clicks =
        |number| (0..number).map(|_| click(&code).header("x-forwarded-for", "203.0.113.7")).collect();
    running.send_all(clicks(4), 1).await;
    // Counters that fall are seen only by who looks twice.
    running.scrape(ScrapeStage::Amid).await;
    running.send_all(clicks(3), 1).await;
    running.send_all((0..3).map(|number| click(&format!("nowhere{number}"))).collect(), 1).await;
    clicks_are_rows(running, 7).await?;
    // Its list of endpoints is empty for a moment after the start.
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let sent = running.send(detail(&code)).await;
    running.expect_json(&sent, "clicks", 7.into());
    let cut = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    for _ in 0..2 {
        let sent = running.send(click(&code)).await;
        running.expect_status(&sent, 500);
    }
    running.heal(cut).await
}

/// Both attempts of one call are refused: one call, two attempts, a degraded answer.
async fn retried_call(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    let sent = running.send(detail(&code)).await;
    running.expect_json(&sent, "degraded", false.into());
    let refused = running.disturb_service(RPC, Connection::Refused).await?;
    let sent = running.send(detail(&code)).await;
    running.expect_json(&sent, "degraded", true.into());
    running.heal(refused).await
}
