//! `read-model`: what each account holds and how it came about, projected from `ledger.entry.v1`.
//!
//! An entry that is seen twice counts once. A record that cannot be projected, now or ever, goes to the dead letters with its
//! context, and the partition moves on.

mod dead_letters;
mod reads;
mod record;
mod work;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use crate::admin::{self, Admin};
use crate::bookkeeping::{DEAD_LETTERS, GROUP, TOPIC};
use crate::config::{ConfigError, DatabaseSettings, Environment, KafkaSettings};
use crate::database::{Database, Schema};
use crate::http_server::{Expected, HttpServer};
use crate::kafka::Source;
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};
use record::Record;
use work::Work;

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9471";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:8084";

const DATABASE_URL: &str = "postgresql://ledger@localhost:5432/read_model";

static SCHEMA: Schema = Schema {
    migration: "
        CREATE TABLE IF NOT EXISTS entries (
            entry_id text PRIMARY KEY,
            transfer_id text NOT NULL,
            account_id text NOT NULL,
            amount bigint NOT NULL,
            balance bigint NOT NULL,
            sequence bigint NOT NULL,
            memo text NOT NULL,
            posted_at timestamptz NOT NULL
        );
        CREATE INDEX IF NOT EXISTS entries_account ON entries (account_id, sequence);
        CREATE TABLE IF NOT EXISTS balances (
            account_id text PRIMARY KEY,
            balance bigint NOT NULL,
            entries bigint NOT NULL
        );",
    check: "SELECT FROM entries, balances LIMIT 0",
};

const EXPECTED_ANSWERS: [Expected; 4] = [
    ("GET", "/v1/accounts/{id}/balance", 200),
    ("GET", "/v1/accounts/{id}/balance", 404),
    ("GET", "/v1/accounts/{id}/statement", 200),
    ("GET", "/v1/accounts/{id}/statement", 404),
];

/// What `read-model` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    listen_address: SocketAddr,
    database: DatabaseSettings,
    kafka: KafkaSettings,
    dead_letters: String,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            listen_address: environment.address("LISTEN_ADDR", LISTEN_ADDRESS)?,
            database: environment.database(DATABASE_URL)?,
            kafka: environment.kafka(TOPIC, GROUP)?,
            dead_letters: environment.text("KAFKA_DEAD_LETTER_TOPIC", DEAD_LETTERS),
        })
    }
}

/// The program.
pub fn main() -> ExitCode {
    service::run("read-model", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let server = HttpServer::new(&service, &mut metrics, &EXPECTED_ANSWERS);
    let database = Arc::new(Database::new(&service, &settings.database, &SCHEMA, &mut metrics));
    let source = Source::new(&service, &settings.kafka)?;
    let work = Work::new(&service, &settings, Arc::clone(&database), source.clone(), &mut metrics)?;
    // Before the admin port: who is told that this process is ready can call it.
    let listener = service::listen("main", settings.listen_address).await?;
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: readiness(&service, Arc::clone(&database), source.check()),
    };
    admin.start(&service).await?;
    let consuming = async {
        tokio::select! {
            () = consume(&service, &database, &source, &work) => {}
            () = work.stopped() => {}
        }
    };
    let (outcome, ()) = tokio::join!(server.serve(listener, router(Arc::clone(&database))), consuming);
    drop(work);
    source.close().await;
    outcome
}

/// Reads and works until the process stops; ends between two records only.
async fn consume(service: &Service, database: &Database, source: &Source, work: &Work) {
    database.migrate().await;
    source.topic_exists().await;
    source.subscribe().await;
    loop {
        for message in source.batch(1, Duration::ZERO).await {
            work.process(&Record::read(&message, service)).await;
        }
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

fn router(database: Arc<Database>) -> Router {
    Router::new()
        .route("/v1/accounts/{id}/balance", get(reads::balance))
        .route("/v1/accounts/{id}/statement", get(reads::statement))
        .with_state(database)
}
