//! METRIC-01: after traffic, each service exposes what it declares to expose.

use crate::exposition::{Family as Exposition, FamilyType};
use crate::model::{Case, Counted, Family, FamilyKind, Judgement, Process, Severity, UnixNanos};
use crate::rules::Rule;
use crate::rules::absence::had_work;
use crate::rules::exposed::{Exposed, answers_for_itself, instances, last_scrapes, lost_port, suffix};
use crate::rules::outage::is_degraded;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::counted::Window;

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-01",
    severity: Severity::Error,
    requirement: "after traffic each service exposes its declared families, with their type, unit and labels",
    needs: &["scrapes", "stimuli", "records", "families"],
    page: include_str!("../pages/METRIC-01.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for exposed in last_scrapes(case) {
        let declared = case.declaration.and_then(|declaration| declaration.service(exposed.service()));
        let Some(service) = declared else { continue };
        let due: Vec<&Family> = service.families.iter().filter(|family| is_due(case, &exposed, family)).collect();
        if !due.is_empty() {
            judge_process(case, &exposed, &due, &mut judgement, &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_process(case: &Case, exposed: &Exposed, due: &[&Family], judgement: &mut Judgement, tally: &mut Tally) {
    let service = exposed.service();
    let holder = lost_port(case, &exposed.scrape.process);
    let mut missing = Vec::new();
    for declared in due {
        match (exposed.family(&declared.name), exposed.exposition()) {
            (Some(family), _) => {
                judgement.judged();
                judge_family(service, declared, family, tally);
            }
            (None, Err(why)) if holder.is_none() && exposed.is_unreadable() => {
                judgement.judged();
                return tally.add(service.into(), "unreadable", None, || Fault {
                    required: "an exposition that a scraper can read: of one that it cannot, it takes nothing".into(),
                    seen: why.into(),
                    fix: "let a client library write the exposition, in the format that the content type names; probity \
                          explain METRIC-01"
                        .into(),
                    ..Fault::default()
                });
            }
            (None, Err(why)) if holder.is_none() => {
                return judgement.gap(service, format!("no exposition: {why}"));
            }
            (None, _) => {
                judgement.judged();
                missing.push(declared.name.as_str());
            }
        }
    }
    if missing.is_empty() {
        return;
    }
    tally.add(service.into(), "missing", None, || Fault {
        required: format!("after its traffic, the declared families: {}", quoted(&missing)),
        seen: match holder {
            Some(_) => "another process answers on its metrics port, and it goes on without its own".into(),
            None => format!("none of them, among {} others", exposed.exposition().map_or(0, |read| read.families.len())),
        },
        candidates: candidates(exposed, &missing),
        fix: "switch the metrics on (in many frameworks a block in the configuration, or a middleware), register them where \
              this address serves from; probity explain METRIC-01"
            .into(),
        ..Fault::default()
    });
}

fn judge_family(service: &str, declared: &Family, family: &Exposition, tally: &mut Tally) {
    let subject = || format!("{service}, family `{}`", declared.name);
    let wanted = match declared.kind {
        FamilyKind::Counter => FamilyType::Counter,
        FamilyKind::Gauge => FamilyType::Gauge,
        FamilyKind::Histogram => FamilyType::Histogram,
    };
    if family.kind != wanted {
        tally.add(subject(), "type", None, || Fault {
            required: format!("a {wanted}"),
            seen: format!("a {}", family.kind),
            ..Fault::default()
        });
        return;
    }
    let named = declared.unit.is_empty() || family.base_name().ends_with(&format!("_{}", declared.unit));
    let said = family.unit.as_deref();
    if said.map_or(!named, |unit| unit != declared.unit) {
        tally.add(subject(), "unit", None, || Fault {
            required: if declared.unit.is_empty() { "no unit".into() } else { format!("the unit {}", declared.unit) },
            seen: said.map_or("no UNIT line, and a name without it".into(), |unit| format!("the unit {}", shown(unit))),
            ..Fault::default()
        });
    }
    let lacking = declared.labels.iter().find_map(|label| {
        let without = |sample: &&crate::exposition::Sample| {
            suffix(family, sample) != "_created" && sample.labels.get(label).is_none()
        };
        Some((label, family.samples.iter().find(without)?))
    });
    if let Some((label, sample)) = lacking {
        tally.add(subject(), "label", None, || Fault {
            required: format!("at least the labels {}", quoted(&declared.labels)),
            seen: format!("`{}{}` without `{label}`", sample.name, shown(&sample.labels.to_string())),
            ..Fault::default()
        });
    }
}

/// Words that families share without having anything in common.
const UNITS: [&str; 3] = ["seconds", "bytes", "total"];

/// Families that have words in common with a missing one.
fn candidates(exposed: &Exposed, missing: &[&str]) -> Vec<String> {
    let Ok(exposition) = exposed.exposition() else { return Vec::new() };
    let words: Vec<&str> = missing.iter().flat_map(|name| name.split('_')).filter(|word| word.len() > 3 && !UNITS.contains(word)).collect();
    let alike = |name: &str| words.iter().filter(|word| name.contains(*word)).count();
    let mut known: Vec<_> = exposition.families.iter().map(|family| (alike(&family.name), &family.name)).collect();
    known.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    known.iter().filter(|(alike, _)| *alike > 0).take(3).map(|(_, name)| shown(name)).collect()
}

fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}

/// Whether what a family counts has happened in the scraped process, as other evidence shows: only then must it be there.
pub(super) fn is_due(case: &Case, exposed: &Exposed, family: &Family) -> bool {
    let Some(process) = answers_for_itself(case, exposed.scrape) else { return false };
    let at = exposed.scrape.at;
    let driven = || Window::up_to(case, exposed.scrape).driven(case);
    let alone = || instances(case, &process.service) == 1;
    let recorded = |topic: &String| case.evidence.records.iter().any(|record| record.topic == *topic && record.at <= at);
    match &family.counts {
        Some(Counted::HttpRequests { .. }) => driven().iter().any(|driven| driven.status.is_some()),
        Some(Counted::Calls { to, .. }) => driven().iter().any(|driven| {
            let calls = driven.operation.is_some_and(|operation| operation.calls.as_deref() == Some(to));
            calls && driven.status == Some(200)
        }),
        Some(Counted::DegradedAnswers) => driven().iter().any(|driven| {
            let answer = driven.stimulus.answer.as_ref().filter(|_| driven.status.is_some());
            driven.operation.zip(answer).is_some_and(|(operation, answer)| is_degraded(operation, answer))
        }),
        Some(Counted::RecordsSent { topic }) => alone() && recorded(topic),
        Some(Counted::RecordsConsumed { topic }) => alone() && recorded(topic) && is_consumed(case, topic, &process.service),
        // It may never have come to that.
        Some(Counted::SpansLost) => false,
        None => driven().iter().any(|driven| driven.status.is_some()) || worked(case, process, at),
    }
}

/// Whether a group of the service has committed records of the topic.
fn is_consumed(case: &Case, topic: &str, service: &str) -> bool {
    let groups = case.declaration.and_then(|declaration| declaration.topic(topic)).map(|topic| topic.groups.as_slice());
    groups.unwrap_or_default().iter().filter(|group| group.service == service).any(|group| {
        let of_it = |offset: &&crate::model::GroupOffset| (offset.topic.as_str(), offset.group.as_str()) == (topic, &group.name);
        case.evidence.offsets.iter().filter(of_it).any(|offset| offset.committed.is_some_and(|committed| committed > 0))
    })
}

/// Whether the process had done work before the scrape that has no request of ours: calls, records. One that lost its port was
/// never seen ready, and its group's commits are its work.
fn worked(case: &Case, process: &Process, at: UnixNanos) -> bool {
    let before = case.evidence.stimuli.iter().any(|stimulus| stimulus.answered.is_some_and(|answered| answered <= at));
    let topics = case.declaration.into_iter().flat_map(|declaration| &declaration.topics);
    let consumed = || topics.into_iter().any(|topic| is_consumed(case, &topic.name, &process.service));
    before && (had_work(case, process) || lost_port(case, &process.id).is_some() && consumed())
}

#[cfg(test)]
mod tests;
