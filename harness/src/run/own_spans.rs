//! Our own client spans: a context that we send names a span of ours, and that span is evidence like any other, of the
//! service `probity`. Without it, the span that continues the context would have no parent.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::SpanKind};
use prost::Message;

use crate::model::{ExportRequest, Signal, Stimulus, StimulusKind, TraceParent};

/// The span of the context that a stimulus carried; `None` when it carried none, none that is valid, or one that is not
/// sampled: of such a trace nobody keeps spans.
pub(super) fn span_of(stimulus: &Stimulus) -> Option<ExportRequest> {
    let mut values = stimulus.sent_header("traceparent");
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let context =
        TraceParent::parse(value.trim_matches([' ', '\t'])).filter(|context| context.is_sampled())?;
    let StimulusKind::Http { method, .. } = &stimulus.kind else { return None };
    let end = stimulus.answered.or(stimulus.gave_up).unwrap_or(stimulus.sent);
    let span = Span {
        trace_id: context.trace.0.to_vec(),
        span_id: context.span.0.to_vec(),
        name: method.clone(),
        kind: SpanKind::Client as i32,
        start_time_unix_nano: stimulus.sent,
        end_time_unix_nano: end,
        ..Span::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: vec![name()], ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    Some(ExportRequest {
        signal: Signal::Traces,
        process: None,
        connection: 0,
        received_unix_nanos: end,
        bytes: Bytes::from(request.encode_to_vec()),
    })
}

fn name() -> KeyValue {
    let value = Some(any_value::Value::StringValue("probity".into()));
    KeyValue { key: "service.name".into(), value: Some(AnyValue { value }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Spans;
    use crate::model::build::Build;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn span_with(values: &[&str]) -> Option<ExportRequest> {
        let mut build = Build::new();
        let api = build.process("url-api");
        let stimulus = build.stimulus(&api, "click", "GET", "/abc", 302);
        stimulus.headers = values.iter().map(|value| ("traceparent".into(), value.to_string())).collect();
        span_of(stimulus)
    }

    #[test]
    fn a_context_that_we_send_has_a_span_of_ours() {
        let spans = Spans::of(&[span_with(&[SENT]).unwrap()]);
        let span = spans.iter().next().unwrap();
        assert_eq!((span.service_name(), span.name()), ("probity", "GET"));
        assert_eq!(span.id().to_string(), "b7ad6b7169203331");
    }

    #[test]
    fn what_nobody_may_continue_or_keep_has_none() {
        for values in [&[][..], &["nonsense"], &[SENT, SENT], &[&SENT.replace("-01", "-00")]] {
            assert!(span_with(values).is_none(), "{values:?}");
        }
    }
}
