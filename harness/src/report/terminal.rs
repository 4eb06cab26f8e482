//! The report for people: verdicts, findings, what is missing and why, in the order in which one acts on them.
//!
//! Colour never carries meaning alone; text from outside is escaped; lines are wrapped where a terminal is as wide as it
//! says, and stay whole in a pipe. Everything is returned as text with ANSI styles, which the printing stream strips where
//! they do not belong.

mod finding;
mod incomplete;

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::text::{count, harmless, seconds, shortened, thousands, wrap};
use super::{RunReport, ScenarioReport, Totals, UnmatchedEntry};
use crate::model::{Finding, Severity, Verdict};

/// Characters of a name; whoever names a scenario or a span may be hostile.
const NAME_MAX: usize = 200;
/// Entries that match nothing, of those that are printed.
const UNMATCHED_MAX: usize = 10;

/// How to lay out, and what to refer to.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Columns; `None`: a pipe, where lines stay whole.
    pub width: Option<usize>,
    /// Where the evidence was saved, as the person would type it.
    pub evidence: Option<String>,
    /// Whether that evidence holds several scenarios, so that commands have to name one.
    pub several: bool,
}

impl Layout {
    /// As wide as `COLUMNS` or the terminal says (40 to 160 columns), without limit in a pipe.
    pub fn detect() -> Self {
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let width = named.or_else(|| {
            let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
            (size.ws_col > 0).then_some(usize::from(size.ws_col))
        });
        Layout { width: width.map(|width| width.clamp(40, 160)), ..Layout::default() }
    }

    pub fn with_evidence(mut self, path: Option<String>) -> Self {
        self.evidence = path;
        self
    }

    pub(super) fn beside(&self, taken: usize) -> Option<usize> {
        self.width.map(|width| width.saturating_sub(taken).max(20))
    }
}

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

pub(super) fn verdict_style(verdict: Option<Verdict>) -> Style {
    let color = match verdict {
        Some(Verdict::Pass) => AnsiColor::Green,
        Some(Verdict::Fail | Verdict::Error) => AnsiColor::Red,
        Some(Verdict::Incomplete) => AnsiColor::Yellow,
        None => AnsiColor::Cyan,
    };
    color.on_default().bold()
}

pub(super) fn severity_style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    color.on_default().bold()
}

pub(in crate::report) fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("skipped", Verdict::word)
}

/// A whole report: what was used, every scenario, the summary.
pub fn run(report: &RunReport, layout: &Layout) -> String {
    let layout = Layout { several: report.scenarios.len() > 1, ..layout.clone() };
    let mut text = backends(report, &layout);
    for judged in &report.scenarios {
        if judged.name.is_empty() {
            text.push_str(&format!("{}: {}\n\n", name(&report.subject), account(judged)));
            text.push_str(&details(judged, &layout));
        } else {
            text.push_str(&scenario(judged, &layout));
        }
    }
    text + &summary(report, &layout)
}

/// What was captured, for what has no scenario: `2 services, 148 spans in 12 traces, 31 metric points, 40 logs; nothing lost`.
pub fn account(report: &ScenarioReport) -> String {
    let counts = &report.counts;
    let mut parts = Vec::new();
    if counts.services > 0 {
        parts.push(count(counts.services, "service"));
    }
    parts.push(format!("{} in {}", count(counts.spans, "span"), count(counts.traces, "trace")));
    if counts.points > 0 {
        parts.push(count(counts.points, "metric point"));
    }
    if counts.log_records > 0 {
        parts.push(count(counts.log_records, "log"));
    }
    let lost: u64 = report.ledger.iter().map(|entry| entry.counts.lost()).sum();
    let lost = if lost == 0 { "nothing lost".into() } else { format!("{} lost", thousands(lost)) };
    let rejected: u64 = report.ledger.iter().map(|entry| entry.counts.rejected_items).sum();
    let rejected = match rejected {
        0 => String::new(),
        rejected => format!(", {} rejected (no valid id)", thousands(rejected)),
    };
    format!("{}; {lost}{rejected}", parts.join(", "))
}

/// One scenario: its line, and under it whatever needs a reader.
pub fn scenario(report: &ScenarioReport, layout: &Layout) -> String {
    let mut text = headline(report, layout);
    let details = details(report, layout);
    let details = details.trim_end_matches('\n');
    let is_quiet = |finding: &Finding| finding.severity == Severity::Note || finding.known.is_some();
    let only_notes = report.findings.iter().all(is_quiet);
    match report.verdict {
        _ if details.is_empty() => {}
        Some(Verdict::Pass) if only_notes => _ = writeln!(text, "{details}"),
        _ => _ = writeln!(text, "\n{details}\n"),
    }
    text
}

