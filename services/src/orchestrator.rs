//! `orchestrator`: carries a transfer through. Whoever asks for one under a key gets one transfer, however often it is asked for.
//!
//! It finds `accounts` through etcd, and has `ledger` write. What was decided is the ledger's word: this service's table remembers
//! which key asked for what, and what was answered.

mod accounts_client;
mod announcements;
mod transfers;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use crate::admin::{self, Admin};
use crate::amqp::AmqpSettings;
use crate::bookkeeping::{ANNOUNCEMENTS, SETTLED};
use crate::config::{ConfigError, DatabaseSettings, Environment, EtcdSettings};
use crate::database::{Database, Schema};
use crate::http_client::{HttpClient, Target};
use crate::http_server::{Expected, HttpServer};
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};
use accounts_client::AccountsClient;
use announcements::Announcements;

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9468";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:8082";

const DATABASE_URL: &str = "postgresql://ledger@localhost:5432/orchestrator";
const BODY_LIMIT_BYTES: usize = 16 * 1024;

static SCHEMA: Schema = Schema {
    migration: "
        CREATE TABLE IF NOT EXISTS transfers (
            tenant text NOT NULL,
            idempotency_key text NOT NULL,
            fingerprint text NOT NULL,
            transfer_id text NOT NULL,
            asked_at timestamptz NOT NULL DEFAULT now(),
            status smallint,
            answer text,
            PRIMARY KEY (tenant, idempotency_key)
        );",
    check: "SELECT FROM transfers LIMIT 0",
};

const EXPECTED_ANSWERS: [Expected; 4] = [
    ("POST", "/v1/accounts", 201),
    ("POST", "/v1/transfers", 201),
    ("POST", "/v1/transfers", 200),
    ("POST", "/v1/transfers", 422),
];

/// What `orchestrator` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    listen_address: SocketAddr,
    database: DatabaseSettings,
    etcd: EtcdSettings,
    ledger: Target,
    http_deadline: Duration,
    rpc_deadline: Duration,
    /// Where settled transfers are announced; `None`: nowhere.
    amqp: Option<AmqpSettings>,
    /// How long an announcement may take, before it is given up.
    announce_limit: Duration,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            listen_address: environment.address("LISTEN_ADDR", LISTEN_ADDRESS)?,
            database: environment.database(DATABASE_URL)?,
            etcd: environment.etcd()?,
            ledger: Target::from(environment, "LEDGER_URL", "http://localhost:8083")?,
            http_deadline: environment.milliseconds("HTTP_DEADLINE_MS", 3_000)?,
            rpc_deadline: environment.milliseconds("RPC_DEADLINE_MS", 500)?,
            amqp: AmqpSettings::from(environment, ANNOUNCEMENTS, SETTLED)?,
            announce_limit: environment.milliseconds("AMQP_SEND_LIMIT_MS", 1_000)?,
        })
    }
}

struct Orchestrator {
    database: Database,
    accounts: AccountsClient,
    ledger: HttpClient,
    announcements: Option<Announcements>,
}

/// The program.
pub fn main() -> ExitCode {
    service::run("orchestrator", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let server = HttpServer::new(&service, &mut metrics, &EXPECTED_ANSWERS);
    let duration = HttpClient::latency(&mut metrics);
    let amqp = settings.amqp.clone();
    let announcements =
        amqp.map(|amqp| Announcements::new(&service, amqp, settings.announce_limit, &mut metrics));
    let orchestrator = Arc::new(Orchestrator {
        database: Database::new(&service, &settings.database, &SCHEMA, &mut metrics),
        accounts: AccountsClient::new(&service, &settings, &mut metrics),
        ledger: HttpClient::new(&service, settings.ledger, settings.http_deadline, &duration),
        announcements,
    });
    // Before the admin port: who is told that this process is ready can call it.
    let listener = service::listen("main", settings.listen_address).await?;
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: readiness(&service, Arc::clone(&orchestrator)),
    };
    admin.start(&service).await?;
    let migration = tokio::spawn({
        let orchestrator = Arc::clone(&orchestrator);
        async move { orchestrator.database.migrate().await }
    });
    let outcome = server.serve(listener, router(Arc::clone(&orchestrator))).await;
    if let Some(announcements) = &orchestrator.announcements {
        announcements.finish().await;
    }
    migration.abort();
    outcome
}

fn readiness(service: &Service, orchestrator: Arc<Orchestrator>) -> admin::Check {
    let stop = service.stop.clone();
    admin::check(move || {
        let (orchestrator, stop) = (Arc::clone(&orchestrator), stop.clone());
        async move {
            if stop.is_requested() {
                return Err("stopping".to_owned());
            }
            orchestrator.database.check().await
        }
    })
}

fn router(orchestrator: Arc<Orchestrator>) -> Router {
    Router::new()
        .route("/v1/accounts", post(transfers::open_account))
        .route("/v1/transfers", post(transfers::transfer))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(orchestrator)
}
