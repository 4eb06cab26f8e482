//! The outbox: what is to be published about a transfer, written with it, and the context in which it was written.
//!
//! The row carries what a request would carry (`traceparent`, `tracestate`, `baggage`), as JSON: whoever publishes it, and however
//! late, does so in the trace of whoever wrote it.

use std::collections::BTreeMap;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;

use crate::bookkeeping::Entry;
use crate::database::{DatabaseError, Statement, Transaction};
use crate::defect::Defect;
use crate::propagation::{self, Carrier};
use crate::service::Service;

/// Rows that one look takes at most.
const BATCH_MAX: i64 = 200;

const PUT: Statement = Statement {
    operation: "INSERT",
    table: "outbox",
    text: "INSERT INTO outbox (key, value, event_id, context) \
           SELECT key, value, event_id, $4::text FROM unnest($1::text[], $2::text[], $3::text[]) AS put (key, value, event_id)",
};
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(7306937)";
const TAKE: &str = "SELECT id, key, value, event_id, context FROM outbox ORDER BY id LIMIT $1";
const REMOVE: &str = "DELETE FROM outbox WHERE id = ANY($1)";
const MEASURE: &str = "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8 FROM outbox";

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) event_id: String,
    /// Of whoever wrote it; empty when the row does not say.
    pub(super) context: Context,
}

/// Writes what is to be published, in the order of the entries.
pub(super) async fn put(
    transaction: &Transaction<'_>,
    context: &Context,
    service: &Service,
    entries: &[Entry],
) -> Result<(), DatabaseError> {
    let json = |entry| serde_json::to_string(entry).expect("strings and numbers are JSON");
    let keys: Vec<&str> = entries.iter().map(|entry| entry.account_id.as_str()).collect();
    let values: Vec<String> = entries.iter().map(json).collect();
    let ids: Vec<&str> = entries.iter().map(|entry| entry.entry_id.as_str()).collect();
    let carried = carried(context, service);
    transaction.query(context, &PUT, &[&keys, &values, &ids, &carried]).await?;
    Ok(())
}

/// What a request would carry.
fn carried(context: &Context, service: &Service) -> String {
    let mut fields = BTreeMap::new();
    let context = match service.common.defect {
        // Who relays the row will not know where it came from.
        Some(Defect::OutboxWithoutContext) => Context::new(),
        Some(Defect::OutboxWithoutBaggage) => context.with_cleared_baggage(),
        _ => context.clone(),
    };
    service.telemetry.propagator().inject_context(&context, &mut Carrier(&mut fields));
    serde_json::to_string(&fields).expect("strings are JSON")
}

/// The first rows, which nobody else takes until the transaction ends. None while another relay is at work: two would not keep
/// the order.
pub(super) async fn take(
    transaction: &Transaction<'_>,
    service: &Service,
) -> Result<Vec<Row>, DatabaseError> {
    let locked = transaction.query_quietly(LOCK, &[]).await?;
    if !locked.first().is_some_and(|row| row.get(0)) {
        return Ok(Vec::new());
    }
    let rows = transaction.query_quietly(TAKE, &[&BATCH_MAX]).await?;
    let read = |row: &tokio_postgres::Row| {
        // A context that cannot be read is none: the row is published all the same.
        let fields = serde_json::from_str(row.get(4)).unwrap_or_default();
        Row {
            id: row.get(0),
            key: row.get(1),
            value: row.get(2),
            event_id: row.get(3),
            context: propagation::context_of(service.telemetry.propagator(), &fields),
        }
    };
    Ok(rows.iter().map(read).collect())
}

pub(super) async fn remove(transaction: &Transaction<'_>, ids: &[i64]) -> Result<(), DatabaseError> {
    transaction.query_quietly(REMOVE, &[&ids]).await?;
    Ok(())
}

/// How many rows wait, and how many seconds the first has waited.
pub(super) async fn measure(transaction: &Transaction<'_>) -> Result<(i64, f64), DatabaseError> {
    let rows = transaction.query_quietly(MEASURE, &[]).await?;
    Ok(rows.first().map_or((0, 0.0), |row| (row.get(0), row.get(1))))
}
