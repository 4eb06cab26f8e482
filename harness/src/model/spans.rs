//! The index over all captured spans: by id, by parent, by link. Built once per judgement from the bytes as received.
//!
//! Nothing is decoded ahead of need: a row holds what every rule asks for, attributes are read from the bytes of the span.
//! Byte-equal duplicates are retries and are dropped (the ledger counts them); two different spans under one id are both
//! kept, for TRACE-16. The order is by trace and span id, never by arrival.

mod index;
mod known;
mod read;

use std::collections::HashMap;
use std::sync::OnceLock;

use bytes::Bytes;

use super::attributes::Entry;
use super::{Kind, Link, ProcessId, SpanId, Status, TraceId, UnixNanos, Value, ValueRef};
use crate::otlp::wire::Place;

/// Every span of an [`super::Evidence`], indexed.
#[derive(Debug, Default)]
pub struct Spans {
    /// The trace requests, in a stable order of no meaning.
    requests: Vec<Bytes>,
    /// When each of them came.
    received: Vec<UnixNanos>,
    /// By trace, then span id.
    rows: Vec<Row>,
    resources: Vec<Resource>,
    scopes: Vec<Scope>,
    /// The first row of each trace, and a last entry behind them all.
    traces: Vec<(TraceId, u32)>,
    trace_numbers: HashMap<TraceId, u32, index::IdHasher>,
    /// Per row, the row of its captured parent, or [`NO_ROW`].
    parents: Vec<u32>,
    children: Lists,
    linked_from: HashMap<u32, Vec<u32>>,
    names: Names,
    known: OnceLock<known::Known>,
}

/// Names that the run made up, and what they stand for.
#[derive(Debug, Default)]
struct Names {
    /// Whole attribute values.
    values: Vec<(String, String)>,
    /// Span names that hold one, with what they become.
    spans: HashMap<String, String>,
}

/// Stands for "no such row".
const NO_ROW: u32 = u32::MAX;

/// Who emitted a span.
#[derive(Debug, PartialEq)]
pub struct Resource {
    /// The sender that the collector recognised, whatever the resource says.
    pub process: Option<ProcessId>,
    pub attributes: Vec<(String, Value)>,
    pub schema_url: String,
}

impl Resource {
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// `service.name`, or the empty string.
    pub fn service_name(&self) -> &str {
        self.attribute("service.name").and_then(Value::as_str).unwrap_or("")
    }
}

#[derive(Debug, PartialEq)]
struct Scope {
    name: String,
    schema_url: String,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    trace: TraceId,
    id: SpanId,
    parent: Option<SpanId>,
    start: UnixNanos,
    end: UnixNanos,
    request: u32,
    message: Place,
    name: Place,
    resource: u32,
    scope: u32,
    flags: u32,
    kind: Kind,
    status: u8,
}

/// Many short lists in one allocation: list `n` is `items[starts[n]..starts[n + 1]]`.
#[derive(Debug, Default)]
struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn of(&self, number: u32) -> &[u32] {
        match self.starts.get(number as usize..number as usize + 2) {
            Some(range) => &self.items[range[0] as usize..range[1] as usize],
            None => &[],
        }
    }
}

