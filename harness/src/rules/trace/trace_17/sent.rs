//! The trace context that a stimulus carried, read by the letter of the Recommendation.

use crate::model::{Stimulus, TraceId, TraceParent};
use crate::rules::text::{count, quoted};

/// White space that HTTP allows around a value.
const SPACE: [char; 2] = [' ', '\t'];

/// The values of the two headers, in order.
pub(super) struct Sent<'s> {
    parents: Vec<&'s str>,
    states: Vec<&'s str>,
}

/// A valid context.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) trace: TraceId,
    pub(super) flags: u8,
    /// Of a later version only the sampled flag is known to mean what it does here.
    pub(super) version_is_known: bool,
}

impl<'s> Sent<'s> {
    pub(super) fn with(stimulus: &'s Stimulus) -> Self {
        let values = |name| stimulus.sent_header(name).map(|value| value.trim_matches(SPACE)).collect();
        Sent { parents: values("traceparent"), states: values("tracestate") }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parents.is_empty() && self.states.is_empty()
    }

    /// The context, when there is one header and it is valid.
    pub(super) fn context(&self) -> Option<Context> {
        let [value] = self.parents[..] else { return None };
        let parent = TraceParent::parse(value)?;
        Some(Context { trace: parent.trace, flags: parent.flags, version_is_known: value.starts_with("00") })
    }

    /// The members of the `tracestate`; `None` when it is not valid and is dropped as a whole.
    pub(super) fn members(&self) -> Option<Vec<(&'s str, &'s str)>> {
        members_of(&self.states)
    }

    /// What in the headers reads as a trace id, valid or not.
    pub(super) fn claimed(&self) -> Vec<TraceId> {
        let fields = self.parents.iter().flat_map(|value| value.split('-'));
        fields.filter_map(TraceId::from_hex).take(8).collect()
    }

    /// Whether the id is taken from the headers, or padded from a part of them.
    pub(super) fn names(&self, trace: TraceId) -> bool {
        let trace = trace.to_string();
        let padded = |field: &str| field.len() >= 16 && trace.trim_start_matches('0') == field.trim_start_matches('0');
        self.parents.iter().any(|value| value.to_ascii_lowercase().contains(&trace) || value.split('-').any(padded))
    }

    pub(super) fn in_words(&self) -> String {
        match self.parents[..] {
            [] => format!("no traceparent beside {}", count(self.states.len() as u64, "tracestate header")),
            [value] => format!("traceparent {}", quoted(value)),
            _ => format!("{} traceparent headers", self.parents.len()),
        }
    }
}

const MEMBERS_MAX: usize = 32;
const KEY_MAX: usize = 256;
const VALUE_MAX: usize = 256;

/// The members of all `tracestate` headers as one list; `None` when a member is not valid, or there are too many.
pub(super) fn members_of<'s>(headers: &[&'s str]) -> Option<Vec<(&'s str, &'s str)>> {
    let mut members = Vec::new();
    let all = headers.iter().flat_map(|header| header.split(','));
    for member in all.map(|member| member.trim_matches(SPACE)).filter(|member| !member.is_empty()) {
        let (key, value) = member.split_once('=')?;
        if !is_key(key) || !is_value(value) || members.len() == MEMBERS_MAX {
            return None;
        }
        members.push((key, value));
    }
    Some(members)
}

fn is_key(key: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let other = |byte| first(byte) || b"_-*/@".contains(&byte);
    key.len() <= KEY_MAX && key.bytes().next().is_some_and(first) && key.bytes().all(other)
}

fn is_value(value: &str) -> bool {
    let printable = |byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=VALUE_MAX).contains(&value.len()) && value.bytes().all(printable)
}
