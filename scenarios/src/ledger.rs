//! The ledger: what it says of itself, how its services are wired, what is asked of it, how it can be broken.

mod announcing;
mod declaration;
mod defects;
mod delivery;
mod faults;
mod linkage;
mod money;
mod starting;
pub mod traffic;

use std::path::Path;

use probity::run::{Listening, Scenario, ServiceProgram, Stack, System, Wiring};

use crate::Programs;

pub const GATEWAY: &str = "gateway";
pub const ORCHESTRATOR: &str = "orchestrator";
pub const ACCOUNTS: &str = "accounts";
pub const LEDGER: &str = "ledger";
pub const READ_MODEL: &str = "read-model";
pub const NOTIFIER: &str = "notifier";
/// Without `notifier`, which only those start that have a RabbitMQ.
pub const ALL: [&str; 5] = [GATEWAY, ORCHESTRATOR, ACCOUNTS, LEDGER, READ_MODEL];

pub const TOPIC: &str = "ledger.entry.v1";
pub const DEAD_LETTERS: &str = "ledger.entry.v1.dlt";
pub(crate) const GROUP: &str = "read-model";
/// The exchange of RabbitMQ, the routing key of its messages, and the queue of `notifier`.
pub const EXCHANGE: &str = "ledger.transfers";
pub(crate) const ROUTING_KEY: &str = "transfer.settled";
pub(crate) const QUEUE: &str = "ledger.transfers.notifier";

/// The ledger as Probity runs it.
pub fn system(programs: Programs) -> System {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a package lies in its workspace")
        .to_path_buf();
    let service = |name, advertised, database| ServiceProgram {
        name,
        path: programs(name),
        wire,
        listening: Listening::from_json_line,
        advertised,
        database,
    };
    System {
        name: "ledger",
        declaration: declaration::ledger(),
        services: vec![
            service(GATEWAY, None, None),
            service(ORCHESTRATOR, Some("main"), Some("orchestrator")),
            service(ACCOUNTS, Some("main"), Some("accounts")),
            service(LEDGER, Some("main"), Some("ledger")),
            service(READ_MODEL, Some("main"), Some("read-model")),
            service(NOTIFIER, None, Some("notifier")),
        ],
        scenarios: scenarios(),
        defects: defects::all(),
        proofs: Vec::new(),
        defect_variable: "LEDGER_DEFECT",
        snapshots: root.join("scenarios/snapshots"),
        root,
    }
}

fn scenarios() -> Vec<Scenario> {
    let families = [
        linkage::scenarios(),
        money::scenarios(),
        delivery::scenarios(),
        announcing::scenarios(),
        starting::scenarios(),
        faults::scenarios(),
    ];
    families.into_iter().flatten().collect()
}

/// All five, and none is away. Their deadlines are no test of the machine's speed.
pub fn whole() -> Stack {
    Stack::of(&ALL).set("RPC_DEADLINE_MS", "4000").set("HTTP_DEADLINE_MS", "8000")
}

/// The services' own settings, as their README lists them.
fn wire(wiring: &Wiring) -> Vec<(String, String)> {
    let mut settings = vec![
        ("ADMIN_ADDR", wiring.listen("admin")),
        ("LISTEN_ADDR", wiring.listen("main")),
        ("ADMIN_TOKEN", wiring.admin_token.clone()),
        ("DEPLOYMENT_ENVIRONMENT", "test".to_string()),
    ];
    if !wiring.database_url.is_empty() {
        settings.push(("DATABASE_URL", wiring.database_url.clone()));
        settings.push(("DATABASE_POOL_SIZE", "4".to_string()));
    }
    match wiring.service {
        GATEWAY => {
            settings.push(("ORCHESTRATOR_URL", wiring.peer_url(ORCHESTRATOR)));
            settings.push(("READ_MODEL_URL", wiring.peer_url(READ_MODEL)));
        }
        ORCHESTRATOR => settings.push(("LEDGER_URL", wiring.peer_url(LEDGER))),
        _ => {}
    }
    if [ORCHESTRATOR, ACCOUNTS].contains(&wiring.service) {
        settings.push(("ETCD_ENDPOINTS", wiring.etcd_endpoint.clone()));
        settings.push(("ETCD_PREFIX", wiring.key_prefix.clone()));
    }
    if [LEDGER, READ_MODEL].contains(&wiring.service) {
        settings.push(("KAFKA_BROKERS", wiring.kafka_brokers.clone()));
        settings.push(("KAFKA_TOPIC", wiring.topic(TOPIC).to_string()));
        settings.push(("KAFKA_PROPERTIES", wiring.kafka_properties.clone()));
    }
    if wiring.service == READ_MODEL {
        settings.push(("KAFKA_GROUP", wiring.group(GROUP).to_string()));
        settings.push(("KAFKA_DEAD_LETTER_TOPIC", wiring.topic(DEAD_LETTERS).to_string()));
    }
    if [ORCHESTRATOR, NOTIFIER].contains(&wiring.service) && !wiring.amqp_url.is_empty() {
        settings.push(("AMQP_URL", wiring.amqp_url.clone()));
        settings.push(("AMQP_EXCHANGE", wiring.topic(EXCHANGE).to_string()));
        settings.push(("AMQP_QUEUE", wiring.group(QUEUE).to_string()));
        // No test of the machine's speed.
        settings.push(("AMQP_SEND_LIMIT_MS", "5000".to_string()));
    }
    if let Some(address) = wiring.advertise {
        settings.push(("ADVERTISE_ADDR", address.to_string()));
    }
    settings.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}
