//! What is done with a record: a process span, the projection beneath it, then the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::{FutureExt as _, SpanKind};
use opentelemetry::{Context, KeyValue};
use rdkafka::error::KafkaError;

use super::Settings;
use super::dead_letters::DeadLetters;
use super::record::Record;
use crate::bookkeeping::Entry;
use crate::config::ConfigError;
use crate::database::{Database, DatabaseError, Statement};
use crate::defect::Defect;
use crate::kafka::{Source, error_kind, first_broker};
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::service::Service;
use crate::telemetry::Operation;

/// Both at once or neither: an entry that is there already moves no balance.
const PROJECT: Statement = Statement {
    operation: "INSERT",
    table: "entries",
    text: "WITH fresh AS ( \
               INSERT INTO entries \
               (entry_id, transfer_id, account_id, amount, balance, sequence, memo, posted_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (entry_id) DO NOTHING \
               RETURNING account_id, amount) \
           INSERT INTO balances AS known (account_id, balance, entries) \
           SELECT account_id, amount, 1 FROM fresh ON CONFLICT (account_id) DO UPDATE \
           SET balance = known.balance + excluded.balance, entries = known.entries + 1",
};

const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// Turns records into balances and lines.
pub(super) struct Work {
    service: Service,
    database: Arc<Database>,
    source: Source,
    dead_letters: DeadLetters,
    topic: String,
    group: String,
    /// Attributes that every span of this consumer has.
    attributes: Vec<KeyValue>,
    consumed: Count,
    process_duration: Latency,
    client_duration: Latency,
    /// Held while a record is worked on, so that a stop waits for it.
    busy: tokio::sync::Mutex<()>,
}

/// Why a record is not done.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("a record is no entry: {0}")]
    Invalid(String),
    #[error("the dead letter could not be sent: {0}")]
    DeadLetter(#[from] KafkaError),
}

impl Unfinished {
    fn kind(&self) -> String {
        match self {
            Self::Database(error) => error.kind().to_owned(),
            Self::Invalid(_) => "invalid_entry".to_owned(),
            Self::DeadLetter(error) => error_kind(error),
        }
    }
}

