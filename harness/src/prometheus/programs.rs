//! Where the programs of Prometheus are: `prometheus`, and beside it `promtool`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::{Program, StartError, find};
use crate::workdir::Workdir;

/// Names the program `prometheus`, or the directory with it and `promtool`.
pub const VARIABLE: &str = "PROBITY_PROMETHEUS";

/// How long `promtool` and `prometheus --version` may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The programs of one installed Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    pub prometheus: PathBuf,
    /// Some packages leave it out.
    pub promtool: Option<PathBuf>,
}

/// No Prometheus was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; install Debian's package `prometheus`, or name the program in {VARIABLE}")]
pub struct MissingPrometheus {
    what: String,
}

impl Programs {
    /// Looks in `PROBITY_PROMETHEUS`, then on PATH.
    pub fn find() -> Result<Programs, MissingPrometheus> {
        Programs::among(env::var_os(VARIABLE).map(PathBuf::from), env::var_os("PATH").as_deref())
    }

    fn among(named: Option<PathBuf>, path: Option<&std::ffi::OsStr>) -> Result<Programs, MissingPrometheus> {
        let Some(named) = named.filter(|named| !named.as_os_str().is_empty()) else {
            let missing = || MissingPrometheus { what: "there is no `prometheus` on PATH".to_owned() };
            let prometheus = find("prometheus", path).ok_or_else(missing)?;
            return Ok(Programs { prometheus, promtool: find("promtool", path) });
        };
        let prometheus = if named.is_dir() { named.join("prometheus") } else { named };
        // Started from a directory of its own: the path must not depend on ours.
        let prometheus = fs::canonicalize(&prometheus).map_err(|error| MissingPrometheus {
            what: format!("{VARIABLE}: {}: {error}", prometheus.display()),
        })?;
        let beside = prometheus.parent().map(|directory| directory.join("promtool"));
        let promtool = beside.filter(|promtool| promtool.is_file());
        Ok(Programs { prometheus, promtool })
    }

    /// Its version, `2.42.0+ds` or `3.5.0`, as it says it itself.
    pub async fn version(&self, workdir: &Workdir) -> Result<String, StartError> {
        let logs = Program::new(&self.prometheus)
            .name("prometheus-version")
            .arg("--version")
            .run(workdir, LIMIT)
            .await?;
        let text =
            [&logs.stdout, &logs.stderr].map(|file| fs::read_to_string(file).unwrap_or_default()).concat();
        Ok(version_in(&text).unwrap_or("of an unknown version").to_owned())
    }

    /// Runs `promtool` with these arguments in a directory; `Err` is everything that it wrote when it found something.
    pub async fn promtool(
        &self,
        arguments: &[&str],
        directory: &Path,
        workdir: &Workdir,
    ) -> Result<String, PromtoolError> {
        let promtool = self.promtool.as_ref().ok_or(PromtoolError::Missing)?;
        let process =
            Program::new(promtool).args(arguments.iter().copied()).directory(directory).spawn(workdir)?;
        let Ok(exit) = tokio::time::timeout(LIMIT, process.wait()).await else {
            process.kill().await;
            return Err(PromtoolError::NotRun(process.silent("end of promtool", LIMIT)));
        };
        let logs = process.logs();
        let text =
            [&logs.stdout, &logs.stderr].map(|file| fs::read_to_string(file).unwrap_or_default()).concat();
        if exit.is_success() { Ok(text) } else { Err(PromtoolError::Found(text)) }
    }
}

/// Why `promtool` did not say that all is well.
#[derive(Debug, thiserror::Error)]
pub enum PromtoolError {
    #[error("there is no `promtool` beside this Prometheus")]
    Missing,
    #[error(transparent)]
    NotRun(#[from] StartError),
    /// All that it wrote.
    #[error("{0}")]
    Found(String),
}

/// `prometheus, version 2.42.0+ds (branch: …`.
fn version_in(text: &str) -> Option<&str> {
    let word = text.split_once("version ")?.1.split_whitespace().next()?;
    // One that was built without saying: `version  (branch: `.
    word.starts_with(|first: char| first.is_ascii_digit()).then_some(word)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(path: &Path) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_variable_names_the_program_or_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        program(&root.join("prometheus"));
        for named in [root.clone(), root.join("prometheus")] {
            let found = Programs::among(Some(named), None).unwrap();
            assert_eq!(found, Programs { prometheus: root.join("prometheus"), promtool: None });
        }
        program(&root.join("promtool"));
        let found = Programs::among(Some(root.join("prometheus")), None).unwrap();
        assert_eq!(found.promtool, Some(root.join("promtool")));
    }

    #[test]
    fn path_is_searched_when_the_variable_is_not_set() {
        let directory = tempfile::tempdir().unwrap();
        program(&directory.path().join("prometheus"));
        let path = directory.path().as_os_str();
        let found = Programs::among(Some(PathBuf::new()), Some(path)).unwrap();
        assert_eq!(found.prometheus, directory.path().join("prometheus"));
        let missing = Programs::among(None, Some(std::ffi::OsStr::new("/nowhere"))).unwrap_err();
        assert!(missing.to_string().starts_with("there is no `prometheus` on PATH; install"), "{missing}");
    }

    #[test]
    fn a_variable_that_names_nothing_is_an_error_and_not_passed_over() {
        let missing = Programs::among(Some("/nowhere/prometheus".into()), None).unwrap_err();
        assert!(missing.to_string().contains("PROBITY_PROMETHEUS: /nowhere/prometheus"), "{missing}");
    }

    #[test]
    fn versions_are_read_from_what_it_prints() {
        let debian =
            "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5)\n  go version: go1.19";
        assert_eq!(version_in(debian), Some("2.42.0+ds"));
        assert_eq!(version_in("prometheus, version  (branch: , revision: unknown)"), None);
        assert_eq!(version_in("something else"), None);
    }
}
