//! The way of a span from its end to the exporter: a queue with a bound, and a thread that sends in batches.

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SdkTracerProvider, SpanExporter, SpanProcessor, TracerProviderBuilder,
};

use super::detours::{Stubborn, Synchronous, Unbounded};
use super::exports::{Bounded, Counted, Exports};
use super::sampling::{self, KeepErrors, RecordAll};
use super::tampering::Tampering;
use crate::config::{Common, ConfigError, Environment};
use crate::defect::Defect;

/// A provider whose spans end at that exporter, or nowhere.
pub(super) fn provider<E: SpanExporter + 'static>(
    resource: Resource,
    exporter: Option<E>,
    common: &Common,
    environment: &Environment,
    exports: &Exports,
) -> Result<SdkTracerProvider, ConfigError> {
    let sampler = sampling::sampler(common, environment)?;
    let keeps_errors = sampling::keeps_errors(common, environment)?;
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let builder = match keeps_errors {
        true => builder.with_sampler(RecordAll(sampler)),
        false => builder.with_sampler(sampler),
    };
    let way = Way { builder, exports: exports.clone(), keeps_errors };
    let builder = match (exporter, common.defect) {
        (None, _) => way.builder,
        (Some(exporter), Some(Defect::ExporterSynchronous)) => {
            let processor = Synchronous(way.batched(exporter));
            way.ending_at(processor)
        }
        (Some(exporter), Some(Defect::ExporterUnboundedQueue)) => {
            let processor = way.batched(Stubborn::around(exporter));
            let processor = Unbounded::before(processor, way.exports.clone());
            way.through(processor)
        }
        (Some(exporter), defect) => match defect.and_then(Tampering::of) {
            None => {
                let processor = way.batched(exporter);
                way.ending_at(processor)
            }
            Some(tampering) => {
                let processor = way.batched(tampering.between(exporter));
                way.ending_at(processor)
            }
        },
    };
    Ok(builder.build())
}

/// What stands between the end of a span and its exporter.
struct Way {
    builder: TracerProviderBuilder,
    exports: Exports,
    keeps_errors: bool,
}

impl Way {
    fn batched<E: SpanExporter + 'static>(&self, exporter: E) -> BatchSpanProcessor {
        BatchSpanProcessor::builder(Counted { exporter, exports: self.exports.clone() }).build()
    }

    fn ending_at<P: SpanProcessor + 'static>(self, next: P) -> TracerProviderBuilder {
        let exports = self.exports.clone();
        self.through(Bounded { next, exports })
    }

    fn through<P: SpanProcessor + 'static>(self, processor: P) -> TracerProviderBuilder {
        match self.keeps_errors {
            true => self.builder.with_span_processor(KeepErrors::before(processor)),
            false => self.builder.with_span_processor(processor),
        }
    }
}
