//! LOG-05: a level says how much attention a line wants.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::{Case, Judgement, Operation, ProcessId, Severity, SpanId, Stimulus, TraceId};
use crate::rules::Rule;
use crate::rules::outage::is_degraded;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown};
use crate::rules::traffic::{operation_of, stimuli_by_trace, stimulus_subject};

use super::busy::is_spawned;
use super::entries::{Entry, events};
use super::profile::Level;

pub(crate) static RULE: Rule = Rule {
    id: "LOG-05",
    severity: Severity::Error,
    requirement: "levels mean something: success of health checks and hot paths is no INFO, a failure of ours is an ERROR, one \
                  that was handled is none",
    needs: &["logs", "stimuli", "spans", "probes", "scrapes", "operations", "unspanned paths", "hot paths"],
    page: include_str!("../pages/LOG-05.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let stimuli = stimuli_by_trace(case);
    let mut heard: BTreeMap<TraceId, Heard> = BTreeMap::new();
    let mut writers: HashSet<&ProcessId> = HashSet::new();
    let checks = Checks::of(case);
    for entry in events(case) {
        writers.extend(entry.process);
        if let Some((stimulus, trace, span)) = of_stimulus(&stimuli, &entry) {
            heard.entry(trace).or_default().take(case, stimulus, &entry, span);
        } else if let Some(path) = checks.logged_by(&entry) {
            checks.report(&entry, path, &mut tally);
        }
    }
    checks.count(&writers, &mut judgement);
    judge_failures(case, &stimuli, &heard, &mut judgement, &mut tally);
    judge_hot_paths(case, &heard, &writers, &mut judgement, &mut tally);
    tally.put_into(&mut judgement);
    judgement
}

/// The stimulus that a line belongs to, where the service that answered it wrote the line.
fn of_stimulus<'s>(
    stimuli: &HashMap<TraceId, &'s Stimulus>,
    entry: &Entry<'_>,
) -> Option<(&'s Stimulus, TraceId, SpanId)> {
    let (trace, span) = entry.span()?;
    let stimulus = stimuli.get(&trace).filter(|stimulus| stimulus.service == entry.service)?;
    Some((stimulus, trace, span))
}

/// What the service that answered a stimulus logged within its request.
#[derive(Default)]
struct Heard {
    loudest: Option<Level>,
    /// Events at ERROR, and at INFO.
    errors: Vec<String>,
    infos: BTreeSet<String>,
}

/// Of one request, the events that are kept.
const EVENTS_MAX: usize = 50;

impl Heard {
    fn take(&mut self, case: &Case, stimulus: &Stimulus, entry: &Entry<'_>, span: SpanId) {
        // Work that it spawned has outcomes of its own.
        if stimulus.trace.is_some_and(|trace| is_of_spawned_work(case, trace, span)) {
            return;
        }
        self.loudest = self.loudest.max(entry.level);
        match entry.level {
            Some(Level::Error) if self.errors.len() < EVENTS_MAX => self.errors.push(entry.event()),
            Some(Level::Info) if self.infos.len() < EVENTS_MAX => _ = self.infos.insert(entry.event()),
            _ => {}
        }
    }
}

fn is_of_spawned_work(case: &Case, trace: TraceId, span: SpanId) -> bool {
    let Some(span) = case.spans.get(trace, span) else { return false };
    is_spawned(case, span) || span.ancestors().any(|above| is_spawned(case, above))
}

/// An answer 5xx has an ERROR beside it, any other has none.
fn judge_failures(
    case: &Case,
    stimuli: &HashMap<TraceId, &Stimulus>,
    heard: &BTreeMap<TraceId, Heard>,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    for (trace, heard) in heard.iter().filter(|(_, heard)| heard.loudest.is_some()) {
        let Some((stimulus, answer)) = stimuli.get(trace).and_then(|known| Some((known, known.answer.as_ref()?))) else {
            continue;
        };
        judgement.judged();
        let subject = || stimulus_subject(case, stimulus);
        if answer.status >= 500 && heard.loudest < Some(Level::Error) {
            let events: Vec<_> = heard.infos.iter().map(|event| quoted(event)).collect();
            tally.add(subject(), "failure below ERROR", None, || Fault {
                required: format!("a line at ERROR: the answer was {}", answer.status),
                seen: match events.as_slice() {
                    [] => "nothing at ERROR in its trace".into(),
                    events => format!("nothing louder than {} at INFO", events.join(", ")),
                },
                fix: "log a failure of ours at ERROR, once, where the answer is decided; probity explain LOG-05".into(),
                ..Fault::default()
            });
        } else if let (false, Some(event)) = (answer.status >= 500, heard.errors.iter().min()) {
            tally.add(subject(), "success at ERROR", None, || Fault {
                required: format!("WARN at most: the answer was {}", answer.status),
                seen: format!("{} at ERROR", quoted(event)),
                fix: "log what was handled (a fallback, a refused input, a retry) at WARN or below: ERROR wakes somebody; \
                      probity explain LOG-05"
                    .into(),
                ..Fault::default()
            });
        }
    }
}

