//! A gauge whose value somebody else keeps.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;

use super::Labels;

/// One series, read at each scrape.
pub(super) struct Observed {
    name: String,
    help: &'static str,
    labels: Labels,
    read: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Observed {
    pub(super) fn new(
        name: String,
        help: &'static str,
        labels: Labels,
        read: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self { name, help, labels, read: Box::new(read) }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("name", &self.name)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new((self.read)());
        let mut family = encoder.encode_descriptor(&self.name, self.help, None, gauge.metric_type())?;
        gauge.encode(family.encode_family(&self.labels)?)
    }
}
