//! The table of defects, row by row: of all rules, exactly those of the row turn red, and exactly those of its last column
//! lose their judgement.
//!
//! Evidence is built as the shortener emits it ([`super::testing::Shortener`]), good and with the defect; the scenarios show
//! the same on the real services.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::build::{Address, at};
use crate::model::*;

use super::testing::Shortener;

/// The outcome of every rule.
pub(super) fn outcomes(shortener: &Shortener) -> BTreeMap<&'static str, Outcome> {
    let evidence = shortener.build.evidence();
    let case = Case::new(&evidence, Some(&shortener.declaration));
    super::all().map(|rule| (rule.id, (rule.judge)(&case).outcome())).collect()
}

pub(super) struct Row {
    pub(super) defect: &'static str,
    /// What the scenario drives, good and with the defect.
    pub(super) drive: fn(&mut Shortener),
    /// The row and its `also`, separated by spaces. Rules that do not exist yet are left out.
    pub(super) fails: &'static str,
    pub(super) cannot_judge: &'static str,
}

pub(super) fn everything(shortener: &mut Shortener) {
    let whole = std::mem::replace(shortener, Shortener::good());
    *shortener = whole.everything();
}

pub(super) fn click(shortener: &mut Shortener) {
    shortener.click();
}

fn burst(shortener: &mut Shortener) {
    shortener.batch(100);
}

/// A click before the consumer starts, and none after.
fn late_consumer(shortener: &mut Shortener) {
    let (record, creator) = shortener.publish();
    let consumer = shortener.consumer.clone();
    shortener.build.change_process(&consumer, |process| {
        process.started = at(5_000);
        process.ready = Some(at(5_100));
    });
    shortener.build.pass(5_000);
    match shortener.is("offset-reset-latest") {
        true => shortener.build.committed("analytics", "click-events", None, 1),
        false => shortener.consume(&record, creator),
    }
}

/// Rows that two requests wrote to an outbox, published together a minute later.
fn relay(shortener: &mut Shortener) {
    shortener.relay_two_rows();
}

const ROWS: &[Row] = &[
    Row { defect: "outbox-without-context", drive: relay, fails: "MSG-05 TRACE-04", cannot_judge: "" },
    Row { defect: "outbox-context-shared", drive: relay, fails: "MSG-05", cannot_judge: "" },
    Row {
        defect: "telemetry-block-missing",
        drive: everything,
        fails: "TRACE-01",
        cannot_judge: "MSG-02 MSG-03 MSG-04 TRACE-10",
    },
    Row { defect: "service-name-copied", drive: everything, fails: "TRACE-01", cannot_judge: "" },
    Row {
        defect: "grpc-client-drops-context",
        drive: everything,
        fails: "TRACE-02 TRACE-04",
        cannot_judge: "",
    },
    Row { defect: "middle-span-dropped", drive: everything, fails: "TRACE-03", cannot_judge: "TRACE-02" },
    Row { defect: "context-background", drive: everything, fails: "TRACE-04", cannot_judge: "" },
    Row {
        defect: "spawn-without-context",
        drive: everything,
        fails: "TRACE-05 TRACE-04 LOG-09",
        cannot_judge: "",
    },
    Row { defect: "raw-path-name", drive: everything, fails: "TRACE-07", cannot_judge: "" },
    Row { defect: "kind-wrong", drive: everything, fails: "TRACE-08", cannot_judge: "" },
    Row { defect: "status-code-missing", drive: everything, fails: "TRACE-08", cannot_judge: "" },
    Row { defect: "error-swallowed", drive: everything, fails: "TRACE-09", cannot_judge: "" },
    Row { defect: "4xx-as-server-error", drive: everything, fails: "TRACE-09", cannot_judge: "" },
    Row { defect: "resource-bare", drive: everything, fails: "TRACE-10", cannot_judge: "" },
    Row { defect: "health-traced", drive: everything, fails: "TRACE-12 TRACE-04", cannot_judge: "" },
    Row { defect: "span-never-ended", drive: everything, fails: "TRACE-16 LOG-02", cannot_judge: "" },
    Row { defect: "clock-skewed", drive: everything, fails: "TRACE-16", cannot_judge: "" },
    Row {
        defect: "kafka-send-without-headers",
        drive: click,
        fails: "MSG-01 MSG-02 TRACE-04",
        cannot_judge: "",
    },
    Row { defect: "kafka-header-in-body", drive: click, fails: "MSG-01", cannot_judge: "" },
    Row { defect: "consumer-ignores-headers", drive: click, fails: "MSG-02 TRACE-04", cannot_judge: "" },
    Row { defect: "batch-links-first-only", drive: burst, fails: "MSG-02", cannot_judge: "" },
    Row { defect: "consumer-without-span", drive: click, fails: "MSG-03 MSG-02 TRACE-04", cannot_judge: "" },
    Row { defect: "kafka-attributes-missing", drive: click, fails: "MSG-04", cannot_judge: "" },
    Row { defect: "kafka-attributes-missing", drive: burst, fails: "MSG-04", cannot_judge: "" },
    Row {
        defect: "offset-reset-latest",
        drive: late_consumer,
        fails: "MSG-08 MSG-06",
        cannot_judge: "MSG-02 MSG-03",
    },
    Row { defect: "resolve-once", drive: detail, fails: "", cannot_judge: "TRACE-02" },
    Row { defect: "no-flush-on-shutdown", drive: details, fails: "DEGRADE-08", cannot_judge: "" },
    Row { defect: "exit-drops-inflight", drive: in_flight, fails: "DEGRADE-08", cannot_judge: "" },
    Row { defect: "scrape-main-port", drive: scrape_of_the_main_port, fails: "", cannot_judge: "" },
];

