//! `POST /v1/entries`: both sides of a transfer in one transaction, with what is to be published about them.
//!
//! Who writes a transfer twice gets the first answer again. Accounts are locked in the order of their ids, so that two transfers
//! between the same accounts wait for each other and never for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use opentelemetry::Context;
use serde_json::json;

use super::{Ledger, outbox};
use crate::bookkeeping::{AMOUNT_MAX, Entry, Posting, entry_id, fingerprint, is_id, is_memo, now_ms};
use crate::database::{DatabaseError, Statement, Transaction};
use crate::http_server::problem;

const BEGIN: Statement = Statement {
    operation: "INSERT",
    table: "transfers",
    text: "INSERT INTO transfers (transfer_id, fingerprint) VALUES ($1, $2) \
           ON CONFLICT (transfer_id) DO UPDATE SET transfer_id = excluded.transfer_id \
           RETURNING xmax = 0, fingerprint, refused",
};
/// Rows are locked in the order in which they are written, which is that of their ids.
const LOCK: Statement = Statement {
    operation: "INSERT",
    table: "balances",
    text: "INSERT INTO balances (account_id, may_be_negative) \
           SELECT * FROM unnest($1::text[], $2::boolean[]) AS asked (account_id, may_be_negative) ORDER BY 1 \
           ON CONFLICT (account_id) DO UPDATE SET may_be_negative = excluded.may_be_negative \
           RETURNING account_id, balance, entries",
};
const MOVE: Statement = Statement {
    operation: "UPDATE",
    table: "balances",
    text: "UPDATE balances SET balance = balance + moved.amount, entries = entries + 1 \
           FROM unnest($1::text[], $2::bigint[]) AS moved (account_id, amount) \
           WHERE balances.account_id = moved.account_id",
};
const WRITE: Statement = Statement {
    operation: "INSERT",
    table: "entries",
    text: "INSERT INTO entries \
           (entry_id, transfer_id, account_id, amount, balance, sequence, memo, posted_at) \
           SELECT entry_id, $1::text, account_id, amount, balance, sequence, $2::text, $3::timestamptz \
           FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[]) \
           AS written (entry_id, account_id, amount, balance, sequence)",
};
const REFUSE: Statement = Statement {
    operation: "UPDATE",
    table: "transfers",
    text: "UPDATE transfers SET refused = $2 WHERE transfer_id = $1",
};

const LEGS_MAX: usize = 16;
const SHORT_OF_FUNDS: &str = "insufficient funds";

/// What became of a transfer.
enum Decision {
    Written,
    WrittenBefore,
    Refused(String),
    /// The id stands for something else.
    Another,
}

/// `POST /v1/entries`
pub(super) async fn post(
    State(ledger): State<Arc<Ledger>>,
    asked: Result<Json<Posting>, JsonRejection>,
) -> Response {
    let posting = match asked {
        Ok(Json(posting)) => posting,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    if let Some(wrong) = what_is_wrong(&posting) {
        return problem(StatusCode::BAD_REQUEST, wrong);
    }
    let body = json!({ "transfer_id": posting.transfer_id });
    match ledger.decide(&Context::current(), posting).await {
        Ok(Decision::Written) => {
            ledger.relay.wake();
            (StatusCode::CREATED, Json(body)).into_response()
        }
        Ok(Decision::WrittenBefore) => (StatusCode::OK, Json(body)).into_response(),
        Ok(Decision::Refused(reason)) => problem(StatusCode::UNPROCESSABLE_ENTITY, &reason),
        Ok(Decision::Another) => problem(StatusCode::CONFLICT, "this id stands for another transfer"),
        Err(error) => {
            tracing::error!(error = %error, "a transfer could not be written");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the transfer could not be written")
        }
    }
}

fn what_is_wrong(posting: &Posting) -> Option<&'static str> {
    let legs = &posting.legs;
    let mut accounts: Vec<&str> = legs.iter().map(|leg| leg.account_id.as_str()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let amounts = || legs.iter().map(|leg| i128::from(leg.amount));
    let is_amount = |amount: i64| amount != 0 && amount.unsigned_abs() <= AMOUNT_MAX.unsigned_abs();
    match () {
        () if !is_id(&posting.transfer_id) => Some("transfer_id is an id"),
        () if !(2..=LEGS_MAX).contains(&legs.len()) => Some("a transfer has two legs or more"),
        () if accounts.len() != legs.len() => Some("each leg is of an account of its own"),
        () if !accounts.iter().all(|account| is_id(account)) => Some("account_id is an id"),
        () if !legs.iter().all(|leg| is_amount(leg.amount)) => Some("an amount is a whole number, not 0"),
        () if amounts().sum::<i128>() != 0 => Some("the legs do not sum to zero"),
        () if !is_memo(&posting.memo) => Some("memo is at most 200 bytes of text"),
        () => None,
    }
}

impl Ledger {
    async fn decide(&self, context: &Context, posting: Posting) -> Result<Decision, DatabaseError> {
        let transaction = self.database.begin().await?;
        let writing = Writing { ledger: self, context, transaction: &transaction, posting: &posting };
        let decision = writing.run().await?;
        transaction.commit().await?;
        Ok(decision)
    }
}

/// One transfer within its transaction.
struct Writing<'w> {
    ledger: &'w Ledger,
    context: &'w Context,
    transaction: &'w Transaction<'w>,
    posting: &'w Posting,
}

