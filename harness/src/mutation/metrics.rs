//! Breaks of expositions: families and buckets that go missing, counts that are wrong, labels that grow.

use std::fmt::Write as _;

use super::{Mutant, Mutation};
use crate::model::{Case, Evidence, Family, FamilyKind, Resolution, ScrapeStage, ServiceDeclaration, Target};

pub(super) static BREAKS: &[Mutation] = &[
    Mutation { name: "lose-family", about: "a declared family is not exposed", mutants: lose_family },
    Mutation { name: "lose-count", about: "a counter missed one", mutants: lose_count },
    Mutation { name: "lose-bucket", about: "a histogram has no +Inf bucket", mutants: lose_bucket },
    Mutation {
        name: "milliseconds",
        about: "a histogram of seconds observes milliseconds",
        mutants: milliseconds,
    },
    Mutation { name: "add-id-label", about: "a label holds an id of each user", mutants: add_id_label },
];

/// Label values that an id label brings.
const IDS: usize = 200;

/// Each declared family that a last scrape exposes and `wanted` picks, changed there and in what Prometheus is
/// told.
fn on_family(case: &Case, wanted: fn(&Family) -> bool, change: fn(&str, &Family) -> String) -> Vec<Mutant> {
    let services = case.declaration.into_iter().flat_map(|declaration| &declaration.services);
    let families = services.flat_map(|service| service.families.iter().map(move |family| (service, family)));
    let exposed = families.filter(|(service, family)| {
        wanted(family)
            && case.evidence.scrapes.iter().any(|scrape| {
                scrape.stage == ScrapeStage::Last
                    && scrape.service == service.name
                    && scrape.answer.body.lines().any(|line| sample_of(line, family).is_some())
            })
    });
    let mutant = |(service, family): (&ServiceDeclaration, &Family)| {
        let (service, family) = (service.name.clone(), family.clone());
        Mutant::new(format!("{service} {}", family.name), move |evidence: &mut Evidence| {
            let scrapes = evidence.scrapes.iter_mut().filter(|scrape| scrape.stage == ScrapeStage::Last);
            let ours = scrapes.filter(|scrape| scrape.service == service).map(|scrape| &mut scrape.answer);
            let theirs = evidence.targets.iter_mut().filter(|target| is_of(target, &service));
            for answer in ours.chain(theirs.filter_map(|target| target.answer.as_mut())) {
                answer.body = change(&answer.body, &family);
            }
        })
    };
    exposed.map(mutant).collect()
}

fn is_of(target: &Target, name: &str) -> bool {
    matches!(&target.resolved, Resolution::Port { service, .. } if service == name)
}

/// What follows the family's name in a line of its samples: `_total{method="GET"} 3`.
fn sample_of<'l>(line: &'l str, family: &Family) -> Option<&'l str> {
    let rest = line.strip_prefix(family.name.as_str())?;
    let end = rest.find(['{', ' ']).unwrap_or(rest.len());
    matches!(&rest[..end], "" | "_total" | "_bucket" | "_sum" | "_count" | "_created").then_some(rest)
}

/// Lines made of lines; `None` leaves one out.
fn lines(body: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    body.lines().filter_map(&mut change).fold(String::with_capacity(body.len()), |mut text, line| {
        text.push_str(&line);
        text.push('\n');
        text
    })
}

/// The value of a sample's line, changed; an exemplar behind it stays.
fn with_value(line: &str, change: impl Fn(f64) -> f64) -> String {
    let from = line.find('}').map_or_else(|| line.find(' ').unwrap_or(0), |brace| brace + 1);
    let (head, tail) = line.split_at(from);
    let (value, behind) = match tail.trim_start().split_once(' ') {
        Some((value, behind)) => (value, format!(" {behind}")),
        None => (tail.trim(), String::new()),
    };
    match value.parse::<f64>() {
        Ok(value) => format!("{head} {}{behind}", change(value)),
        Err(_) => line.to_string(),
    }
}

fn lose_family(case: &Case) -> Vec<Mutant> {
    on_family(
        case,
        |_| true,
        |body, family| {
            lines(body, |line| {
                let described = line.starts_with('#') && line.split(' ').nth(2) == Some(family.name.as_str());
                (!described && sample_of(line, family).is_none()).then(|| line.to_string())
            })
        },
    )
}

fn lose_count(case: &Case) -> Vec<Mutant> {
    on_family(
        case,
        |family| family.kind == FamilyKind::Counter && family.counts.is_some(),
        |body, family| {
            let mut lost = false;
            lines(body, |line| {
                let counts = sample_of(line, family).is_some_and(|rest| !rest.starts_with("_created"));
                let changed = with_value(line, |value| value - 1.0);
                if !counts || lost || changed.contains(" -1") {
                    return Some(line.to_string());
                }
                lost = true;
                Some(changed)
            })
        },
    )
}

fn lose_bucket(case: &Case) -> Vec<Mutant> {
    on_family(
        case,
        |family| family.kind == FamilyKind::Histogram,
        |body, family| {
            lines(body, |line| {
                let last = sample_of(line, family).is_some() && line.contains("le=\"+Inf\"");
                (!last).then(|| line.to_string())
            })
        },
    )
}

/// Every observation is a thousand times as large: above every bound, and in the sum.
fn milliseconds(case: &Case) -> Vec<Mutant> {
    on_family(
        case,
        |family| family.kind == FamilyKind::Histogram && family.unit == "seconds",
        |body, family| {
            lines(body, |line| match sample_of(line, family) {
                Some(rest) if rest.starts_with("_sum") => Some(with_value(line, |value| value * 1_000.0)),
                Some(rest) if rest.starts_with("_bucket") && !rest.contains("le=\"+Inf\"") => {
                    Some(with_value(line.split(" # ").next().unwrap_or(line), |_| 0.0))
                }
                _ => Some(line.to_string()),
            })
        },
    )
}

fn add_id_label(case: &Case) -> Vec<Mutant> {
    on_family(
        case,
        |family| family.kind == FamilyKind::Counter,
        |body, family| {
            let mut grown = false;
            lines(body, |line| match sample_of(line, family) {
                Some(rest) if !grown && !rest.starts_with("_created") => {
                    grown = true;
                    Some(with_ids(line, rest))
                }
                _ => Some(line.to_string()),
            })
        },
    )
}

/// The sample, once for each of many users.
fn with_ids(line: &str, rest: &str) -> String {
    let name = &line[..line.len() - rest.len()];
    let (suffix, labels, value) = match rest.split_once('{') {
        Some((suffix, tail)) => {
            let (labels, value) = tail.split_once('}').unwrap_or((tail, " 1"));
            (suffix, format!("{labels},"), value)
        }
        None => {
            let (suffix, value) = rest.split_once(' ').unwrap_or((rest, "1"));
            (suffix, String::new(), value)
        }
    };
    let value = value.split_whitespace().next().unwrap_or("1");
    let mut text = String::new();
    for number in 0..IDS {
        _ = writeln!(text, "{name}{suffix}{{{labels}user_id=\"u-{}\"}} {value}", 7_301_944 + number * 7);
    }
    text.trim_end().to_string()
}
