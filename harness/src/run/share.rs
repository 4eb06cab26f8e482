//! A scenario's share of the backends: its own database, topics, key prefix; its own proxies in front of what is shared, so
//! that its faults are nobody else's; and instances of its own of what it stops or empties.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use super::canaries::make;
use super::exchanges::{self, Exchanges};
use super::running::Stop;
use super::{Own, Stack, System, Wiring};
use crate::backend::{
    Action, Backends, Etcd, Kafka, Kind, Names, Postgres, Provider, QueueStand, StartError,
};
use crate::model::{Canary, CanaryKind, Record, Topic};
use crate::proxy::{Fault, Proxy};
use crate::report::progress;
use crate::workdir::Workdir;

/// The partitions of every topic: what the mock creates by itself.
const PARTITIONS: i32 = 4;

/// Settings of librdkafka clients under which tests are quick: the mock answers an empty fetch only after its full wait, and
/// the newer protocol joins a group at once.
const KAFKA_PROPERTIES: &str = "fetch.wait.max.ms=10;group.protocol=consumer";

pub(super) struct Share {
    pub(super) etcd: Arc<Etcd>,
    postgres: Arc<Postgres>,
    kafka: Arc<Kafka>,
    /// Where the scenario needs RabbitMQ.
    exchanges: Option<Exchanges>,
    /// What only this scenario has, and what therefore ends with it.
    own: Vec<Own>,
    etcd_proxy: Proxy,
    postgres_proxy: Proxy,
    /// In front of each advertised role, by service.
    advertised: HashMap<&'static str, (&'static str, Arc<Proxy>)>,
    names: Names,
    /// The databases of the scenario, by the system's names, with their URLs.
    databases: Vec<(&'static str, String)>,
    /// The database of each service.
    database_of: HashMap<&'static str, &'static str>,
    /// As they are declared.
    declared: Vec<Topic>,
    /// Declared topics with what this run calls them.
    topics: Vec<(String, String)>,
    /// Declared consumer groups with what this run calls them.
    groups: Vec<(String, String)>,
    /// What this scenario's services authenticate with, or are authenticated by.
    password: Canary,
    pub(super) admin_token: String,
    pub(super) workdir: Workdir,
    pub(super) progress: progress::Running,
}

impl Share {
    /// Takes a share under a name that is this scenario's alone in the run.
    pub(super) async fn take(
        system: &System,
        stack: &Stack,
        backends: &Backends,
        unique: &str,
        workdir: Workdir,
        progress: progress::Running,
    ) -> Result<Share, Stop> {
        progress.phase("taking its share of the backends");
        let failed = |error: StartError| Stop::because("a backend", error);
        let mut own = stack.own.clone();
        let (etcd, postgres) =
            tokio::try_join!(etcd(stack, backends, &workdir), postgres(stack, backends, &workdir))?;
        let mock = backends.selection().kafka == Provider::Embedded;
        let kafka = match own.contains(&Own::Kafka) && !mock {
            true => {
                let kafka = backends.own_kafka(&workdir).await.map_err(failed)?;
                kafka.start().await.map_err(failed)?;
                Arc::new(kafka)
            }
            false => backends.kafka(&workdir).await.map_err(failed)?,
        };
        if mock && !own.contains(&Own::Kafka) {
            own.push(Own::Kafka);
        }
        let names = Names::new(workdir.run().as_str(), unique);
        let databases = databases(system, &postgres, &names).await?;
        let database_of =
            system.services.iter().filter_map(|service| Some((service.name, service.database?)));
        // A broker of the scenario's own needs no names of the scenario's own.
        let alone = own.contains(&Own::Kafka);
        let declared = system.declaration.topics.clone();
        let named = |of: &Topic, name: &String, made_up: String| {
            (name.clone(), if alone && of.on.is_kafka() { name.clone() } else { made_up })
        };
        let topics =
            declared.iter().map(|topic| named(topic, &topic.name, names.topic(&topic.name))).collect();
        let groups = declared.iter().flat_map(|topic| topic.groups.iter().map(move |group| (topic, group)));
        let groups =
            groups.map(|(topic, group)| named(topic, &group.name, names.group(&group.name))).collect();
        let exchanges = match stack.needs_rabbitmq {
            true => {
                progress.phase("waiting for RabbitMQ");
                Some(Exchanges::take(backends.rabbitmq().await.map_err(failed)?).await?)
            }
            false => None,
        };
        Ok(Share {
            etcd_proxy: proxy_to(&etcd.endpoints()).await?,
            postgres_proxy: proxy_to(&postgres.url("")).await?,
            advertised: advertised(system).await?,
            etcd,
            postgres,
            kafka,
            exchanges,
            own,
            names,
            databases,
            database_of: database_of.collect(),
            declared,
            topics,
            groups,
            password: make(CanaryKind::Credential, &["DATABASE_URL"]),
            admin_token: make(CanaryKind::Credential, &[]).value,
            workdir,
            progress,
        })
    }

