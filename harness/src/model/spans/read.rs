//! Reading parts of a `Span` message on demand. The bytes were checked when they were indexed, so what does not read is absent.

use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use prost::Message;

use crate::model::{Link, SpanId, TraceId, Value, ValueRef};
use crate::otlp::wire::cursor::{Cursor, WireType};

const TRACE_STATE: u32 = 3;
pub(super) const ATTRIBUTES: u32 = 9;
const EVENTS: u32 = 11;
const LINKS: u32 = 13;
const STATUS: u32 = 15;

/// The delimited fields of a message: number and content.
struct Delimited<'a>(Cursor<'a>);

impl<'a> Iterator for Delimited<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            match self.0.key().ok()? {
                (number, WireType::Delimited) => return Some((number, self.0.delimited().ok()?.rest())),
                (number, wire) => self.0.skip(number, wire, 8).ok()?,
            }
        }
        None
    }
}

fn fields(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    Delimited(Cursor::new(message)).filter(move |(number, _)| *number == wanted).map(|(_, content)| content)
}

fn field(message: &[u8], wanted: u32) -> Option<&[u8]> {
    fields(message, wanted).last()
}

/// The `AnyValue` message of the span's attribute of that key.
pub(super) fn attribute<'a>(span: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let pairs = fields(span, ATTRIBUTES);
    let mut matching = pairs.filter(|pair| field(pair, 1).unwrap_or_default() == key.as_bytes());
    field(matching.next()?, 2)
}

/// The text of an `AnyValue` that is text.
pub(super) fn str(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(field(value, 1)?).ok()
}

pub(super) fn value(message: &[u8]) -> Option<Value> {
    if let Some(text) = str(message) {
        return Some(Value::Text(text.to_owned()));
    }
    plain(AnyValue::decode(message).ok()?)
}

/// Arrays, maps and bytes become JSON text.
fn plain(value: AnyValue) -> Option<Value> {
    Some(match value.value? {
        any_value::Value::StringValue(text) => Value::Text(text),
        any_value::Value::BoolValue(value) => Value::Bool(value),
        any_value::Value::IntValue(value) => Value::Int(value),
        any_value::Value::DoubleValue(value) => Value::Double(value),
        other => Value::Text(json(other).to_string()),
    })
}

fn json(value: any_value::Value) -> serde_json::Value {
    let inner = |value: AnyValue| value.value.map_or(serde_json::Value::Null, json);
    match value {
        any_value::Value::StringValue(text) => text.into(),
        any_value::Value::BoolValue(value) => value.into(),
        any_value::Value::IntValue(value) => value.into(),
        any_value::Value::DoubleValue(value) => value.into(),
        any_value::Value::ArrayValue(array) => array.values.into_iter().map(inner).collect(),
        any_value::Value::KvlistValue(list) => {
            let pairs = list.values.into_iter();
            let pairs = pairs.map(|pair| (pair.key, pair.value.map_or(serde_json::Value::Null, inner)));
            serde_json::Value::Object(pairs.collect())
        }
        any_value::Value::BytesValue(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        _ => serde_json::Value::Null,
    }
}

/// An `AnyValue` message where it lies.
pub(super) fn value_ref(message: &[u8]) -> Option<ValueRef<'_>> {
    let mut cursor = Cursor::new(message);
    let mut value = None;
    while !cursor.is_empty() {
        value = Some(match cursor.key().ok()? {
            (1, WireType::Delimited) => {
                ValueRef::Text(std::str::from_utf8(cursor.delimited().ok()?.rest()).ok()?)
            }
            (2, WireType::Varint) => ValueRef::Bool(cursor.varint().ok()? != 0),
            (3, WireType::Varint) => ValueRef::Int(cursor.varint().ok()?.cast_signed()),
            (4, WireType::SixtyFourBit) => ValueRef::Double(f64::from_bits(cursor.fixed64().ok()?)),
            (number, wire) => {
                cursor.skip(number, wire, 8).ok()?;
                ValueRef::Other
            }
        });
    }
    value
}

pub(super) fn attributes(span: &[u8]) -> Vec<(String, Value)> {
    pairs(span, ATTRIBUTES)
}

pub(super) fn attribute_refs(span: &[u8]) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
    fields(span, ATTRIBUTES).filter_map(|pair| {
        let key = std::str::from_utf8(field(pair, 1)?).ok()?;
        Some((key, value_ref(field(pair, 2)?)?))
    })
}

/// The key-value pairs of a message, in the field of that number.
pub(super) fn pairs(message: &[u8], number: u32) -> Vec<(String, Value)> {
    let pair = |pair| {
        let key = String::from_utf8_lossy(field(pair, 1).unwrap_or_default()).into_owned();
        Some((key, value(field(pair, 2)?)?))
    };
    fields(message, number).filter_map(pair).collect()
}

/// Trace and span id of each valid link, with its message.
pub(super) fn link_ids(span: &[u8]) -> impl Iterator<Item = (TraceId, SpanId, &[u8])> {
    fields(span, LINKS).filter_map(|link| {
        let trace = TraceId::from_slice(field(link, 1)?)?;
        Some((trace, SpanId::from_slice(field(link, 2)?)?, link))
    })
}

pub(super) fn links(span: &[u8]) -> Vec<Link> {
    let links = link_ids(span);
    links.map(|(trace, span, link)| Link { trace, span, attributes: pairs(link, 4) }).collect()
}

pub(super) fn events(span: &[u8]) -> Vec<(String, Vec<(String, Value)>)> {
    let name = |event| String::from_utf8_lossy(field(event, 2).unwrap_or_default()).into_owned();
    fields(span, EVENTS).map(|event| (name(event), pairs(event, 3))).collect()
}

pub(super) fn status_message(span: &[u8]) -> &str {
    let message = field(span, STATUS).and_then(|status| field(status, 2));
    message.and_then(|message| std::str::from_utf8(message).ok()).unwrap_or("")
}

pub(super) fn trace_state(span: &[u8]) -> &str {
    field(span, TRACE_STATE).and_then(|state| std::str::from_utf8(state).ok()).unwrap_or("")
}

/// The first delimited field of that number, as text: for resources and scopes.
pub(super) fn text(message: &[u8], number: u32) -> String {
    String::from_utf8_lossy(field(message, number).unwrap_or_default()).into_owned()
}
