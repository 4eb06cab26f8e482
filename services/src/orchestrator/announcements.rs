//! Tells whoever wants to know that a transfer is settled, over RabbitMQ, where there is one.
//!
//! The transfer is settled without it: what cannot be sent within its limit is given up, counted and traced.

use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};

use crate::amqp::{AmqpSettings, Publisher};
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::service::Service;

/// Announces settled transfers.
pub(super) struct Announcements {
    service: Service,
    publisher: Publisher,
    destination: String,
    attributes: Vec<KeyValue>,
    sent: Count,
    duration: Latency,
}

impl Announcements {
    pub(super) fn new(
        service: &Service,
        settings: AmqpSettings,
        limit: Duration,
        metrics: &mut Metrics,
    ) -> Self {
        let destination = settings.destination();
        let mut attributes = settings.attributes(&destination);
        attributes.extend([
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.client.id", service.program),
        ]);
        let announcements = Self {
            service: service.clone(),
            publisher: Publisher::new(service, settings, limit),
            destination,
            attributes,
            sent: metrics.count(
                "messaging.client.sent.messages",
                "{message}",
                "Messages sent to RabbitMQ or given up",
            ),
            duration: metrics.latency(
                "messaging.client.operation.duration",
                "Duration of sending messages",
                DURATION_BOUNDS,
            ),
        };
        announcements.sent.expect(announcements.labels());
        announcements
    }

    /// Sends what is to be known of a transfer, and returns when the broker has it or it is given up.
    pub(super) async fn send(&self, parent: &Context, transfer_id: &str, body: &[u8]) {
        let mut attributes = self.attributes.clone();
        attributes.extend([
            KeyValue::new("messaging.message.id", transfer_id.to_owned()),
            KeyValue::new("ledger.transfer.id", transfer_id.to_owned()),
        ]);
        let (name, started) = (format!("send {}", self.destination), Instant::now());
        let span = self.service.telemetry.span(parent, SpanKind::Producer, name, attributes);
        let outcome = self.publisher.send(span.context(), transfer_id, body).await;
        let mut labels = self.labels();
        if let Err(error) = &outcome {
            span.fail_with(error.kind(), &error.to_string());
            labels = labels.with("error.type", error.kind());
            tracing::warn!(error = %error, "a settled transfer could not be announced");
        }
        self.sent.add(1, labels.clone());
        self.duration.record(span.context(), started.elapsed(), labels);
        span.end();
    }

    /// Says goodbye to the broker.
    pub(super) async fn finish(&self) {
        self.publisher.finish().await;
    }

    fn labels(&self) -> Labels {
        Labels::new([
            ("messaging.system", "rabbitmq".into()),
            ("messaging.operation.name", "send".into()),
            ("messaging.destination.name", self.destination.clone().into()),
        ])
    }
}
