//! TRACE-13: errors are kept at any sampling ratio.

use crate::model::{Case, Judgement, Severity, Span, Status, Stimulus, TraceId};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence_in};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;
use crate::rules::traffic::stimulus_subject;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-13",
    severity: Severity::Error,
    requirement: "where the system promises it, the trace of a failed request is kept at any sampling ratio",
    needs: &["stimuli", "spans", "processes", "barrier", "sampling"],
    page: include_str!("../pages/TRACE-13.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let sampling = case.declaration.and_then(|declaration| declaration.sampling);
    if !sampling.is_some_and(|sampling| sampling.keeps_errors) {
        return judgement;
    }
    for stimulus in case.evidence.stimuli.iter().filter(|stimulus| stimulus.port == "main") {
        let failed = stimulus.answer.as_ref().filter(|answer| answer.status >= 500);
        let (Some(answer), Some(trace)) = (failed, stimulus.trace) else { continue };
        if has_error(case, stimulus, trace) {
            judgement.judged();
            continue;
        }
        match proof_of_absence_in(case, &stimulus.service, stimulus.answered) {
            Proof::Explained(_) => {}
            Proof::Unknown(why) => judgement.gap(stimulus_subject(case, stimulus), why),
            Proof::Absent => {
                judgement.judged();
                tally.add(stimulus_subject(case, stimulus), "sampled away", None, || Fault {
                    required: "its trace, with a span of status Error: the system promises to keep errors".into(),
                    seen: match case.spans.trace(trace).next() {
                        None => format!("HTTP {}, and no span of its trace", answer.status),
                        Some(_) => format!("HTTP {}, and no span of {} with status Error", answer.status, shown(&stimulus.service)),
                    },
                    fix: "decide after the work is done: record unsampled spans and export them when one of them fails, or keep \
                          everything up to a collector that samples by tail; probity explain TRACE-13"
                        .into(),
                    ..Fault::default()
                });
            }
        }
    }
    judgement.gaps.sort();
    judgement.gaps.dedup();
    tally.put_into(&mut judgement);
    judgement
}

/// Whether the service's part of the trace shows the failure.
fn has_error(case: &Case, stimulus: &Stimulus, trace: TraceId) -> bool {
    let failed = |span: Span<'_>| span.status() == Status::Error && case.service(span) == stimulus.service;
    case.spans.trace(trace).any(failed)
}

#[cfg(test)]
mod tests;
