//! The one place that starts processes.
//!
//! Every process runs under a supervisor that ends it, and all it started, however this process ends: return, panic,
//! SIGINT, SIGTERM, SIGKILL, a time-out of the test runner (see [`Program`] and `process/supervise.rs`). What a process
//! writes goes to files.

mod error;
mod hidden;
pub mod interrupt;
mod log;
mod program;
mod protocol;
mod supervise;
mod survivors;
pub(crate) mod table;

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::Pid;
use tokio::sync::watch;

pub use error::{Output, StartError};
pub(crate) use hidden::start_again_with;
pub use hidden::{NoHost, serve_hidden_subcommands, use_host};
pub use log::{Logs, Tail};
pub use program::{Program, User, find};
pub use protocol::Status;
pub use rustix::process::Signal;
pub use survivors::{FoundBy, Survivor, in_group, listening_on, survivors};

pub(crate) use survivors::end_survivors;

use log::Follower;
use protocol::{Order, Report};

use crate::until::{Probe, UntilError, until};

/// The variable by which every process of a run can be found.
pub const RUN_VARIABLE: &str = "PROBITY_RUN";
/// How many lines of its log an error shows.
const TAIL_LINES: usize = 10;
/// A supervisor has this long to say that it started its command, and to end what SIGKILL does not end.
const SUPERVISOR_LIMIT: Duration = Duration::from_secs(15);

/// A process that was started. Dropping it ends the process without waiting for its end.
///
/// Signals go to the process and all in its process group, directly, and never to a later process of the same pid: its
/// supervisor leaves it unreaped until this side has noted that it is gone.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    logs: Logs,
    started: SystemTime,
    orders: UnixStream,
    state: watch::Receiver<State>,
    reaped: Arc<Mutex<bool>>,
}

/// How and when a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its code, or the signal that ended it.
    pub status: Status,
    /// It did not end within its grace and was killed.
    pub forced: bool,
    /// When its end was seen.
    pub at: SystemTime,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    exit: Option<Exit>,
    /// All that it started is gone too, and so is the supervisor.
    gone: bool,
}

