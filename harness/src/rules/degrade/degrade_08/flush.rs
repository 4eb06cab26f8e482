//! What a drained service had recorded and never exported: calls that it answered, by their client spans, against its own server
//! spans. Numbers only, so that a lost context is no lost span.

use crate::model::{Case, Edge, EdgeKind, Fence, Judgement, Kind, Span};
use crate::rules::absence::{open_barrier, unexplained_loss, was_away};
use crate::rules::outage::is_call;
use crate::rules::tally::{Fault, Tally};

/// gRPC codes that a client's own library never makes up.
const GIVEN_BY_SERVERS: [&str; 4] = ["OK", "NOT_FOUND", "ALREADY_EXISTS", "INVALID_ARGUMENT"];

pub(super) fn judge(case: &Case, judgement: &mut Judgement, tally: &mut Tally) {
    let edges = case.declaration.into_iter().flat_map(|declaration| &declaration.edges);
    for edge in edges.filter(|edge| matches!(edge.over, EdgeKind::Grpc { .. })) {
        if open_barrier(case).is_some() || !was_drained(case, &edge.to) {
            continue;
        }
        let Counts { answered, served, any } = count(case, edge);
        // A service without any span is TRACE-01's.
        if answered == 0 || !any {
            continue;
        }
        judgement.judged();
        if served < answered {
            tally.add(edge.to.clone(), "flush", None, || describe(answered, served));
        }
    }
}

/// Whether every instance ended by a drain, and nothing of it was refused, or lost while the collector was away.
fn was_drained(case: &Case, service: &str) -> bool {
    let mut instances = case.processes_of(service).filter(|process| process.ready.is_some()).peekable();
    instances.peek().is_some()
        && instances.all(|process| matches!(process.fence, Fence::Exit { .. }) && unexplained_loss(case, process).is_none() && !was_away(case, process))
}

#[derive(Default)]
struct Counts {
    /// Client spans of calls that the callee has answered.
    answered: usize,
    /// Server spans of the callee.
    served: usize,
    /// Whether there is any span of the callee.
    any: bool,
}

fn count(case: &Case, edge: &Edge) -> Counts {
    let mut counts = Counts::default();
    for span in case.spans.iter() {
        let service = case.service(span);
        if service == edge.to {
            counts.any = true;
            counts.served += usize::from(span.kind() == Kind::Server && is_call(span, &edge.over));
        } else if service == edge.from && span.kind() == Kind::Client && is_call(span, &edge.over) {
            counts.answered += usize::from(was_answered(span));
        }
    }
    counts
}

/// A span that names no code was cut short before there was one.
fn was_answered(span: Span<'_>) -> bool {
    match span.str("rpc.response.status_code") {
        Some(code) => GIVEN_BY_SERVERS.contains(&code),
        None => span.attribute("http.response.status_code").is_some(),
    }
}

fn describe(answered: usize, served: usize) -> Fault {
    Fault {
        required: format!("a server span for each of the {answered} calls that it answered"),
        seen: format!("{served} arrived, and it ended cleanly: the rest was never exported"),
        fix: "shut the tracer provider down before the process returns, and wait for it: the batch that is being filled goes only \
              then; probity explain DEGRADE-08"
            .into(),
        ..Fault::default()
    }
}
