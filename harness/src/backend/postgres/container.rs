//! Postgres in a container: the official image, with all durability off. Anybody may enter, as on a development machine:
//! its port is published on loopback only.

use std::net::SocketAddr;

use tokio_postgres::Config;

use super::{
    connect,
    program::{CONNECTIONS_MAX, SETTINGS, SUPERUSER},
    template,
};
use crate::{
    backend::container::{Plan, Recipe},
    until::Probe,
};

const PORT: u16 = 5432;

#[derive(Debug)]
pub(super) struct PostgresContainer;

impl Recipe for PostgresContainer {
    const NAME: &'static str = "postgres";
    const SIGN: &'static str = "connection to its port";

    fn plan(&self) -> Plan {
        let settings = SETTINGS.iter().map(|setting| (*setting).to_owned());
        let settings = settings.chain([format!("max_connections={CONNECTIONS_MAX}")]);
        let settings = settings.flat_map(|setting| ["-c".to_owned(), setting]);
        let environment = [
            ("POSTGRES_HOST_AUTH_METHOD", "trust".to_owned()),
            ("POSTGRES_INITDB_ARGS", template::ARGUMENTS.join(" ")),
        ];
        Plan {
            ports: &[PORT],
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            command: ["postgres".to_owned()].into_iter().chain(settings).collect(),
        }
    }

    /// The server that initialises the database listens to nobody: who gets in has reached the real one.
    async fn look(&self, addresses: &[SocketAddr]) -> Probe<()> {
        match connect(config(addresses[0]).dbname("postgres")).await {
            Ok(_) => Probe::Ready(()),
            Err(error) => Probe::NotYet(super::cause(&error)),
        }
    }
}

/// How the harness reaches it.
pub(super) fn config(address: SocketAddr) -> Config {
    let mut config = Config::new();
    config.user(SUPERUSER).host(address.ip().to_string()).port(address.port()).application_name("probity");
    config
}