    /// Creates the declared topics, as operations would before a release.
    pub(super) async fn create_topics(&self) -> Result<(), Stop> {
        for topic in &self.declared {
            let actual = self.topic(&topic.name);
            if topic.on.is_kafka() {
                self.kafka
                    .create_topic(actual, PARTITIONS)
                    .await
                    .map_err(|error| Stop::because("cannot create a topic", error))?;
            } else if let Some(exchanges) = &self.exchanges {
                let queues: Vec<&str> = topic.groups.iter().map(|queue| self.group(&queue.name)).collect();
                exchanges.make(topic, actual, &queues).await?;
            }
        }
        Ok(())
    }

    pub(super) fn wiring(
        &self,
        service: &'static str,
        insisted: Option<(&'static str, SocketAddr)>,
    ) -> Wiring {
        let through = self.postgres_proxy.address().to_string();
        let database = self.database_of.get(service).and_then(|name| self.url_of(name));
        Wiring {
            service,
            database_url: database.map_or_else(String::new, |url| {
                with_password(&url.replace(authority(url), &through), &self.password.value)
            }),
            etcd_endpoint: format!("http://{}", self.etcd_proxy.address()),
            key_prefix: self.names.key_prefix(),
            kafka_brokers: self.kafka.bootstrap(),
            amqp_url: self.exchanges.as_ref().map(Exchanges::url).unwrap_or_default(),
            topics: self.topics.clone(),
            groups: self.groups.clone(),
            kafka_properties: KAFKA_PROPERTIES.into(),
            advertise: self.advertised(service).map(|(_, proxy)| proxy.address()),
            admin_token: self.admin_token.clone(),
            peers: self.advertised.iter().map(|(service, (_, proxy))| (*service, proxy.address())).collect(),
            insisted,
        }
    }

    fn url_of(&self, database: &str) -> Option<&str> {
        self.databases.iter().find(|(name, _)| *name == database).map(|(_, url)| url.as_str())
    }

    /// In front of every key of this scenario.
    pub(super) fn key_prefix(&self) -> String {
        self.names.key_prefix()
    }

    /// The proxy in front of a service's advertised role.
    pub(super) fn advertised(&self, service: &str) -> Option<(&'static str, Arc<Proxy>)> {
        self.advertised.get(service).cloned()
    }

    /// Credentials that only this scenario has. A password that a database brought along is nobody's to write down.
    pub(super) fn credentials(&self) -> Vec<Canary> {
        let given = self.databases.iter().any(|(_, url)| with_password(url, &self.password.value) != *url);
        let token = Canary {
            kind: CanaryKind::Credential,
            value: self.admin_token.clone(),
            planted: vec!["ADMIN_TOKEN".into()],
        };
        given.then(|| self.password.clone()).into_iter().chain([token]).collect()
    }

    /// Bytes that the scenario's services have sent to Postgres.
    pub(super) fn sent_to_postgres(&self) -> u64 {
        self.postgres_proxy.received()
    }

    /// Names that this run made up, with what they stand for.
    pub(super) fn names(&self) -> Vec<(String, String)> {
        let made_up = self.topics.iter().chain(&self.groups).filter(|(declared, actual)| declared != actual);
        let made_up = made_up.map(|(declared, actual)| (actual.clone(), declared.clone()));
        let all = [&self.topics[..], &self.groups[..]].concat();
        exchanges::destinations(&self.declared, |name| actual(&all, name).to_owned())
            .into_iter()
            .chain(made_up)
            .collect()
    }

    fn group<'s>(&'s self, declared: &'s str) -> &'s str {
        actual(&self.groups, declared)
    }

    fn topic<'s>(&'s self, declared: &'s str) -> &'s str {
        actual(&self.topics, declared)
    }

    /// The topic, if it is an exchange of RabbitMQ.
    fn is_exchange(&self, topic: &str) -> bool {
        self.declared.iter().any(|known| known.name == topic && !known.on.is_kafka())
    }

    pub(super) fn has_exchanges(&self) -> bool {
        self.exchanges.is_some()
    }

    /// Where a queue of an exchange stands.
    pub(super) async fn queue(&self, topic: &str, queue: &str) -> Result<QueueStand, String> {
        let exchanges = self.exchanges.as_ref().ok_or("the scenario has no RabbitMQ")?;
        exchanges.stand(topic, self.group(queue)).await
    }

    pub(super) async fn end_offsets(&self, topic: &str) -> Result<BTreeMap<i32, i64>, String> {
        if self.is_exchange(topic) {
            let messages = self.records(topic).await?.len() as i64;
            return Ok(BTreeMap::from([(Record::NO_PARTITION, messages)]));
        }
        let ends = self.kafka.end_offsets(self.topic(topic)).await.map_err(|error| error.to_string())?;
        Ok(ends.into_iter().collect())
    }

    pub(super) async fn committed(&self, group: &str, topic: &str) -> Result<BTreeMap<i32, i64>, String> {
        if self.is_exchange(topic) {
            // Asked before: what comes meanwhile must not make it more than it is.
            let waiting = self.queue(topic, group).await?.waiting;
            let messages = self.records(topic).await?.len() as i64;
            return Ok(BTreeMap::from([(Record::NO_PARTITION, messages - i64::from(waiting))]));
        }
        let offsets = self
            .kafka
            .committed(self.group(group), self.topic(topic))
            .await
            .map_err(|error| error.to_string())?;
        Ok(offsets.into_iter().filter_map(|offset| Some((offset.partition, offset.committed?))).collect())
    }

    /// The rows of a query to one of the scenario's databases, as text; to the first when none is named.
    pub(super) async fn rows(
        &self,
        database: Option<&str>,
        statement: &str,
    ) -> Result<Vec<Vec<Option<String>>>, String> {
        let first = self.databases.first().map_or("", |(name, _)| name);
        let database = self.names.database(database.unwrap_or(first));
        self.postgres.rows(&database, statement).await.map_err(|error| error.to_string())
    }

    /// Every record of a topic, under its declared name.
    pub(super) async fn records(&self, topic: &str) -> Result<Vec<Record>, String> {
        let records = match (self.is_exchange(topic), &self.exchanges) {
            (false, _) => self.kafka.records(self.topic(topic)).await.map_err(|error| error.to_string())?,
            (true, Some(exchanges)) => exchanges.messages(topic).await?,
            (true, None) => Vec::new(),
        };
        Ok(records.into_iter().map(|record| Record { topic: topic.to_string(), ..record }).collect())
    }
}

// === Faults ===

impl Share {
    pub(super) async fn disturb_backend(&self, backend: Kind, fault: Fault) -> Result<(), Stop> {
        match backend {
            Kind::Etcd => self.etcd_proxy.set_fault(fault).await,
            Kind::Postgres => self.postgres_proxy.set_fault(fault).await,
            Kind::Kafka => self.apply(Kind::Kafka, Action::Network(fault)).await?,
            Kind::RabbitMq => match &self.exchanges {
                Some(exchanges) => exchanges.proxy.set_fault(fault).await,
                None => return Err(Stop("the scenario has no RabbitMQ".to_owned())),
            },
        }
        Ok(())
    }

