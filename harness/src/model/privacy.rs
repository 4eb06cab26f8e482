//! What must not come out of a system again: values that were planted in it, unlike any other value of the run.

use serde::{Deserialize, Serialize};

/// A planted value. It is kept with the evidence, so that the evidence can be searched again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    pub kind: CanaryKind,
    pub value: String,
    /// Where it was planted: ``header `authorization` of POST /api/v1/urls``, `DATABASE_URL`.
    pub planted: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryKind {
    BearerToken,
    Password,
    Phone,
    CardNumber,
    Email,
    /// Of the stack itself: what a service authenticates with, or is authenticated by (PRIVATE-02).
    Credential,
}

impl CanaryKind {
    pub fn word(self) -> &'static str {
        match self {
            CanaryKind::BearerToken => "bearer token",
            CanaryKind::Password => "password",
            CanaryKind::Phone => "phone number",
            CanaryKind::CardNumber => "card number",
            CanaryKind::Email => "e-mail address",
            CanaryKind::Credential => "credential of the stack",
        }
    }
}
