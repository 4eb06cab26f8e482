//! The name of a run: when it began, and enough chance to tell apart two that began together.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Date;

/// `20260801-142233-7f3a`: date and time in UTC, and four random digits. Ids sort by time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    /// A new one, for now.
    #[expect(clippy::new_without_default, reason = "each is different: there is no default")]
    pub fn new() -> RunId {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // The keys of a hasher are the standard library's only source of chance.
        let chance = RandomState::new().hash_one(std::process::id()) & 0xffff;
        RunId(format!("{}-{chance:04x}", date_and_time(seconds)))
    }

    /// An id of another run, if the text has the form of one.
    pub fn parse(text: &str) -> Option<RunId> {
        let fields: Vec<_> = text.split('-').collect();
        let [date, time, chance] = fields[..] else { return None };
        let digits =
            |field: &str, count, radix| field.len() == count && field.chars().all(|c| c.is_digit(radix));
        let is_id = digits(date, 8, 10) && digits(time, 6, 10) && digits(chance, 4, 16);
        is_id.then(|| RunId(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `YYYYMMDD-HHMMSS` of a Unix time.
fn date_and_time(unix_seconds: u64) -> String {
    let date = Date::of(unix_seconds.saturating_mul(1_000_000_000)).to_string().replace('-', "");
    let seconds = unix_seconds % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{date}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_782_400, "20000229-000000"),
            (951_868_800, "20000301-000000"),
            (1_704_067_199, "20231231-235959"),
            (1_709_164_800, "20240229-000000"),
            (4_107_542_400, "21000301-000000"),
        ];
        for (seconds, text) in cases {
            assert_eq!(date_and_time(seconds), text);
        }
    }

    #[test]
    fn an_id_is_read_back_and_two_differ() {
        let id = RunId::new();
        assert_eq!(RunId::parse(id.as_str()), Some(id.clone()));
        assert!((0..8).any(|_| RunId::new() != id));
    }

    #[test]
    fn other_names_are_no_ids() {
        for name in [
            "",
            "latest",
            "20260801-142233",
            "20260801-142233-7f3",
            "2026080x-142233-7f3a",
            "20260801-142233-7f3a-1",
        ] {
            assert_eq!(RunId::parse(name), None, "{name}");
        }
    }
}
