//! JUnit and SARIF held against their published schemas, and read by a reader that is not ours.
//!
//! `ci/setup` installs the readers; where they are missing the tests are ignored, and say so. `PROBITY_READERS` names another
//! Python that has them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;

type Claim = fn(&Readers) -> Result<(), Failed>;

const CLAIMS: [(&str, Claim); 4] = [
    ("reports_are_valid_by_their_schemas_also_where_every_name_is_hostile", valid),
    ("a_reader_counts_failures_errors_and_skips_as_they_are", counted),
    ("a_reader_shows_what_a_command_found_and_how_to_see_it_again", shown),
    ("the_schemas_are_asked", broken),
];

fn main() -> ExitCode {
    let readers = Readers::find();
    let trials = CLAIMS.map(|(name, claim)| match readers.clone() {
        Ok(readers) => Trial::test(name, move || claim(&readers)),
        Err(missing) => Trial::test(name, || Ok(())).with_kind(missing).with_ignored_flag(true),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn valid(readers: &Readers) -> Result<(), Failed> {
    let files = ["run.junit.xml", "hostile.junit.xml", "run.sarif", "hostile.sarif"].map(fixture);
    let read = readers.read(&files)?;
    let wrong: Vec<_> = read.iter().filter(|(_, read)| !read.wrong.is_empty()).collect();
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(format!("{wrong:#?}").into()),
    }
}

fn counted(readers: &Readers) -> Result<(), Failed> {
    let file = fixture("run.junit.xml");
    let read = readers.read(&[file])?.into_values().next().ok_or("nothing was read")?;
    equal(&read.total, &[16, 2, 3, 1])?;
    let suites: Vec<(&str, [u32; 4])> =
        read.suites.iter().map(|suite| (suite.name.as_str(), suite.numbers)).collect();
    let expected = [
        ("a_click_is_one_trace", [5, 2, 0, 0]),
        ("a_create_is_one_trace", [3, 0, 0, 0]),
        ("a_killed_consumer", [3, 0, 2, 0]),
        ("a_cut_database", [1, 0, 1, 0]),
        ("a_stopped_etcd", [1, 0, 0, 1]),
        ("a_probe_makes_no_span", [3, 0, 0, 0]),
    ];
    equal(&suites, &expected)
}

fn shown(readers: &Readers) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let [junit, sarif] = ["red.xml", "red.sarif"].map(|name| directory.path().join(name));
    let reports =
        [("junit", &junit), ("sarif", &sarif)].map(|(kind, file)| format!("{kind}={}", file.display()));
    let mut exec = command(env!("CARGO_BIN_EXE_probity"));
    exec.args(["exec", "--report", &reports[0], "--report", &reports[1], "--", "sh", "-c", "exit 7"]);
    let output = exec.env_remove("GITHUB_ACTIONS").output()?;
    equal(&output.status.code(), &Some(1))?;
    let read = readers.read(&[junit.clone(), sarif])?;
    read.values().try_for_each(|read| equal(&read.wrong, &Vec::<String>::new()))?;
    let cases = read[&junit.display().to_string()].suites.iter().flat_map(|suite| &suite.cases);
    let case = cases.into_iter().find(|case| case.name.starts_with("EXPECT-03 "));
    let [Said(what, kind, message, text)] = case.ok_or("no case of EXPECT-03")?.results.as_slice() else {
        return Err("EXPECT-03 has not one result".into());
    };
    equal(&(what.as_str(), kind.as_deref()), &("Failure", Some("error")))?;
    let told = format!("{message:?} {text:?}");
    let wanted = ["exit of sh: exited with code 7", "required     exit code 0", "probity explain EXPECT-03"];
    match wanted.iter().find(|wanted| !told.contains(**wanted)) {
        Some(missing) => Err(format!("there is no {missing:?} in {told}").into()),
        None => Ok(()),
    }
}

fn broken(readers: &Readers) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let spoilt = |name: &str, old: &str, new: &str| -> Result<PathBuf, Failed> {
        let text = std::fs::read_to_string(fixture(name))?;
        if !text.contains(old) {
            return Err(format!("there is no {old:?} in {name}").into());
        }
        let file = directory.path().join(name);
        std::fs::write(&file, text.replacen(old, new, 1))?;
        Ok(file)
    };
    let files = [
        spoilt("run.junit.xml", "<testcase", "<test")?,
        spoilt("run.sarif", "\"startLine\": ", "\"startLine\": -")?,
    ];
    match readers.read(&files)?.into_iter().find(|(_, read)| read.wrong.is_empty()) {
        Some((file, _)) => Err(format!("{file} is valid").into()),
        None => Ok(()),
    }
}

/// A Python with the readers in it.
#[derive(Clone)]
struct Readers {
    python: PathBuf,
}

/// What readers were told by one file.
#[derive(Debug, Deserialize)]
struct Read {
    /// What is not as the schema has it.
    wrong: Vec<String>,
    /// Tests, failures, errors, skipped.
    #[serde(default)]
    total: [u32; 4],
    #[serde(default)]
    suites: Vec<Suite>,
}

#[derive(Debug, Deserialize)]
struct Suite {
    name: String,
    numbers: [u32; 4],
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    results: Vec<Said>,
}

/// What it is, its type, message and text.
#[derive(Debug, Deserialize)]
struct Said(String, Option<String>, Option<String>, Option<String>);

impl Readers {
    fn find() -> Result<Readers, String> {
        let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/readers/bin/python");
        let python = std::env::var_os("PROBITY_READERS").map_or_else(installed, PathBuf::from);
        let probe = command(&python).args(["-c", "import junitparser, jsonschema, xmlschema"]).output();
        match probe {
            Ok(output) if output.status.success() => Ok(Readers { python }),
            _ => Err("the readers are not installed: ci/setup".into()),
        }
    }

    fn read(&self, files: &[PathBuf]) -> Result<HashMap<String, Read>, Failed> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/read.py");
        let output = command(&self.python).arg(script).arg(fixture("")).args(files).output()?;
        if !output.status.success() {
            return Err(format!(
                "a reader ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

#[expect(clippy::disallowed_methods, reason = "from outside there is no supervisor to start it with")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/reports").join(name)
}

fn equal<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(seen: &T, wanted: &U) -> Result<(), Failed> {
    if seen == wanted { Ok(()) } else { Err(format!("{seen:?} instead of {wanted:?}").into()) }
}
