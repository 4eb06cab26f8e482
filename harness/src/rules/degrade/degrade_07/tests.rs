use crate::model::build::{Build, at, declaration};
use crate::model::*;

const CLICK: &str = "url-api, GET /{code}";
const LOST: &str = "url-api, lost spans";
/// In which the collector is away.
const FAULT: (u64, u64) = (3_000, 9_000);

/// url-api, of whose spans four may wait, and a collector that refuses from 3,000 to 9,000.
struct Away {
    build: Build,
    declaration: Declaration,
    clicks: u8,
}

impl Away {
    fn new() -> Self {
        let mut build = Build::new();
        build.process("url-api");
        build.evidence_mut().faults.push(fault(FaultKind::Refuse, FaultTarget::Collector));
        let mut declaration = declaration();
        declaration.thresholds.spans_waiting_max = 4;
        Away { build, declaration, clicks: 0 }
    }

    /// A click sent then, answered after so long, whose span came at that time, or never.
    fn click(&mut self, sent: u64, took: u64, came: Option<u64>) {
        let api = ProcessId::new("url-api#1");
        self.clicks += 1;
        let mut trace = TraceId([self.clicks; 16]);
        if let Some(came) = came {
            let span = self.build.span(&api, Kind::Server, "GET /{code}").time(sent, sent + took).add();
            self.build.evidence_mut().requests.last_mut().unwrap().received_unix_nanos = at(came);
            trace = span.trace;
        }
        let stimulus = self.build.stimulus(&api, "click", "GET", "/abc", 302);
        (stimulus.sent, stimulus.answered, stimulus.trace) = (at(sent), Some(at(sent + took)), Some(trace));
    }

    /// Clicks within the fault whose spans came after it.
    fn waiting(mut self, clicks: u64) -> Self {
        (0..clicks).for_each(|number| self.click(4_000 + 10 * number, 5, Some(9_100)));
        self
    }

    fn lost(mut self, clicks: u64) -> Self {
        (0..clicks).for_each(|number| self.click(5_000 + 10 * number, 5, None));
        self
    }

    /// A click after the fault whose span comes.
    fn back(mut self) -> Self {
        self.click(9_500, 5, Some(9_600));
        self
    }

    /// What the process says of lost spans when it is asked at that time.
    fn says(mut self, ms: u64, family: &str, spans: &str) -> Self {
        let api = ProcessId::new("url-api#1");
        let body = format!(
            "# TYPE {family} counter\n{family}_total{{error_type=\"\"}} 7\n{family}_total{{error_type=\"queue_full\"}} {spans}\n# EOF\n"
        );
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        self.build.scrape(&api, ScrapeStage::Last, kind, &body);
        self.build.evidence_mut().scrapes.last_mut().unwrap().at = at(ms);
        self
    }

    fn counted(self, spans: u64) -> Self {
        self.says(20_000, "otel_sdk_processor_span_processed", &spans.to_string())
    }

    fn changed(mut self, change: impl FnOnce(&mut Evidence)) -> Self {
        change(self.build.evidence_mut());
        self
    }

    fn judge(&self) -> Judgement {
        let evidence = self.build.evidence();
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&self.declaration)))
    }

    fn outcome(&self) -> Outcome {
        self.judge().outcome()
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.judge().findings.into_iter().map(|finding| (finding.subject, finding.seen)).collect()
    }
}

fn fault(kind: FaultKind, on: FaultTarget) -> Fault {
    Fault { kind, on, began: at(FAULT.0), ended: Some(at(FAULT.1)), fenced: false }
}

fn one(subject: &str, seen: &str) -> Vec<(String, String)> {
    vec![(subject.into(), seen.into())]
}

#[test]
fn clicks_that_are_answered_and_spans_that_wait_within_the_bound_pass() {
    for kind in [FaultKind::Stop, FaultKind::Refuse, FaultKind::BlackHole, FaultKind::Slow, FaultKind::Cut] {
        let away = Away::new().waiting(3).back().changed(|evidence| evidence.faults[0].kind = kind);
        // Each answer, and the return.
        assert_eq!((away.outcome(), away.judge().subjects), (Outcome::Pass, 4), "{kind:?}");
    }
    // The bound and the loss, too.
    let full = Away::new().waiting(4).lost(8).back().counted(8);
    assert_eq!((full.outcome(), full.judge().subjects), (Outcome::Pass, 15));
}

#[test]
fn spans_that_came_meanwhile_did_not_wait() {
    let mut slow = Away::new();
    (0..20).for_each(|number| slow.click(4_000 + 10 * number, 5, Some(4_500 + 10 * number)));
    assert_eq!(slow.back().outcome(), Outcome::Pass);
}

#[test]
fn the_budget_the_bound_and_the_time_to_return_are_the_edge() {
    let took = |ms| {
        let mut away = Away::new();
        away.click(4_000, ms, Some(9_100));
        away.back().outcome()
    };
    assert_eq!((took(1_000), took(1_001)), (Outcome::Pass, Outcome::Fail));
    let waited = |clicks| Away::new().waiting(clicks).back().outcome();
    assert_eq!((waited(4), waited(5)), (Outcome::Pass, Outcome::Fail));
    let gone = |ms| {
        let mut away = Away::new();
        away.click(FAULT.1 + ms, 5, None);
        away.outcome()
    };
    assert_eq!((gone(9_999), gone(10_000)), (Outcome::Incomplete, Outcome::Fail));
}

