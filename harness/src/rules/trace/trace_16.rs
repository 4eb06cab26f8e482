//! TRACE-16: spans are ended and sane.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::model::{Case, Judgement, Process, ProcessId, Severity, Span, SpanId, TraceId, UnixNanos};
use crate::rules::Rule;
use crate::rules::absence::{Proof, no_barrier, proof_of_absence, proof_of_absence_in, silence};
use crate::rules::picture::line_of;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{duration, quoted, service_shown, span_subject};

use super::witnesses::{Witness, witnesses};

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-16",
    severity: Severity::Error,
    requirement: "spans are ended and sane: end at or after start, children start after their parent, all of it while \
                  their process was there, no two different spans with one id",
    needs: &["spans", "logs", "processes", "ledger", "barrier"],
    page: include_str!("../pages/TRACE-16.md"),
    judge,
};

/// Gaps that are listed.
const GAPS_MAX: usize = 100;

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let tolerance = case.thresholds().clock_tolerance_ms.saturating_mul(1_000_000);
    let mut before: Option<Span<'_>> = None;
    let lives = lives(case);
    for span in case.spans.iter() {
        judgement.judged();
        judge_times(case, span, tolerance, &mut tally);
        if let Some(life) = span.process().and_then(|process| lives.get(process)) {
            judge_life(case, span, life, tolerance, &mut tally);
        }
        // Spans come by trace and id: two of one id stand side by side.
        if let Some(before) = before.filter(|before| (before.trace(), before.id()) == (span.trace(), span.id())) {
            judge_conflict(case, before, span, &mut tally);
        }
        before = Some(span);
    }
    if !no_barrier(case) {
        judge_witnesses(case, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_times(case: &Case, span: Span<'_>, tolerance: u64, tally: &mut Tally) {
    let (start, end) = (span.start(), span.end());
    if end == 0 {
        tally.add(span_subject(case, span), "no end", Some(span), || Fault {
            required: "an end".into(),
            seen: "it was exported without one".into(),
            fix: "end the span before it is exported; probity explain TRACE-16".into(),
            ..Fault::default()
        });
    } else if end < start {
        tally.add(span_subject(case, span), "ends before it starts", Some(span), || Fault {
            required: "an end at or after its start".into(),
            seen: format!("it ends {} before it starts", duration(start - end)),
            fix: "take both times from one clock; probity explain TRACE-16".into(),
            ..Fault::default()
        });
    }
    let Some(parent) = span.parent() else { return };
    if parent == span {
        tally.add(span_subject(case, span), "its own parent", Some(span), || Fault {
            required: "another span as its parent, or none".into(),
            seen: "it names itself as its parent".into(),
            fix: "make a new span id for each span; probity explain TRACE-16".into(),
            ..Fault::default()
        });
    } else if start.saturating_add(tolerance) < parent.start() {
        tally.add(span_subject(case, span), "starts before its parent", Some(span), || Fault {
            required: format!("a start at most {} before its parent's (clock tolerance)", duration(tolerance)),
            seen: format!("it starts {} before its parent {}", duration(parent.start() - start), quoted(&line_of(case, parent))),
            fix: "set the clock of that machine or process (NTP), and take span times from the wall clock; probity \
                  explain TRACE-16"
                .into(),
            ..Fault::default()
        });
    }
}

/// From when to when each process was there, by our clock.
fn lives<'c>(case: &Case<'c>) -> HashMap<&'c ProcessId, RangeInclusive<UnixNanos>> {
    let life = |process: &'c Process| {
        let end = process.end.as_ref().map_or(UnixNanos::MAX, |end| end.at);
        (&process.id, process.started..=end)
    };
    case.evidence.processes.iter().map(life).collect()
}

