use crate::model::build::{Address, Build, at, declaration};
use crate::model::*;

const METHOD: &str = "analytics.v1.Analytics/GetClickCount";

/// The shortener, every trace kept.
struct Run {
    build: Build,
    api: ProcessId,
    declaration: Declaration,
}

impl Run {
    fn new() -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        let mut declaration = declaration();
        declaration.sampling = Some(Sampling { ratio: 1.0, keeps_errors: false });
        Run { build, api, declaration }
    }

    fn with(ratio: f64, keeps_errors: bool) -> Self {
        let mut run = Run::new();
        run.declaration.sampling = Some(Sampling { ratio, keeps_errors });
        run
    }

    /// A click that was answered with a trace of these flags; spans of it by url-api, or none.
    fn click(mut self, flags: &str, spans: bool) -> Self {
        let api = self.api.clone();
        let root = match spans {
            true => self.build.span(&api, Kind::Server, "GET /{code}").add(),
            false => Address { trace: TraceId([9; 16]), span: SpanId([9; 8]) },
        };
        let stimulus = self.build.stimulus(&api, "click", "GET", "/abc", 302);
        stimulus.trace = Some(root.trace);
        let named = format!("00-{}-{}-{flags}", root.trace, root.span);
        stimulus.answer.as_mut().unwrap().headers.push(("traceresponse".into(), named));
        self
    }

    /// The context that came in with the click.
    fn sent(mut self, flags: &str) -> Self {
        let stimulus = self.build.evidence_mut().stimuli.last_mut().unwrap();
        let parent = format!("00-{}-00000000000000ff-{flags}", stimulus.trace.unwrap());
        stimulus.headers.push(("traceparent".into(), parent));
        self
    }

    /// The record that the click made, and the consumer's span for it, or none.
    fn record(mut self, flags: &str, processed: bool) -> Self {
        let trace = self.build.evidence().stimuli.last().unwrap().trace.unwrap();
        let creator = Address { trace, span: SpanId([5; 8]) };
        let header = format!("00-{trace}-{}-{flags}", creator.span);
        self.build.record("click-events", &[("traceparent", &header)]);
        if processed {
            let consumer = self.build.process("analytics-consumer");
            self.build.span(&consumer, Kind::Consumer, "process click-events").child_of(creator).add();
        }
        self
    }

    /// Calls that were answered, each with its server span or without.
    fn calls(mut self, kept: &[bool]) -> Self {
        let (api, rpc) = (self.api.clone(), self.build.process("analytics-rpc"));
        for kept in kept {
            let call = self.build.span(&api, Kind::Client, METHOD).attribute("rpc.response.status_code", "OK");
            let call = call.attribute("rpc.method", METHOD).add();
            self.build.pass(5);
            if *kept {
                self.build.span(&rpc, Kind::Server, METHOD).child_of(call).add();
            }
            self.build.pass(5);
        }
        self
    }

    fn judge(&self) -> Judgement {
        let evidence = self.build.evidence();
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&self.declaration)))
    }
}

fn subjects(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.subject.as_str()).collect()
}

#[test]
fn a_trace_that_is_whole_or_absent_passes() {
    assert_eq!(Run::new().click("01", true).record("01", true).judge().outcome(), Outcome::Pass);
    let absent = Run::new().click("00", false).sent("00").record("00", false).judge();
    assert_eq!((absent.outcome(), absent.subjects), (Outcome::Pass, 3));
    assert_eq!(Run::with(0.0, false).click("00", false).judge().outcome(), Outcome::Pass);
    assert_eq!(Run::new().click("03", true).judge().outcome(), Outcome::Pass, "other flags say nothing of it");
}

#[test]
fn a_consumer_that_decides_for_itself_is_found() {
    let judgement = Run::new().click("00", false).sent("00").record("00", true).judge();
    assert_eq!(subjects(&judgement), ["analytics-consumer, span `process click-events`"]);
    assert!(judgement.findings[0].seen.starts_with("spans of it alone, though the request to url-api"));
}

