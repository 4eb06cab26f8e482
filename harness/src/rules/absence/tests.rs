use super::*;
use crate::model::build::{Build, at, declaration};
use crate::model::{Exit, FaultKind, ProcessEnd};

/// A consumer that committed one record and sent nothing, after `change`.
fn silence_of_consumer(change: impl FnOnce(&mut Build, &ProcessId)) -> Option<Silence> {
    let mut build = Build::new();
    let consumer = build.process("analytics-consumer");
    build.record("click-events", &[]);
    build.committed("analytics", "click-events", Some(1), 1);
    change(&mut build, &consumer);
    let (evidence, declaration) = (build.evidence(), declaration());
    let case = Case::new(&evidence, Some(&declaration));
    silence(&case, case.process(&consumer).unwrap())
}

fn fault(began: UnixNanos, ended: Option<UnixNanos>) -> Fault {
    Fault { kind: FaultKind::Refuse, on: FaultTarget::Collector, began, ended, fenced: false }
}

#[test]
fn work_without_a_span_behind_a_closed_fence_is_proven_silence() {
    assert_eq!(silence_of_consumer(|_, _| {}), Some(Silence::Proven));
    let endpoint_wrong = silence_of_consumer(|build, _| {
        build.evidence_mut().ledger.senders[0].exporter_says.push("connection refused 127.0.0.1:4317".into());
    });
    assert_eq!(endpoint_wrong, Some(Silence::Proven));
}

#[test]
fn one_span_is_enough_not_to_be_silent_whatever_its_resource_says() {
    let spoke = silence_of_consumer(|build, consumer| {
        build.resource(consumer, "service.name", Some("url-api"));
        build.span(consumer, Kind::Consumer, "process click-events").add();
    });
    assert_eq!(spoke, None);
}

#[test]
fn a_process_without_work_or_never_ready_is_no_subject() {
    assert_eq!(silence_of_consumer(|build, _| build.committed("analytics", "click-events", None, 1)), None);
    assert_eq!(
        silence_of_consumer(|build, _| build.committed("analytics", "click-events", Some(0), 1)),
        None
    );
    let never_ready =
        silence_of_consumer(|build, id| build.change_process(id, |process| process.ready = None));
    assert_eq!(never_ready, None);
}

#[test]
fn a_collector_that_was_away_for_the_whole_life_excuses_and_for_a_part_leaves_it_open() {
    let away =
        |began, ended| silence_of_consumer(|build, _| build.evidence_mut().faults.push(fault(began, ended)));
    assert_eq!(away(at(0), None), Some(Silence::CollectorAway));
    assert_eq!(away(at(0), Some(at(900_000))), Some(Silence::CollectorAway));
    assert!(matches!(away(at(0), Some(at(899_999))), Some(Silence::Unknown(_))));
    assert_eq!(away(at(900_000), None), Some(Silence::Proven), "it began when the process had ended");
}

#[test]
fn killed_quiet_refused_or_behind_an_open_barrier_is_not_proven() {
    let unknown = |change: fn(&mut Build, &ProcessId)| match silence_of_consumer(change) {
        Some(Silence::Unknown(why)) => why,
        other => panic!("{other:?}"),
    };
    let killed = unknown(|build, id| {
        build.change_process(id, |process| process.fence = Fence::Open { why: "killed (SIGKILL)".into() });
    });
    assert_eq!(killed, "analytics-consumer: killed (SIGKILL)");
    unknown(|build, id| build.change_process(id, |process| process.fence = Fence::Quiet { at: at(5) }));
    let refused = unknown(|build, _| build.evidence_mut().ledger.senders[0].counts.lost_spans = 12);
    assert_eq!(refused, "refused: 12 spans of analytics-consumer never came again");
    let open = unknown(|build, _| {
        let step = &mut build.evidence_mut().barrier.steps[0];
        (step.closed, step.status) = (false, "stuck at 3".into());
    });
    assert_eq!(open, "barrier did not close: fences (stuck at 3)");
}

#[test]
fn what_a_killed_process_ended_before_its_marker_is_proven_and_after_it_explained() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.change_process(&api, |process| {
        process.fence = Fence::Marker { at: at(500) };
        let exit = Exit::Signal(9);
        process.end = Some(ProcessEnd { at: at(600), exit, asked: None, within_grace: false });
    });
    let evidence = build.evidence();
    let case = Case::new(&evidence, None);
    let proof = |ms| proof_of_absence(&case, case.process(&api).unwrap(), Some(at(ms)));
    assert_eq!(proof(500), Proof::Absent);
    assert!(matches!(proof(501), Proof::Explained(_)));
}

