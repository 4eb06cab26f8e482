//! What the scenarios ask the ledger, in its users' words, and what they wait for.

use std::time::Duration;

use probity::run::{Request, Running, Sent, Stop};
use serde_json::json;

use super::{GATEWAY, LEDGER, ORCHESTRATOR};

/// What orchestrator logs once it has found `accounts`.
pub const FOUND: &str = "endpoints of accounts changed";

const LIMIT: Duration = Duration::from_secs(10);

/// Who everything is done for.
pub const TENANT: &str = "tenant.id=acme";

pub fn open(may_be_negative: bool) -> Request {
    let body = json!({ "currency": "EUR", "may_be_negative": may_be_negative });
    Request::post(GATEWAY, "/v1/accounts", body).operation("open").header("baggage", TENANT)
}

pub fn transfer(key: &str, from: &str, to: &str, amount: i64) -> Request {
    let body = json!({ "from": from, "to": to, "amount": amount });
    let request = Request::post(GATEWAY, "/v1/transfers", body).operation("transfer");
    request.header("idempotency-key", key).header("baggage", TENANT)
}

pub fn balance(account: &str) -> Request {
    let path = format!("/v1/accounts/{account}/balance");
    Request::get(GATEWAY, path).operation("balance").header("baggage", TENANT)
}

pub fn statement(account: &str) -> Request {
    let path = format!("/v1/accounts/{account}/statement");
    Request::get(GATEWAY, path).operation("statement").header("baggage", TENANT)
}

/// Two accounts: one that money comes from, which may be negative, and one that holds it.
pub struct Accounts {
    pub treasury: String,
    pub customer: String,
}

/// Opens both, once `accounts` is found.
pub async fn accounts(running: &mut Running) -> Result<Accounts, Stop> {
    running.says(ORCHESTRATOR, FOUND, LIMIT).await;
    let treasury = opened(running, true).await;
    let customer = opened(running, false).await;
    Ok(Accounts { treasury, customer })
}

pub async fn opened(running: &mut Running, may_be_negative: bool) -> String {
    let sent = running.send(open(may_be_negative)).await;
    running.expect_status(&sent, 201);
    let id = sent.json("account_id").and_then(|id| id.as_str().map(String::from));
    id.unwrap_or_else(|| "no-account".to_string())
}

impl Accounts {
    /// Money for the customer.
    pub fn funding(&self, key: &str, amount: i64) -> Request {
        transfer(key, &self.treasury, &self.customer, amount)
    }
}

/// Sends a transfer that must be accepted.
pub async fn accepted(running: &mut Running, request: Request) -> Sent {
    let sent = running.send(request).await;
    running.expect_status(&sent, 201);
    sent
}

/// Waits until that many lines of statements are projected.
pub async fn lines_are_projected(running: &mut Running, lines: u64) {
    let name = "the projected lines";
    running.effect_in("read-model", name, &lines.to_string(), LIMIT, "SELECT count(*) FROM entries").await;
}

/// Waits until that many rows are in the outbox, each with the context of its request.
pub async fn rows_wait(running: &mut Running, rows: u64) {
    let count = "SELECT count(*) FROM outbox";
    running.effect_in("ledger", "the rows of the outbox", &rows.to_string(), LIMIT, count).await;
}

/// Tells the relay of `ledger` to hold its rows back, or to let them go.
pub async fn relay(running: &mut Running, paused: bool) {
    let request = Request { method: "PUT", ..Request::post(LEDGER, "/relay", json!({ "paused": paused })) };
    let request = request.role("admin").header("authorization", format!("Bearer {}", running.admin_token()));
    let sent = running.send(request).await;
    running.expect_status(&sent, 200);
}
