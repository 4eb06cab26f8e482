//! METRIC-05: latency is a histogram in seconds, consistent in itself, with a bound at the objective.

mod pushed;
mod traced;
mod wall;

use crate::exposition::{Family, FamilyType, Sample};
use crate::model::{Case, Family as Declared, FamilyKind, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::exposed::{Exposed, answers_for_itself, last_scrapes, suffix};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::counted::Window;

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-05",
    severity: Severity::Error,
    requirement: "latency is a histogram in seconds, cumulative and consistent, with a bound at the objective",
    needs: &["scrapes", "stimuli", "metrics", "families"],
    page: include_str!("../pages/METRIC-05.md"),
    judge,
};

/// The bounds that the SDKs take where none are given: made for milliseconds.
const SDK_DEFAULT: [f64; 15] =
    [0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0];

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for exposed in last_scrapes(case) {
        let declared = case.declaration.and_then(|declaration| declaration.service(exposed.service()));
        let latencies = declared.map(|service| service.families.iter().filter(|family| is_latency(family)));
        if let Some(latencies) = latencies.filter(|_| answers_for_itself(case, exposed.scrape).is_some()) {
            latencies.for_each(|family| judge_declared(case, &exposed, family, &mut judgement, &mut tally));
        }
        let Ok(exposition) = exposed.exposition() else { continue };
        for family in exposition.families.iter().filter(|family| family.kind == FamilyType::Histogram) {
            judgement.judged();
            judge_consistency(exposed.service(), family, &mut tally);
        }
    }
    if case.declaration.is_none() {
        pushed::judge(case, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

fn is_latency(family: &Declared) -> bool {
    family.kind == FamilyKind::Histogram && (family.unit == "seconds" || family.slo_bound.is_some())
}

fn judge_declared(case: &Case, exposed: &Exposed, declared: &Declared, judgement: &mut Judgement, tally: &mut Tally) {
    let subject = format!("{}, family `{}`", exposed.service(), declared.name);
    let Some(family) = exposed.family(&declared.name) else {
        if super::metric_01::is_due(case, exposed, declared) {
            judgement.gap(subject, format!("silent: {}", exposed.service()));
        }
        return;
    };
    judgement.judged();
    if family.kind != FamilyType::Histogram {
        tally.add(subject, "type", None, || Fault {
            required: "a histogram: only its buckets can be added over instances and asked for quantiles".into(),
            seen: format!("a {}", family.kind),
            fix: "record durations in a histogram; probity explain METRIC-05".into(),
            ..Fault::default()
        });
        return;
    }
    if !family.name.ends_with("_seconds") {
        tally.add(subject.clone(), "unit", None, || Fault {
            required: "a name that ends in `_seconds`, the base unit".into(),
            seen: format!("`{}`", shown(&family.name)),
            fix: "record seconds as floating point numbers, and name them so; probity explain METRIC-05".into(),
            ..Fault::default()
        });
    }
    judge_bounds(&subject, declared, family, tally);
    let window = Window::up_to(case, exposed.scrape);
    if let Some(fault) = wall::exceeded(case, &window, declared, family) {
        tally.add(subject, "wall", None, || fault);
    } else if let Some(fault) = traced::contradicted(case, &exposed.scrape.process, family) {
        tally.add(subject, "traced", None, || fault);
    }
}

fn judge_bounds(subject: &str, declared: &Declared, family: &Family, tally: &mut Tally) {
    let mut bounds: Vec<f64> = buckets(family).filter_map(|(_, bound)| bound).filter(|bound| bound.is_finite()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    if bounds.is_empty() {
        // A histogram without series has no bounds yet.
        return;
    }
    let wanted = declared.slo_bound.filter(|wanted| !bounds.iter().any(|bound| (bound - wanted).abs() <= wanted.abs() * 1e-9));
    let default = bounds == SDK_DEFAULT;
    if wanted.is_none() && !default {
        return;
    }
    tally.add(subject.into(), "bounds", None, || Fault {
        required: wanted.map_or("bounds made for seconds".into(), |wanted| format!("a bound at the objective, {wanted} s")),
        seen: format!("the bounds {}{}", shown_bounds(&bounds), if default { ", the SDK's default, which is made for milliseconds" } else { "" }),
        fix: "give the histogram bounds around its objective (a view, or the boundaries of the instrument): a quantile is a \
              guess between two bounds; probity explain METRIC-05"
            .into(),
        ..Fault::default()
    });
}

/// Buckets that rise to the count: OpenMetrics was held to it when it was read, plain text was not.
fn judge_consistency(service: &str, family: &Family, tally: &mut Tally) {
    let Some(what) = inconsistency(family) else { return };
    tally.add(format!("{service}, family `{}`", shown(&family.name)), "consistency", None, || Fault {
        required: "cumulative buckets with rising bounds, the last one +Inf and equal to the count".into(),
        seen: what,
        fix: "let a client library keep the histogram; probity explain METRIC-05".into(),
        ..Fault::default()
    });
}

fn inconsistency(family: &Family) -> Option<String> {
    let mut series: std::collections::BTreeMap<Vec<(&str, &str)>, Series> = std::collections::BTreeMap::new();
    for sample in &family.samples {
        let key = sample.labels.without("le").collect();
        series.entry(key).or_default().add(family, sample);
    }
    series.into_values().find_map(Series::inconsistency)
}

#[derive(Default)]
struct Series {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    broken: Option<String>,
}

impl Series {
    fn add(&mut self, family: &Family, sample: &Sample) {
        match suffix(family, sample) {
            "_count" => self.count = Some(sample.value),
            "_bucket" => match bound(sample) {
                Some(bound) => self.buckets.push((bound, sample.value)),
                None => self.broken = Some(format!("a bucket without a bound: `{}`", shown(&sample.labels.to_string()))),
            },
            _ => {}
        }
    }

    fn inconsistency(mut self) -> Option<String> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let pairs = || self.buckets.windows(2).map(|pair| (pair[0], pair[1]));
        let falls = pairs().find(|(low, high)| low.1 > high.1 || low.1.is_nan() || high.1.is_nan());
        let twice = pairs().find(|(low, high)| low.0 == high.0);
        let last = self.buckets.last().copied();
        if self.broken.is_some() {
            self.broken
        } else if let Some((low, high)) = falls {
            Some(format!("{} up to {} and {} up to {}", low.1, shown_bound(low.0), high.1, shown_bound(high.0)))
        } else if let Some((low, _)) = twice {
            Some(format!("the bound {} twice", shown_bound(low.0)))
        } else if last.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            Some("no +Inf bucket".into())
        } else {
            let (all, count) = (last?.1, self.count);
            match count {
                None => Some("no _count".into()),
                Some(count) if count != all => Some(format!("{all} in the +Inf bucket, and a count of {count}")),
                Some(_) => None,
            }
        }
    }
}

fn buckets<'f>(family: &'f Family<'_>) -> impl Iterator<Item = (&'f Sample<'f>, Option<f64>)> {
    let buckets = family.samples.iter().filter(|sample| suffix(family, sample) == "_bucket");
    buckets.map(|sample| (sample, bound(sample)))
}

fn bound(sample: &Sample) -> Option<f64> {
    sample.labels.get("le")?.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

fn shown_bound(bound: f64) -> String {
    if bound == f64::INFINITY { "+Inf".into() } else { format!("{bound}") }
}

fn shown_bounds(bounds: &[f64]) -> String {
    let few: Vec<String> = bounds.iter().take(20).map(|bound| shown_bound(*bound)).collect();
    few.join(" ")
}

#[cfg(test)]
mod tests;
