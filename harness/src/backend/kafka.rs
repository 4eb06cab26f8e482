//! Kafka: librdkafka's mock cluster (embedded), Apache Kafka in KRaft mode (local, or in a container), or one
//! that runs elsewhere (external).
//!
//! What services are given never changes. The mock advertises its own port, so for it the proxy is only where clients
//! start; Apache Kafka advertises the proxy, and has a second listener for the harness, past all faults.

mod client;
mod container;
mod jars;
mod mock;
mod program;
mod storage;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

pub use client::KafkaClientError;
pub(super) use jars::{HOME_VARIABLE, JARS_VARIABLE};

pub(crate) use jars::{Apache, Missing};

use client::KafkaClient;
use container::KafkaContainer;
use mock::Mock;
use program::KafkaProgram;

use super::{
    container::{Hosted, Own, image},
    error::StartError,
    kafka_mock::Command,
    selection::{Kind, Provider},
    server::{Action, ActionError, Server},
};
use crate::{
    model::{GroupOffset, Record},
    proxy::{Fault, Proxy},
    until::{Probe, until},
    workdir::Workdir,
};

/// How long a new topic may take until each of its partitions has a leader.
const TOPIC_LIMIT: Duration = Duration::from_secs(15);
const EXTERNAL_LIMIT: Duration = Duration::from_secs(10);

/// Fewer bytes than any request with a record that has a context and an event; more than a look for metadata, or two.
const RECORD_BYTES: u64 = 200;

/// That records are being lost.
#[derive(Debug)]
pub struct Losing {
    /// Bytes that had passed before.
    received: u64,
}

/// One Kafka, running or not.
pub struct Kafka {
    provider: Provider,
    host: Host,
    version: OnceLock<String>,
    /// Made when it starts; asks past the proxy. Made anew when it comes back on other ports.
    client: tokio::sync::Mutex<Option<(String, KafkaClient)>>,
}

enum Host {
    Mock(Box<Mock>),
    Own(Box<Server<Own<KafkaProgram, KafkaContainer>>>),
    External(String),
}

impl Kafka {
    /// A Kafka that has an address but is not started yet, in a directory of its own within `workdir`.
    pub async fn reserve(provider: &Provider, workdir: &Workdir) -> Result<Kafka, StartError> {
        let failed = |error: &dyn std::error::Error| StartError::ours(Kind::Kafka, provider, error);
        let host = match provider {
            Provider::External(brokers) => Host::External(brokers.clone()),
            Provider::Embedded => {
                let workdir = workdir.child("kafka").map_err(|error| failed(&error))?;
                Host::Mock(Box::new(Mock::reserve(workdir).await.map_err(|error| failed(&error))?))
            }
            Provider::Local => {
                let apache = Apache::find().map_err(|error| failed(&error))?;
                let workdir = workdir.child("kafka").map_err(|error| failed(&error))?;
                let proxy = Proxy::bind().await.map_err(|error| failed(&error))?;
                let launch = Own::Program(KafkaProgram::new(apache, proxy.address()));
                Host::Own(Box::new(Server::new(Kind::Kafka, launch, workdir, proxy)))
            }
            Provider::Containers(chosen) => {
                let proxy = Proxy::bind().await.map_err(|error| failed(&error))?;
                let recipe = KafkaContainer::new(proxy.address()).await.map_err(|error| failed(&error))?;
                let image = image::of(Kind::Kafka, chosen.as_deref());
                let hosted = Hosted::reserve(recipe, image, workdir).await;
                let hosted = hosted.map_err(|error| StartError::container(Kind::Kafka, provider, error))?;
                let launch = Own::Container(Box::new(hosted));
                let workdir = workdir.child("kafka").map_err(|error| failed(&error))?;
                Host::Own(Box::new(Server::new(Kind::Kafka, launch, workdir, proxy)))
            }
        };
        Ok(Kafka { provider: provider.clone(), host, version: OnceLock::new(), client: Default::default() })
    }

    /// Starts it unless it runs, and says how long it took. One that runs elsewhere must answer.
    pub async fn start(&self) -> Result<Duration, StartError> {
        let began = Instant::now();
        let failed = |error| StartError::process(Kind::Kafka, &self.provider, error);
        match &self.host {
            Host::Mock(mock) => mock.start().await.map_err(failed)?,
            Host::Own(server) => drop(server.start().await.map_err(failed)?),
            Host::External(_) => {
                let asked = async { self.client().await?.brokers(EXTERNAL_LIMIT).await };
                asked.await.map_err(|error| StartError::ours(Kind::Kafka, &self.provider, &error))?;
            }
        }
        _ = self.version.set(match &self.host {
            Host::Mock(_) => format!("librdkafka {}", rdkafka::util::get_rdkafka_version().1),
            Host::Own(server) => match &server.launch {
                Own::Program(program) => program.apache().version.clone(),
                // It does not say its version to clients.
                Own::Container(hosted) => hosted.image().to_owned(),
            },
            Host::External(_) => "unknown".to_owned(),
        });
        Ok(began.elapsed())
    }

    /// The version of what serves; empty before it was started.
    pub fn version(&self) -> &str {
        self.version.get().map_or("", String::as_str)
    }

    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What services are given: `127.0.0.1:41873`. Never changes.
    pub fn bootstrap(&self) -> String {
        match &self.host {
            Host::Mock(mock) => mock.proxy().address().to_string(),
            Host::Own(server) => server.proxy.address().to_string(),
            Host::External(brokers) => brokers.clone(),
        }
    }

