//! Logs: one JSON object a line on standard output, and the same records over OTLP.
//!
//! Inside a request, and only there, a line carries `trace_id`, `span_id` and `trace_flags` of the span that is active.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt as _};

use super::level::LogLevel;
use crate::config::{Common, ConfigError};
use crate::defect::Defect;

/// Libraries that take part in exporting: what they log must not be exported, or it feeds itself.
const EXPORTING: [&str; 6] = ["opentelemetry", "hyper", "h2", "tonic", "tower", "reqwest"];

/// What `log-blocking` waits for with each line.
const SINK_DELAY: Duration = Duration::from_millis(10);

/// Makes this the logger of the process, and hands out its level.
pub(super) fn install(common: &Common, provider: &SdkLoggerProvider) -> Result<LogLevel, ConfigError> {
    let (filter, level) = LogLevel::filter(&common.log_level)?;
    let exported = OpenTelemetryTracingBridge::new(provider).with_filter(filter_fn(is_exported));
    let subscriber = tracing_subscriber::registry().with(filter).with(JsonLines::of(common)).with(exported);
    // A second telemetry of one process, as in tests, keeps the first logger.
    _ = tracing::subscriber::set_global_default(subscriber);
    Ok(level)
}

fn is_exported(metadata: &Metadata<'_>) -> bool {
    !EXPORTING.iter().any(|library| metadata.target().starts_with(library))
}

/// Writes each event as a line.
struct JsonLines {
    service_name: String,
    deployment_environment: String,
    defect: Option<Defect>,
}

impl JsonLines {
    fn of(common: &Common) -> Self {
        Self {
            service_name: common.service_name.clone(),
            deployment_environment: common.deployment_environment.clone(),
            defect: common.defect,
        }
    }

    fn line(&self, metadata: &Metadata<'_>, fields: &Fields) -> serde_json::Result<Vec<u8>> {
        let mut timestamp = String::new();
        _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
        // The SDK's own events have a name and often no message.
        let message = fields.message.as_deref().unwrap_or(metadata.name());

        let mut line = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("timestamp", &timestamp)?;
        object.serialize_entry("level", metadata.level().as_str())?;
        object.serialize_entry("message", message)?;
        object.serialize_entry("service.name", &self.service_name)?;
        object.serialize_entry("service.version", env!("CARGO_PKG_VERSION"))?;
        object.serialize_entry("deployment.environment.name", &self.deployment_environment)?;
        object.serialize_entry("target", metadata.target())?;
        Context::map_current(|context| -> serde_json::Result<()> {
            let span = context.span();
            let span_context = span.span_context();
            if self.names(span_context) {
                object.serialize_entry("trace_id", &span_context.trace_id().to_string())?;
                object.serialize_entry("span_id", &span_context.span_id().to_string())?;
                let flags = format!("{:02x}", span_context.trace_flags().to_u8());
                object.serialize_entry("trace_flags", &flags)?;
            }
            Ok(())
        })?;
        for (name, value) in &fields.others {
            object.serialize_entry(name, value)?;
        }
        object.end()?;
        line.push(b'\n');
        Ok(line)
    }

    /// Whether a line carries the ids of this context: of a request, and of nothing else.
    fn names(&self, context: &SpanContext) -> bool {
        match self.defect {
            Some(Defect::LogWithoutContext) => false,
            Some(Defect::LogAllZeroIds) => true,
            _ => context.is_valid(),
        }
    }
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _context: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Ok(line) = self.line(event.metadata(), &fields) {
            let mut output = std::io::stdout().lock();
            if self.defect == Some(Defect::LogBlocking) {
                slow_sink();
            }
            // One write, so that lines of two threads do not mix. Nobody is left to tell when standard output is closed.
            _ = output.write_all(&line);
        }
    }
}

/// A sink across a network, that every request waits for in turn.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the mistake: it blocks the thread that serves requests"
)]
fn slow_sink() {
    std::thread::sleep(SINK_DELAY);
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => self.message = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;
    use crate::config::Environment;

    /// Renders events as [`JsonLines`] would print them.
    struct Capture(JsonLines, Arc<Mutex<Vec<Value>>>);

    impl<S: Subscriber> Layer<S> for Capture {
        fn on_event(&self, event: &Event<'_>, _context: LayerContext<'_, S>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let line = self.0.line(event.metadata(), &fields).unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            self.1.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let common = Common::from(&Environment::default(), "url-api", "127.0.0.1:0").unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let capture = Capture(JsonLines::of(&common), Arc::clone(&lines));
        let subscriber = tracing_subscriber::registry().with(capture);
        tracing::subscriber::with_default(subscriber, log);
        lines.lock().unwrap().clone()
    }

    #[test]
    fn a_line_is_one_object_with_the_fields_of_the_schema() {
        let lines = lines(|| tracing::warn!(reason = "circuit_open", attempt = 2, "line\nbreak"));
        let line = &lines[0];
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "line\nbreak");
        assert_eq!(line["service.name"], "url-api");
        assert_eq!(line["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(line["deployment.environment.name"], "development");
        assert_eq!((&line["reason"], &line["attempt"]), (&"circuit_open".into(), &2.into()));
        let timestamp = line["timestamp"].as_str().unwrap();
        assert!(timestamp.contains('T') && timestamp.ends_with('Z'), "{timestamp}");
    }

    #[test]
    fn a_line_outside_of_a_request_has_no_ids() {
        let lines = lines(|| tracing::info!("listening"));
        assert!(lines[0].get("trace_id").is_none());
        assert!(lines[0].get("span_id").is_none());
    }

    #[test]
    fn a_line_inside_of_a_request_has_the_ids_of_its_span() {
        let span = SpanContext::new(
            TraceId::from(0xa1),
            SpanId::from(0xb2),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        let lines = lines(|| {
            let _active = Context::new().with_remote_span_context(span).attach();
            tracing::info!("inside");
        });
        assert_eq!(lines[0]["trace_id"], "000000000000000000000000000000a1");
        assert_eq!(lines[0]["span_id"], "00000000000000b2");
        assert_eq!(lines[0]["trace_flags"], "01");
    }

    #[test]
    fn an_event_without_a_message_is_called_by_its_name() {
        let lines = lines(|| tracing::error!(name: "BatchSpanProcessor.ExportError", error = "x"));
        assert_eq!(lines[0]["message"], "BatchSpanProcessor.ExportError");
        assert_eq!(lines[0]["error"], "x");
    }
}
