//! Logging under control: the level while it runs, and what it costs.

use std::time::Duration;

use probity::model::Credentials;
use probity::run::{Running, Scenario, Stack, Stop};

use super::traffic::{click, link};
use super::{API, drive};

/// Long enough to be read while it holds, short enough to be waited for.
const A_WHILE: Duration = Duration::from_millis(300);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "the_log_level_changes_for_a_while",
            family: "log",
            about: "whoever knows the token changes the log level for a while, and nobody else does",
            stack: || Stack::of(&[API]),
            drive: drive!(level),
        },
        Scenario {
            name: "unknown_codes_are_no_news",
            family: "log",
            about: "what is logged of codes that nobody made is few words, however many they are",
            stack: || Stack::of(&[API]),
            drive: drive!(unknown_codes),
        },
        Scenario {
            name: "logging_costs_little",
            family: "log",
            about: "a service that logs each request serves nearly as many as one that does not",
            stack: || Stack::of(&[API]),
            drive: drive!(cost),
        },
    ]
}

async fn level(running: &mut Running) -> Result<(), Stop> {
    link(running).await?;
    running.change_log_level(API, Credentials::None, "error", A_WHILE).await;
    running.log_level_returns(API).await;
    running.change_log_level(API, Credentials::Wrong, "error", A_WHILE).await;
    running.log_level_returns(API).await;
    running.change_log_level(API, Credentials::Right, "debug", A_WHILE).await;
    running.log_level_returns(API).await;
    Ok(())
}

/// More codes than a field of a line at INFO may have values.
async fn unknown_codes(running: &mut Running) -> Result<(), Stop> {
    link(running).await?;
    running.send_all((0..80).map(|number| click(&format!("nobody{number}"))).collect(), 8).await;
    Ok(())
}

/// Codes that nobody made: each is a line at INFO.
async fn cost(running: &mut Running) -> Result<(), Stop> {
    link(running).await?;
    let unknown = |number: usize| click(&format!("nobody{number}"));
    running.measure_logging(API, 8, unknown, ("info", "off")).await;
    Ok(())
}
