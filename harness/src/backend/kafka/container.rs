//! Apache Kafka in a container: the official image, one node in KRaft mode, with the settings that it has on this machine.
//!
//! A broker tells its clients where it is, and its mapped ports are known only when it runs: so it names the address of
//! the proxy to services, and that of a second proxy, without faults, to the harness.

use std::{io, net::SocketAddr};

use super::{client::KafkaClient, program, storage};
use crate::{
    backend::container::{Plan, Recipe},
    proxy::Proxy,
    until::Probe,
};

const SERVICES: u16 = 9092;
const HARNESS: u16 = 9093;
/// The broker's own, which nobody else can reach.
const INTERNAL: u16 = 9094;
const CONTROLLER: u16 = 9095;

#[derive(Debug)]
pub(super) struct KafkaContainer {
    /// What services are told to connect to: the proxy's address.
    advertised: SocketAddr,
    harness: Proxy,
}

impl KafkaContainer {
    pub(super) async fn new(advertised: SocketAddr) -> io::Result<KafkaContainer> {
        Ok(KafkaContainer { advertised, harness: Proxy::bind().await? })
    }

    /// Where the harness asks it. Never changes.
    pub(super) fn harness_address(&self) -> String {
        self.harness.address().to_string()
    }

    fn settings(&self) -> String {
        let (services, harness) = (self.advertised, self.harness.address());
        let listeners = format!(
            "node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{CONTROLLER}
listeners=SERVICES://0.0.0.0:{SERVICES},HARNESS://0.0.0.0:{HARNESS},INTERNAL://127.0.0.1:{INTERNAL},\
CONTROLLER://127.0.0.1:{CONTROLLER}
advertised.listeners=SERVICES://{services},HARNESS://{harness},INTERNAL://127.0.0.1:{INTERNAL}
listener.security.protocol.map=SERVICES:PLAINTEXT,HARNESS:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INTERNAL
controller.listener.names=CONTROLLER
log.dirs=/tmp/probity
"
        );
        listeners + &program::settings()
    }
}

impl Recipe for KafkaContainer {
    const NAME: &'static str = "kafka";
    const SIGN: &'static str = "broker in kafka's metadata";

    fn plan(&self) -> Plan {
        let settings = self.settings();
        let settings = settings.lines().filter_map(|line| line.split_once('='));
        let mut environment: Vec<_> =
            settings.map(|(setting, value)| (variable(setting), value.to_owned())).collect();
        let (heap, others) = program::JVM.split_at(1);
        environment.extend(
            [
                ("KAFKA_HEAP_OPTS", heap.join(" ")),
                ("KAFKA_JVM_PERFORMANCE_OPTS", others.join(" ")),
                ("CLUSTER_ID", storage::CLUSTER.to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Plan { ports: &[SERVICES, HARNESS], environment, command: Vec::new() }
    }

    /// Ready is when its metadata name a broker.
    async fn look(&self, addresses: &[SocketAddr]) -> Probe<()> {
        self.harness.set_target(addresses.get(1).copied());
        program::names_a_broker(&KafkaClient::new(&self.harness_address())).await
    }
}

/// The image's entry point makes it a setting again.
fn variable(setting: &str) -> String {
    format!("KAFKA_{}", setting.to_ascii_uppercase().replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn services_and_harness_are_told_addresses_of_ours_and_nobody_else_any() {
        let container = KafkaContainer::new("127.0.0.1:9".parse().unwrap()).await.unwrap();
        let environment = container.plan().environment;
        let value = |name: &str| environment.iter().find(|(it, _)| it == name).unwrap().1.as_str();
        let advertised = value("KAFKA_ADVERTISED_LISTENERS");
        let harness = container.harness_address();
        assert_eq!(
            advertised,
            format!("SERVICES://127.0.0.1:9,HARNESS://{harness},INTERNAL://127.0.0.1:9094")
        );
        assert_eq!(value("KAFKA_AUTO_CREATE_TOPICS_ENABLE"), "false");
        assert_eq!(value("KAFKA_LISTENERS").matches("://127.0.0.1:").count(), 2);
        assert_eq!(value("KAFKA_HEAP_OPTS"), "-Xmx192m");
        // `_` and `-` would need another spelling.
        assert!(container.settings().lines().all(|line| {
            line.split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|it| it.is_ascii_lowercase() || it == '.'))
        }));
    }
}
