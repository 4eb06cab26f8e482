//! However a run ends, its containers are gone a moment later.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use probity::{
    process::{Signal, survivors},
    until::{Never, Probe, until},
    workdir::RunId,
};
use rustix::process::{Pid, kill_process};
use testcontainers::{
    bollard::query_parameters::ListContainersOptionsBuilder, core::client::docker_client_instance,
};

const LONG: Duration = Duration::from_secs(60);

/// How many containers of the run there are, running or not.
pub(crate) async fn containers_of(run: &RunId) -> usize {
    let label = format!("probity.run={run}");
    let filters = HashMap::from([("label", vec![label.as_str()])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let engine = docker_client_instance().await.unwrap();
    engine.list_containers(Some(options)).await.unwrap().len()
}

pub(crate) async fn ends_by_itself(role: &str) {
    let mut scene = Scene::start(role);
    assert_eq!(containers_of(&scene.run).await, 1);
    scene.go();
    scene.victim.wait().unwrap();
    scene.nothing_is_left().await;
}

pub(crate) async fn ends_by_signal(signal: Signal) {
    let mut scene = Scene::start("return");
    assert_eq!(containers_of(&scene.run).await, 1);
    send(scene.victim.id(), signal);
    scene.victim.wait().unwrap();
    scene.nothing_is_left().await;
}

/// The run, its keeper and all supervisors are killed, with no time to notice: only the container is left.
pub(crate) async fn the_next_run_sweeps() {
    let mut scene = Scene::start("return");
    // A supervisor that is killed first cannot notice that the run is.
    let others = survivors(&scene.run, &scene.workdir);
    let (supervisors, kept): (Vec<_>, Vec<_>) =
        others.iter().partition(|other| other.command.contains("__supervise"));
    assert!(!supervisors.is_empty() && !kept.is_empty(), "{others:?}");
    for process in supervisors.into_iter().chain(kept) {
        send(process.pid, Signal::KILL);
    }
    send(scene.victim.id(), Signal::KILL);
    scene.victim.wait().unwrap();
    assert_eq!(containers_of(&scene.run).await, 1, "there would be nothing to sweep");
    let mut next = Scene::start("return");
    scene.nothing_is_left().await;
    assert_eq!(containers_of(&next.run).await, 1, "the next run's own is swept too");
    next.go();
    next.victim.wait().unwrap();
    next.nothing_is_left().await;
}

struct Scene {
    victim: Child,
    run: RunId,
    workdir: PathBuf,
}

impl Scene {
    /// Starts a victim and waits until its container is there.
    #[expect(clippy::disallowed_methods, reason = "under a supervisor a victim could leave nothing")]
    fn start(role: &str) -> Scene {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(format!("victim:{role}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut victim = command.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap());
        let run = RunId::parse(&fact(&mut lines, "run")).unwrap();
        let workdir = PathBuf::from(fact(&mut lines, "workdir"));
        Scene { victim, run, workdir }
    }

    fn go(&mut self) {
        self.victim.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    async fn nothing_is_left(&self) {
        let gone = until("the end of all containers and processes", LONG, async || {
            let left = survivors(&self.run, &self.workdir);
            Ok::<_, Never>(match containers_of(&self.run).await {
                0 if left.is_empty() => Probe::Ready(()),
                count => Probe::NotYet(format!("{count} containers, {left:?}")),
            })
        });
        gone.await.unwrap();
    }
}

impl Drop for Scene {
    /// A test that fails must not leave what it was about: without its victim the keeper ends it all.
    fn drop(&mut self) {
        if self.victim.try_wait().is_ok_and(|ended| ended.is_none()) {
            _ = self.victim.kill();
            _ = self.victim.wait();
        }
        _ = std::fs::remove_dir_all(&self.workdir);
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // One that has ended meanwhile is what the caller will see.
    _ = kill_process(pid, signal);
}

fn fact(lines: &mut BufReader<ChildStdout>, name: &str) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let value = line.trim_end().strip_prefix(name).and_then(|value| value.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("the victim said {line:?}, not its {name}")).to_owned()
}