    /// Does something to a backend that is the scenario's own.
    pub(super) async fn apply(&self, backend: Kind, action: Action) -> Result<(), Stop> {
        let applied = match backend {
            Kind::Etcd => self.etcd.apply(action).await,
            Kind::Postgres => self.postgres.apply(action).await,
            Kind::Kafka => self.kafka.apply(action).await,
            Kind::RabbitMq => {
                return Err(Stop(format!("RabbitMQ cannot {}: scenarios share it", action.name())));
            }
        };
        applied.map_err(|error| Stop(error.to_string()))
    }

    /// A backend that ended though nobody asked it to: what the scenario saw from then on is no fault of the system.
    pub(super) async fn lost(&self) -> Option<String> {
        if let Some(exchanges) = &self.exchanges
            && let Some(lost) = exchanges.lost().await
        {
            return Some(lost);
        }
        match (self.postgres.lost().await, self.etcd.lost().await) {
            (Some(lost), _) | (None, Some(lost)) => Some(lost),
            (None, None) => self.kafka.lost().await,
        }
    }

    pub(super) fn kafka(&self) -> Arc<Kafka> {
        self.kafka.clone()
    }

    /// Gives the share back: the databases and the keys of the scenario; what is its own ends.
    pub(super) async fn give_back(&self) {
        if let Some(exchanges) = &self.exchanges {
            exchanges.give_back().await;
        }
        let own = |backend| self.own.contains(&backend);
        match own(Own::Postgres) {
            true => self.postgres.finish().await,
            false => {
                let dropped = self.databases.iter().map(|(database, _)| async {
                    _ = self.postgres.drop_database(&self.names.database(database)).await;
                });
                futures_util::future::join_all(dropped).await;
            }
        }
        match own(Own::Etcd) {
            true => self.etcd.finish().await,
            false => _ = self.etcd.delete(&self.names.key_prefix()).await,
        }
        if own(Own::Kafka) {
            self.kafka.finish().await;
        }
    }
}

/// Makes the databases of a scenario.
async fn databases(
    system: &System,
    postgres: &Postgres,
    names: &Names,
) -> Result<Vec<(&'static str, String)>, Stop> {
    let made = system.databases().into_iter().map(|database| async move {
        let url = postgres.create_database(&names.database(database)).await;
        Ok((database, url.map_err(|error| Stop::because("postgres", error))?))
    });
    futures_util::future::try_join_all(made).await
}

async fn etcd(stack: &Stack, backends: &Backends, workdir: &Workdir) -> Result<Arc<Etcd>, Stop> {
    if !stack.own.contains(&Own::Etcd) {
        return Ok(backends.etcd());
    }
    let failed = |error: StartError| Stop(error.to_string());
    let etcd = backends.own_etcd(workdir).await.map_err(failed)?;
    etcd.start().await.map_err(failed)?;
    Ok(Arc::new(etcd))
}

async fn postgres(stack: &Stack, backends: &Backends, workdir: &Workdir) -> Result<Arc<Postgres>, Stop> {
    if !stack.own.contains(&Own::Postgres) {
        return Ok(backends.postgres());
    }
    let failed = |error: StartError| Stop(error.to_string());
    let postgres = backends.own_postgres(workdir).await.map_err(failed)?;
    postgres.start().await.map_err(failed)?;
    Ok(Arc::new(postgres))
}

async fn advertised(system: &System) -> Result<HashMap<&'static str, (&'static str, Arc<Proxy>)>, Stop> {
    let mut advertised = HashMap::new();
    for service in &system.services {
        if let Some(role) = service.advertised {
            let proxy = Proxy::bind().await.map_err(|error| Stop::because("cannot bind a proxy", error))?;
            advertised.insert(service.name, (role, Arc::new(proxy)));
        }
    }
    Ok(advertised)
}

