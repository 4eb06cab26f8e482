//! Links that are announced over RabbitMQ: url-api publishes a message for each, analytics-consumer takes it from its queue.

use super::{EVENT_ID, Shortener};
use crate::model::build::{Address, SpanBuild};
use crate::model::*;

pub(crate) const EXCHANGE: &str = "links";
pub(crate) const QUEUE: &str = "links.mailer";
const ROUTING_KEY: &str = "link.created";

impl Shortener {
    /// A link is created, announced, and its announcement taken.
    pub(crate) fn announce(&mut self) {
        let (message, creator) = self.announced();
        self.take(&message, creator);
    }

    /// A link whose announcement waits in the queue.
    pub(crate) fn announced(&mut self) -> (Record, Address) {
        self.declare_exchange();
        let root = self.request("create", "POST", "/api/v1/urls", "/api/v1/urls", 201);
        let api = self.api.clone();
        self.query(&api, Some(root), "INSERT links");
        let mine = |record: &&Record| record.topic == EXCHANGE;
        let number = self.build.evidence().records.iter().filter(mine).count() as i64;
        let id = format!("link-{number}");
        let name = format!("send {EXCHANGE}:{ROUTING_KEY}");
        let span = self.build.span(&api, Kind::Producer, &name).child_of(root);
        let span = amqp(span, "send", "send", "").attribute("messaging.message.id", id.as_str());
        let creator = span.attribute(EVENT_ID, id.as_str()).add();
        let parent = creator.traceparent();
        let bare = self.is("amqp-without-headers");
        let headers = [("traceparent", parent.as_str())];
        self.build.record(EXCHANGE, if bare { &[] } else { &headers });
        let message = self.build.evidence_mut().records.last_mut().expect("just pushed");
        message.partition = Record::NO_PARTITION;
        (message.key, message.id) = (Some(ROUTING_KEY.into()), Some(id));
        let message = message.clone();
        self.stands(number, number + 1);
        (message, creator)
    }

    /// The consumer's spans for one message, and its acknowledgement.
    pub(crate) fn take(&mut self, message: &Record, creator: Address) {
        self.take_nothing(message);
        let reads = !self.is("amqp-without-headers");
        let consumer = self.consumer.clone();
        let name = format!("process {EXCHANGE}:{ROUTING_KEY}:{QUEUE}");
        let span = self.build.span(&consumer, Kind::Consumer, &name);
        let span = if reads { span.child_of(creator).link_to(creator) } else { span };
        let id = message.id.as_deref().unwrap_or_default();
        let span = amqp(span, "process", "process", ":links.mailer").attribute("messaging.message.id", id);
        let process = span.attribute(EVENT_ID, id).add();
        self.log(&consumer, process);
        self.query(&consumer, Some(process), "INSERT mails");
        let name = format!("ack {EXCHANGE}:{ROUTING_KEY}:{QUEUE}");
        let span = self.build.span(&consumer, Kind::Client, &name).child_of(process);
        amqp(span, "ack", "settle", ":links.mailer").add();
    }

    /// The message is gone from the queue, and nothing shows it.
    pub(crate) fn take_nothing(&mut self, message: &Record) {
        self.stands(message.offset + 1, message.offset + 1);
    }

    /// How many messages the queue has given away.
    fn stands(&mut self, committed: i64, end: i64) {
        let (group, topic) = (QUEUE.to_string(), EXCHANGE.to_string());
        let offsets = &mut self.build.evidence_mut().offsets;
        offsets.retain(|known| known.group != QUEUE);
        let (partition, committed) = (Record::NO_PARTITION, Some(committed));
        offsets.push(GroupOffset { group, topic, partition, end, committed });
    }

    fn declare_exchange(&mut self) {
        if self.declaration.exchanges().next().is_some() {
            return;
        }
        let queue = Group { name: QUEUE.into(), service: "analytics-consumer".into(), ..Group::default() };
        self.declaration.topics.push(Topic {
            name: EXCHANGE.into(),
            producer: "url-api".into(),
            groups: vec![queue],
            on: Broker::Rabbitmq { routing_key: ROUTING_KEY.into() },
        });
        let (from, to) = ("url-api".into(), "analytics-consumer".into());
        let over = EdgeKind::Amqp { exchange: EXCHANGE.into() };
        self.declaration.edges.push(Edge { from, to, over, routes: Vec::new() });
    }
}

fn amqp<'b>(span: SpanBuild<'b>, operation: &str, kind: &str, queue: &str) -> SpanBuild<'b> {
    let destination = format!("{EXCHANGE}:{ROUTING_KEY}{queue}");
    span.attribute("messaging.system", "rabbitmq")
        .attribute("messaging.operation.name", operation)
        .attribute("messaging.operation.type", kind)
        .attribute("messaging.destination.name", destination.as_str())
        .attribute("messaging.rabbitmq.destination.routing_key", ROUTING_KEY)
}
