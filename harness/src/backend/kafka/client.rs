//! What the harness itself asks of a Kafka: topics, end offsets, committed offsets, records. The same requests for the
//! mock, real Kafka and one that runs elsewhere; never a member of anybody's group.
//!
//! librdkafka blocks, so each question runs on a thread for blocking work and has a limit of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};
use thiserror::Error;

use crate::model::{GroupOffset, Record, UnixNanos};

/// How long one question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// What one reading of a topic may hold, at most.
const RECORDS_MAX: usize = 500_000;
/// The value of a record is evidence to be looked at, not a copy.
const VALUE_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Error)]
pub enum KafkaClientError {
    #[error("kafka did not say {what}: {error}")]
    Asked { what: String, error: KafkaError },
    #[error("kafka knows no topic `{0}`")]
    NoTopic(String),
    #[error("topic `{topic}` was not read to its end within {limit:?}: {read} of {expected} records")]
    Unread { topic: String, limit: Duration, read: usize, expected: usize },
    #[error("topic `{topic}` holds {count} records; at most {RECORDS_MAX} are read")]
    TooMany { topic: String, count: i64 },
    #[error("{0}")]
    Refused(String),
    #[error("kafka does not run")]
    Away,
    #[error("the thread that asked kafka panicked")]
    Panicked,
}

/// A client of one cluster. Cheap to clone; connections are kept.
#[derive(Clone)]
pub(crate) struct KafkaClient {
    bootstrap: Arc<str>,
    /// One consumer per group, since a group's offsets are asked under its name. `""` asks what needs no group.
    consumers: Arc<Mutex<HashMap<String, Arc<BaseConsumer>>>>,
}

impl KafkaClient {
    pub(crate) fn new(bootstrap: &str) -> KafkaClient {
        KafkaClient { bootstrap: bootstrap.into(), consumers: Arc::default() }
    }

    /// The ids of the brokers that the cluster names: not empty once it serves.
    pub(crate) async fn brokers(&self, limit: Duration) -> Result<Vec<i32>, KafkaClientError> {
        self.ask("", "its brokers", move |consumer| {
            let metadata = consumer.fetch_metadata(None, limit)?;
            Ok(metadata.brokers().iter().map(|broker| broker.id()).collect())
        })
        .await
    }

    /// Creates a topic and returns when each partition has a leader. One that exists already is left as it is.
    pub(crate) async fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), KafkaClientError> {
        let asked = |error| KafkaClientError::Asked { what: format!("that it made topic `{topic}`"), error };
        let admin: AdminClient<DefaultClientContext> = self.configuration().create().map_err(asked)?;
        let options =
            AdminOptions::new().operation_timeout(Some(ANSWER_LIMIT)).request_timeout(Some(ANSWER_LIMIT));
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let results = admin.create_topics([&new], &options).await.map_err(asked)?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(asked(KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }

    /// The offset after the last record, by partition.
    pub(crate) async fn end_offsets(&self, topic: &str) -> Result<Vec<(i32, i64)>, KafkaClientError> {
        let name = topic.to_owned();
        let ends = self
            .ask("", &format!("the end of topic `{topic}`"), move |consumer| {
                let watermarks = watermarks(consumer, &name)?;
                Ok(watermarks.into_iter().map(|(partition, (_, end))| (partition, end)).collect::<Vec<_>>())
            })
            .await?;
        if ends.is_empty() { Err(KafkaClientError::NoTopic(topic.to_owned())) } else { Ok(ends) }
    }

    /// Where a group stands on each partition of a topic, beside the partition's end.
    pub(crate) async fn committed(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<Vec<GroupOffset>, KafkaClientError> {
        let ends = self.end_offsets(topic).await?;
        let (group, topic) = (group.to_owned(), topic.to_owned());
        let what = format!("what group `{group}` has committed");
        self.ask(&group.clone(), &what, move |consumer| {
            let mut asked = TopicPartitionList::with_capacity(ends.len());
            for (partition, _) in &ends {
                asked.add_partition(&topic, *partition);
            }
            let committed = consumer.committed_offsets(asked, ANSWER_LIMIT)?;
            let of = |partition| committed.find_partition(&topic, partition);
            ends.iter()
                .map(|&(partition, end)| {
                    let element = of(partition);
                    element.as_ref().map_or(Ok(()), |element| element.error())?;
                    let committed = match element.map(|element| element.offset()) {
                        Some(Offset::Offset(next)) => Some(next),
                        _ => None,
                    };
                    Ok(GroupOffset { group: group.clone(), topic: topic.clone(), partition, end, committed })
                })
                .collect()
        })
        .await
    }

    /// All records of a topic up to its end at this moment, by partition and offset.
    pub(crate) async fn records(&self, topic: &str) -> Result<Vec<Record>, KafkaClientError> {
        let (configuration, topic) = (self.configuration(), topic.to_owned());
        tokio::task::spawn_blocking(move || read_to_end(&configuration, &topic))
            .await
            .unwrap_or(Err(KafkaClientError::Panicked))
    }

    async fn ask<T: Send + 'static>(
        &self,
        group: &str,
        what: &str,
        question: impl FnOnce(&BaseConsumer) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, KafkaClientError> {
        let asked = |error| KafkaClientError::Asked { what: what.to_owned(), error };
        let consumer = self.consumer(group).map_err(asked)?;
        let answer = tokio::task::spawn_blocking(move || question(&consumer)).await;
        answer.map_err(|_| KafkaClientError::Panicked)?.map_err(asked)
    }

    fn consumer(&self, group: &str) -> Result<Arc<BaseConsumer>, KafkaError> {
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(consumer) = consumers.get(group) {
            return Ok(consumer.clone());
        }
        let mut configuration = self.configuration();
        if !group.is_empty() {
            configuration.set("group.id", group);
        }
        let consumer = Arc::new(configuration.create::<BaseConsumer>()?);
        consumers.insert(group.to_owned(), consumer.clone());
        Ok(consumer)
    }

    fn configuration(&self) -> ClientConfig {
        let mut configuration = ClientConfig::new();
        configuration
            .set("bootstrap.servers", &*self.bootstrap)
            .set("client.id", "probity")
            .set("allow.auto.create.topics", "false")
            .set("enable.auto.commit", "false")
            .set("log_level", "0")
            // A backend that was stopped and comes back is found at once, not after ten seconds.
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "100");
        configuration
    }
}

/// First offset, and the one after the last.
type Watermarks = (i64, i64);

/// Of each partition. Empty when there is no such topic.
fn watermarks(consumer: &BaseConsumer, topic: &str) -> Result<Vec<(i32, Watermarks)>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_LIMIT)?;
    let partitions =
        metadata.topics().iter().filter(|it| it.name() == topic).flat_map(|topic| topic.partitions());
    let mut ids: Vec<i32> = partitions.map(|partition| partition.id()).collect();
    ids.sort_unstable();
    ids.into_iter().map(|id| Ok((id, consumer.fetch_watermarks(topic, id, ANSWER_LIMIT)?))).collect()
}

