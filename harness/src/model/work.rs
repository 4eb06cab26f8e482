//! What consumer groups do with records: where it shows, what was found there, and how far they had come while something they
//! need was away.

use serde::{Deserialize, Serialize};

use super::UnixNanos;

/// Where a system keeps what a group did with records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectsAt {
    /// The database, by the system's name for it.
    pub database: String,
    /// Its rows name the events, each once for every time that it had its effect.
    pub statement: String,
    /// The field of a record's JSON value that names its event.
    pub event: String,
}

/// What was found there when every process had ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    pub topic: String,
    pub group: String,
    /// The names of events, each once for every time that it had its effect; else why they could not be read.
    pub events: Result<Vec<String>, String>,
}

impl Applied {
    /// More are not read.
    pub const EVENTS_MAX: usize = 200_000;
}

/// Where a group stood on a partition just before a backend that its service needs came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetLook {
    pub group: String,
    pub topic: String,
    pub partition: i32,
    /// The next offset to be read; `None`: never committed.
    pub committed: Option<i64>,
    pub at: UnixNanos,
}
