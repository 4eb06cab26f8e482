//! A small run that has one of everything, for the tests of the forms of a report.

use super::{BackendReport, Counts, Judged, ProcessReport, RuleReport, RunReport, ScenarioReport};
use crate::model::build::{Build, declaration};
use crate::model::{
    Barrier, BarrierKind, Declaration, Evidence, Finding, Gap, Kind, Known, Outcome, Severity, SourcePlace,
    Verdict,
};

/// Text that tries to leave every form that it is written in.
pub(super) const HOSTILE: &str = "]]></system-out><script>alert(1)</script>&lt;\u{0}\u{1b}[31m\u{202e}\u{ffff}\r\n::error file=x::boo\n  \
     ##[error]boo\n```\n````\n~~~\n| a | b |\n# h\n<img src=x onerror=y>\n@octocat #1 https://evil.example www.evil.example \
     [x](javascript:alert(1)) `code` %0A::stop-commands::x\n--> {0} {{1}}";

/// A run and what it was judged on.
pub(super) struct Example {
    pub(super) run: RunReport,
    evidence: Vec<Evidence>,
    declaration: Declaration,
}

impl Example {
    pub(super) fn cases(&self) -> Vec<Judged<'_>> {
        let case = |(report, evidence)| Judged { report, evidence, declaration: Some(&self.declaration) };
        self.run.scenarios.iter().zip(&self.evidence).map(case).collect()
    }

    /// The finding that heads the red scenario.
    pub(super) fn first(&mut self) -> &mut Finding {
        &mut self.run.scenarios[0].findings[0]
    }
}

/// Six scenarios: red, warned, incomplete, broken, skipped and green.
pub(super) fn example() -> Example {
    let (evidence, span) = click("a_click_is_one_trace");
    let mut red = scenario("a_click_is_one_trace", Verdict::Fail);
    red.rules = vec![
        rule("TRACE-04", Outcome::Pass),
        rule("MSG-02", Outcome::Fail),
        rule("SCRAPE-01", Outcome::Fail),
    ];
    let scrape = Finding {
        rule: "SCRAPE-01".into(),
        fault: "down".into(),
        at: Some(SourcePlace { file: "compose/prometheus.yml".into(), line: 8 }),
        subject: "compose/prometheus.yml line 8, target url-api:8080".into(),
        seen: "/metrics answers status 404".into(),
        tree: String::new(),
        spans: Vec::new(),
        ..finding()
    };
    let known = Finding {
        subject: "analytics-rpc".into(),
        known: Some(Known {
            reason: "it goes next month".into(),
            until: Some("2027-01-31".parse().expect("a day")),
        }),
        ..finding()
    };
    red.findings = vec![Finding { spans: vec![span], ..finding() }, known, scrape];
    let mut warned = scenario("a_create_is_one_trace", Verdict::Pass);
    warned.rules = vec![rule("TRACE-07", Outcome::Pass)];
    warned.findings = vec![Finding { rule: "TRACE-07".into(), severity: Severity::Warning, ..finding() }];
    let mut incomplete = scenario("a_killed_consumer", Verdict::Incomplete);
    incomplete.rules = vec![RuleReport {
        gaps: vec![Gap { subject: "analytics-consumer".into(), why: "silent: analytics-consumer".into() }],
        ..rule("MSG-02", Outcome::Incomplete)
    }];
    incomplete.incomplete =
        vec!["barrier did not close: fence of analytics-consumer: killed (SIGKILL)".into()];
    let broken = ScenarioReport::could_not_run("a_cut_database", "degrade", "postgres ended with 1");
    let skipped =
        ScenarioReport::skipped("a_stopped_etcd", "start", "etcd is external: stopping it is not ours to do");
    let scenarios =
        vec![red, warned, incomplete, broken, skipped, scenario("a_probe_makes_no_span", Verdict::Pass)];
    let evidence =
        std::iter::once(evidence).chain(scenarios[1..].iter().map(|report| click(&report.name).0)).collect();
    let backend = BackendReport {
        name: "etcd".into(),
        provider: "embedded".into(),
        version: "3.7.2".into(),
        ready_ms: 90,
        limits: vec![],
    };
    let mut run = RunReport::new("shortener", scenarios).with_backends(vec![backend]);
    run.seconds = 21.4;
    run.evidence = Some("target/probity/20261121-053705-0798".into());
    Example { run, evidence, declaration: declaration() }
}