/// What half of the successes of a hot operation log at INFO is logged for each request.
fn judge_hot_paths(
    case: &Case,
    heard: &BTreeMap<TraceId, Heard>,
    writers: &HashSet<&ProcessId>,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let mut hot: BTreeMap<&str, (&Operation, u64, BTreeMap<&str, u64>)> = BTreeMap::new();
    for stimulus in &case.evidence.stimuli {
        let Some(operation) = operation_of(case, stimulus).filter(|operation| is_hot(case, operation)) else { continue };
        let Some(trace) = stimulus.trace.filter(|_| is_success(operation, stimulus)) else { continue };
        if !stimulus.process.as_ref().is_some_and(|process| writers.contains(process)) {
            continue;
        }
        let (_, successes, infos) = hot.entry(&operation.name).or_insert((operation, 0, BTreeMap::new()));
        *successes += 1;
        for event in heard.get(&trace).iter().flat_map(|heard| &heard.infos) {
            *infos.entry(event).or_default() += 1;
        }
    }
    for (operation, successes, infos) in hot.into_values() {
        judgement.judged();
        let subject = format!("{}, {} {}", operation.service, operation.method, operation.route);
        for (event, count) in infos.into_iter().filter(|(_, count)| count * 2 >= successes) {
            tally.add(subject.clone(), "hot path at INFO", None, || Fault {
                required: "no line at INFO for a success: it is asked all the time".into(),
                seen: format!("{} at INFO in {count} of {successes} successes", quoted(event)),
                fix: "log it at DEBUG, or leave it to the span and the counter; probity explain LOG-05".into(),
                ..Fault::default()
            });
        }
    }
}

fn is_hot(case: &Case, operation: &Operation) -> bool {
    case.declaration.is_some_and(|declaration| declaration.logs.hot_paths.contains(&operation.name))
}

fn is_success(operation: &Operation, stimulus: &Stimulus) -> bool {
    stimulus.answer.as_ref().is_some_and(|answer| (200..400).contains(&answer.status) && !is_degraded(operation, answer))
}

/// Health checks and scrapes that were answered well, by service.
struct Checks<'c> {
    paths: BTreeMap<&'c str, Vec<&'c str>>,
    processes: Vec<&'c ProcessId>,
}

impl<'c> Checks<'c> {
    fn of(case: &Case<'c>) -> Self {
        let probes = case.evidence.probes.iter().filter(|probe| probe.is_true()).map(|probe| &probe.process);
        let scrapes = case.evidence.scrapes.iter().filter(|scrape| scrape.answer.status == Some(200));
        let mut processes: Vec<_> = probes.chain(scrapes.map(|scrape| &scrape.process)).collect();
        processes.sort();
        processes.dedup();
        let services = case.declaration.map(|declaration| declaration.services.as_slice()).unwrap_or_default();
        let paths = services.iter().map(|service| {
            (service.name.as_str(), service.unspanned_paths.iter().map(String::as_str).collect())
        });
        Checks { paths: paths.collect(), processes }
    }

    /// The path of a check that a line at INFO names.
    fn logged_by(&self, entry: &Entry<'_>) -> Option<&'c str> {
        let process = entry.process.filter(|_| entry.level == Some(Level::Info))?;
        if self.processes.binary_search(&process).is_err() {
            return None;
        }
        let names = |path: &str| {
            names_path(&entry.message, path)
                || entry.fields.iter().any(|(_, value)| value.as_str().is_some_and(|text| names_path(text, path)))
        };
        self.paths.get(entry.service.as_ref())?.iter().copied().find(|path| names(path))
    }

    fn count(&self, writers: &HashSet<&ProcessId>, judgement: &mut Judgement) {
        judgement.subjects += self.processes.iter().filter(|process| writers.contains(**process)).count() as u64;
    }

    fn report(&self, entry: &Entry<'_>, path: &str, tally: &mut Tally) {
        tally.add(format!("{}, {path}", service_shown(&entry.service)), "health check at INFO", None, || Fault {
            required: "no line at INFO for a health check or a scrape that is answered well".into(),
            seen: format!("{} at INFO", quoted(&entry.event())),
            fix: "leave these paths out of the access log, or log their failures alone; probity explain LOG-05".into(),
            ..Fault::default()
        });
    }
}

/// Whether a text holds the path as a word of its own: `GET /healthz HTTP/1.1`, not `/healthz/deep`.
fn names_path(text: &str, path: &str) -> bool {
    let of_path = |letter: char| letter.is_alphanumeric() || "/-_.~%".contains(letter);
    text.match_indices(path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + path.len()..].chars().next();
        !before.is_some_and(of_path) && !after.is_some_and(of_path)
    })
}

#[cfg(test)]
mod tests;
