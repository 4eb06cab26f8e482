//! A day of the calendar, as people write it in files: `2026-12-31`.
//!
//! Nothing here asks for the time: what day it is comes from the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnixNanos;

const SECONDS_PER_DAY: u64 = 86_400;

/// A day of the Gregorian calendar, in UTC. Written and read as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Why a text is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    #[error("not a date of the form YYYY-MM-DD")]
    Form,
    #[error("no day of the calendar")]
    NoSuchDay,
}

impl Date {
    /// # Errors
    /// A day that no calendar has (February 30th).
    pub fn new(year: u16, month: u8, day: u8) -> Result<Date, DateError> {
        let exists = year <= 9999 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        if exists { Ok(Date { year, month, day }) } else { Err(DateError::NoSuchDay) }
    }

    /// The day, in UTC, that a moment lies in.
    pub fn of(moment: UnixNanos) -> Date {
        // Days of eras of 400 years that begin on March 1st, so that a leap day ends its year
        // (Howard Hinnant, "chrono-compatible low-level date algorithms").
        let days = moment / 1_000_000_000 / SECONDS_PER_DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Date { year: year as u16, month: month as u8, day: day as u8 }
    }
}

fn days_of(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Date, DateError> {
        let bytes = text.as_bytes();
        let is_form = bytes.len() == 10
            && bytes.iter().enumerate().all(|(place, byte)| match place {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_form {
            return Err(DateError::Form);
        }
        let form = |_| DateError::Form;
        let (year, month, day) = (text[..4].parse(), text[5..7].parse(), text[8..].parse());
        Date::new(year.map_err(form)?, month.map_err(form)?, day.map_err(form)?)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["2026-12-31", "2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().map(|date| date.to_string()), Ok(text.to_string()));
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        let no_such_day =
            ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-01-00"];
        for text in no_such_day {
            assert_eq!(text.parse::<Date>(), Err(DateError::NoSuchDay), "{text}");
        }
        for text in
            ["", "2026-1-1", "31.12.2026", "2026/12/31", "+026-12-31", "2026-12-31T00:00", "２026-1-1"]
        {
            assert_eq!(text.parse::<Date>(), Err(DateError::Form), "{text}");
        }
    }

    #[test]
    fn a_moment_lies_in_its_day_of_utc() {
        let day = |seconds: u64| Date::of(seconds * 1_000_000_000).to_string();
        let table = [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_251_199, "2024-02-29"),
            (4_102_444_799, "2099-12-31"),
        ];
        for (seconds, expected) in table {
            assert_eq!(day(seconds), expected);
        }
        assert_eq!(Date::of(UnixNanos::MAX).to_string(), "2554-07-21");
    }

    #[test]
    fn days_are_ordered() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert!(date("2026-09-30") < date("2026-10-01") && date("2025-12-31") < date("2026-01-01"));
    }
}
