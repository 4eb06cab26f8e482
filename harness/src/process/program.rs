//! A program that is to be started: command, environment, directory, user.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Pid;

use super::hidden::{self, SUPERVISE};
use super::protocol::Report;
use super::supervise::{Settings, Shown};
use super::{Logs, Process, RUN_VARIABLE, SUPERVISOR_LIMIT, StartError, attend};
use crate::inert;
use crate::workdir::Workdir;

/// What a process has of our environment unless it inherits all of it.
const INHERITED: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LANG"];
/// For a process that is dropped, or left alone by the end of this one.
const GRACE: Duration = Duration::from_secs(5);

/// A program to start, and how. Its standard input is empty; it has `PROBITY_RUN` in its environment.
#[derive(Clone, Debug)]
pub struct Program {
    executable: Executable,
    name: Option<String>,
    arguments: Vec<OsString>,
    inherits_environment: bool,
    /// `None` removes what would be inherited.
    environment: BTreeMap<OsString, Option<OsString>>,
    directory: Option<PathBuf>,
    user: Option<User>,
    grace: Duration,
    shown: Shown,
}

#[derive(Clone, Debug)]
enum Executable {
    /// A path, or a name to look up on PATH.
    Named(PathBuf),
    /// A hidden subcommand of our own binary.
    Hidden(String),
}

impl Program {
    /// A path, or a name to look up on PATH.
    pub fn new(executable: impl Into<PathBuf>) -> Program {
        Program::of(Executable::Named(executable.into()))
    }

    /// A hidden subcommand of the binary that hosts this library, as [`super::serve_hidden_subcommands`] knows them.
    pub fn hidden(subcommand: &str) -> Program {
        Program::of(Executable::Hidden(subcommand.to_owned()))
    }

    fn of(executable: Executable) -> Program {
        Program {
            executable,
            name: None,
            arguments: Vec::new(),
            inherits_environment: false,
            environment: BTreeMap::new(),
            directory: None,
            user: None,
            grace: GRACE,
            shown: Shown::No,
        }
    }

