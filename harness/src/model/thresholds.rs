//! Thresholds are data: what rules measure against, with defaults, and what a declaration says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The defaults are those of the rules' pages. Whoever changes one says why, in `reasons`; the report prints both.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// TRACE-16: how far a child may start before its parent, in milliseconds (clocks of two processes).
    pub clock_tolerance_ms: u64,
    /// TRACE-14: spans from the root to the deepest leaf, and spans in all, of one trace.
    pub depth_warn: u64,
    pub depth_max: u64,
    pub trace_spans_max: u64,
    /// METRIC-04: label sets per family and process.
    pub label_sets_warn: u64,
    pub label_sets_fail: u64,
    /// METRIC-04: label names that are never right.
    pub forbidden_labels: Vec<String>,
    /// DEGRADE-08: grace after SIGTERM, in milliseconds.
    pub grace_ms: u64,
    /// START-01: how long after `kill -9` the key may stay beyond its lease, in milliseconds.
    pub lease_margin_ms: u64,
    /// START-04: how long a service may go on saying that it is ready once a backend is away, in milliseconds.
    pub readiness_settle_ms: u64,
    /// TRACE-15: what a `baggage` header may hold.
    pub baggage_bytes: u64,
    pub baggage_members: u64,
    /// LOG-06: lines that one request may cost in one process, and values that a field may have at INFO.
    pub log_lines_per_request: u64,
    pub log_field_values: u64,
    /// LOG-07: how long after its time a changed level may go back, in milliseconds.
    pub log_level_margin_ms: u64,
    /// LOG-08: the share of its throughput that logging may cost a service, in percent.
    pub log_cost_percent: u64,
    /// SCRAPE-04: how long an answer to a scrape may take, in milliseconds, and how large it may be.
    pub scrape_ms: u64,
    pub scrape_bytes: u64,
    pub scrape_samples: u64,
    /// DEGRADE-07: spans of one process that may wait while the collector is away, those on their way included; and how long after
    /// its return an exporter may take to come back, in milliseconds.
    pub spans_waiting_max: u64,
    pub export_resume_ms: u64,
    /// Why a threshold is another than the default, by its name.
    pub reasons: BTreeMap<String, String>,
}

impl Default for Thresholds {
    fn default() -> Self {
        let forbidden = [
            "client_ip",
            "client_address",
            "ip",
            "user_id",
            "userid",
            "email",
            "phone",
            "session_id",
            "request_id",
            "trace_id",
            "span_id",
            "user_agent",
            "url",
            "path",
            "uri",
            "query",
            "uuid",
            "token",
        ];
        Thresholds {
            clock_tolerance_ms: 500,
            depth_warn: 8,
            depth_max: 10,
            trace_spans_max: 100,
            label_sets_warn: 10,
            label_sets_fail: 100,
            forbidden_labels: forbidden.map(String::from).to_vec(),
            grace_ms: 5_000,
            lease_margin_ms: 3_000,
            readiness_settle_ms: 1_000,
            scrape_ms: 1_000,
            scrape_bytes: 10_000_000,
            scrape_samples: 10_000,
            baggage_bytes: 1_024,
            baggage_members: 64,
            log_lines_per_request: 20,
            log_field_values: 50,
            log_level_margin_ms: 2_000,
            log_cost_percent: 30,
            // The queue that Probity gives every service (`OTEL_BSP_MAX_QUEUE_SIZE`), and eight of the SDKs' batches.
            spans_waiting_max: 65_536 + 8 * 512,
            export_resume_ms: 10_000,
            reasons: BTreeMap::new(),
        }
    }
}

impl Thresholds {
    /// What is not as by default, in the order of the names.
    pub fn overrides(&self) -> Vec<Override> {
        let (defaults, mine) = (Thresholds::default().by_name(), self.by_name());
        let names: BTreeSet<&String> = mine.keys().chain(self.reasons.keys()).collect();
        let differs = names.into_iter().filter(|name| {
            let (default, value) = (defaults.get(*name), mine.get(*name));
            default != value || value.is_none()
        });
        differs
            .map(|name| Override {
                threshold: name.clone(),
                default: defaults.get(name).cloned(),
                value: mine.get(name).cloned(),
                reason: self.reasons.get(name).cloned(),
            })
            .collect()
    }

    fn by_name(&self) -> BTreeMap<String, Value> {
        let Ok(Value::Object(fields)) = serde_json::to_value(self) else { return BTreeMap::new() };
        fields.into_iter().filter(|(name, _)| name != "reasons").collect()
    }
}

/// A threshold that is not as by default. Shown, it is a line: `label_sets_fail is 500, not 100: six regions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Override {
    pub threshold: String,
    /// `None`, as `value`: there is a reason for a threshold of that name, and no such threshold.
    pub default: Option<Value>,
    pub value: Option<Value>,
    /// As the declaration has it; `None`: it gives none.
    pub reason: Option<String>,
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().unwrap_or("no reason is given");
        match (&self.value, &self.default) {
            (Some(Value::Array(mine)), Some(Value::Array(default))) => {
                let only = |these: &[Value], those: &[Value]| {
                    let only: Vec<_> =
                        these.iter().filter(|item| !those.contains(item)).filter_map(Value::as_str).collect();
                    if only.is_empty() { "nothing".to_string() } else { only.join(", ") }
                };
                let (more, less) = (only(mine, default), only(default, mine));
                write!(f, "{} has {more} more than by default, and {less} less: {reason}", self.threshold)
            }
            (Some(value), Some(default)) => {
                write!(f, "{} is {value}, not {default}: {reason}", self.threshold)
            }
            _ => write!(f, "{} is no threshold, yet has a reason: {reason}", self.threshold),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(thresholds: &Thresholds) -> Vec<String> {
        thresholds.overrides().iter().map(Override::to_string).collect()
    }

    #[test]
    fn defaults_are_no_overrides() {
        assert_eq!(Thresholds::default().overrides(), []);
    }

    #[test]
    fn an_override_says_its_default_and_its_reason() {
        let mut thresholds = Thresholds { label_sets_fail: 500, scrape_ms: 9, ..Thresholds::default() };
        thresholds.reasons.insert("label_sets_fail".into(), "six regions".into());
        thresholds.forbidden_labels.retain(|label| label != "path");
        thresholds.forbidden_labels.push("tier".into());
        assert_eq!(
            lines(&thresholds),
            [
                "forbidden_labels has tier more than by default, and path less: no reason is given",
                "label_sets_fail is 500, not 100: six regions",
                "scrape_ms is 9, not 1000: no reason is given",
            ]
        );
    }

    #[test]
    fn a_reason_for_nothing_is_shown() {
        let mut thresholds = Thresholds::default();
        thresholds.reasons.insert("label_sets".into(), "six regions".into());
        assert_eq!(lines(&thresholds), ["label_sets is no threshold, yet has a reason: six regions"]);
        thresholds.reasons = BTreeMap::from([("scrape_ms".into(), "slow".into())]);
        assert_eq!(lines(&thresholds), <[String; 0]>::default());
    }
}
