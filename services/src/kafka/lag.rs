//! How far a consumer is behind: what its topic holds and its group has not committed.
//!
//! librdkafka tells it once a second, as long as records are asked for. While the consumer is stuck on some, it asks for none:
//! what is being worked on is behind as well, however old the last figure is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rdkafka::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Partition;

use super::LogContext;

/// How often librdkafka says where it stands.
pub(super) const STATISTICS_INTERVAL_MS: &str = "1000";

/// The lag of one consumer, over all partitions that it has. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lag(Arc<Records>);

#[derive(Debug, Default)]
struct Records {
    behind: AtomicI64,
    in_work: AtomicI64,
}

impl Lag {
    /// Records that wait, those being worked on included.
    pub(crate) fn records(&self) -> i64 {
        let [behind, in_work] =
            [&self.0.behind, &self.0.in_work].map(|records| records.load(Ordering::Relaxed));
        behind.max(in_work)
    }

    /// That many are being worked on, until the next call.
    pub(crate) fn works_on(&self, records: usize) {
        self.0.in_work.store(i64::try_from(records).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl ClientContext for Lag {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        LogContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        LogContext.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        self.0.behind.store(partitions.filter_map(behind).sum(), Ordering::Relaxed);
    }
}

impl ConsumerContext for Lag {}

/// Offsets that are not known yet are negative. A group that has committed nothing begins at the first record.
fn behind(partition: &Partition) -> Option<i64> {
    let is_ours = partition.partition >= 0 && partition.fetch_state == "active";
    let from = if partition.committed_offset >= 0 { partition.committed_offset } else { partition.lo_offset };
    (is_ours && partition.hi_offset >= 0 && from >= 0).then(|| (partition.hi_offset - from).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32, state: &str, low: i64, committed: i64, high: i64) -> Partition {
        Partition {
            partition: number,
            fetch_state: state.to_owned(),
            lo_offset: low,
            committed_offset: committed,
            hi_offset: high,
            ..Partition::default()
        }
    }

    #[test]
    fn what_is_not_committed_is_behind() {
        assert_eq!(behind(&partition(0, "active", 0, 7, 10)), Some(3));
        assert_eq!(behind(&partition(0, "active", 2, -1001, 10)), Some(8));
        assert_eq!(behind(&partition(0, "active", 0, 12, 10)), Some(0));
    }

    #[test]
    fn a_partition_of_nobody_or_of_another_is_not_counted() {
        for other in [
            partition(-1, "active", 0, 0, 10),
            partition(0, "none", 0, 0, 10),
            partition(0, "active", 0, 0, -1001),
            partition(0, "active", -1001, -1001, 10),
        ] {
            assert_eq!(behind(&other), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_worked_on_is_behind_however_old_the_last_figure_is() {
        let lag = Lag::default();
        lag.works_on(5);
        assert_eq!(lag.records(), 5);
        lag.0.behind.store(9, Ordering::Relaxed);
        assert_eq!(lag.records(), 9);
        lag.works_on(0);
        lag.0.behind.store(0, Ordering::Relaxed);
        assert_eq!(lag.records(), 0);
    }
}
