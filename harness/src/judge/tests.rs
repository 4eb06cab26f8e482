use super::*;
use crate::model::build::{Build, declaration};
use crate::model::{
    BarrierStep, Counts, Fault, FaultKind, FaultTarget, Fence, HttpAnswer, Kind, Resolution, Severity, Target,
};

/// A rule that says what a test wants; statics, because rules are.
macro_rules! rule {
    ($name:ident, $id:literal, $judge:expr) => {
        static $name: Rule = Rule {
            id: $id,
            severity: Severity::Error,
            requirement: "a requirement",
            needs: &[],
            page: "",
            judge: $judge,
        };
    };
}

rule!(GOOD, "GOOD-01", |case| Judgement { subjects: case.spans.len() as u64, ..Judgement::default() });
rule!(BAD, "BAD-01", |case| {
    let mut judgement = Judgement::default();
    for span in case.spans.iter() {
        judgement.judged();
        judgement.findings.push(finding(Severity::Error, span.name()));
    }
    judgement.findings.reverse();
    judgement
});
rule!(WARNS, "WARN-01", |_| Judgement {
    subjects: 1,
    findings: vec![finding(Severity::Warning, "a"), finding(Severity::Note, "b")],
    ..Judgement::default()
});
rule!(MISSES, "MISS-01", |_| {
    let mut judgement = Judgement { subjects: 1, ..Judgement::default() };
    judgement.gap("analytics-consumer", "silent: analytics-consumer");
    judgement
});
rule!(PANICS, "PANIC-01", |_| panic!("an index out of bounds"));

fn finding(severity: Severity, subject: &str) -> Finding {
    Finding {
        rule: "BAD-01".into(),
        severity,
        subject: subject.into(),
        required: "something".into(),
        seen: "something else".into(),
        candidates: Vec::new(),
        tree: String::new(),
        fix: "do it right".into(),
        spans: Vec::new(),
        known: None,
        expired: None,
        fault: "unjoined".into(),
        at: None,
    }
}

