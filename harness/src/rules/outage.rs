//! When a service could not be called, and what its callers answered meanwhile.

use crate::model::{
    Answer, Case, EdgeKind, Fault, FaultKind, FaultTarget, Kind, Operation, Process, Span, Status, Stimulus,
    TraceId, UnixNanos,
};

/// A time during which no call to a service could succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    pub(crate) from: UnixNanos,
    pub(crate) until: UnixNanos,
}

/// When a service was down: while a fault lay on it, and while no instance of it was ready. A slow service is not
/// down, nor is one whose connections were reset once.
pub(crate) fn outages(case: &Case, service: &str) -> Vec<Outage> {
    let on_it = |fault: &&Fault| {
        fault.on == FaultTarget::Service(service.into())
            && !matches!(fault.kind, FaultKind::Slow | FaultKind::Cut)
    };
    let mut outages: Vec<Outage> =
        case.evidence.faults.iter().filter(on_it).map(|fault| outage_of(case, service, fault)).collect();
    outages.extend(absences(case, service));
    outages
}

fn outage_of(case: &Case, service: &str, fault: &Fault) -> Outage {
    let back = || {
        let later = case.processes_of(service).filter(|process| process.started >= fault.began);
        later.filter_map(|process| process.ready).min().unwrap_or(UnixNanos::MAX)
    };
    Outage { from: fault.began, until: fault.ended.unwrap_or_else(back) }
}

/// The times between, before and after its instances.
fn absences(case: &Case, service: &str) -> Vec<Outage> {
    let alive = |process: &Process| {
        let end = process.end.as_ref().map_or(UnixNanos::MAX, |end| end.asked.unwrap_or(end.at));
        process.ready.map(|ready| (ready, end.max(ready)))
    };
    let mut lives: Vec<_> = case.processes_of(service).filter_map(alive).collect();
    lives.sort_unstable();
    let mut absences = Vec::new();
    let mut from = 0;
    for (ready, end) in lives {
        if ready > from {
            absences.push(Outage { from, until: ready });
        }
        from = from.max(end);
    }
    if from < UnixNanos::MAX {
        absences.push(Outage { from, until: UnixNanos::MAX });
    }
    absences
}

/// Whether a stimulus was sent and came to its end within one of the outages.
pub(crate) fn is_within(outages: &[Outage], stimulus: &Stimulus) -> bool {
    let ended = stimulus.answered.or(stimulus.gave_up).unwrap_or(stimulus.sent);
    outages.iter().any(|outage| outage.from <= stimulus.sent && ended <= outage.until)
}

/// Whether an answer carries every mark of a degraded one.
pub(crate) fn is_degraded(operation: &Operation, answer: &Answer) -> bool {
    !operation.degraded_when.is_empty() && answer.status == 200 && missing_marks(operation, answer).is_empty()
}

/// The marks of a degraded answer that this one lacks, as `clicks 0`.
pub(crate) fn missing_marks(operation: &Operation, answer: &Answer) -> Vec<String> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&answer.body).unwrap_or_default();
    let lacks = |(key, value): &(&String, &serde_json::Value)| fields.get(*key) != Some(*value);
    operation.degraded_when.iter().filter(lacks).map(|(key, value)| format!("{key} {value}")).collect()
}

/// The client spans of a trace that call the service that an operation calls.
pub(crate) fn calls_of<'c>(case: &'c Case, operation: &Operation, trace: TraceId) -> Vec<Span<'c>> {
    let (Some(declaration), Some(callee)) = (case.declaration, operation.calls.as_deref()) else {
        return Vec::new();
    };
    let mut edges = declaration.edges.iter();
    let Some(edge) = edges.find(|edge| edge.from == operation.service && edge.to == callee) else {
        return Vec::new();
    };
    let calls = |span: &Span<'_>| {
        span.kind() == Kind::Client && case.service(*span) == operation.service && is_call(*span, &edge.over)
    };
    case.spans.trace(trace).filter(calls).collect()
}

/// Whether the callee did not answer a call: it was down, or the call's own span says that it failed.
pub(crate) fn was_in_vain(
    case: &Case,
    operation: &Operation,
    stimulus: &Stimulus,
    outages: &[Outage],
) -> bool {
    let calls = stimulus.trace.map(|trace| calls_of(case, operation, trace)).unwrap_or_default();
    match calls.is_empty() {
        true => is_within(outages, stimulus),
        false => calls.iter().any(|call| has_failed(*call)),
    }
}

/// Whether a client span is of a call that its callee did not answer. NOT_FOUND is an answer.
pub(crate) fn has_failed(call: Span<'_>) -> bool {
    call.status() == Status::Error && call.str("rpc.response.status_code") != Some("NOT_FOUND")
}

/// Whether a span, of either side, is a call over that edge: by `rpc.method`, else by its name.
pub(crate) fn is_call(span: Span<'_>, over: &EdgeKind) -> bool {
    match over {
        EdgeKind::Grpc { method } => span.name() == method || span.str("rpc.method") == Some(method),
        EdgeKind::Http => span.str("http.request.method").is_some(),
        EdgeKind::Kafka { .. } | EdgeKind::Amqp { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::{Build, at, declaration};
    use crate::model::{Exit, ProcessEnd};

    fn within(build: &Build, sent: u64, answered: u64) -> bool {
        let (evidence, declaration) = (build.evidence(), declaration());
        let case = Case::new(&evidence, Some(&declaration));
        let mut build = Build::new();
        let api = build.process("url-api");
        let stimulus = build.stimulus(&api, "detail", "GET", "/x", 200);
        (stimulus.sent, stimulus.answered) = (at(sent), Some(at(answered)));
        is_within(&outages(&case, "analytics-rpc"), stimulus)
    }

    #[test]
    fn a_service_is_down_while_none_of_it_is_ready() {
        let mut build = Build::new();
        assert!(within(&build, 10, 20), "there is none");
        let first = build.process("analytics-rpc");
        let end = ProcessEnd { at: at(2_000), exit: Exit::Signal(9), asked: None, within_grace: false };
        build.change_process(&first, |process| process.end = Some(end));
        let second = build.process("analytics-rpc");
        build.change_process(&second, |process| {
            (process.started, process.ready) = (at(3_000), Some(at(3_500)))
        });
        assert!(within(&build, 10, 90), "not ready yet");
        assert!(!within(&build, 200, 300));
        assert!(within(&build, 2_100, 3_400), "killed, and not back");
        assert!(!within(&build, 1_999, 2_100), "the call was under way when it died");
        assert!(!within(&build, 3_600, 3_700));
    }

    #[test]
    fn a_fault_lasts_until_it_is_healed_and_a_kill_until_somebody_is_back() {
        let mut build = Build::new();
        build.process("analytics-rpc");
        let fault = |kind, ended| Fault {
            kind,
            on: FaultTarget::Service("analytics-rpc".into()),
            began: at(1_000),
            ended,
            fenced: false,
        };
        build.evidence_mut().faults.push(fault(FaultKind::Slow, Some(at(1_500))));
        assert!(!within(&build, 1_100, 1_200), "slow is not down");
        build.evidence_mut().faults.push(fault(FaultKind::Refuse, Some(at(2_000))));
        assert!(within(&build, 1_100, 1_200));
        assert!(!within(&build, 1_100, 2_200));
        build.evidence_mut().faults.push(fault(FaultKind::Kill, None));
        assert!(within(&build, 5_000, 6_000));
        let back = build.process("analytics-rpc");
        build
            .change_process(&back, |process| (process.started, process.ready) = (at(3_000), Some(at(3_500))));
        assert!(!within(&build, 5_000, 6_000));
    }
}