impl Work {
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        database: Arc<Database>,
        source: Source,
        metrics: &mut Metrics,
    ) -> Result<Self, ConfigError> {
        let client_duration = metrics.latency(
            "messaging.client.operation.duration",
            "Duration of sending records and committing offsets",
            DURATION_BOUNDS,
        );
        let work = Self {
            service: service.clone(),
            database,
            source,
            dead_letters: DeadLetters::new(service, settings, &client_duration, metrics)?,
            topic: settings.kafka.topic.clone(),
            group: settings.kafka.group.clone(),
            attributes: attributes(service, settings),
            consumed: metrics.count(
                "messaging.client.consumed.messages",
                "{message}",
                "Records received from Kafka",
            ),
            process_duration: metrics.latency(
                "messaging.process.duration",
                "Duration of processing records",
                DURATION_BOUNDS,
            ),
            client_duration,
            busy: tokio::sync::Mutex::default(),
        };
        work.consumed.expect(work.labels("poll"));
        let lag = work.source.lag().clone();
        let labels = Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.destination.name", work.topic.clone().into()),
            ("messaging.consumer.group.name", work.group.clone().into()),
        ]);
        let help = "Records that wait, or are being worked on";
        metrics.observe("messaging.consumer.lag", "{record}", help, labels, move || lag.records());
        Ok(work)
    }

    /// Waits for the stop, and for the record that is being worked on.
    pub(super) async fn stopped(&self) {
        self.service.stop.requested().await;
        let _idle = self.busy.lock().await;
    }

    /// Works on a record until it is projected or given up, or the process stops. While Postgres or Kafka is away the record stays
    /// where it is, and is tried again.
    pub(super) async fn process(&self, record: &Record) {
        let _busy = self.busy.lock().await;
        self.consumed.add(1, self.labels("poll"));
        self.source.lag().works_on(1);
        let mut delay = RETRY_DELAY_MIN;
        while let Err(error) = self.process_once(record).await {
            tracing::warn!(error = %error, "a record could not be projected, trying again");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.service.stop.requested() => return,
            }
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
        self.source.lag().works_on(0);
    }

    async fn process_once(&self, record: &Record) -> Result<(), Unfinished> {
        let started = Instant::now();
        let span = self.process_span(record);
        let outcome = self.handle(&span, record).with_context(span.context().clone()).await;
        let mut labels = self.labels("process");
        match &outcome {
            Ok(None) => {}
            Ok(Some(_)) => labels = labels.with("error.type", "invalid_entry"),
            Err(error) => labels = labels.with("error.type", error.kind()),
        }
        self.process_duration.record(span.context(), started.elapsed(), labels);
        match &outcome {
            Ok(None) => {}
            Ok(Some(problem)) => span.fail_with("invalid_entry", problem),
            Err(error) => span.fail_with(error.kind(), &error.to_string()),
        }
        span.end();
        outcome.map(drop)
    }

    /// What was wrong with a record that went to the dead letters, if it did.
    async fn handle(&self, span: &Operation, record: &Record) -> Result<Option<String>, Unfinished> {
        let problem = match &record.entry {
            Ok(entry) => match self.project(span.context(), entry).await {
                Ok(()) => None,
                Err(error) if is_of_the_record(&error) => Some(error.to_string()),
                Err(error) => return Err(error.into()),
            },
            Err(problem) => Some(problem.clone()),
        };
        if let Some(problem) = &problem {
            if self.service.common.defect == Some(Defect::PoisonBlocksPartition) {
                return Err(Unfinished::Invalid(problem.clone()));
            }
            tracing::error!(
                partition = record.partition,
                offset = record.offset,
                error = %problem,
                "a record is no entry and goes to the dead letters"
            );
            self.dead_letters.send(span.context(), record, problem).await?;
        }
        self.commit(span.context(), record).await;
        Ok(problem)
    }

    async fn project(&self, context: &Context, entry: &Entry) -> Result<(), DatabaseError> {
        let posted_at = entry.posted_at();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
            &entry.entry_id,
            &entry.transfer_id,
            &entry.account_id,
            &entry.amount,
            &entry.balance,
            &entry.sequence,
            &entry.memo,
            &posted_at,
        ];
        self.database.query(context, &PROJECT, &parameters).await?;
        Ok(())
    }

    /// A commit that fails is no reason to stop: what comes again counts once.
    async fn commit(&self, context: &Context, record: &Record) {
        let started = Instant::now();
        let mut attributes = self.span_attributes("commit", "settle");
        attributes.extend(record.place());
        let name = format!("commit {}", self.topic);
        let span = self.service.telemetry.span(context, SpanKind::Client, name, attributes);
        let outcome = self.source.commit(record.partition, record.offset).await;
        let mut labels = self.labels("commit");
        if let Err(error) = &outcome {
            labels = labels.with("error.type", error_kind(error));
            span.fail_with(error_kind(error), &error.to_string());
            tracing::warn!(error = %error, "offset could not be committed");
        }
        self.client_duration.record(span.context(), started.elapsed(), labels);
        span.end();
    }

    fn process_span(&self, record: &Record) -> Operation {
        let mut attributes = self.span_attributes("process", "process");
        attributes.extend(record.place());
        let id = record.event_id.clone();
        attributes.extend(id.map(|id| KeyValue::new("messaging.message.id", id)));
        if let Ok(key) = std::str::from_utf8(&record.key) {
            attributes.push(KeyValue::new("messaging.kafka.message.key", key.to_owned()));
        }
        let links = record.link().into_iter().collect();
        let name = format!("process {}", self.topic);
        self.service.telemetry.linked_span(&record.creation, links, SpanKind::Consumer, name, attributes)
    }

    fn span_attributes(&self, operation: &'static str, kind: &'static str) -> Vec<KeyValue> {
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new("messaging.operation.name", operation));
        attributes.push(KeyValue::new("messaging.operation.type", kind));
        attributes
    }

    fn labels(&self, operation: &'static str) -> Labels {
        Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.operation.name", operation.into()),
            ("messaging.destination.name", self.topic.clone().into()),
            ("messaging.consumer.group.name", self.group.clone().into()),
        ])
    }
}

/// Whether Postgres refuses what the record says (data exceptions, SQLSTATE class 22, and violated constraints, class 23), which
/// trying again would not change.
fn is_of_the_record(error: &DatabaseError) -> bool {
    error.sql_state().is_some_and(|state| state.starts_with("22") || state.starts_with("23"))
}

fn attributes(service: &Service, settings: &Settings) -> Vec<KeyValue> {
    let (host, port) = first_broker(&settings.kafka);
    let mut attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.destination.name", settings.kafka.topic.clone()),
        KeyValue::new("messaging.consumer.group.name", settings.kafka.group.clone()),
        KeyValue::new("messaging.client.id", service.program),
        KeyValue::new("server.address", host),
    ];
    attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
    attributes
}
