use crate::model::build::{Address, at};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "DEGRADE-05";

/// Postgres is away from 10,000 to 12,000 ms. A record that came before could not be stored at 11,000, and was at 13,000.
struct Outage {
    shortener: Shortener,
    record: Record,
    creator: Address,
}

impl Outage {
    fn new() -> Self {
        let mut shortener = Shortener::good();
        shortener.click();
        let (record, creator) = shortener.publish();
        shortener.build.evidence_mut().faults.push(Fault {
            kind: FaultKind::Refuse,
            on: FaultTarget::Backend("postgres".into()),
            began: at(10_000),
            ended: Some(at(12_000)),
            fenced: false,
        });
        Outage { shortener, record, creator }
    }

    /// Postgres gone, an attempt that failed, Postgres back, the record stored.
    fn good() -> Self {
        let mut outage = Self::new();
        outage.attempt(11_000, Status::Error);
        outage.attempt(13_000, Status::Unset);
        outage
    }

    fn attempt(&mut self, at_ms: u64, status: Status) {
        let consumer = self.shortener.consumer.clone();
        let span = self.shortener.build.span(&consumer, Kind::Consumer, "process click-events");
        let process = span
            .child_of(self.creator)
            .status(status)
            .time(at_ms, at_ms + 10)
            .attribute("messaging.operation.type", "process")
            .attribute("messaging.destination.name", "click-events")
            .attribute("messaging.destination.partition.id", "0")
            .attribute("messaging.kafka.offset", self.record.offset)
            .add();
        let failed = (10_000..12_000).contains(&at_ms);
        let query = self.shortener.build.span(&consumer, Kind::Client, "INSERT clicks").child_of(process);
        let query = query.attribute("db.system.name", "postgresql").time(at_ms + 1, at_ms + 9);
        query.status(if failed { Status::Error } else { Status::Unset }).add();
    }

    /// The broker is asked at that time, and the group has come so far.
    fn look(&mut self, at_ms: u64, committed: i64) {
        self.shortener.build.evidence_mut().offset_looks.push(OffsetLook {
            group: "analytics".into(),
            topic: "click-events".into(),
            partition: 0,
            committed: Some(committed),
            at: at(at_ms),
        });
    }

    fn judge(&mut self) -> Judgement {
        self.shortener.build.committed("analytics", "click-events", Some(2), 2);
        self.shortener.judge(RULE)
    }
}

fn faults(judgement: &Judgement) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.fault.as_str()).collect()
}

#[test]
fn a_record_that_waited_and_arrived_passes() {
    let mut outage = Outage::good();
    outage.look(11_990, 1);
    let judgement = outage.judge();
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1));
}

#[test]
fn an_effect_that_is_there_is_an_arrival() {
    let mut outage = Outage::new();
    outage.attempt(11_000, Status::Error);
    outage.shortener.declare_effects();
    assert_eq!(outage.judge().outcome(), Outcome::Pass);
}

#[test]
fn records_that_were_done_before_and_other_faults_are_no_subjects() {
    let mut outage = Outage::new();
    outage.attempt(9_000, Status::Unset);
    assert_eq!(outage.judge().outcome(), Outcome::NotJudged);
    for (kind, on) in [(FaultKind::Slow, "postgres"), (FaultKind::Stop, "kafka"), (FaultKind::Stop, "etcd")] {
        let mut other = Outage::good();
        let fault = &mut other.shortener.build.evidence_mut().faults[0];
        (fault.kind, fault.on) = (kind, FaultTarget::Backend(on.into()));
        assert_eq!(other.judge().outcome(), Outcome::NotJudged, "{kind:?} on {on}");
    }
}

#[test]
fn a_record_that_was_committed_while_the_database_was_away_fails() {
    let mut outage = Outage::good();
    outage.look(11_990, 2);
    let judgement = outage.judge();
    assert_eq!((faults(&judgement), subjects(&judgement)), (vec!["offset"], vec!["analytics-consumer, records of click-events"]));
}

#[test]
fn a_record_that_never_arrived_fails() {
    let mut outage = Outage::new();
    outage.attempt(11_000, Status::Error);
    assert_eq!(faults(&outage.judge()), ["lost"]);
    outage.shortener.declare_effects();
    let rows = &mut outage.shortener.build.evidence_mut().applied[0];
    rows.events.as_mut().unwrap().pop();
    assert_eq!(faults(&outage.judge()), ["lost"]);
}

#[test]
fn an_attempt_that_hides_its_failure_fails() {
    let mut outage = Outage::new();
    outage.attempt(10_900, Status::Error);
    outage.attempt(11_000, Status::Unset);
    assert_eq!(faults(&outage.judge()), ["swallowed"]);
}

#[test]
fn seconds_without_a_failed_attempt_are_the_edge() {
    let silent = |ended: u64| {
        let mut outage = Outage::new();
        outage.shortener.build.evidence_mut().faults[0].ended = Some(at(ended));
        outage.attempt(ended + 500, Status::Unset);
        outage.judge()
    };
    assert_eq!(silent(12_999).outcome(), Outcome::Pass);
    assert_eq!(faults(&silent(13_000)), ["silent"]);
}

#[test]
fn the_moment_of_the_look_is_the_edge() {
    let looked = |at_ms: u64| {
        let mut outage = Outage::good();
        outage.look(at_ms, 2);
        outage.judge().outcome()
    };
    assert_eq!(looked(12_000), Outcome::Fail);
    assert_eq!(looked(12_001), Outcome::Pass, "after the outage a commit is what should be");
}

#[test]
fn what_may_still_come_is_incomplete() {
    let mut outage = Outage::new();
    outage.attempt(11_000, Status::Error);
    outage.shortener.build.evidence_mut().barrier.steps[0].closed = false;
    assert_eq!(outage.judge().outcome(), Outcome::Incomplete);
    let mut lasting = Outage::new();
    lasting.attempt(11_000, Status::Error);
    lasting.shortener.build.evidence_mut().faults[0].ended = None;
    assert_eq!(lasting.judge().outcome(), Outcome::Pass, "it kept its offset and said so");
}

#[test]
fn hostile_looks_and_times_do_not_panic() {
    let mut outage = Outage::good();
    outage.look(11_000, i64::MAX);
    outage.shortener.build.evidence_mut().offset_looks[0].partition = i32::MIN;
    let fault = &mut outage.shortener.build.evidence_mut().faults[0];
    (fault.began, fault.ended) = (u64::MAX, Some(0));
    assert_eq!(outage.judge().outcome(), Outcome::NotJudged);
    let evidence = outage.shortener.build.evidence();
    assert_eq!(judge(RULE, &evidence, None).outcome(), Outcome::NotJudged);
}
