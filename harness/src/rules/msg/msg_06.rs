//! MSG-06: each produced record is consumed once in effect: none is lost on its way in, none is left lying, none has its effect
//! never or twice.

mod sent;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Case, Declaration, Judgement, Process, Record, Severity};
use crate::rules::Rule;
use crate::rules::absence::open_barrier;
use crate::rules::effects::{Effects, Known, effects_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, shown};

use super::subscription::{Subscription, subscriptions};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-06",
    severity: Severity::Error,
    requirement: "each record that was sent is consumed once in effect: none is lost, none counts twice",
    needs: &["records", "offsets", "applied", "spans", "processes", "faults", "barrier", "topics", "groups"],
    page: include_str!("../pages/MSG-06.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for topic in case.declaration.into_iter().flat_map(Declaration::kafka_topics) {
        sent::judge(case, topic, &mut judgement, &mut tally);
    }
    for subscription in subscriptions(case) {
        let judge = Judge { case, subscription: &subscription, committed: committed(case, &subscription) };
        judge.judge_unread(&mut judgement, &mut tally);
        judge.judge_effects(&mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The next offset of each partition that the group was seen on.
fn committed(case: &Case, subscription: &Subscription<'_>) -> BTreeMap<i32, i64> {
    let (topic, group) = (&subscription.topic.name, &subscription.group.name);
    let offsets = case.evidence.offsets.iter();
    let its_own = offsets.filter(|offset| offset.topic == *topic && offset.group == *group);
    its_own.map(|offset| (offset.partition, offset.committed.unwrap_or(0))).collect()
}

struct Judge<'c> {
    case: &'c Case<'c>,
    subscription: &'c Subscription<'c>,
    committed: BTreeMap<i32, i64>,
}

impl<'c> Judge<'c> {
    fn records(&self) -> impl Iterator<Item = &'c Record> {
        let topic = &self.subscription.topic.name;
        self.case.evidence.records.iter().filter(move |record| record.topic == *topic)
    }

    fn is_done(&self, record: &Record) -> Option<bool> {
        self.committed.get(&record.partition).map(|next| record.offset < *next)
    }

    /// Records that lay there while somebody could have read them, and that the group never committed.
    fn judge_unread(&self, judgement: &mut Judgement, tally: &mut Tally) {
        let group = self.subscription.group;
        let Some(last) = self.last_instance() else { return };
        // A service that never got to work in some order of starts is START-02's.
        let orders = self.case.evidence.orders.iter();
        if orders.flat_map(|order| &order.missing).any(|gap| gap.service == group.service) {
            return;
        }
        let until = last.end.as_ref().map_or(u64::MAX, |end| end.asked.unwrap_or(end.at));
        let known = self.records().filter(|record| record.at < until);
        let (done, unread): (Vec<_>, Vec<_>) =
            known.filter(|record| self.is_done(record).is_some()).partition(|record| self.is_done(record) == Some(true));
        judgement.subjects += done.len() as u64;
        let Some(first) = unread.first() else { return };
        let killed = last.end.as_ref().is_some_and(|end| end.asked.is_none());
        let why = killed.then(|| format!("nobody consumes any more: {} ended by itself", shown(&group.service)));
        if let Some(why) = self.subscription.why_open().or(why) {
            return judgement.gap(self.subscription.subject(), why);
        }
        judgement.subjects += unread.len() as u64;
        tally.add(self.subscription.subject(), "not consumed", None, || Fault {
            required: "every record committed, or put aside, before the consumer ends".into(),
            seen: format!(
                "{} of {} never committed by group {}, {} the first",
                count(unread.len() as u64, "record"),
                done.len() + unread.len(),
                quoted(&group.name),
                first.place()
            ),
            fix: "look for what holds the partition: a record that cannot be worked on (MSG-07), a group without an offset \
                  that begins at the end (MSG-08), a consumer that no longer polls; probity explain MSG-06"
                .into(),
            ..Fault::default()
        });
    }

    /// The last instance that became ready.
    fn last_instance(&self) -> Option<&'c Process> {
        let ready = self.case.processes_of(&self.subscription.group.service).filter(|process| process.ready.is_some());
        ready.max_by_key(|process| process.started)
    }

    fn judge_effects(&self, judgement: &mut Judgement, tally: &mut Tally) {
        let (topic, group) = (self.subscription.topic, self.subscription.group);
        let mut done = self.records().filter(|record| self.is_done(record) == Some(true)).peekable();
        if done.peek().is_none() {
            return;
        }
        match effects_of(self.case, topic, group) {
            Known::Undeclared => {}
            Known::Unknown(why) => judgement.gap(self.subscription.subject(), why),
            Known::Read(effects) => self.judge_times(&effects, done, judgement, tally),
        }
    }

    fn judge_times(
        &self,
        effects: &Effects<'_>,
        done: impl Iterator<Item = &'c Record>,
        judgement: &mut Judgement,
        tally: &mut Tally,
    ) {
        let (mut seen, mut lost, mut twice) = (BTreeSet::new(), Vec::new(), Vec::new());
        for record in done {
            let Some(event) = effects.event_of(record) else { continue };
            match effects.times(&event) {
                // An event that was sent twice is one.
                _ if seen.contains(&event) => continue,
                0 => lost.push(record),
                1 => {}
                _ => twice.push(record),
            }
            judgement.judged();
            seen.insert(event);
        }
        if let Some(first) = twice.first() {
            tally.add(self.subscription.subject(), "twice", None, || Fault {
                required: "one effect for each event, however often its record is read".into(),
                seen: format!(
                    "{} counted more than once, that of {} the first",
                    count(twice.len() as u64, "event"),
                    first.place()
                ),
                fix: "make the work idempotent: a unique event id stored with the effect, in one transaction; probity explain \
                      MSG-06"
                    .into(),
                ..Fault::default()
            });
        }
        let Some(first) = lost.first() else { return };
        if let Some(why) = open_barrier(self.case) {
            judgement.subjects -= lost.len() as u64;
            return judgement.gap(self.subscription.subject(), why);
        }
        tally.add(self.subscription.subject(), "no effect", None, || Fault {
            required: "the effect of every record below the committed offset".into(),
            seen: format!(
                "{} committed by group {} without an effect, {} the first",
                count(lost.len() as u64, "record"),
                quoted(&self.subscription.group.name),
                first.place()
            ),
            fix: "commit a record's offset after its work is done, and only then; switch off commits on a timer; probity \
                  explain MSG-06"
                .into(),
            ..Fault::default()
        });
    }
}

#[cfg(test)]
mod tests;
