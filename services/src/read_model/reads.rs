//! Balances and statements, as far as they are projected.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use opentelemetry::Context;
use serde_json::json;
use tokio_postgres::Row;

use crate::bookkeeping::is_id;
use crate::database::{Database, DatabaseError, Statement};
use crate::http_server::problem;

const BALANCE: Statement = Statement {
    operation: "SELECT",
    table: "balances",
    text: "SELECT balance, entries FROM balances WHERE account_id = $1",
};
/// The newest lines.
const STATEMENT: Statement = Statement {
    operation: "SELECT",
    table: "entries",
    text: "SELECT transfer_id, amount, balance, sequence, memo, posted_at FROM entries \
           WHERE account_id = $1 ORDER BY sequence DESC LIMIT 100",
};

/// `GET /v1/accounts/{id}/balance`
pub(super) async fn balance(State(database): State<Arc<Database>>, Path(id): Path<String>) -> Response {
    match rows(&database, &BALANCE, &id).await {
        Ok(rows) => match rows.first() {
            Some(row) => {
                let (balance, entries): (i64, i64) = (row.get(0), row.get(1));
                Json(json!({ "account_id": id, "balance": balance, "entries": entries })).into_response()
            }
            None => unknown(),
        },
        Err(error) => failure(&error),
    }
}

/// `GET /v1/accounts/{id}/statement`
pub(super) async fn statement(State(database): State<Arc<Database>>, Path(id): Path<String>) -> Response {
    match rows(&database, &STATEMENT, &id).await {
        Ok(rows) if rows.is_empty() => unknown(),
        Ok(rows) => {
            let lines: Vec<_> = rows.iter().map(line).collect();
            Json(json!({ "account_id": id, "lines": lines })).into_response()
        }
        Err(error) => failure(&error),
    }
}

fn line(row: &Row) -> serde_json::Value {
    let (transfer_id, memo): (&str, &str) = (row.get(0), row.get(4));
    let (amount, balance, sequence): (i64, i64, i64) = (row.get(1), row.get(2), row.get(3));
    let posted_at: SystemTime = row.get(5);
    let posted_at_ms = posted_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    json!({
        "transfer_id": transfer_id,
        "amount": amount,
        "balance": balance,
        "sequence": sequence,
        "memo": memo,
        "posted_at_ms": posted_at_ms,
    })
}

async fn rows(database: &Database, statement: &Statement, id: &str) -> Result<Vec<Row>, DatabaseError> {
    // What cannot be an account is not looked up.
    if !is_id(id) {
        return Ok(Vec::new());
    }
    database.query(&Context::current(), statement, &[&id]).await
}

fn unknown() -> Response {
    problem(StatusCode::NOT_FOUND, "no entry of this account is known here, or not yet")
}

fn failure(error: &DatabaseError) -> Response {
    tracing::error!(error = %error, "the read model could not be read");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the read model could not be read")
}
