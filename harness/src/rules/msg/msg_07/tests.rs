use crate::model::build::at;
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "MSG-07";

/// A click, a poison record, and a click behind it; the poison goes to the dead letters, then something is changed.
fn poison(change: impl FnOnce(&mut Shortener)) -> Judgement {
    let mut shortener = Shortener::good();
    shortener.click();
    shortener.poison();
    shortener.click();
    change(&mut shortener);
    shortener.judge(RULE)
}

fn letter(shortener: &mut Shortener) -> &mut Record {
    let records = &mut shortener.build.evidence_mut().records;
    records.iter_mut().find(|record| record.topic == "click-events.dlt").expect("a dead letter")
}

fn without_letter(shortener: &mut Shortener) {
    shortener.build.evidence_mut().records.retain(|record| record.topic == "click-events");
}

#[test]
fn a_dead_letter_in_the_trace_of_its_record_passes() {
    let judgement = poison(|_| {});
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 1));
}

#[test]
fn records_that_work_are_no_subjects_and_neither_is_a_group_without_dead_letters() {
    let mut shortener = Shortener::good();
    shortener.declare_dead_letters();
    shortener.click();
    assert_eq!(shortener.judge(RULE).outcome(), Outcome::NotJudged);
    let undeclared = poison(|shortener| shortener.declaration.topics[0].groups[0].dead_letters = None);
    assert_eq!(undeclared.outcome(), Outcome::NotJudged);
}

#[test]
fn a_letter_whose_record_is_not_known_is_judged_by_its_context_alone() {
    assert_eq!(poison(|shortener| letter(shortener).value = "rewritten".into()).outcome(), Outcome::Fail);
    let mut shortener = Shortener::good();
    shortener.declare_dead_letters();
    let (_, creator) = shortener.publish();
    shortener.build.record("click-events.dlt", &[("traceparent", &creator.traceparent())]).value = "?".into();
    letter(&mut shortener).value = "rewritten".into();
    assert_eq!(shortener.judge(RULE).outcome(), Outcome::Pass);
}

#[test]
fn a_letter_without_its_context_fails() {
    let none = poison(|shortener| letter(shortener).headers.clear());
    assert_eq!(subjects(&none), ["analytics-consumer, records of click-events"]);
    assert_eq!(none.findings[0].fault, "no context");
    let other = poison(|shortener| letter(shortener).headers[0].1 = format!("00-{}-{}-01", "ab".repeat(16), "cd".repeat(8)));
    assert_eq!(other.findings[0].fault, "another trace");
}

#[test]
fn a_record_that_was_given_up_without_an_error_span_fails() {
    let mut shortener = Shortener::good();
    shortener.declare_dead_letters();
    shortener.click();
    let record = shortener.build.evidence().records[0].clone();
    let header = record.headers[0].1.clone();
    shortener.build.record("click-events.dlt", &[("traceparent", &header)]);
    letter(&mut shortener).value = record.value;
    assert_eq!(shortener.judge(RULE).findings[0].fault, "no error span");
}

#[test]
fn a_record_that_failed_and_is_nowhere_fails() {
    let judgement = poison(without_letter);
    assert_eq!(judgement.findings[0].fault, "no dead letter");
    assert!(judgement.findings[0].seen.starts_with("click-events[0] offset 1 failed"), "{judgement:?}");
}

#[test]
fn the_committed_offset_tells_a_lost_record_from_a_blocked_partition() {
    let committed = |offset: i64| {
        poison(move |shortener| {
            without_letter(shortener);
            shortener.build.committed("analytics", "click-events", Some(offset), 3);
        })
    };
    assert_eq!(committed(2).findings[0].fault, "no dead letter");
    let blocked = committed(1);
    assert_eq!(blocked.findings[0].fault, "blocked");
    assert_eq!(blocked.findings[0].seen, "click-events[0] offset 1 failed 1 time and holds its partition, with 1 record behind it");
}

#[test]
fn a_backend_that_was_away_says_nothing_of_the_record() {
    let fault = |on: &str| Fault {
        kind: FaultKind::Refuse,
        on: FaultTarget::Backend(on.into()),
        began: at(0),
        ended: Some(at(900_000)),
        fenced: false,
    };
    let away = |on: &'static str| {
        poison(move |shortener| {
            without_letter(shortener);
            shortener.build.evidence_mut().faults.push(fault(on));
        })
    };
    assert_eq!(away("postgres").outcome(), Outcome::NotJudged);
    assert_eq!(away("etcd").outcome(), Outcome::Fail, "the consumer does not need it");
}

#[test]
fn an_open_barrier_or_a_killed_consumer_leaves_it_open() {
    let open = poison(|shortener| {
        without_letter(shortener);
        shortener.build.evidence_mut().barrier.steps[0].closed = false;
    });
    assert_eq!(open.outcome(), Outcome::Incomplete);
    let killed = poison(|shortener| {
        without_letter(shortener);
        let consumer = shortener.consumer.clone();
        let fence = Fence::Open { why: "killed (SIGKILL)".into() };
        shortener.build.change_process(&consumer, |process| process.fence = fence);
    });
    assert_eq!(killed.outcome(), Outcome::Incomplete);
}

#[test]
fn hostile_letters_do_not_panic() {
    let judgement = poison(|shortener| {
        let letter = letter(shortener);
        letter.headers = vec![("traceparent".into(), "\u{0}".repeat(1_000)); 100];
        (letter.partition, letter.offset, letter.value) = (i32::MIN, i64::MIN, "\u{1b}[31m".into());
    });
    assert_eq!(judgement.outcome(), Outcome::Fail);
    let mut shortener = Shortener::good();
    shortener.poison();
    assert_eq!(judge(RULE, &shortener.build.evidence(), None).outcome(), Outcome::NotJudged);
}
