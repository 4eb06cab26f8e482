//! What there is to tell of a diff, in the order in which one acts on it: the same for a terminal and for Markdown.

use super::durations::{Slower, Spread};
use super::{AttributeChange, Diff, FindingChange, In, Overview, SeriesChange, SpanChange};
use crate::report::text::{count, harmless, shortened, thousands};

/// Items of a section that are told one by one, and drawings that are shown.
const ITEMS_MAX: usize = 20;
const DRAWINGS_MAX: usize = 3;
/// Characters of one text; a hostile span name may have megabytes.
const TEXT_MAX: usize = 400;
/// Attributes of one operation lie together: so far back one looks for what is told alike.
const GROUPS_MAX: usize = 8;

/// One kind of change.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What it adds up to.
    pub(super) summary: String,
    pub(super) items: Vec<Item>,
    /// Changes beyond those that are told.
    pub(super) more: usize,
    pub(super) drawings: Vec<(String, String)>,
}

/// One change. Texts are harmless, in one line.
pub(super) struct Item {
    /// `+`, `-`, `~` or a word.
    pub(super) sign: &'static str,
    pub(super) text: String,
    pub(super) details: Vec<String>,
}

impl Item {
    fn new(sign: &'static str, text: String) -> Item {
        Item { sign, text: one_line(&text), details: Vec::new() }
    }

    fn with(mut self, detail: String) -> Item {
        if !detail.is_empty() {
            self.details.push(one_line(&detail));
        }
        self
    }
}

fn one_line(text: &str) -> String {
    shortened(&harmless(text, false), TEXT_MAX)
}

/// What was compared, in one line; nothing where there is nothing but the one to compare.
pub(super) fn compared(diff: &Diff) -> String {
    match diff.scenarios.compared {
        1 if !has_several(diff) => String::new(),
        compared => format!("{} compared", count(compared as u64, "scenario")),
    }
}

/// What one side was: its verdict, and how much there is of it.
pub(super) fn overview(side: &Overview) -> [String; 2] {
    let spans = count(side.spans, "span");
    let much = match side.scenarios {
        1 => spans,
        scenarios => format!("{}, {spans}", count(scenarios as u64, "scenario")),
    };
    [side.verdict.word().into(), much]
}

/// Every section that has something to tell.
pub(super) fn sections(diff: &Diff) -> Vec<Section> {
    let all = [
        scenarios(diff),
        findings(diff),
        trees(diff),
        spans(diff),
        attributes(diff),
        series(diff),
        durations(diff),
    ];
    all.into_iter().flatten().collect()
}

fn section(title: &'static str, summary: String, mut items: Vec<Item>) -> Option<Section> {
    let more = items.len().saturating_sub(ITEMS_MAX);
    items.truncate(ITEMS_MAX);
    (!items.is_empty()).then(|| Section { title, summary, items, more, drawings: Vec::new() })
}

fn scenarios(diff: &Diff) -> Option<Section> {
    let scenarios = &diff.scenarios;
    let name = |name: &str| if name.is_empty() { "the verdict".to_string() } else { name.to_string() };
    let mut items: Vec<Item> = scenarios
        .verdicts
        .iter()
        .map(|change| Item::new("~", format!("{}: {}, was {}", name(&change.scenario), change.b, change.a)))
        .collect();
    items.extend(alone("-", &scenarios.only_a, "not judged any more"));
    items.extend(alone("+", &scenarios.only_b, "not judged before"));
    section("scenarios", String::new(), items)
}

/// Scenarios of one run: each by its name while they are few.
fn alone(sign: &'static str, names: &[String], what: &str) -> Vec<Item> {
    match names {
        [first, second, third, _, ..] => {
            let all = names.len() as u64;
            let some = format!("{first}, {second}, {third} and {} more", thousands(all - 3));
            vec![Item::new(sign, format!("{} {what}: {some}", count(all, "scenario")))]
        }
        few => few.iter().map(|name| Item::new(sign, format!("{name}: {what}"))).collect(),
    }
}

