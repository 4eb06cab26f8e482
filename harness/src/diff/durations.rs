//! Durations: operations that became slower or faster beyond what the machine makes of them.
//!
//! Two runs are never equally fast, so each operation is held against the run as a whole: the middle of the ratios of all medians
//! says how much slower the machine was. An operation counts when there are enough spans of it in both runs, the faster three
//! quarters of the one lie beyond the slower three quarters of the other, and the median moved by half and by a millisecond.

use std::collections::BTreeMap;

use serde::Serialize;

use super::operations::{Operation, Seen};
use super::{A, B};
use crate::model::Kind;

/// Spans of an operation that each run must have.
const SAMPLES_MIN: usize = 20;
/// Operations with that many, for the run as a whole to be spoken of.
const OPERATIONS_MIN: usize = 5;
/// How much the median must have moved beside the run as a whole.
const RATIO_MIN: f64 = 1.5;
const NANOSECONDS_MIN: f64 = 1e6;
/// Durations that are kept of an operation.
const SAMPLES_MAX: usize = 1_000_000;

/// What durations say.
#[derive(Debug, Default, Serialize)]
pub struct Durations {
    /// Operations with enough spans in both runs to be compared.
    pub compared: usize,
    /// The middle of the ratios of their medians: how much slower (above 1) the later run was as a whole; 1 where there are too
    /// few to say.
    pub run_ratio: f64,
    /// The most slowed down first.
    pub slower: Vec<Slower>,
    pub faster: Vec<Slower>,
}

/// An operation whose durations changed.
#[derive(Clone, Debug, Serialize)]
pub struct Slower {
    pub service: String,
    pub kind: Kind,
    pub name: String,
    pub a: Spread,
    pub b: Spread,
    /// Of the medians, beside that of the run as a whole.
    pub ratio: f64,
}

/// How durations are spread, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub spans: usize,
    pub median_ms: f64,
    /// A quarter of the spans was faster, a quarter slower.
    pub quarter_ms: f64,
    pub three_quarters_ms: f64,
}

/// Durations of one operation in one run, in nanoseconds.
#[derive(Default)]
pub(super) struct Samples(Vec<u64>);

impl Samples {
    pub(super) fn extend(&mut self, nanoseconds: Vec<u64>) {
        let room = SAMPLES_MAX.saturating_sub(self.0.len());
        self.0.extend(nanoseconds.into_iter().take(room));
    }

    fn spread(mut self) -> Option<Spread> {
        if self.0.len() < SAMPLES_MIN {
            return None;
        }
        self.0.sort_unstable();
        let at = |part: f64| self.0[((self.0.len() - 1) as f64 * part).round() as usize] as f64 / 1e6;
        Some(Spread {
            spans: self.0.len(),
            median_ms: at(0.5),
            quarter_ms: at(0.25),
            three_quarters_ms: at(0.75),
        })
    }
}

impl Durations {
    pub(super) fn of(seen: BTreeMap<Operation, [Seen; 2]>) -> Durations {
        let spreads: Vec<(Operation, [Spread; 2])> = seen
            .into_iter()
            .filter_map(|(operation, [a, b])| {
                Some((operation, [a.durations.spread()?, b.durations.spread()?]))
            })
            .collect();
        let run_ratio = run_ratio(&spreads);
        let (mut slower, mut faster) = (Vec::new(), Vec::new());
        for (operation, spread) in &spreads {
            // As if the later run had been on a machine as fast as that of the earlier one.
            let later = spread[B].scaled(1.0 / run_ratio);
            if later.is_beyond(&spread[A]) {
                slower.push(change(operation, spread, run_ratio));
            } else if spread[A].is_beyond(&later) {
                faster.push(change(operation, spread, run_ratio));
            }
        }
        slower.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
        faster.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        Durations { compared: spreads.len(), run_ratio, slower, faster }
    }
}

fn run_ratio(spreads: &[(Operation, [Spread; 2])]) -> f64 {
    let mut ratios: Vec<f64> = spreads
        .iter()
        .map(|(_, [a, b])| b.median_ms / a.median_ms)
        .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        .collect();
    if ratios.len() < OPERATIONS_MIN {
        return 1.0;
    }
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn change((service, kind, name): &Operation, [a, b]: &[Spread; 2], run_ratio: f64) -> Slower {
    let ratio = b.median_ms / a.median_ms / run_ratio;
    Slower { service: service.clone(), kind: *kind, name: name.clone(), a: *a, b: *b, ratio }
}

impl Spread {
    fn scaled(self, by: f64) -> Spread {
        Spread {
            median_ms: self.median_ms * by,
            quarter_ms: self.quarter_ms * by,
            three_quarters_ms: self.three_quarters_ms * by,
            ..self
        }
    }

    /// Whether it is slower than another, beyond noise.
    fn is_beyond(&self, other: &Spread) -> bool {
        self.quarter_ms > other.three_quarters_ms
            && self.median_ms >= RATIO_MIN * other.median_ms
            && (self.median_ms - other.median_ms) * 1e6 >= NANOSECONDS_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(milliseconds: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut samples = Samples::default();
        samples.extend(milliseconds.into_iter().map(|ms| (ms * 1e6) as u64).collect());
        samples.spread()
    }

    #[test]
    fn a_spread_needs_enough_spans_and_no_outlier_moves_it() {
        assert_eq!(spread(vec![1.0; SAMPLES_MIN - 1]), None);
        let wild = spread(vec![1.0; 25].into_iter().chain([900.0; 5])).unwrap();
        assert_eq!((wild.median_ms, wild.quarter_ms, wild.three_quarters_ms), (1.0, 1.0, 1.0));
        assert_eq!(wild.spans, 30);
    }

    #[test]
    fn slower_is_what_lies_beyond_the_other_by_half_and_a_millisecond() {
        let around = |middle: f64| {
            let width = middle / 10.0;
            spread((0..40).map(move |n| middle + width * f64::from(n - 20) / 20.0)).unwrap()
        };
        let table = [
            (around(10.0), around(20.0), true),
            (around(10.0), around(15.2), true),
            (around(10.0), around(14.8), false),
            (around(0.1), around(0.9), false),
            (around(10.0), around(10.0), false),
            (around(20.0), around(10.0), false),
            (
                spread((0..40).map(f64::from)).unwrap(),
                spread((0..40).map(|n| 1.9 * f64::from(n))).unwrap(),
                false,
            ),
        ];
        for (a, b, expected) in table {
            assert_eq!(b.is_beyond(&a), expected, "{a:?} {b:?}");
        }
    }
}
