//! What happens when a link is followed: the value of a record on `click-events`. `url-api` writes, `analytics-consumer` reads.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A link was followed once. The record's key is the code, so that one link's events stay in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClickEvent {
    /// Names the event: whoever sees it twice counts it once.
    pub event_id: String,
    pub code: String,
    /// Milliseconds since the epoch.
    pub occurred_at_ms: u64,
    /// Where the context does not belong, see `kafka-header-in-body`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

impl ClickEvent {
    /// A click on `code`, now.
    pub(crate) fn now(event_id: String, code: String) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let occurred_at_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Self { event_id, code, occurred_at_ms, context: BTreeMap::new() }
    }

    pub(crate) fn occurred_at(&self) -> SystemTime {
        // A time that no clock can show is as good as none.
        UNIX_EPOCH.checked_add(Duration::from_millis(self.occurred_at_ms)).unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_without_a_context_of_its_own() {
        let event = ClickEvent::now("e-1".to_owned(), "abc".to_owned());
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event_id"], "e-1");
        assert!(json.get("context").is_none());
        assert_eq!(serde_json::from_value::<ClickEvent>(json).unwrap(), event);
    }

    #[test]
    fn a_time_beyond_all_clocks_is_no_panic() {
        let mut event = ClickEvent::now("e-1".to_owned(), "abc".to_owned());
        event.occurred_at_ms = u64::MAX;
        event.occurred_at();
    }
}