fn findings(diff: &Diff) -> Option<Section> {
    let findings = &diff.findings;
    let (new, gone, still) = (findings.new.len(), findings.gone.len(), findings.still.len());
    let mut items: Vec<Item> = findings
        .new
        .iter()
        .map(|finding| {
            let known = finding.known.as_ref();
            let known = known.map_or_else(String::new, |known| format!("known: {}", known.reason));
            finding_item(diff, "+", finding)
                .with(format!("required: {}", finding.required))
                .with(format!("seen: {}", finding.seen))
                .with(known)
        })
        .collect();
    items.extend(findings.gone.iter().map(|finding| finding_item(diff, "-", finding)));
    let section = section("findings", format!("{new} new, {gone} gone, {still} still there"), items);
    section.filter(|_| new + gone > 0)
}

/// Whether changes have to say where they are.
fn has_several(diff: &Diff) -> bool {
    diff.scenarios.compared + diff.scenarios.only_a.len() + diff.scenarios.only_b.len() > 1
}

fn finding_item(diff: &Diff, sign: &'static str, finding: &FindingChange) -> Item {
    let scenario = match finding.scenario.as_str() {
        _ if !has_several(diff) => String::new(),
        "" => String::new(),
        scenario => format!(" (in {scenario})"),
    };
    Item::new(sign, format!("{} {}: {}{scenario}", finding.rule, finding.severity.word(), finding.subject))
}

fn trees(diff: &Diff) -> Option<Section> {
    let items = diff.trees.iter().map(|change| {
        let sign = match change.change {
            "lost" => "-",
            "new" => "+",
            _ => "~",
        };
        Item::new(sign, change.words.clone()).with(in_scenarios(diff, &change.scenarios))
    });
    let mut section = section("trees", String::new(), items.collect())?;
    let shown = diff.drawings.iter().take(DRAWINGS_MAX);
    let name = |name: &str| if has_several(diff) { one_line(name) } else { String::new() };
    section.drawings =
        shown.map(|drawing| (name(&drawing.scenario), harmless(&drawing.tree, true))).collect();
    Some(section)
}

fn in_scenarios(diff: &Diff, scenarios: &In) -> String {
    match (scenarios.count, scenarios.first.as_slice()) {
        _ if !has_several(diff) => String::new(),
        (_, []) => String::new(),
        (1, [only, ..]) => format!("in {only}"),
        (more, [first, ..]) => format!("in {first} and {} more", more - 1),
    }
}

fn operation(service: &str, kind: crate::model::Kind, name: &str) -> String {
    let service = if service.is_empty() { "(no service.name)" } else { service };
    format!("{service} {} {name}", kind.word())
}

fn spans(diff: &Diff) -> Option<Section> {
    let item = |change: &SpanChange| {
        let sign = if change.change == "came" { "+" } else { "-" };
        let spans = count(change.spans, "span");
        Item::new(sign, format!("{}: {spans}", operation(&change.service, change.kind, &change.name)))
            .with(in_scenarios(diff, &change.scenarios))
    };
    section("spans", String::new(), diff.spans.iter().map(item).collect())
}

