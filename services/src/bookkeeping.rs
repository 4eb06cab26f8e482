//! What the services of the ledger agree on: names, and what is said of a transfer on its way.
//!
//! Amounts are whole numbers of the currency's smallest unit; a debit is negative.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) const TOPIC: &str = "ledger.entry.v1";
pub(crate) const DEAD_LETTERS: &str = "ledger.entry.v1.dlt";
/// The record header that names the event, also where the value cannot be read.
pub(crate) const EVENT_ID: &str = "event-id";
pub(crate) const GROUP: &str = "read-model";

/// The exchange on which settled transfers are announced, the routing key of those, and the queue of `notifier`.
pub(crate) const ANNOUNCEMENTS: &str = "ledger.transfers";
pub(crate) const SETTLED: &str = "transfer.settled";
pub(crate) const NOTIFICATIONS: &str = "ledger.transfers.notifier";

/// The name that `accounts` registers under.
pub(crate) const ACCOUNTS: &str = "accounts";

/// No transfer moves more, so that no balance can leave the numbers that Postgres and JSON have.
pub(crate) const AMOUNT_MAX: i64 = 1_000_000_000_000;
const ID_LENGTH_MAX: usize = 64;
const MEMO_BYTES_MAX: usize = 200;

/// The identity that ids of transfers and entries are derived in.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c7b_0b52_9a4e_4f0e_8f0e_2f6d_5a3c_1e77);

/// One side of a transfer as the ledger is asked to write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leg {
    pub account_id: String,
    pub amount: i64,
    pub may_be_negative: bool,
}

/// What the ledger is asked to write, as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posting {
    pub transfer_id: String,
    pub legs: Vec<Leg>,
    #[serde(default)]
    pub memo: String,
}

/// One line of an account, as it stands in the ledger and in a record on [`TOPIC`]. The record's key is the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Names the entry: whoever sees it twice counts it once.
    pub entry_id: String,
    pub transfer_id: String,
    pub account_id: String,
    pub amount: i64,
    /// What the account holds after it.
    pub balance: i64,
    /// Counts the entries of the account from 1.
    pub sequence: i64,
    #[serde(default)]
    pub memo: String,
    /// Milliseconds since the epoch.
    pub posted_at_ms: u64,
}

impl Entry {
    pub(crate) fn posted_at(&self) -> SystemTime {
        // A time that no clock can show is as good as none.
        UNIX_EPOCH.checked_add(Duration::from_millis(self.posted_at_ms)).unwrap_or(UNIX_EPOCH)
    }
}

/// What is announced of a transfer once it is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub transfer_id: String,
    pub from: String,
    pub to: String,
    pub amount: i64,
    pub currency: String,
}

/// Milliseconds since the epoch, now.
pub(crate) fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

/// The id of the transfer that a tenant asks for under a key: the same for as often as it is asked for.
pub(crate) fn transfer_id(tenant: &str, idempotency_key: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{tenant}\n{idempotency_key}").as_bytes()).to_string()
}

pub(crate) fn entry_id(transfer_id: &str, account_id: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{transfer_id}/{account_id}").as_bytes()).to_string()
}

/// What two requests have in common exactly when they ask for the same.
pub(crate) fn fingerprint<T: Serialize>(asked: &T) -> String {
    let text = serde_json::to_vec(asked).expect("strings and numbers are JSON");
    Uuid::new_v5(&NAMESPACE, &text).to_string()
}

/// Who the work is done for, as the baggage says.
pub(crate) fn tenant(context: &Context) -> String {
    context.baggage().get("tenant.id").map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// Letters, digits and `-`: what an id of an account or a transfer is made of.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Text that every database can hold.
pub(crate) fn is_memo(text: &str) -> bool {
    text.len() <= MEMO_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    #[test]
    fn a_key_names_one_transfer_of_one_tenant() {
        assert_eq!(transfer_id("a", "k"), transfer_id("a", "k"));
        assert_ne!(transfer_id("a", "k"), transfer_id("b", "k"));
        assert_ne!(transfer_id("a", "k"), transfer_id("a", "l"));
        assert!(is_id(&transfer_id("a", "k")));
    }

    #[test]
    fn the_tenant_is_what_the_baggage_says() {
        let context = Context::new().with_baggage([KeyValue::new("tenant.id", "acme")]);
        assert_eq!((tenant(&context).as_str(), tenant(&Context::new()).as_str()), ("acme", "none"));
    }

    #[test]
    fn ids_currencies_and_memos_are_bounded() {
        assert!(is_id("7f-A") && !is_id("") && !is_id("a/b") && !is_id(&"x".repeat(65)));
        assert!(is_currency("EUR") && !is_currency("eur") && !is_currency("EURO"));
        assert!(is_memo("") && is_memo("für Tee") && !is_memo("a\u{0}b") && !is_memo(&"x".repeat(201)));
    }

    #[test]
    fn a_time_beyond_all_clocks_is_no_panic() {
        let mut entry: Entry = serde_json::from_str(
            r#"{"entry_id":"e","transfer_id":"t","account_id":"a","amount":1,"balance":1,"sequence":1,"posted_at_ms":7}"#,
        )
        .unwrap();
        assert_eq!(entry.memo, "");
        entry.posted_at_ms = u64::MAX;
        entry.posted_at();
    }
}
