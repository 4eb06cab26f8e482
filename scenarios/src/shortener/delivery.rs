//! Each click counts once, whatever restarts or breaks between the redirect and the row.

use std::time::Duration;

use probity::run::{Own, Running, Scenario, Stack, Stop};

use super::degradation::click_without_postgres;
use super::traffic::{click, clicks_are_rows, link};
use super::{API, CONSUMER, drive};

const READY: Duration = Duration::from_secs(10);

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenario = |name, about, stack, drive| Scenario { name, family: "delivery", about, stack, drive };
    vec![
        scenario(
            "a_restart_loses_no_click",
            "a consumer that is told to stop with a click in hand, and started again, stores it once",
            || Stack::of(&[API, CONSUMER]).set("DATABASE_TIMEOUT_MS", "1000"),
            drive!(restart),
        ),
        scenario(
            "a_click_lost_on_its_way_is_sent_again",
            "a record that the broker never had is sent again, as nobody said that it had it",
            || Stack::of(&[API, CONSUMER]).own(Own::Kafka).started_by_drive(),
            drive!(lost_on_its_way),
        ),
    ]
}

async fn restart(running: &mut Running) -> Result<(), Stop> {
    let code = link(running).await?;
    running.send(click(&code)).await;
    clicks_are_rows(running, 1).await?;
    let away = click_without_postgres(running, &code, 2).await?;
    running.stop(CONSUMER).await?;
    running.heal(away).await?;
    running.start(CONSUMER).await?;
    running.ready(CONSUMER, READY).await;
    clicks_are_rows(running, 2).await
}

async fn lost_on_its_way(running: &mut Running) -> Result<(), Stop> {
    running.create_topics().await?;
    running.start(API).await?;
    running.ready(API, READY).await;
    let code = link(running).await?;
    let sent = running.send(click(&code)).await;
    running.expect_status(&sent, 302);
    running.records_arrive("click-events", 1).await;
    let sent = running.lose_record_of(click(&code)).await?;
    running.expect_status(&sent, 302);
    running.start(CONSUMER).await?;
    running.ready(CONSUMER, READY).await;
    clicks_are_rows(running, 2).await
}
