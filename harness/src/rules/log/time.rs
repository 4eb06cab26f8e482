//! RFC 3339: the time of a log line.

use crate::model::UnixNanos;

/// A moment as a line writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) at: UnixNanos,
    /// How many nanoseconds its last digit stands for.
    pub(crate) precision: u64,
    /// Whether it is written in UTC (`Z`, `+00:00`), not in local time.
    pub(crate) utc: bool,
}

impl Time {
    /// Reads `2026-11-21T06:36:10.877256Z`. `None` for what RFC 3339 does not allow, and for years before 1970.
    pub(crate) fn parse(text: &str) -> Option<Time> {
        let bytes = text.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if bytes.len() < 20 || !text.is_ascii() || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
            return None;
        }
        let number = |from: usize, to: usize| digits(&bytes[from..to]);
        let days = days_since_1970(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        // A leap second is a second.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, precision, rest) = fraction(&text[19..])?;
        let (offset_seconds, utc) = offset(rest)?;
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
        let seconds = i64::try_from(seconds).ok()?.checked_sub(offset_seconds)?;
        let at = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)?;
        Some(Time { at, precision, utc })
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if year < 1970 || day < 1 || day > length {
        return None;
    }
    let years = year - 1970;
    // Years that began before this one and were leap years, counted from 1970.
    let leaps = |until: u64| until / 4 - until / 100 + until / 400;
    let before: u64 = lengths[..month as usize - 1].iter().sum();
    Some(years * 365 + leaps(year - 1) - leaps(1969) + before + day - 1)
}

/// Nanoseconds behind the second, what the last digit stands for, and what follows.
fn fraction(text: &str) -> Option<(u64, u64, &str)> {
    let Some(behind) = text.strip_prefix('.') else { return Some((0, 1_000_000_000, text)) };
    let length = behind.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return None;
    }
    let kept = &behind.as_bytes()[..length.min(9)];
    let precision = 10u64.pow(9 - kept.len() as u32);
    Some((digits(kept)? * precision, precision, &behind[length..]))
}

/// Seconds east of Greenwich, and whether that is UTC. `-00:00` says that nobody knows.
fn offset(text: &str) -> Option<(i64, bool)> {
    if text == "Z" {
        return Some((0, true));
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) =
        text[1..].split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let (hours, minutes) = (digits(hours.as_bytes())?, digits(minutes.as_bytes())?);
    (hours <= 23 && minutes <= 59).then(|| (sign * (hours * 3_600 + minutes * 60) as i64, text == "+00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<u64> {
        Time::parse(text).map(|time| time.at)
    }

    #[test]
    fn moments_are_read_to_the_nanosecond() {
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2026-11-21T06:36:10.877256Z"), Some(1_795_242_970_877_256_000));
        assert_eq!(at("2000-02-29T23:59:59.999999999Z"), Some(951_868_799_999_999_999));
        assert_eq!(at("2026-11-21T07:36:10+01:00"), at("2026-11-21T06:36:10Z"));
        assert_eq!(at("2026-11-20T23:06:10-07:30"), at("2026-11-21T06:36:10Z"));
        let time = Time::parse("2026-11-21T06:36:10.877Z").unwrap();
        assert_eq!((time.precision, time.utc), (1_000_000, true));
        assert!(!Time::parse("2026-11-21T07:36:10+01:00").unwrap().utc);
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for bad in [
            "",
            "2026-11-21 06:36:10Z",
            "2026-11-21T06:36:10",
            "2026-11-21T06:36:10.Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00Zz",
            "1795242970",
            "2026-11-21T06:36:1é.0Z",
            "9999-99-99T99:99:99+99:99",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
