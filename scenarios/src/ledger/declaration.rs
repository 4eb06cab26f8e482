//! What the ledger says of itself. Names, ports and families are those of the services' README.

use probity::model::*;

use super::{
    ACCOUNTS, DEAD_LETTERS, EXCHANGE, GATEWAY, GROUP, LEDGER, NOTIFIER, ORCHESTRATOR, QUEUE, READ_MODEL,
    ROUTING_KEY, TOPIC,
};
use crate::declare::*;

const OPEN: &str = "accounts.v1.Accounts/Open";
const DESCRIBE: &str = "accounts.v1.Accounts/Describe";
/// How long a request may take when `accounts` is slow or silent: `gateway` waits no longer for anything.
const ACCOUNTS_BUDGET_MS: u64 = 5_000;
const EVENT_ID: &str = "ledger.entry.id";
const AGE: &str = "ledger_outbox_age_seconds";

pub(super) fn ledger() -> Declaration {
    Declaration {
        version: 1,
        system: "ledger".into(),
        services: vec![gateway(), orchestrator(), accounts(), ledger_service(), read_model(), notifier()],
        edges: vec![
            http(GATEWAY, ORCHESTRATOR, &["POST /v1/accounts", "POST /v1/transfers"]),
            http(GATEWAY, READ_MODEL, &["GET /v1/accounts/{id}/balance", "GET /v1/accounts/{id}/statement"]),
            edge(ORCHESTRATOR, ACCOUNTS, EdgeKind::Grpc { method: OPEN.into() }),
            edge(ORCHESTRATOR, ACCOUNTS, EdgeKind::Grpc { method: DESCRIBE.into() }),
            http(ORCHESTRATOR, LEDGER, &["POST /v1/entries"]),
            edge(LEDGER, READ_MODEL, EdgeKind::Kafka { topic: TOPIC.into() }),
            edge(ORCHESTRATOR, NOTIFIER, EdgeKind::Amqp { exchange: EXCHANGE.into() }),
        ],
        operations: operations(),
        topics: topics(),
        outboxes: vec![Outbox { service: LEDGER.into(), table: "outbox".into(), topic: TOPIC.into() }],
        sampling: Some(Sampling { ratio: 1.0, keeps_errors: false }),
        baggage: words(&["tenant.id"]),
        logs: logs(),
        ..Declaration::default()
    }
}

/// What goes on beside the requests: the relay, besides what every service has.
fn logs() -> Logs {
    let says = |message: &str| LogOrigin { logger: String::new(), message: message.into() };
    let relay =
        [says("the outbox could not be looked into"), says("the relay was told to pause or to go on")];
    Logs { background: background().into_iter().chain(relay).collect(), ..Logs::default() }
}

fn http(from: &str, to: &str, routes: &[&str]) -> Edge {
    Edge { routes: words(routes), ..edge(from, to, EdgeKind::Http) }
}

fn topics() -> Vec<Topic> {
    let group = Group {
        name: GROUP.into(),
        service: READ_MODEL.into(),
        effects: Some(EffectsAt {
            database: "read-model".into(),
            statement: "SELECT entry_id FROM entries".into(),
            event: "entry_id".into(),
        }),
        dead_letters: Some(DEAD_LETTERS.into()),
        ..Group::default()
    };
    let queue = Group { name: QUEUE.into(), service: NOTIFIER.into(), ..Group::default() };
    vec![
        Topic { name: TOPIC.into(), producer: LEDGER.into(), groups: vec![group], ..Topic::default() },
        Topic { name: DEAD_LETTERS.into(), producer: READ_MODEL.into(), ..Topic::default() },
        Topic {
            name: EXCHANGE.into(),
            producer: ORCHESTRATOR.into(),
            groups: vec![queue],
            on: Broker::Rabbitmq { routing_key: ROUTING_KEY.into() },
        },
    ]
}

fn gateway() -> ServiceDeclaration {
    let mut service = service(GATEWAY, vec![port("main", 8081, "http"), port("admin", 9467, "http")], &[]);
    service.answers_with_trace = true;
    let requests = Counted::HttpRequests {
        route_label: "http_route".into(),
        status_label: "http_response_status_code".into(),
        method_label: "http_request_method".into(),
    };
    service.families = vec![
        latency("http_server_request_duration_seconds", &HTTP_LABELS, Some(requests.clone()), Some(SLO)),
        counter("http_server_requests_total", &HTTP_LABELS, Some(requests)),
        latency("http_client_request_duration_seconds", &CLIENT_LABELS, None, Some(SLO)),
    ];
    service
}

