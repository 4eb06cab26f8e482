//! `traceparent`: version, trace id, parent id, flags.

use std::fmt;

use opentelemetry::trace::{SpanId, TraceId};

const SAMPLED: u8 = 0b01;
pub(crate) const RANDOM: u8 = 0b10;

/// `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const LENGTH: usize = 55;

/// The value of a `traceparent` header. Written as version 00, whatever version was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: TraceId,
    pub span: SpanId,
    pub sampled: bool,
    /// At least the last 7 bytes of the trace id are random.
    pub random: bool,
}

impl TraceParent {
    /// Reads a header's value; white space around it is no part of it. None when it is not valid: digits that are no lower
    /// case hexadecimal, ids of zeros or of another length, version ff, anything behind version 00, anything but `-` behind
    /// a later version.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim_matches([' ', '\t']);
        let (head, rest) = value.split_at_checked(LENGTH)?;
        let mut fields = head.split('-');
        let mut field = |length| fields.next().filter(|field| field.len() == length && is_hex(field));
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        let ends_well = match version {
            "ff" => false,
            "00" => rest.is_empty(),
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        if !ends_well || trace == TraceId::INVALID || span == SpanId::INVALID {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace, span, sampled: flags & SAMPLED != 0, random: flags & RANDOM != 0 })
    }

    /// The flags that this version knows; the others are reserved, and are written as zero.
    pub fn flags(&self) -> u8 {
        (u8::from(self.sampled) * SAMPLED) | (u8::from(self.random) * RANDOM)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-12345678901234567890123456789012-1234567890123456-01";

    #[test]
    fn reserved_flags_are_not_passed_on() {
        let parent = TraceParent::parse(&GOOD.replace("-01", "-ff")).unwrap();
        assert!(parent.sampled && parent.random);
        assert!(parent.to_string().ends_with("-03"));
        let later = TraceParent::parse(&GOOD.replace("00-", "cc-")).unwrap();
        assert_eq!(later.to_string(), GOOD, "a later version is written as the one that is known");
    }

    #[test]
    fn hostile_values_are_no_contexts() {
        let huge = "0".repeat(1_000_000);
        let wide = "é".repeat(40);
        let dashes = "-".repeat(LENGTH);
        let upper = GOOD.replace('a', "A").replace("1234567890123456-01", "ABCDEFABCDEFABCD-01");
        for value in ["", " ", "\0", &huge, &wide, &dashes, &upper, &GOOD[..54], &format!("{GOOD}\0")] {
            assert_eq!(TraceParent::parse(value), None, "{value:.60}");
        }
    }
}
