//! What a scenario holds while it runs: its services, its share of the backends, its collector, and what it has seen so far.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;

use super::capture::Captures;
use super::service::Addresses;
use super::share::Share;
use super::stimulus::{self, Request};
use super::{Stack, System};
use crate::collector::Collector;
use crate::model::*;
use crate::process;
use crate::proxy::Proxy;
use crate::until::{Probe as Look, until, until_pushed};

/// Why a drive could not go on: a matter of ours (a backend, the harness, the disk), never of the system under test.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stop(pub String);

impl Stop {
    pub(super) fn because(what: &str, error: impl std::fmt::Display) -> Stop {
        Stop(format!("{what}: {error}"))
    }
}

/// One running instance.
pub(super) struct Instance {
    pub(super) id: ProcessId,
    pub(super) service: &'static str,
    pub(super) process: process::Process,
    pub(super) addresses: Addresses,
    pub(super) insisted: Option<(&'static str, SocketAddr)>,
}

/// A stimulus that was sent: its number, and its answer if there was one.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: u32,
    pub answer: Option<Answer>,
    pub trace: Option<TraceId>,
}

impl Sent {
    /// The answer's status; 0: there was none.
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }

    /// A field of a JSON answer.
    pub fn json(&self, field: &str) -> Option<serde_json::Value> {
        let body: serde_json::Value = serde_json::from_str(&self.answer.as_ref()?.body).ok()?;
        body.get(field).cloned()
    }
}

/// A file of the system, and what a defect makes of it.
pub(super) type AlteredFile = (&'static str, fn(&str) -> String);

/// A running stack.
pub struct Running {
    pub(super) system: Arc<System>,
    pub(super) stack: Stack,
    pub(super) share: Share,
    pub(super) collector: Collector,
    /// In front of a collector that comes late, or leaves.
    pub(super) collector_proxy: Option<Proxy>,
    pub(super) instances: Vec<Instance>,
    /// Instances that were asked to end while the scenario went on, and when.
    pub(super) asked: Vec<(ProcessId, UnixNanos)>,
    pub(super) client: reqwest::Client,
    pub(super) evidence: Evidence,
    pub(super) early: Option<Evidence>,
    pub(super) captures: Captures,
    pub(super) phase: String,
    pub(super) extra_environment: Vec<(String, String)>,
    pub(super) altered_files: Vec<AlteredFile>,
    /// Addresses that must last as long as the scenario.
    pub(super) held: Vec<Proxy>,
}

/// Nanoseconds since the Unix epoch, now.
pub(super) fn now() -> UnixNanos {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos() as UnixNanos)
}

// === Traffic ===

impl Running {
    /// Sends one request to the newest instance of its service and records it with its answer.
    pub async fn send(&mut self, request: Request) -> Sent {
        let mut sent = self.send_all(vec![request], 1).await;
        sent.remove(0)
    }

    /// Sends requests, at most `at_once` under way at any time, and records them in the order given.
    pub async fn send_all(&mut self, requests: Vec<Request>, at_once: usize) -> Vec<Sent> {
        let first = self.evidence.stimuli.len() as u32 + 1;
        for request in &requests {
            self.port_known(request.service, request.role).await;
        }
        let client = &self.client;
        let bases: Vec<_> = requests.iter().map(|request| self.base(request)).collect();
        let under_way = requests.iter().zip(bases).map(|(request, base)| async move {
            let began = now();
            let answer = match base {
                Ok(base) => stimulus::send(client, &base, request).await,
                Err(error) => Err(error),
            };
            (began, now(), answer)
        });
        let total = requests.len();
        let mut answers = Vec::with_capacity(total);
        let mut stream = futures_util::stream::iter(under_way).buffered(at_once);
        while let Some(answer) = stream.next().await {
            answers.push(answer);
            if total > 1 && answers.len() % 100 == 0 {
                self.share.progress.phase(&format!("driving {}/{total}", answers.len()));
            }
        }
        drop(stream);
        let mut sent = Vec::with_capacity(total);
        for (number, (request, (began, ended, answer))) in requests.iter().zip(answers).enumerate() {
            sent.push(self.record(first + number as u32, request, began, ended, answer));
        }
        sent
    }

