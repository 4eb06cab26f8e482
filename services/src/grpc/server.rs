//! Answers calls, and is found through etcd: registered once it serves and its database is reachable, gone at once when it stops.
//!
//! One SERVER span, one count and one duration for each call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request};

use super::{code_name, is_server_failure};
use crate::admin;
use crate::config::{ConfigError, Environment, EtcdSettings};
use crate::database::Database;
use crate::defect::Defect;
use crate::discovery::Registration;
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::service::{self, Fatal, Service};
use crate::telemetry::Operation;

/// How long calls in flight may take after SIGTERM.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// Where a service listens and how it is found.
#[derive(Debug)]
pub(crate) struct RpcSettings {
    listen_address: SocketAddr,
    /// What others are told to call; the listening address when it is not set.
    advertise_address: Option<String>,
    lease_seconds: i64,
    etcd: EtcdSettings,
}

impl RpcSettings {
    pub(crate) fn from(environment: &Environment, listen_address: &str) -> Result<Self, ConfigError> {
        let lease_seconds = environment.value("LEASE_TTL_SECONDS", 10)?;
        if lease_seconds < 1 {
            return Err(ConfigError::new("LEASE_TTL_SECONDS", "must be at least 1"));
        }
        Ok(Self {
            listen_address: environment.address("LISTEN_ADDR", listen_address)?,
            advertise_address: environment.get("ADVERTISE_ADDR").map(str::to_owned),
            lease_seconds,
            etcd: environment.etcd()?,
        })
    }
}

/// What all calls of a service have in common.
#[derive(Clone)]
pub(crate) struct RpcServer {
    service: Service,
    duration: Latency,
    calls: Count,
}

impl RpcServer {
    /// `methods` are counted from 0 on.
    pub(crate) fn new(service: &Service, methods: &[&'static str], metrics: &mut Metrics) -> Self {
        let duration =
            metrics.latency("rpc.server.call.duration", "Duration of RPCs answered", DURATION_BOUNDS);
        let calls = metrics.count("rpc.server.calls", "{call}", "RPCs answered");
        for method in methods {
            for code in ["OK", "NOT_FOUND", "UNAVAILABLE"] {
                calls.expect(labels(method, code));
            }
        }
        Self { service: service.clone(), duration, calls }
    }

    /// Answers until the process stops: leaves etcd first, then lets the calls in flight end.
    pub(crate) async fn serve(
        self,
        settings: &RpcSettings,
        database: Arc<Database>,
        registered: watch::Sender<bool>,
        routes: Routes,
    ) -> Result<(), Fatal> {
        let service = &self.service;
        let opened = match service.common.defect {
            Some(Defect::RegisterBeforeListen) => {
                register_then_listen(service, settings, database, registered).await?
            }
            _ => Some(listen_then_register(service, settings, database, registered).await?),
        };
        if let Some((listener, registering)) = opened {
            answer(service, listener, routes, registering).await;
        }
        Ok(())
    }

    /// Whether it can be called: not stopping, registered, its database there.
    pub(crate) fn readiness(
        &self,
        database: Arc<Database>,
        registered: watch::Receiver<bool>,
    ) -> admin::Check {
        readiness(&self.service, database, registered)
    }
}

type Registering = JoinHandle<()>;

/// Others find this instance once it listens and its database is reachable.
async fn listen_then_register(
    service: &Service,
    settings: &RpcSettings,
    database: Arc<Database>,
    registered: watch::Sender<bool>,
) -> Result<(TcpListener, Registering), Fatal> {
    let listener = service::listen("main", settings.listen_address).await?;
    let address = listener.local_addr().map_err(|error| Fatal::Other(error.to_string()))?;
    let registration = register(service, settings, address);
    let stop = service.stop.clone();
    let registering = tokio::spawn(async move {
        tokio::select! {
            () = database.migrate() => registration.run(stop, registered).await,
            () = stop.requested() => {}
        }
    });
    Ok((listener, registering))
}

/// The key is there while the port is not: whoever follows it is refused until the database has come. None when the process
/// was stopped before.
async fn register_then_listen(
    service: &Service,
    settings: &RpcSettings,
    database: Arc<Database>,
    registered: watch::Sender<bool>,
) -> Result<Option<(TcpListener, Registering)>, Fatal> {
    let socket = bind(settings.listen_address)?;
    let address = socket.local_addr().map_err(|error| Fatal::Other(error.to_string()))?;
    let registration = register(service, settings, address);
    let registering = tokio::spawn(registration.run(service.stop.clone(), registered));
    tokio::select! {
        () = database.migrate() => {}
        () = service.stop.requested() => {
            _ = registering.await;
            return Ok(None);
        }
    }
    let listener = socket.listen(1024).map_err(|source| listen_error(address, source))?;
    service::announce("main", &listener);
    Ok(Some((listener, registering)))
}

async fn answer(service: &Service, listener: TcpListener, routes: Routes, registering: Registering) {
    let stop = service.stop.clone();
    let serving = tokio::spawn(
        Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .add_routes(routes)
            .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), async move {
                stop.requested().await
            }),
    );
    service.stop.requested().await;
    _ = registering.await;
    if tokio::time::timeout(DRAIN_LIMIT, serving).await.is_err() {
        tracing::warn!("calls in flight did not end in time");
    }
}

