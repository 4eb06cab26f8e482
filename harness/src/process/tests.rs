use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::until::{Never, Probe, until};
use crate::workdir::{RunId, Workdir};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

/// A work directory of this test's own run, which must be empty of processes when the test ends.
struct Run(Workdir);

impl Run {
    fn new() -> Run {
        Run(Workdir::create(RunId::new()).unwrap())
    }

    fn shell(&self, script: &str) -> Process {
        Program::new("sh").args(["-c", script]).spawn(&self.0).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap_or_default()
    }

    async fn ends(self) {
        nobody_of(&self.0).await;
        self.0.remove().unwrap();
    }
}

async fn nobody_of(workdir: &Workdir) {
    let gone = until("the end of all processes", LONG, async || {
        let left = survivors(workdir.run(), workdir.path());
        Ok::<_, Never>(if left.is_empty() { Probe::Ready(()) } else { Probe::NotYet(format!("{left:?}")) })
    });
    gone.await.unwrap();
}

#[tokio::test]
async fn codes_and_signals_pass_through_exactly() {
    let run = Run::new();
    let cases = [
        ("exit 0", Status::Code(0)),
        ("exit 3", Status::Code(3)),
        ("exit 137", Status::Code(137)),
        ("exit 255", Status::Code(255)),
        ("kill -KILL $$", Status::Signal(9)),
        ("kill -SEGV $$", Status::Signal(11)),
        ("kill -TERM $$", Status::Signal(15)),
    ];
    for (script, status) in cases {
        let exit = run.shell(script).wait().await;
        assert_eq!((exit.status, exit.forced), (status, false), "{script}");
    }
    run.ends().await;
}

#[tokio::test]
async fn the_pid_is_the_commands_own_and_it_leads_a_group_of_its_own() {
    let run = Run::new();
    let process = run.shell("echo pid=$$; exec sleep 1000");
    assert_eq!(process.line_with("pid=", LONG).await.unwrap(), format!("pid={}", process.pid()));
    let entry = table::Entry::of(process.pid() as i32).unwrap();
    let supervisor = table::Entry::of(entry.parent).unwrap();
    let own = table::Entry::of(std::process::id() as i32).unwrap();
    assert_eq!(entry.group, entry.pid);
    assert_eq!((supervisor.parent, supervisor.group), (own.pid, supervisor.pid));
    assert!(process.exit().is_none());
    process.kill().await;
    run.ends().await;
}

#[tokio::test]
async fn stdout_and_stderr_go_to_files_apart_and_a_line_of_either_is_found() {
    let run = Run::new();
    let process = run.shell("echo out; echo err >&2; sleep 1000");
    assert_eq!(process.line_with("err", LONG).await.unwrap(), "err");
    // Level-triggered: a line counts however long ago it was written.
    assert_eq!(process.line_with("out", LONG).await.unwrap(), "out");
    assert!(run.text("logs/sh.stderr").contains("err") && !run.text("logs/sh.stderr").contains("out"));
    assert_eq!(process.logs().tail(5).to_string(), "  stdout: out\n  stderr: err");
    process.kill().await;
    run.ends().await;
}

#[tokio::test]
async fn a_process_that_ends_early_is_noticed_at_once_with_its_last_lines() {
    let run = Run::new();
    let process = run.shell("echo cannot bind >&2; exit 4");
    let error = process.line_with("ready", Duration::from_secs(3600)).await.unwrap_err();
    assert!(matches!(&error, StartError::Exited { exit, .. } if exit.status == Status::Code(4)));
    assert_eq!(error.to_string(), "`sh` exited with code 4 before it was ready\n  stderr: cannot bind");
    assert!(error.hint().unwrap().contains("logs/sh.stderr"));
    run.ends().await;
}

#[tokio::test]
async fn a_last_line_written_just_before_the_end_still_counts() {
    let run = Run::new();
    assert_eq!(run.shell("echo ready").line_with("ready", LONG).await.unwrap(), "ready");
    run.ends().await;
}

#[tokio::test]
async fn a_process_that_stays_silent_is_an_error_with_the_marker_and_the_limit() {
    let run = Run::new();
    let process = run.shell("echo working on it; sleep 1000");
    process.line_with("working", LONG).await.unwrap();
    let error = process.line_with("ready", SHORT).await.unwrap_err();
    assert_eq!(error.to_string(), "`sh` was not ready within 0.05 s: no `ready`\n  stdout: working on it");
    drop(process);
    run.ends().await;
}

