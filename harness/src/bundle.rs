//! Saved evidence: a directory that a person can look into, versioned, with the length and digest of every file.
//!
//! A scenario's directory holds the OTLP payloads in the Collector's own file format (`traces.pb`, `metrics.pb`, `logs.pb`),
//! who sent each of them (`requests.jsonl`), one readable JSON file for each other part, and `manifest.json`. A run's
//! directory holds its scenarios' directories and a manifest over them. Everything is written beside its place and renamed.
//! Reading takes what can be read and says what could not; plain OTLP files are read as well.

mod load;
mod manifest;
mod merge;
mod parts;
mod payloads;
mod plain;
mod save;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use load::{Loaded, LoadedScenario, load, plan_of};
pub use merge::{MergeError, merge};
pub use save::{Writer, check_free, save};

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// Why evidence could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{} is not empty and holds no evidence that could be replaced", .0.display())]
    Occupied(PathBuf),
    #[error("could not {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl SaveError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            SaveError::Occupied(_) => "name a new or an empty directory",
            SaveError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "the disk is full: free some space, or name a directory on another disk"
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "name a directory that you may write to"
                }
                _ => "name another directory",
            },
        }
    }

    fn io<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> SaveError + use<'p> {
        move |source| SaveError::Io { action, path: path.into(), source }
    }
}

/// Why a path could not be read as evidence at all. What is only damaged is read, and [`Loaded::problems`] says the rest.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{} could not be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not evidence: {why}", path.display())]
    NotEvidence { path: PathBuf, why: String },
}

impl LoadError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            LoadError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "name an evidence directory (of --evidence, or target/probity/latest) or a file of OTLP JSON lines"
            }
            LoadError::Read { .. } => "name a directory or file that you may read",
            LoadError::NotEvidence { .. } => {
                "an evidence directory has a manifest.json; OTLP JSON lines files end in .jsonl"
            }
        }
    }
}