/// A detail; with `resolve-once` the RPC is never found.
fn detail(shortener: &mut Shortener) {
    shortener.create();
    shortener.detail(if shortener.is("resolve-once") { "UNAVAILABLE" } else { "OK" });
}

/// Four details; with `no-flush-on-shutdown` the spans of the last two stay in analytics-rpc, their log lines do not.
fn details(shortener: &mut Shortener) {
    for _ in 0..4 {
        shortener.detail("OK");
    }
    if shortener.is("no-flush-on-shutdown") {
        let rpc = shortener.rpc.clone();
        let requests = &mut shortener.build.evidence_mut().requests;
        let tail = requests.iter().rposition(|request| request.process.as_ref() != Some(&rpc)).unwrap();
        let before =
            requests[..tail].iter().rposition(|request| request.process.as_ref() != Some(&rpc)).unwrap();
        let mut number = 0;
        requests.retain(|request| {
            number += 1;
            number <= before - 2 || request.process.as_ref() != Some(&rpc)
        });
    }
}

/// A click that is still waiting for Postgres when the process is told to stop; with `exit-drops-inflight` it is never
/// answered, and nothing of it is exported but what was logged.
fn in_flight(shortener: &mut Shortener) {
    shortener.create();
    let api = shortener.api.clone();
    if !shortener.is("exit-drops-inflight") {
        return shortener.unknown_code();
    }
    let stimulus = shortener.build.stimulus(&api, "click", "GET", "/slow", 302);
    (stimulus.answer, stimulus.answered) = (None, None);
    stimulus.error = Some("connection closed".into());
    shortener.log(&api, Address { trace: TraceId([8; 16]), span: SpanId([8; 8]) });
}

/// The barrier asks each listening socket for metrics: on the main port that is a click of an unknown code.
fn scrape_of_the_main_port(shortener: &mut Shortener) {
    shortener.click();
    shortener.unknown_code();
    let stimulus = shortener.build.evidence_mut().stimuli.last_mut().expect("a stimulus");
    stimulus.kind = StimulusKind::Http { method: "GET".into(), path: "/metrics".into() };
    (stimulus.operation, stimulus.by_barrier) = (None, true);
}

#[test]
fn without_a_defect_no_rule_is_red_and_none_is_open() {
    good_runs_are_green(ROWS);
}

#[test]
fn each_defect_turns_exactly_its_rules_red_and_takes_exactly_its_judgements() {
    each_defect_is_exact(ROWS);
}

pub(super) fn good_runs_are_green(rows: &[Row]) {
    for row in rows {
        let mut shortener = Shortener::good();
        (row.drive)(&mut shortener);
        let bad: Vec<_> = outcomes(&shortener)
            .into_iter()
            .filter(|(_, outcome)| !matches!(outcome, Outcome::Pass | Outcome::NotJudged))
            .collect();
        assert!(bad.is_empty(), "good run of {}: {bad:?}", row.defect);
    }
}

pub(super) fn each_defect_is_exact(rows: &[Row]) {
    let registered: BTreeSet<&str> = super::all().map(|rule| rule.id).collect();
    let set = |names: &'static str| -> BTreeSet<&'static str> {
        names.split_whitespace().filter(|name| registered.contains(name)).collect()
    };
    for row in rows {
        let (mut good, mut bad) = (Shortener::good(), Shortener::with(row.defect));
        (row.drive)(&mut good);
        (row.drive)(&mut bad);
        let (before, after) = (outcomes(&good), outcomes(&bad));
        let failed: BTreeSet<_> =
            after.iter().filter(|(_, outcome)| **outcome == Outcome::Fail).map(|(rule, _)| *rule).collect();
        let lost: BTreeSet<_> = after
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Incomplete | Outcome::NotJudged))
            .filter(|(rule, _)| before[*rule] == Outcome::Pass)
            .map(|(rule, _)| *rule)
            .collect();
        assert_eq!((failed, lost), (set(row.fails), set(row.cannot_judge)), "{}", row.defect);
    }
}

#[test]
fn every_rule_of_trace_and_messaging_is_judged_by_some_good_run() {
    let mut judged = BTreeSet::new();
    let more = [
        super::defect_rows_traces::ROWS,
        super::defect_rows_private::ROWS,
        super::defect_rows_delivery::ROWS,
    ];
    for row in ROWS.iter().chain(more.into_iter().flatten()) {
        let mut shortener = Shortener::good();
        (row.drive)(&mut shortener);
        judged.extend(
            outcomes(&shortener)
                .into_iter()
                .filter(|(_, outcome)| *outcome == Outcome::Pass)
                .map(|(rule, _)| rule),
        );
    }
    let families = ["TRACE-", "MSG-"];
    let idle: Vec<_> = super::all()
        .map(|rule| rule.id)
        .filter(|id| families.iter().any(|family| id.starts_with(family)) && !judged.contains(id))
        .collect();
    assert!(idle.is_empty(), "{idle:?}");
}