fn judged(evidence: &Evidence, rules: &[&'static Rule]) -> ScenarioReport {
    let case = Case::new(evidence, None);
    let judged = apply(rules, &case, 2);
    conclude(&case, rules, judged)
}

fn spans(number: usize) -> Evidence {
    let mut build = Build::new();
    let api = build.process("url-api");
    for _ in 0..number {
        build.span(&api, Kind::Server, "GET /{code}").add();
    }
    build.evidence()
}

#[test]
fn thresholds_of_a_declarations_own_are_in_the_report() {
    let mut declaration = declaration();
    declaration.thresholds.scrape_ms = 9;
    let report = judge(&spans(1), Some(&declaration));
    assert_eq!(report.thresholds, declaration.thresholds.overrides());
    assert_eq!(report.thresholds.len(), 1);
    assert_eq!(judge(&spans(1), None).thresholds, []);
}

#[test]
fn fail_wins_over_incomplete_and_incomplete_over_pass() {
    let evidence = spans(1);
    assert_eq!(judged(&evidence, &[&GOOD]).verdict, Some(Verdict::Pass));
    assert_eq!(judged(&evidence, &[&GOOD, &MISSES]).verdict, Some(Verdict::Incomplete));
    assert_eq!(judged(&evidence, &[&GOOD, &MISSES, &BAD]).verdict, Some(Verdict::Fail));
}

#[test]
fn warnings_and_notes_never_change_the_verdict() {
    let report = judged(&spans(1), &[&GOOD, &WARNS]);
    assert_eq!(report.verdict, Some(Verdict::Pass));
    assert_eq!(report.findings.len(), 2);
}

#[test]
fn the_headline_counts_targets_without_prometheus_itself() {
    let mut evidence = spans(1);
    let target = |address: &str, resolved, status| Target {
        file: "prometheus.yml".into(),
        line: 1,
        job: "a".into(),
        address: address.into(),
        scheme: "http".into(),
        path: "/metrics".into(),
        resolved,
        answer: status,
        fallback_protocol: None,
        not_evaluated: None,
        prometheus: None,
    };
    let port = Resolution::Port { service: "url-api".into(), role: "admin".into() };
    let ok = HttpAnswer { status: Some(200), ..HttpAnswer::default() };
    evidence.targets = vec![
        target("localhost:9090", Resolution::Scraper, None),
        target("url-api:9464", port, Some(ok)),
        target("localhost:9464", Resolution::Scraper, None),
        target("url-ap:9464", Resolution::UnknownHost, None),
    ];
    assert_eq!(judged(&evidence, &[&GOOD]).headline, "1 of 3 targets up");
}

#[test]
fn nothing_captured_is_never_a_pass() {
    let report = judged(&Build::new().evidence(), &[&GOOD]);
    assert_eq!(report.verdict, Some(Verdict::Incomplete));
    assert_eq!(report.incomplete, ["no telemetry was captured"]);
}

#[test]
fn a_barrier_that_stayed_open_is_incomplete_and_says_at_which_step() {
    let mut evidence = spans(1);
    let open = BarrierStep {
        name: "fence of analytics-consumer".into(),
        closed: false,
        status: "killed (SIGKILL) after 1 commit".into(),
        took_ms: 5_000,
    };
    evidence.barrier.steps.push(open);
    let report = judged(&evidence, &[&GOOD]);
    assert_eq!(report.verdict, Some(Verdict::Incomplete));
    assert_eq!(
        report.incomplete,
        ["barrier did not close: fence of analytics-consumer: killed (SIGKILL) after 1 commit"]
    );
}

#[test]
fn an_unexplained_loss_is_incomplete_and_names_the_hop() {
    let mut evidence = spans(1);
    evidence.ledger.senders[0].counts = Counts { lost_spans: 12, ..Counts::default() };
    let report = judged(&evidence, &[&GOOD]);
    assert_eq!(
        report.incomplete,
        ["lost between url-api#1 and the collector: 12 spans, refused and never came again"]
    );
    let fault = Fault {
        kind: FaultKind::Refuse,
        on: FaultTarget::Collector,
        began: 1,
        ended: Some(2),
        fenced: false,
    };
    evidence.faults.push(fault);
    assert_eq!(judged(&evidence, &[&GOOD]).verdict, Some(Verdict::Pass), "a declared fault explains it");
}

#[test]
fn gaps_are_told_once_with_all_rules_that_they_keep_from_judging() {
    rule!(MISSES_TOO, "MISS-02", MISSES.judge);
    let report = judged(&spans(1), &[&MISSES, &GOOD, &MISSES_TOO]);
    assert_eq!(report.incomplete, ["MISS-01 MISS-02 cannot be judged: silent: analytics-consumer"]);
    assert_eq!(report.outcome("MISS-02"), Outcome::Incomplete);
    assert_eq!(report.rules_that(Outcome::Pass), ["GOOD-01"]);
}

#[test]
fn a_rule_that_panics_is_our_error_and_hides_no_finding() {
    let report = judged(&spans(1), &[&GOOD, &PANICS]);
    assert_eq!(report.verdict, Some(Verdict::Error));
    assert_eq!(report.error.as_deref(), Some("rule PANIC-01 panicked: an index out of bounds"));
    assert_eq!(judged(&spans(1), &[&PANICS, &BAD]).verdict, Some(Verdict::Fail));
}

#[test]
fn what_was_captured_while_a_backend_ended_is_our_error_and_judged_by_no_rule() {
    let evidence = Evidence { lost_backend: Some("etcd ended by itself".into()), ..spans(1) };
    let report = judge(&evidence, Some(&declaration()));
    assert_eq!((report.verdict, report.rules.len()), (Some(Verdict::Error), 0));
    assert_eq!(report.error.as_deref(), Some("etcd ended by itself"));
    let evidence = Evidence { clock_jump_ms: Some(2_500), ..evidence };
    let said = judge(&evidence, Some(&declaration())).error.unwrap_or_default();
    assert!(said.starts_with("etcd ended by itself; the machine's clock was set ahead by 2.5 s"), "{said}");
}

#[test]
fn what_was_captured_while_the_clock_was_set_is_our_error_and_judged_by_no_rule() {
    for (by_ms, said) in
        [(-10_000, "set back by 10.0 s"), (2_500, "set ahead by 2.5 s"), (i64::MIN, "set back by")]
    {
        let evidence = Evidence { clock_jump_ms: Some(by_ms), ..spans(1) };
        let report = judge(&evidence, Some(&declaration()));
        assert_eq!((report.verdict, report.rules.len()), (Some(Verdict::Error), 0));
        assert!(report.error.as_deref().unwrap_or_default().contains(said), "{:?}", report.error);
        assert_eq!((report.counts.spans, report.incomplete.len()), (1, 0));
    }
}

#[test]
fn findings_are_sorted_by_content_and_bounded() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for number in 0..LISTED_PER_RULE_MAX + 5 {
        build.span(&api, Kind::Server, &format!("GET /{:05}", number * 7919 % 100_000)).add();
    }
    let report = judged(&build.evidence(), &[&BAD]);
    assert_eq!(report.findings.len(), LISTED_PER_RULE_MAX);
    assert!(report.findings.is_sorted_by_key(|finding| finding.subject.clone()));
    assert_eq!(report.rules[0].omitted, 5);
}

#[test]
fn threads_change_nothing_in_the_report() {
    let evidence = spans(PARALLEL_FROM_SPANS);
    let report = judged(&evidence, &[&GOOD, &BAD, &WARNS, &MISSES]);
    let order: Vec<_> = report.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(order, ["GOOD-01", "BAD-01", "WARN-01", "MISS-01"]);
    assert_eq!(report.counts.spans, PARALLEL_FROM_SPANS as u64);
    let texts = [&report, &judged(&evidence, &[&GOOD, &BAD, &WARNS, &MISSES])]
        .map(|report| serde_json::to_string(report).unwrap());
    assert_eq!(texts[0], texts[1]);
}

#[test]
fn every_rule_of_the_catalogue_is_in_the_report_once() {
    let declaration = declaration();
    let report = judge(&spans(1), Some(&declaration));
    let ids: Vec<_> = report.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(ids, rules::all().map(|rule| rule.id).collect::<Vec<_>>());
}

#[test]
fn the_account_says_who_was_complete_and_how_much_came() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let consumer = build.process("analytics-consumer");
    build.change_process(&consumer, |process| {
        process.fence = Fence::Open { why: "killed (SIGKILL)".into() };
    });
    let root = build.span(&api, Kind::Server, "GET /{code}").add();
    build.span(&api, Kind::Client, "SELECT links").child_of(root).add();
    build.committed("analytics", "click-events", Some(1), 3);
    let report = judged(&build.evidence(), &[&GOOD]);
    assert_eq!(report.headline, "2 spans in 1 trace");
    assert_eq!((report.counts.services, report.counts.traces, report.counts.requests), (1, 1, 2));
    let states: Vec<_> = report.processes.iter().map(|process| process.state.as_str()).collect();
    assert_eq!(states, ["complete", "killed (SIGKILL)"]);
    assert_eq!((report.topics[0].produced, report.topics[0].committed), (3, 1));
}
