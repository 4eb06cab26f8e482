//! `ledger`: writes both sides of a transfer, or neither, and tells the topic of it.
//!
//! Entries and what is to be published about them are rows of one transaction; a relay in this process publishes them later, in the
//! trace of the request that wrote them.

mod outbox;
mod posting;
mod relay;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::admin::{self, Admin};
use crate::bookkeeping::{GROUP, TOPIC};
use crate::config::{ConfigError, DatabaseSettings, Environment, KafkaSettings};
use crate::database::{Database, Schema};
use crate::http_server::{Expected, HttpServer};
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};
use relay::Relay;

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9470";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:8083";

const DATABASE_URL: &str = "postgresql://ledger@localhost:5432/ledger";
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// The two rules that no code may break stand in the database as well: entries of a transfer sum to zero when it commits, and no
/// balance is negative that must not be.
static SCHEMA: Schema = Schema {
    migration: "
        CREATE TABLE IF NOT EXISTS transfers (
            transfer_id text PRIMARY KEY,
            fingerprint text NOT NULL,
            refused text,
            posted_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE IF NOT EXISTS balances (
            account_id text PRIMARY KEY,
            balance bigint NOT NULL DEFAULT 0,
            entries bigint NOT NULL DEFAULT 0,
            may_be_negative boolean NOT NULL,
            CONSTRAINT balances_not_negative CHECK (balance >= 0 OR may_be_negative)
        );
        CREATE TABLE IF NOT EXISTS entries (
            entry_id text PRIMARY KEY,
            transfer_id text NOT NULL REFERENCES transfers,
            account_id text NOT NULL REFERENCES balances,
            amount bigint NOT NULL CHECK (amount <> 0),
            balance bigint NOT NULL,
            sequence bigint NOT NULL,
            memo text NOT NULL,
            posted_at timestamptz NOT NULL,
            UNIQUE (account_id, sequence)
        );
        CREATE INDEX IF NOT EXISTS entries_transfer ON entries (transfer_id);
        CREATE TABLE IF NOT EXISTS outbox (
            id bigserial PRIMARY KEY,
            key text NOT NULL,
            value text NOT NULL,
            event_id text NOT NULL,
            context text NOT NULL,
            written_at timestamptz NOT NULL DEFAULT clock_timestamp()
        );
        CREATE OR REPLACE FUNCTION sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $body$
        BEGIN
            IF (SELECT sum(amount) FROM entries WHERE transfer_id = NEW.transfer_id) <> 0 THEN
                RAISE EXCEPTION 'the entries of a transfer do not sum to zero' USING ERRCODE = '23514';
            END IF;
            RETURN NULL;
        END $body$;
        DROP TRIGGER IF EXISTS entries_sum_to_zero ON entries;
        CREATE CONSTRAINT TRIGGER entries_sum_to_zero AFTER INSERT ON entries
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sums_to_zero();",
    check: "SELECT FROM transfers, balances, entries, outbox LIMIT 0",
};

const EXPECTED_ANSWERS: [Expected; 3] =
    [("POST", "/v1/entries", 201), ("POST", "/v1/entries", 200), ("POST", "/v1/entries", 422)];

/// What `ledger` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    listen_address: SocketAddr,
    database: DatabaseSettings,
    kafka: KafkaSettings,
    /// How often the outbox is looked into when nobody in this process has written to it.
    relay_interval: Duration,
    /// How long one record may wait for Kafka before it is given up and tried again.
    relay_send_limit: Duration,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            listen_address: environment.address("LISTEN_ADDR", LISTEN_ADDRESS)?,
            database: environment.database(DATABASE_URL)?,
            kafka: environment.kafka(TOPIC, GROUP)?,
            relay_interval: environment.milliseconds("RELAY_INTERVAL_MS", 500)?,
            relay_send_limit: environment.milliseconds("RELAY_SEND_LIMIT_MS", 30_000)?,
        })
    }
}

struct Ledger {
    service: Service,
    database: Arc<Database>,
    relay: Relay,
}

/// The program.
pub fn main() -> ExitCode {
    service::run("ledger", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let server = HttpServer::new(&service, &mut metrics, &EXPECTED_ANSWERS);
    let database = Arc::new(Database::new(&service, &settings.database, &SCHEMA, &mut metrics));
    let relay = Relay::new(&service, &settings, Arc::clone(&database), &mut metrics)?;
    let ledger = Arc::new(Ledger { service: service.clone(), database, relay });
    // Before the admin port: who is told that this process is ready can call it.
    let listener = service::listen("main", settings.listen_address).await?;
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: readiness(&service, Arc::clone(&ledger.database)),
    };
    let operations = Router::new().route("/relay", put(pause_relay)).with_state(Arc::clone(&ledger));
    admin.start_with(&service, operations).await?;
    let relaying = tokio::spawn({
        let ledger = Arc::clone(&ledger);
        async move {
            ledger.database.migrate().await;
            ledger.relay.run().await;
        }
    });
    let outcome = server.serve(listener, router(Arc::clone(&ledger))).await;
    ledger.relay.finish(relaying).await;
    outcome
}

fn readiness(service: &Service, database: Arc<Database>) -> admin::Check {
    let stop = service.stop.clone();
    admin::check(move || {
        let (database, stop) = (Arc::clone(&database), stop.clone());
        async move {
            if stop.is_requested() {
                return Err("stopping".to_owned());
            }
            database.check().await
        }
    })
}

fn router(ledger: Arc<Ledger>) -> Router {
    Router::new()
        .route("/v1/entries", post(posting::post))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(ledger)
}

#[derive(Debug, Deserialize)]
struct RelayWish {
    paused: bool,
}

/// `PUT /relay` on the admin port: for whoever has to hold the records back while something downstream is repaired.
async fn pause_relay(
    State(ledger): State<Arc<Ledger>>,
    headers: HeaderMap,
    Json(wish): Json<RelayWish>,
) -> Response {
    if let Some(refused) = admin::refusal(&headers, &ledger.service) {
        return refused;
    }
    ledger.relay.pause(wish.paused).await;
    tracing::warn!(paused = wish.paused, "the relay was told to pause or to go on");
    (StatusCode::OK, Json(json!({ "paused": wish.paused }))).into_response()
}
