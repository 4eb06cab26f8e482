//! START-05: a collector that comes late, or never, blocks nothing; what is done after it came arrives.

use crate::model::{Case, Fault as Injected, FaultTarget, Judgement, Process, Severity, Stimulus, UnixNanos};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence};
use crate::rules::sampling::is_unsampled;
use crate::rules::tally::{Fault, Tally};
use crate::rules::traffic::stimulus_subject;

pub(crate) static RULE: Rule = Rule {
    id: "START-05",
    severity: Severity::Error,
    requirement: "a collector that comes late or never blocks no start and no request; spans made after it came arrive",
    needs: &["faults", "processes", "stimuli", "spans"],
    page: include_str!("../pages/START-05.md"),
    judge,
};

/// A process that was given less than this without a collector has shown nothing by not being ready.
const START_MS: u64 = 1_000;

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for fault in case.evidence.faults.iter().filter(|fault| fault.on == FaultTarget::Collector) {
        let ended = fault.until();
        let started = case.evidence.processes.iter();
        for process in started.filter(|process| (fault.began..ended).contains(&process.started)) {
            judge_start(case, fault, process, &mut judgement, &mut tally);
            judge_requests(case, fault, process, &mut judgement, &mut tally);
            judge_arrival(case, fault, process, &mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_start(case: &Case, fault: &Injected, process: &Process, judgement: &mut Judgement, tally: &mut Tally) {
    let ended = fault.until();
    if process.ready.is_some_and(|ready| ready <= ended) {
        return judgement.judged();
    }
    let left = process.end.as_ref().map_or(UnixNanos::MAX, |end| end.at);
    let given = ended.min(left).saturating_sub(process.started) / 1_000_000;
    // Whoever waits for a backend that is away does not wait for the collector.
    let excused = case.evidence.faults.iter().any(|other| {
        matches!(other.on, FaultTarget::Backend(_))
            && other.began < ended
            && other.until() > process.started
    });
    if given < START_MS || excused {
        return;
    }
    judgement.judged();
    tally.add(process.service.clone(), "start", None, || Fault {
        required: "ready without a collector".into(),
        seen: match process.ready {
            Some(ready) => format!(
                "not ready for {given} ms without one, and ready {} ms after it came",
                ready.saturating_sub(ended) / 1_000_000
            ),
            None => "never ready".into(),
        },
        fix: "build the exporter lazily: connect in the background, and never wait for the first export; probity explain \
              START-05"
            .into(),
        ..Fault::default()
    });
}

fn judge_requests(case: &Case, fault: &Injected, process: &Process, judgement: &mut Judgement, tally: &mut Tally) {
    let (Some(ready), ended) = (process.ready, fault.until()) else { return };
    let disturbed = |stimulus: &Stimulus| {
        case.evidence.faults.iter().any(|other| {
            other.on != FaultTarget::Collector
                && other.covers(stimulus.sent)
        })
    };
    for stimulus in asked(case, process).filter(|stimulus| (ready..ended).contains(&stimulus.sent)) {
        if disturbed(stimulus) {
            continue;
        }
        judgement.judged();
        if stimulus.answer.is_none() {
            tally.add(stimulus_subject(case, stimulus), "request", None, || Fault {
                required: "an answer, collector or not".into(),
                seen: crate::rules::text::shown(stimulus.error.as_deref().unwrap_or("no answer")),
                fix: "export from a queue in the background; a full queue drops spans, never requests; probity explain START-05"
                    .into(),
                ..Fault::default()
            });
        }
    }
}

fn judge_arrival(case: &Case, fault: &Injected, process: &Process, judgement: &mut Judgement, tally: &mut Tally) {
    let Some(ended) = fault.ended else { return };
    for stimulus in asked(case, process).filter(|stimulus| stimulus.sent >= ended) {
        let (Some(trace), Some(answered)) = (stimulus.trace, stimulus.answered) else { continue };
        if is_unsampled(stimulus) {
            continue;
        }
        if case.spans.trace(trace).any(|span| span.process() == Some(&process.id)) {
            judgement.judged();
            continue;
        }
        match proof_of_absence(case, process, Some(answered)) {
            Proof::Explained(_) => {}
            Proof::Unknown(why) => judgement.gap(stimulus_subject(case, stimulus), why),
            Proof::Absent => {
                judgement.judged();
                tally.add(stimulus_subject(case, stimulus), "arrival", None, || Fault {
                    required: "the spans of requests that were asked once the collector was there".into(),
                    seen: format!("no span of {}", process.service),
                    fix: "let the exporter connect again; an SDK that gave up at start never comes back; probity explain \
                          START-05"
                        .into(),
                    ..Fault::default()
                });
            }
        }
    }
}

/// What the process was asked on its main port.
fn asked<'a>(case: &Case<'a>, process: &Process) -> impl Iterator<Item = &'a Stimulus> {
    let stimuli = case.evidence.stimuli.iter();
    stimuli.filter(|stimulus| stimulus.process.as_ref() == Some(&process.id) && stimulus.port == "main")
}

#[cfg(test)]
mod tests;
