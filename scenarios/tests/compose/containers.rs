//! compose.yaml and prometheus.yml: the same services, ports and names as the scenarios judge; containers that become healthy,
//! wait for each other, and show nothing that they need not.

use std::collections::BTreeMap;

use probity::model::Resolution;
use serde_json::{Map, Value};

use super::{Claims, all_well, declaration, text, words, yaml};

pub(super) const CLAIMS: Claims = &[
    ("services_ports_and_roles_are_those_of_the_declaration", declared),
    ("prometheus_scrapes_each_declared_metrics_port_once", scraped),
    ("backends_have_the_names_that_services_are_told", names),
    ("the_topic_has_the_declared_name", topic),
    ("health_checks_run_without_a_shell", health),
    ("dependants_wait_until_backends_are_healthy", dependants),
    ("etcd_advertises_a_reachable_address_and_keeps_nothing", etcd),
    ("images_are_pinned", images),
    ("no_credential_is_in_a_file", credentials),
    ("only_what_a_person_opens_is_published_and_on_loopback", published),
    ("what_runs_for_long_comes_back_by_itself", restarts),
    ("files_that_are_mounted_are_there", mounts),
];

/// What runs once and ends.
const ONCE: &str = "kafka-topics";

fn containers() -> Map<String, Value> {
    match yaml("compose/compose.yaml")["services"].take() {
        Value::Object(containers) => containers,
        other => panic!("services is no map: {other}"),
    }
}

/// The ports that a container exposes or publishes, by their number within.
fn ports(container: &Value) -> Vec<u16> {
    let within = |port: &&str| port.rsplit(':').next().and_then(|port| port.parse().ok());
    let mut ports: Vec<u16> =
        words(&container["expose"]).iter().chain(&words(&container["ports"])).filter_map(within).collect();
    ports.sort();
    ports
}

fn declared() -> Result<(), String> {
    let containers = containers();
    let mut wrong = Vec::new();
    for service in declaration().services {
        let Some(container) = containers.get(&service.name) else {
            wrong.push(format!("no container is called {}", service.name));
            continue;
        };
        let mut declared: Vec<u16> = service.ports.iter().map(|port| port.number).collect();
        declared.sort();
        if ports(container) != declared {
            wrong.push(format!("{}: ports {:?}, declared {declared:?}", service.name, ports(container)));
        }
        for port in &service.ports {
            let variable = if port.role == "admin" { "ADMIN_ADDR" } else { "LISTEN_ADDR" };
            let listens = &container["environment"][variable];
            if *listens != format!("0.0.0.0:{}", port.number) {
                wrong.push(format!("{}: {variable} is {listens}, declared {}", service.name, port.number));
            }
        }
        if service.registers.is_some() {
            let main = service.port("main").map_or(0, |port| port.number);
            let advertised = &container["environment"]["ADVERTISE_ADDR"];
            if *advertised != format!("{}:{main}", service.name) {
                wrong.push(format!("{} registers {advertised}, which others do not reach", service.name));
            }
        }
        if words(&container["command"]) != [service.name.as_str()] {
            wrong.push(format!("{} runs {}", service.name, container["command"]));
        }
    }
    all_well(wrong)
}

