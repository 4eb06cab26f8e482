//! `probity defects`: the table of breaks against the rules that they turn red, with what the last proof saw.

mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::Done;
use super::arguments::DefectsArguments;
use super::choice::{broken, scenarios};
use super::host::{Host, described, loaded};
use super::output::{Failure, print, write_result};
use super::run::{Orders, execute, interrupted, selection};
use crate::report::json;
use crate::report::progress::Progress;
use crate::report::terminal::{self, Layout};
use crate::run::{Defect, DefectReport, Proven, System, Task, judge_defect};

#[derive(Serialize)]
struct Document<'d> {
    format: &'static str,
    version: u32,
    defects: Vec<Entry<'d>>,
    /// Subjects of each rule over the suite without defects, in the last proof.
    subjects: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct Entry<'d> {
    name: &'static str,
    service: &'static str,
    scenario: &'static str,
    about: &'static str,
    rules: &'static [&'static str],
    also: Vec<&'static str>,
    cannot_judge: &'static [&'static str],
    /// What the last proof saw; absent: not proven on this machine yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'d DefectReport>,
}

pub(super) fn run(host: Option<&Host>, arguments: &DefectsArguments) -> Done {
    if arguments.run {
        return prove(host, arguments);
    }
    if let Some(file) = &arguments.page {
        write_result(file, &page(&described(host)?, file, arguments.cases.as_deref())?)?;
        return Ok(0);
    }
    show(&described(host)?, &Proven::last(), arguments)?;
    Ok(0)
}

/// The page of proof, with the cases that were counted, else with those that it has.
fn page(systems: &[Arc<System>], file: &Path, cases: Option<&Path>) -> Result<String, Failure> {
    let cases = match cases {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text =
                text.map_err(|error| Failure::new(format!("could not read {}: {error}", path.display())))?;
            page::counted(&text)
        }
        None => page::cases_of(&std::fs::read_to_string(file).unwrap_or_default()),
    };
    Ok(page::render(systems, &cases))
}

/// The page of proof of these systems, with the counts of cases that `page` shows: what the command writes.
pub fn proof_page(systems: Vec<System>, page: &str) -> String {
    let systems: Vec<Arc<System>> = systems.into_iter().map(Arc::new).collect();
    page::render(&systems, &page::cases_of(page))
}

fn show(systems: &[Arc<System>], proven: &Proven, arguments: &DefectsArguments) -> Result<(), Failure> {
    match &arguments.json.json {
        Some(file) => write_result(file, &json::pretty(&document(systems, proven))),
        None => {
            print(&table(systems, proven));
            Ok(())
        }
    }
}

fn document<'d>(systems: &[Arc<System>], proven: &'d Proven) -> Document<'d> {
    let entry = |defect: &Defect| Entry {
        name: defect.name,
        service: defect.carrier,
        scenario: defect.scenario,
        about: defect.about,
        rules: defect.rules,
        also: defect.also.iter().copied().filter(|rule| crate::rules::find(rule).is_some()).collect(),
        cannot_judge: defect.cannot_judge,
        seen: proven.defects.iter().find(|seen| seen.name == defect.name),
    };
    let defects = defects(systems).map(entry).collect();
    Document { format: "probity-defects", version: json::VERSION, defects, subjects: proven.subjects.clone() }
}

fn table(systems: &[Arc<System>], proven: &Proven) -> String {
    let mut text = format!(
        "{:<30} {:<20} {:<11} {:<20} {:<28} seen\n",
        "defect", "carried by", "must fail", "also", "cannot judge"
    );
    for defect in defects(systems) {
        let seen = proven.defects.iter().find(|seen| seen.name == defect.name);
        let seen = match seen {
            None => "not run yet".to_string(),
            Some(seen) if seen.is_exact() => "exactly these".to_string(),
            Some(seen) => seen.differences.join("; "),
        };
        let also: Vec<_> =
            defect.also.iter().copied().filter(|rule| crate::rules::find(rule).is_some()).collect();
        let (rules, also, lost) = (defect.rules.join(" "), also.join(" "), defect.cannot_judge.join(" "));
        _ = writeln!(
            text,
            "{:<30} {:<20} {rules:<11} {also:<20} {lost:<28} {seen}",
            defect.name,
            short(defect.carrier)
        );
    }
    _ = writeln!(
        text,
        "\n{} defects; `probity defects --run` proves them, `probity run --defect NAME` shows one",
        defects(systems).count()
    );
    if !proven.subjects.is_empty() {
        text.push_str("\nsubjects without a defect\n");
        for rule in crate::rules::all() {
            let count = proven.subjects.get(rule.id).copied().unwrap_or(0);
            _ = writeln!(text, "  {:<11} {count}", rule.id);
        }
    }
    text
}

fn defects(systems: &[Arc<System>]) -> impl Iterator<Item = &Defect> {
    systems.iter().flat_map(|system| &system.defects)
}

/// A file's own name is enough for the table.
fn short(carrier: &str) -> &str {
    carrier.rsplit('/').next().unwrap_or(carrier)
}

/// Runs every scenario that a defect shows in, with and without it, and compares.
fn prove(host: Option<&Host>, arguments: &DefectsArguments) -> Done {
    let selection = selection(&arguments.suite)?;
    let systems = loaded(host)?;
    let mut tasks: Vec<Task> = scenarios(&systems).collect();
    let good = tasks.len();
    tasks.extend(
        systems
            .iter()
            .flat_map(|system| system.defects.iter().filter_map(move |defect| broken(system, defect))),
    );
    let defects: Vec<&Defect> = tasks.iter().filter_map(|task| task.defect).collect();
    let progress = Progress::new(tasks.len() as u64);
    let orders = Orders { tasks, plan: None, progress, gate: &|report| report, done: &|_, _| () };
    let outcome = execute(selection, &arguments.suite, orders)?;
    let report = &outcome.report;
    if interrupted(report) {
        return Err(Failure::new("interrupted before every defect was run"));
    }
    let (good, bad) = report.scenarios.split_at(good.min(report.scenarios.len()));
    let mut proven = Proven::of(good);
    for (defect, bad) in defects.into_iter().zip(bad) {
        if let Some(good) = good.iter().find(|good| good.name == defect.scenario) {
            proven.defects.push(judge_defect(defect, good, bad));
        }
    }
    proven.save();
    show(&systems, &proven, arguments)?;
    let layout = Layout::detect();
    for good in good.iter().filter(|good| good.verdict.is_some_and(|verdict| verdict.exit_code() != 0)) {
        print(&terminal::scenario(good, &layout));
    }
    let exact =
        proven.defects.iter().all(DefectReport::is_exact) && good.iter().all(|good| good.error.is_none());
    Ok(if exact { 0 } else { 1 })
}
