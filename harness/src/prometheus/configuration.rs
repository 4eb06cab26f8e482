//! Makes a configuration that was written for another network one that can be started here: host names become real
//! addresses, labels stay as they were, and nothing reaches past this machine.
//!
//! What is not touched is passed on as it stands, so that Prometheus judges it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// What replaces what in a configuration.
#[derive(Clone, Debug)]
pub struct Rewriting {
    /// Targets as they are written, `url-api:9464`, with the address that is asked instead. Whoever is not named here is no
    /// host at all.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Between two scrapes, and the longest that one may take.
    pub interval: Duration,
    /// The rules to load instead of the file's own.
    pub rule_files: Vec<PathBuf>,
}

/// The text is no configuration that could be rewritten. Prometheus would refuse it as well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a configuration: {0}")]
pub struct RewritingError(String);

/// Sections that send things elsewhere, or read further files.
const OUTWARD: [&str; 6] =
    ["alerting", "remote_write", "remote_read", "tracing", "otlp", "scrape_config_files"];

/// Fields of a job that would reach past this machine, or read files that are not here.
const REACHING: [&str; 7] = [
    "proxy_url",
    "proxy_from_environment",
    "proxy_connect_header",
    "oauth2",
    "basic_auth",
    "authorization",
    "tls_config",
];

/// A name that is refused before anybody is asked for it: no resolver sees it.
const NOBODY: &str = "no..such..host:1";

impl Rewriting {
    /// The configuration as JSON, which is YAML too.
    pub fn apply(&self, text: &str) -> Result<String, RewritingError> {
        let failed = |reason: String| RewritingError(reason);
        let mut file: Value =
            serde_saphyr::from_str(text).map_err(|error| failed(error.without_snippet().to_string()))?;
        if file.is_null() {
            file = json!({});
        }
        let Value::Object(sections) = &mut file else { return Err(failed("not a map".into())) };
        for outward in OUTWARD {
            sections.remove(outward);
        }
        let interval = self.milliseconds();
        let global = sections.entry("global").or_insert_with(|| json!({}));
        if global.is_null() {
            *global = json!({});
        }
        if let Value::Object(global) = global {
            for field in ["scrape_interval", "scrape_timeout", "evaluation_interval"] {
                global.insert(field.into(), interval.clone());
            }
        }
        sections.insert("rule_files".into(), json!(self.rule_files));
        if let Some(Value::Array(jobs)) = sections.get_mut("scrape_configs") {
            jobs.iter_mut().filter_map(Value::as_object_mut).for_each(|job| self.job(job));
        }
        serde_json::to_string_pretty(&file).map_err(|error| failed(error.to_string()))
    }

    fn milliseconds(&self) -> Value {
        json!(format!("{}ms", self.interval.as_millis()))
    }

    fn job(&self, job: &mut Map<String, Value>) {
        job.retain(|field, _| !field.ends_with("_sd_configs") && !REACHING.contains(&field.as_str()));
        job.remove("scrape_interval");
        job.remove("scrape_timeout");
        let targets = targets(job);
        let relabelings = job.entry("relabel_configs").or_insert_with(|| json!([]));
        if relabelings.is_null() {
            *relabelings = json!([]);
        }
        let Value::Array(relabelings) = relabelings else { return };
        // The name of a target is its address as written, unless the file gives it another.
        relabelings.push(json!({
            "source_labels": ["instance", "__address__"],
            "separator": ";",
            "regex": ";(.*)",
            "target_label": "instance",
            "replacement": "$1",
        }));
        for target in targets {
            let there = self.addresses.get(&target).map_or_else(|| NOBODY.to_owned(), ToString::to_string);
            relabelings.push(json!({
                "source_labels": ["__address__"],
                "regex": literal(&target),
                "target_label": "__address__",
                "replacement": there,
            }));
        }
    }
}

/// The distinct targets of a job's `static_configs`.
fn targets(job: &Map<String, Value>) -> Vec<String> {
    let groups = job.get("static_configs").and_then(Value::as_array).into_iter().flatten();
    let targets = groups.filter_map(|group| group.get("targets")?.as_array()).flatten();
    let mut targets: Vec<String> = targets.filter_map(|target| target.as_str().map(String::from)).collect();
    targets.sort();
    targets.dedup();
    targets
}

/// A regular expression (RE2) that matches this text and nothing else.
fn literal(text: &str) -> String {
    let mut expression = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewriting() -> Rewriting {
        Rewriting {
            addresses: BTreeMap::from([("url-api:9464".to_owned(), "127.0.0.1:41000".parse().unwrap())]),
            interval: Duration::from_secs(1),
            rule_files: Vec::new(),
        }
    }

    fn applied(text: &str) -> Value {
        serde_json::from_str(&rewriting().apply(text).unwrap()).unwrap()
    }

    #[test]
    fn hosts_become_addresses_and_keep_their_names() {
        let file =
            applied("scrape_configs: [{job_name: a, static_configs: [{targets: ['url-api:9464', 'x:1']}]}]");
        let job = &file["scrape_configs"][0];
        assert_eq!(job["static_configs"][0]["targets"], json!(["url-api:9464", "x:1"]));
        let relabelings = job["relabel_configs"].as_array().unwrap();
        assert_eq!(relabelings[0]["target_label"], "instance");
        assert_eq!(relabelings[1]["regex"], "url\\-api\\:9464");
        assert_eq!(relabelings[1]["replacement"], "127.0.0.1:41000");
        assert_eq!(relabelings[2]["replacement"], NOBODY);
    }

    #[test]
    fn nothing_reaches_past_this_machine() {
        let text = "
alerting: {alertmanagers: [{static_configs: [{targets: ['far:9093']}]}]}
remote_write: [{url: 'http://far/write'}]
scrape_configs:
  - job_name: a
    proxy_url: http://far
    oauth2: {client_id: x}
    kubernetes_sd_configs: [{role: pod}]
    static_configs: [{targets: ['far:1']}]
";
        let text = rewriting().apply(text).unwrap();
        for gone in ["alerting", "remote_write", "proxy_url", "oauth2", "kubernetes_sd_configs"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        assert!(text.contains("\"replacement\": \"no..such..host:1\""), "{text}");
    }

    #[test]
    fn the_pace_is_ours_and_the_rest_is_as_it_was() {
        let text = "global: {scrape_interval: 15s, external_labels: {a: b}}\nscrape_configs:\n  - job_name: a\n    \
                    scrape_timeout: 14s\n    sample_limit: 7\n    unknown_field: 3\n    relabel_configs: [{action: labelmap, regex: x}]\n";
        let file = applied(text);
        assert_eq!(file["global"]["scrape_interval"], "1000ms");
        assert_eq!(file["global"]["external_labels"], json!({"a": "b"}));
        let job = &file["scrape_configs"][0];
        assert_eq!((&job["sample_limit"], &job["unknown_field"]), (&json!(7), &json!(3)));
        assert!(job.get("scrape_timeout").is_none());
        assert_eq!(job["relabel_configs"][0]["action"], "labelmap");
    }

    #[test]
    fn what_is_no_map_is_said_and_nothing_panics() {
        for text in ["[1]", "a: [", "\u{0}", "- x: y"] {
            assert!(rewriting().apply(text).is_err(), "{text:?}");
        }
        for text in [
            "",
            "scrape_configs:\n",
            "scrape_configs: [3]",
            "scrape_configs: [{static_configs: 3, relabel_configs: 4}]",
        ] {
            assert!(rewriting().apply(text).is_ok(), "{text:?}");
        }
    }
}