fn scraped() -> Result<(), String> {
    let declaration = declaration();
    let file = "compose/prometheus.yml";
    let config = probity::scrape_config::parse(&text(file)).map_err(|error| error.to_string())?;
    let targets = config.targets(file, &declaration);
    let mut wrong = Vec::new();
    for service in &declaration.services {
        for port in service.ports.iter().filter(|port| port.metrics_path.is_some()) {
            let meant = Resolution::Port { service: service.name.clone(), role: port.role.clone() };
            let of_it: Vec<_> = targets.iter().filter(|target| target.resolved == meant).collect();
            let right = |path: &str| port.metrics_path.as_deref() == Some(path);
            if of_it.len() != 1 || !right(&of_it[0].path) || of_it[0].job != service.name {
                wrong.push(format!("{}: {} targets on its {} port", service.name, of_it.len(), port.role));
            }
        }
    }
    let stray = |resolved: &Resolution| !matches!(resolved, Resolution::Port { .. } | Resolution::Scraper);
    wrong.extend(
        targets
            .iter()
            .filter(|target| stray(&target.resolved))
            .map(|target| format!("{} is nobody", target.address)),
    );
    let limited =
        yaml(file)["scrape_configs"].as_array().into_iter().flatten().all(|job| job["sample_limit"].is_u64());
    if !limited {
        wrong.push("a job has no sample_limit".into());
    }
    all_well(wrong)
}

fn names() -> Result<(), String> {
    let containers = containers();
    let mut wrong = Vec::new();
    for (name, container) in &containers {
        let settings = container["environment"].as_object().into_iter().flatten();
        for (variable, value) in settings {
            let value = value.as_str().unwrap_or_default();
            if !matches!(variable.as_str(), "DATABASE_URL" | "ETCD_ENDPOINTS" | "KAFKA_BROKERS") {
                continue;
            }
            let authority = value.rsplit('@').next().unwrap_or(value);
            let authority = authority.rsplit("//").next().unwrap_or(authority);
            let authority = authority.split('/').next().unwrap_or(authority);
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            let serves = containers
                .get(host)
                .is_some_and(|other| ports(other).iter().any(|known| known.to_string() == port));
            if !serves {
                wrong.push(format!("{name}: {variable} names {authority}, and no container serves there"));
            }
        }
    }
    all_well(wrong)
}

fn topic() -> Result<(), String> {
    let containers = containers();
    let command = words(&containers[ONCE]["command"]);
    let created =
        command.iter().position(|word| *word == "--topic").and_then(|at| command.get(at + 1)).copied();
    let declared: Vec<String> = declaration().topics.into_iter().map(|topic| topic.name).collect();
    match created {
        Some(created) if declared == [created] => Ok(()),
        other => Err(format!("{other:?} is created, declared are {declared:?}")),
    }
}

fn health() -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, container) in containers() {
        let test =
            words(&container["healthcheck"]["test"]).iter().map(|word| word.to_string()).collect::<Vec<_>>();
        let shells = |word: &String| ["CMD-SHELL", "sh", "bash", "/bin/sh", "curl"].contains(&word.as_str());
        match test.first().map(String::as_str) {
            Some("CMD") if !test.iter().any(shells) => {}
            // It holds one program, which has no such command, and nobody waits for it.
            None if name == "jaeger" || name == ONCE => {}
            _ => wrong.push(format!("{name}: {test:?}")),
        }
        if test.len() > 1
            && declaration().service(&name).is_some()
            && test[1..] != [name.clone(), "healthcheck".into()]
        {
            wrong.push(format!("{name}: its image holds no {:?}", &test[1..]));
        }
    }
    all_well(wrong)
}

fn dependants() -> Result<(), String> {
    let containers = containers();
    let waits: BTreeMap<&String, BTreeMap<String, String>> = containers
        .iter()
        .map(|(name, container)| {
            let of = container["depends_on"].as_object().into_iter().flatten();
            let condition = |on: &Value| on["condition"].as_str().unwrap_or("service_started").to_string();
            (name, of.map(|(other, on)| (other.clone(), condition(on))).collect())
        })
        .collect();
    let mut wrong = Vec::new();
    for (name, container) in &containers {
        if container["depends_on"].is_array() {
            wrong.push(format!("{name}: the short form of depends_on waits for started only"));
        }
        for (other, condition) in &waits[name] {
            if condition != "service_healthy" || containers[other]["healthcheck"].is_null() {
                wrong.push(format!("{name} waits for {other} only until it is {condition}"));
            }
        }
    }
    for service in declaration().services {
        let needed =
            service.needs.iter().map(String::as_str).chain(service.registers.is_some().then_some("etcd"));
        let not_awaited = needed.filter(|backend| !waits[&service.name].contains_key(*backend));
        wrong.extend(not_awaited.map(|backend| format!("{} does not wait for {backend}", service.name)));
    }
    all_well(wrong)
}

