//! The supervisor: runs one command in a process group of its own and leaves nothing of it behind.
//!
//! Its standard input is a socket to the process that started it. However that process ends, even by SIGKILL, the
//! kernel closes the socket, and the supervisor ends the command: SIGTERM and SIGCONT, a grace, SIGKILL. It adopts what
//! the command leaves orphaned, so that a process which moved to another group or session is found and ended too.
//! It is the hidden subcommand `__supervise` of whichever binary hosts this library, and starts no async runtime.

mod settings;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::protocol::{Order, Report, Status};
use super::table;
use crate::inert::Inert;

pub(super) use settings::{Settings, Shown};

/// Between two looks at the process table while leftovers are ending.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// What SIGKILL does not end within this time (a process in an uninterruptible call) is given up.
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// Serves the subcommand; `arguments` are those of [`Settings::to_arguments`].
pub(super) fn main(arguments: Vec<OsString>) -> i32 {
    let Ok(mut parent) = io::stdin().as_fd().try_clone_to_owned().map(File::from) else {
        return 1;
    };
    let started = Settings::from_arguments(arguments).and_then(|settings| {
        let (inbox, child) = start(&settings, &parent)?;
        Ok((settings, inbox, child))
    });
    match started {
        Ok((settings, inbox, child)) => {
            let group = Pid::from_child(&child);
            tell(&mut parent, &Report::Started { pid: group.as_raw_nonzero().get() });
            let mut supervisor =
                Supervisor { group, grace: settings.grace, parent, inbox, copies: settings.copies() };
            supervisor.attend()
        }
        Err(message) => {
            tell(&mut parent, &Report::Failed { message });
            1
        }
    }
}

enum Event {
    Ordered(Order),
    /// The parent is gone, or has no interest any more.
    ParentGone,
    /// Somebody asked the supervisor itself to end.
    Asked,
    Ended(Status),
    /// A child has ended: the command, or an orphan that we adopted.
    ChildEnded,
    /// One of the two streams of output has come to its end.
    Copied,
}

/// Runs the command and the threads that watch for events.
fn start(settings: &Settings, parent: &File) -> Result<(mpsc::Receiver<Event>, Child), String> {
    become_reaper();
    let (events, inbox) = mpsc::channel();
    let child = spawn(settings, &events)?;
    watch_signals(&events).map_err(|error| format!("cannot watch for signals: {error}"))?;
    let orders = parent.try_clone().map_err(|error| format!("cannot read orders: {error}"))?;
    let sender = events.clone();
    thread::spawn(move || read_orders(orders, &sender));
    let pid = Pid::from_child(&child);
    thread::spawn(move || _ = events.send(Event::Ended(wait_unreaped(pid))));
    Ok((inbox, child))
}

#[expect(clippy::disallowed_methods, reason = "the supervisor is where every command is started")]
fn spawn(settings: &Settings, events: &mpsc::Sender<Event>) -> Result<Child, String> {
    let open = |path: &PathBuf| {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map_err(|error| format!("cannot write the log {}: {error}", path.display()))
    };
    let (stdout, stderr) = (open(&settings.stdout)?, open(&settings.stderr)?);
    let mut command = Command::new(&settings.program);
    command.args(&settings.arguments).current_dir(&settings.directory).stdin(Stdio::null()).process_group(0);
    if let Some((user, group)) = settings.user {
        command.uid(user).gid(group);
    }
    if settings.shown != Shown::No {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    } else {
        command.stdout(stdout.try_clone().map_err(|error| error.to_string())?);
        command.stderr(stderr.try_clone().map_err(|error| error.to_string())?);
    }
    let mut child = command.spawn().map_err(|error| {
        format!("cannot run `{}` in {}: {error}", settings.program.display(), settings.directory.display())
    })?;
    if let Some(from) = child.stdout.take() {
        copy_output(from, stdout, Screen::of(io::stdout(), settings.shown), events);
    }
    if let Some(from) = child.stderr.take() {
        copy_output(from, stderr, Screen::of(io::stderr(), settings.shown), events);
    }
    Ok(child)
}

