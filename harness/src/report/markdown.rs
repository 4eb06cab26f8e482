//! The report as Markdown: a job summary, or a comment on a pull request.
//!
//! Whatever comes from outside stands in code, inline or in a fence longer than any within it: it can neither break out nor
//! become HTML, a link or a mention. The document is bounded, worst first, and says what was left out.

use std::fmt::Write;

use super::text::{count, seconds};
use super::view;
use super::{Judged, RunReport, ScenarioReport};
use crate::model::{Finding, Verdict};

/// Bytes of a document on its own; comments end at a million characters.
const BYTES_MAX: usize = 512 << 10;
/// Bytes kept for what was left out, and for the end.
const RESERVED: usize = 2 << 10;
/// Scenarios that the table lists.
const ROWS_MAX: usize = 100;
/// Characters of the findings of one scenario.
const SECTION_MAX: usize = 40_000;
/// Columns of text in a fence: there nothing is wrapped.
const COLUMNS: usize = 100;

/// The document.
pub fn render(run: &RunReport, cases: &[Judged]) -> String {
    within(run, cases, BYTES_MAX)
}

/// The document in at most so many bytes (a few thousand at least).
pub fn within(run: &RunReport, cases: &[Judged], bytes_max: usize) -> String {
    let mut cases: Vec<&Judged> = cases.iter().collect();
    cases.sort_by_key(|case| rank(case.report));
    let ending = ending(run);
    let mut text = format!("## Probity: {}\n\n{}", run.verdict.word(), opening(run));
    text.push_str(&table(run, &cases));
    text.push_str(&run_wide(run));
    let room = bytes_max.saturating_sub(ending.len() + RESERVED);
    let mut left_out = 0;
    let sections = cases.iter().map(|case| red(run, case)).chain(cases.iter().map(|case| quiet(run, case)));
    for section in sections.filter(|section| !section.is_empty()) {
        match text.len() + section.len() <= room {
            true => text.push_str(&section),
            false => left_out += 1,
        }
    }
    if left_out > 0 {
        _ = writeln!(
            text,
            "{} left out, to keep this short: the evidence has all of it.\n",
            count(left_out, "section")
        );
    }
    text + &ending
}

/// Worst first; the order of the report within.
fn rank(report: &ScenarioReport) -> u8 {
    match report.verdict {
        Some(Verdict::Fail) => 0,
        Some(Verdict::Error) => 1,
        Some(Verdict::Incomplete) => 2,
        None => 3,
        Some(Verdict::Pass) => 4,
    }
}

fn opening(run: &RunReport) -> String {
    let numbers = super::terminal::numbers(run);
    let mut text = format!("Judged: {}, {numbers}", code(&run.subject));
    if run.seconds > 0.0 {
        _ = write!(text, "; {}", seconds(run.seconds));
    }
    let backend = |backend: &super::BackendReport| {
        code(&format!("{} {} ({})", backend.name, backend.version, backend.provider))
    };
    let backends: Vec<String> = run.backends.iter().map(backend).collect();
    if !backends.is_empty() {
        _ = write!(text, ", on {}", backends.join(", "));
    }
    text.push_str(".\n\n");
    if run.interrupted {
        text.push_str("**Interrupted**: this is what was done until then.\n\n");
    }
    let overrides: Vec<String> = run.overrides().iter().map(|line| code(line)).collect();
    if !overrides.is_empty() {
        _ = writeln!(text, "Thresholds of its own: {}.\n", overrides.join(", "));
    }
    text
}

/// Every scenario that is not green, with what keeps it from being so.
fn table(run: &RunReport, cases: &[&Judged]) -> String {
    let rows: Vec<&&Judged> = cases.iter().filter(|case| rank(case.report) < 4).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = "| scenario | verdict | why | took |\n| --- | --- | --- | --- |\n".to_string();
    for case in rows.iter().take(ROWS_MAX) {
        let took = match case.report.seconds.is_empty() {
            true => String::new(),
            false => seconds(case.report.total_seconds()),
        };
        let verdict = super::terminal::word(case.report.verdict);
        let name = cell(view::name(run, case));
        _ = writeln!(text, "| {name} | **{verdict}** | {} | {took} |", why(case.report));
    }
    if let Some(more) = rows.len().checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        _ = writeln!(text, "| and {more} more | | | |");
    }
    text + "\n"
}

