//! The scenario suite under `cargo test`: one test for each scenario, one for each defect, with libtest's own command line.

mod unnoticed;

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use super::sequence::Sequence;
use super::{Defect, Engine, EngineOptions, Outcome, Proof, Scenario, System, Task, judge_defect};
use crate::backend::Selection;
use crate::inert::printed;
use crate::known::{KnownFindings, Scope};
use crate::model::{Date, Verdict};
use crate::report::progress::Progress;
use crate::report::terminal::{self, Layout};
use crate::report::{ScenarioReport, Shard, ShardError};
use crate::snapshot::Snapshots;

/// The main function of a scenario suite. Serves the hidden subcommands first.
pub fn test_main(systems: impl FnOnce() -> Vec<System>) -> ExitCode {
    crate::process::serve_hidden_subcommands();
    crate::snapshot::tell_differences_once();
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(super::jobs);
    let options = || Ok((known_findings()?, shard()?, Sequence::from_environment()?));
    let (known, shard, sequence) = match options() {
        Ok(options) => options,
        Err::<_, String>(error) => {
            _ = writeln!(anstream::stderr(), "error: {error}");
            return ExitCode::from(2);
        }
    };
    let suite = Arc::new(Suite::new(systems(), known));
    let mut entries = entries(&suite);
    if let Some(shard) = shard {
        let mut places = 0..;
        entries.retain(|_| places.next().is_some_and(|place| shard.has(place)));
    }
    if let Some(told) = sequence.told() {
        _ = writeln!(anstream::stderr(), "{told}");
    }
    let entries = sequence.apply(entries, |entry| entry.long);
    let mut trials: Vec<Trial> = entries.into_iter().map(|entry| entry.trial).collect();
    trials.extend(shard.is_none().then(|| in_retrospect(&suite)).into_iter().flatten());
    let conclusion = libtest_mimic::run(&arguments, trials);
    suite.end(!conclusion.has_failed());
    conclusion.exit_code()
}

/// A test, and whether it takes many times as long as most.
struct Entry {
    trial: Trial,
    long: bool,
}

fn entries(suite: &Arc<Suite>) -> Vec<Entry> {
    let mut entries = vec![Entry { trial: snapshots_are_kept(suite), long: false }];
    for system in &suite.systems {
        let long = |scenario: &Scenario| (scenario.stack)().long;
        entries.extend(system.scenarios.iter().enumerate().map(|(number, scenario)| Entry {
            trial: scenario_trial(suite, system, number),
            long: long(scenario),
        }));
        entries.extend(system.proofs.iter().enumerate().map(|(number, proof)| Entry {
            trial: proof_trial(suite, system, number),
            long: long(&proof.scenario),
        }));
        entries.extend(system.defects.iter().enumerate().map(|(number, defect)| Entry {
            trial: defect_trial(suite, system, number),
            long: system.scenario(defect.scenario).is_some_and(long),
        }));
    }
    entries
}

/// Tests that look back on what the others ran. Last, so that they wait for nothing that would not run anyway; a shard has not
/// seen enough to say what is gone.
fn in_retrospect(suite: &Arc<Suite>) -> Vec<Trial> {
    let known = suite.known.is_some().then(|| known_are_found(suite));
    known.into_iter().chain(unnoticed::trial(suite)).collect()
}

/// The share of the tests that `PROBITY_SHARD=I/N` asks for.
fn shard() -> Result<Option<Shard>, String> {
    let Some(named) = std::env::var_os("PROBITY_SHARD").filter(|named| !named.is_empty()) else {
        return Ok(None);
    };
    let named = named.to_string_lossy();
    named.parse().map(Some).map_err(|error: ShardError| format!("PROBITY_SHARD: `{named}`: {error}"))
}

/// Findings that are accepted for now: the file that `PROBITY_KNOWN` names, from here or from the workspace. Tests run in the
/// directory of their package, which is seldom where a person stands.
fn known_findings() -> Result<Option<KnownFindings>, String> {
    let Some(named) = std::env::var_os("PROBITY_KNOWN").filter(|named| !named.is_empty()) else {
        return Ok(None);
    };
    let path = Path::new(&named);
    let in_workspace = crate::workdir::workspace().map(|root| root.join(path)).filter(|_| !path.exists());
    let text = std::fs::read_to_string(in_workspace.as_deref().unwrap_or(path));
    let text = text.map_err(|error| format!("PROBITY_KNOWN: could not read {}: {error}", path.display()))?;
    let known = crate::known::parse(&path.display().to_string(), &text);
    known.map(Some).map_err(|error| format!("PROBITY_KNOWN: {error}"))
}

