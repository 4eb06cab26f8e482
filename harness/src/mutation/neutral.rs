//! Changes that must not matter: what follows from when, in which pieces and under which ids telemetry arrives. A judgement that
//! differs after one of them rests on an accident.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message;

use super::ids::Renaming;
use super::payloads::{edit_traces, spans_of};
use crate::model::{Evidence, ExportRequest, Signal, SpanId, TraceId};
use crate::report::ScenarioReport;

/// A change that must leave everything but the ledger as it was.
pub struct Neutral {
    /// Stable: `arrival-order`.
    pub name: &'static str,
    pub about: &'static str,
    pub change: fn(&mut Evidence),
}

pub static NEUTRALS: &[Neutral] = &[
    Neutral { name: "arrival-order", about: "requests arrive in the opposite order", change: arrival_order },
    Neutral { name: "retries", about: "every request with spans arrives twice", change: retries },
    Neutral { name: "batches", about: "every span arrives in a request of its own", change: batches },
    Neutral { name: "other-ids", about: "every trace and span has another id", change: other_ids },
    Neutral { name: "other-ports", about: "every listener has another port", change: other_ports },
];

/// The report without what telemetry's way of arriving may change: the ledger, how many requests there were, and the ids in
/// findings.
pub fn without_arrival(report: &ScenarioReport) -> String {
    let mut report = report.clone();
    report.ledger.clear();
    report.counts.requests = 0;
    report.findings.iter_mut().for_each(|finding| finding.spans.clear());
    serde_json::to_string(&report).unwrap_or_default()
}

fn arrival_order(evidence: &mut Evidence) {
    evidence.requests.reverse();
}

fn retries(evidence: &mut Evidence) {
    let traces = evidence.requests.iter().filter(|request| request.signal == Signal::Traces);
    let again: Vec<ExportRequest> = traces.cloned().collect();
    evidence.requests.extend(again);
}

fn batches(evidence: &mut Evidence) {
    let whole = std::mem::take(&mut evidence.requests);
    evidence.requests = whole.into_iter().flat_map(single_spans).collect();
}

fn single_spans(request: ExportRequest) -> Vec<ExportRequest> {
    if request.signal != Signal::Traces {
        return vec![request];
    }
    let Ok(decoded) = ExportTraceServiceRequest::decode(request.bytes.clone()) else { return vec![request] };
    let mut single = Vec::new();
    for resource in decoded.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let mut resource = resource.clone();
                let mut scope = scope.clone();
                scope.spans = vec![span.clone()];
                resource.scope_spans = vec![scope];
                let alone = ExportTraceServiceRequest { resource_spans: vec![resource] };
                single.push(ExportRequest { bytes: alone.encode_to_vec().into(), ..request.clone() });
            }
        }
    }
    single
}

/// The complement: whatever came first in order of ids comes last. The half of a trace id by which samplers decide stays: of
/// another half another decision would be right.
fn other_ids(evidence: &mut Evidence) {
    let rename = |mut trace: TraceId, span: Option<SpanId>| {
        trace.0[..8].iter_mut().for_each(|byte| *byte = !*byte);
        (trace, span.map(|span| SpanId(span.0.map(|byte| !byte))))
    };
    Renaming::new(evidence, rename).apply(evidence);
}

// === Ports ===

const LOOPBACK: &str = "127.0.0.1:";

/// Ports that were given out by the system, exchanged in pairs wherever an address shows.
fn other_ports(evidence: &mut Evidence) {
    let mut ports: BTreeMap<u16, u16> = BTreeMap::new();
    for line in &evidence.logs {
        for (at, _) in line.text.match_indices(LOOPBACK) {
            let digits: String =
                line.text[at + LOOPBACK.len()..].chars().take_while(char::is_ascii_digit).collect();
            if let Ok(port) = digits.parse::<u16>() {
                ports.insert(port, port ^ 1);
            }
        }
    }
    let exchanged = |text: &mut String| {
        for (port, other) in &ports {
            // In two steps, or a pair that is there both ways would be exchanged back.
            *text = text.replace(&format!("{LOOPBACK}{port}"), &format!("127.0.0.1;{other}"));
        }
        *text = text.replace("127.0.0.1;", LOOPBACK);
    };
    evidence.logs.iter_mut().for_each(|line| exchanged(&mut line.text));
    for stimulus in &mut evidence.stimuli {
        stimulus.error.iter_mut().for_each(&exchanged);
        let answers = stimulus.answer.iter_mut();
        answers.flat_map(|answer| &mut answer.headers).for_each(|(_, value)| exchanged(value));
    }
    edit_traces(
        evidence,
        |_| true,
        |request| {
            for span in spans_of(request) {
                span.attributes.iter_mut().for_each(|attribute| exchange_port(attribute, &ports));
            }
        },
    );
}

fn exchange_port(attribute: &mut KeyValue, ports: &BTreeMap<u16, u16>) {
    let is_port = attribute.key.ends_with(".port");
    let Some(value) = attribute.value.as_mut().and_then(|value| value.value.as_mut()) else { return };
    if let any_value::Value::IntValue(port) = value
        && is_port
        && let Some(other) = u16::try_from(*port).ok().and_then(|port| ports.get(&port))
    {
        *port = i64::from(*other);
    }
}
