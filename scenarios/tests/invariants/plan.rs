//! What is asked of the ledger in one case, and when which service is killed: chosen by proptest from a seed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use scenarios::ledger::ALL;

/// The first may be negative: money comes from there. The others may not.
pub(crate) const ACCOUNTS: usize = 4;

/// A request for a transfer, with its accounts by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) key: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) amount: i64,
}

/// Requests in their order, so many of them under way at any time.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) asks: Vec<Ask>,
    pub(crate) at_once: usize,
}

/// `kill -9` of a service: after so many further decisions, and started again after so many further answers of any kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    pub(crate) service: &'static str,
    pub(crate) after: u64,
    pub(crate) away_for: u64,
}

/// The source of everything that is random here.
pub(crate) fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Any value of that kind.
pub(crate) fn any_of<T: std::fmt::Debug>(runner: &mut TestRunner, of: impl Strategy<Value = T>) -> T {
    of.new_tree(runner).expect("nothing is filtered").current()
}

/// Plans of at most `length` requests.
pub(crate) fn plans(length: usize) -> impl Strategy<Value = Plan> {
    (vec(steps(), length * 3 / 4..=length), 4..=16_usize)
        .prop_map(|(steps, at_once)| Plan { asks: asks(&steps), at_once })
}

/// Each service as often as `rounds` says, in any order.
pub(crate) fn kills(rounds: usize) -> impl Strategy<Value = Vec<Kill>> {
    let services: Vec<&'static str> = ALL.iter().copied().cycle().take(ALL.len() * rounds).collect();
    let moments = vec((1..=20_u64, 0..=20_u64), services.len());
    (Just(services).prop_shuffle(), moments).prop_map(|(services, moments)| {
        let kill = |(service, (after, away_for))| Kill { service, after, away_for };
        services.into_iter().zip(moments).map(kill).collect()
    })
}

#[derive(Clone, Copy, Debug)]
enum Step {
    New {
        from: usize,
        to: usize,
        amount: i64,
    },
    /// The same request as an earlier one.
    Again(usize),
    /// Another request under the key of an earlier one.
    Other(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let new = (0..ACCOUNTS, 1..ACCOUNTS, 1..=120_i64).prop_map(|(from, further, amount)| Step::New {
        from,
        to: (from + further) % ACCOUNTS,
        amount,
    });
    // Of what was asked lately, so that some of it is under way still.
    prop_oneof![
        8 => new,
        2 => (0..12_usize).prop_map(Step::Again),
        1 => (0..12_usize).prop_map(Step::Other),
    ]
}

fn asks(steps: &[Step]) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::with_capacity(steps.len());
    for step in steps {
        let earlier = |ago: usize| asks.len().checked_sub(ago + 1).map(|number| asks[number]);
        let ask = match *step {
            Step::New { from, to, amount } => Some(Ask { key: asks.len(), from, to, amount }),
            Step::Again(ago) => earlier(ago),
            Step::Other(ago) => earlier(ago).map(|ask| Ask { amount: ask.amount + 1, ..ask }),
        };
        asks.extend(ask);
    }
    asks
}
