//! The log files of a process: standard output and standard error apart.
//!
//! They are read as bytes that may be anything: lines are bounded and what is no UTF-8 is replaced.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Of a line longer than this, the rest is cut.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// How much of the end of a file is looked at for its last lines.
const TAIL_BYTES_MAX: u64 = 64 * 1024;

/// Where a process writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// Its standard output.
    pub stdout: PathBuf,
    /// Its standard error.
    pub stderr: PathBuf,
}

impl Logs {
    /// Creates two files for `name` in `directory`; a name used before gets a number, so that a restarted process does
    /// not continue the log of the one before.
    pub(crate) fn create(directory: &Path, name: &str) -> io::Result<Logs> {
        fs::create_dir_all(directory)?;
        let name = name.replace(['/', '\0'], "_");
        let mut count = 1;
        loop {
            let stem = if count == 1 { name.clone() } else { format!("{name}-{count}") };
            let stdout = directory.join(format!("{stem}.stdout"));
            match File::create_new(&stdout) {
                Ok(_) => {
                    let stderr = directory.join(format!("{stem}.stderr"));
                    File::create(&stderr)?;
                    return Ok(Logs { stdout, stderr });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The last `count` lines of each file.
    pub fn tail(&self, count: usize) -> Tail {
        Tail { stdout: last_lines(&self.stdout, count), stderr: last_lines(&self.stderr, count) }
    }
}

/// The last lines that a process wrote; shown, they are indented and named by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Of its standard output, oldest first.
    pub stdout: Vec<String>,
    /// Of its standard error, oldest first.
    pub stderr: Vec<String>,
}

impl fmt::Display for Tail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stdout.is_empty() && self.stderr.is_empty() {
            return write!(formatter, "  it wrote nothing");
        }
        let named = [("stdout", &self.stdout), ("stderr", &self.stderr)];
        let lines = named.iter().flat_map(|(name, lines)| lines.iter().map(move |line| (name, line)));
        for (index, (name, line)) in lines.enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}  {name}: {line}")?;
        }
        Ok(())
    }
}

fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Reads a growing file line by line, from its beginning.
#[derive(Debug)]
pub(super) struct Follower {
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Follower {
    pub(super) fn new(path: &Path) -> Follower {
        Follower { path: path.to_owned(), offset: 0, partial: Vec::new() }
    }

    /// The first line, of those that were completed since the last call, that contains `marker`.
    pub(super) fn find(&mut self, marker: &str) -> io::Result<Option<String>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok(None);
            }
            for (index, byte) in chunk[..read].iter().enumerate() {
                if *byte != b'\n' {
                    if self.partial.len() < LINE_BYTES_MAX {
                        self.partial.push(*byte);
                    }
                    continue;
                }
                let line = std::mem::take(&mut self.partial);
                let line = String::from_utf8_lossy(&line);
                if line.contains(marker) {
                    self.offset += index as u64 + 1;
                    return Ok(Some(line.trim_end().to_owned()));
                }
            }
            self.offset += read as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_name_used_again_gets_files_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..3)
            .map(|_| Logs::create(directory.path(), "url/api").unwrap().stderr)
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["url_api.stderr", "url_api-2.stderr", "url_api-3.stderr"]);
    }

    #[test]
    fn the_tail_is_the_last_lines_of_both_streams() {
        let directory = tempfile::tempdir().unwrap();
        let logs = Logs::create(directory.path(), "x").unwrap();
        assert_eq!(logs.tail(2).to_string(), "  it wrote nothing");
        fs::write(&logs.stdout, "one\ntwo\n\nthree").unwrap();
        fs::write(&logs.stderr, b"bad \xff byte\n").unwrap();
        assert_eq!(logs.tail(2).to_string(), "  stdout: two\n  stdout: three\n  stderr: bad \u{fffd} byte");
    }

    #[test]
    fn a_tail_of_a_huge_file_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let logs = Logs::create(directory.path(), "x").unwrap();
        fs::write(&logs.stdout, "x".repeat(10 << 20)).unwrap();
        assert_eq!(logs.tail(5).stdout[0].len(), usize::try_from(TAIL_BYTES_MAX).unwrap());
    }

    #[test]
    fn a_line_is_found_only_once_it_is_complete_and_each_only_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = File::create(&path).unwrap();
        let mut follower = Follower::new(&path);
        file.write_all(b"first\nread").unwrap();
        assert_eq!(follower.find("ready").unwrap(), None);
        file.write_all(b"y at 1\nready at 2\n").unwrap();
        assert_eq!(follower.find("ready").unwrap().as_deref(), Some("ready at 1"));
        assert_eq!(follower.find("ready").unwrap().as_deref(), Some("ready at 2"));
        assert_eq!(follower.find("ready").unwrap(), None);
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, format!("{}\nready\n", "x".repeat(3 << 20))).unwrap();
        assert_eq!(Follower::new(&path).find("ready").unwrap().as_deref(), Some("ready"));
    }
}