/// Every entry of the file of known findings matches one. Runs what it may match: part of a whole run, or by its name.
fn known_are_found(suite: &Arc<Suite>) -> Trial {
    let suite = suite.clone();
    Trial::test("known_findings_are_still_found", move || suite.known_are_found())
}

fn scenario_trial(suite: &Arc<Suite>, system: &Arc<System>, number: usize) -> Trial {
    let scenario = &system.scenarios[number];
    let (name, ignored) = (format!("{}::{}", scenario.family, scenario.name), cannot(scenario));
    let (suite, system) = (suite.clone(), system.clone());
    let trial = Trial::test(name, move || suite.scenario(Task::new(&system, &system.scenarios[number])));
    skippable(trial, ignored)
}

fn proof_trial(suite: &Arc<Suite>, system: &Arc<System>, number: usize) -> Trial {
    let scenario = &system.proofs[number].scenario;
    let name = format!("{}::{}", scenario.family, scenario.name);
    let ignored = cannot(scenario);
    let (suite, system) = (suite.clone(), system.clone());
    skippable(Trial::test(name, move || suite.proof(&system, &system.proofs[number])), ignored)
}

fn defect_trial(suite: &Arc<Suite>, system: &Arc<System>, number: usize) -> Trial {
    let defect = &system.defects[number];
    let ignored = system.scenario(defect.scenario).and_then(cannot);
    let name = format!("defect::{}", defect.name);
    let (suite, system) = (suite.clone(), system.clone());
    let trial = Trial::test(name, move || suite.defect(&system, &system.defects[number]));
    skippable(trial, ignored)
}

/// No pending snapshot, none that no scenario has, none that cannot be read. Systems may share a directory.
fn snapshots_are_kept(suite: &Arc<Suite>) -> Trial {
    let suite = suite.clone();
    Trial::test("snapshots_are_committed_and_in_use", move || {
        let mut directories: BTreeMap<&Path, Vec<&'static str>> = BTreeMap::new();
        for system in &suite.systems {
            let with_snapshot = system.scenarios.iter().filter(|scenario| (scenario.stack)().snapshot);
            let names = with_snapshot.map(|scenario| scenario.name);
            directories.entry(&system.snapshots).or_default().extend(names);
        }
        directories
            .into_iter()
            .try_for_each(|(directory, names)| Snapshots::at(directory).check(names))
            .map_err(Failed::from)
    })
}

/// A test that these providers cannot serve is ignored, with the reason in its line.
fn skippable(trial: Trial, reason: Option<String>) -> Trial {
    match reason {
        Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
        None => trial,
    }
}

/// Why the providers that were asked for cannot do what a scenario asks for: known before anything is started.
fn cannot(scenario: &Scenario) -> Option<String> {
    let selection = Selection::from_environment().ok()?;
    super::engine::cannot(&selection, scenario)
}

struct Suite {
    systems: Vec<Arc<System>>,
    runtime: Runtime,
    engine: OnceCell<Result<Engine, String>>,
    /// Each scenario without a defect runs once, whoever asks first.
    good: HashMap<&'static str, OnceCell<Arc<Outcome>>>,
    failed: Mutex<bool>,
    known: Option<KnownFindings>,
    today: Date,
}

impl Suite {
    fn new(systems: Vec<System>, known: Option<KnownFindings>) -> Suite {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
        let scenarios = systems.iter().flat_map(|system| &system.scenarios);
        let good = scenarios.map(|scenario| (scenario.name, OnceCell::new())).collect();
        let systems = systems.into_iter().map(Arc::new).collect();
        Suite {
            systems,
            runtime,
            engine: OnceCell::new(),
            good,
            failed: Mutex::new(false),
            known,
            today: Date::of(super::running::now()),
        }
    }

    async fn engine(&self) -> Result<&Engine, Failed> {
        let start = async || {
            let selection = Selection::from_environment().map_err(|error| error.to_string())?;
            let progress = Progress::silent();
            let options = EngineOptions { selection, evidence: None, progress, plan: None, rerun };
            Engine::start(options).await.map_err(|error| error.to_string())
        };
        self.engine.get_or_init(start).await.as_ref().map_err(|error| Failed::from(error.clone()))
    }

    async fn good(&self, task: Task<'_>) -> Result<Arc<Outcome>, Failed> {
        let engine = self.engine().await?;
        let run = async || Arc::new(engine.run(task).await);
        Ok(self.good[task.scenario.name].get_or_init(run).await.clone())
    }

