//! Data on its way into the page: never markup, whatever it holds.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::Value;

use crate::report::text::harmless;

/// JSON that cannot end its script element, begin a comment, or break a line; its texts hide and reorder nothing.
pub(super) fn json(value: &impl Serialize) -> String {
    // Maps with text keys and plain values: serialisation has nothing to fail on.
    let mut value = serde_json::to_value(value).unwrap_or_default();
    make_harmless(&mut value);
    let text = value.to_string();
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(character)))
            }
            plain => safe.push(plain),
        }
    }
    safe
}

fn make_harmless(value: &mut Value) {
    match value {
        Value::String(text) => *text = harmless(text, true),
        Value::Array(entries) => entries.iter_mut().for_each(make_harmless),
        // Keys are our own.
        Value::Object(fields) => fields.values_mut().for_each(make_harmless),
        _ => {}
    }
}

/// JSON, compressed, in letters that mean nothing to HTML. A browser unpacks it when it is looked at.
pub(super) fn packed(value: &impl Serialize) -> String {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    let text = serde_json::to_vec(value).unwrap_or_default();
    // Writing to memory does not fail.
    _ = encoder.write_all(&text);
    STANDARD.encode(encoder.finish().unwrap_or_default())
}
