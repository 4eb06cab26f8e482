//! How a service's program is started: its path, the environment its owner wires it with, where it says that it listens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A program of the system under test.
pub struct ServiceProgram {
    /// The declared service.
    pub name: &'static str,
    pub path: PathBuf,
    /// The service's own settings for a run: addresses of backends, names, ports.
    pub wire: fn(&Wiring) -> Vec<(String, String)>,
    /// Reads a line of its standard output: which listener is open, and where.
    pub listening: fn(&str) -> Option<Listening>,
    /// The role whose address others are told (behind a proxy of ours, so that it survives restarts).
    pub advertised: Option<&'static str>,
    /// The database that it uses, by a name of the system's own; services that name the same one share it.
    pub database: Option<&'static str>,
}

/// What a running scenario offers a service.
#[derive(Clone, Debug)]
pub struct Wiring {
    pub service: &'static str,
    /// Of the service's own database; empty when it has none.
    pub database_url: String,
    pub etcd_endpoint: String,
    /// In front of every key of this scenario: empty or ending in `/`.
    pub key_prefix: String,
    pub kafka_brokers: String,
    /// Of RabbitMQ; empty where the scenario did not ask for it.
    pub amqp_url: String,
    /// Declared topics, and consumer groups, with what this run calls them.
    pub topics: Vec<(String, String)>,
    pub groups: Vec<(String, String)>,
    /// Settings for librdkafka clients that make tests quick without changing what is tested.
    pub kafka_properties: String,
    /// The address that others are told for the advertised role.
    pub advertise: Option<SocketAddr>,
    /// What the admin port asks for before it changes anything.
    pub admin_token: String,
    /// Where the advertised role of each service is, known before any of them has started.
    pub peers: Vec<(&'static str, SocketAddr)>,
    /// A port that the scenario insists on for a role; every other port is the system's choice.
    pub insisted: Option<(&'static str, SocketAddr)>,
}

impl Wiring {
    /// What this run calls a declared topic.
    pub fn topic(&self, declared: &str) -> &str {
        self.topics.iter().find(|(name, _)| name == declared).map_or("", |(_, actual)| actual)
    }

    /// Where to listen for a role: what the scenario insists on, else any free port of the loopback.
    pub fn listen(&self, role: &str) -> String {
        let insisted = self.insisted.filter(|(known, _)| *known == role);
        insisted.map_or_else(|| "127.0.0.1:0".to_string(), |(_, address)| address.to_string())
    }

    /// The URL of a service's advertised role, for callers that are told it.
    pub fn peer_url(&self, service: &str) -> String {
        let peer = self.peers.iter().find(|(name, _)| *name == service);
        peer.map_or_else(String::new, |(_, address)| format!("http://{address}"))
    }

    /// What this run calls a declared consumer group.
    pub fn group(&self, declared: &str) -> &str {
        self.groups.iter().find(|(name, _)| name == declared).map_or("", |(_, actual)| actual)
    }
}

/// Where an instance listens, as far as it has said so. Filled as its log says more.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<BTreeMap<String, SocketAddr>>>);

impl Addresses {
    pub(super) fn get(&self, role: &str) -> Option<SocketAddr> {
        self.0.lock().expect("no holder panics").get(role).copied()
    }

    pub(super) fn set(&self, listening: Listening) {
        self.0.lock().expect("no holder panics").insert(listening.role, listening.address);
    }

    pub(super) fn all(&self) -> BTreeMap<String, SocketAddr> {
        self.0.lock().expect("no holder panics").clone()
    }
}

/// A listener that a service says it has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// `main` or `admin`.
    pub role: String,
    pub address: SocketAddr,
}

impl Listening {
    /// Reads the line `{"message":"listening","role":"admin","address":"127.0.0.1:41873",…}`.
    pub fn from_json_line(line: &str) -> Option<Listening> {
        let fields: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| fields.get(key).or_else(|| fields.get("fields")?.get(key))?.as_str();
        if text("message")? != "listening" {
            return None;
        }
        Some(Listening { role: text("role")?.to_string(), address: text("address")?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_line_names_role_and_address() {
        let line = r#"{"level":"INFO","message":"listening","role":"admin","address":"127.0.0.1:41873"}"#;
        let seen = Listening::from_json_line(line).unwrap();
        assert_eq!((seen.role.as_str(), seen.address.port()), ("admin", 41873));
    }

    #[test]
    fn other_lines_name_none() {
        for line in [
            "",
            "listening",
            r#"{"message":"ready","role":"admin"}"#,
            r#"{"message":"listening","role":"main"}"#,
        ] {
            assert_eq!(Listening::from_json_line(line), None, "{line}");
        }
    }
}
