//! `probity prove`: breaks saved evidence and says what nobody would notice.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Done;
use super::arguments::ProveArguments;
use super::check::state_complete;
use super::evidence::{load, tell_problems};
use super::output::{Failure, print, write_result};
use crate::prove::{Fate, Green, Proof, prove};
use crate::report::progress::Progress;
use crate::report::terminal::Layout;
use crate::report::{json, proof};
use crate::workdir::RunDirectory;

#[derive(Serialize)]
struct Document<'p> {
    format: &'static str,
    version: u32,
    exit_code: u8,
    #[serde(flatten)]
    proof: &'p Proof,
}

pub(super) fn run(arguments: &ProveArguments) -> Done {
    let path = arguments.evidence.clone().map_or_else(last_run, Ok)?;
    let mut loaded = load(&path)?;
    if arguments.complete {
        state_complete(&mut loaded);
    }
    tell_problems(&path, &loaded.problems);
    let mut greens = Vec::new();
    let mut never_ran = Vec::new();
    for scenario in &loaded.scenarios {
        let (evidence, declaration) = (&scenario.evidence, scenario.declaration.as_ref());
        match scenario.facts.skipped.is_some() || scenario.facts.error.is_some() {
            true => never_ran.push(evidence.scenario.clone()),
            false => greens.push(Green { evidence, declaration }),
        }
    }
    let mut proof = on_all_cores(&greens);
    proof.passed_over.extend(never_ran);
    let code = if loaded.problems.is_empty() { exit_code(&proof) } else { 2 };
    show(&path, &proof, code, arguments)?;
    Ok(code)
}

fn on_all_cores(greens: &[Green]) -> Proof {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = Progress::new(1);
    let running = progress.begin("prove");
    let proof = prove(greens, threads, &|done, total| {
        if done % 20 == 0 {
            running.phase(&format!("breaking the evidence: {done}/{total}"));
        }
    });
    drop(running);
    progress.finish();
    proof
}

/// 1: something would go unnoticed, or what must not matter did; 3: nothing was broken, or some break left only a verdict of
/// incomplete or a warning.
fn exit_code(proof: &Proof) -> u8 {
    let fate = proof.breaks.iter().map(|broken| broken.fate).max();
    match fate {
        _ if proof.disturbed().next().is_some() => 1,
        Some(Fate::Survived) => 1,
        Some(Fate::Caught | Fate::Incomplete | Fate::Warned) => 0,
        None => 3,
    }
}

fn show(path: &Path, proof: &Proof, exit_code: u8, arguments: &ProveArguments) -> Result<(), Failure> {
    if let Some(file) = &arguments.json.json {
        let document = Document { format: "probity-prove", version: json::VERSION, exit_code, proof };
        return write_result(file, &json::pretty(&document));
    }
    print(&format!("{}\n\n", path.display()));
    print(&proof::terminal(proof, arguments.all, &Layout::detect()));
    Ok(())
}

fn last_run() -> Result<PathBuf, Failure> {
    let runs = RunDirectory::parent().map_err(|error| Failure::new(error.to_string()))?;
    let latest = runs.join("latest");
    match latest.exists() {
        true => Ok(latest),
        false => Err(Failure::new("there is no run to prove anything by")
            .hint("run the scenarios first, or name an evidence directory")),
    }
}
