//! What the shortener says of itself. Names, ports and families are those of the services' README and of `compose/`.

use probity::model::*;

use super::{API, CONSUMER, RPC};
use crate::declare::*;

pub(super) fn shortener() -> Declaration {
    Declaration {
        version: 1,
        system: "shortener".into(),
        services: vec![url_api(), analytics_rpc(), analytics_consumer()],
        edges: vec![
            edge(API, RPC, EdgeKind::Grpc { method: "analytics.v1.Analytics/GetClickCount".into() }),
            edge(API, CONSUMER, EdgeKind::Kafka { topic: "click-events".into() }),
        ],
        operations: operations(),
        topics: vec![Topic {
            name: "click-events".into(),
            producer: API.into(),
            groups: vec![Group {
                name: "analytics".into(),
                service: CONSUMER.into(),
                batches: true,
                effects: Some(EffectsAt {
                    database: "shortener".into(),
                    statement: "SELECT event_id FROM clicks".into(),
                    event: "event_id".into(),
                }),
                ..Group::default()
            }],
            ..Topic::default()
        }],
        sampling: Some(Sampling { ratio: 1.0, keeps_errors: false }),
        logs: logs(),
        baggage: words(&["tenant.id"]),
        ..Declaration::default()
    }
}

fn logs() -> Logs {
    Logs {
        profile: Some("otel".into()),
        schema: Some("scenarios/schemas/shortener.logs.json".into()),
        hot_paths: words(&["create", "click", "detail"]),
        background: background(),
    }
}

fn url_api() -> ServiceDeclaration {
    let mut service =
        service(API, vec![port("main", 8080, "http"), port("admin", 9464, "http")], &["postgres"]);
    service.event_id_attribute = Some("shortener.event.id".into());
    service.answers_with_trace = true;
    service.buffers = vec![Buffer { topic: "click-events".into(), records_max: 10_000 }];
    let request = ["http_request_method", "http_route", "http_response_status_code"];
    let requests = Counted::HttpRequests {
        route_label: "http_route".into(),
        status_label: "http_response_status_code".into(),
        method_label: "http_request_method".into(),
    };
    // In all: which outcome a call had, a degraded answer does not say.
    let calls = Counted::Calls { to: RPC.into(), status_label: None };
    service.families = vec![
        latency("http_server_request_duration_seconds", &request, Some(requests.clone()), Some(SLO)),
        counter("http_server_requests_total", &request, Some(requests)),
        latency("rpc_client_call_duration_seconds", &RPC_LABELS, Some(calls.clone()), Some(SLO)),
        counter("rpc_client_calls_total", &RPC_LABELS, Some(calls)),
        counter(
            "messaging_client_sent_messages_total",
            &MESSAGING_LABELS,
            Some(Counted::RecordsSent { topic: "click-events".into() }),
        ),
        counter("shortener_degraded_answers_total", &["reason"], Some(Counted::DegradedAnswers)),
        latency("db_client_operation_duration_seconds", &DATABASE_LABELS, None, None),
    ];
    service
}

fn analytics_rpc() -> ServiceDeclaration {
    let mut service =
        service(RPC, vec![port("main", 50051, "grpc"), port("admin", 9465, "http")], &["postgres"]);
    service.registers = Some(Registration { prefix: "analytics-rpc/".into(), lease_ttl_seconds: 10 });
    service.families = vec![
        latency("rpc_server_call_duration_seconds", &RPC_LABELS, None, Some(SLO)),
        counter("rpc_server_calls_total", &RPC_LABELS, None),
        latency("db_client_operation_duration_seconds", &DATABASE_LABELS, None, None),
    ];
    service
}

fn analytics_consumer() -> ServiceDeclaration {
    let mut service = service(CONSUMER, vec![port("admin", 9466, "http")], &["postgres", "kafka"]);
    let lag = Saturated::ConsumerLag { topic: "click-events".into() };
    service.saturation.push(Saturation { family: LAG.into(), of: lag });
    service.event_id_attribute = Some("shortener.event.id".into());
    service.ticks = vec![Tick { span: "expire clicks".into(), kind: Kind::Internal }];
    service.families = vec![
        latency("messaging_process_duration_seconds", &CONSUMER_LABELS, None, Some(SLO)),
        counter(
            "messaging_client_consumed_messages_total",
            &CONSUMER_LABELS,
            Some(Counted::RecordsConsumed { topic: "click-events".into() }),
        ),
        gauge(LAG, &GROUP_LABELS),
        latency("db_client_operation_duration_seconds", &DATABASE_LABELS, None, None),
    ];
    service
}

fn operations() -> Vec<Operation> {
    let operation = |name, method, route| operation(API, name, method, route);
    let click = Spawned {
        service: API.into(),
        kind: Kind::Producer,
        topic: Some("click-events".into()),
        on_status: Some(302),
    };
    vec![
        operation("create", "POST", "/api/v1/urls"),
        // A redirect takes some milliseconds, and nobody waits a second for one.
        Operation { spawns: vec![click], budget_ms: Some(1_000), ..operation("click", "GET", "/{code}") },
        Operation {
            calls: Some(RPC.into()),
            degraded_when: [("degraded".to_string(), true.into()), ("clicks".to_string(), 0.into())].into(),
            // The deadline of the call, 500 ms, and as much again.
            budget_ms: Some(1_000),
            ..operation("detail", "GET", "/api/v1/links/{code}")
        },
    ]
}
