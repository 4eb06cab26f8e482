use crate::model::build::{Build, at, declaration};
use crate::model::*;

const CLICK: &str = "url-api, GET /{code}";
const RECORDS: &str = "url-api, records of click-events";

/// url-api, of whose clicks three may wait, and Kafka away from 3,000 to 9,000.
struct Lost {
    build: Build,
    declaration: Declaration,
}

impl Lost {
    fn new() -> Self {
        let mut build = Build::new();
        build.process("url-api");
        build.evidence_mut().faults.push(fault(FaultKind::Kill, "kafka"));
        let mut declaration = declaration();
        declaration.services[0].buffers = vec![Buffer { topic: "click-events".into(), records_max: 3 }];
        declaration.services[0].families.push(Family {
            name: "messaging_client_sent_messages".into(),
            kind: FamilyKind::Counter,
            unit: String::new(),
            labels: Vec::new(),
            counts: Some(Counted::RecordsSent { topic: "click-events".into() }),
            slo_bound: None,
        });
        Lost { build, declaration }
    }

    /// A click sent then, answered after so long, whose send lasts until `ended`.
    fn click(&mut self, sent: u64, took: u64, send: Option<(u64, Status)>) {
        let api = ProcessId::new("url-api#1");
        let root = self.build.span(&api, Kind::Server, "GET /{code}").time(sent, sent + took).add();
        if let Some((ended, status)) = send {
            let span = self.build.span(&api, Kind::Producer, "send click-events").child_of(root);
            let span = span.attribute("messaging.destination.name", "click-events");
            span.time(sent + 1, ended).status(status).add();
        }
        let stimulus = self.build.stimulus(&api, "click", "GET", "/abc", 302);
        (stimulus.sent, stimulus.answered, stimulus.trace) = (at(sent), Some(at(sent + took)), Some(root.trace));
    }

    fn delayed(&mut self, clicks: u64) {
        (0..clicks).for_each(|number| self.click(4_000 + 10 * number, 5, Some((9_100, Status::Unset))));
    }

    fn counted(&mut self, sent: u64, failed: u64) {
        let body = format!(
            "# TYPE messaging_client_sent_messages counter\n\
             messaging_client_sent_messages_total{{error_type=\"\"}} {sent}\n\
             messaging_client_sent_messages_total{{error_type=\"QueueFull\"}} {failed}\n# EOF\n"
        );
        let api = ProcessId::new("url-api#1");
        self.build.pass(20_000);
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        self.build.scrape(&api, ScrapeStage::Last, kind, &body);
    }

    fn judge(&self) -> Judgement {
        let evidence = self.build.evidence();
        crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&self.declaration)))
    }

    fn subjects(&self) -> Vec<(String, String)> {
        self.judge().findings.into_iter().map(|finding| (finding.subject, finding.seen)).collect()
    }
}

fn fault(kind: FaultKind, on: &str) -> Fault {
    let on = FaultTarget::Backend(on.into());
    Fault { kind, on, began: at(3_000), ended: Some(at(9_000)), fenced: false }
}

fn one(subject: &str, seen: &str) -> Vec<(String, String)> {
    vec![(subject.into(), seen.into())]
}

#[test]
fn clicks_that_are_answered_and_wait_within_the_bound_pass() {
    for kind in [FaultKind::Kill, FaultKind::Stop, FaultKind::Pause, FaultKind::Refuse, FaultKind::BlackHole] {
        let mut lost = Lost::new();
        lost.build.evidence_mut().faults[0].kind = kind;
        lost.delayed(2);
        let judgement = lost.judge();
        // Each answer and each trace, and the buffer.
        assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 5), "{kind:?}");
    }
    let mut given_up = Lost::new();
    given_up.delayed(3);
    (0..9).for_each(|_| given_up.click(4_500, 5, Some((4_501, Status::Error))));
    given_up.counted(3, 9);
    assert_eq!(given_up.judge().outcome(), Outcome::Pass);
}

#[test]
fn the_bound_and_the_budget_are_the_edge() {
    let waiting = |clicks| {
        let mut lost = Lost::new();
        lost.delayed(clicks);
        lost.judge().outcome()
    };
    assert_eq!((waiting(3), waiting(4)), (Outcome::Pass, Outcome::Fail));
    let took = |ms| {
        let mut lost = Lost::new();
        lost.click(4_000, ms, Some((9_100, Status::Unset)));
        lost.judge().outcome()
    };
    assert_eq!((took(1_000), took(1_001)), (Outcome::Pass, Outcome::Fail));
}

