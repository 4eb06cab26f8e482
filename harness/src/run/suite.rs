//! A run of many scenarios side by side, as `probity run` does it: results as they come, an interrupt that still reports.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use super::{Engine, EngineError, EngineOptions, Outcome, Task, subject_of};
use crate::bundle::Writer;
use crate::process::interrupt::Interrupt;
use crate::report::{Plan, RunReport, ScenarioReport};
use crate::workdir::{RunDirectory, RunId};

/// How many scenarios run at once unless told otherwise: they wait more than they work.
pub fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).saturating_mul(4).clamp(4, 16)
}

/// What is to be run.
pub struct Suite<'s> {
    pub tasks: Vec<Task<'s>>,
    pub jobs: usize,
    /// How a judged scenario counts: what is accepted, what is denied.
    pub gate: &'s (dyn Fn(ScenarioReport) -> ScenarioReport + Sync),
    /// Told of each scenario when it is done, and where the run's evidence is.
    pub done: &'s (dyn Fn(&ScenarioReport, &Path) + Sync),
    /// Becomes `Some` when a person has had enough.
    pub interrupts: watch::Receiver<Option<Interrupt>>,
}

/// A run that has ended.
pub struct SuiteOutcome {
    pub report: RunReport,
    /// Evidence and reports.
    pub directory: PathBuf,
    /// The work directory, when it was kept because something went wrong.
    pub kept: Option<PathBuf>,
}

/// Runs them. Backends that do not start end the run at once.
pub fn run_suite(options: EngineOptions, suite: Suite) -> Result<SuiteOutcome, EngineError> {
    let runtime = tokio::runtime::Handle::current();
    let subject = options.plan.as_ref().map(|plan| plan.subject.clone());
    let engine = runtime.block_on(Engine::start(options))?;
    let next = AtomicUsize::new(0);
    let reports: Mutex<Vec<Option<ScenarioReport>>> = Mutex::new(vec![None; suite.tasks.len()]);
    std::thread::scope(|threads| {
        for _ in 0..suite.jobs.clamp(1, suite.tasks.len().max(1)) {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = suite.tasks.get(number) else { return };
                    let Some(report) = runtime.block_on(one(&engine, *task, suite.interrupts.clone())) else {
                        return;
                    };
                    let report = (suite.gate)(report);
                    (suite.done)(&report, engine.directory());
                    reports.lock().expect("no holder panics")[number] = Some(report);
                }
            });
        }
    });
    let reports: Vec<_> = reports.into_inner().expect("no holder panics").into_iter().flatten().collect();
    let interrupted = suite.interrupts.borrow().is_some();
    let subject = subject.unwrap_or_else(|| subject_of(&suite.tasks));
    let mut report = engine.report(subject, reports);
    if interrupted {
        report = report.interrupted();
    }
    let directory = engine.directory().to_path_buf();
    let saved = engine.finish(&report);
    if let Err(error) = saved {
        report = report.with_problems(vec![format!("cannot save the run: {error}")]);
    }
    let kept = runtime.block_on(engine.end(report.exit_code() == 0 || interrupted));
    Ok(SuiteOutcome { report, directory, kept })
}

/// A run that has nothing to judge: a shard of more than there are scenarios. It leaves evidence like the others.
pub fn run_nothing(evidence: Option<&Path>, plan: Plan) -> Result<SuiteOutcome, EngineError> {
    let report = RunReport::new(plan.subject.clone(), Vec::new()).with_plan(&plan);
    let writer = match evidence {
        Some(path) => Writer::create(path, Some(plan))?,
        None => Writer::within(RunDirectory::create(&RunId::new())?.path(), Some(plan))?,
    };
    writer.finish(&report)?;
    Ok(SuiteOutcome { report, directory: writer.directory().into(), kept: None })
}

/// `None`: interrupted before it was done.
async fn one(
    engine: &Engine,
    task: Task<'_>,
    mut interrupts: watch::Receiver<Option<Interrupt>>,
) -> Option<ScenarioReport> {
    tokio::select! {
        biased;
        _ = interrupts.wait_for(Option::is_some) => None,
        Outcome { report, .. } = engine.run(task) => Some(report),
    }
}