#[tokio::test]
async fn a_missing_program_is_one_error_that_names_it() {
    let run = Run::new();
    let failure = |program: Program| program.spawn(&run.0).unwrap_err();
    let error = failure(Program::new("no-such-program"));
    assert_eq!(
        error.to_string(),
        "cannot start `no-such-program`: there is no program `no-such-program` on PATH"
    );
    assert_eq!(error.with_hint("apt-get install it").hint().unwrap(), "install it, or give its path");
    let error = failure(Program::new("/no/such/program").name("etcd"));
    assert_eq!(error.to_string(), "cannot start `etcd`: /no/such/program is not there");
    let error = failure(Program::new("/etc/passwd"));
    assert!(error.to_string().ends_with("/etc/passwd is not an executable file"), "{error}");
    run.ends().await;
}

#[tokio::test]
async fn a_program_that_the_kernel_refuses_is_one_error_too() {
    let run = Run::new();
    let broken = run.0.path().join("broken");
    fs::write(&broken, "\u{7f}ELF nonsense").unwrap();
    fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = Program::new(&broken).spawn(&run.0).unwrap_err();
    assert!(
        matches!(&error, StartError::Spawn { reason, .. } if reason.contains("Exec format error")),
        "{error}"
    );
    let error = Program::new("sh").directory("/no/such/directory").spawn(&run.0).unwrap_err();
    assert!(error.to_string().contains("/no/such/directory"), "{error}");
    run.ends().await;
}

#[tokio::test]
async fn the_environment_is_what_is_given_and_little_else() {
    let run = Run::new();
    let program = Program::new("env").env("GIVEN", "a b").env("PATH", "/usr/bin:/bin").env_remove("HOME");
    let logs = program.run(&run.0, LONG).await.unwrap();
    let text = fs::read_to_string(logs.stdout).unwrap();
    let mut names: Vec<_> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !["LANG", "TMPDIR"].contains(name));
    names.sort();
    assert_eq!(names, ["GIVEN", "PATH", "PROBITY_RUN"]);
    assert!(text.contains(&format!("PROBITY_RUN={}\n", run.0.run())) && text.contains("GIVEN=a b\n"));
    let inheriting = program.inherit_environment().name("all");
    let text = fs::read_to_string(inheriting.run(&run.0, LONG).await.unwrap().stdout).unwrap();
    let ours = std::env::vars()
        .filter(|(name, value)| !["PATH", "HOME", "_"].contains(&name.as_str()) && !value.contains('\n'));
    for (name, value) in ours {
        assert!(text.contains(&format!("{name}={value}\n")), "{name}");
    }
    assert!(!text.lines().any(|line| line.starts_with("HOME=")));
    run.ends().await;
}

#[tokio::test]
async fn a_run_to_the_end_wants_code_0_and_is_limited() {
    let run = Run::new();
    let shell = |script: &str| Program::new("sh").args(["-c", script]);
    let error = shell("echo no space >&2; exit 1").run(&run.0, LONG).await.unwrap_err();
    assert!(error.to_string().contains("no space"), "{error}");
    let error = shell("sleep 1000").run(&run.0, SHORT).await.unwrap_err();
    assert!(matches!(error, StartError::Silent { .. }), "{error}");
    run.ends().await;
}

#[tokio::test]
async fn stop_gives_a_grace_and_then_kills() {
    let run = Run::new();
    let polite = run.shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    polite.line_with("ready", LONG).await.unwrap();
    let exit = polite.stop(LONG).await;
    assert_eq!((exit.status, exit.forced), (Status::Code(5), false));
    assert_eq!(run.text("logs/sh.stdout"), "ready\nbye\n");

    let stubborn = run.shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    stubborn.line_with("ready", LONG).await.unwrap();
    let exit = stubborn.stop(SHORT).await;
    assert_eq!((exit.status, exit.forced), (Status::Signal(9), true));
    assert_eq!(exit.to_string(), "was killed when its grace was over");
    assert_eq!(stubborn.exit(), Some(exit));
    run.ends().await;
}

