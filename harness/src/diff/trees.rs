//! Trees: per scenario what hangs under what, merged over all traces of one operation, and compared as outlines.
//!
//! Merging takes away what is chance: how many traces there were, and which of several shapes came how often. How often a span
//! comes under its parent counts where no fault lay on anything and nothing is taken in batches, and only when every number of
//! the one run is beyond every number of the other.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::{A, B, In};
use crate::model::{Case, Kind};
use crate::outline::{ChangeKind, Forest, Line, Mark, Mismatch, Node, Outline, Times, What};

/// Different places in the trees of one scenario; more come from names with ids in them, which TRACE-07 is about.
const PLACES_MAX: usize = 5_000;
/// Changes that are kept.
const CHANGES_MAX: usize = 500;

/// One change, in the words of an outline's diff.
#[derive(Clone, Debug, Serialize)]
pub struct TreeChange {
    /// `lost`, `new`, `moved`, `renamed`, `differs`, `count`, `too_large`.
    pub change: &'static str,
    pub words: String,
    pub services: Vec<String>,
    pub scenarios: In,
}

/// A scenario's changed trees, `-` before what was and `+` before what is instead.
#[derive(Clone, Debug, Serialize)]
pub struct Drawing {
    pub scenario: String,
    pub tree: String,
}

#[derive(Default)]
pub(super) struct Trees {
    /// By what they say, so that one change of a service is told once and not for every scenario.
    changes: BTreeMap<(u8, String), TreeChange>,
    /// By scenario: the drawing, and the changes that it shows.
    drawings: Vec<(Drawing, Vec<(u8, String)>)>,
}

impl Trees {
    pub(super) fn compare(&mut self, scenario: &str, a: &Case, b: &Case, steady: bool) {
        let merged = [a, b].map(|case| Merged::of(&Outline::of_all(case), steady));
        if merged.iter().any(|merged| merged.places.len() > PLACES_MAX) {
            let words = format!(
                "more than {PLACES_MAX} different places in the trees of one scenario: they are not compared (TRACE-07 is \
                 about names with ids in them)"
            );
            return self.add(scenario, "too_large", words, Vec::new()).map_or((), drop);
        }
        let mut shown = Vec::new();
        if let Some(Mismatch { changes, tree }) = merged[A].outline().diff(&merged[B].outline()) {
            for change in changes {
                shown.extend(self.add(scenario, word(change.kind), change.words, change.services));
            }
            self.drawings.push((Drawing { scenario: scenario.into(), tree: told_of_runs(&tree) }, shown));
        }
        for (words, service) in if steady { counts(&merged) } else { Vec::new() } {
            self.add(scenario, "count", words, vec![service]);
        }
    }

    fn add(
        &mut self,
        scenario: &str,
        change: &'static str,
        words: String,
        services: Vec<String>,
    ) -> Option<(u8, String)> {
        let key = (rank(change), words);
        if self.changes.len() >= CHANGES_MAX && !self.changes.contains_key(&key) {
            return None;
        }
        let fresh = || TreeChange { change, words: key.1.clone(), services, scenarios: In::default() };
        self.changes.entry(key.clone()).or_insert_with(fresh).scenarios.add(scenario);
        Some(key)
    }

    /// Every change once, what was lost first; and the fewest lines of drawings that show them all.
    pub(super) fn changes(mut self) -> (Vec<TreeChange>, Vec<Drawing>) {
        self.drawings.sort_by_key(|(drawing, _)| drawing.tree.lines().count());
        let mut unseen: HashSet<(u8, String)> = self.changes.keys().cloned().collect();
        let mut drawings = Vec::new();
        for (drawing, shown) in self.drawings {
            let shows_more = shown.iter().filter(|key| unseen.remove(*key)).count() > 0;
            if shows_more && !drawing.tree.is_empty() {
                drawings.push(drawing);
            }
        }
        (self.changes.into_values().collect(), drawings)
    }
}

