//! Postgres: a pool, a schema that creates itself, and one CLIENT span a statement.
//!
//! A statement waits for a connection and for its answer no longer than the configured time-out. Spans follow the database
//! conventions: named `{operation} {table}`, with the text of the statement and never its parameters.

mod transaction;

use std::time::{Duration, Instant};

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use opentelemetry::trace::{FutureExt as _, SpanKind};
use opentelemetry::{Context, KeyValue};
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

pub(crate) use transaction::Transaction;

use crate::config::DatabaseSettings;
use crate::defect::Defect;
use crate::metrics::{DATABASE_BOUNDS, Labels, Latency, Metrics};
use crate::service::Service;
use crate::telemetry::Operation;

/// Readiness must be told soon, or the answer is no.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The tables of a database.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Creates what is missing. Runs in a transaction that no other instance's runs beside.
    pub migration: &'static str,
    /// A statement that fails while something is missing.
    pub check: &'static str,
}

/// A statement with a place for each parameter.
#[derive(Debug)]
pub(crate) struct Statement {
    pub operation: &'static str,
    pub table: &'static str,
    pub text: &'static str,
}

/// Why there is no answer from Postgres.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("no connection to Postgres: {0}")]
    Pool(#[from] PoolError),
    #[error("statement failed: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    #[error("no answer from Postgres within {0:?}")]
    Timeout(Duration),
}

/// Access to one database.
pub(crate) struct Database {
    service: Service,
    schema: &'static Schema,
    pool: Pool,
    timeout: Duration,
    latency: Latency,
    /// Attributes that every span of this database has.
    attributes: Vec<KeyValue>,
}

impl DatabaseError {
    /// `error.type`: the SQLSTATE, else the class of the failure.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::Timeout(_) | Self::Pool(PoolError::Timeout(_)) => "timeout",
            Self::Postgres(error) | Self::Pool(PoolError::Backend(error)) => {
                error.code().map_or("connection_error", SqlState::code)
            }
            Self::Pool(_) => "connection_error",
        }
    }

    pub(crate) fn sql_state(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) | Self::Pool(PoolError::Backend(error)) => error.code().map(SqlState::code),
            _ => None,
        }
    }
}

impl Database {
    /// Prepares access. Connects when it is first needed.
    pub(crate) fn new(
        service: &Service,
        settings: &DatabaseSettings,
        schema: &'static Schema,
        metrics: &mut Metrics,
    ) -> Self {
        let latency = metrics.latency(
            "db.client.operation.duration",
            "Duration of database operations",
            DATABASE_BOUNDS,
        );
        let pool = pool(service, settings);
        watch(&pool, service.program, metrics);
        Self {
            service: service.clone(),
            schema,
            pool,
            timeout: settings.timeout,
            latency,
            attributes: attributes(settings),
        }
    }

