//! A victim with all that it started, and looks at who is left of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use probity::process::{FoundBy, Signal, Survivor, in_group, listening_on, survivors};
use probity::until::{Never, Probe, until};
use probity::workdir::RunId;
use rustix::process::{Pid, kill_process, kill_process_group};
use tempfile::TempDir;

use super::victim;

/// For what should take a moment.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Scene {
    victim: Child,
    lines: BufReader<ChildStdout>,
    run: RunId,
    workdir: PathBuf,
    groups: Vec<u32>,
    commands: Vec<String>,
    port: u16,
    /// Of this scene alone: a run that starts ends what dead runs left in its temporary directory, and would hide it.
    temporary: Rc<TempDir>,
}

impl Scene {
    /// Starts a victim and waits until all its processes are there.
    pub(crate) fn start(role: &str) -> Scene {
        let temporary = tempfile::Builder::new().prefix("end").tempdir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(temporary.path(), mode).unwrap();
        Scene::start_in(Rc::new(temporary), role)
    }

    /// Another run with the same temporary directory.
    pub(crate) fn next_run(&self) -> Scene {
        Scene::start_in(Rc::clone(&self.temporary), "return")
    }

    fn start_in(temporary: Rc<TempDir>, role: &str) -> Scene {
        let mut victim = command(role).env("TMPDIR", temporary.path()).spawn().unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap());
        let run = RunId::parse(&fact(&mut lines, "run")).unwrap();
        let workdir = PathBuf::from(fact(&mut lines, "workdir"));
        let groups = fact(&mut lines, "groups").split(' ').map(|pid| pid.parse().unwrap()).collect();
        let commands = fact(&mut lines, "commands").split(", ").map(str::to_owned).collect();
        let port = fact(&mut lines, "port").parse().unwrap();
        Scene { victim, lines, run, workdir, groups, commands, port, temporary }
    }

    pub(crate) fn workdir(&self) -> &Path {
        &self.workdir
    }

    /// Tells the victim to end in the way of its role.
    pub(crate) fn go(&mut self) {
        self.victim.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.victim.id(), signal);
    }

    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.victim), signal).unwrap();
    }

    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.victim.wait().unwrap()
    }

    /// Each way of looking finds what it should: without this, finding nobody would say nothing.
    pub(crate) async fn everybody_is_there(&self) {
        // A level, not an event: a command in the background of a shell may not have begun yet.
        let there = until("everybody", LONG, async || {
            Ok::<_, Never>(match self.missing() {
                missing if missing.is_empty() => Probe::Ready(()),
                missing => Probe::NotYet(missing.join(", ")),
            })
        });
        there.await.unwrap();
    }

    fn missing(&self) -> Vec<String> {
        let found = survivors(&self.run, &self.workdir);
        let is_found = |by: FoundBy, what: &dyn Fn(&Survivor) -> bool| {
            found.iter().any(|one| one.found_by == by && what(one))
        };
        let mut missing = Vec::new();
        for group in &self.groups {
            if in_group(*group).is_empty() || !is_found(FoundBy::Environment, &|one| one.pid == *group) {
                missing.push(format!("group {group}"));
            }
        }
        for command in &self.commands {
            let by = if command == victim::NAMELESS { FoundBy::Directory } else { FoundBy::Environment };
            let by_path = format!("/{command}");
            if !is_found(by, &|one| one.command == *command || one.command.ends_with(&by_path)) {
                missing.push(command.clone());
            }
        }
        if listening_on(self.port).len() != 1 {
            missing.push(format!("the listener on {}", self.port));
        }
        missing
    }

    pub(crate) async fn nobody_is_left(&self) {
        let gone = until("the end of everybody", LONG, async || {
            let mut left = survivors(&self.run, &self.workdir);
            left.extend(self.groups.iter().flat_map(|group| in_group(*group)));
            left.extend(listening_on(self.port));
            Ok::<_, Never>(if left.is_empty() {
                Probe::Ready(())
            } else {
                Probe::NotYet(format!("{left:#?}"))
            })
        });
        gone.await.unwrap();
    }

    /// Stops every thread of the victim in its tracks.
    pub(crate) async fn freeze(&self) {
        self.signal(Signal::STOP);
        let threads = || std::fs::read_dir(format!("/proc/{}/task", self.victim.id())).unwrap();
        let stopped = until("every thread of the victim to stop", LONG, async || {
            let states =
                threads().map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap());
            let all = states.into_iter().all(|stat| stat.contains(") T "));
            Ok::<_, Never>(if all { Probe::Ready(()) } else { Probe::NotYet("some run".to_owned()) })
        });
        stopped.await.unwrap();
    }

    pub(crate) fn supervisors(&self) -> Vec<u32> {
        let found = survivors(&self.run, &self.workdir).into_iter();
        found.filter(|one| one.command.contains("__supervise")).map(|one| one.pid).collect()
    }

    pub(crate) async fn supervisors_are_gone(&self) {
        let gone = until("the end of the supervisors", LONG, async || {
            let left = self.supervisors();
            Ok::<_, Never>(if left.is_empty() {
                Probe::Ready(())
            } else {
                Probe::NotYet(format!("{left:?}"))
            })
        });
        gone.await.unwrap();
    }
}

impl Drop for Scene {
    /// A test that fails must not leave what it was about.
    fn drop(&mut self) {
        if self.victim.try_wait().is_ok_and(|ended| ended.is_none()) {
            _ = self.victim.kill();
            _ = self.victim.wait();
        }
        if std::thread::panicking() {
            survivors(&self.run, &self.workdir).iter().for_each(|one| send(one.pid, Signal::KILL));
        }
    }
}

pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // One that has ended meanwhile is what the caller will see.
    _ = kill_process(pid, signal);
}

/// All that a victim with these variables, and no others, writes until it ends.
pub(crate) fn output_of_victim(role: &str, variables: &[(&str, &str)]) -> String {
    let output = command(role).env_clear().envs(variables.iter().copied()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// In a group of its own, as test runners do it.
#[expect(clippy::disallowed_methods, reason = "under a supervisor a victim could leave nobody")]
fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(format!("victim:{role}")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.process_group(0);
    command
}

fn fact(lines: &mut BufReader<ChildStdout>, name: &str) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let value = line.trim_end().strip_prefix(name).and_then(|value| value.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("the victim said {line:?}, not its {name}")).to_owned()
}
