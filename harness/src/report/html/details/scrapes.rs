//! Metrics as they were scraped: families with the growth of their series, the targets of the scrape file, listening sockets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::times::stage;
use super::{Budget, Build, plain, take};
use crate::exposition::{Exemplar, Family, Sample};
use crate::model::{HttpAnswer, ProcessId, Resolution, Scrape, ScrapeStage, SpanId, TraceId};
use crate::rules::exposed::{self, Exposed};

/// Samples of one family that are shown.
const SAMPLES_MAX: usize = 40;
const FAMILIES_MAX: usize = 1_000;
const TARGETS_MAX: usize = 500;
/// Labels of a family whose values are counted.
const LABELS_MAX: usize = 16;

/// Per process: when it was scraped, and its families as last seen with the number of series at each scrape.
pub(super) fn families(build: &mut Build, budget: &mut Budget) -> Vec<Value> {
    let mut by_process: BTreeMap<&ProcessId, Vec<&Scrape>> = BTreeMap::new();
    for scrape in &build.case.evidence.scrapes {
        by_process.entry(&scrape.process).or_default().push(scrape);
    }
    let mut processes = Vec::new();
    for (process, mut scrapes) in by_process {
        scrapes.sort_by_key(|scrape| scrape.at);
        let read: Vec<Exposed> = scrapes.iter().copied().map(Exposed::alone).collect();
        let Some(last) = read.iter().rev().find(|exposed| exposed.exposition().is_ok()).or(read.last())
        else {
            continue;
        };
        let stages: Vec<_> = read.iter().map(|exposed| looked(build, exposed)).collect();
        let families: Vec<_> = match last.exposition() {
            Ok(exposition) => {
                build.leave_out("families", exposition.families.len().saturating_sub(FAMILIES_MAX));
                let shown = exposition.families.iter().take(FAMILIES_MAX);
                shown.map(|known| family(build, known, &read, budget)).collect()
            }
            Err(_) => Vec::new(),
        };
        let service = plain(&scrapes[0].service);
        processes.push(json!({ "process": plain(process.as_str()), "service": service, "stages": stages, "families": families }));
    }
    processes
}

/// `[what for, when, status, content type, samples, why it could not be read]`.
fn looked(build: &Build, exposed: &Exposed) -> Value {
    let scrape = exposed.scrape;
    let samples = exposed.exposition().map(|exposition| exposition.sample_count()).ok();
    let error = exposed.exposition().err().map(plain);
    let content_type = scrape.answer.content_type.as_deref().map(plain);
    json!([stage(scrape.stage), build.since(scrape.at), scrape.answer.status, content_type, samples, error])
}

fn family(build: &mut Build, family: &Family, scrapes: &[Exposed], budget: &mut Budget) -> Value {
    let growth: Vec<_> = scrapes
        .iter()
        .map(|scrape| scrape.family(&family.name).map(|known| exposed::label_sets(known).len()))
        .collect();
    let shown = take(&mut budget.samples, family.samples.len().min(SAMPLES_MAX));
    let samples: Vec<_> =
        family.samples[..shown].iter().map(|sample| self::sample(build, family, sample)).collect();
    json!({
        "name": plain(&family.name),
        "type": family.kind.word(),
        "unit": family.unit.as_deref().map(plain),
        "help": family.help.as_deref().map(plain),
        "series": growth,
        "labels": labels(family, scrapes),
        "count": family.samples.len(),
        "samples": samples,
    })
}

/// Each label with its number of values when ids were driven first and last, and some values: which label grew.
fn labels(family: &Family, scrapes: &[Exposed]) -> Vec<Value> {
    let driven = |scrape: &&Exposed| matches!(scrape.scrape.stage, ScrapeStage::Driven { .. });
    let values_at = |scrape: Option<&Exposed>| -> BTreeMap<String, usize> {
        let known = scrape.and_then(|scrape| scrape.family(&family.name));
        let values = known.map(exposed::label_values).unwrap_or_default();
        values.into_iter().map(|(label, values)| (label.to_owned(), values.len())).collect()
    };
    let (first, last) = (values_at(scrapes.iter().find(driven)), values_at(scrapes.iter().rfind(driven)));
    let entry = |(label, values): (&str, BTreeSet<&str>)| {
        let some = exposed::some_values(values.iter().copied());
        json!([plain(label), values.len(), first.get(label), last.get(label), plain(&some)])
    };
    exposed::label_values(family).into_iter().take(LABELS_MAX).map(entry).collect()
}

/// `[suffix, labels, value, exemplar]`.
fn sample(build: &mut Build, family: &Family, sample: &Sample) -> Value {
    let suffix = plain(exposed::suffix(family, sample));
    let labels = build.text(&sample.labels.to_string());
    let exemplar = sample.exemplar.as_ref().map(|exemplar| self::exemplar(build, exemplar));
    json!([suffix, labels, number(sample.value), exemplar])
}

fn exemplar(build: &mut Build, exemplar: &Exemplar) -> Value {
    let trace = exemplar.labels.get("trace_id").and_then(TraceId::from_hex);
    let span = exemplar.labels.get("span_id").and_then(SpanId::from_hex);
    let row = trace
        .zip(span)
        .and_then(|(trace, span)| build.case.spans.get(trace, span))
        .and_then(|span| build.row(span));
    json!([build.text(&exemplar.labels.to_string()), number(exemplar.value), row, trace])
}

/// JSON knows neither infinities nor NaN.
pub(super) fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

pub(super) fn targets(build: &Build) -> Vec<Value> {
    let targets = build.case.evidence.targets.iter().take(TARGETS_MAX);
    targets
        .map(|target| {
            let resolved = match &target.resolved {
                Resolution::Port { service, role } => format!("{} port of {}", plain(role), plain(service)),
                Resolution::Scraper => "the scraper's own host".into(),
                Resolution::ClosedPort { host } => format!("{}: nothing listens on that port", plain(host)),
                Resolution::UnknownHost => "no such host".into(),
            };
            json!({
                "place": format!("{}:{}", plain(&target.file), target.line),
                "job": plain(&target.job),
                "url": plain(&format!("{}://{}{}", target.scheme, target.address, target.path)),
                "resolved": resolved,
                "answer": target.answer.as_ref().map(answer),
                "not_evaluated": target.not_evaluated.as_deref().map(plain),
            })
        })
        .collect()
}

pub(super) fn sockets(build: &Build) -> Vec<Value> {
    let sockets = build.case.evidence.sockets.iter().take(TARGETS_MAX);
    sockets
        .map(|socket| {
            json!({
                "process": plain(socket.process.as_str()),
                "role": socket.role.as_deref().map(plain),
                "address": plain(&socket.address),
                "held_by": socket.held_by.as_ref().map(|process| plain(process.as_str())),
                "answer": socket.metrics.as_ref().map(answer),
            })
        })
        .collect()
}

/// `[status, content type, samples or null, error]`: whether it would be scraped.
fn answer(answer: &HttpAnswer) -> Value {
    let read = exposed::read(answer, None);
    let samples = read.as_ref().ok().map(|exposition| exposition.sample_count());
    json!([
        answer.status,
        answer.content_type.as_deref().map(plain),
        samples,
        read.err().map(|error| plain(&error))
    ])
}
