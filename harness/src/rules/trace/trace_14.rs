//! TRACE-14: a trace that a person can read: not too deep, not too many spans.

use std::collections::HashMap;

use crate::model::{Case, Judgement, Severity, Span, Spans};
use crate::rules::Rule;
use crate::rules::picture::{line_of, top_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, span_subject};

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-14",
    severity: Severity::Error,
    requirement: "a trace is at most 10 spans deep and has at most 100 spans",
    needs: &["spans", "thresholds"],
    page: include_str!("../pages/TRACE-14.md"),
    judge,
};

const FIX: &str = "one span for an operation, not for each of its rows, items or functions: what is alike is an attribute, an event or \
                   a metric; probity explain TRACE-14";

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let mut depths = Depths::of(&case.spans);
    let mut trace: Vec<Span<'_>> = Vec::new();
    // The order is by trace: each trace is a run of spans.
    for span in case.spans.iter() {
        if trace.last().is_some_and(|last| last.trace() != span.trace()) {
            judge_trace(case, &trace, &mut depths, &mut judgement, &mut tally);
            trace.clear();
        }
        trace.push(span);
    }
    if !trace.is_empty() {
        judge_trace(case, &trace, &mut depths, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_trace(case: &Case, trace: &[Span<'_>], depths: &mut Depths, judgement: &mut Judgement, tally: &mut Tally) {
    judgement.judged();
    let limits = case.thresholds();
    let spans = trace.len() as u64;
    if spans > limits.trace_spans_max {
        let top = first_of(trace);
        tally.add(span_subject(case, top), "spans", Some(top), || Fault {
            required: format!("at most {} spans in a trace", limits.trace_spans_max),
            seen: format!("{spans} spans"),
            candidates: most_alike(case, trace),
            fix: FIX.into(),
            ..Fault::default()
        });
    }
    let all = trace.iter().map(|span| (depths.of_span(*span), *span));
    let deepest = all.max_by(|one, other| one.0.cmp(&other.0).then_with(|| other.1.name().cmp(one.1.name())));
    let Some((depth, deepest)) = deepest.filter(|(depth, _)| u64::from(*depth) > limits.depth_warn) else { return };
    let severity = if u64::from(depth) > limits.depth_max { None } else { Some(Severity::Warning) };
    let top = top_of(deepest);
    let describe = || Fault {
        required: format!("at most {} spans from the root to a leaf, better {}", limits.depth_max, limits.depth_warn),
        seen: format!("{depth} spans down to {}", quoted(&line_of(case, deepest))),
        fix: FIX.into(),
        ..Fault::default()
    };
    match severity {
        None => tally.add(span_subject(case, top), "depth", Some(deepest), describe),
        Some(severity) => tally.add_as(severity, span_subject(case, top), "deep", Some(deepest), describe),
    }
}

/// The span that begins the trace: the first without a captured parent.
fn first_of<'s>(trace: &[Span<'s>]) -> Span<'s> {
    let tops = trace.iter().copied().filter(|span| span.parent().is_none());
    tops.min_by_key(|span| (span.parent_id().is_some(), span.start(), span.name())).unwrap_or(trace[0])
}

/// What most of the spans are.
fn most_alike(case: &Case, trace: &[Span<'_>]) -> Vec<String> {
    let mut alike: HashMap<(&str, &str), u64> = HashMap::new();
    for span in trace {
        *alike.entry((case.service(*span), span.name())).or_default() += 1;
    }
    let mut alike: Vec<_> = alike.into_iter().map(|(what, count)| (count, what)).collect();
    alike.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let many = alike.into_iter().take(3).filter(|(count, _)| *count > 1);
    many.map(|(count, (service, name))| format!("{count} times {} of {}", quoted(name), quoted(service))).collect()
}

/// How many spans lie on the way from the root to each span, itself included. Each is worked out once.
struct Depths(Vec<u32>);

impl Depths {
    fn of(spans: &Spans) -> Self {
        Depths(vec![0; spans.len()])
    }

    fn of_span(&mut self, span: Span<'_>) -> u32 {
        let mut path = Vec::new();
        let mut next = Some(span);
        let mut depth = loop {
            match next {
                None => break 0,
                Some(above) if self.0[above.index()] > 0 => break self.0[above.index()],
                // A circle of parents ends where it began.
                Some(above) if path.contains(&above.index()) => break 0,
                Some(above) => {
                    path.push(above.index());
                    next = above.parent();
                }
            }
            // A chain longer than this is too deep, whatever else it is.
            if path.len() > LOOKED_UP_MAX {
                break 0;
            }
        };
        for index in path.into_iter().rev() {
            depth += 1;
            self.0[index] = depth;
        }
        self.0[span.index()]
    }
}

/// Hostile chains are looked at in bounds.
const LOOKED_UP_MAX: usize = 64;

#[cfg(test)]
mod tests;
