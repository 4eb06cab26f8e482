//! What begins a trace, for the rules that count beginnings.

use crate::model::{Case, Span};

/// The service of spans that the harness itself made for a context that it sent.
const OURSELVES: &str = "probity";

/// Whether the span begins a trace of the system: it has no parent, or the parent is our own client span. A span that is
/// joined by link begins nothing: it continues what it links to.
pub(super) fn begins(case: &Case, span: Span<'_>) -> bool {
    let top = match span.parent_id() {
        None => true,
        Some(_) => span.parent().is_some_and(|parent| is_ours(case, parent)),
    };
    top && !is_ours(case, span) && span.link_ids().next().is_none()
}

/// Whether the harness made the span itself, for a context that it sent.
pub(super) fn is_ours(case: &Case, span: Span<'_>) -> bool {
    span.process().is_none() && case.service(span) == OURSELVES
}
