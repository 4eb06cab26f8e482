//! All that was captured in one scenario, as a value that can be saved, replayed and mutated.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Applied, Canary, Ledger, LevelChange, LogCost, OffsetLook, TraceId, UnixNanos};

/// Everything captured in one scenario (or one `exec`, one `listen`, one set of OTLP files).
///
/// The OTLP payloads are the bytes as received (JSON converted to protobuf); [`super::Spans`] indexes them. Serde leaves
/// them out: the bundle keeps them in the Collector's own file formats.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The scenario's name; empty for `exec`, `listen` and files.
    pub scenario: String,
    pub source: Source,
    /// Names that the run made up, with the declared names that they stand for: a topic `click-events-x7` is
    /// `click-events` wherever it is judged or shown.
    #[serde(default)]
    pub names: Vec<(String, String)>,
    /// Where the scenario is written; `None` for `exec`, `listen` and files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<SourcePlace>,
    /// By how many milliseconds the machine's clock was set while this was captured, negative for back: then none of its times
    /// can be compared, and nothing is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_jump_ms: Option<i64>,
    /// The backend that ended by itself while this was captured, and how: what was seen from then on is no fault of the system, and
    /// nothing is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_backend: Option<String>,
    #[serde(skip)]
    pub requests: Vec<ExportRequest>,
    #[serde(skip)]
    pub processes: Vec<Process>,
    #[serde(skip)]
    pub stimuli: Vec<Stimulus>,
    #[serde(skip)]
    pub effects: Vec<Effect>,
    #[serde(skip)]
    pub faults: Vec<Fault>,
    #[serde(skip)]
    pub records: Vec<Record>,
    #[serde(skip)]
    pub offsets: Vec<GroupOffset>,
    /// What groups did with records, where the system says that it shows.
    #[serde(skip)]
    pub applied: Vec<Applied>,
    #[serde(skip)]
    pub offset_looks: Vec<OffsetLook>,
    #[serde(skip)]
    pub scrapes: Vec<Scrape>,
    #[serde(skip)]
    pub targets: Vec<Target>,
    #[serde(skip)]
    pub probes: Vec<Probe>,
    #[serde(skip)]
    pub sockets: Vec<Socket>,
    #[serde(skip)]
    pub logs: Vec<LogLine>,
    #[serde(skip)]
    pub level_changes: Vec<LevelChange>,
    #[serde(skip)]
    pub log_costs: Vec<LogCost>,
    /// What must not be found in any of the rest.
    #[serde(skip)]
    pub canaries: Vec<Canary>,
    #[serde(skip)]
    pub keys: Vec<KeyEvent>,
    /// How long those were watched.
    #[serde(skip)]
    pub key_watches: Vec<KeyWatch>,
    #[serde(skip)]
    pub orders: Vec<StartOrder>,
    #[serde(skip)]
    pub files: Vec<ConfigFile>,
    #[serde(skip)]
    pub expectations: Vec<Expectation>,
    #[serde(skip)]
    pub barrier: Barrier,
    #[serde(skip)]
    pub ledger: Ledger,
}

/// A line of a source file, for reports that point there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePlace {
    /// Relative to the system's root: `scenarios/src/shortener/linkage.rs`.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// Where evidence came from. It decides what may be judged: only a barrier proves absence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A scenario with a declared system: every rule applies.
    #[default]
    Scenario,
    /// `probity exec`: no declaration; the child's exit is the fence.
    Exec,
    /// `probity listen`: no declaration, ends with `quiet`.
    Listen,
    /// OTLP files: no barrier unless the reader was told that they are complete.
    Files,
}

/// Names one running instance of a service: `url-api#1`. Sent as the OTLP header `probity-process`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessId(pub std::sync::Arc<str>);

