//! HTTP on the main port: one SERVER span, one count and one duration for each request, and an end that waits for what has begun.
//!
//! Named by method and route, never by the path. Answers carry `traceresponse`, so that a caller can find its trace.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::{FutureExt as _, SpanKind};
use opentelemetry::{Context, KeyValue};
use serde_json::json;
use tokio::net::TcpListener;
use trace_context::Headers;

use crate::defect::Defect;
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::propagation;
use crate::service::{Fatal, Service};

static TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// How `phone-in-baggage` comes by a number.
const PHONE: HeaderName = HeaderName::from_static("x-user-phone");

/// The label of requests that no route matches: their paths are anything.
const UNMATCHED: &str = "unmatched";

/// The code that a request was about, left by its handler.
#[derive(Debug, Clone)]
pub(crate) struct ShortCode(pub String);

/// A route with an answer that it is expected to give: method, route, status.
pub(crate) type Expected = (&'static str, &'static str, u16);

/// What all requests of a service have in common.
pub(crate) struct HttpServer {
    service: Service,
    requests: Count,
    duration: Latency,
    /// Whether a request has come yet: see `telemetry-after-listen`.
    asked: AtomicBool,
}

/// What is known of a request before it is handled.
struct Asked {
    method: Cow<'static, str>,
    original_method: Option<String>,
    route: Option<String>,
    path: String,
    query: Option<String>,
    host: Option<String>,
    user_agent: Option<String>,
    peer: Option<SocketAddr>,
    version: &'static str,
}

impl HttpServer {
    /// `expected` answers are counted from 0 on.
    pub(crate) fn new(service: &Service, metrics: &mut Metrics, expected: &[Expected]) -> Self {
        let duration = request_duration(metrics, service.common.defect);
        let requests = metrics.count("http.server.requests", "{request}", "Requests answered");
        for (method, route, status) in expected {
            requests.expect(request_labels((*method).into(), (*route).to_owned(), *status));
        }
        Self { service: service.clone(), requests, duration, asked: AtomicBool::new(false) }
    }

    fn defect(&self) -> Option<Defect> {
        self.service.common.defect
    }

    /// Answers requests until the process stops, then ends what has begun.
    pub(crate) async fn serve(self, listener: TcpListener, router: Router) -> Result<(), Fatal> {
        let (defect, service) = (self.defect(), self.service.clone());
        let stop = service.stop.clone();
        let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
        let app = router.layer(from_fn_with_state(Arc::new(self), trace));
        let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(async move { stop.requested().await })
            .into_future();
        if defect == Some(Defect::ExitDropsInflight) {
            // Requests that are being served are cut off in the middle.
            tokio::select! {
                _ = serving => {}
                () = service.stop.requested() => {}
            }
            return Ok(());
        }
        serving.await.map_err(|error| Fatal::Other(error.to_string()))
    }
}

/// An answer that says what is wrong.
pub(crate) fn problem(status: StatusCode, title: &str) -> Response {
    (status, Json(json!({ "error": title }))).into_response()
}

fn request_duration(metrics: &mut Metrics, defect: Option<Defect>) -> Latency {
    let (name, help) = ("http.server.request.duration", "Duration of requests");
    match defect {
        Some(Defect::LatencyGauge) => metrics.last_latency(name, help),
        Some(Defect::BucketsTooCoarse) => metrics.latency(name, help, &[1.0, 5.0, 10.0]),
        Some(wrong @ Defect::MillisecondsUnit) => {
            metrics.latency(name, help, DURATION_BOUNDS).in_milliseconds(wrong)
        }
        _ => metrics.latency(name, help, DURATION_BOUNDS),
    }
}

/// Labels of an answered request. All of them have few values.
fn request_labels(method: Cow<'static, str>, route: String, status: u16) -> Labels {
    Labels::new([
        ("http.request.method", method),
        ("http.route", route.into()),
        ("http.response.status_code", status.to_string().into()),
    ])
}

