//! Baggage: what travels with a request through every service, beside its trace.
//!
//! Whatever a caller sends, only the members that this system declares go on: baggage is forwarded to everybody who is called,
//! and a caller's own members may be personal.

use opentelemetry::baggage::{Baggage, BaggageExt as _};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::BaggagePropagator;

/// The members that go on, each an attribute of every span.
const DECLARED: [&str; 1] = ["tenant.id"];
/// A longer value is no name of a tenant.
const VALUE_BYTES_MAX: usize = 128;

/// Reads and writes `baggage` headers with declared members only.
#[derive(Debug, Default)]
pub(super) struct DeclaredBaggage(BaggagePropagator);

impl TextMapPropagator for DeclaredBaggage {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let read = self.0.extract_with_context(&Context::new(), extractor);
        let mut declared = Baggage::new();
        for key in DECLARED {
            let value = read.baggage().get(key).filter(|value| value.as_str().len() <= VALUE_BYTES_MAX);
            if let Some(value) = value {
                declared.insert(key, value.clone());
            }
        }
        if declared.is_empty() { context.clone() } else { context.with_baggage(declared) }
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

/// The declared members of a context, as attributes.
pub(super) fn attributes(context: &Context) -> impl Iterator<Item = KeyValue> {
    let member = |key| context.baggage().get(key).map(|value| KeyValue::new(key, value.clone()));
    DECLARED.into_iter().filter_map(member)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn forwarded(header: &str) -> Option<String> {
        let carrier = HashMap::from([("baggage".to_owned(), header.to_owned())]);
        let propagator = DeclaredBaggage::default();
        let context = propagator.extract(&carrier);
        let mut written = HashMap::new();
        propagator.inject_context(&context, &mut written);
        written.remove("baggage")
    }

    #[test]
    fn only_declared_members_go_on() {
        assert_eq!(forwarded("tenant.id=acme").as_deref(), Some("tenant.id=acme"));
        assert_eq!(forwarded("user.phone=1,tenant.id=acme;p=1,x=y").as_deref(), Some("tenant.id=acme"));
        assert_eq!(forwarded("user.phone=1"), None);
        assert_eq!(forwarded(""), None);
        assert_eq!(forwarded(&format!("tenant.id={}", "x".repeat(VALUE_BYTES_MAX + 1))), None);
    }

    #[test]
    fn a_member_is_an_attribute() {
        let context =
            Context::new().with_baggage([KeyValue::new("tenant.id", "acme"), KeyValue::new("x", "y")]);
        let attributes: Vec<_> = attributes(&context).collect();
        assert_eq!(attributes, [KeyValue::new("tenant.id", "acme")]);
    }
}
