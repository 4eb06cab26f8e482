//! Cold-start ordering: any order, no human.

use std::time::Duration;

use probity::backend::Kind;
use probity::run::{Connection, Own, Running, Scenario, Stack, Stop};

use super::traffic::{click, clicks_are_rows, detail, link};
use super::{API, CONSUMER, ENDPOINTS, RPC, drive, orders};

const READY: Duration = Duration::from_secs(10);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "every_order_gets_healthy",
            family: "start",
            about: "every start order of services and backends reaches healthy without a restart",
            stack: || {
                Stack::of(&[API, RPC, CONSUMER])
                    .own(Own::Etcd)
                    .own(Own::Kafka)
                    .own(Own::Postgres)
                    .started_by_drive()
                    .long()
                    // A Postgres that is killed, and writes for speed, forgets its last rows.
                    .declares(|declaration| declaration.topics[0].groups[0].effects = None)
            },
            drive: drive!(orders::eight_orders),
        },
        Scenario {
            name: "a_service_registers_once_it_serves",
            family: "start",
            about: "the key appears once the service can serve, and leaves with it",
            stack: || Stack::of(&[RPC]).set("LEASE_TTL_SECONDS", "2").started_by_drive(),
            drive: drive!(registration),
        },
        Scenario {
            name: "a_registration_survives_an_empty_etcd",
            family: "start",
            about: "the key comes back after etcd restarted with nothing in it",
            stack: || Stack::of(&[API, RPC]).own(Own::Etcd).set("LEASE_TTL_SECONDS", "2"),
            drive: drive!(empty_etcd),
        },
        Scenario {
            name: "a_killed_server_leaves_within_its_lease",
            family: "start",
            about: "after kill -9 the key is gone within the lease",
            stack: || Stack::of(&[API, RPC]).set("LEASE_TTL_SECONDS", "1"),
            drive: drive!(killed_server),
        },
        Scenario {
            name: "an_empty_endpoint_list_serves_degraded",
            family: "start",
            about: "a client without endpoints serves degraded, and finds the server when it registers",
            stack: || Stack::of(&[API, RPC]).started_by_drive(),
            drive: drive!(empty_list),
        },
        Scenario {
            name: "readiness_follows_the_backends",
            family: "start",
            about: "readiness is false while a needed backend is away, liveness is not",
            stack: || Stack::of(&[API, RPC, CONSUMER]).own(Own::Kafka).watches_probes().long(),
            drive: drive!(readiness),
        },
        Scenario {
            name: "a_late_collector_blocks_nothing",
            family: "start",
            about: "services start and serve without a collector; spans made after it came arrive",
            stack: || Stack::of(&[API, CONSUMER]).collector_late().started_by_drive(),
            drive: drive!(late_collector),
        },
    ]
}

async fn registration(running: &mut Running) -> Result<(), Stop> {
    let held_back = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    running.start(RPC).await?;
    // Long enough to register, for a service that would, and for whoever then looks whether it serves.
    running.probes_say(RPC, 8).await;
    running.heal(held_back).await?;
    running.ready(RPC, READY).await;
    running.key_appears("analytics-rpc/", READY).await;
    running.stop(RPC).await?;
    running.key_is_gone("analytics-rpc/", Duration::from_millis(1_000)).await;
    Ok(())
}

async fn empty_etcd(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.key_appears("analytics-rpc/", READY).await;
    running.says(API, ENDPOINTS, READY).await;
    running.send(detail(&code)).await;
    running.restart_etcd_empty().await?;
    running.key_returns("analytics-rpc/", Duration::from_secs(8)).await;
    running.send(detail(&code)).await;
    Ok(())
}

async fn killed_server(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.key_appears("analytics-rpc/", READY).await;
    let sent = running.send(detail(&code)).await;
    // What the killed process ended until here has arrived; what it loses later is explained.
    running.marker(RPC, &sent).await;
    running.kill(RPC).await?;
    running.key_is_gone("analytics-rpc/", Duration::from_secs(5)).await;
    Ok(())
}

async fn empty_list(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    running.start(API).await?;
    running.ready(API, READY).await;
    let code = link(running).await?;
    running.phase("before");
    let sent = running.send(detail(&code)).await;
    running.expect_json(&sent, "degraded", true.into());
    running.start(RPC).await?;
    running.ready(RPC, READY).await;
    running.key_appears("analytics-rpc/", READY).await;
    running.phase("after");
    running
        .repeat_until(
            "the detail is whole",
            || detail(&code),
            Duration::from_secs(3),
            |sent| sent.json("degraded") == Some(false.into()),
        )
        .await;
    Ok(())
}

async fn readiness(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await?;
    running.send(detail(&code)).await;
    let away = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    running.readiness_is(API, false, Duration::from_secs(3)).await;
    running.readiness_is(RPC, false, Duration::from_secs(3)).await;
    running.heal(away).await?;
    running.readiness_is(API, true, READY).await;
    let away = running.stop_backend(Kind::Kafka).await?;
    running.readiness_is(CONSUMER, false, Duration::from_secs(5)).await;
    running.probes_say(CONSUMER, 3).await;
    running.heal(away).await?;
    running.readiness_is(CONSUMER, true, READY).await;
    Ok(())
}

async fn late_collector(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    for service in [API, CONSUMER] {
        running.start(service).await?;
    }
    running.phase("collector away");
    running.ready(CONSUMER, READY).await;
    // A service that does not listen yet will not be ready either.
    if running.address(API, "admin").is_some() {
        running.ready(API, READY).await;
        running.send(click("nowhere")).await;
    }
    running.let_collector_in().await?;
    running.phase("collector there");
    running.ready(API, READY).await;
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await
}
