//! Series: the metric families of each service, scraped or pushed, with their types, their labels, how many series they have, and
//! by how many they grew from before the traffic to its end.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{A, B, In};
use crate::model::Case;
use crate::report::text::{harmless, shortened};
use crate::rules::exposed::{Exposed, first_scrape, label_sets, label_values, last_scrapes};
use crate::rules::pushed;

/// Families that are told apart; the names are a sender's.
const FAMILIES_MAX: usize = 20_000;
const NAME_CHARACTERS_MAX: usize = 120;
/// What counts as more series: by half, and by so many. A label value more or less is chance.
const RATIO_MIN: f64 = 1.5;
const SERIES_MIN: u64 = 3;

/// What changed in one family of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeriesChange {
    pub service: String,
    pub family: String,
    /// Whether it was pushed over OTLP, not scraped.
    pub pushed: bool,
    /// `came`, `went`, `type`, `labels`, `series` or `growth`.
    pub change: &'static str,
    /// Series at the end, in the scenario where they differ most; for `growth` by how many they grew.
    pub a: u64,
    pub b: u64,
    /// For `type`: what it was and is (`counter`, `histogram`, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<[String; 2]>,
    /// For `labels`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels_came: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels_went: Vec<String>,
    pub scenarios: In,
}

#[derive(Default)]
pub(super) struct Families {
    seen: BTreeMap<Name, [Seen; 2]>,
    /// By family and whether growth is meant: the scenario where they differ most.
    apart: BTreeMap<(Name, bool), ([u64; 2], In)>,
}

/// Service, family, and whether it was pushed.
type Name = (String, String, bool);

/// What one run has of a family.
#[derive(Default)]
struct Seen {
    scenarios: In,
    types: BTreeSet<&'static str>,
    labels: BTreeSet<String>,
    most: u64,
}

/// What a scenario has of a family.
#[derive(Default)]
struct OfCase {
    types: BTreeSet<&'static str>,
    labels: BTreeSet<String>,
    series: u64,
    /// `None`: nothing was scraped before.
    growth: Option<u64>,
}

impl Families {
    pub(super) fn compare(&mut self, scenario: &str, cases: [&Case; 2], steady: bool) {
        let found = cases.map(families);
        for (name, [a, b]) in both(&found) {
            if !steady {
                break;
            }
            self.note(name, false, [a.series, b.series], scenario);
            if let (Some(was), Some(is)) = (a.growth, b.growth) {
                self.note(name, true, [was, is], scenario);
            }
        }
        for (side, found) in found.into_iter().enumerate() {
            for (name, of_case) in found {
                if self.seen.len() >= FAMILIES_MAX && !self.seen.contains_key(&name) {
                    continue;
                }
                let seen = &mut self.seen.entry(name).or_default()[side];
                seen.scenarios.add(scenario);
                seen.types.extend(of_case.types);
                seen.labels.extend(of_case.labels);
                seen.most = seen.most.max(of_case.series);
            }
        }
    }

    fn note(&mut self, name: &Name, growth: bool, numbers: [u64; 2], scenario: &str) {
        if !are_apart(numbers) {
            return;
        }
        let key = (name.clone(), growth);
        let (most, scenarios) = self.apart.entry(key).or_insert_with(|| (numbers, In::default()));
        if numbers[A].abs_diff(numbers[B]) > most[A].abs_diff(most[B]) {
            *most = numbers;
        }
        scenarios.add(scenario);
    }

    pub(super) fn changes(self) -> Vec<SeriesChange> {
        let mut changes: Vec<_> =
            self.seen.into_iter().flat_map(|(name, seen)| of_family(name, seen)).collect();
        changes.extend(self.apart.into_iter().map(|((name, growth), (numbers, scenarios))| {
            let change = if growth { "growth" } else { "series" };
            SeriesChange { change, scenarios, ..SeriesChange::of(&name, numbers) }
        }));
        let key = |change: &SeriesChange| {
            (change.service.clone(), change.family.clone(), change.pushed, change.change)
        };
        changes.sort_by_cached_key(key);
        changes
    }
}