impl ProcessId {
    pub fn new(text: impl AsRef<str>) -> Self {
        ProcessId(text.as_ref().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

/// One OTLP export request, accepted.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    pub signal: Signal,
    /// Who sent it, by header or by listener; `None` when the sender did not say.
    pub process: Option<ProcessId>,
    /// Numbers the connection that it came in on, from 1.
    pub connection: u64,
    pub received_unix_nanos: UnixNanos,
    /// The protobuf `Export*ServiceRequest`.
    pub bytes: Bytes,
}

/// One running instance of a service under test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Process {
    pub id: ProcessId,
    /// The declared name of the service (not what its resource says).
    pub service: String,
    pub started: UnixNanos,
    /// When its readiness was first seen true; `None`: it never became ready.
    pub ready: Option<UnixNanos>,
    pub end: Option<ProcessEnd>,
    pub fence: Fence,
}

/// How a process ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessEnd {
    pub at: UnixNanos,
    pub exit: Exit,
    /// When the harness asked it to end (SIGTERM); `None`: it ended, or was killed, without being asked.
    pub asked: Option<UnixNanos>,
    /// Whether it ended within the grace period after SIGTERM, without being killed.
    pub within_grace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(9) => write!(f, "SIGKILL"),
            Exit::Signal(15) => write!(f, "SIGTERM"),
            Exit::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

/// The proof that everything a process ended so far was exported or lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fence {
    /// It was drained: SIGTERM, flush, exit 0 within grace.
    Exit { at: UnixNanos },
    /// A request with a unique value was driven through it and its span arrived.
    Marker { at: UnixNanos },
    /// Nothing came for a while: never enough to judge absence.
    Quiet { at: UnixNanos },
    /// None closed; the reason in words (`killed (SIGKILL)`, `drain timed out after 5 s`).
    Open { why: String },
}

impl Fence {
    /// Exit and marker prove absence; quiet and open do not.
    pub fn proves_absence(&self) -> bool {
        matches!(self, Fence::Exit { .. } | Fence::Marker { .. })
    }
}

/// Something that drove the system, with its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stimulus {
    /// Counts from 1 within the scenario.
    pub id: u32,
    pub kind: StimulusKind,
    /// The declared operation it drives ([`super::Operation::name`]); `None` for one the declaration does not know.
    pub operation: Option<String>,
    /// The instance it was sent to.
    pub process: Option<ProcessId>,
    pub service: String,
    /// The headers that it carried because the scenario said so, in order; what every client sends is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The port's role: `main` or `admin`.
    pub port: String,
    pub sent: UnixNanos,
    pub answered: Option<UnixNanos>,
    pub answer: Option<Answer>,
    /// Why there is no answer (`timed out after 2 s`, `connection refused`).
    pub error: Option<String>,
    /// When it was clear that no answer would come; `None` for an answered one.
    #[serde(default)]
    pub gave_up: Option<UnixNanos>,
    /// The trace that the answer named, else the one found by a unique value; `None`: unaddressed.
    pub trace: Option<TraceId>,
    /// A value that only this stimulus carries and that a span shows (a path, an id).
    pub unique: Option<String>,
    /// What the scenario calls this part of its traffic (`before`, `during`, `after` a fault; empty otherwise).
    pub phase: String,
    /// Asked by the barrier (a scrape of a main port, a probe), not by the scenario.
    pub by_barrier: bool,
}

impl Stimulus {
    /// The values of the header that it carried, in order; the name is compared without regard to case.
    pub fn sent_header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StimulusKind {
    Http { method: String, path: String },
    Record { topic: String },
    Command { line: String },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status, or a command's exit code.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// Bounded (64 KiB).
    pub body: String,
}

impl Answer {
    /// The first header of that name, compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// An effect of the product that the scenario waited for (a row, an offset), or an answer or exit that it states.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effect {
    pub name: String,
    pub required: String,
    /// `None`: absent within its limit.
    pub seen: Option<String>,
    pub at: UnixNanos,
    pub holds: bool,
}

/// A fault that the scenario injected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    pub on: FaultTarget,
    pub began: UnixNanos,
    /// `None`: it lasted to the end.
    pub ended: Option<UnixNanos>,
    /// For a killed process: a marker fence closed on it first, so what it lost later is explained.
    pub fenced: bool,
}

impl Fault {
    /// When it ended; the end of time for one that lasted.
    pub fn until(&self) -> UnixNanos {
        self.ended.unwrap_or(UnixNanos::MAX)
    }

    /// Whether it lay on something at that moment.
    pub fn covers(&self, at: UnixNanos) -> bool {
        self.began <= at && at <= self.until()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    Stop,
    Kill,
    Pause,
    Restart,
    RestartEmpty,
    Refuse,
    Cut,
    BlackHole,
    Slow,
    /// Not started yet: what comes late.
    Late,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum FaultTarget {
    /// `etcd`, `postgres`, `kafka`.
    Backend(String),
    /// A service by its declared name (every instance of it).
    Service(String),
    Collector,
}

/// A Kafka record, read back from the topic; or a message of RabbitMQ, as a queue of ours on the exchange received it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// The declared name of the topic (`click-events`) or exchange, whatever the run called it.
    pub topic: String,
    /// [`Record::NO_PARTITION`] for a message of RabbitMQ.
    pub partition: i32,
    /// For a message of RabbitMQ its number on the exchange, from 0.
    pub offset: i64,
    /// For a message of RabbitMQ its routing key.
    pub key: Option<String>,
    /// In order; values that are not UTF-8 are shown lossily, and those that are no text as their type has them.
    pub headers: Vec<(String, String)>,
    /// The headers of a message of RabbitMQ that are no strings, with their types (`byte array`). Kafka's are bytes, all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header_types: BTreeMap<String, String>,
    /// The `message-id` of a message of RabbitMQ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Bounded (64 KiB), lossily UTF-8.
    pub value: String,
    pub at: UnixNanos,
}

impl Record {
    /// An exchange of RabbitMQ has no partitions.
    pub const NO_PARTITION: i32 = -1;

