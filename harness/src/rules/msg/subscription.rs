//! The records that a consumer group has consumed, and the process spans that stand for them.
//!
//! A record's process span is found by its join to the record's creation context, else by topic, partition and offset (a
//! message of RabbitMQ by its own id): one missing property never hides it.

use std::collections::HashMap;

use crate::model::attributes::{Attributes, Key};
use crate::model::{
    BarrierKind, Case, Declaration, FaultKind, FaultTarget, Group, Kind, Record, Span, SpanId, Topic,
    TraceId, TraceParent,
};
use crate::rules::absence::open_barrier;
use crate::rules::sampling::is_unsampled_record;
use crate::rules::text::shown;

/// The address of a span, captured or not.
pub(in crate::rules) type Context = (TraceId, SpanId);

/// One declared group on one declared topic.
pub(in crate::rules) struct Subscription<'c> {
    case: &'c Case<'c>,
    pub(in crate::rules) topic: &'c Topic,
    pub(in crate::rules) group: &'c Group,
    /// The records below the committed offset whose traces are sampled: of the others no span will ever come.
    pub(in crate::rules) consumed: Vec<&'c Record>,
    pub(in crate::rules) spans: Vec<Processing<'c>>,
    by_context: HashMap<Context, Vec<u32>>,
    by_place: HashMap<(i32, i64), Vec<u32>>,
    /// By the message's own id, where there is no place to say.
    by_id: HashMap<String, Vec<u32>>,
    /// How many consumed records have each creation context.
    contexts: HashMap<Context, u32>,
}

/// A process span.
pub(in crate::rules) struct Processing<'c> {
    pub(in crate::rules) span: Span<'c>,
    /// Partition and offset, where it says them.
    place: Option<(i32, i64)>,
    pub(in crate::rules) links: u64,
    /// `messaging.batch.message_count`.
    pub(in crate::rules) count: Option<u64>,
}

impl Processing<'_> {
    /// Whether it stands for a batch, as it says or as its links show.
    pub(in crate::rules) fn is_batch(&self) -> bool {
        self.count.is_some() || self.links > 1
    }
}

/// How a process span is joined to what created the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::rules) enum Joined {
    Parent,
    Link,
    Both,
}

impl Joined {
    fn of(parent: bool, link: bool) -> Option<Self> {
        match (parent, link) {
            (true, true) => Some(Joined::Both),
            (true, false) => Some(Joined::Parent),
            (false, true) => Some(Joined::Link),
            (false, false) => None,
        }
    }
}

/// What was found for a record.
pub(in crate::rules) enum Found<'c> {
    Joined(Span<'c>, Joined),
    /// Found by its attributes alone.
    Apart(Span<'c>),
    Nothing,
}

/// The declared subscriptions to topics of Kafka, each with its records and spans. One pass over all spans.
pub(in crate::rules) fn subscriptions<'c>(case: &'c Case<'c>) -> Vec<Subscription<'c>> {
    let topics = case.declaration.into_iter().flat_map(Declaration::kafka_topics);
    subscriptions_to(case, topics)
}

/// The declared subscriptions to these topics.
pub(super) fn subscriptions_to<'c>(
    case: &'c Case<'c>,
    topics: impl Iterator<Item = &'c Topic>,
) -> Vec<Subscription<'c>> {
    let groups = topics.flat_map(|topic| topic.groups.iter().map(move |group| (topic, group)));
    let mut all: Vec<_> = groups.map(|(topic, group)| Subscription::new(case, topic, group)).collect();
    if !case.evidence.records.is_empty() {
        for span in case.spans.iter() {
            let service = case.service(span);
            let mut mine =
                all.iter_mut().filter(|subscription| subscription.group.service == service).peekable();
            if mine.peek().is_none() {
                continue;
            }
            let attributes = Attributes::of(span);
            if is_process_span(span, &attributes) {
                mine.for_each(|subscription| subscription.take(span, &attributes));
            }
        }
    }
    all
}

