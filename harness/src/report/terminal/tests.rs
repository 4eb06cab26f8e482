use super::*;
use crate::model::{
    Barrier, BarrierKind, BarrierStep, Counts, Finding, Gap, Outcome, ProcessId, SenderEntry, SpanId,
    Thresholds, TraceId,
};
use crate::report::{BackendReport, ProcessReport, RuleReport, TopicReport};

/// As a reader without colour sees it.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn at_80() -> Layout {
    Layout { width: Some(80), ..Layout::default() }
}

fn rule(id: &str, outcome: Outcome) -> RuleReport {
    let gaps = match outcome {
        Outcome::Incomplete => vec![Gap { subject: "a".into(), why: "silent: analytics-consumer".into() }],
        _ => Vec::new(),
    };
    RuleReport {
        rule: id.into(),
        requirement: "every consumed record is joined to the span that created it, by parent or by link",
        outcome,
        subjects: 1,
        gaps,
        not_judged: None,
        omitted: 0,
    }
}

fn process(id: &str, state: &str) -> ProcessReport {
    ProcessReport {
        process: id.into(),
        service: id.into(),
        complete: state == "complete",
        state: state.into(),
    }
}

fn click() -> ScenarioReport {
    let step = BarrierStep { name: "fences".into(), closed: true, status: "3 of 3".into(), took_ms: 12 };
    ScenarioReport {
        name: "a_click_is_one_trace_across_kafka".into(),
        family: "trace".into(),
        verdict: Some(Verdict::Pass),
        seconds: [("start".to_string(), 0.5), ("drive".to_string(), 0.31)].into(),
        headline: "12 spans in 1 trace".into(),
        counts: crate::report::Counts { spans: 12, traces: 1, ..Default::default() },
        rules: vec![rule("TRACE-04", Outcome::Pass), rule("MSG-02", Outcome::Pass)],
        processes: ["url-api", "analytics-rpc", "analytics-consumer"]
            .map(|id| process(id, "complete"))
            .to_vec(),
        topics: vec![TopicReport {
            topic: "click-events".into(),
            group: "analytics".into(),
            produced: 1,
            committed: 1,
        }],
        barrier: Barrier { steps: vec![step], kind: BarrierKind::Stepped },
        ..ScenarioReport::default()
    }
}

fn finding() -> Finding {
    Finding {
        rule: "MSG-02".into(),
        severity: Severity::Error,
        subject: "analytics-consumer, span `process click-events`".into(),
        required: "parent or link to `send click-events` of url-api, the creator of click-events[0] offset 17"
            .into(),
        seen: "a root span: no parent, no link. The record does carry its traceparent, so the consumer dropped it"
            .into(),
        candidates: vec!["`send click-events` of url-api".into()],
        tree: "url-api                SERVER    GET /{code}\n+ analytics-consumer     CONSUMER  process click-events"
            .into(),
        fix: "extract the context from the record's headers before the span is started".into(),
        spans: vec![(TraceId([7; 16]), SpanId([8; 8]))],
        known: None,
        expired: None,
        fault: "unjoined".into(),
        at: None,
    }
}

#[test]
fn a_green_scenario_is_one_line() {
    let line = plain(&scenario(&click(), &Layout::default()));
    assert_eq!(
        line,
        "pass        trace    a_click_is_one_trace_across_kafka              0.8 s  12 spans in 1 trace   complete: \
         lag 0, 3/3 fences\n"
    );
}

#[test]
fn at_80_columns_the_line_ends_where_it_would_not_fit() {
    insta::assert_snapshot!(plain(&scenario(&click(), &at_80())), @"pass        trace    a_click_is_one_trace_across_kafka              0.8 s");
}

