//! PRIVATE-01: what users entrust to a request does not come out of the system's telemetry.

use crate::model::{CanaryKind, Case, Judgement, Severity};
use crate::rules::Rule;

use super::leaks;

pub(crate) static RULE: Rule = Rule {
    id: "PRIVATE-01",
    severity: Severity::Error,
    requirement: "secrets and personal data of requests appear in no span, metric, log, baggage member, exemplar or record",
    needs: &["canaries", "spans", "metrics", "logs", "scrapes", "sockets", "records", "keys", "personal data of topics"],
    page: include_str!("../pages/PRIVATE-01.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let fix = "record names and shapes, not values: redact where the value enters, and allow by list what goes on; probity \
               explain PRIVATE-01";
    leaks::judge(case, &RULE, |kind| kind != CanaryKind::Credential, fix)
}

#[cfg(test)]
mod tests;