fn orchestrator() -> ServiceDeclaration {
    let ports = vec![port("main", 8082, "http"), port("admin", 9468, "http")];
    let mut service = service(ORCHESTRATOR, ports, &["postgres"]);
    service.families =
        [served(), vec![latency("http_client_request_duration_seconds", &CLIENT_LABELS, None, Some(SLO))]]
            .concat();
    service.families.extend([
        latency("rpc_client_call_duration_seconds", &RPC_LABELS, None, Some(SLO)),
        counter("rpc_client_calls_total", &RPC_LABELS, None),
    ]);
    service.families.extend(database());
    service
}

fn accounts() -> ServiceDeclaration {
    let ports = vec![port("main", 50052, "grpc"), port("admin", 9469, "http")];
    let mut service = service(ACCOUNTS, ports, &["postgres"]);
    service.registers = Some(Registration { prefix: "accounts/".into(), lease_ttl_seconds: 10 });
    service.families = vec![
        latency("rpc_server_call_duration_seconds", &RPC_LABELS, None, Some(SLO)),
        counter("rpc_server_calls_total", &RPC_LABELS, None),
    ];
    service.families.extend(database());
    service
}

fn ledger_service() -> ServiceDeclaration {
    let ports = vec![port("main", 8083, "http"), port("admin", 9470, "http")];
    let mut service = service(LEDGER, ports, &["postgres"]);
    service.event_id_attribute = Some(EVENT_ID.into());
    let age = Saturated::OutboxAge { topic: TOPIC.into() };
    service.saturation.push(Saturation { family: AGE.into(), of: age });
    service.families = served();
    service.families.extend(database());
    service.families.extend([
        counter(
            "messaging_client_sent_messages_total",
            &MESSAGING_LABELS,
            Some(Counted::RecordsSent { topic: TOPIC.into() }),
        ),
        gauge("ledger_outbox_depth", &[]),
        Family { unit: "seconds".into(), ..gauge(AGE, &[]) },
    ]);
    service
}

fn read_model() -> ServiceDeclaration {
    let ports = vec![port("main", 8084, "http"), port("admin", 9471, "http")];
    let mut service = service(READ_MODEL, ports, &["postgres", "kafka"]);
    service.event_id_attribute = Some(EVENT_ID.into());
    let lag = Saturated::ConsumerLag { topic: TOPIC.into() };
    service.saturation.push(Saturation { family: LAG.into(), of: lag });
    let consumed = Counted::RecordsConsumed { topic: TOPIC.into() };
    service.families = vec![
        latency("messaging_process_duration_seconds", &CONSUMER_LABELS, None, Some(SLO)),
        counter("messaging_client_consumed_messages_total", &CONSUMER_LABELS, Some(consumed)),
        gauge(LAG, &GROUP_LABELS),
    ];
    service.families.extend(database());
    service
}

fn notifier() -> ServiceDeclaration {
    let mut service = service(NOTIFIER, vec![port("admin", 9472, "http")], &["postgres", "rabbitmq"]);
    let consumed = Counted::RecordsConsumed { topic: EXCHANGE.into() };
    service.families = vec![
        latency("messaging_process_duration_seconds", &MESSAGING_LABELS, None, Some(SLO)),
        counter("messaging_client_consumed_messages_total", &MESSAGING_LABELS, Some(consumed)),
    ];
    service.families.extend(database());
    service
}

const HTTP_LABELS: [&str; 3] = ["http_request_method", "http_route", "http_response_status_code"];
const CLIENT_LABELS: [&str; 2] = ["http_request_method", "url_template"];

/// Of a service that others ask over HTTP.
fn served() -> Vec<Family> {
    vec![
        latency("http_server_request_duration_seconds", &HTTP_LABELS, None, Some(SLO)),
        counter("http_server_requests_total", &HTTP_LABELS, None),
    ]
}

/// Of a service with a database.
fn database() -> Vec<Family> {
    vec![
        latency("db_client_operation_duration_seconds", &DATABASE_LABELS, None, None),
        gauge(
            "db_client_connection_count",
            &["db_client_connection_pool_name", "db_client_connection_state"],
        ),
        gauge("db_client_connection_max", &["db_client_connection_pool_name"]),
        gauge("db_client_connection_pending_requests", &["db_client_connection_pool_name"]),
    ]
}

fn operations() -> Vec<Operation> {
    let operation = |name, method, route| operation(GATEWAY, name, method, route);
    let waits_for_accounts = |name, route| Operation {
        calls: Some(ACCOUNTS.into()),
        budget_ms: Some(ACCOUNTS_BUDGET_MS),
        ..operation(name, "POST", route)
    };
    vec![
        waits_for_accounts("open", "/v1/accounts"),
        waits_for_accounts("transfer", "/v1/transfers"),
        operation("balance", "GET", "/v1/accounts/{id}/balance"),
        operation("statement", "GET", "/v1/accounts/{id}/statement"),
    ]
}
