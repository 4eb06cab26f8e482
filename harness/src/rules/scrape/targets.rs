//! What findings call a target and where it should point.

use crate::model::{Case, ConfigFile, Port, Resolution, ServiceDeclaration, SourcePlace, Target};
use crate::rules::text::shown;

/// `compose/prometheus.yml line 8, target url-api:9464`.
pub(super) fn subject(target: &Target) -> String {
    format!("{} line {}, target {}", shown(&target.file), target.line, shown(&target.address))
}

/// The line that names it.
pub(super) fn place(target: &Target) -> SourcePlace {
    SourcePlace { file: target.file.clone(), line: target.line }
}

/// The first line of a file, for what is missing in it.
pub(super) fn beginning(file: &ConfigFile) -> SourcePlace {
    SourcePlace { file: file.name.clone(), line: 1 }
}

/// The files that configure a Prometheus.
pub(super) fn files<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a ConfigFile> {
    let of_prometheus = |file: &&ConfigFile| {
        let name = file.name.rsplit('/').next().unwrap_or_default();
        name.contains("prometheus") || file.text.contains("scrape_configs")
    };
    case.evidence.files.iter().filter(of_prometheus)
}

/// The port of a service that serves its metrics, with the path.
pub(super) fn metrics_port(service: &ServiceDeclaration) -> Option<(&Port, &str)> {
    service.ports.iter().find_map(|port| Some((port, port.metrics_path.as_deref()?)))
}

/// Where the metrics of a service are: `url-api:9464/metrics`.
pub(super) fn right_address(service: &ServiceDeclaration) -> Option<String> {
    metrics_port(service).map(|(port, path)| format!("{}:{}{path}", service.name, port.number))
}

/// Whether a target asks a service in TLS whose metrics port speaks plain HTTP.
pub(super) fn speaks_tls_to_plain(case: &Case, target: &Target) -> bool {
    let Resolution::Port { service, .. } = &target.resolved else { return false };
    let service = case.declaration.and_then(|declaration| declaration.service(service));
    target.scheme == "https"
        && service.and_then(metrics_port).is_some_and(|(port, _)| port.protocol == "http")
}
