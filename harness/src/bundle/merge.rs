//! Puts the shards of one run together to the evidence of the whole.
//!
//! What does not belong together is refused before anything is written. What is missing (a shard, or scenarios of one that did
//! not end) is recorded: the whole is then incomplete, never green.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::load::{is_plain_name, read_file};
use super::manifest::{self, FORMAT, Header, Holds, Missing, RunManifest, ScenarioEntry};
use super::save::{Staged, TOOL, check_free, directory_name};
use super::{LoadError, SaveError, VERSION};
use crate::report::{BackendReport, Plan, Shard};

/// Why directories are not the shards of one run.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error("{} is no shard of a run: it was saved without --shard", .0.display())]
    NoShard(PathBuf),
    #[error("{} and {} are both shard {shard}", first.display(), second.display())]
    Twice { first: PathBuf, second: PathBuf, shard: Shard },
    #[error("{} and {} are not of one run: {what}", first.display(), second.display())]
    Apart { first: PathBuf, second: PathBuf, what: String },
    #[error("{} is shard {shard}, and holds `{scenario}`, which is not in it", path.display())]
    Foreign { path: PathBuf, shard: Shard, scenario: String },
    #[error("the whole cannot be saved in {}: {} is one of the shards", .0.display(), .1.display())]
    IntoShard(PathBuf, PathBuf),
}

impl MergeError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            MergeError::Load(error) => error.hint(),
            MergeError::Save(error) => error.hint(),
            MergeError::NoShard(_) => {
                "give the evidence of `probity run --shard I/N`, one directory for each shard"
            }
            MergeError::Twice { .. } => "give each shard once",
            MergeError::Apart { .. } => {
                "run all shards from the same source, with the same options but --shard"
            }
            MergeError::Foreign { .. } => "the directory was changed after it was saved: run the shard again",
            MergeError::IntoShard(..) => "name another directory for the whole",
        }
    }
}

/// A shard's directory with its manifest.
struct Part {
    path: PathBuf,
    run: RunManifest,
    plan: Plan,
    shard: Shard,
}

/// Saves the evidence of the whole in `directory`, where nothing or older evidence stands. Says which scenarios are
/// missing, in words.
pub fn merge(shards: &[PathBuf], directory: &Path) -> Result<(), MergeError> {
    let parts = shards.iter().map(|path| read_part(path)).collect::<Result<Vec<_>, _>>()?;
    check(&parts)?;
    check_apart(&parts, directory)?;
    check_free(directory)?;
    let staged = Staged::beside(directory)?;
    let manifest = copy_all(&parts, &staged.path)?;
    let path = staged.path.join(manifest::FILE);
    let text = crate::report::json::pretty(&manifest);
    crate::report::json::write_file(&path, &text).map_err(SaveError::io("write", &path))?;
    Ok(staged.replace(directory)?)
}

fn read_part(path: &Path) -> Result<Part, MergeError> {
    let not_evidence = |why: String| LoadError::NotEvidence { path: path.into(), why };
    let text = read_file(path, manifest::FILE)
        .map_err(|source| LoadError::Read { path: path.join(manifest::FILE), source })?;
    let header: Header = serde_json::from_slice(&text)
        .map_err(|error| not_evidence(format!("manifest.json cannot be read: {error}")))?;
    if header.format != FORMAT {
        return Err(not_evidence(format!("its manifest.json is of the format `{}`", header.format)).into());
    }
    if header.version > VERSION {
        let why =
            format!("it is of version {}, and this program merges up to version {VERSION}", header.version);
        return Err(not_evidence(why).into());
    }
    if header.holds != Holds::Run {
        return Err(MergeError::NoShard(path.into()));
    }
    let run: RunManifest = serde_json::from_slice(&text)
        .map_err(|error| not_evidence(format!("manifest.json cannot be read: {error}")))?;
    match run.plan.clone().and_then(|plan| Some((plan.shard?, plan))) {
        Some((shard, plan)) => Ok(Part { path: path.into(), run, plan, shard }),
        None => Err(MergeError::NoShard(path.into())),
    }
}

