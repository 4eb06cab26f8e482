//! HTTP to another service of the system: one CLIENT span, one count and one duration for each request.
//!
//! Named by method and template, never by the path. Trace context and baggage go with the request. Nothing is sent twice: whether
//! that is safe is the caller's to know.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use opentelemetry::propagation::Injector;
use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};

use crate::config::{ConfigError, Environment};
use crate::defect::Defect;
use crate::metrics::{DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::service::Service;
use crate::telemetry::Operation;

/// An answer of ours is small. A longer one is cut off with an error.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a service is.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    url: reqwest::Url,
}

impl Target {
    /// The URL in a variable: scheme, host and port, and nothing behind them.
    pub(crate) fn from(
        environment: &Environment,
        variable: &str,
        default: &str,
    ) -> Result<Self, ConfigError> {
        let text = environment.text(variable, default);
        let url: reqwest::Url =
            text.parse().map_err(|error| ConfigError::new(variable, format!("`{text}`: {error}")))?;
        let usable = url.scheme() == "http" && url.host_str().is_some() && matches!(url.path(), "" | "/");
        match usable {
            true => Ok(Self { url }),
            false => Err(ConfigError::new(variable, format!("`{text}` is not of the form http://host:port"))),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpFailure {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Connection(String),
    #[error("the answer is longer than {BODY_BYTES_MAX} bytes")]
    TooLong,
}

impl HttpFailure {
    /// `error.type`.
    fn kind(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::Connection(_) => "connection_error",
            Self::TooLong => "answer_too_long",
        }
    }

    /// What a service answers that has nothing to answer because of it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Connection(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLong => StatusCode::BAD_GATEWAY,
        }
    }
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct HttpRequest<'a> {
    pub method: Method,
    /// `/v1/accounts/{id}/balance`: the span's name, and the metric's label.
    pub template: &'static str,
    /// What stands for the template's parameters.
    pub path: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON.
    pub body: Option<&'a [u8]>,
}

impl<'a> HttpRequest<'a> {
    pub(crate) fn get(template: &'static str, path: String) -> Self {
        Self { method: Method::GET, template, path, headers: Vec::new(), body: None }
    }

