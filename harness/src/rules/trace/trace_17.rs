//! TRACE-17: trace context is read and written as W3C Trace Context level 2 says.

mod sent;

use std::collections::{HashMap, HashSet};

use crate::model::{Case, Judgement, Kind, Record, Severity, Span, Stimulus, TraceId};
use crate::rules::Rule;
use crate::rules::sampling::carried_by;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, shown, span_subject};
use crate::rules::traffic::stimulus_subject;

use sent::{Context, Sent, members_of};

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-17",
    severity: Severity::Error,
    requirement: "a valid trace context is continued and handed on as W3C Trace Context level 2 says, an invalid one starts a new trace",
    needs: &["stimuli", "records", "spans", "topics"],
    page: include_str!("../pages/TRACE-17.md"),
    judge,
};

const FIX: &str = "leave reading and writing to a propagator that passes W3C's own suite, on every way in and out; probity \
                   explain TRACE-17";

fn judge(case: &Case) -> Judgement {
    let mut judge = Judge { case, judgement: Judgement::default(), tally: Tally::new(&RULE) };
    let records = Records::of(case);
    for stimulus in &case.evidence.stimuli {
        let sent = Sent::with(stimulus);
        if stimulus.answer.is_none() || stimulus.port != "main" || sent.is_empty() {
            continue;
        }
        match sent.context() {
            Some(context) => judge.judge_continued(stimulus, &sent, context, &records),
            None => judge.judge_restarted(stimulus, &sent, &records),
        }
    }
    judge.judge_copies(&records);
    let Judge { mut judgement, tally, .. } = judge;
    tally.put_into(&mut judgement);
    judgement
}

/// The records of the run: by the trace that they carry, and those that carry none.
struct Records<'c> {
    by_trace: HashMap<TraceId, Vec<&'c Record>>,
    invalid: Vec<&'c Record>,
}

impl<'c> Records<'c> {
    fn of(case: &Case<'c>) -> Self {
        let mut records = Records { by_trace: HashMap::new(), invalid: Vec::new() };
        for record in &case.evidence.records {
            match carried_by(record) {
                Some(context) => records.by_trace.entry(context.trace).or_default().push(record),
                None => records.invalid.push(record),
            }
        }
        records
    }

    fn in_trace(&self, trace: TraceId) -> &[&'c Record] {
        self.by_trace.get(&trace).map(Vec::as_slice).unwrap_or_default()
    }
}

struct Judge<'c, 'a> {
    case: &'c Case<'a>,
    judgement: Judgement,
    tally: Tally,
}

impl Judge<'_, '_> {
    /// The header was valid: its trace goes on, here and in what is sent from here.
    fn judge_continued(&mut self, stimulus: &Stimulus, sent: &Sent, context: Context, records: &Records) {
        match stimulus.trace {
            Some(trace) if trace == context.trace => self.judgement.judged(),
            Some(_) => {
                self.judgement.judged();
                return self.fault(stimulus, "restarted", sent, "the trace of the valid `traceparent`, continued", "a new trace was started");
            }
            None if self.spans_of(stimulus, context.trace) => self.judgement.judged(),
            None => {
                let why = "its answer names no trace, and no span shows one";
                return self.judgement.gap(stimulus_subject(self.case, stimulus), why);
            }
        }
        let members = sent.members();
        for record in records.in_trace(context.trace) {
            self.judge_record(record, context, members.as_deref());
        }
        self.judge_callees(stimulus, context.trace, members.as_deref());
    }

    /// What is handed on of a context that came in.
    fn judge_record(&mut self, record: &Record, context: Context, members: Option<&[(&str, &str)]>) {
        self.judgement.judged();
        let value = record.header("traceparent").next().unwrap_or_default();
        let Some(carried) = carried_by(record) else { return };
        if !value.starts_with("00-") {
            self.record_fault(record, "version", "version 00, the one that is known", format!("{} at {}", quoted(value), record.place()));
        }
        if carried.flags & !0b11 != 0 {
            self.record_fault(record, "reserved flags", "reserved flags written as zero", format!("flags {:02x} at {}", carried.flags, record.place()));
        } else if context.version_is_known && (carried.flags ^ context.flags) & 0b10 != 0 {
            self.record_fault(
                record,
                "random flag",
                "the random flag as it came in",
                format!("flags {:02x} came in, and {:02x} stand at {}", context.flags, carried.flags, record.place()),
            );
        }
        let states: Vec<&str> = record.header("tracestate").collect();
        match (members_of(&states), members) {
            (None, _) => self.record_fault(record, "invalid tracestate", "a `tracestate` that is valid, or none", format!("{} at {}", quoted(&states.join(",")), record.place())),
            (Some(seen), Some(members)) if !continues(&seen, members) => self.record_fault(
                record,
                "tracestate",
                "every member of the `tracestate` that came in, in its order",
                format!("{} at {}", quoted(&states.join(",")), record.place()),
            ),
            _ => {}
        }
    }

