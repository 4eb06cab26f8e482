//! Which traces are kept: the standard `OTEL_TRACES_SAMPLER`, and with `TRACES_KEEP_ERRORS` what has failed besides.
//!
//! Errors are kept by the part of a trace that this process works on: spans that are not sampled are recorded and held until
//! the part has ended, and are exported when one of them has failed. What is held is bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, SamplingResult, ShouldSample, Span, SpanData, SpanProcessor,
};

use crate::config::{Common, ConfigError, Environment};
use crate::defect::Defect;

/// Spans that are held at one time; beyond, the oldest traces are given up.
const HELD_MAX: usize = 10_000;
/// Traces that failed lately: what ends after its request belongs to them.
const REMEMBERED_MAX: usize = 1_000;

/// Whether traces with an error are kept whatever the sampler says.
pub(super) fn keeps_errors(common: &Common, environment: &Environment) -> Result<bool, ConfigError> {
    let promised = environment.value("TRACES_KEEP_ERRORS", false)?;
    // Nobody noticed that the switch does nothing.
    Ok(promised && common.defect != Some(Defect::ErrorsSampledAway))
}

/// The sampler that the environment asks for; it follows the parent unless it is told otherwise.
pub(super) fn sampler(common: &Common, environment: &Environment) -> Result<Sampler, ConfigError> {
    let follow = |root| Sampler::ParentBased(Box::new(root));
    match common.defect {
        // What a configuration block that is missing comes to: traces that begin here are kept by nobody.
        Some(Defect::SamplerZeroAtEdge) => return Ok(follow(Sampler::AlwaysOff)),
        Some(Defect::SamplerIgnoresParent) => return Ok(Sampler::AlwaysOn),
        _ => {}
    }
    let ratio = || Ok(Sampler::TraceIdRatioBased(environment.value("OTEL_TRACES_SAMPLER_ARG", 1.0)?));
    let variable = "OTEL_TRACES_SAMPLER";
    Ok(match environment.get(variable).unwrap_or("parentbased_always_on") {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => ratio()?,
        "parentbased_always_on" => follow(Sampler::AlwaysOn),
        "parentbased_always_off" => follow(Sampler::AlwaysOff),
        "parentbased_traceidratio" => follow(ratio()?),
        other => return Err(ConfigError::new(variable, format!("`{other}` is no sampler of this service"))),
    })
}

/// Records what another sampler would drop: it may fail yet.
#[derive(Debug, Clone)]
pub(super) struct RecordAll(pub(super) Sampler);

