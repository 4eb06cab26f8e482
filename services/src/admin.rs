//! The admin port: metrics, liveness, readiness and the log level, apart from the port that serves users.
//!
//! Nothing here makes spans or counts as a request.

mod loglevel;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use serde_json::json;
use tokio::net::TcpListener;

use crate::defect::Defect;
use crate::metrics::Exposition;
use crate::service::{self, Fatal, Service};
use crate::telemetry::Telemetry;

/// A question that is answered anew each time: healthy, or why not.
pub(crate) type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What the admin port shows.
#[derive(Clone)]
pub(crate) struct Admin {
    pub exposition: Exposition,
    /// Whether the process should be left alive. Asks no backend.
    pub live: Check,
    /// Whether the process can serve now.
    pub ready: Check,
}

/// Makes a check of an async closure.
pub(crate) fn check<Answer>(ask: impl Fn() -> Answer + Send + Sync + 'static) -> Check
where
    Answer: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || Box::pin(ask()))
}

/// A check that is always true.
pub(crate) fn always() -> Check {
    check(|| async { Ok(()) })
}

/// True until the process is asked to stop.
pub(crate) fn while_running(service: &Service) -> Check {
    let stop = service.stop.clone();
    check(move || std::future::ready(if stop.is_requested() { Err("stopping".to_owned()) } else { Ok(()) }))
}

/// What to answer a caller who may not change how the process works; `None`: it knows the admin token.
pub(crate) fn refusal(headers: &HeaderMap, service: &Service) -> Option<Response> {
    loglevel::refusal(headers, service.common.admin_token.as_deref())
}

impl Admin {
    /// Listens and serves in the background, until the process ends.
    pub(crate) async fn start(self, service: &Service) -> Result<(), Fatal> {
        self.start_with(service, Router::new()).await
    }

    /// The same, with operations of the service's own.
    pub(crate) async fn start_with(self, service: &Service, operations: Router) -> Result<(), Fatal> {
        let address = service.common.admin_address;
        let listener = match service::listen("admin", address).await {
            Err(Fatal::Listen { source, .. })
                if service.common.defect == Some(Defect::MetricsPortConflict) =>
            {
                tracing::error!(%address, error = %source, "no metrics: the admin port is taken");
                return Ok(());
            }
            outcome => outcome?,
        };
        let mut router = self.router().merge(loglevel::router(service)).merge(operations);
        if service.common.defect == Some(Defect::HealthLogged) {
            router = router.layer(from_fn(logged));
        }
        if service.common.defect == Some(Defect::HealthTraced) {
            router = router.layer(from_fn_with_state(Arc::clone(&service.telemetry), traced));
        }
        tokio::spawn(serve(listener, router));
        Ok(())
    }

    fn router(self) -> Router {
        Router::new()
            .route("/", get(index))
            .route("/metrics", get(metrics))
            .route("/healthz", get(liveness))
            .route("/readyz", get(readiness))
            .with_state(self)
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    _ = axum::serve(listener, router).await;
}

async fn index() -> Html<&'static str> {
    Html(
        "<!doctype html><title>admin</title><ul><li><a href=/metrics>metrics</a>\
         <li><a href=/healthz>liveness</a><li><a href=/readyz>readiness</a>\
         <li><a href=/loglevel>log level</a></ul>\n",
    )
}

async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    if admin.exposition.defect() == Some(Defect::ScrapeSlow) {
        tokio::time::sleep(Duration::from_millis(1_300)).await;
    }
    scrape(&admin.exposition, &headers)
}

/// Answers one scrape.
pub(crate) fn scrape(exposition: &Exposition, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let scrape = exposition.render(accept);
    ([(CONTENT_TYPE, scrape.content_type)], scrape.body).into_response()
}

async fn liveness(State(admin): State<Admin>) -> Response {
    answer("alive", (admin.live)().await)
}

async fn readiness(State(admin): State<Admin>) -> Response {
    answer("ready", (admin.ready)().await)
}

fn answer(state: &str, outcome: Result<(), String>) -> Response {
    match outcome {
        Ok(()) => Json(json!({ "status": state })).into_response(),
        Err(reason) => {
            let body = json!({ "status": format!("not {state}"), "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// Logs each probe and scrape: most of the lines of a quiet service.
async fn logged(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::info!(method = %method, path, status = response.status().as_u16(), "request answered");
    response
}

/// Makes a span of each probe and scrape: noise in every trace list.
async fn traced(
    State(telemetry): State<Arc<Telemetry>>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let name = format!("{} {}", request.method(), route.as_str());
    let attributes = vec![
        KeyValue::new("http.request.method", request.method().to_string()),
        KeyValue::new("http.route", route.as_str().to_owned()),
        KeyValue::new("url.path", request.uri().path().to_owned()),
        KeyValue::new("url.scheme", "http"),
    ];
    let span = telemetry.span(&Context::new(), SpanKind::Server, name, attributes);
    let response = next.run(request).await;
    let status = response.status();
    span.set(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.fail(status.as_str().to_owned());
    }
    span.end();
    response
}
