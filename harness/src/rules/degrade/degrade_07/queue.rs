//! How many spans waited while the collector was away. What a queue holds comes when the collector is back: more than it may
//! hold can only come from one that has no bound.

use crate::model::{Case, Fault as Injected, Judgement, Process, Span};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, shown};

use super::{word, work};

pub(super) fn judge(
    case: &Case,
    outages: &[&Injected],
    process: &Process,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let bound = case.thresholds().spans_waiting_max;
    let mut ends = Vec::new();
    for span in case.spans.iter().filter(|span| span.process() == Some(&process.id)) {
        ends.extend(outages.iter().position(|outage| has_waited(span, outage)));
    }
    for (number, outage) in outages.iter().enumerate() {
        let waited = ends.iter().filter(|end| **end == number).count() as u64;
        // Who ended no more than may wait has shown nothing.
        let ended = work(case, process, |answered| outage.covers(answered)).count() as u64;
        if waited.max(ended) <= bound {
            continue;
        }
        judgement.judged();
        if waited > bound {
            tally.add(shown(&process.service), "unbounded", None, || Fault {
                required: format!("at most {} that wait while the collector {}", count(bound, "span"), word(outage.kind)),
                seen: format!("{} that ended meanwhile came after it", count(waited, "span")),
                fix: "give the queue a bound (`OTEL_BSP_MAX_QUEUE_SIZE`), drop what finds no room, and give a batch up after some \
                      attempts; probity explain DEGRADE-07"
                    .into(),
                ..Fault::default()
            });
        }
    }
}

/// Whether it ended within the outage and came when that was over.
fn has_waited(span: Span<'_>, outage: &Injected) -> bool {
    outage.covers(span.end()) && outage.ended.is_some_and(|ended| span.received() > ended)
}
