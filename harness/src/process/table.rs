//! The system's process table, read from `/proc`.
//!
//! Everything here is a snapshot that may be stale a moment later. A process that ends while it is being read is left
//! out, never an error. On a system without `/proc` the table is empty.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// One line of the process table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// As `ps` shows it: `R`, `S`, `D`, `T` (stopped), `Z` (ended, not yet reaped) and others.
    pub(crate) state: char,
    /// Clock ticks between the start of the system and the start of the process.
    pub(crate) start: u64,
}

impl Entry {
    /// The entry of one process, if it is there.
    pub(crate) fn of(pid: i32) -> Option<Entry> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Entry::parse(&String::from_utf8_lossy(&stat))
    }

    /// Running, sleeping or stopped: not yet ended.
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// The command line with its arguments parted by spaces; the short name where the kernel shows no more.
    pub(crate) fn command(&self) -> String {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let words: Vec<_> = line
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(String::from_utf8_lossy)
            .collect();
        if !words.is_empty() {
            return words.join(" ");
        }
        fs::read_to_string(format!("/proc/{}/comm", self.pid)).unwrap_or_default().trim_end().to_owned()
    }

    /// The value that the variable had when the process began.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        environment.split(|byte| *byte == 0).find_map(|pair| {
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsString::from_vec(value.to_vec()))
        })
    }

    /// Where it works, also when that directory was removed, which the kernel marks.
    pub(crate) fn working_directory(&self) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()?;
        let removed = path.as_os_str().as_bytes().strip_suffix(b" (deleted)");
        Some(removed.map(|path| OsStr::from_bytes(path).into()).unwrap_or(path))
    }

    /// Fields as in `proc_pid_stat(5)`. The name may hold spaces and parentheses, so fields are counted from its end.
    fn parse(stat: &str) -> Option<Entry> {
        let (pid, rest) = stat.split_once(" (")?;
        let (_, fields) = rest.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        Some(Entry {
            pid: pid.parse().ok()?,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }
}

/// Whether this system has a process table that can be read.
pub(crate) fn is_there() -> bool {
    Path::new("/proc/self/stat").exists()
}

/// Every process that this user may see.
pub(crate) fn all() -> Vec<Entry> {
    let Ok(directory) = fs::read_dir("/proc") else { return Vec::new() };
    directory
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Entry::of)
        .collect()
}

/// The children that the calling thread started and those that this process adopted, ended ones that nobody reaped among them;
/// `None` where the kernel does not tell (`CONFIG_PROC_CHILDREN`). Reads nothing of other processes.
///
/// Only this process can reap them, so that none goes while they are listed. Orphans are its main thread's. Other threads are not
/// looked at: what the kernel then remembers of them makes the end of each one slow.
pub(super) fn own_children() -> Option<Vec<i32>> {
    let main = format!("/proc/self/task/{}/children", std::process::id());
    let mut children = BTreeSet::new();
    for list in ["/proc/thread-self/children", &main] {
        let listed = fs::read_to_string(list).ok()?;
        children.extend(listed.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Some(children.into_iter().collect())
}

/// The processes in `table` that are still alive and descend from `ancestor`, which is not among them.
pub(crate) fn descendants(table: &[Entry], ancestor: i32) -> Vec<Entry> {
    let mut parents = vec![ancestor];
    let mut found: Vec<Entry> = Vec::new();
    while let Some(parent) = parents.pop() {
        for entry in table.iter().filter(|entry| entry.parent == parent && entry.pid != parent) {
            // A snapshot is not atomic: a pid used twice while it was taken must not make a cycle.
            if entry.pid != ancestor && !found.iter().any(|known| known.pid == entry.pid) {
                parents.push(entry.pid);
                found.push(entry.clone());
            }
        }
    }
    found.retain(Entry::is_alive);
    found
}

/// Names the instance of the process table that pids belong to: this start of this system, this pid namespace.
pub(crate) fn instance() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: i32, parent: i32, state: char) -> Entry {
        Entry { pid, parent, group: pid, state, start: 0 }
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "4711 (a) R 1 (x) S 12 4700 4700 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11";
        let expected = Entry { pid: 4711, parent: 12, group: 4700, state: 'S', start: 987_654 };
        assert_eq!(Entry::parse(stat), Some(expected));
    }

    #[test]
    fn text_that_is_no_stat_line_gives_nothing() {
        for stat in ["", "12", "12 (name)", "12 (name) S 1 2", "x (name) S 1 2 3"] {
            assert_eq!(Entry::parse(stat), None, "{stat:?}");
        }
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = i32::try_from(std::process::id()).unwrap();
        let entry = all().into_iter().find(|entry| entry.pid == own).unwrap();
        assert!(entry.is_alive());
        assert!(!entry.command().is_empty());
        assert_eq!(entry.working_directory(), std::env::current_dir().ok());
        assert_eq!(entry.variable("PATH"), std::env::var_os("PATH"));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child that no supervisor stands between")]
    fn own_children_are_listed_until_they_are_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let listed = || own_children().map(|children| children.contains(&pid));
        // `None`: this kernel does not tell.
        assert_ne!(listed(), Some(false));
        child.wait().unwrap();
        assert_ne!(listed(), Some(true));
    }

    #[test]
    fn descendants_are_found_through_ended_parents_and_a_cycle_ends() {
        let table =
            [entry(2, 1, 'S'), entry(3, 2, 'Z'), entry(4, 3, 'R'), entry(9, 8, 'S'), entry(1, 4, 'S')];
        let pids: Vec<_> = descendants(&table, 1).iter().map(|entry| entry.pid).collect();
        assert_eq!(pids, [2, 4]);
    }
}