#[test]
fn an_answer_that_waits_for_the_collector_fails() {
    let mut away = Away::new();
    away.click(4_000, 5_100, Some(9_100));
    assert_eq!(away.seen(), one(CLICK, "an answer after 5100 ms"));
    let silent = Away::new().waiting(1).changed(|evidence| {
        let stimulus = &mut evidence.stimuli[0];
        (stimulus.answer, stimulus.answered, stimulus.gave_up) = (None, None, Some(at(6_000)));
    });
    assert_eq!(silent.seen(), one(CLICK, "no answer in 2000 ms"));
    let failed = Away::new().waiting(1).changed(|evidence| evidence.stimuli[0].answer.as_mut().unwrap().status = 503);
    assert_eq!(failed.seen(), one(CLICK, "HTTP 503"));
}

#[test]
fn a_queue_without_a_bound_fails() {
    assert_eq!(Away::new().waiting(40).back().seen(), one("url-api", "40 spans that ended meanwhile came after it"));
}

#[test]
fn spans_that_are_lost_and_not_counted_fail() {
    let few = Away::new().lost(3).back().counted(2);
    assert_eq!(few.seen(), one(LOST, "3 requests answered without a span that came, 2 lost spans counted"));
    let other = Away::new().lost(3).back().says(20_000, "http_server_requests", "9");
    assert_eq!(other.seen(), one(LOST, "3 requests answered without a span that came, and no counter of lost spans"));
    let nonsense = Away::new().lost(3).back().says(20_000, "otel_sdk_exporter_span_exported", "NaN");
    assert_eq!(nonsense.outcome(), Outcome::Pass, "what cannot be read is another rule's");
}

#[test]
fn a_counter_of_ones_own_is_declared() {
    let mut away = Away::new().lost(3).back().says(20_000, "telemetry_dropped_spans", "3");
    assert_eq!(away.outcome(), Outcome::Fail);
    away.declaration.services[0].families.push(Family {
        name: "telemetry_dropped_spans".into(),
        kind: FamilyKind::Counter,
        unit: String::new(),
        labels: Vec::new(),
        counts: Some(Counted::SpansLost),
        slo_bound: None,
    });
    assert_eq!(away.outcome(), Outcome::Pass);
    // All of its samples count: ten.
    assert_eq!(away.lost(8).seen(), one(LOST, "11 requests answered without a span that came, 10 lost spans counted"));
}

#[test]
fn what_may_still_come_is_not_missed() {
    let early = Away::new().lost(3).back().says(9_400, "otel_sdk_processor_span_processed", "0");
    assert_eq!(early.outcome(), Outcome::Pass, "scraped before export had resumed");
    let open = Away::new().lost(3).back().counted(0);
    let open = open.changed(|evidence| evidence.barrier.steps[0].closed = false);
    assert_eq!(open.outcome(), Outcome::Incomplete);
    assert_eq!(Away::new().lost(3).back().outcome(), Outcome::Pass, "a missing exposition is another rule's");
}

#[test]
fn an_exporter_that_never_comes_back_fails_unless_the_next_fault_came_first() {
    let mut away = Away::new();
    away.click(19_500, 5, None);
    assert_eq!(away.seen(), one("url-api", "none, and the last was asked 10500 ms after its return"));
    let mut soon = Away::new();
    soon.click(9_500, 5, None);
    let next = Fault { began: at(9_800), ended: Some(at(9_900)), ..fault(FaultKind::Cut, FaultTarget::Collector) };
    soon.build.evidence_mut().faults.push(next);
    assert_eq!(soon.outcome(), Outcome::NotJudged);
    soon.click(9_950, 5, Some(9_990));
    assert_eq!(soon.outcome(), Outcome::Pass);
}

#[test]
fn without_a_fault_on_a_collector_that_was_there_nothing_is_judged() {
    let with = |change: fn(&mut Evidence)| {
        let mut away = Away::new().changed(change);
        away.click(4_000, 5_000, Some(4_100));
        away.outcome()
    };
    assert_eq!(with(|_| {}), Outcome::Fail);
    assert_eq!(with(|evidence| evidence.faults.clear()), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults[0].kind = FaultKind::Late), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults[0].on = FaultTarget::Backend("kafka".into())), Outcome::NotJudged);
    let both = with(|evidence| evidence.faults.push(fault(FaultKind::Slow, FaultTarget::Backend("postgres".into()))));
    assert_eq!(both, Outcome::NotJudged, "it may have waited for Postgres");
}

#[test]
fn without_a_declaration_no_time_is_judged_and_hostile_times_are_no_panic() {
    let mut away = Away::new();
    away.click(4_000, 5_100, Some(9_100));
    let evidence = away.back().build.evidence();
    let judgement = crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, None));
    assert_eq!(judgement.findings.len(), 0);
    let hostile = Away::new().waiting(9).back().changed(|evidence| {
        evidence.faults.push(Fault { began: u64::MAX, ended: Some(0), ..evidence.faults[0].clone() });
        evidence.faults.push(Fault { began: 0, ended: None, ..evidence.faults[0].clone() });
        evidence.stimuli[0].answered = Some(0);
        evidence.requests[1].received_unix_nanos = u64::MAX;
    });
    assert_eq!(hostile.outcome(), Outcome::Fail);
}
