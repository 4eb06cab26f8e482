//! Writing: every file beside its place first, then renamed; what stands under its name is whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::manifest::{self, Digest, Digesting, FORMAT, Holds, RunManifest, ScenarioEntry, ScenarioManifest};
use super::parts::{PARTS, write_value};
use super::payloads::{self, SIGNALS};
use super::{SaveError, VERSION};
use crate::model::{Declaration, Evidence};
use crate::otlp::files;
use crate::report::{Plan, RunReport, ScenarioReport};

pub(super) const TOOL: &str = concat!("probity ", env!("CARGO_PKG_VERSION"));

/// Saves one scenario (an `exec`, a `listen`) as a directory of its own. Evidence that stood there is replaced at the end;
/// anything else that stands there is left alone and is an error.
pub fn save(
    directory: &Path,
    report: &ScenarioReport,
    evidence: &Evidence,
    declaration: Option<&Declaration>,
) -> Result<(), SaveError> {
    check_free(directory)?;
    let staged = Staged::beside(directory)?;
    write_scenario(&staged.path, report, evidence, declaration)?;
    staged.replace(directory)
}

/// Fails early when evidence could not be saved there later.
pub fn check_free(directory: &Path) -> Result<(), SaveError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let probe = Staged::beside(directory)?;
            return probe.discard();
        }
        Err(error) => return Err(SaveError::io("look into", directory)(error)),
    };
    // A hidden file says whose the directory is; it is no work of anybody.
    let is_hidden = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let is_empty = entries.flatten().all(|entry| is_hidden(&entry));
    if !is_empty && !is_evidence(directory) {
        return Err(SaveError::Occupied(directory.into()));
    }
    Ok(())
}

fn is_evidence(directory: &Path) -> bool {
    let text = fs::read(directory.join(manifest::FILE)).unwrap_or_default();
    serde_json::from_slice::<manifest::Header>(&text).is_ok_and(|header| header.format == FORMAT)
}

/// Saves a run while it goes on: scenario by scenario, so that a run that is killed leaves what it had.
pub struct Writer {
    directory: PathBuf,
    plan: Option<Plan>,
    scenarios: Mutex<Vec<ScenarioEntry>>,
}

impl Writer {
    /// Begins a run's directory: mode 0700, evidence that stood there goes.
    pub fn create(directory: &Path, plan: Option<Plan>) -> Result<Self, SaveError> {
        check_free(directory)?;
        if is_evidence(directory) {
            fs::remove_dir_all(directory).map_err(SaveError::io("replace", directory))?;
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory).map_err(SaveError::io("create", directory))?;
        Writer::within(directory, plan)
    }

    /// As [`Writer::create`], in a directory that was made for this run.
    pub fn within(directory: &Path, plan: Option<Plan>) -> Result<Self, SaveError> {
        let writer = Writer { directory: directory.into(), plan, scenarios: Mutex::default() };
        writer.write_manifest(&[], None)?;
        Ok(writer)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Saves one scenario; it can be read from then on. Says where it is.
    pub fn scenario(
        &self,
        report: &ScenarioReport,
        evidence: &Evidence,
        declaration: Option<&Declaration>,
    ) -> Result<PathBuf, SaveError> {
        let mut scenarios = self.scenarios.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let directory = directory_name(&report.name, &scenarios);
        // Written under the lock: a disk gets no faster by two writers, and the manifest stays in step.
        let place = self.directory.join(&directory);
        let staged = Staged::beside(&place)?;
        let manifest = write_scenario(&staged.path, report, evidence, declaration)?;
        staged.replace(&place)?;
        scenarios.push(ScenarioEntry { name: report.name.clone(), directory, manifest });
        self.write_manifest(&scenarios, None)?;
        Ok(place)
    }

    /// Writes what is the run's own, with the scenarios in the order of the report.
    pub fn finish(&self, report: &RunReport) -> Result<(), SaveError> {
        let mut scenarios = self.scenarios.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let place = |name: &str| report.scenarios.iter().position(|scenario| scenario.name == name);
        scenarios.sort_by_key(|entry| place(&entry.name));
        self.write_manifest(&scenarios, Some(report))
    }

    fn write_manifest(
        &self,
        scenarios: &[ScenarioEntry],
        report: Option<&RunReport>,
    ) -> Result<(), SaveError> {
        let entry = |known: &ScenarioEntry| ScenarioEntry {
            name: known.name.clone(),
            directory: known.directory.clone(),
            manifest: known.manifest.clone(),
        };
        let manifest = RunManifest {
            format: FORMAT.into(),
            version: VERSION,
            holds: Holds::Run,
            tool: TOOL.into(),
            subject: report.map(|report| report.subject.clone()).unwrap_or_default(),
            plan: self.plan.clone(),
            missing: Vec::new(),
            finished: report.is_some(),
            interrupted: report.is_some_and(|report| report.interrupted),
            seconds: report.map_or(0.0, |report| report.seconds),
            backends: report.map(|report| report.backends.clone()).unwrap_or_default(),
            scenarios: scenarios.iter().map(entry).collect(),
        };
        let path = self.directory.join(manifest::FILE);
        let text = crate::report::json::pretty(&manifest);
        crate::report::json::write_file(&path, &text).map_err(SaveError::io("write", &path))
    }
}

/// The scenario's name where it can name a directory, else something like it that no other has.
pub(super) fn directory_name(name: &str, taken: &[ScenarioEntry]) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "_-".contains(character) { character } else { '_' }
    };
    let mut stem: String = name.chars().take(100).map(plain).collect();
    if stem.is_empty() {
        stem.push_str("scenario");
    }
    let is_taken = |candidate: &str| taken.iter().any(|entry| entry.directory == candidate);
    let numbered = (2..).map(|number| format!("{stem}-{number}"));
    std::iter::once(stem.clone()).chain(numbered).find(|candidate| !is_taken(candidate)).unwrap_or(stem)
}