fn register(service: &Service, settings: &RpcSettings, address: SocketAddr) -> Registration {
    Registration {
        settings: settings.etcd.clone(),
        service: service.program,
        address: settings.advertise_address.clone().unwrap_or_else(|| address.to_string()),
        lease_seconds: settings.lease_seconds,
        defect: service.common.defect,
    }
}

/// A port that is taken and not listened on.
fn bind(address: SocketAddr) -> Result<TcpSocket, Fatal> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    socket
        .and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok(socket)
        })
        .map_err(|source| listen_error(address, source))
}

fn listen_error(address: SocketAddr, source: std::io::Error) -> Fatal {
    Fatal::Listen { role: "main", address, source }
}

fn readiness(service: &Service, database: Arc<Database>, registered: watch::Receiver<bool>) -> admin::Check {
    let stop = service.stop.clone();
    admin::check(move || {
        let (database, stop) = (Arc::clone(&database), stop.clone());
        let is_registered = *registered.borrow();
        async move {
            match () {
                () if stop.is_requested() => Err("stopping".to_owned()),
                () if !is_registered => Err("not registered in etcd".to_owned()),
                () => database.check().await,
            }
        }
    })
}

/// One call with its SERVER span. A call whose caller has gone is dropped in the middle, and is told so too.
pub(crate) struct Call<'a> {
    server: &'a RpcServer,
    method: &'static str,
    span: Option<Operation>,
    started: Instant,
    timeout: Option<Duration>,
}

impl<'a> Call<'a> {
    pub(crate) fn start<Message>(
        server: &'a RpcServer,
        method: &'static str,
        request: &Request<Message>,
    ) -> Self {
        let headers = request.metadata().as_ref();
        let telemetry = &server.service.telemetry;
        let parent =
            telemetry.propagator().extract_with_context(&Context::new(), &trace_context::Headers(headers));
        let mut attributes =
            vec![KeyValue::new("rpc.system.name", "grpc"), KeyValue::new("rpc.method", method)];
        if let Some(local) = request.local_addr() {
            attributes.push(KeyValue::new("server.address", local.ip().to_string()));
            attributes.push(KeyValue::new("server.port", i64::from(local.port())));
        }
        if let Some(peer) = request.remote_addr() {
            attributes.push(KeyValue::new("network.peer.address", peer.ip().to_string()));
            attributes.push(KeyValue::new("network.peer.port", i64::from(peer.port())));
        }
        let span = telemetry.span(&parent, SpanKind::Server, method, attributes);
        let timeout = headers.get("grpc-timeout").and_then(|value| value.to_str().ok());
        Self {
            server,
            method,
            span: Some(span),
            started: Instant::now(),
            timeout: timeout.and_then(parse_timeout),
        }
    }

    pub(crate) fn context(&self) -> &Context {
        self.span.as_ref().expect("taken by `finish` only").context()
    }

    pub(crate) fn finish(mut self, code: Code) {
        self.end(code);
    }

    fn end(&mut self, code: Code) {
        let Some(span) = self.span.take() else { return };
        let name = code_name(code);
        span.set(KeyValue::new("rpc.response.status_code", name));
        if is_server_failure(code) {
            span.fail(name);
        }
        self.server.calls.add(1, labels(self.method, name));
        self.server.duration.record(span.context(), self.started.elapsed(), labels(self.method, name));
        span.end();
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        // The transport ends a call at its deadline with a timer of its own, which started a moment before ours.
        let slack = Duration::from_millis(5);
        let late = self.timeout.is_some_and(|limit| self.started.elapsed() + slack >= limit);
        self.end(if late { Code::DeadlineExceeded } else { Code::Cancelled });
    }
}

/// `grpc-timeout`: at most eight digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3_600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

fn labels(method: &'static str, code: &'static str) -> Labels {
    Labels::new([
        ("rpc.system.name", "grpc".into()),
        ("rpc.method", method.into()),
        ("rpc.response.status_code", code.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        assert_eq!(parse_timeout("500m"), Some(Duration::from_millis(500)));
        assert_eq!(parse_timeout("99999999n"), Some(Duration::from_nanos(99_999_999)));
        assert_eq!(parse_timeout("1H"), Some(Duration::from_secs(3_600)));
        for bad in ["", "m", "5", "5x", "-5m", "123456789m", "ä"] {
            assert_eq!(parse_timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_lease_shorter_than_a_second_is_refused() {
        let environment = Environment::from([("LEASE_TTL_SECONDS", "0")]);
        let message = RpcSettings::from(&environment, "127.0.0.1:0").unwrap_err().to_string();
        assert_eq!(message, "LEASE_TTL_SECONDS: must be at least 1");
    }
}
