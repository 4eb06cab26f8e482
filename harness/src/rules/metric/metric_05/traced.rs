//! The sum of a latency histogram against the spans of the same operations: both measure the same work, each in its own way.

use crate::exposition::Family;
use crate::model::{Case, Kind, ProcessId};
use crate::rules::exposed::suffix;
use crate::rules::tally::Fault;

/// Families by the names of the conventions, and the spans of what they measure: their kind, and an attribute of theirs.
const MEASURED: [(&str, Kind, [&str; 2]); 6] = [
    ("http_server_", Kind::Server, ["http.request.method", "http.method"]),
    ("http_client_", Kind::Client, ["http.request.method", "http.method"]),
    ("rpc_server_", Kind::Server, ["rpc.system.name", "rpc.system"]),
    ("rpc_client_", Kind::Client, ["rpc.system.name", "rpc.system"]),
    ("db_client_", Kind::Client, ["db.system.name", "db.system"]),
    ("messaging_process_", Kind::Consumer, ["messaging.system", "messaging.operation.name"]),
];

/// A thousand between seconds and milliseconds, less what a histogram may see beyond the span (a pool, a queue).
const FACTOR: f64 = 100.0;

/// The same for each observation, where spans are very short.
const SLACK_SECONDS: f64 = 0.05;

/// Judged where every observation can have a span: of what was sampled away nobody knows how long it took.
pub(super) fn contradicted(case: &Case, process: &ProcessId, family: &Family) -> Option<Fault> {
    let (_, kind, attributes) =
        MEASURED.iter().find(|(prefix, ..)| family.name.starts_with(prefix) && family.name.contains("duration"))?;
    let total = |wanted: &str| -> f64 {
        family.samples.iter().filter(|sample| suffix(family, sample) == wanted).map(|sample| sample.value).sum()
    };
    let (observed, sum) = (total("_count"), total("_sum"));
    if observed <= 0.0 || sum <= observed * SLACK_SECONDS {
        return None;
    }
    let spans = case.spans_of(process).filter(|span| span.kind() == *kind);
    let spans = spans.filter(|span| attributes.iter().any(|key| span.str(key).is_some()));
    let (count, nanos) = spans.fold((0_u64, 0_u64), |(count, nanos), span| {
        (count + 1, nanos.saturating_add(span.end().saturating_sub(span.start())))
    });
    let traced = nanos as f64 / 1e9;
    if (count as f64) < observed || sum <= traced * FACTOR + observed * SLACK_SECONDS {
        return None;
    }
    Some(Fault {
        required: format!("about as long as the {count} spans of the same work, {} together", shown_seconds(traced)),
        seen: format!("a sum of {} seconds over {observed} observations", round(sum)),
        fix: "the values are in another unit than the name says, most often milliseconds: record seconds; probity explain \
              METRIC-05"
            .into(),
        ..Fault::default()
    })
}

fn shown_seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", round(seconds * 1e3)) } else { format!("{} s", round(seconds)) }
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
