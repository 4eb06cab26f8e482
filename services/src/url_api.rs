//! `url-api`: creates short links, redirects, tells how often a link was followed.
//!
//! It serves as long as Postgres does. Without Kafka, clicks wait in a bounded queue; without `analytics-rpc`, link details say
//! that they are degraded.

mod analytics;
mod breaker;
mod clicks;
mod links;
mod measures;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::admin::{self, Admin};
use crate::config::{ConfigError, DatabaseSettings, Environment, EtcdSettings, KafkaSettings};
use crate::database::Database;
use crate::defect::Defect;
use crate::discovery;
use crate::http_server::HttpServer;
use crate::metrics::{Exposition, Metrics};
use crate::service::{self, Fatal, Service};
use crate::shortener::{DATABASE_URL, GROUP, SCHEMA, TOPIC};
use crate::telemetry::wait_for_collector;
use analytics::AnalyticsClient;
use clicks::Clicks;
use measures::{EXPECTED_ANSWERS, Measures};

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9464";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:8080";

/// Click events that may wait for Kafka at one time.
const CLICKS_WAITING_MAX: u32 = 10_000;

/// A request body holds one URL.
const BODY_LIMIT_BYTES: usize = 16 * 1024;

/// What `url-api` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    listen_address: SocketAddr,
    database: DatabaseSettings,
    etcd: EtcdSettings,
    kafka: KafkaSettings,
    rpc_deadline: Duration,
    breaker_failures: u32,
    breaker_open: Duration,
    clicks_waiting: u32,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            listen_address: environment.address("LISTEN_ADDR", LISTEN_ADDRESS)?,
            database: environment.database(DATABASE_URL)?,
            etcd: environment.etcd()?,
            kafka: environment.kafka(TOPIC, GROUP)?,
            rpc_deadline: environment.milliseconds("RPC_DEADLINE_MS", 500)?,
            breaker_failures: environment.value("BREAKER_FAILURES", 5)?,
            breaker_open: environment.milliseconds("BREAKER_OPEN_MS", 1_000)?,
            clicks_waiting: environment.value("CLICKS_WAITING_MAX", CLICKS_WAITING_MAX)?,
        })
    }
}

/// What the handlers share.
struct UrlApi {
    service: Service,
    database: Database,
    analytics: AnalyticsClient,
    clicks: Clicks,
    measures: Measures,
    exposition: Exposition,
    /// In front of a code, in answers. Empty means relative to the host that was asked.
    public_url: String,
}

impl UrlApi {
    fn defect(&self) -> Option<Defect> {
        self.service.common.defect
    }
}

/// The program.
pub fn main() -> ExitCode {
    service::run("url-api", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let defect = service.common.defect;
    if defect == Some(Defect::ExitWhenEtcdDown) {
        discovery::ping(&settings.etcd).await.map_err(|error| Fatal::Other(error.to_string()))?;
    }
    if defect == Some(Defect::ExporterBlocksStart) {
        tokio::select! {
            () = wait_for_collector(&service.environment) => {}
            () = service.stop.requested() => return Ok(()),
        }
    }

    if defect == Some(Defect::DsnLogged) {
        tracing::info!(database_url = service.environment.get("DATABASE_URL"), "configured");
    }
    if defect == Some(Defect::LogPlainTextMixed) {
        println!("url-api {} is starting up ...", env!("CARGO_PKG_VERSION"));
    }
    let (api, server) = assemble(&service, &settings)?;
    let api = Arc::new(api);
    // Before the admin port: who is told that this process is ready can call it.
    let listener = service::listen("main", settings.listen_address).await?;
    let admin = Admin {
        exposition: api.exposition.clone(),
        live: admin::always(),
        ready: match defect {
            Some(Defect::ReadyAlways) => admin::always(),
            _ => readiness(Arc::clone(&api)),
        },
    };
    admin.start(&service).await?;
    let migration = tokio::spawn({
        let api = Arc::clone(&api);
        async move { api.database.migrate().await }
    });
    let outcome = server.serve(listener, router(Arc::clone(&api))).await;
    if defect != Some(Defect::ExitDropsInflight) {
        api.clicks.drain().await;
    }
    migration.abort();
    outcome
}

fn assemble(service: &Service, settings: &Settings) -> Result<(UrlApi, HttpServer), Fatal> {
    let defect = service.common.defect;
    let mut metrics = Metrics::new(&service.telemetry, defect);
    let database = Database::new(service, &settings.database, &SCHEMA, &mut metrics);
    let server = HttpServer::new(service, &mut metrics, &EXPECTED_ANSWERS);
    let measures = Measures::new(&mut metrics, &settings.kafka.topic);
    let public_url = service.environment.text("PUBLIC_URL", "");
    let api = UrlApi {
        service: service.clone(),
        database,
        analytics: AnalyticsClient::new(service, settings, measures.breaker.clone(), &mut metrics),
        clicks: Clicks::new(service, &settings.kafka, settings.clicks_waiting, measures.clone())?,
        measures,
        exposition: metrics.exposition(),
        public_url: public_url.trim_end_matches('/').to_owned(),
    };
    Ok((api, server))
}

fn readiness(api: Arc<UrlApi>) -> admin::Check {
    admin::check(move || {
        let api = Arc::clone(&api);
        async move {
            if api.service.stop.is_requested() {
                return Err("stopping".to_owned());
            }
            api.database.check().await
        }
    })
}

fn router(api: Arc<UrlApi>) -> Router {
    let mut router = Router::new()
        .route("/api/v1/urls", post(links::create))
        .route("/api/v1/links/{code}", get(links::detail))
        .route("/{code}", get(links::redirect));
    if api.defect() == Some(Defect::MetricsOnMainPort) {
        router = router.route("/metrics", get(links::metrics));
    }
    router.layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES)).with_state(api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_zero_is_refused() {
        let environment = Environment::from([("RPC_DEADLINE_MS", "0")]);
        let message = Settings::from(&environment).unwrap_err().to_string();
        assert_eq!(message, "RPC_DEADLINE_MS: must be at least 1");
    }
}
