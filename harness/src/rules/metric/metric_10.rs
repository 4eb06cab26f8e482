//! METRIC-10: what is pushed over OTLP and what is scraped are the same families with the same values.

use std::collections::BTreeMap;

use crate::exposition::{Family, FamilyType};
use crate::model::{Case, Fence, Judgement, Process, Scrape, ScrapeStage, ServiceDeclaration, Severity};
use crate::rules::Rule;
use crate::rules::exposed::{Exposed, answers_for_itself, counts, last_scrapes, lost_port};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::otlp::{self, Kind, Series};

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-10",
    severity: Severity::Error,
    requirement: "the OTLP stream and the scrape carry the same families and values",
    needs: &["scrapes", "metrics", "spans", "families"],
    page: include_str!("../pages/METRIC-10.md"),
    judge,
};

/// Beyond so many label sets only sums are compared: an SDK folds what is beyond its limit into one.
const LABEL_SETS_MAX: usize = 100;

/// Counts by label set; empty sets of labels and zeros are left out.
type Counts = BTreeMap<Series, f64>;

/// What a process pushed last, by the name that Prometheus gives it.
#[derive(Default)]
struct Stream {
    families: BTreeMap<String, (Kind, Counts)>,
    last_received: u64,
}

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let streams = streams(case);
    for exposed in last_scrapes(case) {
        let declared = case.declaration.and_then(|declaration| declaration.service(exposed.service()));
        let Some(service) = declared else { continue };
        let stream = streams.get(exposed.scrape.process.as_str());
        if let Some(stream) = stream.filter(|stream| is_comparable(case, exposed.scrape, stream)) {
            judge_process(service, &exposed, stream, &mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The two are of one moment where the process flushed at its end and did nothing between the scrape and that.
fn is_comparable(case: &Case, scrape: &Scrape, stream: &Stream) -> bool {
    let Some(process) = answers_for_itself(case, scrape) else { return false };
    let flushed = matches!(process.fence, Fence::Exit { .. }) && stream.last_received > scrape.at;
    let lost = case.evidence.ledger.of(&process.id).is_some_and(|entry| entry.counts.has_gap());
    lost_port(case, &process.id).is_none() && scrape.stage == ScrapeStage::Last && flushed && !lost && !worked_after(case, process, scrape.at)
}

fn worked_after(case: &Case, process: &Process, at: u64) -> bool {
    let asked = case.evidence.stimuli.iter().any(|stimulus| {
        stimulus.process.as_ref() == Some(&process.id) && stimulus.port != "admin" && stimulus.answered.unwrap_or(u64::MAX) > at
    });
    asked || case.spans_of(&process.id).any(|span| span.end() > at)
}

fn streams(case: &Case) -> BTreeMap<String, Stream> {
    let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
    // The newest cumulative value of a series counts; deltas add up.
    let mut newest: BTreeMap<(String, String, Series), u64> = BTreeMap::new();
    for pushed in otlp::metrics(case) {
        let Some(process) = &pushed.process else { continue };
        let stream = streams.entry(process.to_string()).or_default();
        stream.last_received = stream.last_received.max(pushed.received);
        let name = pushed.prometheus_name();
        let (_, counts) = stream.families.entry(name.clone()).or_insert_with(|| (pushed.kind(), Counts::new()));
        for point in pushed.points() {
            let value = counts.entry(point.series.clone()).or_default();
            if !point.cumulative {
                *value += point.value;
                continue;
            }
            let known = newest.entry((process.to_string(), name.clone(), point.series)).or_default();
            if *known <= point.time {
                (*known, *value) = (point.time, point.value);
            }
        }
    }
    streams
}

fn judge_process(
    service: &ServiceDeclaration,
    exposed: &Exposed,
    stream: &Stream,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let Ok(exposition) = exposed.exposition() else { return };
    let shown_here = |name: &str| exposition.families.iter().any(|family| family.base_name() == name || family.name == name);
    if !service.families.is_empty() && !service.families.iter().any(|family| shown_here(&family.name)) {
        return judgement.gap(service.name.as_str(), format!("{} exposes none of its own families: METRIC-01", service.name));
    }
    let mut names: Vec<&str> = service.families.iter().map(|family| family.name.as_str()).collect();
    names.extend(stream.families.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    for name in names {
        let scraped = exposition.families.iter().find(|family| family.base_name() == name || family.name == name);
        let subject = || format!("{}, family `{}`", service.name, shown(name));
        match (scraped, stream.families.get(name)) {
            (Some(scraped), Some((kind, pushed))) => {
                judgement.judged();
                judge_values(scraped, *kind, pushed, subject, tally);
            }
            (Some(_), None) => {
                judgement.judged();
                tally.add(subject(), "not pushed", None, || fault("in both", "scraped, and not in the OTLP stream"));
            }
            (None, Some(_)) if service.families.iter().any(|family| family.name == name) => {
                judgement.gap(subject(), format!("{} does not expose it: METRIC-01", service.name));
            }
            (None, Some(_)) => {
                judgement.judged();
                tally.add(subject(), "not scraped", None, || fault("in both", "in the OTLP stream, and not scraped"));
            }
            (None, None) => {}
        }
    }
}

fn fault(required: &str, seen: &str) -> Fault {
    Fault {
        required: required.into(),
        seen: seen.into(),
        fix: "record into both from one place, or derive one from the other; probity explain METRIC-10".into(),
        ..Fault::default()
    }
}

/// Gauges move between two looks; what was counted does not.
fn judge_values(scraped: &Family, kind: Kind, pushed: &Counts, subject: impl Fn() -> String, tally: &mut Tally) {
    let is_count = matches!(scraped.kind, FamilyType::Counter | FamilyType::Histogram);
    if !is_count || !matches!(kind, Kind::Counter | Kind::Histogram) {
        if is_count != matches!(kind, Kind::Counter | Kind::Histogram) {
            let seen = format!("a {} when scraped, and a {} in the OTLP stream", scraped.kind, kind.word());
            tally.add(subject(), "type", None, || fault("one type", &seen));
        }
        return;
    }
    let seen = counted(scraped);
    let pushed: Counts = pushed.iter().filter(|(_, value)| **value != 0.0).map(|(series, value)| (series.clone(), *value)).collect();
    if seen.len().max(pushed.len()) > LABEL_SETS_MAX {
        let (seen, pushed): (f64, f64) = (seen.values().sum(), pushed.values().sum());
        if seen != pushed {
            tally.add(subject(), "sum", None, || fault("one sum", &format!("{seen} when scraped, {pushed} in the OTLP stream")));
        }
        return;
    }
    let differs = seen.keys().chain(pushed.keys()).find(|series| seen.get(*series) != pushed.get(*series));
    if let Some(series) = differs {
        let value = |counts: &Counts| counts.get(series).copied().unwrap_or_default();
        let text = format!("{} when scraped, {} in the OTLP stream, for {}", value(&seen), value(&pushed), shown(&otlp::shown_series(series)));
        tally.add(subject(), "value", None, || fault("one value", &text));
    }
}

fn counted(family: &Family) -> Counts {
    let own = if family.kind == FamilyType::Histogram { "le" } else { "" };
    let samples = counts(family).unwrap_or_default().into_iter().filter(|sample| sample.value != 0.0);
    let series = |sample: &crate::exposition::Sample| -> Series {
        sample.labels.without(own).map(|(name, value)| (name.to_string(), value.to_string())).collect()
    };
    samples.map(|sample| (series(sample), sample.value)).collect()
}

#[cfg(test)]
mod tests;
