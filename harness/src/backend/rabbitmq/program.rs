//! How RabbitMQ is run: one node on the loopback, without plugins, with all its files in its work directory.
//!
//! Erlang starts a name server of its own (`epmd`), in another session: it has a port of this node's own, and the supervisor,
//! which adopts it, ends it with the rest.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Programs, connect, url_of};
use crate::{
    backend::{
        ports,
        server::{Launch, READY_LIMIT, Running, ready},
    },
    process::{Process, Program, StartError},
    proxy::Target,
    until::Probe,
    workdir::Workdir,
};

/// What the server writes once it knows itself.
const BANNER: &str = "Starting RabbitMQ ";

/// RabbitMQ, with its data in `data` of its work directory.
#[derive(Debug)]
pub(super) struct RabbitMqProgram {
    programs: Programs,
    version: Mutex<String>,
}

/// The ports of one start: for clients, for other nodes, for the name server.
#[derive(Clone, Copy, Debug)]
struct Ports {
    clients: u16,
    nodes: u16,
    names: u16,
}

impl RabbitMqProgram {
    pub(super) fn new(programs: Programs) -> RabbitMqProgram {
        RabbitMqProgram { programs, version: Mutex::default() }
    }

    /// Of its last start; empty before.
    pub(super) fn version(&self) -> String {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn command(&self, ports: Ports, workdir: &Path) -> Program {
        let within = |name: &str| workdir.join(name);
        let files = [
            // Also the cookie that nodes know each other by.
            ("HOME", within("home")),
            ("RABBITMQ_BASE", within("data")),
            ("RABBITMQ_MNESIA_BASE", within("data/mnesia")),
            ("RABBITMQ_LOG_BASE", within("data/log")),
            ("RABBITMQ_SCHEMA_DIR", within("data/schema")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", within("data/generated")),
            ("RABBITMQ_FEATURE_FLAGS_FILE", within("data/feature-flags")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", within("enabled-plugins")),
            ("RABBITMQ_PID_FILE", within("pid")),
            // None of these is there: the machine's own configuration is nobody's here.
            ("RABBITMQ_CONF_ENV_FILE", within("none.env")),
            ("RABBITMQ_CONFIG_FILE", within("none")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", within("none.config")),
        ];
        Program::new(&self.programs.server)
            .name("rabbitmq")
            .envs(files)
            .env("RABBITMQ_NODENAME", "probity@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", ports.clients.to_string())
            .env("RABBITMQ_DIST_PORT", ports.nodes.to_string())
            .env("ERL_EPMD_PORT", ports.names.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_LOGS", "-")
            // Then no shell stands between Erlang and the signals that are meant for it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            )
    }

    async fn attempt(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        let failed = |error: io::Error| StartError::Spawn {
            name: "rabbitmq".to_owned(),
            reason: error.to_string(),
            hint: None,
        };
        let path = workdir.path();
        fs::create_dir_all(path.join("home")).map_err(failed)?;
        fs::create_dir_all(path.join("data")).map_err(failed)?;
        fs::write(path.join("enabled-plugins"), "[].\n").map_err(failed)?;
        let [clients, nodes, names] = ports::choose().map_err(failed)?;
        let process = self.command(Ports { clients, nodes, names }, path).spawn(workdir)?;
        let banner = process.line_with(BANNER, READY_LIMIT).await?;
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version_in(&banner).to_owned();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, clients));
        serving(&process, address).await?;
        Ok((Running::Process(process), Target::Tcp(address)))
    }
}

impl Launch for RabbitMqProgram {
    const GRACE: Duration = Duration::from_secs(15);

    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        ports::retry(async || self.attempt(workdir).await).await
    }

    async fn empty(&self, workdir: &Workdir) -> io::Result<()> {
        fs::remove_dir_all(workdir.path().join("data"))
    }
}

/// Ready is when a client is let in: its listener opens as the last of all, and a handshake goes through all that is behind it.
async fn serving(process: &Process, address: SocketAddr) -> Result<(), StartError> {
    ready(process, "listener of rabbitmq", async || match tokio::net::TcpStream::connect(address).await {
        Ok(_) => Probe::Ready(()),
        Err(error) => Probe::NotYet(format!("{address}: {error}")),
    })
    .await?;
    let url = url_of(&address.to_string());
    ready(process, "handshake with rabbitmq", async || match connect(&url).await {
        Ok(_) => Probe::Ready(()),
        Err(error) => Probe::NotYet(error.to_string()),
    })
    .await
}

/// `3.10.8` of `Starting RabbitMQ 3.10.8 on Erlang 25.2.3 [jit]`.
fn version_in(banner: &str) -> &str {
    let rest = banner.split_once(BANNER).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or("of an unknown version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_says_the_version() {
        let banner =
            "2026-11-21 14:40:58.837603+00:00 [info] <0.223.0>  Starting RabbitMQ 3.10.8 on Erlang 25.2.3";
        assert_eq!(version_in(banner), "3.10.8");
        assert_eq!(version_in("nothing"), "of an unknown version");
    }
}
