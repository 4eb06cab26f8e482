//! The process that ends: what it starts, and the ways in which it ends.

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use probity::process::interrupt::interrupts;
use probity::process::{Process, Program, serve_hidden_subcommands, use_host};
use probity::workdir::{RunId, Workdir};
use tokio::runtime::Runtime;

/// The one process that has not the run's id in its environment.
pub(crate) const NAMELESS: &str = "sleep 1003";
const LONG: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_millis(300);

pub(crate) fn main(role: &str) -> ExitCode {
    match role {
        "listener" => listen(),
        "foreign" => start_true(),
        "hosted" => {
            use_host(env!("CARGO_BIN_EXE_probity"));
            start_true()
        }
        role => {
            serve_hidden_subcommands();
            live_and_end(role)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "these are endings that a run must survive without leaving anybody"
)]
fn live_and_end(role: &str) -> ExitCode {
    let runtime = Runtime::new().unwrap();
    let workdir = Workdir::create(RunId::new()).unwrap();
    let processes = match role {
        "thread" => std::thread::spawn(move || introduce(&workdir, "thread")).join().unwrap(),
        role => introduce(&workdir, role),
    };
    if role == "interrupts" {
        return runtime.block_on(stay_when_interrupted());
    }
    // Whoever closes this without a word has ended: so do we.
    io::stdin().read_line(&mut String::new()).unwrap();
    match role {
        "return" | "simple" | "thread" => {}
        "forget" => std::mem::forget(processes),
        "exit" => std::process::exit(7),
        "panic" => panic!("an ending"),
        "abort" => std::process::abort(),
        other => panic!("there is no role {other}"),
    }
    ExitCode::SUCCESS
}

/// Starts everything and says what there is to look for.
fn introduce(workdir: &Workdir, role: &str) -> Vec<Process> {
    let mut processes = start_simple(workdir);
    let mut commands = vec!["sleep 1000", "sleep 1001"];
    if role != "simple" {
        processes.extend(start_awkward(workdir));
        commands.extend(["sleep 1002", NAMELESS]);
    }
    let (listener, port) = start_listener(workdir);
    processes.push(listener);
    let groups: Vec<_> = processes.iter().map(|process| process.pid().to_string()).collect();
    let facts = [
        format!("run {}", workdir.run()),
        format!("workdir {}", workdir.path().display()),
        format!("groups {}", groups.join(" ")),
        format!("commands {}", commands.join(", ")),
        format!("port {port}"),
    ];
    println!("{}", facts.join("\n"));
    processes
}

/// A wrapper with a grandchild, one in another session, and one that ignores every polite signal.
fn start_simple(workdir: &Workdir) -> Vec<Process> {
    vec![
        shell(workdir, "wrapper", "sleep 1000 & echo ready; wait; :"),
        shell(workdir, "elsewhere", "setsid sleep 1001 & echo ready; wait; :"),
        shell(workdir, "stubborn", "trap '' TERM INT HUP; echo ready; while :; do sleep 0.05; done"),
    ]
}

/// One that stands still, and one that cannot be known by its environment, its group or its session.
fn start_awkward(workdir: &Workdir) -> Vec<Process> {
    // No shell before it, which might be paused instead.
    let paused = Program::new("sleep").name("paused").arg("1002").grace(GRACE).spawn(workdir).unwrap();
    assert!(paused.pause());
    let nameless = format!("env -u PROBITY_RUN setsid {NAMELESS} & echo ready; wait; :");
    vec![paused, shell(workdir, "nameless", &nameless)]
}

fn start_listener(workdir: &Workdir) -> (Process, u16) {
    let own = std::env::current_exe().unwrap();
    let listener =
        Program::new(own).name("listener").arg("victim:listener").grace(GRACE).spawn(workdir).unwrap();
    let line = wait_for_line(&listener, "port ");
    let port = line.strip_prefix("port ").unwrap().parse().unwrap();
    (listener, port)
}

fn shell(workdir: &Workdir, name: &str, script: &str) -> Process {
    let process = Program::new("sh").name(name).args(["-c", script]).grace(GRACE).spawn(workdir).unwrap();
    wait_for_line(&process, "ready");
    process
}

fn wait_for_line(process: &Process, marker: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(process.line_with(marker, LONG)).unwrap()
}

/// A graceful end that takes its time, until a second signal comes.
async fn stay_when_interrupted() -> ExitCode {
    let mut interrupts = interrupts().unwrap();
    println!("listening for signals");
    let interrupt = interrupts.wait_for(Option::is_some).await.unwrap().unwrap();
    println!("interrupted by {interrupt}");
    std::future::pending().await
}

fn listen() -> ExitCode {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("port {}", listener.local_addr().unwrap().port());
    // Nobody connects: this waits for ever.
    _ = listener.accept();
    ExitCode::SUCCESS
}

fn start_true() -> ExitCode {
    let workdir = Workdir::create(RunId::new()).unwrap();
    match Program::new("true").spawn(&workdir) {
        Ok(process) => {
            let runtime = Runtime::new().unwrap();
            println!("true {}", runtime.block_on(process.wait()));
        }
        Err(error) => println!("{error}\n{}", error.hint().unwrap_or_default()),
    }
    workdir.remove().unwrap();
    ExitCode::SUCCESS
}
