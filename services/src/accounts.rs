//! `accounts`: knows which accounts there are, in which currency, and whether they may be negative.
//!
//! Registers in etcd once it serves and its database is reachable; leaves at once when it stops.

use std::process::ExitCode;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use tokio::sync::watch;
use tokio_postgres::Row;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use crate::accounts_protocol::{
    Account, Accounts, AccountsServer, DESCRIBE, DescribeRequest, DescribeResponse, OPEN, OpenRequest,
};
use crate::admin::{self, Admin};
use crate::bookkeeping::{is_currency, is_id};
use crate::database::{Database, DatabaseError, Schema, Statement};
use crate::grpc::{Call, RpcServer, RpcSettings};
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9469";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:50052";

const DATABASE_URL: &str = "postgresql://ledger@localhost:5432/accounts";
/// One call describes the accounts of one transfer.
const DESCRIBED_MAX: usize = 16;

static SCHEMA: Schema = Schema {
    migration: "
        CREATE TABLE IF NOT EXISTS accounts (
            account_id text PRIMARY KEY,
            currency text NOT NULL,
            may_be_negative boolean NOT NULL,
            opened_at timestamptz NOT NULL DEFAULT now()
        );",
    check: "SELECT FROM accounts LIMIT 0",
};

/// What was opened stays as it was opened.
const OPENING: Statement = Statement {
    operation: "INSERT",
    table: "accounts",
    text: "INSERT INTO accounts (account_id, currency, may_be_negative) VALUES ($1, $2, $3) \
           ON CONFLICT (account_id) DO UPDATE SET account_id = excluded.account_id \
           RETURNING account_id, currency, may_be_negative",
};
const DESCRIBING: Statement = Statement {
    operation: "SELECT",
    table: "accounts",
    text: "SELECT account_id, currency, may_be_negative FROM accounts WHERE account_id = ANY($1)",
};

/// The program.
pub fn main() -> ExitCode {
    service::run("accounts", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = RpcSettings::from(&service.environment, LISTEN_ADDRESS)?;
    let database = service.environment.database(DATABASE_URL)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let database = Arc::new(Database::new(&service, &database, &SCHEMA, &mut metrics));
    let server = RpcServer::new(&service, &[OPEN, DESCRIBE], &mut metrics);
    let book = Book { server: server.clone(), database: Arc::clone(&database) };
    let (registered, is_registered) = watch::channel(false);
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: server.readiness(Arc::clone(&database), is_registered),
    };
    admin.start(&service).await?;
    server.serve(&settings, database, registered, Routes::new(AccountsServer::new(book))).await
}

/// Answers from the table of accounts.
struct Book {
    server: RpcServer,
    database: Arc<Database>,
}

impl Book {
    async fn opened(&self, context: &Context, asked: &OpenRequest) -> Result<Account, Status> {
        if !is_id(&asked.account_id) || !is_currency(&asked.currency) {
            return Err(Status::invalid_argument("an account has an id and a currency"));
        }
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&asked.account_id, &asked.currency, &asked.may_be_negative];
        let rows = self.database.query(context, &OPENING, &parameters).await.map_err(away)?;
        let account = rows.first().map(account).ok_or_else(|| Status::internal("nothing was returned"))?;
        match account.currency == asked.currency && account.may_be_negative == asked.may_be_negative {
            true => Ok(account),
            false => Err(Status::already_exists("another account has this id")),
        }
    }

    async fn described(&self, context: &Context, ids: &[String]) -> Result<DescribeResponse, Status> {
        if ids.len() > DESCRIBED_MAX {
            return Err(Status::invalid_argument("too many accounts at once"));
        }
        let rows = self.database.query(context, &DESCRIBING, &[&ids]).await.map_err(away)?;
        let known: Vec<Account> = rows.iter().map(account).collect();
        let describe = |id: &String| {
            let found = known.iter().find(|account| account.account_id == *id).cloned();
            found.ok_or_else(|| Status::not_found("no account has this id"))
        };
        Ok(DescribeResponse { accounts: ids.iter().map(describe).collect::<Result<_, _>>()? })
    }
}

fn account(row: &Row) -> Account {
    Account { account_id: row.get(0), currency: row.get(1), may_be_negative: row.get(2) }
}

/// Another instance, or this one a moment later, may be able to.
fn away(error: DatabaseError) -> Status {
    tracing::warn!(error = %error, "accounts could not be looked into");
    Status::unavailable("the database is away")
}

#[tonic::async_trait]
impl Accounts for Book {
    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<Account>, Status> {
        let call = Call::start(&self.server, OPEN, &request);
        let (context, asked) = (call.context().clone(), request.into_inner());
        let outcome = self.opened(&context, &asked).with_context(context.clone()).await;
        call.finish(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
        outcome.map(Response::new)
    }

    async fn describe(
        &self,
        request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeResponse>, Status> {
        let call = Call::start(&self.server, DESCRIBE, &request);
        let (context, ids) = (call.context().clone(), request.into_inner().account_ids);
        let outcome = self.described(&context, &ids).with_context(context.clone()).await;
        call.finish(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
        outcome.map(Response::new)
    }
}
