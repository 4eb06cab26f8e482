//! MSG-04: messaging spans say which record they speak of.

use std::collections::HashSet;

use crate::model::attributes::{Attributes, Key};
use crate::model::{Case, Judgement, Kind, Severity, Span, Status};
use crate::rules::Rule;
use crate::rules::absence::silence_of;

use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, span_subject};

use super::subscription::{
    Context, Processing, Subscription, creation_context, speaks_of_another_broker, subscriptions,
};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-04",
    severity: Severity::Error,
    requirement: "producer, process and settle spans carry system, destination, partition, offset, consumer group and the \
                  system's own event id",
    needs: &["spans", "records", "offsets", "topics", "groups", "event id"],
    page: include_str!("../pages/MSG-04.md"),
    judge,
};

const FIX: &str = "set it on the span; for a batch, on the link of each record where the values differ; probity explain MSG-04";
const WHO: [Key; 2] = [Key::MessagingSystem, Key::MessagingDestination];
const PLACE: [Key; 2] = [Key::MessagingPartition, Key::MessagingOffset];

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let tally = Tally::warning_without_declaration(&RULE, case);
    let mut judge = Judge { case, judgement: &mut judgement, tally };
    if case.declaration.is_some() {
        judge.declared();
    } else {
        judge.undeclared();
    }
    let tally = judge.tally;
    tally.put_into(&mut judgement);
    judgement
}

struct Judge<'c, 'j> {
    case: &'c Case<'c>,
    judgement: &'j mut Judgement,
    tally: Tally,
}

