//! Records between their producer and their consumers, with their headers.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::markup;
use super::spans::bounded;
use super::{Budget, Build, plain};
use crate::model::{Kind, Record, Span, TraceParent};

const HEADERS_MAX: usize = 64;
const VALUE_MAX: usize = 1_000;
const CONSUMERS_MAX: usize = 8;
const OFFSETS_MAX: usize = 1_000;

pub(super) fn of(build: &mut Build, budget: &mut Budget) -> Vec<Value> {
    let records = bounded(build, "records", &build.case.evidence.records, &mut budget.records);
    if records.is_empty() {
        return Vec::new();
    }
    let places = places(build);
    records.iter().map(|record| entry(build, record, &places)).collect()
}

/// Topic, partition and offset as spans name them.
type Place = (String, i64, i64);

/// Consumer spans by the place that they say they processed.
fn places<'c>(build: &Build<'c>) -> HashMap<Place, Vec<Span<'c>>> {
    let mut places: HashMap<Place, Vec<Span<'c>>> = HashMap::new();
    for span in build.case.spans.iter().filter(|span| span.kind() == Kind::Consumer) {
        let number = |key: &str| span.text(key)?.parse::<i64>().ok();
        let topic = span.str("messaging.destination.name");
        let partition = number("messaging.destination.partition.id");
        let offset = number("messaging.kafka.offset").or_else(|| number("messaging.kafka.message.offset"));
        if let (Some(topic), Some(partition), Some(offset)) = (topic, partition, offset) {
            places.entry((topic.into(), partition, offset)).or_default().push(span);
        }
    }
    places
}

fn entry<'c>(build: &mut Build<'c>, record: &Record, places: &HashMap<Place, Vec<Span<'c>>>) -> Value {
    let context = record.header("traceparent").next().and_then(TraceParent::parse);
    let creator = context.and_then(|context| build.case.spans.get(context.trace, context.span));
    let mut consumers: Vec<(Span, &str)> = Vec::new();
    if let Some(creator) = creator {
        let consumer = |span: &Span| span.kind() == Kind::Consumer;
        consumers.extend(creator.children().filter(consumer).map(|span| (span, "child")));
        for span in creator.linked_from().filter(consumer).take(CONSUMERS_MAX) {
            match consumers.iter_mut().find(|(known, _)| *known == span) {
                Some((_, how)) => *how = "child and link",
                None => consumers.push((span, "link")),
            }
        }
    }
    let place = (record.topic.clone(), i64::from(record.partition), record.offset);
    for span in places.get(&place).into_iter().flatten() {
        if !consumers.iter().any(|(known, _)| known == span) {
            consumers.push((*span, "not joined: found by its offset"));
        }
    }
    let consumers = consumers.iter().take(CONSUMERS_MAX);
    let consumers: Vec<_> =
        consumers.filter_map(|(span, how)| Some(json!([build.row(*span)?, how]))).collect();
    let headers = record.headers.iter().take(HEADERS_MAX);
    let headers: Vec<_> = headers.map(|(name, value)| [build.text(name), build.text(value)]).collect();
    json!({
        "topic": build.text(&record.topic),
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key.as_ref().map(|key| build.text(key)),
        "headers": headers,
        "value": build.text(&markup::lines(&record.value, VALUE_MAX)),
        "at": build.since(record.at),
        "context": context.map(|context| (context.trace, context.span)),
        "creator": creator.and_then(|span| build.row(span)),
        "consumers": consumers,
    })
}

pub(super) fn offsets(build: &Build) -> Vec<Value> {
    let offsets = build.case.evidence.offsets.iter().take(OFFSETS_MAX);
    offsets
        .map(|offset| {
            json!([
                plain(&offset.group),
                plain(&offset.topic),
                offset.partition,
                offset.end,
                offset.committed
            ])
        })
        .collect()
}
