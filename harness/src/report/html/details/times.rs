//! What happened when: processes, what drove them, faults, probes, scrapes, keys; what the time line shows.

use serde_json::{Value, json};

use super::spans::bounded;
use super::{Budget, Build, plain};
use crate::model::{
    Case, Exit, FaultKind, FaultTarget, Fence, KeyChange, Probe, ProbeKind, Process, ProcessId, ScrapeStage,
    Stimulus, StimulusKind, UnixNanos,
};

const PROCESSES_MAX: usize = 500;
const FAULTS_MAX: usize = 500;
const EFFECTS_MAX: usize = 2_000;
const KEYS_MAX: usize = 2_000;
const ORDERS_MAX: usize = 1_000;

/// The first moment of a scenario: of what the harness did itself where it did anything, else of the first span. (A
/// sender's clock may be wrong; the harness has one.)
pub(super) fn first(case: &Case) -> UnixNanos {
    let evidence = case.evidence;
    let processes = evidence.processes.iter().map(|process| process.started);
    let stimuli = evidence.stimuli.iter().map(|stimulus| stimulus.sent);
    let faults = evidence.faults.iter().map(|fault| fault.began);
    let own = processes.chain(stimuli).chain(faults).filter(|at| *at > 0).min();
    let spans = || case.spans.iter().map(|span| span.start()).filter(|at| *at > 0).min();
    own.or_else(spans).unwrap_or(0)
}

pub(super) fn of(build: &mut Build, budget: &mut Budget) -> Value {
    let evidence = build.case.evidence;
    let stimuli = bounded(build, "stimuli", &evidence.stimuli, &mut budget.stimuli);
    let stimuli: Vec<_> = stimuli.iter().map(|entry| stimulus(build, entry)).collect();
    build.leave_out("processes", evidence.processes.len().saturating_sub(PROCESSES_MAX));
    build.leave_out("key changes", evidence.keys.len().saturating_sub(KEYS_MAX));
    let processes: Vec<_> =
        evidence.processes.iter().take(PROCESSES_MAX).map(|entry| process(build, entry)).collect();
    json!({
        "processes": processes,
        "stimuli": stimuli,
        "faults": evidence.faults.iter().take(FAULTS_MAX).map(|fault| json!({
            "kind": fault_kind(fault.kind),
            "on": fault_target(&fault.on),
            "began": build.since(fault.began),
            "ended": fault.ended.map(|at| build.since(at)),
        })).collect::<Vec<_>>(),
        "effects": evidence.effects.iter().take(EFFECTS_MAX).map(|effect| json!({
            "name": plain(&effect.name),
            "required": plain(&effect.required),
            "seen": effect.seen.as_ref().map(|seen| plain(seen)),
            "at": build.since(effect.at),
            "holds": effect.holds,
        })).collect::<Vec<_>>(),
        "scrapes": evidence.scrapes.iter().map(|scrape| json!([
            plain(scrape.process.as_str()), build.since(scrape.at), stage(scrape.stage), scrape.answer.status,
        ])).collect::<Vec<_>>(),
        "keys": evidence.keys.iter().take(KEYS_MAX).map(|event| json!({
            "key": plain(&event.key), "at": build.since(event.at), "change": key_change(&event.change),
        })).collect::<Vec<_>>(),
        "orders": evidence.orders.iter().take(ORDERS_MAX).map(|order| json!({
            "order": order.order.iter().map(|name| plain(name)).collect::<Vec<_>>(),
            "late": order.started_late.iter().map(|name| plain(name)).collect::<Vec<_>>(),
            "healthy": order.healthy,
            "missing": order.missing.iter().map(|gap| format!("{}: {}", plain(&gap.service), plain(&gap.what))).collect::<Vec<_>>(),
            "exited": order.exited.iter().map(|(process, exit)| format!("{}: {exit}", plain(process.as_str()))).collect::<Vec<_>>(),
            "took_ms": order.took_ms,
            "bound_ms": order.bound_ms,
        })).collect::<Vec<_>>(),
    })
}

