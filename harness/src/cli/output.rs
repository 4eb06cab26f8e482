//! Where commands print: results, notes and errors, with whatever the streams can show.
//!
//! A reader that goes away (`| head`) ends the output and is no error.

use std::io::Write;
use std::path::Path;

use anstyle::{AnsiColor, Style};

use crate::inert::{self, printed};
use crate::nearest::nearest;
use crate::report::json;
use crate::report::text::{harmless, shortened};

/// Why a command could not be done: wrong input or an error of ours. Exit code 2.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None }
    }

    /// What to do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A name that nothing has, with the one it most likely meant.
    pub(super) fn unknown<'n>(
        what: &str,
        typed: &str,
        known: impl IntoIterator<Item = &'n str>,
        otherwise: &str,
    ) -> Self {
        let failure = Failure::new(format!("there is no {what} `{typed}`"));
        match nearest(typed, known) {
            Some(name) => failure.hint(format!("did you mean `{name}`?")),
            None => failure.hint(otherwise),
        }
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// `error: …` and, indented, the hint.
pub(super) fn print_failure(failure: &Failure) {
    let message = shortened(&harmless(&failure.message, true), 4_000);
    let mut text = format!("{ERROR}error{ERROR:#}: {message}\n");
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("  hint: {}\n", harmless(hint, true).replace('\n', "\n        ")));
    }
    _ = anstream::stderr().write_all(printed(&text).as_bytes());
}

/// Prints a result on standard output.
pub(super) fn print(text: &str) {
    print_commands(&printed(text));
}

/// The same for lines that a runner shall obey.
pub(super) fn print_commands(text: &str) {
    let mut out = anstream::stdout().lock();
    _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Lines that a runner shall obey, where standard output is taken.
pub(super) fn tell_commands(text: &str) {
    _ = anstream::stderr().write_all(text.as_bytes());
}

/// Prints a line on standard error that is neither result nor error.
pub(super) fn note(text: &str) {
    _ = writeln!(anstream::stderr(), "{}", printed(&harmless(text, true)));
}

/// Fails early where a report could not be written later.
pub(super) fn check_writable(path: &Path) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if is_stdout(path) || path.exists() || directory.is_dir() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "could not write {}: there is no directory {}",
        path.display(),
        directory.display()
    ))
    .hint("make it first, or name another file"))
}

/// Writes a result to a file, or prints it for `-`.
pub(super) fn write_result(path: &Path, text: &str) -> Result<(), Failure> {
    if is_stdout(path) {
        print_commands(&inert::document(text));
        return Ok(());
    }
    json::write_file(path, text).map_err(|error| {
        Failure::new(format!("could not write {}: {error}", path.display()))
            .hint("name a file in a directory that is there and that you may write to")
    })
}

/// A path as a person would type it: relative to where they are, where it lies below.
pub(super) fn relative(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// `-` stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
