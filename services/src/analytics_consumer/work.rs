//! What is done with records: a process span, the INSERT beneath it, then the commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{FutureExt as _, Link, SpanKind};
use opentelemetry::{Context, KeyValue};
use rdkafka::error::KafkaError;

use super::record::Record;
use super::{Join, Settings};
use crate::database::{Database, DatabaseError, Statement};
use crate::defect::Defect;
use crate::kafka::{Source, error_kind, first_broker};
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics};
use crate::service::Service;
use crate::telemetry::Operation;

const INSERT: Statement = Statement {
    operation: "INSERT",
    table: "clicks",
    text: "INSERT INTO clicks (event_id, code, occurred_at) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]) \
           ON CONFLICT (event_id) DO NOTHING",
};

const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// Turns records into rows.
pub(super) struct Work {
    service: Service,
    database: Arc<Database>,
    source: Source,
    join: Join,
    topic: String,
    group: String,
    /// Attributes that every span of this consumer has.
    attributes: Vec<KeyValue>,
    consumed: Count,
    process_duration: Latency,
    commit_duration: Latency,
    /// Held while records are worked on, so that a stop waits for them.
    busy: tokio::sync::Mutex<()>,
}

impl Work {
    pub(super) fn new(
        service: &Service,
        settings: &Settings,
        database: Arc<Database>,
        source: Source,
        metrics: &mut Metrics,
    ) -> Self {
        let work = Self {
            service: service.clone(),
            database,
            source,
            join: settings.join,
            topic: settings.kafka.topic.clone(),
            group: settings.kafka.group.clone(),
            attributes: attributes(service, settings),
            consumed: metrics.count(
                "messaging.client.consumed.messages",
                "{message}",
                "Records received from Kafka",
            ),
            process_duration: metrics.latency(
                "messaging.process.duration",
                "Duration of processing records",
                DURATION_BOUNDS,
            ),
            commit_duration: metrics.latency(
                "messaging.client.operation.duration",
                "Duration of committing offsets",
                DURATION_BOUNDS,
            ),
            busy: tokio::sync::Mutex::default(),
        };
        work.consumed.expect(work.labels("poll"));
        if work.service.common.defect != Some(Defect::LagMissing) {
            let lag = work.source.lag().clone();
            metrics.observe(
                "messaging.consumer.lag",
                "{record}",
                "Records that the group has not committed",
                work.group_labels(),
                move || lag.records(),
            );
        }
        work
    }

    /// Waits for the stop, and for the records that are being worked on.
    pub(super) async fn stopped(&self) {
        self.service.stop.requested().await;
        let _idle = self.busy.lock().await;
    }

    /// Works on records until each is stored and committed, or the process stops.
    pub(super) async fn process(&self, records: Vec<Record>) {
        let _busy = self.busy.lock().await;
        self.consumed.add(records.len() as u64, self.labels("poll"));
        self.source.lag().works_on(records.len());
        // An offset is one partition's, so a batch is too.
        let mut partitions: BTreeMap<i32, Vec<Record>> = BTreeMap::new();
        for record in records {
            partitions.entry(record.partition).or_default().push(record);
        }
        for (_, records) in partitions {
            self.process_until_done(&records).await;
        }
        self.source.lag().works_on(0);
    }

