//! What becomes of the shortener's records: rows, dead letters, an outage in between.

use super::{Shortener, TOPIC, located, messaging};
use crate::model::build::at;
use crate::model::*;

const DEAD_LETTERS: &str = "click-events.dlt";

impl Shortener {
    /// Declares where rows of clicks are. Every record becomes an event with its row, whatever was done with it.
    pub(crate) fn declare_effects(&mut self) {
        self.declaration.topics[0].groups[0].effects = Some(EffectsAt {
            database: "shortener".into(),
            statement: "SELECT event_id FROM clicks".into(),
            event: "event_id".into(),
        });
        let mut events = Vec::new();
        for record in self.build.evidence_mut().records.iter_mut().filter(|record| record.topic == TOPIC) {
            let event = format!("event-{}", record.offset);
            record.value = format!(r#"{{"event_id":"{event}"}}"#);
            events.push(event);
        }
        let (topic, group) = (TOPIC.into(), "analytics".into());
        self.build.evidence_mut().applied = vec![Applied { topic, group, events: Ok(events) }];
    }

    pub(crate) fn declare_dead_letters(&mut self) {
        let topic = &mut self.declaration.topics[0];
        topic.groups[0].dead_letters = Some(DEAD_LETTERS.into());
        if self.declaration.topics.len() == 1 {
            let (name, producer) = (DEAD_LETTERS.into(), "analytics-consumer".into());
            self.declaration.topics.push(Topic { name, producer, ..Topic::default() });
        }
    }

    /// A record that cannot be read, put aside in its trace; with `poison-blocks-partition` it is tried again, and nothing behind it is
    /// consumed.
    pub(crate) fn poison(&mut self) {
        self.declare_dead_letters();
        let (mut record, creator) = self.publish();
        record.value = format!("{{ broken {}", record.offset);
        let place = (record.topic.clone(), record.offset);
        let records = self.build.evidence_mut().records.iter_mut();
        records
            .filter(|known| (&known.topic, known.offset) == (&place.0, place.1))
            .for_each(|known| *known = record.clone());
        let blocks = self.is("poison-blocks-partition");
        for _ in 0..if blocks { 3 } else { 1 } {
            let consumer = self.consumer.clone();
            let span = self.build.span(&consumer, Kind::Consumer, &format!("process {TOPIC}"));
            let span = messaging(span.child_of(creator).link_to(creator), "process", "process")
                .attribute("messaging.consumer.group.name", "analytics")
                .attribute("error.type", "invalid_event")
                .status(Status::Error);
            let process = located(span, self.defect, &record).add();
            if blocks {
                continue;
            }
            let span =
                self.build.span(&consumer, Kind::Producer, &format!("send {DEAD_LETTERS}")).child_of(process);
            let span =
                span.attribute("messaging.system", "kafka").attribute("messaging.operation.name", "send");
            let span = span
                .attribute("messaging.operation.type", "send")
                .attribute("messaging.destination.name", DEAD_LETTERS)
                .attribute("messaging.destination.partition.id", "0")
                .attribute("messaging.kafka.offset", 0)
                .attribute("shortener.event.id", format!("event-{}", record.offset).as_str());
            let letter = span.add();
            self.build.record(DEAD_LETTERS, &[("traceparent", &letter.traceparent())]);
            let letter = self.build.evidence_mut().records.last_mut().expect("just pushed");
            (letter.value, letter.key) = (record.value.clone(), record.key.clone());
        }
        let end = record.offset + 1;
        self.build.committed("analytics", TOPIC, Some(if blocks { record.offset } else { end }), end);
    }

    /// A record that could not be stored while Postgres was away, and is when it is back.
    pub(crate) fn outage_of_postgres(&mut self) {
        let (record, creator) = self.publish();
        let began = self.build.now_ms();
        self.build.evidence_mut().faults.push(Fault {
            kind: FaultKind::Refuse,
            on: FaultTarget::Backend("postgres".into()),
            began: at(began),
            ended: Some(at(began + 200)),
            fenced: false,
        });
        self.build.pass(20);
        let consumer = self.consumer.clone();
        let span = self.build.span(&consumer, Kind::Consumer, &format!("process {TOPIC}"));
        let span = messaging(span.child_of(creator).link_to(creator), "process", "process")
            .attribute("messaging.consumer.group.name", "analytics")
            .attribute("error.type", "connection_closed")
            .status(Status::Error);
        located(span, self.defect, &record).add();
        let (topic, group) = (TOPIC.to_string(), "analytics".to_string());
        let gives_up = self.is("commit-on-error") || self.is("commit-before-work");
        let committed = Some(record.offset + i64::from(gives_up));
        let look = OffsetLook { group, topic, partition: 0, committed, at: at(began + 190) };
        self.build.evidence_mut().offset_looks.push(look);
        self.build.pass(300);
        match gives_up {
            true => self.build.committed("analytics", TOPIC, Some(record.offset + 1), record.offset + 1),
            false => self.consume(&record, creator),
        }
        self.declare_effects();
        if gives_up && let Ok(events) = &mut self.build.evidence_mut().applied[0].events {
            events.pop();
        }
    }

    /// From now on etcd is away.
    pub(crate) fn lose_etcd(&mut self) {
        let (kind, on) = (FaultKind::Refuse, FaultTarget::Backend("etcd".into()));
        let began = at(self.build.now_ms());
        self.build.evidence_mut().faults.push(Fault { kind, on, began, ended: None, fenced: false });
    }

    /// Kafka is away for seconds; two of url-api's clicks may wait for it, and do, and with `unbounded-buffer` a third. With
    /// `publish-blocks-request` their answers wait too.
    pub(crate) fn clicks_without_kafka(&mut self) {
        self.declaration.services[0].buffers = vec![Buffer { topic: TOPIC.into(), records_max: 2 }];
        let (began, back) = (self.build.now_ms(), self.build.now_ms() + 3_000);
        let (kind, on) = (FaultKind::Kill, FaultTarget::Backend("kafka".into()));
        let ended = Some(at(back));
        self.build.evidence_mut().faults.push(Fault { kind, on, began: at(began), ended, fenced: false });
        self.kafka_back_ms = Some(back);
        let waiting = 2 + usize::from(self.is("unbounded-buffer"));
        let sent: Vec<_> = (0..waiting).map(|_| self.publish()).collect();
        if self.is("publish-blocks-request") {
            let clicks = self.build.evidence_mut().stimuli.iter_mut().rev().take(waiting);
            clicks.for_each(|click| click.answered = Some(at(back)));
        }
        self.kafka_back_ms = None;
        self.build.pass(3_100);
        sent.iter().for_each(|(record, creator)| self.consume(record, *creator));
    }

    /// The collector refuses for a while, in which three clicks of unknown codes are answered, and two of url-api's spans may wait.
    /// Those of the third are lost, unless with `exporter-unbounded-queue`. With `exporter-synchronous` the answers wait.
    pub(crate) fn clicks_without_collector(&mut self) {
        self.declaration.thresholds.spans_waiting_max = 4;
        let began = self.build.now_ms() + 10_000;
        self.build.pass(10_000);
        for _ in 0..3 {
            self.unknown_code();
        }
        if self.is("exporter-synchronous") {
            let now = at(self.build.now_ms() + 3_000);
            let asked = self.build.evidence_mut().stimuli.iter_mut().rev().take(3);
            asked.for_each(|stimulus| stimulus.answered = Some(now));
            self.build.pass(3_001);
        }
        let ended = at(self.build.now_ms());
        self.build.pass(100);
        let came = at(self.build.now_ms());
        let kept = if self.is("exporter-unbounded-queue") { usize::MAX } else { 4 };
        let mut waited = 0;
        let evidence = self.build.evidence_mut();
        evidence.requests.retain_mut(|request| {
            if request.signal != Signal::Traces || request.received_unix_nanos < at(began) {
                return true;
            }
            request.received_unix_nanos = came;
            waited += 1;
            waited <= kept
        });
        let (kind, on) = (FaultKind::Refuse, FaultTarget::Collector);
        evidence.faults.push(Fault { kind, on, began: at(began), ended: Some(ended), fenced: false });
    }

    /// A click whose send went well; with `producer-acks-zero` its record never was.
    pub(crate) fn click_on_its_way(&mut self) {
        let (record, creator) = self.publish();
        match self.is("producer-acks-zero") {
            true => _ = self.build.evidence_mut().records.pop(),
            false => self.consume(&record, creator),
        }
    }
}
