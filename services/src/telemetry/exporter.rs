//! OTLP exporters by the standard `OTEL_*` variables: gRPC, HTTP with protobuf, HTTP with JSON.
//!
//! Endpoint, headers, time-out and batching are read by the SDK itself; here are the choices that it leaves to its user.

use std::error::Error;
use std::net::ToSocketAddrs as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::config::{Common, ConfigError, Environment};
use crate::defect::Defect;

/// Builds the exporter of each signal; none for a signal that is switched off.
pub(super) struct Exporters<'a> {
    environment: &'a Environment,
    disabled: bool,
}

impl<'a> Exporters<'a> {
    pub(super) fn from(common: &Common, environment: &'a Environment) -> Result<Self, ConfigError> {
        let disabled = match common.defect {
            // Nobody wrote the block that configures telemetry, and nothing complains.
            Some(Defect::TelemetryBlockMissing | Defect::MiddleServiceMute) => true,
            _ => environment.value("OTEL_SDK_DISABLED", false)?,
        };
        Ok(Self { environment, disabled })
    }

    pub(super) fn spans(&self) -> Result<Option<SpanExporter>, ConfigError> {
        let Some(protocol) = self.protocol("TRACES")? else { return Ok(None) };
        let builder = SpanExporter::builder();
        let exporter = match protocol {
            Protocol::Grpc => builder.with_tonic().build(),
            _ => builder
                .with_http()
                .with_protocol(protocol)
                .with_shared_http_client(self.http_client()?)
                .build(),
        };
        exporter.map(Some).map_err(invalid_endpoint)
    }

    pub(super) fn metrics(&self) -> Result<Option<MetricExporter>, ConfigError> {
        let Some(protocol) = self.protocol("METRICS")? else { return Ok(None) };
        let builder = MetricExporter::builder();
        let exporter = match protocol {
            Protocol::Grpc => builder.with_tonic().build(),
            _ => builder
                .with_http()
                .with_protocol(protocol)
                .with_shared_http_client(self.http_client()?)
                .build(),
        };
        exporter.map(Some).map_err(invalid_endpoint)
    }

    pub(super) fn logs(&self) -> Result<Option<LogExporter>, ConfigError> {
        let Some(protocol) = self.protocol("LOGS")? else { return Ok(None) };
        let builder = LogExporter::builder();
        let exporter = match protocol {
            Protocol::Grpc => builder.with_tonic().build(),
            _ => builder
                .with_http()
                .with_protocol(protocol)
                .with_shared_http_client(self.http_client()?)
                .build(),
        };
        exporter.map(Some).map_err(invalid_endpoint)
    }

    /// The protocol of a signal, or none when the signal is off. http/protobuf is the specification's default.
    fn protocol(&self, signal: &str) -> Result<Option<Protocol>, ConfigError> {
        let exporter_variable = format!("OTEL_{signal}_EXPORTER");
        match self.environment.get(&exporter_variable).unwrap_or("otlp") {
            _ if self.disabled => return Ok(None),
            "none" => return Ok(None),
            "otlp" => {}
            other => {
                let problem = format!("`{other}` is neither `otlp` nor `none`");
                return Err(ConfigError::new(&exporter_variable, problem));
            }
        }
        let of_signal = format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL");
        let of_all = "OTEL_EXPORTER_OTLP_PROTOCOL";
        let variable = if self.environment.get(&of_signal).is_some() { &of_signal } else { of_all };
        match self.environment.get(variable).unwrap_or("http/protobuf") {
            "grpc" => Ok(Some(Protocol::Grpc)),
            "http/protobuf" => Ok(Some(Protocol::HttpBinary)),
            "http/json" => Ok(Some(Protocol::HttpJson)),
            other => {
                let problem = format!("`{other}` is not grpc, http/protobuf or http/json");
                Err(ConfigError::new(variable, problem))
            }
        }
    }

    fn http_client(&self) -> Result<Arc<dyn HttpClient>, ConfigError> {
        let timeout = self.environment.milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?;
        Ok(Arc::new(OnRuntime {
            runtime: Handle::current(),
            client: HyperClient::with_default_connector(timeout, None),
            failing: AtomicBool::new(false),
        }))
    }
}

fn invalid_endpoint(error: opentelemetry_otlp::ExporterBuildError) -> ConfigError {
    ConfigError::new("OTEL_EXPORTER_OTLP_ENDPOINT", error)
}

/// Sends from the runtime of the process. The SDK's batch processors poll exports on threads of their own, which have no
/// reactor.
#[derive(Debug)]
struct OnRuntime {
    runtime: Handle,
    client: HyperClient,
    failing: AtomicBool,
}

impl OnRuntime {
    /// The SDK says that exporting failed; this says why, once for each time that it begins to.
    fn report(&self, endpoint: &Uri, outcome: &Result<Response<Bytes>, HttpError>) {
        let was_failing = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (outcome, was_failing) {
            let mut cause: Option<&(dyn Error + 'static)> = Some(error.as_ref());
            let mut causes = Vec::new();
            while let Some(error) = cause {
                causes.push(error.to_string());
                cause = error.source();
            }
            let error = causes.join(": ");
            tracing::warn!(target: "opentelemetry", %endpoint, error, "cannot reach the collector");
        }
    }
}

#[tonic::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, endpoint) = (self.client.clone(), request.uri().clone());
        let outcome = self.runtime.spawn(async move { client.send_bytes(request).await }).await?;
        self.report(&endpoint, &outcome);
        outcome
    }
}

/// Waits until something listens where telemetry is sent to. A service that calls this at start is down whenever its
/// collector is.
pub(crate) async fn wait_for_collector(environment: &Environment) {
    let endpoint = environment.text("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
    let authority = endpoint.split("://").last().unwrap_or_default().trim_end_matches('/');
    while !is_listening(authority).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn is_listening(authority: &str) -> bool {
    let Ok(mut addresses) = authority.to_socket_addrs() else { return false };
    match addresses.next() {
        Some(address) => TcpStream::connect(address).await.is_ok(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(environment: Environment) -> Result<Option<Protocol>, ConfigError> {
        let common = Common::from(&environment, "url-api", "127.0.0.1:0").unwrap();
        Exporters::from(&common, &environment)?.protocol("TRACES")
    }

    #[test]
    fn the_protocol_of_a_signal_wins_over_the_common_one() {
        let environment = Environment::from([
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ]);
        assert_eq!(protocol(environment).unwrap(), Some(Protocol::HttpJson));
        let environment = Environment::from([("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        assert_eq!(protocol(environment).unwrap(), Some(Protocol::Grpc));
        assert_eq!(protocol(Environment::default()).unwrap(), Some(Protocol::HttpBinary));
    }

    #[test]
    fn a_signal_can_be_switched_off() {
        let none = Environment::from([("OTEL_TRACES_EXPORTER", "none")]);
        let disabled = Environment::from([("OTEL_SDK_DISABLED", "true")]);
        assert_eq!(protocol(none).unwrap(), None);
        assert_eq!(protocol(disabled).unwrap(), None);
    }

    #[test]
    fn an_unknown_protocol_or_exporter_is_refused() {
        let unknown = Environment::from([("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift")]);
        assert!(protocol(unknown).unwrap_err().to_string().contains("`thrift`"));
        let unknown = Environment::from([("OTEL_TRACES_EXPORTER", "jaeger")]);
        assert!(protocol(unknown).unwrap_err().to_string().contains("OTEL_TRACES_EXPORTER"));
    }
}
