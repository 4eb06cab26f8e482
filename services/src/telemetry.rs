//! Traces, metrics and logs of a process: set up once, flushed once.
//!
//! Spans are started with OpenTelemetry's own API and an explicit parent, so that a span ends when its operation ends even
//! when work that it spawned lives on. `tracing` carries the logs. Nothing here waits for a collector: exporters connect when
//! they have something to send.

mod baggage;
mod detours;
mod exporter;
mod exports;
mod level;
mod logs;
mod pipeline;
mod resource;
mod sampling;
mod tampering;

use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{
    Link, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use trace_context::TraceContextPropagator;

pub(crate) use exporter::wait_for_collector;
pub(crate) use exports::Exports;
pub(crate) use level::{Level, LogLevel};

use crate::config::{Common, ConfigError, Environment};
use crate::defect::Defect;
use baggage::DeclaredBaggage;
use exporter::Exporters;

/// The conventions that names and attributes of this crate follow.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Spans that may wait for their export: the specification's default.
const SPANS_WAITING_MAX: u64 = 2_048;

/// The telemetry of one process.
#[derive(Debug)]
pub(crate) struct Telemetry {
    tracer: SdkTracer,
    propagator: TextMapCompositePropagator,
    meter: Meter,
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
    exports: Exports,
    level: LogLevel,
}

impl Telemetry {
    /// Sets up the exporters that the standard `OTEL_*` variables ask for, and the process's logger. Must be called inside
    /// the runtime that serves the requests.
    pub(crate) fn start(common: &Common, environment: &Environment) -> Result<Self, ConfigError> {
        let resource = resource::of(common);
        let exporters = Exporters::from(common, environment)?;

        let exports = Exports::bounded(environment.value("OTEL_BSP_MAX_QUEUE_SIZE", SPANS_WAITING_MAX)?);
        let spans = exporters.spans()?;
        let traces = pipeline::provider(resource.clone(), spans, common, environment, &exports)?;
        let mut metrics = SdkMeterProvider::builder().with_resource(resource.clone());
        let metric_exporter = exporters.metrics()?;
        let pushes_metrics = metric_exporter.is_some();
        if let Some(exporter) = metric_exporter {
            metrics = metrics.with_periodic_exporter(exporter);
        }
        let mut logs = SdkLoggerProvider::builder().with_resource(resource);
        if let Some(exporter) = exporters.logs()? {
            logs = logs.with_batch_exporter(exporter);
        }

        let (metrics, logs) = (metrics.build(), logs.build());
        let level = logs::install(common, &logs)?;
        let scope = InstrumentationScope::builder(common.system.name())
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        let meter = match pushes_metrics {
            true => metrics.meter_with_scope(scope.clone()),
            // Scraped only. The SDK calls each observed instrument without a reader an error; the global provider, which nobody
            // sets here, takes them and does nothing.
            false => opentelemetry::global::meter_with_scope(scope.clone()),
        };
        Ok(Self {
            tracer: traces.tracer_with_scope(scope),
            propagator: propagator(),
            meter,
            traces,
            metrics,
            logs,
            exports,
            level,
        })
    }

    /// Telemetry that is recorded and goes nowhere, for tests.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        let (traces, metrics, logs) = (
            SdkTracerProvider::builder().build(),
            SdkMeterProvider::builder().build(),
            SdkLoggerProvider::builder().build(),
        );
        Self {
            tracer: traces.tracer("test"),
            propagator: propagator(),
            meter: metrics.meter("test"),
            traces,
            metrics,
            logs,
            exports: Exports::bounded(SPANS_WAITING_MAX),
            level: LogLevel::filter("info").expect("a level").1,
        }
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// What became of the spans that ended so far.
    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    /// Carries the trace and the baggage of a context to whoever is called.
    pub(crate) fn propagator(&self) -> &dyn TextMapPropagator {
        &self.propagator
    }

    /// The level of the process's logger.
    pub(crate) fn level(&self) -> &LogLevel {
        &self.level
    }

    /// The span of `context` as the value of `traceparent` or `traceresponse`; none without a span.
    pub(crate) fn traceparent(&self, context: &Context) -> Option<String> {
        trace_context().traceparent(context)
    }

    /// Starts a span under `parent` and nothing else. It ends with [`Operation::end`], or when it is dropped.
    pub(crate) fn span(
        &self,
        parent: &Context,
        kind: SpanKind,
        name: impl Into<std::borrow::Cow<'static, str>>,
        attributes: Vec<KeyValue>,
    ) -> Operation {
        self.linked_span(parent, Vec::new(), kind, name, attributes)
    }

    /// The same, with links.
    pub(crate) fn linked_span(
        &self,
        parent: &Context,
        links: Vec<Link>,
        kind: SpanKind,
        name: impl Into<std::borrow::Cow<'static, str>>,
        mut attributes: Vec<KeyValue>,
    ) -> Operation {
        attributes.extend(baggage::attributes(parent));
        let builder =
            SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes).with_links(links);
        let span = self.tracer.build_with_context(builder, parent);
        Operation { context: parent.with_span(span) }
    }

    /// Exports what is left. Returns after `limit` at the latest, whatever the collector does.
    pub(crate) async fn flush(&self, limit: Duration) {
        let (traces, metrics, logs) = (self.traces.clone(), self.metrics.clone(), self.logs.clone());
        // The three flush side by side: none of them may use up the time of another.
        let flushes = [
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(limit)),
            tokio::task::spawn_blocking(move || metrics.shutdown_with_timeout(limit)),
            tokio::task::spawn_blocking(move || logs.shutdown_with_timeout(limit)),
        ];
        let all = futures_util::future::join_all(flushes);
        if tokio::time::timeout(limit, all).await.is_err() {
            // This target is not exported: the exporter of logs is among those that did not end.
            tracing::warn!(target: "opentelemetry", "telemetry could not be exported in time");
        }
    }
}

