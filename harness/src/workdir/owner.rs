//! Which process a directory belongs to, in a file within, and whether it still lives.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use rustix::process::Pid;

use crate::process::table;

const FILE: &str = ".owner";

/// A process, told apart from a later one of the same pid by its start time, and from one of another pid namespace or
/// another start of the system by the instance of the process table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: i32,
    pub(crate) start: u64,
    pub(crate) instance: String,
}

impl Owner {
    pub(crate) fn current() -> Owner {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let start = table::Entry::of(pid).map_or(0, |entry| entry.start);
        Owner { pid, start, instance: table::instance() }
    }

    pub(super) fn claim(&self, directory: &Path) -> io::Result<()> {
        fs::write(directory.join(FILE), format!("{self}\n"))
    }

    pub(super) fn release(directory: &Path) {
        _ = fs::remove_file(directory.join(FILE));
    }

    /// `None` for a directory that nobody claims (any more). A file that cannot be understood is a claim of the dead.
    pub(super) fn of(directory: &Path) -> Option<Owner> {
        let text = fs::read_to_string(directory.join(FILE)).ok()?;
        let dead = Owner { pid: 0, start: 0, instance: table::instance() };
        Some(Owner::parse(text.trim_end()).unwrap_or(dead))
    }

    /// What [`Owner`] is shown as.
    pub(crate) fn parse(text: &str) -> Option<Owner> {
        let mut fields = text.splitn(3, ' ');
        let (pid, start) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Owner { pid, start, instance: fields.next()?.to_owned() })
    }

    /// Whether it would be in our process table, if it lived.
    pub(crate) fn is_seen(&self) -> bool {
        self.instance == table::instance()
    }

    /// In doubt yes: a process of another pid namespace (a container that shares the directory) cannot be seen.
    pub(crate) fn is_alive(&self) -> bool {
        let here = table::instance();
        if self.instance == here {
            return match table::Entry::of(self.pid) {
                Some(entry) => entry.start == self.start && entry.is_alive(),
                None => !table::is_there() && self.answers(),
            };
        }
        let boot = |instance: &str| instance.split(' ').next().map(str::to_owned);
        boot(&self.instance) == boot(&here)
    }

    /// All that can be asked on a system without a process table to read.
    fn answers(&self) -> bool {
        Pid::from_raw(self.pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }
}

/// Pid, start time and instance, parted by spaces.
impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.pid, self.start, self.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_process_lives_and_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Owner::of(directory.path()), None);
        let owner = Owner::current();
        owner.claim(directory.path()).unwrap();
        assert_eq!(Owner::of(directory.path()), Some(owner.clone()));
        assert!(owner.is_alive());
        Owner::release(directory.path());
        assert_eq!(Owner::of(directory.path()), None);
    }

    #[test]
    fn another_start_time_another_boot_and_nonsense_are_dead_and_another_namespace_is_not() {
        let owner = Owner::current();
        assert!(!Owner { start: owner.start + 1, ..owner.clone() }.is_alive());
        assert!(!Owner { instance: "other-boot pid:[1]".to_owned(), ..owner.clone() }.is_alive());
        let boot = owner.instance.split(' ').next().unwrap();
        assert!(Owner { instance: format!("{boot} pid:[1]"), ..owner }.is_alive());
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "x").unwrap();
        assert!(!Owner::of(directory.path()).unwrap().is_alive());
    }
}
