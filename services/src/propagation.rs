//! Trace context between processes: in record headers, in gRPC metadata, in any map of fields.
//!
//! Names are lower case, as W3C Trace Context spells them; what is empty is not worth a header.

use std::collections::BTreeMap;

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use tonic::metadata::{MetadataKey, MetadataMap};
use trace_context::TraceParent;

/// The record headers that carry `context`.
pub(crate) fn headers_with(propagator: &dyn TextMapPropagator, context: &Context) -> OwnedHeaders {
    let mut carrier = BTreeMap::new();
    propagator.inject_context(context, &mut Carrier(&mut carrier));
    let headers = OwnedHeaders::new_with_capacity(carrier.len());
    carrier.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// A `traceparent` that is not valid, kept to be handed on as it came: see `traceparent-malformed-forwarded`.
#[derive(Debug)]
struct AsItCame(String);

/// Keeps the `traceparent` of these headers in the context when it is not valid.
pub(crate) fn with_malformed(context: &Context, headers: &HeaderMap) -> Context {
    let value =
        headers.get("traceparent").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match value.filter(|value| TraceParent::parse(value).is_none()) {
        Some(value) => context.with_value(AsItCame(value)),
        None => context.clone(),
    }
}

/// The record headers that carry what came in, where that was kept, else `context`.
pub(crate) fn headers_as_they_came(propagator: &dyn TextMapPropagator, context: &Context) -> OwnedHeaders {
    match context.get::<AsItCame>() {
        Some(AsItCame(value)) => {
            OwnedHeaders::new().insert(Header { key: "traceparent", value: Some(value) })
        }
        None => headers_with(propagator, context),
    }
}

/// The context that record headers carry; an empty one when there is none or it is broken.
pub(crate) fn context_in<H: Headers>(propagator: &dyn TextMapPropagator, headers: Option<&H>) -> Context {
    let headers: Vec<_> = headers.into_iter().flat_map(Headers::iter).collect();
    propagator.extract_with_context(&Context::new(), &RecordHeaders(headers))
}

/// The context in a map of fields.
pub(crate) fn context_of(propagator: &dyn TextMapPropagator, fields: &BTreeMap<String, String>) -> Context {
    propagator.extract_with_context(&Context::new(), &Fields(fields))
}

/// Writes a context into the metadata of a call.
pub(crate) struct Metadata<'a>(pub &'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

/// Collects the fields of a context; empty ones are not worth a header.
pub(crate) struct Carrier<'a>(pub &'a mut BTreeMap<String, String>);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.insert(key.to_ascii_lowercase(), value);
        }
    }
}

/// Headers of a record. Kafka's keys have a case: `Traceparent` is another header.
struct RecordHeaders<'a>(Vec<Header<'a, &'a [u8]>>);

impl RecordHeaders<'_> {
    /// What is no text is a value all the same, and not a valid one.
    fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        let of_key = self.0.iter().filter(move |header| header.key == key);
        of_key.map(|header| std::str::from_utf8(header.value.unwrap_or_default()).unwrap_or("\u{fffd}"))
    }
}

impl Extractor for RecordHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.values(key).next()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|header| header.key).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> = self.values(key).collect();
        (!values.is_empty()).then_some(values)
    }
}

struct Fields<'a>(&'a BTreeMap<String, String>);

impl Extractor for Fields<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use trace_context::TraceContextPropagator;

    use super::*;

    fn context(trace_state: TraceState) -> Context {
        Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from(0xa1),
            SpanId::from(0xb2),
            TraceFlags::SAMPLED,
            true,
            trace_state,
        ))
    }

    fn pairs(headers: &OwnedHeaders) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        headers.iter().map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default()))).collect()
    }

    #[test]
    fn headers_are_lower_case_and_none_is_empty() {
        let propagator = TraceContextPropagator::new();
        let headers = headers_with(&propagator, &context(TraceState::NONE));
        let expected = "00-000000000000000000000000000000a1-00000000000000b2-01";
        assert_eq!(pairs(&headers), [("traceparent".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn a_context_survives_the_record() {
        let propagator = TraceContextPropagator::new();
        let state = TraceState::from_key_value([("vendor", "value")]).unwrap();
        let headers = headers_with(&propagator, &context(state.clone()));
        let read = context_in(&propagator, Some(&headers));
        let span = read.span();
        assert_eq!(span.span_context().trace_id(), TraceId::from(0xa1));
        assert_eq!(span.span_context().span_id(), SpanId::from(0xb2));
        assert_eq!(span.span_context().trace_state(), &state);
        assert!(span.span_context().is_remote());
    }

    #[test]
    fn a_record_without_a_usable_context_has_an_empty_one() {
        let propagator = TraceContextPropagator::new();
        let with = |key: &str, value: &[u8]| OwnedHeaders::new().insert(Header { key, value: Some(value) });
        let valid = b"00-000000000000000000000000000000a1-00000000000000b2-01";
        let none: Option<&OwnedHeaders> = None;
        assert!(!context_in(&propagator, none).span().span_context().is_valid());
        for headers in [
            with("Traceparent", valid),
            with("traceparent", b"not a context"),
            with("traceparent", &[0xff, 0xfe]),
            with("traceparent", b"00-00000000000000000000000000000000-0000000000000000-01"),
            with("traceparent", valid).insert(Header { key: "traceparent", value: Some(valid) }),
        ] {
            assert!(!context_in(&propagator, Some(&headers)).span().span_context().is_valid());
        }
    }

    #[test]
    fn metadata_carries_the_context_and_nothing_empty() {
        let mut map = MetadataMap::new();
        let mut metadata = Metadata(&mut map);
        metadata.set("traceparent", "00-a-b-01".to_owned());
        metadata.set("tracestate", String::new());
        assert_eq!(map.get("traceparent").unwrap(), "00-a-b-01");
        assert!(map.get("tracestate").is_none());
    }
}
