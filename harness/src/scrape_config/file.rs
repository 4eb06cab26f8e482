//! The part of Prometheus's schema that decides what is scraped, and how.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{ConfigError, Job, ScrapeConfig, StaticTarget};
use crate::nearest::nearest;

/// The largest file that is read, in bytes.
const FILE_LIMIT: usize = 4 << 20;

pub(super) fn parse(text: &str) -> Result<ScrapeConfig, ConfigError> {
    if text.len() > FILE_LIMIT {
        return Err(ConfigError { line: 0, what: format!("more than {FILE_LIMIT} bytes") });
    }
    if text.trim().is_empty() {
        return Ok(ScrapeConfig::default());
    }
    let file: Option<File> = serde_saphyr::from_str(text).map_err(not_read)?;
    let file = file.unwrap_or_default();
    let mut names = HashSet::new();
    let mut jobs = Vec::new();
    for entry in file.scrape_configs.unwrap_or_default() {
        let line = entry.referenced.line() as u32;
        let job = entry.value.job(line)?;
        if !names.insert(job.name.clone()) {
            return Err(ConfigError { line, what: format!("a second job of the name `{}`", job.name) });
        }
        jobs.push(job);
    }
    let files = file.scrape_config_files.is_some_and(|files| !files.is_empty());
    let not_evaluated = if files { vec!["scrape_config_files".into()] } else { Vec::new() };
    Ok(ScrapeConfig { jobs, not_evaluated })
}

/// The error in one line; the place is said apart.
fn not_read(error: serde_saphyr::Error) -> ConfigError {
    let line = error.location().map_or(0, |location| location.line() as u32);
    let text = error.without_snippet().to_string();
    let what = text.lines().next().unwrap_or("not YAML").chars().take(200).collect();
    ConfigError { line, what }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scrape_configs: Option<Vec<Spanned<Entry>>>,
    scrape_config_files: Option<Vec<IgnoredAny>>,
    #[serde(rename = "global")]
    _global: Option<IgnoredAny>,
    #[serde(rename = "runtime")]
    _runtime: Option<IgnoredAny>,
    #[serde(rename = "alerting")]
    _alerting: Option<IgnoredAny>,
    #[serde(rename = "rule_files")]
    _rule_files: Option<IgnoredAny>,
    #[serde(rename = "storage")]
    _storage: Option<IgnoredAny>,
    #[serde(rename = "tracing")]
    _tracing: Option<IgnoredAny>,
    #[serde(rename = "remote_write")]
    _remote_write: Option<IgnoredAny>,
    #[serde(rename = "remote_read")]
    _remote_read: Option<IgnoredAny>,
    #[serde(rename = "otlp")]
    _otlp: Option<IgnoredAny>,
}

/// Further fields of a job, of versions 2 and 3: Prometheus does not start with one that it does not know.
const PASSED_OVER: [&str; 29] = [
    "always_scrape_classic_histograms",
    "bearer_token",
    "bearer_token_file",
    "body_size_limit",
    "convert_classic_histograms_to_nhcb",
    "enable_compression",
    "enable_http2",
    "extra_scrape_metrics",
    "follow_redirects",
    "honor_labels",
    "honor_timestamps",
    "http_headers",
    "keep_dropped_targets",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "metric_name_escaping_scheme",
    "metric_name_validation_scheme",
    "metric_relabel_configs",
    "native_histogram_bucket_limit",
    "native_histogram_min_bucket_factor",
    "no_proxy",
    "proxy_connect_header",
    "sample_limit",
    "scrape_classic_histograms",
    "scrape_failure_log_file",
    "scrape_native_histograms",
    "target_limit",
    "track_timestamps_staleness",
];

/// Those that are read here, for the advice on one that is not known.
const READ: [&str; 6] =
    ["job_name", "scheme", "metrics_path", "fallback_scrape_protocol", "static_configs", "relabel_configs"];

/// How often a job is scraped.
const PACE: [&str; 3] = ["scrape_interval", "scrape_timeout", "scrape_protocols"];

/// Fields of a job under which a target is asked through others, or answers only who knows something.
const ELSEWHERE: [&str; 7] =
    ["params", "proxy_url", "proxy_from_environment", "oauth2", "basic_auth", "authorization", "tls_config"];

