//! The URL shortener: what it says of itself, how its services are wired, what is asked of it, how it can be broken.

mod cardinality;
mod collector;
mod contexts;
mod dashboards;
mod declaration;
mod defects;
mod degradation;
mod delivery;
mod linkage;
mod logging;
mod orders;
mod privacy;
mod proofs;
mod scraping;
mod starting;
mod traffic;

use std::path::Path;

use crate::Programs;
pub(crate) use crate::drive;
use probity::run::{Listening, Scenario, ServiceProgram, System, Wiring};

pub(crate) const API: &str = "url-api";
pub(crate) const RPC: &str = "analytics-rpc";
/// What url-api logs once it has found the RPC server: its list of endpoints is empty for a moment after the start.
pub(crate) const ENDPOINTS: &str = "endpoints of analytics-rpc changed";
pub(crate) const CONSUMER: &str = "analytics-consumer";

/// The shortener as Probity runs it.
pub fn system(programs: Programs) -> System {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a package lies in its workspace")
        .to_path_buf();
    let service = |name, advertised| ServiceProgram {
        name,
        path: programs(name),
        wire,
        listening: Listening::from_json_line,
        advertised,
        database: Some("shortener"),
    };
    System {
        name: "shortener",
        declaration: declaration::shortener(),
        services: vec![service(API, None), service(RPC, Some("main")), service(CONSUMER, None)],
        scenarios: scenarios(),
        defects: defects::all(),
        proofs: proofs::all(),
        defect_variable: "SHORTENER_DEFECT",
        snapshots: root.join("scenarios/snapshots"),
        root,
    }
}

fn scenarios() -> Vec<Scenario> {
    let families = [
        linkage::scenarios(),
        contexts::scenarios(),
        cardinality::scenarios(),
        scraping::scenarios(),
        privacy::scenarios(),
        logging::scenarios(),
        dashboards::scenarios(),
        starting::scenarios(),
        degradation::scenarios(),
        collector::scenarios(),
        delivery::scenarios(),
    ];
    families.into_iter().flatten().collect()
}

/// The services' own settings, as their README lists them.
fn wire(wiring: &Wiring) -> Vec<(String, String)> {
    let mut settings = vec![
        ("ADMIN_ADDR", wiring.listen("admin")),
        ("ADMIN_TOKEN", wiring.admin_token.clone()),
        ("DATABASE_URL", wiring.database_url.clone()),
        ("DATABASE_POOL_SIZE", "4".to_string()),
        ("DEPLOYMENT_ENVIRONMENT", "test".to_string()),
    ];
    if wiring.service != CONSUMER {
        settings.push(("LISTEN_ADDR", wiring.listen("main")));
        settings.push(("ETCD_ENDPOINTS", wiring.etcd_endpoint.clone()));
        settings.push(("ETCD_PREFIX", wiring.key_prefix.clone()));
    }
    if wiring.service != RPC {
        settings.push(("KAFKA_BROKERS", wiring.kafka_brokers.clone()));
        settings.push(("KAFKA_TOPIC", wiring.topic("click-events").to_string()));
        settings.push(("KAFKA_GROUP", wiring.group("analytics").to_string()));
        settings.push(("KAFKA_PROPERTIES", wiring.kafka_properties.clone()));
    }
    if let Some(address) = wiring.advertise {
        settings.push(("ADVERTISE_ADDR", address.to_string()));
    }
    settings.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}
