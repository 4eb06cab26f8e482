//! `probity run`: scenarios on real backends, with visible progress, verdicts as they come, and a report.

use std::sync::Arc;

use super::arguments::{RunArguments, SuiteArguments};
use super::gate::Gate;
use super::host::{Host, loaded};
use super::output::{Failure, print, relative};
use super::{Done, evidence, reports};
use crate::backend::{Selection, SelectionError};
use crate::known::Scope;
use crate::process::interrupt::interrupts;
use crate::report::progress::Progress;
use crate::report::terminal::{self, Layout};
use crate::report::{RunReport, ScenarioReport};
use crate::run::{
    Defect, EngineError, EngineOptions, JOBS, Suite, SuiteOutcome, System, Task, run_suite, subject_of,
};

pub(super) fn run(host: Option<&Host>, arguments: &RunArguments) -> Done {
    let selection = selection(&arguments.suite)?;
    reports::check_places(&arguments.report)?;
    let gate = Gate::read(&arguments.report)?;
    let systems = loaded(host)?;
    let tasks = chosen(&systems, arguments)?;
    let scope = scope(&systems, arguments);
    if arguments.all_orders {
        crate::run::ask_for_all_orders();
    }
    let quiet = arguments.report.takes_stdout();
    let several = tasks.len() > 1;
    if !quiet {
        print(&opening(&tasks));
    }
    let progress = Progress::new(tasks.len() as u64);
    let told = progress.clone();
    let layout = Layout { several, ..Layout::detect() };
    let done = move |report: &ScenarioReport| {
        if !quiet {
            told.print(&terminal::scenario(report, &layout));
        }
    };
    let counted = |report| gate.scenario(report);
    let mut outcome = execute(selection, &arguments.suite, tasks, progress, &counted, &done)?;
    outcome.report = gate.run(outcome.report, &scope);
    conclude(outcome, quiet, arguments)
}

/// What there is to be judged: not all of it need have been chosen.
fn scope(systems: &[Arc<System>], arguments: &RunArguments) -> Scope {
    let names = scenarios(systems).map(|task| task.scenario.name.to_string()).collect();
    Scope { scenarios: names, partial: arguments.defect.is_some() }
}

fn conclude(outcome: SuiteOutcome, quiet: bool, arguments: &RunArguments) -> Done {
    let mut report = outcome.report;
    report.evidence = Some(relative(&outcome.directory));
    let report = &report;
    if !quiet {
        let layout = Layout::detect().with_evidence(report.evidence.clone());
        print(&format!("\n{}{}", terminal::backends(report, &layout), terminal::summary(report, &layout)));
        if let Some(kept) = &outcome.kept {
            print(&format!("kept      {} (logs and data of what went wrong)\n", kept.display()));
        }
    }
    // Read back from where it was saved: what the reports show is what `check` will find there.
    let loaded = evidence::load(&outcome.directory)?;
    Ok(reports::write(report, &loaded.cases(report), Some(&outcome.directory), &arguments.report))
}

/// Starts the backends, runs what was chosen, ends everything.
pub(super) fn execute(
    selection: Selection,
    arguments: &SuiteArguments,
    tasks: Vec<Task>,
    progress: Progress,
    gate: &(dyn Fn(ScenarioReport) -> ScenarioReport + Sync),
    done: &(dyn Fn(&ScenarioReport) + Sync),
) -> Result<SuiteOutcome, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let _within = runtime.enter();
    let interrupts = interrupts().map_err(|error| Failure::new(format!("cannot take signals: {error}")))?;
    let suite = Suite { tasks, jobs: arguments.jobs.unwrap_or(JOBS), gate, done, interrupts };
    let evidence = arguments.evidence.clone();
    let options = EngineOptions { selection, evidence, progress: progress.clone(), rerun };
    let outcome = run_suite(options, suite).map_err(failed);
    progress.finish();
    outcome
}

