//! Opening accounts, and transfers: claimed under their key, checked against their accounts, written by the ledger, remembered.
//!
//! A process may die between any two of these steps: who asks again goes on where it stopped, as the id of the transfer follows
//! from its key and the ledger writes a transfer once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use opentelemetry::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_postgres::Row;
use tonic::Code;
use uuid::Uuid;

use super::Orchestrator;
use crate::accounts_protocol::{Account, OpenRequest};
use crate::bookkeeping::{
    AMOUNT_MAX, Leg, Posting, Settled, fingerprint, is_currency, is_id, is_memo, tenant, transfer_id,
};
use crate::database::{DatabaseError, Statement};
use crate::gateway::{IDEMPOTENCY_KEY, REPLAYED};
use crate::grpc::CallFailure;
use crate::http_client::{HttpAnswer, HttpFailure, HttpRequest};
use crate::http_server::problem;

/// The first to claim a key says what it stands for; everybody is told what it stands for, and what was answered.
const CLAIM: Statement = Statement {
    operation: "INSERT",
    table: "transfers",
    text: "INSERT INTO transfers (tenant, idempotency_key, fingerprint, transfer_id) VALUES ($1, $2, $3, $4) \
           ON CONFLICT (tenant, idempotency_key) DO UPDATE SET tenant = excluded.tenant \
           RETURNING fingerprint, status, answer",
};
const REMEMBER: Statement = Statement {
    operation: "UPDATE",
    table: "transfers",
    text: "UPDATE transfers SET status = $3, answer = $4 \
           WHERE tenant = $1 AND idempotency_key = $2 AND status IS NULL",
};

#[derive(Debug, Deserialize)]
pub(super) struct NewAccount {
    currency: String,
    #[serde(default)]
    may_be_negative: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NewTransfer {
    from: String,
    to: String,
    amount: i64,
    #[serde(default)]
    memo: String,
}

impl NewTransfer {
    fn problem(&self) -> Option<&'static str> {
        match () {
            () if !is_id(&self.from) || !is_id(&self.to) => Some("from and to are ids of accounts"),
            () if self.from == self.to => Some("from and to are two accounts"),
            () if !(1..=AMOUNT_MAX).contains(&self.amount) => Some("amount is a whole number above 0"),
            () if !is_memo(&self.memo) => Some("memo is at most 200 bytes of text"),
            () => None,
        }
    }
}

/// Why a transfer cannot be told the end of. Asked again, it goes on.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("accounts: {0}")]
    Accounts(CallFailure),
    #[error("ledger: {0}")]
    Ledger(#[from] HttpFailure),
    #[error("ledger: HTTP {0}")]
    LedgerAnswered(StatusCode),
}

impl Unfinished {
    fn status(&self) -> StatusCode {
        match self {
            Self::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Accounts(CallFailure::Deadline(_)) => StatusCode::GATEWAY_TIMEOUT,
            Self::Accounts(_) | Self::LedgerAnswered(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ledger(failure) => failure.status(),
        }
    }

    fn answer(&self) -> Response {
        tracing::error!(error = %self, "a request could not be carried through");
        problem(self.status(), "not decided: ask again with the same key")
    }
}

/// `POST /v1/accounts`
pub(super) async fn open_account(
    State(orchestrator): State<Arc<Orchestrator>>,
    asked: Result<Json<NewAccount>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) if is_currency(&asked.currency) => asked,
        Ok(_) => return problem(StatusCode::BAD_REQUEST, "currency is three capital letters"),
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    let request = OpenRequest {
        account_id: Uuid::new_v4().to_string(),
        currency: asked.currency,
        may_be_negative: asked.may_be_negative,
    };
    match orchestrator.accounts.open(&Context::current(), request).await {
        Ok(account) => (StatusCode::CREATED, Json(described(&account))).into_response(),
        Err(failure) => Unfinished::Accounts(failure).answer(),
    }
}

fn described(account: &Account) -> Value {
    json!({
        "account_id": account.account_id,
        "currency": account.currency,
        "may_be_negative": account.may_be_negative,
    })
}

/// `POST /v1/transfers`
pub(super) async fn transfer(
    State(orchestrator): State<Arc<Orchestrator>>,
    headers: HeaderMap,
    asked: Result<Json<NewTransfer>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    if let Some(problem_found) = asked.problem() {
        return problem(StatusCode::BAD_REQUEST, problem_found);
    }
    let Some(key) = headers.get(&IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()) else {
        return problem(StatusCode::BAD_REQUEST, "the header Idempotency-Key is wanted");
    };
    let carried = Carried { orchestrator: &orchestrator, context: Context::current(), key, asked: &asked };
    carried.through().await.unwrap_or_else(|unfinished| unfinished.answer())
}

/// One request for a transfer.
struct Carried<'r> {
    orchestrator: &'r Orchestrator,
    context: Context,
    key: &'r str,
    asked: &'r NewTransfer,
}

