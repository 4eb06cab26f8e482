//! Cold starts of the ledger: whatever comes up last, nobody has to restart anything.

use std::time::{Duration, Instant};

use probity::backend::Kind;
use probity::run::{Item, Own, Running, Scenario, Stop};
use probity::until::{Never, Probe, until};

use super::traffic::{FOUND, accepted, accounts, lines_are_projected, open, transfer};
use super::{ACCOUNTS, ALL, GATEWAY, LEDGER, ORCHESTRATOR, READ_MODEL, whole};
use crate::drive;

/// The bound within which an order must be healthy, from its last item on.
const BOUND: Duration = Duration::from_secs(15);

const ETCD: Item = Item::Backend(Kind::Etcd);
const POSTGRES: Item = Item::Backend(Kind::Postgres);
const KAFKA: Item = Item::Backend(Kind::Kafka);

/// Every backend is last once, after services that need it; the services from either end.
const ORDERS: [[Item; 8]; 3] = [
    [
        Item::Service(GATEWAY),
        Item::Service(ORCHESTRATOR),
        Item::Service(ACCOUNTS),
        Item::Service(LEDGER),
        Item::Service(READ_MODEL),
        KAFKA,
        ETCD,
        POSTGRES,
    ],
    [
        POSTGRES,
        Item::Service(READ_MODEL),
        Item::Service(LEDGER),
        ETCD,
        Item::Service(ACCOUNTS),
        Item::Service(ORCHESTRATOR),
        Item::Service(GATEWAY),
        KAFKA,
    ],
    [
        KAFKA,
        Item::Service(LEDGER),
        Item::Service(ORCHESTRATOR),
        POSTGRES,
        Item::Service(GATEWAY),
        Item::Service(READ_MODEL),
        Item::Service(ACCOUNTS),
        ETCD,
    ],
];

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "the_ledger_gets_healthy_in_any_order",
            family: "start",
            about: "services of the ledger wait for each backend, whichever comes last, and then move money",
            stack: || whole().own(Own::Kafka).started_by_drive(),
            drive: drive!(orders),
        },
        Scenario {
            name: "accounts_are_found_after_an_empty_etcd",
            family: "start",
            about: "accounts registers anew after etcd restarted with nothing in it, and is found",
            stack: || whole().own(Own::Etcd).set("LEASE_TTL_SECONDS", "2"),
            drive: drive!(empty_etcd),
        },
    ]
}

async fn orders(running: &mut Running) -> Result<(), Stop> {
    for (number, order) in ORDERS.iter().enumerate() {
        let mut under_way = running.begin_order(order, false).await?;
        for item in order {
            running.start_item(&mut under_way, *item).await?;
        }
        // Last of all: the relay and the read model may well be there before their topics.
        running.create_topics().await?;
        let began = Instant::now();
        let missing = healthy(running, number).await;
        running.end_order(under_way, missing, BOUND, began.elapsed()).await?;
    }
    Ok(())
}

/// Healthy: ready, accounts opened, a transfer accepted and projected.
async fn healthy(running: &mut Running, number: usize) -> Vec<(&'static str, String)> {
    let mut missing = Vec::new();
    for service in ALL {
        if !running.ready(service, BOUND).await {
            missing.push((service, "not ready".to_string()));
        }
    }
    running.says(ORCHESTRATOR, FOUND, BOUND).await;
    let mut ids = Vec::new();
    for may_be_negative in [true, false] {
        let sent = running.send(open(may_be_negative).timeout(BOUND)).await;
        if sent.status() != 201 {
            missing.push((GATEWAY, format!("an account was answered {} instead of 201", sent.status())));
        }
        let id = sent.json("account_id").and_then(|id| id.as_str().map(String::from));
        ids.push(id.unwrap_or_else(|| "no-account".to_string()));
    }
    let key = format!("order-{number}");
    let sent = running.send(transfer(&key, &ids[0], &ids[1], 100).timeout(BOUND)).await;
    match sent.status() {
        201 if !is_projected(running, &ids[1]).await => {
            missing.push((READ_MODEL, "the transfer is not projected".to_string()));
        }
        201 => {}
        status => missing.push((GATEWAY, format!("a transfer was answered {status} instead of 201"))),
    }
    missing
}

/// The id is our own service's answer, and still only what it may consist of may stand in a query.
async fn is_projected(running: &Running, account: &str) -> bool {
    let id: String =
        account.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let statement = format!("SELECT balance FROM balances WHERE account_id = '{id}'");
    let waited = until("the projected transfer", BOUND, async || -> Result<_, Never> {
        let rows = running.rows_in(READ_MODEL, &statement).await;
        Ok(match rows.map(|rows| rows.into_iter().flatten().flatten().next()) {
            Ok(Some(balance)) if balance == "100" => Probe::Ready(()),
            seen => Probe::NotYet(format!("{seen:?}")),
        })
    });
    waited.await.is_ok()
}

async fn empty_etcd(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    running.key_appears("accounts/", BOUND).await;
    running.phase("before");
    accepted(running, accounts.funding("before", 100)).await;
    running.restart_etcd_empty().await?;
    running.key_returns("accounts/", Duration::from_secs(8)).await;
    // The orchestrator, too, has to learn of it.
    running.phase("recovering");
    let again = || accounts.funding("again", 100);
    running.repeat_until("a transfer is accepted again", again, BOUND, |sent| sent.status() == 201).await;
    running.phase("after");
    accepted(running, accounts.funding("after", 100)).await;
    lines_are_projected(running, 6).await;
    Ok(())
}
