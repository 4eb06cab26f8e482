//! Probity starts a system with its real backends and an OTLP collector inside the test process, drives traffic,
//! captures every span, metric and log, and judges them by named rules.
//!
//! The flow goes one way and is pure in the middle:
//! `Stack → Running → stimuli → barrier → Evidence → rules → Findings → Verdict → reports`.
//! Everything left of [`model::Evidence`] may fail for reasons of the machine; everything right of it is deterministic.

pub mod backend;
pub mod bundle;
pub mod cli;
pub mod collector;
pub mod diff;
pub mod exposition;
mod inert;
pub mod judge;
pub mod known;
pub mod model;
pub mod mutation;
mod nearest;
pub mod otlp;
pub mod outline;
pub mod process;
pub mod prometheus;
pub mod prove;
pub mod proxy;
pub mod report;
pub mod rules;
pub mod run;
pub mod scrape_config;
pub mod snapshot;
pub mod until;
pub mod workdir;
