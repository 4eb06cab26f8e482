//! METRIC-08: exemplars of latency histograms lead to captured traces of the same service.

use crate::exposition::{Exemplar, Family, Format};
use crate::model::{Case, FamilyKind, Judgement, Process, ScrapeStage, Severity, TraceId};
use crate::rules::Rule;
use crate::rules::absence::{Proof, no_barrier, proof_of_absence};
use crate::rules::exposed::{Exposed, answers_for_itself, counts, last_scrapes, lost_port};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-08",
    severity: Severity::Error,
    requirement: "exemplars of latency histograms lead to a captured trace of the same service",
    needs: &["scrapes", "spans", "families"],
    page: include_str!("../pages/METRIC-08.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for exposed in last_scrapes(case) {
        if let Some(process) = judged_process(case, &exposed) {
            judge_process(case, process, &exposed, &mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Text format 0.0.4 has no exemplars, and who sends no span has nothing that one could lead to: TRACE-01 says so.
fn judged_process<'a>(case: &Case<'a>, exposed: &Exposed<'a>) -> Option<&'a Process> {
    let openmetrics = exposed.exposition().is_ok_and(|read| read.format == Format::OpenMetrics);
    let last = exposed.scrape.stage == ScrapeStage::Last;
    answers_for_itself(case, exposed.scrape).filter(|process| openmetrics && last && lost_port(case, &process.id).is_none())
}

fn judge_process(
    case: &Case,
    process: &Process,
    exposed: &Exposed,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let declared = case.declaration.and_then(|declaration| declaration.service(exposed.service()));
    let families = declared.into_iter().flat_map(|service| &service.families);
    let latencies = families.filter(|family| family.kind == FamilyKind::Histogram && family.slo_bound.is_some());
    for declared in latencies {
        let Some(family) = exposed.family(&declared.name).filter(|family| observed(family)) else { continue };
        let subject = format!("{}, family `{}`", exposed.service(), declared.name);
        if !case.spans_of(&process.id).any(|span| span.end() <= exposed.scrape.at) {
            continue;
        }
        judgement.judged();
        let exemplars: Vec<&Exemplar> =
            family.samples.iter().filter_map(|sample| sample.exemplar.as_deref()).collect();
        if exemplars.is_empty() {
            tally.add(subject, "none", None, missing);
            continue;
        }
        for exemplar in exemplars {
            judge_exemplar(case, process, exemplar, &subject, judgement, tally);
        }
    }
}

fn observed(family: &Family) -> bool {
    counts(family).is_some_and(|counts| counts.iter().any(|sample| sample.value > 0.0))
}

fn missing() -> Fault {
    Fault {
        required: "at least one exemplar with a trace_id among its buckets".into(),
        seen: "observations, and no exemplar".into(),
        fix: "record the duration while the span is current, and expose OpenMetrics; probity explain METRIC-08".into(),
        ..Fault::default()
    }
}

fn judge_exemplar(
    case: &Case,
    process: &Process,
    exemplar: &Exemplar,
    subject: &str,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let trace = exemplar.labels.get("trace_id").and_then(TraceId::from_hex);
    let fault = |seen: String| Fault {
        required: format!("a trace_id under which a span of {} was captured", process.service),
        seen,
        fix: "take the ids of the span that is being measured, and only if it is sampled; probity explain METRIC-08".into(),
        ..Fault::default()
    };
    let Some(trace) = trace else {
        let labels = shown(&exemplar.labels.to_string());
        return tally.add(subject.into(), "no trace id", None, || fault(format!("an exemplar {labels} without a valid trace_id")));
    };
    // A span of the trace that is missing is TRACE-03's.
    let mut found = case.spans.trace(trace).peekable();
    if found.peek().is_none() {
        // What was lost on the way is not held against the exemplar.
        match (no_barrier(case), proof_of_absence(case, process, None)) {
            (true, _) | (_, Proof::Explained(_)) => {}
            (false, Proof::Unknown(why)) => {
                if !judgement.gaps.iter().any(|gap| gap.subject == subject) {
                    judgement.gap(subject, why);
                }
            }
            (false, Proof::Absent) => {
                tally.add(subject.into(), "leads nowhere", None, || fault("an exemplar whose trace was never captured: it was not sampled, or is nobody's".into()));
            }
        }
    } else if !found.any(|found| case.service(found) == process.service) {
        tally.add(subject.into(), "leads elsewhere", None, || fault("an exemplar that leads to a span of another service".into()));
    }
}

#[cfg(test)]
mod tests;
