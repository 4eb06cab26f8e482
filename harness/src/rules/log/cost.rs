//! What logging costs: rounds with and without in turn, their ratio and how sure it is.
//!
//! Each round is compared with its neighbour, so that what slows both cancels out; the median of the ratios is told with an
//! interval that needs no assumption on how they spread (order statistics of the sign test).

use crate::model::CostRound;

/// How sure the interval is to hold the median. It is looked at after each round: much surer than is usual for one look.
const CONFIDENCE: f64 = 0.999;

/// Throughput with logging as a share of that without: the median over the rounds, and the interval that holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) rounds: usize,
}

/// What a share says of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    Within,
    Beyond,
    /// The interval holds the budget's edge.
    Unclear,
}

impl Share {
    /// `None`: too few rounds to be sure of anything.
    pub(crate) fn of(rounds: &[CostRound]) -> Option<Share> {
        let measured = rounds.iter().filter(|round| round.on_nanos > 0);
        let mut ratios: Vec<f64> =
            measured.map(|round| round.off_nanos as f64 / round.on_nanos as f64).collect();
        ratios.sort_by(f64::total_cmp);
        let cut = outside(ratios.len())?;
        let middle = ratios.len() / 2;
        let median =
            if ratios.len() % 2 == 1 { ratios[middle] } else { (ratios[middle - 1] + ratios[middle]) / 2.0 };
        Some(Share { median, low: ratios[cut], high: ratios[ratios.len() - 1 - cut], rounds: ratios.len() })
    }

    /// Against a budget in percent of the throughput.
    pub(crate) fn stand(self, budget_percent: u64) -> Stand {
        let least = 1.0 - budget_percent.min(100) as f64 / 100.0;
        if self.low >= least {
            Stand::Within
        } else if self.high < least {
            Stand::Beyond
        } else {
            Stand::Unclear
        }
    }

    /// `62 % of its throughput (58 % to 66 %, 12 rounds)`.
    pub(crate) fn in_words(self) -> String {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let (median, low, high) = (percent(self.median), percent(self.low), percent(self.high));
        format!("{median} of its throughput without logging ({low} to {high}, {} rounds)", self.rounds)
    }
}

/// How many ratios may be left out at each end, so that those between still hold the median with confidence.
fn outside(rounds: usize) -> Option<usize> {
    let mut tail = 0.5f64.powi(i32::try_from(rounds).ok()?);
    let mut at_most = tail;
    let mut cut = None;
    for number in 0..rounds / 2 {
        if 1.0 - 2.0 * at_most < CONFIDENCE {
            break;
        }
        cut = Some(number);
        tail *= (rounds - number) as f64 / (number + 1) as f64;
        at_most += tail;
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(ratios: &[f64]) -> Vec<CostRound> {
        ratios
            .iter()
            .map(|ratio| CostRound { on_nanos: 1_000_000, off_nanos: (ratio * 1e6) as u64 })
            .collect()
    }

    #[test]
    fn the_interval_is_that_of_the_sign_test() {
        let cuts: Vec<_> = [10, 11, 14, 15, 20, 40, 60].map(outside).to_vec();
        assert_eq!(cuts, [None, Some(0), Some(0), Some(1), Some(2), Some(9), Some(16)]);
    }

    #[test]
    fn a_wild_round_moves_no_median() {
        let share = Share::of(&rounds(&[
            0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 90.0, 0.01, 0.9, 0.95, 0.93, 0.94, 0.935,
        ]))
        .unwrap();
        assert!((share.median - 0.935).abs() < 1e-6 && share.low >= 0.9 && share.high < 1.0, "{share:?}");
        assert_eq!(share.stand(30), Stand::Within);
    }

    #[test]
    fn few_or_hostile_rounds_are_no_share() {
        assert_eq!(Share::of(&[]), None);
        assert_eq!(Share::of(&rounds(&[1.0; 10])), None);
        assert_eq!(Share::of(&[CostRound { on_nanos: 0, off_nanos: u64::MAX }; 100]), None);
        let far = Share::of(&[CostRound { on_nanos: 1, off_nanos: u64::MAX }; 11]).unwrap();
        assert_eq!(far.stand(u64::MAX), Stand::Within);
    }
}