#[tokio::test]
async fn a_paused_process_stands_still_until_it_is_resumed() {
    let run = Run::new();
    // Not a shell that starts commands: one caught between vfork and exec does not show as stopped.
    let process = Program::new("sleep").arg("1000").spawn(&run.0).unwrap();
    let state = async |wanted: fn(char) -> bool| {
        let seen = until("the state", LONG, async || {
            let state = table::Entry::of(process.pid() as i32).unwrap().state;
            Ok::<_, Never>(if wanted(state) { Probe::Ready(()) } else { Probe::NotYet(state.to_string()) })
        });
        seen.await.unwrap();
    };
    assert!(process.pause());
    state(|state| state == 'T').await;
    assert!(process.resume());
    state(|state| state != 'T').await;
    process.kill().await;
    run.ends().await;
}

#[tokio::test]
async fn a_paused_process_can_be_stopped() {
    let run = Run::new();
    let process = run.shell("trap 'exit 6' TERM; echo ready; while :; do sleep 0.01; done");
    process.line_with("ready", LONG).await.unwrap();
    assert!(process.pause());
    assert_eq!(process.stop(LONG).await.status, Status::Code(6));
    run.ends().await;
}

#[tokio::test]
async fn a_signal_reaches_it_only_while_it_runs() {
    let run = Run::new();
    let process = run.shell("trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done");
    process.line_with("ready", LONG).await.unwrap();
    assert!(process.signal(Signal::USR1));
    assert_eq!(process.exited().await.status, Status::Code(7));
    assert!(!process.signal(Signal::USR1) && !process.pause() && !process.resume());
    process.wait().await;
    assert!(!process.signal(Signal::KILL));
    assert_eq!(process.stop(LONG).await.status, Status::Code(7));
    assert_eq!(process.kill().await.status, Status::Code(7));
    run.ends().await;
}

#[tokio::test]
async fn what_a_process_leaves_behind_is_ended_too_even_from_another_session() {
    let run = Run::new();
    let process = run.shell("sleep 1000 & setsid sleep 1001 & (setsid sh -c 'trap \"\" TERM; sleep 1002; sleep 1003' &) ; echo started; exit 2");
    assert_eq!(process.exited().await.status, Status::Code(2));
    let exit = process.stop(SHORT).await;
    assert_eq!((exit.status, exit.forced), (Status::Code(2), false));
    assert_eq!(survivors(run.0.run(), run.0.path()), [], "gone on return");
    assert_eq!(in_group(process.pid()), []);
    run.ends().await;
}

/// A server that lives long leaves no dead behind: each would keep its pid.
#[tokio::test]
async fn an_orphan_that_ended_is_reaped_while_the_command_goes_on() {
    let run = Run::new();
    let process = run.shell("(true & echo $! > orphan); (sleep 0.05 & echo $! > later); exec sleep 100");
    let reaped = until("the end of the orphans", LONG, async || {
        let orphans = [run.text("orphan"), run.text("later")].map(|pid| pid.trim().parse().ok());
        let left: Vec<_> = orphans.iter().map(|pid| pid.map(table::Entry::of)).collect();
        Ok::<_, Never>(if left == [Some(None), Some(None)] {
            Probe::Ready(())
        } else {
            Probe::NotYet(format!("{left:?}"))
        })
    });
    reaped.await.unwrap();
    assert_eq!(process.exit(), None);
    process.stop(LONG).await;
    run.ends().await;
}

#[tokio::test]
async fn kill_takes_the_whole_tree_at_once() {
    let run = Run::new();
    let process = run.shell("(trap '' TERM; sleep 1000; sleep 1001) & setsid sleep 1002 & echo ready; wait");
    process.line_with("ready", LONG).await.unwrap();
    assert_eq!(process.kill().await.status, Status::Signal(9));
    assert_eq!(survivors(run.0.run(), run.0.path()), []);
    run.ends().await;
}

#[tokio::test]
async fn dropping_a_process_ends_it() {
    let run = Run::new();
    let process = run.shell("trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done");
    process.line_with("ready", LONG).await.unwrap();
    assert_eq!(survivors(run.0.run(), run.0.path()).iter().filter(|one| one.pid == process.pid()).count(), 1);
    drop(process);
    nobody_of(&run.0).await;
    assert_eq!(run.text("logs/sh.stdout"), "ready\nbye\n");
    run.ends().await;
}

