//! Who is silent, and when a missing span may be held against somebody.
//!
//! Absence has one owner: the missing spans of a service are TRACE-01's; every other rule that needs them is incomplete
//! (`silent: NAME`). Only a closed barrier and a fence that closed by exit or marker prove that something is missing.

mod collector;

use crate::model::{
    BarrierKind, Case, Counts, Edge, EdgeKind, Fault, FaultTarget, Fence, GroupOffset, Kind, Process,
    ProcessId, Record, SenderEntry, Span, UnixNanos,
};

pub(crate) use collector::{resumed, was_away};

use super::sampling::{is_unsampled, is_unsampled_record};
use super::traffic::operation_of;

/// Why no span of a process that had work was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Its fence closed by exit or marker, nothing lay between it and the collector, nothing of it was refused.
    Proven,
    /// A declared fault kept the collector away for its whole life.
    CollectorAway,
    /// It cannot be said whose fault it is; why, in words.
    Unknown(String),
}

impl Silence {
    /// The reason of a gap: `silent: analytics-consumer`, with what is unknown about it.
    pub(crate) fn gap(&self, service: &str) -> String {
        match self {
            Silence::Proven => format!("silent: {service}"),
            Silence::CollectorAway => format!("silent: {service} (collector away)"),
            Silence::Unknown(why) => format!("silent: {service} ({why})"),
        }
    }
}

/// Whether a process that had work sent no span at all. `None`: spans of it arrived, or nothing shows that it had work.
pub(crate) fn silence(case: &Case, process: &Process) -> Option<Silence> {
    if sent_spans(case, process) || !had_work(case, process) {
        return None;
    }
    let life = process.started..process.end.as_ref().map_or(UnixNanos::MAX, |end| end.at);
    let faults = || case.evidence.faults.iter().filter(|fault| fault.on == FaultTarget::Collector);
    if faults().any(|fault| fault.began <= life.start && fault.ended.unwrap_or(UnixNanos::MAX) >= life.end) {
        return Some(Silence::CollectorAway);
    }
    let overlaps =
        |fault: &Fault| fault.began < life.end && fault.ended.unwrap_or(UnixNanos::MAX) > life.start;
    if faults().any(overlaps) {
        return Some(Silence::Unknown("the collector was away for a part of its life".into()));
    }
    // What its own exporter dropped does not excuse it: without a fault of ours, an exporter that reaches nobody is the
    // service's own fault.
    Some(match proof_of_fence(case, process, None) {
        Proof::Explained(why) | Proof::Unknown(why) => Silence::Unknown(why),
        Proof::Absent => refusal(case, process).map_or(Silence::Proven, Silence::Unknown),
    })
}

/// The silence of the first silent instance of a service; `None` when no instance is silent.
pub(crate) fn silence_of(case: &Case, service: &str) -> Option<Silence> {
    case.processes_of(service).find_map(|process| silence(case, process))
}

/// What a missing span means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// It does not exist: it may be held against the service.
    Absent,
    /// A declared fault explains it: no subject.
    Explained(String),
    /// It may have existed: a gap, with the reason.
    Unknown(String),
}

/// Whether a span of that process that was not captured is proven not to exist. `at`: when its work was done, where that
/// is known, so that what came before a marker fence can be told from what came after.
pub(crate) fn proof_of_absence(case: &Case, process: &Process, at: Option<UnixNanos>) -> Proof {
    let proof = proof_of_fence(case, process, at);
    if proof != Proof::Absent {
        return proof;
    }
    let loss = || unexplained_loss(case, process).map(Proof::Unknown);
    collector::excuse(case, process, at).or_else(loss).unwrap_or(Proof::Absent)
}

/// The same, had nothing been lost on the way: whether its fence proves that all it ended was exported or lost.
pub(crate) fn proof_of_fence(case: &Case, process: &Process, at: Option<UnixNanos>) -> Proof {
    if let Some(why) = open_barrier(case) {
        return Proof::Unknown(why);
    }
    match &process.fence {
        Fence::Exit { .. } => {}
        Fence::Marker { at: fence } => {
            let killed = process.end.as_ref().is_some_and(|end| !end.within_grace);
            if killed && at.is_none_or(|at| at > *fence) {
                return Proof::Explained(format!("{} was killed after its fence", process.service));
            }
        }
        Fence::Quiet { .. } => return Proof::Unknown(format!("{} was only quiet", process.service)),
        Fence::Open { why } => return Proof::Unknown(format!("{}: {why}", process.service)),
    }
    Proof::Absent
}