/// A proxy of the scenario's own in front of what a URL (the first, of several) names.
pub(super) async fn proxy_to(url: &str) -> Result<Proxy, Stop> {
    let authority = authority(url.split(',').next().unwrap_or_default());
    let mut addresses =
        tokio::net::lookup_host(authority).await.map_err(|error| Stop::because(authority, error))?;
    let proxy = Proxy::bind().await.map_err(|error| Stop::because("cannot bind a proxy", error))?;
    proxy.set_target(addresses.next());
    Ok(proxy)
}

/// The URL with that password where it names a user without one: a server of ours asks for none and takes any.
fn with_password(url: &str, password: &str) -> String {
    let user = url.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
    match user {
        Some((user, _)) if !user.contains(':') => {
            url.replacen(&format!("{user}@"), &format!("{user}:{password}@"), 1)
        }
        _ => url.to_owned(),
    }
}

/// `host:port` of a URL.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or_default();
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

fn actual<'s>(names: &'s [(String, String)], declared: &'s str) -> &'s str {
    names.iter().find(|(name, _)| name == declared).map_or(declared, |(_, actual)| actual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_given_to_a_user_without_one() {
        for (url, expected) in [
            ("postgres://u@h:1/d?a=b", "postgres://u:pw@h:1/d?a=b"),
            ("postgres://u:own@h:1/d", "postgres://u:own@h:1/d"),
            ("postgres://h:1/d", "postgres://h:1/d"),
            ("", ""),
        ] {
            assert_eq!(with_password(url, "pw"), expected);
        }
    }

    #[test]
    fn the_authority_of_a_url_is_its_host_and_port() {
        for (url, expected) in [
            ("postgres://u:p@127.0.0.1:5432/d", "127.0.0.1:5432"),
            ("http://127.0.0.1:2379", "127.0.0.1:2379"),
            ("postgres://u@h:1/d?sslmode=disable", "h:1"),
        ] {
            assert_eq!(authority(url), expected);
        }
    }
}
