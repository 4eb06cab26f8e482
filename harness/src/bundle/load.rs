//! Reading: takes all that can be read and says what could not. Judging what is damaged proves no absence, so its barrier
//! is opened.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;

use bytes::Bytes;

use super::manifest::{self, Digest, FORMAT, Header, Holds, RunManifest, ScenarioEntry, ScenarioManifest};
use super::parts::{self, PARTS};
use super::payloads::{self, SIGNALS};
use super::{LoadError, VERSION, plain};
use crate::model::{BarrierStep, Declaration, Evidence, Source};
use crate::report::{Judged, Plan, RunReport, ScenarioReport};

/// Files from this length on are digested beside the reading.
const LARGE: usize = 1 << 20;
/// Problems that are kept; a run of a thousand damaged scenarios says the same a thousand times.
const PROBLEMS_MAX: usize = 100;

/// What a path held.
#[derive(Debug, Default)]
pub struct Loaded {
    pub scenarios: Vec<LoadedScenario>,
    /// What was cut off, changed, of a newer version or otherwise unreadable; empty when all is well.
    pub problems: Vec<String>,
    /// What is the run's own: subject, backends, times, whether it was interrupted.
    pub(super) run: Option<RunManifest>,
}

/// One scenario as it was saved.
#[derive(Debug)]
pub struct LoadedScenario {
    pub evidence: Evidence,
    pub declaration: Option<Declaration>,
    /// What is the run's own (family, times, why it was skipped); the judgement is not kept.
    pub facts: ScenarioReport,
}

impl LoadedScenario {
    /// Judges again: the same report as that of the run.
    pub fn judge(&self) -> ScenarioReport {
        let facts = self.facts.clone();
        let never_ran = self.evidence.requests.is_empty() && self.evidence.processes.is_empty();
        match &facts.error {
            _ if facts.skipped.is_some() => return facts,
            Some(error) if never_ran => return facts.clone().with_error(error),
            _ => {}
        }
        let mut report = crate::judge::judge(&self.evidence, self.declaration.as_ref());
        report.family = facts.family;
        report.seconds = facts.seconds;
        report.rerun = facts.rerun;
        match facts.error {
            Some(error) => report.with_error(error),
            None => report,
        }
    }
}

impl Loaded {
    /// Whether it was the directory of a run, with all that the run saved.
    pub fn is_of_a_run(&self) -> bool {
        self.run.is_some()
    }

    /// What the run set out to do, if that is known.
    pub fn plan(&self) -> Option<&Plan> {
        self.run.as_ref()?.plan.as_ref()
    }

    /// Judges every scenario again.
    pub fn judge(&self, subject: &str) -> RunReport {
        let mut scenarios: Vec<_> = self.scenarios.iter().map(LoadedScenario::judge).collect();
        if let Some(run) = &self.run {
            let missing =
                run.missing.iter().map(|missing| ScenarioReport::missing(&missing.name, &missing.why));
            scenarios.extend(missing);
            let places = places(run);
            scenarios.sort_by_key(|scenario| places.get(scenario.name.as_str()).copied());
        }
        let mut report = RunReport::new(subject, scenarios);
        if let Some(plan) = self.plan() {
            report = report.with_plan(plan);
        }
        if let Some(run) = &self.run {
            report.seconds = run.seconds;
            report.backends = run.backends.clone();
            if !run.subject.is_empty() {
                report.subject = run.subject.clone();
            }
            if run.interrupted {
                report = report.interrupted();
            }
        }
        report.with_problems(self.problems.clone())
    }

    /// The scenarios of a report of this evidence, each with what it was judged on, in the report's order. One that
    /// could not be saved has none.
    pub fn cases<'a>(&'a self, report: &'a RunReport) -> Vec<Judged<'a>> {
        static NOTHING: LazyLock<Evidence> = LazyLock::new(Evidence::default);
        let mut saved = self.scenarios.iter().peekable();
        let case = |report: &'a ScenarioReport| {
            let own = saved.next_if(|saved| saved.evidence.scenario == report.name);
            Judged {
                report,
                evidence: own.map_or(&NOTHING, |own| &own.evidence),
                declaration: own.and_then(|own| own.declaration.as_ref()),
            }
        };
        report.scenarios.iter().map(case).collect()
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Reads a run's or a scenario's directory, a file of OTLP JSON lines or one of the Collector's protobuf files.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let metadata = fs::metadata(path).map_err(|source| LoadError::Read { path: path.into(), source })?;
    if metadata.is_file() && path.file_name().is_some_and(|name| name == manifest::FILE) {
        return load_directory(
            path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")),
        );
    }
    if metadata.is_dir() { load_directory(path) } else { plain::load(path) }
}