fn why(report: &ScenarioReport) -> String {
    let mut reasons = Vec::new();
    let mut rules: Vec<&str> = Vec::new();
    for finding in report.findings.iter().filter(|finding| view::is_red(report, finding)) {
        if !rules.contains(&finding.rule.as_str()) {
            rules.push(&finding.rule);
        }
    }
    reasons.extend(rules.iter().map(|rule| cell(rule)));
    let others = [report.error.as_ref(), report.skipped.as_ref(), report.incomplete.first()];
    reasons.extend(others.into_iter().flatten().map(|reason| cell(reason)));
    reasons.join(" ")
}

/// What is wrong beside the scenarios.
fn run_wide(run: &RunReport) -> String {
    let mut text = String::new();
    if !run.problems.is_empty() {
        _ = write!(text, "### The evidence is damaged\n\n{}", fence(&run.problems.join("\n")));
    }
    if !run.unmatched_known.is_empty() {
        _ = write!(text, "### Known findings that are not there\n\n{}", fence(&view::unmatched(run)));
    }
    text
}

/// What a scenario's author has to read.
fn red(run: &RunReport, case: &Judged) -> String {
    let report = case.report;
    let findings: Vec<&Finding> =
        report.findings.iter().filter(|finding| view::is_red(report, finding)).collect();
    let mut said = view::findings(run, case, &findings, Some(COLUMNS));
    if let Some(error) = &report.error {
        _ = writeln!(said, "could not be run: {error}\n");
    }
    said.push_str(&view::missing(run, case, Some(COLUMNS)));
    if said.trim().is_empty() {
        return String::new();
    }
    let verdict = super::terminal::word(report.verdict);
    let mut text = format!("### {}: {verdict}\n\n{}", code(view::name(run, case)), fence(&said));
    if let Some(place) = view::scenario_place(case) {
        _ = writeln!(text, "Written in {}.", code(&format!("{}:{}", place.file, place.line)));
    }
    if let Some(again) = &report.rerun {
        _ = writeln!(text, "Run it again: {}", code(again));
    }
    text + "\n"
}

/// Warnings, notes and what is known: there for who looks.
fn quiet(run: &RunReport, case: &Judged) -> String {
    let report = case.report;
    let findings: Vec<&Finding> =
        report.findings.iter().filter(|finding| !view::is_red(report, finding)).collect();
    let said = view::findings(run, case, &findings, Some(COLUMNS));
    if said.trim().is_empty() {
        return String::new();
    }
    let warnings = findings.iter().filter(|finding| finding.is_warning()).count() as u64;
    let others = findings.len() as u64 - warnings;
    let mut kinds = Vec::new();
    if warnings > 0 {
        kinds.push(count(warnings, "warning"));
    }
    if others > 0 {
        kinds.push(format!("{others} noted or known"));
    }
    let summary = format!("<summary>{}: {}</summary>", html_code(view::name(run, case)), kinds.join(", "));
    format!("<details>{summary}\n\n{}</details>\n\n", fence(&said))
}

/// What it cost, and where everything lies.
fn ending(run: &RunReport) -> String {
    let mut text = String::new();
    let mut phases = std::collections::BTreeMap::<&str, f64>::new();
    for (phase, took) in run.scenarios.iter().flat_map(|report| &report.seconds) {
        *phases.entry(phase).or_default() += took;
    }
    if !phases.is_empty() {
        let phase = |(phase, took): (&&str, &f64)| format!("{} {}", code(phase), seconds(*took));
        let phases: Vec<String> = phases.iter().map(phase).collect();
        _ = writeln!(text, "Summed over scenarios: {}.", phases.join(", "));
    }
    if let Some(evidence) = &run.evidence {
        let check = code(&format!("probity check {evidence}"));
        _ = writeln!(
            text,
            "Evidence: {}, with the whole report as a page; judge it again: {check}",
            code(evidence)
        );
    }
    text
}

/// The same in the cell of a table, where a bar ends the cell even within code.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Inline code, whatever the text holds.
fn code(text: &str) -> String {
    let text = view::line(text, 300);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let marks = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{marks}{pad}{text}{pad}{marks}")
}

/// The same where Markdown is not read.
fn html_code(text: &str) -> String {
    format!("<code>{}</code>", super::escape::xml(&view::line(text, 300)).replace('`', "&#96;"))
}

/// A block of code that nothing in it ends.
fn fence(text: &str) -> String {
    let text = super::text::shortened(&super::text::harmless(text, true), SECTION_MAX);
    let marks = "`".repeat(longest_run(&text, '`').max(2) + 1);
    format!("{marks}text\n{}\n{marks}\n\n", text.trim_matches('\n'))
}

fn longest_run(text: &str, mark: char) -> usize {
    text.split(|letter| letter != mark).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
