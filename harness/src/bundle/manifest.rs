//! The manifests: what a directory of evidence holds, in which version, with lengths and digests.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::Evidence;
use crate::report::{BackendReport, Plan};

pub(super) const FILE: &str = "manifest.json";
pub(super) const FORMAT: &str = "probity-evidence";

/// Read first, before anything that a version may have changed.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) holds: Holds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Holds {
    Run,
    Scenario,
}

/// Of a run: its scenarios, and what is the run's own.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunManifest {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) holds: Holds,
    /// The program that wrote it.
    pub(super) tool: String,
    /// What was run: a system's name.
    pub(super) subject: String,
    /// False until the run has ended: what is listed then is all there was.
    pub(super) finished: bool,
    #[serde(default)]
    pub(super) interrupted: bool,
    #[serde(default)]
    pub(super) seconds: f64,
    #[serde(default)]
    pub(super) backends: Vec<BackendReport>,
    /// What it set out to do; tests and older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<Plan>,
    /// Of shards that were put together: what none of them brought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) missing: Vec<Missing>,
    pub(super) scenarios: Vec<ScenarioEntry>,
}

/// A scenario of the run that there is no evidence of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Missing {
    pub(super) name: String,
    pub(super) why: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ScenarioEntry {
    pub(super) name: String,
    pub(super) directory: String,
    /// Of the directory's manifest, which has those of the files.
    pub(super) manifest: Digest,
}

/// Of one scenario: its files, and what the run knows of it besides the evidence.
#[derive(Serialize, Deserialize)]
pub(super) struct ScenarioManifest {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) holds: Holds,
    pub(super) tool: String,
    /// Name, place, source and the names that the run made up; the other parts are files.
    pub(super) evidence: Evidence,
    #[serde(default)]
    pub(super) family: String,
    #[serde(default)]
    pub(super) skipped: Option<String>,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) seconds: BTreeMap<String, f64>,
    #[serde(default)]
    pub(super) rerun: Option<String>,
    pub(super) files: BTreeMap<String, Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest {
    pub(super) bytes: u64,
    /// 64 lowercase hex digits.
    pub(super) sha256: String,
}

impl Digest {
    pub(super) fn of(content: &[u8]) -> Digest {
        Digest { bytes: content.len() as u64, sha256: hex(&Sha256::digest(content)) }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes through, and knows the digest in the end.
pub(super) struct Digesting<W> {
    inner: W,
    bytes: u64,
    sha256: Sha256,
}

impl<W: Write> Digesting<W> {
    pub(super) fn new(inner: W) -> Self {
        Digesting { inner, bytes: 0, sha256: Sha256::new() }
    }

    pub(super) fn finish(mut self) -> io::Result<(W, Digest)> {
        self.inner.flush()?;
        let digest = Digest { bytes: self.bytes, sha256: hex(&self.sha256.finalize()) };
        Ok((self.inner, digest))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(content)?;
        self.bytes += written as u64;
        self.sha256.update(&content[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
