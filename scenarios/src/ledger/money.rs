//! What a ledger is for: a transfer happens once, or not at all, and is told so in its spans.

use std::time::Duration;

use probity::run::{Running, Scenario, Stop};

use super::traffic::{accepted, accounts, balance, lines_are_projected, transfer};
use super::whole;
use crate::drive;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "an_idempotency_key_answers_twice",
            family: "trace",
            about: "a key that is used again answers the same transfer, writes nothing, and stands for nothing else",
            stack: || whole().snapshot(),
            drive: drive!(one_key),
        },
        Scenario {
            name: "an_overdrawn_transfer_is_refused",
            family: "trace",
            about: "a refused transfer is an error of its callers' spans and of nobody's server",
            stack: || whole().snapshot(),
            drive: drive!(overdrawn),
        },
        Scenario {
            name: "transfers_at_once_add_up",
            family: "metric",
            about: "transfers between two accounts at once wait for each other, and each is counted once",
            stack: whole,
            drive: drive!(at_once),
        },
    ]
}

async fn one_key(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    let first = accepted(running, accounts.funding("key", 500)).await;
    let again = running.send(accounts.funding("key", 500)).await;
    running.expect_status(&again, 200);
    let id = first.json("transfer_id").unwrap_or_default();
    running.expect_json(&again, "transfer_id", id);
    let other = running.send(accounts.funding("key", 501)).await;
    running.expect_status(&other, 422);
    lines_are_projected(running, 2).await;
    Ok(())
}

async fn overdrawn(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    let sent = running.send(transfer("too-much", &accounts.customer, &accounts.treasury, 1)).await;
    running.expect_status(&sent, 422);
    let entries = "SELECT count(*) FROM entries";
    running.effect_in("ledger", "the written entries", "0", Duration::from_secs(5), entries).await;
    Ok(())
}

/// Back and forth between two accounts, in both orders of their ids.
async fn at_once(running: &mut Running) -> Result<(), Stop> {
    const THERE: i64 = 20;
    let accounts = accounts(running).await?;
    accepted(running, accounts.funding("first", 1_000)).await;
    let there = (0..THERE).map(|number| accounts.funding(&format!("there-{number}"), 7));
    let back = (0..THERE)
        .map(|number| transfer(&format!("back-{number}"), &accounts.customer, &accounts.treasury, 5));
    for sent in running.send_all(there.chain(back).collect(), 8).await {
        running.expect_status(&sent, 201);
    }
    lines_are_projected(running, 2 + 4 * THERE as u64).await;
    let sent = running.send(balance(&accounts.customer)).await;
    running.expect_json(&sent, "balance", (1_000 + 2 * THERE).into());
    Ok(())
}
