//! In which order the tests of a suite begin: the long ones first, or shuffled. None depends on another, so that the order
//! changes nothing but the time that the whole takes.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

/// `random`, or the number that an earlier run printed.
const VARIABLE: &str = "PROBITY_SHUFFLE";

/// An order of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// What takes long begins first, so that the end does not wait for it alone; otherwise as they are listed.
    LongFirst,
    /// By this seed.
    Shuffled(u64),
}

impl Sequence {
    /// As `PROBITY_SHUFFLE` asks for.
    pub(super) fn from_environment() -> Result<Sequence, String> {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("") => Ok(Sequence::LongFirst),
            Ok("random") => Ok(Sequence::Shuffled(RandomState::new().hash_one(0) % 1_000_000)),
            Ok(seed) => seed.parse().map(Sequence::Shuffled).map_err(|_| {
                format!("{VARIABLE}: `{seed}` is neither `random` nor the number that an earlier run printed")
            }),
        }
    }

    /// What a person must know to repeat it.
    pub(super) fn told(self) -> Option<String> {
        match self {
            Sequence::LongFirst => None,
            Sequence::Shuffled(seed) => {
                Some(format!("shuffled: {VARIABLE}={seed} brings the same order again"))
            }
        }
    }

    pub(super) fn apply<T>(self, items: &mut [T], is_long: impl Fn(&T) -> bool) {
        match self {
            Sequence::LongFirst => items.sort_by_key(|item| !is_long(item)),
            Sequence::Shuffled(seed) => shuffle(items, seed),
        }
    }
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
    fn the_long_ones_come_first_and_the_others_stay_as_they_were() {
        let mut items = [(1, false), (2, true), (3, false), (4, true)];
        Sequence::LongFirst.apply(&mut items, |(_, long)| *long);
        assert_eq!(items.map(|(number, _)| number), [2, 4, 1, 3]);
    }

    #[test]
    fn a_seed_brings_the_same_order_again_and_another_seed_another() {
        let by = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            Sequence::Shuffled(seed).apply(&mut items, |_| false);
            items
        };
        assert_eq!(by(7), by(7));
        assert_ne!(by(7), by(8));
        assert_ne!(by(7), (0..100).collect::<Vec<_>>());
        let mut sorted = by(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_and_one_item_can_be_shuffled() {
        Sequence::Shuffled(0).apply(&mut [] as &mut [u8], |_| false);
        Sequence::Shuffled(0).apply(&mut [1], |_| false);
    }
}