/// Whether a span names another messaging system than the topic's.
pub(super) fn speaks_of_another_broker(attributes: &Attributes<'_>, topic: &Topic) -> bool {
    let others = if topic.on.is_kafka() { "rabbitmq" } else { "kafka" };
    attributes.str(Key::MessagingSystem) == Some(others)
}

/// By the operation that it says it is, in today's words or yesterday's, else by its kind.
fn is_process_span(span: Span<'_>, attributes: &Attributes<'_>) -> bool {
    match attributes.str(Key::MessagingType).or_else(|| attributes.str(Key::OldMessagingOperation)) {
        Some("process") => true,
        Some("create" | "send" | "publish" | "receive" | "settle") => false,
        _ => span.kind() == Kind::Consumer,
    }
}

impl<'c> Subscription<'c> {
    fn new(case: &'c Case<'c>, topic: &'c Topic, group: &'c Group) -> Self {
        let committed: HashMap<i32, i64> = case
            .evidence
            .offsets
            .iter()
            .filter(|offset| offset.topic == topic.name && offset.group == group.name)
            .filter_map(|offset| Some((offset.partition, offset.committed?)))
            .collect();
        let of_topic = case.evidence.records.iter().filter(|record| record.topic == topic.name);
        let below =
            |record: &&Record| committed.get(&record.partition).is_some_and(|end| record.offset < *end);
        let consumed: Vec<_> = of_topic.filter(below).filter(|record| !is_unsampled_record(record)).collect();
        let mut contexts = HashMap::new();
        for context in consumed.iter().filter_map(|record| creation_context(record)) {
            *contexts.entry(context).or_default() += 1;
        }
        Subscription {
            case,
            topic,
            group,
            consumed,
            spans: Vec::new(),
            by_context: HashMap::new(),
            by_place: HashMap::new(),
            by_id: HashMap::new(),
            contexts,
        }
    }

    fn take(&mut self, span: Span<'c>, attributes: &Attributes<'_>) {
        let destination = attributes.str(Key::MessagingDestination);
        let elsewhere = destination.is_some_and(|destination| !self.topic.is_destination(destination));
        if elsewhere || speaks_of_another_broker(attributes, self.topic) {
            return;
        }
        let number = self.spans.len() as u32;
        let place = place_of(attributes);
        let mut links = 0;
        for context in span.link_ids() {
            links += 1;
            self.by_context.entry(context).or_default().push(number);
        }
        if let Some(parent) = span.parent_id() {
            let same = self.by_context.entry((span.trace(), parent)).or_default();
            if same.last() != Some(&number) {
                same.push(number);
            }
        }
        if let Some(place) = place {
            self.by_place.entry(place).or_default().push(number);
        }
        if let Some(id) = attributes.str(Key::MessagingId).filter(|_| !self.topic.on.is_kafka()) {
            self.by_id.entry(id.to_owned()).or_default().push(number);
        }
        let count = attributes.number(Key::MessagingCount).and_then(|count| u64::try_from(count).ok());
        self.spans.push(Processing { span, place, links, count });
    }