impl Spans {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every span, by trace id and span id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Span<'_>> + Clone {
        (0..self.rows.len() as u32).map(|row| Span { spans: self, row })
    }

    pub fn get(&self, trace: TraceId, id: SpanId) -> Option<Span<'_>> {
        let row = self.row_of(self.rows_of(trace)?, id)?;
        Some(Span { spans: self, row })
    }

    /// The spans of one trace, by span id.
    pub fn trace(&self, trace: TraceId) -> impl Iterator<Item = Span<'_>> + Clone {
        self.rows_of(trace).unwrap_or(0..0).map(|row| Span { spans: self, row })
    }

    /// Every trace id, once, in order.
    pub fn traces(&self) -> Vec<TraceId> {
        let known = &self.traces[..self.traces.len().saturating_sub(1)];
        known.iter().map(|(trace, _)| *trace).collect()
    }

    /// Spans without any parent id: the roots. (A span whose parent was not captured is an orphan, no root.)
    pub fn roots(&self) -> impl Iterator<Item = Span<'_>> {
        self.iter().filter(|span| span.parent_id().is_none())
    }

    /// Who emitted spans. The same resource may be listed more than once.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The declared name that a text stands for, or the text.
    fn declared<'s>(&'s self, text: &'s str) -> &'s str {
        let known = self.names.values.iter().find(|(made_up, _)| made_up == text);
        known.map_or(text, |(_, declared)| declared)
    }

    fn rows_of(&self, trace: TraceId) -> Option<std::ops::Range<u32>> {
        let number = *self.trace_numbers.get(&trace)? as usize;
        Some(self.traces[number].1..self.traces[number + 1].1)
    }

    fn row_of(&self, rows: std::ops::Range<u32>, id: SpanId) -> Option<u32> {
        let within = &self.rows[rows.start as usize..rows.end as usize];
        let at = within.partition_point(|row| row.id < id);
        (within.get(at)?.id == id).then_some(rows.start + at as u32)
    }
}

/// One captured span. A cheap handle: copy it freely.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    spans: &'a Spans,
    row: u32,
}