/// A reading of one topic, from its first records to the end that it had when the reading began.
struct Reading {
    /// The end of each partition that is not read yet.
    open: HashMap<i32, i64>,
    expected: usize,
    records: Vec<Record>,
}

fn read_to_end(configuration: &ClientConfig, topic: &str) -> Result<Vec<Record>, KafkaClientError> {
    let asked = |error| KafkaClientError::Asked { what: format!("the records of topic `{topic}`"), error };
    let mut configuration = configuration.clone();
    configuration
        .set("group.id", "probity-reader")
        .set("fetch.wait.max.ms", "10")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = configuration.create().map_err(asked)?;
    let watermarks = watermarks(&consumer, topic).map_err(asked)?;
    let mut reading = Reading::new(topic, &watermarks)?;
    let mut assignment = TopicPartitionList::new();
    for (partition, (first, _)) in watermarks {
        if reading.open.contains_key(&partition) {
            assignment.add_partition_offset(topic, partition, Offset::Offset(first)).map_err(asked)?;
        }
    }
    consumer.assign(&assignment).map_err(asked)?;
    let deadline = Instant::now() + ANSWER_LIMIT;
    while !reading.open.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(left) {
            Some(event) => reading.take(event).map_err(asked)?,
            None if left.is_zero() => return Err(reading.unread(topic)),
            None => {}
        }
    }
    reading.records.sort_by_key(|record| (record.partition, record.offset));
    Ok(reading.records)
}

impl Reading {
    fn new(topic: &str, watermarks: &[(i32, Watermarks)]) -> Result<Reading, KafkaClientError> {
        if watermarks.is_empty() {
            return Err(KafkaClientError::NoTopic(topic.to_owned()));
        }
        let count: i64 = watermarks.iter().map(|(_, (first, end))| end - first).sum();
        match usize::try_from(count) {
            Ok(expected) if expected <= RECORDS_MAX => {
                let filled = watermarks.iter().filter(|(_, (first, end))| first < end);
                let open = filled.map(|&(partition, (_, end))| (partition, end)).collect();
                Ok(Reading { open, expected, records: Vec::with_capacity(expected) })
            }
            _ => Err(KafkaClientError::TooMany { topic: topic.to_owned(), count }),
        }
    }

    fn take(&mut self, event: Result<BorrowedMessage<'_>, KafkaError>) -> Result<(), KafkaError> {
        match event {
            Ok(message) => {
                let (partition, next) = (message.partition(), message.offset() + 1);
                let Some(&end) = self.open.get(&partition) else { return Ok(()) };
                if next <= end {
                    self.records.push(record(&message));
                }
                if next >= end {
                    self.open.remove(&partition);
                }
            }
            // Offsets may have holes (transactions): the end of the partition ends it as well.
            Err(KafkaError::PartitionEOF(partition)) => drop(self.open.remove(&partition)),
            Err(error) if error.rdkafka_error_code().is_some_and(is_passing) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn unread(&self, topic: &str) -> KafkaClientError {
        let (topic, read, expected) = (topic.to_owned(), self.records.len(), self.expected);
        KafkaClientError::Unread { topic, limit: ANSWER_LIMIT, read, expected }
    }
}

/// Errors that librdkafka reports and recovers from by itself.
fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(code, AllBrokersDown | BrokerTransportFailure | OperationTimedOut)
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(text),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.map(text).unwrap_or_default()))
            .collect(),
        value: message.payload().map(text).unwrap_or_default(),
        at: unix_nanos(message.timestamp().to_millis()),
        ..Record::default()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(VALUE_BYTES_MAX)]).into_owned()
}

fn unix_nanos(millis: Option<i64>) -> UnixNanos {
    millis.and_then(|millis| UnixNanos::try_from(millis).ok()).unwrap_or(0).saturating_mul(1_000_000)
}