    /// The process span of a consumed record.
    pub(in crate::rules) fn find(&self, record: &Record) -> Found<'c> {
        let here = (record.partition, record.offset);
        if let Some(context) = creation_context(record) {
            let joined = self.by_context.get(&context).map(Vec::as_slice).unwrap_or_default();
            let alone = self.contexts.get(&context) == Some(&1);
            // Several records may share a context: then a span that says another place stands for another record.
            let fits = |number: &&u32| {
                let place = self.spans[**number as usize].place;
                alone || place.is_none_or(|place| place == here)
            };
            if let Some(number) = joined.iter().find(fits) {
                let span = self.spans[*number as usize].span;
                if let Some(how) = Joined::of(is_child_of(span, context), links_to(span, context)) {
                    return Found::Joined(span, how);
                }
            }
        }
        let named = || self.by_id.get(record.id.as_deref()?);
        let Some(number) = self.by_place.get(&here).or_else(named).and_then(|numbers| numbers.first()) else {
            return Found::Nothing;
        };
        let span = self.spans[*number as usize].span;
        // Without a header the context may have come another way: then the creator is known by what it says it sent.
        if creation_context(record).is_none()
            && let Some(how) = self.joined_to_creator(span, here)
        {
            return Found::Joined(span, how);
        }
        Found::Apart(span)
    }

    /// Every process span that stands for a record, consumed or not, in the order in which they began.
    pub(in crate::rules) fn attempts(&self, record: &Record) -> Vec<Span<'c>> {
        let here = (record.partition, record.offset);
        let joined = creation_context(record).and_then(|context| self.by_context.get(&context));
        let joined = joined.into_iter().flatten().filter(|number| {
            // A record that shares its context with others is told from them by its place.
            self.spans[**number as usize].place.is_none_or(|place| place == here)
        });
        let mut numbers: Vec<u32> =
            joined.chain(self.by_place.get(&here).into_iter().flatten()).copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut spans: Vec<_> = numbers.into_iter().map(|number| self.spans[number as usize].span).collect();
        spans.sort_by_key(|span| (span.start(), span.end()));
        spans
    }

    /// How a span is joined to a span of the producer that says it sent the record of that place.
    fn joined_to_creator(&self, span: Span<'c>, here: (i32, i64)) -> Option<Joined> {
        let created = |creator: Span<'c>| {
            let attributes = Attributes::of(creator);
            let destination = attributes.str(Key::MessagingDestination);
            self.case.service(creator) == self.topic.producer
                && destination.is_none_or(|destination| self.topic.is_destination(destination))
                && place_of(&attributes).is_none_or(|place| place == here)
        };
        Joined::of(span.parent().is_some_and(created), span.linked().into_iter().any(created))
    }

    /// Why it cannot be said that what was not done with a record would never have been done; `None`: it can.
    pub(in crate::rules) fn why_open(&self) -> Option<String> {
        if self.case.evidence.barrier.kind == BarrierKind::Absent {
            return Some("no barrier".into());
        }
        let declared = self.case.declaration.and_then(|declaration| declaration.service(&self.group.service));
        let needs =
            |name: &String| name == "kafka" || declared.is_some_and(|service| service.needs.contains(name));
        let hinders = |target: &FaultTarget| match target {
            FaultTarget::Backend(name) => needs(name),
            FaultTarget::Service(name) => *name == self.group.service,
            FaultTarget::Collector => false,
        };
        let still = self.case.evidence.faults.iter().find(|fault| {
            // What came late, or was killed, has come (back): an instance was ready.
            let passing = matches!(fault.kind, FaultKind::Late | FaultKind::Kill)
                && self
                    .case
                    .processes_of(&self.group.service)
                    .any(|process| process.started >= fault.began && process.ready.is_some());
            fault.ended.is_none() && !passing && hinders(&fault.on)
        });
        let fault = still.map(|_| {
            format!(
                "a fault between {} and {} never ended",
                shown(&self.group.service),
                shown(&self.topic.name)
            )
        });
        open_barrier(self.case).or(fault)
    }

    /// ``analytics-consumer, records of click-events``.
    pub(in crate::rules) fn subject(&self) -> String {
        format!("{}, records of {}", shown(&self.group.service), shown(&self.topic.name))
    }
}

fn is_child_of(span: Span<'_>, context: Context) -> bool {
    span.parent_id().is_some_and(|parent| (span.trace(), parent) == context)
}

fn links_to(span: Span<'_>, context: Context) -> bool {
    span.link_ids().any(|link| link == context)
}

/// Partition and offset as the span says them.
pub(in crate::rules) fn place_of(attributes: &Attributes<'_>) -> Option<(i32, i64)> {
    let partition = attributes.number(Key::MessagingPartition)?;
    Some((i32::try_from(partition).ok()?, attributes.number(Key::MessagingOffset)?))
}

/// The context in the record's headers.
pub(in crate::rules) fn creation_context(record: &Record) -> Option<Context> {
    let context = record.header("traceparent").find_map(TraceParent::parse)?;
    Some((context.trace, context.span))
}