    /// The name in messages and of its log files; without it, the file name of the program.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Program {
        self.name = Some(name.into());
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Program {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Program {
        self.environment.insert(name.into(), Some(value.into()));
        self
    }

    /// Sets variables.
    #[must_use]
    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Program {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), Some(value.into())));
        self.environment.extend(variables);
        self
    }

    /// Keeps it from inheriting a variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Program {
        self.environment.insert(name.into(), None);
        self
    }

    /// Gives it our whole environment instead of PATH, HOME, TMPDIR and LANG only.
    #[must_use]
    pub fn inherit_environment(mut self) -> Program {
        self.inherits_environment = true;
        self
    }

    /// Where it runs; without it, in the work directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Program {
        self.directory = Some(directory.into());
        self
    }

    /// Runs it as another user, which needs root.
    #[must_use]
    pub fn user(mut self, user: Option<User>) -> Program {
        self.user = user;
        self
    }

    /// Between SIGTERM and SIGKILL when the process is dropped or this one ends; five seconds without it.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Program {
        self.grace = grace;
        self
    }

    /// Shows its output on ours as it comes, besides writing the log files. In a step of a GitHub workflow no line of it is
    /// taken for a command.
    #[must_use]
    pub fn show_output(mut self) -> Program {
        self.shown = if inert::is_needed() { Shown::Inert } else { Shown::AsItIs };
        self
    }

    /// Starts it, with log files in `logs` of the work directory. Blocks for the few milliseconds until it runs.
    ///
    /// Needs no async runtime. Fails when the program is not there or cannot be run, and when nothing can supervise it.
    pub fn spawn(&self, workdir: &Workdir) -> Result<Process, StartError> {
        let name = self.own_name();
        let failed = |reason: String| StartError::Spawn { name: name.clone(), reason, hint: None };
        let (program, mut arguments) = self.resolve()?;
        arguments.extend(self.arguments.iter().cloned());
        let logs = Logs::create(&workdir.path().join("logs"), &name)
            .map_err(|error| failed(format!("its log files cannot be made: {error}")))?;
        let settings = Settings {
            program: program.into(),
            arguments,
            directory: self.directory.clone().unwrap_or_else(|| workdir.path().to_owned()),
            stdout: logs.stdout.clone(),
            stderr: logs.stderr.clone(),
            shown: self.shown,
            user: self.user.map(|user| (user.uid, user.gid)),
            grace: self.grace,
        };
        let (mut supervisor, socket) = self.supervise(&settings, workdir)?;
        match first_report(socket) {
            Ok((pid, reports)) => attend(name.clone(), logs, pid, supervisor, reports)
                .map_err(|error| failed(format!("its supervisor cannot be listened to: {error}"))),
            Err(reason) => {
                // Without our end of the socket it has nothing to stay for; a wrong program might.
                _ = supervisor.kill();
                _ = supervisor.wait();
                Err(failed(reason))
            }
        }
    }

    /// Starts it, waits for its end, and requires that it ends with code 0 within `limit`.
    pub async fn run(&self, workdir: &Workdir, limit: Duration) -> Result<Logs, StartError> {
        let process = self.spawn(workdir)?;
        match tokio::time::timeout(limit, process.wait()).await {
            Ok(exit) if exit.is_success() => Ok(process.logs().clone()),
            Ok(exit) => Err(process.exited_early(exit)),
            Err(_) => {
                process.kill().await;
                Err(process.silent("end of the process", limit))
            }
        }
    }

    fn own_name(&self) -> String {
        let file_name = match &self.executable {
            Executable::Named(path) => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
            Executable::Hidden(subcommand) => subcommand.trim_start_matches('_').to_owned(),
        };
        self.name.clone().unwrap_or(file_name)
    }

    /// The program as an absolute path, with the arguments that come first.
    fn resolve(&self) -> Result<(PathBuf, Vec<OsString>), StartError> {
        let name = self.own_name();
        let path = match &self.executable {
            Executable::Hidden(subcommand) => {
                return hidden::invocation(subcommand).map_err(|e| no_host(&name, &e));
            }
            Executable::Named(path) => path,
        };
        let failed = |reason, hint: &str| StartError::Spawn {
            name: name.clone(),
            reason,
            hint: Some(hint.to_owned()),
        };
        if path.components().count() == 1 && !path.is_absolute() {
            let search = match self.environment.get(OsStr::new("PATH")) {
                Some(given) => given.clone(),
                None => env::var_os("PATH"),
            };
            let found = find(path, search.as_deref());
            let reason = format!("there is no program `{}` on PATH", path.display());
            return found
                .map(|found| (found, Vec::new()))
                .ok_or_else(|| failed(reason, "install it, or give its path"));
        }
        // Relative to where we are: the process may start in another directory.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        if is_executable(&absolute) {
            return Ok((absolute, Vec::new()));
        }
        let what = if absolute.exists() { "is not an executable file" } else { "is not there" };
        Err(failed(format!("{} {what}", absolute.display()), "build or install it, or correct the path"))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    fn supervise(&self, settings: &Settings, workdir: &Workdir) -> Result<(Child, UnixStream), StartError> {
        let name = self.own_name();
        let (host, first) = hidden::invocation(SUPERVISE).map_err(|error| no_host(&name, &error))?;
        let start = || -> io::Result<(Child, UnixStream)> {
            let (ours, theirs) = UnixStream::pair()?;
            let output = || if settings.shown == Shown::No { Stdio::null() } else { Stdio::inherit() };
            let mut command = Command::new(&host);
            command.args(first).args(settings.to_arguments()).current_dir(workdir.path());
            command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stdout(output()).stderr(output());
            // Out of our group: what a terminal or a test runner sends to the group must reach us first.
            command.process_group(0);
            self.set_environment(&mut command, workdir);
            Ok((command.spawn()?, ours))
        };
        start().map_err(|error| {
            let reason = format!("its supervisor {} cannot be started: {error}", host.display());
            StartError::Spawn { name: name.clone(), reason, hint: None }
        })
    }

    /// The supervisor has the environment that the process is to have, and passes it on.
    fn set_environment(&self, command: &mut Command, workdir: &Workdir) {
        if !self.inherits_environment {
            command.env_clear();
            command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env(RUN_VARIABLE, workdir.run().as_str());
    }
}

