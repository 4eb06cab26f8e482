//! Degradation when the RPC is down: the answer and the evidence stay honest. Each scenario has traffic before, during and
//! after its fault.

use std::time::Duration;

use probity::backend::Kind;
use probity::run::{Connection, Own, Running, Scenario, Sent, Stack, Stop, UnderWay};

use super::traffic::{click, clicks_are_rows, create, detail, link};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive};

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, about, drive| Scenario { name, family: "degrade", about, stack: three, drive };
    vec![
        scenario(
            "link_detail_survives_a_refused_rpc",
            "connection refused: 200, degraded, and whole again after",
            drive!(refused),
        ),
        scenario(
            "link_detail_survives_an_empty_list",
            "no endpoint registered: 200, degraded, and whole again after",
            drive!(empty_list),
        ),
        scenario(
            "link_detail_survives_a_killed_rpc",
            "kill -9: 200, degraded, and whole again after a restart",
            drive!(killed),
        ),
        scenario(
            "link_detail_survives_a_black_hole",
            "a silent server: answered within the deadline, and whole again after",
            drive!(black_hole),
        ),
        scenario(
            "link_detail_survives_a_slow_rpc",
            "a slow server: answered within the deadline, and whole again after",
            drive!(slow),
        ),
        scenario(
            "link_detail_survives_an_open_circuit",
            "many failures open the circuit; it closes again",
            drive!(open_circuit),
        ),
        scenario(
            "link_detail_survives_a_lost_etcd",
            "etcd away after the start: the endpoints that are known go on serving",
            drive!(lost_etcd),
        ),
        Scenario {
            name: "clicks_wait_for_postgres",
            family: "degrade",
            about: "a click that cannot be stored keeps its place in the topic, and is stored when Postgres is back",
            stack: || Stack::of(&[API, CONSUMER]).set("DATABASE_TIMEOUT_MS", "1000"),
            drive: drive!(waiting_clicks),
        },
        Scenario {
            name: "redirects_survive_a_lost_kafka",
            family: "degrade",
            about: "Kafka is away: redirects go on, a few clicks wait for it, and the others are given up, counted and traced",
            stack: || {
                Stack::of(&[API])
                    .own(Own::Kafka)
                    .set("CLICKS_WAITING_MAX", WAITING.to_string())
                    .declares(|declaration| declaration.services[0].buffers[0].records_max = WAITING)
            },
            drive: drive!(lost_kafka),
        },
        Scenario {
            name: "sigterm_lets_work_in_flight_end",
            family: "degrade",
            about: "a request under way at SIGTERM is answered before the process ends",
            stack: || Stack::of(&[API, CONSUMER]),
            drive: drive!(in_flight),
        },
        Scenario {
            name: "a_drain_flushes_what_was_recorded",
            family: "degrade",
            about: "spans that wait for their batch are exported at SIGTERM",
            stack: || Stack::of(&[API, RPC]).spans_delay(Duration::from_secs(60)).span_batch(4),
            drive: drive!(flush),
        },
    ]
}

fn three() -> Stack {
    Stack::of(&[API, RPC]).set("BREAKER_OPEN_MS", "200").set("LEASE_TTL_SECONDS", "2")
}

/// Asks for the detail of a link without clicks: NOT_FOUND from the RPC, zero clicks, not degraded.
async fn whole(running: &mut Running, phase: &str, code: &str) -> Sent {
    running.phase(phase);
    let sent = running.send(detail(code)).await;
    running.expect_status(&sent, 200);
    running.expect_json(&sent, "degraded", false.into());
    sent
}

async fn degraded(running: &mut Running, code: &str) -> Sent {
    running.phase("during");
    let sent = running.send(detail(code)).await;
    running.expect_status(&sent, 200);
    running.expect_json(&sent, "degraded", true.into());
    running.expect_json(&sent, "clicks", 0.into());
    sent
}

/// Asks until the answer is whole again, and once more: what counts as after.
async fn recovers(running: &mut Running, code: &str) {
    running.phase("recovering");
    let whole_again = |sent: &Sent| sent.json("degraded") == Some(false.into());
    running
        .repeat_until("the detail is whole again", || detail(code), Duration::from_secs(3), whole_again)
        .await;
    whole(running, "after", code).await;
}

/// A link, once url-api has found the RPC server.
async fn found(running: &mut Running) -> Result<String, Stop> {
    let code = link(running).await?;
    running.says(API, ENDPOINTS, Duration::from_secs(5)).await;
    Ok(code)
}

async fn refused(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    whole(running, "before", &code).await;
    let fault = running.disturb_service(RPC, Connection::Refused).await?;
    degraded(running, &code).await;
    running.heal(fault).await?;
    recovers(running, &code).await;
    Ok(())
}

async fn empty_list(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    whole(running, "before", &code).await;
    running.stop(RPC).await?;
    running.key_is_gone("analytics-rpc/", Duration::from_secs(3)).await;
    degraded(running, &code).await;
    running.start(RPC).await?;
    running.ready(RPC, Duration::from_secs(10)).await;
    recovers(running, &code).await;
    Ok(())
}

