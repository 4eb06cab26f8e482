//! The ledger holds: whatever is asked of it at once, and whichever of its services is killed meanwhile, money is moved and never
//! made, a key stands for one transfer, and what is shown is what was written.
//!
//! Everything random comes from one seed, which is said; `LEDGER_SEED` sets it. The same seed asks for the same; how it
//! interleaves is the machine's.

#[path = "invariants/books.rs"]
mod books;
#[path = "invariants/drives.rs"]
mod drives;
#[path = "invariants/load.rs"]
mod load;
#[path = "invariants/noticed.rs"]
mod noticed;
#[path = "invariants/plan.rs"]
mod plan;

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Failed, Trial};
use probity::backend::Selection;
use probity::bundle;
use probity::model::Verdict;
use probity::report::progress::Progress;
use probity::report::terminal::{self, Layout};
use probity::run::{Drive, Engine, EngineOptions, Outcome, Scenario, System, Task};
use scenarios::ledger::{DEAD_LETTERS, TOPIC};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

const SEED: &str = "LEDGER_SEED";

fn main() -> ExitCode {
    probity::process::serve_hidden_subcommands();
    let mut arguments = Arguments::from_args();
    // They wait more than they work.
    arguments.test_threads.get_or_insert(4);
    if !arguments.list {
        eprintln!("{SEED}={}", seed());
    }
    let suite = Arc::new(Suite::new());
    let mut trials = noticed::trials();
    for number in 0..suite.system.scenarios.len() {
        let (name, suite) = (suite.system.scenarios[number].name, suite.clone());
        trials.push(Trial::test(name, move || suite.run(&suite.system.scenarios[number])));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    suite.end(!conclusion.has_failed());
    conclusion.exit_code()
}

/// Where everything random comes from.
fn seed() -> u64 {
    static CHOSEN: LazyLock<u64> = LazyLock::new(|| {
        let set = std::env::var(SEED).ok();
        set.map_or_else(
            || RandomState::new().hash_one(SEED),
            |set| set.parse().unwrap_or_else(|error| panic!("{SEED}: `{set}`: {error}")),
        )
    });
    *CHOSEN
}

const AT_ONCE: &str = "the_books_are_right_whatever_is_asked_at_once";
const KILLED: &str = "the_books_are_right_whoever_is_killed";
const WRONG: &str = "a_system_that_loses_and_repeats_is_noticed";

macro_rules! drive {
    ($function:path) => {
        Drive::new(|running| Box::pin($function(running)))
    };
}

fn system() -> System {
    let scenario = |name, about, drive| Scenario {
        name,
        family: "ledger",
        about,
        stack: scenarios::ledger::whole,
        drive,
    };
    let scenarios = vec![
        scenario(AT_ONCE, "transfers at once leave books that are right", drive!(drives::at_once)),
        scenario(KILLED, "books are right in the end, whoever was killed meanwhile", drive!(drives::killed)),
        scenario(
            WRONG,
            "a system that is broken on purpose leaves books that are wrong",
            drive!(drives::wrong),
        ),
    ];
    System { scenarios, ..scenarios::ledger::system(&program) }
}

fn program(name: &str) -> PathBuf {
    match name {
        "gateway" => env!("CARGO_BIN_EXE_gateway"),
        "orchestrator" => env!("CARGO_BIN_EXE_orchestrator"),
        "accounts" => env!("CARGO_BIN_EXE_accounts"),
        "ledger" => env!("CARGO_BIN_EXE_ledger"),
        "read-model" => env!("CARGO_BIN_EXE_read-model"),
        "notifier" => env!("CARGO_BIN_EXE_notifier"),
        other => panic!("{other} is no service of the ledger"),
    }
    .into()
}

struct Suite {
    system: Arc<System>,
    runtime: Runtime,
    engine: OnceCell<Result<Engine, String>>,
}

impl Suite {
    fn new() -> Suite {
        let runtime = Runtime::new().expect("a runtime starts");
        Suite { system: Arc::new(system()), runtime, engine: OnceCell::new() }
    }

    async fn engine(&self) -> Result<&Engine, Failed> {
        let start = async || {
            let selection = Selection::from_environment().map_err(|error| error.to_string())?;
            let (progress, rerun) = (Progress::silent(), rerun as fn(&str, Option<&str>) -> String);
            let options = EngineOptions { selection, evidence: None, progress, plan: None, rerun };
            Engine::start(options).await.map_err(|error| error.to_string())
        };
        self.engine.get_or_init(start).await.as_ref().map_err(|error| Failed::from(error.clone()))
    }

    fn run(&self, scenario: &Scenario) -> Result<(), Failed> {
        let outcome = self.runtime.block_on(async {
            let engine = self.engine().await?;
            Ok::<_, Failed>(engine.run(Task::new(&self.system, scenario)).await)
        })?;
        judge(scenario.name, &outcome).map_err(|wrong| {
            let report = terminal::scenario(&outcome.report, &Layout::detect());
            Failed::from(format!("{wrong}\n\n{report}"))
        })
    }

    fn end(&self, success: bool) {
        if let Some(Ok(engine)) = self.engine.get() {
            self.runtime.block_on(engine.end(success));
        }
    }
}

fn rerun(scenario: &str, _: Option<&str>) -> String {
    format!("{SEED}={} cargo test --test invariants -- {scenario}", seed())
}

/// The books are stated (EXPECT-03). Of a load without kills every other rule must hold as well; telemetry that died with its
/// process, and callers that are not on record, are nobody's fault here.
fn judge(name: &str, outcome: &Outcome) -> Result<(), String> {
    let report = &outcome.report;
    if let Some(error) = &report.error {
        return Err(error.clone());
    }
    if let Some(wrong) = report.findings.iter().find(|finding| finding.rule.starts_with("EXPECT")) {
        return Err(wrong.seen.clone());
    }
    if name == AT_ONCE && report.verdict != Some(Verdict::Pass) {
        return Err("the books are right, and the telemetry is not".into());
    }
    if name == WRONG {
        return Ok(());
    }
    let evidence = outcome.evidence.as_ref().ok_or("no evidence was saved")?;
    let loaded = bundle::load(evidence).map_err(|error| error.to_string())?;
    let records = loaded.scenarios.first().map(|loaded| loaded.evidence.records.as_slice());
    let records = records.ok_or("the evidence is empty")?;
    let mut wrong = books::misplaced(records, TOPIC);
    let dead = records.iter().filter(|record| record.topic == DEAD_LETTERS);
    wrong.extend(dead.map(|record| format!("a dead letter: {}", record.place())));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}
