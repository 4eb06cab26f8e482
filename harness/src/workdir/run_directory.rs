//! The run directory: evidence and reports of one run, under `target/probity/`, with a link `latest`.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use super::owner::Owner;
use super::{RunId, WorkdirError};

/// How many runs stay.
const RUNS_MAX: usize = 10;

/// The directory of one run. It stays; only the last ten do.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes `probity/<run>` in the `target` directory of the workspace around the current directory (in
    /// `CARGO_TARGET_DIR` if that is set; in `./target` where there is no workspace), with mode 0700.
    pub fn create(run: &RunId) -> Result<RunDirectory, WorkdirError> {
        RunDirectory::create_in(&RunDirectory::parent()?, run)
    }

    /// Where the directories of runs lie side by side.
    pub fn parent() -> Result<PathBuf, WorkdirError> {
        let current = env::current_dir().map_err(|error| WorkdirError { path: ".".into(), error })?;
        // A relative one is relative to where cargo was called, which is most often the workspace.
        let named = env::var_os("CARGO_TARGET_DIR").filter(|named| !named.is_empty());
        let target = match named {
            Some(named) => workspace_of(&current).unwrap_or(&current).join(named),
            None => target_directory(&current),
        };
        Ok(target.join("probity"))
    }

    /// Those of earlier runs, the newest first.
    pub fn all() -> Result<Vec<PathBuf>, WorkdirError> {
        let parent = RunDirectory::parent()?;
        Ok(runs(&parent).iter().rev().map(|run| parent.join(run.as_str())).collect())
    }

    fn create_in(parent: &Path, run: &RunId) -> Result<RunDirectory, WorkdirError> {
        let path = parent.join(run.as_str());
        let failed = |error| WorkdirError { path: path.clone(), error };
        fs::create_dir_all(parent).map_err(failed)?;
        if !parent.join(".gitignore").exists() {
            _ = fs::write(parent.join(".gitignore"), "*\n");
        }
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        Owner::current().claim(&path).map_err(failed)?;
        link_latest(parent, run).map_err(failed)?;
        prune(parent);
        Ok(RunDirectory { path })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// That of the workspace; else the nearest one there is; else one here.
fn target_directory(current: &Path) -> PathBuf {
    let built = || current.ancestors().find(|directory| directory.join("target").is_dir());
    workspace_of(current).or_else(built).unwrap_or(current).join("target")
}

/// The workspace around the current directory, if there is one.
pub fn workspace() -> Option<PathBuf> {
    workspace_of(&env::current_dir().ok()?).map(Path::to_path_buf)
}

fn workspace_of(current: &Path) -> Option<&Path> {
    current.ancestors().find(|directory| directory.join("Cargo.lock").is_file())
}

/// Replaces the link in one step, so that it is never missing. Of two runs at once either may have it.
fn link_latest(parent: &Path, run: &RunId) -> io::Result<()> {
    let fresh = parent.join(format!(".latest-{run}"));
    symlink(run.as_str(), &fresh)?;
    fs::rename(&fresh, parent.join("latest"))
}

/// The oldest first.
fn runs(parent: &Path) -> Vec<RunId> {
    let name = |entry: io::Result<fs::DirEntry>| RunId::parse(entry.ok()?.file_name().to_str()?);
    let mut runs: Vec<_> = fs::read_dir(parent).into_iter().flatten().filter_map(name).collect();
    runs.sort();
    runs
}

fn prune(parent: &Path) {
    for run in runs(parent).iter().rev().skip(RUNS_MAX) {
        let path = parent.join(run.as_str());
        if !Owner::of(&path).is_some_and(|owner| owner.is_alive()) {
            _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_run_directory_is_private_and_latest_points_to_it() {
        let parent = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let run = RunId::new();
            let directory = RunDirectory::create_in(parent.path(), &run).unwrap();
            assert_eq!(fs::metadata(directory.path()).unwrap().permissions().mode() & 0o777, 0o700);
            assert_eq!(fs::read_link(parent.path().join("latest")).unwrap(), Path::new(run.as_str()));
        }
    }

    #[test]
    fn the_last_ten_stay_and_a_run_that_still_lives() {
        let parent = tempfile::tempdir().unwrap();
        let living = RunId::parse("20200101-000000-0000").unwrap();
        RunDirectory::create_in(parent.path(), &living).unwrap();
        for hour in 0..12 {
            let run = RunId::parse(&format!("20200102-{hour:02}0000-0000")).unwrap();
            let directory = RunDirectory::create_in(parent.path(), &run).unwrap();
            Owner::release(directory.path());
        }
        prune(parent.path());
        let stays = |run: &str| parent.path().join(run).exists();
        assert!(stays(living.as_str()) && stays("20200102-020000-0000") && stays("20200102-110000-0000"));
        assert!(!stays("20200102-010000-0000") && !stays("20200102-000000-0000"));
    }

    #[test]
    fn the_target_directory_is_the_workspaces() {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("services/src");
        fs::create_dir_all(&package).unwrap();
        assert_eq!(target_directory(&package), package.join("target"));
        fs::create_dir(root.path().join("target")).unwrap();
        assert_eq!(target_directory(&package), root.path().join("target"));
        fs::create_dir(root.path().join("services/target")).unwrap();
        fs::write(root.path().join("Cargo.lock"), "").unwrap();
        assert_eq!(target_directory(&package), root.path().join("target"));
    }
}
