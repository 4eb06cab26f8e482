//! Where records go that cannot be projected: to a topic of their own, as they came, with what was wrong.
//!
//! A dead letter is sent in the trace of the record, so that whoever looks into it finds the request that caused it.

use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Settings;
use super::record::Record;
use crate::bookkeeping::EVENT_ID;
use crate::config::ConfigError;
use crate::kafka::{LogContext, error_kind, first_broker, producer_config};
use crate::metrics::{Count, Labels, Latency, Metrics};
use crate::propagation;
use crate::service::Service;

const REASON_BYTES_MAX: usize = 500;

/// Sends dead letters.
pub(super) struct DeadLetters {
    service: Service,
    producer: FutureProducer<LogContext>,
    /// Where the records came from.
    origin: String,
    topic: String,
    attributes: Vec<KeyValue>,
    sent: Count,
    duration: Latency,
}

impl DeadLetters {
    /// `duration` is the histogram that this service has for what its client does.
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        duration: &Latency,
        metrics: &mut Metrics,
    ) -> Result<Self, ConfigError> {
        let mut config = producer_config(&settings.kafka, service.program);
        config.set("acks", "all");
        let producer = config
            .create_with_context(LogContext)
            .map_err(|error| ConfigError::new("KAFKA_PROPERTIES", error))?;
        let (host, port) = first_broker(&settings.kafka);
        let mut attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.destination.name", settings.dead_letters.clone()),
            KeyValue::new("messaging.client.id", service.program),
            KeyValue::new("server.address", host),
        ];
        attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
        let sent =
            metrics.count("messaging.client.sent.messages", "{message}", "Records sent to Kafka or given up");
        let letters = Self {
            service: service.clone(),
            producer,
            origin: settings.kafka.topic.clone(),
            topic: settings.dead_letters.clone(),
            attributes,
            sent,
            duration: duration.clone(),
        };
        letters.sent.expect(letters.labels());
        Ok(letters)
    }

    /// Sends a record there, under the span that found it to be one.
    pub(super) async fn send(
        &self,
        parent: &Context,
        record: &Record,
        reason: &str,
    ) -> Result<(), KafkaError> {
        let mut attributes = self.attributes.clone();
        if let Some(id) = &record.event_id {
            attributes.push(KeyValue::new("messaging.message.id", id.clone()));
            attributes.push(KeyValue::new("ledger.entry.id", id.clone()));
        }
        let name = format!("send {}", self.topic);
        let span = self.service.telemetry.span(parent, SpanKind::Producer, name, attributes);
        let started = Instant::now();
        let headers = self.headers(span.context(), record, reason);
        let letter = FutureRecord::to(&self.topic).key(&record.key).payload(&record.value).headers(headers);
        let outcome = self.producer.send(letter, Duration::ZERO).await.map_err(|(error, _)| error);
        let mut labels = self.labels();
        match &outcome {
            Ok(delivery) => {
                let partition = delivery.partition.to_string();
                span.set(KeyValue::new("messaging.destination.partition.id", partition));
                span.set(KeyValue::new("messaging.kafka.offset", delivery.offset));
            }
            Err(error) => {
                span.fail_with(error_kind(error), &error.to_string());
                labels = labels.with("error.type", error_kind(error));
            }
        }
        self.sent.add(1, labels.clone());
        self.duration.record(span.context(), started.elapsed(), labels);
        span.end();
        outcome.map(drop)
    }

    /// The context, where the record came from, and what was wrong with it.
    fn headers(&self, context: &Context, record: &Record, reason: &str) -> OwnedHeaders {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        let (partition, offset) = (record.partition.to_string(), record.offset.to_string());
        let of_the_record = [
            (EVENT_ID, record.event_id.as_deref().unwrap_or_default()),
            ("dlt.topic", self.origin.as_str()),
            ("dlt.partition", &partition),
            ("dlt.offset", &offset),
            ("dlt.reason", &reason[..end]),
        ];
        let headers = propagation::headers_with(self.service.telemetry.propagator(), context);
        of_the_record
            .into_iter()
            .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }

    fn labels(&self) -> Labels {
        Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.operation.name", "send".into()),
            ("messaging.destination.name", self.topic.clone().into()),
        ])
    }
}