#[test]
fn a_finding_says_who_what_was_required_what_was_seen_and_the_fix() {
    let mut report = click();
    report.verdict = Some(Verdict::Fail);
    report.findings = vec![finding()];
    report.rerun = Some("cargo probity run --only a_click_is_one_trace_across_kafka".into());
    let layout = at_80().with_evidence(Some("target/probity/latest".into()));
    insta::assert_snapshot!(plain(&scenario(&report, &layout)), @r"
    fail        trace    a_click_is_one_trace_across_kafka              0.8 s

      MSG-02 error     every consumed record is joined to the span that created it,
                       by parent or by link
        where        analytics-consumer, span `process click-events`
        required     parent or link to `send click-events` of url-api, the creator
                     of click-events[0] offset 17
        seen         a root span: no parent, no link. The record does carry its
                     traceparent, so the consumer dropped it
        nearest      `send click-events` of url-api
        tree         url-api                SERVER    GET /{code}
                     + analytics-consumer     CONSUMER  process click-events
        fix          extract the context from the record's headers before the span
                     is started; probity explain MSG-02
        evidence     probity tree target/probity/latest --trace 07070707

        again        cargo probity run --only a_click_is_one_trace_across_kafka
    ");
}

#[test]
fn incomplete_places_the_loss_at_a_hop_and_says_what_cannot_be_judged() {
    let mut report = click();
    report.verdict = Some(Verdict::Incomplete);
    report.processes[2] = process("analytics-consumer", "killed (SIGKILL) after 1 commit");
    report.rules.push(rule("TRACE-01", Outcome::Incomplete));
    report.incomplete = vec!["barrier did not close: analytics-consumer gave no fence".into()];
    let counts = Counts { requests: 3, spans: 1_204, refused_requests: 1, ..Counts::default() };
    let silent =
        SenderEntry { process: Some(ProcessId::new("analytics-consumer#1")), ..SenderEntry::default() };
    let api = SenderEntry { process: Some(ProcessId::new("url-api#1")), counts, ..SenderEntry::default() };
    report.ledger = vec![api, silent];
    insta::assert_snapshot!(plain(&scenario(&report, &at_80())), @r"
    incomplete  trace    a_click_is_one_trace_across_kafka              0.8 s

      barrier did not close: analytics-consumer gave no fence
        services     url-api complete · analytics-rpc complete · analytics-consumer
                     killed (SIGKILL) after 1 commit
        records      click-events: 1 produced, 1 committed by group analytics
        ledger       url-api#1: 3 requests, 1,204 spans, 1 refused
                     analytics-consumer#1: 0 requests, 0 spans, 0 refused
        so           TRACE-01 cannot be judged; 2 other rules pass
    ");
}

#[test]
fn what_passes_beside_an_open_verdict_is_counted_in_words() {
    for (passed, expected) in [
        (0, "nothing was judged"),
        (1, "the verdict is open, although the one rule that was judged passes"),
        (2, "the verdict is open, although the 2 rules that were judged pass"),
    ] {
        let mut report = click();
        report.verdict = Some(Verdict::Incomplete);
        report.incomplete = vec!["barrier did not close: analytics-consumer gave no fence".into()];
        report.rules = vec![rule("TRACE-03", Outcome::Pass); passed];
        let text = plain(&scenario(&report, &Layout::default()));
        assert!(text.contains(&format!("so           {expected}\n")), "{text}");
    }
}

#[test]
fn what_cannot_be_run_says_why_and_how_to_try_again() {
    let report = ScenarioReport::could_not_run("a_click", "trace", "etcd exited with 1 while it started");
    let skipped = ScenarioReport::skipped("b_click", "trace", "external: stop is not ours to do");
    insta::assert_snapshot!(plain(&(scenario(&report, &at_80()) + &scenario(&skipped, &at_80()))), @r"
    error       trace    a_click

        error        etcd exited with 1 while it started

    skipped     trace    b_click

        skipped      external: stop is not ours to do
    ");
}

#[test]
fn many_findings_of_a_rule_are_counted_not_poured_out() {
    let mut report = click();
    report.verdict = Some(Verdict::Fail);
    report.findings = (0..40).map(|n| Finding { subject: format!("span `GET /{n}`"), ..finding() }).collect();
    let text = plain(&scenario(&report, &at_80()));
    assert_eq!(text.matches("required").count(), 3, "{text}");
    assert!(text.contains("and 27 more like it"), "{text}");
}

#[test]
fn hostile_text_moves_no_cursor_and_fills_no_screen() {
    let mut report = click();
    report.verdict = Some(Verdict::Fail);
    let hostile = format!("\u{1b}[2J\u{202e}{}\nfail  trace  forged", "x".repeat(1_000_000));
    report.name = hostile.clone();
    report.headline = hostile.clone();
    report.incomplete = vec![hostile.clone()];
    report.findings = vec![Finding {
        subject: hostile.clone(),
        seen: hostile.clone(),
        tree: hostile.clone(),
        fix: hostile,
        ..finding()
    }];
    let text = plain(&scenario(&report, &at_80()));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert!(text.len() < 60_000, "{} bytes", text.len());
    assert!(!text.lines().any(|line| line.starts_with("fail  trace")), "{}", &text[..2_000]);
}

#[test]
fn the_summary_counts_and_says_where_everything_lies() {
    let mut failed = click();
    failed.verdict = Some(Verdict::Fail);
    let skipped = ScenarioReport::skipped("b", "start", "external: kill is not ours to do");
    let mut report = RunReport::new("shortener", vec![click(), failed, skipped]);
    report.seconds = 21.4;
    let layout = at_80().with_evidence(Some("target/probity/latest".into()));
    insta::assert_snapshot!(plain(&summary(&report, &layout)), @r"
    fail  3 scenarios, 1 failed, 1 skipped, 2 rules, 24 spans, nothing lost  21.4 s
    evidence  target/probity/latest
    ");
}

#[test]
fn thresholds_of_a_systems_own_are_said_once_with_their_reason() {
    let mut thresholds = Thresholds { label_sets_fail: 500, scrape_ms: 9, ..Thresholds::default() };
    thresholds.reasons.insert("label_sets_fail".into(), "six regions".into());
    let one = ScenarioReport { thresholds: thresholds.overrides(), ..click() };
    let report = RunReport::new("shortener", vec![one.clone(), one]);
    insta::assert_snapshot!(plain(&summary(&report, &at_80())), @r"
        thresholds   label_sets_fail is 500, not 100: six regions
                     scrape_ms is 9, not 1000: no reason is given
    pass  2 scenarios, 2 rules, 24 spans, nothing lost
    ");
}

#[test]
fn backends_say_who_provides_them_and_how_fast() {
    let backend = |name: &str, version: &str, ready_ms, limits: &[&str]| BackendReport {
        name: name.into(),
        provider: "embedded".into(),
        version: version.into(),
        ready_ms,
        limits: limits.iter().map(|limit| limit.to_string()).collect(),
    };
    let report = RunReport::new("shortener", vec![click()]).with_backends(vec![
        backend("etcd", "3.7.2", 90, &[]),
        backend("postgres", "15.18", 710, &[]),
        backend("kafka", "mock (librdkafka 2.12)", 10, &["no CreateTopics"]),
    ]);
    insta::assert_snapshot!(plain(&backends(&report, &at_80())), @r"
    backends  etcd 3.7.2 (embedded) 0.09 s · postgres 15.18 (embedded) 0.71 s ·
              kafka mock (librdkafka 2.12) (embedded) 0.01 s · limits: probity
              explain kafka-mock
    ");
}

#[test]
fn an_empty_run_and_a_wholly_skipped_one_are_incomplete() {
    let skipped = || ScenarioReport::skipped("b", "start", "external");
    for scenarios in [vec![], vec![skipped(), skipped()]] {
        let report = RunReport::new("shortener", scenarios);
        assert_eq!((report.verdict, report.exit_code()), (Verdict::Incomplete, 3));
    }
}

#[test]
fn exit_codes_are_as_designed() {
    let with = |verdict| RunReport::new("", vec![ScenarioReport { verdict: Some(verdict), ..click() }]);
    let codes = [Verdict::Pass, Verdict::Fail, Verdict::Error, Verdict::Incomplete]
        .map(|verdict| with(verdict).exit_code());
    assert_eq!(codes, [0, 1, 2, 3]);
    assert_eq!(with(Verdict::Fail).interrupted().exit_code(), 2, "an interrupt is always 2");
    assert_eq!(with(Verdict::Pass).with_problems(vec!["cut off".into()]).exit_code(), 2);
    let mixed = [Verdict::Incomplete, Verdict::Error, Verdict::Fail]
        .map(|verdict| ScenarioReport { verdict: Some(verdict), ..click() });
    assert_eq!(RunReport::new("", mixed.to_vec()).exit_code(), 1);
    assert_eq!(RunReport::new("", mixed[..2].to_vec()).exit_code(), 2);
}
