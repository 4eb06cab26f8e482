//! Accidents of a run that are no fault of the system under test: each ends in a clear verdict for the scenario that it happened
//! in, never in a pass; the others go on, and nothing is left running.
//!
//! This program is both: the tests, and, where `ACCIDENTS_COMMAND` is set, the command that they start.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use probity::cli::Host;
use probity::process::survivors;
use probity::run::{Drive, Own, Request, Running, Scenario, ServiceProgram, Stack, Stop, System};
use probity::workdir::RunId;
use serde_json::{Value, json};

mod place;

use place::{Output, Place};

const API: &str = "url-api";

fn main() -> ExitCode {
    probity::process::serve_hidden_subcommands();
    if std::env::var_os("ACCIDENTS_COMMAND").is_some() {
        return probity::cli::main(Some(Host { describe: systems, load: || Ok(systems()) }));
    }
    let unmountable = tiny_disk().err();
    let full =
        Trial::test("a_full_disk_is_an_error_of_the_scenarios_that_it_kept_from_being_saved", full_disk);
    let set = Trial::test("a_clock_that_is_set_back_is_an_error_of_what_ran_meanwhile", clock_set_back);
    let trials = vec![
        Trial::test("an_accident_is_an_error_of_its_scenario_and_the_others_go_on", accidents),
        Trial::test("a_defect_that_does_not_exist_is_wrong_input", no_such_defect),
        match unmountable {
            Some(reason) => full.with_kind(reason).with_ignored_flag(true),
            None => full,
        },
        match faketime() {
            Some(_) => set,
            None => set
                .with_kind("ignored: libfaketime (Debian's package) is not there, and no test sets the machine's clock")
                .with_ignored_flag(true),
        },
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

// === The systems ===

fn systems() -> Vec<System> {
    if clock_file().is_some() {
        return vec![system_with_a_clock()];
    }
    let mut shortener = shortener("accidents", |_| ());
    shortener.scenarios = vec![
        scenario("a_create_goes_on", || Stack::of(&[API]), Drive::new(|running| Box::pin(create(running)))),
        scenario("a_drive_panics", || Stack::of(&[API]), Drive::new(|running| Box::pin(panic(running)))),
        scenario(
            "a_backend_dies",
            || Stack::of(&[API]).own(Own::Postgres),
            Drive::new(|running| Box::pin(backend_dies(running))),
        ),
        scenario(
            "another_create_goes_on",
            || Stack::of(&[API]),
            Drive::new(|running| Box::pin(create(running))),
        ),
    ];
    let missing = shortener_with("a program that is not there", "a_service_never_starts", |services| {
        services.iter_mut().for_each(|service| service.path = "/nowhere/url-api".into());
    });
    let ending = shortener_with("a program that ends", "a_service_ends_at_once", |services| {
        services.iter_mut().for_each(|service| service.path = "/bin/false".into());
    });
    let twice = shortener_with("one name twice", "two_services_have_one_name", |services| {
        let name = services[0].name;
        services[1].name = name;
    });
    vec![shortener, missing, ending, twice]
}

/// Of which the last scenario sets the clock that this process sees.
fn system_with_a_clock() -> System {
    let mut system = shortener("clocks", |_| ());
    let set = Drive::new(|running| Box::pin(set_clock_back(running)));
    let before = Drive::new(|running| Box::pin(create(running)));
    system.scenarios = vec![
        scenario("a_create_before_it", || Stack::of(&[API]), before),
        scenario("a_clock_is_set_back", || Stack::of(&[API]), set),
    ];
    system
}

fn shortener_with(name: &'static str, claim: &'static str, change: fn(&mut Vec<ServiceProgram>)) -> System {
    let mut system = shortener(name, change);
    system.scenarios =
        vec![scenario(claim, || Stack::of(&[API]), Drive::new(|running| Box::pin(create(running))))];
    system
}

fn shortener(name: &'static str, change: fn(&mut Vec<ServiceProgram>)) -> System {
    let mut system = scenarios::systems(&program).remove(0);
    change(&mut system.services);
    system.name = name;
    (system.defects, system.proofs) = (Vec::new(), Vec::new());
    system
}

fn scenario(name: &'static str, stack: fn() -> Stack, drive: Drive) -> Scenario {
    Scenario { name, family: "accident", about: "what happens to a run", stack, drive }
}

fn program(name: &str) -> PathBuf {
    match name {
        API => env!("CARGO_BIN_EXE_url-api").into(),
        _ => PathBuf::new(),
    }
}

async fn create(running: &mut Running) -> Result<(), Stop> {
    let request = Request::post(API, "/api/v1/urls", json!({ "url": "https://example.com/" }));
    let sent = running.send(request.operation("create")).await;
    running.expect_status(&sent, 201);
    Ok(())
}

async fn panic(running: &mut Running) -> Result<(), Stop> {
    create(running).await?;
    panic!("half-way");
}

async fn set_clock_back(running: &mut Running) -> Result<(), Stop> {
    create(running).await?;
    let file = clock_file().ok_or_else(|| Stop("no clock to set".into()))?;
    std::fs::write(file, "-10").map_err(|error| Stop(error.to_string()))?;
    create(running).await
}

/// How far the clock that this process sees is off, where it is not the machine's.
fn clock_file() -> Option<std::ffi::OsString> {
    std::env::var_os("FAKETIME_TIMESTAMP_FILE")
}

/// Its server is killed by one of its own children, behind our back.
async fn backend_dies(running: &mut Running) -> Result<(), Stop> {
    create(running).await?;
    let kill = "COPY (SELECT 1) TO PROGRAM 'kill -9 $(head -n 1 postmaster.pid)'";
    running.seen("the end of Postgres", "an answer", Duration::from_millis(500), kill).await;
    create(running).await
}

// === The tests ===

/// The command, at work in that place.
fn probity(place: &Place, arguments: &[&str]) -> Result<Output, Failed> {
    place.start(arguments, &[("ACCIDENTS_COMMAND", "1")])
}

fn accidents() -> Result<(), Failed> {
    let place = Place::new()?;
    let output = probity(&place, &["run", "--json", "report.json"])?;
    let report: Value = serde_json::from_str(&std::fs::read_to_string(place.path("report.json"))?)?;
    let scenarios = report["scenarios"].as_array().cloned().unwrap_or_default();
    let of =
        |name: &str| scenarios.iter().find(|scenario| scenario["name"] == name).cloned().unwrap_or_default();
    for good in ["a_create_goes_on", "another_create_goes_on"] {
        expect(of(good)["verdict"] == "pass", good, &output)?;
    }
    for (name, why) in [
        ("a_drive_panics", "the scenario panicked: half-way"),
        ("a_service_never_starts", "cannot start url-api"),
        ("two_services_have_one_name", "two services of one name twice are called url-api"),
    ] {
        let scenario = of(name);
        let said = scenario["error"].as_str().unwrap_or_default();
        expect(
            scenario["verdict"] == "error" && said.contains(why),
            &format!("{name}: {scenario:#}"),
            &output,
        )?;
    }
    // What the service answered without its database is no fault of the service.
    let dead = of("a_backend_dies");
    let said = dead["error"].as_str().unwrap_or_default();
    let blamed = dead["verdict"] == "error" && dead["findings"].as_array().is_none_or(Vec::is_empty);
    expect(blamed && said.starts_with("postgres ended by itself"), &format!("{dead:#}"), &output)?;
    let ended = of("a_service_ends_at_once");
    expect(ended["verdict"] == "fail" || ended["verdict"] == "incomplete", &format!("{ended:#}"), &output)?;
    expect(scenarios.len() == 7 && output.code == Some(1), "seven scenarios, one of them red", &output)?;
    let left = survivors(&RunId::new(), place.directory.path());
    expect(left.is_empty(), &format!("{left:?}"), &output)
}

fn no_such_defect() -> Result<(), Failed> {
    let output = probity(&Place::new()?, &["run", "--defect", "no-such-defect"])?;
    expect(output.code == Some(2) && output.text.contains("no-such-defect"), "wrong input", &output)
}

fn full_disk() -> Result<(), Failed> {
    let disk = tiny_disk()?;
    let evidence = disk.0.path().join("evidence");
    let arguments = ["run", "a_create_goes_on", "another_create_goes_on", "--evidence"];
    let output =
        probity(&Place::new()?, &[&arguments[..], &[evidence.to_str().unwrap_or_default()]].concat())?;
    let said = output.text.contains("No space left on device");
    expect(output.code == Some(2) && said && !output.text.contains("panicked"), "an error", &output)
}

fn clock_set_back() -> Result<(), Failed> {
    let place = Place::new()?;
    let (library, clock) = (faketime().unwrap_or_default(), place.path("clock"));
    std::fs::write(&clock, "+0")?;
    let this = std::env::current_exe()?;
    let environment = [
        ("ACCIDENTS_COMMAND", "1"),
        ("LD_PRELOAD", library.to_str().unwrap_or_default()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap_or_default()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        // What it starts keeps the machine's clock.
        ("FAKETIME_ONLY_CMDS", this.file_name().and_then(|name| name.to_str()).unwrap_or_default()),
    ];
    let arguments = ["run", "--jobs", "1", "--json", "report.json"];
    let output = place.start(&arguments, &environment)?;
    let report: Value = serde_json::from_str(&std::fs::read_to_string(place.path("report.json"))?)?;
    let verdicts: Vec<_> = report["scenarios"].as_array().into_iter().flatten().collect();
    let of = |name: &str| verdicts.iter().find(|scenario| scenario["name"] == name);
    let set = of("a_clock_is_set_back").map(|scenario| (&scenario["verdict"], scenario["error"].as_str()));
    let says = |error: &str| error.contains("clock was set back by 10.0 s");
    let holds = set.is_some_and(|(verdict, error)| verdict == "error" && error.is_some_and(says));
    expect(holds && output.code == Some(2), &format!("{set:?}"), &output)?;
    let before = of("a_create_before_it").map(|scenario| &scenario["verdict"]);
    expect(before.is_some_and(|verdict| verdict == "pass"), "what ran before it is judged", &output)
}

fn faketime() -> Option<PathBuf> {
    let places = std::fs::read_dir("/usr/lib")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    places.into_iter().find(|path| path.is_file())
}

/// A file system of 64 KiB.
struct Disk(tempfile::TempDir);

fn tiny_disk() -> Result<Disk, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs"]).arg(directory.path());
    match mount.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(Disk(directory)),
        _ => Err("ignored: only root can mount the small disk that this test fills".into()),
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn expect(holds: bool, what: &str, output: &Output) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("{what}\nexit code {:?}\n{}", output.code, output.text).into()) }
}
