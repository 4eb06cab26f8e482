//! What a declared fault on the collector explains: spans that ended while it lay there, or behind those that still waited.

use std::collections::HashMap;

use crate::model::{Case, Fault, FaultTarget, Process, ProcessId, UnixNanos};

use super::Proof;

/// How long a span may have waited for its batch when the fault began: the longest delay that SDKs have by default.
const BATCH_DELAY_NANOS: u64 = 5_000_000_000;

/// The faults on the collector within the life of a process, by their place in the evidence.
fn faults<'a>(case: &Case<'a>, process: &Process) -> impl Iterator<Item = (usize, &'a Fault)> {
    let (started, ended) = (process.started, process.end.as_ref().map_or(UnixNanos::MAX, |end| end.at));
    let all = case.evidence.faults.iter().enumerate();
    all.filter(move |(_, fault)| {
        fault.on == FaultTarget::Collector && fault.began < ended && fault.until() > started
    })
}

/// Whether a fault lay on the collector at some moment of its life.
pub(crate) fn was_away(case: &Case, process: &Process) -> bool {
    faults(case, process).next().is_some()
}

/// What a fault says of a span that was not captured; `None`: nothing, as its work was done well before, or after export had
/// resumed. Where nobody knows when that was, any fault explains it.
pub(super) fn excuse(case: &Case, process: &Process, at: Option<UnixNanos>) -> Option<Proof> {
    let explained = || Proof::Explained("the collector was away".into());
    let Some(at) = at else { return was_away(case, process).then(explained) };
    let mut excuse = None;
    for (number, fault) in faults(case, process) {
        // Never resumed: whoever did not come back when the collector did is not excused.
        let until = resumed_after(case, process, number).unwrap_or(fault.until());
        if (fault.began..=until).contains(&at) {
            return Some(explained());
        }
        if (fault.began.saturating_sub(BATCH_DELAY_NANOS)..fault.began).contains(&at) {
            let why = format!("{} may still have held it when the collector went away", process.service);
            excuse = Some(Proof::Unknown(why));
        }
    }
    excuse
}

/// When the first span that a process began after that fault came. Queues keep their order, so that what waited
/// through the fault had come, or was lost, by then.
pub(crate) fn resumed(case: &Case, process: &Process, fault: &Fault) -> Option<UnixNanos> {
    let number = case.evidence.faults.iter().position(|known| std::ptr::eq(known, fault))?;
    resumed_after(case, process, number)
}

fn resumed_after(case: &Case, process: &Process, number: usize) -> Option<UnixNanos> {
    let resumptions = case.resumptions.get_or_init(|| resumptions(case));
    resumptions.get(&(process.id.clone(), number)).copied()
}

fn resumptions(case: &Case) -> HashMap<(ProcessId, usize), UnixNanos> {
    let faults =
        case.evidence.faults.iter().enumerate().filter(|(_, fault)| fault.on == FaultTarget::Collector);
    let ended: Vec<(usize, UnixNanos)> =
        faults.filter_map(|(number, fault)| Some((number, fault.ended?))).collect();
    let mut first = HashMap::new();
    for span in case.spans.iter().filter(|_| !ended.is_empty()) {
        let mut alike = case.evidence.processes.iter();
        let named =
            || alike.find(|process| process.service == span.service_name()).map(|process| &process.id);
        let Some(process) = span.process().or_else(named) else { continue };
        for (number, _) in ended.iter().filter(|(_, ended)| span.start() > *ended && span.received() > *ended)
        {
            let known = first.entry((process.clone(), *number)).or_insert(span.received());
            *known = span.received().min(*known);
        }
    }
    first
}
