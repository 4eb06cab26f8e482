use super::*;
use crate::judge::judge;
use crate::model::build::{Address, Build};
use crate::model::{Evidence, Kind, Outcome};
use crate::report::{Judged, ScenarioReport};

fn details(evidence: &Evidence, budget: &mut Budget) -> Details {
    let report = judge(evidence, None);
    details_of(evidence, &report, budget)
}

fn details_of(evidence: &Evidence, report: &ScenarioReport, budget: &mut Budget) -> Details {
    let judged = Judged { report, evidence, declaration: None };
    of(&Opened { judged: &judged, case: Case::new(evidence, None) }, budget)
}

/// Traces of a root and two children, in any order of arrival.
fn traces(count: usize) -> (Build, Vec<Address>) {
    let mut build = Build::new();
    let api = build.process("url-api");
    let roots = (0..count).map(|_| {
        let root = build.span(&api, Kind::Server, "GET /{code}").time(1_000, 1_020).add();
        build.span(&api, Kind::Client, "later").child_of(root).time(1_010, 1_015).add();
        build.span(&api, Kind::Client, "sooner").child_of(root).time(1_002, 1_008).add();
        root
    });
    let roots = roots.collect();
    (build, roots)
}

fn names(details: &Details) -> Vec<&str> {
    details.spans.name.iter().filter_map(|at| details.strings[*at as usize].as_str()).collect()
}

#[test]
fn rows_are_trees_depth_first_and_siblings_by_their_start() {
    let (build, _) = traces(2);
    let mut evidence = build.evidence();
    for _ in 0..2 {
        evidence.requests.reverse();
        let details = details(&evidence, &mut Budget::default());
        assert_eq!(names(&details), ["GET /{code}", "sooner", "later"].repeat(2));
        assert_eq!(details.spans.depth, [0, 1, 1, 0, 1, 1]);
        assert_eq!(details.spans.counts, [3, 3]);
        assert_eq!(details.spans.ids.len(), 6 * 16);
        assert!(details.left_out.is_empty());
    }
}

#[test]
fn a_span_that_is_its_own_ancestor_has_one_row() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let own = build.span(&api, Kind::Server, "own parent").add();
    build.span(&api, Kind::Server, "own parent").child_of(own).with_id(own.span).add();
    build.span(&api, Kind::Client, "child").child_of(own).add();
    let details = details(&build.evidence(), &mut Budget::default());
    assert_eq!(details.spans.depth.len(), 3);
}

#[test]
fn what_findings_speak_of_comes_first_and_the_rest_is_counted() {
    let (build, roots) = traces(10);
    let evidence = build.evidence();
    let mut report = judge(&evidence, None);
    let last = roots[9];
    let finding = serde_json::json!({
        "rule": "TRACE-03", "severity": "error", "subject": "a span", "required": "", "seen": "", "fix": "",
        "spans": [[last.trace, last.span]],
    });
    report.findings = vec![serde_json::from_value(finding).unwrap()];
    let mut budget = Budget { spans: 7, ..Budget::default() };
    let details = details_of(&evidence, &report, &mut budget);
    assert_eq!(details.spans.depth.len(), 6);
    assert!(details.spans.traces.contains(&last.trace.to_string()));
    assert_eq!(details.left_out.get("spans"), Some(&24));
    assert_eq!(budget.spans, 1);
}

#[test]
fn texts_are_kept_once_cut_and_bounded_over_all_scenarios() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let long = "x".repeat(1 << 20);
    for _ in 0..3 {
        build.span(&api, Kind::Server, "GET /{code}").attribute("long", long.as_str()).add();
    }
    let evidence = build.evidence();
    let whole = details(&evidence, &mut Budget::default());
    let longest = whole.strings.iter().filter_map(Value::as_str).map(str::len).max();
    assert!(longest.is_some_and(|length| (4_000..5_000).contains(&length)), "{longest:?}");
    assert_eq!(
        whole.strings.iter().filter(|text| text.as_str().is_some_and(|text| text.contains("more)"))).count(),
        1
    );
    let mut budget = Budget { text: 60, ..Budget::default() };
    let full = details(&evidence, &mut budget);
    assert!(full.strings.iter().any(|text| text == "(left out: the page is full)"));
    assert!(full.strings.iter().filter_map(Value::as_str).map(str::len).sum::<usize>() < 200);
}

#[test]
fn numbers_keep_their_type_where_a_browser_reads_them_exactly() {
    let mut build = Build::new();
    let api = build.process("url-api");
    let span = build.span(&api, Kind::Server, "GET").attribute("small", 7).attribute("flag", true);
    span.attribute("text", "7").attribute("great", i64::MAX).add();
    let details = details(&build.evidence(), &mut Budget::default());
    for wanted in [Value::from(7), Value::from(true), Value::from("7"), Value::from("9223372036854775807")] {
        assert!(details.strings.contains(&wanted), "{wanted}");
    }
}

#[test]
fn a_log_line_leads_to_its_span_and_a_record_to_creator_and_consumer() {
    let mut build = Build::new();
    let (api, consumer) = (build.process("url-api"), build.process("analytics-consumer"));
    let send = build.span(&api, Kind::Producer, "send click-events").add();
    let work = build.span(&consumer, Kind::Consumer, "process click-events").link_to(send).add();
    build.record("click-events", &[("traceparent", &send.traceparent())]);
    build.record("click-events", &[("traceparent", "nonsense")]);
    build.log(
        &api,
        &format!("{{\"msg\":\"sent\",\"traceId\":\"{}\",\"spanId\":\"{}\"}}", send.trace, send.span),
    );
    build.log(&api, "no JSON");
    let details = details(&build.evidence(), &mut Budget::default());
    let row = |address: Address| {
        let id = address.span.to_string();
        (0..details.spans.depth.len())
            .find(|row| details.spans.ids[16 * row..].starts_with(&id))
            .map(|row| row as u64)
    };
    assert_eq!(details.records[0]["creator"].as_u64(), row(send));
    assert_eq!(details.records[0]["consumers"][0][0].as_u64(), row(work));
    assert_eq!(details.records[0]["consumers"][0][1], "link");
    assert!(details.records[1]["creator"].is_null() && details.records[1]["context"].is_null());
    assert_eq!(details.logs[0][6].as_u64(), row(send));
    assert!(details.logs[1][6].is_null());
}

#[test]
fn times_that_no_clock_could_have_are_no_fault_of_ours() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.span(&api, Kind::Server, "back in time").time(2_000, 1_000).add();
    build.span(&api, Kind::Server, "far off").shifted(-1_700_000_000_000).add();
    build.evidence_mut().processes[0].started = u64::MAX;
    let report = judge(&build.evidence(), None);
    assert_ne!(report.outcome("TRACE-16"), Outcome::Pass);
    let details = details_of(&build.evidence(), &report, &mut Budget::default());
    assert!(details.spans.took.iter().any(|took| *took < 0));
}