/// One of our own streams, on which output is shown.
struct Screen<W> {
    out: W,
    inert: Option<Inert>,
}

impl<W: Write> Screen<W> {
    fn of(out: W, shown: Shown) -> Self {
        Screen { out, inert: (shown == Shown::Inert).then(Inert::default) }
    }

    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.inert {
            Some(inert) => self.out.write_all(&inert.pass(bytes))?,
            None => self.out.write_all(bytes)?,
        }
        self.out.flush()
    }
}

/// Copies what comes, as it comes, to the log and to the screen. A screen that is gone does not stop the log.
fn copy_output(
    mut from: impl Read + Send + 'static,
    mut log: File,
    mut screen: Screen<impl Write + Send + 'static>,
    events: &mpsc::Sender<Event>,
) {
    let events = events.clone();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            _ = log.write_all(&buffer[..read]);
            _ = screen.show(&buffer[..read]);
        }
        _ = events.send(Event::Copied);
    });
}

fn read_orders(orders: File, events: &mpsc::Sender<Event>) {
    for line in BufReader::new(orders).lines().map_while(Result::ok) {
        if let Some(order) = Order::parse(&line) {
            _ = events.send(Event::Ordered(order));
        }
    }
    _ = events.send(Event::ParentGone);
}

/// Waits for the end of the command but leaves it unreaped: as long as its zombie is there, its pid and its group's
/// number belong to nobody else, and both we and the parent may send signals to them.
fn wait_unreaped(pid: Pid) -> Status {
    loop {
        match rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(Some(status)) => {
                let code = status.exit_status().map(Status::Code);
                return code.or(status.terminating_signal().map(Status::Signal)).unwrap_or(Status::Unknown);
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Status::Unknown,
        }
    }
}

/// A supervisor that is asked to end ends its command first, so that `killall` leaves nothing behind either.
fn watch_signals(events: &mpsc::Sender<Event>) -> io::Result<()> {
    use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
    let on = |signals: &[i32], event: fn() -> Event| -> io::Result<()> {
        let (mut receiver, sender) = UnixStream::pair()?;
        for signal in signals {
            signal_hook::low_level::pipe::register(*signal, sender.try_clone()?)?;
        }
        let events = events.clone();
        thread::spawn(move || {
            while let Ok(1..) = receiver.read(&mut [0; 64]) {
                _ = events.send(event());
            }
        });
        Ok(())
    };
    on(&[SIGHUP, SIGINT, SIGTERM], || Event::Asked)?;
    on(&[SIGCHLD], || Event::ChildEnded)
}

fn tell(parent: &mut File, report: &Report) {
    // A parent that is gone needs no report; reading from it tells us so.
    _ = parent.write_all(report.to_line().as_bytes());
}

struct Supervisor {
    group: Pid,
    grace: Duration,
    parent: File,
    inbox: mpsc::Receiver<Event>,
    copies: usize,
}

impl Supervisor {
    /// Returns the exit code for the supervisor itself: the command's, or as a shell would show its signal.
    fn attend(&mut self) -> i32 {
        let mut ending = Ending::default();
        let status = self.wait_for_command(&mut ending);
        tell(&mut self.parent, &Report::Ended { status, forced: ending.forced });
        self.end_leftovers(&mut ending);
        tell(&mut self.parent, &Report::Gone);
        while !ending.parent_gone {
            self.take_event(Duration::MAX, &mut ending);
        }
        match status {
            Status::Code(code) => code,
            Status::Signal(signal) => 128 + signal,
            Status::Unknown => 1,
        }
    }

    fn wait_for_command(&mut self, ending: &mut Ending) -> Status {
        loop {
            let wait =
                ending.deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            match self.take_event(wait, ending) {
                Some(Event::Ended(status)) => return status,
                None => {
                    ending.forced = true;
                    ending.deadline = None;
                    self.kill_all();
                }
                Some(_) => {}
            }
        }
    }

