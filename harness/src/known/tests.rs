use super::*;
use crate::judge::judge;
use crate::model::{Outcome, Severity, Verdict};
use crate::report::RunReport;
use crate::rules::testing::Shortener;

const SUBJECTS: [&str; 2] = ["url-api, span `GET /healthz`", "url-api, span `GET /metrics`"];

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn today() -> Date {
    day("2026-11-21")
}

/// Probes that are traced: TRACE-12 finds two subjects, TRACE-04 what follows from it.
fn report(scenario: &str) -> ScenarioReport {
    let shortener = Shortener::with("health-traced").everything();
    let judged = judge(&shortener.build.evidence(), Some(&shortener.declaration));
    assert_eq!(judged.rules_that(Outcome::Fail), ["TRACE-04", "TRACE-12"]);
    assert_eq!(judged.incomplete, [""; 0]);
    ScenarioReport { name: scenario.into(), ..judged }
}

fn known(entries: &str) -> KnownFindings {
    parse("known.yaml", &format!("version: 1\nknown:\n{entries}")).unwrap()
}

fn accepted<'r>(report: &'r ScenarioReport, rule: &'r str) -> Vec<&'r str> {
    let known = report.findings.iter().filter(|finding| finding.known.is_some() && finding.rule == rule);
    known.map(|finding| finding.subject.as_str()).collect()
}

#[test]
fn a_rule_whose_errors_are_all_known_passes_and_keeps_them() {
    let file = known(
        "  - {rule: TRACE-12, subject: 'url-api, span `GET /*`', reason: the probes move next week}\n  - {rule: TRACE-04, \
         subject: '*', reason: as they do}\n",
    );
    let judged = file.apply(today(), report("a"));
    assert_eq!(judged.verdict, Some(Verdict::Pass));
    assert_eq!(judged.outcome("TRACE-12"), Outcome::Pass);
    assert_eq!(accepted(&judged, "TRACE-12"), SUBJECTS);
    let first = judged.findings.iter().find(|finding| finding.rule == "TRACE-12").unwrap();
    assert_eq!(first.known.as_ref().unwrap().reason, "the probes move next week");
    assert_eq!((first.severity, first.is_error()), (Severity::Error, false));
    let run = RunReport::new("a", vec![judged]);
    assert_eq!((run.exit_code(), run.totals().known), (0, 4));
}

#[test]
fn what_is_not_accepted_stays_red() {
    let table = [
        "  - {rule: TRACE-12, subject: 'url-api, span `GET /healthz`', reason: r}\n",
        "  - {rule: TRACE-12, subject: 'url-api', reason: r}\n",
        "  - {rule: TRACE-12, subject: '*', scenario: b, reason: r}\n",
        "  - {rule: TRACE-08, subject: '*', reason: r}\n",
        "  - {rule: TRACE-12, subject: '*', reason: r, until: 2026-11-20}\n",
    ];
    for entries in table {
        let judged = known(entries).apply(today(), report("a"));
        assert_eq!(judged.outcome("TRACE-12"), Outcome::Fail, "{entries}");
        assert_eq!(judged.verdict, Some(Verdict::Fail), "{entries}");
    }
}

#[test]
fn an_entry_of_a_scenario_accepts_there_and_nowhere_else() {
    let file = known("  - {rule: TRACE-12, scenario: a_click_*, reason: r}\n");
    assert_eq!(accepted(&file.apply(today(), report("a_click_is_linked")), "TRACE-12"), SUBJECTS);
    assert_eq!(accepted(&file.apply(today(), report("a_create")), "TRACE-12"), [""; 0]);
}

#[test]
fn the_last_day_still_accepts_and_the_next_one_counts_and_says_so() {
    let file = known("  - {rule: TRACE-12, subject: '*', reason: soon, until: 2026-11-21}\n");
    assert_eq!(file.apply(today(), report("a")).outcome("TRACE-12"), Outcome::Pass);
    let judged = file.apply(day("2026-11-22"), report("a"));
    assert_eq!(judged.outcome("TRACE-12"), Outcome::Fail);
    let finding = judged.findings.iter().find(|finding| finding.rule == "TRACE-12").unwrap();
    assert_eq!(finding.known, None);
    assert_eq!(finding.expired, Some(Known { reason: "soon".into(), until: Some(day("2026-11-21")) }));
}