pub(super) fn selection(arguments: &SuiteArguments) -> Result<Selection, Failure> {
    let selection = match &arguments.backends {
        Some(text) => Selection::parse(text),
        None => Selection::from_environment(),
    };
    selection.map_err(|error: SelectionError| Failure::new(error.to_string()))
}

fn failed(error: EngineError) -> Failure {
    let failure = Failure::new(error.to_string());
    match &error {
        EngineError::Backend(error) => match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure.hint("`probity doctor` says what this machine can serve"),
        },
        EngineError::Save(error) => failure.hint(error.hint()),
        EngineError::Workdir(_) => failure,
    }
}

fn chosen<'s>(systems: &'s [Arc<System>], arguments: &RunArguments) -> Result<Vec<Task<'s>>, Failure> {
    if let Some(name) = &arguments.defect {
        return with_defect(systems, name).map(|task| vec![task]);
    }
    let all: Vec<Task> = scenarios(systems).collect();
    let patterns: Vec<&String> = arguments.only.iter().chain(&arguments.scenarios).collect();
    for pattern in &patterns {
        if !all.iter().any(|task| fits(task, pattern)) {
            let known =
                all.iter().flat_map(|task| [task.scenario.name, task.scenario.family, task.system.name]);
            let hint = "a part of a scenario's name, its family, or its system";
            return Err(Failure::unknown("scenario", pattern, known, hint));
        }
    }
    let wanted = |task: &Task| patterns.is_empty() || patterns.iter().any(|pattern| fits(task, pattern));
    Ok(all.into_iter().filter(wanted).collect())
}

/// Every scenario of every system, without a defect.
pub(super) fn scenarios(systems: &[Arc<System>]) -> impl Iterator<Item = Task<'_>> {
    systems.iter().flat_map(|system| system.scenarios.iter().map(move |scenario| Task::new(system, scenario)))
}

/// The scenario that a defect shows in, with the defect; `None` where the system has no such scenario.
pub(super) fn broken<'s>(system: &'s Arc<System>, defect: &'s Defect) -> Option<Task<'s>> {
    system.scenario(defect.scenario).map(|scenario| Task::new(system, scenario).with(defect))
}

fn with_defect<'s>(systems: &'s [Arc<System>], name: &str) -> Result<Task<'s>, Failure> {
    let found = systems.iter().find_map(|system| Some((system, system.defect(name)?)));
    let Some((system, defect)) = found else {
        let known = systems.iter().flat_map(|system| &system.defects).map(|defect| defect.name);
        return Err(Failure::unknown("defect", name, known, "`probity defects` lists them"));
    };
    broken(system, defect).ok_or_else(|| Failure::new(format!("{name} names no scenario that there is")))
}

/// A pattern is a part of the name, the family, or the system.
fn fits(task: &Task, pattern: &str) -> bool {
    let Task { system, scenario, .. } = task;
    scenario.family == pattern || system.name == pattern || scenario.name.contains(pattern)
}

fn opening(tasks: &[Task]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let subject = subject_of(tasks);
    match tasks {
        [Task { scenario, defect: Some(defect), .. }] => {
            let red: Vec<_> = defect.red().collect();
            format!(
                "Probity {version} · {subject} · {} with the defect {}: {} {}\nmust turn red: {}\n\n",
                scenario.name,
                defect.name,
                defect.carrier,
                defect.about,
                red.join(" ")
            )
        }
        [_] => format!("Probity {version} · {subject} · 1 scenario\n\n"),
        tasks => format!("Probity {version} · {subject} · {} scenarios\n\n", tasks.len()),
    }
}

fn rerun(scenario: &str, defect: Option<&str>) -> String {
    match defect {
        Some(defect) => format!("cargo probity run --defect {defect}"),
        None => format!("cargo probity run --only {scenario}"),
    }
}

/// Whether a run was cut short: its report says so, and what it did is saved.
pub(super) fn interrupted(report: &RunReport) -> bool {
    report.interrupted
}
