//! One finding as a block that a reader who has never seen the rule can act on.

use std::fmt::Write;

use super::{BOLD, Layout, drawing, field, severity_style};
use crate::model::{Finding, Known, Severity};
use crate::report::ScenarioReport;
use crate::report::text::{harmless, shortened, thousands, wrap};

/// Findings of one rule that are shown in full; of the others the subject alone is.
const IN_FULL_MAX: usize = 3;
/// Subjects that are listed after those.
const LISTED_MAX: usize = 10;
/// Characters of one field; a hostile span name may have megabytes.
const FIELD_MAX: usize = 2_000;

/// Findings of a scenario, rule by rule: those that ask for something in full, then what is known and what is only noted.
pub(super) fn blocks(report: &ScenarioReport, findings: &[&Finding], layout: &Layout) -> String {
    let mut text = String::new();
    let loud = |finding: &&&Finding| finding.severity != Severity::Note && finding.known.is_none();
    let shown: Vec<&Finding> = findings.iter().filter(loud).copied().collect();
    for findings in shown.chunk_by(|a, b| a.rule == b.rule && a.severity == b.severity) {
        for finding in findings.iter().take(IN_FULL_MAX) {
            text.push_str(&one(report, finding, layout));
            text.push('\n');
        }
        text.push_str(&others(report, &findings[findings.len().min(IN_FULL_MAX)..], layout));
    }
    text.push_str(&known(findings, layout));
    let notes = findings.iter().filter(|finding| !loud(finding) && finding.known.is_none());
    let note = |finding: &&Finding| format!("{} {}: {}", finding.rule, finding.subject, finding.seen);
    let notes: Vec<String> =
        notes.take(LISTED_MAX).map(|finding| shortened(&note(finding), FIELD_MAX)).collect();
    if !notes.is_empty() {
        text.push_str(&field("note", &notes.join("\n"), layout));
        text.push('\n');
    }
    text
}

/// What the team accepts, with its reasons: a line each.
fn known(findings: &[&Finding], layout: &Layout) -> String {
    let known = || findings.iter().filter_map(|finding| Some((*finding, finding.known.as_ref()?)));
    let line = |(finding, known): (&Finding, &Known)| {
        let subject = shortened(&finding.subject, 200);
        let end = known.until.map_or_else(String::new, |until| format!(" (until {until})"));
        format!("{} {subject}: {}{end}", finding.rule, shortened(&known.reason, 400))
    };
    let mut lines: Vec<String> = known().take(LISTED_MAX).map(line).collect();
    if let Some(more) = known().count().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
        lines.push(format!("and {} more", thousands(more as u64)));
    }
    if lines.is_empty() { String::new() } else { field("known", &lines.join("\n"), layout) + "\n" }
}

fn one(report: &ScenarioReport, finding: &Finding, layout: &Layout) -> String {
    let rule = report.rules.iter().find(|rule| rule.rule == finding.rule);
    let mut text = heading(finding, rule.map_or("", |rule| rule.requirement), layout);
    let limited = |value: &str| shortened(value, FIELD_MAX);
    text.push_str(&field("where", &limited(&finding.subject), layout));
    text.push_str(&field("required", &limited(&finding.required), layout));
    text.push_str(&field("seen", &limited(&finding.seen), layout));
    if !finding.candidates.is_empty() {
        let shown = finding.candidates.iter().take(LISTED_MAX).map(|candidate| limited(candidate));
        text.push_str(&field("nearest", &shown.collect::<Vec<_>>().join("\n"), layout));
    }
    if !finding.tree.is_empty() {
        text.push_str(&drawing("tree", &shortened(&finding.tree, 10 * FIELD_MAX)));
    }
    text.push_str(&field("fix", &fix(finding), layout));
    if let Some(Known { reason, until: Some(until) }) = &finding.expired {
        let said = format!("it was known until {until}, and counts again: {}", limited(reason));
        text.push_str(&field("expired", &said, layout));
    }
    if let Some(command) = look(report, finding, layout) {
        text.push_str(&field("evidence", &command, layout));
    }
    text
}

fn heading(finding: &Finding, requirement: &str, layout: &Layout) -> String {
    let style = severity_style(finding.severity);
    let title = format!("{} {}", finding.rule, finding.severity.word());
    let mut text = String::new();
    for (number, line) in wrap(requirement, layout.beside(19)).iter().enumerate() {
        _ = match number {
            0 => writeln!(text, "  {style}{title:<16}{style:#} {BOLD}{line}{BOLD:#}"),
            _ => writeln!(text, "  {:<16} {BOLD}{line}{BOLD:#}", ""),
        };
    }
    if requirement.is_empty() {
        _ = writeln!(text, "  {style}{title}{style:#}");
    }
    text
}

fn fix(finding: &Finding) -> String {
    let more = format!("probity explain {}", finding.rule);
    match finding.fix.trim_end_matches(['.', ';']) {
        "" => more,
        fix if fix.contains(&more) => fix.into(),
        fix => format!("{}; {more}", shortened(fix, FIELD_MAX)),
    }
}

/// The command that shows the trace concerned.
fn look(report: &ScenarioReport, finding: &Finding, layout: &Layout) -> Option<String> {
    let path = layout.evidence.as_ref()?;
    let (trace, _) = finding.spans.first()?;
    let scenario = if layout.several { format!(" --scenario {}", report.name) } else { String::new() };
    // Eight digits tell the traces of a run apart, and `tree` shows all that begin with them.
    let trace = &trace.to_string()[..8];
    Some(format!("probity tree {path}{scenario} --trace {trace}"))
}

fn others(report: &ScenarioReport, rest: &[&Finding], layout: &Layout) -> String {
    let Some(first) = rest.first() else { return String::new() };
    let listed =
        rest.iter().take(LISTED_MAX).map(|finding| shortened(&harmless(&finding.subject, false), 200));
    let mut lines: Vec<String> = listed.collect();
    let omitted = report.rules.iter().find(|rule| rule.rule == first.rule).map_or(0, |rule| rule.omitted);
    let unseen = rest.len().saturating_sub(LISTED_MAX) as u64 + omitted;
    if unseen > 0 {
        lines.push(format!("and {} more like it", thousands(unseen)));
    }
    let mut text = field("also", &lines.join("\n"), layout);
    text.push('\n');
    text
}
