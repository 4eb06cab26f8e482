//! OTLP payloads changed in place: decoded, edited, encoded again. What cannot be decoded stays as it was received.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::model::{Evidence, ExportRequest, ProcessId, Signal, SpanId, TraceId};

/// A span's address.
pub(super) type Address = (TraceId, SpanId);

/// Decodes the trace requests that `concerned` picks, and encodes what `edit` made of them.
pub(super) fn edit_traces(
    evidence: &mut Evidence,
    concerned: impl Fn(&ExportRequest) -> bool,
    mut edit: impl FnMut(&mut ExportTraceServiceRequest),
) {
    let traces = evidence.requests.iter_mut().filter(|request| request.signal == Signal::Traces);
    for request in traces.filter(|request| concerned(request)) {
        edit_one(request, &mut edit);
    }
}

/// Decodes a request as `M`, edits and encodes it.
pub(super) fn edit_one<M: Message + Default>(request: &mut ExportRequest, edit: &mut impl FnMut(&mut M)) {
    if let Ok(mut decoded) = M::decode(request.bytes.clone()) {
        edit(&mut decoded);
        request.bytes = decoded.encode_to_vec().into();
    }
}

/// Edits one span wherever it stands; a retry of it too.
pub(super) fn edit_span(evidence: &mut Evidence, at: Address, edit: impl Fn(&mut Span)) {
    edit_traces(
        evidence,
        |request| mentions(request, at),
        |request| {
            for span in spans_of(request).filter(|span| is_at(span, at)) {
                edit(span);
            }
        },
    );
}

/// Removes one span.
pub(super) fn remove_span(evidence: &mut Evidence, at: Address) {
    edit_traces(
        evidence,
        |request| mentions(request, at),
        |request| {
            let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
            scopes.for_each(|scope| scope.spans.retain(|span| !is_at(span, at)));
        },
    );
}

/// Edits every resource of a process's spans.
pub(super) fn edit_resources(evidence: &mut Evidence, process: &ProcessId, edit: impl Fn(&mut Resource)) {
    edit_traces(
        evidence,
        |request| request.process.as_ref() == Some(process),
        |request| {
            request.resource_spans.iter_mut().filter_map(|spans| spans.resource.as_mut()).for_each(&edit);
        },
    );
}

pub(super) fn spans_of(request: &mut ExportTraceServiceRequest) -> impl Iterator<Item = &mut Span> {
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    scopes.flat_map(|scope| &mut scope.spans)
}

fn is_at(span: &Span, (trace, id): Address) -> bool {
    span.trace_id == trace.0 && span.span_id == id.0
}

/// Whether a request may hold that span: decoding every request for one of its spans would cost the square.
fn mentions(request: &ExportRequest, (_, id): Address) -> bool {
    request.bytes.windows(id.0.len()).any(|bytes| bytes == id.0)
}