/// A `scrape_configs` entry. Read by hand, since `flatten` would lose the lines.
#[derive(Default)]
struct Entry {
    job_name: Option<String>,
    scheme: Option<String>,
    metrics_path: Option<String>,
    fallback_scrape_protocol: Option<String>,
    static_configs: Vec<StaticConfig>,
    not_evaluated: Vec<String>,
    /// The first field that Prometheus does not know.
    unknown: Option<ConfigError>,
}

#[derive(Deserialize)]
struct StaticConfig {
    targets: Option<Vec<Spanned<String>>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Relabeling {
    action: Option<String>,
    target_label: Option<String>,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scrape configuration: a map with `job_name`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let (line, field) = (key.referenced.line() as u32, key.value);
            match field.as_str() {
                "job_name" => entry.job_name = map.next_value()?,
                "scheme" => entry.scheme = map.next_value()?,
                "metrics_path" => entry.metrics_path = map.next_value()?,
                "fallback_scrape_protocol" => entry.fallback_scrape_protocol = map.next_value()?,
                "static_configs" => {
                    entry.static_configs = map.next_value::<Option<_>>()?.unwrap_or_default();
                }
                "relabel_configs" => {
                    let relabelings: Option<Vec<Relabeling>> = map.next_value()?;
                    if relabelings.unwrap_or_default().iter().any(Relabeling::moves_targets) {
                        entry.not_evaluated.push(field);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    let known = |fields: &[&str]| fields.contains(&field.as_str());
                    if field.ends_with("_sd_configs") || known(&ELSEWHERE) {
                        entry.not_evaluated.push(field);
                    } else if !known(&PASSED_OVER) && !known(&PACE) {
                        entry.unknown.get_or_insert(ConfigError { line, what: unknown(&field) });
                    }
                }
            }
        }
        Ok(entry)
    }
}

fn unknown(field: &str) -> String {
    let fields = READ.iter().chain(&PASSED_OVER).chain(&PACE).chain(&ELSEWHERE);
    let nearest = nearest(field, fields.copied());
    let meant = nearest.map(|nearest| format!(", did you mean `{nearest}`?")).unwrap_or_default();
    format!("unknown field `{field}`{meant}")
}

impl Relabeling {
    /// Whether it can drop a target or change how it is scraped; the others only decorate the series.
    fn moves_targets(&self) -> bool {
        let action = self.action.as_deref().unwrap_or("replace").to_ascii_lowercase();
        match action.as_str() {
            "keep" | "drop" | "keepequal" | "dropequal" => true,
            _ => self.target_label.as_deref().is_some_and(|label| label.starts_with("__")),
        }
    }
}

impl Entry {
    fn job(self, line: u32) -> Result<Job, ConfigError> {
        if let Some(unknown) = self.unknown {
            return Err(unknown);
        }
        let name = self.job_name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| ConfigError { line, what: "a job without `job_name`".into() })?;
        let scheme = self.scheme.unwrap_or_else(|| "http".into());
        if scheme != "http" && scheme != "https" {
            return Err(ConfigError {
                line,
                what: format!("the scheme of `{name}` is neither http nor https"),
            });
        }
        let path = self.metrics_path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/metrics".into());
        let targets =
            self.static_configs.into_iter().flat_map(|group| group.targets(&scheme, &path)).collect();
        let (fallback_protocol, not_evaluated) = (self.fallback_scrape_protocol, self.not_evaluated);
        Ok(Job { name, line, targets, fallback_protocol, not_evaluated })
    }
}

impl StaticConfig {
    /// Labels of the group may change how its targets are scraped.
    fn targets(self, scheme: &str, path: &str) -> Vec<StaticTarget> {
        let labels = self.labels.unwrap_or_default();
        let label = |name: &str, default: &str| labels.get(name).map_or(default, String::as_str).to_string();
        let targets = self.targets.unwrap_or_default().into_iter();
        targets
            .map(|target| StaticTarget {
                line: target.referenced.line() as u32,
                address: target.value,
                scheme: label("__scheme__", scheme),
                path: label("__metrics_path__", path),
            })
            .collect()
    }
}
