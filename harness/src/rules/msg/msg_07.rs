//! MSG-07: a record that cannot be worked on ends in an error span and a dead letter with its context, and the partition moves on.

use std::collections::HashMap;

use crate::model::{Case, FaultTarget, Fence, Judgement, Record, Severity, Span, Status};
use crate::rules::Rule;
use crate::rules::absence::{Proof, open_barrier, proof_of_absence_in, silence_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, shown};

use super::subscription::{Subscription, creation_context, subscriptions};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-07",
    severity: Severity::Error,
    requirement: "a poison record ends in an error span and a dead letter with its context, and its partition moves on",
    needs: &["records", "offsets", "spans", "processes", "faults", "barrier", "topics", "groups", "dead letters"],
    page: include_str!("../pages/MSG-07.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for subscription in subscriptions(case) {
        let Some(letters) = subscription.group.dead_letters.as_deref() else { continue };
        let topic = &subscription.topic.name;
        let records = case.evidence.records.iter();
        let mut judge = Judge { case, subscription: &subscription, letters, by_content: HashMap::new() };
        for record in records.clone().filter(|record| record.topic == *topic) {
            judge.by_content.entry(content(record)).or_insert(record);
        }
        let letters: Vec<&Record> = records.clone().filter(|record| record.topic == letters).collect();
        for letter in &letters {
            judge.judge_letter(letter, &mut judgement, &mut tally);
        }
        let buried: Vec<_> = letters.iter().filter_map(|letter| judge.original(letter)).map(place).collect();
        for record in records.filter(|record| record.topic == *topic && !buried.contains(&place(record))) {
            judge.judge_record(record, &mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// What a dead letter has in common with its record.
type Content<'c> = (Option<&'c str>, &'c str);

fn content(record: &Record) -> Content<'_> {
    (record.key.as_deref(), &record.value)
}

fn place(record: &Record) -> (i32, i64) {
    (record.partition, record.offset)
}

struct Judge<'c> {
    case: &'c Case<'c>,
    subscription: &'c Subscription<'c>,
    letters: &'c str,
    by_content: HashMap<Content<'c>, &'c Record>,
}

impl<'c> Judge<'c> {
    /// The record that a dead letter stands for: the same key and value.
    fn original(&self, letter: &Record) -> Option<&'c Record> {
        self.by_content.get(&(letter.key.as_deref(), letter.value.as_str())).copied()
    }

    fn judge_letter(&self, letter: &Record, judgement: &mut Judgement, tally: &mut Tally) {
        judgement.judged();
        let original = self.original(letter);
        let attempts = original.map(|record| self.subscription.attempts(record)).unwrap_or_default();
        match creation_context(letter) {
            None => self.fault("no context", None, tally, || Fault {
                required: "a dead letter that carries the context of its record".into(),
                seen: format!("{} has no valid traceparent", letter.place()),
                fix: "send it within the process span's context, with the propagator's headers; probity explain MSG-07".into(),
                ..Fault::default()
            }),
            Some((trace, _)) => {
                let of_record = original.and_then(creation_context).is_some_and(|(own, _)| own == trace);
                let known = of_record || original.is_none() || attempts.iter().any(|span| span.trace() == trace);
                if !known {
                    self.fault("another trace", None, tally, || Fault {
                        required: "a dead letter in the trace of its record, or of the work on it".into(),
                        seen: format!("{} is of a trace that has nothing to do with either", letter.place()),
                        fix: "send it within the process span's context; probity explain MSG-07".into(),
                        ..Fault::default()
                    });
                }
            }
        }
        if let Some(record) = original {
            self.judge_span(record, &attempts, judgement, tally);
        }
    }

    /// Somebody gave a record up: its process span must say so.
    fn judge_span(&self, record: &Record, attempts: &[Span<'c>], judgement: &mut Judgement, tally: &mut Tally) {
        if attempts.iter().any(|span| span.status() == Status::Error) {
            return;
        }
        if attempts.is_empty() {
            let service = &self.subscription.group.service;
            let silent = silence_of(self.case, service).map(|silent| silent.gap(service));
            let open = match proof_of_absence_in(self.case, service, None) {
                Proof::Absent => None,
                Proof::Explained(_) => return,
                Proof::Unknown(why) => Some(why),
            };
            if let Some(why) = silent.or(open) {
                return judgement.gap(self.subscription.subject(), why);
            }
        }
        self.fault("no error span", attempts.first().copied(), tally, || Fault {
            required: "a process span with status Error for a record that goes to the dead letters".into(),
            seen: match attempts.is_empty() {
                true => format!("no process span for {}", record.place()),
                false => format!("the process span of {} says that all went well", record.place()),
            },
            fix: "set Error and `error.type` on the process span where the record is given up; probity explain MSG-07".into(),
            ..Fault::default()
        });
    }

    /// A record that nobody put aside, and on which every attempt failed.
    fn judge_record(&self, record: &Record, judgement: &mut Judgement, tally: &mut Tally) {
        let attempts = self.subscription.attempts(record);
        let Some(last) = attempts.last().copied() else { return };
        let failed = attempts.iter().all(|span| span.status() == Status::Error);
        if !failed || self.is_explained(last) {
            return;
        }
        if let Some(why) = open_barrier(self.case).or_else(|| self.killed()) {
            return judgement.gap(self.subscription.subject(), why);
        }
        judgement.judged();
        let committed = self.subscription.consumed.iter().any(|consumed| place(consumed) == place(record));
        let required = format!("a dead letter in {}, and the next record", shown(self.letters));
        match committed {
            true => self.fault("no dead letter", Some(last), tally, || Fault {
                required,
                seen: format!("{} failed, was committed all the same, and is nowhere", record.place()),
                fix: "send what cannot be worked on to the dead letters, as it came, before its offset is committed; probity \
                      explain MSG-07"
                    .into(),
                ..Fault::default()
            }),
            false => self.fault("blocked", Some(last), tally, || Fault {
                required,
                seen: format!(
                    "{} failed {} and holds its partition, with {} behind it",
                    record.place(),
                    count(attempts.len() as u64, "time"),
                    count(self.behind(record), "record")
                ),
                fix: "tell what will never work (it cannot be read, the database refuses its values) from what may work later; \
                      put the first aside as dead letters, try the second again; probity explain MSG-07"
                    .into(),
                ..Fault::default()
            }),
        }
    }

    fn behind(&self, record: &Record) -> u64 {
        let records = self.case.evidence.records.iter();
        let behind = |other: &&Record| {
            other.topic == record.topic && other.partition == record.partition && other.offset > record.offset
        };
        records.filter(behind).count() as u64
    }

    /// Whether something that the consumer needs was away at its last attempt: the record may be sound.
    fn is_explained(&self, last: Span<'_>) -> bool {
        let service = &self.subscription.group.service;
        let declared = self.case.declaration.and_then(|declaration| declaration.service(service));
        let concerns = |target: &FaultTarget| match target {
            FaultTarget::Backend(name) => {
                name == "kafka" || declared.is_some_and(|service| service.needs.contains(name))
            }
            FaultTarget::Service(name) => name == service,
            FaultTarget::Collector => false,
        };
        let mut faults = self.case.evidence.faults.iter();
        faults.any(|fault| concerns(&fault.on) && fault.began <= last.end() && last.start() <= fault.until())
    }

    /// Whether some instance ended before it could come to its end with a record.
    fn killed(&self) -> Option<String> {
        let service = &self.subscription.group.service;
        self.case.processes_of(service).filter(|process| process.ready.is_some()).find_map(|process| match &process.fence {
            Fence::Open { why } => Some(format!("{}: {why}", shown(service))),
            _ => None,
        })
    }

    fn fault(&self, kind: &'static str, span: Option<Span<'_>>, tally: &mut Tally, describe: impl FnOnce() -> Fault) {
        tally.add(self.subscription.subject(), kind, span, describe);
    }
}

#[cfg(test)]
mod tests;
