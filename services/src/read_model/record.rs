//! A record as it is worked on: its place, its entry, the context in which it was created, and its bytes for the dead letters.

use opentelemetry::trace::{Link, SpanContext, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};

use crate::bookkeeping::{EVENT_ID, Entry};
use crate::propagation;
use crate::service::Service;

/// One record, read and taken apart.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// The entry, or why the value is none.
    pub(super) entry: Result<Entry, String>,
    /// What names the event, by the record's header or the entry.
    pub(super) event_id: Option<String>,
    /// What the producer was doing; empty when the record does not say.
    pub(super) creation: Context,
}

impl Record {
    pub(super) fn read(message: &OwnedMessage, service: &Service) -> Self {
        let value = message.payload().unwrap_or_default().to_vec();
        let entry: Result<Entry, _> = serde_json::from_slice(&value).map_err(|error| error.to_string());
        let header = message.headers().and_then(|headers| headers.iter().find(|it| it.key == EVENT_ID));
        let header = header.and_then(|header| std::str::from_utf8(header.value?).ok());
        let own = entry.as_ref().ok().map(|entry| entry.entry_id.as_str());
        Self {
            event_id: header.or(own).map(str::to_owned),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().unwrap_or_default().to_vec(),
            entry,
            value,
            creation: propagation::context_in(service.telemetry.propagator(), message.headers()),
        }
    }

    /// A link to the span in which the record was created.
    pub(super) fn link(&self) -> Option<Link> {
        let creator: SpanContext = self.creation.span().span_context().clone();
        let id = self.event_id.clone().map(|id| KeyValue::new("messaging.message.id", id));
        creator.is_valid().then(|| Link::new(creator, id.into_iter().collect(), 0))
    }

    /// Attributes that say which record this is.
    pub(super) fn place(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("messaging.destination.partition.id", self.partition.to_string()),
            KeyValue::new("messaging.kafka.offset", self.offset),
        ];
        attributes.extend(self.event_id.clone().map(|id| KeyValue::new("ledger.entry.id", id)));
        attributes
    }
}