    /// The values of the header of exactly that name (Kafka and RabbitMQ are case-sensitive).
    pub fn header(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `click-events[0] offset 17`, `transfers message 3`.
    pub fn place(&self) -> String {
        if self.partition == Record::NO_PARTITION {
            return format!("{} message {}", self.topic, self.offset.saturating_add(1));
        }
        format!("{}[{}] offset {}", self.topic, self.partition, self.offset)
    }
}

/// Where a consumer group stood on a partition when the barrier looked last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupOffset {
    pub group: String,
    pub topic: String,
    pub partition: i32,
    pub end: i64,
    /// The next offset to be read; `None`: never committed. Records below it are consumed.
    pub committed: Option<i64>,
}

/// One read of a service's own declared metrics address, by us (never through `prometheus.yml`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scrape {
    pub process: ProcessId,
    pub service: String,
    /// When it was asked, as Prometheus stamps its samples: what ended later may be in the answer or not.
    pub at: UnixNanos,
    pub stage: ScrapeStage,
    pub answer: HttpAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum ScrapeStage {
    /// Before the scenario's traffic.
    Before,
    /// Between two parts of its traffic.
    Amid,
    /// After that many distinct ids were driven (METRIC-03 compares the first with the last).
    Driven { ids: u64 },
    /// The barrier's last scrape.
    Last,
}

/// What an address answered to one `GET`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// `None`: no HTTP answer; `error` says why.
    pub status: Option<u16>,
    pub content_type: Option<String>,
    /// Bounded (16 MiB).
    pub body: String,
    pub error: Option<String>,
    /// Milliseconds from the request to the end of the answer; `None`: not measured.
    #[serde(default)]
    pub took_ms: Option<u64>,
}

impl HttpAnswer {
    /// The error of one that did not come in time.
    pub const NOT_IN_TIME: &'static str = "no answer in time";
}

/// One target of a scrape configuration, resolved through the network map and asked once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The file ([`ConfigFile::name`]) and line (from 1) that names it.
    pub file: String,
    pub line: u32,
    pub job: String,
    /// `url-api:9464`, as written.
    pub address: String,
    pub scheme: String,
    pub path: String,
    pub resolved: Resolution,
    /// `None` when it could not be resolved.
    pub answer: Option<HttpAnswer>,
    /// The job's `fallback_scrape_protocol`: how an answer that does not say what it is would be read.
    #[serde(default)]
    pub fallback_protocol: Option<String>,
    /// What else in the file decides how, or whether, this target is scraped and was not evaluated (`relabel_configs`).
    #[serde(default)]
    pub not_evaluated: Option<String>,
    /// What a real Prometheus made of it, where one was asked.
    #[serde(default)]
    pub prometheus: Option<PrometheusView>,
}

impl Target {
    /// Whether this is the port of Prometheus itself, on its own host: no service of the system.
    pub fn is_prometheus(&self) -> bool {
        self.resolved == Resolution::Scraper && self.address.ends_with(":9090")
    }
}

/// What a real Prometheus made of a target whose host gave it the same answer as it gave us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrometheusView {
    /// Of Prometheus: `2.42.0+ds`. Before version 3 an answer that does not say what it is was read as text.
    pub version: String,
    /// The samples of its scrape, else its error.
    pub scraped: Result<u64, String>,
}

/// What the network map says of a `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Resolution {
    /// A port of a declared service, by role (`main`, `admin`).
    Port { service: String, role: String },
    /// The scraper's own host (`localhost`, `127.0.0.1`): Prometheus itself lives there.
    Scraper,
    /// A host that is known, on a port on which nothing of ours listens.
    ClosedPort { host: String },
    /// No such host.
    UnknownHost,
}

/// One look at a health or readiness address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    pub process: ProcessId,
    pub service: String,
    pub kind: ProbeKind,
    pub at: UnixNanos,
    /// `None`: no answer.
    pub status: Option<u16>,
}

