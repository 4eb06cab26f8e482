//! Configuration, from environment variables only.
//!
//! Every variable has a default that fits the compose file. A value that cannot be used is one clear
//! line and exit code 2 before anything is opened.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::defect::Defect;
use crate::system::System;

/// The environment of the process, read once. Tests build their own.
#[derive(Debug, Default, Clone)]
pub(crate) struct Environment(HashMap<String, String>);

/// A variable whose value cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub(crate) struct ConfigError {
    variable: String,
    problem: String,
}

/// What every service has.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    /// `service.name` of everything that the process emits: `OTEL_SERVICE_NAME`, else the name of the program.
    pub service_name: String,
    /// `deployment.environment.name`.
    pub deployment_environment: String,
    /// Where metrics, health and readiness are served.
    pub admin_address: SocketAddr,
    /// How long a graceful stop may take, flushes included.
    pub shutdown_grace: Duration,
    /// Directives of `tracing_subscriber::EnvFilter`.
    pub log_level: String,
    pub system: System,
    /// What a caller must know to change the log level; without it nobody can.
    pub admin_token: Option<String>,
    /// The one thing this process does wrong on purpose.
    pub defect: Option<Defect>,
}

/// Where Postgres is and how it is used.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseSettings {
    pub url: tokio_postgres::Config,
    pub pool_size: usize,
    /// Longest time for one statement, waiting for a connection included.
    pub timeout: Duration,
}

/// Where Kafka is and how it is used.
#[derive(Debug, Clone)]
pub(crate) struct KafkaSettings {
    pub brokers: String,
    pub topic: String,
    pub group: String,
    /// Further settings of librdkafka, passed on as they are.
    pub properties: Vec<(String, String)>,
}

/// Where etcd is and under which keys services register.
#[derive(Debug, Clone)]
pub(crate) struct EtcdSettings {
    pub endpoints: Vec<String>,
    /// In front of every key; empty in production.
    pub prefix: String,
}

impl ConfigError {
    pub(crate) fn new(variable: &str, problem: impl Display) -> Self {
        Self { variable: variable.to_owned(), problem: problem.to_string() }
    }
}