impl Writing<'_> {
    async fn run(&self) -> Result<Decision, DatabaseError> {
        let (id, fingerprint) = (&self.posting.transfer_id, fingerprint(self.posting));
        let rows = self.transaction.query(self.context, &BEGIN, &[id, &fingerprint]).await?;
        if let Some(row) = rows.first().filter(|row| !row.get::<_, bool>(0)) {
            return Ok(match (row.get::<_, String>(1) == fingerprint, row.get::<_, Option<String>>(2)) {
                (false, _) => Decision::Another,
                (true, None) => Decision::WrittenBefore,
                (true, Some(reason)) => Decision::Refused(reason),
            });
        }
        let entries = match self.entries().await? {
            Some(entries) => entries,
            None => {
                self.transaction.query(self.context, &REFUSE, &[id, &SHORT_OF_FUNDS]).await?;
                return Ok(Decision::Refused(SHORT_OF_FUNDS.to_owned()));
            }
        };
        self.write(&entries).await?;
        outbox::put(self.transaction, self.context, &self.ledger.service, &entries).await?;
        Ok(Decision::Written)
    }

    /// The entries that the transfer makes of its accounts; none when one of them may not be as negative as it would be.
    async fn entries(&self) -> Result<Option<Vec<Entry>>, DatabaseError> {
        let legs = &self.posting.legs;
        let accounts: Vec<&str> = legs.iter().map(|leg| leg.account_id.as_str()).collect();
        let may_be_negative: Vec<bool> = legs.iter().map(|leg| leg.may_be_negative).collect();
        let rows = self.transaction.query(self.context, &LOCK, &[&accounts, &may_be_negative]).await?;
        let stands: BTreeMap<String, (i64, i64)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let posted_at_ms = now_ms();
        let mut entries = Vec::with_capacity(legs.len());
        for leg in legs {
            let (before, count) = stands.get(&leg.account_id).copied().unwrap_or_default();
            let balance = before.saturating_add(leg.amount);
            // Who is credited may be negative still; only a debit can be too much.
            if leg.amount < 0 && balance < 0 && !leg.may_be_negative {
                return Ok(None);
            }
            entries.push(Entry {
                entry_id: entry_id(&self.posting.transfer_id, &leg.account_id),
                transfer_id: self.posting.transfer_id.clone(),
                account_id: leg.account_id.clone(),
                amount: leg.amount,
                balance,
                sequence: count + 1,
                memo: self.posting.memo.clone(),
                posted_at_ms,
            });
        }
        Ok(Some(entries))
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), DatabaseError> {
        let text = |of: fn(&Entry) -> &str| entries.iter().map(of).collect::<Vec<_>>();
        let numbers = |of: fn(&Entry) -> i64| entries.iter().map(of).collect::<Vec<_>>();
        let (accounts, amounts) = (text(|entry| &entry.account_id), numbers(|entry| entry.amount));
        self.transaction.query(self.context, &MOVE, &[&accounts, &amounts]).await?;
        let posted_at =
            UNIX_EPOCH + Duration::from_millis(entries.first().map_or(0, |entry| entry.posted_at_ms));
        let (ids, balances) = (text(|entry| &entry.entry_id), numbers(|entry| entry.balance));
        let sequences = numbers(|entry| entry.sequence);
        let Posting { transfer_id, memo, .. } = self.posting;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [transfer_id, memo, &posted_at, &ids, &accounts, &amounts, &balances, &sequences];
        self.transaction.query(self.context, &WRITE, &parameters).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookkeeping::Leg;

    fn posting(legs: &[(&str, i64)]) -> Posting {
        let leg = |(account, amount): &(&str, i64)| Leg {
            account_id: (*account).to_owned(),
            amount: *amount,
            may_be_negative: false,
        };
        Posting { transfer_id: "t".to_owned(), legs: legs.iter().map(leg).collect(), memo: String::new() }
    }

    #[test]
    fn legs_of_two_accounts_that_sum_to_zero_are_a_transfer() {
        assert_eq!(what_is_wrong(&posting(&[("a", -5), ("b", 5)])), None);
        assert_eq!(what_is_wrong(&posting(&[("a", -5), ("b", 2), ("c", 3)])), None);
        for wrong in [
            posting(&[]),
            posting(&[("a", 0)]),
            posting(&[("a", -5), ("b", 4)]),
            posting(&[("a", -5), ("a", 5)]),
            posting(&[("a", 0), ("b", 0)]),
            posting(&[("a", i64::MIN), ("b", i64::MAX)]),
            posting(&[("a b", -5), ("b", 5)]),
            Posting { memo: "\n".to_owned(), ..posting(&[("a", -5), ("b", 5)]) },
            Posting { transfer_id: "x".repeat(65), ..posting(&[("a", -5), ("b", 5)]) },
        ] {
            assert!(what_is_wrong(&wrong).is_some(), "{wrong:?}");
        }
    }
}
