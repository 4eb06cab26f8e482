//! Trace trees as reports print them.

use std::fmt::Write;

use super::text::count;
use crate::model::{Case, TraceId};
use crate::outline::{Folded, View};
use crate::rules::text::duration;

/// Trees with their number and how often each shape came.
pub fn folded(shapes: &[Folded]) -> String {
    let widest = shapes.iter().map(|shape| shape.count.to_string().len()).max().unwrap_or(1);
    let mut text = String::new();
    for (number, shape) in shapes.iter().enumerate() {
        let head = format!("{:>3}  {:>widest$} × ", number + 1, shape.count);
        let indent = " ".repeat(head.chars().count());
        for (line_number, line) in shape.outline.to_string().lines().enumerate() {
            _ = writeln!(text, "{}{line}", if line_number == 0 { &head } else { &indent });
        }
        text.push('\n');
    }
    text
}

/// One trace, with its id, its size and how long it took.
pub fn of_trace(case: &Case, trace: TraceId) -> String {
    let spans = || case.spans.trace(trace);
    let first = spans().map(|span| span.start()).min().unwrap_or(0);
    let last = spans().map(|span| span.end()).max().unwrap_or(0);
    let took = duration(last.saturating_sub(first));
    let head = format!("trace {trace}: {}, {took}", count(spans().count() as u64, "span"));
    format!("{head}\n{}\n", View::default().links().trace(case, trace))
}
