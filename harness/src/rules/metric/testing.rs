//! Expositions written by hand, and a system that declares what they hold.

use std::fmt::Write as _;

use crate::model::build::{Build, at, declaration as shortener};
use crate::model::*;

pub(in crate::rules) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(in crate::rules) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds around an objective of 250 ms.
pub(in crate::rules) const BOUNDS: &[f64] = &[0.005, 0.05, 0.25, 1.0];

pub(in crate::rules) const LATENCY: &str = "http_server_request_duration_seconds";
pub(in crate::rules) const REQUESTS: &str = "http_server_requests";
pub(in crate::rules) const CALLS: &str = "rpc_client_calls";
pub(in crate::rules) const DEGRADED: &str = "shortener_degraded_answers";

/// The shortener with every family of url-api declared.
pub(in crate::rules) fn declaration() -> Declaration {
    let mut declaration = shortener();
    let family = |name: &str, labels: &[&str], counts| Family {
        name: name.into(),
        kind: FamilyKind::Counter,
        unit: String::new(),
        labels: labels.iter().map(|label| label.to_string()).collect(),
        counts: Some(counts),
        slo_bound: None,
    };
    let api = &mut declaration.services[0].families;
    let requests = api[0].counts.clone().expect("the latency counts requests");
    let labels = ["http_request_method", "http_route", "http_response_status_code"];
    api.push(family(REQUESTS, &labels, requests));
    let status_label = Some("rpc_response_status_code".to_string());
    let calls = Counted::Calls { to: "analytics-rpc".into(), status_label };
    api.push(family(CALLS, &["rpc_response_status_code"], calls));
    api.push(family(
        "messaging_client_sent_messages",
        &[],
        Counted::RecordsSent { topic: "click-events".into() },
    ));
    api.push(family(DEGRADED, &["reason"], Counted::DegradedAnswers));
    let consumed = Counted::RecordsConsumed { topic: "click-events".into() };
    declaration.services[2].families.push(family("messaging_client_consumed_messages", &[], consumed));
    declaration
}

/// An exposition in OpenMetrics, family by family.
#[derive(Clone, Default)]
pub(in crate::rules) struct Body(String);

impl Body {
    pub(in crate::rules) fn counter(mut self, name: &str, series: &[(&str, u64)]) -> Self {
        _ = writeln!(self.0, "# HELP {name} Counted.\n# TYPE {name} counter");
        series.iter().for_each(|(labels, value)| _ = writeln!(self.0, "{name}_total{{{labels}}} {value}"));
        self
    }

    pub(in crate::rules) fn gauge(mut self, name: &str, series: &[(&str, f64)]) -> Self {
        _ = writeln!(self.0, "# HELP {name} Measured.\n# TYPE {name} gauge");
        series.iter().for_each(|(labels, value)| _ = writeln!(self.0, "{name}{{{labels}}} {value}"));
        self
    }

