//! Parts of the ledger away: what can be answered without them is, what cannot is said at once and carried through later under the
//! same key, and then all is as before.

use std::time::Duration;

use probity::backend::Kind;
use probity::run::{Connection, Running, Scenario, Stack, Stop};

use super::traffic::{Accounts, accepted, accounts, balance, lines_are_projected, rows_wait};
use super::{ACCOUNTS, ALL, LEDGER, ORCHESTRATOR, READ_MODEL, TOPIC, traffic, whole};
use crate::drive;

const READY: Duration = Duration::from_secs(15);
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, about, drive| Scenario { name, family: "degrade", about, stack: whole, drive };
    vec![
        scenario(
            "a_transfer_outlives_a_stopped_ledger",
            "without the ledger a transfer is not decided; the same key carries it through when it is back",
            drive!(stopped_ledger),
        ),
        scenario(
            "a_transfer_outlives_a_refused_postgres",
            "without its databases a transfer is not decided; the same key carries it through when they are back",
            drive!(refused_postgres),
        ),
        Scenario {
            name: "a_transfer_without_a_database_says_where_it_failed",
            family: "degrade",
            about: "an answer 500 is an error in each span on the way to the query that failed",
            stack: || whole().snapshot(),
            drive: drive!(failed_query),
        },
        Scenario {
            name: "a_transfer_waits_for_no_silent_accounts",
            family: "degrade",
            about: "accounts that say nothing hold a transfer up for no longer than its budget",
            // Twice what it is in production.
            stack: || Stack::of(&ALL).set("RPC_DEADLINE_MS", "1000").set("HTTP_DEADLINE_MS", "8000"),
            drive: drive!(silent_accounts),
        },
        scenario(
            "reads_and_writes_outlive_each_other",
            "transfers are accepted without the read model, and balances shown without the orchestrator",
            drive!(one_side),
        ),
    ]
}

async fn stopped_ledger(running: &mut Running) -> Result<(), Stop> {
    let accounts = before(running).await?;
    running.stop(LEDGER).await?;
    not_decided(running, &accounts, 503).await;
    running.start(LEDGER).await?;
    running.ready(LEDGER, READY).await;
    carried_through(running, &accounts).await
}

async fn refused_postgres(running: &mut Running) -> Result<(), Stop> {
    let accounts = before(running).await?;
    let refused = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    not_decided(running, &accounts, 500).await;
    running.heal(refused).await?;
    carried_through(running, &accounts).await
}

async fn failed_query(running: &mut Running) -> Result<(), Stop> {
    let accounts = before(running).await?;
    running.phase("during");
    let refused = running.disturb_backend(Kind::Postgres, Connection::Refused).await?;
    let sent = running.send(accounts.funding("failed", 100)).await;
    running.expect_status(&sent, 500);
    running.heal(refused).await
}

async fn silent_accounts(running: &mut Running) -> Result<(), Stop> {
    let accounts = before(running).await?;
    let silent = running.disturb_service(ACCOUNTS, Connection::BlackHole).await?;
    not_decided(running, &accounts, 504).await;
    running.heal(silent).await?;
    carried_through(running, &accounts).await
}

async fn one_side(running: &mut Running) -> Result<(), Stop> {
    let accounts = before(running).await?;
    shown(running, &accounts, 100).await;
    running.stop(READ_MODEL).await?;
    running.phase("during");
    accepted(running, accounts.funding("unseen", 100)).await;
    running.records_arrive(TOPIC, 4).await;
    let sent = running.send(balance(&accounts.customer)).await;
    running.expect_status(&sent, 503);
    running.start(READ_MODEL).await?;
    running.ready(READ_MODEL, READY).await;
    lines_are_projected(running, 4).await;
    running.stop(ORCHESTRATOR).await?;
    shown(running, &accounts, 200).await;
    not_decided(running, &accounts, 503).await;
    running.start(ORCHESTRATOR).await?;
    running.ready(ORCHESTRATOR, READY).await;
    carried_on(running, &accounts, 8).await?;
    shown(running, &accounts, 400).await;
    Ok(())
}

/// A transfer while all is well, of which nothing is left to do.
async fn before(running: &mut Running) -> Result<Accounts, Stop> {
    let accounts = accounts(running).await?;
    running.phase("before");
    accepted(running, accounts.funding("before", 100)).await;
    lines_are_projected(running, 2).await;
    // A relay that loses its database before it has removed a row publishes it again.
    rows_wait(running, 0).await;
    Ok(accounts)
}

async fn not_decided(running: &mut Running, accounts: &Accounts, status: u16) {
    running.phase("during");
    let sent = running.send(accounts.funding("during", 100)).await;
    running.expect_status(&sent, status);
}

/// The transfer that was not decided, under its own key, and one more: what counts as after.
async fn carried_through(running: &mut Running, accounts: &Accounts) -> Result<(), Stop> {
    carried_on(running, accounts, 6).await
}

async fn carried_on(running: &mut Running, accounts: &Accounts, lines: u64) -> Result<(), Stop> {
    running.phase("recovering");
    running.says(ORCHESTRATOR, traffic::FOUND, LIMIT).await;
    let again = || accounts.funding("during", 100);
    running.repeat_until("the transfer is carried through", again, LIMIT, |sent| sent.status() == 201).await;
    running.phase("after");
    accepted(running, accounts.funding("after", 100)).await;
    lines_are_projected(running, lines).await;
    Ok(())
}

async fn shown(running: &mut Running, accounts: &Accounts, amount: i64) {
    let sent = running.send(balance(&accounts.customer)).await;
    running.expect_json(&sent, "balance", amount.into());
}
