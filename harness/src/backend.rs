//! Backends of the system under test: etcd, Postgres, Kafka and RabbitMQ, one handle each, whoever provides it.
//!
//! [`Backends::start`] starts the shared ones side by side, but RabbitMQ, which few scenarios need: the first of them starts it. Scenarios share them, apart by database, topic, group and key
//! prefix; one that stops, kills, pauses or empties a backend takes one of its own ([`Backends::own_etcd`] and so on).

mod cache;
mod container;
pub mod doctor;
mod error;
mod etcd;
mod external;
mod kafka;
pub mod kafka_mock;
mod names;
mod ports;
mod postgres;
mod rabbitmq;
mod selection;
mod server;

use std::{sync::Arc, time::Duration};

pub(crate) use container::keeper as container_keeper;
pub use error::StartError;
pub use etcd::{CallAddress, Etcd, EtcdClientError, KeyValue, KeyWatch, Range};
pub use kafka::{Kafka, KafkaClientError};
pub use names::Names;
#[cfg(feature = "postgres-download")]
pub use postgres::DownloadError;
pub use postgres::{Postgres, PostgresError};
pub use rabbitmq::{MissingRabbitMq, QueueStand, RabbitMq, RabbitMqError, Tap};
pub use selection::{Kind, Provider, Selection, SelectionError, VARIABLE};
pub use server::{Action, ActionError};

use crate::workdir::Workdir;

/// Told of a download's progress: bytes received, and how many there will be, if that is known.
pub type DownloadProgress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// The backends of a run.
pub struct Backends {
    selection: Selection,
    etcd: Arc<Etcd>,
    postgres: Arc<Postgres>,
    kafka: Arc<Kafka>,
    ready: [Duration; 3],
    /// With how long it took.
    rabbitmq: tokio::sync::OnceCell<(Arc<RabbitMq>, Duration)>,
    workdir: Workdir,
}

/// What served a run, for its report.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BackendReport {
    /// `etcd`, `postgres`, `kafka`, `rabbitmq`.
    pub name: &'static str,
    /// `embedded`, `local`, `containers`, `external`.
    pub provider: &'static str,
    pub version: String,
    /// From the decision to start it until it served, in milliseconds.
    pub ready_ms: u64,
    /// What it cannot do, line by line.
    pub limits: Vec<&'static str>,
}

impl Backends {
    /// Starts the first three side by side, with their data, sockets and logs within `workdir`.
    ///
    /// # Errors
    /// The first that fails, at once; the others are ended.
    pub async fn start(selection: &Selection, workdir: &Workdir) -> Result<Backends, StartError> {
        Backends::start_with(selection, workdir, Arc::new(|_, _| {})).await
    }

    /// As [`Backends::start`], and tells `progress` when Postgres must be downloaded first.
    pub async fn start_with(
        selection: &Selection,
        workdir: &Workdir,
        progress: DownloadProgress,
    ) -> Result<Backends, StartError> {
        let etcd = async {
            let began = std::time::Instant::now();
            let etcd = Etcd::reserve(&selection.etcd, workdir).await?;
            etcd.start().await?;
            Ok((etcd, began.elapsed()))
        };
        let postgres = async {
            let postgres = Postgres::reserve(&selection.postgres, workdir, progress).await?;
            let ready = postgres.start().await?;
            Ok((postgres, ready))
        };
        let kafka = async {
            let kafka = Kafka::reserve(&selection.kafka, workdir).await?;
            let ready = kafka.start().await?;
            Ok((kafka, ready))
        };
        let (etcd, postgres, kafka) = tokio::try_join!(etcd, postgres, kafka)?;
        Ok(Backends {
            selection: selection.clone(),
            ready: [etcd.1, postgres.1, kafka.1],
            etcd: Arc::new(etcd.0),
            postgres: Arc::new(postgres.0),
            kafka: Arc::new(kafka.0),
            rabbitmq: tokio::sync::OnceCell::new(),
            workdir: workdir.clone(),
        })
    }

    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The shared etcd.
    pub fn etcd(&self) -> Arc<Etcd> {
        self.etcd.clone()
    }

    /// The shared Postgres.
    pub fn postgres(&self) -> Arc<Postgres> {
        self.postgres.clone()
    }