    /// To a path without parameters.
    pub(crate) fn post(path: &'static str, body: &'a [u8]) -> Self {
        let (template, path) = (path, path.to_owned());
        Self { method: Method::POST, template, path, headers: Vec::new(), body: Some(body) }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A client of one service.
pub(crate) struct HttpClient {
    service: Service,
    client: reqwest::Client,
    target: Target,
    deadline: Duration,
    duration: Latency,
}

impl HttpClient {
    pub(crate) fn new(service: &Service, target: Target, deadline: Duration, duration: &Latency) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(deadline)
            .build()
            .expect("no TLS is asked for, and nothing else can fail");
        Self { service: service.clone(), client, target, deadline, duration: duration.clone() }
    }

    /// The histogram that all clients of a service share.
    pub(crate) fn latency(metrics: &mut Metrics) -> Latency {
        metrics.latency("http.client.request.duration", "Duration of requests to others", DURATION_BOUNDS)
    }

    pub(crate) async fn send(
        &self,
        parent: &Context,
        request: HttpRequest<'_>,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut url = self.target.url.clone();
        url.set_path(&request.path);
        let span = self.span(parent, &request, &url);
        let started = Instant::now();
        let answering = self.answer(span.context(), &request, url);
        let outcome = tokio::time::timeout(self.deadline, answering).await;
        let outcome = outcome.unwrap_or(Err(HttpFailure::Timeout(self.deadline)));
        self.finish(span, started.elapsed(), &request, &outcome);
        outcome
    }

    async fn answer(
        &self,
        context: &Context,
        request: &HttpRequest<'_>,
        url: reqwest::Url,
    ) -> Result<HttpAnswer, HttpFailure> {
        let mut headers: HeaderMap = request.headers.iter().cloned().collect();
        if self.service.common.defect != Some(Defect::HttpClientDropsContext) {
            self.service.telemetry.propagator().inject_context(context, &mut Headers(&mut headers));
        }
        let mut builder = self.client.request(request.method.clone(), url).headers(headers);
        if let Some(body) = request.body {
            builder = builder.header(http::header::CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let mut response = builder.send().await.map_err(|error| self.failure(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(HttpFailure::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpAnswer { status, headers, body: body.into() })
    }

    /// What happened, without the URL, which is the span's to say.
    fn failure(&self, error: &reqwest::Error) -> HttpFailure {
        if error.is_timeout() {
            return HttpFailure::Timeout(self.deadline);
        }
        let mut innermost: &dyn std::error::Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        HttpFailure::Connection(innermost.to_string())
    }

    fn span(&self, parent: &Context, request: &HttpRequest<'_>, url: &reqwest::Url) -> Operation {
        let attributes = vec![
            KeyValue::new("http.request.method", request.method.to_string()),
            KeyValue::new("url.full", url.to_string()),
            KeyValue::new("url.template", request.template),
            KeyValue::new("server.address", url.host_str().unwrap_or_default().to_owned()),
            KeyValue::new("server.port", i64::from(url.port_or_known_default().unwrap_or(80))),
        ];
        self.service.telemetry.span(parent, SpanKind::Client, request.name(), attributes)
    }

    /// To a client every answer from 400 on is an error.
    fn finish(
        &self,
        span: Operation,
        elapsed: Duration,
        request: &HttpRequest<'_>,
        outcome: &Result<HttpAnswer, HttpFailure>,
    ) {
        let mut labels = Labels::new([
            ("http.request.method", request.method.to_string().into()),
            ("url.template", request.template.into()),
        ]);
        match outcome {
            Ok(answer) => {
                let status = answer.status;
                span.set(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
                labels = labels.with("http.response.status_code", status.as_str().to_owned());
                if status.is_client_error() || status.is_server_error() {
                    span.fail(status.as_str().to_owned());
                    labels = labels.with("error.type", status.as_str().to_owned());
                }
            }
            Err(failure) => {
                span.fail_with(failure.kind(), &failure.to_string());
                labels = labels.with("error.type", failure.kind());
            }
        }
        self.duration.record(span.context(), elapsed, labels);
        span.end();
    }
}

/// Writes a context into headers.
struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        if let (Ok(key), Ok(value)) = (HeaderName::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, ConfigError> {
        Target::from(&Environment::from([("LEDGER_URL", url)]), "LEDGER_URL", "http://ledger:8083")
    }

    #[test]
    fn a_target_is_a_host_and_a_port() {
        assert_eq!(target("").unwrap().url.as_str(), "http://ledger:8083/");
        assert_eq!(target("http://127.0.0.1:9").unwrap().url.port(), Some(9));
        for bad in ["ledger:8083", "https://ledger", "http://ledger/v1", "http://"] {
            assert!(target(bad).unwrap_err().to_string().starts_with("LEDGER_URL: "), "{bad}");
        }
    }

    #[test]
    fn a_request_is_named_by_its_template() {
        let request = HttpRequest::get("/v1/accounts/{id}/balance", "/v1/accounts/7/balance".to_owned());
        assert_eq!(request.name(), "GET /v1/accounts/{id}/balance");
        assert_eq!(HttpRequest::post("/v1/entries", b"{}").path, "/v1/entries");
    }

    #[test]
    fn headers_carry_the_context_and_nothing_empty() {
        let mut map = HeaderMap::new();
        let mut headers = Headers(&mut map);
        headers.set("traceparent", "00-a-b-01".to_owned());
        headers.set("tracestate", String::new());
        assert_eq!(map.get("traceparent").unwrap(), "00-a-b-01");
        assert!(map.get("tracestate").is_none());
    }

    #[test]
    fn a_failure_has_a_type_and_an_answer() {
        let late = HttpFailure::Timeout(Duration::from_secs(1));
        assert_eq!((late.kind(), late.status().as_u16()), ("timeout", 504));
        let refused = HttpFailure::Connection("refused".to_owned());
        assert_eq!((refused.kind(), refused.status().as_u16()), ("connection_error", 503));
    }
}