#[test]
fn of_several_entries_one_that_holds_wins_over_one_that_expired() {
    let file = known(
        "  - {rule: TRACE-12, subject: '*', reason: old, until: 2020-01-01}\n  - {rule: TRACE-12, subject: '*', reason: new}\n",
    );
    let judged = file.apply(today(), report("a"));
    let finding = judged.findings.iter().find(|finding| finding.rule == "TRACE-12").unwrap();
    assert_eq!(finding.known.as_ref().unwrap().reason, "new");
    assert_eq!(finding.expired, None);
    assert_eq!(file.unmatched(&Scope::default(), &[judged]), []);
}

#[test]
fn known_findings_do_not_make_evidence_whole() {
    let mut open = report("a");
    let rule = open.rules.iter_mut().find(|rule| rule.rule == "TRACE-12").unwrap();
    rule.gaps
        .push(crate::model::Gap { subject: "analytics-rpc".into(), why: "silent: analytics-rpc".into() });
    let file = known(
        "  - {rule: TRACE-12, subject: '*', reason: r}\n  - {rule: TRACE-04, subject: '*', reason: r}\n",
    );
    let judged = file.apply(today(), open);
    assert_eq!(judged.outcome("TRACE-12"), Outcome::Incomplete);
    assert_eq!(judged.verdict, Some(Verdict::Incomplete));
    assert_eq!(judged.incomplete, ["TRACE-12 cannot be judged: silent: analytics-rpc"]);
}

#[test]
fn an_error_of_ours_stays_when_all_findings_are_known() {
    let broken = report("a").with_error("the disk is full");
    let judged = known("  - {rule: TRACE-04, subject: '*', reason: r}\n").apply(today(), broken.clone());
    assert_eq!(judged.verdict, Some(Verdict::Fail));
    let both =
        "  - {rule: TRACE-04, subject: '*', reason: r}\n  - {rule: TRACE-12, subject: '*', reason: r}\n";
    assert_eq!(known(both).apply(today(), broken).verdict, Some(Verdict::Error));
}

#[test]
fn violations_that_are_not_listed_are_accepted_by_an_entry_for_all_subjects_only() {
    let mut many = report("a");
    many.rules.iter_mut().find(|rule| rule.rule == "TRACE-12").unwrap().omitted = 7;
    let listed = known("  - {rule: TRACE-12, subject: 'url-api, span *', reason: r}\n");
    assert_eq!(listed.apply(today(), many.clone()).outcome("TRACE-12"), Outcome::Fail);
    for all in ["subject: '*'", "scenario: a", "subject: '*', scenario: '*'"] {
        let file = known(&format!("  - {{rule: TRACE-12, {all}, reason: r}}\n"));
        assert_eq!(file.apply(today(), many.clone()).outcome("TRACE-12"), Outcome::Pass, "{all}");
    }
}

#[test]
fn applying_twice_does_no_more() {
    let file = known("  - {rule: TRACE-12, subject: '*', reason: r}\n");
    let once = file.apply(today(), report("a")).deny_warnings();
    let twice = file.apply(today(), once.clone()).deny_warnings();
    assert_eq!(format!("{once:?}"), format!("{twice:?}"));
}

#[test]
fn a_known_warning_is_not_denied() {
    let mut warned = report("a");
    for finding in warned.findings.iter_mut().filter(|finding| finding.severity == Severity::Error) {
        finding.severity = Severity::Warning;
    }
    warned
        .rules
        .iter_mut()
        .filter(|rule| rule.outcome == Outcome::Fail)
        .for_each(|rule| rule.outcome = Outcome::Pass);
    warned.verdict = Some(Verdict::Pass);
    assert_eq!(warned.clone().deny_warnings().verdict, Some(Verdict::Fail));
    let file = known(
        "  - {rule: TRACE-12, subject: '*', reason: r}\n  - {rule: TRACE-04, subject: '*', reason: r}\n",
    );
    let judged = file.apply(today(), warned).deny_warnings();
    assert_eq!(judged.verdict, Some(Verdict::Pass));
    assert_eq!(RunReport::new("a", vec![judged]).totals().warnings, 0);
}

fn scope(scenarios: &[&str]) -> Scope {
    Scope { scenarios: scenarios.iter().map(|name| name.to_string()).collect(), partial: false }
}

