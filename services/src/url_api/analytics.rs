//! Asks `analytics-rpc` for click counts: within a deadline, with one retry, behind a circuit breaker.
//!
//! One logical call is one CLIENT span, one count and one duration, whatever happens inside: also when there is nobody to call
//! or the circuit is open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use opentelemetry::{Context, KeyValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::Settings;
use super::breaker::Breaker;
use super::measures::{Measures, call_labels};
use crate::analytics_protocol::{self as protocol, GET_CLICK_COUNT, GetClickCountRequest, code_name};
use crate::defect::Defect;
use crate::discovery::Endpoints;
use crate::propagation::Metadata;
use crate::service::Service;
use crate::telemetry::Operation;

/// `server.address` of the calls: what they are addressed to is a name in etcd, not a socket.
const TARGET: &str = "etcd:///analytics-rpc";
/// The first attempt and one retry.
const ATTEMPTS: usize = 2;

/// Why a click count could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailure {
    #[error("no instance of analytics-rpc is known")]
    NoEndpoint,
    #[error("the circuit to analytics-rpc is open")]
    CircuitOpen,
    #[error("analytics-rpc gave no answer within {0:?}")]
    Deadline(Duration),
    #[error("{} from analytics-rpc: {}", code_name(.0.code()), .0.message())]
    Status(Status),
}

/// A client of `analytics-rpc`.
pub(super) struct AnalyticsClient {
    service: Service,
    endpoints: Endpoints,
    /// A channel for each address that was called.
    channels: Mutex<HashMap<String, Channel>>,
    next: AtomicUsize,
    breaker: Breaker,
    deadline: Duration,
    measures: Measures,
}

impl CallFailure {
    /// The cause, as a label and a log field.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::NoEndpoint => "no_endpoint",
            Self::CircuitOpen => "circuit_open",
            Self::Status(status) if status.code() == Code::DeadlineExceeded => "deadline_exceeded",
            Self::Deadline(_) => "deadline_exceeded",
            Self::Status(_) => "rpc_failed",
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NoEndpoint | Self::CircuitOpen => Code::Unavailable,
            Self::Deadline(_) => Code::DeadlineExceeded,
            Self::Status(status) => status.code(),
        }
    }
}

impl AnalyticsClient {
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        endpoints: Endpoints,
        measures: Measures,
    ) -> Self {
        let (failures_max, open_for) = match service.common.defect {
            // One failure is enough, and no time is.
            Some(Defect::NoRecovery) => (1, Duration::MAX),
            _ => (settings.breaker_failures, settings.breaker_open),
        };
        Self {
            service: service.clone(),
            endpoints,
            channels: Mutex::default(),
            next: AtomicUsize::new(0),
            breaker: Breaker::new(failures_max, open_for, measures.breaker.clone()),
            deadline: settings.rpc_deadline,
            measures,
        }
    }

    /// How often a link was followed. A link that nobody has followed is not known there, which is 0.
    pub(super) async fn click_count(&self, parent: &Context, code: &str) -> Result<u64, CallFailure> {
        let span = self.span(parent);
        let started = Instant::now();
        let outcome = self.guarded(span.context(), code).await;
        self.finish(span, started.elapsed(), &outcome);
        match outcome {
            Err(CallFailure::Status(status)) if status.code() == Code::NotFound => Ok(0),
            outcome => outcome,
        }
    }

    fn span(&self, parent: &Context) -> Operation {
        let attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", GET_CLICK_COUNT),
            KeyValue::new("server.address", TARGET),
        ];
        self.service.telemetry.span(parent, SpanKind::Client, GET_CLICK_COUNT, attributes)
    }

    fn finish(&self, span: Operation, elapsed: Duration, outcome: &Result<u64, CallFailure>) {
        let code = outcome.as_ref().map_or_else(CallFailure::code, |_| Code::Ok);
        let name = code_name(code);
        span.set(KeyValue::new("rpc.response.status_code", name));
        if let Err(failure) = outcome {
            span.fail_with(name, &failure.to_string());
        }
        if self.service.common.defect != Some(Defect::CounterCountsRetries) {
            self.measures.calls.add(1, call_labels(name));
        }
        self.measures.call_duration.record(span.context(), elapsed, call_labels(name));
        span.end();
    }

    async fn guarded(&self, context: &Context, code: &str) -> Result<u64, CallFailure> {
        let Some(permit) = self.breaker.admit(Instant::now()) else {
            return Err(CallFailure::CircuitOpen);
        };
        let deadline = match self.service.common.defect {
            Some(Defect::NoDeadline) => None,
            _ => Some(self.deadline),
        };
        let outcome = call(deadline, |number, remaining| async move {
            let outcome = self.attempt(context, code, number, remaining).await;
            if self.service.common.defect == Some(Defect::CounterCountsRetries) {
                let code = outcome.as_ref().map_or_else(CallFailure::code, |_| Code::Ok);
                self.measures.calls.add(1, call_labels(code_name(code)));
            }
            outcome
        })
        .await;
        match &outcome {
            Ok(_) => permit.succeeded(),
            Err(CallFailure::Status(status)) if status.code() == Code::NotFound => {
                permit.succeeded();
            }
            // Nobody was called, so nobody has failed.
            Err(CallFailure::NoEndpoint) => drop(permit),
            Err(_) => permit.failed(),
        }
        outcome
    }

    async fn attempt(
        &self,
        context: &Context,
        code: &str,
        number: usize,
        remaining: Option<Duration>,
    ) -> Result<u64, CallFailure> {
        let channel = self.channel(number)?;
        let mut request = Request::new(GetClickCountRequest { code: code.to_owned() });
        if let Some(remaining) = remaining {
            request.set_timeout(remaining);
        }
        if self.service.common.defect != Some(Defect::GrpcClientDropsContext) {
            let mut metadata = Metadata(request.metadata_mut());
            self.service.telemetry.propagator().inject_context(context, &mut metadata);
        }
        let answer = protocol::AnalyticsClient::new(channel).get_click_count(request).await;
        answer.map(|answer| answer.into_inner().clicks).map_err(|status| {
            CallFailure::Status(if is_lost_connection(&status) {
                Status::unavailable(status.message())
            } else {
                status
            })
        })
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
async fn call<T, Attempt>(
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

/// A status that the transport made up, not the server: gRPC calls a lost connection UNAVAILABLE.
fn is_lost_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn failure(code: Code) -> CallFailure {
        CallFailure::Status(Status::new(code, ""))
    }

    async fn outcome_of(codes: &[Code]) -> (Result<u64, CallFailure>, usize) {
        let made = Cell::new(0);
        let outcome = call(LONG, |number, _| {
            made.set(made.get() + 1);
            std::future::ready(match codes[number] {
                Code::Ok => Ok(7),
                code => Err(failure(code)),
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
        let outcome: Result<(), _> = call(LONG, |_, _| {
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
        let outcome: Result<(), _> = call(Some(deadline), |_, _| std::future::pending()).await;
        let failure = outcome.unwrap_err();
        assert_eq!(failure.code(), Code::DeadlineExceeded);
        assert_eq!(failure.cause(), "deadline_exceeded");
    }

    #[tokio::test]
    async fn a_retry_has_only_what_is_left_of_the_deadline() {
        let remaining = Cell::new(Duration::MAX);
        let outcome = call(LONG, |number, left| {
            assert!(left.unwrap() <= remaining.get());
            remaining.set(left.unwrap());
            std::future::ready(if number == 0 { Err(failure(Code::Unavailable)) } else { Ok(()) })
        })
        .await;
        outcome.unwrap();
    }
}