/// `pass  trace  a_click_is_one_trace_across_kafka  0.8 s  12 spans in 1 trace  complete: lag 0, 3/3 fences`, as far as the
/// width allows.
pub fn headline(report: &ScenarioReport, layout: &Layout) -> String {
    let style = verdict_style(report.verdict);
    let mut line = format!("{style}{:<10}{style:#}", word(report.verdict));
    let mut taken = 10;
    let mut parts = vec![];
    if !report.name.is_empty() {
        parts.push(format!("  {:<8} {:<44}", name(&report.family), name(&report.name)));
    }
    if !report.seconds.is_empty() {
        parts.push(format!("  {:>6}", seconds(report.total_seconds())));
    }
    parts.push(format!("  {:<20}", name(&report.headline)));
    parts.push(format!("  {}", completeness(report)));
    for (number, part) in parts.iter().enumerate() {
        let width = part.trim_end().chars().count();
        // The name is never left out.
        if number > 0 && layout.width.is_some_and(|limit| taken + width > limit) {
            break;
        }
        line.push_str(part);
        taken += part.chars().count();
    }
    let mut line = line.trim_end().to_string();
    line.push('\n');
    line
}

fn name(text: &str) -> String {
    shortened(&harmless(text, false), NAME_MAX)
}

fn completeness(report: &ScenarioReport) -> String {
    if report.verdict != Some(Verdict::Pass) {
        return String::new();
    }
    let mut proofs = Vec::new();
    if !report.topics.is_empty() {
        let lag: u64 = report.topics.iter().map(|topic| topic.produced.saturating_sub(topic.committed)).sum();
        proofs.push(format!("lag {lag}"));
    }
    if !report.processes.is_empty() {
        let complete = report.processes.iter().filter(|process| process.complete).count();
        proofs.push(format!("{complete}/{} fences", report.processes.len()));
    }
    match (report.barrier.is_closed(), proofs.is_empty()) {
        (false, _) => "no barrier".into(),
        (true, true) => "complete".into(),
        (true, false) => format!("complete: {}", proofs.join(", ")),
    }
}

/// Findings, what is missing and why, without the scenario's own line.
pub fn details(report: &ScenarioReport, layout: &Layout) -> String {
    let mut text = String::new();
    if let Some(reason) = &report.skipped {
        text.push_str(&field("skipped", reason, layout));
    }
    if let Some(error) = &report.error {
        text.push_str(&field("error", error, layout));
    }
    text.push_str(&finding::blocks(report, &report.findings.iter().collect::<Vec<_>>(), layout));
    text.push_str(&incomplete::section(report, layout));
    if report.name.is_empty() {
        text.push_str(&incomplete::not_judged(report, layout));
    }
    if let Some(rerun) = &report.rerun
        && matches!(report.verdict, Some(verdict) if verdict != Verdict::Pass)
    {
        text.push_str(&field("again", rerun, layout));
    }
    text
}

/// Some findings of a scenario, those of one rule together, each as a block.
pub fn findings(report: &ScenarioReport, findings: &[&Finding], layout: &Layout) -> String {
    finding::blocks(report, findings, layout)
}

/// Why a scenario is incomplete, and what that keeps from being judged; empty when nothing is missing.
pub fn missing(report: &ScenarioReport, layout: &Layout) -> String {
    incomplete::section(report, layout)
}

/// The run's numbers in one line: `24 scenarios, 1 failed, 35 rules, 1,204 spans, nothing lost`.
pub fn numbers(report: &RunReport) -> String {
    tally(&report.totals())
}

/// `    label        text`, wrapped under its own beginning.
pub(super) fn field(label: &str, text: &str, layout: &Layout) -> String {
    let mut block = String::new();
    let lines = wrap(&harmless(text, true), layout.beside(17));
    for (number, line) in lines.iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        _ = writeln!(block, "{}", format!("    {DIM}{label:<12}{DIM:#} {line}").trim_end());
    }
    block
}

/// Text that keeps its columns: a tree.
pub(super) fn drawing(label: &str, text: &str) -> String {
    let mut block = String::new();
    for (number, line) in harmless(text, true).lines().enumerate() {
        let label = if number == 0 { label } else { "" };
        _ = writeln!(block, "{}", format!("    {DIM}{label:<12}{DIM:#} {line}").trim_end());
    }
    block
}

