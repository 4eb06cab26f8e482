//! The HTTP API of Prometheus (`/api/v1`), as far as it is asked. Answers are bounded.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::until::Probe;

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("prometheus did not answer {path}: {error}")]
    Unreachable { path: &'static str, error: reqwest::Error },
    /// Prometheus's own words, such as a parse error of an expression.
    #[error("{0}")]
    Refused(String),
    #[error("prometheus answered {path} with what is no answer of its API: {reason}")]
    Garbled { path: &'static str, reason: String },
}

/// A target, as Prometheus sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveTarget {
    /// What is attached to its series: `job`, `instance`.
    pub labels: BTreeMap<String, String>,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// Where it was asked, rewritten address included.
    pub scrape_url: String,
    pub health: Health,
    /// How many samples the last scrape had; `None`: it failed.
    #[serde(skip)]
    pub samples: Option<u64>,
}

impl ActiveTarget {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Up,
    Down,
    /// Not scraped yet.
    Unknown,
}

/// One series of a result, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// A rule, and what came of its last evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleState {
    pub name: String,
    /// `ok`, `err`, or `unknown` before its first evaluation.
    pub health: String,
    #[serde(default)]
    pub last_error: String,
    /// Of alerts only: `inactive`, `pending`, `firing`.
    #[serde(default)]
    pub state: Option<String>,
}

/// A client of one Prometheus. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Client {
        // Without a TLS backend or proxy to set up, building cannot fail.
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(ANSWER_LIMIT).build();
        Client { base: format!("http://{address}"), http: http.unwrap_or_default() }
    }

    pub(super) async fn ready(&self) -> Probe<()> {
        match self.http.get(format!("{}/-/ready", self.base)).send().await {
            Ok(answer) if answer.status().is_success() => Probe::Ready(()),
            Ok(answer) => Probe::NotYet(answer.status().to_string()),
            Err(error) => Probe::NotYet(error.to_string()),
        }
    }

    pub(super) async fn targets(&self) -> Result<Vec<ActiveTarget>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Targets {
            active_targets: Vec<ActiveTarget>,
        }
        let targets: Targets = self.ask("/api/v1/targets", &[("state", "active")]).await?;
        Ok(targets.active_targets)
    }

    pub(super) async fn query(&self, expression: &str) -> Result<Vec<Series>, ApiError> {
        let result: QueryResult = self.ask("/api/v1/query", &[("query", expression)]).await?;
        result.series().map_err(|reason| ApiError::Garbled { path: "/api/v1/query", reason })
    }

    pub(super) async fn exemplars(&self, expression: &str) -> Result<Vec<String>, ApiError> {
        #[derive(Deserialize)]
        struct SeriesExemplars {
            exemplars: Vec<Exemplar>,
        }
        #[derive(Deserialize)]
        struct Exemplar {
            labels: BTreeMap<String, String>,
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (start, end) = (now.saturating_sub(3_600).to_string(), (now + 60).to_string());
        let fields = [("query", expression), ("start", &start), ("end", &end)];
        let found: Vec<SeriesExemplars> = self.ask("/api/v1/query_exemplars", &fields).await?;
        let exemplars = found.into_iter().flat_map(|series| series.exemplars);
        Ok(exemplars.filter_map(|mut exemplar| exemplar.labels.remove("trace_id")).collect())
    }

    pub(super) async fn rules(&self) -> Result<Vec<RuleState>, ApiError> {
        #[derive(Deserialize)]
        struct Rules {
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            rules: Vec<RuleState>,
        }
        let rules: Rules = self.ask("/api/v1/rules", &[]).await?;
        Ok(rules.groups.into_iter().flat_map(|group| group.rules).collect())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &'static str,
        fields: &[(&str, &str)],
    ) -> Result<T, ApiError> {
        let query: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let url = format!("{}{path}?{}", self.base, query.join("&"));
        let unreachable = |error| ApiError::Unreachable { path, error };
        let mut answer = self.http.get(url).send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(ApiError::Garbled {
                    path,
                    reason: format!("more than {ANSWER_BYTES_MAX} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        let envelope: Envelope<T> = serde_json::from_slice(&body)
            .map_err(|error| ApiError::Garbled { path, reason: error.to_string() })?;
        match envelope {
            Envelope { data: Some(data), error: None } => Ok(data),
            Envelope { error, .. } => {
                Err(ApiError::Refused(error.unwrap_or_else(|| "an answer without data".into())))
            }
        }
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum QueryResult {
    Vector(Vec<VectorItem>),
    Scalar(Value),
    Matrix(IgnoredAny),
    String(IgnoredAny),
}

#[derive(Deserialize)]
struct VectorItem {
    metric: BTreeMap<String, String>,
    value: Value,
}

/// A time, and a number as text.
type Value = (IgnoredAny, String);

impl QueryResult {
    fn series(self) -> Result<Vec<Series>, String> {
        let number = |text: &str| text.parse::<f64>().map_err(|error| format!("`{text}`: {error}"));
        match self {
            QueryResult::Scalar((_, text)) => {
                Ok(vec![Series { labels: BTreeMap::new(), value: number(&text)? }])
            }
            QueryResult::Vector(items) => items
                .into_iter()
                .map(|item| Ok(Series { labels: item.metric, value: number(&item.value.1)? }))
                .collect(),
            QueryResult::Matrix(_) | QueryResult::String(_) => {
                Err("a range or a string, not a vector".into())
            }
        }
    }
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(json: &str) -> Result<Vec<Series>, String> {
        serde_json::from_str::<QueryResult>(json).unwrap().series()
    }

    #[test]
    fn vectors_and_scalars_are_series() {
        let vector = r#"{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1.5,"NaN"]}]}"#;
        let seen = series(vector).unwrap();
        assert_eq!(seen[0].labels["job"], "a");
        assert!(seen[0].value.is_nan());
        let scalar = series(r#"{"resultType":"scalar","result":[1.5,"+Inf"]}"#).unwrap();
        assert_eq!(scalar, [Series { labels: BTreeMap::new(), value: f64::INFINITY }]);
        assert!(series(r#"{"resultType":"matrix","result":[]}"#).is_err());
        assert!(series(r#"{"resultType":"scalar","result":[1.5,"much"]}"#).is_err());
    }

    #[test]
    fn expressions_survive_the_address() {
        assert_eq!(percent_encoded("a{b=~\"5..\"}[5m] + é"), "a%7Bb%3D~%225..%22%7D%5B5m%5D%20%2B%20%C3%A9");
    }
}
