//! What a system says of its logs, and what was seen of them besides the lines: attempts to change the level, the price of
//! logging.

use serde::{Deserialize, Serialize};

use super::{ProcessId, UnixNanos};

/// What a system says of its log lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logs {
    /// Whose key names the lines have: `otel`, `ecs` or `go-zero`. `None`: found out from the lines.
    pub profile: Option<String>,
    /// The committed schema of the lines, a file relative to the system's root (LOG-03).
    pub schema: Option<String>,
    /// Operations that are asked so often that a success is worth no line at INFO (LOG-05).
    pub hot_paths: Vec<String>,
    /// Where lines come from that belong to no request, even when they are written during one (LOG-02, LOG-09).
    pub background: Vec<LogOrigin>,
}

/// Where lines come from. What is empty is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogOrigin {
    /// The name of the logger, or its beginning up to `.`, `:` or `/`: `services::discovery`.
    pub logger: String,
    /// The beginning of the message.
    pub message: String,
}

impl LogOrigin {
    pub fn of(&self, logger: &str, message: &str) -> bool {
        let rest = logger.strip_prefix(self.logger.as_str());
        let within = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '/']));
        (self.logger.is_empty() || within) && message.starts_with(&self.message)
    }
}

/// Where the log level of a service can be changed while it runs (LOG-07): `PUT` with `{"level","seconds"}` and a bearer
/// token; `GET` answers `{"level"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevelAddress {
    /// The port's role: `admin`.
    pub port: String,
    pub path: String,
}

/// One attempt to change the log level of a process, and what the level was afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    pub process: ProcessId,
    pub service: String,
    /// When it was answered: its time began no later.
    pub at: UnixNanos,
    pub credentials: Credentials,
    /// What was asked for, and for how many milliseconds.
    pub level: String,
    pub lasts_ms: u64,
    /// The level before.
    pub before: Option<String>,
    /// The answer's status; `None`: no answer.
    pub status: Option<u16>,
    /// What the service said of its level from then on, the first reading in the answer or right after it; of readings alike
    /// the first and the last.
    pub seen: Vec<LevelReading>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credentials {
    None,
    Wrong,
    Right,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelReading {
    /// When it was asked for.
    pub at: UnixNanos,
    /// `None`: no answer, or none that names a level.
    pub level: Option<String>,
}

/// Rounds of the same traffic with logging on and off in turn, in one process (LOG-08).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCost {
    pub process: ProcessId,
    pub service: String,
    /// The levels of the rounds with and without.
    pub on: String,
    pub off: String,
    /// Requests in each round.
    pub requests: u32,
    pub rounds: Vec<CostRound>,
}

/// A round with logging and its neighbour without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostRound {
    pub on_nanos: u64,
    pub off_nanos: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_logger_a_message_or_both() {
        let origin =
            |logger: &str, message: &str| LogOrigin { logger: logger.into(), message: message.into() };
        assert!(origin("services::discovery", "").of("services::discovery::watch", "x"));
        assert!(origin("", "waiting for").of("anything", "waiting for the database"));
        assert!(origin("a", "b").of("a", "bc"));
        assert!(!origin("services::disc", "").of("services::discovery", "x"));
        assert!(!origin("a", "b").of("a", "c"));
        assert!(origin("", "").of("", ""));
    }
}
