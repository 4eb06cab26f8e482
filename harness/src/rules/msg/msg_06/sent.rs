//! What a producer says it sent, against what lies in the topic.

use std::collections::HashSet;

use crate::model::attributes::{Attributes, Key};
use crate::model::{Case, FaultTarget, Judgement, Kind, Record, Span, Status, Topic};
use crate::rules::absence::open_barrier;
use crate::rules::msg::subscription::{Context, creation_context, place_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, shown};

/// Each send that went well, as its span says, must be a record. Found by the record's context, else by its place.
pub(super) fn judge(case: &Case, topic: &Topic, judgement: &mut Judgement, tally: &mut Tally) {
    let records: Vec<&Record> = case.evidence.records.iter().filter(|record| record.topic == topic.name).collect();
    let sends = sends(case, topic);
    if sends.is_empty() {
        return;
    }
    let contexts: HashSet<Context> = records.iter().filter_map(|record| creation_context(record)).collect();
    let places: HashSet<(i32, i64)> = records.iter().map(|record| (record.partition, record.offset)).collect();
    let mut missing: Vec<Span<'_>> = Vec::new();
    for send in &sends {
        let by_context = contexts.contains(&(send.span.trace(), send.span.id()))
            || send.span.link_ids().any(|context| contexts.contains(&context));
        if !by_context && !send.place.is_some_and(|place| places.contains(&place)) {
            missing.push(send.span);
        }
    }
    // A record that does not say who created it may be any of them: its missing context is MSG-01's.
    let nameless = records.iter().filter(|record| creation_context(record).is_none()).count();
    missing.truncate(missing.len().saturating_sub(nameless));
    judgement.subjects += (sends.len() - missing.len()) as u64;
    let Some(first) = missing.first().copied() else { return };
    let subject = format!("{}, records of {}", shown(&topic.producer), shown(&topic.name));
    if let Some(why) = open_barrier(case).or_else(|| broker_is_away(case)) {
        return judgement.gap(subject, why);
    }
    judgement.subjects += missing.len() as u64;
    tally.add(subject, "vanished", Some(first), || Fault {
        required: "a record in the topic for each send that went well".into(),
        seen: format!(
            "{} of {} that went well left no record, and nothing says so",
            count(missing.len() as u64, "send"),
            sends.len()
        ),
        fix: "ask for acknowledgements (acks=all) and wait for the delivery report before the send counts as done; probity \
              explain MSG-06"
            .into(),
        ..Fault::default()
    });
}

struct Send<'c> {
    span: Span<'c>,
    place: Option<(i32, i64)>,
}

/// The spans of sends of single records that did not fail.
fn sends<'c>(case: &'c Case<'_>, topic: &Topic) -> Vec<Send<'c>> {
    let send = |span: Span<'c>| {
        if span.kind() != Kind::Producer || span.status() == Status::Error || case.service(span) != topic.producer {
            return None;
        }
        let attributes = Attributes::of(span);
        let one = attributes.number(Key::MessagingCount).is_none_or(|records| records == 1);
        let here = attributes.str(Key::MessagingDestination) == Some(&topic.name);
        let place = place_of(&attributes);
        (one && here).then_some(Send { span, place })
    };
    case.spans.iter().filter_map(send).collect()
}

fn broker_is_away(case: &Case) -> Option<String> {
    let kafka = FaultTarget::Backend("kafka".into());
    let away = case.evidence.faults.iter().any(|fault| fault.on == kafka && fault.ended.is_none());
    away.then(|| "a fault on kafka never ended".into())
}
