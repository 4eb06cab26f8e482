//! Headers of HTTP and of gRPC, to be read from.

use http::HeaderMap;
use opentelemetry::propagation::Extractor;

/// Every value of a header, in order. A value that is no text counts as one that is not valid, not as none: of two
/// `traceparent` headers the readable one must not be taken for the only one.
#[derive(Debug)]
pub struct Headers<'a>(pub &'a HeaderMap);

const UNREADABLE: &str = "\u{fffd}";

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.to_str().unwrap_or(UNREADABLE))
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> =
            self.0.get_all(key).iter().map(|value| value.to_str().unwrap_or(UNREADABLE)).collect();
        (!values.is_empty()).then_some(values)
    }
}