fn etcd() -> Result<(), String> {
    let etcd = &containers()["etcd"];
    let command = words(&etcd["command"]);
    let flag = |name: &str| command.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let mut wrong = Vec::new();
    if flag("--advertise-client-urls") != Some("http://etcd:2379") {
        wrong.push(format!("it advertises {:?}", flag("--advertise-client-urls")));
    }
    let data = flag("--data-dir").unwrap_or_default();
    if !words(&etcd["tmpfs"]).contains(&data) {
        wrong.push(format!("its data in {data:?} outlives it"));
    }
    all_well(wrong)
}

fn images() -> Result<(), String> {
    let pinned = |image: &str| {
        // `${PROBITY_IMAGE_X:-name:tag}`, or the name itself.
        let image = image.split_once(":-").map_or(image, |(_, default)| default.trim_end_matches('}'));
        let tag =
            image.split('/').next_back().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
        tag.matches('.').count() >= 1 && tag.chars().any(|character| character.is_ascii_digit())
    };
    let loose =
        containers().into_iter().filter(|(_, container)| !container["image"].as_str().is_some_and(pinned));
    all_well(loose.map(|(name, container)| format!("{name}: {}", container["image"])).collect())
}

fn credentials() -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, container) in containers() {
        for (variable, value) in container["environment"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            let secret =
                ["PASSWORD", "SECRET", "TOKEN", "API_KEY"].iter().any(|word| variable.contains(word));
            let with_password =
                value.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
            let literal = match with_password {
                Some(user) => user.split_once(':').is_some_and(|(_, password)| !password.starts_with("${")),
                None => secret && !value.starts_with("${"),
            };
            if literal {
                wrong.push(format!("{name}: {variable}"));
            }
        }
    }
    if !text(".gitignore").lines().any(|line| line == "/compose/.env") {
        wrong.push("compose/.env, with the password, could be committed".into());
    }
    all_well(wrong)
}

/// A person opens: the service itself, Prometheus, Grafana, Jaeger's page.
const OPENED: [(&str, &str); 4] = [
    ("url-api", "127.0.0.1:${URL_API_PORT:-8080}:8080"),
    ("prometheus", "127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"),
    ("grafana", "127.0.0.1:${GRAFANA_PORT:-3000}:3000"),
    ("jaeger", "127.0.0.1:${JAEGER_PORT:-16686}:16686"),
];

fn published() -> Result<(), String> {
    let containers = containers();
    let mut wrong = Vec::new();
    for (name, container) in &containers {
        for port in words(&container["ports"]) {
            if !OPENED.contains(&(name, port)) {
                wrong.push(format!("{name} publishes {port}"));
            }
        }
        if container["network_mode"] == "host" || container["privileged"] == true {
            wrong.push(format!("{name} is not kept to itself"));
        }
    }
    all_well(wrong)
}

fn restarts() -> Result<(), String> {
    let ends =
        |(name, container): &(String, Value)| *name != ONCE && container["restart"] != "unless-stopped";
    all_well(containers().into_iter().filter(ends).map(|(name, _)| format!("{name} stays down")).collect())
}

fn mounts() -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, container) in containers() {
        for volume in words(&container["volumes"]) {
            let file = volume.split(':').next().unwrap_or_default();
            if file.starts_with("./") && !super::root().join("compose").join(file).exists() {
                wrong.push(format!("{name}: {file} is not there"));
            }
            if file.starts_with("./") && !volume.ends_with(":ro") {
                wrong.push(format!("{name} may write to {file}"));
            }
        }
    }
    all_well(wrong)
}
