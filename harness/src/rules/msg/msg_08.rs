//! MSG-08: a consumer that starts late still sees what was sent before.

use std::collections::BTreeMap;

use crate::model::{Case, Group, Judgement, Record, Severity, Topic, UnixNanos};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, shown};

use super::subscription::{Found, Subscription, subscriptions};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-08",
    severity: Severity::Error,
    requirement: "a consumer that starts late still sees earlier records",
    needs: &["records", "offsets", "processes", "barrier", "topics", "groups"],
    page: include_str!("../pages/MSG-08.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for subscription in subscriptions(case) {
        let Some(started) = first_start(case, &subscription.group.service) else { continue };
        let earlier = case.evidence.records.iter();
        let earlier: Vec<_> =
            earlier.filter(|record| record.topic == subscription.topic.name && record.at < started).collect();
        if !earlier.is_empty() {
            judge_earlier(case, &subscription, &earlier, &mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// When the first instance of the service started, of those that became ready (the others are START's).
fn first_start(case: &Case, service: &str) -> Option<UnixNanos> {
    let ready = case.processes_of(service).filter(|process| process.ready.is_some());
    ready.map(|process| process.started).min()
}

fn judge_earlier(
    case: &Case,
    subscription: &Subscription<'_>,
    earlier: &[&Record],
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let (topic, group) = (subscription.topic, subscription.group);
    let committed = committed(case, topic, group);
    let last = last_with_span(subscription);
    let passed_over = |record: &Record| {
        let is_done = committed.get(&record.partition).is_some_and(|end| record.offset < *end);
        let was_skipped = || {
            last.get(&record.partition).is_some_and(|last| record.offset < *last) && !has_span(subscription, record)
        };
        !is_done || was_skipped()
    };
    let unseen: Vec<_> = earlier.iter().filter(|record| passed_over(record)).collect();
    judgement.subjects += (earlier.len() - unseen.len()) as u64;
    let Some(first) = unseen.first() else { return };
    if let Some(why) = subscription.why_open() {
        return judgement.gap(subscription.subject(), why);
    }
    judgement.subjects += unseen.len() as u64;
    tally.add(subscription.subject(), "skipped", None, || Fault {
        required: format!("{} consumed, sent before {} started", count(earlier.len() as u64, "record"), shown(&group.service)),
        seen: format!(
            "{} never consumed by group {}, {} the first; {}",
            count(unseen.len() as u64, "record"),
            quoted(&group.name),
            first.place(),
            match committed.get(&first.partition) {
                Some(offset) => format!("it committed {offset} there"),
                None => "it committed nothing there".into(),
            }
        ),
        fix: "set auto.offset.reset to earliest for groups that have no offset yet; probity explain MSG-08".into(),
        ..Fault::default()
    });
}

fn committed(case: &Case, topic: &Topic, group: &Group) -> BTreeMap<i32, i64> {
    let offsets = case.evidence.offsets.iter();
    let mine = offsets.filter(|offset| offset.topic == topic.name && offset.group == group.name);
    mine.filter_map(|offset| Some((offset.partition, offset.committed?))).collect()
}

/// The last offset of each partition that has a process span of its own. A record before it without one, though below the
/// committed offset, was passed over. Batches say nothing of single records.
fn last_with_span(subscription: &Subscription<'_>) -> BTreeMap<i32, i64> {
    let mut last = BTreeMap::new();
    if subscription.spans.iter().any(|span| span.is_batch()) {
        return last;
    }
    for record in subscription.consumed.iter().filter(|record| has_span(subscription, record)) {
        let offset = last.entry(record.partition).or_insert(record.offset);
        *offset = record.offset.max(*offset);
    }
    last
}

fn has_span(subscription: &Subscription<'_>, record: &Record) -> bool {
    !matches!(subscription.find(record), Found::Nothing)
}

#[cfg(test)]
mod tests;