impl<'a> Span<'a> {
    fn row(self) -> &'a Row {
        &self.spans.rows[self.row as usize]
    }

    fn scope(self) -> &'a Scope {
        &self.spans.scopes[self.row().scope as usize]
    }

    /// Its place in [`Spans::iter`].
    pub fn index(self) -> usize {
        self.row as usize
    }

    /// The `Span` message as received.
    pub fn bytes(self) -> &'a [u8] {
        self.row().message.of(&self.spans.requests[self.row().request as usize])
    }

    pub fn trace(self) -> TraceId {
        self.row().trace
    }

    pub fn id(self) -> SpanId {
        self.row().id
    }

    pub fn parent_id(self) -> Option<SpanId> {
        self.row().parent
    }

    /// The captured parent.
    pub fn parent(self) -> Option<Span<'a>> {
        let row = self.spans.parents[self.row as usize];
        (row != NO_ROW).then_some(Span { spans: self.spans, row })
    }

    /// The captured children, by span id.
    pub fn children(self) -> impl Iterator<Item = Span<'a>> {
        let rows = self.spans.children.of(self.row);
        rows.iter().map(move |&row| Span { spans: self.spans, row })
    }

    /// The captured spans that link to this one, by span id.
    pub fn linked_from(self) -> impl Iterator<Item = Span<'a>> {
        let rows = self.spans.linked_from.get(&self.row).map(Vec::as_slice).unwrap_or_default();
        rows.iter().map(move |&row| Span { spans: self.spans, row })
    }

    /// This span's ancestors, nearest first; stops at a parent that was not captured, and at a cycle.
    pub fn ancestors(self) -> impl Iterator<Item = Span<'a>> {
        std::iter::successors(self.parent(), |span| span.parent()).take(self.spans.len().min(10_000))
    }

    pub fn name(self) -> &'a str {
        let bytes = self.row().name.of(&self.spans.requests[self.row().request as usize]);
        let name = std::str::from_utf8(bytes).unwrap_or_default();
        self.spans.names.spans.get(name).map_or(name, String::as_str)
    }

    pub fn kind(self) -> Kind {
        self.row().kind
    }

    pub fn start(self) -> UnixNanos {
        self.row().start
    }

    pub fn end(self) -> UnixNanos {
        self.row().end
    }

    /// When the collector took it in: the request that it came in, the first one for a span that came again.
    pub fn received(self) -> UnixNanos {
        self.spans.received[self.row().request as usize]
    }

    pub fn status(self) -> Status {
        match self.row().status {
            1 => Status::Ok,
            2 => Status::Error,
            _ => Status::Unset,
        }
    }

    pub fn status_message(self) -> &'a str {
        read::status_message(self.bytes())
    }

    /// The `tracestate` that came with its context, as it stands in the span; empty: none.
    pub fn trace_state(self) -> &'a str {
        read::trace_state(self.bytes())
    }

    /// `Some(true)`: the parent is in another process; `None`: the sender did not say.
    pub fn parent_is_remote(self) -> Option<bool> {
        let flags = self.row().flags;
        (flags & 0x100 != 0).then_some(flags & 0x200 != 0)
    }

    pub fn attribute(self, key: &str) -> Option<Value> {
        let value = read::attribute(self.bytes(), key).and_then(read::value);
        value.map(|value| match value {
            Value::Text(text) => Value::Text(self.spans.declared(&text).to_owned()),
            value => value,
        })
    }

    /// The attribute's text where it is text: without a copy.
    pub fn str(self, key: &str) -> Option<&'a str> {
        read::attribute(self.bytes(), key).and_then(read::str).map(|text| self.spans.declared(text))
    }

    /// The attribute as text, numbers in decimal.
    pub fn text(self, key: &str) -> Option<String> {
        self.attribute(key).map(|value| value.to_string())
    }

    pub fn attributes(self) -> Vec<(String, Value)> {
        read::attributes(self.bytes())
    }

    /// Its attributes where they lie. Keys that are no text are left out.
    pub fn attribute_refs(self) -> impl Iterator<Item = (&'a str, ValueRef<'a>)> {
        read::attribute_refs(self.bytes())
    }

    /// Where its known attributes stand: see [`super::attributes::Attributes`].
    pub(super) fn known_attributes(self) -> &'a [Entry] {
        self.spans.known.get_or_init(|| known::Known::of(self.spans)).entries(self.row)
    }

    /// Reads an `AnyValue` message of this span.
    pub(super) fn value_at(self, message: &'a [u8]) -> Option<ValueRef<'a>> {
        Some(match read::value_ref(message)? {
            ValueRef::Text(text) => ValueRef::Text(self.spans.declared(text)),
            value => value,
        })
    }

    /// The ids that each valid link names, in the order sent, captured or not.
    pub fn link_ids(self) -> impl Iterator<Item = (TraceId, SpanId)> {
        read::link_ids(self.bytes()).map(|(trace, span, _)| (trace, span))
    }

    /// The links whose ids are valid.
    pub fn links(self) -> Vec<Link> {
        read::links(self.bytes())
    }

    /// The captured spans that this one links to, in the order of its links.
    pub fn linked(self) -> Vec<Span<'a>> {
        self.links().iter().filter_map(|link| self.spans.get(link.trace, link.span)).collect()
    }

    /// Names and attributes of the events.
    pub fn events(self) -> Vec<(String, Vec<(String, Value)>)> {
        read::events(self.bytes())
    }

    pub fn resource(self) -> &'a Resource {
        &self.spans.resources[self.row().resource as usize]
    }

    /// Who sent it, as the collector recognised; `None` when the sender did not say.
    pub fn process(self) -> Option<&'a ProcessId> {
        self.resource().process.as_ref()
    }

    /// What the resource says: `service.name`, or the empty string. Rules that know the system ask [`super::Case::service`].
    pub fn service_name(self) -> &'a str {
        self.resource().service_name()
    }

    pub fn scope_name(self) -> &'a str {
        &self.scope().name
    }

    /// The schema URL of the scope alone, else the empty string: OTLP's `schema_url` of a resource speaks of the resource.
    pub fn scope_schema_url(self) -> &'a str {
        &self.scope().schema_url
    }

    /// The scope's schema URL, else the resource's, else the empty string.
    pub fn schema_url(self) -> &'a str {
        let scope = &self.scope().schema_url;
        if scope.is_empty() { &self.resource().schema_url } else { scope }
    }

    /// Other spans that were sent under the same trace and span id.
    pub fn conflicts(self) -> impl Iterator<Item = Span<'a>> {
        // Rows of one id are neighbours.
        let rows = &self.spans.rows;
        let same =
            move |row: &u32| (rows[*row as usize].trace, rows[*row as usize].id) == (self.trace(), self.id());
        let before = (0..self.row).rev().take_while(same);
        let after = (self.row + 1..rows.len() as u32).take_while(same);
        before.chain(after).map(move |row| Span { spans: self.spans, row })
    }
}