/// All of one run, none twice, nothing in them that is another's.
fn check(parts: &[Part]) -> Result<(), MergeError> {
    let Some(first) = parts.first() else { return Ok(()) };
    let mut seen: BTreeMap<Shard, &Part> = BTreeMap::new();
    for part in parts {
        let apart =
            |what: String| MergeError::Apart { first: first.path.clone(), second: part.path.clone(), what };
        if part.shard.of != first.shard.of {
            return Err(apart(format!("one is shard {}, the other shard {}", first.shard, part.shard)));
        }
        if part.plan.subject != first.plan.subject {
            return Err(apart(format!(
                "one is of {}, the other of {}",
                first.plan.subject, part.plan.subject
            )));
        }
        if part.plan.chosen != first.plan.chosen {
            return Err(apart(difference(&first.plan.chosen, &part.plan.chosen)));
        }
        if let Some(other) = seen.insert(part.shard, part) {
            let (first, second) = (other.path.clone(), part.path.clone());
            return Err(MergeError::Twice { first, second, shard: part.shard });
        }
        let foreign = |entry: &&ScenarioEntry| !part.plan.share().any(|name| name == entry.name);
        if let Some(entry) = part.run.scenarios.iter().find(foreign) {
            let (path, scenario) = (part.path.clone(), entry.name.clone());
            return Err(MergeError::Foreign { path, shard: part.shard, scenario });
        }
    }
    Ok(())
}

fn difference(first: &[String], second: &[String]) -> String {
    let only = |here: &[String], there: &[String]| here.iter().find(|name| !there.contains(name)).cloned();
    match (only(first, second), only(second, first)) {
        (Some(name), _) => format!("the first is to judge `{name}`, the second is not"),
        (_, Some(name)) => format!("the second is to judge `{name}`, the first is not"),
        _ => "they are to judge the same scenarios in another order".into(),
    }
}

fn check_apart(parts: &[Part], directory: &Path) -> Result<(), MergeError> {
    let Ok(whole) = directory.canonicalize() else { return Ok(()) };
    let is_within = |part: &&Part| part.path.canonicalize().is_ok_and(|path| path.starts_with(&whole));
    match parts.iter().find(is_within) {
        Some(part) => Err(MergeError::IntoShard(directory.into(), part.path.clone())),
        None => Ok(()),
    }
}

fn copy_all(parts: &[Part], place: &Path) -> Result<RunManifest, MergeError> {
    let first = &parts[0];
    let chosen = &first.plan.chosen;
    let mut saved: HashMap<&str, (&Part, &ScenarioEntry)> = HashMap::new();
    for part in parts {
        saved.extend(part.run.scenarios.iter().map(|entry| (entry.name.as_str(), (part, entry))));
    }
    let (mut scenarios, mut missing) = (Vec::new(), Vec::new());
    for (number, name) in chosen.iter().enumerate() {
        match saved.get(name.as_str()) {
            Some((part, entry)) if is_plain_name(&entry.directory) => {
                let directory = directory_name(name, &scenarios);
                copy_flat(&part.path.join(&entry.directory), &place.join(&directory))?;
                scenarios.push(ScenarioEntry {
                    name: name.clone(),
                    directory,
                    manifest: entry.manifest.clone(),
                });
            }
            _ => missing.push(Missing { name: name.clone(), why: why_missing(parts, number) }),
        }
    }
    Ok(RunManifest {
        format: FORMAT.into(),
        version: VERSION,
        holds: Holds::Run,
        tool: TOOL.into(),
        subject: first.plan.subject.clone(),
        finished: true,
        interrupted: parts.iter().any(|part| part.run.interrupted),
        seconds: parts.iter().map(|part| part.run.seconds).fold(0.0, f64::max),
        backends: backends(parts),
        plan: Some(Plan { shard: None, ..first.plan.clone() }),
        missing,
        scenarios,
    })
}

fn why_missing(parts: &[Part], place: usize) -> String {
    let shard = Shard::of_place(place, parts[0].shard.of);
    match parts.iter().find(|part| part.shard == shard) {
        None => format!("shard {shard} is missing"),
        Some(part) if part.run.interrupted => format!("shard {shard} was interrupted"),
        Some(part) if !part.run.finished => format!("shard {shard} did not end"),
        Some(_) => format!("shard {shard} has no evidence of it"),
    }
}

/// Those of all shards; of the same one the slowest.
fn backends(parts: &[Part]) -> Vec<BackendReport> {
    let mut all: Vec<BackendReport> = Vec::new();
    for backend in parts.iter().flat_map(|part| &part.run.backends) {
        let same = |known: &&mut BackendReport| {
            (&known.name, &known.provider, &known.version)
                == (&backend.name, &backend.provider, &backend.version)
        };
        match all.iter_mut().find(same) {
            Some(known) => known.ready_ms = known.ready_ms.max(backend.ready_ms),
            None => all.push(backend.clone()),
        }
    }
    all
}

/// Copies the files of a scenario's directory as they are: what is damaged stays so, and its digests say it.
fn copy_flat(from: &Path, to: &Path) -> Result<(), SaveError> {
    fs::create_dir(to).map_err(SaveError::io("create", to))?;
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let target = to.join(entry.file_name());
            fs::copy(entry.path(), &target).map_err(SaveError::io("copy", &target))?;
        }
    }
    Ok(())
}