/// Who a process runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub uid: u32,
    /// Number of its group.
    pub gid: u32,
}

impl User {
    /// For programs that refuse to run as root: `postgres` if there is such a user, else `nobody`; `None` when we are
    /// not root, and need and can do nothing.
    pub fn unprivileged() -> Option<User> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = |name| users.lines().find_map(|line| User::parse(line, name));
        Some(named("postgres").or_else(|| named("nobody")).unwrap_or(User { uid: 65_534, gid: 65_534 }))
    }

    /// Makes a file or directory this user's.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }

    /// A line of `passwd(5)`.
    fn parse(line: &str, name: &str) -> Option<User> {
        let fields: Vec<_> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        (fields[0] == name).then_some(User { uid, gid })
    }
}

/// The first executable file of this name in the directories of `path` (a value of PATH), absolute.
pub fn find(name: impl AsRef<Path>, path: Option<&OsStr>) -> Option<PathBuf> {
    let directories = env::split_paths(path?);
    let candidates =
        directories.filter_map(|directory| std::path::absolute(directory.join(name.as_ref())).ok());
    candidates.into_iter().find(|candidate| is_executable(candidate))
}

pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn no_host(name: &str, error: &hidden::NoHost) -> StartError {
    StartError::Spawn {
        name: name.to_owned(),
        reason: error.to_string(),
        hint: Some(error.hint().to_owned()),
    }
}

/// The pid of the started command, as its supervisor says.
fn first_report(socket: UnixStream) -> Result<(Pid, BufReader<UnixStream>), String> {
    let unheard = |error: io::Error| format!("its supervisor does not answer: {error}");
    socket.set_read_timeout(Some(SUPERVISOR_LIMIT)).map_err(unheard)?;
    let mut reports = BufReader::new(socket);
    let mut line = String::new();
    reports.read_line(&mut line).map_err(unheard)?;
    reports.get_ref().set_read_timeout(None).map_err(unheard)?;
    match Report::parse(&line) {
        Some(Report::Started { pid }) => {
            let pid = Pid::from_raw(pid).ok_or("its supervisor names no pid")?;
            Ok((pid, reports))
        }
        Some(Report::Failed { message }) => Err(message),
        _ => Err("what should supervise it is no supervisor; is PROBITY_BIN a `probity` of this version?"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_given() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("sh"), "not executable").unwrap();
        fs::create_dir(directory.path().join("true")).unwrap();
        let path = env::join_paths([directory.path(), Path::new("/bin")]).unwrap();
        assert_eq!(find("sh", Some(&path)), Some("/bin/sh".into()));
        assert_eq!(find("true", Some(&path)), Some("/bin/true".into()));
        assert_eq!(find("no-such-program", Some(&path)), None);
        assert_eq!(find("sh", None), None);
    }

    #[test]
    fn a_user_is_read_from_its_line_only() {
        let line = "postgres:x:105:110:PostgreSQL:/var/lib/postgresql:/bin/bash";
        assert_eq!(User::parse(line, "postgres"), Some(User { uid: 105, gid: 110 }));
        for line in [line.replace("postgres:", "postgresx:").as_str(), "postgres:x", "postgres:x:a:b", ""] {
            assert_eq!(User::parse(line, "postgres"), None, "{line}");
        }
    }

    #[test]
    fn the_name_is_the_given_one_else_the_programs() {
        assert_eq!(Program::new("/usr/bin/etcd").own_name(), "etcd");
        assert_eq!(Program::new("/usr/bin/etcd").name("second").own_name(), "second");
        assert_eq!(Program::hidden("__mock-broker").own_name(), "mock-broker");
    }
}
