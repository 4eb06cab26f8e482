//! Calls to a service that is found through etcd: within a deadline, with one retry.
//!
//! One logical call is one CLIENT span, one count and one duration, whatever happens inside: also when there is nobody to call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::code_name;
use crate::defect::Defect;
use crate::discovery::Endpoints;
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::propagation::Metadata;
use crate::service::Service;
use crate::telemetry::Operation;

/// The first attempt and one retry.
const ATTEMPTS: usize = 2;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallFailure {
    #[error("no instance is known")]
    NoEndpoint,
    #[error("the circuit is open")]
    CircuitOpen,
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    #[error("{}: {}", code_name(.0.code()), .0.message())]
    Status(Status),
}

impl CallFailure {
    /// The cause, as a label and a log field.
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::NoEndpoint => "no_endpoint",
            Self::CircuitOpen => "circuit_open",
            Self::Status(status) if status.code() == Code::DeadlineExceeded => "deadline_exceeded",
            Self::Deadline(_) => "deadline_exceeded",
            Self::Status(_) => "rpc_failed",
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoEndpoint | Self::CircuitOpen => Code::Unavailable,
            Self::Deadline(_) => Code::DeadlineExceeded,
            Self::Status(status) => status.code(),
        }
    }
}

/// A client of one service.
pub(crate) struct RpcClient {
    service: Service,
    /// `server.address` of the calls: what they are addressed to is a name in etcd, not a socket.
    target: String,
    endpoints: Endpoints,
    /// A channel for each address that was called.
    channels: Mutex<HashMap<String, Channel>>,
    next: AtomicUsize,
    deadline: Duration,
    calls: Count,
    duration: Latency,
}

/// A logical call that has begun.
pub(crate) struct Begun {
    method: &'static str,
    span: Operation,
    started: Instant,
}

impl Begun {
    pub(crate) fn context(&self) -> &Context {
        self.span.context()
    }
}

impl RpcClient {
    /// A client of `callee`, which registers under that name. `methods` are counted from 0 on.
    pub(crate) fn new(
        service: &Service,
        callee: &'static str,
        endpoints: Endpoints,
        deadline: Duration,
        methods: &[&'static str],
        metrics: &mut Metrics,
    ) -> Self {
        let duration = metrics.latency(
            "rpc.client.call.duration",
            "Duration of RPCs, retries included",
            DURATION_BOUNDS,
        );
        let calls = metrics.count("rpc.client.calls", "{call}", "RPCs, retries not counted");
        for method in methods {
            for code in ["OK", "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED"] {
                calls.expect(labels(method, code));
            }
        }
        Self {
            service: service.clone(),
            target: format!("etcd:///{callee}"),
            endpoints,
            channels: Mutex::default(),
            next: AtomicUsize::new(0),
            deadline,
            calls,
            duration,
        }
    }

    pub(crate) fn begin(&self, parent: &Context, method: &'static str) -> Begun {
        let attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("server.address", self.target.clone()),
        ];
        let span = self.service.telemetry.span(parent, SpanKind::Client, method, attributes);
        Begun { method, span, started: Instant::now() }
    }

    pub(crate) fn finish<T>(&self, call: Begun, outcome: &Result<T, CallFailure>) {
        let Begun { method, span, started } = call;
        let name = code_name(outcome.as_ref().map_or_else(CallFailure::code, |_| Code::Ok));
        span.set(KeyValue::new("rpc.response.status_code", name));
        if let Err(failure) = outcome {
            span.fail_with(name, &failure.to_string());
        }
        if self.service.common.defect != Some(Defect::CounterCountsRetries) {
            self.calls.add(1, labels(method, name));
        }
        self.duration.record(span.context(), started.elapsed(), labels(method, name));
        span.end();
    }

    /// Attempts within the deadline, for a call that has begun. `send` makes one with its own stub.
    pub(crate) async fn attempt<Message, Answer, Sending>(
        &self,
        call: &Begun,
        message: Message,
        send: impl Fn(Channel, Request<Message>) -> Sending,
    ) -> Result<Answer, CallFailure>
    where
        Message: Clone,
        Sending: Future<Output = Result<tonic::Response<Answer>, Status>>,
    {
        let deadline = match self.service.common.defect {
            Some(Defect::NoDeadline) => None,
            _ => Some(self.deadline),
        };
        let (message, send) = (&message, &send);
        attempts_within(deadline, |number, remaining| async move {
            let outcome = match self.channel(number) {
                Ok(channel) => {
                    let request = self.request(call.context(), message.clone(), remaining);
                    send(channel, request).await.map(tonic::Response::into_inner).map_err(failure)
                }
                Err(failure) => Err(failure),
            };
            if self.service.common.defect == Some(Defect::CounterCountsRetries) {
                let code = outcome.as_ref().map_or_else(CallFailure::code, |_| Code::Ok);
                self.calls.add(1, labels(call.method, code_name(code)));
            }
            outcome
        })
        .await
    }

    fn request<Message>(
        &self,
        context: &Context,
        message: Message,
        remaining: Option<Duration>,
    ) -> Request<Message> {
        let mut request = Request::new(message);
        if let Some(remaining) = remaining {
            request.set_timeout(remaining);
        }
        if self.service.common.defect != Some(Defect::GrpcClientDropsContext) {
            let mut metadata = Metadata(request.metadata_mut());
            self.service.telemetry.propagator().inject_context(context, &mut metadata);
        }
        request
    }

