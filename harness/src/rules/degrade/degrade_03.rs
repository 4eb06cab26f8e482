//! DEGRADE-03: with etcd lost after the start, the endpoints that are known keep serving.

use std::collections::BTreeSet;

use crate::model::{Answer, Case, Fault, FaultKind, FaultTarget, Judgement, Operation, ProcessId, Severity, Stimulus, UnixNanos};
use crate::rules::Rule;
use crate::rules::outage::{Outage, is_degraded, outages, was_in_vain};
use crate::rules::tally::{Fault as Violation, Tally};
use crate::rules::text::{quoted, shown};
use crate::rules::traffic::{operation_of, stimulus_subject};

pub(crate) static RULE: Rule = Rule {
    id: "DEGRADE-03",
    severity: Severity::Error,
    requirement: "with etcd lost after the start, the endpoints that are known keep serving",
    needs: &["stimuli", "faults", "processes", "spans", "operations", "registrations"],
    page: include_str!("../pages/DEGRADE-03.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let lost: Vec<&Fault> = case.evidence.faults.iter().filter(|fault| is_loss(fault)).collect();
    if lost.is_empty() {
        return judgement;
    }
    // Who had reached whom by then, in the order of the answers.
    let mut reached: BTreeSet<(&ProcessId, &str)> = BTreeSet::new();
    for stimulus in &case.evidence.stimuli {
        let (Some(process), Some(operation)) = (&stimulus.process, operation_of(case, stimulus)) else { continue };
        let Some(callee) = operation.calls.as_deref().filter(|callee| registers(case, callee)) else { continue };
        let down = outages(case, callee);
        let whole = stimulus.answer.as_ref().is_some_and(|answer| is_whole(case, operation, stimulus, answer, &down));
        let during = lost.iter().any(|fault| covers(fault, stimulus));
        if !during {
            if whole && stimulus.answered.is_some_and(|answered| lost.iter().any(|fault| answered <= fault.began)) {
                reached.insert((process, callee));
            }
            continue;
        }
        if reached.contains(&(process, callee)) && is_there(case, operation, stimulus, &down) {
            judgement.judged();
            if !whole {
                tally.add(stimulus_subject(case, stimulus), "not served", None, || describe(callee, stimulus));
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

fn is_loss(fault: &Fault) -> bool {
    let gone = matches!(
        fault.kind,
        FaultKind::Stop | FaultKind::Kill | FaultKind::Pause | FaultKind::Refuse | FaultKind::BlackHole | FaultKind::Cut
    );
    gone && fault.on == FaultTarget::Backend("etcd".into())
}

fn registers(case: &Case, service: &str) -> bool {
    let declared = case.declaration.and_then(|declaration| declaration.service(service));
    declared.is_some_and(|service| service.registers.is_some())
}

/// Whether a request was sent and came to its end while etcd was away.
fn covers(fault: &Fault, stimulus: &Stimulus) -> bool {
    let ended: UnixNanos = stimulus.answered.or(stimulus.gave_up).unwrap_or(stimulus.sent);
    fault.covers(stimulus.sent) && fault.covers(ended)
}

fn is_whole(case: &Case, operation: &Operation, stimulus: &Stimulus, answer: &Answer, down: &[Outage]) -> bool {
    answer.status < 500 && !is_degraded(operation, answer) && !was_in_vain(case, operation, stimulus, down)
}

/// Whether the callee was there all the time, so that only the list of its endpoints can have been lacking.
fn is_there(case: &Case, operation: &Operation, stimulus: &Stimulus, down: &[Outage]) -> bool {
    let ended = stimulus.answered.or(stimulus.gave_up).unwrap_or(stimulus.sent);
    let disturbed = |service: &str| {
        let on_it = FaultTarget::Service(service.into());
        case.evidence.faults.iter().any(|fault| fault.on == on_it && fault.covers(stimulus.sent))
    };
    let overlaps = down.iter().any(|outage| outage.from < ended && outage.until > stimulus.sent);
    let callee = operation.calls.as_deref().unwrap_or_default();
    !overlaps && !disturbed(callee) && !disturbed(&operation.service)
}

fn describe(callee: &str, stimulus: &Stimulus) -> Violation {
    let seen = match &stimulus.answer {
        Some(answer) if answer.status >= 500 => format!("HTTP {} while etcd was away", answer.status),
        Some(_) => format!("an answer without {}, which was there all the time", quoted(callee)),
        None => shown(stimulus.error.as_deref().unwrap_or("no answer")),
    };
    Violation {
        required: format!("an answer with what {} says, by its endpoint of before", shown(callee)),
        seen,
        fix: "keep the last list of endpoints when the watch breaks or a read fails; replace it only by an answer of etcd; probity \
              explain DEGRADE-03"
            .into(),
        ..Violation::default()
    }
}

#[cfg(test)]
mod tests;
