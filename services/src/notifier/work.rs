//! One message after the other: process span, note, acknowledgement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use opentelemetry::trace::{FutureExt as _, Link, SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use super::Settings;
use crate::amqp::error_kind;
use crate::bookkeeping::Settled;
use crate::database::{Database, DatabaseError, Statement};
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::service::Service;
use crate::telemetry::Operation;

const NOTE: Statement = Statement {
    operation: "INSERT",
    table: "notifications",
    text: "INSERT INTO notifications (transfer_id, account_id, amount, currency) VALUES ($1, $2, $3, $4) \
           ON CONFLICT (transfer_id) DO NOTHING",
};

const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// Turns messages into notes.
pub(super) struct Work {
    service: Service,
    database: Arc<Database>,
    destination: String,
    attributes: Vec<KeyValue>,
    consumed: Count,
    process_duration: Latency,
    /// Held while a message is worked on, so that a stop waits for it.
    busy: tokio::sync::Mutex<()>,
}

impl Work {
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        database: Arc<Database>,
        metrics: &mut Metrics,
    ) -> Self {
        let destination = format!("{}:{}", settings.amqp.destination(), settings.queue);
        let mut attributes = settings.amqp.attributes(&destination);
        attributes.push(KeyValue::new("messaging.client.id", service.program));
        let work = Self {
            service: service.clone(),
            database,
            destination,
            attributes,
            consumed: metrics.count(
                "messaging.client.consumed.messages",
                "{message}",
                "Messages received from RabbitMQ",
            ),
            process_duration: metrics.latency(
                "messaging.process.duration",
                "Duration of processing messages",
                DURATION_BOUNDS,
            ),
            busy: tokio::sync::Mutex::default(),
        };
        work.consumed.expect(work.labels("receive"));
        work
    }

    /// Waits for the stop, and for the message that is being worked on.
    pub(super) async fn stopped(&self) {
        self.service.stop.requested().await;
        let _idle = self.busy.lock().await;
    }

    /// Works on a message until it is noted or refused, or the process stops. While Postgres is away it is tried again.
    pub(super) async fn process(&self, message: &Delivery, creation: &Context) {
        let _busy = self.busy.lock().await;
        self.consumed.add(1, self.labels("receive"));
        let mut delay = RETRY_DELAY_MIN;
        while let Err(error) = self.process_once(message, creation).await {
            tracing::warn!(error = %error, "a settled transfer could not be noted, trying again");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.service.stop.requested() => return,
            }
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    async fn process_once(&self, message: &Delivery, creation: &Context) -> Result<(), DatabaseError> {
        let started = Instant::now();
        let settled: Result<Settled, _> = serde_json::from_slice(&message.data);
        let span = self.span(message, creation);
        let mut labels = self.labels("process");
        let outcome = match settled {
            Ok(settled) => self.note(&span, message, &settled).with_context(span.context().clone()).await,
            Err(error) => {
                labels = labels.with("error.type", "invalid_message");
                span.fail_with("invalid_message", &error.to_string());
                self.refuse(&span, message).with_context(span.context().clone()).await;
                Ok(())
            }
        };
        if let Err(error) = &outcome {
            labels = labels.with("error.type", error.kind().to_owned());
            span.fail_with(error.kind().to_owned(), &error.to_string());
        }
        self.process_duration.record(span.context(), started.elapsed(), labels);
        span.end();
        outcome
    }

    async fn note(
        &self,
        span: &Operation,
        message: &Delivery,
        settled: &Settled,
    ) -> Result<(), DatabaseError> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&settled.transfer_id, &settled.to, &settled.amount, &settled.currency];
        self.database.query(span.context(), &NOTE, &parameters).await?;
        let settling = self.settling(span, "ack");
        let outcome = message.ack(BasicAckOptions::default()).await.map(drop);
        finish(settling, outcome);
        Ok(())
    }

    /// Nobody can do anything with it, now or later.
    async fn refuse(&self, span: &Operation, message: &Delivery) {
        tracing::error!("a message is no settled transfer and is refused");
        let settling = self.settling(span, "reject");
        let outcome = message.reject(BasicRejectOptions { requeue: false }).await.map(drop);
        finish(settling, outcome);
    }

    fn settling(&self, span: &Operation, operation: &'static str) -> Operation {
        let name = format!("{operation} {}", self.destination);
        let attributes = self.attributes_of(operation, "settle");
        self.service.telemetry.span(span.context(), SpanKind::Client, name, attributes)
    }

    fn span(&self, message: &Delivery, creation: &Context) -> Operation {
        let mut attributes = self.attributes_of("process", "process");
        let tag = i64::try_from(message.delivery_tag).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new("messaging.rabbitmq.message.delivery_tag", tag));
        if let Some(id) = message.properties.message_id() {
            attributes.push(KeyValue::new("messaging.message.id", id.to_string()));
        }
        let creator = creation.span().span_context().clone();
        let links = creator.is_valid().then(|| Link::with_context(creator)).into_iter().collect();
        let name = format!("process {}", self.destination);
        self.service.telemetry.linked_span(creation, links, SpanKind::Consumer, name, attributes)
    }

    fn attributes_of(&self, operation: &'static str, kind: &'static str) -> Vec<KeyValue> {
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new("messaging.operation.name", operation));
        attributes.push(KeyValue::new("messaging.operation.type", kind));
        attributes
    }

    fn labels(&self, operation: &'static str) -> Labels {
        Labels::new([
            ("messaging.system", "rabbitmq".into()),
            ("messaging.operation.name", operation.into()),
            ("messaging.destination.name", self.destination.clone().into()),
        ])
    }
}

/// An acknowledgement that fails is no reason to stop: what comes again is noted once.
fn finish(settling: Operation, outcome: lapin::Result<()>) {
    if let Err(error) = outcome {
        settling.fail_with(error_kind(&error), &error.to_string());
        tracing::warn!(error = %error, "a message could not be settled");
    }
    settling.end();
}