impl PartialEq for Span<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.spans, other.spans) && self.row == other.row
    }
}

impl std::fmt::Debug for Span<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} ({})", self.service_name(), self.kind().word(), self.name(), self.id())
    }
}

#[cfg(test)]
mod tests {
    use crate::model::attributes::{Attributes, Key};
    use crate::model::build::Build;
    use crate::model::{Case, Kind, Value};

    #[test]
    fn parents_children_and_links_are_joined_whatever_the_arrival() {
        let mut build = Build::new();
        let (api, consumer) = (build.process("url-api"), build.process("analytics-consumer"));
        let root = build.span(&api, Kind::Server, "GET /{code}").add();
        let send = build.span(&api, Kind::Producer, "send click-events").child_of(root).add();
        let work = build
            .span(&consumer, Kind::Consumer, "process click-events")
            .link_to(send)
            .attribute("n", 7)
            .add();
        let mut evidence = build.evidence();
        for _ in 0..2 {
            evidence.requests.reverse();
            let case = Case::new(&evidence, None);
            let send = case.spans.get(send.trace, send.span).unwrap();
            assert_eq!(send.parent().unwrap().name(), "GET /{code}");
            assert_eq!(
                send.parent().unwrap().children().map(|span| span.name()).collect::<Vec<_>>(),
                ["send click-events"]
            );
            let linked: Vec<_> = send.linked_from().collect();
            assert_eq!(linked, [case.spans.get(work.trace, work.span).unwrap()]);
            assert_eq!(linked[0].attribute("n"), Some(Value::Int(7)));
            assert_eq!(case.service(linked[0]), "analytics-consumer");
            assert_eq!(case.spans.traces().len(), 2);
        }
    }

    #[test]
    fn a_retry_is_one_span_and_two_different_spans_of_one_id_are_two() {
        let mut build = Build::new();
        let api = build.process("url-api");
        let first = build.span(&api, Kind::Server, "GET /").add();
        let mut evidence = build.evidence();
        evidence.requests.push(evidence.requests[0].clone());
        assert_eq!(Case::new(&evidence, None).spans.len(), 1);
        build.span(&api, Kind::Server, "GET /other").in_trace(first.trace).with_id(first.span).add();
        let evidence = build.evidence();
        let case = Case::new(&evidence, None);
        assert_eq!(case.spans.len(), 2);
        assert_eq!(case.spans.iter().map(|span| span.conflicts().count()).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn names_that_the_run_made_up_are_read_as_the_declared_ones() {
        let mut build = Build::new();
        let api = build.process("url-api");
        let send = build.span(&api, Kind::Producer, "send click-events-x7");
        send.attribute("messaging.destination.name", "click-events-x7").add();
        build.evidence_mut().names = vec![("click-events-x7".into(), "click-events".into())];
        let evidence = build.evidence();
        let case = Case::new(&evidence, None);
        let span = case.spans.iter().next().unwrap();
        assert_eq!(
            (span.name(), span.str("messaging.destination.name")),
            ("send click-events", Some("click-events"))
        );
        assert_eq!(span.text("messaging.destination.name").as_deref(), Some("click-events"));
        assert_eq!(Attributes::of(span).str(Key::MessagingDestination), Some("click-events"));
    }

    #[test]
    fn an_index_over_nothing_is_empty() {
        let evidence = Build::new().evidence();
        let case = Case::new(&evidence, None);
        assert!(
            case.spans.is_empty() && case.spans.traces().is_empty() && case.spans.roots().next().is_none()
        );
    }
}
