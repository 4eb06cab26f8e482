//! START-06: the first request after a start is traced and counted like any other.

mod counting;

use crate::model::{Case, Judgement, Process, Severity, Stimulus};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence};
use crate::rules::sampling::is_unsampled;
use crate::rules::tally::{Fault, Tally};
use crate::rules::traffic::stimulus_subject;

use counting::uncounted;

pub(crate) static RULE: Rule = Rule {
    id: "START-06",
    severity: Severity::Error,
    requirement: "the first request after a start is traced and counted like any other",
    needs: &["stimuli", "spans", "scrapes", "processes", "families", "operations"],
    page: include_str!("../pages/START-06.md"),
    judge,
};

const FIX: &str = "set telemetry up before the first socket is opened, and instrument the server before it serves; probity explain \
                   START-06";

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for process in &case.evidence.processes {
        let asked = answered(case, process);
        let Some((first, others)) = asked.split_first() else { continue };
        judge_trace(case, process, first, others, &mut judgement, &mut tally);
        if let Some(counts) = uncounted(case, process, first, &asked) {
            judgement.judged();
            if let Some(seen) = counts {
                tally.add(stimulus_subject(case, first), "count", None, || Fault {
                    required: "the first request counted under its method, route and status".into(),
                    seen,
                    fix: FIX.into(),
                    ..Fault::default()
                });
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// What the process answered on its main port, in the order in which it was asked.
fn answered<'a>(case: &Case<'a>, process: &Process) -> Vec<&'a Stimulus> {
    let on_main = |stimulus: &&Stimulus| {
        stimulus.process.as_ref() == Some(&process.id) && stimulus.port == "main" && stimulus.answer.is_some()
    };
    let mut asked: Vec<&Stimulus> = case.evidence.stimuli.iter().filter(on_main).collect();
    asked.sort_by_key(|stimulus| (stimulus.sent, stimulus.id));
    asked
}

fn judge_trace(
    case: &Case,
    process: &Process,
    first: &Stimulus,
    others: &[&Stimulus],
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let is_traced = |stimulus: &Stimulus| {
        stimulus.trace.is_some_and(|trace| case.spans.trace(trace).any(|span| span.process() == Some(&process.id)))
    };
    if is_traced(first) {
        return judgement.judged();
    }
    // A process that traces nothing, or nothing of what is not sampled, treats its first request like any other.
    if is_unsampled(first) || !others.iter().any(|stimulus| is_traced(stimulus)) {
        return;
    }
    let mut fault = |seen: &str| {
        judgement.judged();
        tally.add(stimulus_subject(case, first), "trace", None, || Fault {
            required: "the first request traced as the later ones are".into(),
            seen: seen.into(),
            fix: FIX.into(),
            ..Fault::default()
        });
    };
    if first.trace.is_none() {
        return fault("its answer names no trace, and those of later requests do");
    }
    match proof_of_absence(case, process, first.answered) {
        Proof::Explained(_) => {}
        Proof::Unknown(why) => judgement.gap(stimulus_subject(case, first), why),
        Proof::Absent => fault("no span of it, while later requests have theirs"),
    }
}

#[cfg(test)]
mod tests;