    fn scenario(&self, task: Task<'_>) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let outcome = self.good(task).await?;
            let report = self.counted(&outcome.report);
            if let Err(difference) = compare(task, &outcome, &report) {
                return Err(self.fail(difference + &self.shown(&outcome, &report)));
            }
            match report.verdict {
                Some(Verdict::Pass) => Ok(()),
                _ => Err(self.fail(self.shown(&outcome, &report))),
            }
        })
    }

    /// A report with what is accepted marked in it. Defects and proofs are judged without.
    fn counted(&self, report: &ScenarioReport) -> ScenarioReport {
        let report = report.clone();
        match &self.known {
            Some(known) => known.apply(self.today, report),
            None => report,
        }
    }

    fn known_are_found(&self) -> Result<(), Failed> {
        let Some(known) = &self.known else { return Ok(()) };
        self.runtime.block_on(async {
            let mut reports = Vec::new();
            for system in &self.systems {
                for scenario in &system.scenarios {
                    reports.push(self.good(Task::new(system, scenario)).await?.report.clone());
                }
            }
            let scenarios = reports.iter().map(|report| report.name.clone()).collect();
            let unmatched = known.unmatched(&Scope { scenarios, partial: false }, &reports);
            match terminal::unmatched(&unmatched, &Layout::detect()) {
                none if none.is_empty() => Ok(()),
                some => Err(self.fail(some)),
            }
        })
    }

    fn proof(&self, system: &Arc<System>, proof: &Proof) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let outcome = self.engine().await?.run(Task::new(system, &proof.scenario)).await;
            (proof.holds)(&outcome)
                .map_err(|wrong| self.fail(format!("{wrong}\n\n{}", self.shown(&outcome, &outcome.report))))
        })
    }

    fn defect(&self, system: &Arc<System>, defect: &Defect) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let Some(scenario) = system.scenario(defect.scenario) else {
                return Err(self.fail(format!("no scenario is called {}", defect.scenario)));
            };
            let task = Task::new(system, scenario);
            let good = self.good(task).await?;
            let bad = self.engine().await?.run(task.with(defect)).await;
            let compared = judge_defect(defect, &good.report, &bad.report);
            if compared.is_exact() && bad.report.error.is_none() {
                return Ok(());
            }
            let differences = compared.differences.join("\n  ");
            Err(self.fail(format!("{}:\n  {differences}\n\n{}", defect.name, self.shown(&bad, &bad.report))))
        })
    }

    fn shown(&self, outcome: &Outcome, report: &ScenarioReport) -> String {
        let evidence = outcome.evidence.as_ref().map(|path| path.display().to_string());
        terminal::scenario(report, &Layout::detect().with_evidence(evidence))
    }

    fn fail(&self, text: String) -> Failed {
        *self.failed.lock().expect("no holder panics") = true;
        Failed::from(printed(&text).into_owned())
    }

    fn end(&self, success: bool) {
        // The engine is behind a shared reference: it ends with the process, its backends with their supervisors.
        if let Some(Ok(engine)) = self.engine.get() {
            self.runtime.block_on(engine.end(success));
        }
    }
}

/// Writes the pending snapshot that `cargo insta review` shows. Returns what is to be said before the report: nothing of the
/// difference itself where a finding tells it.
fn compare(task: Task, outcome: &Outcome, report: &ScenarioReport) -> Result<(), String> {
    // Trees of a run that is not whole are no trees to accept.
    let whole = !matches!(report.verdict, Some(Verdict::Error | Verdict::Incomplete));
    let finding = report.findings.iter().find(|finding| finding.rule == "EXPECT-02");
    let accepted = finding.is_some_and(|finding| finding.known.is_some());
    let Some(outline) = outcome.outline.as_ref().filter(|_| whole && !accepted) else { return Ok(()) };
    let written =
        "the snapshot was written, and this run judged by what it was: look at `git diff` and run again\n\n";
    match (Snapshots::at(&task.system.snapshots).assert(task.scenario.name, outline), finding) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(_)) => Err(written.into()),
        (Err(difference), Some(_)) => Err(format!("{}\n\n", difference.review)),
        (Err(difference), None) => Err(format!("{difference}\n\n")),
    }
}

fn rerun(scenario: &str, defect: Option<&str>) -> String {
    match defect {
        Some(defect) => format!("cargo test --test scenarios -- --exact defect::{defect}"),
        None => format!("cargo test --test scenarios -- {scenario}"),
    }
}
