//! What declarations of the reference systems have in common: their ports, their families, their labels.

use probity::model::*;

pub(crate) fn edge(from: &str, to: &str, over: EdgeKind) -> Edge {
    Edge { from: from.into(), to: to.into(), over, routes: Vec::new() }
}

/// An operation that a request to that service drives, whose root is its server span, and that needs nobody else.
pub(crate) fn operation(service: &str, name: &str, method: &str, route: &str) -> Operation {
    Operation {
        name: name.into(),
        service: service.into(),
        method: method.into(),
        route: route.into(),
        root: Kind::Server,
        spawns: Vec::new(),
        calls: None,
        degraded_when: Default::default(),
        budget_ms: None,
    }
}

pub(crate) fn service(name: &str, ports: Vec<Port>, needs: &[&str]) -> ServiceDeclaration {
    let pool = Saturated::Pool { backend: "postgres".into() };
    ServiceDeclaration {
        name: name.into(),
        ports,
        saturation: needs
            .contains(&"postgres")
            .then(|| Saturation { family: "db_client_connection_count".into(), of: pool })
            .into_iter()
            .collect(),
        unspanned_paths: words(&["/metrics", "/healthz", "/readyz"]),
        needs: words(needs),
        log_level: Some(LogLevelAddress { port: "admin".into(), path: "/loglevel".into() }),
        ..ServiceDeclaration::default()
    }
}

pub(crate) fn port(role: &str, number: u16, protocol: &str) -> Port {
    let metrics_path = (role == "admin").then(|| "/metrics".to_string());
    Port { role: role.into(), number, protocol: protocol.into(), metrics_path }
}

/// What goes on beside the requests: etcd, Kafka's client, the pool's connections, the start of the process.
pub(crate) fn background() -> Vec<LogOrigin> {
    let from = |logger: &str| LogOrigin { logger: logger.into(), message: String::new() };
    let says = |message: &str| LogOrigin { logger: String::new(), message: message.into() };
    vec![
        from("services::discovery"),
        from("services::kafka"),
        from("services::service"),
        from("services::telemetry"),
        from("opentelemetry_sdk"),
        from("deadpool.postgres"),
        says("waiting for"),
    ]
}

pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

pub(crate) const LAG: &str = "messaging_consumer_lag";

/// The objective for every latency that a person waits for, in seconds.
pub(crate) const SLO: f64 = 0.25;

pub(crate) const RPC_LABELS: [&str; 3] = ["rpc_system_name", "rpc_method", "rpc_response_status_code"];
pub(crate) const DATABASE_LABELS: [&str; 3] = ["db_system_name", "db_operation_name", "db_collection_name"];
pub(crate) const MESSAGING_LABELS: [&str; 3] =
    ["messaging_system", "messaging_operation_name", "messaging_destination_name"];
pub(crate) const GROUP_LABELS: [&str; 3] =
    ["messaging_system", "messaging_destination_name", "messaging_consumer_group_name"];
pub(crate) const CONSUMER_LABELS: [&str; 4] = [
    "messaging_system",
    "messaging_operation_name",
    "messaging_destination_name",
    "messaging_consumer_group_name",
];

pub(crate) fn latency(
    name: &str,
    labels: &[&str],
    counts: Option<Counted>,
    slo_bound: Option<f64>,
) -> Family {
    let (name, unit, labels) = (name.into(), "seconds".into(), words(labels));
    Family { name, kind: FamilyKind::Histogram, unit, labels, counts, slo_bound }
}

/// Named as its samples are; a family goes without `_total`.
pub(crate) fn counter(sample: &str, labels: &[&str], counts: Option<Counted>) -> Family {
    let name = sample.trim_end_matches("_total").into();
    Family {
        name,
        kind: FamilyKind::Counter,
        unit: String::new(),
        labels: words(labels),
        counts,
        slo_bound: None,
    }
}

pub(crate) fn gauge(name: &str, labels: &[&str]) -> Family {
    let kind = FamilyKind::Gauge;
    Family {
        name: name.into(),
        kind,
        unit: String::new(),
        labels: words(labels),
        counts: None,
        slo_bound: None,
    }
}
