//! Snapshots of trace trees: insta's `.snap` files, each with a line that says its version, then an outline.
//!
//! [`Snapshots::expected`] only reads. [`Snapshots::assert`] goes through insta, so that `INSTA_UPDATE` decides what is
//! written and `cargo insta review` shows it.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::outline::Outline;

/// The first line of a snapshot's contents, up to its version.
const HEADER: &str = "# probity outline ";
const VERSION: u32 = 1;
/// Larger than any outline that the notation accepts.
const BYTES_MAX: u64 = 16 << 20;

/// The snapshots in one directory, one file a scenario.
#[derive(Clone, Debug)]
pub struct Snapshots {
    directory: PathBuf,
}

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("`{0}` is no name of a snapshot (hint: letters, digits, `_` and `-`)")]
    Name(String),
    #[error("{path} cannot be read (hint: {source})")]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{path} is no snapshot of an outline: {seen} (hint: remove it, and accept a new one with `cargo insta review`)"
    )]
    Foreign { path: PathBuf, seen: String },
    #[error(
        "{path} is of version {version}; this is probity for version {VERSION} (hint: use a newer probity)"
    )]
    Newer { path: PathBuf, version: u32 },
}

/// How captured trees differ from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In words, and drawn.
    pub what: String,
    /// Where the new trees are, and what to do with them.
    pub review: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  hint: {}", self.what, self.review)
    }
}

impl std::error::Error for Difference {}

thread_local! {
    /// Whether this thread tells a panic in its own words.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Lets a difference be told once: by us, in words. Without it insta draws it on its own account, and the panic that carries it
/// is printed. Starts this program again if it must, since insta reads its environment once; call it first in `main`. Whoever sets
/// `INSTA_OUTPUT` gets insta's drawing too.
pub fn tell_differences_once() {
    if std::env::var_os("INSTA_OUTPUT").is_none() {
        crate::process::start_again_with("INSTA_OUTPUT", "none");
    }
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !IS_QUIET.get() {
            told(panic);
        }
    }));
}

fn quietly<T>(work: impl FnOnce() -> T) -> T {
    IS_QUIET.set(true);
    let done = work();
    IS_QUIET.set(false);
    done
}

impl Snapshots {
    pub fn at(directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref();
        Snapshots { directory: std::path::absolute(directory).unwrap_or_else(|_| directory.into()) }
    }

