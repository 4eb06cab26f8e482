//! A scenario's share of RabbitMQ: its exchanges and queues, a proxy of its own in front of the server, and a tap on each exchange.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::running::{Running, Stop};
use super::share::{authority, proxy_to};
use crate::backend::{QueueStand, RabbitMq, Tap};
use crate::model::{Broker, GroupOffset, Record, Topic};
use crate::proxy::Proxy;
use crate::until::{Never, Probe as Look, until};

/// How long the server may take to see that a consumer has ended, and to have back what that held.
const END_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct Exchanges {
    server: Arc<RabbitMq>,
    pub(super) proxy: Proxy,
    /// By the exchange's declared name, once it is made.
    taps: tokio::sync::Mutex<BTreeMap<String, Arc<Tap>>>,
}

impl Exchanges {
    pub(super) async fn take(server: Arc<RabbitMq>) -> Result<Exchanges, Stop> {
        let proxy = proxy_to(&server.url()).await?;
        Ok(Exchanges { server, proxy, taps: tokio::sync::Mutex::default() })
    }

    /// What services are given.
    pub(super) fn url(&self) -> String {
        let url = self.server.url();
        url.replacen(authority(&url), &self.proxy.address().to_string(), 1)
    }

    /// Makes an exchange and its queues under the names that this run has for them.
    pub(super) async fn make(&self, topic: &Topic, exchange: &str, queues: &[&str]) -> Result<(), Stop> {
        let Broker::Rabbitmq { routing_key } = &topic.on else { return Ok(()) };
        let tap = self.server.tap(exchange, routing_key, queues).await;
        let tap = tap.map_err(|error| Stop::because("cannot make an exchange", error))?;
        self.taps.lock().await.insert(topic.name.clone(), Arc::new(tap));
        Ok(())
    }

    /// Everything that was published to an exchange; nothing before it is made.
    pub(super) async fn messages(&self, exchange: &str) -> Result<Vec<Record>, String> {
        match self.tap(exchange).await {
            Some(tap) => tap.messages().await.map_err(|error| error.to_string()),
            None => Ok(Vec::new()),
        }
    }

    pub(super) async fn stand(&self, exchange: &str, queue: &str) -> Result<QueueStand, String> {
        let tap = self.tap(exchange).await.ok_or("the exchange was never made")?;
        tap.stand(queue).await.map_err(|error| error.to_string())
    }

    async fn tap(&self, exchange: &str) -> Option<Arc<Tap>> {
        self.taps.lock().await.get(exchange).cloned()
    }

    pub(super) async fn lost(&self) -> Option<String> {
        self.server.lost().await
    }

    pub(super) async fn give_back(&self) {
        for tap in self.taps.lock().await.values() {
            tap.close().await;
        }
    }
}

/// Names of destinations as spans have them (`exchange:routing key:queue`), before the names that they are made of.
pub(super) fn destinations(topics: &[Topic], actual: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for topic in topics {
        let Broker::Rabbitmq { routing_key } = &topic.on else { continue };
        let (made_up, declared) =
            (format!("{}:{routing_key}", actual(&topic.name)), format!("{}:{routing_key}", topic.name));
        for queue in &topic.groups {
            let ours = format!("{made_up}:{}", actual(&queue.name));
            names.push((ours, format!("{declared}:{}", queue.name)));
        }
        names.push((made_up, declared));
    }
    names
}

impl Running {
    /// Where the queues of a consumer stand now that it has ended: what it held and did not acknowledge is back in them.
    pub(super) async fn look_at_queues(&mut self, service: &str) {
        let ended = |it: &&crate::model::Process| it.service == service;
        if !self.evidence.processes.iter().any(|process| ended(&process)) || !self.share.has_exchanges() {
            return;
        }
        let topics: Vec<Topic> = self.system.declaration.exchanges().cloned().collect();
        for topic in &topics {
            for queue in topic.groups.iter().filter(|queue| queue.service == service) {
                let began = Instant::now();
                let name = format!("queue {}", queue.name);
                let seen = self.rest_of(&topic.name, &queue.name).await;
                let status = match &seen {
                    Ok((_, 0)) => "empty".to_string(),
                    Ok((_, waiting)) => format!("{waiting} messages left"),
                    Err(why) => why.clone(),
                };
                if let Ok((end, waiting)) = seen {
                    self.stands_at(&topic.name, &queue.name, end, end - i64::from(waiting));
                }
                self.step(&name, seen.is_ok(), status, began);
            }
        }
    }

    /// How many messages there were, and how many wait in a queue without consumers.
    async fn rest_of(&self, topic: &str, queue: &str) -> Result<(i64, u32), String> {
        let share = &self.share;
        let waited = until("the end of the queue's consumers", END_LIMIT, async || -> Result<_, Never> {
            Ok(match share.queue(topic, queue).await {
                Ok(stand) if stand.consumers == 0 => Look::Ready(stand.waiting),
                Ok(stand) => Look::NotYet(format!("{} consumers", stand.consumers)),
                Err(error) => Look::NotYet(error),
            })
        });
        let waiting = waited.await.map_err(|error| error.to_string())?;
        let ends = share.end_offsets(topic).await?;
        Ok((ends.values().copied().sum(), waiting))
    }

    fn stands_at(&mut self, topic: &str, queue: &str, end: i64, committed: i64) {
        let offsets = &mut self.evidence.offsets;
        offsets.retain(|known| (known.topic.as_str(), known.group.as_str()) != (topic, queue));
        let (group, topic) = (queue.to_string(), topic.to_string());
        let (partition, committed) = (Record::NO_PARTITION, Some(committed));
        offsets.push(GroupOffset { group, topic, partition, end, committed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Group;

    #[test]
    fn destinations_come_whole_and_the_longest_first() {
        let queue = Group { name: "mails".into(), ..Group::default() };
        let on = Broker::Rabbitmq { routing_key: "settled".into() };
        let exchange = Topic { name: "transfers".into(), groups: vec![queue], on, ..Topic::default() };
        let names = destinations(&[exchange, Topic::default()], |name| format!("{name}.x7"));
        let pair = |made_up: &str, declared: &str| (made_up.to_string(), declared.to_string());
        assert_eq!(
            names,
            [
                pair("transfers.x7:settled:mails.x7", "transfers:settled:mails"),
                pair("transfers.x7:settled", "transfers:settled"),
            ]
        );
    }
}
