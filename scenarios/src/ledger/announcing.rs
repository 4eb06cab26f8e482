//! A settled transfer is announced over RabbitMQ, and the announcement belongs to the transfer's trace.

use std::time::Duration;

use probity::model::Counted;
use probity::run::{Running, Scenario, Stack, Stop};

use super::traffic::{accepted, accounts, lines_are_projected, transfer};
use super::{ALL, EXCHANGE, NOTIFIER, ORCHESTRATOR, whole};
use crate::declare::{MESSAGING_LABELS, counter};
use crate::drive;

const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "a_settled_transfer_is_announced",
        family: "trace",
        about: "a settled transfer is announced over RabbitMQ, and the note of it is made in the transfer's trace",
        stack: with_notifier,
        drive: drive!(announced),
    }]
}

/// All of them. What orchestrator has sent is exposed only where there is somebody to send it to.
fn with_notifier() -> Stack {
    let sent = |declaration: &mut probity::model::Declaration| {
        let services = declaration.services.iter_mut();
        for service in services.filter(|service| service.name == ORCHESTRATOR) {
            let counts = Counted::RecordsSent { topic: EXCHANGE.into() };
            let family = counter("messaging_client_sent_messages_total", &MESSAGING_LABELS, Some(counts));
            service.families.push(family);
        }
    };
    let all: Vec<_> = ALL.into_iter().chain([NOTIFIER]).collect();
    whole().with(&all).needs_rabbitmq().declares(sent).snapshot()
}

/// Two are settled; one is asked for twice and one is refused, which nobody is told of.
async fn announced(running: &mut Running) -> Result<(), Stop> {
    let accounts = accounts(running).await?;
    accepted(running, accounts.funding("first", 500)).await;
    let again = running.send(accounts.funding("first", 500)).await;
    running.expect_status(&again, 200);
    let refused = transfer("too-much", &accounts.customer, &accounts.treasury, 5_000);
    let refused = running.send(refused).await;
    running.expect_status(&refused, 422);
    accepted(running, transfer("second", &accounts.customer, &accounts.treasury, 200)).await;
    lines_are_projected(running, 4).await;
    let notes = "SELECT count(*) FROM notifications";
    running.effect_in(NOTIFIER, "the notes of notifier", "2", LIMIT, notes).await;
    Ok(())
}
