//! A record as the consumer works on it: its place, its event, the context in which it was created.

use opentelemetry::trace::{Link, SpanContext, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use rdkafka::message::{Message as _, OwnedMessage};

use crate::click_event::ClickEvent;
use crate::defect::Defect;
use crate::propagation;
use crate::service::Service;

/// One record, read and taken apart.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) key: Option<String>,
    /// The event, or why the value is none.
    pub(super) event: Result<ClickEvent, String>,
    /// What the producer was doing; empty when the record does not say.
    pub(super) creation: Context,
}

impl Record {
    pub(super) fn read(message: &OwnedMessage, service: &Service) -> Self {
        let propagator = service.telemetry.propagator();
        let value = message.payload().unwrap_or_default();
        let event: Result<ClickEvent, _> = serde_json::from_slice(value).map_err(|error| error.to_string());
        let creation = match (service.common.defect, &event) {
            (Some(Defect::ConsumerIgnoresHeaders), _) => Context::new(),
            (Some(Defect::KafkaHeaderInBody), Ok(event)) => {
                propagation::context_of(propagator, &event.context)
            }
            _ => propagation::context_in(propagator, message.headers()),
        };
        let key = message.key().and_then(|key| std::str::from_utf8(key).ok()).map(str::to_owned);
        Self { partition: message.partition(), offset: message.offset(), key, event, creation }
    }

    /// What names the event, when there is one.
    pub(super) fn event_id(&self) -> Option<&str> {
        self.event.as_ref().ok().map(|event| event.event_id.as_str())
    }

    /// The span in which the record was created.
    pub(super) fn creator(&self) -> Option<SpanContext> {
        let span = self.creation.span();
        Some(span.span_context().clone()).filter(SpanContext::is_valid)
    }

    /// A link to the creator. `with_place` adds what names the record, for spans of many records.
    pub(super) fn link(&self, with_place: bool) -> Option<Link> {
        let message_id = self.event_id().map(str::to_owned);
        let mut attributes: Vec<KeyValue> =
            message_id.map(|id| KeyValue::new("messaging.message.id", id)).into_iter().collect();
        if with_place {
            attributes.extend(self.place());
        }
        self.creator().map(|creator| Link::new(creator, attributes, 0))
    }

    /// Attributes that say which record this is.
    pub(super) fn place(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("messaging.destination.partition.id", self.partition.to_string()),
            KeyValue::new("messaging.kafka.offset", self.offset),
        ];
        if let Some(id) = self.event_id() {
            attributes.push(KeyValue::new("shortener.event.id", id.to_owned()));
        }
        attributes
    }
}
