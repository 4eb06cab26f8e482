//! METRIC-07: counters never fall while their process lives.

use std::collections::{BTreeMap, HashMap};

use crate::exposition::{Family, FamilyType};
use crate::model::{Case, Judgement, ProcessId, Scrape, Severity};
use crate::rules::Rule;
use crate::rules::exposed::{Exposed, suffix};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::otlp::{self, Kind, Series};

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-07",
    severity: Severity::Error,
    requirement: "a counter never falls while its process lives, and nothing that falls is called a counter",
    needs: &["scrapes", "metrics"],
    page: include_str!("../pages/METRIC-07.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for scrapes in by_process(case).into_values() {
        judge_scrapes(case, &scrapes, &mut judgement, &mut tally);
    }
    judge_pushed(case, &mut judgement, &mut tally);
    tally.put_into(&mut judgement);
    judgement
}

/// The scrapes of each process, in the order of time.
fn by_process<'a>(case: &Case<'a>) -> BTreeMap<&'a ProcessId, Vec<&'a Scrape>> {
    let mut processes: BTreeMap<&ProcessId, Vec<&Scrape>> = BTreeMap::new();
    for scrape in &case.evidence.scrapes {
        processes.entry(&scrape.process).or_default().push(scrape);
    }
    processes.values_mut().for_each(|scrapes| scrapes.sort_by_key(|scrape| scrape.at));
    processes
}

/// One subject for each process whose counters were seen twice.
fn judge_scrapes<'a>(case: &Case<'a>, scrapes: &[&'a Scrape], judgement: &mut Judgement, tally: &mut Tally) {
    let exposed: Vec<Exposed> = scrapes.iter().map(|scrape| Exposed::of(case, scrape)).collect();
    let mut last: HashMap<String, f64> = HashMap::new();
    let mut compared = false;
    for exposed in &exposed {
        let families = exposed.exposition().into_iter().flat_map(|exposition| &exposition.families);
        for family in families {
            for (series, value) in counted(family) {
                let before = last.insert(series.clone(), value);
                let Some(before) = before else { continue };
                compared = true;
                if value < before {
                    let subject = format!("{}, family `{}`", exposed.service(), shown(&family.name));
                    tally.add(subject, "fell", None, || fallen(&series, before, value));
                }
            }
        }
    }
    if compared {
        judgement.judged();
    }
}

/// Series that only ever rise: a counter's values, a histogram's buckets and counts.
fn counted(family: &Family) -> Vec<(String, f64)> {
    let rises: &[&str] = match family.kind {
        FamilyType::Counter => &["_total", ""],
        FamilyType::Histogram => &["_bucket", "_count"],
        _ => return Vec::new(),
    };
    let samples = family.samples.iter().filter(|sample| rises.contains(&suffix(family, sample)));
    samples.map(|sample| (format!("{}{}", sample.name, sample.labels), sample.value)).collect()
}

fn fallen(series: &str, before: f64, after: f64) -> Fault {
    Fault {
        required: "a value that rises or stays, as long as the process lives".into(),
        seen: format!("`{}` fell from {before} to {after}", shown(series)),
        fix: "never reset a counter or create it anew: rates take each fall for a restart; what can fall is a gauge; \
              probity explain METRIC-07"
            .into(),
        ..Fault::default()
    }
}

/// What is one series: its metric, who pushed it, its labels, and when it began.
type Stream = (String, Option<ProcessId>, Series, u64);

/// Cumulative monotonic points of one series and one beginning.
fn judge_pushed(case: &Case, judgement: &mut Judgement, tally: &mut Tally) {
    let mut streams: BTreeMap<Stream, Vec<(u64, f64)>> = BTreeMap::new();
    for pushed in otlp::metrics(case) {
        if !matches!(pushed.kind(), Kind::Counter | Kind::Histogram) {
            continue;
        }
        for point in pushed.points().into_iter().filter(|point| point.cumulative) {
            let key = (pushed.subject(), pushed.process.clone(), point.series, point.start);
            streams.entry(key).or_default().push((point.time, point.value));
        }
    }
    for ((subject, _, series, _), mut values) in streams {
        values.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if values.len() < 2 {
            continue;
        }
        // How often a system with a declaration pushes is no matter of its scenario: its scrapes are the subjects.
        if case.declaration.is_none() {
            judgement.judged();
        }
        if let Some(pair) = values.windows(2).find(|pair| pair[1].1 < pair[0].1) {
            tally.add(subject, "fell", None, || fallen(&otlp::shown_series(&series), pair[0].1, pair[1].1));
        }
    }
}

#[cfg(test)]
mod tests;