    /// Server spans of callees in the trace say which `tracestate` reached them.
    fn judge_callees(&mut self, stimulus: &Stimulus, trace: TraceId, members: Option<&[(&str, &str)]>) {
        // OpenTelemetry's own types hold the keys of level 1 alone.
        let held: Vec<_> = members.unwrap_or_default().iter().copied().filter(|(key, _)| !key.contains('@')).collect();
        let case = self.case;
        let called = |span: &Span<'_>| span.kind() == Kind::Server && case.service(*span) != stimulus.service;
        for span in case.spans.trace(trace).filter(called) {
            self.judgement.judged();
            let seen = members_of(&[span.trace_state()]).unwrap_or_default();
            if !continues(&seen, &held) {
                self.tally.add(span_subject(case, span), "tracestate", Some(span), || Fault {
                    required: "every member of the `tracestate` that came in at the edge, in its order".into(),
                    seen: format!("it was called with {}", quoted(span.trace_state())),
                    fix: FIX.into(),
                    ..Fault::default()
                });
            }
        }
    }

    /// The header was missing or not valid: a new trace, and nothing of the old one.
    fn judge_restarted(&mut self, stimulus: &Stimulus, sent: &Sent, records: &Records) {
        let required = "a new trace: the `traceparent` is not valid";
        let claimed = sent.claimed();
        match stimulus.trace {
            Some(trace) if sent.names(trace) => {
                self.judgement.judged();
                self.fault(stimulus, "taken over", sent, required, "its trace was continued");
            }
            Some(trace) => {
                self.judgement.judged();
                self.judge_old_state(sent, records.in_trace(trace));
            }
            None if claimed.iter().any(|trace| self.spans_of(stimulus, *trace)) => {
                self.judgement.judged();
                self.fault(stimulus, "taken over", sent, required, "spans of its trace were made");
            }
            None if claimed.is_empty() => {}
            None => self.judgement.judged(),
        }
    }

    /// A `tracestate` belongs to a `traceparent`: without a valid one it must not even be read.
    fn judge_old_state(&mut self, sent: &Sent, records: &[&Record]) {
        let Some(old) = sent.members().filter(|members| !members.is_empty()) else { return };
        for record in records {
            let states: Vec<&str> = record.header("tracestate").collect();
            let kept = members_of(&states).unwrap_or_default().iter().any(|member| old.contains(member));
            if kept {
                let seen = format!("{} at {}, of a context that was not valid", quoted(&states.join(",")), record.place());
                self.record_fault(record, "old tracestate", "no `tracestate` without the `traceparent` that it came with", seen);
            }
        }
    }

    /// Headers that went through as they came, although they are not valid.
    fn judge_copies(&mut self, records: &Records) {
        let stimuli = self.case.evidence.stimuli.iter();
        let invalid = stimuli.filter(|stimulus| Sent::with(stimulus).context().is_none());
        let came: HashSet<&str> = invalid.flat_map(|stimulus| stimulus.sent_header("traceparent")).map(str::trim).collect();
        for record in &records.invalid {
            let copied = record.header("traceparent").find(|value| !value.is_empty() && came.contains(value.trim()));
            if let Some(value) = copied {
                let seen = format!("{} at {}, as it came in", quoted(value), record.place());
                self.record_fault(record, "forwarded", "a context of the producer's own span: the one that came in is not valid", seen);
            }
        }
    }

    /// Whether the service that was asked made spans of that trace.
    fn spans_of(&self, stimulus: &Stimulus, trace: TraceId) -> bool {
        self.case.spans.trace(trace).any(|span| self.case.service(span) == stimulus.service)
    }

    fn fault(&mut self, stimulus: &Stimulus, kind: &'static str, sent: &Sent, required: &str, seen: &str) {
        self.tally.add(stimulus_subject(self.case, stimulus), kind, None, || Fault {
            required: required.into(),
            seen: format!("{}: {seen}", sent.in_words()),
            fix: FIX.into(),
            ..Fault::default()
        });
    }

    fn record_fault(&mut self, record: &Record, kind: &'static str, required: &str, seen: String) {
        let producer = self.case.declaration.and_then(|declaration| declaration.topic(&record.topic)).map_or("", |topic| &topic.producer);
        let subject = format!("{}, records of {}", shown(producer), shown(&record.topic));
        self.tally.add(subject, kind, None, || Fault { required: required.into(), seen, fix: FIX.into(), ..Fault::default() });
    }
}

/// How many characters of a `tracestate` must be handed on at least; beyond, whole members may go.
const PROPAGATED_MIN: usize = 512;

/// Whether the members that came in are among those that went out, in their order. New ones may stand anywhere, and of two
/// with one key either may go.
fn continues(seen: &[(&str, &str)], members: &[(&str, &str)]) -> bool {
    let unique = |(key, _): &&(&str, &str)| members.iter().filter(|(other, _)| other == key).count() == 1;
    let length: usize = members.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let (mut at, mut found, mut wanted) = (0, 0, 0);
    for member in members.iter().filter(unique) {
        wanted += 1;
        if let Some(next) = seen[at..].iter().position(|known| known == member) {
            at += next + 1;
            found += 1;
        }
    }
    found == wanted || length > PROPAGATED_MIN && found > 0
}

#[cfg(test)]
mod tests;