/// A drawing of two runs speaks of before and after, not of what was expected.
fn told_of_runs(tree: &str) -> String {
    let lines = tree.lines().map(|line| {
        let notes = [
            ('-', "  expected here", "  was here"),
            ('+', "  arrived here", "  is here now"),
            ('+', "  arrived as its own trace", "  is its own trace now"),
        ];
        let told = notes.iter().find_map(|(sign, old, new)| {
            let rest = line.strip_suffix(old).filter(|rest| rest.starts_with(*sign))?;
            Some(format!("{rest}{new}"))
        });
        told.unwrap_or_else(|| line.into())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Lost => "lost",
        ChangeKind::Moved => "moved",
        ChangeKind::New => "new",
        ChangeKind::Renamed => "renamed",
        ChangeKind::Differs => "differs",
        ChangeKind::Count => "count",
        ChangeKind::TooLarge => "too_large",
    }
}

fn rank(change: &str) -> u8 {
    let order = ["lost", "moved", "renamed", "differs", "new", "count", "too_large"];
    order.iter().position(|known| *known == change).unwrap_or(order.len()) as u8
}

/// What tells one place beneath a parent from another.
type Key = (bool, What);

/// The trees of a scenario, laid over each other.
struct Merged {
    /// The first stands above all roots.
    places: Vec<Place>,
}

struct Place {
    key: Option<Key>,
    beneath: BTreeMap<Key, usize>,
    /// How many different spans stood here, equal trees counted once.
    instances: u64,
    /// Under how many of those of its parent it came, and how often under one of them.
    parents: u64,
    least: u64,
    most: u64,
}

impl Place {
    fn new(key: Option<Key>) -> Place {
        Place { key, beneath: BTreeMap::new(), instances: 0, parents: 0, least: u64::MAX, most: 0 }
    }
}

impl Merged {
    fn of(outline: &Outline, steady: bool) -> Merged {
        let mut merged = Merged { places: vec![Place::new(None)] };
        merged.places[0].instances = 1;
        let forest = &outline.forest;
        let mut place_of: Vec<usize> = Vec::with_capacity(forest.len());
        let mut counts: HashMap<(Option<usize>, usize), u64> = HashMap::new();
        for row in 0..forest.len() {
            let node = forest.value(row);
            let above = forest.parent(row).map_or(0, |parent| place_of[parent]);
            let place = match key(node, steady) {
                Some(key) => merged.beneath(above, key),
                // What was cut from an outline stands for nothing.
                None => above,
            };
            place_of.push(place);
            if place != above {
                merged.places[place].instances += 1;
                *counts.entry((forest.parent(row), place)).or_default() += node.times.min;
            }
        }
        for ((_, place), count) in counts {
            let place = &mut merged.places[place];
            place.parents += 1;
            place.least = place.least.min(count);
            place.most = place.most.max(count);
        }
        merged
    }

    fn beneath(&mut self, above: usize, key: Key) -> usize {
        if let Some(place) = self.places[above].beneath.get(&key) {
            return *place;
        }
        let place = self.places.len();
        // One more than the bound says that there were too many.
        if place > PLACES_MAX {
            return above;
        }
        self.places.push(Place::new(Some(key.clone())));
        self.places[above].beneath.insert(key, place);
        place
    }

    /// As an outline in which everything comes once.
    fn outline(&self) -> Outline {
        let mut rows = Vec::with_capacity(self.places.len());
        let mut waiting: Vec<(usize, usize)> =
            self.places[0].beneath.values().rev().map(|place| (0, *place)).collect();
        while let Some((depth, place)) = waiting.pop() {
            let Place { key, beneath, .. } = &self.places[place];
            if let Some((linked, what)) = key {
                rows.push((depth, Node { linked: *linked, times: Times::ONCE, what: what.clone() }));
            }
            waiting.extend(beneath.values().rev().map(|place| (depth + 1, *place)));
        }
        Outline { forest: Forest::of(rows) }
    }

    /// The least and the most that came under one parent.
    fn range(&self, above: usize, place: usize) -> (u64, u64) {
        let Place { parents, least, most, .. } = &self.places[place];
        (if *parents < self.places[above].instances { 0 } else { *least }, *most)
    }
}

/// Without what is noted of links. Where a fault lay on something, without the status too: what failed meanwhile is chance.
fn key(node: &Node, steady: bool) -> Option<Key> {
    let what = match &node.what {
        What::Span(line) => {
            let status = if steady { line.status } else { Mark::Fine };
            What::Span(Line { status, links: None, attributes: Vec::new(), ..line.clone() })
        }
        What::More(_) | What::Others => return None,
        other => other.clone(),
    };
    Some((node.linked, what))
}

/// Where the numbers under one parent are apart. A consumer takes as many records at once as there are.
fn counts(merged: &[Merged; 2]) -> Vec<(String, String)> {
    let mut words = Vec::new();
    let mut waiting = vec![(0, 0)];
    while let Some((a, b)) = waiting.pop() {
        let (above, other) = (&merged[A].places[a], &merged[B].places[b]);
        for (key, place) in &above.beneath {
            let Some(later) = other.beneath.get(key) else { continue };
            if is_batch(key) {
                continue;
            }
            if above.key.is_some() {
                let ranges = [merged[A].range(a, *place), merged[B].range(b, *later)];
                words.extend(apart(above, key, ranges));
            }
            waiting.push((*place, *later));
        }
    }
    words
}

fn is_batch((linked, what): &Key) -> bool {
    *linked || !matches!(what, What::Span(line) if line.kind != Kind::Consumer)
}

fn apart(above: &Place, (_, what): &Key, [was, is]: [(u64, u64); 2]) -> Option<(String, String)> {
    let (Some((_, What::Span(parent))), What::Span(line)) = (&above.key, what) else { return None };
    if was.1 >= is.0 && is.1 >= was.0 {
        return None;
    }
    let number = |(least, most): (u64, u64)| match least == most {
        true => least.to_string(),
        false => format!("{least} to {most}"),
    };
    let words = format!(
        "count: {} span `{}` of {} under `{}` came {} for each, now {}",
        line.kind.word().to_lowercase(),
        line.name.replace('`', "'"),
        line.service,
        parent.name.replace('`', "'"),
        number(was),
        number(is)
    );
    Some((words, line.service.clone()))
}
