//! Whether an operation was answered in time, by our clock.

use crate::model::{Stimulus, UnixNanos};
use crate::rules::text::shown;

/// How an answer broke its budget, in words; `None`: it came in time.
pub(super) fn overrun(stimulus: &Stimulus, budget_ms: u64) -> Option<String> {
    let took = |until: UnixNanos| until.saturating_sub(stimulus.sent) / 1_000_000;
    match (stimulus.answered, stimulus.gave_up) {
        (Some(answered), _) if took(answered) <= budget_ms => None,
        (Some(answered), _) => Some(format!("an answer after {} ms", took(answered))),
        (None, Some(gave_up)) => Some(format!("no answer in {} ms", took(gave_up))),
        (None, None) => Some(shown(stimulus.error.as_deref().unwrap_or("no answer"))),
    }
}

/// The same, where an error of the server is no answer either.
pub(super) fn failure_or_overrun(stimulus: &Stimulus, budget_ms: u64) -> Option<String> {
    match stimulus.answer.as_ref().filter(|answer| answer.status >= 500) {
        Some(answer) => Some(format!("HTTP {}", answer.status)),
        None => overrun(stimulus, budget_ms),
    }
}
