//! RabbitMQ: the server that is installed on this machine (local), or one that runs elsewhere (external). There is none
//! embedded. Started when the first scenario needs it, and shared: scenarios are apart by the names of exchanges and queues.
//!
//! Services are given the address of a proxy. What the harness itself asks goes past it.

mod program;
mod programs;
mod tap;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lapin::{Connection, ConnectionProperties};

pub use programs::MissingRabbitMq;
pub(crate) use programs::{Programs, VARIABLE as PROGRAMS_VARIABLE};
pub use tap::{QueueStand, Tap};

use program::RabbitMqProgram;

use super::{
    error::StartError,
    selection::{Kind, Provider},
    server::Server,
};
use crate::{
    proxy::{Proxy, Target},
    workdir::Workdir,
};

/// How long one question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What was asked of RabbitMQ failed.
#[derive(Debug, thiserror::Error)]
pub enum RabbitMqError {
    #[error("rabbitmq did not {what}: {error}")]
    Asked { what: String, error: lapin::Error },
    #[error("rabbitmq did not {what} within {ANSWER_LIMIT:?}")]
    Silent { what: String },
    #[error("rabbitmq does not run")]
    Away,
    #[error("exchange `{0}` was given more than {max} messages", max = tap::MESSAGES_MAX)]
    TooMany(String),
}

/// One RabbitMQ, running or not.
pub struct RabbitMq {
    provider: Provider,
    host: Host,
    version: OnceLock<String>,
}

enum Host {
    Own(Box<Server<RabbitMqProgram>>),
    External(String),
}

impl RabbitMq {
    /// Whether a provider can serve here, known before it is started.
    ///
    /// # Errors
    /// What is missing: the scenario is skipped.
    pub fn can_serve(provider: &Provider) -> Result<(), MissingRabbitMq> {
        match provider {
            Provider::External(_) => Ok(()),
            _ => Programs::find().map(drop),
        }
    }

    /// A RabbitMQ that has an address but is not started yet, in a directory of its own within `workdir`.
    pub async fn reserve(provider: &Provider, workdir: &Workdir) -> Result<RabbitMq, StartError> {
        let failed = |error: &dyn std::error::Error| StartError::ours(Kind::RabbitMq, provider, error);
        let host = match provider {
            Provider::External(url) => Host::External(url.clone()),
            _ => {
                let programs = Programs::find().map_err(|error| failed(&error))?;
                let workdir = workdir.child("rabbitmq").map_err(|error| failed(&error))?;
                let proxy = Proxy::bind().await.map_err(|error| failed(&error))?;
                let launch = RabbitMqProgram::new(programs);
                Host::Own(Box::new(Server::new(Kind::RabbitMq, launch, workdir, proxy)))
            }
        };
        Ok(RabbitMq { provider: provider.clone(), host, version: OnceLock::new() })
    }

    /// Starts it unless it runs, and says how long it took. One that runs elsewhere must answer.
    pub async fn start(&self) -> Result<Duration, StartError> {
        let began = Instant::now();
        let version = match &self.host {
            Host::Own(server) => {
                let started = server.start().await;
                started.map_err(|error| StartError::process(Kind::RabbitMq, &self.provider, error))?;
                server.launch.version()
            }
            Host::External(_) => {
                let connected = self.connect().await;
                connected.map_err(|error| StartError::ours(Kind::RabbitMq, &self.provider, &error))?;
                "unknown".to_owned()
            }
        };
        _ = self.version.set(version);
        Ok(began.elapsed())
    }

    /// What the server says of itself; empty before it was started.
    pub fn version(&self) -> &str {
        self.version.get().map_or("", String::as_str)
    }

    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What services are given: `amqp://guest:guest@127.0.0.1:41873/%2f`. Never changes.
    pub fn url(&self) -> String {
        match &self.host {
            Host::Own(server) => url_of(&server.proxy.address().to_string()),
            Host::External(url) => url.clone(),
        }
    }

    /// Makes an exchange (durable, of type `topic`) with its queues, each bound by the routing key, and a queue of ours that is
    /// given all that is published there from now on.
    pub async fn tap(
        &self,
        exchange: &str,
        routing_key: &str,
        queues: &[&str],
    ) -> Result<Tap, RabbitMqError> {
        Tap::open(self.connect().await?, exchange, routing_key, queues).await
    }

    async fn connect(&self) -> Result<Connection, RabbitMqError> {
        let url = match &self.host {
            Host::Own(server) => match server.target().borrow().as_ref() {
                Some(Target::Tcp(address)) => url_of(&address.to_string()),
                _ => return Err(RabbitMqError::Away),
            },
            Host::External(url) => url.clone(),
        };
        connect(&url).await
    }

    /// How it ended, if it did and nobody asked it to; nothing is known of one that runs elsewhere.
    pub(crate) async fn lost(&self) -> Option<String> {
        match &self.host {
            Host::Own(server) => server.lost().await,
            Host::External(_) => None,
        }
    }

    /// Ends it at once: for the end of a run.
    pub async fn finish(&self) {
        if let Host::Own(server) = &self.host {
            server.finish(None).await;
        }
    }
}

/// A whole handshake of AMQP, up to an open virtual host.
async fn connect(url: &str) -> Result<Connection, RabbitMqError> {
    let properties = ConnectionProperties::default().with_connection_name("probity".into());
    answered("open a connection", Connection::connect(url, properties)).await
}

/// The user that every server has, and that it lets in from the loopback alone.
fn url_of(address: &str) -> String {
    format!("amqp://guest:guest@{address}/%2f")
}

/// The answer to a question, which has a limit.
async fn answered<T>(
    what: &str,
    question: impl Future<Output = lapin::Result<T>>,
) -> Result<T, RabbitMqError> {
    match tokio::time::timeout(ANSWER_LIMIT, question).await {
        Ok(answer) => answer.map_err(|error| RabbitMqError::Asked { what: what.to_owned(), error }),
        Err(_) => Err(RabbitMqError::Silent { what: what.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