    /// Ends what the command left behind, and waits until all its output was copied.
    fn end_leftovers(&mut self, ending: &mut Ending) {
        let due = *ending.deadline.get_or_insert_with(|| Instant::now() + self.grace);
        let mut told = false;
        loop {
            let alive = self.alive();
            if alive.is_empty() && self.copies == 0 {
                return;
            }
            let now = Instant::now();
            let due = if ending.killed { now } else { ending.deadline.unwrap_or(due) };
            if now >= due {
                self.kill_all();
            } else if !told {
                told = true;
                alive.iter().for_each(|pid| end_gently(*pid, rustix::process::kill_process));
            }
            if now >= due + LAST_LIMIT {
                return;
            }
            self.take_event(LOOK_AGAIN, ending);
        }
    }

    /// Takes one event and acts on it; `None` when none came in time.
    fn take_event(&mut self, wait: Duration, ending: &mut Ending) -> Option<Event> {
        let event = if wait == Duration::MAX {
            self.inbox.recv().ok()?
        } else {
            self.inbox.recv_timeout(wait).ok()?
        };
        match event {
            Event::Ordered(Order::Kill) => {
                ending.killed = true;
                self.kill_all();
            }
            Event::Ordered(Order::End(grace)) => self.begin_end(grace, ending),
            Event::Asked => self.begin_end(self.grace, ending),
            Event::ParentGone => {
                ending.parent_gone = true;
                self.begin_end(self.grace, ending);
            }
            Event::Copied => self.copies = self.copies.saturating_sub(1),
            Event::ChildEnded => self.reap_orphans(),
            Event::Ended(_) => {}
        }
        Some(event)
    }

    /// Orphans that we adopted and that have ended: nobody else can. The command itself stays, see [`wait_unreaped`].
    fn reap_orphans(&self) {
        let children = table::own_children().unwrap_or_default();
        for orphan in children.into_iter().filter_map(Pid::from_raw).filter(|pid| *pid != self.group) {
            _ = rustix::process::waitid(WaitId::Pid(orphan), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }

    fn begin_end(&self, grace: Duration, ending: &mut Ending) {
        let due = Instant::now() + grace;
        ending.deadline = Some(ending.deadline.map_or(due, |earlier| earlier.min(due)));
        end_gently(self.group, rustix::process::kill_process_group);
    }

    fn kill_all(&self) {
        _ = rustix::process::kill_process_group(self.group, Signal::KILL);
        for pid in self.alive() {
            _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }

    /// Everything alive that descends from us.
    fn alive(&self) -> Vec<Pid> {
        if has_no_living_child() {
            return Vec::new();
        }
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let descendants = table::descendants(&table::all(), own);
        descendants.iter().filter_map(|entry| Pid::from_raw(entry.pid)).collect()
    }
}

/// Whether no child of ours is alive, for certain; then nothing that descends from us is, for orphans come to us. `false` also where
/// the kernel does not list children.
///
/// What ends hands its children on in the same moment. So a child that was alive when the children were listed, and had ended when it
/// was looked at, left its own on the second list.
fn has_no_living_child() -> bool {
    let Some(children) = table::own_children() else { return false };
    children.iter().all(|pid| has_ended(*pid)) && table::own_children() == Some(children)
}

/// Ended with all its threads; it may wait to be reaped.
fn has_ended(child: i32) -> bool {
    let looks = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let status = Pid::from_raw(child).map(|pid| rustix::process::waitid(WaitId::Pid(pid), looks));
    matches!(status, Some(Ok(Some(_))))
}

#[derive(Default)]
struct Ending {
    /// When SIGKILL is due.
    deadline: Option<Instant>,
    /// The grace ran out.
    forced: bool,
    /// The parent ordered SIGKILL.
    killed: bool,
    parent_gone: bool,
}

/// SIGCONT comes second: a stopped process takes SIGTERM only when it runs again.
fn end_gently(target: Pid, send: impl Fn(Pid, Signal) -> rustix::io::Result<()>) {
    _ = send(target, Signal::TERM);
    _ = send(target, Signal::CONT);
}

#[cfg(target_os = "linux")]
fn become_reaper() {
    // Any pid says yes. Without it orphans go to init, and only the command's own group is ended.
    _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn become_reaper() {}