async fn killed(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    let sent = whole(running, "before", &code).await;
    running.marker(RPC, &sent).await;
    running.kill(RPC).await?;
    degraded(running, &code).await;
    running.start(RPC).await?;
    running.ready(RPC, Duration::from_secs(10)).await;
    recovers(running, &code).await;
    Ok(())
}

async fn black_hole(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    whole(running, "before", &code).await;
    let fault = running.disturb_service(RPC, Connection::BlackHole).await?;
    running.phase("during");
    running.send(detail(&code).timeout(Duration::from_secs(2))).await;
    running.heal(fault).await?;
    recovers(running, &code).await;
    Ok(())
}

async fn slow(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    whole(running, "before", &code).await;
    let fault = running.disturb_service(RPC, Connection::Slow(Duration::from_millis(700))).await?;
    degraded(running, &code).await;
    running.heal(fault).await?;
    recovers(running, &code).await;
    Ok(())
}

async fn open_circuit(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    whole(running, "before", &code).await;
    let fault = running.disturb_service(RPC, Connection::Refused).await?;
    for _ in 0..8 {
        degraded(running, &code).await;
    }
    running.heal(fault).await?;
    recovers(running, &code).await;
    Ok(())
}

/// What url-api logs when it has lost etcd.
const ETCD_AWAY: &str = "etcd is away, keeping the endpoints that are known";

async fn lost_etcd(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    whole(running, "before", &code).await;
    let away = running.disturb_backend(Kind::Etcd, Connection::Refused).await?;
    running.says(API, ETCD_AWAY, Duration::from_secs(10)).await;
    whole(running, "during", &code).await;
    running.heal(away).await?;
    recovers(running, &code).await;
    Ok(())
}

/// Postgres goes away while a click is on its way to the consumer.
async fn waiting_clicks(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await?;
    let away = click_without_postgres(running, &code, 2).await?;
    running.heal(away).await?;
    clicks_are_rows(running, 2).await
}

/// Each attempt says that it failed, as does the statement in it, until one succeeds.
const STORED_LATER: &str = "\
url-api SERVER GET /{code}
  url-api CLIENT SELECT links
  url-api PRODUCER send click-events
    analytics-consumer CONSUMER process click-events !error ×1..100
      analytics-consumer CLIENT INSERT clicks !error
    analytics-consumer CONSUMER process click-events
      analytics-consumer CLIENT INSERT clicks
      analytics-consumer CLIENT commit click-events
";

/// A click that reaches the consumer when Postgres has gone away: returns when the consumer has met with that.
pub(super) async fn click_without_postgres(
    running: &mut Running,
    code: &str,
    records: i64,
) -> Result<UnderWay, Stop> {
    let paused = running.pause(CONSUMER);
    let sent = running.send(click(code)).await;
    running.expect_status(&sent, 302);
    running.expect_outline(&sent, STORED_LATER);
    running.records_arrive("click-events", records).await;
    let away = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    running.heal(paused).await?;
    running.says(CONSUMER, "records could not be stored", Duration::from_secs(10)).await;
    Ok(away)
}

/// Clicks that may wait for Kafka in that scenario.
const WAITING: u64 = 4;

async fn lost_kafka(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    running.records_arrive("click-events", 1).await;
    let away = running.kill_backend(Kind::Kafka).await?;
    let patient = || click(&code).timeout(Duration::from_secs(2));
    let mut answers = vec![running.send(patient()).await];
    answers
        .extend(running.send_all((0..2 * WAITING).map(|_| patient()).collect(), 2 * WAITING as usize).await);
    for sent in &answers {
        running.expect_status(sent, 302);
    }
    running.heal(away).await?;
    running.records_arrive("click-events", 1 + WAITING as i64).await;
    // A send ends after its record is there: of a click its request, its query and its send, of the link two.
    let clicks = 1 + answers.len();
    running.spans_arrive(API, 2 + 3 * clicks, Duration::from_secs(10)).await;
    Ok(())
}

async fn in_flight(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await?;
    let slow = running.disturb_backend(Kind::Postgres, Connection::Slow(Duration::from_millis(150))).await?;
    running.phase("in flight");
    running.end_with_request_under_way(API, click(&code)).await;
    running.heal(slow).await?;
    clicks_are_rows(running, 2).await
}

async fn flush(running: &mut Running) -> Result<(), Stop> {
    let code = found(running).await?;
    // Each request makes a server span and a database span: batches of four fill every second request. Each full batch is
    // seen by the collector before the next, so that the tail, and nothing else, needs the flush.
    for number in 1..=5 {
        let sent = running.send(detail(&code)).await;
        running.expect_status(&sent, 200);
        if number % 2 == 0 {
            running.spans_arrive(RPC, number * 2, Duration::from_secs(5)).await;
        }
    }
    running.send(create("https://example.com/last")).await;
    Ok(())
}
