//! TRACE-06: a tick with work is a trace of its own, a tick without is none.

use std::collections::HashMap;

use crate::model::{Case, Judgement, Severity, Span, Tick, TraceId};
use crate::rules::Rule;
use crate::rules::picture::{Picture, line_of, top_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, span_subject};

use super::roots::begins;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-06",
    severity: Severity::Error,
    requirement: "each turn of a timer or poll loop that finds work begins a trace of its own, and a turn without work makes no span",
    needs: &["spans", "ticks"],
    page: include_str!("../pages/TRACE-06.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let ticking = ticks(case);
    if ticking.is_empty() {
        return judgement;
    }
    let mut begun: HashMap<TraceId, u64> = HashMap::new();
    for span in case.spans.iter().filter(|span| is_tick_of(&ticking, case, *span)) {
        judgement.judged();
        if !begins(case, span) {
            tally.add(span_subject(case, span), "under another", Some(span), || describe_nested(case, span));
            continue;
        }
        let earlier = begun.entry(span.trace()).or_default();
        *earlier += 1;
        if *earlier > 1 {
            let ticks = *earlier;
            tally.add(span_subject(case, span), "one trace", Some(span), || Fault {
                required: "a new trace for each turn".into(),
                seen: format!("{} began in one trace", count(ticks, "turn")),
                fix: "start each turn under an empty context; probity explain TRACE-06".into(),
                ..Fault::default()
            });
        }
        if span.children().next().is_none() {
            tally.add(span_subject(case, span), "empty", Some(span), || Fault {
                required: "no span for a turn that found nothing to do".into(),
                seen: "a span with nothing under it".into(),
                fix: "look for work first, and start the span when there is some; count empty turns in a metric; probity explain \
                      TRACE-06"
                    .into(),
                ..Fault::default()
            });
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The declared ticks of each service.
fn ticks<'a>(case: &Case<'a>) -> HashMap<&'a str, &'a [Tick]> {
    let services = case.declaration.into_iter().flat_map(|declaration| &declaration.services);
    let ticking = services.filter(|service| !service.ticks.is_empty());
    ticking.map(|service| (service.name.as_str(), service.ticks.as_slice())).collect()
}

fn is_tick_of(ticking: &HashMap<&str, &[Tick]>, case: &Case, span: Span<'_>) -> bool {
    let ticks = ticking.get(case.service(span)).copied().unwrap_or_default();
    ticks.iter().any(|tick| tick.kind == span.kind() && tick.span == span.name())
}

/// Whether a span is one of a declared tick of its service: such a span may begin a trace.
pub(super) fn is_tick(case: &Case, span: Span<'_>) -> bool {
    let service = case.declaration.and_then(|declaration| declaration.service(case.service(span)));
    service.is_some_and(|service| service.ticks.iter().any(|tick| tick.kind == span.kind() && tick.span == span.name()))
}

fn describe_nested(case: &Case, span: Span<'_>) -> Fault {
    let mut picture = Picture::default();
    let top = top_of(span);
    picture.tree(case, top, 0, &|seen| if seen == span { ('+', "should begin a trace") } else { (' ', "") });
    let under = match span.parent() {
        Some(_) => format!("under {}", quoted(&line_of(case, top))),
        None => "under a span that was never captured".into(),
    };
    Fault {
        required: "the beginning of a trace".into(),
        seen: format!("{under}: a trace that grows for as long as the process lives"),
        tree: picture.text(),
        fix: "start each turn under an empty context, and no span around the loop; probity explain TRACE-06".into(),
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests;
