//! DEGRADE-02: with the RPC slow or silent, the answer comes within its budget.

use crate::model::{Case, FaultTarget, Judgement, Operation, Severity, Stimulus};
use super::budget::overrun;
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::traffic::{operation_of, stimulus_subject};

pub(crate) static RULE: Rule = Rule {
    id: "DEGRADE-02",
    severity: Severity::Error,
    requirement: "an operation is answered within its budget, whatever its callee does",
    needs: &["stimuli", "faults", "operations"],
    page: include_str!("../pages/DEGRADE-02.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for stimulus in &case.evidence.stimuli {
        let Some(operation) = operation_of(case, stimulus) else { continue };
        let (Some(callee), Some(budget_ms)) = (operation.calls.as_deref(), operation.budget_ms) else { continue };
        let disturbed = is_disturbed(case, callee, stimulus);
        // Where the operation's own service is disturbed, its answer says nothing of the callee.
        if disturbed && !is_disturbed(case, &operation.service, stimulus) {
            judgement.judged();
            judge_time(case, stimulus, operation, budget_ms, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Whether it was sent while a fault lay on the service.
fn is_disturbed(case: &Case, service: &str, stimulus: &Stimulus) -> bool {
    let on_it = FaultTarget::Service(service.into());
    case.evidence.faults.iter().any(|fault| fault.on == on_it && fault.covers(stimulus.sent))
}

fn judge_time(case: &Case, stimulus: &Stimulus, operation: &Operation, budget_ms: u64, tally: &mut Tally) {
    let Some(seen) = overrun(stimulus, budget_ms) else { return };
    tally.add(stimulus_subject(case, stimulus), "late", None, || Fault {
        required: format!("an answer within {budget_ms} ms, while {} is disturbed", operation.calls.as_deref().unwrap_or("")),
        seen,
        fix: "give the call a deadline that covers its retries and leaves time for the answer; propagate it; probity explain \
              DEGRADE-02"
            .into(),
        ..Fault::default()
    });
}

#[cfg(test)]
mod tests;