impl<'c> Judge<'c, '_> {
    fn declared(&mut self) {
        let subscriptions = subscriptions(self.case);
        for subscription in &subscriptions {
            self.judge_process_spans(subscription);
        }
        self.judge_senders_and_settlers(&subscriptions);
    }

    fn judge_process_spans(&mut self, subscription: &Subscription<'c>) {
        let service = &subscription.group.service;
        for processing in &subscription.spans {
            self.judgement.judged();
            self.judge_process_span(processing, self.event_id(service));
        }
        if !subscription.consumed.is_empty()
            && let Some(silent) = silence_of(self.case, service)
        {
            self.judgement.gap(subscription.subject(), silent.gap(service));
        }
    }

    fn judge_process_span(&mut self, processing: &Processing<'c>, event_id: Option<&str>) {
        let span = processing.span;
        let attributes = Attributes::of(span);
        self.require(span, &attributes, &WHO);
        self.require(span, &attributes, &[Key::MessagingGroup]);
        if processing.is_batch() {
            self.require_of_links(span, event_id);
            return;
        }
        self.require(span, &attributes, &PLACE);
        // A record that cannot be read has no event to name.
        if span.status() != Status::Error {
            self.require_event_id(span, event_id);
        }
    }

    /// Of a batch, what all records share stands on the span, what differs on each record's link.
    fn require_of_links(&mut self, span: Span<'c>, event_id: Option<&str>) {
        let links = span.links();
        let keys = PLACE.iter().map(|key| key.text()).chain(event_id);
        for key in keys {
            if span.str(key).is_some() || span.attribute(key).is_some() {
                continue;
            }
            let without = links.iter().filter(|link| link.attributes.iter().all(|(known, _)| known != key)).count();
            if without > 0 && span.status() != Status::Error {
                self.tally.add(span_subject(self.case, span), static_key(key), Some(span), || Fault {
                    required: format!("the attribute {} on the span or on each of its links", quoted(key)),
                    seen: format!("{without} of {} links have none", links.len()),
                    fix: FIX.into(),
                    ..Fault::default()
                });
            }
        }
    }

    fn judge_senders_and_settlers(&mut self, subscriptions: &[Subscription<'c>]) {
        let Some(declaration) = self.case.declaration else { return };
        let creators: HashSet<Context> = self.case.evidence.records.iter().filter_map(creation_context).collect();
        let topic_of = |service: &str, attributes: &Attributes<'_>| {
            let destination = attributes.str(Key::MessagingDestination);
            let mut topics = declaration.kafka_topics().filter(|topic| topic.producer == service);
            topics.any(|topic| {
                destination.is_none_or(|destination| destination == topic.name)
                    && !speaks_of_another_broker(attributes, topic)
            })
        };
        for span in self.case.spans.iter().filter(|span| matches!(span.kind(), Kind::Producer | Kind::Client)) {
            let service = self.case.service(span);
            let attributes = Attributes::of(span);
            if self.is_sender(span, &attributes, &creators) && topic_of(service, &attributes) {
                self.judgement.judged();
                self.judge_sender(span, &attributes);
            } else if attributes.str(Key::MessagingType) == Some("settle")
                && let Some(subscription) = subscriptions.iter().find(|known| known.group.service == service)
                && !speaks_of_another_broker(&attributes, subscription.topic)
            {
                self.judgement.judged();
                self.judge_settler(span, &attributes, subscription);
            }
        }
    }

    /// A span that sent a record: by its kind or operation, else because a record names it and it speaks of messaging.
    fn is_sender(&self, span: Span<'c>, attributes: &Attributes<'c>, creators: &HashSet<Context>) -> bool {
        let sends = matches!(attributes.str(Key::MessagingType), Some("send" | "create"));
        let messaging = || attributes.any(&[Key::MessagingSystem, Key::MessagingOperation, Key::MessagingDestination]);
        span.kind() == Kind::Producer || sends || creators.contains(&(span.trace(), span.id())) && messaging()
    }

    fn judge_sender(&mut self, span: Span<'c>, attributes: &Attributes<'c>) {
        self.require(span, attributes, &WHO);
        let batch = attributes.has(Key::MessagingCount);
        let created = attributes.str(Key::MessagingType) == Some("create");
        // What failed was given no place, what is created has none yet, and a batch has many.
        if span.status() != Status::Error && !batch && !created {
            self.require(span, attributes, &PLACE);
        }
        if !batch {
            self.require_event_id(span, self.event_id(self.case.service(span)));
        }
    }

    fn judge_settler(&mut self, span: Span<'c>, attributes: &Attributes<'c>, subscription: &Subscription<'c>) {
        self.require(span, attributes, &WHO);
        self.require(span, attributes, &[Key::MessagingGroup]);
        let of_batch = || {
            let parent = span.parent();
            parent.is_some_and(|parent| subscription.spans.iter().any(|known| known.span == parent && known.is_batch()))
        };
        if PLACE.iter().any(|key| !attributes.has(*key)) && !of_batch() {
            self.require(span, attributes, &PLACE);
        }
    }

    /// Kafka spans in today's words: what the conventions recommend for a single record.
    fn undeclared(&mut self) {
        for span in self.case.spans.iter() {
            if !matches!(span.kind(), Kind::Producer | Kind::Consumer | Kind::Client) {
                continue;
            }
            let attributes = Attributes::of(span);
            let kafka = attributes.str(Key::MessagingSystem) == Some("kafka");
            if !kafka || !attributes.has(Key::MessagingOperation) {
                continue;
            }
            match attributes.str(Key::MessagingType) {
                Some("send") => self.require(span, &attributes, &[Key::MessagingDestination]),
                Some("process") => {
                    self.require(span, &attributes, &[Key::MessagingDestination, Key::MessagingGroup]);
                    if !attributes.has(Key::MessagingCount) {
                        self.require(span, &attributes, &PLACE);
                    }
                }
                Some("settle") => self.require(span, &attributes, &[Key::MessagingGroup]),
                _ => continue,
            }
            self.judgement.judged();
        }
    }

    fn event_id(&self, service: &str) -> Option<&'c str> {
        let declaration = self.case.declaration?;
        declaration.service(service)?.event_id_attribute.as_deref()
    }

    fn require(&mut self, span: Span<'c>, attributes: &Attributes<'c>, keys: &[Key]) {
        for key in keys.iter().filter(|key| !attributes.has(**key)) {
            self.missing(span, key.text(), key.text());
        }
    }

    fn require_event_id(&mut self, span: Span<'c>, event_id: Option<&str>) {
        if let Some(key) = event_id.filter(|key| span.attribute(key).is_none()) {
            self.missing(span, key, "event id");
        }
    }

    fn missing(&mut self, span: Span<'c>, key: &str, fault: &'static str) {
        self.tally.add(span_subject(self.case, span), fault, Some(span), || Fault {
            required: format!("the attribute {}", quoted(key)),
            seen: "no such attribute".into(),
            fix: FIX.into(),
            ..Fault::default()
        });
    }
}

/// A name for the kind of fault that outlives the declaration.
fn static_key(key: &str) -> &'static str {
    Key::find(key.as_bytes()).map_or("event id", Key::text)
}

#[cfg(test)]
mod tests;
