//! In which order the tests of a suite begin: the long ones early and apart, or shuffled. None depends on another, so that the order
//! changes nothing but the time that the whole takes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// `random`, or the number that an earlier run printed.
const VARIABLE: &str = "PROBITY_SHUFFLE";

/// An order of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// What takes long begins early, so that the end does not wait for it alone, and apart: it mostly waits, and leaves the machine
    /// to the others between. Otherwise as they are listed.
    Spread,
    /// By this seed.
    Shuffled(u64),
}

impl Sequence {
    /// As `PROBITY_SHUFFLE` asks for.
    pub(super) fn from_environment() -> Result<Sequence, String> {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("") => Ok(Sequence::Spread),
            Ok("random") => Ok(Sequence::Shuffled(RandomState::new().hash_one(0) % 1_000_000)),
            Ok(seed) => seed.parse().map(Sequence::Shuffled).map_err(|_| {
                format!("{VARIABLE}: `{seed}` is neither `random` nor the number that an earlier run printed")
            }),
        }
    }

    /// What a person must know to repeat it.
    pub(super) fn told(self) -> Option<String> {
        match self {
            Sequence::Spread => None,
            Sequence::Shuffled(seed) => {
                Some(format!("shuffled: {VARIABLE}={seed} brings the same order again"))
            }
        }
    }

    pub(super) fn apply<T>(self, mut items: Vec<T>, is_long: impl Fn(&T) -> bool) -> Vec<T> {
        match self {
            Sequence::Spread => spread(items, is_long),
            Sequence::Shuffled(seed) => {
                shuffle(&mut items, seed);
                items
            }
        }
    }
}

/// The long ones within the first two thirds.
fn spread<T>(items: Vec<T>, is_long: impl Fn(&T) -> bool) -> Vec<T> {
    let (long, short): (Vec<T>, Vec<T>) = items.into_iter().partition(is_long);
    let between = (short.len() * 2 / 3).checked_div(long.len()).unwrap_or(0);
    let mut short = short.into_iter();
    let mut spread = Vec::new();
    for item in long {
        spread.push(item);
        spread.extend(short.by_ref().take(between));
    }
    spread.extend(short);
    spread
}

/// Fisher and Yates, with numbers by SplitMix64.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        items.swap(last, (mixed % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_ones_come_early_and_apart_and_the_others_stay_as_they_were() {
        let order = |items: &[(u8, bool)]| {
            let spread = Sequence::Spread.apply(items.to_vec(), |(_, long)| *long);
            spread.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
        };
        let some = [(1, false), (2, true), (3, false), (4, true), (5, false), (6, false)];
        assert_eq!(order(&some), [2, 1, 4, 3, 5, 6]);
        assert_eq!(order(&[(1, false), (2, true), (3, true)]), [2, 3, 1]);
        assert_eq!(order(&[(1, false), (2, false)]), [1, 2]);
        assert_eq!(order(&[]), [0; 0]);
    }

    #[test]
    fn a_seed_brings_the_same_order_again_and_another_seed_another() {
        let by = |seed| Sequence::Shuffled(seed).apply((0..100).collect::<Vec<u32>>(), |_| false);
        assert_eq!(by(7), by(7));
        assert_ne!(by(7), by(8));
        assert_ne!(by(7), (0..100).collect::<Vec<_>>());
        let mut sorted = by(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_and_one_item_can_be_shuffled() {
        assert_eq!(Sequence::Shuffled(0).apply(Vec::<u8>::new(), |_| false), [0; 0]);
        assert_eq!(Sequence::Shuffled(0).apply(vec![1], |_| false), [1]);
    }
}
