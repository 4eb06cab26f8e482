//! What a system says of itself. Rules judge evidence against it; it is saved beside the evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CanaryKind, EffectsAt, Kind, LogLevelAddress, Logs, Thresholds};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Declaration {
    /// The format's version; 1.
    pub version: u32,
    pub system: String,
    pub services: Vec<ServiceDeclaration>,
    pub edges: Vec<Edge>,
    pub operations: Vec<Operation>,
    pub topics: Vec<Topic>,
    /// How traces that begin here are sampled; `None`: nothing is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// Tables whose rows are published later (MSG-05).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outboxes: Vec<Outbox>,
    #[serde(default)]
    pub logs: Logs,
    /// Members of baggage that travel with every request, each an attribute of the spans on its way (TRACE-15).
    #[serde(default)]
    pub baggage: Vec<String>,
    /// By topic, what the values of its records carry by right (PRIVATE-01).
    #[serde(default)]
    pub personal_data: BTreeMap<String, Vec<CanaryKind>>,
    #[serde(default)]
    pub thresholds: Thresholds,
}

impl Declaration {
    pub fn service(&self, name: &str) -> Option<&ServiceDeclaration> {
        self.services.iter().find(|service| service.name == name)
    }

    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// The topics that are Kafka's.
    pub fn kafka_topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().filter(|topic| topic.on.is_kafka())
    }

    /// The topics that are exchanges of RabbitMQ.
    pub fn exchanges(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().filter(|topic| !topic.on.is_kafka())
    }
}

/// What a system promises of its sampling (TRACE-11, TRACE-13).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The share of the traces that begin here which is kept, from 0 to 1.
    pub ratio: f64,
    /// Whether traces with an error are kept whatever the ratio says.
    #[serde(default)]
    pub keeps_errors: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServiceDeclaration {
    /// Its `service.name`.
    pub name: String,
    pub ports: Vec<Port>,
    /// Metric families that it exposes once it had traffic.
    pub families: Vec<Family>,
    /// The key prefix that it registers under (`analytics-rpc/`).
    pub registers: Option<Registration>,
    /// Paths on the admin port that make no spans.
    #[serde(default)]
    pub unspanned_paths: Vec<String>,
    /// Backends that it needs to serve (`postgres`, `kafka`, `etcd`): readiness is false while one of them is away.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The families that tell how full its queues and pools are (METRIC-09).
    #[serde(default)]
    pub saturation: Vec<Saturation>,
    /// The attribute on its messaging spans that carries the system's own event id.
    pub event_id_attribute: Option<String>,
    /// Where its log level is changed while it runs.
    #[serde(default)]
    pub log_level: Option<LogLevelAddress>,
    /// Its timers and poll loops: each turn that finds work begins a trace of its own, and the others make no span (TRACE-06).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticks: Vec<Tick>,
    /// What it holds back while the broker is away (DEGRADE-04).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buffers: Vec<Buffer>,
    /// Whether its answers name their trace, in `traceresponse` or `traceparent` (TRACE-18).
    #[serde(default)]
    pub answers_with_trace: bool,
}

impl ServiceDeclaration {
    pub fn port(&self, role: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.role == role)
    }
}

/// Records of a topic that wait in their producer until the broker takes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    pub topic: String,
    /// So many may wait in one process; those beyond are given up, counted and traced.
    pub records_max: u64,
}

/// A timer or a poll loop of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The name of the span that a turn with work begins: `expire clicks`.
    pub span: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Port {
    /// `main` or `admin`.
    pub role: String,
    /// The number in compose and by default; a run binds the role to a real address.
    pub number: u16,
    /// `http` or `grpc`.
    pub protocol: String,
    /// The path of the metrics, where this is the port that serves them.
    pub metrics_path: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    pub prefix: String,
    pub lease_ttl_seconds: u64,
}

/// A metric family as the exposition names it (without `_total`, `_bucket`, `_sum`, `_count`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    pub name: String,
    pub kind: FamilyKind,
    /// `seconds`, `bytes`, …; empty for a plain count.
    pub unit: String,
    /// Labels that each of its series has at least.
    pub labels: Vec<String>,
    /// What it counts, where METRIC-02 can compare it with what was driven.
    pub counts: Option<Counted>,
    /// The bound that latency histograms must have, in the family's unit.
    pub slo_bound: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FamilyKind {
    Counter,
    Gauge,
    Histogram,
}

