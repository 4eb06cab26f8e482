//! Where in an OTLP request a value stands: looked for only in requests that hold one.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::search::{Hit, Needles};
use crate::model::{ExportRequest, Signal, SpanId, TraceId};
use crate::rules::text::quoted;

/// What was found within a request: where, in words, and in which span, if it was in one.
pub(super) struct Found<'c> {
    pub(super) place: String,
    pub(super) hit: Hit<'c>,
    pub(super) span: Option<(TraceId, SpanId)>,
}

/// The places of a request that hold values. A place that cannot be named is the request itself.
pub(super) fn within<'c>(needles: &Needles<'c>, request: &ExportRequest) -> Vec<Found<'c>> {
    let at_large = needles.search(&request.bytes);
    if at_large.is_empty() {
        return Vec::new();
    }
    let mut walk = Walk { needles, found: Vec::new(), span: None };
    let bytes = request.bytes.clone();
    match request.signal {
        Signal::Traces => walk.traces(ExportTraceServiceRequest::decode(bytes).unwrap_or_default()),
        Signal::Metrics => walk.metrics(ExportMetricsServiceRequest::decode(bytes).unwrap_or_default()),
        Signal::Logs => walk.logs(ExportLogsServiceRequest::decode(bytes).unwrap_or_default()),
    }
    let place = match request.signal {
        Signal::Traces => "a request with spans",
        Signal::Metrics => "a request with metrics",
        Signal::Logs => "a request with log records",
    };
    for hit in at_large {
        if !walk.found.iter().any(|found| found.hit.is_of_the_same(&hit)) {
            walk.found.push(Found { place: place.into(), hit, span: None });
        }
    }
    walk.found
}

struct Walk<'w, 'c> {
    needles: &'w Needles<'c>,
    found: Vec<Found<'c>>,
    /// The span that is looked into.
    span: Option<(TraceId, SpanId)>,
}

impl Walk<'_, '_> {
    fn look(&mut self, bytes: &[u8], place: impl FnOnce() -> String) {
        let hits = self.needles.search(bytes);
        if !hits.is_empty() {
            let (place, span) = (place(), self.span);
            self.found.extend(hits.into_iter().map(|hit| Found { place: place.clone(), hit, span }));
        }
    }

    fn attributes(&mut self, attributes: &[KeyValue], of: &str) {
        for attribute in attributes {
            let value = attribute.value.as_ref().map(Message::encode_to_vec).unwrap_or_default();
            let key = self.name(&attribute.key);
            self.look(&value, || format!("{of}, attribute {key}"));
            self.look(attribute.key.as_bytes(), || format!("{of}, the name of an attribute"));
        }
    }

    /// A name that can be shown: one that holds a value itself is not.
    fn name(&self, text: &str) -> String {
        if self.needles.hold(text.as_bytes()) { "(withheld)".into() } else { quoted(text) }
    }

    fn origin(&mut self, resource: Option<Resource>) {
        self.attributes(&resource.unwrap_or_default().attributes, "resource");
    }

    fn scope(&mut self, scope: Option<InstrumentationScope>) {
        let scope = scope.unwrap_or_default();
        self.look(scope.name.as_bytes(), || "scope, its name".into());
        self.attributes(&scope.attributes, "scope");
    }

    fn traces(&mut self, request: ExportTraceServiceRequest) {
        for group in request.resource_spans {
            self.origin(group.resource);
            for scoped in group.scope_spans {
                self.scope(scoped.scope);
                scoped.spans.iter().for_each(|span| self.span(span));
            }
        }
    }

    fn span(&mut self, span: &Span) {
        self.span = address(span);
        let of = format!("span {}", self.name(&span.name));
        self.look(span.name.as_bytes(), || "the name of a span".into());
        self.look(span.trace_state.as_bytes(), || format!("{of}, tracestate"));
        self.attributes(&span.attributes, &of);
        for event in &span.events {
            let event_of = format!("{of}, event {}", self.name(&event.name));
            self.look(event.name.as_bytes(), || format!("{of}, the name of an event"));
            self.attributes(&event.attributes, &event_of);
        }
        for link in &span.links {
            self.attributes(&link.attributes, &format!("{of}, link"));
            self.look(link.trace_state.as_bytes(), || format!("{of}, tracestate of a link"));
        }
        let message = span.status.as_ref().map_or("", |status| status.message.as_str());
        self.look(message.as_bytes(), || format!("{of}, status message"));
        self.span = None;
    }

    fn metrics(&mut self, request: ExportMetricsServiceRequest) {
        for group in request.resource_metrics {
            self.origin(group.resource);
            for scoped in group.scope_metrics {
                self.scope(scoped.scope);
                scoped.metrics.iter().for_each(|metric| self.metric(metric));
            }
        }
    }

    fn metric(&mut self, metric: &Metric) {
        let of = format!("metric {}", self.name(&metric.name));
        self.look(metric.name.as_bytes(), || "the name of a metric".into());
        self.look(metric.description.as_bytes(), || format!("{of}, description"));
        let mut point = |attributes: &[KeyValue], exemplars: &[Exemplar]| {
            self.attributes(attributes, &of);
            for exemplar in exemplars {
                self.attributes(&exemplar.filtered_attributes, &format!("{of}, exemplar"));
            }
        };
        match &metric.data {
            Some(Data::Gauge(gauge)) => {
                gauge.data_points.iter().for_each(|it| point(&it.attributes, &it.exemplars))
            }
            Some(Data::Sum(sum)) => {
                sum.data_points.iter().for_each(|it| point(&it.attributes, &it.exemplars))
            }
            Some(Data::Histogram(it)) => {
                it.data_points.iter().for_each(|it| point(&it.attributes, &it.exemplars))
            }
            Some(Data::ExponentialHistogram(it)) => {
                it.data_points.iter().for_each(|it| point(&it.attributes, &it.exemplars))
            }
            Some(Data::Summary(it)) => it.data_points.iter().for_each(|it| point(&it.attributes, &[])),
            None => {}
        }
    }

    fn logs(&mut self, request: ExportLogsServiceRequest) {
        for group in request.resource_logs {
            self.origin(group.resource);
            for scoped in group.scope_logs {
                self.scope(scoped.scope);
                for record in &scoped.log_records {
                    let body = record.body.as_ref().map(Message::encode_to_vec).unwrap_or_default();
                    self.look(&body, || "log record, body".into());
                    self.attributes(&record.attributes, "log record");
                }
            }
        }
    }
}

fn address(span: &Span) -> Option<(TraceId, SpanId)> {
    let trace = span.trace_id.as_slice().try_into().ok()?;
    Some((TraceId(trace), SpanId(span.span_id.as_slice().try_into().ok()?)))
}
