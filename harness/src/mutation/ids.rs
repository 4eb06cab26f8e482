//! Ids moved wherever evidence repeats them: payloads, answers, record headers, log lines, exemplars.

use std::collections::HashSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric, metric::Data};

use super::payloads::{edit_one, spans_of};
use crate::model::{Evidence, ExportRequest, Signal, SpanId, Spans, TraceId};

/// What becomes of ids: a span's with its trace's, or a trace's alone.
pub(super) struct Renaming<F> {
    known: HashSet<TraceId>,
    rename: F,
}

impl<F: Fn(TraceId, Option<SpanId>) -> (TraceId, Option<SpanId>)> Renaming<F> {
    /// Ids in text are recognised by the traces that were captured, or that an answer named.
    pub(super) fn new(evidence: &Evidence, rename: F) -> Self {
        let captured = Spans::named(&evidence.requests, &evidence.names).traces();
        let named = evidence.stimuli.iter().filter_map(|stimulus| stimulus.trace);
        let known = captured.into_iter().chain(named).collect();
        Renaming { known, rename }
    }

    pub(super) fn apply(&self, evidence: &mut Evidence) {
        evidence.requests.iter_mut().for_each(|request| self.request(request));
        for stimulus in &mut evidence.stimuli {
            stimulus.trace = stimulus.trace.map(|trace| (self.rename)(trace, None).0);
            stimulus.headers.iter_mut().for_each(|(_, value)| self.text(value));
            let answers = stimulus.answer.iter_mut();
            for (_, value) in answers.flat_map(|answer| &mut answer.headers) {
                self.text(value);
            }
        }
        for (_, value) in evidence.records.iter_mut().flat_map(|record| &mut record.headers) {
            self.text(value);
        }
        evidence.logs.iter_mut().for_each(|line| self.text(&mut line.text));
        for scrape in &mut evidence.scrapes {
            let lines = scrape.answer.body.split_inclusive('\n').map(|line| {
                let mut line = line.to_string();
                if line.contains("# {") {
                    self.text(&mut line);
                }
                line
            });
            scrape.answer.body = lines.collect();
        }
    }

    fn request(&self, request: &mut ExportRequest) {
        match request.signal {
            Signal::Traces => edit_one(request, &mut |request: &mut ExportTraceServiceRequest| {
                for span in spans_of(request) {
                    let own = span.trace_id.clone();
                    if !span.parent_span_id.is_empty() {
                        self.pair(&mut own.clone(), &mut span.parent_span_id);
                    }
                    self.pair(&mut span.trace_id, &mut span.span_id);
                    for link in &mut span.links {
                        self.pair(&mut link.trace_id, &mut link.span_id);
                    }
                }
            }),
            Signal::Logs => edit_one(request, &mut |request: &mut ExportLogsServiceRequest| {
                let scopes = request.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
                for record in scopes.flat_map(|scope| &mut scope.log_records) {
                    self.pair(&mut record.trace_id, &mut record.span_id);
                }
            }),
            Signal::Metrics => edit_one(request, &mut |request: &mut ExportMetricsServiceRequest| {
                let scopes =
                    request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
                for exemplar in scopes.flat_map(|scope| &mut scope.metrics).flat_map(exemplars) {
                    self.pair(&mut exemplar.trace_id, &mut exemplar.span_id);
                }
            }),
        }
    }

    fn pair(&self, trace: &mut Vec<u8>, span: &mut Vec<u8>) {
        let Some(old) = TraceId::from_slice(trace) else { return };
        let (new, new_span) = (self.rename)(old, SpanId::from_slice(span));
        *trace = new.0.to_vec();
        if let Some(new_span) = new_span {
            *span = new_span.0.to_vec();
        }
    }

    /// A trace id in hexadecimal that was captured, and the span id in the same text if there is one.
    fn text(&self, text: &mut String) {
        let tokens = hexadecimal(text);
        let trace = tokens.iter().filter(|token| token.len() == 32).find_map(|token| {
            TraceId::from_hex(token).filter(|trace| self.known.contains(trace)).map(|trace| (*token, trace))
        });
        let Some((trace_text, trace)) = trace else { return };
        let span = tokens.iter().filter(|token| token.len() == 16);
        let span = span.filter_map(|token| Some((*token, SpanId::from_hex(token)?))).next();
        let (new_trace, new_span) = (self.rename)(trace, span.map(|(_, span)| span));
        let mut changed = text.replace(trace_text, &new_trace.to_string());
        if let (Some((span_text, _)), Some(new_span)) = (span, new_span) {
            changed = changed.replace(span_text, &new_span.to_string());
        }
        *text = changed;
    }
}

/// The runs of lowercase hexadecimal digits that are as long as an id.
fn hexadecimal(text: &str) -> Vec<&str> {
    let digit = |character: char| matches!(character, '0'..='9' | 'a'..='f');
    text.split(|character| !digit(character)).filter(|run| matches!(run.len(), 16 | 32)).collect()
}

fn exemplars(metric: &mut Metric) -> Vec<&mut Exemplar> {
    match &mut metric.data {
        Some(Data::Gauge(gauge)) => {
            gauge.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
        }
        Some(Data::Sum(sum)) => sum.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect(),
        Some(Data::Histogram(histogram)) => {
            histogram.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            histogram.data_points.iter_mut().flat_map(|point| &mut point.exemplars).collect()
        }
        Some(Data::Summary(_)) | None => Vec::new(),
    }
}