    /// Postgres may be away: the records stay where they are in Kafka, and are tried again.
    async fn process_until_done(&self, records: &[Record]) {
        let mut delay = RETRY_DELAY_MIN;
        while let Err(error) = self.process_once(records).await {
            tracing::warn!(error = %error, "records could not be stored, trying again");
            if self.service.common.defect == Some(Defect::CommitOnError) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.service.stop.requested() => return,
            }
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    async fn process_once(&self, records: &[Record]) -> Result<(), DatabaseError> {
        let started = Instant::now();
        let span = self.process_span(records);
        let empty = Context::new();
        let context = span.as_ref().map_or(&empty, Operation::context);

        let defect = self.service.common.defect;
        if defect == Some(Defect::CommitBeforeWork) {
            self.commit(context, records).with_context(context.clone()).await;
        }
        let outcome = self.store(context, records).with_context(context.clone()).await;
        let is_done = outcome.is_ok() || defect == Some(Defect::CommitOnError);
        if is_done && defect != Some(Defect::CommitBeforeWork) {
            self.commit(context, records).with_context(context.clone()).await;
        }
        let mut labels = self.labels("process");
        if let Err(error) = &outcome {
            labels = labels.with("error.type", error.kind().to_owned());
        }
        self.process_duration.record(context, started.elapsed(), labels);
        if let Some(span) = span {
            let invalid = records.iter().find_map(|record| record.event.as_ref().err());
            match (&outcome, invalid) {
                (Err(error), _) => span.fail_with(error.kind().to_owned(), &error.to_string()),
                (Ok(()), Some(problem)) => span.fail_with("invalid_event", problem),
                (Ok(()), None) => {}
            }
            span.end();
        }
        outcome
    }

    async fn store(&self, context: &Context, records: &[Record]) -> Result<(), DatabaseError> {
        let (mut ids, mut codes, mut times) = (Vec::new(), Vec::new(), Vec::<SystemTime>::new());
        for record in records {
            match &record.event {
                Ok(event) => {
                    ids.push(event.event_id.as_str());
                    codes.push(event.code.as_str());
                    times.push(event.occurred_at());
                }
                // Trying again would not make it readable.
                Err(problem) => tracing::error!(
                    partition = record.partition,
                    offset = record.offset,
                    error = %problem,
                    "a record is no click event and is skipped"
                ),
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        self.database.query(context, &INSERT, &[&ids, &codes, &times]).await?;
        if self.service.common.defect == Some(Defect::LogPerRow) {
            ids.iter().for_each(|event_id| tracing::info!(event_id, "row stored"));
        }
        Ok(())
    }

    /// A commit that fails is no reason to stop: what comes again is stored once.
    async fn commit(&self, context: &Context, records: &[Record]) {
        let Some(last) = records.last() else { return };
        let started = Instant::now();
        let mut attributes = self.span_attributes("commit", "settle");
        if !self.lacks_places() {
            attributes.extend(last.place());
        }
        let name = format!("commit {}", self.topic);
        let span = self.service.telemetry.span(context, SpanKind::Client, name, attributes);
        let outcome = self.source.commit(last.partition, last.offset).await;
        let mut labels = self.labels("commit");
        if let Err(error) = &outcome {
            labels = labels.with("error.type", error_kind(error));
            self.commit_failed(&span, error);
        }
        self.commit_duration.record(span.context(), started.elapsed(), labels);
        span.end();
    }

    fn commit_failed(&self, span: &Operation, error: &KafkaError) {
        span.fail_with(error_kind(error), &error.to_string());
        tracing::warn!(error = %error, "offset could not be committed");
    }

    fn process_span(&self, records: &[Record]) -> Option<Operation> {
        let (parent, links) = match self.join {
            Join::Parent => (records.first()?.creation.clone(), self.links(records, false)),
            Join::Link => (Context::new(), self.links(records, true)),
        };
        let mut attributes = self.span_attributes("process", "process");
        match (self.join, self.lacks_places(), records.first()?) {
            (Join::Parent, false, record) => {
                attributes.extend(record.place());
                let id = record.event_id().map(str::to_owned);
                attributes.extend(id.map(|id| KeyValue::new("messaging.message.id", id)));
            }
            (Join::Link, false, record) => attributes
                .push(KeyValue::new("messaging.destination.partition.id", record.partition.to_string())),
            (_, true, _) => {}
        }
        match self.join {
            Join::Parent => {
                let key = records.first()?.key.clone();
                attributes.extend(key.map(|key| KeyValue::new("messaging.kafka.message.key", key)));
            }
            Join::Link => {
                attributes.push(KeyValue::new("messaging.batch.message_count", records.len() as i64))
            }
        }
        let name = format!("process {}", self.topic);
        let telemetry = &self.service.telemetry;
        match self.service.common.defect {
            // Without it nothing that happens here belongs to anything.
            Some(Defect::ConsumerWithoutSpan) => None,
            _ => Some(telemetry.linked_span(&parent, links, SpanKind::Consumer, name, attributes)),
        }
    }

    fn links(&self, records: &[Record], of_a_batch: bool) -> Vec<Link> {
        let linked = match self.service.common.defect {
            Some(Defect::BatchLinksFirstOnly) => 1,
            _ => records.len(),
        };
        let with_place = of_a_batch && !self.lacks_places();
        records.iter().take(linked).filter_map(|record| record.link(with_place)).collect()
    }

    fn lacks_places(&self) -> bool {
        self.service.common.defect == Some(Defect::KafkaAttributesMissing)
    }

    fn span_attributes(&self, operation: &'static str, kind: &'static str) -> Vec<KeyValue> {
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new("messaging.operation.name", operation));
        attributes.push(KeyValue::new("messaging.operation.type", kind));
        attributes
    }

    /// Of the whole group, whatever it does.
    fn group_labels(&self) -> Labels {
        Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.destination.name", self.topic.clone().into()),
            ("messaging.consumer.group.name", self.group.clone().into()),
        ])
    }

    fn labels(&self, operation: &'static str) -> Labels {
        Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.operation.name", operation.into()),
            ("messaging.destination.name", self.topic.clone().into()),
            ("messaging.consumer.group.name", self.group.clone().into()),
        ])
    }
}

fn attributes(service: &Service, settings: &Settings) -> Vec<KeyValue> {
    let (host, port) = first_broker(&settings.kafka);
    let mut attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.destination.name", settings.kafka.topic.clone()),
        KeyValue::new("messaging.consumer.group.name", settings.kafka.group.clone()),
        KeyValue::new("messaging.client.id", service.program),
        KeyValue::new("server.address", host),
    ];
    attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
    attributes
}