/// A directory that is being written, beside the place that it will have. Goes when it is not put there.
pub(super) struct Staged {
    pub(super) path: PathBuf,
    placed: bool,
}

impl Staged {
    pub(super) fn beside(place: &Path) -> Result<Self, SaveError> {
        let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        builder.recursive(true).create(parent).map_err(SaveError::io("create", parent))?;
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let path = parent.join(format!(".{name}.{}.new", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).map_err(SaveError::io("replace", &path))?;
        }
        builder.create(&path).map_err(SaveError::io("create", &path))?;
        Ok(Staged { path, placed: false })
    }

    /// Gives it its name; what stood there goes last, so that at every moment one of the two is whole.
    pub(super) fn replace(mut self, place: &Path) -> Result<(), SaveError> {
        let old = self.path.with_extension("old");
        let had = place.exists();
        if had {
            fs::rename(place, &old).map_err(SaveError::io("replace", place))?;
        }
        fs::rename(&self.path, place).map_err(SaveError::io("create", place))?;
        self.placed = true;
        if had { fs::remove_dir_all(&old).map_err(SaveError::io("remove", &old)) } else { Ok(()) }
    }

    fn discard(mut self) -> Result<(), SaveError> {
        self.placed = true;
        fs::remove_dir_all(&self.path).map_err(SaveError::io("remove", &self.path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.placed {
            _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn write_scenario(
    directory: &Path,
    report: &ScenarioReport,
    evidence: &Evidence,
    declaration: Option<&Declaration>,
) -> Result<Digest, SaveError> {
    let mut files = BTreeMap::new();
    let mut write = |name: &str, content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>| {
        let path = directory.join(name);
        let digest = write_file(&path, content).map_err(SaveError::io("write", &path))?;
        files.insert(name.to_string(), digest);
        Ok(())
    };
    for signal in SIGNALS {
        let requests = || evidence.requests.iter().filter(move |request| request.signal == signal);
        if requests().next().is_some() {
            write(payloads::file_of(signal), &mut |mut out| {
                requests().try_for_each(|request| files::write_delimited(&request.bytes, &mut out))
            })?;
        }
    }
    if !evidence.requests.is_empty() {
        write(payloads::INDEX, &mut |out| write_index(evidence, out))?;
    }
    for part in PARTS.iter().filter(|part| !(part.is_empty)(evidence)) {
        write(part.file, &mut |out| (part.write)(evidence, out))?;
    }
    if let Some(declaration) = declaration {
        write("declaration.json", &mut |out| write_value(declaration, out))?;
    }
    write_manifest(directory, report, evidence, files)
}

fn write_index(evidence: &Evidence, out: &mut dyn Write) -> io::Result<()> {
    for line in payloads::index(&evidence.requests) {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn write_manifest(
    directory: &Path,
    report: &ScenarioReport,
    evidence: &Evidence,
    files: BTreeMap<String, Digest>,
) -> Result<Digest, SaveError> {
    let manifest = ScenarioManifest {
        format: FORMAT.into(),
        version: VERSION,
        holds: Holds::Scenario,
        tool: TOOL.into(),
        evidence: Evidence {
            scenario: evidence.scenario.clone(),
            source: evidence.source,
            names: evidence.names.clone(),
            written_at: evidence.written_at.clone(),
            clock_jump_ms: evidence.clock_jump_ms,
            lost_backend: evidence.lost_backend.clone(),
            ..Evidence::default()
        },
        family: report.family.clone(),
        skipped: report.skipped.clone(),
        error: report.error.clone(),
        seconds: report.seconds.clone(),
        rerun: report.rerun.clone(),
        files,
    };
    let path = directory.join(manifest::FILE);
    write_file(&path, &mut |out| write_value(&manifest, out)).map_err(SaveError::io("write", &path))
}

fn write_file(path: &Path, content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Digest> {
    let file = File::options().write(true).create_new(true).open(path)?;
    let mut out = BufWriter::with_capacity(1 << 20, Digesting::new(file));
    content(&mut out)?;
    let (_, digest) = out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
    Ok(digest)
}
