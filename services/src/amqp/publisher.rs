//! Publishes messages that the broker confirms, one after the other, on a connection that is opened when it is needed.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};
use opentelemetry::Context;
use tokio::sync::Mutex;

use super::{AmqpSettings, close, error_kind, headers_with};
use crate::defect::Defect;
use crate::service::Service;

/// Stays in the queue when the broker is started again.
const PERSISTENT: u8 = 2;

pub(crate) struct Publisher {
    service: Service,
    settings: AmqpSettings,
    /// Longest time for one message, opening a connection included.
    limit: Duration,
    open: Mutex<Option<(Connection, Channel)>>,
}

/// Why a message was not sent, as far as is known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsent {
    #[error(transparent)]
    Client(#[from] lapin::Error),
    #[error("the broker refused it")]
    Refused,
    #[error("no confirmation within {0:?}")]
    Deadline(Duration),
}

impl Unsent {
    /// Its `error.type`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Client(error) => error_kind(error),
            Self::Refused => "refused",
            Self::Deadline(_) => "timeout",
        }
    }
}

impl Publisher {
    pub(crate) fn new(service: &Service, settings: AmqpSettings, limit: Duration) -> Self {
        Self { service: service.clone(), settings, limit, open: Mutex::default() }
    }

    /// Sends a message in a context, and returns when the broker has it. After a failure it may have it or not.
    pub(crate) async fn send(&self, context: &Context, id: &str, body: &[u8]) -> Result<(), Unsent> {
        let sending = async {
            let mut open = self.open.lock().await;
            // Taken out: whoever gives up in between leaves no channel behind that is still waiting for something.
            let (connection, channel) = match open.take() {
                Some((connection, channel)) if channel.status().connected() => (connection, channel),
                _ => self.open().await?,
            };
            self.publish(&channel, context, id, body).await?;
            *open = Some((connection, channel));
            Ok(())
        };
        match tokio::time::timeout(self.limit, sending).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Unsent::Deadline(self.limit)),
        }
    }

    async fn open(&self) -> Result<(Connection, Channel), Unsent> {
        let (connection, channel) = self.settings.open(self.service.program).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok((connection, channel))
    }

    async fn publish(
        &self,
        channel: &Channel,
        context: &Context,
        id: &str,
        body: &[u8],
    ) -> Result<(), Unsent> {
        let headers = match self.service.common.defect {
            // Whoever instrumented HTTP and Kafka has not thought of this.
            Some(Defect::AmqpWithoutHeaders) => FieldTable::default(),
            _ => headers_with(self.service.telemetry.propagator(), context),
        };
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(id.into())
            .with_headers(headers);
        let (exchange, key) = (self.settings.exchange.as_str().into(), self.settings.routing_key.into());
        let options = BasicPublishOptions::default();
        let confirmed = channel.basic_publish(exchange, key, options, body, properties).await?.await?;
        if confirmed.is_ack() { Ok(()) } else { Err(Unsent::Refused) }
    }

    /// Says goodbye to the broker.
    pub(crate) async fn finish(&self) {
        if let Some((connection, _)) = self.open.lock().await.take() {
            close(&connection).await;
        }
    }
}
