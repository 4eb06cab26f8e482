//! Operations: the spans of one service, kind and name over all scenarios that both runs have, with their attributes and
//! durations.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::durations::{Durations, Samples};
use super::{A, B, In};
use crate::model::{Case, Kind, ValueRef};
use crate::outline::shown_name;
use crate::report::text::{harmless, shortened};

/// Operations, and attributes of one, that are told apart; hostile names make a new one for every span.
const OPERATIONS_MAX: usize = 20_000;
const KEYS_MAX: usize = 500;
const KEY_CHARACTERS_MAX: usize = 100;

/// An operation that only one run has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanChange {
    pub service: String,
    pub kind: Kind,
    pub name: String,
    /// `came` or `went`.
    pub change: &'static str,
    /// How many spans there are, or were.
    pub spans: u64,
    pub scenarios: In,
}

/// An attribute that only one run has on an operation that both have, or on a service's resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttributeChange {
    pub service: String,
    /// `null`, with an empty name: an attribute of the resource.
    pub kind: Option<Kind>,
    pub name: String,
    pub key: String,
    /// `came`, `went` or `type`.
    pub change: &'static str,
    /// On how many spans it was, or is; 0 for a resource.
    pub with: u64,
    /// Of how many spans.
    pub of: u64,
    /// For `type`: what it was and is (`string`, `int`, `double`, `bool`, `other`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<[String; 2]>,
}

/// Service, kind and name as outlines show them.
pub(super) type Operation = (String, Kind, String);

#[derive(Default)]
pub(super) struct Operations {
    seen: BTreeMap<Operation, [Seen; 2]>,
    resources: BTreeMap<String, [BTreeSet<String>; 2]>,
    /// Counts the scenarios.
    number: usize,
}

/// What one run has of an operation.
#[derive(Default)]
pub(super) struct Seen {
    spans: u64,
    scenarios: In,
    /// The number of the last of them.
    last: usize,
    keys: BTreeMap<String, Key>,
    pub(super) durations: Samples,
}

#[derive(Clone, Copy, Default)]
struct Key {
    with: u64,
    types: Types,
}

/// A set of types, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Types(u8);

impl Types {
    const WORDS: [&str; 5] = ["string", "int", "double", "bool", "other"];

    fn add(&mut self, value: ValueRef) {
        self.0 |= 1
            << match value {
                ValueRef::Text(_) => 0,
                ValueRef::Int(_) => 1,
                ValueRef::Double(_) => 2,
                ValueRef::Bool(_) => 3,
                ValueRef::Other => 4,
            };
    }

    fn are_apart(self, other: Types) -> bool {
        self.0 != 0 && other.0 != 0 && self.0 & other.0 == 0
    }

    fn words(self) -> String {
        let words = Types::WORDS.iter().enumerate().filter(|(bit, _)| self.0 & 1 << bit != 0);
        words.map(|(_, word)| *word).collect::<Vec<_>>().join(" or ")
    }
}

impl Operations {
    pub(super) fn add(&mut self, scenario: &str, cases: [&Case; 2], steady: bool) {
        self.number += 1;
        for side in [A, B] {
            self.add_resources(cases[side], side);
            for ((service, kind, name), of_case) in by_raw_name(cases[side]) {
                let operation = (shown_name(service), kind, shown_name(name));
                if self.seen.len() >= OPERATIONS_MAX && !self.seen.contains_key(&operation) {
                    continue;
                }
                let seen = &mut self.seen.entry(operation).or_default()[side];
                // Several names may be shown alike.
                if seen.last != self.number {
                    seen.last = self.number;
                    seen.scenarios.add(scenario);
                }
                seen.take(of_case, steady);
            }
        }
    }

    fn add_resources(&mut self, case: &Case, side: usize) {
        for resource in case.spans.resources() {
            let declared = resource.process.as_ref().and_then(|id| case.process(id));
            let service = declared.map_or(resource.service_name(), |process| &process.service);
            let keys = &mut self.resources.entry(shown_name(service)).or_default()[side];
            keys.extend(resource.attributes.iter().map(|(key, _)| shown_key(key)).take(KEYS_MAX));
        }
    }

