//! Logs, joined to their spans: lines of standard output and error, and what came over OTLP.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use serde_json::{Map, Value, json};

use super::metrics::shown;
use super::spans::bounded;
use super::{Budget, Build, plain, take};
use crate::model::{ExportRequest, LogLine, Signal, SpanId, TraceId};

/// What loggers call the ids and the rest; the first that is there counts.
const TRACE_KEYS: [&str; 4] = ["trace_id", "traceId", "traceid", "trace.id"];
const SPAN_KEYS: [&str; 4] = ["span_id", "spanId", "spanid", "span.id"];
const LEVEL_KEYS: [&str; 4] = ["level", "severity", "lvl", "severity_text"];
const MESSAGE_KEYS: [&str; 4] = ["message", "msg", "body", "event"];

/// `[from, line or null, level, message, everything, trace, row]`, in the order of their source.
pub(super) fn of(build: &mut Build, budget: &mut Budget) -> Vec<Value> {
    let evidence = build.case.evidence;
    let lines = bounded(build, "log lines", &evidence.logs, &mut budget.logs);
    let mut logs: Vec<_> = lines.iter().map(|entry| line(build, entry)).collect();
    let mut requests: Vec<_> =
        evidence.requests.iter().filter(|request| request.signal == Signal::Logs).collect();
    requests.sort_by_key(|request| request.received_unix_nanos);
    for request in requests {
        sent(build, request, budget, &mut logs);
    }
    logs
}

fn line(build: &mut Build, line: &LogLine) -> Value {
    let stream = if line.stderr { "stderr" } else { "stdout" };
    let from = build.text(&format!("{} {stream}", line.process));
    let json = line.json().unwrap_or_default();
    let level = build.text(&field(&json, &LEVEL_KEYS).unwrap_or_default());
    let message = field(&json, &MESSAGE_KEYS).unwrap_or_else(|| line.text.clone());
    let (message, whole) = (build.text(&message), build.text(&line.text));
    let trace = field(&json, &TRACE_KEYS).and_then(|text| TraceId::from_hex(&text));
    let span = field(&json, &SPAN_KEYS).and_then(|text| SpanId::from_hex(&text));
    json!([from, line.line, level, message, whole, trace, row(build, trace, span)])
}

fn field(json: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    let within = json.get("fields").and_then(Value::as_object);
    let value = keys.iter().find_map(|key| json.get(*key).or_else(|| within?.get(*key)))?;
    Some(value.as_str().map_or_else(|| value.to_string(), String::from))
}

fn row(build: &Build, trace: Option<TraceId>, span: Option<SpanId>) -> Option<u32> {
    build.case.spans.get(trace?, span?).and_then(|span| build.row(span))
}

fn sent(build: &mut Build, request: &ExportRequest, budget: &mut Budget, logs: &mut Vec<Value>) {
    let Ok(message) = ExportLogsServiceRequest::decode(request.bytes.clone()) else { return };
    for group in message.resource_logs {
        let said = group
            .resource
            .iter()
            .flat_map(|resource| &resource.attributes)
            .find(|pair| pair.key == "service.name");
        let said = said.map(|pair| shown(pair.value.as_ref())).unwrap_or_default();
        let who = request.process.as_ref().map_or(said, |process| process.to_string());
        let from = build.text(&format!("{who} OTLP"));
        for record in group.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            match take(&mut budget.logs, 1) {
                0 => build.leave_out("log records", 1),
                _ => logs.push(log_record(build, from, &record)),
            }
        }
    }
}

fn log_record(build: &mut Build, from: u32, record: &LogRecord) -> Value {
    let mut whole = String::new();
    for pair in record.attributes.iter().take(64) {
        whole.push_str(&format!("{}: {}\n", plain(&pair.key), shown(pair.value.as_ref())));
    }
    let trace = TraceId::from_slice(&record.trace_id);
    let span = SpanId::from_slice(&record.span_id);
    let message = build.text(&shown(record.body.as_ref()));
    let (level, whole) = (build.text(&record.severity_text), build.text(whole.trim_end()));
    json!([from, null, level, message, whole, trace, row(build, trace, span)])
}