    /// The channel of the next instance in turn; a retry goes to another one, where there is another one.
    fn channel(&self, attempt: usize) -> Result<Channel, CallFailure> {
        let addresses = self.endpoints.addresses();
        let turn = match attempt {
            0 => self.next.fetch_add(1, Ordering::Relaxed),
            _ => self.next.load(Ordering::Relaxed),
        };
        let address = addresses.get(turn % addresses.len().max(1)).ok_or(CallFailure::NoEndpoint)?;
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        channels.retain(|known, _| addresses.contains(known));
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| CallFailure::Status(Status::internal(error.to_string())))?;
        let channel = endpoint
            .connect_timeout(self.deadline)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .connect_lazy();
        channels.insert(address.clone(), channel.clone());
        Ok(channel)
    }
}

/// Attempts until one succeeds, fails for good, or the deadline is over. The deadline covers all attempts.
async fn attempts_within<T, Attempt>(
    deadline: Option<Duration>,
    attempt: impl Fn(usize, Option<Duration>) -> Attempt,
) -> Result<T, CallFailure>
where
    Attempt: Future<Output = Result<T, CallFailure>>,
{
    let Some(deadline) = deadline else { return attempts(None, attempt).await };
    let end = Instant::now() + deadline;
    match tokio::time::timeout(deadline, attempts(Some(end), attempt)).await {
        Ok(Err(_)) if end <= Instant::now() => Err(CallFailure::Deadline(deadline)),
        Ok(outcome) => outcome,
        Err(_) => Err(CallFailure::Deadline(deadline)),
    }
}

async fn attempts<T, Attempt>(
    end: Option<Instant>,
    attempt: impl Fn(usize, Option<Duration>) -> Attempt,
) -> Result<T, CallFailure>
where
    Attempt: Future<Output = Result<T, CallFailure>>,
{
    let mut number = 0;
    loop {
        let remaining = end.map(|end| end.saturating_duration_since(Instant::now()));
        match attempt(number, remaining).await {
            Err(CallFailure::Status(status))
                if status.code() == Code::Unavailable && number + 1 < ATTEMPTS =>
            {
                number += 1;
            }
            outcome => return outcome,
        }
    }
}

/// What the transport made up is a lost connection, which gRPC calls UNAVAILABLE.
fn failure(status: Status) -> CallFailure {
    CallFailure::Status(match is_lost_connection(&status) {
        true => Status::unavailable(status.message()),
        false => status,
    })
}

/// A status that the transport made up, not the server: gRPC calls a lost connection UNAVAILABLE.
fn is_lost_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// Labels of a call that has ended.
fn labels(method: &'static str, code: &'static str) -> Labels {
    Labels::new([
        ("rpc.system.name", "grpc".into()),
        ("rpc.method", method.into()),
        ("rpc.response.status_code", code.into()),
    ])
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn failed(code: Code) -> CallFailure {
        CallFailure::Status(Status::new(code, ""))
    }

    async fn outcome_of(codes: &[Code]) -> (Result<u64, CallFailure>, usize) {
        let made = Cell::new(0);
        let outcome = attempts_within(LONG, |number, _| {
            made.set(made.get() + 1);
            std::future::ready(match codes[number] {
                Code::Ok => Ok(7),
                code => Err(failed(code)),
            })
        })
        .await;
        (outcome, made.get())
    }

    #[tokio::test]
    async fn unavailable_is_tried_once_more() {
        let (outcome, made) = outcome_of(&[Code::Unavailable, Code::Ok]).await;
        assert_eq!((outcome.unwrap(), made), (7, 2));
        let (outcome, made) = outcome_of(&[Code::Unavailable, Code::Unavailable, Code::Ok]).await;
        assert_eq!((outcome.unwrap_err().code(), made), (Code::Unavailable, 2));
    }

    #[tokio::test]
    async fn no_other_code_is_tried_again() {
        for code in [Code::NotFound, Code::Internal, Code::DeadlineExceeded, Code::Unknown] {
            let (outcome, made) = outcome_of(&[code, Code::Ok]).await;
            assert_eq!((outcome.unwrap_err().code(), made), (code, 1));
        }
    }

    #[tokio::test]
    async fn nobody_to_call_is_not_tried_again() {
        let made = Cell::new(0);
        let outcome: Result<(), _> = attempts_within(LONG, |_, _| {
            made.set(made.get() + 1);
            std::future::ready(Err(CallFailure::NoEndpoint))
        })
        .await;
        assert!(matches!(outcome, Err(CallFailure::NoEndpoint)));
        assert_eq!(made.get(), 1);
    }

    #[tokio::test]
    async fn the_deadline_ends_a_call_that_hangs() {
        let deadline = Duration::from_millis(5);
        let outcome: Result<(), _> = attempts_within(Some(deadline), |_, _| std::future::pending()).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.code(), Code::DeadlineExceeded);
        assert_eq!(failure.cause(), "deadline_exceeded");
    }

    #[tokio::test]
    async fn a_retry_has_only_what_is_left_of_the_deadline() {
        let remaining = Cell::new(Duration::MAX);
        let outcome = attempts_within(LONG, |number, left| {
            assert!(left.unwrap() <= remaining.get());
            remaining.set(left.unwrap());
            std::future::ready(if number == 0 { Err(failed(Code::Unavailable)) } else { Ok(()) })
        })
        .await;
        outcome.unwrap();
    }
}
