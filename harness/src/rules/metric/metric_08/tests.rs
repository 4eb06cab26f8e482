use crate::model::build::{Address, Build};
use crate::model::*;
use crate::rules::metric::testing::*;

const RULE: &str = "METRIC-08";

/// A request of url-api with its span, and a scrape whose bucket has those labels as exemplar.
fn measured(exemplar: impl FnOnce(Address) -> String) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    let span = build.span(&api, Kind::Server, "GET /{code}").add();
    build.pass(10);
    let behind = exemplar(span);
    let body = format!(
        "# TYPE {LATENCY} histogram\n{LATENCY}_bucket{{le=\"0.25\"}} 1{behind}\n{LATENCY}_bucket{{le=\"+Inf\"}} 1\n\
         {LATENCY}_count 1\n{LATENCY}_sum 0.01\n# EOF\n"
    );
    build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body);
    build
}

fn ids(trace: impl std::fmt::Display, span: impl std::fmt::Display) -> String {
    format!(" # {{trace_id=\"{trace}\",span_id=\"{span}\"}} 0.01")
}

#[test]
fn an_exemplar_of_a_captured_span_passes() {
    let judgement = judge(RULE, &measured(|span| ids(span.trace, span.span)));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1), "{:?}", judgement.findings);
    let trace_alone = judge(RULE, &measured(|span| format!(" # {{trace_id=\"{}\"}} 0.01", span.trace)));
    assert_eq!(trace_alone.outcome(), Outcome::Pass);
}

#[test]
fn none_at_all_fails() {
    let judgement = judge(RULE, &measured(|_| String::new()));
    assert_eq!(errors(&judgement), [format!("url-api, family `{LATENCY}`")]);
    assert_eq!(judgement.findings[0].seen, "observations, and no exemplar");
}

#[test]
fn an_exemplar_that_leads_nowhere_or_elsewhere_fails() {
    let nowhere = judge(RULE, &measured(|_| ids("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")));
    assert!(nowhere.findings[0].seen.contains("never captured"), "{:?}", nowhere.findings);
    let other_span = judge(RULE, &measured(|span| ids(span.trace, "00f067aa0ba902b7")));
    assert_eq!(other_span.outcome(), Outcome::Pass, "a missing span of a captured trace is another rule's");
    let no_id = judge(RULE, &measured(|_| " # {trace_id=\"0\"} 0.01".into()));
    assert!(no_id.findings[0].seen.contains("without a valid trace_id"), "{:?}", no_id.findings);
    let mut build = measured(|span| ids(span.trace, span.span));
    let rpc = build.process("analytics-rpc");
    let theirs = build.span(&rpc, Kind::Server, "Get").add();
    let body = build.evidence().scrapes[0].answer.body.clone();
    let of_theirs = ids(theirs.trace, theirs.span);
    let from = body.find(" # {").expect("an exemplar");
    let to = from + body[from..].find('\n').expect("a line");
    build.evidence_mut().scrapes[0].answer.body = format!("{}{of_theirs}{}", &body[..from], &body[to..]);
    assert!(judge(RULE, &build).findings[0].seen.contains("another service"));
}

#[test]
fn without_a_fence_a_missing_span_is_incomplete() {
    let mut build = measured(|_| ids("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
    let api = build.evidence().processes[0].id.clone();
    build.change_process(&api, |process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    assert_eq!(judge(RULE, &build).outcome(), Outcome::Incomplete);
}

#[test]
fn text_format_and_a_histogram_without_observations_have_none_to_show() {
    let mut build = measured(|_| String::new());
    build.evidence_mut().scrapes[0].answer.content_type = Some(TEXT.into());
    let body = build.evidence().scrapes[0].answer.body.replace("# EOF\n", "");
    build.evidence_mut().scrapes[0].answer.body = body;
    assert_eq!(judge(RULE, &build).outcome(), Outcome::NotJudged);
    let mut build = Build::new();
    let api = build.process("url-api");
    build.span(&api, Kind::Server, "GET /{code}").add();
    let body = Body::default().histogram(LATENCY, BOUNDS, &[("", 0, 0.0)]);
    build.scrape(&api, ScrapeStage::Last, OPENMETRICS, &body.text());
    assert_eq!(judge(RULE, &build).outcome(), Outcome::NotJudged);
}
