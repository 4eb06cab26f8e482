//! METRIC-04: cardinality budgets: few label sets a family, no label that names a person or a request, no overflow.

use std::collections::BTreeSet;

use crate::exposition::{Family, FamilyType};
use crate::model::{Case, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::exposed::{label_sets, label_values, last_scrapes, some_values};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::otlp;
use super::values::id_like;

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-04",
    severity: Severity::Error,
    requirement: "families stay within their budget of label sets, and labels hold no ids",
    needs: &["scrapes", "metrics", "thresholds"],
    page: include_str!("../pages/METRIC-04.md"),
    judge,
};

/// What the SDKs put on the point that stands for everything beyond their limit.
const OVERFLOW: &str = "otel.metric.overflow";

/// Labels that name a server or a build, of which there are few: an address or a hash is right there.
const OF_SERVERS: [&str; 6] =
    ["instance", "job", "server_address", "service_instance_id", "net_peer_name", "network_peer_address"];

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for exposed in last_scrapes(case) {
        let Ok(exposition) = exposed.exposition() else { continue };
        judgement.judged();
        for family in exposition.families.iter().filter(|family| !describes_target(family)) {
            judge_family(case, exposed.service(), family, &mut tally);
        }
    }
    judge_pushed(case, &mut judgement, &mut tally);
    tally.put_into(&mut judgement);
    judgement
}

/// `target_info` and its like describe what is scraped: one series each, whatever is in their labels.
fn describes_target(family: &Family) -> bool {
    family.kind == FamilyType::Info || family.name.ends_with("_info")
}

fn judge_family(case: &Case, service: &str, family: &Family, tally: &mut Tally) {
    let name = shown(&family.name);
    let values = label_values(family);
    let overflow = OVERFLOW.replace('.', "_");
    if values.get(overflow.as_str()).is_some_and(|values| values.contains("true")) {
        tally.add(format!("{service}, family `{name}`"), "overflow", None, overflowed);
    }
    let sets = label_sets(family).len() as u64;
    let (warn, fail) = (case.thresholds().label_sets_warn, case.thresholds().label_sets_fail);
    if sets > warn {
        let severity = if sets > fail { Severity::Error } else { Severity::Warning };
        let widest = values.iter().max_by_key(|(name, values)| (values.len(), std::cmp::Reverse(*name)));
        tally.add_as(severity, format!("{service}, family `{name}`"), "budget", None, || Fault {
            required: format!("at most {fail} label sets, better no more than {warn}"),
            seen: format!("{sets} label sets{}", widest.map_or(String::new(), |(label, values)| {
                format!(", {} values of `{}`: {}", values.len(), shown(label), some_values(values.iter().copied()))
            })),
            fix: "drop the label with the most values, or fold its values into a few; a wider budget is a threshold with a \
                  reason; probity explain METRIC-04"
                .into(),
            ..Fault::default()
        });
    }
    for (label, values) in &values {
        judge_label(case, service, &name, label, values, tally);
    }
}

fn judge_label(
    case: &Case,
    service: &str,
    family: &str,
    label: &str,
    values: &BTreeSet<&str>,
    tally: &mut Tally,
) {
    if label.starts_with("otel_scope_") || OF_SERVERS.contains(&label) {
        return;
    }
    let subject = || format!("{service}, family `{family}`, label `{}`", shown(label));
    let forbidden = case.thresholds().forbidden_labels.iter().any(|name| name == label);
    if forbidden && !are_routes(case, values) {
        tally.add(subject(), "forbidden", None, || Fault {
            required: "no label that names a client, a user or a request".into(),
            seen: format!("{} in `{}`", some_values(values.iter().copied()), shown(label)),
            fix: format!("drop `{}`: it grows with the traffic, and says who somebody is; probity explain METRIC-04", shown(label)),
            ..Fault::default()
        });
    } else if let Some((value, what)) = values.iter().find_map(|value| Some((value, id_like(value)?))) {
        tally.add(subject(), "id", None, || Fault {
            required: "values from a small, known set".into(),
            seen: format!("{what}: `{}`", shown(value)),
            fix: "use the template instead of the value (`/users/{id}`), or drop the label; probity explain METRIC-04".into(),
            ..Fault::default()
        });
    }
}

/// A label may be called `path` where its values are the declared routes, or templates by their looks.
fn are_routes(case: &Case, values: &BTreeSet<&str>) -> bool {
    let declared = |value: &str| {
        case.declaration.is_some_and(|declaration| {
            let unspanned = declaration.services.iter().flat_map(|service| &service.unspanned_paths);
            declaration.operations.iter().map(|operation| &operation.route).chain(unspanned).any(|route| route == value)
        })
    };
    let template = |value: &str| value.starts_with('/') && value.contains(['{', ':', '<', '*']) && id_like(value).is_none();
    values.iter().all(|value| declared(value) || template(value))
}

fn overflowed() -> Fault {
    Fault {
        required: "every series kept".into(),
        seen: format!("a point with `{OVERFLOW}`: the SDK met its limit (2000 series) and folded the rest into one"),
        fix: "find the attribute with the many values and drop it with a view; a higher limit only moves the day; probity \
              explain METRIC-04"
            .into(),
        ..Fault::default()
    }
}

/// The same overflow, in what was pushed over OTLP.
fn judge_pushed(case: &Case, judgement: &mut Judgement, tally: &mut Tally) {
    let mut known = BTreeSet::new();
    for metric in otlp::metrics(case) {
        // Once for all its exports: how many there were is a matter of time.
        if known.insert((metric.process.clone(), metric.subject())) {
            judgement.judged();
        }
        if metric.points_with(OVERFLOW) {
            tally.add(metric.subject(), "overflow", None, overflowed);
        }
    }
}

#[cfg(test)]
mod tests;
