//! SCRAPE-02: every service that exposes metrics is scraped, and every target is somebody.

use crate::model::{Case, Declaration, Judgement, Resolution, Severity, Target};
use crate::nearest::nearest;
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;
use crate::scrape_config;

use super::targets::{beginning, files, place, right_address, subject};

pub(crate) static RULE: Rule = Rule {
    id: "SCRAPE-02",
    severity: Severity::Error,
    requirement: "every service that exposes metrics is scraped, and no target points at a host that is not there",
    needs: &["targets", "files", "ports"],
    page: include_str!("../pages/SCRAPE-02.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(declaration) = case.declaration else { return judgement };
    let mut tally = Tally::new(&RULE);
    let readable: Vec<_> = files(case).filter(|file| file.error.is_none()).collect();
    if readable.is_empty() && case.evidence.targets.is_empty() {
        return judgement;
    }
    for target in &case.evidence.targets {
        judge_target(declaration, target, &mut judgement, &mut tally);
    }
    let partial = readable.iter().any(|file| scrape_config::parse(&file.text).is_ok_and(|config| config.is_partial()));
    for service in declaration.services.iter().filter(|service| right_address(service).is_some()) {
        let named = case.evidence.targets.iter().any(|target| names(target, &service.name));
        if !named && partial {
            judgement.gap(service.name.as_str(), "its targets may come from a service discovery, which is not evaluated");
            continue;
        }
        judgement.judged();
        if !named {
            let place = readable.first().map(|file| beginning(file));
            tally.add_at(place, service.name.clone(), "unscraped", || Fault {
                required: format!("a target for {}", right_address(service).unwrap_or_default()),
                seen: "no target names it".into(),
                candidates: case.evidence.targets.iter().take(3).map(|target| shown(&target.address)).collect(),
                fix: "add a job with that target; probity explain SCRAPE-02".into(),
                ..Fault::default()
            });
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Whether a target means that service, be it on a wrong port: that is SCRAPE-01's.
fn names(target: &Target, service: &str) -> bool {
    match &target.resolved {
        Resolution::Port { service: named, .. } => named == service,
        Resolution::ClosedPort { host } => host == service,
        Resolution::Scraper | Resolution::UnknownHost => false,
    }
}

fn judge_target(declaration: &Declaration, target: &Target, judgement: &mut Judgement, tally: &mut Tally) {
    judgement.judged();
    if target.resolved != Resolution::UnknownHost {
        return;
    }
    tally.add_at(place(target), subject(target), "dangling", || {
        let host = target.address.split([':', '/']).next().unwrap_or_default();
        let names = declaration.services.iter().map(|service| service.name.as_str());
        Fault {
            required: "the name of a service, with the port of its metrics".into(),
            seen: format!("{} is no host of this system", shown(&target.address)),
            candidates: nearest(host, names).map(shown).into_iter().collect(),
            fix: "correct the name, or remove the target: one that is always down hides the one that just went down; probity \
                  explain SCRAPE-02"
                .into(),
            ..Fault::default()
        }
    });
}

#[cfg(test)]
mod tests;
