//! TRACE-11: a trace is whole or absent.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{
    Case, Edge, EdgeKind, Judgement, Kind, Sampling, Severity, Span, Status, Stimulus, TraceId, TraceParent, UnixNanos,
};
use crate::rules::Rule;
use crate::rules::absence::{Proof, answered_call, proof_of_absence_in};
use crate::rules::sampling::{carried_by, named_by};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, shown, span_subject};
use crate::rules::traffic::stimulus_subject;

use super::roots::is_ours;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-11",
    severity: Severity::Error,
    requirement: "sampling is parent-based: a trace is kept by all who work on it, or by nobody, as the one who began it decided",
    needs: &["stimuli", "records", "spans", "edges", "sampling"],
    page: include_str!("../pages/TRACE-11.md"),
    judge,
};

const FIX: &str = "sample where traces begin and follow the parent everywhere else (`parentbased_traceidratio`); probity \
                   explain TRACE-11";

fn judge(case: &Case) -> Judgement {
    let mut judge = Judge { case, judgement: Judgement::default(), tally: Tally::new(&RULE) };
    judge.judge_decisions();
    judge.judge_beginnings();
    judge.judge_callees();
    let Judge { mut judgement, tally, .. } = judge;
    tally.put_into(&mut judgement);
    judgement
}

/// What one hop said of a trace.
struct Decision<'c> {
    context: TraceParent,
    /// Who said it; `None`: the caller, who is none of the system.
    service: Option<&'c str>,
    what: String,
}

/// Everything that says whether a trace is sampled: what we sent, what was answered, what records carry.
fn decisions<'c>(case: &'c Case) -> Vec<Decision<'c>> {
    let mut said = Vec::new();
    for stimulus in case.evidence.stimuli.iter().filter(|stimulus| stimulus.port == "main") {
        let subject = || stimulus_subject(case, stimulus);
        if let Some(context) = sent_with(stimulus) {
            said.push(Decision { context, service: None, what: format!("the request to {}", subject()) });
        }
        if let Some(context) = stimulus.answer.as_ref().and_then(named_by) {
            let service = Some(stimulus.service.as_str());
            said.push(Decision { context, service, what: format!("the answer of {}", subject()) });
        }
    }
    for record in &case.evidence.records {
        if let Some(context) = carried_by(record) {
            let topic = case.declaration.and_then(|declaration| declaration.topic(&record.topic));
            let service = topic.map(|topic| topic.producer.as_str());
            said.push(Decision { context, service, what: format!("the record at {}", record.place()) });
        }
    }
    said
}

/// The valid context that a stimulus carried.
fn sent_with(stimulus: &Stimulus) -> Option<TraceParent> {
    let mut values = stimulus.sent_header("traceparent");
    match (values.next(), values.next()) {
        (Some(value), None) => TraceParent::parse(value.trim()),
        _ => None,
    }
}

struct Judge<'c, 'a> {
    case: &'c Case<'a>,
    judgement: Judgement,
    tally: Tally,
}

