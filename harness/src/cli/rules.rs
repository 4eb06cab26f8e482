//! `probity rules`: every rule, its requirement, and what it needs to be judged.

use std::fmt::Write;

use serde::Serialize;

use super::Done;
use super::arguments::RulesArguments;
use super::output::{print, write_result};
use crate::model::Severity;
use crate::report::json;
use crate::report::terminal::Layout;
use crate::report::text::wrap;
use crate::rules;

#[derive(Serialize)]
struct Document {
    format: &'static str,
    version: u32,
    rules: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    rule: &'static str,
    family: String,
    severity: Severity,
    requirement: &'static str,
    needs: &'static [&'static str],
}

pub(super) fn run(arguments: &RulesArguments) -> Done {
    match &arguments.json.json {
        Some(file) => write_result(file, &json::pretty(&document()))?,
        None => print(&text(&Layout::detect())),
    }
    Ok(0)
}

fn document() -> Document {
    let entry = |rule: &'static rules::Rule| Entry {
        rule: rule.id,
        family: family(rule.id).to_ascii_lowercase(),
        severity: rule.severity,
        requirement: rule.requirement,
        needs: rule.needs,
    };
    Document { format: "probity-rules", version: json::VERSION, rules: rules::all().map(entry).collect() }
}

pub(super) fn family(id: &str) -> &str {
    id.split_once('-').map_or(id, |(family, _)| family)
}

fn text(layout: &Layout) -> String {
    let width = layout.width.map(|width| width.saturating_sub(12));
    let mut text = String::new();
    for rule in rules::all() {
        let severity = if rule.severity == Severity::Error { "" } else { rule.severity.word() };
        for (number, line) in wrap(rule.requirement, width).iter().enumerate() {
            _ = writeln!(text, "{:<11} {line}", if number == 0 { rule.id } else { severity });
        }
        for line in wrap(&format!("needs {}", rule.needs.join(", ")), width) {
            _ = writeln!(text, "{:<11} {line}", "");
        }
    }
    _ = writeln!(
        text,
        "\n{} rules; `probity explain RULE` says why, how it shows and how to fix it",
        rules::all().count()
    );
    text
}
