//! What producers and consumers have in common: the client's configuration, where its log lines go, and the subscription.

mod lag;
mod source;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

pub(crate) use lag::Lag;
pub(crate) use source::Source;

use crate::config::KafkaSettings;

/// Readiness must be told soon, or the answer is no.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// Properties that only consumers have; librdkafka warns of them on a producer.
const CONSUMER_ONLY: [&str; 8] = [
    "fetch.",
    "group.",
    "session.timeout",
    "heartbeat.interval",
    "partition.assignment",
    "auto.offset",
    "enable.auto.",
    "max.poll",
];

/// Passes librdkafka's own log on. Its losses of connection are our dependency's troubles, not errors of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, "librdkafka: {message}"),
            _ => tracing::debug!(facility, "librdkafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "librdkafka: {reason}");
    }
}

impl ConsumerContext for LogContext {}

/// A configuration for producers.
pub(crate) fn producer_config(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = common_config(settings, client_id);
    for (name, value) in &settings.properties {
        if !CONSUMER_ONLY.iter().any(|prefix| name.starts_with(prefix)) {
            config.set(name, value);
        }
    }
    config
}

/// A configuration for consumers, which have all properties.
pub(crate) fn consumer_config(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = common_config(settings, client_id);
    config.set("group.id", &settings.group);
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    config
}

fn common_config(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", client_id)
        // A broker that is back is used within a second, and so is a topic that was created late.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("topic.metadata.refresh.interval.ms", "1000")
        .set("log_level", "4");
    config
}

/// Host and port of the first broker, as far as the configuration names them.
pub(crate) fn first_broker(settings: &KafkaSettings) -> (String, Option<i64>) {
    let first = settings.brokers.split(',').next().unwrap_or_default().trim();
    match first.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().ok()),
        None => (first.to_owned(), None),
    }
}

/// `error.type` of a Kafka error: the name that Kafka gives it.
pub(crate) fn error_kind(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(code) => format!("{code:?}"),
        None => "client_error".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn settings(brokers: &str) -> KafkaSettings {
        Environment::from([
            ("KAFKA_BROKERS", brokers),
            ("KAFKA_PROPERTIES", "fetch.wait.max.ms=10;group.protocol=consumer;linger.ms=1"),
        ])
        .kafka("click-events", "analytics")
        .unwrap()
    }

    #[test]
    fn a_producer_is_not_given_what_only_consumers_have() {
        let config = producer_config(&settings("k:1"), "url-api");
        assert_eq!(config.get("linger.ms"), Some("1"));
        assert_eq!(config.get("fetch.wait.max.ms"), None);
        let config = consumer_config(&settings("k:1"), "analytics-consumer");
        assert_eq!(config.get("fetch.wait.max.ms"), Some("10"));
        assert_eq!(config.get("group.id"), Some("analytics"));
    }

    #[test]
    fn the_first_broker_is_split_into_host_and_port() {
        assert_eq!(first_broker(&settings("a:1,b:2")), ("a".to_owned(), Some(1)));
        assert_eq!(first_broker(&settings("a")), ("a".to_owned(), None));
    }
}
