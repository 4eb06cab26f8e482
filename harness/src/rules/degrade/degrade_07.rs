//! DEGRADE-07: whatever the collector does, requests are answered within their budget, what waits for it is bounded, what is lost is
//! counted, and delivery resumes.

mod losses;
mod queue;

use super::budget::failure_or_overrun;
use crate::model::{Case, Fault as Injected, FaultKind, FaultTarget, Judgement, Process, Severity, Stimulus, UnixNanos};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_fence, resumed};
use crate::rules::sampling::is_unsampled;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;
use crate::rules::traffic::{operation_of, stimulus_subject};

pub(crate) static RULE: Rule = Rule {
    id: "DEGRADE-07",
    severity: Severity::Error,
    requirement: "whatever the collector does, answers keep their budget, waiting spans a bound, lost spans are counted, and delivery resumes",
    needs: &["faults", "stimuli", "spans", "processes", "scrapes", "ledger", "barrier", "operations"],
    page: include_str!("../pages/DEGRADE-07.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let outages = outages(case);
    if outages.is_empty() {
        return judgement;
    }
    for stimulus in &case.evidence.stimuli {
        judge_time(case, &outages, stimulus, &mut judgement, &mut tally);
    }
    for process in case.evidence.processes.iter().filter(|process| process.ready.is_some()) {
        queue::judge(case, &outages, process, &mut judgement, &mut tally);
        losses::judge(case, &outages, process, &mut judgement, &mut tally);
        judge_return(case, &outages, process, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Faults on a collector that had been there, in their order. One that came late is START-05's.
fn outages<'a>(case: &Case<'a>) -> Vec<&'a Injected> {
    let on_it = |fault: &&Injected| fault.on == FaultTarget::Collector && fault.kind != FaultKind::Late;
    let mut outages: Vec<&Injected> = case.evidence.faults.iter().filter(on_it).collect();
    outages.sort_by_key(|fault| fault.began);
    outages
}

fn judge_time(
    case: &Case,
    outages: &[&Injected],
    stimulus: &Stimulus,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let Some(budget_ms) = operation_of(case, stimulus).and_then(|operation| operation.budget_ms) else { return };
    let Some(outage) = outages.iter().find(|fault| fault.covers(stimulus.sent)) else { return };
    // Where something else lay there as well, its answer says nothing of the collector.
    let other = |fault: &Injected| fault.on != FaultTarget::Collector && fault.covers(stimulus.sent);
    if case.evidence.faults.iter().any(other) {
        return;
    }
    judgement.judged();
    let Some(seen) = failure_or_overrun(stimulus, budget_ms) else { return };
    tally.add(stimulus_subject(case, stimulus), "late", None, || Fault {
        required: format!("an answer within {budget_ms} ms, while the collector {}", word(outage.kind)),
        seen,
        fix: "export from a queue in the background: a batch processor, no simple one, and no flush inside of a request; probity \
              explain DEGRADE-07"
            .into(),
        ..Fault::default()
    });
}

fn word(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Refuse => "refuses",
        FaultKind::BlackHole | FaultKind::Pause => "says nothing",
        FaultKind::Slow => "is slow",
        FaultKind::Cut => "breaks connections off",
        _ => "is down",
    }
}

/// Requests that a process answered within a span of time, in traces that were sampled: each has ended a span by then.
fn work<'a>(
    case: &Case<'a>,
    process: &Process,
    within: impl Fn(UnixNanos) -> bool,
) -> impl Iterator<Item = &'a Stimulus> {
    let id = process.id.clone();
    case.evidence.stimuli.iter().filter(move |stimulus| {
        stimulus.process.as_ref() == Some(&id)
            && stimulus.port == "main"
            && stimulus.trace.is_some()
            && !is_unsampled(stimulus)
            && stimulus.answered.is_some_and(&within)
    })
}

/// Spans of what was done after an outage come, before the next one or the end.
fn judge_return(
    case: &Case,
    outages: &[&Injected],
    process: &Process,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    for (number, outage) in outages.iter().enumerate() {
        let Some(ended) = outage.ended else { continue };
        let next = outages[number + 1..].iter().map(|fault| fault.began).find(|began| *began > ended);
        let until = next.unwrap_or(UnixNanos::MAX);
        let after = |stimulus: &&Stimulus| stimulus.sent > ended;
        let last = work(case, process, |answered| answered > ended && answered < until).filter(after).last();
        let Some(last) = last else { continue };
        if resumed(case, process, outage).is_some_and(|resumed| resumed < until) {
            judgement.judged();
            continue;
        }
        let given = last.sent.saturating_sub(ended) / 1_000_000;
        let subject = shown(&process.service);
        let soon = given < case.thresholds().export_resume_ms;
        match (proof_of_fence(case, process, last.answered), next, soon) {
            (Proof::Explained(_), ..) | (_, Some(_), true) => {}
            (Proof::Unknown(why), ..) => judgement.gap(subject, why),
            (Proof::Absent, None, true) => {
                judgement.gap(subject, format!("the last request came {given} ms after the collector was back"));
            }
            (Proof::Absent, _, false) => {
                judgement.judged();
                tally.add(subject, "gone", None, || Fault {
                    required: format!("spans of requests after the collector {} no more", word_after(outage.kind)),
                    seen: format!("none, and the last was asked {given} ms after its return"),
                    fix: "let the exporter try again: a client that connects anew, a pause between attempts with an upper limit; \
                          probity explain DEGRADE-07"
                        .into(),
                    ..Fault::default()
                });
            }
        }
    }
}

fn word_after(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Refuse => "refused",
        FaultKind::BlackHole | FaultKind::Pause => "was silent",
        FaultKind::Slow => "was slow",
        FaultKind::Cut => "broke connections off",
        _ => "was down",
    }
}

#[cfg(test)]
mod tests;
