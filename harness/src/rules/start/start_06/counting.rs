//! Whether the first request of a process was counted: by the family that counts requests, under its own outcome.

use crate::model::{Case, Counted, Family, FamilyKind, Process, Stimulus, UnixNanos};
use crate::rules::exposed::{Exposed, counts, first_scrape, last_scrapes};
use crate::rules::traffic::operation_of;

/// What is wrong with the count of requests like the first; `None`: it cannot be said.
pub(super) fn uncounted(case: &Case, process: &Process, first: &Stimulus, asked: &[&Stimulus]) -> Option<Option<String>> {
    let operation = operation_of(case, first)?;
    let status = first.answer.as_ref()?.status;
    let service = case.declaration?.service(&process.service)?;
    let family = service.families.iter().filter(|family| requests(family).is_some()).min_by_key(|family| family.kind != FamilyKind::Counter)?;
    let last = last_scrapes(case).into_iter().find(|last| last.scrape.process == process.id)?;
    let before = first_scrape(case, &process.id).filter(|before| before.scrape.at <= first.sent);
    let wanted = (operation.method.as_str(), operation.route.as_str(), status.to_string());
    let began = match &before {
        Some(before) => count(before, family, &wanted).unwrap_or(0.0),
        None => 0.0,
    };
    let counted = count(&last, family, &wanted)? - began;
    let from: UnixNanos = before.as_ref().map_or(0, |before| before.scrape.at);
    let like_it = |stimulus: &&&Stimulus| {
        operation_of(case, stimulus).is_some_and(|known| known.name == operation.name)
            && stimulus.answer.as_ref().is_some_and(|answer| answer.status == status)
            && stimulus.sent >= from
            && stimulus.answered.is_some_and(|answered| answered <= last.scrape.at)
    };
    let driven = asked.iter().filter(like_it).count() as f64;
    let (method, route, status) = wanted;
    Some((counted < driven).then(|| format!("{method} {route} {status}: {driven} answered, {counted} counted")))
}

fn requests(family: &Family) -> Option<[&str; 3]> {
    match &family.counts {
        Some(Counted::HttpRequests { route_label, status_label, method_label }) => Some([method_label.as_str(), route_label.as_str(), status_label.as_str()]),
        _ => None,
    }
}

/// The value of the family's series of that method, route and status; none where the family, or a label of it, is not there
/// (METRIC-01).
fn count(exposed: &Exposed, family: &Family, (method, route, status): &(&str, &str, String)) -> Option<f64> {
    let labels = requests(family)?;
    let wanted = [*method, *route, status.as_str()];
    let mut total = 0.0;
    for sample in counts(exposed.family(&family.name)?)? {
        let set: Vec<(&str, &str)> = sample.labels.iter().collect();
        let value = |label: &str| set.iter().find(|(name, _)| *name == label).map(|(_, value)| *value);
        let seen = [value(labels[0])?, value(labels[1])?, value(labels[2])?];
        if seen == wanted {
            total += sample.value;
        }
    }
    Some(total)
}
