use crate::model::build::{Build, at, declaration};
use crate::model::*;

const METHOD: &str = "analytics.v1.Analytics/GetClickCount";
const DEGRADED: &str = r#"{"clicks":0,"degraded":true}"#;

/// url-api, whose RPC server is refused from 1,000 on.
struct Down {
    build: Build,
    api: ProcessId,
}

impl Down {
    fn new() -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        build.process("analytics-rpc");
        let on = FaultTarget::Service("analytics-rpc".into());
        let fault = Fault { kind: FaultKind::Refuse, on, began: at(1_000), ended: None, fenced: false };
        build.evidence_mut().faults.push(fault);
        Down { build, api }
    }

    /// A detail with its spans: the answer, and the statuses of server and client span.
    fn detail(&mut self, status: u16, body: &str, server: Status, client: Option<Status>) -> TraceId {
        let root = self.build.span(&self.api, Kind::Server, "GET /api/v1/links/{code}").status(server).add();
        if let Some(client) = client {
            let call = self.build.span(&self.api, Kind::Client, METHOD).child_of(root).status(client);
            call.attribute("rpc.response.status_code", "UNAVAILABLE").add();
        }
        let stimulus = self.build.stimulus(&self.api, "detail", "GET", "/api/v1/links/abc", status);
        stimulus.answer.as_mut().unwrap().body = body.into();
        stimulus.trace = Some(root.trace);
        root.trace
    }

    fn log(&mut self, level: &str, trace: TraceId) {
        let line = format!(r#"{{"level":"{level}","message":"link detail is degraded","trace_id":"{trace}"}}"#);
        self.build.log(&self.api, &line);
    }

    /// A degraded detail as it should be.
    fn degraded(&mut self) -> TraceId {
        let trace = self.detail(200, DEGRADED, Status::Unset, Some(Status::Error));
        self.log("WARN", trace);
        trace
    }

    fn judge(&self) -> Judgement {
        let (evidence, declaration) = (self.build.evidence(), declaration());
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
    }
}

/// What is seen of one detail, and of one line at that level.
fn seen(status: u16, body: &str, server: Status, client: Option<Status>, level: &str) -> Vec<String> {
    let mut down = Down::new();
    let trace = down.detail(status, body, server, client);
    down.log(level, trace);
    down.judge().findings.into_iter().map(|finding| finding.seen).collect()
}

#[test]
fn an_honest_degraded_answer_passes() {
    let mut down = Down::new();
    down.degraded();
    down.degraded();
    assert_eq!((down.judge().outcome(), down.judge().subjects), (Outcome::Pass, 2));
    assert_eq!(seen(200, DEGRADED, Status::Unset, Some(Status::Error), "warning"), Vec::<String>::new());
    assert_eq!(seen(200, DEGRADED, Status::Ok, None, "Warn"), Vec::<String>::new(), "a call without a span is TRACE's");
}

#[test]
fn an_error_instead_of_an_answer_is_a_fault() {
    assert_eq!(seen(500, "{}", Status::Error, Some(Status::Error), "ERROR"), ["HTTP 500"]);
    assert_eq!(seen(404, "{}", Status::Unset, Some(Status::Error), "WARN"), ["HTTP 404"]);
}