impl Probe {
    pub fn is_true(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    Live,
    Ready,
}

/// A listening socket of a process, and what it answered to `GET /metrics`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Socket {
    pub process: ProcessId,
    pub service: String,
    /// `main`, `admin`, or `None` for a port that the declaration does not name.
    pub role: Option<String>,
    /// What the declared network calls it (`url-api:8080`); the real port is not kept.
    pub address: String,
    pub metrics: Option<HttpAnswer>,
    /// For two processes given one port: who holds it instead of this process.
    pub held_by: Option<ProcessId>,
}

/// A line that a process wrote to standard output or error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    pub process: ProcessId,
    pub service: String,
    pub stderr: bool,
    /// From 1, per process and stream.
    pub line: u32,
    pub text: String,
}

impl LogLine {
    /// Of a longer line the rest is not kept.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Whether its end may be missing.
    pub fn may_be_cut(&self) -> bool {
        // It is cut between two characters.
        self.text.len() + 4 > Self::BYTES_MAX
    }

    /// The line's JSON object; `None` when it is none.
    pub fn json(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        serde_json::from_str(&self.text).ok()
    }
}

/// A change of a key under a declared prefix in etcd.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyEvent {
    /// Without the scenario's own prefix: `analytics-rpc/7587869`.
    pub key: String,
    pub at: UnixNanos,
    pub change: KeyChange,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum KeyChange {
    Put {
        value: String,
        /// The lease's granted TTL in seconds, 0 where it could not be read; `None`: no lease.
        lease_ttl: Option<i64>,
        /// Whether a call to the registered address succeeded at that moment, with what was seen; `None`: not tried.
        serves: Option<Result<(), String>>,
    },
    Delete,
}

/// That the keys under a prefix were watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyWatch {
    /// A declared prefix: `analytics-rpc/`.
    pub prefix: String,
    pub from: UnixNanos,
    /// When all keys under it were read last: whatever had changed by then is among the events.
    pub until: UnixNanos,
}

/// One start order that was tried, and how far the system got.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartOrder {
    /// `etcd, postgres, kafka, url-api, analytics-rpc, analytics-consumer`.
    pub order: Vec<String>,
    /// Which of them really started late, rather than only its proxy.
    pub started_late: Vec<String>,
    /// Healthy within the bound: live, ready, and every operation answered.
    pub healthy: bool,
    /// What was still missing at the bound (`analytics-consumer: no row of the click`), empty when healthy.
    pub missing: Vec<OrderGap>,
    /// Processes that exited during the order.
    pub exited: Vec<(ProcessId, Exit)>,
    /// The bound, and how long it took, in milliseconds.
    pub bound_ms: u64,
    pub took_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderGap {
    pub service: String,
    pub what: String,
}

/// A configuration file that belongs to the system (`prometheus.yml`), as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Relative to the system's root: `compose/prometheus.yml`.
    pub name: String,
    pub text: String,
    /// Why it could not be read as what it is, if so.
    pub error: Option<String>,
    /// What `promtool check config` said of it, where a real Prometheus was asked: nothing, or why it is refused.
    #[serde(default)]
    pub prometheus: Option<Result<(), String>>,
}

/// What the scenario itself expects (EXPECT-01, EXPECT-02).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Expectation {
    pub kind: ExpectationKind,
    /// Which stimulus's trace; `None`: all traces of the scenario.
    pub stimulus: Option<u32>,
    /// The outline wanted, in the outline notation.
    pub outline: String,
    /// Where it stands: the snapshot's file, or the scenario.
    pub at: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationKind {
    /// Stated by the scenario, may be loosened: EXPECT-01.
    Stated,
    /// Committed and equal to the letter: EXPECT-02.
    Snapshot,
}

/// What closed the barrier, and what was still open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Barrier {
    pub steps: Vec<BarrierStep>,
    pub kind: BarrierKind,
}

impl Barrier {
    /// Whether absence may be judged at all (per process the fence decides further).
    pub fn is_closed(&self) -> bool {
        match self.kind {
            BarrierKind::Absent | BarrierKind::Quiet => false,
            BarrierKind::Stepped | BarrierKind::Stated => self.steps.iter().all(|step| step.closed),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarrierKind {
    /// There was none (OTLP files).
    #[default]
    Absent,
    /// The steps of a scenario, or of `exec`, each closed or open.
    Stepped,
    /// The reader says that the files are complete (`--complete`).
    Stated,
    /// A quiet period (`listen`).
    Quiet,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BarrierStep {
    pub name: String,
    pub closed: bool,
    /// The last status seen, in words.
    pub status: String,
    pub took_ms: u64,
}
