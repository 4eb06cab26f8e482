//! What a rule says: findings, gaps, and the outcome that follows from them.

use serde::{Deserialize, Serialize};

use super::{Date, SourcePlace, SpanId, TraceId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One violation: who, what was required, what was seen, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: String,
    pub severity: Severity,
    /// What was judged, in stable words without ids or ports: ``analytics-consumer, span `process click-events` ``.
    pub subject: String,
    /// Which fault of that subject, in a word (`unscraped`): rule, scenario, subject and fault are the same finding in every
    /// run.
    #[serde(default)]
    pub fault: String,
    /// Where it can be mended, when that is known to be in a file; else the scenario's own place is the nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<SourcePlace>,
    pub required: String,
    pub seen: String,
    /// The nearest candidates, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// A tree or table that shows the place, in outline notation with `-`/`+` marks; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tree: String,
    pub fix: String,
    /// The spans concerned, for `probity tree --trace` and deep links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<(TraceId, SpanId)>,
    /// Why the team accepts it: shown, but never red. Rules leave it empty, [`crate::known`] fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// The acceptance that ended before today: it counts again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<Known>,
}

impl Finding {
    /// Whether it turns its rule red; warnings, notes and what is known never do.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error && self.known.is_none()
    }

    /// Whether `--deny warnings` lets it fail its scenario.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning && self.known.is_none()
    }
}

/// That a team accepts a finding, as its file of known findings says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub reason: String,
    /// The last day on which it is accepted; `None`: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// A subject that could not be judged because evidence is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    pub subject: String,
    /// `silent: analytics-consumer`, `no barrier`, `refused: 12 spans of url-api never came again`.
    pub why: String,
}

/// All that one rule says of one scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// How many subjects were judged, good or bad.
    pub subjects: u64,
    pub findings: Vec<Finding>,
    pub gaps: Vec<Gap>,
    /// Violations of further subjects that no finding lists, beyond the bound of a tally.
    #[serde(default)]
    pub unlisted: u64,
    /// Why nothing was judged although there might have been a subject (`no barrier`, `collector away`).
    pub not_judged: Option<String>,
}

impl Judgement {
    /// Counts a judged subject.
    pub fn judged(&mut self) {
        self.subjects += 1;
    }

    pub fn gap(&mut self, subject: impl Into<String>, why: impl Into<String>) {
        self.gaps.push(Gap { subject: subject.into(), why: why.into() });
    }

    /// The outcome of `DESIGN`: an error fails, else a gap is incomplete, else a judged subject passes.
    pub fn outcome(&self) -> Outcome {
        if self.findings.iter().any(Finding::is_error) {
            Outcome::Fail
        } else if !self.gaps.is_empty() {
            Outcome::Incomplete
        } else if self.subjects > 0 {
            Outcome::Pass
        } else {
            Outcome::NotJudged
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Pass,
    Fail,
    Incomplete,
    NotJudged,
}

/// The verdict of a scenario or a run; the worst outcome wins, in the order fail, error, incomplete, pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Incomplete,
    Error,
    Fail,
}

impl Verdict {
    pub fn worst(self, other: Verdict) -> Verdict {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Incomplete => 1,
            Verdict::Error => 2,
            Verdict::Fail => 3,
        }
    }

    /// 1 fail, 2 error, 3 incomplete, 0 pass.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Fail => 1,
            Verdict::Error => 2,
            Verdict::Incomplete => 3,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Error => "error",
            Verdict::Incomplete => "incomplete",
        }
    }
}