impl Process {
    /// The name that it was given, or its program's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of the process itself, not of its supervisor. It is its group's number too.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Where its output goes.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// When it was started.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.state.borrow().exit
    }

    /// Sends a signal to it and its group; says whether it was still running.
    pub fn signal(&self, signal: Signal) -> bool {
        let reaped = lock(&self.reaped);
        let running = !*reaped && self.exit().is_none();
        running && rustix::process::kill_process_group(self.pid, signal).is_ok()
    }

    /// Stops it and its group in their tracks (SIGSTOP); says whether it was still running.
    pub fn pause(&self) -> bool {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Process::pause`] (SIGCONT); says whether it was still running.
    pub fn resume(&self) -> bool {
        self.signal(Signal::CONT)
    }

    /// Ends it: SIGTERM (and SIGCONT), then SIGKILL when `grace` is over. Returns when it and all it started are gone.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.order(Order::End(grace));
        self.wait_at_most(grace + SUPERVISOR_LIMIT).await
    }

    /// Ends it and all it started by SIGKILL, and returns when they are gone.
    pub async fn kill(&self) -> Exit {
        self.order(Order::Kill);
        self.wait_at_most(SUPERVISOR_LIMIT).await
    }

    /// Waits for its own end. What it started may live on for its grace: see [`Process::wait`].
    pub async fn exited(&self) -> Exit {
        self.until_state(|state| state.exit).await
    }

    /// Waits until it and all it started are gone, and its output is complete. What it leaves behind is ended.
    pub async fn wait(&self) -> Exit {
        self.until_state(|state| state.exit.filter(|_| state.gone)).await
    }

    /// Waits for a line of its output (of either stream) that contains `marker`, and returns that line.
    ///
    /// A line that was written before counts. Fails at once when the process ends without it.
    pub async fn line_with(&self, marker: &str, limit: Duration) -> Result<String, StartError> {
        let mut streams = [Follower::new(&self.logs.stdout), Follower::new(&self.logs.stderr)];
        let found = until(marker, limit, async || {
            // Asked before the log is read: what it wrote last must still count.
            let exit = self.exit();
            for stream in &mut streams {
                if let Some(line) = stream.find(marker).map_err(|error| self.unreadable(&error))? {
                    return Ok(Probe::Ready(line));
                }
            }
            match exit {
                Some(exit) => Err(self.exited_early(exit)),
                None => Ok(Probe::NotYet("no such line".to_owned())),
            }
        });
        found.await.map_err(|error| match error {
            UntilError::Failed { error, .. } => error,
            UntilError::TimedOut(_) => self.silent(marker, limit),
        })
    }

    /// The error of a process that ended before it was ready.
    pub fn exited_early(&self, exit: Exit) -> StartError {
        StartError::Exited { name: self.name.clone(), exit, output: self.output() }
    }

    /// The error of a process that runs but was not ready within `limit`; `marker` says what it did not show.
    pub fn silent(&self, marker: &str, limit: Duration) -> StartError {
        StartError::Silent {
            name: self.name.clone(),
            marker: marker.to_owned(),
            limit,
            output: self.output(),
        }
    }

    fn output(&self) -> Box<Output> {
        Box::new(Output { tail: self.logs.tail(TAIL_LINES), logs: self.logs.clone() })
    }

    fn unreadable(&self, error: &io::Error) -> StartError {
        let reason = format!("its log {} cannot be read: {error}", self.logs.stdout.display());
        StartError::Spawn { name: self.name.clone(), reason, hint: None }
    }

    async fn until_state<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut states = self.state.clone();
        loop {
            if let Some(value) = look(&states.borrow_and_update()) {
                return value;
            }
            if states.changed().await.is_err() {
                // The listening thread ends only after it has said that all is gone.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn wait_at_most(&self, limit: Duration) -> Exit {
        let unknown = Exit { status: Status::Unknown, forced: true, at: SystemTime::now() };
        match tokio::time::timeout(limit, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => self.exit().unwrap_or(unknown),
        }
    }

    /// A supervisor that takes no orders any more has ended, and its command before it.
    fn order(&self, order: Order) {
        _ = (&self.orders).write_all(order.to_line().as_bytes());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.orders.shutdown(Shutdown::Write);
    }
}

impl Exit {
    /// It ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.status == Status::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Status::Code(code) => write!(formatter, "exited with code {code}"),
            Status::Signal(_) if self.forced => write!(formatter, "was killed when its grace was over"),
            Status::Signal(number) => match signal_name(number) {
                Some(name) => write!(formatter, "was ended by signal {number} ({name})"),
                None => write!(formatter, "was ended by signal {number}"),
            },
            Status::Unknown => write!(formatter, "ended unseen, with its supervisor"),
        }
    }
}

/// The name of a signal that ends processes.
fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
    ];
    names.iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| *name)
}

/// Begins to listen to a supervisor that has said that its command started.
fn attend(
    name: String,
    logs: Logs,
    pid: Pid,
    supervisor: Child,
    reports: BufReader<UnixStream>,
) -> io::Result<Process> {
    let orders = reports.get_ref().try_clone()?;
    let (sender, state) = watch::channel(State::default());
    let reaped = Arc::new(Mutex::new(false));
    let listener = Listener { pid, start: start_of(pid), supervisor, sender, reaped: Arc::clone(&reaped) };
    thread::Builder::new().name(format!("process {name}")).spawn(move || listener.listen(reports))?;
    Ok(Process { name, pid, logs, started: SystemTime::now(), orders, state, reaped })
}

/// Hears a supervisor's reports, on a thread of its own: it works in every runtime, and in none.
struct Listener {
    pid: Pid,
    start: Option<u64>,
    supervisor: Child,
    sender: watch::Sender<State>,
    reaped: Arc<Mutex<bool>>,
}

impl Listener {
    fn listen(mut self, mut reports: BufReader<UnixStream>) {
        for line in reports.by_ref().lines().map_while(Result::ok) {
            match Report::parse(&line) {
                Some(Report::Ended { status, forced }) => {
                    let exit = Exit { status, forced, at: SystemTime::now() };
                    self.sender.send_modify(|state| state.exit = Some(exit));
                }
                Some(Report::Gone) => break,
                _ => {}
            }
        }
        self.note_reaped();
        // Only now the supervisor ends, and reaps.
        _ = reports.get_ref().shutdown(Shutdown::Both);
        _ = self.supervisor.wait();
        let unseen = Exit { status: Status::Unknown, forced: false, at: SystemTime::now() };
        self.sender.send_modify(|state| {
            state.exit.get_or_insert(unseen);
            state.gone = true;
        });
    }

    /// From here on no signal goes to the pid. A supervisor that was itself killed did not end its command: we do.
    fn note_reaped(&self) {
        let mut reaped = lock(&self.reaped);
        let ended = self.sender.borrow().exit.is_some();
        if !ended && self.start.is_some() && start_of(self.pid) == self.start {
            _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
        *reaped = true;
    }
}

/// Together with the pid, this tells a process from every other.
fn start_of(pid: Pid) -> Option<u64> {
    table::Entry::of(pid.as_raw_nonzero().get()).map(|entry| entry.start)
}

fn lock(flag: &Mutex<bool>) -> MutexGuard<'_, bool> {
    flag.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
