use super::*;
use crate::model::Thresholds;
use crate::report::testing::{Example, HOSTILE, example, golden, hostile};

fn rendered(example: &Example) -> String {
    render(&example.run, &example.cases())
}

/// The document without its fences: what Markdown is read in.
fn outside_of_code(document: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<&str> = None;
    for line in document.lines() {
        let marks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            None if marks.len() >= 3 => fence = Some(marks),
            None => outside.push_str(&format!("{line}\n")),
            Some(open) if line == open => fence = None,
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "a fence is left open");
    let parts = outside.split("<code>").map(|part| part.split_once("</code>").map_or(part, |(_, rest)| rest));
    without_inline_code(&parts.collect::<String>())
}

fn without_inline_code(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let marks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let (inner, mut end) = (&rest[start + marks..], 0);
        let closing = loop {
            let Some(found) = inner[end..].find('`').map(|found| found + end) else {
                panic!("open code in {text}")
            };
            let run = inner[found..].len() - inner[found..].trim_start_matches('`').len();
            if run == marks {
                break found;
            }
            end = found + run;
        };
        plain.push_str(&rest[..start]);
        rest = &inner[closing + marks..];
    }
    plain + rest
}

#[test]
fn thresholds_of_a_systems_own_are_said() {
    let mut example = example();
    let thresholds = Thresholds { scrape_ms: 9, ..Thresholds::default() };
    example.run.scenarios[0].thresholds = thresholds.overrides();
    let document = rendered(&example);
    assert!(
        document.contains("Thresholds of its own: `scrape_ms is 9, not 1000: no reason is given`."),
        "{document}"
    );
}

#[test]
fn a_run_is_read_worst_first() {
    let document = rendered(&example());
    golden("run.md", &document);
    let places = ["a_click_is_one_trace`: fail", "a_cut_database`: error", "a_killed_consumer`: incomplete"];
    let places = places.map(|part| document.find(part).unwrap_or_else(|| panic!("no {part} in {document}")));
    assert!(places.is_sorted());
}

#[test]
fn a_green_run_is_short() {
    let mut green = example();
    green.run.scenarios.retain(|report| report.findings.is_empty() && report.verdict == Some(Verdict::Pass));
    let document = render(&green.run, &green.cases());
    assert!(document.lines().count() < 8 && !document.contains('|'), "{document}");
}

#[test]
fn hostile_text_stays_in_code() {
    let document = rendered(&hostile());
    golden("hostile.md", &document);
    let outside = outside_of_code(&document);
    for part in ["<script", "<img", "@octocat", "https://", "www.", "](", "::error", "# h\n", "#1", "~~~"] {
        assert!(!outside.contains(part), "{part} in {outside}");
    }
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    for row in document.lines().filter(|line| line.starts_with("| `")) {
        assert_eq!(cells(row), 5, "{row}");
    }
}

#[test]
fn inline_code_holds_anything() {
    for text in [HOSTILE, "`", "``", "a`b", "|", "\\|", "a\\", "\n"] {
        assert_eq!(without_inline_code(&format!("a {} b", code(text))), "a  b", "{text:?}");
    }
    assert_eq!(code(""), "");
}

#[test]
fn a_huge_run_keeps_to_its_bytes_and_says_what_is_left_out() {
    let mut huge = example();
    let finding = huge.first().clone();
    huge.run.scenarios[0].findings = vec![Finding { seen: "x".repeat(10_000), ..finding }; 3];
    let red = huge.run.scenarios[0].clone();
    huge.run.scenarios = vec![red; 300];
    let evidence = huge.cases()[0].evidence.clone();
    let cases: Vec<Judged> = huge
        .run
        .scenarios
        .iter()
        .map(|report| Judged { report, evidence: &evidence, declaration: None })
        .collect();
    let document = within(&huge.run, &cases, 100_000);
    assert!(document.len() <= 100_000, "{}", document.len());
    assert!(document.contains("| and 200 more |") && document.contains(" sections left out"));
    assert!(document.contains("Evidence: `target/probity/"));
    outside_of_code(&document);
}