    /// Each series with how many observations it has, and how long each was.
    pub(in crate::rules) fn histogram(
        mut self,
        name: &str,
        bounds: &[f64],
        series: &[(&str, u64, f64)],
    ) -> Self {
        _ = writeln!(self.0, "# HELP {name} Durations.\n# TYPE {name} histogram");
        for (labels, count, each) in series {
            let comma = if labels.is_empty() { "" } else { "," };
            for bound in bounds {
                let below = if each <= bound { *count } else { 0 };
                _ = writeln!(self.0, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {below}");
            }
            _ = writeln!(self.0, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
            _ = writeln!(self.0, "{name}_count{{{labels}}} {count}");
            _ = writeln!(self.0, "{name}_sum{{{labels}}} {}", *count as f64 * each);
        }
        self
    }

    pub(in crate::rules) fn raw(mut self, lines: &str) -> Self {
        self.0.push_str(lines);
        self
    }

    pub(in crate::rules) fn text(&self) -> String {
        format!("{}# EOF\n", self.0)
    }
}

/// The labels of requests: method, route, status.
pub(in crate::rules) fn request(method: &str, route: &str, status: u16) -> String {
    format!(r#"http_request_method="{method}",http_route="{route}",http_response_status_code="{status}""#)
}

/// url-api, asked twice for a code that it knows and once for one that it does not, before anything is scraped.
pub(in crate::rules) struct Asked {
    pub(super) build: Build,
    pub(super) api: ProcessId,
}

impl Asked {
    pub(in crate::rules) fn new() -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        let mut asked = Asked { build, api };
        asked.ask("click", "GET", "/abc", 302);
        asked.ask("click", "GET", "/abc", 302);
        asked.ask("click", "GET", "/nobody", 404);
        asked
    }

    pub(in crate::rules) fn ask(
        &mut self,
        operation: &str,
        method: &str,
        path: &str,
        status: u16,
    ) -> &mut Stimulus {
        self.build.stimulus(&self.api, operation, method, path, status)
    }

    /// A link detail, degraded or not.
    pub(in crate::rules) fn detail(&mut self, degraded: bool) -> &mut Stimulus {
        let clicks = u8::from(!degraded);
        let stimulus = self.ask("detail", "GET", "/api/v1/links/abc", 200);
        stimulus.answer.as_mut().expect("an answer").body =
            format!(r#"{{"clicks":{clicks},"degraded":{degraded}}}"#);
        stimulus
    }

    /// The last scrape.
    pub(in crate::rules) fn scraped(mut self, body: &Body) -> Self {
        self.build.scrape(&self.api, ScrapeStage::Last, OPENMETRICS, &body.text());
        self
    }

    /// What the last scrape would show of the requests so far.
    pub(in crate::rules) fn truth(&self) -> Vec<(String, u64)> {
        let mut truth: Vec<(String, u64)> = Vec::new();
        let evidence = self.build.evidence();
        let declaration = declaration();
        let case = Case::new(&evidence, Some(&declaration));
        for stimulus in &evidence.stimuli {
            let StimulusKind::Http { method, .. } = &stimulus.kind else { continue };
            let route = crate::rules::traffic::operation_of(&case, stimulus)
                .map_or("unmatched", |found| &found.route);
            let Some(answer) = &stimulus.answer else { continue };
            let labels = request(method, route, answer.status);
            match truth.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, count)) => *count += 1,
                None => truth.push((labels, 1)),
            }
        }
        truth
    }

    /// The true latency family, each request one millisecond long.
    pub(in crate::rules) fn latency(&self) -> Body {
        let truth = self.truth();
        let series: Vec<_> = truth.iter().map(|(labels, count)| (labels.as_str(), *count, 0.001)).collect();
        Body::default().histogram(LATENCY, BOUNDS, &series)
    }

    /// The true families of requests.
    pub(in crate::rules) fn requests(&self) -> Body {
        let truth = self.truth();
        let series: Vec<_> = truth.iter().map(|(labels, count)| (labels.as_str(), *count)).collect();
        self.latency().counter(REQUESTS, &series)
    }

    pub(in crate::rules) fn judge(&self, rule: &str) -> Judgement {
        judge(rule, &self.build)
    }
}

pub(in crate::rules) fn judge(rule: &str, build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    judge_with(rule, &evidence, Some(&declaration))
}

pub(in crate::rules) fn judge_with(
    rule: &str,
    evidence: &Evidence,
    declaration: Option<&Declaration>,
) -> Judgement {
    let rule = crate::rules::find(rule).expect("a registered rule");
    crate::rules::testing::judged(rule, &Case::new(evidence, declaration))
}

/// The subjects of the errors.
pub(in crate::rules) fn errors(judgement: &Judgement) -> Vec<&str> {
    let errors = judgement.findings.iter().filter(|finding| finding.is_error());
    errors.map(|finding| finding.subject.as_str()).collect()
}

/// A scrape of a process with that content type and body, at that built millisecond.
pub(in crate::rules) fn scrape(
    process: &ProcessId,
    stage: ScrapeStage,
    ms: u64,
    content_type: &str,
    body: &str,
) -> Scrape {
    Scrape {
        process: process.clone(),
        service: process.as_str().split('#').next().unwrap_or_default().into(),
        at: at(ms),
        stage,
        answer: HttpAnswer {
            status: Some(200),
            content_type: Some(content_type.into()),
            body: body.into(),
            error: None,
            took_ms: None,
        },
    }
}
