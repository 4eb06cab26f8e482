//! Where records come from: a subscription that waits for its topic and outlives brokers.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::topic_partition_list::Offset;
use tokio::time::Instant;

use super::lag::STATISTICS_INTERVAL_MS;
use super::{Lag, PROBE_LIMIT, consumer_config};
use crate::admin;
use crate::config::{ConfigError, KafkaSettings};
use crate::defect::Defect;
use crate::service::Service;

const RETRY_DELAY: Duration = Duration::from_millis(100);
/// A broker that does not answer a commit is as good as away.
const COMMIT_LIMIT: Duration = Duration::from_secs(5);
/// How long leaving the group may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

type Consumer = StreamConsumer<Lag>;

/// A consumer of the topic.
#[derive(Clone)]
pub(crate) struct Source {
    consumer: Arc<Consumer>,
    topic: Arc<str>,
    lag: Lag,
}

impl Source {
    pub(crate) fn new(service: &Service, settings: &KafkaSettings) -> Result<Self, ConfigError> {
        let mut config = consumer_config(settings, service.program);
        let reset = match service.common.defect {
            // What was sent before the first start is never read.
            Some(Defect::OffsetResetLatest) => "latest",
            _ => "earliest",
        };
        config.set("auto.offset.reset", reset).set("enable.auto.commit", "false");
        config.set("statistics.interval.ms", STATISTICS_INTERVAL_MS);
        let lag = Lag::default();
        let consumer = config
            .create_with_context(lag.clone())
            .map_err(|error| ConfigError::new("KAFKA_PROPERTIES", error))?;
        Ok(Self { consumer: Arc::new(consumer), topic: settings.topic.as_str().into(), lag })
    }

    /// How far it is behind. Whoever works on its records says so there.
    pub(crate) fn lag(&self) -> &Lag {
        &self.lag
    }

    /// Joins the group.
    pub(crate) async fn subscribe(&self) {
        while let Err(error) = self.consumer.subscribe(&[&self.topic]) {
            tracing::warn!(error = %error, "cannot subscribe");
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Waits for a record, then for as many more as come within `wait`, up to `max`.
    pub(crate) async fn batch(&self, max: usize, wait: Duration) -> Vec<OwnedMessage> {
        let mut records = vec![self.record().await];
        let end = Instant::now() + wait;
        while records.len() < max {
            match tokio::time::timeout_at(end, self.record()).await {
                Ok(record) => records.push(record),
                Err(_) => break,
            }
        }
        records
    }

    /// Errors are news of the connection, which librdkafka mends by itself. Each is an event of its own, so waiting after
    /// one would only put off the record behind it.
    async fn record(&self) -> OwnedMessage {
        let mut reported = false;
        loop {
            match self.consumer.recv().await {
                Ok(message) => return message.detach(),
                Err(error) if !reported => {
                    tracing::warn!(error = %error, "waiting for Kafka to read from");
                    reported = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Says that everything up to `offset` of a partition is done.
    pub(crate) async fn commit(&self, partition: i32, offset: i64) -> Result<(), KafkaError> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, partition, Offset::Offset(offset + 1))?;
        let consumer = Arc::clone(&self.consumer);
        let commit = tokio::task::spawn_blocking(move || consumer.commit(&offsets, CommitMode::Sync));
        match tokio::time::timeout(COMMIT_LIMIT, commit).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut)),
        }
    }

    /// Whether a broker answers now. Asks for no topic, as asking may create it.
    pub(crate) fn check(&self) -> admin::Check {
        let consumer = Arc::downgrade(&self.consumer);
        admin::check(move || broker_answers(consumer.clone()))
    }

    /// Waits until the topic is there. A member that joins a group before has nothing to be assigned, and some brokers do not
    /// look again.
    pub(crate) async fn topic_exists(&self) {
        tokio::select! {
            () = self.look_for_topic() => {}
            // News of the connection are taken in meanwhile, or they pile up in front of the first record. There is no record
            // before a subscription.
            _ = self.record() => {}
        }
    }

    async fn look_for_topic(&self) {
        let mut reported = false;
        while !self.has_topic().await {
            if !reported {
                tracing::info!("waiting for the topic");
                reported = true;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Whether the topic is there, as soon as a broker answers.
    pub(crate) async fn has_topic(&self) -> bool {
        loop {
            let (consumer, topic) = (Arc::clone(&self.consumer), Arc::clone(&self.topic));
            let found = tokio::task::spawn_blocking(move || {
                let metadata = consumer.fetch_metadata(None, PROBE_LIMIT)?;
                Ok::<_, KafkaError>(metadata.topics().iter().any(|it| *it.name() == *topic))
            });
            if let Ok(Ok(found)) = found.await {
                return found;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    /// Leaves the group, so that others can take over at once.
    pub(crate) async fn close(self) {
        let closing = tokio::task::spawn_blocking(move || drop(self.consumer));
        if tokio::time::timeout(CLOSE_LIMIT, closing).await.is_err() {
            tracing::warn!("could not leave the consumer group in time");
        }
    }
}

async fn broker_answers(consumer: Weak<Consumer>) -> Result<(), String> {
    let Some(consumer) = consumer.upgrade() else { return Err("kafka: closed".to_owned()) };
    let asked = tokio::task::spawn_blocking(move || consumer.fetch_metadata(None, PROBE_LIMIT).map(|_| ()));
    match asked.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("kafka: {error}")),
        Err(error) => Err(format!("kafka: {error}")),
    }
}
