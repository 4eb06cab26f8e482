//! A gauge whose value somebody else keeps.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::Labels;

/// What reads the series and their values.
pub(super) type Read = Arc<dyn Fn() -> Vec<(Labels, f64)> + Send + Sync>;

/// A family whose series are read at each scrape.
pub(super) struct Observed {
    name: String,
    unit: Option<Unit>,
    help: &'static str,
    read: Read,
}

impl Observed {
    pub(super) fn new(
        name: String,
        unit: Option<Unit>,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, f64)> + Send + Sync + 'static,
    ) -> Self {
        Self { name, unit, help, read: Arc::new(read) }
    }

    pub(super) fn reader(&self) -> Read {
        Arc::clone(&self.read)
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let unit = self.unit.as_ref();
        let mut family = encoder.encode_descriptor(&self.name, self.help, unit, MetricType::Gauge)?;
        for (labels, value) in (self.read)() {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