fn propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![Box::new(trace_context()), Box::new(DeclaredBaggage::default())])
}

/// The SDK's own generator makes the ids.
fn trace_context() -> TraceContextPropagator {
    TraceContextPropagator::new().ids_are_random()
}

/// A span that is open, and the context in which its work is done.
#[derive(Debug)]
pub(crate) struct Operation {
    context: Context,
}

impl Operation {
    /// The context to hand to what happens inside.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn set(&self, attribute: KeyValue) {
        self.context.span().set_attribute(attribute);
    }

    /// Marks the span as failed. `error_type` has few values: a code or the name of a class of errors.
    pub(crate) fn fail(&self, error_type: impl Into<opentelemetry::Value>) {
        self.fail_with(error_type, "");
    }

    /// The same, with a description for people.
    pub(crate) fn fail_with(&self, error_type: impl Into<opentelemetry::Value>, description: &str) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("error.type", error_type));
        span.set_status(Status::error(description.to_owned()));
    }

    /// Ends the span now, although other work may still hold its context.
    pub(crate) fn end(self) {
        drop(self);
    }

    /// Keeps the span open for ever, which is to say that nobody will see it.
    pub(crate) fn never_end(self, _wrong: Defect) {
        std::mem::forget(self);
    }
}

impl Drop for Operation {
    /// An operation whose future was dropped ends here, as nobody else can end it.
    fn drop(&mut self) {
        self.context.span().end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

    use super::tampering::Tampering;
    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Ended(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Ended {
        fn on_start(&self, _span: &mut Span, _context: &Context) {}

        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    impl Ended {
        fn names(&self) -> Vec<String> {
            self.0.lock().unwrap().iter().map(|span| span.name.to_string()).collect()
        }
    }

    fn recording() -> (Telemetry, Ended) {
        let ended = Ended::default();
        let traces = SdkTracerProvider::builder().with_span_processor(ended.clone()).build();
        let telemetry = Telemetry { tracer: traces.tracer("test"), traces, ..Telemetry::nowhere() };
        (telemetry, ended)
    }

    #[test]
    fn a_span_ends_with_its_operation_although_its_context_lives_on() {
        let (telemetry, ended) = recording();
        let request = telemetry.span(&Context::new(), SpanKind::Server, "request", Vec::new());
        let context = request.context().clone();
        request.end();
        assert_eq!(ended.names(), ["request"]);

        telemetry.span(&context, SpanKind::Producer, "send", Vec::new()).end();
        let spans = ended.0.lock().unwrap();
        assert_eq!(spans[1].parent_span_id, spans[0].span_context.span_id());
        assert_eq!(spans[1].span_context.trace_id(), spans[0].span_context.trace_id());
    }

    #[test]
    fn an_operation_that_is_dropped_in_the_middle_ends_its_span() {
        let (telemetry, ended) = recording();
        drop(telemetry.span(&Context::new(), SpanKind::Client, "cut", Vec::new()));
        assert_eq!(ended.names(), ["cut"]);
    }

    #[test]
    fn a_span_that_never_ends_is_seen_by_nobody() {
        let (telemetry, ended) = recording();
        let span = telemetry.span(&Context::new(), SpanKind::Client, "lost", Vec::new());
        let context = span.context().clone();
        span.never_end(Defect::SpanNeverEnded);
        drop(context);
        assert_eq!(ended.names(), Vec::<String>::new());
    }

    #[test]
    fn a_failure_has_a_type_and_a_status() {
        let (telemetry, ended) = recording();
        let span = telemetry.span(&Context::new(), SpanKind::Client, "SELECT links", Vec::new());
        span.fail_with("40001", "serialization failure");
        span.end();
        let spans = ended.0.lock().unwrap();
        assert_eq!(spans[0].status, Status::error("serialization failure"));
        assert_eq!(spans[0].attributes, [KeyValue::new("error.type", "40001")]);
    }

    #[test]
    fn tampering_drops_the_rpc_client_span_or_turns_the_clock_back() {
        let (telemetry, ended) = recording();
        let method = vec![KeyValue::new("rpc.method", "analytics.v1.Analytics/GetClickCount")];
        telemetry.span(&Context::new(), SpanKind::Client, "call", method.clone()).end();
        telemetry.span(&Context::new(), SpanKind::Server, "call", method).end();
        telemetry.span(&Context::new(), SpanKind::Client, "SELECT links", Vec::new()).end();
        let spans = ended.0.lock().unwrap().clone();

        let mut batch = spans.clone();
        Tampering::DropRpcClientSpans.apply(&mut batch);
        assert_eq!(batch, spans[1..]);

        let mut batch = spans.clone();
        Tampering::FiveSecondsBehind.apply(&mut batch);
        assert_eq!(batch[0].start_time + Duration::from_secs(5), spans[0].start_time);
        assert_eq!(batch[0].end_time + Duration::from_secs(5), spans[0].end_time);
    }
}
