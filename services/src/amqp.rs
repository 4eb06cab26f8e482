//! RabbitMQ: where it is, what publishers and consumers declare alike, and the context in a message's headers.

mod publisher;
mod source;

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::{Context, KeyValue};

pub(crate) use publisher::Publisher;
pub(crate) use source::Source;

use crate::config::{ConfigError, Environment};
use crate::propagation::{Carrier, context_of};

/// How long opening a connection with all that is declared on it may take.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Where RabbitMQ is and how it is used.
#[derive(Debug, Clone)]
pub(crate) struct AmqpSettings {
    uri: AMQPUri,
    pub exchange: String,
    pub routing_key: &'static str,
}

impl AmqpSettings {
    /// Of a service that can do without: `None` where no address is given.
    pub(crate) fn from(
        environment: &Environment,
        exchange: &str,
        routing_key: &'static str,
    ) -> Result<Option<Self>, ConfigError> {
        match environment.get("AMQP_URL") {
            Some(url) => Self::at(url, environment, exchange, routing_key).map(Some),
            None => Ok(None),
        }
    }

    /// The text of the URL stays out of the message: it may hold a password.
    pub(crate) fn at(
        url: &str,
        environment: &Environment,
        exchange: &str,
        routing_key: &'static str,
    ) -> Result<Self, ConfigError> {
        let uri = url.parse().map_err(|_| ConfigError::new("AMQP_URL", "not an AMQP URL"))?;
        Ok(Self { uri, exchange: environment.text("AMQP_EXCHANGE", exchange), routing_key })
    }

    /// `exchange:routing key`, as the conventions name what a publisher sends to.
    pub(crate) fn destination(&self) -> String {
        format!("{}:{}", self.exchange, self.routing_key)
    }

    /// Attributes that every span has that speaks of it.
    pub(crate) fn attributes(&self, destination: &str) -> Vec<KeyValue> {
        vec![
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.destination.name", destination.to_owned()),
            KeyValue::new("messaging.rabbitmq.destination.routing_key", self.routing_key),
            KeyValue::new("server.address", self.uri.authority.host.clone()),
            KeyValue::new("server.port", i64::from(self.uri.authority.port)),
        ]
    }

    /// A channel on which the exchange is declared, with the connection that it lives on.
    async fn open(&self, program: &'static str) -> lapin::Result<(Connection, Channel)> {
        let properties = ConnectionProperties::default().with_connection_name(program.into());
        let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
        let channel = connection.create_channel().await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let exchange = self.exchange.as_str().into();
        channel.exchange_declare(exchange, ExchangeKind::Topic, durable, FieldTable::default()).await?;
        Ok((connection, channel))
    }

    /// Declares a queue for what is published here.
    async fn queue(&self, channel: &Channel, queue: &str) -> lapin::Result<()> {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), durable, FieldTable::default()).await?;
        let (exchange, key) = (self.exchange.as_str().into(), self.routing_key.into());
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), exchange, key, options, FieldTable::default()).await
    }
}

/// The headers that carry `context`, as strings: not every client reads bytes.
fn headers_with(propagator: &dyn TextMapPropagator, context: &Context) -> FieldTable {
    let mut carrier = BTreeMap::new();
    propagator.inject_context(context, &mut Carrier(&mut carrier));
    let mut headers = FieldTable::default();
    for (key, value) in carrier {
        headers.insert(key.into(), AMQPValue::LongString(value.into()));
    }
    headers
}

/// The context that headers carry; an empty one when there is none or it is broken. What is no text is no context.
fn context_in(propagator: &dyn TextMapPropagator, headers: Option<&FieldTable>) -> Context {
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    };
    let headers = headers.into_iter().flat_map(|headers| headers.inner());
    let fields = headers.filter_map(|(key, value)| Some((key.to_string(), text(value)?))).collect();
    context_of(propagator, &fields)
}

/// `error.type` of an error: the name of its class.
pub(crate) fn error_kind(error: &lapin::Error) -> &'static str {
    use lapin::ErrorKind;
    match error.kind() {
        ErrorKind::IOError(_) => "io_error",
        ErrorKind::ProtocolError(_) => "protocol_error",
        ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_) => "not_connected",
        _ => "client_error",
    }
}

async fn close(connection: &Connection) {
    _ = tokio::time::timeout(CLOSE_LIMIT, connection.close(200, "".into())).await;
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
    use trace_context::TraceContextPropagator;

    use super::*;

    #[test]
    fn a_context_survives_the_message_and_only_as_a_string() {
        let propagator = TraceContextPropagator::new();
        let (trace, span) = (TraceId::from(0xa1), SpanId::from(0xb2));
        let creator = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
        let mut headers = headers_with(&propagator, &Context::new().with_remote_span_context(creator));
        let read =
            |headers: &FieldTable| context_in(&propagator, Some(headers)).span().span_context().span_id();
        assert_eq!(read(&headers), span);
        let Some(AMQPValue::LongString(text)) = headers.inner().get("traceparent").cloned() else {
            panic!("the header is no string");
        };
        for broken in [
            AMQPValue::ByteArray(text.as_bytes().into()),
            AMQPValue::LongString(vec![0xff].into()),
            AMQPValue::LongInt(7),
            AMQPValue::FieldTable(FieldTable::default()),
        ] {
            headers.insert("traceparent".into(), broken);
            assert_eq!(read(&headers), SpanId::INVALID);
        }
        assert!(!context_in(&propagator, None).span().span_context().is_valid());
    }

    #[test]
    fn without_an_address_there_is_none_and_a_wrong_one_is_not_repeated() {
        let from = |url: &str| AmqpSettings::from(&Environment::from([("AMQP_URL", url)]), "x", "k");
        assert!(from("").unwrap().is_none());
        let settings = from("amqp://me:secret@broker:5672/%2f").unwrap().unwrap();
        assert_eq!(settings.destination(), "x:k");
        let error = from("amqp//me:secret@broker").unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
    }
}
