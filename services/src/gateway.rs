//! `gateway`: the one door of the ledger. Sends what writes to `orchestrator` and what reads to `read-model`.
//!
//! It knows of no backend and decides nothing but whether a request has a form that is worth passing on.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use opentelemetry::Context;

use crate::admin::{self, Admin};
use crate::bookkeeping::is_id;
use crate::config::{ConfigError, Environment};
use crate::http_client::{HttpAnswer, HttpClient, HttpRequest, Target};
use crate::http_server::{Expected, HttpServer, problem};
use crate::metrics::Metrics;
use crate::service::{self, Fatal, Service};

pub const ADMIN_ADDRESS: &str = "0.0.0.0:9467";
pub const LISTEN_ADDRESS: &str = "0.0.0.0:8081";

const BODY_LIMIT_BYTES: usize = 16 * 1024;
const KEY_BYTES_MAX: usize = 200;
/// The longest way of a transfer: `orchestrator`'s own deadlines fit into it.
const DEADLINE_MS: u64 = 5_000;

pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was given before.
pub(crate) static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const EXPECTED_ANSWERS: [Expected; 6] = [
    ("POST", "/v1/accounts", 201),
    ("POST", "/v1/transfers", 201),
    ("POST", "/v1/transfers", 200),
    ("POST", "/v1/transfers", 422),
    ("GET", "/v1/accounts/{id}/balance", 200),
    ("GET", "/v1/accounts/{id}/statement", 200),
];

/// What `gateway` reads from its environment besides what all services do.
#[derive(Debug)]
struct Settings {
    listen_address: SocketAddr,
    orchestrator: Target,
    read_model: Target,
    deadline: Duration,
}

impl Settings {
    fn from(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            listen_address: environment.address("LISTEN_ADDR", LISTEN_ADDRESS)?,
            orchestrator: Target::from(environment, "ORCHESTRATOR_URL", "http://localhost:8082")?,
            read_model: Target::from(environment, "READ_MODEL_URL", "http://localhost:8084")?,
            deadline: environment.milliseconds("HTTP_DEADLINE_MS", DEADLINE_MS)?,
        })
    }
}

struct Gateway {
    orchestrator: HttpClient,
    read_model: HttpClient,
}

/// The program.
pub fn main() -> ExitCode {
    service::run("gateway", ADMIN_ADDRESS, serve)
}

async fn serve(service: Service) -> Result<(), Fatal> {
    let settings = Settings::from(&service.environment)?;
    let mut metrics = Metrics::new(&service.telemetry, service.common.defect);
    let server = HttpServer::new(&service, &mut metrics, &EXPECTED_ANSWERS);
    let duration = HttpClient::latency(&mut metrics);
    let client = |target| HttpClient::new(&service, target, settings.deadline, &duration);
    let gateway =
        Gateway { orchestrator: client(settings.orchestrator), read_model: client(settings.read_model) };
    // Before the admin port: who is told that this process is ready can call it.
    let listener = service::listen("main", settings.listen_address).await?;
    let admin = Admin {
        exposition: metrics.exposition(),
        live: admin::always(),
        ready: admin::while_running(&service),
    };
    admin.start(&service).await?;
    server.serve(listener, router(Arc::new(gateway))).await
}

fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/accounts", post(open_account))
        .route("/v1/transfers", post(transfer))
        .route("/v1/accounts/{id}/balance", get(balance))
        .route("/v1/accounts/{id}/statement", get(statement))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(gateway)
}

async fn open_account(State(gateway): State<Arc<Gateway>>, body: Bytes) -> Response {
    pass_on(&gateway.orchestrator, HttpRequest::post("/v1/accounts", &body)).await
}

async fn transfer(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(key) = headers.get(&IDEMPOTENCY_KEY).filter(|key| is_key(key)) else {
        return problem(StatusCode::BAD_REQUEST, "the header Idempotency-Key is wanted, 1 to 200 characters");
    };
    let mut request = HttpRequest::post("/v1/transfers", &body);
    request.headers.push((IDEMPOTENCY_KEY.clone(), key.clone()));
    pass_on(&gateway.orchestrator, request).await
}

async fn balance(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    read(&gateway, "/v1/accounts/{id}/balance", &id).await
}

async fn statement(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    read(&gateway, "/v1/accounts/{id}/statement", &id).await
}

async fn read(gateway: &Gateway, template: &'static str, id: &str) -> Response {
    // What cannot be an account is not looked up.
    if !is_id(id) {
        return problem(StatusCode::NOT_FOUND, "no account has this id");
    }
    pass_on(&gateway.read_model, HttpRequest::get(template, template.replace("{id}", id))).await
}

/// The answer of who knows, or that it could not be had.
async fn pass_on(client: &HttpClient, request: HttpRequest<'_>) -> Response {
    let template = request.template;
    match client.send(&Context::current(), request).await {
        Ok(answer) => handed_on(answer),
        Err(failure) => {
            tracing::error!(error = %failure, route = template, "no answer from the service behind");
            problem(failure.status(), "the service behind gave no answer")
        }
    }
}

fn handed_on(answer: HttpAnswer) -> Response {
    let mut response = (answer.status, answer.body).into_response();
    for name in [&CONTENT_TYPE, &REPLAYED] {
        if let Some(value) = answer.headers.get(name) {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}

fn is_key(key: &HeaderValue) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.to_str().is_ok_and(|key| !key.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_of_a_bounded_length() {
        let is = |key: &str| is_key(&HeaderValue::from_str(key).unwrap());
        assert!(is("k") && is(&"k".repeat(KEY_BYTES_MAX)));
        assert!(!is("") && !is("  ") && !is(&"k".repeat(KEY_BYTES_MAX + 1)));
        assert!(!is_key(&HeaderValue::from_bytes(&[0xff]).unwrap()));
    }
}