    /// The Kafka of a scenario: the shared one, or a mock of its own, which costs two milliseconds.
    pub async fn kafka(&self, workdir: &Workdir) -> Result<Arc<Kafka>, StartError> {
        if self.selection.kafka != Provider::Embedded {
            return Ok(self.kafka.clone());
        }
        let kafka = self.own_kafka(workdir).await?;
        kafka.start().await?;
        Ok(Arc::new(kafka))
    }

    /// The shared RabbitMQ, started when it is asked for first.
    pub async fn rabbitmq(&self) -> Result<Arc<RabbitMq>, StartError> {
        let start = async || {
            let rabbitmq = RabbitMq::reserve(&self.selection.rabbitmq, &self.workdir).await?;
            let ready = rabbitmq.start().await?;
            Ok((Arc::new(rabbitmq), ready))
        };
        let (rabbitmq, _) = self.rabbitmq.get_or_try_init(start).await?;
        Ok(rabbitmq.clone())
    }

    /// An etcd for one scenario, with an address, not started yet.
    ///
    /// # Errors
    /// Also when the provider has no second one ([`Backends::can_own`] says so before).
    pub async fn own_etcd(&self, workdir: &Workdir) -> Result<Etcd, StartError> {
        self.must_own(Kind::Etcd)?;
        Etcd::reserve(&self.selection.etcd, workdir).await
    }

    /// A Postgres for one scenario, with an address, not started yet.
    pub async fn own_postgres(&self, workdir: &Workdir) -> Result<Postgres, StartError> {
        self.must_own(Kind::Postgres)?;
        Postgres::reserve(&self.selection.postgres, workdir, Arc::new(|_, _| {})).await
    }

    /// A Kafka for one scenario, with an address, not started yet.
    pub async fn own_kafka(&self, workdir: &Workdir) -> Result<Kafka, StartError> {
        self.must_own(Kind::Kafka)?;
        Kafka::reserve(&self.selection.kafka, workdir).await
    }

    /// Whether a scenario can have an instance of its own; the reason when not.
    ///
    /// # Errors
    /// [`ActionError::Unsupported`]: the scenario is skipped.
    pub fn can_own(selection: &Selection, kind: Kind) -> Result<(), ActionError> {
        let provider = selection.provider(kind);
        match provider {
            Provider::External(_) => Err(ActionError::Unsupported {
                kind,
                provider: provider.name(),
                action: "serve one scenario alone",
                reason: "there is one of it",
            }),
            _ => Ok(()),
        }
    }

    fn must_own(&self, kind: Kind) -> Result<(), StartError> {
        let provider = self.selection.provider(kind);
        Backends::can_own(&self.selection, kind).map_err(|error| StartError::ours(kind, provider, &error))
    }

    /// What serves, in the order etcd, postgres, kafka, and rabbitmq where it was needed.
    pub fn reports(&self) -> Vec<BackendReport> {
        let mut served = vec![
            (Kind::Etcd, self.etcd.version(), self.ready[0]),
            (Kind::Postgres, self.postgres.version(), self.ready[1]),
            (Kind::Kafka, self.kafka.version(), self.ready[2]),
        ];
        served.extend(self.rabbitmq.get().map(|(it, ready)| (Kind::RabbitMq, it.version(), *ready)));
        let report = |(kind, version, ready): (Kind, &str, Duration)| {
            let provider = self.selection.provider(kind);
            BackendReport {
                name: kind.name(),
                provider: provider.name(),
                version: version.to_owned(),
                ready_ms: u64::try_from(ready.as_millis()).unwrap_or(u64::MAX),
                limits: limits(kind, provider).to_vec(),
            }
        };
        served.into_iter().map(report).collect()
    }

    /// Ends all of them, side by side. Dropping them ends them too, without waiting.
    pub async fn finish(&self) {
        let rabbitmq = async {
            if let Some((rabbitmq, _)) = self.rabbitmq.get() {
                rabbitmq.finish().await;
            }
        };
        tokio::join!(self.etcd.finish(), self.postgres.finish(), self.kafka.finish(), rabbitmq);
    }
}

/// What a backend of a provider cannot do, line by line.
pub fn limits(kind: Kind, provider: &Provider) -> &'static [&'static str] {
    match (kind, provider) {
        (Kind::Kafka, Provider::Embedded) => kafka_mock::LIMITS,
        (Kind::Kafka, Provider::External(_)) => &["it cannot be stopped, emptied or cut off: it is not ours"],
        (_, Provider::External(_)) => &["it cannot be stopped or emptied: it is not ours"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
