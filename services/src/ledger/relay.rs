//! Publishes what the outbox holds, in order, each row at least once.
//!
//! A row is removed when Kafka has it. Its PRODUCER span is a child of the context in the row, however late that is. Looking
//! into the outbox belongs to no request and makes no span.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use rdkafka::error::KafkaError;
use rdkafka::message::Header;
use rdkafka::producer::future_producer::{Delivery, DeliveryFuture};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::Settings;
use super::outbox::{self, Row};
use crate::bookkeeping::EVENT_ID;
use crate::config::ConfigError;
use crate::database::{Database, DatabaseError};
use crate::defect::Defect;
use crate::kafka::{LogContext, error_kind, first_broker, producer_config};
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::propagation;
use crate::service::Service;
use crate::telemetry::Operation;

/// How long a graceful stop waits for Kafka. What it has not taken by then stays in the outbox.
const FINISH_LIMIT: Duration = Duration::from_secs(2);

/// The relay of one process. Of several, one is at work at a time.
pub(super) struct Relay {
    service: Service,
    database: Arc<Database>,
    producer: FutureProducer<LogContext>,
    topic: String,
    interval: Duration,
    /// Attributes that every send span has.
    attributes: Vec<KeyValue>,
    sent: Count,
    send_duration: Latency,
    waiting: Arc<Waiting>,
    written: Notify,
    paused: watch::Sender<bool>,
    /// Held while rows are being published, so that whoever pauses knows that nothing is under way.
    busy: tokio::sync::Mutex<()>,
}

/// What waited in the outbox when it was looked into last.
#[derive(Debug, Default)]
struct Waiting(Mutex<Looked>);

#[derive(Debug, Default, Clone, Copy)]
struct Looked {
    rows: u64,
    /// How long the first row had waited, and when that was seen.
    oldest: Option<(Duration, Instant)>,
}

impl Waiting {
    fn is(&self, rows: i64, oldest_age: f64) {
        let age = Duration::try_from_secs_f64(oldest_age).unwrap_or_default();
        let oldest = (rows > 0).then(|| (age, Instant::now()));
        let looked = Looked { rows: rows.unsigned_abs(), oldest };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = looked;
    }

