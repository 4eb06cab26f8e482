//! One scenario's evidence as data for the script: compact (columns, a table of strings), bounded, harmless.
//!
//! Times are nanoseconds since the scenario's first moment. What is beyond a bound is left out and counted in `left_out`, so
//! that the page says what it does not show and how to see it.

mod logs;
mod metrics;
mod placed;
mod records;
mod scrapes;
mod spans;
mod table;
mod times;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Opened, markup};
use crate::model::{Case, UnixNanos};
use table::Table;

/// How much the whole page may still take in. Scenarios are served in their order, those with findings no earlier: a run
/// that reaches these bounds is one for `probity tree`.
pub(super) struct Budget {
    pub(super) spans: usize,
    pub(super) logs: usize,
    pub(super) records: usize,
    pub(super) samples: usize,
    pub(super) stimuli: usize,
    /// Bytes of distinct strings.
    pub(super) text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            spans: 300_000,
            logs: 100_000,
            records: 50_000,
            samples: 100_000,
            stimuli: 100_000,
            text: 96 << 20,
        }
    }
}

/// Takes up to `wanted` of what is left.
pub(super) fn take(left: &mut usize, wanted: usize) -> usize {
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

#[derive(Serialize)]
pub(super) struct Details {
    /// The first moment, Unix nanoseconds in decimal: beyond what JavaScript's numbers hold.
    t0: String,
    spans: spans::Columns,
    shapes: Vec<Value>,
    placed: Vec<Value>,
    times: Value,
    records: Vec<Value>,
    offsets: Vec<Value>,
    scrapes: Vec<Value>,
    targets: Vec<Value>,
    sockets: Vec<Value>,
    metrics: Vec<Value>,
    logs: Vec<Value>,
    connections: Value,
    /// What did not fit, by what it is.
    left_out: BTreeMap<&'static str, u64>,
    /// Every text and value that the others name by number. Last, as the others fill it.
    strings: Vec<Value>,
}

/// What is passed from part to part while the data is put together.
struct Build<'a> {
    case: &'a Case<'a>,
    table: Table,
    t0: UnixNanos,
    /// Per span of the case, its row in the columns.
    rows: Vec<Option<u32>>,
    left_out: BTreeMap<&'static str, u64>,
}

impl Build<'_> {
    /// Nanoseconds since the first moment; a sender's clock may be far off.
    fn since(&self, at: UnixNanos) -> i64 {
        at.wrapping_sub(self.t0) as i64
    }

    fn text(&mut self, text: &str) -> u32 {
        self.table.text(text)
    }

    fn leave_out(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            *self.left_out.entry(what).or_default() += count as u64;
        }
    }

    /// The row of a captured span, if the page has it.
    fn row(&self, span: crate::model::Span<'_>) -> Option<u32> {
        self.rows[span.index()]
    }
}

pub(super) fn of(opened: &Opened, budget: &mut Budget) -> Details {
    let Opened { judged, case } = opened;
    let table = Table::new(std::mem::take(&mut budget.text));
    let mut build = Build {
        t0: times::first(case),
        table,
        rows: vec![None; case.spans.len()],
        left_out: BTreeMap::new(),
        case,
    };
    let spans = spans::columns(&mut build, &judged.report.findings, budget);
    let mut details = Details {
        t0: build.t0.to_string(),
        spans,
        shapes: spans::shapes(&build),
        placed: placed::of(&build, &judged.report.findings),
        times: times::of(&mut build, budget),
        records: records::of(&mut build, budget),
        offsets: records::offsets(&build),
        scrapes: scrapes::families(&mut build, budget),
        targets: scrapes::targets(&build),
        sockets: scrapes::sockets(&build),
        metrics: metrics::of(&mut build, budget),
        logs: logs::of(&mut build, budget),
        connections: connections(&build),
        left_out: build.left_out,
        strings: Vec::new(),
    };
    (details.strings, budget.text) = build.table.finish();
    details
}

fn connections(build: &Build) -> Value {
    const CONNECTIONS_MAX: usize = 500;
    let connections = build.case.evidence.ledger.connections.iter().take(CONNECTIONS_MAX);
    let shown = connections.map(|entry| (entry.connection, &entry.protocols, &entry.counts));
    serde_json::to_value(shown.collect::<Vec<_>>()).unwrap_or_default()
}

/// A short text that is no entry of the table.
fn plain(text: &str) -> String {
    markup::plain(text, markup::NAME_MAX)
}

#[cfg(test)]
mod tests;
