//! The files of `compose/` against the system that the scenarios judge, and against what works in practice. Where a real
//! program can tell (promtool), it is asked; where it is missing, that test is ignored, with the reason.

#[path = "compose/containers.rs"]
mod containers;
#[path = "compose/dashboards.rs"]
mod dashboards;
#[path = "compose/rules.rs"]
mod rules;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use probity::model::Declaration;
use probity::prometheus::Programs;
use probity::workdir::{RunId, Workdir};
use serde_json::Value;

fn main() -> ExitCode {
    probity::process::serve_hidden_subcommands();
    let arguments = Arguments::from_args();
    let trial = |name: &'static str, claim: fn() -> Result<(), String>| {
        Trial::test(name, move || claim().map_err(Failed::from))
    };
    let mut trials: Vec<Trial> = containers::CLAIMS
        .iter()
        .chain(dashboards::CLAIMS)
        .chain(rules::CLAIMS)
        .map(|(name, claim)| trial(name, *claim))
        .collect();
    trials.extend(rules::PROMTOOL.iter().map(|(name, arguments)| promtool(name, arguments)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

type Claims = &'static [(&'static str, fn() -> Result<(), String>)];

/// A test that is what promtool says of the files.
fn promtool(name: &'static str, arguments: &'static [&'static str]) -> Trial {
    let programs = Programs::find().map_err(|missing| missing.to_string());
    let programs = programs.and_then(|programs| match programs.promtool {
        Some(_) => Ok(programs),
        None => Err("there is no promtool beside this Prometheus".to_string()),
    });
    let missing = programs.as_ref().err().cloned();
    let trial = Trial::test(name, move || {
        let workdir = Workdir::create(RunId::new())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let compose = root().join("compose");
        runtime
            .block_on(programs?.promtool(arguments, &compose, &workdir))
            .map_err(|said| said.to_string())?;
        workdir.remove().map_err(Failed::from)
    });
    match missing {
        Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
        None => trial,
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package lies in its workspace").to_path_buf()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What the scenarios judge the system by.
fn declaration() -> Declaration {
    let programs = |name: &str| PathBuf::from(name);
    let systems = scenarios::systems(&programs);
    let shortener = systems.into_iter().find(|system| system.name == "shortener");
    shortener.expect("the shortener is a system").declaration
}

/// Nothing wrong, or all of it.
fn all_well(wrong: Vec<String>) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// The texts in an array.
fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
