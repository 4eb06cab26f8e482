//! Directories of a run: the work directory (data, sockets, logs; goes on success) and the run directory (evidence and
//! reports; stays).
//!
//! A work directory lies under the temporary directory, with a path short enough for Unix sockets and reachable for
//! other users. What runs that were killed left there, files and processes, is removed when the next run starts.

mod owner;
mod run_directory;
mod run_id;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use run_directory::{RunDirectory, workspace};
pub use run_id::RunId;

pub(crate) use owner::Owner;

/// What the name of every work directory begins with.
const PREFIX: &str = "probity-";
/// A longer temporary directory would leave too little of the 107 bytes of a Unix socket's path.
const BASE_BYTES_MAX: usize = 48;
/// Kept directories of failed runs; older ones go.
const KEPT_MAX: usize = 10;
/// The longest path that Unix sockets can have everywhere.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// A directory for what a run, or one scenario of it, needs while it runs. Clones are handles of the same directory.
///
/// It stays unless [`Workdir::remove`] is called: what is left after a failure is for a person to look at.
#[derive(Clone, Debug)]
pub struct Workdir {
    path: PathBuf,
    run: Arc<RunId>,
}

impl Workdir {
    /// Makes the directory of a new run, after removing what dead runs left.
    pub fn create(run: RunId) -> Result<Workdir, WorkdirError> {
        let base = base(&[std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()]);
        Workdir::create_in(&base, run)
    }

    fn create_in(base: &Path, run: RunId) -> Result<Workdir, WorkdirError> {
        sweep(base);
        let path = base.join(format!("{PREFIX}{run}"));
        let failed = |error| WorkdirError { path: path.clone(), error };
        make(&path).map_err(failed)?;
        Owner::current().claim(&path).map_err(failed)?;
        Ok(Workdir { path, run: Arc::new(run) })
    }

    /// A directory within for a scenario or a backend. A name that is there already gets a number.
    pub fn child(&self, name: &str) -> Result<Workdir, WorkdirError> {
        let name: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        for count in 1.. {
            let path = self.path.join(if count == 1 { name.clone() } else { format!("{name}-{count}") });
            match make(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(WorkdirError { path, error }),
                Ok(()) => return Ok(Workdir { path, run: Arc::clone(&self.run) }),
            }
        }
        unreachable!("the numbers do not end")
    }

    /// Where it is: absolute, with mode 0711.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run that it belongs to, which every process started in it has in its environment.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// A path in it for a Unix socket, or an error if it is too long for one.
    pub fn socket(&self, name: &str) -> Result<PathBuf, WorkdirError> {
        let path = self.path.join(name);
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(path);
        }
        let error = io::Error::other(format!(
            "a socket's path ends at {SOCKET_PATH_BYTES_MAX} bytes; set TMPDIR to a shorter one"
        ));
        Err(WorkdirError { path, error })
    }

    /// Removes it with all that is in it: for success. Processes that write in it must have ended.
    pub fn remove(&self) -> Result<(), WorkdirError> {
        fs::remove_dir_all(&self.path).map_err(|error| WorkdirError { path: self.path.clone(), error })
    }

    /// Marks the directory of a run as one to look at, so that no later run takes it for a dead run's; says where it is.
    pub fn keep(&self) -> &Path {
        Owner::release(&self.path);
        &self.path
    }
}

/// A directory could not be made or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the directory {}: {error}", path.display())]
pub struct WorkdirError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

fn make(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o711).create(path)?;
    // The mode at creation is subject to the umask, which may keep other users out.
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o711))
}

/// The first of the directories whose path is short and which other users can reach, else the first.
fn base(candidates: &[PathBuf]) -> PathBuf {
    let fits = |path: &&PathBuf| {
        path.as_os_str().len() <= BASE_BYTES_MAX && path.is_absolute() && path.ancestors().all(is_reachable)
    };
    candidates.iter().find(fits).unwrap_or(&candidates[0]).clone()
}

fn is_reachable(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|metadata| metadata.is_dir() && metadata.mode() & 0o001 != 0)
}

