use crate::model::build::at;
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "MSG-06";
const TOPIC: &str = "click-events";
const CONSUMED: &str = "analytics-consumer, records of click-events";
const SENT: &str = "url-api, records of click-events";

/// Clicks, each consumed, whose effects are those events.
fn effects(clicks: usize, events: &[&str], change: impl FnOnce(&mut Shortener)) -> Judgement {
    let mut shortener = Shortener::good();
    let place = EffectsAt {
        database: "shortener".into(),
        statement: "SELECT event_id FROM clicks".into(),
        event: "event_id".into(),
    };
    shortener.declaration.topics[0].groups[0].effects = Some(place);
    for number in 0..clicks {
        shortener.click();
        let record = shortener.build.evidence_mut().records.last_mut().unwrap();
        record.value = format!(r#"{{"event_id":"e{number}"}}"#);
    }
    shortener.build.evidence_mut().applied.push(Applied {
        topic: TOPIC.into(),
        group: "analytics".into(),
        events: Ok(events.iter().map(|event| event.to_string()).collect()),
    });
    change(&mut shortener);
    shortener.judge(RULE)
}

#[test]
fn records_that_were_sent_consumed_and_had_their_effect_pass() {
    assert_eq!(effects(3, &["e0", "e1", "e2"], |_| {}).outcome(), Outcome::Pass);
    let others = effects(1, &["e0", "of-yesterday", "of-yesterday"], |_| {});
    assert_eq!(others.outcome(), Outcome::Pass, "what no record here asked for is none of its business");
    let undeclared = effects(1, &[], |shortener| shortener.declaration.topics[0].groups[0].effects = None);
    assert_eq!(undeclared.outcome(), Outcome::Pass);
}

#[test]
fn an_event_that_was_sent_twice_is_one_and_a_record_that_is_no_event_has_no_effect() {
    let again = effects(2, &["e0"], |shortener| {
        let records = &mut shortener.build.evidence_mut().records;
        records[1].value = records[0].value.clone();
    });
    assert_eq!(again.outcome(), Outcome::Pass);
    for value in ["", "not json", "[]", "{}", r#"{"event_id":null}"#] {
        let none = effects(1, &[], |shortener| shortener.build.evidence_mut().records[0].value = value.into());
        assert_eq!(none.outcome(), Outcome::Pass, "{value}: it is MSG-07's");
    }
    let number = effects(1, &["17"], |shortener| {
        shortener.build.evidence_mut().records[0].value = r#"{"event_id":17}"#.into();
    });
    assert_eq!(number.outcome(), Outcome::Pass);
}

#[test]
fn a_committed_record_without_its_effect_fails() {
    let judgement = effects(2, &["e0"], |_| {});
    assert_eq!(subjects(&judgement), [CONSUMED]);
    assert_eq!(
        judgement.findings[0].seen,
        "1 record committed by group `analytics` without an effect, click-events[0] offset 1 the first"
    );
}

#[test]
fn an_effect_that_counts_twice_fails() {
    let judgement = effects(2, &["e0", "e1", "e1"], |_| {});
    assert_eq!(subjects(&judgement), [CONSUMED]);
    assert_eq!(
        judgement.findings[0].seen,
        "1 event counted more than once, that of click-events[0] offset 1 the first"
    );
}

#[test]
fn effects_that_could_not_be_read_leave_it_open() {
    let unread = effects(1, &[], |shortener| shortener.build.evidence_mut().applied.clear());
    assert_eq!(unread.outcome(), Outcome::Incomplete);
    let refused = effects(1, &[], |shortener| {
        shortener.build.evidence_mut().applied[0].events = Err("no such table".into());
    });
    assert_eq!(refused.outcome(), Outcome::Incomplete);
    assert!(refused.gaps[0].why.contains("no such table"));
    let open = effects(1, &[], |shortener| shortener.build.evidence_mut().barrier.steps[0].closed = false);
    assert_eq!(open.outcome(), Outcome::Incomplete);
}

/// A click whose record is never read.
fn unread(change: impl FnOnce(&mut Shortener)) -> Judgement {
    let mut shortener = Shortener::good();
    shortener.click();
    shortener.publish();
    shortener.build.committed("analytics", TOPIC, Some(1), 2);
    change(&mut shortener);
    shortener.judge(RULE)
}

#[test]
fn a_record_that_is_left_lying_fails() {
    let judgement = unread(|_| {});
    assert_eq!(subjects(&judgement), [CONSUMED]);
    assert_eq!(
        judgement.findings[0].seen,
        "1 record of 2 never committed by group `analytics`, click-events[0] offset 1 the first"
    );
    let never = unread(|shortener| shortener.build.committed("analytics", TOPIC, None, 2));
    assert_eq!(never.outcome(), Outcome::Fail);
    let one_short = unread(|shortener| shortener.build.committed("analytics", TOPIC, Some(2), 2));
    assert_eq!(one_short.outcome(), Outcome::Pass, "the committed offset is the next to be read");
}

#[test]
fn what_came_when_the_consumer_was_told_to_end_is_no_subject() {
    let ends = |ms: u64| {
        unread(|shortener| {
            shortener.build.evidence_mut().records[1].at = at(ms);
            let consumer = shortener.consumer.clone();
            shortener.build.change_process(&consumer, |process| {
                process.end.as_mut().unwrap().asked = Some(at(5_000));
            });
        })
    };
    assert_eq!(ends(4_999).outcome(), Outcome::Fail);
    assert_eq!(ends(5_000).outcome(), Outcome::Pass);
}

#[test]
fn a_fault_that_never_ended_or_a_consumer_that_died_leaves_it_open() {
    for on in ["kafka", "postgres"] {
        let away = unread(|shortener| {
            shortener.build.evidence_mut().faults.push(Fault {
                kind: FaultKind::Stop,
                on: FaultTarget::Backend(on.into()),
                began: at(10),
                ended: None,
                fenced: false,
            });
        });
        assert_eq!(away.outcome(), Outcome::Incomplete, "{on}");
    }
    let died = unread(|shortener| {
        let consumer = shortener.consumer.clone();
        shortener.build.change_process(&consumer, |process| process.end.as_mut().unwrap().asked = None);
    });
    assert_eq!(died.outcome(), Outcome::Incomplete);
    let etcd = unread(|shortener| {
        shortener.build.evidence_mut().faults.push(Fault {
            kind: FaultKind::Stop,
            on: FaultTarget::Backend("etcd".into()),
            began: at(10),
            ended: None,
            fenced: false,
        });
    });
    assert_eq!(etcd.outcome(), Outcome::Fail, "a consumer needs no etcd");
}

#[test]
fn an_order_of_starts_that_it_did_not_survive_is_not_held_against_it_again() {
    let judgement = unread(|shortener| {
        shortener.build.evidence_mut().orders.push(StartOrder {
            order: vec!["analytics-consumer".into(), "kafka".into()],
            started_late: Vec::new(),
            healthy: false,
            missing: vec![OrderGap { service: "analytics-consumer".into(), what: "no row".into() }],
            exited: Vec::new(),
            bound_ms: 10_000,
            took_ms: 10_000,
        });
    });
    assert_eq!(judgement.outcome(), Outcome::Pass, "of its records nothing is judged, its sends are");
}

/// A click whose record vanished.
fn vanished(change: impl FnOnce(&mut Shortener)) -> Judgement {
    let mut shortener = Shortener::good();
    shortener.click();
    shortener.publish();
    shortener.build.evidence_mut().records.pop();
    change(&mut shortener);
    shortener.judge(RULE)
}

#[test]
fn a_send_that_went_well_and_left_no_record_fails() {
    let judgement = vanished(|_| {});
    assert_eq!(subjects(&judgement), [SENT]);
    assert_eq!(judgement.findings[0].seen, "1 send of 2 that went well left no record, and nothing says so");
}

#[test]
fn a_send_that_says_that_it_failed_lost_nothing_silently() {
    let mut shortener = Shortener::good();
    let api = shortener.api.clone();
    shortener.click();
    let span = shortener.build.span(&api, Kind::Producer, "send click-events");
    let span = span.attribute("messaging.destination.name", TOPIC).attribute("messaging.operation.type", "send");
    span.status(Status::Error).add();
    assert_eq!(shortener.judge(RULE).outcome(), Outcome::Pass);
}

#[test]
fn a_record_without_a_context_may_be_any_send() {
    let mut shortener = Shortener::good();
    shortener.click();
    let (record, _) = shortener.publish();
    shortener.build.committed("analytics", TOPIC, Some(2), 2);
    let records = &mut shortener.build.evidence_mut().records;
    records[1].headers.clear();
    (records[1].partition, records[1].offset) = (3, record.offset);
    assert_eq!(shortener.judge(RULE).outcome(), Outcome::Pass, "its missing context is MSG-01's");
}

#[test]
fn without_a_barrier_or_with_the_broker_away_a_vanished_record_is_open() {
    let open = vanished(|shortener| shortener.build.evidence_mut().barrier.steps[0].closed = false);
    assert_eq!(open.outcome(), Outcome::Incomplete);
    let away = vanished(|shortener| {
        shortener.build.evidence_mut().faults.push(Fault {
            kind: FaultKind::BlackHole,
            on: FaultTarget::Backend("kafka".into()),
            began: at(10),
            ended: None,
            fenced: false,
        });
    });
    assert_eq!(away.outcome(), Outcome::Incomplete);
}

#[test]
fn without_a_declaration_nothing_is_judged_and_hostile_places_are_no_panic() {
    let mut shortener = Shortener::good();
    shortener.click();
    assert_eq!(judge(RULE, &shortener.build.evidence(), None).outcome(), Outcome::NotJudged);
    let hostile = effects(2, &["e0"], |shortener| {
        let evidence = shortener.build.evidence_mut();
        (evidence.records[0].partition, evidence.records[0].offset) = (i32::MIN, i64::MAX);
        evidence.offsets[0].committed = Some(i64::MIN);
        evidence.records[1].value = "[".repeat(100_000);
    });
    assert_eq!(hostile.outcome(), Outcome::Fail);
}