#[tokio::test]
async fn a_supervisor_that_is_asked_to_end_ends_its_command() {
    let run = Run::new();
    let process = run.shell("trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done");
    process.line_with("ready", LONG).await.unwrap();
    let supervisor = Pid::from_raw(table::Entry::of(process.pid() as i32).unwrap().parent).unwrap();
    rustix::process::kill_process(supervisor, Signal::TERM).unwrap();
    assert_eq!(process.wait().await.status, Status::Code(8));
    run.ends().await;
}

#[tokio::test]
async fn a_supervisor_that_is_killed_does_not_leave_its_command() {
    let run = Run::new();
    let process = run.shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    process.line_with("ready", LONG).await.unwrap();
    let supervisor = Pid::from_raw(table::Entry::of(process.pid() as i32).unwrap().parent).unwrap();
    rustix::process::kill_process(supervisor, Signal::KILL).unwrap();
    let exit = process.wait().await;
    assert_eq!(exit.status, Status::Unknown);
    assert_eq!(exit.to_string(), "ended unseen, with its supervisor");
    assert!(!process.signal(Signal::TERM));
    run.ends().await;
}

#[tokio::test]
async fn shown_output_is_in_the_logs_as_well_and_complete_when_the_wait_is_over() {
    let run = Run::new();
    let script = "i=0; while [ $i -lt 4 ]; do echo line $i; i=$((i+1)); done; printf last";
    // The screen is the one of this test's host, whose own words are not ours to judge.
    let process = Program::new("sh").args(["-c", script]).name("shown").show_output().spawn(&run.0).unwrap();
    assert!(process.wait().await.is_success());
    let text = run.text("logs/shown.stdout");
    assert_eq!(text.lines().count(), 5);
    assert!(text.ends_with("line 3\nlast"));
    run.ends().await;
}

#[tokio::test]
async fn a_process_runs_as_another_user_when_we_are_root() {
    let Some(user) = User::unprivileged() else { return };
    let run = Run::new();
    let data = run.0.child("data").unwrap();
    user.own(data.path()).unwrap();
    let program =
        Program::new("sh").args(["-c", "id -u; id -g; touch mine"]).user(Some(user)).directory(data.path());
    let logs = program.run(&run.0, LONG).await.unwrap();
    assert_eq!(fs::read_to_string(logs.stdout).unwrap(), format!("{}\n{}\n", user.uid, user.gid));
    assert_eq!(fs::metadata(data.path().join("mine")).unwrap().uid(), user.uid);
    run.ends().await;
}

#[tokio::test]
async fn a_hidden_subcommand_of_our_own_binary_is_a_program_too() {
    let run = Run::new();
    let broker = Program::hidden("__mock-broker").arg(run.0.path().join("control")).spawn(&run.0).unwrap();
    broker.line_with("listening ", LONG).await.unwrap();
    assert_eq!(broker.name(), "mock-broker");
    broker.kill().await;
    let error = Program::hidden("__mock-broker")
        .arg("/no/such/directory/control")
        .run(&run.0, LONG)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the mock broker cannot be hosted"), "{error}");
    run.ends().await;
}

#[test]
fn it_works_without_a_runtime() {
    let run = Run::new();
    let process = run.shell("sleep 1000");
    assert!(process.signal(Signal::TERM));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(process.wait()).status, Status::Signal(15));
    runtime.block_on(run.ends());
}

#[tokio::test]
async fn a_dead_runs_processes_are_killed_when_the_next_run_starts() {
    let run = Run::new();
    let process = run.shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    process.line_with("ready", LONG).await.unwrap();
    end_survivors(run.0.run());
    process.wait().await;
    run.ends().await;
}

#[test]
fn an_end_is_told_in_words() {
    let exit = |status| Exit { status, forced: false, at: SystemTime::UNIX_EPOCH }.to_string();
    assert_eq!(exit(Status::Code(3)), "exited with code 3");
    assert_eq!(exit(Status::Signal(9)), "was ended by signal 9 (SIGKILL)");
    assert_eq!(exit(Status::Signal(40)), "was ended by signal 40");
}
