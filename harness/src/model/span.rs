//! The small vocabulary of a span: identifiers, kind, status, attribute values, links.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A W3C trace id: 16 bytes, not all zero. Shown as 32 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// A W3C parent id: 8 bytes, not all zero. Shown as 16 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

macro_rules! hex_id {
    ($name:ident, $bytes:literal) => {
        impl $name {
            /// `None` when the length is wrong or every byte is zero, as OTLP and W3C Trace Context require.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let id: [u8; $bytes] = bytes.try_into().ok()?;
                (id != [0; $bytes]).then_some(Self(id))
            }

            /// Reads hex digits of any case; `None` when they are not exactly one valid id.
            pub fn from_hex(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                if digits.len() != 2 * $bytes {
                    return None;
                }
                let mut id = [0; $bytes];
                for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
                    let high = char::from(pair[0]).to_digit(16)?;
                    let low = char::from(pair[1]).to_digit(16)?;
                    *byte = (high * 16 + low) as u8;
                }
                Self::from_slice(&id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no id")))
            }
        }
    };
}
hex_id!(TraceId, 16);
hex_id!(SpanId, 8);

/// The span kinds of OTLP. `Unspecified` is what a sender that set none, or an unknown number, becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    /// The kind of an OTLP enum number.
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Kind::Internal,
            2 => Kind::Server,
            3 => Kind::Client,
            4 => Kind::Producer,
            5 => Kind::Consumer,
            _ => Kind::Unspecified,
        }
    }

    /// The word used in outlines: `SERVER`, `CLIENT`, ….
    pub fn word(self) -> &'static str {
        match self {
            Kind::Unspecified => "UNSPECIFIED",
            Kind::Internal => "INTERNAL",
            Kind::Server => "SERVER",
            Kind::Client => "CLIENT",
            Kind::Producer => "PRODUCER",
            Kind::Consumer => "CONSUMER",
        }
    }
}

/// A span's status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Unset,
    Ok,
    Error,
}

/// An attribute's value. Arrays, maps and bytes are kept as their JSON text: rules compare, they do not compute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
}

impl Value {
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Double(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
        }
    }
}

/// An attribute's value where it lies: what rules over all spans read, without a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'a str),
    /// An array, a map or bytes.
    Other,
}

impl<'a> ValueRef<'a> {
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            ValueRef::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(self) -> Option<i64> {
        match self {
            ValueRef::Int(number) => Some(number),
            _ => None,
        }
    }
}

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueRef::Bool(value) => value.fmt(f),
            ValueRef::Int(value) => value.fmt(f),
            ValueRef::Double(value) => value.fmt(f),
            ValueRef::Text(value) => value.fmt(f),
            ValueRef::Other => f.write_str("(an array, a map or bytes)"),
        }
    }
}

/// A link to another span.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub trace: TraceId,
    pub span: SpanId,
    pub attributes: Vec<(String, Value)>,
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// A `traceparent` header value that is valid by W3C Trace Context level 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: TraceId,
    pub span: SpanId,
    pub flags: u8,
}

impl TraceParent {
    /// Reads a header value strictly: lowercase hex, no all-zero id, version not `ff`, version 00 exactly 55 characters,
    /// a higher version 55 characters and then the end or `-`.
    pub fn parse(text: &str) -> Option<Self> {
        let head = text.get(..55)?;
        let rest = &text[55..];
        let lower = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let mut parts = head.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let shape = version.len() == 2 && flags.len() == 2 && parts.next().is_none();
        if !shape || ![version, trace, span, flags].into_iter().all(lower) || version == "ff" {
            return None;
        }
        if !(rest.is_empty() || version != "00" && rest.starts_with('-')) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(TraceParent { trace: TraceId::from_hex(trace)?, span: SpanId::from_hex(span)?, flags })
    }

    /// Whether its sender keeps the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_hex_of_any_case_and_refuse_zero_and_other_lengths() {
        assert_eq!(SpanId::from_hex("00F067AA0BA902B7").unwrap().to_string(), "00f067aa0ba902b7");
        for bad in [
            "0000000000000000",
            "00f067aa0ba902b",
            "00f067aa0ba902b7a",
            "",
            "00f067aa0ba902bg",
            "é0f067aa0ba902b",
        ] {
            assert_eq!(SpanId::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_traceparent_is_read_as_level_2_says() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(TraceParent::parse(good).is_some());
        assert!(TraceParent::parse(&format!("cc{}-future", &good[2..])).is_some());
        for bad in [
            good.to_uppercase(),
            format!("{good}-x"),
            format!("ff{}", &good[2..]),
            format!("cc{}x", &good[2..]),
            good.replace("b7ad6b7169203331", "0000000000000000"),
            good[..54].to_string(),
            "é".repeat(40),
        ] {
            assert_eq!(TraceParent::parse(&bad), None, "{bad}");
        }
    }
}