    /// Creates a topic, and returns when each of its partitions has a leader. One that exists is left as it is.
    pub async fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), KafkaClientError> {
        match &self.host {
            Host::Mock(mock) => mock.create_topic(topic, partitions).await,
            _ => {
                let client = self.client().await?;
                client.create_topic(topic, partitions).await?;
                let what = format!("leaders of topic `{topic}`");
                let led = until(&what, TOPIC_LIMIT, async || match client.end_offsets(topic).await {
                    Ok(ends) if i32::try_from(ends.len()) == Ok(partitions) => Ok(Probe::Ready(())),
                    Ok(ends) => Ok(Probe::NotYet(format!("{} partitions of {partitions}", ends.len()))),
                    Err(KafkaClientError::Panicked) => Err(KafkaClientError::Panicked),
                    Err(error) => Ok(Probe::NotYet(error.to_string())),
                });
                led.await.map_err(|error| KafkaClientError::Refused(error.to_string()))
            }
        }
    }

    /// The offset after the last record, by partition.
    pub async fn end_offsets(&self, topic: &str) -> Result<Vec<(i32, i64)>, KafkaClientError> {
        self.client().await?.end_offsets(topic).await
    }

    /// Where a group stands on each partition of a topic, beside the partition's end.
    pub async fn committed(&self, group: &str, topic: &str) -> Result<Vec<GroupOffset>, KafkaClientError> {
        self.client().await?.committed(group, topic).await
    }

    /// All records of a topic up to its end at this moment, by partition and offset.
    pub async fn records(&self, topic: &str) -> Result<Vec<Record>, KafkaClientError> {
        self.client().await?.records(topic).await
    }

    /// Stops, kills, pauses, empties it, or cuts it off, as far as its provider can.
    pub async fn apply(&self, action: Action) -> Result<(), ActionError> {
        action.supported(Kind::Kafka, &self.provider)?;
        match &self.host {
            Host::Mock(mock) => mock.apply(action).await,
            Host::Own(server) => server.apply(action, async || server.start().await.map(drop)).await,
            Host::External(_) => Ok(()),
        }
    }

    /// How it ended, if it did and nobody asked it to; nothing is known of one that runs elsewhere.
    pub(crate) async fn lost(&self) -> Option<String> {
        match &self.host {
            Host::Mock(mock) => mock.lost().await,
            Host::Own(server) => server.lost().await,
            Host::External(_) => None,
        }
    }

    /// Loses the next records on their way to it, as a broker does that dies with them in hand: until [`Kafka::found`].
    ///
    /// Where it has a proxy, everything that is sent is lost. The caller has the broker for itself, and nobody but the
    /// producer is connected.
    ///
    /// # Errors
    /// [`ActionError::Unsupported`] for brokers that run elsewhere.
    pub async fn lose(&self) -> Result<Losing, ActionError> {
        let action = Action::Network(Fault::BlackHole);
        action.supported(Kind::Kafka, &self.provider)?;
        match &self.host {
            Host::Mock(mock) => mock.lose().await.map_err(|reason| ActionError::Failed {
                kind: Kind::Kafka,
                action: "lose records",
                reason,
            })?,
            Host::Own(_) => self.apply(action).await?,
            Host::External(_) => {}
        }
        Ok(Losing { received: self.received() })
    }

    /// Whether records have been lost since.
    pub async fn has_lost(&self, losing: &Losing) -> bool {
        match &self.host {
            Host::Mock(mock) => mock.has_lost().await,
            _ => self.received() >= losing.received + RECORD_BYTES,
        }
    }

    /// Ends what [`Kafka::lose`] began: the connections are reset, and what they held is gone.
    pub async fn found(&self) -> Result<(), ActionError> {
        match &self.host {
            Host::Mock(_) => Ok(()),
            _ => self.apply(Action::Network(Fault::None)).await,
        }
    }

    fn received(&self) -> u64 {
        match &self.host {
            Host::Own(server) => server.proxy.received(),
            _ => 0,
        }
    }

    /// Ends it at once: for the end of a run or scenario. The first Apache Kafka of a machine leaves its class archive.
    pub async fn finish(&self) {
        match &self.host {
            Host::Mock(mock) => mock.finish().await,
            Host::Own(server) => {
                let Own::Program(program) = &server.launch else {
                    server.finish(None).await;
                    return;
                };
                let grace = program.archives_classes().then_some(storage::ARCHIVE_LIMIT);
                if server.finish(grace).await {
                    program.keep_archive(&server.workdir);
                }
            }
            Host::External(_) => {}
        }
    }

    async fn client(&self) -> Result<KafkaClient, KafkaClientError> {
        let address = match &self.host {
            Host::Mock(mock) => mock.address().await,
            Host::Own(server) => server.target().borrow().as_ref().and_then(|_| match &server.launch {
                Own::Program(program) => program.harness_address(),
                Own::Container(hosted) => Some(hosted.recipe.harness_address()),
            }),
            Host::External(brokers) => Some(brokers.clone()),
        };
        let address = address.ok_or(KafkaClientError::Away)?;
        let mut client = self.client.lock().await;
        match &*client {
            Some((known, client)) if *known == address => Ok(client.clone()),
            _ => Ok(client.insert((address.clone(), KafkaClient::new(&address))).1.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