/// The same over every instance of a service that became ready; the weakest proof wins.
pub(crate) fn proof_of_absence_in(case: &Case, service: &str, at: Option<UnixNanos>) -> Proof {
    let mut weakest = Proof::Absent;
    for process in case.processes_of(service).filter(|process| process.ready.is_some()) {
        match proof_of_absence(case, process, at) {
            Proof::Absent => {}
            explained @ Proof::Explained(_) => weakest = explained,
            unknown @ Proof::Unknown(_) => return unknown,
        }
    }
    match open_barrier(case) {
        Some(why) => Proof::Unknown(why),
        None => weakest,
    }
}

/// Why absence cannot be judged at all; `None` behind a closed barrier.
pub(crate) fn open_barrier(case: &Case) -> Option<String> {
    let barrier = &case.evidence.barrier;
    if barrier.is_closed() {
        return None;
    }
    Some(match (barrier.kind, barrier.steps.iter().find(|step| !step.closed)) {
        (BarrierKind::Absent, _) => "no barrier".into(),
        (BarrierKind::Quiet, _) => "no barrier: it was only quiet".into(),
        (_, Some(step)) => format!("barrier did not close: {} ({})", step.name, step.status),
        (_, None) => "barrier did not close".into(),
    })
}

/// Whether there was no barrier at all (OTLP files): absence is then not judged, rather than incomplete.
pub(crate) fn no_barrier(case: &Case) -> bool {
    case.evidence.barrier.kind == BarrierKind::Absent
}

/// The same, but for what a fault on the collector explains.
pub(crate) fn unexplained_loss(case: &Case, process: &Process) -> Option<String> {
    loss(case, process).filter(|_| !was_away(case, process))
}

/// What the ledger says was lost of a process, or of senders that did not say who they are.
fn loss(case: &Case, process: &Process) -> Option<String> {
    let says = |entry: &SenderEntry| {
        let line = super::text::shown(entry.exporter_says.first()?);
        Some(format!("the exporter of {} says it dropped some: {line}", process.service))
    };
    refusal(case, process).or_else(|| case.evidence.ledger.of(&process.id).and_then(says))
}

/// What the collector refused, or could not read, and never got later.
fn refusal(case: &Case, process: &Process) -> Option<String> {
    let senders = case.evidence.ledger.senders.iter();
    let mut concerned = senders.filter(|entry| entry.process.as_ref().is_none_or(|id| *id == process.id));
    let entry = concerned.find(|entry| entry.counts.has_gap())?;
    let name = entry.process.as_ref().map_or("an unknown sender", |_| process.service.as_str());
    Some(lost_in_words(&entry.counts, name))
}

fn lost_in_words(counts: &Counts, name: &str) -> String {
    if counts.lost_spans > 0 {
        format!("refused: {} of {name} never came again", super::text::count(counts.lost_spans, "span"))
    } else {
        format!("{} of {name} could not be read", super::text::count(counts.undecodable_requests, "request"))
    }
}

/// Whether any span of the process was received, recognised by its sender or, where that did not say, by its resource.
fn sent_spans(case: &Case, process: &Process) -> bool {
    let counted = case.evidence.ledger.of(&process.id).is_some_and(|entry| entry.counts.spans > 0);
    let its_own = |span: Span<'_>| match span.process() {
        Some(id) => *id == process.id,
        None => span.service_name() == process.service,
    };
    counted || case.spans.iter().any(its_own)
}

/// Whether other evidence shows work of this process: an answer, a commit, an answered call.
pub(crate) fn had_work(case: &Case, process: &Process) -> bool {
    if process.ready.is_none() {
        return false;
    }
    if answered(case, process) {
        return true;
    }
    // Commits and calls name the service, not the instance: they are this one's where no other can have done them.
    let alone = case
        .processes_of(&process.service)
        .all(|other| other.id == process.id || other.ready.is_none() || !sent_spans(case, other));
    alone && (committed(case, &process.service) || was_called(case, &process.service))
}

