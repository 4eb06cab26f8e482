//! The gate over real runs: shards put together are one run, two runs of the same system differ in nothing, and only what was
//! not green is run again.
//!
//! This program is both: the tests, and, where `GATE_COMMAND` is set, the command that they start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use probity::cli::Host;
use serde_json::Value;

/// What is run here: quick ones that cross every service.
const SCENARIOS: [&str; 4] = [
    "a_create_is_traced_to_postgres",
    "a_click_is_one_trace_across_kafka",
    "an_unknown_code_is_not_an_error_of_the_server",
    "a_link_detail_spans_three_services",
];

fn main() -> ExitCode {
    probity::process::serve_hidden_subcommands();
    if std::env::var_os("GATE_COMMAND").is_some() {
        let host =
            Host { describe: || scenarios::systems(&program), load: || Ok(scenarios::systems(&program)) };
        return probity::cli::main(Some(host));
    }
    let trials = vec![
        Trial::test("shards_are_one_run_and_two_runs_differ_in_nothing", shards_are_one_run),
        Trial::test("only_what_was_not_green_runs_again", only_what_was_not_green_runs_again),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn program(name: &str) -> PathBuf {
    match name {
        "url-api" => env!("CARGO_BIN_EXE_url-api").into(),
        "analytics-rpc" => env!("CARGO_BIN_EXE_analytics-rpc").into(),
        "analytics-consumer" => env!("CARGO_BIN_EXE_analytics-consumer").into(),
        _ => PathBuf::new(),
    }
}

/// A directory to work in, and the command that works there.
struct Place {
    directory: tempfile::TempDir,
}

struct Output {
    code: Option<i32>,
    text: String,
}

impl Place {
    fn new() -> Result<Place, Failed> {
        Ok(Place { directory: tempfile::tempdir()? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn probity(&self, arguments: &[&str]) -> Result<Output, Failed> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).env("GATE_COMMAND", "1").env_remove("COLUMNS").env_remove("PROBITY_KNOWN");
        // Runs are kept here, apart from those of whoever runs the tests.
        command.env("CARGO_TARGET_DIR", self.path("target")).current_dir(self.directory.path());
        let output = command.output()?;
        let text =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        Ok(Output { code: output.status.code(), text })
    }

    /// The chosen scenarios, with these options.
    fn run(&self, options: &[&str]) -> Result<Output, Failed> {
        self.probity(&[&["run"], &SCENARIOS[..], options].concat())
    }

    /// A report without what belongs to one run alone: times.
    fn report(&self, name: &str) -> Result<Value, Failed> {
        let mut report: Value = serde_json::from_str(&fs::read_to_string(self.path(name))?)?;
        forget_times(&mut report);
        Ok(report)
    }
}

/// What the clock and the machine's speed make of a run, its ids, and how often something was exported until its end.
fn forget_times(value: &mut Value) {
    const OF_THE_RUN: [&str; 7] = ["seconds", "ready_ms", "steps", "ledger", "counts", "subjects", "spans"];
    match value {
        Value::Object(fields) => {
            fields
                .retain(|key, value| !OF_THE_RUN.contains(&key.as_str()) || key == "spans" && value.is_u64());
            fields.values_mut().for_each(forget_times);
        }
        Value::Array(entries) => entries.iter_mut().for_each(forget_times),
        _ => {}
    }
}

fn expect(holds: bool, output: &Output) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("exit code {:?}\n{}", output.code, output.text).into()) }
}

fn shards_are_one_run() -> Result<(), Failed> {
    let place = Place::new()?;
    let whole = place.run(&["--evidence", "whole", "--json", "whole.json"])?;
    expect(whole.code == Some(0) && whole.text.contains("4 scenarios"), &whole)?;
    for shard in ["1", "2"] {
        let output =
            place.run(&["--shard", &format!("{shard}/2"), "--evidence", &format!("shard-{shard}")])?;
        expect(output.code == Some(0), &output)?;
        expect(output.text.contains(&format!("shard {shard}/2: 2 of 4 scenarios")), &output)?;
    }
    let merged =
        place.probity(&["merge", "shard-2", "shard-1", "--evidence", "merged", "--json", "merged.json"])?;
    expect(merged.code == Some(0), &merged)?;
    let [whole, merged] = [place.report("whole.json")?, place.report("merged.json")?];
    if whole != merged {
        return Err(format!("the reports differ:\n{whole:#}\n{merged:#}").into());
    }
    // The shards were a second run of the same system.
    let diff = place.probity(&["diff", "whole", "merged", "--deny", "changes", "--markdown", "diff.md"])?;
    expect(diff.code == Some(0) && diff.text.contains("no changes"), &diff)?;
    expect(fs::read_to_string(place.path("diff.md"))?.starts_with("## Probity: no changes"), &diff)
}

fn only_what_was_not_green_runs_again() -> Result<(), Failed> {
    let place = Place::new()?;
    let first = place.run(&[])?;
    expect(first.code == Some(0), &first)?;
    let nothing = place.probity(&["run", "--rerun-failed", "--json", "nothing.json"])?;
    expect(nothing.code == Some(0) && nothing.text.contains("nothing to run again"), &nothing)?;
    expect(place.report("nothing.json")?["scenarios"] == Value::Array(Vec::new()), &nothing)?;
    // What was cut off proves nothing: its scenario has to be run again.
    let cut = place.path("target/probity/latest").join(SCENARIOS[1]).join("traces.pb");
    cut_off(&cut)?;
    let again = place.probity(&["run", "--rerun-failed"])?;
    expect(again.code == Some(0) && again.text.contains("again 1 of "), &again)?;
    expect(again.text.contains(SCENARIOS[1]) && !again.text.contains(SCENARIOS[0]), &again)?;
    let green = place.probity(&["run", "--rerun-failed"])?;
    expect(green.code == Some(0) && green.text.contains("nothing to run again"), &green)?;
    let nowhere = place.probity(&["run", "--rerun-failed", "elsewhere"])?;
    expect(nowhere.code == Some(2) && nowhere.text.contains("elsewhere could not be read"), &nowhere)
}

fn cut_off(file: &Path) -> Result<(), Failed> {
    let content = fs::read(file)?;
    Ok(fs::write(file, &content[..content.len() / 2])?)
}
