//! Runs to be shown: one with a broken trace, one whose every name is hostile, one with many spans.

use std::path::{Path, PathBuf};

use probity::judge::judge;
use probity::model::build::{Build, declaration};
use probity::model::{Evidence, Fault, FaultKind, FaultTarget, Kind, ScrapeStage, Status};
use probity::report::{BackendReport, Judged, RunReport, ScenarioReport, html};

/// A page on disk, with what its addresses name.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn address(&self, fragment: &str) -> String {
        let file = self.path();
        format!("file://{}{}{fragment}", file.display(), if fragment.is_empty() { "" } else { "#" })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("report.html")
    }
}

fn write(directory: tempfile::TempDir, page: &str) -> std::io::Result<Scene> {
    std::fs::write(Path::new(directory.path()).join("report.html"), page)?;
    Ok(Scene { directory })
}

fn page_of(evidences: &[Evidence]) -> String {
    let declaration = declaration();
    let mut reports: Vec<ScenarioReport> = Vec::new();
    for (number, evidence) in evidences.iter().enumerate() {
        let mut report = judge(evidence, Some(&declaration));
        report.family = if number == 0 { "trace".into() } else { "start".into() };
        report.seconds = [("start".to_string(), 0.4), ("drive".to_string(), 1.25)].into();
        report.rerun = Some(format!("probity run --only {}", evidence.scenario));
        reports.push(report);
    }
    reports.push(ScenarioReport::skipped("needs_a_cut", "degrade", "the mock cannot cut connections"));
    let backend = BackendReport {
        name: "kafka".into(),
        provider: "embedded".into(),
        version: "librdkafka 2.12.1".into(),
        ready_ms: 50,
        limits: vec!["no cut".into()],
    };
    let mut run = RunReport::new("shortener", reports).with_backends(vec![backend]);
    run.seconds = 1.7;
    let pairs = run.scenarios.iter().zip(evidences);
    let cases: Vec<_> = pairs
        .map(|(report, evidence)| Judged { report, evidence, declaration: Some(&declaration) })
        .collect();
    html::render(&run, &cases)
}

/// A click whose consumer starts a trace of its own although the record names its creator. Returns the trace and span that
/// arrived apart, and the trace where they were expected.
pub(crate) fn broken() -> std::io::Result<(Scene, String, String)> {
    let (evidence, arrived, expected) = click("a_click_is_one_trace", "process click-events");
    let mut good = evidence_of_a_create();
    good.scenario = "a_create_is_traced".into();
    let scene = write(tempfile::tempdir()?, &page_of(&[evidence, good]))?;
    Ok((scene, arrived, expected))
}

fn evidence_of_a_create() -> Evidence {
    let mut build = Build::new();
    let api = build.process("url-api");
    let root =
        build.span(&api, Kind::Server, "POST /api/v1/urls").attribute("http.request.method", "POST").add();
    build.span(&api, Kind::Client, "INSERT links").child_of(root).add();
    build.stimulus(&api, "create", "POST", "/api/v1/urls", 201).trace = Some(root.trace);
    build.evidence()
}

