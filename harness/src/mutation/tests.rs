use std::collections::BTreeSet;

use super::*;
use crate::model::build::{Build, declaration};
use crate::model::{Kind, Outcome, Signal, Spans};
use crate::rules::testing::Shortener;

fn good() -> Evidence {
    Shortener::good().everything().build.evidence()
}

fn mutants(name: &str, evidence: &Evidence) -> Vec<Mutant> {
    let declaration = declaration();
    let case = Case::new(evidence, Some(&declaration));
    let mutation = breaks().find(|mutation| mutation.name == name).expect("a known mutation");
    (mutation.mutants)(&case)
}

fn spans(evidence: &Evidence) -> usize {
    Spans::named(&evidence.requests, &evidence.names).len()
}

#[test]
fn names_are_unique_and_in_kebab_case() {
    let names: Vec<&str> =
        breaks().map(|mutation| mutation.name).chain(NEUTRALS.iter().map(|neutral| neutral.name)).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    let kebab = |name: &str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    assert!(names.iter().all(|name| kebab(name)), "{names:?}");
}

#[test]
fn every_break_of_spans_changes_the_evidence_and_only_a_copy() {
    let evidence = good();
    let bytes = |evidence: &Evidence| -> Vec<bytes::Bytes> {
        evidence.requests.iter().map(|request| request.bytes.clone()).collect()
    };
    let before = bytes(&evidence);
    for mutation in
        tracing::BREAKS.iter().filter(|mutation| !matches!(mutation.name, "drop-link" | "hide-error"))
    {
        let mutants = mutants(mutation.name, &evidence);
        assert!(!mutants.is_empty(), "{}", mutation.name);
        for mutant in mutants {
            assert_ne!(bytes(&mutant.of(&evidence)), before, "{} {}", mutation.name, mutant.subject);
        }
    }
    assert_eq!(bytes(&evidence), before);
}

#[test]
fn one_span_is_dropped_for_each_shape() {
    let evidence = good();
    let whole = spans(&evidence);
    let mutants = mutants("drop-span", &evidence);
    let subjects: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.subject.as_str()).collect();
    assert_eq!(subjects.len(), mutants.len());
    assert!(subjects.contains("url-api CLIENT SELECT links"), "{subjects:?}");
    for mutant in &mutants {
        assert_eq!(spans(&mutant.of(&evidence)), whole - 1, "{}", mutant.subject);
    }
}

#[test]
fn a_span_that_begins_its_own_trace_takes_its_children_and_their_record_along() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let root = build.span(&api, Kind::Server, "GET /{code}").add();
    let send = build.span(&api, Kind::Producer, "send click-events").child_of(root).add();
    let consumer = build.process("analytics-consumer");
    let process = build.span(&consumer, Kind::Consumer, "process click-events").child_of(send).add();
    build.record("click-events", &[("traceparent", &send.traceparent())]);
    let evidence = build.evidence();
    let mutants = mutants("re-root", &evidence);
    let mutant = mutants.iter().find(|mutant| mutant.subject.contains("PRODUCER")).expect("a child");
    let broken = mutant.of(&evidence);
    let spans = Spans::named(&broken.requests, &broken.names);
    assert_eq!(spans.trace(root.trace).count(), 1);
    let moved = spans.roots().find(|span| span.id() == send.span).expect("a root of its own");
    assert_eq!(moved.children().map(|span| span.id()).collect::<Vec<_>>(), [process.span]);
    let header = broken.records[0].header("traceparent").next().expect("the header stays");
    assert!(
        header.contains(&moved.trace().to_string()) && header.contains(&send.span.to_string()),
        "{header}"
    );
}

#[test]
fn hostile_payloads_stay_as_they_are() {
    let mut evidence = good();
    let mut broken = evidence.requests[0].clone();
    broken.bytes = bytes::Bytes::from_static(b"\xff\xff\xff no protobuf");
    evidence.requests.push(broken);
    for neutral in NEUTRALS {
        let mut changed = evidence.clone();
        (neutral.change)(&mut changed);
        assert!(
            changed.requests.iter().any(|request| request.bytes.ends_with(b"no protobuf")),
            "{}",
            neutral.name
        );
    }
}

#[test]
fn other_ids_are_other_everywhere() {
    let evidence = good();
    let neutral = NEUTRALS.iter().find(|neutral| neutral.name == "other-ids").expect("a known change");
    let mut changed = evidence.clone();
    (neutral.change)(&mut changed);
    let ids = |evidence: &Evidence| -> BTreeSet<String> {
        let spans = Spans::named(&evidence.requests, &evidence.names);
        spans.iter().flat_map(|span| [span.trace().to_string(), span.id().to_string()]).collect()
    };
    let (old, new) = (ids(&evidence), ids(&changed));
    assert_eq!(old.len(), new.len());
    assert!(old.is_disjoint(&new));
    let texts = changed.records.iter().flat_map(|record| &record.headers).map(|(_, value)| value);
    for text in texts.chain(changed.logs.iter().map(|line| &line.text)) {
        assert!(!old.iter().any(|id| text.contains(id.as_str())), "{text}");
    }
}

#[test]
fn single_spans_hold_what_the_batch_held() {
    let evidence = good();
    let neutral = NEUTRALS.iter().find(|neutral| neutral.name == "batches").expect("a known change");
    let mut changed = evidence.clone();
    (neutral.change)(&mut changed);
    let traces = changed.requests.iter().filter(|request| request.signal == Signal::Traces).count();
    assert_eq!((traces, spans(&changed)), (spans(&evidence), spans(&evidence)));
}

#[test]
fn a_leak_of_each_kind_and_lost_baggage_are_caught_by_their_rules() {
    let mut shortener = Shortener::good();
    shortener.create();
    shortener.entrusted_click();
    let evidence = shortener.build.evidence();
    let case = Case::new(&evidence, Some(&shortener.declaration));
    let subjects = |name: &str| -> Vec<String> {
        let mutation = breaks().find(|mutation| mutation.name == name).expect("a known mutation");
        let caught = (mutation.mutants)(&case).into_iter().map(|mutant| {
            let report = crate::judge::judge(&mutant.of(&evidence), Some(&shortener.declaration));
            format!("{}: {}", mutant.subject, report.rules_that(Outcome::Fail).join(" "))
        });
        caught.collect()
    };
    assert_eq!(
        subjects("leak-in-span"),
        [
            "url-api, bearer token: PRIVATE-01",
            "url-api, phone number: PRIVATE-01",
            "url-api, credential of the stack: PRIVATE-02"
        ]
    );
    assert_eq!(subjects("leak-in-record")[2], "click-events, credential of the stack: PRIVATE-02");
    assert_eq!(subjects("leak-in-log").len(), 3);
    assert_eq!(subjects("drop-baggage"), ["analytics-consumer: TRACE-15", "url-api: TRACE-15"]);
}
