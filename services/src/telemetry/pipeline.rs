//! The way of a span from its end to the exporter: a queue with a bound, and a thread that sends in batches.

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SdkTracerProvider, SpanExporter, SpanProcessor, TracerProviderBuilder,
};

use super::sampling::{self, KeepErrors, RecordAll};
use super::tampering::Tampering;
use crate::config::{Common, ConfigError, Environment};

/// A provider whose spans end at that exporter, or nowhere.
pub(super) fn provider<E: SpanExporter + 'static>(
    resource: Resource,
    exporter: Option<E>,
    common: &Common,
    environment: &Environment,
) -> Result<SdkTracerProvider, ConfigError> {
    let sampler = sampling::sampler(common, environment)?;
    let keeps_errors = sampling::keeps_errors(common, environment)?;
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let builder = match keeps_errors {
        true => builder.with_sampler(RecordAll(sampler)),
        false => builder.with_sampler(sampler),
    };
    let builder = match (exporter, common.defect.and_then(Tampering::of)) {
        (None, _) => builder,
        (Some(exporter), None) => batched(builder, exporter, keeps_errors),
        (Some(exporter), Some(tampering)) => batched(builder, tampering.between(exporter), keeps_errors),
    };
    Ok(builder.build())
}

fn batched<E: SpanExporter + 'static>(
    builder: TracerProviderBuilder,
    exporter: E,
    keeps_errors: bool,
) -> TracerProviderBuilder {
    ending_at(builder, BatchSpanProcessor::builder(exporter).build(), keeps_errors)
}

fn ending_at<P: SpanProcessor + 'static>(
    builder: TracerProviderBuilder,
    processor: P,
    keeps_errors: bool,
) -> TracerProviderBuilder {
    match keeps_errors {
        true => builder.with_span_processor(KeepErrors::before(processor)),
        false => builder.with_span_processor(processor),
    }
}