/// What a family's value (or a histogram's `_count`) must have risen by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Counted {
    /// HTTP requests answered on the service's main port, split by the labels named: operation route and status.
    HttpRequests {
        route_label: String,
        status_label: String,
        method_label: String,
    },
    /// Logical calls (retries count once) to another service: one for each operation that calls it, by outcome label.
    Calls {
        to: String,
        status_label: Option<String>,
    },
    /// Answers that were degraded (METRIC-11).
    DegradedAnswers,
    /// Spans that were given up, as the collector was away (DEGRADE-07). OpenTelemetry's own counters need no declaration.
    SpansLost,
    /// Records sent to, or consumed from, a topic.
    RecordsSent {
        topic: String,
    },
    RecordsConsumed {
        topic: String,
    },
}

/// A gauge of what waits or is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saturation {
    pub family: String,
    pub of: Saturated,
}

/// What can fill up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Saturated {
    /// What a consumer has not read of a topic.
    ConsumerLag { topic: String },
    /// How long the oldest row of an outbox has waited.
    OutboxAge { topic: String },
    /// Connections of a pool to a backend (`postgres`).
    Pool { backend: String },
}

/// A declared edge: `from` calls, or sends to, `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub over: EdgeKind,
    /// Over HTTP: the routes that are called (`POST /v1/entries`), where the caller calls several services. Empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "over")]
pub enum EdgeKind {
    Http,
    /// The full method, `analytics.v1.Analytics/GetClickCount`.
    Grpc {
        method: String,
    },
    Kafka {
        topic: String,
    },
    /// Of RabbitMQ, by the exchange's name.
    Amqp {
        exchange: String,
    },
}

impl EdgeKind {
    /// Whether `from` waits for an answer of `to`: a call, not a message.
    pub fn is_call(&self) -> bool {
        matches!(self, EdgeKind::Http | EdgeKind::Grpc { .. })
    }
}

/// An operation that stimuli drive: its address, its one expected root, and what it spawns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    pub name: String,
    pub service: String,
    pub method: String,
    /// `/{code}`.
    pub route: String,
    /// The root's kind: a stimulus yields exactly one root, of this service and kind.
    pub root: Kind,
    /// Work done off the request that stays in its trace.
    #[serde(default)]
    pub spawns: Vec<Spawned>,
    /// The service that it calls, and that degrades it when it is away (DEGRADE-01, METRIC-11).
    pub calls: Option<String>,
    /// How a degraded answer shows (`degraded` true, `clicks` 0): JSON fields of a 200 answer.
    #[serde(default)]
    pub degraded_when: BTreeMap<String, serde_json::Value>,
    /// It must be answered within this many milliseconds, whatever the callee (DEGRADE-02) or the broker of what it spawns
    /// (DEGRADE-04) does.
    pub budget_ms: Option<u64>,
}

/// Work off the request: a span of this service, kind and topic that belongs to the operation's trace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spawned {
    pub service: String,
    pub kind: Kind,
    /// For a PRODUCER: the topic. Found by edges, else by attributes, not by name.
    pub topic: Option<String>,
    /// Only answers of this status spawn it (302: the click).
    pub on_status: Option<u16>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Topic {
    pub name: String,
    pub producer: String,
    pub groups: Vec<Group>,
    /// What it is a topic of.
    #[serde(default, skip_serializing_if = "Broker::is_kafka")]
    pub on: Broker,
}

impl Topic {
    /// Whether a span that names this destination speaks of the topic, as one of its groups or as its producer.
    pub fn is_destination(&self, named: &str) -> bool {
        if self.on.is_kafka() {
            return named == self.name;
        }
        // The exchange alone, or with routing key and queue behind it; consumers of older conventions name their queue.
        let exchange = named.split(':').next() == Some(&self.name);
        exchange || self.groups.iter().any(|queue| queue.name == named)
    }
}

/// Whose topic a topic is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "system")]
pub enum Broker {
    #[default]
    Kafka,
    /// The topic is an exchange of RabbitMQ (durable, of type `topic`), and its groups are queues that are bound to it.
    Rabbitmq {
        /// Of its messages, and of the queues' bindings.
        routing_key: String,
    },
}

impl Broker {
    pub fn is_kafka(&self) -> bool {
        *self == Broker::Kafka
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub service: String,
    /// How its process spans join; `None`: parent or link, either will do.
    pub join: Option<Join>,
    /// Whether a process span may stand for several records.
    #[serde(default)]
    pub batches: bool,
    /// Whether this scenario drives a burst to prove batches: unless some process span links to two records it proved
    /// nothing, and MSG-02 is incomplete.
    #[serde(default)]
    pub must_batch: bool,
    /// Where what it does with records shows (MSG-06).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<EffectsAt>,
    /// The topic for records that it can do nothing with (MSG-07).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    Parent,
    Link,
}

/// A transactional outbox: rows that requests write to a table, and that a relay publishes to a topic when it comes to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// Who writes the rows, and whose relay publishes them.
    pub service: String,
    pub table: String,
    pub topic: String,
}
