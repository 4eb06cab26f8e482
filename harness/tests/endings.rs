//! However a run ends, nothing that it started is left: each ending is a test.
//!
//! The victim is this same binary, started again with a hidden argument and without a supervisor of its own. It starts
//! processes of every awkward kind and then ends in the way of the test. Survivors are looked for by the run's id in
//! their environment, by working directory, by group and by listening port; the same looks must find them all before.

#[path = "endings/scene.rs"]
mod scene;
#[path = "endings/victim.rs"]
mod victim;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use probity::process::{Signal, serve_hidden_subcommands};

use scene::{Scene, output_of_victim};

fn main() -> ExitCode {
    if let Some(role) = std::env::args().nth(1).as_deref().and_then(|word| word.strip_prefix("victim:")) {
        return victim::main(role);
    }
    serve_hidden_subcommands();
    let trials = vec![
        trial("a_plain_return_leaves_nobody", || ends_by_itself("return", Some(0))),
        trial("a_return_that_forgets_its_processes_leaves_nobody", || ends_by_itself("forget", Some(0))),
        trial("an_exit_leaves_nobody", || ends_by_itself("exit", Some(7))),
        trial("a_panic_leaves_nobody", || ends_by_itself("panic", Some(101))),
        trial("an_abort_leaves_nobody", || ends_by_itself("abort", None)),
        by_signal("sigint_leaves_nobody", Signal::INT),
        by_signal("sigterm_leaves_nobody", Signal::TERM),
        by_signal("sighup_leaves_nobody", Signal::HUP),
        by_signal("sigkill_leaves_nobody", Signal::KILL),
        trial("a_time_out_of_a_test_runner_leaves_nobody", a_time_out_of_a_test_runner),
        trial("the_first_signal_is_graceful_and_the_second_immediate", a_first_and_a_second_signal),
        trial("of_two_runs_at_once_the_one_that_ends_takes_only_its_own", two_at_once),
        trial("a_process_outlives_the_thread_that_started_it", a_process_outlives_its_thread),
        trial("what_a_massacre_left_is_ended_when_the_next_run_starts", the_next_run_sweeps),
        trial("a_program_that_serves_no_hidden_subcommands_needs_a_host", a_foreign_program),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial<F: Future<Output = ()>>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(body());
        Ok(())
    })
}

/// Who is started by `nohup`, or in the background of a shell's script, ignores signals, and so does whatever it starts.
fn by_signal(name: &str, signal: Signal) -> Trial {
    let test = trial(name, move || ends_by_signal(signal));
    match is_ignored(signal) {
        true => test.with_kind("ignored: this was started to ignore the signal").with_ignored_flag(true),
        false => test,
    }
}

/// By the mask in `proc_pid_status(5)`.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal.as_raw() - 1)) != 0
}

async fn ends_by_itself(role: &str, code: Option<i32>) {
    let mut scene = Scene::start(role);
    scene.everybody_is_there().await;
    scene.go();
    assert_eq!(scene.wait().code(), code);
    scene.nobody_is_left().await;
}

async fn ends_by_signal(signal: Signal) {
    let mut scene = Scene::start("return");
    scene.everybody_is_there().await;
    scene.signal(signal);
    assert_eq!(scene.wait().code(), None);
    scene.nobody_is_left().await;
}

/// As nextest does it: SIGTERM to the test's group, and SIGKILL when that did not help.
async fn a_time_out_of_a_test_runner() {
    let mut scene = Scene::start("interrupts");
    assert_eq!(scene.next_line(), "listening for signals");
    scene.signal_group(Signal::TERM);
    assert_eq!(scene.next_line(), "interrupted by SIGTERM");
    // The test is reached first: it may still ask its processes for their last words.
    scene.everybody_is_there().await;
    scene.signal_group(Signal::KILL);
    assert_eq!(scene.wait().code(), None);
    scene.nobody_is_left().await;
}

async fn a_first_and_a_second_signal() {
    let mut scene = Scene::start("interrupts");
    assert_eq!(scene.next_line(), "listening for signals");
    scene.signal(Signal::INT);
    assert_eq!(scene.next_line(), "interrupted by SIGINT");
    scene.everybody_is_there().await;
    scene.signal(Signal::TERM);
    assert_eq!(scene.wait().code(), Some(2));
    scene.nobody_is_left().await;
}

async fn two_at_once() {
    let (mut first, mut second) = (Scene::start("return"), Scene::start("return"));
    first.signal(Signal::KILL);
    first.wait();
    first.nobody_is_left().await;
    second.everybody_is_there().await;
    second.go();
    second.wait();
    second.nobody_is_left().await;
}

/// A death signal set by the kernel would follow the thread.
async fn a_process_outlives_its_thread() {
    let mut scene = Scene::start("thread");
    scene.everybody_is_there().await;
    scene.go();
    assert_eq!(scene.wait().code(), Some(0));
    scene.nobody_is_left().await;
}

/// Everything but the processes themselves is killed: the run and all its supervisors, with no time to notice.
async fn the_next_run_sweeps() {
    let mut scene = Scene::start("simple");
    scene.everybody_is_there().await;
    scene.freeze().await;
    scene.supervisors().iter().for_each(|pid| scene::send(*pid, Signal::KILL));
    scene.supervisors_are_gone().await;
    scene.signal(Signal::KILL);
    scene.wait();
    scene.everybody_is_there().await;

    let mut next = scene.next_run();
    scene.nobody_is_left().await;
    assert!(!scene.workdir().exists());
    next.everybody_is_there().await;
    next.go();
    next.wait();
    next.nobody_is_left().await;
}

async fn a_foreign_program() {
    let probity = env!("CARGO_BIN_EXE_probity");
    let found = output_of_victim("foreign", &[("PROBITY_BIN", probity), ("PATH", "/usr/bin:/bin")]);
    assert_eq!(found, "true exited with code 0\n");
    let directory = std::path::Path::new(probity).parent().unwrap().to_str().unwrap();
    let found = output_of_victim("foreign", &[("PATH", &format!("/usr/bin:/bin:{directory}"))]);
    assert_eq!(found, "true exited with code 0\n");
    let named = output_of_victim("hosted", &[("PATH", "/usr/bin:/bin")]);
    assert_eq!(named, "true exited with code 0\n");

    let missing = output_of_victim("foreign", &[("PATH", "/usr/bin:/bin")]);
    assert!(missing.contains("no binary to supervise processes with: PROBITY_BIN is not set"), "{missing}");
    assert!(missing.contains("serve_hidden_subcommands"), "{missing}");
    let wrong = output_of_victim("foreign", &[("PROBITY_BIN", "/bin/cat"), ("PATH", "/usr/bin:/bin")]);
    assert!(wrong.contains("is no supervisor; is PROBITY_BIN a `probity` of this version?"), "{wrong}");
}