#[test]
fn an_undegraded_answer_shows_that_the_callee_had_work() {
    let callee = |body: &str| {
        let mut build = Build::new();
        let (api, rpc) = (build.process("url-api"), build.process("analytics-rpc"));
        let stimulus = build.stimulus(&api, "detail", "GET", "/api/v1/links/abc", 200);
        stimulus.answer.as_mut().unwrap().body = body.into();
        let (evidence, declaration) = (build.evidence(), declaration());
        let case = Case::new(&evidence, Some(&declaration));
        silence(&case, case.process(&rpc).unwrap())
    };
    assert_eq!(callee(r#"{"clicks":3}"#), Some(Silence::Proven));
    assert_eq!(callee(r#"{"clicks":0,"degraded":true}"#), None);
    assert_eq!(callee(r#"{"clicks":0}"#), None, "it may have been degraded without a mark");
    assert_eq!(callee("not json"), None);
}

#[test]
fn of_two_instances_the_one_that_spoke_did_the_work() {
    let mut build = Build::new();
    let (first, second) = (build.process("analytics-consumer"), build.process("analytics-consumer"));
    build.record("click-events", &[]);
    build.committed("analytics", "click-events", Some(1), 1);
    build.span(&second, Kind::Consumer, "process click-events").add();
    let (evidence, declaration) = (build.evidence(), declaration());
    let case = Case::new(&evidence, Some(&declaration));
    assert_eq!(silence(&case, case.process(&first).unwrap()), None);
    assert_eq!(silence_of(&case, "analytics-consumer"), None);
}

/// What a span that url-api never sent means, where the collector was away from 20,000 to 30,000 and a span begun at 31,000
/// came at 32,000, after `change`.
fn proof_around_a_fault(at_ms: Option<u64>, change: impl FnOnce(&mut Build)) -> Proof {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.evidence_mut().faults.push(fault(at(20_000), Some(at(30_000))));
    build.evidence_mut().ledger.senders[0].counts.lost_spans = 3;
    build.span(&api, Kind::Server, "GET /{code}").time(31_000, 31_010).add();
    build.evidence_mut().requests[0].received_unix_nanos = at(32_000);
    change(&mut build);
    let (evidence, declaration) = (build.evidence(), declaration());
    let case = Case::new(&evidence, Some(&declaration));
    proof_of_absence(&case, case.process(&api).unwrap(), at_ms.map(at))
}

#[test]
fn a_fault_on_the_collector_explains_what_ended_in_it_and_until_spans_came_again() {
    let proof = |at_ms| proof_around_a_fault(at_ms, |_| {});
    for within in [20_000, 25_000, 30_000, 31_500, 32_000] {
        assert!(matches!(proof(Some(within)), Proof::Explained(_)), "{within}");
    }
    for outside in [1_000, 14_999, 32_001, 90_000] {
        assert_eq!(proof(Some(outside)), Proof::Absent, "{outside}");
    }
    assert!(matches!(proof(Some(19_999)), Proof::Unknown(_)), "it may have waited for its batch");
    assert!(matches!(proof(None), Proof::Explained(_)), "nobody knows when");
}

#[test]
fn who_never_came_back_is_excused_no_longer_than_the_fault_lasted() {
    let proof = |at_ms| proof_around_a_fault(Some(at_ms), |build| build.evidence_mut().requests.clear());
    assert!(matches!(proof(29_999), Proof::Explained(_)));
    assert_eq!(proof(30_001), Proof::Absent);
}

#[test]
fn a_fault_that_a_process_did_not_live_through_explains_nothing_of_it() {
    let after = |build: &mut Build| {
        build.change_process(&ProcessId::new("url-api#1"), |process| process.started = at(30_001));
    };
    assert!(
        matches!(proof_around_a_fault(Some(25_000), after), Proof::Unknown(_)),
        "it lost spans for another reason"
    );
    let told = proof_around_a_fault(None, |build| {
        after(build);
        build.evidence_mut().ledger.senders[0].counts.lost_spans = 0;
    });
    assert_eq!(told, Proof::Absent);
}