impl<'c> Judge<'c, '_> {
    /// Of a trace of which somebody said that it is not sampled, nobody exports spans.
    fn judge_decisions(&mut self) {
        let mut unsampled: BTreeMap<TraceId, Decision> = BTreeMap::new();
        for decision in decisions(self.case) {
            self.judgement.judged();
            if !decision.context.is_sampled() {
                unsampled.entry(decision.context.trace).or_insert(decision);
            }
        }
        for (trace, decision) in unsampled {
            if !self.is_kept_for_its_error(trace) {
                self.judge_half(trace, &decision);
            }
        }
    }

    /// Errors are kept where the system says so: TRACE-13.
    fn is_kept_for_its_error(&self, trace: TraceId) -> bool {
        let promised = self.sampling().is_some_and(|sampling| sampling.keeps_errors);
        promised && self.case.spans.trace(trace).any(|span| span.status() == Status::Error)
    }

    fn sampling(&self) -> Option<Sampling> {
        self.case.declaration?.sampling
    }

    fn judge_half(&mut self, trace: TraceId, decision: &Decision) {
        let case = self.case;
        let mut named = HashSet::new();
        for span in case.spans.trace(trace).filter(|span| !is_ours(case, *span)) {
            let service = case.service(span);
            if !named.insert(service) {
                continue;
            }
            self.tally.add(span_subject(case, span), "half", Some(span), || Fault {
                required: "no span: the trace is not sampled".into(),
                seen: match decision.service == Some(service) {
                    true => format!("spans were exported, though {} says that it is not sampled", decision.what),
                    false => format!("spans of it alone, though {} says that the trace is not sampled", decision.what),
                },
                fix: FIX.into(),
                ..Fault::default()
            });
        }
    }

    /// A trace that begins here is kept as often as is promised: always, or never.
    fn judge_beginnings(&mut self) {
        let Some(sampling) = self.sampling() else { return };
        let required = match sampling.ratio {
            ratio if ratio >= 1.0 => true,
            ratio if ratio <= 0.0 => false,
            // A share says nothing of one trace.
            _ => return,
        };
        let case = self.case;
        let began = |stimulus: &&Stimulus| stimulus.port == "main" && sent_with(stimulus).is_none();
        for stimulus in case.evidence.stimuli.iter().filter(began) {
            let Some(named) = stimulus.answer.as_ref().and_then(named_by) else { continue };
            self.judgement.judged();
            if named.is_sampled() != required {
                self.tally.add(stimulus_subject(case, stimulus), "ratio", None, || Fault {
                    required: format!("traces that begin here sampled with the declared ratio of {}", sampling.ratio),
                    seen: match required {
                        true => "its answer says that it is not sampled, so nobody downstream keeps anything of it".into(),
                        false => "its answer says that it is sampled".into(),
                    },
                    fix: "give the service that begins traces its sampler: a block that is missing is a ratio of 0 in some \
                          frameworks; probity explain TRACE-11"
                        .into(),
                    ..Fault::default()
                });
            }
        }
    }

    /// A call that was answered and recorded by the caller, with nothing of the callee, which recorded later calls: the
    /// callee sampled by itself.
    fn judge_callees(&mut self) {
        let edges = self.case.declaration.into_iter().flat_map(|declaration| &declaration.edges);
        let edges: Vec<&Edge> = edges.filter(|edge| matches!(edge.over, EdgeKind::Grpc { .. })).collect();
        if edges.is_empty() {
            return;
        }
        let callees = Callees::of(self.case);
        let case = self.case;
        let mut dropped: HashMap<&str, (u64, Span<'c>)> = HashMap::new();
        for span in case.spans.iter().filter(|span| span.kind() == Kind::Client) {
            let fits = |edge: &&&Edge| edge.from == case.service(span) && answered_call(span, edge);
            let Some(edge) = edges.iter().find(fits) else { continue };
            self.judgement.judged();
            if callees.kept_later(&edge.to, span) && !case.spans.trace(span.trace()).any(|other| case.service(other) == edge.to) {
                dropped.entry(&edge.to).or_insert((0, span)).0 += 1;
            }
        }
        for (service, (calls, span)) in dropped {
            match proof_of_absence_in(case, service, Some(span.end())) {
                Proof::Explained(_) => {}
                Proof::Unknown(why) => self.judgement.gap(shown(service), why),
                Proof::Absent => self.tally.add(shown(service), "dropped its part", Some(span), || Fault {
                    required: "its part of every trace that its caller keeps".into(),
                    seen: format!("nothing of {calls} calls that it answered, {} the first, between calls that it kept", quoted(span.name())),
                    fix: FIX.into(),
                    ..Fault::default()
                }),
            }
        }
        self.judgement.gaps.sort();
    }
}

/// The server spans of each service: when the last began, and whether one lost its caller.
struct Callees<'c> {
    last: HashMap<&'c str, UnixNanos>,
    /// Their calls come without a context: TRACE-02.
    lost: HashSet<&'c str>,
}

impl<'c> Callees<'c> {
    fn of(case: &'c Case) -> Self {
        let mut callees = Callees { last: HashMap::new(), lost: HashSet::new() };
        for span in case.spans.iter().filter(|span| span.kind() == Kind::Server) {
            let service = case.service(span);
            let last = callees.last.entry(service).or_default();
            *last = span.start().max(*last);
            if span.parent_id().is_none() {
                callees.lost.insert(service);
            }
        }
        callees
    }

    fn kept_later(&self, service: &str, call: Span<'_>) -> bool {
        !self.lost.contains(service) && self.last.get(service).is_some_and(|last| *last > call.end())
    }
}

#[cfg(test)]
mod tests;
