//! DEGRADE-04: with Kafka away, a request that only spawns a record is answered within its budget, what becomes of the record is
//! traced and counted, and what waits is bounded.

mod buffers;

use crate::model::attributes::{Attributes, Key};
use crate::model::{
    Case, Fault, FaultKind, FaultTarget, Judgement, Kind, Operation, Severity, Span, Spawned, Stimulus, TraceId,
};
use super::budget::failure_or_overrun;
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence, silence};
use crate::rules::sampling::is_unsampled;
use crate::rules::tally::{Fault as Violation, Tally};
use crate::rules::text::shown;
use crate::rules::traffic::{operation_of, stimulus_subject};

pub(crate) static RULE: Rule = Rule {
    id: "DEGRADE-04",
    severity: Severity::Error,
    requirement: "with Kafka away requests are answered within their budget, lost and late records are traced and counted, buffers are bounded",
    needs: &["stimuli", "faults", "spans", "scrapes", "processes", "operations", "buffers"],
    page: include_str!("../pages/DEGRADE-04.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let outages: Vec<&Fault> = case.evidence.faults.iter().filter(|fault| is_outage(fault)).collect();
    if outages.is_empty() {
        return judgement;
    }
    for stimulus in &case.evidence.stimuli {
        let Some(operation) = operation_of(case, stimulus) else { continue };
        let Some((spawned, topic)) = publishes(operation) else { continue };
        if !outages.iter().any(|fault| fault.covers(stimulus.sent)) || is_disturbed(case, operation, stimulus) {
            continue;
        }
        if let Some(budget_ms) = operation.budget_ms {
            judgement.judged();
            judge_time(case, stimulus, budget_ms, &mut tally);
        }
        judge_trace(case, stimulus, spawned, topic, &mut judgement, &mut tally);
    }
    buffers::judge(case, &outages, &mut judgement, &mut tally);
    tally.put_into(&mut judgement);
    judgement
}

/// Whether nothing could be sent. A broker that came late was not there to be lost: START's.
fn is_outage(fault: &Fault) -> bool {
    let gone = matches!(
        fault.kind,
        FaultKind::Stop | FaultKind::Kill | FaultKind::Pause | FaultKind::Refuse | FaultKind::BlackHole
    );
    gone && fault.on == FaultTarget::Backend("kafka".into())
}

/// What an operation sends to a topic off the request.
fn publishes(operation: &Operation) -> Option<(&Spawned, &str)> {
    operation.spawns.iter().find_map(|spawned| Some((spawned, spawned.topic.as_deref()?)))
}

/// Whether something else lay on what the request needs: on its service, or on a backend other than Kafka.
fn is_disturbed(case: &Case, operation: &Operation, stimulus: &Stimulus) -> bool {
    let service = case.declaration.and_then(|declaration| declaration.service(&operation.service));
    let needs = service.map(|service| service.needs.as_slice()).unwrap_or_default();
    case.evidence.faults.iter().filter(|fault| fault.covers(stimulus.sent)).any(|fault| match &fault.on {
        FaultTarget::Service(name) => *name == operation.service,
        FaultTarget::Backend(name) => name != "kafka" && needs.contains(name),
        FaultTarget::Collector => false,
    })
}

fn judge_time(case: &Case, stimulus: &Stimulus, budget_ms: u64, tally: &mut Tally) {
    let Some(seen) = failure_or_overrun(stimulus, budget_ms) else { return };
    tally.add(stimulus_subject(case, stimulus), "late", None, || Violation {
        required: format!("an answer within {budget_ms} ms, while Kafka is away"),
        seen,
        fix: "hand the record to a bounded queue and answer; do not wait for the broker inside of the request; probity explain \
              DEGRADE-04"
            .into(),
        ..Violation::default()
    });
}

/// The record that an answer promised shows in its trace, however late or lost it is.
fn judge_trace(
    case: &Case,
    stimulus: &Stimulus,
    spawned: &Spawned,
    topic: &str,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let (Some(answer), Some(trace)) = (&stimulus.answer, stimulus.trace) else { return };
    let Some(process) = stimulus.process.as_ref().and_then(|process| case.process(process)) else { return };
    if spawned.on_status.is_some_and(|status| status != answer.status) || is_unsampled(stimulus) {
        return;
    }
    if send_of(case, trace, spawned, topic).is_some() {
        return judgement.judged();
    }
    let subject = stimulus_subject(case, stimulus);
    if let Some(silence) = silence(case, process) {
        return judgement.gap(subject, silence.gap(&process.service));
    }
    match proof_of_absence(case, process, stimulus.answered) {
        Proof::Explained(_) => {}
        Proof::Unknown(why) => judgement.gap(subject, why),
        Proof::Absent => {
            judgement.judged();
            tally.add(subject, "untraced", None, || Violation {
                required: format!("a span of what became of the record for {}, in the request's trace", shown(topic)),
                seen: "none: it was lost without a trace".into(),
                fix: "start the send span before the record waits, and end it with Error when it is given up; probity explain \
                      DEGRADE-04"
                    .into(),
                ..Violation::default()
            });
        }
    }
}

fn send_of<'c>(case: &'c Case<'_>, trace: TraceId, spawned: &Spawned, topic: &str) -> Option<Span<'c>> {
    let is_it = |span: &Span<'_>| {
        span.kind() == spawned.kind && case.service(*span) == spawned.service && goes_to(*span, topic)
    };
    case.spans.trace(trace).find(is_it)
}

/// By its destination, where it says one.
fn goes_to(span: Span<'_>, topic: &str) -> bool {
    Attributes::of(span).str(Key::MessagingDestination).is_none_or(|destination| destination == topic)
}

/// The spans of the sends of a service to a topic.
fn sends<'c>(case: &'c Case<'_>, service: &str, topic: &str) -> Vec<Span<'c>> {
    let is_send = |span: &Span<'_>| {
        span.kind() == Kind::Producer && case.service(*span) == service && goes_to(*span, topic)
    };
    case.spans.iter().filter(is_send).collect()
}

#[cfg(test)]
mod tests;
