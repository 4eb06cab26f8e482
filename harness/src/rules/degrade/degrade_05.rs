//! DEGRADE-05: while what a consumer needs is away, it keeps its offset and says so in its spans; the records have their effect
//! once it is back.

use crate::model::attributes::Attributes;
use crate::model::{Case, Fault as Injected, FaultKind, FaultTarget, Judgement, Process, Record, Severity, Span, Status, UnixNanos};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence_in, silence_of};
use crate::rules::effects::{Known, effects_of};
use crate::rules::msg::subscription::{Subscription, subscriptions};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, shown};

pub(crate) static RULE: Rule = Rule {
    id: "DEGRADE-05",
    severity: Severity::Error,
    requirement: "a consumer whose database is away keeps its offset and says so in its spans, and its records arrive later",
    needs: &["records", "offsets", "offset_looks", "applied", "spans", "faults", "processes", "barrier", "topics", "groups", "needs"],
    page: include_str!("../pages/DEGRADE-05.md"),
    judge,
};

/// A consumer that has met with no failure for less than this says nothing by not speaking of one.
const NOTICE_NANOS: u64 = 3_000_000_000;

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    if !case.evidence.faults.iter().any(|fault| matches!(fault.on, FaultTarget::Backend(_))) {
        return judgement;
    }
    for subscription in subscriptions(case) {
        for fault in outages(case, &subscription) {
            let judge = Judge { case, subscription: &subscription, fault };
            judge.judge(&mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Faults on what the consumer needs to work on records; that the broker is away is no matter of theirs.
fn outages<'c>(case: &'c Case<'c>, subscription: &Subscription<'c>) -> Vec<&'c Injected> {
    let declared = case.declaration.and_then(|declaration| declaration.service(&subscription.group.service));
    let needs = declared.map(|service| service.needs.as_slice()).unwrap_or_default();
    let concerns = |fault: &&Injected| match &fault.on {
        FaultTarget::Backend(name) => name != "kafka" && needs.contains(name),
        _ => false,
    };
    let passes = |kind: FaultKind| matches!(kind, FaultKind::Slow | FaultKind::Cut | FaultKind::Late);
    case.evidence.faults.iter().filter(concerns).filter(|fault| !passes(fault.kind)).collect()
}

struct Judge<'c> {
    case: &'c Case<'c>,
    subscription: &'c Subscription<'c>,
    fault: &'c Injected,
}

/// A record that waited, with the process spans that stand for it.
struct Waiting<'c> {
    record: &'c Record,
    attempts: Vec<Span<'c>>,
}

impl Waiting<'_> {
    /// When work on it came to a good end.
    fn done(&self) -> Option<UnixNanos> {
        self.attempts.iter().filter(|span| span.status() != Status::Error).map(|span| span.end()).min()
    }
}