impl ShouldSample for RecordAll {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.0.should_sample(parent, trace, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

/// Passes sampled spans on, and of the others those whose part of the trace has failed.
#[derive(Debug)]
pub(super) struct KeepErrors<P> {
    next: P,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    spans: HashMap<TraceId, Vec<SpanData>>,
    count: usize,
    /// The traces that are held, oldest first.
    order: VecDeque<TraceId>,
    failed: VecDeque<TraceId>,
}

impl<P: SpanProcessor> KeepErrors<P> {
    pub(super) fn before(next: P) -> Self {
        Self { next, held: Mutex::default() }
    }

    fn release(&self, mut span: SpanData) {
        let context = &span.span_context;
        span.span_context = SpanContext::new(
            context.trace_id(),
            context.span_id(),
            context.trace_flags().with_sampled(true),
            context.is_remote(),
            context.trace_state().clone(),
        );
        self.next.on_end(span);
    }
}

impl Held {
    /// Takes a span in; gives back what is to be exported now.
    fn take(&mut self, span: SpanData) -> Vec<SpanData> {
        let trace = span.span_context.trace_id();
        if self.failed.contains(&trace) {
            return vec![span];
        }
        let ends_its_part = span.parent_span_is_remote || span.parent_span_id == SpanId::INVALID;
        let of_trace = self.spans.entry(trace).or_default();
        if of_trace.is_empty() {
            self.order.push_back(trace);
        }
        of_trace.push(span);
        self.count += 1;
        if !ends_its_part {
            self.give_up_oldest();
            return Vec::new();
        }
        let part = self.forget(trace);
        let is_error = |span: &SpanData| matches!(span.status, Status::Error { .. });
        if !part.iter().any(is_error) {
            return Vec::new();
        }
        self.failed.push_back(trace);
        if self.failed.len() > REMEMBERED_MAX {
            self.failed.pop_front();
        }
        part
    }

    fn forget(&mut self, trace: TraceId) -> Vec<SpanData> {
        let spans = self.spans.remove(&trace).unwrap_or_default();
        self.order.retain(|known| *known != trace);
        self.count -= spans.len();
        spans
    }

    fn give_up_oldest(&mut self) {
        while self.count > HELD_MAX
            && let Some(oldest) = self.order.front().copied()
        {
            self.forget(oldest);
        }
    }
}

impl<P: SpanProcessor> SpanProcessor for KeepErrors<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            return self.next.on_end(span);
        }
        let released = self.held.lock().unwrap_or_else(PoisonError::into_inner).take(span);
        released.into_iter().for_each(|span| self.release(span));
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Passed(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Passed {
        fn on_start(&self, _span: &mut Span, _context: &Context) {}

        fn on_end(&self, span: SpanData) {
            assert!(span.span_context.is_sampled(), "a batch processor would drop it");
            self.0.lock().unwrap().push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    impl Passed {
        fn names(&self) -> Vec<String> {
            self.0.lock().unwrap().iter().map(|span| span.name.to_string()).collect()
        }
    }

    fn keeping() -> (SdkTracer, Passed) {
        let passed = Passed::default();
        let off = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        let provider = SdkTracerProvider::builder()
            .with_sampler(RecordAll(off))
            .with_span_processor(KeepErrors::before(passed.clone()))
            .build();
        (provider.tracer("test"), passed)
    }

    /// A request with a statement in it.
    fn request(tracer: &SdkTracer, fails: bool) -> Context {
        let root = Context::new().with_span(tracer.start_with_context("request", &Context::new()));
        let mut statement = tracer.start_with_context("statement", &root);
        if fails {
            statement.set_status(Status::error(""));
        }
        statement.end();
        root.span().end();
        root
    }

    #[test]
    fn of_unsampled_traces_those_that_failed_are_exported() {
        let (tracer, passed) = keeping();
        request(&tracer, false);
        assert_eq!(passed.names(), Vec::<String>::new());
        let failed = request(&tracer, true);
        assert_eq!(passed.names(), ["statement", "request"]);
        tracer.start_with_context("afterwards", &failed).end();
        assert_eq!(passed.names(), ["statement", "request", "afterwards"]);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut held = Held::default();
        let (tracer, passed) = keeping();
        request(&tracer, true);
        let mut span = passed.0.lock().unwrap()[0].clone();
        span.status = Status::Unset;
        for number in 1..=(HELD_MAX + 10) as u128 {
            let id = span.span_context.span_id();
            span.span_context =
                SpanContext::new(number.into(), id, Default::default(), false, Default::default());
            assert!(held.take(span.clone()).is_empty());
        }
        assert_eq!((held.count, held.order.len(), held.spans.len()), (HELD_MAX, HELD_MAX, HELD_MAX));
    }

    #[test]
    fn an_unknown_sampler_and_a_ratio_that_is_none_are_refused() {
        let of = |environment: Environment| {
            let common = Common::from(&environment, "url-api", "127.0.0.1:0").unwrap();
            sampler(&common, &environment).map(|sampler| format!("{sampler:?}"))
        };
        assert_eq!(of(Environment::default()).unwrap(), "ParentBased(AlwaysOn)");
        let tenth = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.1")];
        assert_eq!(of(Environment::from(tenth)).unwrap(), "ParentBased(TraceIdRatioBased(0.1))");
        assert!(of(Environment::from([("OTEL_TRACES_SAMPLER", "xray")])).is_err());
        let no_ratio = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "some")];
        assert!(of(Environment::from(no_ratio)).is_err());
    }
}
