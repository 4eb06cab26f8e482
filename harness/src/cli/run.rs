//! `probity run`: scenarios on real backends, with visible progress, verdicts as they come, and a report.

use std::path::Path;

use super::arguments::{RunArguments, SuiteArguments};
use super::choice::{Choice, choose};
use super::gate::Gate;
use super::host::{Host, loaded};
use super::output::{Failure, print, relative};
use super::{Done, evidence, reports};
use crate::backend::{Selection, SelectionError};
use crate::process::interrupt::interrupts;
use crate::report::progress::Progress;
use crate::report::terminal::{self, Layout};
use crate::report::{Plan, RunReport, ScenarioReport};
use crate::run::{EngineError, EngineOptions, Suite, SuiteOutcome, Task, jobs, run_nothing, run_suite};

pub(super) fn run(host: Option<&Host>, arguments: &RunArguments) -> Done {
    let selection = selection(&arguments.suite)?;
    reports::check_places(&arguments.report)?;
    let gate = Gate::read(&arguments.report)?;
    let systems = loaded(host)?;
    let Some(choice) = choose(&systems, arguments, &gate)? else {
        return nothing_red(arguments);
    };
    if arguments.all_orders {
        crate::run::ask_for_all_orders();
    }
    let quiet = arguments.report.takes_stdout();
    if !quiet {
        let version = env!("CARGO_PKG_VERSION");
        print(&format!("Probity {version} · {} · {}\n\n", choice.plan.subject, choice.introduction));
    }
    let scope = choice.scope();
    let mut outcome = match choice.tasks.as_slice() {
        [] => run_nothing(arguments.suite.evidence.as_deref(), choice.plan).map_err(failed)?,
        _ => run_choice(choice, selection, arguments, &gate, quiet)?,
    };
    outcome.report = gate.run(outcome.report, &scope);
    conclude(outcome, quiet, arguments)
}

/// Every scenario passed last time: the report, if one was asked for, is that of a run of nothing.
fn nothing_red(arguments: &RunArguments) -> Done {
    let report = RunReport::new("nothing to run again", Vec::new()).with_plan(&Plan::default());
    Ok(reports::write(&report, &[], None, &arguments.report))
}

fn run_choice(
    choice: Choice,
    selection: Selection,
    arguments: &RunArguments,
    gate: &Gate,
    quiet: bool,
) -> Result<SuiteOutcome, Failure> {
    let Choice { tasks, plan, .. } = choice;
    let several = tasks.len() > 1;
    let progress = Progress::new(tasks.len() as u64);
    let told = progress.clone();
    let layout = Layout { several, ..Layout::detect() };
    let done = move |report: &ScenarioReport, evidence: &Path| {
        if !quiet {
            let layout = layout.clone().with_evidence(Some(relative(evidence)));
            told.print(&terminal::scenario(report, &layout));
        }
    };
    let counted = |report| gate.scenario(report);
    let orders = Orders { tasks, plan: Some(plan), progress, gate: &counted, done: &done };
    execute(selection, &arguments.suite, orders)
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

/// What is to be run, and who is told of it.
pub(super) struct Orders<'s> {
    pub(super) tasks: Vec<Task<'s>>,
    pub(super) plan: Option<Plan>,
    pub(super) progress: Progress,
    pub(super) gate: &'s (dyn Fn(ScenarioReport) -> ScenarioReport + Sync),
    /// With the directory of the run's evidence.
    pub(super) done: &'s (dyn Fn(&ScenarioReport, &Path) + Sync),
}

/// Starts the backends, runs what was chosen, ends everything.
pub(super) fn execute(
    selection: Selection,
    arguments: &SuiteArguments,
    orders: Orders,
) -> Result<SuiteOutcome, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let _within = runtime.enter();
    let interrupts = interrupts().map_err(|error| Failure::new(format!("cannot take signals: {error}")))?;
    let Orders { tasks, plan, progress, gate, done } = orders;
    let suite = Suite { tasks, jobs: arguments.jobs.unwrap_or_else(jobs), gate, done, interrupts };
    let evidence = arguments.evidence.clone();
    let options = EngineOptions { selection, evidence, progress: progress.clone(), plan, rerun };
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
