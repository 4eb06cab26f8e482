//! The test service of W3C's suite: calls back whomever it is told to, in the context of the request that told it.
//!
//! Prints where it listens; `README.md` says how to run the suite against it.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use opentelemetry::Context;
use opentelemetry::propagation::{Injector, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use trace_context::{Headers, TraceContextPropagator};

#[derive(Debug, Serialize, Deserialize)]
struct Call {
    url: String,
    arguments: Vec<Call>,
}

/// The headers of a request that is being made.
struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<axum::http::HeaderName>(), value.parse()) {
            self.0.insert(name, value);
        }
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/test", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/test", post(test))).await
}

async fn test(headers: HeaderMap, Json(calls): Json<Vec<Call>>) -> &'static str {
    let propagator = TraceContextPropagator::new().ids_are_random();
    let tracer = SdkTracerProvider::builder().build().tracer("w3c-service");
    let parent = propagator.extract_with_context(&Context::new(), &Headers(&headers));
    let server = parent.with_span(tracer.start_with_context("POST /test", &parent));
    for call in calls {
        let client = server.with_span(tracer.start_with_context("POST", &server));
        let mut headers = HeaderMap::new();
        propagator.inject_context(&client, &mut Outgoing(&mut headers));
        let request = reqwest::Client::new().post(&call.url).timeout(Duration::from_secs(5));
        _ = request.headers(headers).json(&call.arguments).send().await;
    }
    "done"
}