    fn looked(&self) -> Looked {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Grows by itself: a relay that is stuck looks no more.
    fn age(&self) -> Duration {
        self.looked().oldest.map_or(Duration::ZERO, |(age, seen)| age + seen.elapsed())
    }
}

impl Relay {
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        database: Arc<Database>,
        metrics: &mut Metrics,
    ) -> Result<Self, ConfigError> {
        let mut config = producer_config(&settings.kafka, service.program);
        let send_limit = settings.relay_send_limit.as_millis().to_string();
        config.set("acks", "all").set("message.timeout.ms", send_limit);
        // What is sent again after an error is not overtaken by what came behind it.
        config.set("max.in.flight.requests.per.connection", "1");
        let producer = config
            .create_with_context(LogContext)
            .map_err(|error| ConfigError::new("KAFKA_PROPERTIES", error))?;
        let (host, port) = first_broker(&settings.kafka);
        let mut attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.destination.name", settings.kafka.topic.clone()),
            KeyValue::new("messaging.client.id", service.program),
            KeyValue::new("server.address", host),
        ];
        attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
        let relay = Self {
            service: service.clone(),
            database,
            producer,
            topic: settings.kafka.topic.clone(),
            interval: settings.relay_interval,
            attributes,
            sent: metrics.count(
                "messaging.client.sent.messages",
                "{message}",
                "Records sent to Kafka or given up",
            ),
            send_duration: metrics.latency(
                "messaging.client.operation.duration",
                "Duration of sending records",
                DURATION_BOUNDS,
            ),
            waiting: measured(metrics),
            written: Notify::new(),
            paused: watch::Sender::new(false),
            busy: tokio::sync::Mutex::default(),
        };
        relay.sent.expect(relay.labels());
        Ok(relay)
    }

    /// Something was written.
    pub(super) fn wake(&self) {
        self.written.notify_one();
    }

    /// Holds the rows back, or lets them go. Returns when no row is on its way.
    pub(super) async fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
        drop(self.busy.lock().await);
        self.wake();
    }

    /// Publishes for as long as the process lives.
    pub(super) async fn run(&self) {
        let mut reported = false;
        loop {
            match self.publish().await {
                // There may be more.
                Ok(published) if published > 0 => {
                    reported = false;
                    continue;
                }
                Ok(_) => reported = false,
                Err(error) if !reported => {
                    tracing::warn!(error = %error, "the outbox could not be looked into");
                    reported = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = self.written.notified() => {}
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// Publishes what is there, and ends.
    pub(super) async fn finish(&self, relaying: JoinHandle<()>) {
        let rest = async { while !matches!(self.publish().await, Ok(0) | Err(_)) {} };
        if tokio::time::timeout(FINISH_LIMIT, rest).await.is_err() {
            tracing::warn!("Kafka did not take the rest of the outbox before the end: it stays where it is");
        }
        // What is on its way is reported as failed, so that its spans end.
        self.producer.purge(PurgeConfig::default().queue().inflight());
        _ = tokio::time::timeout(Duration::from_millis(500), self.busy.lock()).await;
        relaying.abort();
    }

    /// Publishes the first rows and removes those that Kafka has. Returns how many that were.
    async fn publish(&self) -> Result<usize, DatabaseError> {
        let _busy = self.busy.lock().await;
        let transaction = self.database.begin().await?;
        let paused = *self.paused.borrow();
        let rows = match paused {
            true => Vec::new(),
            false => outbox::take(&transaction, &self.service).await?,
        };
        let published = self.send(rows).await;
        if !published.is_empty() {
            outbox::remove(&transaction, &published).await?;
        }
        let (waiting, oldest_age) = outbox::measure(&transaction).await?;
        self.waiting.is(waiting, oldest_age);
        transaction.commit().await?;
        Ok(published.len())
    }

    /// Hands all rows over in their order, then waits for each. Returns those that Kafka has.
    async fn send(&self, rows: Vec<Row>) -> Vec<i64> {
        let shared = rows.first().map(|row| row.context.clone());
        let mut under_way = Vec::with_capacity(rows.len());
        for row in &rows {
            let parent = match (self.service.common.defect, &shared) {
                // One context for all that was read together.
                (Some(Defect::OutboxContextShared), Some(shared)) => shared,
                _ => &row.context,
            };
            let (span, started) = (self.span(parent, row), Instant::now());
            let headers = propagation::headers_with(self.service.telemetry.propagator(), span.context())
                .insert(Header { key: EVENT_ID, value: Some(&row.event_id) });
            let record = FutureRecord::to(&self.topic).key(&row.key).payload(&row.value).headers(headers);
            let sending = self.producer.send_result(record).map_err(|(error, _)| error);
            under_way.push((row.id, span, started, sending));
        }
        let mut published = Vec::with_capacity(rows.len());
        for (id, span, started, sending) in under_way {
            let outcome = delivered(sending).await;
            if outcome.is_ok() {
                published.push(id);
            }
            self.finish_span(span, started.elapsed(), outcome);
        }
        published
    }

    fn span(&self, parent: &Context, row: &Row) -> Operation {
        let mut attributes = self.attributes.clone();
        attributes.extend([
            KeyValue::new("messaging.kafka.message.key", row.key.clone()),
            KeyValue::new("messaging.message.id", row.event_id.clone()),
            KeyValue::new("ledger.entry.id", row.event_id.clone()),
        ]);
        let name = format!("send {}", self.topic);
        self.service.telemetry.span(parent, SpanKind::Producer, name, attributes)
    }

    fn finish_span(&self, span: Operation, elapsed: Duration, outcome: Result<Delivery, KafkaError>) {
        let mut labels = self.labels();
        match outcome {
            Ok(delivery) => {
                let partition = delivery.partition.to_string();
                span.set(KeyValue::new("messaging.destination.partition.id", partition));
                span.set(KeyValue::new("messaging.kafka.offset", delivery.offset));
            }
            Err(error) => {
                let kind = error_kind(&error);
                span.fail_with(kind.clone(), &error.to_string());
                labels = labels.with("error.type", kind);
            }
        }
        self.sent.add(1, labels.clone());
        self.send_duration.record(span.context(), elapsed, labels);
        span.end();
    }

    fn labels(&self) -> Labels {
        Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.operation.name", "send".into()),
            ("messaging.destination.name", self.topic.clone().into()),
        ])
    }
}

async fn delivered(sending: Result<DeliveryFuture, KafkaError>) -> Result<Delivery, KafkaError> {
    match sending?.await {
        Ok(outcome) => outcome.map_err(|(error, _)| error),
        Err(_) => Err(KafkaError::Canceled),
    }
}

fn measured(metrics: &mut Metrics) -> Arc<Waiting> {
    let waiting = Arc::new(Waiting::default());
    let seen = Arc::clone(&waiting);
    metrics.observe_all(
        "ledger.outbox.depth",
        "{row}",
        "Rows of the outbox that wait for Kafka",
        move || vec![(Labels::new([]), seen.looked().rows as f64)],
    );
    let seen = Arc::clone(&waiting);
    metrics.observe_all(
        "ledger.outbox.age",
        "s",
        "How long the first row of the outbox has waited",
        move || vec![(Labels::new([]), seen.age().as_secs_f64())],
    );
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_outbox_has_no_age_and_a_waiting_row_is_as_old_as_it_is() {
        let waiting = Waiting::default();
        waiting.is(0, 0.0);
        assert_eq!((waiting.looked().rows, waiting.age()), (0, Duration::ZERO));
        waiting.is(2, 3_600.0);
        assert_eq!(waiting.looked().rows, 2);
        assert!(waiting.age() >= Duration::from_secs(3_600));
    }
}