    /// What came and went; and what became slower.
    pub(super) fn changes(self) -> (Vec<SpanChange>, Vec<AttributeChange>, Durations) {
        let mut spans = Vec::new();
        let mut attributes: Vec<_> =
            self.resources.iter().flat_map(|(service, keys)| of_resource(service, keys)).collect();
        for (operation, seen) in &self.seen {
            match seen.each_ref().map(|seen| seen.spans) {
                [0, _] => spans.push(alone(operation, "came", &seen[B])),
                [_, 0] => spans.push(alone(operation, "went", &seen[A])),
                _ => attributes.extend(of_operation(operation, seen)),
            }
        }
        (spans, attributes, Durations::of(self.seen))
    }
}

/// A case's spans by their names as received: names are shown once, not for every span.
fn by_raw_name<'c>(case: &'c Case) -> HashMap<(&'c str, Kind, &'c str), OfCase<'c>> {
    let mut found: HashMap<_, OfCase> = HashMap::new();
    for span in case.spans.iter() {
        let seen = found.entry((case.service(span), span.kind(), span.name())).or_default();
        seen.spans += 1;
        seen.nanoseconds.push(span.end().saturating_sub(span.start()));
        for (key, value) in span.attribute_refs() {
            if seen.keys.len() < KEYS_MAX || seen.keys.contains_key(key) {
                let seen = seen.keys.entry(key).or_default();
                seen.with += 1;
                seen.types.add(value);
            }
        }
    }
    found
}

#[derive(Default)]
struct OfCase<'c> {
    spans: u64,
    keys: HashMap<&'c str, Key>,
    nanoseconds: Vec<u64>,
}

impl Seen {
    fn take(&mut self, of_case: OfCase, steady: bool) {
        self.spans += of_case.spans;
        for (key, found) in of_case.keys {
            let key = shown_key(key);
            if self.keys.len() < KEYS_MAX || self.keys.contains_key(&key) {
                let seen = self.keys.entry(key).or_default();
                seen.with += found.with;
                seen.types.0 |= found.types.0;
            }
        }
        if steady {
            self.durations.extend(of_case.nanoseconds);
        }
    }
}

fn shown_key(key: &str) -> String {
    shortened(&harmless(key, false), KEY_CHARACTERS_MAX)
}

fn alone((service, kind, name): &Operation, change: &'static str, seen: &Seen) -> SpanChange {
    SpanChange {
        service: service.clone(),
        kind: *kind,
        name: name.clone(),
        change,
        spans: seen.spans,
        scenarios: seen.scenarios.clone(),
    }
}

fn of_resource(service: &str, keys: &[BTreeSet<String>; 2]) -> Vec<AttributeChange> {
    // A service that one run does not have is told by its spans.
    if keys.iter().any(BTreeSet::is_empty) {
        return Vec::new();
    }
    let change = |key: &String, change| AttributeChange {
        service: service.into(),
        kind: None,
        name: String::new(),
        key: key.clone(),
        change,
        with: 0,
        of: 0,
        types: None,
    };
    let went = keys[A].difference(&keys[B]).map(|key| change(key, "went"));
    went.chain(keys[B].difference(&keys[A]).map(|key| change(key, "came"))).collect()
}

/// An attribute came when no span had it and half of them have it: what a few have is chance.
fn of_operation((service, kind, name): &Operation, seen: &[Seen; 2]) -> Vec<AttributeChange> {
    let keys: BTreeSet<&String> = seen[A].keys.keys().chain(seen[B].keys.keys()).collect();
    let mut changes = Vec::new();
    for key in keys {
        let [a, b] = seen.each_ref().map(|seen| seen.keys.get(key).copied().unwrap_or_default());
        let half = |side: usize, key: Key| 2 * key.with >= seen[side].spans;
        let (change, side, found) = match (a.with, b.with) {
            (0, _) if half(B, b) => ("came", B, b),
            (_, 0) if half(A, a) => ("went", A, a),
            _ if a.types.are_apart(b.types) => ("type", B, b),
            _ => continue,
        };
        changes.push(AttributeChange {
            service: service.clone(),
            kind: Some(*kind),
            name: name.clone(),
            key: key.clone(),
            change,
            with: found.with.min(seen[side].spans),
            of: seen[side].spans,
            types: (change == "type").then(|| [a.types.words(), b.types.words()]),
        });
    }
    changes
}
