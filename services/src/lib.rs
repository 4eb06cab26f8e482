//! The reference services that Probity is shown on: a URL shortener in three processes, and a ledger in six.
//!
//! | service | main port | does |
//! | --- | --- | --- |
//! | [`url_api`] | 8080 | creates links, redirects, tells the click count |
//! | [`analytics_rpc`] | 50051 | answers click counts over gRPC, found through etcd |
//! | [`analytics_consumer`] | none | turns click events from Kafka into rows |
//! | [`gateway`] | 8081 | the door of the ledger |
//! | [`orchestrator`] | 8082 | carries a transfer through |
//! | [`accounts`] | 50052 | knows the accounts, found through etcd |
//! | [`ledger`] | 8083 | writes both sides of a transfer, and publishes entries from an outbox |
//! | [`read_model`] | 8084 | projects balances and statements |
//! | [`notifier`] | none | notes settled transfers that RabbitMQ brings |
//!
//! They are built as one would build them for production, and conform to the semantic conventions at version 1.44.0. Each can be
//! told to make one mistake ([`defects`]). `README.md` and `LEDGER.md` beside this crate list variables,
//! metrics and span trees.

mod accounts_protocol;
mod admin;
mod amqp;
mod analytics_protocol;
mod bookkeeping;
mod click_event;
#[cfg(test)]
mod compose;
mod config;
mod database;
mod defect;
mod discovery;
mod grpc;
mod healthcheck;
mod http_client;
mod http_server;
mod kafka;
mod metrics;
mod propagation;
mod service;
mod shortener;
mod system;
mod telemetry;

pub mod accounts;
pub mod analytics_consumer;
pub mod analytics_rpc;
pub mod gateway;
pub mod ledger;
pub mod notifier;
pub mod orchestrator;
pub mod read_model;
pub mod url_api;

pub use defect::{DefectInfo, defects};
