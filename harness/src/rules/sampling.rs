//! What a hop said of a trace's sampling: no span of a trace that was not sampled is missing.

use crate::model::{Answer, Record, Stimulus, TraceParent};

/// The context that an answer names, in `traceresponse` or `traceparent`.
pub(crate) fn named_by(answer: &Answer) -> Option<TraceParent> {
    let value = answer.header("traceresponse").or_else(|| answer.header("traceparent"))?;
    TraceParent::parse(value)
}

/// The one context that a record carries.
pub(crate) fn carried_by(record: &Record) -> Option<TraceParent> {
    let mut values = record.header("traceparent");
    match (values.next(), values.next()) {
        (Some(value), None) => TraceParent::parse(value),
        _ => None,
    }
}

/// Whether the answer says that its trace is not sampled.
pub(crate) fn is_unsampled(stimulus: &Stimulus) -> bool {
    stimulus.answer.as_ref().and_then(named_by).is_some_and(|named| !named.is_sampled())
}

/// Whether the record was created in a trace that is not sampled.
pub(crate) fn is_unsampled_record(record: &Record) -> bool {
    carried_by(record).is_some_and(|context| !context.is_sampled())
}
