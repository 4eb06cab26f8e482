//! A queue of ours on an exchange: it is given what every other queue is, from before anybody publishes.
//!
//! The queue is exclusive to its connection and ends with it. That all of it was read is proven by a message of our own, which
//! comes behind everything that was confirmed before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, Consumer, ExchangeKind};
use tokio::sync::watch;

use super::{ANSWER_LIMIT, RabbitMqError, answered};
use crate::model::{Record, UnixNanos};

/// What one tap holds, at most.
pub(super) const MESSAGES_MAX: usize = 100_000;
/// The body of a message is evidence to be looked at, not a copy.
const BODY_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 256;
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// One exchange with its queues, and what was published there.
pub struct Tap {
    connection: Connection,
    channel: Channel,
    exchange: String,
    queues: Vec<String>,
    /// Ours, named by the server.
    queue: ShortString,
    taken: Arc<Taken>,
}

#[derive(Default)]
struct Taken {
    messages: Mutex<Vec<Record>>,
    /// How many of our own marks came.
    marks: watch::Sender<u64>,
    asked: Mutex<u64>,
}

/// Where a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueStand {
    /// Messages that wait in it. Those that a consumer holds are not counted until it gives them back.
    pub waiting: u32,
    pub consumers: u32,
}

impl Tap {
    pub(super) async fn open(
        connection: Connection,
        exchange: &str,
        routing_key: &str,
        queues: &[&str],
    ) -> Result<Tap, RabbitMqError> {
        let channel = answered("open a channel", connection.create_channel()).await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declaring =
            channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, FieldTable::default());
        answered(&format!("make exchange `{exchange}`"), declaring).await?;
        for queue in queues {
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let declaring = channel.queue_declare((*queue).into(), durable, FieldTable::default());
            answered(&format!("make queue `{queue}`"), declaring).await?;
            bind(&channel, queue, exchange, routing_key).await?;
        }
        let exclusive =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let declaring = channel.queue_declare("".into(), exclusive, FieldTable::default());
        let queue = answered("make a queue of ours", declaring).await?.name().clone();
        bind(&channel, queue.as_str(), exchange, "#").await?;
        let unacknowledged = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consuming =
            channel.basic_consume(queue.clone(), "probity".into(), unacknowledged, FieldTable::default());
        let consumer = answered("give messages", consuming).await?;
        let taken = Arc::new(Taken::default());
        tokio::spawn(take(consumer, exchange.to_owned(), Arc::clone(&taken)));
        let queues = queues.iter().map(|queue| (*queue).to_owned()).collect();
        Ok(Tap { connection, channel, exchange: exchange.to_owned(), queues, queue, taken })
    }

    /// All messages that were confirmed to their publishers until now, in the order of the exchange.
    pub async fn messages(&self) -> Result<Vec<Record>, RabbitMqError> {
        let mark = {
            let mut asked = self.taken.asked.lock().unwrap_or_else(PoisonError::into_inner);
            *asked += 1;
            *asked
        };
        // By the nameless exchange straight into our queue, behind what is there.
        let publishing = self.channel.basic_publish(
            "".into(),
            self.queue.clone(),
            BasicPublishOptions::default(),
            b"",
            BasicProperties::default(),
        );
        answered("take a mark of ours", publishing).await?;
        let mut marks = self.taken.marks.subscribe();
        let came = tokio::time::timeout(ANSWER_LIMIT, marks.wait_for(|seen| *seen >= mark)).await;
        if !matches!(came, Ok(Ok(_))) {
            return Err(RabbitMqError::Silent { what: format!("give all of exchange `{}`", self.exchange) });
        }
        let messages = self.taken.messages.lock().unwrap_or_else(PoisonError::into_inner);
        match messages.len() {
            ..=MESSAGES_MAX => Ok(messages.clone()),
            _ => Err(RabbitMqError::TooMany(self.exchange.clone())),
        }
    }

    /// Where one of its queues stands.
    pub async fn stand(&self, queue: &str) -> Result<QueueStand, RabbitMqError> {
        let what = format!("say where queue `{queue}` stands");
        // A question about a queue that is not there ends its channel.
        let channel = answered(&what, self.connection.create_channel()).await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let asked =
            answered(&what, channel.queue_declare(queue.into(), passive, FieldTable::default())).await;
        let stand = asked
            .map(|queue| QueueStand { waiting: queue.message_count(), consumers: queue.consumer_count() })?;
        _ = answered("close a channel", channel.close(200, "".into())).await;
        Ok(stand)
    }

    /// Removes the exchange and its queues, and ends the connection. What fails here is swept with the server.
    pub async fn close(&self) {
        for queue in &self.queues {
            let deleting = self.channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
            _ = answered("remove a queue", deleting).await;
        }
        let exchange = self.exchange.as_str().into();
        let deleting = self.channel.exchange_delete(exchange, ExchangeDeleteOptions::default());
        _ = answered("remove an exchange", deleting).await;
        _ = answered("close the connection", self.connection.close(200, "".into())).await;
    }
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), RabbitMqError> {
    let options = QueueBindOptions::default();
    let binding =
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, FieldTable::default());
    answered(&format!("bind queue `{queue}`"), binding).await
}