#[test]
fn an_answer_that_looks_whole_is_a_fault() {
    let mut down = Down::new();
    let trace = down.detail(200, r#"{"clicks":0,"degraded":false}"#, Status::Unset, Some(Status::Error));
    down.log("INFO", trace);
    let findings = down.judge().findings;
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.subject == "url-api, GET /api/v1/links/{code}"));
    assert!(findings.iter().any(|finding| finding.required.ends_with("degraded true")));
    assert_eq!(seen(200, r#"{"clicks":3,"degraded":true}"#, Status::Unset, Some(Status::Error), "WARN"), ["it looks whole"]);
}

#[test]
fn the_failure_belongs_to_the_span_of_the_call_alone() {
    assert_eq!(seen(200, DEGRADED, Status::Unset, Some(Status::Unset), "WARN"), ["its status is not Error"]);
    assert_eq!(
        seen(200, DEGRADED, Status::Error, Some(Status::Error), "WARN"),
        ["its status is Error, beside an answer of 200"]
    );
}

#[test]
fn one_warning_is_said_for_each() {
    assert_eq!(seen(200, DEGRADED, Status::Unset, Some(Status::Error), "INFO"), ["none"]);
    let mut twice = Down::new();
    let trace = twice.degraded();
    twice.log("WARN", trace);
    let judgement = twice.judge();
    assert_eq!((judgement.outcome(), judgement.findings[0].severity), (Outcome::Pass, Severity::Warning));
    let mut elsewhere = Down::new();
    elsewhere.detail(200, DEGRADED, Status::Unset, Some(Status::Error));
    elsewhere.log("WARN", TraceId([9; 16]));
    assert_eq!(elsewhere.judge().outcome(), Outcome::Fail, "the warning of another request");
}

#[test]
fn lines_without_traces_are_counted() {
    let mut plain = Down::new();
    (0..2).for_each(|_| _ = plain.detail(200, DEGRADED, Status::Unset, Some(Status::Error)));
    let api = plain.api.clone();
    plain.build.log(&api, "2026-01-01T00:00:00Z WARN link detail is degraded");
    let judgement = plain.judge();
    assert_eq!(judgement.findings[0].seen, "1 line at warn for 2 degraded answers");
    plain.build.log(&api, r#"{"severity_text":"WARN","body":"link detail is degraded"}"#);
    assert_eq!(plain.judge().outcome(), Outcome::Pass);
    let mut uncaptured = Down::new();
    uncaptured.detail(200, DEGRADED, Status::Unset, Some(Status::Error));
    assert_eq!(uncaptured.judge().outcome(), Outcome::Pass, "nobody captured its output");
    let error = LogLine { stderr: true, ..plain.build.evidence().logs[0].clone() };
    uncaptured.build.evidence_mut().logs.push(error);
    assert_eq!(uncaptured.judge().outcome(), Outcome::Pass);
}

#[test]
fn what_was_answered_with_the_callee_there_is_no_subject() {
    let whole = r#"{"clicks":3,"degraded":false}"#;
    let mut up = Down::new();
    up.detail(200, whole, Status::Unset, Some(Status::Unset));
    assert_eq!(up.judge().outcome(), Outcome::NotJudged, "its call succeeded, whatever the clock says");
    up.build.evidence_mut().faults.clear();
    up.detail(200, whole, Status::Unset, None);
    up.detail(500, "{}", Status::Error, None);
    assert_eq!(up.judge().outcome(), Outcome::NotJudged);
    let stimulus = &mut up.build.evidence_mut().stimuli[0];
    (stimulus.answer, stimulus.answered) = (None, None);
    assert_eq!(up.judge().outcome(), Outcome::NotJudged, "no answer is DEGRADE-02's");
}

#[test]
fn a_slow_or_silent_callee_is_another_rules() {
    for kind in [FaultKind::BlackHole, FaultKind::Slow, FaultKind::Pause] {
        let mut stalled = Down::new();
        stalled.build.evidence_mut().faults[0].kind = kind;
        stalled.detail(500, "{}", Status::Error, Some(Status::Error));
        assert_eq!(stalled.judge().outcome(), Outcome::NotJudged);
    }
}

#[test]
fn an_open_circuit_after_the_fault_is_seen_by_its_span() {
    let mut open = Down::new();
    open.build.evidence_mut().faults[0].ended = Some(at(1_001));
    open.detail(500, "{}", Status::Error, Some(Status::Error));
    assert_eq!(open.judge().outcome(), Outcome::Fail);
}

#[test]
fn hostile_logs_and_bodies_do_not_panic() {
    let mut down = Down::new();
    let trace = down.detail(200, &"[".repeat(100_000), Status::Unset, Some(Status::Error));
    let api = down.api.clone();
    for line in ["{", "null", r#"{"level":7,"trace_id":[]}"#, &format!(r#"{{"trace_id":"{trace}"}}"#), "\u{0}\u{202e} WARN"] {
        down.build.log(&api, line);
    }
    assert_eq!(down.judge().outcome(), Outcome::Fail);
}
