//! A scrape configuration against the shortener, answered as its ports would answer.

use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::scrape_config;

pub(in crate::rules) const FILE: &str = "compose/prometheus.yml";

pub(in crate::rules) const CONFIG: &str = "\
scrape_configs:
  - job_name: url-api
    static_configs:
      - targets: [\"url-api:9464\"]
  - job_name: analytics-rpc
    static_configs:
      - targets: [\"analytics-rpc:9465\"]
  - job_name: analytics-consumer
    static_configs:
      - targets: [\"analytics-consumer:9466\"]
";

/// The three services, and their Prometheus with that configuration.
pub(in crate::rules) fn scraped_by(config: &str) -> Build {
    let mut build = Build::new();
    for service in ["url-api", "analytics-rpc", "analytics-consumer"] {
        build.process(service);
    }
    let parsed = scrape_config::parse(config);
    let error = parsed.as_ref().err().map(ToString::to_string);
    build.evidence_mut().files.push(ConfigFile {
        name: FILE.into(),
        text: config.into(),
        error,
        prometheus: None,
    });
    let mut targets = parsed.unwrap_or_default().targets(FILE, &declaration());
    for target in &mut targets {
        if let Resolution::Port { role, .. } = &target.resolved {
            target.answer = Some(answer(role, &target.path));
        }
    }
    build.evidence_mut().targets = targets;
    build
}

/// What a service answers on that port.
pub(in crate::rules) fn answer(role: &str, path: &str) -> HttpAnswer {
    let (status, content_type, body) = match (role, path) {
        ("admin", "/metrics") => {
            let body = "# HELP up_seconds Up.\n# TYPE up_seconds gauge\nup_seconds 1\n# EOF\n";
            (200, "application/openmetrics-text; version=1.0.0; charset=utf-8", body)
        }
        ("admin", "/") => (200, "text/html; charset=utf-8", "<a href=\"/metrics\">metrics</a>"),
        ("main", _) => (404, "application/json", "{\"error\":\"no link has this code\"}"),
        _ => (404, "text/plain", ""),
    };
    HttpAnswer {
        status: Some(status),
        content_type: Some(content_type.into()),
        body: body.into(),
        error: None,
        took_ms: None,
    }
}

pub(in crate::rules) fn judge(rule: &str, build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    let rule = crate::rules::find(rule).expect("a registered rule");
    crate::rules::testing::judged(rule, &Case::new(&evidence, Some(&declaration)))
}

pub(in crate::rules) fn errors(judgement: &Judgement) -> Vec<&str> {
    let errors = judgement.findings.iter().filter(|finding| finding.is_error());
    errors.map(|finding| finding.subject.as_str()).collect()
}