fn nearest(entry: &str, scope: &Scope, reports: &[ScenarioReport]) -> Option<Option<String>> {
    let unmatched = known(&format!("  - {{{entry}, reason: r}}\n")).unmatched(scope, reports);
    assert!(unmatched.iter().all(|entry| entry.place == "known.yaml:3:5"), "{unmatched:?}");
    unmatched.into_iter().next().map(|entry| entry.nearest)
}

#[test]
fn an_entry_that_matches_nothing_is_told_with_the_nearest_finding() {
    let reports = [report("a_click"), report("a_create")];
    let all = scope(&["a_click", "a_create"]);
    let healthz = Some(Some("url-api, span `GET /healthz` (in a_click)".to_string()));
    let table = [
        ("rule: TRACE-12, subject: 'url-api, span `GET /health`'", healthz.clone()),
        ("rule: TRACE-12, subject: 'something else entirely'", healthz.clone()),
        ("rule: TRACE-12, scenario: a_click, subject: other", healthz),
        ("rule: TRACE-12, scenario: a_clik", Some(Some("the scenario a_click".into()))),
        ("rule: TRACE-12, scenario: wholly_different", Some(Some("no scenario has that name".into()))),
        ("rule: TRACE-07, subject: '*'", Some(None)),
        ("rule: TRACE-12, subject: '*'", None),
        ("rule: TRACE-12, scenario: a_create", None),
    ];
    for (entry, expected) in table {
        assert_eq!(nearest(entry, &all, &reports), expected, "{entry}");
    }
}

#[test]
fn what_was_not_judged_is_not_held_against_an_entry() {
    let skipped = ScenarioReport::skipped("c", "trace", "external");
    let broken = ScenarioReport::could_not_run("d", "trace", "no disk");
    let mut open = report("e");
    open.rules.iter_mut().find(|rule| rule.rule == "TRACE-07").unwrap().outcome = Outcome::Incomplete;
    let mut unasked = report("f");
    unasked.rules.iter_mut().find(|rule| rule.rule == "TRACE-07").unwrap().not_judged =
        Some("no barrier".into());
    let reports = [report("a"), skipped, broken, open, unasked];
    let all = scope(&["a", "b", "c", "d", "e", "f"]);
    for entry in [
        "scenario: b",
        "scenario: c",
        "scenario: d",
        "scenario: e",
        "scenario: f",
        "scenario: '*'",
        "subject: x",
    ] {
        assert_eq!(nearest(&format!("rule: TRACE-07, {entry}"), &all, &reports), None, "{entry}");
    }
    assert_eq!(nearest("rule: TRACE-07, scenario: a", &all, &reports), Some(None));
    // One scenario's directory alone says nothing of the others; a run with a defect nothing of any.
    let one = Scope { partial: true, ..Scope::default() };
    assert_eq!(nearest("rule: TRACE-07, subject: x", &one, &reports[..1]), None);
    assert_eq!(nearest("rule: TRACE-07, scenario: a", &one, &reports[..1]), Some(None));
    assert_eq!(nearest("rule: TRACE-07, scenario: a", &Scope { partial: true, ..all }, &reports), None);
    // A program that was judged once has no scenarios: entries of scenarios are for other runs.
    assert_eq!(nearest("rule: TRACE-07, scenario: a", &Scope::default(), &[report("")]), None);
    assert_eq!(nearest("rule: TRACE-07, subject: x", &Scope::default(), &[report("")]), Some(None));
}

#[test]
fn the_first_file_accepts_what_fails_and_is_the_same_every_time() {
    let reports = [report("a"), report("b*")];
    let text = write(&reports, today(), false);
    assert_eq!(text, write(&[reports[1].clone(), reports[0].clone()], today(), false));
    assert!(text.contains("    reason: accepted on 2026-11-21 when this file was first written\n"), "{text}");
    let file = parse("known.yaml", &text).unwrap();
    for report in reports {
        assert_eq!(file.apply(today(), report).verdict, Some(Verdict::Pass));
    }
    assert_eq!(file.unmatched(&scope(&["a", "b*"]), &[report("a"), report("b*")]), []);
    let one = write(&[report("b*")], today(), false);
    assert!(one.contains("    scenario: \"b\\\\*\"\n"), "{one}");
    assert_eq!(parse("f", &write(&[], today(), true)).unwrap().len(), 0);
}

