//! Spans as columns: one row each, trace by trace, each tree depth first, siblings by their start.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::super::markup::{self, TREE_MAX};
use super::{Budget, Build, take};
use crate::model::{Finding, Span, Status, TraceId, Value};
use crate::outline::View;

/// Attributes of one span, link, event or resource that are shown.
const ATTRIBUTES_MAX: usize = 128;
const EVENTS_MAX: usize = 64;
const LINKS_MAX: usize = 256;
/// Shapes of trees that are listed.
const SHAPES_MAX: usize = 200;
/// From this many spans on shapes are not compared: the list of traces has them all.
const SHAPED_SPANS_MAX: usize = 150_000;

#[derive(Default, Serialize)]
pub(super) struct Columns {
    /// Trace ids in hex, and how many rows each has.
    pub(super) traces: Vec<String>,
    pub(super) counts: Vec<u32>,
    /// Span ids in hex, all in one.
    pub(super) ids: String,
    /// 0 for the top of a tree.
    pub(super) depth: Vec<u32>,
    service: Vec<u32>,
    pub(super) name: Vec<u32>,
    /// Kind and status, a letter each: `usicp` and `-ok!`.
    kind: String,
    status: String,
    start: Vec<i64>,
    /// Nanoseconds; negative where a span ends before it starts.
    pub(super) took: Vec<i64>,
    resource: Vec<u32>,
    scope: Vec<u32>,
    /// Which set of attributes.
    attributes: Vec<u32>,
    sets: Vec<Vec<u32>>,
    /// Process, attributes, schema.
    resources: Vec<Json>,
    /// Parent ids in hex of rows whose parent was not captured.
    orphans: Vec<(u32, String)>,
    /// Row, and per link: trace, span, row where captured, attributes.
    links: Vec<(u32, Vec<Json>)>,
    /// Row, and per event: name, attributes.
    events: Vec<(u32, Vec<Json>)>,
    messages: Vec<(u32, u32)>,
}

/// Fills the columns: traces that findings speak of first where there is no room for all.
pub(super) fn columns(build: &mut Build, findings: &[Finding], budget: &mut Budget) -> Columns {
    let case = build.case;
    let chosen = chosen(build, findings, budget);
    let mut writer = Writer { columns: Columns::default(), sets: HashMap::new(), resources: HashMap::new() };
    for trace in chosen {
        let ordered = in_order(case.spans.trace(trace).collect());
        writer.columns.traces.push(trace.to_string());
        writer.columns.counts.push(ordered.len() as u32);
        for (depth, span) in ordered {
            writer.row(build, span, depth);
        }
    }
    writer.links(build);
    writer.columns
}

/// The traces that the page has, in their order.
fn chosen(build: &mut Build, findings: &[Finding], budget: &mut Budget) -> Vec<TraceId> {
    let spans = &build.case.spans;
    if spans.len() <= budget.spans {
        budget.spans -= spans.len();
        return spans.traces();
    }
    let spoken_of = findings.iter().flat_map(|finding| finding.spans.iter().map(|(trace, _)| *trace));
    let mut chosen = BTreeSet::new();
    for trace in spoken_of.chain(spans.traces()) {
        let size = spans.trace(trace).count();
        if size > 0 && size <= budget.spans && chosen.insert(trace) {
            budget.spans -= size;
        }
    }
    let taken: usize = chosen.iter().map(|trace| spans.trace(*trace).count()).sum();
    build.leave_out("spans", spans.len() - taken);
    chosen.into_iter().collect()
}

/// Depth first, siblings by their start; spans that are their own ancestors come last.
fn in_order(spans: Vec<Span<'_>>) -> Vec<(u32, Span<'_>)> {
    let mut by_start = spans;
    by_start.sort_by_key(|span| (span.start(), span.index()));
    let mut ordered = Vec::with_capacity(by_start.len());
    let mut seen: std::collections::HashSet<usize> = std::collections::HashSet::with_capacity(by_start.len());
    let tops = by_start.iter().filter(|span| span.parent().is_none());
    for top in tops.chain(by_start.iter()) {
        let mut waiting = vec![(0, *top)];
        while let Some((depth, span)) = waiting.pop() {
            if !seen.insert(span.index()) {
                continue;
            }
            ordered.push((depth, span));
            let mut children: Vec<_> = span.children().collect();
            children.sort_by_key(|child| std::cmp::Reverse((child.start(), child.index())));
            waiting.extend(children.into_iter().map(|child| (depth + 1, child)));
        }
    }
    ordered
}

struct Writer {
    columns: Columns,
    sets: HashMap<Vec<u32>, u32>,
    /// Known by address: spans share their resource.
    resources: HashMap<*const crate::model::Resource, u32>,
}