#[test]
fn a_buffer_without_a_bound_fails() {
    let mut lost = Lost::new();
    lost.delayed(40);
    assert_eq!(lost.subjects(), one(RECORDS, "40 records waited at one time"));
}

#[test]
fn what_makes_room_for_the_next_did_not_wait_beside_it() {
    let mut lost = Lost::new();
    for number in 0..20 {
        lost.click(4_000 + 10 * number, 5, Some((4_000 + 10 * (number + 1), Status::Unset)));
    }
    assert_eq!(lost.judge().outcome(), Outcome::Pass);
}

#[test]
fn an_answer_that_waits_for_kafka_fails() {
    let mut lost = Lost::new();
    lost.click(4_000, 5_100, Some((9_100, Status::Unset)));
    assert_eq!(lost.subjects(), one(CLICK, "an answer after 5100 ms"));
    let mut gave_up = Lost::new();
    gave_up.click(4_000, 5, None);
    let stimulus = &mut gave_up.build.evidence_mut().stimuli[0];
    (stimulus.answer, stimulus.answered, stimulus.gave_up) = (None, None, Some(at(6_000)));
    assert_eq!(gave_up.subjects(), one(CLICK, "no answer in 2000 ms"));
    let mut failed = Lost::new();
    failed.click(4_000, 5, Some((9_100, Status::Unset)));
    failed.build.evidence_mut().stimuli[0].answer.as_mut().unwrap().status = 503;
    assert_eq!(failed.subjects(), one(CLICK, "HTTP 503"));
}

#[test]
fn a_record_that_is_lost_without_a_trace_fails() {
    let mut lost = Lost::new();
    lost.click(4_000, 5, None);
    assert_eq!(lost.subjects(), one(CLICK, "none: it was lost without a trace"));
    lost.build.evidence_mut().barrier.steps[0].closed = false;
    assert_eq!(lost.judge().outcome(), Outcome::Incomplete);
    let mut unknown = Lost::new();
    unknown.click(4_000, 5, None);
    unknown.build.evidence_mut().stimuli[0].answer.as_mut().unwrap().status = 404;
    assert_eq!(unknown.judge().outcome(), Outcome::Pass, "an unknown code sends nothing");
}

#[test]
fn a_record_that_is_given_up_uncounted_fails() {
    let mut lost = Lost::new();
    lost.click(4_000, 5, Some((4_006, Status::Error)));
    lost.click(4_100, 5, Some((4_106, Status::Error)));
    lost.counted(2, 1);
    assert_eq!(lost.subjects(), one(RECORDS, "2 records given up, 1 counted"));
    let mut later = Lost::new();
    later.click(4_000, 5, Some((90_000, Status::Error)));
    later.counted(0, 0);
    assert_eq!(later.judge().outcome(), Outcome::Pass, "given up after the last scrape");
}

#[test]
fn other_faults_and_what_was_sent_outside_of_them_are_no_subjects() {
    let with = |change: fn(&mut Evidence)| {
        let mut lost = Lost::new();
        lost.click(4_000, 5_000, None);
        change(lost.build.evidence_mut());
        lost.judge().outcome()
    };
    assert_eq!(with(|_| {}), Outcome::Fail);
    assert_eq!(with(|evidence| evidence.faults[0].kind = FaultKind::Late), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults[0].kind = FaultKind::Slow), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults[0].on = FaultTarget::Backend("etcd".into())), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults[0].ended = Some(at(3_999))), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults[0].began = at(4_001)), Outcome::NotJudged);
    assert_eq!(with(|evidence| evidence.faults.push(fault(FaultKind::Refuse, "postgres"))), Outcome::NotJudged);
}

#[test]
fn without_a_declaration_nothing_is_judged_and_hostile_times_are_no_panic() {
    let mut lost = Lost::new();
    lost.delayed(40);
    let evidence = lost.build.evidence();
    let judgement = crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, None));
    assert_eq!(judgement.outcome(), Outcome::NotJudged);
    let api = ProcessId::new("url-api#1");
    let span = lost.build.span(&api, Kind::Producer, "send click-events");
    span.time(8_000, 4_000).add();
    lost.build.evidence_mut().stimuli[0].answered = Some(0);
    assert_eq!(lost.judge().outcome(), Outcome::Fail);
}