    /// The file of a scenario's snapshot.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.snap"))
    }

    /// The committed outline; `None`: there is no snapshot yet. Writes nothing.
    ///
    /// # Errors
    /// When the file is there, but cannot be read, or is no snapshot of a version that we know.
    pub fn expected(&self, name: &str) -> Result<Option<String>, SnapshotError> {
        check_name(name)?;
        let path = self.path(name);
        let text = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SnapshotError::Read { path, source }),
            Ok(text) => text,
        };
        match outline_of(&text) {
            Ok((VERSION, outline)) => Ok(Some(outline)),
            Ok((version, _)) => Err(SnapshotError::Newer { path, version }),
            Err(seen) => Err(SnapshotError::Foreign { path, seen }),
        }
    }

    /// Compares an outline with the committed one, as insta does: `INSTA_UPDATE` decides whether a difference is written
    /// beside the snapshot (`.snap.new`), over it, or not at all.
    ///
    /// # Errors
    /// What differs, in words and drawn, and what to do.
    pub fn assert(&self, name: &str, outline: &str) -> Result<(), Difference> {
        check_name(name)
            .map_err(|error| Difference { what: error.to_string(), review: "rename the scenario".into() })?;
        let committed = self.expected(name);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&self.directory);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let contents = format!("{HEADER}{VERSION}\n{outline}");
        let compare = || settings.bind(|| insta::assert_snapshot!(name, contents));
        quietly(|| catch_unwind(AssertUnwindSafe(compare)))
            .map_err(|_| self.difference(name, &committed, outline))
    }

    fn difference(
        &self,
        name: &str,
        committed: &Result<Option<String>, SnapshotError>,
        outline: &str,
    ) -> Difference {
        let path = self.path(name);
        let pending = path.with_extension("snap.new");
        let (path, shown_pending) = (in_workspace(&path), in_workspace(&pending));
        let what = match committed {
            Err(error) => error.to_string(),
            Ok(None) => format!("{path} does not exist yet"),
            Ok(Some(committed)) => format!("{path} differs:\n{}", in_words(committed, outline).trim_end()),
        };
        let review = match pending.exists() {
            true => format!(
                "{shown_pending} has the new trees: if they are meant, accept them with `cargo insta review`, or run the \
                 test with INSTA_UPDATE=always and look at `git diff`"
            ),
            false => "nothing was written (INSTA_UPDATE, CI): if the change is meant, run the test with INSTA_UPDATE=new \
                      and then `cargo insta review`, or with INSTA_UPDATE=always and look at `git diff`"
                .into(),
        };
        Difference { what: format!("snapshot {what}"), review }
    }

    /// What must not be left when a change is merged: snapshots that wait for a review, those of none of the scenarios named,
    /// and those that cannot be read.
    ///
    /// # Errors
    /// All of them, each with what to do.
    pub fn check<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<(), String> {
        let unlisted = |error: io::Error| format!("{} cannot be listed: {error}", self.directory.display());
        let mut wrong: Vec<String> = Vec::new();
        for path in self.pending().map_err(unlisted)? {
            wrong.push(format!("{} waits for a review (hint: `cargo insta review`)", path.display()));
        }
        for path in self.unreferenced(names).map_err(unlisted)? {
            wrong.push(format!("{} is of no scenario (hint: remove it)", path.display()));
        }
        for path in self.files(|name| name.ends_with(".snap")).map_err(unlisted)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            match self.expected(&name).map(|outline| Outline::parse(&outline.unwrap_or_default())) {
                Err(error) => wrong.push(error.to_string()),
                Ok(Err(error)) => wrong.push(format!("{} is no outline: {error}", path.display())),
                Ok(Ok(_)) => {}
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// Snapshots that wait for a review.
    ///
    /// # Errors
    /// When the directory cannot be read; one that does not exist has none.
    pub fn pending(&self) -> io::Result<Vec<PathBuf>> {
        self.files(|name| name.ends_with(".snap.new") || name.ends_with(".pending-snap"))
    }

    /// Snapshots of none of the scenarios named.
    ///
    /// # Errors
    /// When the directory cannot be read; one that does not exist has none.
    pub fn unreferenced<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> io::Result<Vec<PathBuf>> {
        let names: Vec<&str> = names.into_iter().collect();
        self.files(|file| file.strip_suffix(".snap").is_some_and(|name| !names.contains(&name)))
    }

    fn files(&self, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&wanted) {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}

/// As a person would type it in the workspace.
fn in_workspace(path: &Path) -> String {
    let root = crate::workdir::workspace().unwrap_or_default();
    path.strip_prefix(&root).unwrap_or(path).display().to_string()
}

fn check_name(name: &str) -> Result<(), SnapshotError> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(SnapshotError::Name(name.escape_debug().to_string()));
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Version and outline behind insta's own head (between two lines `---`), or what is wrong with it.
fn outline_of(text: &str) -> Result<(u32, String), String> {
    let mut lines = text.lines();
    if lines.next() != Some("---") || !lines.any(|line| line == "---") {
        return Err("it does not begin with insta's head".into());
    }
    let header = lines.next().unwrap_or_default();
    let version = header.strip_prefix(HEADER).and_then(|version| version.trim().parse().ok());
    let Some(version) = version else {
        return Err(format!("`{HEADER}{VERSION}` is missing, seen `{}`", header.escape_debug()));
    };
    Ok((version, lines.map(|line| format!("{line}\n")).collect()))
}

fn in_words(committed: &str, outline: &str) -> String {
    let both = (Outline::parse(committed), Outline::parse(outline));
    let (Ok(committed), Ok(seen)) = both else {
        return "the committed file is no outline".into();
    };
    match committed.matches(&Outline { forest: seen.forest }) {
        Ok(()) => "the same trees, written differently".into(),
        Err(mismatch) => mismatch.to_string(),
    }
}

#[cfg(test)]
mod tests;