    /// Creates what is missing in the schema, however long the database takes to come.
    pub(crate) async fn migrate(&self) {
        let mut reported = false;
        while let Err(error) = self.try_migrate().await {
            if !reported {
                tracing::warn!(error = %error, "waiting for the database");
                reported = true;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    async fn try_migrate(&self) -> Result<(), DatabaseError> {
        // Services may start at the same moment: the lock lets one of them create what is missing.
        let migration =
            format!("BEGIN; SELECT pg_advisory_xact_lock(7306936); {} COMMIT;", self.schema.migration);
        within(self.timeout, async { Ok(self.pool.get().await?.batch_execute(&migration).await?) }).await
    }

    /// Whether the database answers now and has the schema. Makes no span.
    pub(crate) async fn check(&self) -> Result<(), String> {
        within(PROBE_LIMIT, async {
            let client = self.pool.get().await?;
            Ok(client.batch_execute(self.schema.check).await?)
        })
        .await
        .map_err(|error| format!("database: {error}"))
    }

    /// Runs a statement under `parent`, in a span of its own.
    pub(crate) async fn query(
        &self,
        parent: &Context,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.spanned(parent, statement, parameters, self.run(statement, parameters)).await
    }

    /// Whether a query finds anything. Makes no span: for looks that mostly find nothing.
    pub(crate) async fn finds(
        &self,
        text: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<bool, DatabaseError> {
        within(self.timeout, async {
            let client = self.pool.get().await?;
            let statement = client.prepare_cached(text).await?;
            Ok(!client.query(&statement, parameters).await?.is_empty())
        })
        .await
    }

    /// Begins a transaction, which makes no span: its statements do.
    pub(crate) async fn begin(&self) -> Result<Transaction<'_>, DatabaseError> {
        within(self.timeout, async {
            let client = self.pool.get().await?;
            client.batch_execute("BEGIN").await?;
            Ok(Transaction::new(self, client))
        })
        .await
    }

    async fn spanned(
        &self,
        parent: &Context,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
        work: impl Future<Output = Result<Vec<Row>, DatabaseError>>,
    ) -> Result<Vec<Row>, DatabaseError> {
        let span = self.span(parent, statement);
        if self.service.common.defect == Some(Defect::SqlArgumentsCaptured) {
            for (number, parameter) in parameters.iter().enumerate() {
                span.set(KeyValue::new(format!("db.query.parameter.{number}"), format!("{parameter:?}")));
            }
        }
        let started = Instant::now();
        let outcome = within(self.timeout, work).with_context(span.context().clone()).await;
        self.finish(span, started.elapsed(), statement, &outcome);
        outcome
    }

    async fn run(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let client = self.pool.get().await?;
        self.run_on(&client, statement, parameters).await
    }

    async fn run_on(
        &self,
        client: &Client,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let prepared = client.prepare_cached(statement.text).await?;
        let rows = client.query(&prepared, parameters).await?;
        if rows.is_empty() && statement.operation == "SELECT" {
            self.log_no_row(statement);
        }
        Ok(rows)
    }

    fn log_no_row(&self, statement: &Statement) {
        match self.service.common.defect {
            Some(Defect::LogFieldRenamed) => tracing::info!(relation = statement.table, "no row matched"),
            Some(Defect::LogBadkey) => {
                tracing::info!(table = statement.table, "!BADKEY" = statement.operation, "no row matched");
            }
            _ => tracing::info!(table = statement.table, "no row matched"),
        }
    }

    fn span(&self, parent: &Context, statement: &Statement) -> Operation {
        let kind = match self.service.common.defect {
            Some(Defect::KindWrong) => SpanKind::Internal,
            _ => SpanKind::Client,
        };
        let mut attributes = self.attributes.clone();
        attributes.extend([
            KeyValue::new("db.operation.name", statement.operation),
            KeyValue::new("db.collection.name", statement.table),
            KeyValue::new("db.query.summary", statement.summary()),
            KeyValue::new("db.query.text", statement.text),
        ]);
        self.service.telemetry.span(parent, kind, statement.summary(), attributes)
    }

    fn finish(
        &self,
        span: Operation,
        elapsed: Duration,
        statement: &Statement,
        outcome: &Result<Vec<Row>, DatabaseError>,
    ) {
        let mut labels = Labels::new([
            ("db.system.name", "postgresql".into()),
            ("db.operation.name", statement.operation.into()),
            ("db.collection.name", statement.table.into()),
        ]);
        if let Err(error) = outcome {
            if let Some(code) = error.sql_state() {
                span.set(KeyValue::new("db.response.status_code", code.to_owned()));
            }
            span.fail_with(error.kind().to_owned(), &error.to_string());
            labels = labels.with("error.type", error.kind().to_owned());
        }
        self.latency.record(span.context(), elapsed, labels);
        match self.service.common.defect {
            Some(wrong @ Defect::SpanNeverEnded) if statement.operation == "SELECT" => {
                span.never_end(wrong);
            }
            _ => span.end(),
        }
    }
}

impl Statement {
    fn summary(&self) -> String {
        format!("{} {}", self.operation, self.table)
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DatabaseError::Timeout(limit)),
    }
}

fn pool(service: &Service, settings: &DatabaseSettings) -> Pool {
    let mut config = settings.url.clone();
    config.application_name(service.program).connect_timeout(settings.timeout);
    let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, manager_config);
    Pool::builder(manager)
        .max_size(settings.pool_size)
        .timeouts(Timeouts::wait_millis(settings.timeout.as_millis() as u64))
        .runtime(Runtime::Tokio1)
        .build()
        .expect("a runtime is set, and nothing else can be missing")
}

/// How much of the pool is used, whenever somebody asks.
fn watch(pool: &Pool, name: &'static str, metrics: &mut Metrics) {
    let labels = |state: &'static str| {
        Labels::new([
            ("db.client.connection.pool.name", name.into()),
            ("db.client.connection.state", state.into()),
        ])
    };
    let counted = pool.clone();
    let help = "Connections of the pool";
    metrics.observe_all("db.client.connection.count", "{connection}", help, move || {
        let status = counted.status();
        let used = status.size.saturating_sub(status.available);
        vec![(labels("idle"), status.available as f64), (labels("used"), used as f64)]
    });
    let counted = pool.clone();
    let help = "Connections that the pool may have";
    metrics.observe_all("db.client.connection.max", "{connection}", help, move || {
        let labels = Labels::new([("db.client.connection.pool.name", name.into())]);
        vec![(labels, counted.status().max_size as f64)]
    });
    let counted = pool.clone();
    let help = "Requests that wait for a connection";
    metrics.observe_all("db.client.connection.pending_requests", "{request}", help, move || {
        let labels = Labels::new([("db.client.connection.pool.name", name.into())]);
        vec![(labels, counted.status().waiting as f64)]
    });
}

fn attributes(settings: &DatabaseSettings) -> Vec<KeyValue> {
    let config = &settings.url;
    let mut attributes = vec![KeyValue::new("db.system.name", "postgresql")];
    if let Some(name) = config.get_dbname() {
        attributes.push(KeyValue::new("db.namespace", format!("{name}|public")));
    }
    if let Some(Host::Tcp(host)) = config.get_hosts().first() {
        attributes.push(KeyValue::new("server.address", host.clone()));
    }
    match config.get_ports().first() {
        None | Some(5432) => {}
        Some(port) => attributes.push(KeyValue::new("server.port", i64::from(*port))),
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn settings(url: &str) -> DatabaseSettings {
        Environment::from([("DATABASE_URL", url)]).database("").unwrap()
    }

    #[test]
    fn attributes_name_database_and_server_and_no_credentials() {
        let attributes = attributes(&settings("postgres://u:hunter2@db.example:6000/shop"));
        let text = format!("{attributes:?}");
        for expected in ["shop|public", "db.example", "6000"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn the_usual_port_is_left_out() {
        let attributes = attributes(&settings("postgres://u@db.example/shop"));
        assert!(!attributes.iter().any(|attribute| attribute.key.as_str() == "server.port"));
    }

    #[test]
    fn a_time_out_has_a_type_of_its_own() {
        assert_eq!(DatabaseError::Timeout(PROBE_LIMIT).kind(), "timeout");
        let closed = DatabaseError::Pool(PoolError::Closed);
        assert_eq!(closed.kind(), "connection_error");
    }
}
