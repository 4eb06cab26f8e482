//! METRIC-09: rate, errors and duration of every service that answers requests; how full its queues and pools are.

use crate::exposition::{Family, FamilyType};
use crate::model::{
    Case, Counted, Declaration, Judgement, Saturated, ScrapeStage, ServiceDeclaration, Severity,
};
use crate::rules::Rule;
use crate::rules::exposed::{Exposed, answers_for_itself, counts, last_scrapes, lost_port};
use crate::rules::tally::{Fault, Tally};

use super::metric_01::is_due;

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-09",
    severity: Severity::Error,
    requirement: "who answers requests shows rate, errors and duration; who consumes, relays or pools shows what waits",
    needs: &["scrapes", "families", "edges", "topics"],
    page: include_str!("../pages/METRIC-09.md"),
    judge,
};

/// Labels that tell one outcome from another.
const OUTCOMES: [&str; 12] = [
    "http_response_status_code",
    "rpc_response_status_code",
    "rpc_grpc_status_code",
    "grpc_code",
    "status_code",
    "status",
    "code",
    "outcome",
    "result",
    "error_type",
    "error",
    "exception",
];

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let Some(declaration) = case.declaration else { return judgement };
    for exposed in last_scrapes(case).iter().filter(|exposed| exposed.scrape.stage == ScrapeStage::Last) {
        let process = answers_for_itself(case, exposed.scrape);
        let its_own = process.is_some_and(|process| lost_port(case, &process.id).is_none());
        let Some(service) = declaration.service(exposed.service()).filter(|_| its_own) else { continue };
        judge_requests(case, declaration, service, exposed, &mut judgement, &mut tally);
        judge_saturation(case, declaration, service, exposed, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

// === Rate, errors, duration ===

fn judge_requests(
    case: &Case,
    declaration: &Declaration,
    service: &ServiceDeclaration,
    exposed: &Exposed,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    if !answers_requests(declaration, service) {
        return;
    }
    let serving: Vec<&Family> = exposed.exposition().into_iter().flat_map(|read| &read.families).filter(|family| serves(service, family)).collect();
    let counted: Vec<&Family> = serving.iter().copied().filter(|family| has_traffic(family)).collect();
    if counted.is_empty() {
        // Whether there were requests at all, and where the families are, is METRIC-01's.
        let shows = exposed.exposition().is_ok_and(|read| !read.families.is_empty());
        let due = service.families.iter().any(|family| declared_to_serve(family) && is_due(case, exposed, family));
        if serving.is_empty() && shows && due {
            judgement.gap(
                service.name.as_str(),
                format!("{} exposes no family of its requests: METRIC-01", service.name),
            );
        }
        return;
    }
    judgement.judged();
    let lacks = |tally: &mut Tally, what: &'static str, seen: &str| {
        tally.add(format!("{}, requests", service.name), what, None, || Fault {
            required: format!("the {what} of its requests"),
            seen: seen.into(),
            candidates: counted.iter().map(|family| family.name.to_string()).take(3).collect(),
            fix: "count every answer once, under its outcome, and observe its duration in a histogram; probity explain \
                  METRIC-09"
                .into(),
            ..Fault::default()
        });
    };
    if !counted.iter().any(|family| tells_outcome(family)) {
        lacks(tally, "errors", "no label of their families tells how a request ended");
    }
    if !counted.iter().any(|family| family.kind == FamilyType::Histogram) {
        lacks(tally, "duration", "no histogram among their families");
    }
}

/// Operations are asked of it, or a declared call ends at it.
fn answers_requests(declaration: &Declaration, service: &ServiceDeclaration) -> bool {
    let asked = declaration.operations.iter().any(|operation| operation.service == service.name);
    let called = declaration.edges.iter().any(|edge| edge.to == service.name && edge.over.is_call());
    asked || called
}

/// Families of the requests that a service answers: declared so, or named so by the conventions.
fn serves(service: &ServiceDeclaration, family: &Family) -> bool {
    let declared = service.families.iter().find(|declared| declared.name == family.base_name());
    let counts_requests = declared.is_some_and(|declared| matches!(declared.counts, Some(Counted::HttpRequests { .. })));
    counts_requests || by_convention(&family.name)
}

fn by_convention(name: &str) -> bool {
    ["http_server_", "rpc_server_", "grpc_server_"].iter().any(|prefix| name.starts_with(prefix))
}

fn declared_to_serve(family: &crate::model::Family) -> bool {
    matches!(family.counts, Some(Counted::HttpRequests { .. })) || by_convention(&family.name)
}

fn has_traffic(family: &Family) -> bool {
    counts(family).is_some_and(|counts| counts.iter().any(|sample| sample.value > 0.0))
}

fn tells_outcome(family: &Family) -> bool {
    let counted = counts(family).unwrap_or_default();
    let tells = |label: &&str| counted.iter().all(|sample| sample.labels.get(label).is_some());
    !counted.is_empty() && OUTCOMES.iter().any(tells)
}

// === Saturation ===

fn judge_saturation(
    case: &Case,
    declaration: &Declaration,
    service: &ServiceDeclaration,
    exposed: &Exposed,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    // Where there are no families at all, METRIC-01 says so.
    let Some(exposition) = exposed.exposition().ok().filter(|read| !read.families.is_empty()) else { return };
    let own = |family: &&Family| service.families.iter().any(|declared| declared.name == family.base_name());
    let shows_none = !exposition.families.iter().any(|family| own(&family));
    if shows_none && service.families.iter().any(|family| is_due(case, exposed, family)) {
        let why = format!("{} exposes none of its own families: METRIC-01", service.name);
        return judgement.gap(service.name.as_str(), why);
    }
    let consumed = declaration.kafka_topics().filter(|topic| topic.groups.iter().any(|group| group.service == service.name));
    let lags = consumed.map(|topic| Saturated::ConsumerLag { topic: topic.name.clone() });
    let declared = service.saturation.iter().map(|saturation| saturation.of.clone());
    let mut due: Vec<Saturated> = lags.chain(declared).collect();
    due.dedup();
    let mut seen: Vec<Saturated> = Vec::new();
    for full in due {
        if seen.contains(&full) {
            continue;
        }
        judgement.judged();
        let family = service.saturation.iter().find(|saturation| saturation.of == full).map(|known| known.family.as_str());
        let shows = |family: &&Family| {
            family.kind == FamilyType::Gauge && !family.samples.is_empty() && family.name == family_name_of(service, &full)
        };
        if !exposition.families.iter().any(|family| shows(&family)) {
            tally.add(format!("{}, {}", service.name, what(&full)), "not shown", None, || Fault {
                required: match family {
                    Some(family) => format!("the gauge `{family}`"),
                    None => "a gauge of it, declared".into(),
                },
                seen: match family {
                    Some(_) => "no such gauge with a value".into(),
                    None => "the system declares none".into(),
                },
                fix: "show what waits as a gauge, and alert on it: nothing else tells of work that is not done; probity \
                      explain METRIC-09"
                    .into(),
                ..Fault::default()
            });
        }
        seen.push(full);
    }
}

fn family_name_of<'s>(service: &'s ServiceDeclaration, full: &Saturated) -> &'s str {
    service.saturation.iter().find(|known| known.of == *full).map_or("", |known| known.family.as_str())
}

fn what(full: &Saturated) -> String {
    match full {
        Saturated::ConsumerLag { topic } => format!("lag of {topic}"),
        Saturated::OutboxAge { topic } => format!("age of the outbox of {topic}"),
        Saturated::Pool { backend } => format!("pool of {backend}"),
    }
}

#[cfg(test)]
mod tests;
