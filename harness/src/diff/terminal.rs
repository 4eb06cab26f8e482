//! The diff for a terminal.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::Diff;
use super::sections::{Item, compared, overview, sections};
use crate::report::text::{harmless, thousands, wrap};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// Paths up to that many characters stand in one column.
const PATH_MAX: usize = 60;

pub(super) fn render(diff: &Diff, width: Option<usize>) -> String {
    let beside = |taken: usize| width.map(|width| width.saturating_sub(taken).max(20));
    let mut text = sides(diff);
    let sections = sections(diff);
    for section in &sections {
        let summary =
            if section.summary.is_empty() { String::new() } else { format!("  {}", section.summary) };
        _ = writeln!(text, "{BOLD}{}{BOLD:#}{summary}", section.title);
        for item in &section.items {
            one(&mut text, item, &beside);
        }
        if section.more > 0 {
            _ = writeln!(text, "  and {} more; --json FILE has them all", thousands(section.more as u64));
        }
        for (scenario, tree) in &section.drawings {
            text.push('\n');
            if !scenario.is_empty() {
                _ = writeln!(text, "  {DIM}{scenario}{DIM:#}");
            }
            tree.lines().for_each(|line| _ = writeln!(text, "    {}{line}{:#}", style(line), style(line)));
        }
        text.push('\n');
    }
    let verdict = if diff.has_changes() { "changed" } else { "no changes" };
    let compared = Some(compared(diff)).filter(|words| !words.is_empty());
    _ = writeln!(
        text,
        "{BOLD}{verdict}{BOLD:#}{}",
        compared.map_or_else(String::new, |words| format!("  {words}"))
    );
    text
}

/// The two runs, one below the other.
fn sides(diff: &Diff) -> String {
    let sides = [("from", &diff.a), ("to", &diff.b)];
    let paths = sides.map(|(_, side)| harmless(&side.path, false));
    let widest = paths.iter().map(|path| path.chars().count()).max().unwrap_or(0).min(PATH_MAX);
    let mut text = String::new();
    for ((word, side), path) in sides.iter().zip(&paths) {
        let [verdict, much] = overview(side);
        _ = writeln!(text, "{word:<4}  {path:<widest$}  {verdict:<10}  {much}");
    }
    text.push('\n');
    text
}

fn one(text: &mut String, item: &Item, beside: &dyn Fn(usize) -> Option<usize>) {
    let indent = " ".repeat(item.sign.len() + 3);
    for (number, line) in wrap(&item.text, beside(indent.len())).iter().enumerate() {
        _ = match number {
            0 => writeln!(text, "  {}{}{:#} {line}", style(item.sign), item.sign, style(item.sign)),
            _ => writeln!(text, "{indent}{line}"),
        };
    }
    for line in item.details.iter().flat_map(|detail| wrap(detail, beside(indent.len() + 2))) {
        _ = writeln!(text, "{indent}  {DIM}{line}{DIM:#}");
    }
}

/// The sign says it, colour only repeats it.
fn style(line: &str) -> Style {
    match line.as_bytes().first() {
        Some(b'+') => AnsiColor::Green.on_default(),
        Some(b'-') => AnsiColor::Red.on_default(),
        _ if line == "slower" => AnsiColor::Yellow.on_default(),
        _ => Style::new(),
    }
}