impl Writer {
    fn row(&mut self, build: &mut Build, span: Span<'_>, depth: u32) {
        let row = self.columns.depth.len() as u32;
        build.rows[span.index()] = Some(row);
        self.columns.ids.push_str(&span.id().to_string());
        self.columns.depth.push(depth);
        let service = build.text(build.case.service(span));
        self.columns.service.push(service);
        self.columns.name.push(build.text(span.name()));
        self.columns.kind.push(span.kind().word().chars().next().map_or('U', |letter| match letter {
            // CLIENT and CONSUMER begin alike.
            'C' if span.kind() == crate::model::Kind::Consumer => 'M',
            letter => letter,
        }));
        self.columns.status.push(match span.status() {
            Status::Unset => '-',
            Status::Ok => 'o',
            Status::Error => '!',
        });
        self.columns.start.push(build.since(span.start()));
        self.columns.took.push(span.end().wrapping_sub(span.start()) as i64);
        let resource = self.resource(build, span);
        self.columns.resource.push(resource);
        self.columns.scope.push(build.text(span.scope_name()));
        let set = self.set(build, &span.attributes());
        self.columns.attributes.push(set);
        self.sparse(build, span, row);
    }

    /// What few spans have.
    fn sparse(&mut self, build: &mut Build, span: Span<'_>, row: u32) {
        if let (None, Some(parent)) = (span.parent(), span.parent_id()) {
            self.columns.orphans.push((row, parent.to_string()));
        }
        let message = span.status_message();
        if !message.is_empty() {
            self.columns.messages.push((row, build.text(message)));
        }
        let events = span.events();
        if !events.is_empty() {
            let shown = events.iter().take(EVENTS_MAX);
            let entries =
                shown.map(|(name, pairs)| json!([build.text(name), self.set(build, pairs)])).collect();
            self.columns.events.push((row, entries));
            build.leave_out("events", events.len().saturating_sub(EVENTS_MAX));
        }
    }

    /// Links, once every span has its row.
    fn links(&mut self, build: &mut Build) {
        let case = build.case;
        for span in case.spans.iter() {
            let Some(row) = build.row(span) else { continue };
            let links = span.links();
            if links.is_empty() {
                continue;
            }
            let mut entries = Vec::new();
            for link in links.iter().take(LINKS_MAX) {
                let target = case.spans.get(link.trace, link.span).and_then(|target| build.row(target));
                let set = self.set(build, &link.attributes);
                entries.push(match target {
                    Some(target) => json!([target, set]),
                    None => json!([null, set, link.trace, link.span]),
                });
            }
            build.leave_out("links", links.len().saturating_sub(LINKS_MAX));
            self.columns.links.push((row, entries));
        }
        self.columns.links.sort_by_key(|(row, _)| *row);
    }

    fn resource(&mut self, build: &mut Build, span: Span<'_>) -> u32 {
        let resource = span.resource();
        if let Some(number) = self.resources.get(&std::ptr::from_ref(resource)) {
            return *number;
        }
        let set = self.set(build, &resource.attributes);
        let process = resource.process.as_ref().map(|process| super::plain(process.as_str()));
        let entry = json!([process, set, build.text(&resource.schema_url)]);
        let known = self.columns.resources.iter().position(|known| *known == entry);
        let number = known.unwrap_or_else(|| {
            self.columns.resources.push(entry);
            self.columns.resources.len() - 1
        }) as u32;
        self.resources.insert(std::ptr::from_ref(resource), number);
        number
    }

    fn set(&mut self, build: &mut Build, pairs: &[(String, Value)]) -> u32 {
        let mut set = Vec::with_capacity(2 * pairs.len().min(ATTRIBUTES_MAX));
        for (key, value) in pairs.iter().take(ATTRIBUTES_MAX) {
            set.push(build.text(key));
            set.push(build.table.value(value));
        }
        build.leave_out("attributes", pairs.len().saturating_sub(ATTRIBUTES_MAX));
        if let Some(number) = self.sets.get(&set) {
            return *number;
        }
        let number = self.columns.sets.len() as u32;
        self.columns.sets.push(set.clone());
        self.sets.insert(set, number);
        number
    }
}

/// The trees by shape, as outlines, the most frequent first.
pub(super) fn shapes(build: &Build) -> Vec<Json> {
    if build.case.spans.len() > SHAPED_SPANS_MAX {
        return Vec::new();
    }
    let shapes = View::default().links().shapes(build.case);
    let entry = |shape: &crate::outline::Folded| {
        json!([shape.count, shape.example, markup::lines(&shape.outline.to_string(), TREE_MAX)])
    };
    shapes.iter().take(SHAPES_MAX).map(entry).collect()
}

/// Takes part of a list that has its own bound in the page.
pub(super) fn bounded<'l, T>(
    build: &mut Build,
    what: &'static str,
    list: &'l [T],
    left: &mut usize,
) -> &'l [T] {
    let taken = take(left, list.len());
    build.leave_out(what, list.len() - taken);
    &list[..taken]
}