impl<'c> Judge<'c> {
    fn judge(&self, judgement: &mut Judgement, tally: &mut Tally) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        for waiting in &waiting {
            judgement.judged();
            self.judge_offset(waiting, tally);
        }
        self.judge_spans(&waiting, judgement, tally);
        self.judge_arrival(&waiting, judgement, tally);
    }

    /// Records that lay there during the outage, and of which work had not come to a good end before it. Without process spans
    /// that cannot be told of any (they are MSG-03's).
    fn waiting(&self) -> Vec<Waiting<'c>> {
        let alive = |process: &Process| {
            let end = process.end.as_ref().map_or(UnixNanos::MAX, |end| end.at);
            process.ready.is_some_and(|ready| ready < self.fault.until()) && end > self.fault.began
        };
        if !self.case.processes_of(&self.subscription.group.service).any(alive) {
            return Vec::new();
        }
        let topic = &self.subscription.topic.name;
        let records = self.case.evidence.records.iter();
        let there = records.filter(|record| record.topic == *topic && record.at < self.fault.until());
        let waiting = there.map(|record| Waiting { record, attempts: self.subscription.attempts(record) });
        waiting
            .filter(|waiting| !waiting.attempts.is_empty() && waiting.done().is_none_or(|done| done > self.fault.began))
            // One that was worked on in the very moment may have been done before the fault took hold.
            .filter(|waiting| waiting.attempts.iter().any(|span| span.status() == Status::Error) || waiting.done().is_none_or(|done| done > self.fault.until()))
            .collect()
    }

    /// The broker's own word on how far the group had come just before the backend was back.
    fn judge_offset(&self, waiting: &Waiting<'_>, tally: &mut Tally) {
        let (record, subscription) = (waiting.record, self.subscription);
        let past = self.case.evidence.offset_looks.iter().find(|look| {
            (&look.topic, &look.group, look.partition) == (&record.topic, &subscription.group.name, record.partition)
                && self.fault.covers(look.at)
                && look.committed.is_some_and(|committed| committed > record.offset)
                && waiting.done().is_none_or(|done| done > look.at)
        });
        if past.is_none() {
            return;
        }
        self.fault("offset", waiting.attempts.first().copied(), tally, || Fault {
            required: format!("group {} keeps its offset until the work is done", quoted(&subscription.group.name)),
            seen: format!("{} was committed while {} was away", record.place(), self.backend()),
            fix: "commit after the work; on an error pause and try the same record again, or end without a commit; probity \
                  explain DEGRADE-05"
                .into(),
            ..Fault::default()
        });
    }

    fn judge_spans(&self, waiting: &[Waiting<'c>], judgement: &mut Judgement, tally: &mut Tally) {
        let within = |span: &Span<'_>| self.fault.covers(span.start()) && self.fault.covers(span.end());
        let attempts: Vec<Span<'c>> =
            waiting.iter().flat_map(|waiting| waiting.attempts.iter().copied()).filter(|span| within(span)).collect();
        let swallowed = attempts.iter().find(|span| span.status() != Status::Error && has_failed_query(**span));
        if let Some(span) = swallowed {
            return self.fault("swallowed", Some(*span), tally, || Fault {
                required: "status Error on the process span of a record that could not be stored".into(),
                seen: format!("its status is unset, though a call to {} under it failed", self.backend()),
                fix: "set Error and `error.type` on the process span when the work fails; probity explain DEGRADE-05".into(),
                ..Fault::default()
            });
        }
        let began = waiting.iter().map(|waiting| waiting.record.at).min().unwrap_or(0).max(self.fault.began);
        let had_time = self.fault.until().min(self.last_end()).saturating_sub(began) >= NOTICE_NANOS;
        if !had_time || waiting.iter().flat_map(|waiting| &waiting.attempts).any(|span| span.status() == Status::Error) {
            return;
        }
        let service = &self.subscription.group.service;
        match (silence_of(self.case, service), proof_of_absence_in(self.case, service, None)) {
            (Some(silent), _) => judgement.gap(self.subscription.subject(), silent.gap(service)),
            (None, Proof::Unknown(why)) => judgement.gap(self.subscription.subject(), why),
            (None, Proof::Explained(_)) => {}
            (None, Proof::Absent) => self.fault("silent", None, tally, || Fault {
                required: "process spans with status Error while records wait".into(),
                seen: format!("none, though {} was away for seconds", self.backend()),
                fix: "end a process span with Error for each attempt that fails; probity explain DEGRADE-05".into(),
                ..Fault::default()
            }),
        }
    }

    fn last_end(&self) -> UnixNanos {
        let ends = self.case.processes_of(&self.subscription.group.service).filter_map(|process| Some(process.end.as_ref()?.at));
        ends.max().unwrap_or(UnixNanos::MAX)
    }

    fn judge_arrival(&self, waiting: &[Waiting<'c>], judgement: &mut Judgement, tally: &mut Tally) {
        if self.fault.ended.is_none() {
            return;
        }
        let effects = effects_of(self.case, self.subscription.topic, self.subscription.group);
        let arrived = |waiting: &Waiting<'_>| match &effects {
            Known::Read(effects) => effects.event_of(waiting.record).is_none_or(|event| effects.times(&event) > 0),
            Known::Undeclared | Known::Unknown(_) => waiting.done().is_some(),
        };
        let Some(lost) = waiting.iter().find(|waiting| !arrived(waiting)) else { return };
        let unknown = match &effects {
            Known::Unknown(why) => Some(why.clone()),
            _ => None,
        };
        if let Some(why) = unknown.or_else(|| self.subscription.why_open()) {
            return judgement.gap(self.subscription.subject(), why);
        }
        self.fault("lost", lost.attempts.last().copied(), tally, || Fault {
            required: format!("its effect once {} is back", self.backend()),
            seen: format!("{} came to nothing", lost.record.place()),
            fix: "keep the record until its work is done: no commit, no skip, no bounded number of tries while a backend is \
                  away; probity explain DEGRADE-05"
                .into(),
            ..Fault::default()
        });
    }

    fn backend(&self) -> String {
        match &self.fault.on {
            FaultTarget::Backend(name) => shown(name),
            _ => String::new(),
        }
    }

    fn fault(&self, kind: &'static str, span: Option<Span<'_>>, tally: &mut Tally, describe: impl FnOnce() -> Fault) {
        tally.add(self.subscription.subject(), kind, span, describe);
    }
}

fn has_failed_query(span: Span<'_>) -> bool {
    span.children().any(|child| child.status() == Status::Error && Attributes::of(child).is_database())
}

#[cfg(test)]
mod tests;
