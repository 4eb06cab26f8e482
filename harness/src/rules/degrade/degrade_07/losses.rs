//! Whether a process has counted what it lost: spans of requests that it answered, against its own counters.

use crate::model::{Case, Fault as Injected, Judgement, Process, Stimulus};
use crate::rules::absence::{Proof, proof_of_fence, resumed};
use crate::rules::exporters::{Says, says};
use crate::rules::exposed::last_scrape_of;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, shown};

use super::work;

pub(super) fn judge(
    case: &Case,
    outages: &[&Injected],
    process: &Process,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let Some(exposed) = last_scrape_of(case, &process.id) else { return };
    // A missing exposition is SCRAPE-01's, one that cannot be read METRIC-01's.
    let Ok(exposition) = exposed.exposition() else { return };
    // Until export has resumed, what waits may still come, and what will not is not counted yet.
    let settled = |outage: &&&Injected| resumed(case, process, outage).is_some_and(|resumed| resumed < exposed.scrape.at);
    let settled: Vec<&Injected> = outages.iter().filter(settled).copied().collect();
    let lost = work(case, process, |answered| settled.iter().any(|outage| outage.covers(answered)))
        .filter(|stimulus| is_lost(case, process, stimulus))
        .count() as u64;
    if lost == 0 {
        return;
    }
    let subject = format!("{}, lost spans", shown(&process.service));
    if let Proof::Unknown(why) = proof_of_fence(case, process, None) {
        return judgement.gap(subject, why);
    }
    judgement.judged();
    let says = says(case, &process.service, exposition);
    if says.counts && says.spans >= lost as f64 {
        return;
    }
    tally.add(subject, "uncounted", None, || Fault {
        required: "each span that is given up, in a counter".into(),
        seen: seen(lost, &says),
        fix: "count what the queue has no room for, and what could not be exported, with `error.type` \
              (`otel.sdk.processor.span.processed`, `otel.sdk.exporter.span.exported`), and expose it; probity explain DEGRADE-07"
            .into(),
        ..Fault::default()
    });
}

fn seen(lost: u64, says: &Says) -> String {
    let lost = format!("{} answered without a span that came", count(lost, "request"));
    match says.counts {
        true => format!("{lost}, {} counted", count(says.spans as u64, "lost span")),
        false => format!("{lost}, and no counter of lost spans"),
    }
}

/// Whether no span of the process came for a request.
fn is_lost(case: &Case, process: &Process, stimulus: &Stimulus) -> bool {
    stimulus.trace.is_some_and(|trace| case.spans.trace(trace).all(|span| case.service(span) != process.service))
}
