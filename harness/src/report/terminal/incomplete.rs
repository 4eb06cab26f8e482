//! Why a verdict is incomplete: what did not close, what the services, the records and the ledger say, and what therefore
//! cannot be judged. The loss is placed at a hop.

use std::fmt::Write;

use super::{BOLD, Layout, field};
use crate::model::{Outcome, SenderEntry};
use crate::report::ScenarioReport;
use crate::report::text::{count, harmless, shortened, thousands, wrap};

/// Reasons that are printed; the JSON report has them all.
const REASONS_MAX: usize = 8;

pub(super) fn section(report: &ScenarioReport, layout: &Layout) -> String {
    if report.incomplete.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for reason in report.incomplete.iter().take(REASONS_MAX) {
        for (number, line) in
            wrap(&shortened(&harmless(reason, false), 600), layout.beside(4)).iter().enumerate()
        {
            _ = writeln!(text, "{}{BOLD}{line}{BOLD:#}", if number == 0 { "  " } else { "    " });
        }
    }
    if let Some(more) = report.incomplete.len().checked_sub(REASONS_MAX).filter(|more| *more > 0) {
        _ = writeln!(text, "  and {more} more reasons");
    }
    text.push_str(&facts(report, layout));
    text.push('\n');
    text
}

/// Rules that did not judge although they might have had a subject, by reason: for evidence without a scenario.
pub(super) fn not_judged(report: &ScenarioReport, layout: &Layout) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in &report.rules {
        let Some(why) = &rule.not_judged else { continue };
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, ids)) => ids.push(&rule.rule),
            None => reasons.push((why, vec![&rule.rule])),
        }
    }
    let line = |(why, ids): &(&str, Vec<&str>)| format!("{}: {why}", ids.join(" "));
    let lines: Vec<String> = reasons.iter().map(line).collect();
    if lines.is_empty() { String::new() } else { field("not judged", &lines.join("\n"), layout) + "\n" }
}

fn facts(report: &ScenarioReport, layout: &Layout) -> String {
    let mut text = String::new();
    let state = |process: &crate::report::ProcessReport| format!("{} {}", process.process, process.state);
    let processes: Vec<String> = report.processes.iter().map(state).collect();
    if !processes.is_empty() {
        text.push_str(&field("services", &processes.join(" · "), layout));
    }
    for topic in &report.topics {
        let line = format!(
            "{}: {} produced, {} committed by group {}",
            topic.topic, topic.produced, topic.committed, topic.group
        );
        text.push_str(&field("records", &line, layout));
    }
    let ledger: Vec<String> = report.ledger.iter().map(entry).collect();
    if !ledger.is_empty() {
        text.push_str(&field("ledger", &ledger.join("\n"), layout));
    }
    text.push_str(&field("so", &consequence(report), layout));
    text
}

fn entry(entry: &SenderEntry) -> String {
    let who = entry.process.as_ref().map_or("unnamed senders", |process| process.as_str());
    let counts = &entry.counts;
    let mut line = format!(
        "{who}: {}, {}, {} refused",
        count(counts.requests, "request"),
        count(counts.spans, "span"),
        thousands(counts.refused_requests),
    );
    let further = [
        (counts.undecodable_requests, "undecodable"),
        (counts.unread_requests, "not read to the end"),
        (counts.misdirected_requests, "to a path that is not OTLP's"),
        (counts.lost_spans + counts.lost_items, "lost"),
    ];
    for (number, what) in further.iter().filter(|(number, _)| *number > 0) {
        _ = write!(line, ", {} {what}", thousands(*number));
    }
    line
}

fn consequence(report: &ScenarioReport) -> String {
    let missing = report.rules_that(Outcome::Incomplete);
    let passed = report.rules_that(Outcome::Pass).len() as u64;
    let failed = !report.rules_that(Outcome::Fail).is_empty();
    match (missing.as_slice(), passed) {
        ([], 0) if failed => "nothing else was judged".into(),
        ([], 0) => "nothing was judged".into(),
        ([], 1) => "the verdict is open, although the one rule that was judged passes".into(),
        ([], _) => format!("the verdict is open, although the {passed} rules that were judged pass"),
        (ids, 0) => format!("{} cannot be judged", ids.join(" ")),
        (ids, 1) => format!("{} cannot be judged; the one other rule passes", ids.join(" ")),
        (ids, _) => format!("{} cannot be judged; {passed} other rules pass", ids.join(" ")),
    }
}
