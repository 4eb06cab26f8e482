//! What becomes of spans, as the semantic conventions for SDKs name it (1.44): scraped only, since whoever cannot reach the
//! collector cannot tell it so.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Labels;
use crate::telemetry::Exports;

/// The families of one process's spans.
#[derive(Debug)]
pub(super) struct OfSpans(pub(super) Exports);

impl Collector for OfSpans {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Spans that found a place in the queue, and that found none";
        counts(&mut encoder, "otel_sdk_processor_span_processed", help, self.0.processed())?;
        let help = "Spans whose export has ended, well or with an error";
        counts(&mut encoder, "otel_sdk_exporter_span_exported", help, self.0.exported())?;
        let help = "Spans that wait for their export";
        gauge(&mut encoder, "otel_sdk_processor_span_queue_size", help, self.0.waiting())?;
        let help = "Spans that may wait for their export";
        gauge(&mut encoder, "otel_sdk_processor_span_queue_capacity", help, self.0.capacity())
    }
}

fn counts(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (error_type, count) in counts {
        let labels = Labels::new([("error.type", error_type.into())]);
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
    let value = ConstGauge::new(value.try_into().unwrap_or(i64::MAX));
    value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