impl SeriesChange {
    fn of((service, family, pushed): &Name, [a, b]: [u64; 2]) -> SeriesChange {
        SeriesChange {
            service: service.clone(),
            family: family.clone(),
            pushed: *pushed,
            change: "",
            a,
            b,
            types: None,
            labels_came: Vec::new(),
            labels_went: Vec::new(),
            scenarios: In::default(),
        }
    }
}

/// Whether it came or went; else what is different of it wherever it is.
fn of_family(name: Name, [a, b]: [Seen; 2]) -> Vec<SeriesChange> {
    let plain = SeriesChange::of(&name, [a.most, b.most]);
    match (a.scenarios.count, b.scenarios.count) {
        (0, _) => return vec![SeriesChange { change: "came", scenarios: b.scenarios, ..plain }],
        (_, 0) => return vec![SeriesChange { change: "went", scenarios: a.scenarios, ..plain }],
        _ => {}
    }
    let mut changes = Vec::new();
    if a.types.is_disjoint(&b.types) {
        let types = Some([&a, &b].map(|seen| seen.types.iter().copied().collect::<Vec<_>>().join(" or ")));
        changes.push(SeriesChange { change: "type", types, scenarios: b.scenarios.clone(), ..plain.clone() });
    }
    let apart = |more: &Seen, less: &Seen| more.labels.difference(&less.labels).cloned().collect::<Vec<_>>();
    let (labels_came, labels_went) = (apart(&b, &a), apart(&a, &b));
    if !labels_came.is_empty() || !labels_went.is_empty() {
        let scenarios = b.scenarios;
        changes.push(SeriesChange { change: "labels", labels_came, labels_went, scenarios, ..plain });
    }
    changes
}

fn are_apart([a, b]: [u64; 2]) -> bool {
    let (less, more) = (a.min(b), a.max(b));
    more - less >= SERIES_MIN && more as f64 > RATIO_MIN * less as f64
}

type Found = BTreeMap<Name, OfCase>;

fn both(found: &[Found; 2]) -> impl Iterator<Item = (&Name, [&OfCase; 2])> {
    found[A].iter().filter_map(|(name, a)| Some((name, [a, found[B].get(name)?])))
}

fn families(case: &Case) -> Found {
    let mut found = Found::new();
    for last in last_scrapes(case) {
        let first = first_scrape(case, &last.scrape.process);
        add_scrape(&mut found, &last, first.as_ref());
    }
    for ((service, family), pushed) in pushed::families(case) {
        let of_case = found.entry((shown(&service), shown(&family), true)).or_default();
        of_case.types.extend(pushed.types);
        of_case.labels.extend(pushed.series.iter().flatten().map(|(label, _)| shown(label)));
        of_case.series = of_case.series.max(pushed.series.len() as u64);
    }
    found
}

fn add_scrape(found: &mut Found, last: &Exposed, first: Option<&Exposed>) {
    let Ok(exposition) = last.exposition() else { return };
    for family in &exposition.families {
        let of_case = found.entry((shown(last.service()), shown(family.base_name()), false)).or_default();
        of_case.types.insert(family.kind.word());
        let series = label_sets(family).len() as u64;
        // Of several instances the one with the most.
        of_case.series = of_case.series.max(series);
        of_case.labels.extend(label_values(family).keys().map(|label| shown(label)));
        let before = first
            .filter(|first| first.exposition().is_ok())
            .map(|first| first.family(&family.name).map_or(0, |family| label_sets(family).len() as u64));
        let growth = before.map(|before| series.saturating_sub(before));
        of_case.growth = of_case.growth.max(growth);
    }
}

fn shown(name: &str) -> String {
    shortened(&harmless(name, false), NAME_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_series_are_more_by_half_and_by_three() {
        let table = [
            ([4, 104], true),
            ([104, 4], true),
            ([4, 7], true),
            ([4, 6], false),
            ([100, 140], false),
            ([0, 2], false),
            ([0, 3], true),
            ([5, 5], false),
        ];
        for (numbers, expected) in table {
            assert_eq!(are_apart(numbers), expected, "{numbers:?}");
        }
    }
}