fn process(build: &Build, process: &Process) -> Value {
    let fence = match &process.fence {
        Fence::Exit { at } => json!(["exit", build.since(*at)]),
        Fence::Marker { at } => json!(["marker", build.since(*at)]),
        Fence::Quiet { at } => json!(["quiet", build.since(*at)]),
        Fence::Open { why } => json!(["open", null, plain(why)]),
    };
    let end = process.end.as_ref().map(|end| {
        json!({
            "at": build.since(end.at),
            "exit": end.exit.to_string(),
            "clean": end.exit == Exit::Code(0),
            "asked": end.asked.map(|at| build.since(at)),
            "within_grace": end.within_grace,
        })
    });
    json!({
        "id": plain(process.id.as_str()),
        "service": plain(&process.service),
        "started": build.since(process.started),
        "ready": process.ready.map(|at| build.since(at)),
        "end": end,
        "fence": fence,
        "ready_probes": changes(build, &process.id, ProbeKind::Ready),
        "live_probes": changes(build, &process.id, ProbeKind::Live),
    })
}

/// When a probe's answer changed, and the last look: thousands of equal ones are two.
fn changes(build: &Build, process: &ProcessId, kind: ProbeKind) -> Vec<(i64, bool)> {
    const CHANGES_MAX: usize = 500;
    let mut changes: Vec<(i64, bool)> = Vec::new();
    let of_process = |probe: &&Probe| probe.kind == kind && probe.process == *process;
    let mut last = None;
    for probe in build.case.evidence.probes.iter().filter(of_process) {
        let look = (build.since(probe.at), probe.is_true());
        if changes.last().is_none_or(|(_, known)| *known != look.1) && changes.len() < CHANGES_MAX {
            changes.push(look);
        }
        last = Some(look);
    }
    changes.extend(last.filter(|look| changes.last() != Some(look)));
    changes
}

fn stimulus(build: &mut Build, stimulus: &Stimulus) -> Value {
    let what = match &stimulus.kind {
        StimulusKind::Http { method, path } => format!("{method} {path}"),
        StimulusKind::Record { topic } => format!("record to {topic}"),
        StimulusKind::Command { line } => line.clone(),
    };
    let end = stimulus.answered.or(stimulus.gave_up);
    let error = stimulus.error.as_deref().unwrap_or("");
    // A row a stimulus: there may be many thousands.
    json!([
        stimulus.id,
        build.text(&what),
        build.text(stimulus.operation.as_deref().unwrap_or("")),
        build.text(&stimulus.service),
        build.text(&stimulus.port),
        build.since(stimulus.sent),
        end.map(|at| at.saturating_sub(stimulus.sent)),
        stimulus.answer.as_ref().map(|answer| answer.status),
        build.text(error),
        stimulus.trace,
        build.text(&stimulus.phase),
        u8::from(stimulus.by_barrier),
    ])
}

fn fault_kind(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Stop => "stopped",
        FaultKind::Kill => "killed",
        FaultKind::Pause => "paused",
        FaultKind::Restart => "restarted",
        FaultKind::RestartEmpty => "restarted empty",
        FaultKind::Refuse => "refusing",
        FaultKind::Cut => "cut",
        FaultKind::BlackHole => "black hole",
        FaultKind::Slow => "slow",
        FaultKind::Late => "not started yet",
    }
}

fn fault_target(target: &FaultTarget) -> String {
    match target {
        FaultTarget::Backend(name) | FaultTarget::Service(name) => plain(name),
        FaultTarget::Collector => "collector".into(),
    }
}

fn key_change(change: &KeyChange) -> String {
    match change {
        KeyChange::Delete => "deleted".into(),
        KeyChange::Put { lease_ttl, serves, .. } => {
            let lease = lease_ttl.map_or("without a lease".into(), |ttl| format!("lease of {ttl} s"));
            match serves {
                None => format!("put, {lease}"),
                Some(Ok(())) => format!("put, {lease}; the address serves"),
                Some(Err(why)) => format!("put, {lease}; the address does not serve: {}", plain(why)),
            }
        }
    }
}

/// What a scrape was for, in words.
pub(super) fn stage(stage: ScrapeStage) -> String {
    match stage {
        ScrapeStage::Before => "before the traffic".into(),
        ScrapeStage::Amid => "amid the traffic".into(),
        ScrapeStage::Driven { ids } => format!("after {ids} ids"),
        ScrapeStage::Last => "last".into(),
    }
}