async fn trace(State(server): State<Arc<HttpServer>>, request: Request, next: Next) -> Response {
    if server.defect() == Some(Defect::TelemetryAfterListen) && !server.asked.swap(true, Ordering::Relaxed) {
        // Telemetry is set up with the first request, which is gone by the time that it is there.
        return next.run(request).with_context(Context::new().with_telemetry_suppressed()).await;
    }
    let started = Instant::now();
    let asked = Asked::of(&request, server.defect());
    let telemetry = &server.service.telemetry;
    let parent = telemetry.propagator().extract_with_context(&Context::new(), &Headers(request.headers()));
    let parent = match server.defect() {
        Some(Defect::PhoneInBaggage) => with_member(&parent, "user.phone", text(request.headers(), PHONE)),
        Some(Defect::TraceparentMalformedForwarded) => {
            propagation::with_malformed(&parent, request.headers())
        }
        Some(Defect::BaggageOversize) => with_member(&parent, "debug.state", Some("x".repeat(2_000))),
        _ => parent,
    };
    let name = asked.span_name(server.defect());
    let span = telemetry.span(&parent, SpanKind::Server, name, asked.attributes());

    let mut response = next.run(request).with_context(span.context().clone()).await;

    let status = response.status();
    if server.defect() != Some(Defect::StatusCodeMissing) {
        span.set(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    }
    if is_failure(status, server.defect()) {
        span.fail(status.as_str().to_owned());
    }
    count(&server, &asked, &response, span.context(), started);
    let promised = server.defect() != Some(Defect::NoResponseHeader);
    let traceresponse = telemetry.traceparent(span.context()).filter(|_| promised);
    if let Some(value) = traceresponse.and_then(|value| HeaderValue::from_str(&value).ok()) {
        response.headers_mut().insert(TRACERESPONSE.clone(), value);
    }
    span.end();
    response
}

/// One more thing that everybody who is called will be told.
fn with_member(context: &Context, key: &'static str, value: Option<String>) -> Context {
    let members = context.baggage().iter();
    let members = members.map(|(key, (value, _))| KeyValue::new(key.clone(), value.clone()));
    context.with_baggage(members.chain(value.map(|value| KeyValue::new(key, value))).collect::<Vec<_>>())
}

/// A server has failed when it says so with a 5xx. A 4xx is the caller's failure.
fn is_failure(status: StatusCode, defect: Option<Defect>) -> bool {
    match defect {
        Some(Defect::ErrorSwallowed) => false,
        Some(Defect::FourXxAsServerError) => status.is_client_error() || status.is_server_error(),
        _ => status.is_server_error(),
    }
}

fn count(server: &HttpServer, asked: &Asked, response: &Response, context: &Context, started: Instant) {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if failed && server.defect() == Some(Defect::ErrorsNotCounted) {
        return;
    }
    let route = asked.route.clone().unwrap_or_else(|| UNMATCHED.to_owned());
    let labels = request_labels(asked.method.clone(), route, status.as_u16());
    let labels = match server.defect() {
        Some(Defect::RedErrorsMissing) => labels.without("http.response.status_code"),
        _ => labels,
    };
    let code = response.extensions().get::<ShortCode>();
    server.requests.add(1, counter_labels(labels.clone(), asked, code, server.defect()));

    let mut labels = labels.with("url.scheme", "http");
    if status.is_server_error() && server.defect() != Some(Defect::RedErrorsMissing) {
        labels = labels.with("error.type", status.as_str().to_owned());
    }
    server.duration.record(context, started.elapsed(), labels);
}

/// The right labels, and those that seem useful until a month has passed.
fn counter_labels(labels: Labels, asked: &Asked, code: Option<&ShortCode>, defect: Option<Defect>) -> Labels {
    match (defect, code) {
        (Some(Defect::LabelShortCode), Some(code)) => labels.with("short_code", code.0.clone()),
        (Some(Defect::LabelRawPath), _) => labels.with("path", asked.path.clone()),
        (Some(Defect::LabelUserAgent), _) => {
            labels.with("user_agent", asked.user_agent.clone().unwrap_or_default())
        }
        (Some(Defect::LabelClientIp), _) => {
            let address = asked.peer.map(|peer| peer.ip().to_string());
            labels.with("client_ip", address.unwrap_or_default())
        }
        _ => labels,
    }
}

impl Asked {
    fn of(request: &Request, defect: Option<Defect>) -> Self {
        let (method, original_method) = known_method(request.method());
        let extensions = request.extensions();
        let route = extensions.get::<MatchedPath>().map(|route| route.as_str().to_owned());
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        Self {
            method,
            original_method,
            route,
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(|query| match defect {
                Some(Defect::TokenInUrlAttribute) => query.to_owned(),
                _ => without_values(query),
            }),
            host: text(request.headers(), HOST),
            user_agent: text(request.headers(), USER_AGENT),
            peer,
            version: if request.version() == Version::HTTP_2 { "2" } else { "1.1" },
        }
    }

    fn span_name(&self, defect: Option<Defect>) -> String {
        let method = if self.original_method.is_some() { "HTTP" } else { &self.method };
        match (&self.route, defect) {
            (_, Some(Defect::RawPathName)) => format!("{method} {}", self.path),
            (Some(route), _) => format!("{method} {route}"),
            (None, _) => method.to_owned(),
        }
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method.clone()),
            KeyValue::new("url.path", self.path.clone()),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("network.protocol.version", self.version),
        ];
        let optional = [
            ("http.request.method_original", &self.original_method),
            ("http.route", &self.route),
            ("url.query", &self.query),
            ("user_agent.original", &self.user_agent),
        ];
        for (key, value) in optional {
            attributes.extend(value.clone().map(|value| KeyValue::new(key, value)));
        }
        if let Some((host, port)) = self.host.as_deref().and_then(host_and_port) {
            attributes.push(KeyValue::new("server.address", host.to_owned()));
            attributes.push(KeyValue::new("server.port", port));
        }
        if let Some(peer) = self.peer {
            attributes.push(KeyValue::new("client.address", peer.ip().to_string()));
            attributes.push(KeyValue::new("network.peer.address", peer.ip().to_string()));
            attributes.push(KeyValue::new("network.peer.port", i64::from(peer.port())));
        }
        attributes
    }
}

