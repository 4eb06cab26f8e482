//! What becomes of records that cannot be projected.

use probity::run::{Running, Scenario, Stop};

use super::traffic::{accepted, accounts, lines_are_projected, relay, rows_wait};
use super::{DEAD_LETTERS, whole};
use crate::drive;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "a_poison_record_goes_to_the_dead_letters",
        family: "trace",
        about: "a record that cannot be projected becomes a dead letter in its own trace, and those behind it are projected",
        stack: || whole().snapshot().long(),
        drive: drive!(poison),
    }]
}

/// The first row is damaged while it waits, as by a repair that went wrong.
async fn poison(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    accepted(running, accounts.funding("before", 300)).await;
    lines_are_projected(running, 2).await;
    rows_wait(running, 0).await;
    relay(running, true).await;
    accepted(running, accounts.funding("damaged", 500)).await;
    rows_wait(running, 2).await;
    let damage = "UPDATE outbox SET value = '{\"entry_id\":' WHERE id = (SELECT min(id) FROM outbox)";
    running.rows_in("ledger", damage).await.map_err(Stop)?;
    relay(running, false).await;
    if !running.records_arrive(DEAD_LETTERS, 1).await {
        return Ok(());
    }
    accepted(running, accounts.funding("behind-it", 100)).await;
    lines_are_projected(running, 5).await;
    Ok(())
}