impl Environment {
    pub(crate) fn of_this_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// The value of a variable; empty counts as not set, as the OpenTelemetry specification wants.
    pub(crate) fn get(&self, variable: &str) -> Option<&str> {
        self.0.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(crate) fn text(&self, variable: &str, default: &str) -> String {
        self.get(variable).unwrap_or(default).to_owned()
    }

    pub(crate) fn value<T>(&self, variable: &str, default: T) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.get(variable) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|error| ConfigError::new(variable, format!("`{text}`: {error}")))
            }
        }
    }

    pub(crate) fn address(&self, variable: &str, default: &str) -> Result<SocketAddr, ConfigError> {
        let text = self.text(variable, default);
        text.parse()
            .map_err(|_| ConfigError::new(variable, format!("`{text}` is not an IP address and a port")))
    }

    pub(crate) fn milliseconds(&self, variable: &str, default: u64) -> Result<Duration, ConfigError> {
        let milliseconds = self.value(variable, default)?;
        if milliseconds == 0 {
            return Err(ConfigError::new(variable, "must be at least 1"));
        }
        Ok(Duration::from_millis(milliseconds))
    }

    pub(crate) fn database(&self, default_url: &str) -> Result<DatabaseSettings, ConfigError> {
        let variable = "DATABASE_URL";
        let url = self.text(variable, default_url);
        // The text of the URL stays out of the message: it may hold a password.
        let url = url
            .parse()
            .map_err(|error| ConfigError::new(variable, format!("not a Postgres URL: {error}")))?;
        let pool_size = self.value("DATABASE_POOL_SIZE", 8)?;
        if pool_size == 0 {
            return Err(ConfigError::new("DATABASE_POOL_SIZE", "must be at least 1"));
        }
        let timeout = self.milliseconds("DATABASE_TIMEOUT_MS", 5_000)?;
        Ok(DatabaseSettings { url, pool_size, timeout })
    }

    pub(crate) fn kafka(
        &self,
        default_topic: &str,
        default_group: &str,
    ) -> Result<KafkaSettings, ConfigError> {
        Ok(KafkaSettings {
            brokers: self.text("KAFKA_BROKERS", "localhost:9092"),
            topic: self.text("KAFKA_TOPIC", default_topic),
            group: self.text("KAFKA_GROUP", default_group),
            properties: self.pairs("KAFKA_PROPERTIES", "group.protocol=consumer")?,
        })
    }

    pub(crate) fn etcd(&self) -> Result<EtcdSettings, ConfigError> {
        let variable = "ETCD_ENDPOINTS";
        let endpoints: Vec<String> = self
            .text(variable, "http://localhost:2379")
            .split(',')
            .map(|endpoint| endpoint.trim().to_owned())
            .filter(|endpoint| !endpoint.is_empty())
            .collect();
        for endpoint in &endpoints {
            let usable = endpoint.starts_with("http://") && http::Uri::from_str(endpoint).is_ok();
            if !usable {
                let problem = format!("`{endpoint}` is not a URL of the form http://host:port");
                return Err(ConfigError::new(variable, problem));
            }
        }
        if endpoints.is_empty() {
            return Err(ConfigError::new(variable, "names no endpoint"));
        }
        Ok(EtcdSettings { endpoints, prefix: self.text("ETCD_PREFIX", "") })
    }

    /// `name=value` pairs, separated by `;`.
    fn pairs(&self, variable: &str, default: &str) -> Result<Vec<(String, String)>, ConfigError> {
        let text = self.text(variable, default);
        text.split(';')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                None => Err(ConfigError::new(variable, format!("`{pair}` is not name=value"))),
            })
            .collect()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Common {
    /// `admin_address` is the default of the service.
    pub(crate) fn from(
        environment: &Environment,
        program: &str,
        admin_address: &str,
    ) -> Result<Self, ConfigError> {
        let system = System::of(program);
        let defect = environment.get(system.defect_variable()).and_then(|name| Defect::of(program, name));
        let service_name = match defect {
            // Two services share one name when a block of configuration is copied and not edited.
            Some(Defect::ServiceNameCopied) if program == "analytics-consumer" => "url-api".to_owned(),
            _ => environment.text("OTEL_SERVICE_NAME", program),
        };
        Ok(Self {
            service_name,
            deployment_environment: environment.text("DEPLOYMENT_ENVIRONMENT", "development"),
            admin_address: environment.address("ADMIN_ADDR", admin_address)?,
            shutdown_grace: environment.milliseconds("SHUTDOWN_GRACE_MS", 5_000)?,
            // The pool's own warnings repeat what the caller is told anyway.
            log_level: environment.text("LOG_LEVEL", "info,deadpool.postgres=error"),
            admin_token: environment.get("ADMIN_TOKEN").map(str::to_owned),
            system,
            defect,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shortener::{DATABASE_URL, GROUP, TOPIC};

    #[test]
    fn an_empty_environment_is_a_working_configuration() {
        let environment = Environment::default();
        let common = Common::from(&environment, "url-api", "0.0.0.0:9464").unwrap();
        assert_eq!(common.service_name, "url-api");
        assert_eq!(common.admin_address.port(), 9464);
        assert_eq!(common.defect, None);
        assert_eq!(environment.kafka(TOPIC, GROUP).unwrap().topic, "click-events");
        assert_eq!(environment.etcd().unwrap().endpoints, ["http://localhost:2379"]);
        assert_eq!(environment.database(DATABASE_URL).unwrap().url.get_dbname(), Some("shortener"));
    }

    #[test]
    fn an_empty_value_counts_as_not_set() {
        let environment = Environment::from([("KAFKA_TOPIC", ""), ("ADMIN_ADDR", "  ")]);
        assert_eq!(environment.kafka(TOPIC, GROUP).unwrap().topic, "click-events");
        assert!(environment.address("ADMIN_ADDR", "127.0.0.1:0").is_ok());
    }

    #[test]
    fn a_value_that_cannot_be_used_names_its_variable() {
        let environment = Environment::from([
            ("ADMIN_ADDR", "9464"),
            ("RPC_DEADLINE_MS", "soon"),
            ("DATABASE_POOL_SIZE", "0"),
            ("ETCD_ENDPOINTS", "localhost:2379"),
            ("KAFKA_PROPERTIES", "fetch.wait.max.ms"),
        ]);
        let problem = |error: ConfigError| error.to_string();
        assert_eq!(
            problem(environment.address("ADMIN_ADDR", "").unwrap_err()),
            "ADMIN_ADDR: `9464` is not an IP address and a port"
        );
        let deadline = environment.milliseconds("RPC_DEADLINE_MS", 1).unwrap_err();
        assert!(problem(deadline).starts_with("RPC_DEADLINE_MS: `soon`"));
        assert!(problem(environment.database(DATABASE_URL).unwrap_err()).starts_with("DATABASE_POOL_SIZE"));
        assert!(problem(environment.etcd().unwrap_err()).contains("http://host:port"));
        assert!(problem(environment.kafka(TOPIC, GROUP).unwrap_err()).contains("not name=value"));
    }

    #[test]
    fn a_broken_database_url_is_refused_without_printing_it() {
        let environment = Environment::from([("DATABASE_URL", "postgres://u:hunter2@h:port/d")]);
        let message = environment.database(DATABASE_URL).unwrap_err().to_string();
        assert!(message.starts_with("DATABASE_URL: not a Postgres URL"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn kafka_properties_are_pairs_between_semicolons() {
        let environment =
            Environment::from([("KAFKA_PROPERTIES", "fetch.wait.max.ms=10; group.protocol=consumer;")]);
        let expected = [("fetch.wait.max.ms", "10"), ("group.protocol", "consumer")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(environment.kafka(TOPIC, GROUP).unwrap().properties, expected);
    }
}
