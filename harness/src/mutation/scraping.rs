//! Breaks of the scraper's side.

use super::{Mutant, Mutation};
use crate::model::{Case, HttpAnswer, Target};

pub(super) static BREAKS: &[Mutation] = &[
    Mutation {
        name: "lose-target",
        about: "the scrape configuration does not name a target",
        mutants: lose_target,
    },
    Mutation { name: "target-down", about: "a target refuses the connection", mutants: target_down },
];

fn subject(target: &Target) -> String {
    format!("{} {}", target.job, target.address)
}

/// Targets of services: the scraper's own is nobody's.
fn targets<'c>(case: &'c Case) -> impl Iterator<Item = &'c Target> {
    let targets = case.evidence.targets.iter();
    targets.filter(|target| target.answer.as_ref().is_some_and(|answer| answer.status == Some(200)))
}

fn lose_target(case: &Case) -> Vec<Mutant> {
    let mutant = |target: &Target| {
        let lost = subject(target);
        Mutant::new(lost.clone(), move |evidence| evidence.targets.retain(|target| subject(target) != lost))
    };
    targets(case).map(mutant).collect()
}

fn target_down(case: &Case) -> Vec<Mutant> {
    let mutant = |target: &Target| {
        let down = subject(target);
        Mutant::new(down.clone(), move |evidence| {
            for target in evidence.targets.iter_mut().filter(|target| subject(target) == down) {
                let error = Some("connection refused".into());
                target.answer = Some(HttpAnswer { error, ..HttpAnswer::default() });
            }
        })
    };
    targets(case).map(mutant).collect()
}