fn load_directory(path: &Path) -> Result<Loaded, LoadError> {
    let not_evidence = |why: String| LoadError::NotEvidence { path: path.into(), why };
    let mut loaded = Loaded::default();
    let text = match read_file(path, manifest::FILE) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return without_manifest(path, "manifest.json is missing")
                .ok_or_else(|| not_evidence("it is a directory without a manifest.json".into()));
        }
        Err(source) => return Err(LoadError::Read { path: path.join(manifest::FILE), source }),
    };
    let header: Header = match serde_json::from_slice(&text) {
        Ok(header) => header,
        Err(error) => {
            let why = format!("manifest.json cannot be read: {error}");
            return without_manifest(path, &why).ok_or_else(|| not_evidence(why));
        }
    };
    if header.format != FORMAT {
        return Err(not_evidence(format!("its manifest.json is of the format `{}`", header.format)));
    }
    if header.version > VERSION {
        loaded.problem(format!(
            "the evidence is of version {}, and this program reads up to version {VERSION}; what follows is what it \
             understood. A newer probity reads all of it",
            header.version
        ));
    }
    match header.holds {
        Holds::Run => read_run(path, &text, &mut loaded),
        Holds::Scenario => {
            let scenario = read_scenario(path, Ok(&text), &mut loaded, "");
            loaded.scenarios.extend(scenario);
        }
    }
    Ok(loaded)
}

/// A directory whose manifest is gone or broken: what lies there under the names of evidence is read all the same.
fn without_manifest(path: &Path, why: &str) -> Option<Loaded> {
    let mut loaded = Loaded::default();
    if known_files(path).next().is_some() {
        let scenario = read_scenario(path, Err(why), &mut loaded, "");
        loaded.scenarios.extend(scenario);
        return Some(loaded);
    }
    let mut directories: Vec<_> = fs::read_dir(path).ok()?.flatten().map(|entry| entry.file_name()).collect();
    directories.sort();
    for name in directories.iter().filter_map(|name| name.to_str()).filter(|name| !name.starts_with('.')) {
        let inner = path.join(name);
        if let Ok(text) = read_file(&inner, manifest::FILE) {
            let scenario = read_scenario(&inner, Ok(&text), &mut loaded, &format!("{name}: "));
            loaded.scenarios.extend(scenario);
        }
    }
    if loaded.scenarios.is_empty() {
        return None;
    }
    loaded.problems.insert(0, why.into());
    Some(loaded)
}

fn known_files(path: &Path) -> impl Iterator<Item = &'static str> {
    let signals = SIGNALS.into_iter().map(payloads::file_of);
    let parts = PARTS.iter().map(|part| part.file);
    let all = signals.chain([payloads::INDEX, "declaration.json"]).chain(parts);
    all.filter(|name| path.join(name).is_file())
}

fn read_run(path: &Path, text: &[u8], loaded: &mut Loaded) {
    let run: RunManifest = match serde_json::from_slice(text) {
        Ok(run) => run,
        Err(error) => return loaded.problem(format!("manifest.json cannot be read: {error}")),
    };
    if !run.finished {
        loaded.problem("the run did not end: what was saved until then follows".into());
    }
    let places = places(&run);
    let place = |entry: &ScenarioEntry| places.get(entry.name.as_str()).copied();
    let mut entries: Vec<&ScenarioEntry> = run.scenarios.iter().collect();
    // A run that was cut short lists them as they ended.
    entries.sort_by_key(|entry| place(entry));
    for entry in entries {
        let prefix = format!("{}: ", entry.directory);
        if !is_plain_name(&entry.directory) {
            loaded.problem(format!("{prefix}not a name of a directory in this evidence"));
            continue;
        }
        let directory = path.join(&entry.directory);
        let scenario = match read_file(&directory, manifest::FILE) {
            Ok(text) => {
                if Digest::of(&text) != entry.manifest {
                    loaded.problem(format!("{prefix}manifest.json was changed after it was saved"));
                }
                read_scenario(&directory, Ok(&text), loaded, &prefix)
            }
            Err(error) => read_scenario(
                &directory,
                Err(&format!("manifest.json could not be read: {error}")),
                loaded,
                &prefix,
            ),
        };
        loaded.scenarios.extend(scenario);
    }
    loaded.run = Some(run);
}

/// What the run in a directory set out to do; `None`: no run that says so.
pub fn plan_of(directory: &Path) -> Option<Plan> {
    let text = read_file(directory, manifest::FILE).ok()?;
    let header: Header = serde_json::from_slice(&text).ok()?;
    let is_run = header.format == FORMAT && header.holds == Holds::Run;
    serde_json::from_slice::<RunManifest>(&text).ok().filter(|_| is_run)?.plan
}

/// Where each scenario stands in the report, as far as the run said what it set out to do.
fn places(run: &RunManifest) -> HashMap<&str, usize> {
    let chosen = run.plan.iter().flat_map(|plan| &plan.chosen);
    chosen.enumerate().map(|(place, name)| (name.as_str(), place)).collect()
}