#[test]
fn a_producer_that_blinds_what_comes_after_it_is_found() {
    let judgement = Run::new().click("01", true).record("00", false).judge();
    assert_eq!(subjects(&judgement), ["url-api, span `GET /{code}`"]);
    assert!(judgement.findings[0].seen.starts_with("spans were exported, though the record at click-events[0] offset 0"));
}

#[test]
fn an_edge_without_a_sampler_is_found_by_the_promise() {
    let judgement = Run::new().click("00", false).judge();
    assert_eq!(subjects(&judgement), ["url-api, GET /{code}"]);
    assert_eq!(Run::with(0.0, false).click("01", true).judge().outcome(), Outcome::Fail);
    let mut silent = Run::new().click("00", false);
    silent.declaration.sampling = None;
    assert_eq!(silent.judge().outcome(), Outcome::Pass, "nothing is promised");
    assert_eq!(Run::new().click("00", false).sent("00").judge().outcome(), Outcome::Pass, "the caller decided");
}

#[test]
fn only_a_ratio_of_all_or_nothing_says_what_becomes_of_one_trace() {
    for ratio in [f64::NAN, 0.000_001, 0.5, 0.999_999] {
        assert_eq!(Run::with(ratio, false).click("00", false).judge().outcome(), Outcome::Pass, "{ratio}");
    }
}

#[test]
fn errors_that_are_kept_by_promise_are_no_halves() {
    let failed = |keeps| {
        let mut run = Run::with(0.0, keeps).click("00", true);
        let (api, trace) = (run.api.clone(), run.build.evidence().stimuli[0].trace.unwrap());
        run.build.span(&api, Kind::Client, "SELECT links").in_trace(trace).status(Status::Error).add();
        run.judge().outcome()
    };
    assert_eq!(failed(true), Outcome::Pass);
    assert_eq!(failed(false), Outcome::Fail);
    assert_eq!(Run::with(0.0, true).click("00", true).judge().outcome(), Outcome::Fail, "no error, no promise");
}

#[test]
fn a_callee_that_drops_calls_between_those_that_it_keeps_is_found() {
    assert_eq!(Run::new().calls(&[true, true]).judge().outcome(), Outcome::Pass);
    let judgement = Run::new().calls(&[true, false, false, true]).judge();
    assert_eq!(subjects(&judgement), ["analytics-rpc"]);
    assert!(judgement.findings[0].seen.starts_with("nothing of 2 calls that it answered"));
    assert_eq!(Run::new().calls(&[true, false]).judge().outcome(), Outcome::Pass, "a tail may never have been flushed");
    assert_eq!(Run::new().calls(&[false, false]).judge().outcome(), Outcome::Pass, "a silent service is TRACE-01's");
}

#[test]
fn without_a_proof_of_absence_a_dropped_part_is_a_gap() {
    let mut open = Run::new().calls(&[false, true]);
    open.build.evidence_mut().barrier.steps[0].closed = false;
    assert_eq!(open.judge().outcome(), Outcome::Incomplete);
    let mut lost = Run::new().calls(&[false, true]);
    lost.build.evidence_mut().ledger.senders.iter_mut().for_each(|entry| entry.counts.lost_spans = 1);
    assert_eq!(lost.judge().outcome(), Outcome::Incomplete);
}

#[test]
fn a_callee_whose_calls_lost_their_context_is_another_rules() {
    let mut run = Run::new().calls(&[false, true]);
    let rpc = ProcessId::new("analytics-rpc#1");
    run.build.span(&rpc, Kind::Server, METHOD).add();
    assert_eq!(run.judge().outcome(), Outcome::Pass);
}

#[test]
fn hostile_contexts_do_not_panic() {
    let mut run = Run::new().click("01", true).sent("00").sent("01");
    let stimulus = run.build.evidence_mut().stimuli.last_mut().unwrap();
    stimulus.headers.push(("traceparent".into(), "\u{202e}".repeat(100_000)));
    stimulus.answered = Some(at(0));
    assert_eq!(run.judge().outcome(), Outcome::Pass, "several headers are no context");
    let nothing = Run::new().judge();
    assert_eq!(nothing.outcome(), Outcome::NotJudged);
}
