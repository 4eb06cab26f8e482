//! The compose files name the ports that the services have by default.

use std::net::SocketAddr;
use std::path::Path;

use crate::{analytics_consumer, analytics_rpc, url_api};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The lines of one service, without those of the next.
fn service(compose: &str, name: &str) -> String {
    let services = compose.split_once("\nservices:\n").unwrap().1;
    let start = format!("  {name}:");
    services
        .lines()
        .skip_while(|line| *line != start)
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn port(address: &str) -> u16 {
    address.parse::<SocketAddr>().unwrap().port()
}

#[test]
fn compose_and_services_agree_on_every_port() {
    let compose = file("compose.yaml");
    for (name, variable, address) in [
        ("url-api", "LISTEN_ADDR", url_api::LISTEN_ADDRESS),
        ("url-api", "ADMIN_ADDR", url_api::ADMIN_ADDRESS),
        ("analytics-rpc", "LISTEN_ADDR", analytics_rpc::LISTEN_ADDRESS),
        ("analytics-rpc", "ADMIN_ADDR", analytics_rpc::ADMIN_ADDRESS),
        ("analytics-consumer", "ADMIN_ADDR", analytics_consumer::ADMIN_ADDRESS),
    ] {
        let service = service(&compose, name);
        assert!(service.contains(&format!("{variable}: {address}\n")), "{name} {variable}");
        let port = port(address);
        // Published as a number that who starts it may choose, by default its own.
        let (exposed, published) = (format!("\"{port}\""), format!(":-{port}}}:{port}\""));
        assert!(service.contains(&exposed) || service.contains(&published), "{name} {port}");
    }
}

#[test]
fn prometheus_scrapes_every_admin_port_and_nothing_else_of_ours() {
    let prometheus = file("prometheus.yml");
    let targets: Vec<&str> = prometheus
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- targets: [\"")?.strip_suffix("\"]"))
        .collect();
    let expected = [
        format!("url-api:{}", port(url_api::ADMIN_ADDRESS)),
        format!("analytics-rpc:{}", port(analytics_rpc::ADMIN_ADDRESS)),
        format!("analytics-consumer:{}", port(analytics_consumer::ADMIN_ADDRESS)),
        "localhost:9090".to_owned(),
    ];
    assert_eq!(targets, expected);
}

#[test]
fn metrics_are_published_to_nobody() {
    let compose = file("compose.yaml");
    for address in [url_api::ADMIN_ADDRESS, analytics_rpc::ADMIN_ADDRESS, analytics_consumer::ADMIN_ADDRESS] {
        assert!(!compose.contains(&format!(":{}\"", port(address))), "{address}");
    }
}
