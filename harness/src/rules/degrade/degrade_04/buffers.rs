//! How many records waited at one time, and whether those that were given up are counted.

use std::collections::BTreeMap;

use crate::exposition::Sample;
use crate::model::{Case, Counted, Fault, Judgement, ProcessId, Span, Status, UnixNanos};
use crate::rules::exposed::{Exposed, counts, last_scrapes};
use crate::rules::tally::{Fault as Violation, Tally};
use crate::rules::text::{count, quoted, shown};

use super::sends;

/// Labels that tell a failure: OpenTelemetry's, and what people call it.
const ERROR_LABELS: [&str; 5] = ["error_type", "error", "reason", "outcome", "result"];

pub(super) fn judge(case: &Case, outages: &[&Fault], judgement: &mut Judgement, tally: &mut Tally) {
    for service in case.declaration.into_iter().flat_map(|declaration| &declaration.services) {
        for buffer in &service.buffers {
            let mut by_process: BTreeMap<Option<&ProcessId>, Vec<Span<'_>>> = BTreeMap::new();
            for send in sends(case, &service.name, &buffer.topic) {
                by_process.entry(send.process()).or_default().push(send);
            }
            let waited = by_process.values().map(|sends| most_at_once(sends, outages)).max().unwrap_or(0);
            if waited == 0 {
                continue;
            }
            judgement.judged();
            if waited > buffer.records_max {
                tally.add(subject(&service.name, &buffer.topic), "unbounded", None, || Violation {
                    required: format!("at most {} that wait for Kafka at one time", count(buffer.records_max, "record")),
                    seen: format!("{} waited at one time", count(waited, "record")),
                    fix: "give what waits a bound, in records or bytes, and give up what is beyond it, counted and traced; probity \
                          explain DEGRADE-04"
                        .into(),
                    ..Violation::default()
                });
            }
        }
    }
    for exposed in last_scrapes(case) {
        judge_counts(case, &exposed, outages, judgement, tally);
    }
}

fn subject(service: &str, topic: &str) -> String {
    format!("{}, records of {}", shown(service), shown(topic))
}

/// The most sends that were under way at one moment, of those that began while Kafka was away. One that was given up at once
/// did not wait.
fn most_at_once(sends: &[Span<'_>], outages: &[&Fault]) -> u64 {
    let began_within = |span: &&Span<'_>| outages.iter().any(|fault| fault.covers(span.start()));
    let mut events: Vec<(UnixNanos, i64)> = Vec::new();
    for send in sends.iter().filter(began_within) {
        if send.end() > send.start() && !was_given_up_at_once(*send) {
            events.extend([(send.start(), 1), (send.end(), -1)]);
        }
    }
    // At the same moment what ends makes room for what begins.
    events.sort_unstable();
    let (mut now, mut most) = (0_i64, 0_i64);
    for (_, change) in events {
        now += change;
        most = most.max(now);
    }
    most.unsigned_abs()
}

/// Whether it failed sooner than any wait for a broker: refused by the buffer itself.
fn was_given_up_at_once(send: Span<'_>) -> bool {
    const AT_ONCE_NANOS: u64 = 1_000_000_000;
    send.status() == Status::Error && send.end().saturating_sub(send.start()) < AT_ONCE_NANOS
}

/// The failed sends of a process, up to its last scrape, are in the counter of what it sent, under a label that tells them from
/// the others.
fn judge_counts(case: &Case, exposed: &Exposed<'_>, outages: &[&Fault], judgement: &mut Judgement, tally: &mut Tally) {
    let service = exposed.service();
    let declared = case.declaration.and_then(|declaration| declaration.service(service));
    for family in declared.into_iter().flat_map(|service| &service.families) {
        let Some(Counted::RecordsSent { topic }) = &family.counts else { continue };
        let is_lost = |span: &&Span<'_>| {
            let within = outages.iter().any(|fault| fault.covers(span.start()));
            let its_own = span.process().is_none_or(|process| *process == exposed.scrape.process);
            within && its_own && span.status() == Status::Error && span.end() <= exposed.scrape.at
        };
        let lost = sends(case, service, topic).iter().filter(is_lost).count() as u64;
        // A missing family is METRIC-01's.
        let Some(samples) = exposed.family(&family.name).filter(|_| lost > 0).and_then(counts) else { continue };
        let tells = |sample: &&&Sample<'_>| ERROR_LABELS.iter().any(|label| is_failure(sample, label));
        let counted: f64 = samples.iter().filter(tells).map(|sample| sample.value).sum();
        judgement.judged();
        if counted.is_nan() || counted < lost as f64 {
            tally.add(subject(service, topic), "uncounted", None, || Violation {
                required: format!("each record that was given up in {}, with its error", quoted(&family.name)),
                seen: format!("{} given up, {counted} counted", count(lost, "record")),
                fix: "count a record that is given up where it is given up, under `error.type`; probity explain DEGRADE-04".into(),
                ..Violation::default()
            });
        }
    }
}

fn is_failure(sample: &Sample<'_>, label: &str) -> bool {
    let value = sample.labels.get(label).unwrap_or_default();
    !matches!(value.to_ascii_lowercase().as_str(), "" | "none" | "ok" | "success" | "sent" | "delivered" | "false")
}
