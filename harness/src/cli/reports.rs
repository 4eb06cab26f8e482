//! The reports of one run, written: beside the evidence all of them, elsewhere those that were asked for.
//!
//! A report that cannot be written takes neither the evidence nor the other reports with it: each failure is one message,
//! and the command ends with 2 unless something worse was found.

use std::any::Any;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::arguments::ReportArguments;
use super::output::{
    Failure, check_writable, is_stdout, print_commands, print_failure, tell_commands, write_result,
};
use crate::inert;
use crate::model::Verdict;
use crate::report::{Judged, Kind, RunReport, github, markdown};

/// Fails before anything is started where the reports could not be written later.
pub(super) fn check_places(arguments: &ReportArguments) -> Result<(), Failure> {
    let asked = arguments.asked();
    let printed: Vec<_> =
        asked.iter().filter(|(_, file)| is_stdout(file)).map(|(kind, _)| kind.word()).collect();
    if printed.len() > 1 {
        let message = format!("standard output can take one report, not {}", printed.join(" and "));
        return Err(Failure::new(message).hint("give the others a file"));
    }
    asked.iter().try_for_each(|(_, file)| check_writable(file))
}

/// Writes every kind beside the evidence (`directory`), and what was asked for; returns the exit code of the command.
pub(super) fn write(
    run: &RunReport,
    cases: &[Judged],
    directory: Option<&Path>,
    arguments: &ReportArguments,
) -> u8 {
    let beside = directory.into_iter().flat_map(|directory| {
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, directory.join(kind.file_name()?))))
    });
    let mut files: Vec<(Kind, PathBuf)> = beside.chain(arguments.asked()).collect();
    files.sort_by_key(|(kind, _)| Kind::ALL.iter().position(|known| known == kind));
    let mut all_written = true;
    for files in files.chunk_by(|(a, _), (b, _)| a == b) {
        let failures = match render(files[0].0, run, cases) {
            Ok(text) => files.iter().filter_map(|(kind, file)| put(*kind, file, &text).err()).collect(),
            Err(failure) => vec![failure],
        };
        failures.iter().for_each(print_failure);
        all_written &= failures.is_empty();
    }
    if inert::is_needed()
        && let Err(failure) = tell_runner(run, cases, arguments)
    {
        print_failure(&failure);
        all_written = false;
    }
    match run.exit_code() {
        code if all_written => code,
        _ if run.verdict == Verdict::Fail && !run.interrupted => Verdict::Fail.exit_code(),
        _ => Verdict::Error.exit_code(),
    }
}

fn put(kind: Kind, file: &Path, text: &str) -> Result<(), Failure> {
    if kind == Kind::Github && is_stdout(file) {
        print_commands(text);
        return Ok(());
    }
    write_result(file, text)
}

/// In a step of a GitHub workflow: annotations, unless they were asked for elsewhere, and the job summary.
fn tell_runner(run: &RunReport, cases: &[Judged], arguments: &ReportArguments) -> Result<(), Failure> {
    let asked = arguments.asked();
    if !asked.iter().any(|(kind, _)| *kind == Kind::Github) {
        let annotations = render(Kind::Github, run, cases)?;
        // A runner reads both streams.
        match arguments.takes_stdout() {
            true => tell_commands(&annotations),
            false => print_commands(&annotations),
        }
    }
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let failed = |error: std::io::Error| {
        Failure::new(format!("could not write the job summary {}: {error}", Path::new(&path).display()))
            .hint("GITHUB_STEP_SUMMARY names it; unset it to have none")
    };
    let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
    let taken = file.metadata().map_or(0, |metadata| metadata.len() as usize);
    let summary = markdown::within(run, cases, github::SUMMARY_MAX.saturating_sub(taken));
    match taken + summary.len() <= github::SUMMARY_MAX {
        true => file.write_all(summary.as_bytes()).map_err(failed),
        // Past its bound GitHub would show nothing of what the step wrote.
        false => Ok(()),
    }
}

/// A renderer that panics is our own error; the other reports are written all the same.
fn render(kind: Kind, run: &RunReport, cases: &[Judged]) -> Result<String, Failure> {
    let rendered = catch_unwind(AssertUnwindSafe(|| kind.render(run, cases)));
    rendered.map_err(|panic| {
        Failure::new(format!("could not make the {} report: {}", kind.word(), message(&*panic)))
            .hint("this is a defect of probity; the evidence and the other reports are whole")
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