fn attributes(diff: &Diff) -> Option<Section> {
    let alike = |a: &AttributeChange, b: &AttributeChange| {
        let key = |change: &AttributeChange| (change.change, change.kind, change.with, change.of);
        key(a) == key(b) && a.service == b.service && a.name == b.name && a.types == b.types
    };
    // In order of the subjects; what is the same of several attributes is told once.
    let mut groups: Vec<Vec<&AttributeChange>> = Vec::new();
    for change in &diff.attributes {
        match groups.iter_mut().rev().take(GROUPS_MAX).find(|group| alike(group[0], change)) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    section("attributes", String::new(), groups.iter().map(|group| attribute_item(group)).collect())
}

fn attribute_item(group: &[&AttributeChange]) -> Item {
    let first = group[0];
    let sign = match first.change {
        "came" => "+",
        "went" => "-",
        _ => "~",
    };
    let subject = match first.kind {
        Some(kind) => operation(&first.service, kind, &first.name),
        None => format!("resource of {}", first.service),
    };
    let keys: Vec<&str> = group.iter().map(|change| change.key.as_str()).collect();
    let types = first.types.as_ref().map_or_else(String::new, |[was, is]| format!(" now {is}, was {was}"));
    let spans = match (first.kind, first.with == first.of) {
        (None, _) => String::new(),
        (Some(_), true) if first.of == 1 => "on its only span".into(),
        (Some(_), true) => format!("on all {} spans", thousands(first.of)),
        (Some(_), false) => format!("on {} of {} spans", thousands(first.with), thousands(first.of)),
    };
    Item::new(sign, format!("{subject}: {}{types}", keys.join(", "))).with(spans)
}

fn series(diff: &Diff) -> Option<Section> {
    let of_one = |a: &SeriesChange, b: &SeriesChange| {
        (&a.service, &a.family, a.pushed) == (&b.service, &b.family, b.pushed)
    };
    let groups = diff.series.chunk_by(of_one);
    section("series", String::new(), groups.map(|group| series_item(diff, group)).collect())
}

/// All that changed of one family.
fn series_item(diff: &Diff, group: &[SeriesChange]) -> Item {
    let first = &group[0];
    let sign = match first.change {
        "came" => "+",
        "went" => "-",
        _ => "~",
    };
    let said: Vec<String> = group.iter().map(series_words).collect();
    let what = if first.pushed { "metric" } else { "family" };
    let widest = group.iter().max_by_key(|change| change.scenarios.count).unwrap_or(first);
    Item::new(sign, format!("{}, {what} {}: {}", first.service, first.family, said.join("; ")))
        .with(in_scenarios(diff, &widest.scenarios))
}

fn series_words(change: &SeriesChange) -> String {
    let [a, b] = [change.a, change.b].map(thousands);
    match (change.change, &change.types) {
        ("came", _) => format!("{b} series"),
        ("went", _) => format!("had {a} series"),
        ("type", Some([was, is])) => format!("is a {is}, was a {was}"),
        ("labels", _) => {
            let came = change.labels_came.iter().map(|label| format!("label {label} came"));
            let went = change.labels_went.iter().map(|label| format!("label {label} went"));
            came.chain(went).collect::<Vec<_>>().join(", ")
        }
        ("growth", _) => format!("grew by {b} series, by {a} before"),
        _ => format!("{b} series, {a} before"),
    }
}

fn durations(diff: &Diff) -> Option<Section> {
    let durations = &diff.durations;
    let item = |sign, change: &Slower| {
        let text = format!(
            "{}: × {:.1}, {} instead of {}",
            operation(&change.service, change.kind, &change.name),
            change.ratio,
            milliseconds(change.b.median_ms),
            milliseconds(change.a.median_ms)
        );
        let spread = |spread: &Spread| {
            let (from, to) = (milliseconds(spread.quarter_ms), milliseconds(spread.three_quarters_ms));
            format!("{} with the middle half from {from} to {to}", count(spread.spans as u64, "span"))
        };
        Item::new(sign, text).with(format!("medians of {}, was {}", spread(&change.b), spread(&change.a)))
    };
    let slower = durations.slower.iter().map(|change| item("slower", change));
    let items: Vec<Item> =
        slower.chain(durations.faster.iter().map(|change| item("faster", change))).collect();
    let summary = format!(
        "of {} with enough spans; the run as a whole × {:.2}",
        count(durations.compared as u64, "operation"),
        durations.run_ratio
    );
    section("durations", summary, items)
}

fn milliseconds(milliseconds: f64) -> String {
    match milliseconds {
        short if short < 9.95 => format!("{short:.1} ms"),
        long if long < 9_950.0 => format!("{long:.0} ms"),
        seconds => format!("{:.1} s", seconds / 1e3),
    }
}
