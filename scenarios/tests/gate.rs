//! The gate over real runs: shards put together are one run, two runs of the same system differ in nothing, only what was not
//! green is run again, a run and its evidence give the same reports, and what the environment says to the suite holds.
//!
//! This program is three: the tests, and what they start: the command where `GATE_COMMAND` is set, the suite where `GATE_SUITE` is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use probity::cli::Host;
use probity::run::System;
use serde_json::Value;

mod place;

use place::{Output, Place};

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
    if let Some(snapshots) = std::env::var_os("GATE_SUITE") {
        return probity::run::test_main(|| suite(Path::new(&snapshots)));
    }
    let trials = vec![
        Trial::test("shards_are_one_run_and_two_runs_differ_in_nothing", shards_are_one_run),
        Trial::test("only_what_was_not_green_runs_again", only_what_was_not_green_runs_again),
        Trial::test("a_run_and_its_evidence_give_the_same_reports", reports_are_the_same),
        Trial::test("every_test_of_the_suite_is_in_one_shard", every_test_is_in_one_shard),
        Trial::test("a_known_finding_turns_a_red_test_green_and_is_missed_when_gone", known_findings),
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

/// All systems; or, where snapshots lie somewhere else, one scenario that is compared with those.
fn suite(snapshots: &Path) -> Vec<System> {
    let mut systems = scenarios::systems(&program);
    if snapshots.is_dir() {
        systems.retain(|system| system.scenario(SCENARIOS[0]).is_some());
        for system in &mut systems {
            system.scenarios.retain(|scenario| scenario.name == SCENARIOS[0]);
            system.defects.clear();
            system.proofs.clear();
            system.snapshots = snapshots.into();
        }
    }
    systems
}

impl Place {
    fn probity(&self, arguments: &[&str]) -> Result<Output, Failed> {
        self.start(arguments, &[("GATE_COMMAND", "1")])
    }

    /// The suite as `cargo test` runs it, in this environment.
    fn suite(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output, Failed> {
        let all = &[("GATE_SUITE", ""), ("INSTA_UPDATE", "no")];
        self.start(arguments, &[all, environment].concat())
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

/// Every kind of report, of a green run and of a red one.
fn reports_are_the_same() -> Result<(), Failed> {
    const KINDS: [&str; 6] = ["html", "json", "junit", "sarif", "markdown", "github"];
    let place = Place::new()?;
    for (name, chosen, code) in
        [("green", ["--only", SCENARIOS[0]], 0), ("red", ["--defect", "kafka-send-without-headers"], 1)]
    {
        let reports = |by: &str| {
            KINDS
                .iter()
                .flat_map(|kind| ["--report".into(), format!("{kind}={name}-{by}.{kind}")])
                .collect::<Vec<_>>()
        };
        let of_run = reports("run");
        let options: Vec<&str> = of_run.iter().map(String::as_str).collect();
        let run = place.probity(&[&["run", "--evidence", name], &chosen[..], &options].concat())?;
        expect(run.code == Some(code), &run)?;
        let of_check = reports("check");
        let options: Vec<&str> = of_check.iter().map(String::as_str).collect();
        let check = place.probity(&[&["check", name], &options[..]].concat())?;
        expect(check.code == Some(code), &check)?;
        for kind in KINDS {
            let [run, check] =
                ["run", "check"].map(|by| fs::read(place.path(&format!("{name}-{by}.{kind}"))));
            if run? != check? {
                return Err(format!("the {kind} reports of the {name} run and of its evidence differ").into());
            }
        }
    }
    Ok(())
}

fn every_test_is_in_one_shard() -> Result<(), Failed> {
    let place = Place::new()?;
    let list = |shard: &str| {
        let output = place.suite(&["--list"], &[("PROBITY_SHARD", shard)])?;
        expect(output.code == Some(0), &output)?;
        Ok::<_, Failed>(output.text.lines().map(String::from).collect::<Vec<_>>())
    };
    let mut whole = list("")?;
    // It looks back on all the others: a shard has not seen enough.
    whole.retain(|line| !line.contains("no_break_goes_unnoticed"));
    let shards = ["1/3", "2/3", "3/3"].into_iter().map(list).collect::<Result<Vec<_>, _>>()?;
    let sizes: Vec<usize> = shards.iter().map(Vec::len).collect();
    let mut all = shards.concat();
    whole.sort();
    all.sort();
    if whole.len() < 100 || all != whole || sizes.iter().any(|size| size.abs_diff(whole.len() / 3) > 1) {
        return Err(format!("{} tests, in shards of {sizes:?}:\n{}", whole.len(), all.join("\n")).into());
    }
    let wrong = place.suite(&["--list"], &[("PROBITY_SHARD", "4/3")])?;
    expect(wrong.code == Some(2) && wrong.text.starts_with("error: PROBITY_SHARD: `4/3`: "), &wrong)
}

fn known_findings() -> Result<(), Failed> {
    let place = Place::new()?;
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/snapshots");
    let snapshot = format!("{}.snap", SCENARIOS[0]);
    fs::create_dir(place.path("snapshots"))?;
    let trees = fs::read_to_string(committed.join(&snapshot))?.replace("INSERT links", "INSERT urls");
    fs::write(place.path("snapshots").join(&snapshot), trees)?;
    let snapshots = place.path("snapshots").display().to_string();
    let run = |entries: &str| {
        fs::write(place.path("known.yaml"), format!("version: 1\nknown:\n{entries}"))?;
        let known = place.path("known.yaml").display().to_string();
        let known = if entries.is_empty() { "" } else { &known };
        place.suite(&[], &[("GATE_SUITE", &snapshots), ("PROBITY_KNOWN", known)])
    };
    let red = run("")?;
    expect(red.code == Some(101) && red.text.contains("from `INSERT urls` to `INSERT links`"), &red)?;
    let entry = |rule: &str, more: &str| {
        format!("  - rule: {rule}\n    scenario: {}\n    reason: renamed next week\n{more}", SCENARIOS[0])
    };
    let green = run(&entry("EXPECT-02", ""))?;
    expect(
        green.code == Some(0)
            && green.text.contains("known_findings_are_still_found")
            && green.text.contains("3 passed"),
        &green,
    )?;
    let over = run(&entry("EXPECT-02", "    until: 2020-01-31\n"))?;
    expect(over.code == Some(101) && over.text.contains("EXPECT-02 error"), &over)?;
    let gone = run(&(entry("EXPECT-02", "") + &entry("MSG-02", "")))?;
    expect(gone.code == Some(101) && gone.text.contains("known.yaml:6:"), &gone)?;
    expect(gone.text.contains("2 passed; 1 failed"), &gone)
}
