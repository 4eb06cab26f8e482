//! SCRAPE-01: every target of the scrape configuration is up, as Prometheus 3 would find it.

use crate::exposition::Format;
use crate::model::{Case, HttpAnswer, Judgement, Resolution, ServiceDeclaration, Severity, Target};
use crate::rules::Rule;
use crate::rules::exposed::{lost_port, read};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::targets::{beginning, files, metrics_port, place, right_address, speaks_tls_to_plain, subject};

pub(crate) static RULE: Rule = Rule {
    id: "SCRAPE-01",
    severity: Severity::Error,
    requirement: "every target is a live listener that answers with metrics, under a content type that says so",
    needs: &["targets", "files", "ports"],
    page: include_str!("../pages/SCRAPE-01.md"),
    judge,
};

/// What Prometheus calls up.
const UP: &str = "status 200, a content type of a metrics format, and a body in that format";

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for file in files(case) {
        if let Some(error) = &file.error {
            judgement.judged();
            tally.add_at(beginning(file), shown(&file.name), "file", || Fault {
                required: "a configuration that Prometheus starts with".into(),
                seen: error.chars().take(300).collect(),
                ..Fault::default()
            });
        }
    }
    for target in &case.evidence.targets {
        judge_target(case, target, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_target(case: &Case, target: &Target, judgement: &mut Judgement, tally: &mut Tally) {
    if let Some(what) = &target.not_evaluated {
        return judgement.gap(subject(target), format!("not evaluated: {}", shown(what)));
    }
    let declared = |name: &str| case.declaration.and_then(|declaration| declaration.service(name));
    let fault = match &target.resolved {
        // Hosts that are not there are SCRAPE-02's.
        Resolution::UnknownHost => return,
        Resolution::Scraper if target.is_prometheus() => None,
        Resolution::Scraper => Some(on_scraper(target)),
        Resolution::ClosedPort { host } => Some(Fault {
            seen: "connection refused: nothing listens on that port".into(),
            ..misdirected(declared(host))
        }),
        Resolution::Port { service, role } => {
            let mut instances = case.processes_of(service).peekable();
            // A service that this scenario did not start is not down, and one whose port was taken is SCRAPE-03's.
            if instances.peek().is_none() || instances.any(|process| lost_port(case, &process.id).is_some()) {
                return;
            }
            let Some(answer) = &target.answer else {
                return judgement.gap(subject(target), "it was not asked");
            };
            let service = declared(service);
            not_up(case, target, answer).map(|seen| Fault { seen: seen + &whose(service, role), ..misdirected(service) })
        }
    };
    judgement.judged();
    if let Some(fault) = fault {
        tally.add_at(place(target), subject(target), "down", || fault);
    }
}

/// Why Prometheus would show the target as down.
fn not_up(case: &Case, target: &Target, answer: &HttpAnswer) -> Option<String> {
    if speaks_tls_to_plain(case, target) {
        return Some("https, asked of a port that speaks http".into());
    }
    let fallback = target.fallback_protocol.as_deref().and_then(Format::of_protocol);
    let why = read(answer, fallback).err()?;
    Some(format!("{} answers {why}", shown(&target.path)))
}

fn whose(service: Option<&ServiceDeclaration>, role: &str) -> String {
    let metrics = service.and_then(metrics_port);
    match metrics.filter(|(port, _)| port.role != role) {
        Some((port, _)) => format!("; it is the {role} port, and metrics are on the {} port", port.role),
        None => String::new(),
    }
}

fn on_scraper(target: &Target) -> Fault {
    Fault {
        required: UP.into(),
        seen: format!("{} is the host of Prometheus itself, where no service listens", shown(&target.address)),
        fix: "name the service as the other containers call it: localhost is each container's own; probity explain SCRAPE-01".into(),
        ..Fault::default()
    }
}

/// What to write instead.
fn misdirected(service: Option<&ServiceDeclaration>) -> Fault {
    let right = service.and_then(right_address);
    Fault {
        required: UP.into(),
        candidates: right.clone().into_iter().collect(),
        fix: match right {
            Some(right) => format!("scrape {right}; probity explain SCRAPE-01"),
            None => "scrape a port that serves metrics; probity explain SCRAPE-01".into(),
        },
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests;
