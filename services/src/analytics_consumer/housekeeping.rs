//! Deletes clicks that are older than their retention, on a timer.
//!
//! A turn looks first, untraced; one that finds work begins a trace of its own. One that finds nothing leaves nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry::trace::{FutureExt as _, SpanKind};
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::{ConfigError, Environment};
use crate::database::{Database, Statement};
use crate::defect::Defect;
use crate::service::Service;

const EXPIRED: &str = "SELECT FROM clicks WHERE occurred_at < $1 LIMIT 1";
const DELETE: Statement =
    Statement { operation: "DELETE", table: "clicks", text: "DELETE FROM clicks WHERE occurred_at < $1" };

/// A year.
const RETENTION_MS: u64 = 365 * 24 * 60 * 60 * 1_000;

/// How often, and how old a click may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct HousekeepingSettings {
    interval: Duration,
    retention: Duration,
}

impl HousekeepingSettings {
    pub(super) fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            interval: environment.milliseconds("HOUSEKEEPING_INTERVAL_MS", 60_000)?,
            retention: environment.milliseconds("CLICK_RETENTION_MS", RETENTION_MS)?,
        })
    }
}

/// The timer.
pub(super) struct Housekeeping {
    service: Service,
    database: Arc<Database>,
    settings: HousekeepingSettings,
}

impl Housekeeping {
    pub(super) fn new(service: &Service, database: Arc<Database>, settings: HousekeepingSettings) -> Self {
        Self { service: service.clone(), database, settings }
    }

    /// Never ends by itself.
    pub(super) async fn run(&self) {
        let telemetry = &self.service.telemetry;
        let around = match self.service.common.defect {
            // A span around the loop: every turn hangs under it, for as long as the process lives.
            Some(Defect::TickOneEndlessTrace) => {
                Some(telemetry.span(&Context::new(), SpanKind::Internal, "housekeeping", Vec::new()))
            }
            _ => None,
        };
        let parent = around.as_ref().map_or_else(Context::new, |around| around.context().clone());
        let first = Instant::now() + self.settings.interval;
        let mut turns = tokio::time::interval_at(first, self.settings.interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            self.turn(&parent).await;
        }
    }

    async fn turn(&self, parent: &Context) {
        let before = SystemTime::now().checked_sub(self.settings.retention).unwrap_or(UNIX_EPOCH);
        // Without an answer there is nothing to do yet: the records in Kafka wait for Postgres, too.
        let has_work = self.database.finds(EXPIRED, &[&before]).await.unwrap_or(false);
        if !has_work && self.service.common.defect != Some(Defect::TickSpansAlways) {
            return;
        }
        let span = self.service.telemetry.span(parent, SpanKind::Internal, "expire clicks", Vec::new());
        if has_work {
            let context = span.context().clone();
            let deleted =
                self.database.query(&context, &DELETE, &[&before]).with_context(context.clone()).await;
            if let Err(error) = deleted {
                span.fail_with(error.kind().to_owned(), &error.to_string());
            }
        }
        span.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_are_kept_for_a_year_unless_told_otherwise() {
        let settings = HousekeepingSettings::from(&Environment::default()).unwrap();
        assert_eq!(settings.retention.as_secs(), 365 * 24 * 3_600);
        let zero = Environment::from([("CLICK_RETENTION_MS", "0")]);
        assert!(HousekeepingSettings::from(&zero).is_err());
    }
}