    fn base(&self, request: &Request) -> Result<String, String> {
        let address = self.address(request.service, request.role);
        address
            .map(|address| format!("http://{address}"))
            .ok_or_else(|| format!("{} is not running", request.service))
    }

    fn record(
        &mut self,
        id: u32,
        request: &Request,
        sent: UnixNanos,
        ended: UnixNanos,
        answer: Result<Answer, String>,
    ) -> Sent {
        let trace = answer.as_ref().ok().and_then(stimulus::trace_of);
        let instance = self.instances.iter().rfind(|instance| instance.service == request.service);
        let (answer, error) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error)),
        };
        self.evidence.stimuli.push(Stimulus {
            id,
            kind: request.kind(),
            operation: request.operation.map(String::from),
            process: instance.map(|instance| instance.id.clone()),
            service: request.service.into(),
            headers: request.headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            port: request.role.into(),
            sent,
            answered: answer.is_some().then_some(ended),
            gave_up: answer.is_none().then_some(ended),
            answer: answer.clone(),
            error,
            trace,
            unique: request.unique.clone(),
            phase: self.phase.clone(),
            by_barrier: false,
        });
        Sent { id, answer, trace }
    }

    /// Records an answer that was awaited elsewhere.
    pub(super) fn record_answer(
        &mut self,
        request: &Request,
        sent: UnixNanos,
        answer: Result<Answer, String>,
    ) -> Sent {
        self.record(self.evidence.stimuli.len() as u32 + 1, request, sent, now(), answer)
    }

    /// Names the traffic from here on: `before`, `during`, `after` a fault.
    pub fn phase(&mut self, name: &str) {
        self.phase = name.to_string();
    }

    /// States what an answer's status must be (EXPECT-03).
    pub fn expect_status(&mut self, sent: &Sent, status: u16) {
        let seen = sent.answer.as_ref().map(|answer| answer.status.to_string());
        let holds = sent.status() == status;
        let name = format!("answer to stimulus {}", self.describe(sent.id));
        self.evidence.effects.push(Effect { name, required: status.to_string(), seen, at: now(), holds });
    }

    /// States what a JSON field of an answer must be (EXPECT-03).
    pub fn expect_json(&mut self, sent: &Sent, field: &str, required: serde_json::Value) {
        let seen = sent.json(field);
        let holds = seen.as_ref() == Some(&required);
        let name = format!("`{field}` in the answer to {}", self.describe(sent.id));
        let (required, seen) = (required.to_string(), seen.map(|seen| seen.to_string()));
        self.evidence.effects.push(Effect { name, required, seen, at: now(), holds });
    }

    /// States what must be so, and what was seen instead of it, if it is not (EXPECT-03).
    pub fn expect_that(&mut self, name: &str, required: &str, seen: Result<(), String>) {
        let (holds, seen) = match seen {
            Ok(()) => (true, Some(required.to_string())),
            Err(seen) => (false, Some(seen)),
        };
        let (name, required) = (name.to_string(), required.to_string());
        self.evidence.effects.push(Effect { name, required, seen, at: now(), holds });
    }

    fn describe(&self, id: u32) -> String {
        let stimulus = self.evidence.stimuli.iter().find(|stimulus| stimulus.id == id);
        match stimulus {
            Some(Stimulus { operation: Some(operation), .. }) => operation.clone(),
            Some(Stimulus { kind: StimulusKind::Http { method, .. }, service, .. }) => {
                format!("{method} of {service}")
            }
            _ => format!("stimulus {id}"),
        }
    }

    /// Waits for an effect of the product: the first value that a query to the scenario's database brings. One that does not
    /// come within its limit is recorded as absent: evidence, not an abort.
    pub async fn effect(&mut self, name: &str, required: &str, limit: Duration, statement: &str) {
        self.effect_of(None, name, required, limit, statement).await;
    }

    /// As [`Running::effect`], in a database by the system's name for it.
    pub async fn effect_in(
        &mut self,
        database: &str,
        name: &str,
        required: &str,
        limit: Duration,
        statement: &str,
    ) {
        self.effect_of(Some(database), name, required, limit, statement).await;
    }

    async fn effect_of(
        &mut self,
        database: Option<&str>,
        name: &str,
        required: &str,
        limit: Duration,
        statement: &str,
    ) {
        self.share.progress.phase(&format!("waiting: {name}"));
        let mut last = None;
        let share = &self.share;
        let waited = until(name, limit, async || -> Result<_, crate::until::Never> {
            let rows = share.rows(database, statement).await;
            last = match rows {
                Ok(rows) => rows.into_iter().flatten().flatten().next(),
                Err(error) => Some(format!("({error})")),
            };
            Ok(match &last {
                Some(seen) if seen == required => Look::Ready(()),
                Some(seen) => Look::NotYet(seen.clone()),
                None => Look::NotYet("absent".into()),
            })
        });
        let holds = waited.await.is_ok();
        self.evidence.effects.push(Effect {
            name: name.into(),
            required: required.into(),
            seen: last,
            at: now(),
            holds,
        });
    }

    /// Waits until a span that `wanted` accepts has reached the collector; `false`: it did not within the limit. A
    /// positive check: it may pass before the barrier, pushed by the collector.
    pub async fn span_arrived(
        &mut self,
        name: &str,
        limit: Duration,
        wanted: impl Fn(Span<'_>) -> bool,
    ) -> bool {
        self.share.progress.phase(&format!("waiting: {name}"));
        let mut progress = self.collector.progress();
        let collector = &self.collector;
        let waited = until_pushed(name, limit, &mut progress, |_| {
            let spans = Spans::of(&collector.requests());
            if spans.iter().any(&wanted) {
                Look::Ready(())
            } else {
                Look::NotYet(format!("{} spans", spans.len()))
            }
        });
        waited.await.is_ok()
    }

    /// States the outline that the trace of a stimulus must match (EXPECT-01).
    pub fn expect_outline(&mut self, sent: &Sent, outline: &str) {
        let at = format!("scenario {}", self.evidence.scenario);
        let expectation = Expectation {
            kind: ExpectationKind::Stated,
            stimulus: Some(sent.id),
            outline: outline.into(),
            at,
        };
        self.evidence.expectations.push(expectation);
    }

    /// A marker fence: the trace of `sent` must show a span of `service`, which proves that all that its newest instance
    /// ended before was exported or lost.
    pub async fn marker(&mut self, service: &str, sent: &Sent) -> bool {
        let Some(instance) = self.instances.iter().rfind(|instance| instance.service == service) else {
            return false;
        };
        let (id, trace) = (instance.id.clone(), sent.trace);
        let name = format!("marker span of {service}");
        let wanted = |span: Span<'_>| Some(span.trace()) == trace && span.process() == Some(&id);
        let arrived = trace.is_some() && self.span_arrived(&name, Duration::from_secs(5), wanted).await;
        if arrived {
            let fence = Fence::Marker { at: now() };
            self.process_mut(&id).fence = fence;
        }
        arrived
    }

    pub(super) fn process_mut(&mut self, id: &ProcessId) -> &mut Process {
        self.evidence
            .processes
            .iter_mut()
            .find(|process| process.id == *id)
            .expect("every instance has a process")
    }
}

// === Where things are ===

impl Running {
    /// The address of a role of the newest instance of a service.
    pub fn address(&self, service: &str, role: &str) -> Option<SocketAddr> {
        let instance = self.instances.iter().rfind(|instance| instance.service == service)?;
        instance.addresses.get(role)
    }

    /// Whether the newest instance of a service is still running.
    pub fn is_running(&self, service: &str) -> bool {
        let newest = self.instances.iter().rfind(|instance| instance.service == service);
        newest.is_some_and(|instance| instance.process.exit().is_none())
    }

    /// The rows of a statement to this scenario's (first) database, as text, past every fault of ours.
    pub async fn rows(&self, statement: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        self.share.rows(None, statement).await
    }

    /// As [`Running::rows`], in a database by the system's name for it.
    pub async fn rows_in(&self, database: &str, statement: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        self.share.rows(Some(database), statement).await
    }

    /// The run's HTTP client: no redirects, no proxy, no trace context.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}