/// Nothing can start before its process, or end after it: one of the two clocks is off.
fn judge_life(case: &Case, span: Span<'_>, life: &RangeInclusive<UnixNanos>, tolerance: u64, tally: &mut Tally) {
    let early = life.start().saturating_sub(span.start());
    let late = span.end().saturating_sub(*life.end());
    if early.max(late) <= tolerance || span.end() == 0 {
        return;
    }
    let seen = match early > tolerance {
        true => format!("{} starts {} before its process did", quoted(&line_of(case, span)), duration(early)),
        false => format!("{} ends {} after its process did", quoted(&line_of(case, span)), duration(late)),
    };
    let subject = format!("{}, its clock", service_shown(case.service(span)));
    tally.add(subject, "outside its process", Some(span), || Fault {
        required: format!("a time within its process's life, give or take {} (clock tolerance)", duration(tolerance)),
        seen,
        fix: "set the clock of that machine or process (NTP), and take span times from the wall clock; probity explain \
              TRACE-16"
            .into(),
        ..Fault::default()
    });
}

fn judge_conflict(case: &Case, first: Span<'_>, second: Span<'_>, tally: &mut Tally) {
    tally.add(span_subject(case, second), "one id twice", Some(second), || Fault {
        required: "a span id of its own".into(),
        seen: format!("{} came under the same trace and span id", quoted(&line_of(case, first))),
        fix: "seed the id generator anew after a fork, and change no span after it was exported; probity explain TRACE-16"
            .into(),
        ..Fault::default()
    });
}

/// Spans that a log names and that never came, though others of their trace did: they were never ended.
fn judge_witnesses(case: &Case, judgement: &mut Judgement, tally: &mut Tally) {
    let missing: Vec<Witness> =
        witnesses(case).into_iter().filter(|witness| case.spans.get(witness.trace, witness.span).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let referenced = missing_parents(case);
    let severity = if case.declaration.is_some() { Severity::Error } else { Severity::Warning };
    let mut senders: HashMap<(Option<ProcessId>, String), Sender> = HashMap::new();
    for witness in missing {
        // The missing parent of a captured span is TRACE-03's.
        if referenced.contains(&(witness.trace, witness.span)) {
            continue;
        }
        let key = (witness.process.clone(), witness.service.clone());
        let sender = senders.entry(key).or_insert_with(|| Sender::of(case, &witness));
        // A trace of which nothing came from a process that speaks was lost as a whole.
        if !sender.silent && !case.spans.trace(witness.trace).any(|span| witness.is_of(case, span)) {
            continue;
        }
        let subject = format!("{}, span that logged {}", service_shown(&witness.service), quoted(&witness.message));
        match &sender.proof {
            Proof::Explained(_) => {}
            Proof::Unknown(why) => {
                let known = judgement.gaps.iter().any(|gap| gap.subject == subject);
                if !known && judgement.gaps.len() < GAPS_MAX {
                    judgement.gap(subject, why);
                }
            }
            Proof::Absent => tally.add_as(severity, subject, "never ended", None, || Fault {
                required: "the span, ended and exported".into(),
                seen: "a log line names it, other spans of its trace came, and it never did: it was not ended".into(),
                fix: "end the span on every way out (a guard, `defer`, `with`, `finally`); probity explain TRACE-16".into(),
                ..Fault::default()
            }),
        }
    }
}

/// What is known of who wrote a line.
struct Sender {
    silent: bool,
    proof: Proof,
}

impl Sender {
    fn of(case: &Case, witness: &Witness) -> Self {
        let Some(process) = witness.process.as_ref().and_then(|id| case.process(id)) else {
            return Sender { silent: false, proof: proof_of_absence_in(case, &witness.service, None) };
        };
        match silence(case, process) {
            Some(silent) => Sender { silent: true, proof: Proof::Unknown(silent.gap(&process.service)) },
            None => Sender { silent: false, proof: proof_of_absence(case, process, None) },
        }
    }
}

/// Ids that captured spans name as parents and that were not captured.
fn missing_parents(case: &Case) -> HashSet<(TraceId, SpanId)> {
    let orphans = case.spans.iter().filter(|span| span.parent().is_none());
    orphans.filter_map(|span| Some((span.trace(), span.parent_id()?))).collect()
}

#[cfg(test)]
mod tests;
