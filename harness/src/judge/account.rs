//! What was captured, in numbers and a few words: the parts of a report that are no judgement.

use std::collections::{BTreeMap, HashSet};

use crate::model::{Case, Evidence, Fence, GroupOffset, HttpAnswer, Process, ScrapeStage, Signal, Target};
use crate::otlp::wire;
use crate::report::{Counts, ProcessReport, TopicReport};

pub(super) fn counts(case: &Case) -> Counts {
    let mut counts = Counts {
        requests: case.evidence.requests.len() as u64,
        services: services(case),
        spans: case.spans.len() as u64,
        traces: traces(case),
        ..Counts::default()
    };
    for request in &case.evidence.requests {
        match request.signal {
            Signal::Traces => {}
            Signal::Metrics => counts.points += wire::count_points(&request.bytes).unwrap_or(0),
            Signal::Logs => counts.log_records += wire::count_log_records(&request.bytes).unwrap_or(0),
        }
    }
    counts
}

/// The services that sent spans. Spans share their resource, so each name is looked at once a request.
fn services(case: &Case) -> u64 {
    let mut resources = HashSet::new();
    let firsts = case.spans.iter().filter(|span| resources.insert(std::ptr::from_ref(span.resource())));
    firsts.map(|span| case.service(span)).collect::<HashSet<_>>().len() as u64
}

/// Spans come ordered by trace.
fn traces(case: &Case) -> u64 {
    let mut last = None;
    case.spans.iter().filter(|span| last.replace(span.trace()) != Some(span.trace())).count() as u64
}

/// What there was to see, by what the scenario was about.
pub(super) fn headline(case: &Case) -> String {
    let evidence = case.evidence;
    if !evidence.orders.is_empty() {
        return plural(evidence.orders.len() as u64, "order");
    }
    if !evidence.targets.is_empty() {
        let ours: Vec<_> = evidence.targets.iter().filter(|target| !target.is_prometheus()).collect();
        let up = ours.iter().filter(|target| is_up(target)).count();
        return format!("{up} of {} targets up", ours.len());
    }
    if let Some(growth) = series(evidence) {
        return growth;
    }
    let spans = plural(case.spans.len() as u64, "span");
    format!("{spans} in {}", plural(traces(case), "trace"))
}

fn is_up(target: &Target) -> bool {
    target.answer.as_ref().is_some_and(|answer| answer.status == Some(200))
}

/// How many series the services exposed last, and how many came with the second half of the traffic.
fn series(evidence: &Evidence) -> Option<String> {
    let mut stages: BTreeMap<u64, u64> = BTreeMap::new();
    for scrape in &evidence.scrapes {
        if let ScrapeStage::Driven { ids } = scrape.stage {
            *stages.entry(ids).or_default() += samples(&scrape.answer);
        }
    }
    let (first, last) = (*stages.values().next()?, *stages.values().last()?);
    (stages.len() > 1).then(|| format!("{last} series, {:+}", last as i64 - first as i64))
}

fn samples(answer: &HttpAnswer) -> u64 {
    answer.body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count() as u64
}

pub(super) fn processes(evidence: &Evidence) -> Vec<ProcessReport> {
    let report = |process: &Process| ProcessReport {
        process: process.id.to_string(),
        service: process.service.clone(),
        complete: process.fence.proves_absence(),
        state: state(process),
    };
    evidence.processes.iter().map(report).collect()
}

fn state(process: &Process) -> String {
    match &process.fence {
        Fence::Exit { .. } => "complete".into(),
        Fence::Marker { .. } => "complete up to its marker".into(),
        Fence::Quiet { .. } => "quiet".into(),
        Fence::Open { why } if process.ready.is_none() => format!("never ready, {why}"),
        Fence::Open { why } => why.clone(),
    }
}

pub(super) fn topics(evidence: &Evidence) -> Vec<TopicReport> {
    let mut topics: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for GroupOffset { group, topic, end, committed, .. } in &evidence.offsets {
        let (produced, consumed) = topics.entry((topic, group)).or_default();
        *produced += u64::try_from(*end).unwrap_or(0);
        *consumed += u64::try_from(committed.unwrap_or(0)).unwrap_or(0);
    }
    let report = |((topic, group), (produced, committed)): ((&str, &str), _)| TopicReport {
        topic: topic.into(),
        group: group.into(),
        produced,
        committed,
    };
    topics.into_iter().map(report).collect()
}

fn plural(count: u64, noun: &str) -> String {
    crate::report::text::count(count, noun)
}
