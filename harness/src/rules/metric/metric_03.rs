//! METRIC-03: cardinality does not grow with what is driven. Twice the distinct ids are no more series.

use std::collections::BTreeMap;

use crate::exposition::Family;
use crate::model::{Case, Judgement, ProcessId, Scrape, ScrapeStage, Severity};
use crate::rules::Rule;
use crate::rules::exposed::{Exposed, label_sets, label_values, some_values};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, shown};

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-03",
    severity: Severity::Error,
    requirement: "driving twice as many distinct ids adds no series",
    needs: &["scrapes"],
    page: include_str!("../pages/METRIC-03.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for (first, last) in driven(case).into_values().filter_map(|scrapes| ends(&scrapes)) {
        let (first, last) = (Exposed::of(case, first), Exposed::of(case, last));
        match (first.exposition(), last.exposition()) {
            (Ok(_), Ok(_)) => judge_process(&first, &last, &mut judgement, &mut tally),
            (Err(why), _) | (_, Err(why)) => judgement.gap(last.service(), format!("no exposition: {why}")),
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The scrapes of each process that followed so many distinct ids.
fn driven<'a>(case: &Case<'a>) -> BTreeMap<&'a ProcessId, Vec<(u64, &'a Scrape)>> {
    let mut driven: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for scrape in &case.evidence.scrapes {
        if let ScrapeStage::Driven { ids } = scrape.stage {
            driven.entry(&scrape.process).or_default().push((ids, scrape));
        }
    }
    driven
}

/// The scrapes after the fewest and after the most ids; of equals the later one.
fn ends<'a>(scrapes: &[(u64, &'a Scrape)]) -> Option<(&'a Scrape, &'a Scrape)> {
    let first = scrapes.iter().min_by_key(|(ids, scrape)| (*ids, scrape.at))?;
    let last = scrapes.iter().max_by_key(|(ids, scrape)| (*ids, scrape.at))?;
    (first.0 < last.0).then_some((first.1, last.1))
}

fn judge_process(first: &Exposed, last: &Exposed, judgement: &mut Judgement, tally: &mut Tally) {
    let Ok(exposition) = last.exposition() else { return };
    judgement.judged();
    for family in &exposition.families {
        let Some(before) = first.family(&family.name) else { continue };
        let (sets_before, sets) = (label_sets(before), label_sets(family));
        let new = sets.difference(&sets_before).count();
        if new > 0 {
            judge_growth(last, before, family, [sets_before.len(), sets.len()], tally);
        }
    }
}

/// Names the label that gained the most values. Where no label gained any, known values have met in a new combination: their
/// number is bounded, and no id did it.
fn judge_growth(last: &Exposed, before: &Family, family: &Family, series: [usize; 2], tally: &mut Tally) {
    let (values_before, values) = (label_values(before), label_values(family));
    let gained = |name: &str| -> Vec<&str> {
        let known = values_before.get(name);
        values[name].iter().filter(|value| !known.is_some_and(|known| known.contains(*value))).copied().collect()
    };
    let culprit = values.keys().map(|name| (*name, gained(name))).max_by_key(|(name, gained)| (gained.len(), std::cmp::Reverse(*name)));
    let (subject, severity, fault) = match culprit.filter(|(_, gained)| !gained.is_empty()) {
        Some((label, gained)) => (
            format!("{}, family `{}`, label `{}`", last.service(), shown(&family.name), shown(label)),
            Severity::Error,
            Fault {
                required: format!("{}, as after the first ids", count(series[0] as u64, "label set")),
                seen: format!(
                    "{}: {} more, {}",
                    grew(last, series),
                    count(gained.len() as u64, "value"),
                    some_values(gained.iter().copied())
                ),
                fix: format!(
                    "drop the label `{}`, or give it few values (the route's template, a class of statuses); what names one \
                     request belongs into spans and exemplars; probity explain METRIC-03",
                    shown(label)
                ),
                ..Fault::default()
            },
        ),
        None => (
            format!("{}, family `{}`", last.service(), shown(&family.name)),
            Severity::Note,
            Fault {
                required: format!("{}, as after the first ids", count(series[0] as u64, "label set")),
                seen: format!("{}: known values in new combinations", grew(last, series)),
                fix: "nothing, as long as the combinations are few".into(),
                ..Fault::default()
            },
        ),
    };
    tally.add_as(severity, subject, "growth", None, || fault);
}

fn grew(last: &Exposed, [before, now]: [usize; 2]) -> String {
    let ScrapeStage::Driven { ids } = last.scrape.stage else { return format!("{before} series, then {now}") };
    format!("{before} series, then {now} after {ids} ids")
}

#[cfg(test)]
mod tests;