async fn take(mut consumer: Consumer, exchange: String, taken: Arc<Taken>) {
    while let Some(Ok(delivery)) = consumer.next().await {
        if delivery.exchange.as_str() != exchange {
            taken.marks.send_modify(|seen| *seen += 1);
            continue;
        }
        let mut messages = taken.messages.lock().unwrap_or_else(PoisonError::into_inner);
        // One beyond is kept, so that it is known that there were too many.
        if messages.len() <= MESSAGES_MAX {
            let number = messages.len() as i64;
            messages.push(message(delivery, number));
        }
    }
}

fn message(delivery: Delivery, number: i64) -> Record {
    let mut headers = Vec::new();
    let mut header_types = BTreeMap::new();
    let table = delivery.properties.headers().as_ref();
    for (key, value) in table.into_iter().flat_map(|table| table.inner()).take(HEADERS_MAX) {
        let (kind, value) = header(value);
        let key = bounded(key.as_str().as_bytes(), HEADER_BYTES_MAX);
        if let Some(kind) = kind {
            header_types.insert(key.clone(), kind.to_owned());
        }
        headers.push((key, value));
    }
    Record {
        topic: delivery.exchange.to_string(),
        partition: Record::NO_PARTITION,
        offset: number,
        key: Some(delivery.routing_key.to_string()),
        headers,
        header_types,
        id: delivery.properties.message_id().as_ref().map(ToString::to_string),
        value: bounded(&delivery.data, BODY_BYTES_MAX),
        at: now(),
    }
}

/// A header as text, and its type where it is no string.
fn header(value: &AMQPValue) -> (Option<&'static str>, String) {
    let kind = match value {
        AMQPValue::LongString(text) => return (None, bounded(text.as_bytes(), HEADER_BYTES_MAX)),
        AMQPValue::ShortString(text) => return (None, bounded(text.as_str().as_bytes(), HEADER_BYTES_MAX)),
        AMQPValue::ByteArray(bytes) => {
            return (Some("byte array"), bounded(bytes.as_slice(), HEADER_BYTES_MAX));
        }
        AMQPValue::Boolean(_) => "boolean",
        AMQPValue::Float(_) | AMQPValue::Double(_) | AMQPValue::DecimalValue(_) => "number",
        AMQPValue::FieldArray(_) => "array",
        AMQPValue::FieldTable(_) => "table",
        AMQPValue::Timestamp(_) => "timestamp",
        AMQPValue::Void => "nothing",
        _ => "integer",
    };
    (Some(kind), bounded(format!("{value:?}").as_bytes(), HEADER_BYTES_MAX))
}

fn bounded(bytes: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
}

fn now() -> UnixNanos {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixNanos::try_from(since_epoch.as_nanos()).unwrap_or(UnixNanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_type_become_text_that_says_its_type() {
        let string = AMQPValue::LongString("00-a-b-01".into());
        assert_eq!(header(&string), (None, "00-a-b-01".to_owned()));
        let broken = AMQPValue::LongString(vec![0xff, b'x'].into());
        assert_eq!(header(&broken), (None, "\u{fffd}x".to_owned()));
        let bytes = AMQPValue::ByteArray(b"00-a".as_slice().into());
        assert_eq!(header(&bytes), (Some("byte array"), "00-a".to_owned()));
        assert_eq!(header(&AMQPValue::LongInt(7)).0, Some("integer"));
        assert_eq!(header(&AMQPValue::FieldTable(FieldTable::default())).0, Some("table"));
        let huge = AMQPValue::LongString("x".repeat(1_000_000).into());
        assert_eq!(header(&huge).1.len(), HEADER_BYTES_MAX);
    }
}
