//! Series: the metric families of each service, scraped or pushed, with their labels, how many series they have, and by how many
//! they grew from before the traffic to its end.

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
    /// `came`, `went`, `labels`, `series` or `growth`.
    pub change: &'static str,
    /// Series at the end, in the scenario where they differ most; for `growth` by how many they grew.
    pub a: u64,
    pub b: u64,
    /// For `labels`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels_came: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels_went: Vec<String>,
    pub scenarios: In,
}

#[derive(Default)]
pub(super) struct Families {
    seen: BTreeMap<(String, String), [Seen; 2]>,
    /// By service, family and whether growth is meant: the scenario where they differ most.
    apart: BTreeMap<(String, String, bool), ([u64; 2], In)>,
}

/// What one run has of a family.
#[derive(Default)]
struct Seen {
    scenarios: In,
    labels: BTreeSet<String>,
    most: u64,
}

/// What a scenario has of a family.
#[derive(Default)]
struct OfCase {
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
                seen.labels.extend(of_case.labels);
                seen.most = seen.most.max(of_case.series);
            }
        }
    }

    fn note(
        &mut self,
        (service, family): &(String, String),
        growth: bool,
        numbers: [u64; 2],
        scenario: &str,
    ) {
        if !are_apart(numbers) {
            return;
        }
        let key = (service.clone(), family.clone(), growth);
        let (most, scenarios) = self.apart.entry(key).or_insert_with(|| (numbers, In::default()));
        if numbers[A].abs_diff(numbers[B]) > most[A].abs_diff(most[B]) {
            *most = numbers;
        }
        scenarios.add(scenario);
    }

    pub(super) fn changes(self) -> Vec<SeriesChange> {
        let mut changes = Vec::new();
        for ((service, family), [a, b]) in self.seen {
            let empty = SeriesChange {
                service: service.clone(),
                family: family.clone(),
                change: "labels",
                a: a.most,
                b: b.most,
                labels_came: Vec::new(),
                labels_went: Vec::new(),
                scenarios: In::default(),
            };
            match (a.scenarios.count, b.scenarios.count) {
                (0, _) => changes.push(SeriesChange { change: "came", scenarios: b.scenarios, ..empty }),
                (_, 0) => changes.push(SeriesChange { change: "went", scenarios: a.scenarios, ..empty }),
                _ => {
                    let labels_came: Vec<_> = b.labels.difference(&a.labels).cloned().collect();
                    let labels_went: Vec<_> = a.labels.difference(&b.labels).cloned().collect();
                    if !labels_came.is_empty() || !labels_went.is_empty() {
                        changes.push(SeriesChange {
                            labels_came,
                            labels_went,
                            scenarios: b.scenarios,
                            ..empty
                        });
                    }
                }
            }
        }
        for ((service, family, growth), ([a, b], scenarios)) in self.apart {
            let change = if growth { "growth" } else { "series" };
            let (labels_came, labels_went) = (Vec::new(), Vec::new());
            changes.push(SeriesChange { service, family, change, a, b, labels_came, labels_went, scenarios });
        }
        changes.sort_by(|a, b| (&a.service, &a.family, a.change).cmp(&(&b.service, &b.family, b.change)));
        changes
    }
}

fn are_apart([a, b]: [u64; 2]) -> bool {
    let (less, more) = (a.min(b), a.max(b));
    more - less >= SERIES_MIN && more as f64 > RATIO_MIN * less as f64
}

type Found = BTreeMap<(String, String), OfCase>;

fn both(found: &[Found; 2]) -> impl Iterator<Item = (&(String, String), [&OfCase; 2])> {
    found[A].iter().filter_map(|(name, a)| Some((name, [a, found[B].get(name)?])))
}

fn families(case: &Case) -> Found {
    let mut found = Found::new();
    for last in last_scrapes(case) {
        let first = first_scrape(case, &last.scrape.process);
        add_scrape(&mut found, &last, first.as_ref());
    }
    for ((service, family), series) in pushed::families(case) {
        let of_case = found.entry((shown(&service), shown(&family))).or_default();
        of_case.labels.extend(series.iter().flatten().map(|(label, _)| shown(label)));
        of_case.series = of_case.series.max(series.len() as u64);
    }
    found
}

fn add_scrape(found: &mut Found, last: &Exposed, first: Option<&Exposed>) {
    let Ok(exposition) = &last.exposition else { return };
    for family in &exposition.families {
        let of_case = found.entry((shown(last.service()), shown(family.base_name()))).or_default();
        let series = label_sets(family).len() as u64;
        // Of several instances the one with the most.
        of_case.series = of_case.series.max(series);
        of_case.labels.extend(label_values(family).keys().map(|label| shown(label)));
        let before = first
            .filter(|first| first.exposition.is_ok())
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
