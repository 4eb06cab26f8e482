//! One `GET` of an address for metrics or a probe, as a scraper would ask it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::model::HttpAnswer;

/// What Prometheus sends: OpenMetrics first, then the text format.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// The largest exposition that is kept.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// Asks `http://<address><path>` once. Never fails: an absent answer is evidence too. The second value is the trace
/// that the answer names, with its flags.
pub(super) async fn ask(
    client: &reqwest::Client,
    address: SocketAddr,
    path: &str,
    accept: Option<&str>,
) -> (HttpAnswer, Option<crate::model::TraceParent>) {
    let request = client
        .get(format!("http://{address}{path}"))
        .header("accept", accept.unwrap_or(ACCEPT))
        .timeout(Duration::from_secs(3));
    let began = Instant::now();
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (HttpAnswer { error: Some(innermost(&error)), ..HttpAnswer::default() }, None),
    };
    let status = Some(response.status().as_u16());
    let text = |name| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let content_type = text("content-type");
    let named = text("traceresponse").or_else(|| text("traceparent"));
    let trace = named.and_then(|header| crate::model::TraceParent::parse(&header));
    match response.bytes().await {
        Ok(bytes) => {
            let body = String::from_utf8_lossy(&bytes[..bytes.len().min(BODY_MAX)]).into_owned();
            let took_ms = Some(began.elapsed().as_millis() as u64);
            (HttpAnswer { status, content_type, body, error: None, took_ms }, trace)
        }
        Err(error) => {
            let error = Some(innermost(&error));
            (HttpAnswer { status, content_type, error, ..HttpAnswer::default() }, trace)
        }
    }
}

fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return HttpAnswer::NOT_IN_TIME.to_string();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
