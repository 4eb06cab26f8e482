//! PRIVATE-02: what the stack authenticates with appears nowhere.

use crate::model::{CanaryKind, Case, Judgement, Severity};
use crate::rules::Rule;

use super::leaks;

pub(crate) static RULE: Rule = Rule {
    id: "PRIVATE-02",
    severity: Severity::Error,
    requirement: "connection strings and credentials of the stack itself appear nowhere",
    needs: &["canaries", "spans", "metrics", "logs", "scrapes", "sockets", "records", "keys", "stimuli"],
    page: include_str!("../pages/PRIVATE-02.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let fix = "log host and database, not the URL; give configuration types a Debug that hides the password, and change the \
               one that got out; probity explain PRIVATE-02";
    leaks::judge(case, &RULE, |kind| kind == CanaryKind::Credential, fix)
}

#[cfg(test)]
mod tests;