impl Carried<'_> {
    async fn through(&self) -> Result<Response, Unfinished> {
        let tenant = tenant(&self.context);
        let transfer_id = transfer_id(&tenant, self.key);
        let fingerprint = fingerprint(self.asked);
        let claim = self.claim(&tenant, &fingerprint, &transfer_id).await?;
        if claim.as_ref().is_some_and(|row| row.get::<_, String>(0) != fingerprint) {
            return Ok(problem(StatusCode::UNPROCESSABLE_ENTITY, "this key was used for another transfer"));
        }
        if let Some(replayed) = claim.as_ref().and_then(replayed) {
            return Ok(replayed);
        }
        let accounts = match self.accounts().await? {
            Ok(accounts) => accounts,
            // Nothing is decided: the same key may be used once the accounts are there.
            Err(refused) => return Ok(problem(StatusCode::UNPROCESSABLE_ENTITY, refused)),
        };
        let answer = self.write(&transfer_id, &accounts).await?;
        let (status, body) = self.decision(&transfer_id, &accounts, &answer)?;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&tenant, &self.key, &(status.as_u16() as i16), &body];
        self.orchestrator.database.query(&self.context, &REMEMBER, &parameters).await?;
        if status == StatusCode::CREATED {
            self.announce(&transfer_id, &accounts).await;
        }
        Ok(as_json(status, body))
    }

    async fn claim(&self, tenant: &str, fingerprint: &str, id: &str) -> Result<Option<Row>, DatabaseError> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&tenant, &self.key, &fingerprint, &id];
        let mut rows = self.orchestrator.database.query(&self.context, &CLAIM, &parameters).await?;
        Ok(rows.pop())
    }

    /// Both accounts, or why they cannot be part of one transfer.
    async fn accounts(&self) -> Result<Result<[Account; 2], &'static str>, Unfinished> {
        let ids = vec![self.asked.from.clone(), self.asked.to.clone()];
        let described = match self.orchestrator.accounts.describe(&self.context, ids).await {
            Ok(described) => described,
            Err(CallFailure::Status(status)) if status.code() == Code::NotFound => {
                return Ok(Err("no account has one of these ids"));
            }
            Err(failure) => return Err(Unfinished::Accounts(failure)),
        };
        match <[Account; 2]>::try_from(described) {
            Ok(accounts) if accounts[0].currency == accounts[1].currency => Ok(Ok(accounts)),
            _ => Ok(Err("the accounts are of two currencies")),
        }
    }

    async fn write(&self, transfer_id: &str, accounts: &[Account; 2]) -> Result<HttpAnswer, Unfinished> {
        let leg = |account: &Account, amount| Leg {
            account_id: account.account_id.clone(),
            amount,
            may_be_negative: account.may_be_negative,
        };
        let [from, to] = accounts;
        let posting = Posting {
            transfer_id: transfer_id.to_owned(),
            legs: vec![leg(from, -self.asked.amount), leg(to, self.asked.amount)],
            memo: self.asked.memo.clone(),
        };
        let body = serde_json::to_vec(&posting).expect("strings and numbers are JSON");
        let request = HttpRequest::post("/v1/entries", &body);
        Ok(self.orchestrator.ledger.send(&self.context, request).await?)
    }

    /// Whoever asks again is answered from the table: a transfer is announced once, or, when this process dies here, not at all.
    async fn announce(&self, transfer_id: &str, [from, to]: &[Account; 2]) {
        let Some(announcements) = &self.orchestrator.announcements else { return };
        let settled = Settled {
            transfer_id: transfer_id.to_owned(),
            from: from.account_id.clone(),
            to: to.account_id.clone(),
            amount: self.asked.amount,
            currency: from.currency.clone(),
        };
        let body = serde_json::to_vec(&settled).expect("strings and numbers are JSON");
        announcements.send(&self.context, transfer_id, &body).await;
    }

    /// What the ledger has decided, in the words of whoever asked. The ledger answers 200 to what it had written before.
    fn decision(
        &self,
        transfer_id: &str,
        [from, _]: &[Account; 2],
        answer: &HttpAnswer,
    ) -> Result<(StatusCode, String), Unfinished> {
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => {
                let NewTransfer { from: debited, to, amount, memo } = self.asked;
                let body = json!({
                    "transfer_id": transfer_id,
                    "from": debited,
                    "to": to,
                    "amount": amount,
                    "currency": from.currency,
                    "memo": memo,
                });
                Ok((StatusCode::CREATED, body.to_string()))
            }
            StatusCode::UNPROCESSABLE_ENTITY => {
                let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let reason = said.get("error").and_then(Value::as_str).unwrap_or("refused");
                let body = json!({ "transfer_id": transfer_id, "error": reason });
                Ok((StatusCode::UNPROCESSABLE_ENTITY, body.to_string()))
            }
            status => Err(Unfinished::LedgerAnswered(status)),
        }
    }
}

/// The answer that was given before, if one was. What was created once is not created again: 200.
fn replayed(row: &Row) -> Option<Response> {
    let (status, body): (Option<i16>, Option<String>) = (row.get(1), row.get(2));
    let status = status.and_then(|status| StatusCode::from_u16(status.unsigned_abs()).ok())?;
    let status = if status == StatusCode::CREATED { StatusCode::OK } else { status };
    let mut response = as_json(status, body?);
    response.headers_mut().insert(REPLAYED.clone(), HeaderValue::from_static("true"));
    Some(response)
}

fn as_json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str, amount: i64) -> NewTransfer {
        NewTransfer { from: from.to_owned(), to: to.to_owned(), amount, memo: String::new() }
    }

    #[test]
    fn a_transfer_moves_something_between_two_accounts() {
        assert_eq!(asked("a", "b", 1).problem(), None);
        assert_eq!(asked("a", "b", AMOUNT_MAX).problem(), None);
        for wrong in [
            asked("a", "a", 1),
            asked("", "b", 1),
            asked("a", "b/", 1),
            asked("a", "b", 0),
            asked("a", "b", -1),
            asked("a", "b", AMOUNT_MAX + 1),
            NewTransfer { memo: "\u{0}".to_owned(), ..asked("a", "b", 1) },
        ] {
            assert!(wrong.problem().is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn another_amount_is_another_transfer() {
        assert_eq!(fingerprint(&asked("a", "b", 1)), fingerprint(&asked("a", "b", 1)));
        assert_ne!(fingerprint(&asked("a", "b", 1)), fingerprint(&asked("a", "b", 2)));
    }
}
