//! Where messages come from: a queue, read over a connection that is opened again when it is lost.

use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, Consumer};
use opentelemetry::Context;
use tokio::sync::{Mutex, watch};

use super::{AmqpSettings, OPEN_LIMIT, close, context_in};
use crate::admin;
use crate::service::Service;

/// What the broker hands over before the first of it is acknowledged.
const PREFETCH: u16 = 16;
const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(2);

/// A consumer of one queue.
pub(crate) struct Source {
    service: Service,
    settings: AmqpSettings,
    queue: String,
    open: Mutex<Option<(Connection, Consumer)>>,
    consuming: watch::Sender<bool>,
}

impl Source {
    pub(crate) fn new(service: &Service, settings: AmqpSettings, queue: String) -> Self {
        let (open, consuming) = (Mutex::default(), watch::Sender::new(false));
        Self { service: service.clone(), settings, queue, open, consuming }
    }

    /// Waits for the next message, for as long as it takes. What was handed over and not acknowledged comes again.
    pub(crate) async fn next(&self) -> Delivery {
        let mut delay = RETRY_DELAY_MIN;
        loop {
            let mut open = self.open.lock().await;
            if open.is_none() {
                match tokio::time::timeout(OPEN_LIMIT, self.consume()).await {
                    Ok(Ok(opened)) => {
                        delay = RETRY_DELAY_MIN;
                        self.consuming.send_replace(true);
                        *open = Some(opened);
                    }
                    Ok(Err(error)) => tracing::warn!(error = %error, "waiting for RabbitMQ"),
                    Err(_) => tracing::warn!("waiting for RabbitMQ, which does not answer"),
                }
            }
            if let Some((_, consumer)) = &mut *open {
                match consumer.next().await {
                    Some(Ok(delivery)) => return delivery,
                    Some(Err(error)) => tracing::warn!(error = %error, "waiting for RabbitMQ, which is lost"),
                    None => tracing::warn!("waiting for RabbitMQ, which has ended the subscription"),
                }
                self.consuming.send_replace(false);
                *open = None;
            }
            drop(open);
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    }

    async fn consume(&self) -> lapin::Result<(Connection, Consumer)> {
        let (connection, channel) = self.settings.open(self.service.program).await?;
        self.settings.queue(&channel, &self.queue).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (queue, tag) = (self.queue.as_str().into(), self.service.program.into());
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue, tag, options, FieldTable::default()).await?;
        Ok((connection, consumer))
    }

    /// The context in which a message was created; an empty one when it does not say.
    pub(crate) fn creation(&self, delivery: &Delivery) -> Context {
        let headers = delivery.properties.headers().as_ref();
        context_in(self.service.telemetry.propagator(), headers)
    }

    /// Whether messages can come.
    pub(crate) fn check(&self) -> admin::Check {
        let consuming = self.consuming.subscribe();
        admin::check(move || {
            let consuming = *consuming.borrow();
            async move { if consuming { Ok(()) } else { Err("rabbitmq: no subscription".to_owned()) } }
        })
    }

    /// Gives back what was not acknowledged, and says goodbye.
    pub(crate) async fn close(&self) {
        if let Some((connection, _)) = self.open.lock().await.take() {
            close(&connection).await;
        }
    }
}