/// Reads a scenario's directory; `Err` says what became of its manifest.
fn read_scenario(
    directory: &Path,
    text: Result<&[u8], &str>,
    loaded: &mut Loaded,
    prefix: &str,
) -> Option<LoadedScenario> {
    let manifest = text.map_err(String::from).and_then(|text| {
        serde_json::from_slice(text).map_err(|error| format!("manifest.json cannot be read: {error}"))
    });
    let mut problems = Vec::new();
    let mut manifest: ScenarioManifest = manifest.unwrap_or_else(|why| {
        problems.push(why);
        unknown_manifest(directory)
    });
    let mut evidence = std::mem::take(&mut manifest.evidence);
    let declaration = read_files(directory, &manifest.files, &mut evidence, &mut problems);
    if !problems.is_empty() {
        open_barrier(&mut evidence, problems.len());
    }
    problems.into_iter().for_each(|problem| loaded.problem(format!("{prefix}{problem}")));
    let facts = ScenarioReport {
        name: evidence.scenario.clone(),
        family: manifest.family,
        skipped: manifest.skipped,
        error: manifest.error,
        seconds: manifest.seconds,
        rerun: manifest.rerun,
        ..ScenarioReport::default()
    };
    Some(LoadedScenario { evidence, declaration, facts })
}

/// Stands for a manifest that is gone: nothing is known but which files there are.
fn unknown_manifest(directory: &Path) -> ScenarioManifest {
    let unknown = |name: &str| (name.to_string(), Digest { bytes: 0, sha256: String::new() });
    ScenarioManifest {
        format: FORMAT.into(),
        version: VERSION,
        holds: Holds::Scenario,
        tool: String::new(),
        evidence: Evidence { source: Source::Files, ..Evidence::default() },
        family: String::new(),
        skipped: None,
        error: None,
        seconds: BTreeMap::new(),
        rerun: None,
        files: known_files(directory).map(unknown).collect(),
    }
}

/// With parts missing nothing may be concluded from what is not there.
pub(super) fn open_barrier(evidence: &mut Evidence, problems: usize) {
    let status = format!("it is damaged in {}", crate::report::text::count(problems as u64, "place"));
    evidence.barrier.steps.push(BarrierStep {
        name: "reading the evidence".into(),
        closed: false,
        status,
        took_ms: 0,
    });
}

fn read_files(
    directory: &Path,
    files: &BTreeMap<String, Digest>,
    evidence: &mut Evidence,
    problems: &mut Vec<String>,
) -> Option<Declaration> {
    let mut contents: BTreeMap<&str, Bytes> = BTreeMap::new();
    for name in files.keys() {
        if !is_plain_name(name) {
            problems.push(format!("`{name}` is not a name of a file in this evidence"));
            continue;
        }
        match read_file(directory, name) {
            Ok(content) => _ = contents.insert(name, content.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                problems.push(format!("{name} is missing"))
            }
            Err(error) => problems.push(format!("{name} could not be read: {error}")),
        }
    }
    let changes = |large: bool| {
        let of_size = contents.iter().filter(|(_, content)| (content.len() >= LARGE) == large);
        of_size.filter_map(|(name, content)| change(name, &files[*name], content)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let of_large = scope.spawn(|| changes(true));
        problems.extend(changes(false));
        let declaration = read_parts(&contents, evidence, problems);
        problems.extend(of_large.join().unwrap_or_default());
        declaration
    })
}

/// What was done to a file after it was saved.
fn change(name: &str, expected: &Digest, content: &[u8]) -> Option<String> {
    let bytes = content.len() as u64;
    if expected.sha256.is_empty() {
        return None;
    }
    if bytes < expected.bytes {
        return Some(format!("{name} is cut off: {bytes} of {} bytes are there", expected.bytes));
    }
    let changed = || format!("{name} was changed after it was saved: its digest is not that of the manifest");
    (*expected != Digest::of(content)).then(changed)
}

fn read_parts(
    contents: &BTreeMap<&str, Bytes>,
    evidence: &mut Evidence,
    problems: &mut Vec<String>,
) -> Option<Declaration> {
    let mut messages: [Vec<Bytes>; 3] = Default::default();
    for (place, signal) in SIGNALS.into_iter().enumerate() {
        if let Some(content) = contents.get(payloads::file_of(signal)) {
            let (whole, fault) = payloads::messages(signal, content);
            messages[place] = whole;
            problems.extend(fault);
        }
    }
    let index = contents.get(payloads::INDEX).cloned().unwrap_or_default();
    evidence.requests = payloads::join(messages, &index, |problem| problems.push(problem));
    for part in PARTS {
        if let Some(content) = contents.get(part.file)
            && let Err(error) = (part.read)(evidence, content)
        {
            problems.push(format!("{} cannot be read: {error}", part.file));
        }
    }
    let declaration = contents.get("declaration.json")?;
    let read = parts::read(declaration);
    read.map_err(|error| problems.push(format!("declaration.json cannot be read: {error}"))).ok()
}

/// Names in a manifest are not trusted: they lead to no other directory.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

/// Reads a file that is one; a pipe or a device would never end.
pub(super) fn read_file(directory: &Path, name: &str) -> io::Result<Vec<u8>> {
    let path = directory.join(name);
    if !fs::metadata(&path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    fs::read(path)
}