fn answered(case: &Case, process: &Process) -> bool {
    let its_own = |id: &Option<ProcessId>, service: &str| match id {
        Some(id) => *id == process.id,
        None => service == process.service,
    };
    case.evidence.stimuli.iter().any(|stimulus| {
        its_own(&stimulus.process, &stimulus.service)
            && stimulus.answer.is_some()
            && stimulus.port == "main"
            && !is_unsampled(stimulus)
            && (!stimulus.by_barrier || operation_of(case, stimulus).is_some())
    })
}

/// Whether a declared group of the service committed a record.
fn committed(case: &Case, service: &str) -> bool {
    let Some(declaration) = case.declaration else { return false };
    let groups =
        declaration.topics.iter().flat_map(|topic| topic.groups.iter().map(move |group| (topic, group)));
    groups.filter(|(_, group)| group.service == service).any(|(topic, group)| {
        case.evidence.offsets.iter().any(|offset| {
            let names = (offset.topic.as_str(), offset.group.as_str());
            let named = names == (topic.name.as_str(), group.name.as_str());
            named
                && offset
                    .committed
                    .is_some_and(|committed| committed > 0 && is_sampled_below(case, offset, committed))
        })
    })
}

/// Whether some record below that offset may belong to a trace that is sampled: one without a context may.
fn is_sampled_below(case: &Case, offset: &GroupOffset, committed: i64) -> bool {
    let of_partition = |record: &&Record| {
        record.topic == offset.topic && record.partition == offset.partition && record.offset < committed
    };
    let mut below = case.evidence.records.iter().filter(of_partition).peekable();
    below.peek().is_none() || below.any(|record| !is_unsampled_record(record))
}

/// Whether a declared caller got an answer from the service: by its client span, else by its own undegraded answer.
fn was_called(case: &Case, service: &str) -> bool {
    let Some(declaration) = case.declaration else { return false };
    let edges: Vec<&Edge> = declaration.edges.iter().filter(|edge| edge.to == service).collect();
    let by_span = |span: Span<'_>| {
        span.kind() == Kind::Client
            && edges.iter().any(|edge| edge.from == case.service(span) && answered_call(span, edge))
    };
    if !edges.is_empty() && case.spans.iter().any(by_span) {
        return true;
    }
    case.evidence.stimuli.iter().any(|stimulus| {
        let Some(operation) = operation_of(case, stimulus) else { return false };
        operation.calls.as_deref() == Some(service)
            && !is_unsampled(stimulus)
            && stimulus.answer.as_ref().is_some_and(|answer| {
                answer.status == 200
                    && !operation.degraded_when.is_empty()
                    && !may_be_degraded(&answer.body, &operation.degraded_when)
            })
    })
}

/// gRPC codes that only the server gives; the others may come from the client's own library.
const GIVEN_BY_SERVERS: [&str; 7] = [
    "OK",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "INVALID_ARGUMENT",
    "PERMISSION_DENIED",
    "FAILED_PRECONDITION",
    "UNAUTHENTICATED",
];

pub(crate) fn answered_call(span: Span<'_>, edge: &Edge) -> bool {
    match &edge.over {
        EdgeKind::Grpc { method } => {
            let code = span.text("rpc.response.status_code").unwrap_or_default();
            (span.name() == method || span.text("rpc.method").as_ref() == Some(method))
                && GIVEN_BY_SERVERS.contains(&code.as_str())
        }
        EdgeKind::Http => {
            // From 500 on it may be a proxy's answer.
            let status = span.attribute("http.response.status_code").and_then(|status| status.as_int());
            status.is_some_and(|status| (100..500).contains(&status)) && calls_route(span, edge)
        }
        EdgeKind::Kafka { .. } | EdgeKind::Amqp { .. } => false,
    }
}

/// Whether the request went over that edge, where the caller calls several services.
fn calls_route(span: Span<'_>, edge: &Edge) -> bool {
    let named = |route: &String| {
        let parts = route.split_once(' ');
        let told = parts.is_some_and(|(method, template)| {
            span.str("http.request.method") == Some(method) && span.str("url.template") == Some(template)
        });
        told || span.name() == route
    };
    edge.routes.is_empty() || edge.routes.iter().any(named)
}

/// Whether a JSON body may be a degraded answer: one of its marks is enough, for a service may forget the others.
fn may_be_degraded(body: &str, marks: &std::collections::BTreeMap<String, serde_json::Value>) -> bool {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(body) else { return true };
    marks.iter().any(|(key, value)| fields.get(key) == Some(value))
}

#[cfg(test)]
mod tests;
