//! What a run set out to do: which scenarios there are, which were chosen, and which share of them is this run's.
//!
//! It is kept with the evidence, so that shards can be put together, what is missing can be named, and what was not green can
//! be run again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Shards of one run; each starts backends of its own.
const SHARDS_MAX: u32 = 1_000;

/// What a run set out to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The systems, as the report names them.
    pub subject: String,
    /// Every scenario that there is.
    pub all: Vec<String>,
    /// Those that were chosen, in order; all shards of a run agree on them.
    pub chosen: Vec<String>,
    /// Which share of the chosen is this run's; `None`: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The defect that was put into the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
}

impl Plan {
    /// The scenarios that this run was to judge.
    pub fn share(&self) -> impl Iterator<Item = &str> {
        let is_ours = |place: &usize| self.shard.is_none_or(|shard| shard.has(*place));
        self.chosen.iter().enumerate().filter(move |(place, _)| is_ours(place)).map(|(_, name)| name.as_str())
    }
}

/// One of several runs that share the scenarios among them: `2/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: u32,
    pub of: u32,
}

/// Why a text names no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write I/N, the number of this shard and how many there are (1/3 to 3/3; at most {SHARDS_MAX})")]
pub struct ShardError;

impl Shard {
    /// Whether the scenario at that place of the list is this shard's. They are dealt out in turn: every place has one
    /// shard, the shards differ by one scenario at most, and the families, which stand together, are spread.
    pub fn has(self, place: usize) -> bool {
        place as u64 % u64::from(self.of.max(1)) == u64::from(self.index) - 1
    }

    /// The shard that has the scenario at that place.
    pub fn of_place(place: usize, of: u32) -> Shard {
        let of = of.max(1);
        Shard { index: (place as u64 % u64::from(of)) as u32 + 1, of }
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let (index, of) = text.split_once('/').ok_or(ShardError)?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u32>().map_err(|_| ShardError),
            false => Err(ShardError),
        };
        let shard = Shard { index: number(index)?, of: number(of)? };
        let is_one = (1..=shard.of).contains(&shard.index) && shard.of <= SHARDS_MAX;
        if is_one { Ok(shard) } else { Err(ShardError) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_so_many() {
        for text in ["1/1", "2/3", "3/3", "1000/1000"] {
            assert_eq!(text.parse::<Shard>().map(|shard| shard.to_string()), Ok(text.into()));
        }
        for text in
            ["", "1", "0/3", "4/3", "1/0", "a/3", "1/3/5", "-1/3", "+1/3", " 1/3", "1/1001", "1/99999999999"]
        {
            assert_eq!(text.parse::<Shard>(), Err(ShardError), "{text}");
        }
    }

    #[test]
    fn every_scenario_is_in_exactly_one_shard_and_shards_are_even() {
        for (scenarios, of) in [(0, 3), (1, 1), (5, 8), (41, 3), (41, 41), (1_000, 7)] {
            let chosen: Vec<String> = (0..scenarios).map(|number| format!("s{number}")).collect();
            let shares = (1..=of).map(|index| {
                let plan =
                    Plan { chosen: chosen.clone(), shard: Some(Shard { index, of }), ..Plan::default() };
                plan.share().map(String::from).collect::<Vec<_>>()
            });
            let shares: Vec<_> = shares.collect();
            let mut all: Vec<_> = shares.concat();
            all.sort_by_key(|name| name[1..].parse::<u32>().unwrap());
            assert_eq!(all, chosen, "{scenarios} in {of}");
            let (least, most) = (shares.iter().map(Vec::len).min(), shares.iter().map(Vec::len).max());
            assert!(most <= least.map(|least| least + 1), "{shares:?}");
            for (place, name) in chosen.iter().enumerate() {
                let shard = Shard::of_place(place, of);
                assert!(shard.has(place) && shares[shard.index as usize - 1].contains(name));
            }
        }
    }

    #[test]
    fn without_a_shard_a_run_has_all_that_was_chosen() {
        let plan = Plan { chosen: vec!["a".into(), "b".into()], ..Plan::default() };
        assert_eq!(plan.share().collect::<Vec<_>>(), ["a", "b"]);
    }
}
