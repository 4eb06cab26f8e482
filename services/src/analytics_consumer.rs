//! `analytics-consumer`: counts click events in Postgres, each once whatever happens in between.
//!
//! The work is done before the offset is committed, and an event that is seen twice is stored once. A record joins the trace of
//! its creator by parent, one process span a record, or by link, one process span a batch.

mod housekeeping;
mod record;
mod work;

use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::{self, Admin};
use crate::config::{ConfigError, DatabaseSettings, Environment, KafkaSettings};
use crate::database::Database;
use crate::defect::Defect;
use crate::kafka::Source;
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};
use crate::shortener::{DATABASE_URL, GROUP, SCHEMA, TOPIC};
use housekeeping::{Housekeeping, HousekeepingSettings};
use record::Record;
use work::Work;

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9466";

/// The most records that one batch holds: a span with more links would be cut.
const BATCH_MAX: usize = 100;
/// How long a batch waits for more records.
const BATCH_WAIT: Duration = Duration::from_millis(50);

/// How process spans join the trace of a record's creator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    /// One span a record, a child of its creation context.
    Parent,
    /// One span a batch, a root with a link for each record.
    Link,
}

impl FromStr for Join {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "parent" => Ok(Self::Parent),
            "link" => Ok(Self::Link),
            _ => Err("neither `parent` nor `link`"),
        }
    }
}

/// What `analytics-consumer` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    join: Join,
    database: DatabaseSettings,
    housekeeping: HousekeepingSettings,
    kafka: KafkaSettings,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            join: environment.value("CONSUMER_JOIN", Join::Parent)?,
            database: environment.database(DATABASE_URL)?,
            housekeeping: HousekeepingSettings::from(environment)?,
            kafka: environment.kafka(TOPIC, GROUP)?,
        })
    }
}

/// The program.
pub fn main() -> ExitCode {
    service::run("analytics-consumer", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let defect = service.common.defect;
    let mut metrics = Metrics::new(&service.telemetry, defect);
    let database = Arc::new(Database::new(&service, &settings.database, &SCHEMA, &mut metrics));
    let source = Source::new(&service, &settings.kafka)?;
    let work = Work::new(&service, &settings, Arc::clone(&database), source.clone(), &mut metrics);
    let admin = Admin {
        exposition: metrics.exposition(),
        live: match defect {
            Some(Defect::LivenessNeedsKafka) => source.check(),
            _ => admin::always(),
        },
        ready: readiness(&service, Arc::clone(&database), source.check()),
    };
    admin.start(&service).await?;

    let housekeeping = Housekeeping::new(&service, Arc::clone(&database), settings.housekeeping);
    tokio::select! {
        () = housekeeping.run() => {}
        () = consume(&service, &database, &source, &work, settings.join) => {}
        () = work.stopped() => {}
    }
    drop(work);
    source.close().await;
    Ok(())
}

/// Reads and works until the process stops; ends between two batches only.
async fn consume(service: &Service, database: &Database, source: &Source, work: &Work, join: Join) {
    database.migrate().await;
    match service.common.defect {
        // A topic that is not there now is not there ever, and nothing says so.
        Some(Defect::ConsumerBeforeTopic) if !source.has_topic().await => {
            return std::future::pending().await;
        }
        _ => source.topic_exists().await,
    }
    source.subscribe().await;
    let (batch_max, batch_wait) = match join {
        Join::Parent => (1, Duration::ZERO),
        Join::Link => (BATCH_MAX, BATCH_WAIT),
    };
    loop {
        let records = source.batch(batch_max, batch_wait).await;
        work.process(records.iter().map(|record| Record::read(record, service)).collect()).await;
    }
}

fn readiness(service: &Service, database: Arc<Database>, kafka: admin::Check) -> admin::Check {
    let stop = service.stop.clone();
    admin::check(move || {
        let (database, kafka, stop) = (Arc::clone(&database), Arc::clone(&kafka), stop.clone());
        async move {
            if stop.is_requested() {
                return Err("stopping".to_owned());
            }
            kafka().await?;
            database.check().await
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_join_by_parent_unless_told_otherwise() {
        let join = |environment: Environment| Settings::from(&environment).map(|it| it.join);
        assert_eq!(join(Environment::default()), Ok(Join::Parent));
        assert_eq!(join(Environment::from([("CONSUMER_JOIN", "link")])), Ok(Join::Link));
        let wrong = join(Environment::from([("CONSUMER_JOIN", "both")])).unwrap_err();
        assert_eq!(wrong.to_string(), "CONSUMER_JOIN: `both`: neither `parent` nor `link`");
    }
}
