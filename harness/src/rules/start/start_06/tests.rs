use crate::model::build::{Build, at, declaration};
use crate::model::*;

/// url-api, asked one request after the other: the first is a create.
struct Started {
    build: Build,
    api: ProcessId,
}

impl Started {
    fn new() -> Self {
        let mut build = Build::new();
        let api = build.process("url-api");
        Started { build, api }
    }

    /// A request that is traced and named, or not.
    fn create(mut self, traced: bool, named: bool) -> Self {
        let api = self.api.clone();
        let trace = match traced {
            true => self.build.span(&api, Kind::Server, "POST /api/v1/urls").add().trace,
            false => TraceId([self.build.now_ms() as u8; 16]),
        };
        let stimulus = self.build.stimulus(&api, "create", "POST", "/api/v1/urls", 201);
        stimulus.trace = named.then_some(trace);
        self
    }

    /// The count of creates that a scrape shows.
    fn counted(mut self, stage: ScrapeStage, creates: u32) -> Self {
        let labels = r#"http_request_method="POST",http_route="/api/v1/urls",http_response_status_code="201""#;
        let family = "http_server_request_duration_seconds";
        let body = format!(
            "# TYPE {family} histogram\n{family}_bucket{{{labels},le=\"+Inf\"}} {creates}\n{family}_sum{{{labels}}} 1\n{family}_count{{{labels}}} {creates}\n"
        );
        let api = self.api.clone();
        self.build.scrape(&api, stage, "text/plain; version=0.0.4", &body);
        self
    }

    fn judge(&self) -> Judgement {
        let (evidence, declaration) = (self.build.evidence(), declaration());
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
    }
}

fn seen(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.seen.as_str()).collect()
}

#[test]
fn a_first_request_that_is_traced_and_counted_passes() {
    let traced = Started::new().create(true, true).create(true, true);
    assert_eq!(traced.judge().subjects, 1);
    let counted = traced.counted(ScrapeStage::Last, 2).judge();
    assert_eq!((counted.outcome(), counted.subjects), (Outcome::Pass, 2));
    let window = Started::new().counted(ScrapeStage::Before, 3).create(true, true).counted(ScrapeStage::Last, 4);
    assert_eq!(window.judge().outcome(), Outcome::Pass);
}

#[test]
fn a_first_request_without_a_trace_is_a_fault_when_later_ones_have_theirs() {
    let judgement = Started::new().create(false, false).create(true, true).judge();
    assert_eq!(judgement.findings[0].subject, "url-api, POST /api/v1/urls");
    assert_eq!(seen(&judgement), ["its answer names no trace, and those of later requests do"]);
    let judgement = Started::new().create(false, true).create(true, true).judge();
    assert_eq!(seen(&judgement), ["no span of it, while later requests have theirs"]);
}

#[test]
fn a_first_request_that_is_not_counted_is_a_fault() {
    let judgement = Started::new().create(true, true).create(true, true).counted(ScrapeStage::Last, 1).judge();
    assert_eq!(seen(&judgement), ["POST /api/v1/urls 201: 2 answered, 1 counted"]);
    let none = Started::new().create(true, true).counted(ScrapeStage::Last, 0).judge();
    assert_eq!(none.outcome(), Outcome::Fail, "one request is enough to count");
}

#[test]
fn a_process_that_treats_all_alike_is_no_subject() {
    assert_eq!(Started::new().create(false, false).create(false, false).judge().outcome(), Outcome::NotJudged);
    assert_eq!(Started::new().create(false, true).judge().outcome(), Outcome::NotJudged, "the only one: TRACE-04");
    let mut unsampled = Started::new().create(false, true).create(true, true);
    let stimulus = &mut unsampled.build.evidence_mut().stimuli[0];
    let named = format!("00-{}-00000000000000ff-00", stimulus.trace.unwrap());
    stimulus.answer.as_mut().unwrap().headers.push(("traceresponse".into(), named));
    assert_eq!(unsampled.judge().outcome(), Outcome::NotJudged);
}

#[test]
fn the_second_request_is_not_the_first() {
    let judgement = Started::new().create(true, true).create(false, true).create(true, true).judge();
    assert_eq!(judgement.outcome(), Outcome::Pass, "TRACE-04 says what is wrong with it");
    let mut late = Started::new().create(false, true).create(true, true);
    late.build.evidence_mut().stimuli[0].sent = at(900_000);
    assert_eq!(late.judge().outcome(), Outcome::Pass, "the order is that of sending");
}

#[test]
fn without_a_proof_of_absence_it_is_a_gap() {
    let mut open = Started::new().create(false, true).create(true, true);
    open.build.change_process(&ProcessId::new("url-api#1"), |process| {
        process.fence = Fence::Open { why: "killed (SIGKILL)".into() };
    });
    assert_eq!(open.judge().outcome(), Outcome::Incomplete);
}

#[test]
fn hostile_scrapes_and_times_do_not_panic() {
    let mut hostile = Started::new().create(true, true).counted(ScrapeStage::Last, 1);
    hostile.build.evidence_mut().scrapes[0].answer.body = "# TYPE http_server_request_duration_seconds histogram\nhttp_server_request_duration_seconds_bucket{le=\"+Inf\"} 0\nhttp_server_request_duration_seconds_sum 0\nhttp_server_request_duration_seconds_count 0\n".into();
    assert_eq!(hostile.judge().outcome(), Outcome::Pass, "labels that are missing are METRIC-01's, too");
    hostile.build.evidence_mut().scrapes[0].answer.body = "\u{0}".repeat(10_000);
    assert_eq!(hostile.judge().outcome(), Outcome::Pass, "what cannot be read is METRIC-01's");
    hostile.build.evidence_mut().stimuli[0].sent = u64::MAX;
    hostile.build.evidence_mut().stimuli[0].answered = Some(0);
    hostile.judge();
}
