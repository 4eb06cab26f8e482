//! A system under test as its owner describes it in code: declaration, programs, scenarios, defects.

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use super::{Outcome, Running, ServiceProgram, Stack, Stop};
use crate::model::{Declaration, SourcePlace};

/// Everything Probity needs to run a team's scenarios. Several systems may share a run: the names of scenarios and defects are
/// unique over all of them.
pub struct System {
    pub name: &'static str,
    pub declaration: Declaration,
    pub services: Vec<ServiceProgram>,
    pub scenarios: Vec<Scenario>,
    pub defects: Vec<Defect>,
    /// Scenarios whose verdict is stated: they prove the harness, not the system. `cargo test` runs them, `probity run` does not.
    pub proofs: Vec<Proof>,
    /// The environment variable that chooses a defect in a service.
    pub defect_variable: &'static str,
    /// Where the system's own files lie (`compose/prometheus.yml` is read relative to it).
    pub root: PathBuf,
    /// Where the committed snapshots lie.
    pub snapshots: PathBuf,
}

impl System {
    pub fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }

    pub fn defect(&self, name: &str) -> Option<&Defect> {
        self.defects.iter().find(|defect| defect.name == name)
    }

    /// The databases that its services use, in the services' order. The first is the one that `Running::effect` looks into.
    pub fn databases(&self) -> Vec<&'static str> {
        let mut databases = Vec::new();
        for database in self.services.iter().filter_map(|service| service.database) {
            if !databases.contains(&database) {
                databases.push(database);
            }
        }
        databases
    }

    /// A name that two services have: nobody could say which of them is meant.
    pub(super) fn named_twice(&self) -> Option<&'static str> {
        let mut names: Vec<_> = self.services.iter().map(|service| service.name).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    pub fn service(&self, name: &str) -> Option<&ServiceProgram> {
        self.services.iter().find(|service| service.name == name)
    }
}

/// One scenario of a system to be run, with a defect in it or none.
#[derive(Clone, Copy)]
pub struct Task<'s> {
    pub system: &'s Arc<System>,
    pub scenario: &'s Scenario,
    pub defect: Option<&'s Defect>,
}

impl<'s> Task<'s> {
    pub fn new(system: &'s Arc<System>, scenario: &'s Scenario) -> Self {
        Task { system, scenario, defect: None }
    }

    pub fn with(self, defect: &'s Defect) -> Self {
        Task { defect: Some(defect), ..self }
    }
}

/// The systems that these tasks are of, in words: `shortener and ledger`.
pub fn subject_of(tasks: &[Task]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for task in tasks {
        if !names.contains(&task.system.name) {
            names.push(task.system.name);
        }
    }
    names.join(" and ")
}

/// What drives a scenario once its stack stands, and where that is written.
#[derive(Clone, Copy)]
pub struct Drive {
    pub(super) run: for<'a> fn(&'a mut Running) -> LocalBoxFuture<'a, Result<(), Stop>>,
    written_at: &'static Location<'static>,
}

impl Drive {
    /// Its place is the caller's: reports point to the line of the scenario that names it.
    #[track_caller]
    pub const fn new(run: for<'a> fn(&'a mut Running) -> LocalBoxFuture<'a, Result<(), Stop>>) -> Drive {
        Drive { run, written_at: Location::caller() }
    }

    /// Where it is written, relative to `root`; `None` when that is elsewhere.
    pub(super) fn place(&self, root: &Path) -> Option<SourcePlace> {
        let file = Path::new(self.written_at.file());
        // Cargo names the files of a workspace relative to it, and those of other packages in full.
        let file = if file.is_absolute() { file.strip_prefix(root).ok()? } else { file };
        Some(SourcePlace { file: file.to_str()?.into(), line: self.written_at.line() })
    }
}

/// One scenario: what it asks for and how it drives it. Defined once, for the command and for `cargo test`.
pub struct Scenario {
    /// The claim, in snake case: `a_click_is_one_trace_across_kafka`.
    pub name: &'static str,
    /// The family in reports: `trace`, `metric`, `scrape`, `start`, `degrade`.
    pub family: &'static str,
    /// The requirement in one sentence.
    pub about: &'static str,
    pub stack: fn() -> Stack,
    pub drive: Drive,
}

/// A scenario that must come to a certain verdict.
pub struct Proof {
    pub scenario: Scenario,
    /// Whether the outcome is what it must be; else says what is wrong with it.
    pub holds: fn(&Outcome) -> Result<(), String>,
}

/// A named break that the named rules must catch.
pub struct Defect {
    pub name: &'static str,
    /// The service, or the file, that carries it.
    pub carrier: &'static str,
    pub scenario: &'static str,
    /// The rules of its row in the catalogue.
    pub rules: &'static [&'static str],
    /// Others that must go red too.
    pub also: &'static [&'static str],
    /// Rules that pass without it and can no longer be judged with it.
    pub cannot_judge: &'static [&'static str],
    /// What it breaks, in one line.
    pub about: &'static str,
    pub alteration: Alteration,
}

/// How a defect is put into the system.
pub enum Alteration {
    /// The service reads its name from [`System::defect_variable`].
    Environment,
    /// A copy of the system's file with this change.
    File { name: &'static str, change: fn(&str) -> String },
}

impl Defect {
    /// Every rule that must fail.
    pub fn red(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().chain(self.also).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_knows_the_line_that_names_it() {
        let drive = Drive::new(|_| Box::pin(async { Ok(()) }));
        let line = line!() - 1;
        let place = drive.place(Path::new("/elsewhere")).unwrap();
        assert_eq!(place, SourcePlace { file: "harness/src/run/system.rs".into(), line });
    }
}
