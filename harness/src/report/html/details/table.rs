//! A table of strings: each text once, named by its number.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::model::Value;
use crate::report::html::markup;

/// Characters of one text. What is cut says how much is missing.
const TEXT_MAX: usize = 4_000;

/// The greatest integer that JavaScript reads exactly; greater ones are texts.
const EXACT_MAX: u64 = 1 << 53;

pub(super) struct Table {
    numbers: HashMap<String, u32>,
    values: Vec<Json>,
    /// Bytes that may still be added.
    room: usize,
}

/// What stands for a text that no longer fits into the page.
const NO_ROOM: &str = "(left out: the page is full)";

impl Table {
    pub(super) fn new(room: usize) -> Table {
        let mut table = Table { numbers: HashMap::new(), values: Vec::new(), room };
        // Number 0 is the empty text, so that what says nothing costs one digit.
        table.text("");
        table
    }

    pub(super) fn text(&mut self, text: &str) -> u32 {
        let known = self.numbers.get(text).copied();
        known.unwrap_or_else(|| self.add(markup::lines(text, TEXT_MAX), text))
    }

    /// An attribute's value. Numbers and booleans keep their type.
    pub(super) fn value(&mut self, value: &Value) -> u32 {
        match value {
            Value::Text(text) => self.text(text),
            Value::Bool(flag) => self.other(format!("\u{1}{flag}"), Json::from(*flag)),
            Value::Int(number) if number.unsigned_abs() < EXACT_MAX => {
                self.other(format!("\u{1}{number}"), Json::from(*number))
            }
            Value::Double(number) if number.is_finite() => {
                self.other(format!("\u{1}{number:?}"), Json::from(*number))
            }
            other => self.text(&other.to_string()),
        }
    }

    fn add(&mut self, shown: String, text: &str) -> u32 {
        // A text that differs only in what is cut is kept once; looking it up again costs the cut, not the memory.
        let key = if text.len() > 4 * TEXT_MAX { shown.clone() } else { text.to_owned() };
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let fits = shown.len() <= self.room;
        self.room -= if fits { shown.len() } else { 0 };
        match fits {
            true => self.other(key, Json::from(shown)),
            false => self.other("\u{1}full".into(), Json::from(NO_ROOM)),
        }
    }

    fn other(&mut self, key: String, value: Json) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.values.push(value);
            self.values.len() as u32 - 1
        })
    }

    /// The entries, and the room that is left.
    pub(super) fn finish(self) -> (Vec<Json>, usize) {
        (self.values, self.room)
    }
}
