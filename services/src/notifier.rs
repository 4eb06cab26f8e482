//! `notifier`: takes what is announced of settled transfers, and notes whom to tell.
//!
//! A message is acknowledged when its note is written, and a transfer that is announced twice is noted once. What can never be
//! noted is refused for good: the broker drops it, or puts it where its operators have told it to.

mod work;

use std::process::ExitCode;
use std::sync::Arc;

use crate::admin::{self, Admin};
use crate::amqp::{AmqpSettings, Source};
use crate::bookkeeping::{ANNOUNCEMENTS, NOTIFICATIONS, SETTLED};
use crate::config::{ConfigError, DatabaseSettings, Environment};
use crate::database::{Database, Schema};
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};
use work::Work;

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9472";

const DATABASE_URL: &str = "postgresql://ledger@localhost:5432/notifier";
const AMQP_URL: &str = "amqp://localhost:5672/%2f";

static SCHEMA: Schema = Schema {
    migration: "
        CREATE TABLE IF NOT EXISTS notifications (
            transfer_id text PRIMARY KEY,
            account_id text NOT NULL,
            amount bigint NOT NULL,
            currency text NOT NULL,
            noted_at timestamptz NOT NULL DEFAULT now()
        );",
    check: "SELECT FROM notifications LIMIT 0",
};

/// What `notifier` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    database: DatabaseSettings,
    amqp: AmqpSettings,
    queue: String,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        let url = environment.text("AMQP_URL", AMQP_URL);
        Ok(Self {
            database: environment.database(DATABASE_URL)?,
            amqp: AmqpSettings::at(&url, environment, ANNOUNCEMENTS, SETTLED)?,
            queue: environment.text("AMQP_QUEUE", NOTIFICATIONS),
        })
    }
}

/// The program.
pub fn main() -> ExitCode {
    service::run("notifier", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let database = Arc::new(Database::new(&service, &settings.database, &SCHEMA, &mut metrics));
    let source = Source::new(&service, settings.amqp.clone(), settings.queue.clone());
    let work = Work::new(&service, &settings, Arc::clone(&database), &mut metrics);
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: readiness(&service, Arc::clone(&database), source.check()),
    };
    admin.start(&service).await?;
    tokio::select! {
        () = consume(&database, &source, &work) => {}
        () = work.stopped() => {}
    }
    source.close().await;
    Ok(())
}

/// Reads and works until the process stops; ends between two messages only.
async fn consume(database: &Database, source: &Source, work: &Work) {
    database.migrate().await;
    loop {
        let message = source.next().await;
        work.process(&message, &source.creation(&message)).await;
    }
}

fn readiness(service: &Service, database: Arc<Database>, rabbitmq: admin::Check) -> admin::Check {
    let stop = service.stop.clone();
    admin::check(move || {
        let (database, rabbitmq, stop) = (Arc::clone(&database), Arc::clone(&rabbitmq), stop.clone());
        async move {
            if stop.is_requested() {
                return Err("stopping".to_owned());
            }
            rabbitmq().await?;
            database.check().await
        }
    })
}
