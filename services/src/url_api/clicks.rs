//! Publishes click events behind the answer's back.
//!
//! The user is redirected at once; a spawned task sends the record in the trace of the request, which may have ended by then.
//! What waits is bounded: past the bound events are given up, counted and traced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::measures::Measures;
use crate::click_event::ClickEvent;
use crate::config::{ConfigError, KafkaSettings};
use crate::defect::Defect;
use crate::kafka::{LogContext, error_kind, first_broker, producer_config};
use crate::propagation::{self, Carrier};
use crate::service::Service;
use crate::telemetry::Operation;

/// How long a graceful stop waits for Kafka to take what is left.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// Sends click events.
#[derive(Clone)]
pub(super) struct Clicks {
    service: Service,
    producer: FutureProducer<LogContext>,
    topic: Arc<str>,
    /// Attributes that every send span has.
    attributes: Arc<[KeyValue]>,
    waiting: Arc<Semaphore>,
    waiting_max: u32,
    measures: Measures,
}

impl Clicks {
    pub(super) fn new(
        service: &Service,
        settings: &KafkaSettings,
        waiting_max: u32,
        measures: Measures,
    ) -> Result<Self, ConfigError> {
        let mut config = producer_config(settings, service.program);
        // Every replica that is in sync has the record, or the send has failed.
        config.set("acks", if service.common.defect == Some(Defect::ProducerAcksZero) { "0" } else { "all" });
        let producer = config
            .create_with_context(LogContext)
            .map_err(|error| ConfigError::new("KAFKA_PROPERTIES", error))?;
        let (host, port) = first_broker(settings);
        let mut attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.destination.name", settings.topic.clone()),
            KeyValue::new("messaging.client.id", service.program),
            KeyValue::new("server.address", host),
        ];
        attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
        Ok(Self {
            service: service.clone(),
            producer,
            topic: settings.topic.as_str().into(),
            attributes: attributes.into(),
            waiting: Arc::new(Semaphore::new(waiting_max as usize)),
            waiting_max,
            measures,
        })
    }

    /// Publishes a click in the background, in the trace of `request`.
    pub(super) async fn publish(&self, request: &Context, code: String) {
        let context = match self.service.common.defect {
            Some(Defect::SpawnWithoutContext) => Context::new(),
            // A context outlives its span: what is sent later is still the child of this request.
            _ => request.clone(),
        };
        let clicks = self.clone();
        if self.service.common.defect == Some(Defect::PublishBlocksRequest) {
            // Whoever asked may go away, what is sent stays in the producer.
            return drop(tokio::spawn(async move { clicks.send(&context, code).await }).await);
        }
        match Arc::clone(&self.waiting).try_acquire_owned() {
            Err(_) if self.service.common.defect != Some(Defect::UnboundedBuffer) => {
                clicks.give_up(&context, code);
            }
            place => {
                _ = tokio::spawn(async move {
                    clicks.send(&context, code).await;
                    drop(place);
                })
            }
        }
    }

    /// Waits until Kafka has taken everything, for as long as that is reasonable.
    pub(super) async fn drain(&self) {
        let all_sent = || self.waiting.acquire_many(self.waiting_max);
        if tokio::time::timeout(DRAIN_LIMIT, all_sent()).await.is_ok() {
            return;
        }
        let lost = self.waiting_max as usize - self.waiting.available_permits();
        tracing::error!(lost, "Kafka did not take these click events before the end");
        // What is purged is reported as failed, so that the spans of these events end.
        self.producer.purge(PurgeConfig::default().queue().inflight());
        _ = tokio::time::timeout(Duration::from_millis(500), all_sent()).await;
    }

    async fn send(&self, parent: &Context, code: String) {
        let event = ClickEvent::now(Uuid::new_v4().to_string(), code);
        let span = self.span(parent, &event);
        let started = Instant::now();
        let (value, headers) = self.encode(span.context(), event.clone());
        let record = FutureRecord::to(&self.topic).key(&event.code).payload(&value).headers(headers);
        let outcome = self.producer.send(record, Duration::ZERO).await;
        self.finish(span, started.elapsed(), outcome.map_err(|(error, _)| error));
    }

    /// Where the context goes: into the headers.
    fn encode(&self, context: &Context, mut event: ClickEvent) -> (String, OwnedHeaders) {
        let propagator = self.service.telemetry.propagator();
        let headers = match self.service.common.defect {
            Some(Defect::KafkaSendWithoutHeaders) => OwnedHeaders::new(),
            Some(Defect::BaggageDroppedAtKafka) => {
                propagation::headers_with(propagator, &context.with_cleared_baggage())
            }
            Some(Defect::KafkaHeaderInBody) => {
                propagator.inject_context(context, &mut Carrier(&mut event.context));
                OwnedHeaders::new()
            }
            Some(Defect::TraceparentMalformedForwarded) => {
                propagation::headers_as_they_came(propagator, context)
            }
            _ => propagation::headers_with(propagator, context),
        };
        let value = serde_json::to_string(&event).expect("strings and numbers are JSON");
        (value, headers)
    }

    fn span(&self, parent: &Context, event: &ClickEvent) -> Operation {
        let mut attributes = self.attributes.to_vec();
        attributes.extend([
            KeyValue::new("messaging.kafka.message.key", event.code.clone()),
            KeyValue::new("messaging.message.id", event.event_id.clone()),
            KeyValue::new("shortener.event.id", event.event_id.clone()),
        ]);
        let name = format!("send {}", self.topic);
        self.service.telemetry.span(parent, SpanKind::Producer, name, attributes)
    }

    fn finish(&self, span: Operation, elapsed: Duration, outcome: Result<Delivery, KafkaError>) {
        // What is logged here belongs to the request, whose own task may have ended.
        let _active = span.context().clone().attach();
        let mut labels = self.measures.send_labels();
        match outcome {
            Ok(delivery) => {
                let partition = delivery.partition.to_string();
                span.set(KeyValue::new("messaging.destination.partition.id", partition));
                span.set(KeyValue::new("messaging.kafka.offset", delivery.offset));
                tracing::debug!(partition = delivery.partition, offset = delivery.offset, "click event sent");
            }
            Err(error) => {
                let kind = error_kind(&error);
                span.fail_with(kind.clone(), &error.to_string());
                labels = labels.with("error.type", kind);
            }
        }
        self.measures.sent.add(1, labels.clone());
        self.measures.send_duration.record(span.context(), elapsed, labels);
        span.end();
    }

    fn give_up(&self, parent: &Context, code: String) {
        let event = ClickEvent::now(Uuid::new_v4().to_string(), code);
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        self.finish(self.span(parent, &event), Duration::ZERO, Err(full));
    }
}
