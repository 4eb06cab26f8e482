//! `analytics-rpc`: tells how often a link was followed.
//!
//! Registers in etcd once it serves and its database is reachable; leaves at once when it stops.

use std::process::ExitCode;
use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::trace::{FutureExt as _, SpanKind};
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use crate::admin::{self, Admin};
use crate::analytics_protocol::{
    Analytics, AnalyticsServer, GET_CLICK_COUNT, GetClickCountRequest, GetClickCountResponse,
};
use crate::database::{Database, Statement};
use crate::defect::Defect;
use crate::grpc::{Call, RpcServer, RpcSettings};
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};
use crate::shortener::{DATABASE_URL, SCHEMA};

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9465";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:50051";

const COUNT: Statement =
    Statement { operation: "SELECT", table: "clicks", text: "SELECT count(*) FROM clicks WHERE code = $1" };

const ROWS: Statement =
    Statement { operation: "SELECT", table: "clicks", text: "SELECT event_id FROM clicks WHERE code = $1" };

/// The program.
pub fn main() -> ExitCode {
    service::run("analytics-rpc", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = RpcSettings::from(&service.environment, LISTEN_ADDRESS)?;
    let database = service.environment.database(DATABASE_URL)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let database = Arc::new(Database::new(&service, &database, &SCHEMA, &mut metrics));
    let server = RpcServer::new(&service, &[GET_CLICK_COUNT], &mut metrics);
    let clicks =
        ClickCounts { service: service.clone(), server: server.clone(), database: Arc::clone(&database) };
    let (registered, is_registered) = watch::channel(false);
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: server.readiness(Arc::clone(&database), is_registered),
    };
    admin.start(&service).await?;
    server.serve(&settings, database, registered, Routes::new(AnalyticsServer::new(clicks))).await
}

/// Answers `GetClickCount` from the table of clicks.
struct ClickCounts {
    service: Service,
    server: RpcServer,
    database: Arc<Database>,
}

impl ClickCounts {
    async fn count(&self, context: &Context, code: &str) -> Result<u64, Status> {
        let per_row = self.service.common.defect == Some(Defect::SpanPerRow);
        let statement = if per_row { &ROWS } else { &COUNT };
        let rows = self.database.query(context, statement, &[&code]).await.map_err(|error| {
            tracing::warn!(error = %error, "clicks could not be counted");
            // Another instance, or this one a moment later, may be able to.
            Status::unavailable("the database is away")
        })?;
        let clicks: i64 = match per_row {
            true => rows.iter().map(|_| self.read_row(context)).sum(),
            false => rows.first().map_or(0, |row| row.get(0)),
        };
        match u64::try_from(clicks) {
            Ok(0) | Err(_) => Err(Status::not_found("this link was never followed")),
            Ok(clicks) => Ok(clicks),
        }
    }
}

impl ClickCounts {
    /// Counts one row, in a span of its own.
    fn read_row(&self, context: &Context) -> i64 {
        self.service.telemetry.span(context, SpanKind::Internal, "read row", Vec::new()).end();
        1
    }
}

#[tonic::async_trait]
impl Analytics for ClickCounts {
    async fn get_click_count(
        &self,
        request: Request<GetClickCountRequest>,
    ) -> Result<Response<GetClickCountResponse>, Status> {
        let call = Call::start(&self.server, GET_CLICK_COUNT, &request);
        let code = request.into_inner().code;
        let context = call.context().clone();
        let outcome = self.count(&context, &code).with_context(context.clone()).await;
        call.finish(outcome.as_ref().map_or_else(Status::code, |_| Code::Ok));
        outcome.map(|clicks| Response::new(GetClickCountResponse { clicks }))
    }
}