#[test]
fn hostile_subjects_are_written_so_that_they_are_read_again() {
    let mut hostile = report("\"\n- rule: x\u{0}\u{2028}\u{feff}'*");
    let subjects = [
        "",
        "*",
        "\\*",
        "a: b # c",
        "\u{7f}\u{85}\u{1b}[2J\u{202e}",
        "日本 ü \u{1f600}",
        "`x`",
        &"y*".repeat(5_000),
    ];
    let of_rule = hostile.findings.iter().find(|finding| finding.rule == "TRACE-12").unwrap().clone();
    hostile.findings =
        subjects.iter().map(|subject| Finding { subject: subject.to_string(), ..of_rule.clone() }).collect();
    let text = write(std::slice::from_ref(&hostile), today(), false);
    let file = parse("known.yaml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let judged = file.apply(today(), hostile);
    assert_eq!(judged.outcome("TRACE-12"), Outcome::Pass, "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 6_000 && !line.contains('\u{1b}')), "{text}");
}

#[test]
fn every_mistake_in_a_file_is_told_with_its_place() {
    let table = [
        ("", "known.yaml:1:1: `version: 1` is missing"),
        ("version: 2\n", "known.yaml:1:10: version 2: this program reads version 1"),
        ("version: one\n", "known.yaml:1:10: invalid u64"),
        ("version: 1\nknwon: []\n", "known.yaml:2:1: unknown field `knwon`, expected one of version, known"),
        (
            "version: 1\nknown:\n  - rule: TRACE-99\n    reason: r\n",
            "known.yaml:3:11: there is no rule `TRACE-99`; did you mean `TRACE-09`?",
        ),
        (
            "version: 1\nknown:\n  - rule: wholly\n    reason: r\n",
            "known.yaml:3:11: there is no rule `wholly`; `probity rules` lists them all",
        ),
        ("version: 1\nknown:\n  - subject: x\n    reason: r\n", "known.yaml:3:5: the entry names no `rule`"),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    subject: x\n",
            "known.yaml:3:5: the entry gives no `reason`: say why it is accepted",
        ),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    subject: x\n    reason: '  '\n",
            "known.yaml:3:5: the entry gives no `reason`: say why it is accepted",
        ),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    reason: r\n",
            "known.yaml:3:5: the entry names neither a `subject` nor a `scenario`; `subject: \"*\"` accepts every finding of the rule",
        ),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    subject: ''\n    reason: r\n",
            "known.yaml:4:14: the `subject` is empty; leave it out, or write \"*\" for any",
        ),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    subjct: x\n",
            "known.yaml:4:5: unknown field `subjct`, expected one of rule, subject, scenario, reason, until",
        ),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    rule: TRACE-08\n",
            "known.yaml:4:5: duplicate mapping key: rule",
        ),
        (
            "version: 1\nknown:\n  - rule: TRACE-07\n    subject: *\n",
            "known.yaml:4:14: while scanning an anchor or alias, did not find expected alphabetic or numeric character; put a text that begins with `*` or a backtick in quotes",
        ),
        (
            "version: 1\nknown:\n  - {rule: TRACE-07, subject: x, reason: r, until: 31.12.2026}\n",
            "known.yaml:3:52: `31.12.2026` is no day: write `until: YYYY-MM-DD`",
        ),
        (
            "version: 1\nknown:\n  - {rule: TRACE-07, subject: x, reason: r, until: 2026-02-30}\n",
            "known.yaml:3:52: there is no day 2026-02-30",
        ),
        ("- a\n", "known.yaml:1:1: expected mapping start"),
    ];
    for (text, expected) in table {
        assert_eq!(parse("known.yaml", text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn several_mistakes_are_told_at_once_and_not_without_end() {
    let entries = "  - {rule: X, reason: r}\n".repeat(100);
    let error = parse("k", &format!("version: 1\nknown:\n{entries}")).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 11, "{error}");
    assert!(error.ends_with("and 90 more"), "{error}");
}

#[test]
fn hostile_files_are_refused_at_once() {
    let bomb = "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nknown: *c\n";
    let deep = format!("version: 1\nknown: {}\n", "[".repeat(100_000));
    let long =
        format!("version: 1\nknown:\n  - {{rule: TRACE-07, subject: {}, reason: r}}\n", "x".repeat(3_000));
    let big = " ".repeat(5 << 20);
    for text in [bomb, &deep, &long, &big] {
        assert!(parse("k", text).is_err());
    }
    assert!(parse("k", "version: 1\nknown:\n").unwrap().is_empty());
}
