//! W3C Trace Context level 2 as a propagator for OpenTelemetry.
//!
//! The propagator that comes with the SDK reads lengths loosely, takes the first of two `traceparent` headers, reads only the
//! first `tracestate` header and drops the random flag: it passes 28 of the 41 cases of W3C's own suite. This one passes all.
//! It depends on OpenTelemetry's API and on `http`, nothing else; `README.md` says how to run W3C's suite against it.

mod headers;
mod traceparent;
mod tracestate;

use std::sync::OnceLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceId, TraceState};

pub use headers::Headers;
pub use traceparent::TraceParent;
pub use tracestate::{InvalidMember, Members};

pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";

/// Reads and writes `traceparent` and `tracestate`.
///
/// A context that cannot be read is none: whoever uses it starts a new trace. A `tracestate` that cannot be read is dropped
/// as a whole and spoils no `traceparent`.
#[derive(Debug, Clone, Default)]
pub struct TraceContextPropagator {
    ids_are_random: bool,
}

/// What came in, kept in the context: OpenTelemetry's own types have no room for it. Samplers drop the flags of a span that
/// is not recorded, and `TraceState` refuses keys that level 2 allows.
#[derive(Debug)]
struct Received {
    trace: TraceId,
    random: bool,
    members: Members,
    /// What of `members` the span context was given.
    given: TraceState,
}

impl TraceContextPropagator {
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that trace ids which begin here are random (as the SDK's own generator makes them), so that the random flag is
    /// set on them. The flag of a trace that came in stays as it was, whatever is said here.
    pub fn ids_are_random(self) -> Self {
        Self { ids_are_random: true }
    }

    /// The span of `context` as the value of `traceparent`, or of `traceresponse`, which is written the same way. None
    /// without a valid span.
    pub fn traceparent(&self, context: &Context) -> Option<String> {
        let span = context.span();
        let span_context = span.span_context();
        if !span_context.is_valid() {
            return None;
        }
        let random = match received(context, span_context) {
            Some(received) => received.random,
            None => self.ids_are_random || span_context.trace_flags().to_u8() & traceparent::RANDOM != 0,
        };
        let parent = TraceParent {
            trace: span_context.trace_id(),
            span: span_context.span_id(),
            sampled: span_context.is_sampled(),
            random,
        };
        Some(parent.to_string())
    }

    fn tracestate(&self, context: &Context) -> String {
        let span = context.span();
        let state = span.span_context().trace_state();
        match received(context, span.span_context()) {
            // Nobody changed it on its way through: what goes out is what came in.
            Some(received) if received.given == *state => received.members.header(),
            Some(received) => received.members.changed(&received.given, state).header(),
            None => Members::of(state).header(),
        }
    }
}

/// What came in with the trace of that span.
fn received<'c>(context: &'c Context, span: &SpanContext) -> Option<&'c Received> {
    context.get::<Received>().filter(|received| received.trace == span.trace_id())
}

impl TextMapPropagator for TraceContextPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let Some(traceparent) = self.traceparent(context) else { return };
        injector.set(TRACEPARENT, traceparent);
        let tracestate = self.tracestate(context);
        // An empty header is allowed, and should not be sent.
        if !tracestate.is_empty() {
            injector.set(TRACESTATE, tracestate);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let values = extractor.get_all(TRACEPARENT).unwrap_or_default();
        // Two headers: nobody can say which is right.
        let [value] = values[..] else { return context.clone() };
        let Some(parent) = TraceParent::parse(value) else { return context.clone() };
        let states = extractor.get_all(TRACESTATE).unwrap_or_default();
        let members = Members::parse(&states).unwrap_or_default();
        let given = members.as_trace_state();
        let flags = TraceFlags::new(parent.flags());
        let remote = SpanContext::new(parent.trace, parent.span, flags, true, given.clone());
        let received = Received { trace: parent.trace, random: parent.random, members, given };
        context.with_remote_span_context(remote).with_value(received)
    }

    fn fields(&self) -> FieldIter<'_> {
        static FIELDS: OnceLock<[String; 2]> = OnceLock::new();
        FieldIter::new(FIELDS.get_or_init(|| [TRACEPARENT.to_owned(), TRACESTATE.to_owned()]))
    }
}
