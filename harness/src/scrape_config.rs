//! Reads a Prometheus configuration for what it scrapes: jobs and their targets, with the line of each, resolved through
//! the network that the declaration describes.
//!
//! Pure. Prometheus's schema is large, so fields that do not concern scraping are passed over; what would change which
//! targets are scraped, or how, and is not evaluated (service discovery, relabelings) is said of each job.

mod file;
mod network;

use crate::model::{Declaration, Target};

pub use network::resolve;

/// The jobs of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrapeConfig {
    pub jobs: Vec<Job>,
    /// What else decides which targets there are and was not evaluated (`scrape_config_files`).
    pub not_evaluated: Vec<String>,
}

/// One `scrape_configs` entry, its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    /// From 1.
    pub line: u32,
    pub targets: Vec<StaticTarget>,
    pub fallback_protocol: Option<String>,
    /// What decides about its targets and was not evaluated, by the names of the fields.
    pub not_evaluated: Vec<String>,
}

/// A target of `static_configs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticTarget {
    /// `host:port`, as written.
    pub address: String,
    /// Where it stands, from 1.
    pub line: u32,
    pub scheme: String,
    pub path: String,
}

/// Why a text is no Prometheus configuration. Prometheus would not start with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ConfigError {
    /// From 1; 0 when it is not known.
    pub line: u32,
    pub what: String,
}

/// Reads the text of a `prometheus.yml`.
///
/// # Errors
/// What is not YAML, a field of the wrong type, a job without a name, or two jobs of one name.
pub fn parse(text: &str) -> Result<ScrapeConfig, ConfigError> {
    file::parse(text)
}

impl ScrapeConfig {
    /// Every target with the port that it resolves to. Answers are left for whoever asks them.
    pub fn targets(&self, file: &str, declaration: &Declaration) -> Vec<Target> {
        let resolved = |job: &Job, target: &StaticTarget| Target {
            file: file.into(),
            line: target.line,
            job: job.name.clone(),
            address: target.address.clone(),
            scheme: target.scheme.clone(),
            path: target.path.clone(),
            resolved: resolve(&target.address, &target.scheme, declaration),
            answer: None,
            fallback_protocol: job.fallback_protocol.clone(),
            not_evaluated: (!job.not_evaluated.is_empty()).then(|| job.not_evaluated.join(", ")),
            prometheus: None,
        };
        self.jobs.iter().flat_map(|job| job.targets.iter().map(move |target| resolved(job, target))).collect()
    }

    /// Whether there may be targets that are not seen here.
    pub fn is_partial(&self) -> bool {
        let discovers = |field: &String| field.ends_with("_sd_configs");
        !self.not_evaluated.is_empty() || self.jobs.iter().any(|job| job.not_evaluated.iter().any(discovers))
    }
}

#[cfg(test)]
mod tests;