fn click(scenario: &str, name: &str) -> (Evidence, String, String) {
    let mut build = Build::new();
    let api = build.process("url-api");
    let consumer = build.process("analytics-consumer");
    let root = build.span(&api, Kind::Server, "GET /{code}").attribute("http.route", "/{code}").add();
    build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(root.trace);
    build.span(&api, Kind::Client, "SELECT links").child_of(root).status(Status::Error).add();
    let send = build.span(&api, Kind::Producer, "send click-events").child_of(root).add();
    let record = build.record("click-events", &[("traceparent", &send.traceparent()), ("tenant", "blue")]);
    let work = build
        .span(&consumer, Kind::Consumer, name)
        .attribute("messaging.system", "kafka")
        .attribute("messaging.operation.type", "process")
        .attribute("messaging.destination.name", "click-events")
        .attribute("messaging.destination.partition.id", record.partition.to_string().as_str())
        .attribute("messaging.kafka.offset", record.offset)
        .add();
    build.span(&consumer, Kind::Client, "INSERT clicks").child_of(work).add();
    build.committed("analytics", "click-events", Some(1), 1);
    let families = |count: u32| {
        let series = (0..count).map(|number| format!("http_requests_total{{code=\"c{number}\"}} 1\n"));
        format!(
            "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n{}",
            series.collect::<String>()
        )
    };
    let text = "text/plain; version=0.0.4";
    build.scrape(&api, ScrapeStage::Driven { ids: 10 }, text, &families(10));
    build.scrape(&api, ScrapeStage::Driven { ids: 20 }, text, &families(20));
    build.log(
        &api,
        &format!(
            "{{\"level\":\"WARN\",\"message\":\"slow\",\"trace_id\":\"{}\",\"span_id\":\"{}\"}}",
            root.trace, root.span
        ),
    );
    let began = probity::model::build::at(1_010);
    let fault = Fault {
        kind: FaultKind::BlackHole,
        on: FaultTarget::Backend("kafka".into()),
        began,
        ended: Some(began + 20_000_000),
        fenced: false,
    };
    build.evidence_mut().faults.push(fault);
    build.evidence_mut().scenario = scenario.into();
    (build.evidence(), format!("t/{}/span/{}", work.trace, work.span), format!("t/{}", root.trace))
}

/// What a hostile service could send wherever it has a say.
pub(crate) const HOSTILE: [&str; 5] = [
    "</script><script>window.hacked=1;alert(1)</script>",
    "<img src=x onerror=\"window.hacked=1;alert(1)\">",
    "javascript:window.hacked=1",
    "\u{202e}\u{2066}txt.exe\u{0}\u{2028}<!--<script>",
    "constructor\"'><svg onload=alert(1)>__proto__",
];

/// A run in which every name is hostile, and one attribute is a megabyte. Returns a trace of it.
pub(crate) fn hostile() -> std::io::Result<(Scene, String)> {
    let mut build = Build::new();
    let api = build.process(HOSTILE[4]);
    let long = "<b>x".repeat(256 << 10);
    let mut trace = String::new();
    for name in HOSTILE {
        let mut span = build.span(&api, Kind::Producer, name).status(Status::Error);
        for value in HOSTILE {
            span = span.attribute(value, value);
        }
        let address = span.attribute("long", long.as_str()).attribute("__proto__", "x").add();
        trace = address.trace.to_string();
        build.stimulus(&api, name, name, name, 500).trace = Some(address.trace);
        let header = build.record(name, &[(name, name), ("traceparent", &address.traceparent())]);
        build.committed(name, &header.topic, None, 1);
        build.log(
            &api,
            &format!(
                "{{\"level\":{0:?},\"message\":{0:?},\"trace_id\":\"{1}\",\"span_id\":\"{2}\"}}",
                name.replace(['\u{0}', '\u{202e}', '\u{2066}', '\u{2028}'], "?"),
                address.trace,
                address.span
            ),
        );
        build.log(&api, name);
    }
    let body = "# HELP evil <img src=x onerror=alert(1)>\n# TYPE evil counter\nevil_total{a=\"</script><script>alert(1)</script>\"} 1\n";
    build.scrape(&api, ScrapeStage::Last, "text/plain; version=0.0.4", body);
    build.evidence_mut().scenario = HOSTILE.concat();
    let scene = write(tempfile::tempdir()?, &page_of(&[build.evidence()]))?;
    Ok((scene, trace))
}

/// One scenario with that many spans in traces of ten.
pub(crate) fn large(spans: u64) -> std::io::Result<Scene> {
    let mut build = Build::new();
    let api = build.process("url-api");
    for _ in 0..spans / 10 {
        let root = build.span(&api, Kind::Server, "GET /{code}").attribute("http.route", "/{code}").add();
        for number in 1..10i64 {
            build.span(&api, Kind::Internal, "work").child_of(root).attribute("number", number).add();
        }
    }
    build.evidence_mut().scenario = "large".into();
    write(tempfile::tempdir()?, &page_of(&[build.evidence()]))
}