/// The same, with hostile text wherever text comes from outside.
pub(super) fn hostile() -> Example {
    let mut example = example();
    let text = || HOSTILE.to_string();
    for report in &mut example.run.scenarios {
        report.headline = text();
        report.rerun = Some(text());
        report.error = report.error.as_ref().map(|_| text());
        report.skipped = report.skipped.as_ref().map(|_| text());
        report.incomplete.iter_mut().for_each(|reason| *reason = text());
        for gap in report.rules.iter_mut().flat_map(|rule| &mut rule.gaps) {
            *gap = Gap { subject: text(), why: text() };
        }
        for finding in &mut report.findings {
            let place = SourcePlace { file: format!("../{HOSTILE}"), line: 0 };
            let known = finding.known.as_ref().map(|_| Known { reason: text(), until: None });
            let (rule, severity, spans) = (finding.rule.clone(), finding.severity, finding.spans.clone());
            *finding = Finding {
                rule,
                severity,
                fault: text(),
                at: Some(place),
                subject: text(),
                required: text(),
                seen: text(),
                candidates: vec![text()],
                tree: text(),
                fix: text(),
                spans,
                known,
                expired: None,
            };
        }
        report.name.push_str(HOSTILE);
        report.family.push_str(HOSTILE);
    }
    example.run.subject.push_str(HOSTILE);
    example.run.evidence = Some(text());
    example.run.problems = vec![text()];
    for (evidence, report) in example.evidence.iter_mut().zip(&example.run.scenarios) {
        evidence.scenario = report.name.clone();
        evidence.written_at = Some(SourcePlace { file: HOSTILE.into(), line: 3 });
    }
    example
}

fn scenario(name: &str, verdict: Verdict) -> ScenarioReport {
    ScenarioReport {
        name: name.into(),
        family: "trace".into(),
        verdict: Some(verdict),
        seconds: [("start".to_string(), 0.5), ("drive".to_string(), 0.31)].into(),
        counts: Counts { spans: 2, traces: 1, ..Counts::default() },
        headline: "2 spans in 1 trace".into(),
        rules: vec![rule("TRACE-12", Outcome::Pass)],
        processes: vec![ProcessReport {
            process: "url-api#1".into(),
            service: "url-api".into(),
            complete: true,
            state: "complete".into(),
        }],
        barrier: Barrier { steps: Vec::new(), kind: BarrierKind::Stepped },
        rerun: Some(format!("cargo probity run --only {name}")),
        ..ScenarioReport::default()
    }
}

fn rule(id: &str, outcome: Outcome) -> RuleReport {
    RuleReport {
        rule: id.into(),
        requirement: "every record is joined to the span that created it",
        outcome,
        subjects: 1,
        gaps: Vec::new(),
        not_judged: None,
        omitted: 0,
    }
}

pub(super) fn finding() -> Finding {
    Finding {
        rule: "MSG-02".into(),
        severity: Severity::Error,
        subject: "analytics-consumer, span `process click-events`".into(),
        fault: "alone".into(),
        at: None,
        required: "parent or link to the span of url-api that created click-events[0] offset 17".into(),
        seen: "a root span: no parent, no link".into(),
        candidates: vec!["`send click-events` of url-api".into()],
        tree: "url-api SERVER GET /{code}\n+ analytics-consumer CONSUMER process click-events  arrived here"
            .into(),
        fix: "extract the context from the record's headers".into(),
        spans: Vec::new(),
        known: None,
        expired: None,
    }
}

fn click(name: &str) -> (Evidence, (crate::model::TraceId, crate::model::SpanId)) {
    let mut build = Build::new();
    let api = build.process("url-api");
    let root = build.span(&api, Kind::Server, "GET /{code}").add();
    let child = build.span(&api, Kind::Client, "SELECT links").child_of(root).add();
    let evidence = build.evidence_mut();
    evidence.scenario = name.into();
    evidence.written_at = Some(SourcePlace { file: "scenarios/src/shortener/linkage.rs".into(), line: 26 });
    (build.evidence(), (child.trace, child.span))
}

/// Compares with the committed file in `fixtures/reports`, which other programs' readers are tried on as well; writes it
/// with `INSTA_UPDATE=always`.
#[track_caller]
pub(super) fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/reports").join(name);
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, text).expect("the fixture can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).enumerate().find(|(_, (old, new))| old != new);
    let hint = "if it is meant, run with INSTA_UPDATE=always and look at the difference";
    assert!(committed == text, "{name} differs, first in {differs:?}; {hint}");
}