/// The method, or `_OTHER` with the original, so that nobody can invent values of an attribute.
fn known_method(method: &Method) -> (Cow<'static, str>, Option<String>) {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    match KNOWN.contains(method) {
        true => (method.as_str().to_owned().into(), None),
        false => ("_OTHER".into(), Some(method.as_str().to_owned())),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A query with its keys. Values may be secrets: this service knows no parameter, so none is needed.
fn without_values(query: &str) -> String {
    let redact = |pair: &str| match pair.split_once('=') {
        Some((key, _)) => format!("{key}=REDACTED"),
        None => pair.to_owned(),
    };
    query.split('&').map(redact).collect::<Vec<_>>().join("&")
}

fn host_and_port(host: &str) -> Option<(&str, i64)> {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => Some((name, port.parse().ok()?)),
        _ => Some((host, 80)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, route: Option<&str>, path: &str) -> Asked {
        let (method, original_method) = known_method(&method.parse().unwrap());
        Asked {
            method,
            original_method,
            route: route.map(str::to_owned),
            path: path.to_owned(),
            query: None,
            host: None,
            user_agent: None,
            peer: None,
            version: "1.1",
        }
    }

    #[test]
    fn a_span_is_named_by_method_and_route() {
        assert_eq!(asked("GET", Some("/{code}"), "/abc").span_name(None), "GET /{code}");
        assert_eq!(asked("GET", None, "/a/b/c").span_name(None), "GET");
        assert_eq!(asked("BREW", Some("/{code}"), "/abc").span_name(None), "HTTP /{code}");
    }

    #[test]
    fn an_unknown_method_is_other_with_its_original() {
        let asked = asked("BREW", None, "/");
        assert_eq!(asked.method, "_OTHER");
        assert_eq!(asked.original_method.as_deref(), Some("BREW"));
    }

    #[test]
    fn only_5xx_is_a_failure_of_the_server() {
        let failed = |status| is_failure(StatusCode::from_u16(status).unwrap(), None);
        assert!(!failed(302) && !failed(404) && !failed(499));
        assert!(failed(500) && failed(503));
    }

    #[test]
    fn values_of_a_query_are_not_recorded() {
        assert_eq!(without_values("token=abc&x&y="), "token=REDACTED&x&y=REDACTED");
    }

    #[test]
    fn a_host_has_a_port_or_the_usual_one() {
        assert_eq!(host_and_port("a.example:8080"), Some(("a.example", 8080)));
        assert_eq!(host_and_port("a.example"), Some(("a.example", 80)));
        assert_eq!(host_and_port("[::1]"), Some(("[::1]", 80)));
        assert_eq!(host_and_port("a:port"), None);
    }
}
