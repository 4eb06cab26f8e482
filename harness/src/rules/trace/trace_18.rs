//! TRACE-18: an answer says which trace it belongs to.

use crate::model::{Answer, Case, Judgement, ServiceDeclaration, Severity, Stimulus, TraceParent};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::quoted;
use crate::rules::traffic::stimulus_subject;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-18",
    severity: Severity::Error,
    requirement: "where the system promises it, every answer names its trace in traceresponse or traceparent",
    needs: &["stimuli", "services"],
    page: include_str!("../pages/TRACE-18.md"),
    judge,
};

const FIX: &str = "write the server span's context into the response, for every status, errors and unknown routes included; \
                   probity explain TRACE-18";

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let services = case.declaration.into_iter().flat_map(|declaration| &declaration.services);
    let promising: Vec<&ServiceDeclaration> = services.filter(|service| service.answers_with_trace).collect();
    let asked = |stimulus: &&Stimulus| {
        stimulus.port == "main" && promising.iter().any(|service| service.name == stimulus.service)
    };
    for stimulus in case.evidence.stimuli.iter().filter(asked) {
        let Some(answer) = &stimulus.answer else { continue };
        judgement.judged();
        if let Some((fault, seen)) = fault_of(answer) {
            tally.add(stimulus_subject(case, stimulus), fault, None, || Fault {
                required: "the answer's own trace id, as `traceresponse: 00-<trace id>-<span id>-<flags>`".into(),
                seen: format!("HTTP {} with {seen}", answer.status),
                fix: FIX.into(),
                ..Fault::default()
            });
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// What is wrong with the answer's headers; `None`: one of them names a trace, and no other speaks against it.
fn fault_of(answer: &Answer) -> Option<(&'static str, String)> {
    let named = |(name, _): &&(String, String)| {
        ["traceresponse", "traceparent"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let values: Vec<&str> = answer.headers.iter().filter(named).take(8).map(|(_, value)| value.trim()).collect();
    if values.is_empty() {
        return Some(("no header", "neither header".into()));
    }
    let mut traces = Vec::new();
    for value in &values {
        match TraceParent::parse(value) {
            Some(context) => traces.push(context.trace),
            None => return Some(("invalid header", format!("{}, which is no valid context", quoted(value)))),
        }
    }
    traces.dedup();
    (traces.len() > 1).then(|| ("several traces", format!("{} headers that name different traces", values.len())))
}

#[cfg(test)]
mod tests;
