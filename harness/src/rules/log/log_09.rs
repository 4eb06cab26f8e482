//! LOG-09: what a request spawned logs with the context of that request.

use std::collections::HashMap;

use crate::model::{Case, Judgement, Operation, Severity, Span, TraceId};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::quoted;

use super::busy::{Busy, is_spawned};
use super::entries::{Entry, Ids, events};

pub(crate) static RULE: Rule = Rule {
    id: "LOG-09",
    severity: Severity::Error,
    requirement: "background work logs with the context of the request that caused it",
    needs: &["logs", "spans", "operations", "log profile", "background lines"],
    page: include_str!("../pages/LOG-09.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let operations = case.declaration.map(|declaration| declaration.operations.as_slice()).unwrap_or_default();
    let spawning: Vec<&Operation> = operations.iter().filter(|operation| !operation.spawns.is_empty()).collect();
    if spawning.is_empty() {
        return judgement;
    }
    let busy = Busy::of(case);
    let mut traces = Traces { case, spawning: &spawning, known: HashMap::new() };
    for entry in events(case) {
        match entry.ids {
            Ids::Of(trace, id) => {
                let Some(work) = case.spans.get(trace, id).and_then(|span| spawned_work(case, span)) else { continue };
                match traces.of(trace) {
                    Trace::Broken => {}
                    Trace::OfRequest => judgement.judged(),
                    Trace::Stray => {
                        judgement.judged();
                        tally.add(entry.subject(), "stray", Some(work), || stray(&spawning));
                    }
                }
            }
            Ids::None if busy.does_spawned_work(&entry) && !entry.is_background(case) => {
                judgement.judged();
                tally.add(entry.subject(), "no ids", None, || no_ids(&entry));
            }
            _ => {}
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The span of declared work off a request that a span belongs to.
fn spawned_work<'c>(case: &Case, span: Span<'c>) -> Option<Span<'c>> {
    let own = |above: &Span<'c>| above.process() == span.process();
    std::iter::once(span).chain(span.ancestors().take_while(own)).find(|above| is_spawned(case, *above))
}

#[derive(Clone, Copy)]
enum Trace {
    /// It begins with the request of an operation that spawns work.
    OfRequest,
    /// It begins with the work itself.
    Stray,
    /// A parent is missing: where it begins cannot be said. TRACE-03 says where.
    Broken,
}

struct Traces<'c, 'a> {
    case: &'c Case<'a>,
    spawning: &'c [&'c Operation],
    known: HashMap<TraceId, Trace>,
}

impl Traces<'_, '_> {
    fn of(&mut self, trace: TraceId) -> Trace {
        if let Some(known) = self.known.get(&trace) {
            return *known;
        }
        let spans = || self.case.spans.trace(trace);
        let is_request = |span: Span<'_>| {
            let service = self.case.service(span);
            self.spawning.iter().any(|operation| operation.service == service && operation.root == span.kind())
        };
        let found = if spans().any(is_request) {
            Trace::OfRequest
        } else if spans().any(|span| span.parent_id().is_some() && span.parent().is_none()) {
            Trace::Broken
        } else {
            Trace::Stray
        };
        self.known.insert(trace, found);
        found
    }
}

fn stray(spawning: &[&Operation]) -> Fault {
    let operations: Vec<_> =
        spawning.iter().map(|operation| quoted(&format!("{} {}", operation.method, operation.route))).collect();
    Fault {
        required: format!("the trace of the request that spawned the work: {}", operations.join(" or ")),
        seen: "a trace without that request".into(),
        fix: "give the task or thread the context of its request, and log within it; probity explain LOG-09".into(),
        ..Fault::default()
    }
}

fn no_ids(entry: &Entry<'_>) -> Fault {
    let whose = if entry.logger.is_empty() { String::new() } else { format!(", from {}", quoted(&entry.logger)) };
    Fault {
        required: "trace_id and span_id of the request that spawned the work".into(),
        seen: format!("none, though its process did such work then, and nothing else{whose}"),
        fix: "make the span of the work active where it logs; lines that belong to no request are declared as background; \
              probity explain LOG-09"
            .into(),
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests;
