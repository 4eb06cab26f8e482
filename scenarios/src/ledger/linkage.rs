//! One transfer, one readable trace: through two hops of HTTP, one of gRPC, an outbox and a topic, however late any of them is.

use std::time::Duration;

use probity::backend::Kind;
use probity::run::{Own, Running, Scenario, Stop};

use super::traffic::{
    accepted, accounts, balance, lines_are_projected, relay, rows_wait, statement, transfer,
};
use super::{ACCOUNTS, GATEWAY, LEDGER, ORCHESTRATOR, READ_MODEL, TOPIC, whole};
use crate::drive;

const READY: Duration = Duration::from_secs(15);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a_transfer_is_one_trace",
            family: "trace",
            about: "a transfer is one trace from the gateway through accounts, ledger and outbox to the balance",
            stack: || whole().snapshot(),
            drive: drive!(one_transfer),
        },
        Scenario {
            name: "a_transfer_outlives_a_stopped_relay",
            family: "trace",
            about: "rows that waited in the outbox are published in the traces of the requests that wrote them",
            stack: || whole().snapshot(),
            drive: drive!(stopped_relay),
        },
        Scenario {
            name: "a_transfer_outlives_kafka",
            family: "trace",
            about: "a transfer is accepted without Kafka, and published in its trace when Kafka is back",
            stack: || whole().own(Own::Kafka),
            drive: drive!(kafka_away),
        },
        Scenario {
            name: "a_late_read_model_projects_earlier_transfers",
            family: "trace",
            about: "a read model that starts when transfers are long published projects them, each in its trace",
            stack: || whole().started_by_drive(),
            drive: drive!(late_read_model),
        },
    ]
}

async fn one_transfer(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    accepted(running, accounts.funding("first", 500)).await;
    lines_are_projected(running, 2).await;
    let sent = running.send(balance(&accounts.customer)).await;
    running.expect_json(&sent, "balance", 500.into());
    let sent = running.send(statement(&accounts.treasury)).await;
    running.expect_status(&sent, 200);
    Ok(())
}

async fn stopped_relay(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    relay(running, true).await;
    accepted(running, accounts.funding("first", 500)).await;
    accepted(running, transfer("second", &accounts.customer, &accounts.treasury, 200)).await;
    rows_wait(running, 4).await;
    relay(running, false).await;
    lines_are_projected(running, 4).await;
    Ok(())
}

async fn kafka_away(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    accepted(running, accounts.funding("before", 100)).await;
    lines_are_projected(running, 2).await;
    let away = running.stop_backend(Kind::Kafka).await?;
    accepted(running, accounts.funding("during", 100)).await;
    rows_wait(running, 2).await;
    running.heal(away).await?;
    lines_are_projected(running, 4).await;
    Ok(())
}

async fn late_read_model(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    let early = [GATEWAY, ORCHESTRATOR, ACCOUNTS, LEDGER];
    for service in early {
        running.start(service).await?;
    }
    for service in early {
        running.ready(service, READY).await;
    }
    let accounts = accounts(running).await?;
    accepted(running, accounts.funding("first", 500)).await;
    running.records_arrive(TOPIC, 2).await;
    running.start(READ_MODEL).await?;
    running.ready(READ_MODEL, READY).await;
    lines_are_projected(running, 2).await;
    Ok(())
}
