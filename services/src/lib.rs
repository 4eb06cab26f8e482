//! The reference services that Probity is shown on: a URL shortener in three processes.
//!
//! | service | main port | does |
//! | --- | --- | --- |
//! | [`url_api`] | 8080 | creates links, redirects, tells the click count |
//! | [`analytics_rpc`] | 50051 | answers click counts over gRPC, found through etcd |
//! | [`analytics_consumer`] | none | turns click events from Kafka into rows |
//!
//! They are built as one would build them for production, and conform to the semantic conventions at version 1.44.0. Each can be
//! told to make one mistake ([`defects`]). `README.md` beside this crate lists variables, metrics and span trees.

mod admin;
mod analytics_protocol;
mod click_event;
#[cfg(test)]
mod compose;
mod config;
mod database;
mod defect;
mod discovery;
mod grpc;
mod healthcheck;
mod http_server;
mod kafka;
mod metrics;
mod propagation;
mod service;
mod shortener;
mod system;
mod telemetry;

pub mod analytics_consumer;
pub mod analytics_rpc;
pub mod url_api;

pub use defect::{DefectInfo, defects};