/// The run's beginning: what is used, and how fast it was there.
pub fn backends(report: &RunReport, layout: &Layout) -> String {
    if report.backends.is_empty() {
        return String::new();
    }
    let part = |backend: &super::BackendReport| {
        let ready = backend.ready_ms as f64 / 1_000.0;
        format!("{} {} ({}) {ready:.2} s", backend.name, backend.version, backend.provider)
    };
    let mut text = report.backends.iter().map(part).collect::<Vec<_>>().join(" · ");
    if report.backends.iter().any(|backend| !backend.limits.is_empty()) {
        text.push_str(" · limits: probity explain kafka-mock");
    }
    let mut block = String::new();
    for (number, line) in wrap(&harmless(&text, false), layout.beside(10)).iter().enumerate() {
        _ = writeln!(block, "{:<9} {line}", if number == 0 { "backends" } else { "" });
    }
    block
}

/// The end: the verdict in one line, and where everything lies.
pub fn summary(report: &RunReport, layout: &Layout) -> String {
    let style = verdict_style(Some(report.verdict));
    let mut text = unmatched(&report.unmatched_known, layout);
    for (number, threshold) in report.overrides().iter().enumerate() {
        text.push_str(&field(if number == 0 { "thresholds" } else { "" }, threshold, layout));
    }
    _ = write!(text, "{style}{}{style:#}  {}", report.verdict.word(), tally(&report.totals()));
    if report.seconds > 0.0 {
        _ = write!(text, "  {}", seconds(report.seconds));
    }
    if let Some(shard) = report.shard {
        _ = write!(text, "  shard {shard}, judged alone: probity merge puts the shards together");
    }
    if report.interrupted {
        text.push_str("  interrupted: this is what was done until then");
    }
    text.push('\n');
    if let Some(path) = &layout.evidence {
        _ = writeln!(text, "evidence  {}", harmless(path, false));
    }
    text
}

/// Entries of the file of known findings that have to be looked at.
pub fn unmatched(entries: &[UnmatchedEntry], layout: &Layout) -> String {
    let mut text = String::new();
    for entry in entries.iter().take(UNMATCHED_MAX) {
        let part = |key: &str, value: &Option<String>| {
            value
                .as_ref()
                .map_or_else(String::new, |value| format!(", {key} `{}`", shortened(value, NAME_MAX)))
        };
        let what = format!(
            "{}: the known finding {}{}{} is not there",
            entry.place,
            entry.rule,
            part("subject", &entry.subject),
            part("scenario", &entry.scenario)
        );
        for (number, line) in wrap(&harmless(&what, false), layout.beside(4)).iter().enumerate() {
            _ = writeln!(text, "{}{BOLD}{line}{BOLD:#}", if number == 0 { "  " } else { "    " });
        }
        text.push_str(&field("reason", &shortened(&entry.reason, 400), layout));
        let nearest = entry.nearest.as_deref().unwrap_or("none: the rule finds nothing here");
        text.push_str(&field("nearest", nearest, layout));
        text.push_str(&field(
            "fix",
            "take the entry out if this is fixed, else correct it; probity explain known",
            layout,
        ));
    }
    if let Some(more) = entries.len().checked_sub(UNMATCHED_MAX).filter(|more| *more > 0) {
        _ = writeln!(text, "  and {} more entries that match nothing", thousands(more as u64));
    }
    if text.is_empty() { text } else { text + "\n" }
}

fn tally(totals: &Totals) -> String {
    let mut parts = Vec::new();
    if totals.scenarios > 1 {
        parts.push(count(totals.scenarios as u64, "scenario"));
        let others = [
            (totals.fail, "failed"),
            (totals.error, "with an error"),
            (totals.incomplete, "incomplete"),
            (totals.skipped, "skipped"),
        ];
        parts.extend(
            others.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")),
        );
    }
    parts.push(count(totals.rules as u64, "rule"));
    parts.push(count(totals.spans, "span"));
    if totals.warnings > 0 {
        parts.push(count(totals.warnings as u64, "warning"));
    }
    if totals.known > 0 {
        parts.push(count(totals.known as u64, "known finding"));
    }
    parts.push(if totals.lost == 0 {
        "nothing lost".into()
    } else {
        format!("{} lost", thousands(totals.lost))
    });
    parts.join(", ")
}

#[cfg(test)]
mod tests;