/// Removes the directories of runs that were killed, with their processes, and all but the newest of the kept ones.
///
/// What cannot be removed belongs to another user or is being removed by another run: neither is an error.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    let mut kept = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(run) = run_of(&path) else { continue };
        if !is_own(&path) {
            continue;
        }
        match Owner::of(&path) {
            Some(owner) if owner.is_alive() => {}
            Some(_) => {
                crate::process::end_survivors(&run);
                _ = fs::remove_dir_all(&path);
            }
            None => kept.push((run, path)),
        }
    }
    kept.sort();
    for (_, path) in kept.iter().rev().skip(KEPT_MAX) {
        _ = fs::remove_dir_all(path);
    }
}

/// The temporary directory is everybody's: a link or a directory of another user is not followed.
fn is_own(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own)
}

fn run_of(path: &Path) -> Option<RunId> {
    RunId::parse(path.file_name()?.to_str()?.strip_prefix(PREFIX)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn fresh(base: &Path) -> Workdir {
        Workdir::create_in(base, RunId::new()).unwrap()
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_work_directory_can_be_entered_by_others_but_not_listed() {
        let base = tempfile::tempdir().unwrap();
        let workdir = fresh(base.path());
        let scenario = workdir.child("click: late").unwrap();
        assert_eq!(scenario.path().file_name().unwrap(), "click--late");
        for directory in [&workdir, &scenario] {
            assert_eq!(fs::metadata(directory.path()).unwrap().permissions().mode() & 0o777, 0o711);
            assert_eq!(directory.run(), workdir.run());
        }
        assert_ne!(workdir.child("click: late").unwrap().path(), scenario.path());
    }

    #[test]
    fn success_removes_it_and_a_run_that_lives_or_was_kept_is_not_swept() {
        let base = tempfile::tempdir().unwrap();
        let (done, living, kept) = (fresh(base.path()), fresh(base.path()), fresh(base.path()));
        done.remove().unwrap();
        assert_eq!(kept.keep(), kept.path());
        sweep(base.path());
        assert!(!done.path().exists() && living.path().exists() && kept.path().exists());
    }

    #[test]
    fn a_run_whose_owner_is_dead_is_swept_whole() {
        let base = tempfile::tempdir().unwrap();
        let dead = fresh(base.path());
        fs::write(dead.child("data").unwrap().path().join("file"), "x").unwrap();
        let owner = Owner::current();
        // The same pid, but of a process that began at another time.
        Owner { start: owner.start + 1, ..owner }.claim(dead.path()).unwrap();
        fresh(base.path());
        assert!(!dead.path().exists());
    }

    #[test]
    fn of_kept_directories_the_newest_stay() {
        let base = tempfile::tempdir().unwrap();
        let oldest = base.path().join("probity-20200101-000000-0000");
        fs::create_dir(&oldest).unwrap();
        for _ in 0..KEPT_MAX {
            fresh(base.path()).keep();
        }
        sweep(base.path());
        assert_eq!(names(base.path()), KEPT_MAX);
        assert!(!oldest.exists());
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(base.path().join("probity-notes"), "x").unwrap();
        fs::create_dir(base.path().join("other-20200101-000000-0000")).unwrap();
        let link = base.path().join("probity-20200101-000000-0000");
        std::os::unix::fs::symlink(elsewhere.path(), link).unwrap();
        for _ in 0..=KEPT_MAX {
            fresh(base.path()).keep();
        }
        sweep(base.path());
        assert_eq!(names(base.path()), 3 + KEPT_MAX);
        assert!(elsewhere.path().exists());
    }

    #[test]
    fn the_base_is_short_and_reachable_else_the_first() {
        let closed = tempfile::tempdir().unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let long = PathBuf::from("/tmp").join("x".repeat(BASE_BYTES_MAX));
        assert_eq!(base(&[closed.path().to_owned(), long.clone(), "/tmp".into()]), Path::new("/tmp"));
        assert_eq!(base(&[long.clone(), closed.path().to_owned()]), long);
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let workdir = fresh(base.path());
        assert!(workdir.socket("s").is_ok());
        let room = SOCKET_PATH_BYTES_MAX - workdir.path().as_os_str().len() - 1;
        assert!(workdir.socket(&"s".repeat(room)).is_ok());
        assert!(workdir.socket(&"s".repeat(room + 1)).unwrap_err().to_string().contains("TMPDIR"));
    }
}
